//! The platform contract (see the room's page) on Windows.
use super::{Domain, Kind, OsSocket, Side, SockAddr, Woken, unsupported};
use crate::addr::{UnixAddr, VsockAddr};
use std::ffi::OsStr;
use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::os::windows::io::{AsRawSocket, RawSocket};
use std::time::Duration;
use windows_sys::Win32::Networking::WinSock::{
    FD_SET, MSG_PEEK, POLLRDNORM, POLLWRNORM, SOCKADDR_STORAGE, SOCKADDR_UN, SOCKET, SOCKET_ERROR,
    TIMEVAL, WSAEAFNOSUPPORT, WSAETIMEDOUT, WSAEWOULDBLOCK, WSAPOLLFD, WSAPoll, select,
};

/// Windows has no SIGPIPE.
pub(crate) const NOSIGNAL: i32 = 0;

pub(crate) const PEEK: i32 = MSG_PEEK;

/// A listener comes back without; with SO_REUSEADDR it would share its port with any other.
pub(crate) const REUSE_ADDRESS: bool = false;

/// "Would block" means that the connect is under way.
pub(crate) const ROOM_PAUSE: Option<Duration> = None;

pub(crate) const SHUT_WAKES: Woken = Woken::Nobody;

pub(crate) fn open(domain: Domain, kind: Kind) -> io::Result<OsSocket> {
    let socket = waiting(domain, kind)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

pub(crate) fn pair(_kind: Kind) -> io::Result<(OsSocket, OsSocket)> {
    Err(unsupported("Windows has no socket pairs"))
}

/// An accepted socket has its listener's mode, so it is set here whatever that is.
pub(crate) fn accept(listener: &OsSocket) -> io::Result<(OsSocket, SockAddr)> {
    let (socket, addr) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, addr))
}

pub(crate) fn recv(socket: &OsSocket, space: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    socket.recv(space)
}

pub(crate) fn send(socket: &OsSocket, bytes: &[u8]) -> io::Result<usize> {
    socket.send(bytes)
}

pub(crate) fn is_connecting(error: &io::Error) -> bool {
    error.raw_os_error() == Some(WSAEWOULDBLOCK)
}

pub(crate) fn to_unix(addr: &UnixAddr) -> io::Result<SockAddr> {
    match addr.as_pathname() {
        Some(path) => SockAddr::unix(path),
        None if addr.is_unnamed() => Err(unsupported("Windows binds Unix sockets to paths only")),
        None => Err(unsupported("abstract names are known to Linux only")),
    }
}

/// Windows gives the whole structure's length, whatever the path's.
pub(crate) fn from_unix(raw: &SockAddr) -> io::Result<UnixAddr> {
    let start = offset_of!(SOCKADDR_UN, sun_path);
    let end = usize::try_from(raw.len()).unwrap_or(0).min(size_of::<SOCKADDR_STORAGE>());
    if end <= start {
        return Ok(UnixAddr::unnamed());
    }
    // SAFETY: the storage behind `as_ptr` is a whole `SOCKADDR_STORAGE`, zeroed before the system
    // wrote to it, and `end` is at most its size.
    let bytes = unsafe { std::slice::from_raw_parts(raw.as_ptr().cast::<u8>(), end) };
    let path = bytes[start..].split(|byte| *byte == 0).next().unwrap_or_default();
    if path.is_empty() {
        return Ok(UnixAddr::unnamed());
    }
    match std::str::from_utf8(path) {
        Ok(path) => UnixAddr::from_pathname(OsStr::new(path)),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is not in UTF-8")),
    }
}

pub(crate) const VSOCK: Option<Domain> = None;

pub(crate) fn to_vsock(_addr: VsockAddr) -> io::Result<SockAddr> {
    Err(unsupported(super::NO_VSOCK))
}

pub(crate) fn from_vsock(_raw: &SockAddr) -> Option<VsockAddr> {
    None
}

/// A socket that waits: the blocking door's. Unix streams came with Windows 10 (1803).
pub(crate) fn waiting(domain: Domain, kind: Kind) -> io::Result<OsSocket> {
    if domain == Domain::UNIX && kind != Kind::Stream {
        return Err(unsupported("Windows has Unix sockets for streams only"));
    }
    let socket = OsSocket::new(domain, kind.of_system(), None).map_err(|error| {
        let unknown = error.raw_os_error() == Some(WSAEAFNOSUPPORT) && domain == Domain::UNIX;
        if unknown { unsupported("this Windows has no Unix sockets") } else { error }
    })?;
    if kind == Kind::Dgram {
        super::messages::hush_resets(&socket);
    }
    Ok(socket)
}

pub(crate) fn waiting_pair(kind: Kind) -> io::Result<(OsSocket, OsSocket)> {
    pair(kind)
}

/// Windows does not tell.
pub(crate) fn is_nonblocking(_socket: &OsSocket) -> io::Result<bool> {
    Ok(false)
}

/// There is no flag for one call that must not wait, so it is made when it need not.
pub(crate) fn at_once<T>(
    socket: &OsSocket,
    side: Side,
    call: impl FnOnce(i32) -> io::Result<T>,
) -> io::Result<T> {
    if wait(socket, side, Some(Duration::ZERO))? {
        call(0)
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

pub(crate) fn wait(socket: &OsSocket, side: Side, limit: Option<Duration>) -> io::Result<bool> {
    let events = match side {
        Side::Recv => POLLRDNORM,
        Side::Send => POLLWRNORM,
    };
    let fd = socket.as_raw_socket() as SOCKET;
    let mut entry = WSAPOLLFD { fd, events, revents: 0 };
    // SAFETY: one entry, which outlives the call.
    match unsafe { WSAPoll(&raw mut entry, 1, super::millis(limit)) } {
        SOCKET_ERROR => Err(io::Error::last_os_error()),
        count => Ok(count > 0),
    }
}

/// By `select`: what a failed connect looks like to `WSAPoll` depends on the age of the system.
pub(crate) fn wait_any(
    recv: &[&OsSocket],
    send: &[&OsSocket],
    limit: Option<Duration>,
) -> io::Result<()> {
    let set = |sockets: &[&OsSocket]| {
        let mut set = FD_SET { fd_count: 0, fd_array: [0; 64] };
        for (place, socket) in set.fd_array.iter_mut().zip(sockets) {
            *place = socket.as_raw_socket() as SOCKET;
            set.fd_count += 1;
        }
        set
    };
    let (mut readable, mut writable, mut failed) = (set(recv), set(send), set(send));
    let time = limit.map(|limit| {
        let up = limit.as_micros().div_ceil(1000) * 1000;
        let (secs, micros) = (up / 1_000_000, up % 1_000_000);
        let secs = i32::try_from(secs).unwrap_or(i32::MAX);
        TIMEVAL { tv_sec: secs, tv_usec: i32::try_from(micros).unwrap_or(0) }
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: three sets and a time (or none) that outlive the call; the first argument is ignored.
    match unsafe { select(0, &raw mut readable, &raw mut writable, &raw mut failed, time) } {
        SOCKET_ERROR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(feature = "tls")]
pub(crate) fn wait_each(
    sockets: &[(&OsSocket, Side)],
    limit: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let entry = |(socket, side): &(&OsSocket, Side)| {
        let events = if *side == Side::Recv { POLLRDNORM } else { POLLWRNORM };
        WSAPOLLFD { fd: socket.as_raw_socket() as SOCKET, events, revents: 0 }
    };
    let mut entries: Vec<_> = sockets.iter().map(entry).collect();
    let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    // SAFETY: the entries outlive the call, and their count is theirs.
    match unsafe { WSAPoll(entries.as_mut_ptr(), count, super::millis(limit)) } {
        SOCKET_ERROR => Err(io::Error::last_os_error()),
        _ => Ok(entries.iter().map(|entry| entry.revents != 0).collect()),
    }
}

/// What is shut here says so itself.
pub(crate) fn is_shut(_socket: &OsSocket) -> bool {
    false
}

pub(crate) fn number(socket: &OsSocket) -> (&'static str, RawSocket) {
    ("socket", socket.as_raw_socket())
}

/// What the system's own timeouts end with, the least of them, and the most that a send which
/// must not wait may be given: a socket that is "writable" has at least this room.
pub(crate) const TIMED_OUT: i32 = WSAETIMEDOUT;
pub(crate) const TIMEOUT_MIN: Duration = Duration::from_millis(1);
pub(crate) const AT_ONCE_MAX: usize = 16 * 1024;

/// Runs `f` when the process exits in an orderly way.
pub(crate) fn at_exit(f: extern "C" fn()) {
    unsafe extern "C" {
        fn atexit(f: extern "C" fn()) -> i32;
    }
    // SAFETY: the C runtime's own function, and `f` lives as long as the program.
    let full = unsafe { atexit(f) };
    debug_assert_eq!(full, 0, "the C runtime keeps at least 32 exit functions");
}
