//! The system's resolver: calls that block for as long as it likes.
//!
//! `names_unix.rs` and `names_windows.rs` say the same in the same order: `addrs(name, v6)`,
//! `name_of(ip)`, `host_name()`, `services()` (where the system keeps its table of services).
#![allow(unsafe_code)]

use std::io;
use std::net::IpAddr;

#[cfg(unix)]
#[path = "names_unix.rs"]
mod system;
#[cfg(windows)]
#[path = "names_windows.rs"]
mod system;

pub(crate) use system::{addrs, host_name, name_of, services};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct NameFault {
    pub(crate) why: Why,
    /// The resolver's own number.
    pub(crate) code: Option<i32>,
}

#[derive(Debug)]
pub(crate) enum Why {
    NotFound,
    NoData,
    Temporary,
    Failed,
    /// Not the resolver's fault: memory, descriptors, a call that failed.
    System(io::Error),
}

/// The address in a raw one of IPv4 or IPv6, which is `len` bytes long: what it lacks is zero.
///
/// # Safety
/// `raw` points to that many readable bytes.
pub(super) unsafe fn ip(raw: *const u8, len: usize, v6: bool) -> IpAddr {
    // On every system: family and port are four bytes; then comes the address, before which IPv6
    // has four bytes more.
    let mut bytes = [0; 24];
    // SAFETY: there are so many bytes, and the array is nobody else's.
    unsafe { std::ptr::copy_nonoverlapping(raw, bytes.as_mut_ptr(), len.min(bytes.len())) };
    if v6 {
        IpAddr::from(std::array::from_fn::<u8, 16, _>(|at| bytes[8 + at]))
    } else {
        IpAddr::from(std::array::from_fn::<u8, 4, _>(|at| bytes[4 + at]))
    }
}
