//! Why a name has no addresses.
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::error::{Error, Operation, Phase};
use crate::sys::names::{NameFault, Why};

/// Why a lookup failed. It can be cloned, because many may have waited for one lookup.
///
/// Calls return [`std::io::Error`] with a [`reseau::Error`](crate::Error) that names the name;
/// [`LookupError::of`] finds this one inside.
///
/// ```
/// use reseau::dns::{Cause, LookupError};
/// use reseau::error::{Error, Operation};
/// let error = reseau::Resolver::default().lookup("no..name").wait().unwrap_err();
/// assert_eq!(LookupError::of(&error).unwrap().cause(), Cause::BadName);
/// assert_eq!(Error::of(&error).unwrap().operation(), Operation::Resolve);
/// assert_eq!(error.to_string(), "resolve no..name: name: a part of the name is empty");
/// ```
///
/// What the resolver said in its own numbers is kept:
///
/// ```
/// use reseau::dns::LookupError;
/// let resolver = reseau::Resolver::from_fn(|_| Err(std::io::ErrorKind::NotFound.into()));
/// let error = resolver.lookup("example.com").wait().unwrap_err();
/// assert_eq!(LookupError::of(&error).unwrap().code(), None);
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// ```
#[derive(Clone, Debug)]
pub struct LookupError {
    cause: Cause,
    /// Said in place of what the cause says.
    text: Option<&'static str>,
    code: Option<i32>,
    source: Option<Arc<io::Error>>,
}

/// The kinds of failure that a program can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It is no name: empty, too long, an empty part, a byte that no name has. Nobody was asked.
    BadName,
    /// There is no such name.
    NotFound,
    /// There is the name, but no address of the family that was asked for.
    NoData,
    /// There are addresses, but none of a family that was allowed.
    NoFamily,
    /// The name servers cannot be reached or do not answer now. Try later.
    Temporary,
    /// The name servers answered that they cannot, or with what is no answer.
    Failed,
    /// The deadline came before the answer.
    Late,
    /// This resolver does not do that.
    Unsupported,
    /// Something else: the system's error, or a function's.
    Other,
}

impl LookupError {
    /// An error of that cause, for functions that resolve.
    ///
    /// ```
    /// use reseau::dns::{Cause, LookupError};
    /// let busy = || LookupError::new(Cause::Temporary).into();
    /// let resolver = reseau::Resolver::from_fn(move |_| Err(busy()));
    /// let error = resolver.lookup("example.com").wait().unwrap_err();
    /// assert_eq!(reseau::error::class_of(&error), reseau::error::Class::Wait);
    /// ```
    #[must_use]
    pub fn new(cause: Cause) -> Self {
        Self { cause, text: None, code: None, source: None }
    }

    pub(super) fn because(cause: Cause, text: &'static str) -> Self {
        Self { text: Some(text), ..Self::new(cause) }
    }

    /// The [`LookupError`] inside an [`std::io::Error`], if a lookup gave it.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        let payload = error.get_ref()?;
        payload.downcast_ref().or_else(|| {
            let outer = payload.downcast_ref::<Error>()?;
            Self::of(outer.source()?.downcast_ref()?)
        })
    }

    /// What it was.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The resolver's own number: `EAI_NONAME` and its like, on Windows `WSAHOST_NOT_FOUND`.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// Whether the same question may have addresses as its answer later, although it has none now:
    /// neither a mistake in the name nor the word of a name server.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self.cause, Cause::Temporary | Cause::Failed | Cause::Late | Cause::Other)
    }

    /// What callers get: operation, phase and name around it.
    pub(super) fn about(self, target: &str) -> io::Error {
        let error = Error::new(Operation::Resolve, self.into_bare()).phase_at(Phase::Name);
        error.target(Shown(target)).into()
    }

    /// Without what it was about.
    fn into_bare(self) -> io::Error {
        io::Error::new(self.kind(), self)
    }

    fn kind(&self) -> io::ErrorKind {
        match self.cause {
            Cause::BadName => io::ErrorKind::InvalidInput,
            Cause::NotFound | Cause::NoData => io::ErrorKind::NotFound,
            Cause::NoFamily | Cause::Unsupported => io::ErrorKind::Unsupported,
            // What has this kind can be waited for (`Class::Wait`).
            Cause::Temporary => io::ErrorKind::ResourceBusy,
            Cause::Failed => io::ErrorKind::Other,
            Cause::Late => io::ErrorKind::TimedOut,
            Cause::Other => self.source.as_ref().map_or(io::ErrorKind::Other, |error| error.kind()),
        }
    }
}

impl From<LookupError> for io::Error {
    fn from(error: LookupError) -> Self {
        error.into_bare()
    }
}

/// What a function said.
impl From<io::Error> for LookupError {
    fn from(error: io::Error) -> Self {
        if let Some(found) = Self::of(&error) {
            return found.clone();
        }
        let cause = match error.kind() {
            io::ErrorKind::NotFound => Cause::NotFound,
            io::ErrorKind::TimedOut => Cause::Late,
            io::ErrorKind::Unsupported => Cause::Unsupported,
            io::ErrorKind::ResourceBusy => Cause::Temporary,
            _ => Cause::Other,
        };
        Self { source: Some(Arc::new(error)), ..Self::new(cause) }
    }
}

/// What the system's resolver said.
impl From<NameFault> for LookupError {
    fn from(fault: NameFault) -> Self {
        let cause = match fault.why {
            Why::NotFound => Cause::NotFound,
            Why::NoData => Cause::NoData,
            Why::Temporary => Cause::Temporary,
            Why::Failed => Cause::Failed,
            Why::System(error) => {
                let source = Some(Arc::new(error));
                return Self { code: fault.code, source, ..Self::new(Cause::Other) };
            }
        };
        Self { code: fault.code, ..Self::new(cause) }
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match (self.text, &self.source, self.cause) {
            (Some(text), ..) => text,
            (None, Some(source), _) => return source.fmt(f),
            (.., Cause::BadName) => "not a name",
            (.., Cause::NotFound) => "no such name",
            (.., Cause::NoData) => "the name has no address of that family",
            (.., Cause::NoFamily) => "the name has no address of a family that is allowed",
            (.., Cause::Temporary) => "the name servers do not answer now",
            (.., Cause::Failed) => "the name servers failed",
            (.., Cause::Late) => "no answer in time",
            (.., Cause::Unsupported) => "this resolver does not do that",
            (.., Cause::Other) => "the lookup failed",
        };
        f.write_str(said)?;
        self.code.map_or(Ok(()), |code| write!(f, " (resolver error {code})"))
    }
}

impl StdError for LookupError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A name in an error: what people can read, and not too much of it.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("\"\"");
        }
        for (count, letter) in self.0.chars().enumerate() {
            if count == SHOWN_MAX {
                return f.write_str("…");
            }
            if letter.is_control() {
                letter.escape_default().fmt(f)?
            } else {
                write!(f, "{letter}")?
            }
        }
        Ok(())
    }
}

/// Letters of a name that an error shows: the longest good name and some.
const SHOWN_MAX: usize = 260;
