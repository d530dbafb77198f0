//! Unix-domain connections that keep records apart: [`UnixSeqpacket`], [`UnixSeqpacketListener`].
use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::net::Shutdown;
use std::path::Path;
use std::time::{Duration, Instant};

use super::UCred;
use crate::addr::{Addr, UnixAddr};
use crate::blocking::calls;
use crate::blocking::handle::{self, BACKLOG, Handle, checked_timeout};
use crate::blocking::place::Place;
use crate::opt;
use crate::sys::blocking::PEEK;
use crate::sys::option::On;
use crate::sys::{self, Kind, OsSocket, Side, message};

/// A Unix-domain connection of records: what is sent at once is received at once, whole and in
/// order.
///
/// Not on macOS and Windows: each way to make one fails there.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// # fn main() -> std::io::Result<()> {
/// use reseau::blocking::unix::UnixSeqpacket;
///
/// let (one, other) = UnixSeqpacket::pair()?;
/// one.send(b"a record")?;
/// one.send(b"another")?;
/// let mut buf = [0; 64];
/// assert_eq!(other.recv(&mut buf)?, 8);
/// assert_eq!(other.recv(&mut buf)?, 7);
/// drop(one);
/// assert_eq!(other.recv(&mut buf)?, 0); // The end (or an empty record).
/// # Ok(())
/// # }
/// # #[cfg(not(target_os = "linux"))]
/// # fn main() {}
/// ```
pub struct UnixSeqpacket(pub(super) Handle);

/// A source of [`UnixSeqpacket`] connections. Its file stays when it is dropped.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// # fn main() -> std::io::Result<()> {
/// use reseau::blocking::unix::{UnixSeqpacket, UnixSeqpacketListener};
///
/// let path = std::env::temp_dir().join(format!("records-blocking-{}", std::process::id()));
/// let listener = UnixSeqpacketListener::bind(&path)?;
/// let client = UnixSeqpacket::connect(&path)?;
/// std::fs::remove_file(&path)?;
/// let (server, _peer) = listener.accept()?;
/// client.send(b"hello")?;
/// assert_eq!(server.recv(&mut [0; 64])?, 5);
/// # Ok(())
/// # }
/// # #[cfg(not(target_os = "linux"))]
/// # fn main() {}
/// ```
pub struct UnixSeqpacketListener(Place);

impl UnixSeqpacket {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// `InvalidInput` if the path cannot be an address; else the system's.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::connect_addr(&UnixAddr::from_pathname(path)?)
    }

    /// As [`connect`](Self::connect), to an address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_addr(addr: &UnixAddr) -> io::Result<Self> {
        Handle::connect([Addr::from(addr.clone())], Kind::Seqpacket, None).map(Self)
    }

    /// Two ends of a connection that have no names.
    ///
    /// # Errors
    /// When there are no descriptors left, or no such sockets here.
    pub fn pair() -> io::Result<(Self, Self)> {
        Handle::pair(Kind::Seqpacket).map(|(one, other)| (Self(one), Self(other)))
    }

    /// Receives the next record; what does not fit is lost. 0 is the end, or an empty record.
    ///
    /// # Errors
    /// The system's.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.receive(|| 0, |socket, flags| message::recv(socket, buf, flags))
    }

    /// As [`recv`](Self::recv), without taking the record.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.receive(|| 0, |socket, flags| message::recv(socket, buf, flags | PEEK))
    }

    /// Sends a record, whole or not at all, and says its length. Waits while the peer holds too
    /// many.
    ///
    /// # Errors
    /// The system's: it is too long, the peer is gone (`BrokenPipe`).
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.on(Side::Send, |socket, flags| message::send_to(socket, buf, None, flags))
    }

    /// Ends receiving, sending, or both: calls that wait for it return.
    ///
    /// # Errors
    /// `NotConnected` if the connection is gone already.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().shutdown(how)
    }

    /// Who is at the other end, by the word of the system.
    ///
    /// # Errors
    /// `Unsupported` where the system does not tell.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::blocking::unix::UnixSeqpacket;
    ///
    /// let (one, _other) = UnixSeqpacket::pair()?;
    /// let peer = one.peer_cred()?;
    /// assert_eq!(peer.pid, Some(std::process::id() as i32));
    /// println!("it runs as user {} of group {}", peer.uid, peer.gid);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn peer_cred(&self) -> io::Result<UCred> {
        sys::of_peer(self.socket())
    }
}

calls::handle!(
    UnixSeqpacket, UnixAddr, handle::unix,
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::blocking::unix::UnixSeqpacket;
    /// use std::io::ErrorKind;
    /// use std::time::{Duration, Instant};
    ///
    /// let (one, _other) = UnixSeqpacket::pair()?;
    /// one.set_deadlines(Some(Instant::now() + Duration::from_millis(5)), None);
    /// assert_eq!(one.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::TimedOut);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
);

impl UnixSeqpacketListener {
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
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn with_backlog(addr: &UnixAddr, backlog: u32) -> io::Result<Self> {
        handle::listen([Addr::from(addr.clone())], Kind::Seqpacket, backlog).map(Self)
    }
}

calls::listener!(UnixSeqpacketListener, UnixSeqpacket, UnixAddr, handle::unix);

opt::has_options!([] UnixSeqpacket, socket => On::Os(socket.socket()));
opt::fits! {
    UnixSeqpacket: Unix Waiting;
}

opt::has_options!([] UnixSeqpacketListener, socket => On::Os(socket.socket()));
opt::fits! {
    UnixSeqpacketListener: Unix Waiting;
}

impl fmt::Debug for UnixSeqpacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::shown(self.socket(), "UnixSeqpacket", f)
    }
}

impl fmt::Debug for UnixSeqpacketListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::shown(self.socket(), "UnixSeqpacketListener", f)
    }
}
