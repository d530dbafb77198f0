//! What is wrong with an endpoint's text, and where.
use std::borrow::Cow;
use std::convert::Infallible;
use std::{error, fmt, io};

/// A text that is not an [`Endpoint`](super::Endpoint), and what is wrong with it, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointError {
    part: EndpointPart,
    column: usize,
    found: Box<str>,
    why: Cow<'static, str>,
    text: Box<str>,
}

/// A part of an [`Endpoint`](super::Endpoint)'s text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointPart {
    /// What stands before `://`.
    Scheme,
    /// The name or the IP address.
    Host,
    /// What follows the percent sign of an IPv6 address.
    Zone,
    /// The number after the last colon.
    Port,
    /// The name after the last colon: a service's.
    Service,
    /// What follows `unix:`.
    Path,
    /// The first number of a vsock: its machine's context id.
    Cid,
    /// The name of a pipe.
    Pipe,
    /// What follows `fd:` or `systemd:`.
    Descriptor,
}

impl EndpointError {
    /// What is wrong with `text` from the byte `at` on.
    pub(super) fn new(
        text: &str,
        part: EndpointPart,
        at: usize,
        found: &str,
        why: Cow<'static, str>,
    ) -> Self {
        let column = text[..at].chars().count() + 1;
        Self { part, column, found: found.into(), why, text: text.into() }
    }

    /// The part that is wrong or missing.
    #[must_use]
    pub fn part(&self) -> EndpointPart {
        self.part
    }

    /// Where it is wrong, in characters from 1. What is missing at the end of a text of `n`
    /// characters is missing at column `n + 1`.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    #[cfg(test)]
    pub(super) fn why(&self) -> &str {
        &self.why
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint {:?}: {}", self.text, self.part)?;
        if !self.found.is_empty() {
            write!(f, " {:?}", self.found)?;
        }
        write!(f, " at column {} {}", self.column, self.why)
    }
}

impl error::Error for EndpointError {}

/// For functions that take whatever becomes an endpoint: some things cannot fail to.
impl From<Infallible> for EndpointError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<EndpointError> for io::Error {
    fn from(error: EndpointError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

impl fmt::Display for EndpointPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "scheme",
            Self::Host => "host",
            Self::Zone => "zone",
            Self::Port => "port",
            Self::Service => "service",
            Self::Path => "path",
            Self::Cid => "cid",
            Self::Pipe => "pipe",
            Self::Descriptor => "descriptor",
        })
    }
}
