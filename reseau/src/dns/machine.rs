//! What this machine is called, and which addresses it has.
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::realm::Realm;
use crate::error::{Error, Operation};
use crate::sys::interfaces::{Card, all};
use crate::sys::names;

/// One interface of this machine to a network.
///
/// ```
/// for interface in reseau::dns::interfaces()? {
///     for addr in interface.addrs() {
///         println!("{}: {addr}", interface.name());
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Interface {
    card: Card,
    addrs: Vec<InterfaceAddr>,
}

/// An address of an interface, with the size of its network. It prints as `192.0.2.1/24`.
///
/// ```
/// let local = reseau::dns::interfaces()?.into_iter().find(|one| one.is_loopback()).unwrap();
/// let addr = local.addrs().iter().find(|addr| addr.ip().is_ipv4()).unwrap();
/// assert_eq!(addr.to_string(), "127.0.0.1/8");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceAddr {
    ip: IpAddr,
    prefix: u8,
}

impl Interface {
    fn new(mut card: Card) -> Self {
        let addrs = std::mem::take(&mut card.addrs).into_iter();
        let addrs = addrs.map(|(ip, prefix)| InterfaceAddr { ip, prefix }).collect();
        Self { card, addrs }
    }

    /// What the system calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.card.name
    }

    /// Its number, which zones of IPv6 addresses may be given by. 0 if it has none.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.card.index
    }

    /// Its addresses, in the system's order.
    #[must_use]
    pub fn addrs(&self) -> &[InterfaceAddr] {
        &self.addrs
    }

    /// The address of its hardware, if it has one of six bytes.
    #[must_use]
    pub fn mac(&self) -> Option<[u8; 6]> {
        self.card.mac
    }

    /// Whether it is switched on.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.card.up
    }

    /// Whether it can carry something: a cable is plugged in, an access point found.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.card.running
    }

    /// Whether it leads back to this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.card.loopback
    }

    /// Whether groups can be joined on it.
    #[must_use]
    pub fn is_multicast(&self) -> bool {
        self.card.multicast
    }

    /// Whether there is one machine alone at its other end.
    #[must_use]
    pub fn is_point_to_point(&self) -> bool {
        self.card.point_to_point
    }
}

impl InterfaceAddr {
    /// The address.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// How many of its first bits all machines of its network have.
    #[must_use]
    pub fn prefix_len(&self) -> u8 {
        self.prefix
    }

    /// Whether that address is of the same network.
    ///
    /// ```
    /// let local = reseau::dns::interfaces()?.into_iter().find(|one| one.is_loopback()).unwrap();
    /// let addr = local.addrs().iter().find(|addr| addr.ip().is_ipv4()).unwrap();
    /// assert!(addr.reaches([127, 1, 2, 3].into()) && !addr.reaches([192, 0, 2, 1].into()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn reaches(&self, other: IpAddr) -> bool {
        let shared = match (self.ip, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        shared >= u32::from(self.prefix)
    }
}

impl fmt::Display for InterfaceAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// All interfaces of this machine, in the system's order, also those that are down or have no
/// address.
///
/// ```
/// let interfaces = reseau::dns::interfaces()?;
/// assert!(interfaces.iter().any(|interface| interface.is_loopback() && interface.is_up()));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// The system's; `Unsupported` in a simulated loop.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let failed = |error| io::Error::from(Error::new(Operation::Other, error).target("interfaces"));
    if Realm::here().is_simulated() {
        let what = "a simulated world has no interfaces";
        return Err(failed(io::Error::new(io::ErrorKind::Unsupported, what)));
    }
    Ok(all().map_err(failed)?.into_iter().map(Interface::new).collect())
}

/// The addresses that this machine has on interfaces that are up, each once. Those of the loopback
/// network (127.0.0.0/8 and ::1) only if they are wanted; then they are there whatever the system
/// lists.
///
/// ```
/// assert!(reseau::dns::ip_addrs(false)?.iter().all(|ip| !ip.is_loopback()));
/// assert!(reseau::dns::ip_addrs(true)?.contains(&[127, 0, 0, 1].into()));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As [`interfaces`].
pub fn ip_addrs(loopback: bool) -> io::Result<Vec<IpAddr>> {
    let interfaces = interfaces()?;
    let up = interfaces.iter().filter(|interface| interface.is_up());
    Ok(chosen(up.flat_map(Interface::addrs).map(InterfaceAddr::ip), loopback))
}

/// An address by which others may know this machine: of IPv4 if it has one, else of IPv6, never a
/// loopback one.
///
/// ```
/// match reseau::dns::ip_addr() {
///     Ok(ip) => assert!(!ip.is_loopback()),
///     Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AddrNotAvailable),
/// }
/// ```
///
/// # Errors
/// `AddrNotAvailable`: there is none. Else as [`interfaces`].
pub fn ip_addr() -> io::Result<IpAddr> {
    let addrs = ip_addrs(false)?;
    let found = addrs.iter().find(|ip| ip.is_ipv4()).or_else(|| addrs.first());
    found.copied().ok_or_else(|| {
        let what = "No networking interface available";
        io::Error::new(io::ErrorKind::AddrNotAvailable, what)
    })
}

/// What this machine calls itself. Nobody is asked but the kernel.
///
/// ```
/// assert!(!reseau::dns::host_name()?.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// The system's.
pub fn host_name() -> io::Result<String> {
    names::host_name()
        .map_err(|error| Error::new(Operation::Other, error).target("host name").into())
}

/// Each once, with or without those of the loopback network.
fn chosen(addrs: impl Iterator<Item = IpAddr>, loopback: bool) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for ip in addrs.filter(|ip| loopback || !ip.is_loopback()) {
        if !found.contains(&ip) {
            found.push(ip);
        }
    }
    // Windows does not list an address of an interface that it does not count as one.
    let missing = loopback && !found.iter().any(IpAddr::is_loopback);
    if missing {
        found.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn addresses_come_once_and_loopback_ones_on_demand() {
        let all = ips(&["127.0.0.1", "::1", "192.0.2.1", "127.9.9.9", "192.0.2.1", "fe80::1"]);
        assert_eq!(chosen(all.clone().into_iter(), false), ips(&["192.0.2.1", "fe80::1"]));
        let with = ips(&["127.0.0.1", "::1", "192.0.2.1", "127.9.9.9", "fe80::1"]);
        assert_eq!(chosen(all.into_iter(), true), with);
        assert_eq!(chosen(ips(&[]).into_iter(), true), ips(&["127.0.0.1", "::1"]));
        let added = chosen(ips(&["192.0.2.1"]).into_iter(), true);
        assert_eq!(added, ips(&["192.0.2.1", "127.0.0.1", "::1"]));
    }

    #[test]
    fn a_network_has_its_size() {
        let of = |ip: &str, prefix| InterfaceAddr { ip: ip.parse().unwrap(), prefix };
        let reaches = |own: InterfaceAddr, other: &str| own.reaches(other.parse().unwrap());
        assert!(reaches(of("192.0.2.1", 24), "192.0.2.255"));
        assert!(!reaches(of("192.0.2.1", 24), "192.0.3.1"));
        assert!(reaches(of("192.0.2.1", 0), "8.8.8.8") && !reaches(of("192.0.2.1", 0), "::1"));
        assert!(reaches(of("2001:db8::1", 64), "2001:db8::2:1"));
        assert!(!reaches(of("2001:db8::1", 128), "2001:db8::2"));
        assert!(reaches(of("2001:db8::1", 128), "2001:db8::1"));
    }
}
