//! The resolver of Winsock.
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::ptr;
use std::sync::Once;

use socket2::{Domain, SockAddr, Socket, Type};
use windows_sys::Win32::Networking::WinSock as w;

use super::{NameFault, Why};

/// The addresses of one family that a host has.
pub(crate) fn addrs(name: &str, v6: bool) -> Result<Vec<IpAddr>, NameFault> {
    start();
    let name = name.encode_utf16().chain([0]).collect::<Vec<_>>();
    let hints = w::ADDRINFOW {
        ai_family: i32::from(if v6 { w::AF_INET6 } else { w::AF_INET }),
        // One of each address, not one for each kind of socket.
        ai_socktype: w::SOCK_STREAM,
        ..Default::default()
    };
    let mut first = ptr::null_mut();
    // SAFETY: a string that ends, no service, hints, and the place for a pointer, all alive.
    let code = unsafe { w::GetAddrInfoW(name.as_ptr(), ptr::null(), &hints, &mut first) };
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
            found.push(unsafe { super::ip(entry.ai_addr.cast(), entry.ai_addrlen, v6) });
        }
    }
    Ok(found)
}

/// The name that an address has; none is a fault.
pub(crate) fn name_of(ip: IpAddr) -> Result<String, NameFault> {
    start();
    let addr = SockAddr::from(SocketAddr::new(ip, 0));
    let mut host = [0u16; HOST_MAX];
    let flags = w::NI_NAMEREQD as i32;
    // SAFETY: an address of that length and space of that length, alive; no service is wanted.
    let code = unsafe {
        w::GetNameInfoW(
            addr.as_ptr().cast(),
            addr.len(),
            host.as_mut_ptr(),
            HOST_MAX as u32,
            ptr::null_mut(),
            0,
            flags,
        )
    };
    if code != 0 {
        return Err(fault(code));
    }
    Ok(text(&host))
}

/// What this machine calls itself.
pub(crate) fn host_name() -> io::Result<String> {
    start();
    let mut name = [0u16; 256];
    // SAFETY: writable space of that length.
    let done = unsafe { w::GetHostNameW(name.as_mut_ptr(), name.len() as i32) };
    if done != 0 {
        // SAFETY: no memory is involved.
        return Err(io::Error::from_raw_os_error(unsafe { w::WSAGetLastError() }));
    }
    Ok(text(&name))
}

/// Where the system keeps its table of services.
pub(crate) fn services() -> PathBuf {
    let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    [root.into(), PathBuf::from(r"System32\drivers\etc\services")].iter().collect()
}

/// What `GetAddrInfoW` has allocated.
struct List(*mut w::ADDRINFOW);

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: it came from `GetAddrInfoW`, and nothing refers to it any more.
        unsafe { w::FreeAddrInfoW(self.0) };
    }
}

fn fault(code: i32) -> NameFault {
    let why = match code {
        w::WSAHOST_NOT_FOUND => Why::NotFound,
        w::WSANO_DATA | w::WSAEAFNOSUPPORT => Why::NoData,
        w::WSATRY_AGAIN => Why::Temporary,
        w::WSANO_RECOVERY => Why::Failed,
        code => Why::System(io::Error::from_raw_os_error(code)),
    };
    NameFault { why, code: Some(code) }
}

/// Starts Winsock, which the first socket does.
fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| drop(Socket::new(Domain::IPV4, Type::DGRAM, None)));
}

fn text(wide: &[u16]) -> String {
    let len = wide.iter().position(|unit| *unit == 0).unwrap_or(wide.len());
    String::from_utf16_lossy(&wide[..len])
}

/// `NI_MAXHOST`.
const HOST_MAX: usize = 1025;
