//! Who has which address: ports, pairs of addresses, and names of Unix sockets.
use super::faults::Chance;
use super::kernel::fail;
use super::socket::Family;
use crate::addr::{Addr, UnixAddr};
use crate::sys::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

#[derive(Default)]
pub(super) struct Names {
    pub(super) tcp: Ports,
    pub(super) udp: Ports,
    /// The connections of clients, as local and remote address.
    pairs: BTreeSet<(SocketAddr, SocketAddr)>,
    /// A path without an owner is the file that a closed socket left.
    unix: BTreeMap<UnixName, Option<u64>>,
}

/// The ports of a protocol, which has them apart for IPv4 and IPv6.
#[derive(Default)]
pub(super) struct Ports(BTreeMap<(Family, u16), Vec<Bound>>);

/// A socket that was bound to a port.
pub(super) struct Bound {
    pub(super) ip: IpAddr,
    pub(super) owner: u64,
    /// Others may have the same address if they share too (`reuse_port`).
    shared: bool,
    /// It is of IPv6, and has the port of IPv4 too.
    pub(super) dual: bool,
}

/// Who wants an address, and how.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    pub(super) owner: u64,
    pub(super) shared: bool,
    /// With the wildcard of IPv6 goes that of IPv4.
    pub(super) dual: bool,
}

/// Paths belong to the file system; abstract names to their kind of socket, as on Linux.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UnixName {
    Path(Vec<u8>),
    Abstract(u8, Vec<u8>),
}

impl Ports {
    /// Gives somebody an address; port 0 becomes a free one.
    pub(super) fn bind(
        &mut self,
        mut addr: SocketAddr,
        claim: Claim,
        chance: &mut Chance,
    ) -> io::Result<SocketAddr> {
        let both = claim.dual && addr.ip() == IpAddr::from(Ipv6Addr::UNSPECIFIED);
        if addr.port() == 0 {
            let free = ephemeral(chance).find(|port| {
                let taken = |family| self.0.contains_key(&(family, *port));
                !(taken(Family::of(&addr)) || both && taken(Family::V4))
            });
            addr.set_port(free.ok_or(ErrorKind::AddrInUse)?);
        }
        let any_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, addr.port()));
        if self.clashes(addr, claim) || (both && self.clashes(any_v4, claim)) {
            return fail(ErrorKind::AddrInUse);
        }
        self.insert(addr, claim);
        if both {
            self.insert(any_v4, claim);
        }
        Ok(addr)
    }

    /// Ties the port that `owner` has to the IP of `local`, and to its family.
    pub(super) fn narrow(&mut self, local: SocketAddr, owner: u64) {
        for family in [Family::V4, Family::V6] {
            let key = (family, local.port());
            let Some(sockets) = self.0.get_mut(&key) else { continue };
            if family == Family::of(&local) {
                let mine = sockets.iter_mut().filter(|bound| bound.owner == owner);
                mine.for_each(|bound| bound.ip = local.ip());
            } else {
                sockets.retain(|bound| bound.owner != owner);
                if sockets.is_empty() {
                    self.0.remove(&key);
                }
            }
        }
    }

    /// The sockets bound to the port of `target`, in the order in which they were.
    pub(super) fn at(&self, target: SocketAddr) -> &[Bound] {
        let key = (Family::of(&target), target.port());
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The sockets bound to the port of `target`: those of just that address, or else those of
    /// any, as far as `listens` wants them.
    pub(super) fn owners(&self, target: SocketAddr, listens: impl Fn(u64) -> bool) -> Vec<u64> {
        let bound = self.at(target);
        let at = |ip: IpAddr| {
            let here = bound.iter().filter(|bound| bound.ip == ip && listens(bound.owner));
            here.map(|bound| bound.owner).collect::<Vec<_>>()
        };
        let mut owners = at(target.ip());
        if owners.is_empty() {
            owners = at(unspecified(target.ip()));
        }
        // Those of the family go before those that hear it beside their own.
        let dual = |owner: &u64| bound.iter().any(|bound| bound.owner == *owner && bound.dual);
        if !owners.iter().all(dual) {
            owners.retain(|owner| !dual(owner));
        }
        owners
    }

    fn clashes(&self, addr: SocketAddr, claim: Claim) -> bool {
        self.at(addr).iter().any(|other| {
            let wild = other.ip.is_unspecified() || addr.ip().is_unspecified();
            (wild || other.ip == addr.ip()) && !(claim.shared && other.shared)
        })
    }

    fn insert(&mut self, addr: SocketAddr, claim: Claim) {
        let Claim { owner, shared, dual } = claim;
        let others = self.0.entry((Family::of(&addr), addr.port())).or_default();
        others.push(Bound { ip: addr.ip(), owner, shared, dual });
    }

    fn release(&mut self, port: u16, owner: u64) {
        for family in [Family::V4, Family::V6] {
            let Some(sockets) = self.0.get_mut(&(family, port)) else { continue };
            sockets.retain(|bound| bound.owner != owner);
            if sockets.is_empty() {
                self.0.remove(&(family, port));
            }
        }
    }
}

impl Names {
    pub(super) fn bind_unix(&mut self, name: UnixName, owner: u64) -> io::Result<()> {
        if self.unix.contains_key(&name) {
            return fail(ErrorKind::AddrInUse);
        }
        self.unix.insert(name, Some(owner));
        Ok(())
    }

    /// A way from `local` to `target` that nobody else uses; port 0 becomes a free one.
    pub(super) fn open_pair(
        &mut self,
        mut local: SocketAddr,
        target: SocketAddr,
        chance: &mut Chance,
    ) -> io::Result<SocketAddr> {
        if local.port() == 0 {
            let family = Family::of(&local);
            let free = ephemeral(chance).find(|port| {
                local.set_port(*port);
                !self.tcp.0.contains_key(&(family, *port)) && !self.pairs.contains(&(local, target))
            });
            local.set_port(free.ok_or(ErrorKind::AddrNotAvailable)?);
        }
        if !self.pairs.insert((local, target)) {
            return fail(ErrorKind::AddrNotAvailable);
        }
        Ok(local)
    }

    pub(super) fn close_pair(&mut self, pair: &(SocketAddr, SocketAddr)) {
        self.pairs.remove(pair);
    }

    /// Takes back what `bind` gave to a socket of that kind.
    pub(super) fn release(&mut self, local: &Addr, kind: Kind, owner: u64) {
        match local {
            Addr::Inet(addr) if kind == Kind::Dgram => self.udp.release(addr.port(), owner),
            Addr::Inet(addr) => self.tcp.release(addr.port(), owner),
            Addr::Unix(addr) => {
                let Ok(name) = UnixName::of(addr, kind) else { return };
                // The path may have been unlinked and be another's by now.
                if self.unix.get(&name) != Some(&Some(owner)) {
                    return;
                }
                if matches!(name, UnixName::Path(_)) {
                    self.unix.insert(name, None);
                } else {
                    self.unix.remove(&name);
                }
            }
            #[allow(unreachable_patterns)]
            _ => {}
        }
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        let name = UnixName::Path(path.as_os_str().as_encoded_bytes().to_vec());
        self.unix.remove(&name).map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// The owner of a Unix name. `NotFound`: there is no such file.
    pub(super) fn owner(&self, name: &UnixName) -> io::Result<u64> {
        match (self.unix.get(name), name) {
            (Some(Some(owner)), _) => Ok(*owner),
            (None, UnixName::Path(_)) => fail(ErrorKind::NotFound),
            _ => fail(ErrorKind::ConnectionRefused),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tcp.0.len() + self.udp.0.len() + self.pairs.len() + self.unix.len()
    }
}

impl UnixName {
    /// `InvalidInput` for a socket without a name.
    pub(super) fn of(addr: &UnixAddr, kind: Kind) -> io::Result<Self> {
        if let Some(path) = addr.as_pathname() {
            Ok(Self::Path(path.as_os_str().as_encoded_bytes().to_vec()))
        } else if let Some(name) = addr.as_abstract_name() {
            Ok(Self::Abstract(kind as u8, name.to_vec()))
        } else {
            fail(ErrorKind::InvalidInput)
        }
    }
}

/// The wildcard address of the family of `ip`.
pub(super) fn unspecified(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The ports that the kernel gives out, once each, from a random one on.
fn ephemeral(chance: &mut Chance) -> impl Iterator<Item = u16> + use<> {
    let start = chance.below(u64::from(EPHEMERAL_COUNT)) as u16;
    (0..EPHEMERAL_COUNT).map(move |step| {
        let offset = (u32::from(start) + u32::from(step)) % u32::from(EPHEMERAL_COUNT);
        EPHEMERAL_FIRST + offset as u16
    })
}

/// The range of Linux: 32768 to 60999.
const EPHEMERAL_FIRST: u16 = 32768;
const EPHEMERAL_COUNT: u16 = 28232;
