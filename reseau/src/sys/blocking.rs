//! The blocking door's way in: the same sockets, but waiting in their calls.
//!
//! Each call is one system call, as a rule; those that take `flags` give them to the system.
use super::{Domain, Kind, OsSocket, Side, SockAddr, system, uninterrupted};
use socket2::MaybeUninitSlice;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::time::Duration;

pub(crate) use super::option::{quickack, set_quickack};
pub(crate) use system::{
    AT_ONCE_MAX, PEEK, TIMED_OUT, TIMEOUT_MIN, at_once, is_nonblocking, is_shut, number,
};

/// A socket that waits: closed on exec, never raising SIGPIPE.
pub(crate) fn open(domain: Domain, kind: Kind) -> io::Result<OsSocket> {
    system::waiting(domain, kind)
}

/// Two connected Unix-domain sockets (`Unsupported` on Windows).
pub(crate) fn pair(kind: Kind) -> io::Result<(OsSocket, OsSocket)> {
    system::waiting_pair(kind)
}

/// Connects and waits until it is done.
pub(crate) fn connect(socket: &OsSocket, addr: &SockAddr) -> io::Result<()> {
    loop {
        match socket.connect(addr) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
        // An interrupted connect of IP goes on without us, and must not be called again. Those
        // inside a machine wait for room in the backlog, and leave nothing behind.
        if addr.is_ipv4() || addr.is_ipv6() {
            while !wait(socket, Side::Send, None)? {}
            return socket.take_error()?.map_or(Ok(()), Err);
        }
    }
}

pub(crate) fn accept(listener: &OsSocket) -> io::Result<(OsSocket, SockAddr)> {
    uninterrupted(|| listener.accept())
}

pub(crate) fn recv(socket: &OsSocket, space: &mut [u8], flags: i32) -> io::Result<usize> {
    socket.recv_with_flags(uninit(space), flags)
}

pub(crate) fn recv_vectored(
    socket: &OsSocket,
    spaces: &mut [IoSliceMut<'_>],
    flags: i32,
) -> io::Result<usize> {
    // SAFETY: both are transparent wrappers of the system's own vector element (`IoSliceMut` and
    // socket2 document it), and the call writes nothing but initialized bytes.
    let spaces = unsafe {
        &mut *(std::ptr::from_mut::<[IoSliceMut<'_>]>(spaces) as *mut [MaybeUninitSlice<'_>])
    };
    socket.recv_vectored_with_flags(spaces, flags).map(|(count, _)| count)
}

/// Looks at what is there without taking it.
pub(crate) fn peek(socket: &OsSocket, space: &mut [u8], flags: i32) -> io::Result<usize> {
    recv(socket, space, flags | system::PEEK)
}

pub(crate) fn send(socket: &OsSocket, bytes: &[u8], flags: i32) -> io::Result<usize> {
    socket.send_with_flags(bytes, flags | system::NOSIGNAL)
}

pub(crate) fn send_vectored(
    socket: &OsSocket,
    parts: &[IoSlice<'_>],
    flags: i32,
) -> io::Result<usize> {
    socket.send_vectored_with_flags(parts, flags | system::NOSIGNAL)
}

/// Waits until a call on that side would not; `false` when `limit` is over or a signal came.
pub(crate) fn wait(socket: &OsSocket, side: Side, limit: Option<Duration>) -> io::Result<bool> {
    match system::wait(socket, side, limit) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        result => result,
    }
}

/// Sleeps until one of `recv` can receive, one of `send` can send or has failed, `limit` is over,
/// or a signal came.
pub(crate) fn wait_any(
    recv: &[&OsSocket],
    send: &[&OsSocket],
    limit: Option<Duration>,
) -> io::Result<()> {
    match system::wait_any(recv, send, limit) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        result => result,
    }
}

/// Sleeps until a call on its side of one of them would not wait, and says of each whether that is
/// so: of none of them when `limit` is over or a signal came.
#[cfg(feature = "tls")]
pub(crate) fn wait_each(
    sockets: &[(&OsSocket, Side)],
    limit: Option<Duration>,
) -> io::Result<Vec<bool>> {
    match system::wait_each(sockets, limit) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(vec![false; sockets.len()]),
        result => result,
    }
}

/// Initialized bytes as the space that receiving calls take.
pub(super) fn uninit(space: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: same layout; the receiving calls write nothing but initialized bytes.
    unsafe { &mut *(std::ptr::from_mut::<[u8]>(space) as *mut [MaybeUninit<u8>]) }
}
