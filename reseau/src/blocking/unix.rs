//! Unix-domain sockets: [`UnixStream`], [`UnixListener`] and [`UnixDatagram`], with the names, the
//! calls and the meaning of `std::os::unix::net`; [`UnixSeqpacket`] beside them; descriptors that
//! go through all of them (`send_fds`, `recv_fds`, on Unix).
//!
//! ```
//! # #[cfg(unix)]
//! # fn main() -> std::io::Result<()> {
//! use reseau::blocking::unix::{UnixListener, UnixStream};
//! use std::io::{Read, Write};
//!
//! let path = std::env::temp_dir().join(format!("echo-{}.sock", std::process::id()));
//! let listener = UnixListener::bind(&path)?;
//! UnixStream::connect(&path)?.write_all(b"hello")?;
//! let mut text = String::new();
//! listener.accept()?.0.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! std::fs::remove_file(&path)
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
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
use super::place::Place;
use crate::addr::{Addr, UnixAddr};
use crate::error::{Error, Operation};
use crate::opt;
use crate::sys::listening::Terms;
use crate::sys::option::On;
use crate::sys::{self, Kind, OsSocket};

mod datagram;
#[cfg(unix)]
mod fds;
mod seqpacket;

pub use crate::sys::UCred;
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
/// Its file stays when it is dropped: remove it, before binding or after, or let
/// [`claim`](Self::claim) do both.
pub struct UnixListener(Place);

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
    /// The system's; the [`Error`] inside says what was wrong.
    pub fn connect_addr(addr: &UnixAddr) -> io::Result<Self> {
        Handle::connect([Addr::from(addr.clone())], Kind::Stream, None).map(Self)
    }

    /// Two streams that are connected to each other and have no names.
    ///
    /// # Errors
    /// When there are no descriptors left; `Unsupported` on Windows.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::blocking::UnixStream;
    /// use std::io::{Read, Write};
    ///
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// one.write_all(b"hello")?;
    /// other.read_exact(&mut [0; 5])?;
    /// assert!(one.local_addr()?.is_unnamed() && one.peer_addr()?.is_unnamed());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
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
        sys::of_peer(self.socket())
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
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::UnixAddr;
    /// use reseau::blocking::{UnixListener, UnixStream};
    ///
    /// let name = UnixAddr::from_abstract_name(format!("threads-{}", std::process::id()))?;
    /// let listener = UnixListener::bind_addr(&name)?; // There is no file.
    /// let client = UnixStream::connect_addr(&name)?;
    /// assert_eq!(client.peer_addr()?, name);
    /// assert!(listener.accept()?.1.is_unnamed());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
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

impl UnixListener {
    /// Listens at `addr`; if that is a path, after the dead have given way.
    pub(super) fn claim_on(addr: &UnixAddr, terms: &Terms) -> io::Result<Self> {
        let addr = Addr::from(addr.clone());
        let bind = || handle::listen_on([addr.clone()], Kind::Stream, terms);
        match sys::claimed(&addr, Kind::Stream, bind) {
            Ok((place, claim)) => Ok(Self(place.claimed(claim))),
            Err(error) if Error::of(&error).is_some() => Err(error),
            Err(error) => Err(Error::new(Operation::Bind, error).local(addr).into()),
        }
    }
}

#[cfg(unix)]
impl UnixListener {
    /// As [`bind`](Self::bind), for a server that owns its path: the file that a dead one has left
    /// there gives way, and the listener removes its own when it is dropped.
    ///
    /// A file gives way only if it is a socket on which nobody listens, as a connect has to show;
    /// it is removed at the end only if it is still the same. (Clones, and what becomes of the
    /// descriptor elsewhere, leave it.)
    ///
    /// ```
    /// use reseau::blocking::unix::UnixListener;
    /// let path = std::env::temp_dir().join(format!("claimed-b-{}", std::process::id()));
    /// drop(UnixListener::bind(&path)?); // It leaves its file.
    /// let listener = UnixListener::claim(&path)?;
    /// let refused = UnixListener::claim(&path).unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::AddrInUse);
    /// drop(listener);
    /// assert!(!path.exists());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `AddrInUse` if somebody listens there, or if what is there is no socket; else as
    /// [`bind`](Self::bind).
    pub fn claim<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::claim_on(&UnixAddr::from_pathname(path)?, &Terms::default())
    }
}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
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
