//! What is said to a socket before it listens: once, for both doors and both kernels.
use super::option::{On, info, places};
use super::system::REUSE_ADDRESS;
use crate::addr::Addr;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};

/// On what terms to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// How many connections may wait to be accepted.
    pub(crate) backlog: u32,
    /// `[::]` is not to mean IPv4 too.
    pub(crate) only_v6: bool,
    /// Nobody else may have the port, not even for an address of his own (Windows).
    pub(crate) exclusive: bool,
}

impl Terms {
    pub(crate) fn with_backlog(backlog: u32) -> Self {
        Self { backlog, ..Self::default() }
    }

    /// What goes before binding a stream's socket to `addr`.
    pub(crate) fn prepare(&self, on: On<'_>, addr: &Addr) -> io::Result<()> {
        let Some(addr) = addr.inet() else { return Ok(()) };
        // On Unix this lets a server come back while old connections linger; on Windows it would
        // let two servers share a port. (In a simulated world it is always done: a run is to be
        // the same on every machine.)
        if REUSE_ADDRESS || on.is_simulated() {
            on.set_number(&places::REUSE_ADDRESS, 1)?;
        }
        // Elsewhere no two listeners share a port without saying so.
        if self.exclusive && !REUSE_ADDRESS && !on.is_simulated() {
            on.set_number(&places::EXCLUSIVE_ADDRESS, 1)?;
        }
        choose_stack(on, addr, self.only_v6)
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self { backlog: BACKLOG, only_v6: false, exclusive: false }
    }
}

/// Says whether a socket for `addr` is for IPv6 alone, because systems differ in what they take
/// for granted: `[::]` and the IPv4 addresses that IPv6 can write are not, all others are.
pub(crate) fn choose_stack(on: On<'_>, addr: SocketAddr, only_v6: bool) -> io::Result<()> {
    let SocketAddr::V6(addr) = addr else { return Ok(()) };
    let ip = addr.ip();
    let both = !only_v6 && (*ip == Ipv6Addr::UNSPECIFIED || ip.to_ipv4_mapped().is_some());
    match on.set_number(&places::ONLY_V6, (!both).into()) {
        // OpenBSD has no sockets for both. Whoever asks what is covered is told.
        Err(_) if both && ip.is_unspecified() && is_only_v6(on) => Ok(()),
        done => done,
    }
}

/// Says that a new socket of IPv6 is for both, as long as its user does not say otherwise: what
/// Linux takes for granted.
pub(crate) fn allow_both(on: On<'_>) {
    // Where there are none for both (OpenBSD) there is nothing to say.
    let _ = on.set_number(&places::ONLY_V6, 0);
}

/// Whether this machine has no such address, or no such kind of addresses: so that another one of
/// the same name may do.
pub(crate) fn is_absent(kind: io::ErrorKind, code: Option<i32>) -> bool {
    matches!(kind, io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || code == Some(UNKNOWN_FAMILY)
}

/// Whether the system says that a socket is for IPv6 alone.
pub(crate) fn is_only_v6(on: On<'_>) -> bool {
    on.number(&places::ONLY_V6).is_ok_and(|only| only != 0)
}

/// How many connections may really wait at a listener, where the system tells; `asked` is what it
/// was told.
pub(crate) fn backlog(on: On<'_>, asked: Option<u32>) -> Option<u32> {
    #[cfg(feature = "async")]
    if on.is_simulated() {
        return asked.map(|asked| asked.min(super::sim::BACKLOG_MAX));
    }
    queue_max(on).or_else(|| Some(asked?.min(system_max()?)))
}

/// What Linux keeps of a TCP listener, in a field that belongs to acknowledgments otherwise.
fn queue_max(on: On<'_>) -> Option<u32> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return None;
    }
    let mut record = [0; info::RECORD_MAX];
    let len = on.bytes(&places::INFO, &mut record).ok()?;
    let record = &record[..len];
    let number = record.get(QUEUE_MAX_AT..QUEUE_MAX_AT + 4)?.try_into().ok()?;
    (record[0] == LISTENS).then(|| u32::from_ne_bytes(number))
}

/// What the system cuts every backlog to.
fn system_max() -> Option<u32> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return None;
    }
    std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?.trim().parse().ok()
}

/// The backlog of a listener that was not told another, as nginx, Apache and Redis have it.
/// Systems cut it to their own limit (Linux: `net.core.somaxconn`, 4096 by default).
pub(crate) const BACKLOG: u32 = 511;

#[cfg(unix)]
const UNKNOWN_FAMILY: i32 = libc::EAFNOSUPPORT;
#[cfg(windows)]
const UNKNOWN_FAMILY: i32 = windows_sys::Win32::Networking::WinSock::WSAEAFNOSUPPORT;

/// `tcpi_sacked` of `struct tcp_info`, and `TCP_LISTEN`, the value of its `tcpi_state` here.
const QUEUE_MAX_AT: usize = 28;
const LISTENS: u8 = 10;
