//! Many datagrams in one call of Linux: `recvmmsg` and `sendmmsg`, datagrams that the kernel cuts
//! from a long one (GSO), and such that it joined to a long one (GRO).
#![allow(unsafe_code)]

use super::messages::{self, Control, Wishes};
use super::{Domain, Kind, OsSocket, Side, SockAddr, message, system};
use crate::packet::{Batch, Packet};
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// `None` if the kernel has no such call (it may be emulated, or filtered).
pub(crate) fn recv_many(
    socket: &OsSocket,
    batch: &mut Batch,
    flags: i32,
) -> Option<io::Result<usize>> {
    if MANY_IN.is(Known::No) {
        return None;
    }
    let (count, size) = if gro(socket) {
        (batch.packets_max().min(CALL_MAX), SLOT_MAX)
    } else {
        (batch.packets_max(), batch.bytes_each())
    };
    batch.empty(count * size);
    let (mut start, mut flags) = (0, flags | libc::MSG_WAITFORONE);
    while start < count {
        let wanted = (count - start).min(CALL_MAX);
        match recv_some(socket, batch, (start, wanted, size), flags) {
            Ok(got) if got == wanted => start += got,
            Ok(_) => break,
            Err(error) if start == 0 => return MANY_IN.stands(&error).then_some(Err(error)),
            // There is no more, or the next call will say what is wrong.
            Err(_) => break,
        }
        flags |= libc::MSG_DONTWAIT;
    }
    Some(Ok(batch.len()))
}

/// As [`recv_many`]; `flags` hold `NOSIGNAL` already.
pub(crate) fn send_many(
    socket: &OsSocket,
    batch: &mut Batch,
    flags: i32,
) -> Option<io::Result<usize>> {
    if MANY_OUT.is(Known::No) {
        return None;
    }
    if batch.groups().any(|group| group.count > 1) && !segments(socket) {
        batch.set_offload(false);
    }
    let mut total = 0;
    while !batch.is_empty() {
        match send_some(socket, batch, flags) {
            Ok(count) => {
                batch.skip(count);
                total += count;
            }
            Err(error) if refuses_segments(batch, &error) => {}
            Err(_) if total > 0 => break,
            Err(error) => return MANY_OUT.stands(&error).then_some(Err(error)),
        }
    }
    Some(Ok(total))
}

/// Whether datagrams of one sender may come joined.
pub(crate) fn set_gro(socket: &OsSocket, on: bool) -> io::Result<()> {
    let set = messages::set_option(socket, libc::SOL_UDP, libc::UDP_GRO, i32::from(on));
    set.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOPROTOOPT) => super::unsupported("the kernel or the socket has no UDP_GRO"),
        _ => error,
    })
}

/// What [`set_gro`] set, through whichever handle.
pub(crate) fn gro(socket: &OsSocket) -> bool {
    udp_option(socket, libc::UDP_GRO).is_ok_and(|on| on != 0)
}

/// One `recvmmsg` for `wanted` datagrams into the slots from `start`, of `size` bytes each.
fn recv_some(
    socket: &OsSocket,
    batch: &mut Batch,
    (start, wanted, size): (usize, usize, usize),
    flags: i32,
) -> io::Result<usize> {
    let mut parts = [EMPTY_PART; CALL_MAX];
    let mut names = [const { MaybeUninit::<Name>::uninit() }; CALL_MAX];
    let mut controls = [const { Control::uninit() }; CALL_MAX];
    let mut calls = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; CALL_MAX];
    let slots = batch.room(start * size, wanted * size).chunks_exact_mut(size);
    for (nth, slot) in slots.enumerate() {
        parts[nth] = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: size };
        let mut message = messages::bare(&raw mut parts[nth]);
        message.msg_name = names[nth].as_mut_ptr().cast();
        message.msg_namelen = size_of::<Name>() as libc::socklen_t;
        let space = controls[nth].space();
        message.msg_controllen = size_of_val(space) as _;
        message.msg_control = space.as_mut_ptr().cast();
        calls[nth].write(libc::mmsghdr { msg_hdr: message, msg_len: 0 });
    }
    let count = wanted as libc::c_uint;
    let flags = (flags | messages::CLOEXEC) as _;
    let place = calls.as_mut_ptr().cast::<libc::mmsghdr>();
    let none = std::ptr::null_mut();
    // SAFETY: an open descriptor and `wanted` calls, whose names, slots and control data are as
    // long as they say, lie apart, and outlive the call.
    let got = unsafe { libc::recvmmsg(socket.as_raw_fd(), place, count, flags, none) };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    for nth in 0..got {
        // SAFETY: written above, since `got` is at most `wanted`.
        let call = unsafe { calls[nth].assume_init_ref() };
        let mut packet = Packet::connected();
        packet.len = call.msg_len as usize;
        packet.truncated = call.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        // SAFETY: the kernel wrote as many bytes of the name.
        packet.peer = unsafe { peer(&names[nth], call.msg_hdr.msg_namelen) }?;
        #[allow(clippy::unnecessary_cast)] // Its type differs between C libraries.
        let told = call.msg_hdr.msg_controllen as usize;
        // SAFETY: the kernel has just written so many bytes.
        let control = unsafe { controls[nth].written(told) };
        // SAFETY: as above, and nobody has read them yet.
        let segment = unsafe { messages::told(&mut packet, control) };
        batch.received((start + nth) * size, packet, segment);
    }
    Ok(got)
}

/// One `sendmmsg` from the front of the batch; how many datagrams went out.
fn send_some(socket: &OsSocket, batch: &Batch, flags: i32) -> io::Result<usize> {
    let mut parts = [EMPTY_PART; CALL_MAX];
    let mut names = [const { MaybeUninit::<SockAddr>::uninit() }; CALL_MAX];
    let mut wishes = [const { MaybeUninit::<Wishes>::uninit() }; CALL_MAX];
    let mut calls = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; CALL_MAX];
    let (mut counts, mut wanted) = ([0; CALL_MAX], 0);
    for (nth, group) in batch.groups().take(CALL_MAX).enumerate() {
        let bytes = group.bytes;
        parts[nth] =
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let mut message = messages::bare(&raw mut parts[nth]);
        if let Some(peer) = group.packet.peer {
            let name = names[nth].write(SockAddr::from(peer));
            message.msg_name = name.as_ptr().cast_mut().cast();
            message.msg_namelen = name.len();
        }
        if group.count > 1 || group.packet.has_wishes() {
            let draft = wishes[nth].write(Wishes::new());
            match messages::wish(socket, group.packet, draft) {
                Ok(()) => {}
                Err(error) if nth == 0 => return Err(error),
                Err(_) => break, // The next call will say so.
            }
            if group.count > 1 {
                draft.push(libc::SOL_UDP, libc::UDP_SEGMENT, &[group.segment as u16]);
            }
            message.msg_control = draft.bytes().as_ptr().cast_mut().cast();
            message.msg_controllen = draft.bytes().len() as _;
        }
        calls[nth].write(libc::mmsghdr { msg_hdr: message, msg_len: 0 });
        counts[nth] = group.count;
        wanted = nth + 1;
    }
    let place = calls.as_mut_ptr().cast::<libc::mmsghdr>();
    let fd = socket.as_raw_fd();
    // SAFETY: an open descriptor and `wanted` calls, which name bytes, peers and control data that
    // outlive the call and are only read.
    let sent = unsafe { libc::sendmmsg(fd, place, wanted as libc::c_uint, flags as _) };
    match usize::try_from(sent) {
        Ok(sent) => Ok(counts[..sent].iter().sum()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// The peer's name, of which the kernel wrote `len` bytes.
///
/// # Safety
/// It must have.
unsafe fn peer(name: &MaybeUninit<Name>, len: libc::socklen_t) -> io::Result<Option<SocketAddr>> {
    let (len, place) = (len as usize, name.as_ptr());
    let holds = |size| (size..=size_of::<Name>()).contains(&len);
    if len == 0 {
        return Ok(None);
    }
    if holds(size_of::<libc::sockaddr_in>()) {
        // SAFETY: so many bytes were written (the caller says so), and any are integers.
        let name = unsafe { place.cast::<libc::sockaddr_in>().read() };
        if i32::from(name.sin_family) == libc::AF_INET {
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            return Ok(Some((ip, u16::from_be(name.sin_port)).into()));
        }
    }
    if holds(size_of::<libc::sockaddr_in6>()) {
        // SAFETY: as above.
        let name = unsafe { place.read() };
        if i32::from(name.sin6_family) == libc::AF_INET6 {
            let (ip, port) = (name.sin6_addr.s6_addr.into(), u16::from_be(name.sin6_port));
            let addr = SocketAddrV6::new(ip, port, name.sin6_flowinfo, name.sin6_scope_id);
            return Ok(Some(addr.into()));
        }
    }
    Err(message::not_inet())
}

/// Whether the first message of the batch was refused for being cut, so that it can go otherwise.
fn refuses_segments(batch: &mut Batch, error: &io::Error) -> bool {
    let Some(first) = batch.groups().next().filter(|group| group.count > 1) else { return false };
    let segment = first.segment;
    match error.raw_os_error() {
        // The device cannot make checksums; the kernel does not know the request.
        Some(libc::EIO | libc::ENOPROTOOPT | libc::EOPNOTSUPP) => batch.refused(segment, true),
        // The segments are too long for the way; or something else is wrong, and the next call
        // says so of a single datagram.
        Some(libc::EINVAL | libc::EMSGSIZE) => batch.refused(segment, false),
        _ => return false,
    }
    true
}

/// Whether the kernel cuts datagrams. One that does not know the request ignores it, and would
/// send many as one; so it is asked, and then tried, once in a process: emulators answer like the
/// kernel under them and hand the request on in a form that it does not know.
fn segments(socket: &OsSocket) -> bool {
    if SEGMENTS.is(Known::NotYet) {
        let cuts = udp_option(socket, libc::UDP_SEGMENT).is_ok()
            && (cuts(Ipv4Addr::LOCALHOST.into()).or_else(|_| cuts(Ipv6Addr::LOCALHOST.into())))
                .unwrap_or(false);
        SEGMENTS.set(if cuts { Known::Yes } else { Known::No });
    }
    SEGMENTS.is(Known::Yes)
}

/// Sends itself two datagrams as one message.
fn cuts(loopback: IpAddr) -> io::Result<bool> {
    let any = SocketAddr::new(loopback, 0);
    let socket = system::open(Domain::for_address(any), Kind::Dgram)?;
    socket.bind(&any.into())?;
    socket.connect(&socket.local_addr()?)?;
    let mut draft = Wishes::new();
    draft.push(libc::SOL_UDP, libc::UDP_SEGMENT, &[1_u16]);
    messages::transmit(&socket, b"ab", None, draft.bytes(), libc::MSG_NOSIGNAL)?;
    system::wait(&socket, Side::Recv, Some(Duration::from_millis(100)))?;
    Ok(messages::recv(&socket, &mut [0; 2], 0)? == 1)
}

fn udp_option(socket: &OsSocket, name: i32) -> io::Result<i32> {
    let (mut value, mut len) = (0_i32, size_of::<i32>() as libc::socklen_t);
    let fd = socket.as_raw_fd();
    let place = (&raw mut value).cast();
    // SAFETY: an open descriptor, and places for an integer and its length.
    match unsafe { libc::getsockopt(fd, libc::SOL_UDP, name, place, &raw mut len) } {
        0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What the process has found out about the kernel.
struct Finding(AtomicU8);

#[derive(Clone, Copy)]
enum Known {
    NotYet,
    Yes,
    No,
}

impl Finding {
    const fn new() -> Self {
        Self(AtomicU8::new(Known::NotYet as u8))
    }

    fn is(&self, known: Known) -> bool {
        self.0.load(Ordering::Relaxed) == known as u8
    }

    fn set(&self, known: Known) {
        self.0.store(known as u8, Ordering::Relaxed);
    }

    /// Takes note if the error says that there is no such call; whether it says something else.
    fn stands(&self, error: &io::Error) -> bool {
        let unknown = error.raw_os_error() == Some(libc::ENOSYS);
        if unknown {
            self.set(Known::No);
        }
        !unknown
    }
}

static MANY_IN: Finding = Finding::new();
static MANY_OUT: Finding = Finding::new();
static SEGMENTS: Finding = Finding::new();

/// The longest name of IPv4 and IPv6: batches know no others.
type Name = libc::sockaddr_in6;

/// How many messages one call takes: what its lists need lies on the stack.
const CALL_MAX: usize = 32;

/// The longest message that is joined: what IP can say in 16 bits.
const SLOT_MAX: usize = 0xFFFF + 1;

const EMPTY_PART: libc::iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
