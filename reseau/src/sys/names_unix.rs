//! The resolver of the C library.
use std::ffi::{CStr, CString};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::ptr;

use libc::{addrinfo, c_char, c_int};
use socket2::SockAddr;

use super::{NameFault, Why};

/// The addresses of one family that a host has.
pub(crate) fn addrs(name: &str, v6: bool) -> Result<Vec<IpAddr>, NameFault> {
    let name = CString::new(name).map_err(|_| fault(libc::EAI_NONAME))?;
    // SAFETY: all zeroes and null pointers are the hints that say nothing.
    let mut hints: addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    // One of each address, not one for each kind of socket.
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut first = ptr::null_mut();
    // SAFETY: a string that ends, no service, hints, and the place for a pointer, all alive.
    let code = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &hints, &mut first) };
    if code != 0 {
        return Err(fault(code));
    }
    let list = List(first);
    let mut found = Vec::new();
    let mut next = list.0;
    // SAFETY: null, or an entry of the list, which lives until `list` is dropped.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ai_next;
        if entry.ai_family == hints.ai_family && !entry.ai_addr.is_null() {
            // SAFETY: the address of an entry is as long as the entry says.
            found.push(unsafe { super::ip(entry.ai_addr.cast(), entry.ai_addrlen as usize, v6) });
        }
    }
    Ok(found)
}

/// The name that an address has; none is a fault.
pub(crate) fn name_of(ip: IpAddr) -> Result<String, NameFault> {
    let addr = SockAddr::from(SocketAddr::new(ip, 0));
    let mut host = [0 as c_char; HOST_MAX];
    // SAFETY: an address of that length and space of that length, alive; no service is wanted.
    let code = unsafe {
        libc::getnameinfo(
            addr.as_ptr().cast(),
            addr.len(),
            host.as_mut_ptr(),
            HOST_MAX as _,
            ptr::null_mut(),
            0,
            libc::NI_NAMEREQD as _,
        )
    };
    if code != 0 {
        return Err(fault(code));
    }
    // SAFETY: the call has written a string that ends in that space.
    let name = unsafe { CStr::from_ptr(host.as_ptr()) };
    Ok(name.to_string_lossy().into_owned())
}

/// What this machine calls itself.
pub(crate) fn host_name() -> io::Result<String> {
    let mut name = [0u8; 256];
    // SAFETY: writable space of one byte more than is said, so that it ends in a zero.
    let done = unsafe { libc::gethostname(name.as_mut_ptr().cast(), 255) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let len = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    Ok(String::from_utf8_lossy(&name[..len]).into_owned())
}

/// Where the system keeps its table of services.
pub(crate) fn services() -> PathBuf {
    "/etc/services".into()
}

/// What `getaddrinfo` has allocated.
struct List(*mut addrinfo);

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: it came from `getaddrinfo`, and nothing refers to it any more.
        unsafe { libc::freeaddrinfo(self.0) };
    }
}

fn fault(code: c_int) -> NameFault {
    let why = match code {
        libc::EAI_NONAME => Why::NotFound,
        code if NO_DATA.contains(&code) => Why::NoData,
        libc::EAI_AGAIN => Why::Temporary,
        libc::EAI_SYSTEM => Why::System(io::Error::last_os_error()),
        libc::EAI_MEMORY => Why::System(io::ErrorKind::OutOfMemory.into()),
        _ => Why::Failed,
    };
    NameFault { why, code: Some(code) }
}

/// What says that there is the name, but nothing of that family. (Extensions, which the bindings do
/// not have for every system; POSIX has `EAI_FAMILY` alone.)
#[cfg(any(target_os = "linux", target_os = "hurd", target_os = "openbsd"))]
const NO_DATA: &[c_int] = &[libc::EAI_FAMILY, -5, -9];
#[cfg(any(
    target_os = "android",
    target_vendor = "apple",
    target_os = "netbsd",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "illumos",
    target_os = "solaris"
))]
const NO_DATA: &[c_int] = &[libc::EAI_FAMILY, 1, 7];
#[cfg(not(any(
    target_os = "linux",
    target_os = "hurd",
    target_os = "openbsd",
    target_os = "android",
    target_vendor = "apple",
    target_os = "netbsd",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "illumos",
    target_os = "solaris"
)))]
const NO_DATA: &[c_int] = &[libc::EAI_FAMILY];

/// `NI_MAXHOST` of most systems.
const HOST_MAX: usize = 1025;
