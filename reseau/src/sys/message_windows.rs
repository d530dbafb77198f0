//! The contract of `message.rs` on Windows: `recvfrom` and `sendto`, one datagram at a time.
//!
//! Of a datagram, its sender, its length and whether it was cut are told; no wish is granted.
use super::message::{self, without_wishes};
use super::{OsSocket, SockAddr, from_sock_addr, unsupported};
use crate::addr::Addr;
use crate::packet::{Batch, Packet};
use std::io;
use std::os::windows::io::AsRawSocket;
use windows_sys::Win32::Networking::WinSock::{
    SIO_UDP_CONNRESET, SOCKET, SOCKET_ERROR, WSAECONNRESET, WSAEMSGSIZE, ioctlsocket, recvfrom,
};

pub(crate) fn recv_packet(
    socket: &OsSocket,
    space: &mut [u8],
    flags: i32,
) -> io::Result<Packet<Addr>> {
    let (len, truncated, name) = receive(socket, space, flags)?;
    let mut packet = Packet::connected();
    (packet.len, packet.truncated, packet.peer) = (len, truncated, from_sock_addr(&name).ok());
    Ok(packet)
}

pub(super) fn send_packet<A>(
    socket: &OsSocket,
    bytes: &[u8],
    packet: &Packet<A>,
    peer: Option<&SockAddr>,
    flags: i32,
) -> io::Result<usize> {
    without_wishes(packet)?;
    message::send_to(socket, bytes, peer, flags)
}

pub(crate) fn recv_from(
    socket: &OsSocket,
    space: &mut [u8],
    flags: i32,
) -> io::Result<(usize, SockAddr)> {
    receive(socket, space, flags).map(|(len, _, name)| (len, name))
}

pub(crate) fn recv(socket: &OsSocket, space: &mut [u8], flags: i32) -> io::Result<usize> {
    receive(socket, space, flags).map(|(len, _, _)| len)
}

/// There is nothing to ask for.
pub(crate) fn tell(_socket: &OsSocket) {}

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

/// Switches off the news that an earlier datagram found nobody (10054), which would make receiving
/// fail on account of others. Where that cannot be, receiving passes over it.
pub(super) fn hush_resets(socket: &OsSocket) {
    let fd = socket.as_raw_socket() as SOCKET;
    let mut off = 0;
    // SAFETY: an open socket, and a number that outlives the call.
    let _ = unsafe { ioctlsocket(fd, SIO_UDP_CONNRESET.cast_signed(), &raw mut off) };
}

/// One `recvfrom`: how much came, whether it was more, and from whom.
///
/// Windows calls it an error when a datagram does not fit, though it gives what does.
fn receive(socket: &OsSocket, space: &mut [u8], flags: i32) -> io::Result<(usize, bool, SockAddr)> {
    let fd = socket.as_raw_socket() as SOCKET;
    let room = i32::try_from(space.len()).unwrap_or(i32::MAX);
    let take = |name: *mut socket2::SockAddrStorage, name_len: *mut i32| loop {
        // SAFETY: an open socket; `room` writable bytes, and a place for a name of `name_len`
        // bytes, which outlive the call.
        let len = unsafe { recvfrom(fd, space.as_mut_ptr(), room, flags, name.cast(), name_len) };
        if len != SOCKET_ERROR {
            return Ok((usize::try_from(len).unwrap_or(0), false));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(WSAEMSGSIZE) => return Ok((space.len(), true)),
            Some(WSAECONNRESET) => {}
            _ => return Err(error),
        }
    };
    // SAFETY: the system writes a name, of the family that the socket has.
    let ((len, truncated), name) = unsafe { SockAddr::try_init(take) }?;
    Ok((len, truncated, name))
}
