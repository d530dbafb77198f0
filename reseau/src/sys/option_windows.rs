//! The platform contract of options (see `option.rs`) on Windows.
use super::OsSocket;
use std::io;
use std::os::windows::io::AsRawSocket;
use windows_sys::Win32::Networking::WinSock::{
    SOCKET, SOCKET_ERROR, WSAENOPROTOOPT, WSAEOPNOTSUPP, getsockopt, setsockopt,
};

pub(super) use windows_sys::Win32::Networking::WinSock as c;

/// By its `IP_PMTUDISC_*`.
pub(crate) const MTU_DISCOVERY: [Option<i32>; 6] = [Some(2), Some(0), Some(1), Some(3), None, None];

/// A flag.
pub(crate) const DONT_FRAGMENT: [i32; 2] = [1, 1];

/// Everything is a DWORD, also where the BSDs take a byte.
pub(super) const OCTETS: bool = false;

pub(super) fn get(socket: &OsSocket, level: i32, name: i32, space: &mut [u8]) -> io::Result<usize> {
    let mut len = i32::try_from(space.len()).unwrap_or(i32::MAX);
    let place = space.as_mut_ptr();
    let raw = socket.as_raw_socket() as SOCKET;
    // SAFETY: an open socket, and `place` has room for `len` bytes.
    match unsafe { getsockopt(raw, level, name, place, &raw mut len) } {
        SOCKET_ERROR => Err(io::Error::last_os_error()),
        _ => Ok(usize::try_from(len).unwrap_or(0).min(space.len())),
    }
}

pub(super) fn set(socket: &OsSocket, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let len = i32::try_from(value.len()).unwrap_or(i32::MAX);
    let raw = socket.as_raw_socket() as SOCKET;
    // SAFETY: an open socket, and at the place there are `len` bytes.
    match unsafe { setsockopt(raw, level, name, value.as_ptr(), len) } {
        SOCKET_ERROR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

pub(super) fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAENOPROTOOPT | WSAEOPNOTSUPP))
}

pub(super) fn original_dst(_socket: &OsSocket) -> io::Result<socket2::SockAddr> {
    Err(super::unsupported("this system has no such option"))
}
