//! Unix-domain sockets: [`UnixStream`], [`UnixListener`], [`UnixSocket`], under the names of
//! `tokio::net::unix`.
//!
//! They exist on every system; on Windows older than 10 (1803) each call fails with `Unsupported`,
//! and `pair` does on all of them. The file of a listener stays when it is dropped: remove it,
//! before binding or after.
use std::io;
use std::path::Path;

use super::{BACKLOG, Listener, Stream, Unix, open, split};
#[cfg(unix)]
use super::{Detached, DetachedListener, detach};
#[cfg(unix)]
use crate::addr::Addr;
use crate::addr::UnixAddr;
#[cfg(unix)]
use crate::error::{Error, Operation};
#[cfg(unix)]
use crate::pool::Chunk;
use crate::rt::Remote;
use crate::sys::{self, Kind};
#[cfg(unix)]
use crate::sys::{Claim, listening::Terms};

pub use super::socket::UnixSocket;
pub use crate::sys::UCred;

/// The address of a Unix-domain socket, under tokio's and std's name.
pub type SocketAddr = UnixAddr;

/// A Unix-domain connection. What it has beside its own calls is [`Stream`]'s.
pub type UnixStream = Stream<Unix>;

/// A Unix-domain socket that listens. What it has beside its own calls is [`Listener`]'s.
pub type UnixListener = Listener<Unix>;

/// The half of a [`UnixStream`] that reads, borrowed.
pub type ReadHalf<'a> = split::ReadHalf<'a, Unix>;

/// The half of a [`UnixStream`] that writes, borrowed.
pub type WriteHalf<'a> = split::WriteHalf<'a, Unix>;

/// The half of a [`UnixStream`] that reads.
pub type OwnedReadHalf = split::OwnedReadHalf<Unix>;

/// The half of a [`UnixStream`] that writes.
pub type OwnedWriteHalf = split::OwnedWriteHalf<Unix>;

/// Two halves that are not of one [`UnixStream`], given back.
pub type ReuniteError = split::ReuniteError<Unix>;

impl Stream<Unix> {
    /// Connects to the socket at `path`, on the loop of this thread or else on the global one. On
    /// Linux, a path that starts with a NUL byte is a name in the abstract namespace.
    ///
    /// Dropping the future gives it up.
    ///
    /// # Errors
    /// `InvalidInput` if the path cannot be an address; else the system's. The
    /// [`Error`](crate::Error) inside says what was wrong.
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::connect_addr(&at(path.as_ref())?).await
    }

    /// As [`connect`](Self::connect), to an address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_addr(addr: &UnixAddr) -> io::Result<Self> {
        Self::connect_on(&Remote::current()?, addr).await
    }

    /// As [`connect_addr`](Self::connect_addr), on another loop.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_on(home: &Remote, addr: &UnixAddr) -> io::Result<Self> {
        open::connect([addr.clone()], None, home.home()).await.map(Self::new)
    }

    /// Two streams that are connected to each other and have no names, on the loop of this thread
    /// or else on the global one.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UnixStream;
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// one.send("hello").await?;
    /// assert_eq!(&*other.recv().await?.unwrap(), b"hello");
    /// assert!(one.local_addr()?.is_unnamed() && one.peer_addr()?.is_unnamed());
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// When there are no descriptors left; `Unsupported` on Windows.
    pub fn pair() -> io::Result<(Self, Self)> {
        let home = open::here()?;
        let (one, other) = home.pair(Kind::Stream)?;
        Ok((Self::adopt(one, &home), Self::adopt(other, &home)))
    }

    /// Who is at the other end, by the word of the system.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UnixStream;
    /// let (one, _other) = UnixStream::pair()?;
    /// let peer = one.peer_cred()?;
    /// assert_eq!(peer.pid(), Some(std::process::id() as i32));
    /// println!("it runs as user {} of group {}", peer.uid(), peer.gid());
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// `Unsupported` where the system does not tell (Windows), and for simulated streams.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        self.handle().fd().peer_credentials()
    }
}

impl Listener<Unix> {
    /// Listens at `path`, where nothing may be yet, on the loop of this thread or else on the
    /// global one, with a backlog of 511. On Linux, a path that starts with a NUL byte is a name
    /// in the abstract namespace.
    ///
    /// # Errors
    /// `AddrInUse` if something is there, `InvalidInput` if the path cannot be an address; else
    /// the system's.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::bind_addr(&at(path.as_ref())?)
    }

    /// As [`bind`](Self::bind), at an address.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{UnixAddr, UnixListener, UnixStream};
    /// let name = UnixAddr::from_abstract_name(format!("listener-{}", std::process::id()))?;
    /// let listener = UnixListener::bind_addr(&name)?; // There is no file.
    /// let client = UnixStream::connect_addr(&name).await?;
    /// assert_eq!(client.peer_addr()?, name);
    /// let (_server, peer) = listener.accept().await?;
    /// assert!(peer.is_unnamed());
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_addr(addr: &UnixAddr) -> io::Result<Self> {
        Self::bind_on(&Remote::current()?, addr)
    }

    /// As [`bind_addr`](Self::bind_addr), on another loop.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_on(home: &Remote, addr: &UnixAddr) -> io::Result<Self> {
        let fd = open::listen([addr.clone()], None, home.home())?;
        Ok(Self::adopt(fd, home.home()).told(BACKLOG))
    }
}

/// The address that a path stands for.
pub(super) fn at(path: &Path) -> io::Result<UnixAddr> {
    match path.as_os_str().as_encoded_bytes() {
        [0, name @ ..] => UnixAddr::from_abstract_name(name),
        _ => UnixAddr::from_pathname(path),
    }
}

#[cfg(unix)]
impl Stream<Unix> {
    /// Takes in a connection of std's, on the loop of this thread or else on the global one. It
    /// becomes non-blocking.
    ///
    /// # Errors
    /// The system's; `Unsupported` in a simulated loop.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        let (fd, home) = open::adopt(stream.into())?;
        Ok(Self::adopt(fd, &home))
    }

    /// The connection as std's, which stays non-blocking. What was sent is sent first, and this
    /// call waits for it.
    ///
    /// # Errors
    /// When bytes were received ahead of the caller, which std's stream would not give (the
    /// stream is closed then): [`detach`](Self::detach) hands them over. `Unsupported` for a
    /// simulated stream.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixStream> {
        detach::into_os(self.into_handle()).map(Into::into)
    }
}

#[cfg(unix)]
impl Listener<Unix> {
    /// As [`bind`](Self::bind), for a server that owns its path: the file that a dead one has left
    /// there gives way, and the listener removes its own when it is dropped.
    ///
    /// A file gives way only if it is a socket on which nobody listens, as a connect has to show;
    /// it is removed at the end only if it is still the same. ([`into_std`](Self::into_std) and
    /// [`detach`](Self::detach) leave it.)
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UnixListener;
    /// let path = std::env::temp_dir().join(format!("claimed-{}", std::process::id()));
    /// drop(std::os::unix::net::UnixListener::bind(&path)?); // It leaves its file.
    /// let listener = UnixListener::claim(&path)?;
    /// let refused = UnixListener::claim(&path).unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::AddrInUse);
    /// drop(listener);
    /// assert!(!path.exists());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// `AddrInUse` if somebody listens there, or if what is there is no socket; else as
    /// [`bind`](Self::bind).
    pub fn claim<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        let (path, home) = (path.as_ref(), open::here()?);
        let addr = Addr::from(at(path)?);
        // Worlds have no files, nor have names in the abstract namespace.
        if home.world().is_some() || addr.unix().is_some_and(|addr| addr.as_pathname().is_none()) {
            return Self::bind(path);
        }
        let terms = Terms::default();
        let bind = || {
            let listening = open::listen_on(&addr, Kind::Stream, &terms, &home);
            listening.map_err(|(_, error)| error)
        };
        match Claim::take(path, Kind::Stream, bind) {
            Ok((fd, claim)) => Ok(Self::adopt(fd, &home).told(terms.backlog).claimed(Some(claim))),
            Err(error) => Err(Error::new(Operation::Bind, error).local(addr.clone()).into()),
        }
    }

    /// Takes in a listener of std's, on the loop of this thread or else on the global one. It
    /// becomes non-blocking.
    ///
    /// # Errors
    /// The system's; `Unsupported` in a simulated loop.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        let (fd, home) = open::adopt(listener.into())?;
        Ok(Self::adopt(fd, &home))
    }

    /// The listener as std's, which stays non-blocking.
    ///
    /// # Errors
    /// When connections were accepted ahead of the caller (they and the listener are closed
    /// then): [`detach`](Self::detach) hands them over. `Unsupported` for a simulated listener.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
        detach::into_os(self.into_handle()).map(Into::into)
    }
}

#[cfg(unix)]
impl Detached<Unix> {
    /// The system's socket, still non-blocking, and what was received ahead: bytes that it will
    /// not give again.
    ///
    /// # Errors
    /// `Unsupported` for a simulated stream.
    pub fn into_parts(self) -> io::Result<(std::os::unix::net::UnixStream, Vec<Chunk>)> {
        let (socket, chunks) = self.take_apart()?;
        Ok((socket.into(), chunks))
    }
}

#[cfg(unix)]
impl DetachedListener<Unix> {
    /// The system's listener and the connections that were accepted ahead, still non-blocking all
    /// of them.
    ///
    /// # Errors
    /// `Unsupported` for a simulated listener.
    pub fn into_parts(
        self,
    ) -> io::Result<(std::os::unix::net::UnixListener, Vec<std::os::unix::net::UnixStream>)> {
        let (socket, connections) = self.take_apart()?;
        Ok((socket.into(), connections.into_iter().map(Into::into).collect()))
    }
}

#[cfg(unix)]
impl TryFrom<std::os::unix::net::UnixStream> for UnixStream {
    type Error = io::Error;

    fn try_from(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}

#[cfg(unix)]
impl TryFrom<std::os::unix::net::UnixListener> for UnixListener {
    type Error = io::Error;

    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

sys::borrows_descriptor!(Stream<Unix>);
sys::borrows_descriptor!(Listener<Unix>);
