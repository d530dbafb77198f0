//! Addresses: of one family each, and tuples that stand for them.
use std::fmt::{self, Debug, Display};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::Path;

use crate::addr::{Addr, UnixAddr};
use crate::sockets::resolve;

/// An IPv4 address and a port. A tuple `("127.0.0.1", 80)` will do wherever one is asked for.
///
/// ```
/// use reseau::sockets::mojo::IPv4Addr;
/// let addr = IPv4Addr::new([127, 0, 0, 1], 8000);
/// assert_eq!(addr.to_string(), "127.0.0.1:8000");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IPv4Addr {
    /// The machine, or one of its addresses.
    pub host: Ipv4Addr,
    /// The port there.
    pub port: u16,
}

/// An IPv6 address and a port.
///
/// ```
/// use reseau::sockets::mojo::IPv6Addr;
/// let addr = IPv6Addr::new(std::net::Ipv6Addr::LOCALHOST, 8000);
/// assert_eq!(addr.to_string(), "[::1]:8000");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IPv6Addr {
    /// The machine, or one of its addresses.
    pub host: Ipv6Addr,
    /// The port there.
    pub port: u16,
    /// The number of the interface, for addresses that need one (`fe80::…`); else 0.
    pub scope: u32,
}

/// An address that sockets of some family have.
pub trait SockAddr: Clone + Debug + Display + Send + Sync + 'static {
    /// The same, as this crate has it.
    fn to_addr(&self) -> Addr;

    /// Back; `None` if it is of another family.
    fn from_addr(addr: Addr) -> Option<Self>;
}

/// What stands for addresses `A`: one of them, or a host and a port.
///
/// The host of a tuple may be a name, which the system's resolver is asked for. An empty one
/// stands for every address of this machine, as in Python.
///
/// ```
/// use reseau::sockets::mojo::{IPv4Addr, IPv6Addr, ToAddr};
/// let v4: Vec<IPv4Addr> = ("127.0.0.1", 80).to_addrs()?;
/// assert_eq!(v4, [IPv4Addr::new([127, 0, 0, 1], 80)]);
/// let v6: Vec<IPv6Addr> = ("::1", 80).to_addrs()?;
/// assert_eq!(v6[0].to_string(), "[::1]:80");
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait ToAddr<A> {
    /// The addresses, best first: one at least.
    ///
    /// # Errors
    /// The resolver's; `InvalidInput` if the host has none of that family.
    fn to_addrs(&self) -> io::Result<Vec<A>>;
}

impl IPv4Addr {
    /// An address and a port.
    pub fn new(host: impl Into<Ipv4Addr>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl IPv6Addr {
    /// An address and a port.
    pub fn new(host: impl Into<Ipv6Addr>, port: u16) -> Self {
        Self { host: host.into(), port, scope: 0 }
    }
}

impl SockAddr for IPv4Addr {
    fn to_addr(&self) -> Addr {
        SocketAddr::from((self.host, self.port)).into()
    }

    fn from_addr(addr: Addr) -> Option<Self> {
        match addr.inet()? {
            SocketAddr::V4(addr) => Some(addr.into()),
            SocketAddr::V6(_) => None,
        }
    }
}

impl SockAddr for IPv6Addr {
    fn to_addr(&self) -> Addr {
        SocketAddr::from(SocketAddrV6::new(self.host, self.port, 0, self.scope)).into()
    }

    fn from_addr(addr: Addr) -> Option<Self> {
        match addr.inet()? {
            SocketAddr::V6(addr) => Some(addr.into()),
            SocketAddr::V4(_) => None,
        }
    }
}

impl SockAddr for UnixAddr {
    fn to_addr(&self) -> Addr {
        self.clone().into()
    }

    fn from_addr(addr: Addr) -> Option<Self> {
        addr.unix().cloned()
    }
}

impl<A: SockAddr> ToAddr<A> for A {
    fn to_addrs(&self) -> io::Result<Vec<A>> {
        Ok(vec![self.clone()])
    }
}

macro_rules! tuples {
    ($($addr:ident $host:ident $none:expr;)+) => {$(
        impl ToAddr<$addr> for (&str, u16) {
            fn to_addrs(&self) -> io::Result<Vec<$addr>> {
                let (host, port) = *self;
                if host.is_empty() {
                    return Ok(vec![$addr::new($none, port)]);
                }
                let found = resolve(host, port)?.into_iter();
                let found: Vec<_> =
                    found.filter_map(|addr| $addr::from_addr(addr.into())).collect();
                if found.is_empty() {
                    let what = format!("{host} has no address of the socket's family");
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
                }
                Ok(found)
            }
        }

        impl ToAddr<$addr> for (String, u16) {
            fn to_addrs(&self) -> io::Result<Vec<$addr>> {
                (self.0.as_str(), self.1).to_addrs()
            }
        }

        impl ToAddr<$addr> for ($host, u16) {
            fn to_addrs(&self) -> io::Result<Vec<$addr>> {
                Ok(vec![$addr::new(self.0, self.1)])
            }
        }
    )+};
}

tuples! {
    IPv4Addr Ipv4Addr Ipv4Addr::UNSPECIFIED;
    IPv6Addr Ipv6Addr Ipv6Addr::UNSPECIFIED;
}

/// A path.
impl ToAddr<UnixAddr> for &str {
    fn to_addrs(&self) -> io::Result<Vec<UnixAddr>> {
        Ok(vec![UnixAddr::from_pathname(self)?])
    }
}

/// A path.
impl ToAddr<UnixAddr> for &Path {
    fn to_addrs(&self) -> io::Result<Vec<UnixAddr>> {
        Ok(vec![UnixAddr::from_pathname(self)?])
    }
}

impl From<SocketAddrV4> for IPv4Addr {
    fn from(addr: SocketAddrV4) -> Self {
        Self { host: *addr.ip(), port: addr.port() }
    }
}

impl From<SocketAddrV6> for IPv6Addr {
    fn from(addr: SocketAddrV6) -> Self {
        Self { host: *addr.ip(), port: addr.port(), scope: addr.scope_id() }
    }
}

impl fmt::Display for IPv4Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_addr(), f)
    }
}

impl fmt::Display for IPv6Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_addr(), f)
    }
}
