//! Sockets between a virtual machine and its host: [`VsockStream`] and [`VsockListener`].
//!
//! They need Linux; elsewhere each call fails with `Unsupported`.
//!
//! **A machine may have the device and nobody at the other end of it**: then nothing answers, not
//! even a refusal. So `connect` gives up by itself, and [`connect_by`](VsockStream::connect_by)
//! when you say; bound reads and writes too, by `set_deadlines` or a timeout.
//!
//! ```no_run
//! use reseau::blocking::{VsockListener, VsockStream};
//! use reseau::VsockAddr;
//! use std::io::Write;
//!
//! let listener = VsockListener::bind(VsockAddr::ANY, 1024)?; // On the host.
//! VsockStream::connect(VsockAddr::HOST, 1024)?.write_all(b"hello")?; // In the virtual machine.
//! # Ok::<(), std::io::Error>(())
//! ```
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::iter::FusedIterator;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::calls;
use super::handle::{self, BACKLOG, Handle, checked_timeout};
use super::place::Place;
use crate::addr::{Addr, Family, Vsock, VsockAddr};
use crate::clock;
use crate::error::{Error, Operation};
use crate::opt;
use crate::sys::option::On;
use crate::sys::{self, Kind, OsSocket, SockAddr};

/// A vsock connection. See [the module](self).
pub struct VsockStream(Handle);

/// A vsock socket that listens. See [the module](self).
pub struct VsockListener(Place);

impl VsockStream {
    /// Connects to `port` of the machine `cid`, within ten seconds at most.
    ///
    /// # Errors
    /// `ConnectionReset` where nobody listens, `TimedOut` where nobody is, `Unsupported` on other
    /// systems than Linux. The [`Error`] inside says what was wrong.
    pub fn connect(cid: u32, port: u32) -> io::Result<Self> {
        Self::connect_addr(VsockAddr::new(cid, port))
    }

    /// As [`connect`](Self::connect), to an address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_addr(addr: VsockAddr) -> io::Result<Self> {
        Self::connect_within(addr, CONNECT_LIMIT)
    }

    /// As [`connect_addr`](Self::connect_addr), but gives up at `deadline`. (Linux has a limit of
    /// its own, two seconds; the earlier one counts.)
    ///
    /// ```
    /// use reseau::VsockAddr;
    /// use reseau::blocking::VsockStream;
    /// use std::time::{Duration, Instant};
    /// let nobody = VsockAddr::new(4_000_000_000, 1024);
    /// let soon = Instant::now() + Duration::from_millis(10);
    /// assert!(VsockStream::connect_by(nobody, soon).is_err());
    /// ```
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_by(addr: VsockAddr, deadline: Instant) -> io::Result<Self> {
        let limit = deadline.saturating_duration_since(clock::real());
        if limit.is_zero() {
            let cause = io::Error::new(io::ErrorKind::TimedOut, "the deadline has passed");
            return Err(Error::new(Operation::Connect, cause).peer(addr.into()).into());
        }
        Self::connect_within(addr, limit)
    }

    fn connect_within(addr: VsockAddr, limit: Duration) -> io::Result<Self> {
        // What waits underneath cuts its time to whole milliseconds.
        let limit = limit.saturating_add(Duration::from_millis(1));
        Handle::connect([Addr::from(addr)], Kind::Stream, Some(limit)).map(Self)
    }
}

calls::stream!(VsockStream, VsockAddr, named);

impl VsockListener {
    /// Listens at `port` for whoever reaches this machine as `cid` ([`VsockAddr::ANY`] for
    /// everyone), with a backlog of 511. [`VsockAddr::PORT_ANY`] lets the system choose the port.
    ///
    /// # Errors
    /// `AddrInUse` if the port is taken, `AddrNotAvailable` if this machine is not `cid`,
    /// `PermissionDenied` for a port below 1024, `Unsupported` on other systems than Linux; else
    /// the system's.
    pub fn bind(cid: u32, port: u32) -> io::Result<Self> {
        Self::bind_addr(VsockAddr::new(cid, port))
    }

    /// As [`bind`](Self::bind), at an address.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    ///
    /// ```
    /// use reseau::{VsockAddr, blocking::VsockListener};
    ///
    /// let any = VsockAddr::new(VsockAddr::ANY, VsockAddr::PORT_ANY);
    /// let Ok(listener) = VsockListener::bind_addr(any) else { return Ok(()) }; // No such device.
    /// assert_ne!(listener.local_addr()?.port(), VsockAddr::PORT_ANY);
    /// listener.set_nonblocking(true)?;
    /// assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind_addr(addr: VsockAddr) -> io::Result<Self> {
        Self::with_backlog(addr, BACKLOG)
    }

    /// As [`bind_addr`](Self::bind_addr); `backlog` connections may wait to be accepted.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn with_backlog(addr: VsockAddr, backlog: u32) -> io::Result<Self> {
        handle::listen([Addr::from(addr)], Kind::Stream, backlog).map(Self)
    }
}

calls::listener!(VsockListener, VsockStream, VsockAddr, named);

impl<'a> IntoIterator for &'a VsockListener {
    type Item = io::Result<VsockStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}

opt::has_options!([] VsockStream, socket => On::Os(socket.socket()));
opt::has_options!([] VsockListener, socket => On::Os(socket.socket()));
opt::fits! {
    VsockStream: Waiting;
    VsockListener: Waiting;
}

impl fmt::Debug for VsockStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("VsockStream");
        let (name, number) = sys::blocking::number(self.socket());
        form.field(name, &number);
        if let Ok(addr) = self.local_addr() {
            form.field("local", &addr);
        }
        if let Ok(peer) = self.peer_addr() {
            form.field("peer", &peer);
        }
        form.finish()
    }
}

impl fmt::Debug for VsockListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("VsockListener");
        let (name, number) = sys::blocking::number(self.socket());
        form.field(name, &number);
        if let Ok(addr) = self.local_addr() {
            form.field("local", &addr);
        }
        form.finish()
    }
}

fn named(addr: &SockAddr) -> io::Result<VsockAddr> {
    Vsock::named(sys::from_sock_addr(addr)?)
}

/// How long a connect may take that was given no limit: five times what Linux itself allows, so
/// that its own answer comes first where it gives one.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
