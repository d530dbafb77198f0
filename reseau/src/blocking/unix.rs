//! Unix-domain sockets: [`UnixStream`], [`UnixListener`] and [`UnixDatagram`], with the names, the
//! calls and the meaning of `std::os::unix::net`; [`UnixSeqpacket`] beside them; descriptors that
//! go through all of them (`send_fds`, `recv_fds`, on Unix).
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
use crate::sys::{self, Kind, OsSocket};

mod datagram;
#[cfg(unix)]
mod fds;
mod seqpacket;

pub use datagram::UnixDatagram;
pub use seqpacket::{Incoming as IncomingRecords, UnixSeqpacket, UnixSeqpacketListener};

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
        Handle::connect([Addr::from(addr.clone())], Kind::Stream, None).map(Self)
    }

    /// Two streams that are connected to each other and have no names.
    ///
    /// # Errors
    /// When there are no descriptors left; `Unsupported` on Windows.
    pub fn pair() -> io::Result<(Self, Self)> {
        Handle::pair(Kind::Stream).map(|(one, other)| (Self(one), Self(other)))
    }

    /// Who is at the other end, by the word of the system.
    ///
    /// # Errors
    /// `Unsupported` where the system does not tell (Windows).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::blocking::UnixStream;
    /// let (one, _other) = UnixStream::pair()?;
    /// assert_eq!(one.peer_cred()?.pid, Some(std::process::id() as i32));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn peer_cred(&self) -> io::Result<UCred> {
        UCred::of_peer(self.socket())
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
        handle::listen([Addr::from(addr.clone())], Kind::Stream, backlog).map(Self)
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

/// Who is at the other end of a Unix-domain connection, as of when it connected (or listened).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UCred {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The process, where the system tells: Linux, Android, macOS, illumos.
    pub pid: Option<i32>,
}

impl UCred {
    fn of_peer(socket: &OsSocket) -> io::Result<Self> {
        let sys::Credentials { uid, gid, pid } = sys::of_peer(socket)?;
        Ok(Self { uid, gid, pid })
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(self.socket(), "UnixStream", f)
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(self.socket(), "UnixListener", f)
    }
}

/// As std shows it: a listener has no peer.
fn shown(socket: &OsSocket, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut form = f.debug_struct(name);
    let (word, number) = sys::blocking::number(socket);
    form.field(word, &number);
    if let Ok(addr) = socket.local_addr().and_then(|addr| handle::unix(&addr)) {
        form.field("local", &addr);
    }
    if let Ok(addr) = socket.peer_addr().and_then(|addr| handle::unix(&addr)) {
        form.field("peer", &addr);
    }
    form.finish()
}

opt::has_options!([] UnixStream, socket => On::Os(socket.socket()));
opt::fits! {
    UnixStream: Unix Waiting;
}

#[cfg(unix)]
calls::std_twin!(UnixStream, std::os::unix::net::UnixStream);
opt::has_options!([] UnixListener, socket => On::Os(socket.socket()));
opt::fits! {
    UnixListener: Unix Waiting;
}

#[cfg(unix)]
calls::std_twin!(UnixListener, std::os::unix::net::UnixListener);
#[cfg(unix)]
calls::std_twin!(UnixDatagram, std::os::unix::net::UnixDatagram);
