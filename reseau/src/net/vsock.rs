//! Sockets between a virtual machine and its host: [`VsockStream`] and [`VsockListener`].
//!
//! They need Linux; elsewhere, and in a simulated world, each call fails with `Unsupported`.
//!
//! **A machine may have the device and nobody at the other end of it**: then nothing answers, not
//! even a refusal. So no call here waits for ever unless it is told to: `connect` gives up by
//! itself (after ten seconds; Linux does after two, unless a program told it otherwise), and
//! [`connect_by`](Stream::connect_by) when you say. Bound the rest too: the streams by
//! [`set_deadlines`](Stream::set_deadlines), `accept` by [`timeout`](crate::timeout).
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! # reseau::block_on(async {
//! use reseau::{VsockAddr, VsockListener, VsockStream, timeout};
//! use std::time::Duration;
//!
//! let listener = VsockListener::bind(VsockAddr::ANY, 1024)?; // On the host.
//! let (stream, peer) = timeout(Duration::from_secs(60), listener.accept()).await??;
//!
//! let stream = VsockStream::connect(VsockAddr::HOST, 1024).await?; // In the virtual machine.
//! # Ok(())
//! # })
//! # }
//! ```
use std::io;
use std::time::{Duration, Instant};

use super::{BACKLOG, Listener, Stream, Vsock, open, split};
use crate::addr::VsockAddr;
use crate::clock;
use crate::error::{Error, Operation};
use crate::rt::{Remote, timeout_at};
use crate::sys;

/// A vsock connection. What it has beside its own calls is [`Stream`]'s.
pub type VsockStream = Stream<Vsock>;

/// A vsock socket that listens. What it has beside its own calls is [`Listener`]'s.
pub type VsockListener = Listener<Vsock>;

/// The half of a [`VsockStream`] that reads, borrowed.
pub type ReadHalf<'a> = split::ReadHalf<'a, Vsock>;

/// The half of a [`VsockStream`] that writes, borrowed.
pub type WriteHalf<'a> = split::WriteHalf<'a, Vsock>;

/// The half of a [`VsockStream`] that reads.
pub type OwnedReadHalf = split::OwnedReadHalf<Vsock>;

/// The half of a [`VsockStream`] that writes.
pub type OwnedWriteHalf = split::OwnedWriteHalf<Vsock>;

impl Stream<Vsock> {
    /// Connects to `port` of the machine `cid`, on the loop of this thread or else on the global
    /// one, within ten seconds at most.
    ///
    /// Dropping the future gives it up.
    ///
    /// # Errors
    /// `ConnectionReset` where nobody listens, `TimedOut` where nobody is, `Unsupported` on other
    /// systems than Linux and in a simulated world. The [`Error`] inside says what was wrong.
    pub async fn connect(cid: u32, port: u32) -> io::Result<Self> {
        Self::connect_addr(VsockAddr::new(cid, port)).await
    }

    /// As [`connect`](Self::connect), to an address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_addr(addr: VsockAddr) -> io::Result<Self> {
        Self::connect_by(addr, clock::after(CONNECT_LIMIT)).await
    }

    /// As [`connect_addr`](Self::connect_addr), but gives up at `deadline`. (Linux has a limit of
    /// its own, two seconds; the earlier one counts.)
    ///
    /// ```
    /// # reseau::block_on(async {
    /// use reseau::{VsockAddr, VsockStream};
    /// use std::time::{Duration, Instant};
    /// let nobody = VsockAddr::new(4_000_000_000, 1024);
    /// let soon = Instant::now() + Duration::from_millis(10);
    /// assert!(VsockStream::connect_by(nobody, soon).await.is_err());
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_by(addr: VsockAddr, deadline: Instant) -> io::Result<Self> {
        Self::connect_on(&Remote::current()?, addr, deadline).await
    }

    /// As [`connect_by`](Self::connect_by), on another loop.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_on(home: &Remote, addr: VsockAddr, deadline: Instant) -> io::Result<Self> {
        let connecting = open::connect([addr], None, home.home());
        match timeout_at(deadline, connecting).await {
            Ok(connected) => connected.map(Self::new),
            Err(elapsed) => {
                Err(Error::new(Operation::Connect, elapsed.into()).peer(addr.into()).into())
            }
        }
    }
}

impl Listener<Vsock> {
    /// Listens at `port` for whoever reaches this machine as `cid` ([`VsockAddr::ANY`] for
    /// everyone), on the loop of this thread or else on the global one, with a backlog of 511.
    /// [`VsockAddr::PORT_ANY`] lets the system choose the port.
    ///
    /// # Errors
    /// `AddrInUse` if the port is taken, `AddrNotAvailable` if this machine is not `cid`,
    /// `PermissionDenied` for a port below 1024, `Unsupported` on other systems than Linux and in
    /// a simulated world; else the system's.
    pub fn bind(cid: u32, port: u32) -> io::Result<Self> {
        Self::bind_addr(VsockAddr::new(cid, port))
    }

    /// As [`bind`](Self::bind), at an address.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{VsockAddr, VsockListener, timeout};
    /// use std::time::Duration;
    /// let any = VsockAddr::new(VsockAddr::ANY, VsockAddr::PORT_ANY);
    /// let Ok(listener) = VsockListener::bind_addr(any) else { return Ok(()) }; // No such device.
    /// assert_ne!(listener.local_addr()?.port(), VsockAddr::PORT_ANY);
    /// let nobody = timeout(Duration::from_millis(10), listener.accept()).await;
    /// assert!(nobody.is_err());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_addr(addr: VsockAddr) -> io::Result<Self> {
        Self::bind_on(&Remote::current()?, addr)
    }

    /// As [`bind_addr`](Self::bind_addr), on another loop.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_on(home: &Remote, addr: VsockAddr) -> io::Result<Self> {
        let fd = open::listen([addr], None, home.home())?;
        Ok(Self::adopt(fd, home.home()).told(BACKLOG))
    }
}

sys::borrows_descriptor!(Stream<Vsock>);
sys::borrows_descriptor!(Listener<Vsock>);

/// How long a connect may take that was given no limit: five times what Linux itself allows, so
/// that its own answer comes first where it gives one.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
