//! The platform contract (see the room's page) on Unix.
use super::{Domain, Kind, OsSocket, Side, SockAddr, Woken};
use crate::addr::{UnixAddr, VsockAddr};
use std::ffi::OsStr;
use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// Systems whose `socket`, `socketpair` and `accept4` take the flags at once.
macro_rules! cfg_atomic {
    (yes { $($yes:tt)* } no { $($no:tt)* }) => {
        #[cfg(any(
            target_os = "android", target_os = "dragonfly", target_os = "freebsd",
            target_os = "fuchsia", target_os = "illumos", target_os = "linux",
            target_os = "netbsd", target_os = "openbsd", target_os = "cygwin",
        ))]
        { $($yes)* }
        #[cfg(not(any(
            target_os = "android", target_os = "dragonfly", target_os = "freebsd",
            target_os = "fuchsia", target_os = "illumos", target_os = "linux",
            target_os = "netbsd", target_os = "openbsd", target_os = "cygwin",
        )))]
        { $($no)* }
    };
}

/// Apple's sockets carry SO_NOSIGPIPE instead (socket2 sets it; accepted ones inherit it).
pub(crate) const NOSIGNAL: i32 = if cfg!(target_vendor = "apple") { 0 } else { libc::MSG_NOSIGNAL };

pub(crate) const PEEK: i32 = libc::MSG_PEEK;

/// A listener that sets SO_REUSEADDR comes back while its old connections linger.
pub(crate) const REUSE_ADDRESS: bool = true;

/// Linux tells nobody when there is room again: poll says that such a socket is ready and hung up.
/// Whoever listens accepts again as soon as he is scheduled.
pub(crate) const ROOM_PAUSE: Option<Duration> =
    if cfg!(any(target_os = "linux", target_os = "android")) {
        Some(Duration::from_millis(5))
    } else {
        None // Elsewhere a full backlog refuses.
    };

pub(crate) const SHUT_WAKES: Woken =
    if cfg!(any(target_os = "linux", target_os = "android")) { Woken::All } else { Woken::Peers };

pub(crate) fn open(domain: Domain, kind: Kind) -> io::Result<OsSocket> {
    cfg_atomic! {
        yes { OsSocket::new(domain, kind.of_system().nonblocking(), None) }
        no { nonblocking(OsSocket::new(domain, kind.of_system(), None)?) }
    }
}

pub(crate) fn pair(kind: Kind) -> io::Result<(OsSocket, OsSocket)> {
    cfg_atomic! {
        yes { OsSocket::pair(Domain::UNIX, kind.of_system().nonblocking(), None) }
        no {
            let (a, b) = OsSocket::pair(Domain::UNIX, kind.of_system(), None)?;
            Ok((nonblocking(a)?, nonblocking(b)?))
        }
    }
}

pub(crate) fn accept(listener: &OsSocket) -> io::Result<(OsSocket, SockAddr)> {
    cfg_atomic! {
        yes { listener.accept4(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) }
        no {
            let (socket, addr) = listener.accept()?;
            Ok((nonblocking(socket)?, addr))
        }
    }
}

/// As the C library's `recv`, of a socket that does not wait. On Linux without the library's way
/// of letting itself be cancelled in between: two locked instructions a call.
#[inline]
pub(crate) fn recv(socket: &OsSocket, space: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    #[cfg(all(any(target_os = "linux", target_os = "android"), target_pointer_width = "64"))]
    {
        let (fd, call, none) = (socket.as_raw_fd(), libc::SYS_recvfrom, std::ptr::null::<u8>());
        // SAFETY: the space is ours, and as long as we say; nobody asks for the sender.
        answer(unsafe { libc::syscall(call, fd, space.as_mut_ptr(), space.len(), 0, none, none) })
    }
    #[cfg(not(all(any(target_os = "linux", target_os = "android"), target_pointer_width = "64")))]
    socket.recv(space)
}

/// As the C library's `send`, likewise; never raises SIGPIPE.
#[inline]
pub(crate) fn send(socket: &OsSocket, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(all(any(target_os = "linux", target_os = "android"), target_pointer_width = "64"))]
    {
        let (fd, call, none) = (socket.as_raw_fd(), libc::SYS_sendto, std::ptr::null::<u8>());
        // SAFETY: the bytes live until the return; they go where the socket is connected to.
        answer(unsafe { libc::syscall(call, fd, bytes.as_ptr(), bytes.len(), NOSIGNAL, none, 0) })
    }
    #[cfg(not(all(any(target_os = "linux", target_os = "android"), target_pointer_width = "64")))]
    socket.send_with_flags(bytes, NOSIGNAL)
}

#[cfg(all(any(target_os = "linux", target_os = "android"), target_pointer_width = "64"))]
fn answer(count: libc::c_long) -> io::Result<usize> {
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// An interrupted connect goes on by itself, so it counts too.
pub(crate) fn is_connecting(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR))
}

pub(crate) fn to_unix(addr: &UnixAddr) -> io::Result<SockAddr> {
    if let Some(path) = addr.as_pathname() {
        return SockAddr::unix(path);
    }
    if let Some(name) = addr.as_abstract_name() {
        // socket2 takes a leading NUL for the mark of an abstract name, as the kernel does.
        let mut bytes = Vec::with_capacity(name.len() + 1);
        bytes.push(0);
        bytes.extend_from_slice(name);
        return SockAddr::unix(OsStr::from_bytes(&bytes));
    }
    // Unnamed: the family alone. Linux binds such a socket to an abstract name of its choice.
    SockAddr::unix("")
}

/// Lengths are taken with care: Linux gives two bytes for "unnamed", and a path that fills the
/// field without its NUL; the BSDs give a length that counts unused zeros.
pub(crate) fn from_unix(raw: &SockAddr) -> io::Result<UnixAddr> {
    let start = offset_of!(libc::sockaddr_un, sun_path);
    let end = (raw.len() as usize).min(size_of::<libc::sockaddr_storage>());
    if end <= start {
        return Ok(UnixAddr::unnamed());
    }
    // SAFETY: the storage behind `as_ptr` is a whole `sockaddr_storage`, zeroed before the kernel
    // wrote to it, and `end` is at most its size.
    let bytes = unsafe { std::slice::from_raw_parts(raw.as_ptr().cast::<u8>(), end) };
    let name = &bytes[start..];
    if name[0] != 0 {
        let path = name.split(|byte| *byte == 0).next().unwrap_or(name);
        UnixAddr::from_pathname(OsStr::from_bytes(path))
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        UnixAddr::from_abstract_name(&name[1..])
    } else {
        Ok(UnixAddr::unnamed())
    }
}

macro_rules! cfg_vsock {
    (yes { $($yes:item)* } no { $($no:item)* }) => {
        $(#[cfg(any(target_os = "linux", target_os = "android"))] $yes)*
        $(#[cfg(not(any(target_os = "linux", target_os = "android")))] $no)*
    };
}

cfg_vsock! {
    yes {
        pub(crate) const VSOCK: Option<Domain> = Some(Domain::VSOCK);

        #[allow(clippy::unnecessary_wraps)] // Elsewhere it fails.
        pub(crate) fn to_vsock(addr: VsockAddr) -> io::Result<SockAddr> {
            Ok(SockAddr::vsock(addr.cid(), addr.port()))
        }

        pub(crate) fn from_vsock(raw: &SockAddr) -> Option<VsockAddr> {
            raw.as_vsock_address().map(|(cid, port)| VsockAddr::new(cid, port))
        }
    }
    no {
        pub(crate) const VSOCK: Option<Domain> = None;

        pub(crate) fn to_vsock(_addr: VsockAddr) -> io::Result<SockAddr> {
            Err(super::unsupported(super::NO_VSOCK))
        }

        pub(crate) fn from_vsock(_raw: &SockAddr) -> Option<VsockAddr> {
            None
        }
    }
}

/// A socket that waits, and two connected ones: the blocking door's.
pub(crate) fn waiting(domain: Domain, kind: Kind) -> io::Result<OsSocket> {
    OsSocket::new(domain, kind.of_system(), None)
}

pub(crate) fn waiting_pair(kind: Kind) -> io::Result<(OsSocket, OsSocket)> {
    OsSocket::pair(Domain::UNIX, kind.of_system(), None)
}

pub(crate) fn is_nonblocking(socket: &OsSocket) -> io::Result<bool> {
    socket.nonblocking()
}

pub(crate) fn at_once<T>(
    _socket: &OsSocket,
    _side: Side,
    call: impl FnOnce(i32) -> io::Result<T>,
) -> io::Result<T> {
    call(libc::MSG_DONTWAIT)
}

pub(crate) fn wait(socket: &OsSocket, side: Side, limit: Option<Duration>) -> io::Result<bool> {
    let events = match side {
        Side::Recv => libc::POLLIN,
        Side::Send => libc::POLLOUT,
    };
    let mut entry = libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 };
    // SAFETY: one entry, which outlives the call.
    match unsafe { libc::poll(&raw mut entry, 1, super::millis(limit)) } {
        -1 => Err(io::Error::last_os_error()),
        count => Ok(count > 0),
    }
}

pub(crate) fn wait_any(
    recv: &[&OsSocket],
    send: &[&OsSocket],
    limit: Option<Duration>,
) -> io::Result<()> {
    let entry = |events| {
        move |socket: &&OsSocket| libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 }
    };
    let recv = recv.iter().map(entry(libc::POLLIN));
    let mut entries: Vec<_> = recv.chain(send.iter().map(entry(libc::POLLOUT))).collect();
    let count = libc::nfds_t::try_from(entries.len()).unwrap_or(libc::nfds_t::MAX);
    // SAFETY: the entries outlive the call, and their count is theirs.
    match unsafe { libc::poll(entries.as_mut_ptr(), count, super::millis(limit)) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(feature = "tls")]
pub(crate) fn wait_each(
    sockets: &[(&OsSocket, Side)],
    limit: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let entry = |(socket, side): &(&OsSocket, Side)| {
        let events = if *side == Side::Recv { libc::POLLIN } else { libc::POLLOUT };
        libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 }
    };
    let mut entries: Vec<_> = sockets.iter().map(entry).collect();
    let count = libc::nfds_t::try_from(entries.len()).unwrap_or(libc::nfds_t::MAX);
    // SAFETY: the entries outlive the call, and their count is theirs.
    match unsafe { libc::poll(entries.as_mut_ptr(), count, super::millis(limit)) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(entries.iter().map(|entry| entry.revents != 0).collect()),
    }
}

/// Linux says "would block" for datagrams that can never come, and poll says that they are there.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_shut(socket: &OsSocket) -> bool {
    let mut entry = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one entry, which outlives the call.
    let count = unsafe { libc::poll(&raw mut entry, 1, 0) };
    count > 0 && entry.revents & libc::POLLRDHUP != 0
}

/// What is shut here says so itself.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_shut(_socket: &OsSocket) -> bool {
    false
}

pub(crate) fn number(socket: &OsSocket) -> (&'static str, RawFd) {
    ("fd", socket.as_raw_fd())
}

/// What the system's own timeouts end with, the least of them, and the most that a send which
/// must not wait may be given.
pub(crate) const TIMED_OUT: i32 = libc::EAGAIN;
pub(crate) const TIMEOUT_MIN: Duration = Duration::from_micros(1);
pub(crate) const AT_ONCE_MAX: usize = 1 << 30;

/// Runs `f` when the process exits in an orderly way.
pub(crate) fn at_exit(f: extern "C" fn()) {
    // SAFETY: `f` is a plain function that lives as long as the program.
    let full = unsafe { libc::atexit(f) };
    debug_assert_eq!(full, 0, "the C runtime keeps at least 32 exit functions");
}

#[cfg(not(any(
    target_os = "android",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "fuchsia",
    target_os = "illumos",
    target_os = "linux",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "cygwin",
)))]
fn nonblocking(socket: OsSocket) -> io::Result<OsSocket> {
    socket.set_nonblocking(true)?;
    Ok(socket)
}
