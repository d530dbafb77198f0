//! The contract of `message.rs` on Unix: `recvmsg` and `sendmsg` with control data.
#![allow(unsafe_code)]

use super::ancillary::{self, Draft, Item};
use super::blocking::uninit;
use super::message::Named;
use super::{OsSocket, SockAddr, from_sock_addr, unsupported};
use super::{ancillary_kinds as kinds, blocking, message};
use crate::addr::Addr;
use crate::packet::Packet;
use socket2::SockAddrStorage;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use super::message_linux::{gro, recv_many, send_many, set_gro};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use one_by_one::{gro, recv_many, send_many, set_gro};

pub(crate) fn recv_packet(
    socket: &OsSocket,
    space: &mut [u8],
    flags: i32,
) -> io::Result<Packet<Addr>> {
    let mut control = Control::uninit();
    let came = receive(socket, uninit(space), control.space(), flags)?;
    let mut packet = Packet::connected();
    packet.len = came.len;
    packet.peer = came.peer();
    packet.truncated = came.flags & libc::MSG_TRUNC != 0;
    // SAFETY: the kernel has just written so many bytes.
    let control = unsafe { control.written(came.control) };
    // SAFETY: as above, and nobody has read them yet.
    unsafe { told(&mut packet, control) };
    Ok(packet)
}

/// `flags` hold `NOSIGNAL` already.
pub(super) fn send_packet<A: Named>(
    socket: &OsSocket,
    bytes: &[u8],
    packet: &Packet<A>,
    peer: Option<&SockAddr>,
    flags: i32,
) -> io::Result<usize> {
    if !packet.has_wishes() {
        return message::send_to(socket, bytes, peer, flags);
    }
    let mut wishes = Wishes::new();
    wish(socket, packet, &mut wishes)?;
    transmit(socket, bytes, peer, wishes.bytes(), flags)
}

pub(crate) fn recv_from(
    socket: &OsSocket,
    space: &mut [u8],
    flags: i32,
) -> io::Result<(usize, SockAddr)> {
    socket.recv_from_with_flags(blocking::uninit(space), flags)
}

pub(crate) fn recv(socket: &OsSocket, space: &mut [u8], flags: i32) -> io::Result<usize> {
    socket.recv_with_flags(blocking::uninit(space), flags)
}

pub(crate) fn tell(socket: &OsSocket) {
    let family = socket.local_addr().map_or(libc::AF_UNSPEC, |addr| i32::from(addr.family()));
    let own = match family {
        libc::AF_INET => kinds::TELL_V4,
        libc::AF_INET6 => kinds::TELL_V6,
        _ => &[],
    };
    for (level, name) in kinds::TELL_ALWAYS.iter().chain(own) {
        // What the kernel does not have, it does not tell.
        let _ = set_option(socket, *level, *name, 1);
    }
}

/// Where there is no call for many datagrams.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod one_by_one {
    use super::{OsSocket, io, unsupported};
    use crate::packet::Batch;

    pub(crate) fn recv_many(_: &OsSocket, _: &mut Batch, _: i32) -> Option<io::Result<usize>> {
        None
    }

    pub(crate) fn send_many(_: &OsSocket, _: &mut Batch, _: i32) -> Option<io::Result<usize>> {
        None
    }

    pub(crate) fn set_gro(_socket: &OsSocket, _on: bool) -> io::Result<()> {
        Err(unsupported("only Linux joins datagrams"))
    }

    pub(crate) fn gro(_socket: &OsSocket) -> bool {
        false
    }
}

/// Room for all that the kernel tells about one datagram of ours: 40 bytes for an address of
/// IPv6, 32 for the time, 24 for each number (class, hops, length of joined ones), and as much
/// again.
pub(super) struct Control([MaybeUninit<u64>; CONTROL_WORDS]);

impl Control {
    pub(super) const fn uninit() -> Self {
        Self([MaybeUninit::uninit(); CONTROL_WORDS])
    }

    pub(super) fn space(&mut self) -> &mut [MaybeUninit<u64>] {
        &mut self.0
    }

    /// The first `len` bytes.
    ///
    /// # Safety
    /// The kernel has written so many.
    pub(super) unsafe fn written(&self, len: usize) -> &[u8] {
        let len = len.min(size_of_val(&self.0));
        // SAFETY: they lie within the words, and are initialized (the caller says so).
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), len) }
    }
}

pub(super) const CONTROL_WORDS: usize = 36;

/// Control data with all that may be wished for one message: 40 bytes for an address, 24 each for
/// class, hops and the length of segments.
pub(super) type Wishes = Draft<16>;

/// What came by `recvmsg`.
pub(super) struct Came {
    pub(super) len: usize,
    pub(super) flags: i32,
    pub(super) control: usize,
    pub(super) name: SockAddr,
}

impl Came {
    /// The sender, if he has a name.
    pub(super) fn peer(&self) -> Option<Addr> {
        let addr = from_sock_addr(&self.name).ok()?;
        addr.unix().is_none_or(|addr| !addr.is_unnamed()).then_some(addr)
    }
}

/// One `recvmsg`. Descriptors in what comes are for the caller to adopt.
pub(super) fn receive(
    socket: &OsSocket,
    space: &mut [MaybeUninit<u8>],
    control: &mut [MaybeUninit<u64>],
    flags: i32,
) -> io::Result<Came> {
    let mut part = libc::iovec { iov_base: space.as_mut_ptr().cast(), iov_len: space.len() };
    let mut name = SockAddrStorage::zeroed();
    let mut message = bare(&raw mut part);
    message.msg_name = (&raw mut name).cast();
    message.msg_namelen = name.size_of();
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(control) as _;
    let flags = flags | CLOEXEC;
    // SAFETY: an open descriptor; name, space and control data are as long as the message says,
    // and outlive the call.
    let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel wrote a name of that length into zeroed storage.
    let name = unsafe { SockAddr::new(name, message.msg_namelen.min(NAME_MAX)) };
    #[allow(clippy::unnecessary_cast)] // Its type differs from system to system.
    let control = message.msg_controllen as usize;
    Ok(Came { len, flags: message.msg_flags, control, name })
}

/// One `sendmsg`.
pub(super) fn transmit(
    socket: &OsSocket,
    bytes: &[u8],
    peer: Option<&SockAddr>,
    control: &[u8],
    flags: i32,
) -> io::Result<usize> {
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut message = bare(&raw mut part);
    if let Some(peer) = peer {
        message.msg_name = peer.as_ptr().cast_mut().cast();
        message.msg_namelen = peer.len();
    }
    if !control.is_empty() {
        message.msg_control = control.as_ptr().cast_mut().cast();
        message.msg_controllen = control.len() as _;
    }
    // SAFETY: an open descriptor; the kernel reads what the message names, all of which outlives
    // the call, and writes nothing.
    let count = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// A message of one piece, without a name and without control data.
pub(super) fn bare(part: *mut libc::iovec) -> libc::msghdr {
    // SAFETY: a structure of integers and pointers, for which zeros will do.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message
}

/// Fills in what control data tells. The length of the datagrams that were joined, if they were.
///
/// # Safety
/// The kernel has just written `control`, and descriptors in it have no other owner.
pub(super) unsafe fn told<A>(packet: &mut Packet<A>, control: &[u8]) -> Option<usize> {
    let (mut segment, mut passed) = (None, false);
    for item in ancillary::items(control) {
        match item {
            Item::Local(addr, interface) => {
                packet.local = Some(addr);
                packet.interface = interface;
            }
            Item::Class(class) => packet.ecn = Some(crate::packet::Ecn::of_traffic_class(class)),
            Item::Hops(hops) => packet.ttl = Some(hops),
            Item::At(at) => packet.at = Some(at),
            Item::Segment(len) => segment = Some(len),
            Item::Rights(_) | Item::Process(_) => passed = true,
            Item::Other => {}
        }
    }
    if passed {
        // Nobody asked for them, so they are closed.
        // SAFETY: the caller's promise.
        unsafe { ancillary::adopt(control, drop) };
    }
    segment
}

/// Writes a packet's wishes as control data.
pub(super) fn wish<A: Named>(
    socket: &OsSocket,
    packet: &Packet<A>,
    draft: &mut Wishes,
) -> io::Result<()> {
    let way = match &packet.peer {
        Some(peer) => peer.to_inet().map(|peer| Way::to(peer.ip())),
        None => match packet.local {
            Some(local) => Some(Way::to(local)),
            None => socket.peer_addr()?.as_socket().map(|peer| Way::to(peer.ip())),
        },
    };
    let Some(way) = way else { return Err(unsupported("wishes are for sockets of UDP")) };
    if packet.local.is_some() || packet.interface.is_some() {
        way.wish_local(packet.local, packet.interface, draft)?;
    }
    let v6 = matches!(way, Way::V6);
    if let Some(ecn) = packet.ecn {
        match v6 {
            true => draft.push(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &[i32::from(ecn.bits())]),
            false if kinds::SEND_TOS => {
                draft.push(libc::IPPROTO_IP, libc::IP_TOS, &[kinds::Tos::from(ecn.bits())]);
            }
            false => return Err(unsupported("no ECN for single datagrams here")),
        }
    }
    if let Some(ttl) = packet.ttl {
        match (v6, kinds::HOPS_KIND) {
            (true, Some(kind)) if kinds::SEND_HOPS => {
                draft.push(libc::IPPROTO_IPV6, kind, &[i32::from(ttl)]);
            }
            (false, _) if kinds::SEND_TTL => {
                draft.push(libc::IPPROTO_IP, libc::IP_TTL, &[i32::from(ttl)]);
            }
            _ => return Err(unsupported("no time to live for single datagrams here")),
        }
    }
    Ok(())
}

/// How a datagram goes: `Mapped` is IPv4 through a socket of IPv6.
#[derive(Clone, Copy)]
enum Way {
    V4,
    Mapped,
    V6,
}

impl Way {
    fn to(peer: IpAddr) -> Self {
        match peer {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(peer) if peer.to_ipv4_mapped().is_some() => Self::Mapped,
            IpAddr::V6(_) => Self::V6,
        }
    }

    fn wish_local(
        self,
        local: Option<IpAddr>,
        interface: Option<u32>,
        draft: &mut Wishes,
    ) -> io::Result<()> {
        let other = || {
            let what = "the address to send from is of another family than the peer";
            io::Error::new(io::ErrorKind::InvalidInput, what)
        };
        let v4 = match local.map(|local| local.to_canonical()) {
            None => Some(Ipv4Addr::UNSPECIFIED),
            Some(IpAddr::V4(local)) => Some(local),
            Some(IpAddr::V6(_)) => None,
        };
        let local = match (self, local) {
            (Self::V4, _) => {
                let granted = kinds::push_local_v4(draft, v4.ok_or_else(other)?, interface);
                let refusal = "no choice of address or interface for single datagrams here";
                return if granted { Ok(()) } else { Err(unsupported(refusal)) };
            }
            (Self::Mapped, _) => v4.ok_or_else(other)?.to_ipv6_mapped(),
            (Self::V6, None) => Ipv6Addr::UNSPECIFIED,
            (Self::V6, Some(IpAddr::V6(local))) if v4.is_none() => local,
            (Self::V6, Some(_)) => return Err(other()),
        };
        // SAFETY: a structure of integers, for which zeros will do.
        let mut info: libc::in6_pktinfo = unsafe { std::mem::zeroed() };
        info.ipi6_addr.s6_addr = local.octets();
        info.ipi6_ifindex = interface.unwrap_or(0) as _;
        draft.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &[info]);
        Ok(())
    }
}

pub(super) fn set_option(socket: &OsSocket, level: i32, name: i32, value: i32) -> io::Result<()> {
    let len = size_of::<i32>() as libc::socklen_t;
    let place = (&raw const value).cast();
    // SAFETY: an open descriptor, and an integer that outlives the call.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, place, len) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Descriptors that come are closed on exec: from the start where the system can.
#[cfg(not(any(target_vendor = "apple", target_os = "solaris", target_os = "aix")))]
pub(super) const CLOEXEC: i32 = libc::MSG_CMSG_CLOEXEC;
#[cfg(any(target_vendor = "apple", target_os = "solaris", target_os = "aix"))]
pub(super) const CLOEXEC: i32 = 0;

/// The longest name.
const NAME_MAX: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
