//! The system's resolver: calls that block for as long as it likes.
//!
//! `names_unix.rs` and `names_windows.rs` say the same in the same order: `addrs(name, v6)`,
//! `name_of(ip)`, `host_name()`.
#![allow(unsafe_code)]

use std::io;
use std::net::IpAddr;

#[cfg(unix)]
#[path = "names_unix.rs"]
mod system;
#[cfg(windows)]
#[path = "names_windows.rs"]
mod system;

pub(crate) use system::{addrs, host_name, name_of};

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

/// The address in a raw one, which is `len` bytes long.
///
/// # Safety
/// `raw` points to that many readable bytes.
unsafe fn ip(raw: *const u8, len: usize) -> Option<IpAddr> {
    let fill = |storage: *mut socket2::SockAddrStorage, space: *mut socket2::socklen_t| {
        // SAFETY: `space` is the size of what `storage` points to.
        let room = usize::try_from(unsafe { *space }).unwrap_or(0);
        let cut = len.min(room);
        // SAFETY: both are at least that long, and the one is fresh, so they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(raw, storage.cast::<u8>(), cut) };
        // SAFETY: `space` may be written.
        unsafe { *space = cut as socket2::socklen_t };
        Ok(())
    };
    // SAFETY: the storage was zeroed, is filled with the address, and its length is set.
    let ((), addr) = unsafe { socket2::SockAddr::try_init(fill) }.ok()?;
    addr.as_socket().map(|addr| addr.ip())
}
