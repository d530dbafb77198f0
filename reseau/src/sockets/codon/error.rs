//! What Codon's programs catch.
use std::{fmt, io};

use crate::error::Operation;

/// What a call of a [`Socket`](super::Socket) raises, under the names that it has in Codon.
///
/// A message alone is what the original had; here the [`reseau::Error`](crate::Error) inside says
/// the operation, the address, the system's number, and what to do.
///
/// ```
/// use reseau::sockets::codon::{Error, Socket};
/// let (one, other) = (Socket::new(0, 0, 0)?, Socket::new(0, 0, 0)?);
/// one.bind("127.0.0.1", 0)?;
/// let error = other.bind("127.0.0.1", one.local_addr()?.1).unwrap_err();
/// let Error::ValueError(cause) = &error else { panic!("{error}") };
/// assert_eq!(cause.kind(), std::io::ErrorKind::AddrInUse);
/// assert!(error.to_string().starts_with("bind 127.0.0.1:"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A call failed.
    ValueError(crate::Error),
    /// The peer has closed the connection: nothing more will come.
    EOFError,
}

impl Error {
    /// An error of a call that names a host and a port, whole.
    pub(super) fn at(operation: Operation, host: &str, port: i64, error: io::Error) -> Self {
        let mut error = match error.downcast::<crate::Error>() {
            Ok(known) => known,
            Err(source) => crate::Error::new(operation, source),
        };
        if error.operation() == operation {
            error = error.target(format_args!("{host}:{port}"));
        }
        Self::ValueError(error)
    }

    /// The kind of the cause.
    ///
    /// ```
    /// use reseau::sockets::codon::Error;
    /// assert_eq!(Error::EOFError.kind(), std::io::ErrorKind::UnexpectedEof);
    /// ```
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::ValueError(error) => error.kind(),
            Self::EOFError => io::ErrorKind::UnexpectedEof,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ValueError(error) => error.fmt(f),
            Self::EOFError => f.write_str("the peer has closed the connection"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::ValueError(error) => Some(error),
            Self::EOFError => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::ValueError(error.into())
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::ValueError(error) => error.into(),
            Error::EOFError => Self::new(io::ErrorKind::UnexpectedEof, error),
        }
    }
}
