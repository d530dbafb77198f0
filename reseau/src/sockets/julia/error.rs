//! What Julia's programs catch.
use std::{fmt, io};

use crate::dns::{Cause, LookupError};

/// What the calls of this module throw, under the names that they have in Julia.
///
/// ```
/// use reseau::sockets::julia::{Error, connect, getaddrinfo};
/// assert!(matches!(connect(99999), Err(Error::ArgumentError(_)))); // No such port.
/// assert!(matches!(getaddrinfo("name.invalid"), Err(Error::DNSError { .. })));
/// ```
///
/// All of them are [`std::io::Error`]s too, for functions that return those:
///
/// ```
/// fn greet() -> std::io::Result<()> {
///     let server = reseau::sockets::julia::listen(0)?;
///     assert!(server.isopen());
///     Ok(())
/// }
/// greet().unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[allow(clippy::enum_variant_names)] // They are the names.
pub enum Error {
    /// An argument that cannot be one: a port out of range, a text that is no address.
    ArgumentError(String),
    /// The socket is not in the state for it.
    ErrorException(String),
    /// A name has no address.
    DNSError {
        /// The name.
        host: String,
        /// The number of the system's resolver (`EAI_NONAME` and its like), or -1 if it gave none.
        code: i32,
    },
    /// The stream has ended before what was asked for had come.
    EOFError,
    /// The system refused, or the connection broke.
    IOError(crate::Error),
}

impl Error {
    pub(super) fn argument(what: impl Into<String>) -> Self {
        Self::ArgumentError(what.into())
    }

    pub(super) fn state(what: impl Into<String>) -> Self {
        Self::ErrorException(what.into())
    }

    /// What a lookup of `host` failed with.
    pub(super) fn lookup(host: &str, error: io::Error) -> Self {
        let Some(found) = LookupError::of(&error) else { return error.into() };
        match found.cause() {
            Cause::BadName => Self::ArgumentError(error.to_string()),
            Cause::Other | Cause::Late => error.into(),
            _ => Self::DNSError { host: host.into(), code: found.code().unwrap_or(-1) },
        }
    }

    /// The kind that it has as an [`std::io::Error`].
    ///
    /// ```
    /// use reseau::sockets::julia::Error;
    /// assert_eq!(Error::EOFError.kind(), std::io::ErrorKind::UnexpectedEof);
    /// ```
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::ArgumentError(_) => io::ErrorKind::InvalidInput,
            Self::ErrorException(_) => io::ErrorKind::Other,
            Self::DNSError { .. } => io::ErrorKind::NotFound,
            Self::EOFError => io::ErrorKind::UnexpectedEof,
            Self::IOError(error) => error.kind(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArgumentError(what) | Self::ErrorException(what) => f.write_str(what),
            Self::DNSError { host, code } => write!(f, "DNSError: {host}, resolver error {code}"),
            Self::EOFError => f.write_str("read end of file"),
            Self::IOError(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::IOError(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::IOError(error.into())
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::IOError(error) => error.into(),
            error => Self::new(error.kind(), error),
        }
    }
}
