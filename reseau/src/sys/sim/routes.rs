//! What the network between two addresses is like.
use super::faults::nanos;
use super::kernel::{Kernel, Mark, fail};
use super::socket::{Role, Socket};
use crate::addr::Addr;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

/// What a world's network does with what goes to an address, or comes from it.
///
/// Nothing of it changes what a connection is that stands already, but for paths that stop to
/// deliver (`Blackhole`, `Unreachable`, `NoRoute`): what is sent over such a path is sent again and
/// again, and arrives when the path delivers again, or else the connection ends in an error a
/// quarter of an hour later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// Everything takes so much longer than the world's latency. `Duration::ZERO` is the network
    /// that there was in the beginning.
    Delay(Duration),
    /// What is sent vanishes: connects are repeated and time out after two minutes.
    Blackhole,
    /// Nobody listens there, whoever does: `ConnectionRefused` to connects, and to whom a UDP
    /// socket that is connected sends.
    Refused,
    /// A router on the way says that it does not reach the host: `HostUnreachable` to connects.
    /// UDP datagrams vanish (Linux keeps such news from those who have not asked for them).
    Unreachable,
    /// This machine knows no way there: `NetworkUnreachable`, at once, to TCP and UDP.
    NoRoute,
    /// A TCP connection is reset by both ends right after it was established. There must be a
    /// listener for that.
    Reset,
}

impl Route {
    /// Whether connections that stand go on.
    pub(super) fn delivers(self) -> bool {
        !matches!(self, Self::Blackhole | Self::Unreachable | Self::NoRoute)
    }

    /// What ends a connection that has waited too long for the path.
    pub(super) fn error(self) -> ErrorKind {
        match self {
            Self::Unreachable => ErrorKind::HostUnreachable,
            Self::NoRoute => ErrorKind::NetworkUnreachable,
            _ => ErrorKind::TimedOut,
        }
    }
}

/// Addresses that begin alike: an IP address, or one with the number of bits that count.
///
/// ```
/// use reseau::sim::Prefix;
/// let all: Prefix = "10.1.2.3/8".parse().unwrap();
/// assert_eq!(all.to_string(), "10.0.0.0/8");
/// assert!(all.contains("10.9.9.9".parse().unwrap()));
/// assert!(!all.contains("::1".parse().unwrap()));
/// ```
///
/// ```
/// use reseau::sim::Prefix;
/// use std::net::Ipv6Addr;
/// let one = Prefix::from(Ipv6Addr::LOCALHOST);
/// assert_eq!((one, one.bits()), ("::1".parse().unwrap(), 128));
/// assert!("::1/129".parse::<Prefix>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    bits: u8,
    ip: IpAddr,
}

impl Prefix {
    /// The first `bits` of `ip`. `None`: it has not so many.
    #[must_use]
    pub fn new(ip: IpAddr, bits: u8) -> Option<Self> {
        let ip = match ip {
            IpAddr::V4(ip) if bits <= 32 => Ipv4Addr::from_bits(ip.to_bits() & first(bits)).into(),
            IpAddr::V6(ip) if bits <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Ipv6Addr::from_bits(ip.to_bits() & mask).into()
            }
            _ => return None,
        };
        Some(Self { bits, ip })
    }

    /// How many bits count.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether `ip` is of the same family and begins so.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        Self::new(ip, self.bits).is_some_and(|other| other.ip == self.ip)
    }

    /// Whether a route for it is one for `ip`: that for all is not for the loopback.
    fn covers(&self, ip: IpAddr) -> bool {
        let least = match ip {
            IpAddr::V4(_) => 8,
            IpAddr::V6(_) => 128,
        };
        self.contains(ip) && (!ip.is_loopback() || self.bits >= least)
    }
}

/// That many of the first of 32 bits.
fn first(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

impl From<IpAddr> for Prefix {
    fn from(ip: IpAddr) -> Self {
        Self { bits: if ip.is_ipv4() { 32 } else { 128 }, ip }
    }
}

impl From<Ipv4Addr> for Prefix {
    fn from(ip: Ipv4Addr) -> Self {
        IpAddr::from(ip).into()
    }
}

impl From<Ipv6Addr> for Prefix {
    fn from(ip: Ipv6Addr) -> Self {
        IpAddr::from(ip).into()
    }
}

impl FromStr for Prefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let Some((ip, bits)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(|_| BadPrefix(()));
        };
        let digits = bits.bytes().all(|byte| byte.is_ascii_digit());
        let (Ok(ip), Ok(bits), true) = (ip.parse(), bits.parse(), digits) else {
            return Err(BadPrefix(()));
        };
        Self::new(ip, bits).ok_or(BadPrefix(()))
    }
}

impl TryFrom<&str> for Prefix {
    type Error = BadPrefix;

    fn try_from(text: &str) -> Result<Self, BadPrefix> {
        text.parse()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.bits)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is no [`Prefix`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPrefix(());

impl fmt::Display for BadPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an IP address, alone or with a slash and the number of bits that count")
    }
}

impl std::error::Error for BadPrefix {}

/// The routes of a world: what was said about which addresses.
#[derive(Default)]
pub(super) struct Routes(BTreeMap<Prefix, Route>);

/// The two addresses that something goes between.
pub(super) type Ends = (IpAddr, IpAddr);

impl Routes {
    /// The route of the longest prefix that one of the ends begins with: the same both ways.
    pub(super) fn between(&self, (a, b): Ends) -> Route {
        let covers = |(prefix, _): &(&Prefix, _)| prefix.covers(a) || prefix.covers(b);
        // They are in order of length.
        let longest = self.0.iter().rev().find(covers);
        longest.map_or(Route::Delay(Duration::ZERO), |(_, route)| *route)
    }
}

impl Kernel {
    pub(super) fn set_route(&mut self, to: Prefix, route: Route) {
        self.routes.0.insert(to, route);
        self.mark(Mark::Route, u64::from(to.bits), 0);
    }

    /// Refuses what has nowhere to go.
    pub(super) fn may_depart(&self, ends: Ends) -> io::Result<()> {
        match self.routes.between(ends) {
            Route::NoRoute => fail(ErrorKind::NetworkUnreachable),
            _ => Ok(()),
        }
    }

    /// The time at which something arrives that leaves now for the other end.
    pub(super) fn soon_between(&mut self, ends: Option<Ends>) -> u64 {
        let soon = self.soon();
        match ends.map(|ends| self.routes.between(ends)) {
            Some(Route::Delay(delay)) => soon.saturating_add(nanos(delay)),
            _ => soon,
        }
    }

    /// The time at which arrives what the socket `index` sends to its peer now.
    pub(super) fn soon_from(&mut self, index: u64) -> u64 {
        let ends = self.sockets.get(&index).and_then(ends);
        self.soon_between(ends)
    }
}

/// The addresses of a TCP connection, be it one that is being made.
pub(super) fn ends(socket: &Socket) -> Option<Ends> {
    let peer = match &socket.role {
        Role::Connecting(target) => *target,
        Role::Stream(stream) => stream.peer_addr.inet()?,
        _ => return None,
    };
    let local = socket.local.as_ref().and_then(Addr::inet)?;
    Some((local.ip(), peer.ip()))
}
