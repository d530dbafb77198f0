//! The counter that wakes a loop of Linux from other threads: an eventfd.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// Readable from a ring until it is hushed. Its descriptor lives as long as any that may ring.
pub(crate) struct Counter(Arc<OwnedFd>);

impl Counter {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no memory is involved.
        owned(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })
            .map(|fd| Self(Arc::new(fd)))
    }

    /// What rings it, from any thread.
    pub(crate) fn ringer(&self) -> Box<dyn Fn() + Send + Sync> {
        let fd = self.0.clone();
        Box::new(move || {
            let one = 1u64.to_ne_bytes();
            // SAFETY: eight readable bytes, and a descriptor that `fd` keeps open.
            unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        })
    }

    /// Makes it unreadable until the next ring.
    pub(crate) fn hush(&self) {
        let mut count = [0u8; 8];
        // SAFETY: eight writable bytes, and an open descriptor that does not block.
        unsafe { libc::read(self.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsRawFd for Counter {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// What a system call has returned: a new descriptor, or that there is an error to fetch.
pub(super) fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
