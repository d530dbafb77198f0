//! The readiness poller, with registrations that cannot outlive what they watch.
//!
//! On Linux it is epoll itself: `polling` re-arms its timer and its notifier around every wait,
//! three system calls more per message of an echo (`docs/performance.md`). Elsewhere it is
//! `polling`, on kqueue, event ports or IOCP.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "poller_epoll.rs"]
mod system;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "poller_elsewhere.rs"]
mod system;

pub(crate) use system::{Poller, Registered};

use super::Fd;

/// What is waited for, or what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) recv: bool,
    pub(crate) send: bool,
}

/// An owner of a descriptor: always the same one, as long as the owner lives.
pub(crate) trait Watched {
    fn fd(&self) -> &Fd;
}
