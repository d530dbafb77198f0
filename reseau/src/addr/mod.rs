//! The names of things: where a socket is ([`Addr`]), and what people write ([`Endpoint`]).
//!
//! An [`Addr`] is what the kernel understands: an IP address and a port, the address of a
//! Unix-domain socket, of a vsock, or the name of a pipe. An [`Endpoint`] is text: it may hold a
//! name that has to be resolved first, or no host at all.
use std::fmt;
use std::net::SocketAddr;

mod covers;
mod draft;
mod endpoint;
mod family;
mod inherited;
mod interface;
pub mod ip;
pub mod kind;
mod pipe;
mod refusal;
mod scheme;
mod text;
mod unix;
mod vsock;

pub use covers::{Covers, Reach, Stack};
pub use endpoint::{Endpoint, Host};
#[allow(unused_imports)]
pub(crate) use family::Which;
pub use family::{Any, Family, Inet, Unix, Vsock};
pub use inherited::Inherited;
pub use interface::InterfaceRef;
pub use pipe::PipeName;
pub use refusal::{EndpointError, EndpointPart};
pub use scheme::Scheme;
pub use unix::UnixAddr;
pub use vsock::VsockAddr;

/// The address of a socket, whatever its family.
///
/// It prints as the text that [`Endpoint`] parses (an unnamed Unix socket has no such text and
/// prints as `(unnamed)`).
///
/// ```
/// use reseau::Addr;
/// let addr = Addr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
/// assert_eq!(addr.to_string(), "127.0.0.1:80");
/// assert_eq!(addr.inet().map(|inet| inet.port()), Some(80));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Addr {
    /// An IP address and a port.
    Inet(SocketAddr),
    /// The address of a Unix-domain socket.
    Unix(UnixAddr),
    /// A machine and a port there, between a virtual machine and its host (Linux).
    Vsock(VsockAddr),
    /// The name of a pipe (Windows). Pipes are not served yet.
    Pipe(PipeName),
}

impl Addr {
    /// The IP address and port, if this is one.
    #[must_use]
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) => Some(*addr),
            _ => None,
        }
    }

    /// The address of a Unix-domain socket, if this is one.
    #[must_use]
    pub fn unix(&self) -> Option<&UnixAddr> {
        match self {
            Self::Unix(addr) => Some(addr),
            _ => None,
        }
    }

    /// The address of a vsock socket, if this is one.
    #[must_use]
    pub fn vsock(&self) -> Option<VsockAddr> {
        match self {
            Self::Vsock(addr) => Some(*addr),
            _ => None,
        }
    }

    /// The name of a pipe, if this is one.
    #[must_use]
    pub fn pipe(&self) -> Option<&PipeName> {
        match self {
            Self::Pipe(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Unix(addr) => addr.fmt(f),
            Self::Vsock(addr) => addr.fmt(f),
            Self::Pipe(name) => name.fmt(f),
        }
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Self {
        Self::Inet(addr)
    }
}

impl From<UnixAddr> for Addr {
    fn from(addr: UnixAddr) -> Self {
        Self::Unix(addr)
    }
}

impl From<VsockAddr> for Addr {
    fn from(addr: VsockAddr) -> Self {
        Self::Vsock(addr)
    }
}

impl From<PipeName> for Addr {
    fn from(name: PipeName) -> Self {
        Self::Pipe(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_its_family_and_its_text() {
        let inet = Addr::from(SocketAddr::from(([127, 0, 0, 1], 80)));
        assert_eq!(inet.to_string(), "127.0.0.1:80");
        assert_eq!((inet.inet().map(|a| a.port()), inet.unix()), (Some(80), None));
        let name = UnixAddr::from_pathname("/run/x").unwrap();
        let unix = Addr::from(name.clone());
        assert_eq!(unix.to_string(), "unix:/run/x");
        assert_eq!((unix.inet(), unix.unix()), (None, Some(&name)));
        assert_ne!(inet, unix);
        let vsock = Addr::from(VsockAddr::new(2, 80));
        assert_eq!((vsock.to_string().as_str(), vsock.inet()), ("vsock:2:80", None));
        assert_eq!((vsock.vsock(), unix.vsock()), (Some(VsockAddr::new(2, 80)), None));
        let pipe = Addr::from(PipeName::new("x").unwrap());
        assert_eq!((pipe.to_string().as_str(), pipe.unix()), ("npipe:x", None));
        assert_eq!((pipe.pipe().map(PipeName::name), vsock.pipe()), (Some("x"), None));
        assert!(size_of::<Addr>() <= 32, "an address is stored with every connection");
    }
}
