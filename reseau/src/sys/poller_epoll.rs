//! epoll, level-triggered.
#![allow(unsafe_code)]

use super::{Interest, Watched};
use crate::sys::counter::{Counter, owned};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// An epoll instance, and the counter that wakes it from other threads.
pub(crate) struct Poller {
    epoll: Arc<OwnedFd>,
    wake: Counter,
    raw: Vec<libc::epoll_event>,
    /// How many of them have been told.
    told: usize,
    /// The kernel can wait for less than a millisecond (5.11 and newer).
    precise: bool,
}

/// A socket that the poller watches, until this is dropped.
pub(crate) struct Registered<S: Watched> {
    epoll: Arc<OwnedFd>,
    source: S,
    key: usize,
    armed: Interest,
}

/// The kernel's `__kernel_timespec`: 64 bits on every machine.
#[repr(C)]
struct KernelTime {
    seconds: i64,
    nanos: i64,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no memory is involved.
        let epoll = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        let wake = Counter::new()?;
        let interest = Interest { recv: true, send: false };
        control(&epoll, libc::EPOLL_CTL_ADD, wake.as_raw_fd(), WAKE, interest)?;
        Ok(Self {
            epoll: Arc::new(epoll),
            wake,
            raw: Vec::with_capacity(EVENTS_MAX),
            told: 0,
            precise: true,
        })
    }

    /// Waits for events, a wake-up or the end of the time.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.told = 0;
        self.raw.clear();
        let count = match self.wait_raw(limit) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) && self.precise => {
                self.precise = false;
                self.wait_raw(limit)
            }
            answer => answer,
        };
        let count = match count {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            count => count?,
        };
        // SAFETY: the kernel has written so many events, at most the capacity.
        unsafe { self.raw.set_len(count) };
        Ok(())
    }

    /// The next of the events that the last wait has brought.
    pub(crate) fn next_event(&mut self) -> Option<(usize, Interest)> {
        loop {
            let event = self.raw.get(self.told)?;
            self.told += 1;
            let (key, bits) = (event.u64, event.events as i32);
            if key == WAKE {
                self.wake.hush();
                continue;
            }
            let recv = bits & (libc::EPOLLIN | libc::EPOLLRDHUP | OVER) != 0;
            let send = bits & (libc::EPOLLOUT | OVER) != 0;
            return Some((key as usize, Interest { recv, send }));
        }
    }

    fn wait_raw(&mut self, limit: Option<Duration>) -> io::Result<usize> {
        let (epoll, room) = (self.epoll.as_raw_fd(), self.raw.as_mut_ptr());
        let some = limit.filter(|limit| !limit.is_zero());
        let count = match some {
            Some(limit) if self.precise => {
                let time = KernelTime {
                    seconds: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
                    nanos: i64::from(limit.subsec_nanos()),
                };
                let none = std::ptr::null::<libc::sigset_t>();
                let call = libc::SYS_epoll_pwait2;
                // SAFETY: `room` has space for the events, and `time` lives until the return.
                unsafe { libc::syscall(call, epoll, room, EVENTS_MAX, &raw const time, none, 8) }
            }
            _ => {
                let (call, millis) = (libc::SYS_epoll_pwait, crate::sys::millis(limit));
                let none = std::ptr::null::<libc::sigset_t>();
                // SAFETY: `room` has space for so many events.
                unsafe { libc::syscall(call, epoll, room, EVENTS_MAX, millis, none, 8) }
            }
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    pub(crate) fn register<S: Watched>(
        &self,
        key: usize,
        source: S,
        want: Interest,
    ) -> io::Result<Registered<S>> {
        let fd = source.fd().os()?.as_raw_fd();
        control(&self.epoll, libc::EPOLL_CTL_ADD, fd, key as u64, want)?;
        Ok(Registered { epoll: self.epoll.clone(), source, key, armed: want })
    }

    pub(crate) fn unparker(&self) -> Box<dyn Fn() + Send + Sync> {
        self.wake.ringer()
    }
}

impl<S: Watched> Registered<S> {
    /// Whether that, and something, is what is asked for already.
    pub(crate) fn wants(&self, want: Interest) -> bool {
        self.armed == want && want != Interest::default()
    }

    /// Asks for `want`, if it is not what is asked for already.
    pub(crate) fn want(&mut self, want: Interest) -> io::Result<()> {
        if self.armed != want {
            let fd = self.source.fd().os()?.as_raw_fd();
            control(&self.epoll, libc::EPOLL_CTL_MOD, fd, self.key as u64, want)?;
            self.armed = want;
        }
        Ok(())
    }

    /// An event came. Interest here is not spent by it.
    pub(crate) fn fired(&mut self) {}
}

impl<S: Watched> Drop for Registered<S> {
    fn drop(&mut self) {
        if let Ok(socket) = self.source.fd().os() {
            let fd = socket.as_raw_fd();
            let _ = control(&self.epoll, libc::EPOLL_CTL_DEL, fd, 0, Interest::default());
        }
    }
}

fn control(epoll: &OwnedFd, call: i32, fd: RawFd, key: u64, want: Interest) -> io::Result<()> {
    let mut bits = 0;
    if want.recv {
        bits |= libc::EPOLLIN | libc::EPOLLRDHUP;
    }
    if want.send {
        bits |= libc::EPOLLOUT;
    }
    let mut event = libc::epoll_event { events: bits as u32, u64: key };
    // SAFETY: the event lives until the call returns.
    match unsafe { libc::epoll_ctl(epoll.as_raw_fd(), call, fd, &raw mut event) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

const WAKE: u64 = u64::MAX;
/// Hung up, or broken: whatever is tried will not block.
const OVER: i32 = libc::EPOLLHUP | libc::EPOLLERR;
/// How many sockets are heard of at once; the others are, the next time.
const EVENTS_MAX: usize = 1024;
