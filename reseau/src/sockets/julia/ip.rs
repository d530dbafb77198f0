//! Addresses as numbers: `IPv4`, `IPv6`, `IPAddr`, `InetAddr`.
use std::cmp::Ordering;
use std::fmt;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::Error;
use crate::addr::ip::{parse_ip, parse_ipv4, parse_ipv6};

/// An IPv4 address: a number of 32 bits. It prints with dots, and shows as Julia does.
///
/// ```
/// use reseau::sockets::julia::IPv4;
/// let ip = IPv4(0xc01e_fc9a);
/// assert_eq!(ip.to_string(), "192.30.252.154");
/// assert_eq!(format!("{ip:?}"), r#"ip"192.30.252.154""#);
/// assert_eq!("192.30.252.154".parse::<IPv4>()?, ip);
/// assert_eq!(IPv4::try_from(3_223_256_218_i64)?, ip);
/// assert!(IPv4(1) < ip);
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IPv4(pub u32);

/// An IPv6 address: a number of 128 bits. It prints as RFC 5952 has it, in numbers throughout.
///
/// ```
/// use reseau::sockets::julia::IPv6;
/// let ip: IPv6 = "2001:db8:0:0:0:0:2:1".parse()?;
/// assert_eq!(format!("{ip:?}"), r#"ip"2001:db8::2:1""#);
/// assert_eq!(IPv6(3_223_256_218).to_string(), "::c01e:fc9a");
/// assert_eq!(u128::from(ip) >> 96, 0x2001_0db8);
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IPv6(pub u128);

/// An address of either family. Addresses of two families have no order.
///
/// What Julia writes `ip"127.0.0.1"` is [`ip!`](crate::ip!)`("127.0.0.1")`, which is checked when
/// the program is compiled.
///
/// ```
/// use reseau::sockets::julia::{IPAddr, IPv4, IPv6};
/// let (v4, v6) = (IPAddr::from(IPv4(2)), IPAddr::from(IPv6(1)));
/// assert_eq!(v4.partial_cmp(&v6), None);
/// assert!(IPAddr::from(IPv4(1)) < v4);
/// assert_eq!("::1".parse::<IPAddr>()?, v6); // A colon decides.
/// assert_eq!(IPAddr::from(reseau::ip!("::1")), v6);
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum IPAddr {
    /// Of IPv4.
    IPv4(IPv4),
    /// Of IPv6.
    IPv6(IPv6),
}

/// A kind of addresses: [`IPv4`], [`IPv6`], or [`IPAddr`] for either.
pub trait IPType: Copy + fmt::Debug + Into<IPAddr> + 'static {
    /// `ip` as one of these, if it is one.
    fn pick(ip: IPAddr) -> Option<Self>;
}

/// An address and a port.
///
/// ```
/// use reseau::sockets::julia::{IPv4, InetAddr};
/// let addr = InetAddr { host: IPv4(0x7f00_0001), port: 8000 };
/// assert_eq!(addr.to_string(), r#"InetAddr{IPv4}(ip"127.0.0.1", 8000)"#);
/// assert_eq!(InetAddr::parse("127.0.0.1", 8000)?.to_string(), addr.to_string());
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InetAddr<T = IPAddr> {
    /// The machine, or one of its addresses.
    pub host: T,
    /// The port there.
    pub port: u16,
}

impl IPAddr {
    fn kind(self) -> &'static str {
        match self {
            Self::IPv4(_) => "IPv4",
            Self::IPv6(_) => "IPv6",
        }
    }
}

impl InetAddr {
    /// An address that is told as text, and a port.
    ///
    /// # Errors
    /// [`Error::ArgumentError`] for a text that is no address, and for a port out of range.
    pub fn parse(host: &str, port: impl Into<i64>) -> Result<Self, Error> {
        Ok(Self { host: host.parse()?, port: super::port(port)? })
    }
}

impl<T: IPType> InetAddr<T> {
    /// The same, of whatever kind.
    #[must_use]
    pub fn widen(self) -> InetAddr {
        InetAddr { host: self.host.into(), port: self.port }
    }

    pub(super) fn std(self) -> SocketAddr {
        SocketAddr::new(self.host.into().into(), self.port)
    }
}

impl IPType for IPv4 {
    fn pick(ip: IPAddr) -> Option<Self> {
        if let IPAddr::IPv4(ip) = ip { Some(ip) } else { None }
    }
}

impl IPType for IPv6 {
    fn pick(ip: IPAddr) -> Option<Self> {
        if let IPAddr::IPv6(ip) = ip { Some(ip) } else { None }
    }
}

impl IPType for IPAddr {
    fn pick(ip: IPAddr) -> Option<Self> {
        Some(ip)
    }
}

/// By their numbers, and only within one family.
impl PartialOrd for IPAddr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::IPv4(one), Self::IPv4(other)) => Some(one.cmp(other)),
            (Self::IPv6(one), Self::IPv6(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

impl fmt::Display for IPv4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ipv4Addr::from(*self).fmt(f)
    }
}

impl fmt::Display for IPv6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = Ipv6Addr::from(*self);
        // An address of IPv4 inside is numbers too, and std would print it with dots.
        match ip.to_ipv4_mapped() {
            Some(_) => {
                let [.., high, low] = ip.segments();
                f.pad(&format!("::ffff:{high:x}:{low:x}"))
            }
            None => ip.fmt(f),
        }
    }
}

impl fmt::Display for IPAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IPv4(ip) => ip.fmt(f),
            Self::IPv6(ip) => ip.fmt(f),
        }
    }
}

impl<T: IPType> fmt::Display for InetAddr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host: IPAddr = self.host.into();
        write!(f, "InetAddr{{{}}}({host:?}, {})", host.kind(), self.port)
    }
}

impl<T: IPType> fmt::Debug for InetAddr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How an address is shown: as the literal that it is in Julia.
macro_rules! shown {
    ($($ip:ident)+) => {$(
        impl fmt::Debug for $ip {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "ip\"{self}\"")
            }
        }
    )+};
}

shown!(IPv4 IPv6 IPAddr);

/// The number inside, and std's type: both ways.
macro_rules! numbers {
    ($($ip:ident $number:ident $std:ident: $($wide:ident)+;)+) => {$(
        impl From<$number> for $ip {
            fn from(host: $number) -> Self {
                Self(host)
            }
        }

        impl From<$ip> for $number {
            fn from(ip: $ip) -> Self {
                ip.0
            }
        }

        impl From<$std> for $ip {
            fn from(ip: $std) -> Self {
                Self(ip.into())
            }
        }

        impl From<$ip> for $std {
            fn from(ip: $ip) -> Self {
                Self::from(ip.0)
            }
        }

        impl From<$ip> for IPAddr {
            fn from(ip: $ip) -> Self {
                Self::$ip(ip)
            }
        }

        impl From<$std> for IPAddr {
            fn from(ip: $std) -> Self {
                Self::$ip(ip.into())
            }
        }

        $(
            impl TryFrom<$wide> for $ip {
                type Error = Error;

                fn try_from(host: $wide) -> Result<Self, Error> {
                    $number::try_from(host).map(Self).map_err(|_| {
                        let (ip, bits) = (stringify!($ip), $number::BITS);
                        Error::argument(format!("{host} is no {ip}: from 0, within {bits} bits"))
                    })
                }
            }
        )+
    )+};
}

numbers! {
    IPv4 u32 Ipv4Addr: i32 i64 u64 i128 u128;
    IPv6 u128 Ipv6Addr: i32 i64 i128;
}

impl From<[u8; 4]> for IPv4 {
    fn from(fields: [u8; 4]) -> Self {
        Ipv4Addr::from(fields).into()
    }
}

impl From<[u16; 8]> for IPv6 {
    fn from(fields: [u16; 8]) -> Self {
        Ipv6Addr::from(fields).into()
    }
}

impl From<net::IpAddr> for IPAddr {
    fn from(ip: net::IpAddr) -> Self {
        match ip {
            net::IpAddr::V4(ip) => Self::IPv4(ip.into()),
            net::IpAddr::V6(ip) => Self::IPv6(ip.into()),
        }
    }
}

impl From<IPAddr> for net::IpAddr {
    fn from(ip: IPAddr) -> Self {
        match ip {
            IPAddr::IPv4(ip) => Self::V4(ip.into()),
            IPAddr::IPv6(ip) => Self::V6(ip.into()),
        }
    }
}

impl From<SocketAddr> for InetAddr {
    fn from(addr: SocketAddr) -> Self {
        Self { host: addr.ip().into(), port: addr.port() }
    }
}

/// With dots, and without zeros in front, which some read as octal. Fewer than four fields are
/// taken: the last one has what is left of the 32 bits.
impl FromStr for IPv4 {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse_ipv4(text).map(Self::from).map_err(|error| Error::argument(error.to_string()))
    }
}

/// With colons; `::` stands for fields of zeros, and the end may be an IPv4 address.
impl FromStr for IPv6 {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse_ipv6(text).map(Self::from).map_err(|error| Error::argument(error.to_string()))
    }
}

/// A colon decides for IPv6.
impl FromStr for IPAddr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse_ip(text).map(Self::from).map_err(|error| Error::argument(error.to_string()))
    }
}
