//! The names of things: where a socket is ([`Addr`]), and what people write ([`Endpoint`]).
//!
//! An [`Addr`] is what the kernel understands: an IP address and a port, or the address of a
//! Unix-domain socket. An [`Endpoint`] is text: it may hold a name that has to be resolved first,
//! or no host at all.
use std::fmt;
use std::net::SocketAddr;

mod draft;
mod endpoint;
mod family;
mod interface;
mod unix;

pub use draft::{EndpointError, EndpointPart};
pub use endpoint::{Endpoint, Host};
pub use family::{Family, Inet, Unix};
pub use interface::InterfaceRef;
pub use unix::UnixAddr;

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
}

impl Addr {
    /// The IP address and port, if this is one.
    #[must_use]
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) => Some(*addr),
            Self::Unix(_) => None,
        }
    }

    /// The address of a Unix-domain socket, if this is one.
    #[must_use]
    pub fn unix(&self) -> Option<&UnixAddr> {
        match self {
            Self::Unix(addr) => Some(addr),
            Self::Inet(_) => None,
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Unix(addr) => addr.fmt(f),
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
        assert!(size_of::<Addr>() <= 32, "an address is stored with every connection");
    }
}
