//! Who is at the other end of a Unix-domain connection: each system has its own call for it.
use super::{Fd, OsSocket};
use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;

/// Who is at the other end of a Unix-domain connection, as of when it connected (or listened).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UCred {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The process, where the system tells: Linux, Android, macOS, illumos.
    pub pid: Option<i32>,
}

/// The same, as tokio has it.
impl UCred {
    /// The user.
    #[must_use]
    pub const fn uid(&self) -> u32 {
        self.uid
    }

    /// The group.
    #[must_use]
    pub const fn gid(&self) -> u32 {
        self.gid
    }

    /// The process, where the system tells: Linux, Android, macOS, illumos.
    #[must_use]
    pub const fn pid(&self) -> Option<i32> {
        self.pid
    }
}

impl Fd {
    /// The credentials of the peer, as they were when it connected; `Unsupported` where nobody
    /// can tell.
    pub(crate) fn peer_credentials(&self) -> io::Result<UCred> {
        of_peer(self.os()?)
    }

    /// A descriptor of the peer's process; `Unsupported` where there is no such thing.
    #[cfg(unix)]
    pub(crate) fn peer_process(&self) -> io::Result<OwnedFd> {
        process_of_peer(self.os()?)
    }
}

/// A descriptor that stands for the process that connected, however numbers are given anew.
#[cfg(target_os = "linux")]
pub(crate) fn process_of_peer(socket: &OsSocket) -> io::Result<OwnedFd> {
    use std::os::fd::{FromRawFd, RawFd};
    let found = option::<RawFd>(socket, libc::SOL_SOCKET, libc::SO_PEERPIDFD);
    let fd = found.map_err(super::option::named)?;
    // SAFETY: the kernel made it for this call, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn process_of_peer(_socket: &OsSocket) -> io::Result<OwnedFd> {
    Err(super::unsupported("the system has no descriptors of processes"))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn of_peer(socket: &OsSocket) -> io::Result<UCred> {
    let found: libc::ucred = option(socket, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
    Ok(UCred { uid: found.uid, gid: found.gid, pid: Some(found.pid) })
}

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
))]
pub(crate) fn of_peer(socket: &OsSocket) -> io::Result<UCred> {
    use std::os::fd::AsRawFd;
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: an open descriptor, and two places that outlive the call.
    match unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut uid, &raw mut gid) } {
        0 => Ok(UCred { uid, gid, pid: process(socket) }),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(target_vendor = "apple")]
fn process(socket: &OsSocket) -> Option<i32> {
    option(socket, libc::SOL_LOCAL, libc::LOCAL_PEERPID).ok()
}

#[cfg(any(
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
))]
fn process(_socket: &OsSocket) -> Option<i32> {
    None
}

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
pub(crate) fn of_peer(socket: &OsSocket) -> io::Result<UCred> {
    use std::os::fd::AsRawFd;
    let mut found = std::ptr::null_mut();
    // SAFETY: an open descriptor, and a place that outlives the call; null asks for a new record.
    if unsafe { libc::getpeerucred(socket.as_raw_fd(), &raw mut found) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the record that the call made, freed below and not before.
    let uid = unsafe { libc::ucred_geteuid(found) };
    // SAFETY: as above.
    let gid = unsafe { libc::ucred_getegid(found) };
    // SAFETY: as above.
    let pid = unsafe { libc::ucred_getpid(found) };
    // SAFETY: it is freed once, and not used after.
    unsafe { libc::ucred_free(found) };
    Ok(UCred { uid, gid, pid: Some(pid).filter(|pid| *pid > 0) })
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "illumos",
    target_os = "solaris",
)))]
pub(crate) fn of_peer(_socket: &OsSocket) -> io::Result<UCred> {
    Err(super::unsupported("the system does not tell who the peer is"))
}

/// An option whose value is plain old data of the type that the caller names.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn option<T: Copy>(socket: &OsSocket, level: i32, name: i32) -> io::Result<T> {
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd;
    let mut value = MaybeUninit::<T>::zeroed();
    let mut len = size_of::<T>() as libc::socklen_t;
    let place = value.as_mut_ptr().cast();
    // SAFETY: an open descriptor, and `place` has room for `len` bytes.
    let got = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, place, &raw mut len) };
    match got {
        // SAFETY: all callers name structures of integers, for which any bytes will do.
        0 => Ok(unsafe { value.assume_init() }),
        _ => Err(io::Error::last_os_error()),
    }
}
