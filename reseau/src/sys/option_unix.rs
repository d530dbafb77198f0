//! The platform contract of options (see `option.rs`) on Unix.
use super::OsSocket;
use std::io;
use std::os::fd::AsRawFd;

/// The constants: libc's, and what it lacks. Those are the kernel's, and the same on all machines
/// (Android's are all of the generic kind).
pub(super) mod c {
    pub(crate) use libc::*;

    macro_rules! lacking {
        ($($on:meta { $($name:ident = $number:literal;)+ })+) => {$($(
            #[cfg($on)]
            pub(crate) const $name: i32 = $number;
        )+)+};
    }

    lacking! {
        any(target_os = "linux", target_os = "android") {
            IPV6_MULTICAST_ALL = 29;
            IPV6_MINHOPCOUNT = 73;
            IP_LOCAL_PORT_RANGE = 51;
            TCP_IS_MPTCP = 43;
        }
        target_os = "android" {
            SO_MAX_PACING_RATE = 47;
            SO_INCOMING_CPU = 49;
            SO_INCOMING_NAPI_ID = 56;
            SO_COOKIE = 57;
            SO_PREFER_BUSY_POLL = 69;
            SO_BUSY_POLL_BUDGET = 70;
        }
        target_vendor = "apple" {
            TCP_NOTSENT_LOWAT = 0x201;
        }
    }
}

/// Linux' own, by its `IP_PMTUDISC_*`; nobody else on Unix has the option.
pub(crate) const MTU_DISCOVERY: [Option<i32>; 6] =
    [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)];

/// Linux has `IP_PMTUDISC_DO` and `_PROBE` for it, the others a flag.
pub(crate) const DONT_FRAGMENT: [i32; 2] =
    if cfg!(any(target_os = "linux", target_os = "android")) { [2, 3] } else { [1, 1] };

/// Linux and the BSDs take a byte for what is a byte; some of the BSDs nothing else.
pub(super) const OCTETS: bool = true;

pub(super) fn get(socket: &OsSocket, level: i32, name: i32, space: &mut [u8]) -> io::Result<usize> {
    let mut len = libc::socklen_t::try_from(space.len()).unwrap_or(libc::socklen_t::MAX);
    let place = space.as_mut_ptr().cast();
    // SAFETY: an open descriptor, and `place` has room for `len` bytes.
    match unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, place, &raw mut len) } {
        0 => Ok(usize::try_from(len).unwrap_or(usize::MAX).min(space.len())),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn set(socket: &OsSocket, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let len = libc::socklen_t::try_from(value.len()).unwrap_or(libc::socklen_t::MAX);
    let place = value.as_ptr().cast();
    // SAFETY: an open descriptor, and at `place` there are `len` bytes.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, place, len) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn original_dst(socket: &OsSocket) -> io::Result<socket2::SockAddr> {
    if socket.local_addr()?.is_ipv6() { socket.original_dst_v6() } else { socket.original_dst_v4() }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn original_dst(_socket: &OsSocket) -> io::Result<socket2::SockAddr> {
    Err(super::unsupported("this system has no such option"))
}
