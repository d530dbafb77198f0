//! Names of hosts and services.
use std::io;

use super::{AF_INET, IPv4Addr, SOCK_STREAM, SockProtocol, Socket, TCP, ToAddr, UDP};
use crate::dns::services::{self, Protocol};
use crate::dns::{self, Resolver};

/// An empty host means every address of this machine, to listen.
pub const AI_PASSIVE: i32 = 1;
/// The name of the host is told too.
pub const AI_CANONNAME: i32 = 2;
/// The host is an address: no resolver is asked.
pub const AI_NUMERICHOST: i32 = 4;

/// What [`Socket::getaddrinfo`] knows of an address: family, type, protocol, name, and itself.
pub type AddrInfo = (AF_INET, SOCK_STREAM, TCP, String, IPv4Addr);

impl Socket {
    /// What this machine is called.
    ///
    /// ```
    /// use reseau::sockets::mojo::Socket;
    /// assert!(!Socket::gethostname().unwrap().is_empty());
    /// ```
    #[must_use]
    pub fn gethostname() -> Option<String> {
        dns::host_name().ok()
    }

    /// What the machine at an address is called.
    ///
    /// ```
    /// use reseau::sockets::mojo::{IPv4Addr, Socket};
    /// let documentation = IPv4Addr::new([192, 0, 2, 1], 0); // Nobody's (RFC 5737).
    /// assert_eq!(Socket::gethostbyaddr(documentation), None);
    /// ```
    #[must_use]
    pub fn gethostbyaddr(address: IPv4Addr) -> Option<String> {
        Resolver::default().reverse(address.host.into()).wait().ok()
    }

    /// An address of a host, with port 0.
    ///
    /// ```
    /// use reseau::sockets::mojo::Socket;
    /// let addr = Socket::gethostbyname("localhost").unwrap();
    /// assert!(addr.host.is_loopback());
    /// assert_eq!(Socket::gethostbyname("name.invalid"), None);
    /// ```
    #[must_use]
    pub fn gethostbyname(name: &str) -> Option<IPv4Addr> {
        let found: Vec<IPv4Addr> = known(name, 0)?.to_addrs().ok()?;
        found.into_iter().next()
    }

    /// The port of a service, of its name and a protocol ([`TCP`] or [`UDP`]). Nobody
    /// is asked over the network.
    ///
    /// ```
    /// use reseau::sockets::mojo::{Socket, TCP, UDP};
    /// assert_eq!(Socket::getservbyname("https", TCP), Some(443));
    /// assert_eq!(Socket::getservbyname("syslog", UDP), Some(514));
    /// assert_eq!(Socket::getservbyname("no-such-thing", TCP), None);
    /// ```
    #[must_use]
    pub fn getservbyname<P: SockProtocol>(name: &str, proto: P) -> Option<u16> {
        let _ = proto; // A word that says its type.
        let protocol = match P::NUMBER {
            TCP::NUMBER => Protocol::Tcp,
            UDP::NUMBER => Protocol::Udp,
            _ => return None,
        };
        // Digits are a port for whoever connects, but no service.
        let digits = name.bytes().all(|byte| byte.is_ascii_digit());
        if digits { None } else { services::port(name, protocol).ok() }
    }

    /// What there is to know about an address: each as family, type, protocol, name and address.
    ///
    /// The name is empty unless the flags ask for it, and then that which was given.
    ///
    /// ```
    /// use reseau::sockets::mojo::{AI_NUMERICHOST, Socket};
    /// let found = Socket::getaddrinfo(("127.0.0.1", 80), AI_NUMERICHOST)?;
    /// let (_family, _type, _protocol, name, addr) = &found[0];
    /// assert_eq!((name.as_str(), addr.to_string().as_str()), ("", "127.0.0.1:80"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for flags beside [`AI_PASSIVE`], [`AI_CANONNAME`] and [`AI_NUMERICHOST`],
    /// and for a host that is no address where one was promised; else the resolver's.
    pub fn getaddrinfo(address: (&str, u16), flags: i32) -> io::Result<Vec<AddrInfo>> {
        let (host, port) = address;
        let refuse = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        if flags & !(AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST) != 0 {
            return refuse("there are flags that nobody knows");
        }
        let numeric = host.parse::<std::net::Ipv4Addr>().is_ok() || host.is_empty();
        if flags & AI_NUMERICHOST != 0 && !numeric {
            return refuse("the host is no address");
        }
        let name = if flags & AI_CANONNAME != 0 { host } else { "" };
        let found: Vec<IPv4Addr> = match (host, flags & AI_PASSIVE != 0) {
            ("", false) => vec![IPv4Addr::new([127, 0, 0, 1], port)],
            _ => address.to_addrs()?,
        };
        let told = |addr| (AF_INET, SOCK_STREAM, TCP, name.to_owned(), addr);
        Ok(found.into_iter().map(told).collect())
    }
}

/// A host and a port, if there is a host.
fn known(host: &str, port: u16) -> Option<(&str, u16)> {
    (!host.is_empty()).then_some((host, port))
}
