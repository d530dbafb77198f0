//! Unix-domain sockets: [`UnixStream`] and [`UnixListener`], with the names, the calls and the
//! meaning of `std::os::unix::net`.
//!
//! ```no_run
//! use reseau::blocking::unix::{SocketAddr, UnixListener, UnixStream};
//! use std::io::Write;
//!
//! let listener = UnixListener::bind("/tmp/echo.sock")?;
//! UnixStream::connect("/tmp/echo.sock")?.write_all(b"hello")?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! They exist on every system; on Windows older than 10 (1803) each call fails with `Unsupported`,
//! and `pair` does on all of them.
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::iter::FusedIterator;
use std::net::Shutdown;
use std::path::Path;
use std::time::{Duration, Instant};

use super::calls;
use super::handle::{self, BACKLOG, Handle, checked_timeout};
use crate::addr::{Addr, UnixAddr};
use crate::opt;
use crate::sys::option::On;
use crate::sys::{self, OsSocket};

/// The address of a Unix-domain socket, under std's name.
pub type SocketAddr = UnixAddr;

/// A Unix-domain connection, as `std::os::unix::net::UnixStream` and more (see
/// [the module](super)).
///
/// ```
/// # #[cfg(unix)]
/// # fn main() -> std::io::Result<()> {
/// use reseau::blocking::UnixStream;
/// use std::io::{Read, Write};
///
/// let (mut one, mut other) = UnixStream::pair()?;
/// one.write_all(b"over")?;
/// one.finish()?;
/// let mut text = String::new();
/// other.read_to_string(&mut text)?;
/// assert_eq!(text, "over");
/// # Ok(())
/// # }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
pub struct UnixStream(Handle);

/// A Unix-domain socket that listens, as `std::os::unix::net::UnixListener` and more (see
/// [the module](super)).
///
/// Its file stays when it is dropped: remove it, before binding or after.
pub struct UnixListener(OsSocket);

impl UnixStream {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// `InvalidInput` if the path cannot be an address; else the system's.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::connect_addr(&UnixAddr::from_pathname(path)?)
    }

    /// Connects to the socket that has this address.
    ///
    /// # Errors
    /// The system's; the [`Error`](crate::Error) inside says what was wrong.
    pub fn connect_addr(addr: &UnixAddr) -> io::Result<Self> {
        Handle::connect([Addr::from(addr.clone())], None).map(Self)
    }

    /// Two streams that are connected to each other and have no names.
    ///
    /// # Errors
    /// When there are no descriptors left; `Unsupported` on Windows.
    pub fn pair() -> io::Result<(Self, Self)> {
        Handle::pair().map(|(one, other)| (Self(one), Self(other)))
    }
}

calls::stream!(UnixStream, UnixAddr, handle::unix);

impl UnixListener {
    /// Listens at `path`, where nothing may be yet, with a backlog of 511.
    ///
    /// # Errors
    /// `AddrInUse` if something is there, `InvalidInput` if the path cannot be an address; else
    /// the system's.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::bind_addr(&UnixAddr::from_pathname(path)?)
    }

    /// Listens at an address, with a backlog of 511.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_addr(addr: &UnixAddr) -> io::Result<Self> {
        Self::with_backlog(addr, BACKLOG)
    }

    /// Listens at an address; `backlog` connections may wait to be accepted.
    ///
    /// Systems cut the number to their own limit, and round it.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn with_backlog(addr: &UnixAddr, backlog: u32) -> io::Result<Self> {
        handle::listen([Addr::from(addr.clone())], backlog).map(Self)
    }
}

calls::listener!(UnixListener, UnixStream, UnixAddr, handle::unix);

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("UnixStream");
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

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("UnixListener");
        let (name, number) = sys::blocking::number(self.socket());
        form.field(name, &number);
        if let Ok(addr) = self.local_addr() {
            form.field("local", &addr);
        }
        form.finish()
    }
}

opt::has_options! {
    [] UnixStream, socket => On::Os(socket.socket());
    UnixStream: Unix Waiting;
}

#[cfg(unix)]
calls::std_twin!(UnixStream, std::os::unix::net::UnixStream);
opt::has_options! {
    [] UnixListener, socket => On::Os(socket.socket());
    UnixListener: Unix Waiting;
}

#[cfg(unix)]
calls::std_twin!(UnixListener, std::os::unix::net::UnixListener);
