//! Groups of multicast: all that is sent to one, or what certain sources send to it.
#![allow(unsafe_code)]

use super::{OsSocket, zone};
use crate::addr::InterfaceRef;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// The same for sockets of either kernel.
#[cfg(feature = "async")]
impl super::Fd {
    pub(crate) fn set_member(
        &self,
        group: IpAddr,
        on: &InterfaceRef,
        member: bool,
    ) -> io::Result<()> {
        match self {
            Self::Os(socket) => set_member(socket, group, on, member),
            Self::Sim(port) => port.set_member(group, None, on, member),
        }
    }

    pub(crate) fn set_member_for(
        &self,
        group: IpAddr,
        source: IpAddr,
        on: &InterfaceRef,
        member: bool,
    ) -> io::Result<()> {
        match self {
            Self::Os(socket) => set_member_for(socket, group, source, on, member),
            Self::Sim(port) => port.set_member(group, Some(source), on, member),
        }
    }
}

/// Joins `group`, or leaves it.
pub(crate) fn set_member(
    socket: &OsSocket,
    group: IpAddr,
    on: &InterfaceRef,
    member: bool,
) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => match on {
            InterfaceRef::Any => of_v4(socket, &group, &Ipv4Addr::UNSPECIFIED, member),
            InterfaceRef::Addr(addr) => of_v4(socket, &group, addr, member),
            _ => by_index(socket, &group, index(on)?, member),
        },
        IpAddr::V6(group) => {
            let index = index(on)?;
            match member {
                true => socket.join_multicast_v6(&group, index),
                false => socket.leave_multicast_v6(&group, index),
            }
        }
    }
}

/// Joins `group` for what `source` sends to it, or leaves it.
pub(crate) fn set_member_for(
    socket: &OsSocket,
    group: IpAddr,
    source: IpAddr,
    on: &InterfaceRef,
    member: bool,
) -> io::Result<()> {
    match (group, source, on) {
        (IpAddr::V4(group), IpAddr::V4(source), InterfaceRef::Any) => {
            one_source(socket, &source, &group, &Ipv4Addr::UNSPECIFIED, member)
        }
        (IpAddr::V4(group), IpAddr::V4(source), InterfaceRef::Addr(addr)) => {
            one_source(socket, &source, &group, addr, member)
        }
        (IpAddr::V4(_), IpAddr::V4(_), _) | (IpAddr::V6(_), IpAddr::V6(_), _) => {
            one_source_by_index(socket, group, source, index(on)?, member)
        }
        _ => {
            let what = "the group and its source are of two families";
            Err(io::Error::new(io::ErrorKind::InvalidInput, what))
        }
    }
}

fn of_v4(socket: &OsSocket, group: &Ipv4Addr, on: &Ipv4Addr, member: bool) -> io::Result<()> {
    match member {
        true => socket.join_multicast_v4(group, on),
        false => socket.leave_multicast_v4(group, on),
    }
}

/// The number of an interface; 0 for any.
fn index(on: &InterfaceRef) -> io::Result<u32> {
    match on {
        InterfaceRef::Any => Ok(0),
        InterfaceRef::Index(index) => Ok(*index),
        InterfaceRef::Name(name) => zone::index_of(name),
        InterfaceRef::Addr(_) => {
            let what = "groups of IPv6 are joined on an interface's number or name";
            Err(io::Error::new(io::ErrorKind::InvalidInput, what))
        }
    }
}

#[cfg(not(any(
    target_os = "illumos",
    target_os = "solaris",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "cygwin",
)))]
fn by_index(socket: &OsSocket, group: &Ipv4Addr, index: u32, member: bool) -> io::Result<()> {
    let on = socket2::InterfaceIndexOrAddress::Index(index);
    match member {
        true => socket.join_multicast_v4_n(group, &on),
        false => socket.leave_multicast_v4_n(group, &on),
    }
}

#[cfg(any(
    target_os = "illumos",
    target_os = "solaris",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "cygwin",
))]
fn by_index(_: &OsSocket, _: &Ipv4Addr, _: u32, _: bool) -> io::Result<()> {
    Err(super::unsupported("here, groups of IPv4 are joined on an interface's address"))
}

#[cfg(not(any(target_os = "netbsd", target_os = "openbsd", target_os = "dragonfly")))]
fn one_source(
    socket: &OsSocket,
    source: &Ipv4Addr,
    group: &Ipv4Addr,
    on: &Ipv4Addr,
    member: bool,
) -> io::Result<()> {
    match member {
        true => socket.join_ssm_v4(source, group, on),
        false => socket.leave_ssm_v4(source, group, on),
    }
}

#[cfg(any(target_os = "netbsd", target_os = "openbsd", target_os = "dragonfly"))]
fn one_source(_: &OsSocket, _: &Ipv4Addr, _: &Ipv4Addr, _: &Ipv4Addr, _: bool) -> io::Result<()> {
    Err(super::unsupported("no source-specific multicast here"))
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
))]
fn one_source_by_index(
    socket: &OsSocket,
    group: IpAddr,
    source: IpAddr,
    index: u32,
    member: bool,
) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let name = |addr: IpAddr| {
        let name = super::SockAddr::from(std::net::SocketAddr::new(addr, 0));
        // SAFETY: the storage behind it is a whole `sockaddr_storage`.
        unsafe { name.as_ptr().cast::<libc::sockaddr_storage>().read() }
    };
    let request = libc::group_source_req {
        gsr_interface: index,
        gsr_group: name(group),
        gsr_source: name(source),
    };
    let level = if group.is_ipv4() { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 };
    let what = if member { libc::MCAST_JOIN_SOURCE_GROUP } else { libc::MCAST_LEAVE_SOURCE_GROUP };
    let len = size_of_val(&request) as libc::socklen_t;
    let place = (&raw const request).cast();
    // SAFETY: an open descriptor, and a request that outlives the call.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, what, place, len) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
)))]
fn one_source_by_index(_: &OsSocket, _: IpAddr, _: IpAddr, _: u32, _: bool) -> io::Result<()> {
    Err(super::unsupported("here, a source is chosen for IPv4, on an interface's address"))
}
