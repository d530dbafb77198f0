//! What is wrong with a certificate, a key or a list of roots: [`Unfit`].
use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// What is wrong with a certificate, a key or a list of roots: in which file, on which line, and
/// what.
///
/// ```
/// use reseau::tls::{Roots, Unfit};
/// let text = "# Ours\n-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
/// let error = Roots::from_pem(text.as_bytes()).unwrap_err();
/// assert!(error.to_string().starts_with("line 2: CERTIFICATE: "), "{error}");
/// assert_eq!(Unfit::of(&error).unwrap().line(), Some(2));
/// ```
#[derive(Debug)]
pub struct Unfit {
    path: Option<PathBuf>,
    line: Option<usize>,
    cause: io::Error,
}

impl Unfit {
    pub(super) fn new(cause: io::Error) -> Self {
        Self { path: None, line: None, cause }
    }

    pub(super) fn at(self, path: Option<&Path>, line: Option<usize>) -> Self {
        Self { path: path.map(Path::to_path_buf), line, ..self }
    }

    /// What is unfit, if that is what `error` is about.
    ///
    /// ```
    /// use reseau::tls::{Identity, Unfit};
    /// let error = Identity::from_files("no/chain.pem", "no/key.pem").unwrap_err();
    /// let path = Unfit::of(&error).and_then(Unfit::path);
    /// assert_eq!(path, Some("no/chain.pem".as_ref()));
    /// ```
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The file, if it came from one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The line on which the section begins in which it is wrong; the first line is 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong there.
    #[must_use]
    pub fn cause(&self) -> &io::Error {
        &self.cause
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.path, self.line) {
            (Some(path), Some(line)) => write!(f, "{}:{line}: ", path.display())?,
            (Some(path), None) => write!(f, "{}: ", path.display())?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        self.cause.fmt(f)
    }
}

impl StdError for Unfit {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}

impl From<Unfit> for io::Error {
    fn from(unfit: Unfit) -> Self {
        Self::new(unfit.cause.kind(), unfit)
    }
}
