//! Names of Windows' named pipes.
use std::{fmt, io};

use super::unix::Flaw;

/// The name of a named pipe of Windows: what follows `\\.\pipe\`.
///
/// It parses and prints everywhere; pipes themselves are not served yet, and whatever is asked to
/// connect to one or to listen at one answers `Unsupported`.
///
/// ```
/// use reseau::PipeName;
/// let pipe = PipeName::new("echo")?;
/// assert_eq!(pipe.to_string(), "npipe:echo");
/// assert_eq!((pipe.name(), pipe.path()), ("echo", r"\\.\pipe\echo".to_owned()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PipeName(Box<str>);

impl PipeName {
    /// The pipe `name` of this machine. Windows does not tell capital letters from small ones;
    /// a comparison here does.
    ///
    /// # Errors
    /// `InvalidInput` if the name is empty, longer than 247 letters (in UTF-16), starts with a
    /// backslash, or holds a slash or a control character.
    ///
    /// ```
    /// use reseau::PipeName;
    /// for bad in ["", r"\a", "a/b", "a\0"] {
    ///     assert_eq!(PipeName::new(bad).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    /// }
    /// let endpoint: reseau::Endpoint = r"\\.\pipe\echo".parse().unwrap();
    /// assert_eq!(endpoint.to_string(), "npipe:echo"); // Both ways to write it are read.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(name: impl AsRef<str>) -> io::Result<Self> {
        Self::from_text(name.as_ref()).map_err(|flaw| flaw.of("a pipe's name"))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The name with what stands before it in Windows' own calls.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }

    /// What follows `\\.\pipe\` in a text, if it begins so.
    pub(super) fn strip(text: &str) -> Option<&str> {
        let (prefix, name) = text.split_at_checked(PREFIX.len())?;
        prefix.eq_ignore_ascii_case(PREFIX).then_some(name)
    }

    pub(super) fn from_text(name: &str) -> Result<Self, Flaw> {
        if name.is_empty() {
            return Err(Flaw::new("is missing"));
        }
        if name.starts_with('\\') {
            return Err(Flaw::new("starts with a backslash"));
        }
        let odd = |letter: char| letter == '/' || letter.is_control();
        if let Some(at) = name.find(odd) {
            let why = "holds a slash or a control character: write npipe:name";
            return Err(Flaw { at, ..Flaw::new(why) });
        }
        if name.encode_utf16().count() > NAME_MAX {
            return Err(Flaw::new(format!("is longer than {NAME_MAX} letters")));
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for PipeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "npipe:{}", self.0)
    }
}

impl fmt::Debug for PipeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.path())
    }
}

/// This machine, and its pipes.
const PREFIX: &str = r"\\.\pipe\";
/// Windows takes 256 letters with the prefix.
const NAME_MAX: usize = 256 - PREFIX.len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_limits() {
        assert!(PipeName::new("x".repeat(247)).is_ok());
        let one = PipeName::new(r"ProtectedPrefix\Administrators\x y").unwrap();
        assert_eq!(format!("{one:?}"), r#""\\\\.\\pipe\\ProtectedPrefix\\Administrators\\x y""#);
        for (name, why) in [
            ("", "a pipe's name is missing"),
            (r"\x", "a pipe's name starts with a backslash"),
            ("a/b", "a pipe's name holds a slash or a control character: write npipe:name"),
            ("a\0", "a pipe's name holds a slash or a control character: write npipe:name"),
            (&"\u{1f980}".repeat(124), "a pipe's name is longer than 247 letters"),
        ] {
            let error = PipeName::new(name).unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (io::ErrorKind::InvalidInput, why)
            );
        }
    }
}
