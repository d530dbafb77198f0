//! What a listener's address means: whom it takes connections from.
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Addr, UnixAddr, VsockAddr};

/// What a listener takes connections for: what `covers` of a listener says.
///
/// An address alone does not tell: `[::]:80` may mean IPv6 or IPv4 too, as the system was told.
///
/// ```
/// use reseau::addr::{Covers, Reach, Stack};
/// use reseau::blocking::TcpListener;
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let port = listener.local_addr()?.port();
/// let covers = listener.covers()?;
/// assert_eq!(covers, Covers::Inet { stack: Stack::V4, reach: Reach::Loopback, port });
/// assert!(covers.is_local());
/// assert_eq!(covers.to_string(), format!("IPv4, this machine only, port {port}"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Covers {
    /// Connections over IP.
    Inet {
        /// Which IP.
        stack: Stack,
        /// To which of this machine's addresses.
        reach: Reach,
        /// To which port.
        port: u16,
    },
    /// Connections to a Unix-domain socket.
    Unix(UnixAddr),
    /// Connections between virtual machines and their host.
    Vsock(VsockAddr),
}

/// The versions of IP that a listener takes connections over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stack {
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// Both. Peers that come over IPv4 have addresses like `[::ffff:192.0.2.1]`.
    Both,
}

/// The addresses of this machine that a listener takes connections to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Those that only this machine itself can reach.
    Loopback,
    /// This one.
    One(IpAddr),
    /// All that it has, and will have.
    All,
}

impl Covers {
    /// What a listener at `addr` covers; `only_v6` is what the system says of it. None for what
    /// nothing can listen at.
    pub(crate) fn of(addr: &Addr, only_v6: bool) -> Option<Self> {
        match addr {
            Addr::Inet(addr) => Some(Self::inet(*addr, only_v6)),
            Addr::Unix(addr) => Some(Self::Unix(addr.clone())),
            Addr::Vsock(addr) => Some(Self::Vsock(*addr)),
            Addr::Pipe(_) => None,
        }
    }

    fn inet(addr: SocketAddr, only_v6: bool) -> Self {
        let ip = addr.ip().to_canonical();
        let stack = match (addr.is_ipv4() || ip.is_ipv4(), ip.is_unspecified() && !only_v6) {
            (true, _) => Stack::V4,
            (false, true) => Stack::Both,
            (false, false) => Stack::V6,
        };
        let reach = match ip {
            ip if ip.is_loopback() => Reach::Loopback,
            ip if ip.is_unspecified() => Reach::All,
            ip => Reach::One(ip),
        };
        Self::Inet { stack, reach, port: addr.port() }
    }

    /// Whether this machine alone can connect.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Inet { reach, .. } => *reach == Reach::Loopback,
            Self::Unix(_) => true,
            Self::Vsock(addr) => addr.cid() == VsockAddr::LOCAL,
        }
    }
}

impl fmt::Display for Covers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { stack, reach, port } => write!(f, "{stack}, {reach}, port {port}"),
            Self::Unix(addr) => addr.fmt(f),
            Self::Vsock(addr) => addr.fmt(f),
        }
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
            Self::Both => "IPv4 and IPv6",
        })
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.write_str("this machine only"),
            Self::One(ip) => write!(f, "{ip} only"),
            Self::All => f.write_str("every address of this machine"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_the_system_says_make_the_cover() {
        for (addr, only_v6, shown, local) in [
            ("127.0.0.1:80", false, "IPv4, this machine only, port 80", true),
            ("127.8.8.8:80", false, "IPv4, this machine only, port 80", true),
            ("0.0.0.0:80", false, "IPv4, every address of this machine, port 80", false),
            ("192.0.2.1:80", false, "IPv4, 192.0.2.1 only, port 80", false),
            ("[::1]:80", false, "IPv6, this machine only, port 80", true),
            ("[::1]:80", true, "IPv6, this machine only, port 80", true),
            ("[::]:80", true, "IPv6, every address of this machine, port 80", false),
            ("[::]:80", false, "IPv4 and IPv6, every address of this machine, port 80", false),
            ("[::ffff:127.0.0.1]:80", false, "IPv4, this machine only, port 80", true),
            ("[::ffff:0.0.0.0]:80", false, "IPv4, every address of this machine, port 80", false),
            ("[2001:db8::1]:80", false, "IPv6, 2001:db8::1 only, port 80", false),
        ] {
            let addr = Addr::Inet(addr.parse().unwrap());
            let covers = Covers::of(&addr, only_v6).unwrap();
            assert_eq!((covers.to_string().as_str(), covers.is_local()), (shown, local), "{addr}");
        }
        let unix = UnixAddr::from_pathname("/run/x").unwrap();
        let covers = Covers::of(&Addr::Unix(unix.clone()), false).unwrap();
        assert_eq!((covers.to_string().as_str(), covers.is_local()), ("unix:/run/x", true));
        let vsock = Covers::of(&Addr::Vsock(VsockAddr::new(2, 80)), false).unwrap();
        assert_eq!((vsock.to_string().as_str(), vsock.is_local()), ("vsock:2:80", false));
    }
}
