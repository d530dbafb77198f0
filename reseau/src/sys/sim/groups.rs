//! Multicast and broadcast: who hears what is sent to many.
use super::kernel::{Kernel, Mark, fail};
use super::socket::{Family, Socket};
use crate::addr::InterfaceRef;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// From whom a socket hears what is sent to a group: from everybody, or from these.
pub(super) type Sources = Option<BTreeSet<IpAddr>>;

impl Kernel {
    /// Joins a group for what `source` sends to it, or for everything.
    pub(super) fn join(
        &mut self,
        index: u64,
        group: IpAddr,
        source: Option<IpAddr>,
    ) -> io::Result<()> {
        self.may_join(index, group, source)?;
        let groups = &mut self.dgram(index).groups;
        match (groups.get_mut(&group), source) {
            (Some(_), None) => return fail(ErrorKind::AddrInUse),
            (Some(Some(sources)), Some(source)) => {
                if !sources.insert(source) {
                    return fail(ErrorKind::AddrNotAvailable);
                }
            }
            // Who hears everybody and asks for one hears that one from then on, as on Linux.
            (Some(None) | None, _) => {
                groups.insert(group, source.map(|source| BTreeSet::from([source])));
            }
        }
        self.mark(Mark::Join, index, u64::from(source.is_some()));
        Ok(())
    }

    /// The opposite of [`join`](Self::join); without a source, of all of them.
    pub(super) fn leave(
        &mut self,
        index: u64,
        group: IpAddr,
        source: Option<IpAddr>,
    ) -> io::Result<()> {
        self.may_join(index, group, source)?;
        let groups = &mut self.dgram(index).groups;
        match (groups.get_mut(&group), source) {
            (Some(_), None) => drop(groups.remove(&group)),
            (Some(Some(sources)), Some(source)) => {
                if !sources.remove(&source) {
                    return fail(ErrorKind::AddrNotAvailable);
                }
                if sources.is_empty() {
                    groups.remove(&group);
                }
            }
            (Some(None), Some(_)) | (None, None) => return fail(ErrorKind::AddrNotAvailable),
            (None, Some(_)) => return fail(ErrorKind::InvalidInput),
        }
        self.mark(Mark::Leave, index, u64::from(source.is_some()));
        Ok(())
    }

    /// Who hears what is sent to many.
    pub(super) fn members(&self, source: SocketAddr, target: SocketAddr) -> Vec<u64> {
        let bound = self.names.udp.at(target).iter();
        let here = bound.filter(|bound| bound.ip.is_unspecified() || bound.ip == target.ip());
        let hears = |index: &u64| {
            let socket = self.sockets.get(index);
            let member = socket.is_some_and(|socket| is_member(socket, target.ip(), source.ip()));
            member && super::packet::peer_of(socket).is_none_or(|peer| peer == source)
        };
        here.map(|bound| bound.owner).filter(hears).collect()
    }

    pub(super) fn may_broadcast(&mut self, index: u64, target: IpAddr) -> io::Result<()> {
        if is_broadcast(target) && !self.socket(index).is_set("broadcast") {
            return fail(ErrorKind::PermissionDenied);
        }
        Ok(())
    }

    fn may_join(&mut self, index: u64, group: IpAddr, source: Option<IpAddr>) -> io::Result<()> {
        let socket = self.socket(index);
        let same = match socket.family {
            Family::V4 => group.is_ipv4(),
            Family::V6 => group.is_ipv6() || !socket.is_set("only_v6"),
            Family::Unix => false,
        };
        let alike = source.is_none_or(|source| source.is_ipv4() == group.is_ipv4());
        if !same || !alike || !group.is_multicast() || self.dgram_of(index).is_none() {
            return fail(ErrorKind::InvalidInput);
        }
        Ok(())
    }
}

/// Refuses what is no interface of a world, which has one: `lo`, number 1, with every address.
pub(super) fn on_interface(on: &InterfaceRef, group: IpAddr) -> io::Result<()> {
    let known = match on {
        InterfaceRef::Any => true,
        InterfaceRef::Index(index) => *index == 1,
        InterfaceRef::Name(name) => &**name == "lo",
        InterfaceRef::Addr(_) if group.is_ipv6() => {
            let what = "groups of IPv6 are joined on an interface's number or name";
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
        InterfaceRef::Addr(_) => true,
    };
    let unknown = || io::Error::new(ErrorKind::NotFound, format!("there is no interface {on}"));
    known.then_some(()).ok_or_else(unknown)
}

/// Whether many hear what is sent to it.
pub(super) fn is_many(ip: IpAddr) -> bool {
    ip.is_multicast() || is_broadcast(ip)
}

/// Whether a socket wants to hear what the source sends to the group; broadcasts are for all.
fn is_member(socket: &Socket, group: IpAddr, source: IpAddr) -> bool {
    let joined = socket.dgram().and_then(|dgram| dgram.groups.get(&group));
    let hears = |sources: &Sources| sources.as_ref().is_none_or(|all| all.contains(&source));
    joined.is_some_and(hears) || is_broadcast(group)
}

fn is_broadcast(ip: IpAddr) -> bool {
    ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}
