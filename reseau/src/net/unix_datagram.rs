//! Unix-domain datagrams: [`UnixDatagram`], under the name of `tokio::net`.
use std::io;
use std::net::Shutdown;
use std::path::Path;
use std::task::{Context, Poll};

#[cfg(unix)]
use super::detach;
use super::unix::at;
use super::{Datagram, Unix, open};
use crate::addr::{Addr, UnixAddr};
use crate::driver::Side;
use crate::error::{Error, Operation};
use crate::sys::{Domain, Kind};

/// A Unix-domain socket that sends datagrams. What it has beside its own calls is [`Datagram`]'s.
///
/// Its datagrams are not lost and come in order; who sends waits while the receiver holds too
/// many. Windows has none: each way to make one fails with `Unsupported` there.
///
/// ```
/// # #[cfg(unix)]
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::net::UnixDatagram;
/// let (one, other) = UnixDatagram::pair()?;
/// one.send(b"hello").await?;
/// let mut buf = [0; 64];
/// assert_eq!(other.recv(&mut buf).await?, 5);
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
pub type UnixDatagram = Datagram<Unix>;

impl Datagram<Unix> {
    /// Takes the name `path`, where nothing may be yet, on the loop of this thread or else on the
    /// global one. On Linux, a path that starts with a NUL byte is a name in the abstract
    /// namespace.
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
    /// use reseau::{UnixAddr, UnixDatagram};
    /// let name = |end| UnixAddr::from_abstract_name(format!("{end}-{}", std::process::id()));
    /// let one = UnixDatagram::bind_addr(&name("one")?)?;
    /// let other = UnixDatagram::bind_addr(&name("other")?)?;
    /// one.send_to_addr(b"no files", &name("other")?).await?;
    /// let (len, peer) = other.recv_from(&mut [0; 64]).await?;
    /// assert_eq!((len, peer), (8, name("one")?));
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
        let socket = Self::unbound()?;
        let addr = Addr::from(addr.clone());
        match socket.fd().bind(&addr) {
            Ok(()) => Ok(socket),
            Err(error) => Err(Error::new(Operation::Bind, error).local(addr).into()),
        }
    }

    /// A socket without a name: whom it sends to cannot answer.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UnixDatagram;
    /// let path = std::env::temp_dir().join(format!("log-{}", std::process::id()));
    /// let log = UnixDatagram::bind(&path)?;
    /// UnixDatagram::unbound()?.send_to(b"started", &path).await?;
    /// let mut buf = [0; 64];
    /// let (len, who) = log.recv_from(&mut buf).await?;
    /// assert_eq!((&buf[..len], who.is_unnamed()), (&b"started"[..], true));
    /// std::fs::remove_file(&path)
    /// # })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// When there are no descriptors left; `Unsupported` on Windows.
    pub fn unbound() -> io::Result<Self> {
        let home = open::here()?;
        let opened = home.open_as(Domain::UNIX, Kind::Dgram);
        let fd = opened.map_err(|error| Error::new(Operation::Open, error))?;
        Ok(Self::adopt(fd, &home))
    }

    /// Two sockets that are connected to each other and have no names.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UnixDatagram;
    /// let (one, other) = UnixDatagram::pair()?;
    /// one.send(b"first").await?;
    /// one.send(b"second").await?; // In order, and apart.
    /// let mut buf = [0; 64];
    /// assert_eq!(other.recv(&mut buf).await?, 5);
    /// assert_eq!(other.recv(&mut buf).await?, 6);
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
        let (one, other) = home.pair(Kind::Dgram)?;
        Ok((Self::adopt(one, &home), Self::adopt(other, &home)))
    }

    /// Sends to the socket at `path` from now on, and receives from it alone.
    ///
    /// # Errors
    /// `InvalidInput` if the path cannot be an address; else the system's: nobody is there.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.connect_addr(&at(path.as_ref())?)
    }

    /// As [`connect`](Self::connect), to an address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_addr(&self, addr: &UnixAddr) -> io::Result<()> {
        let addr = Addr::from(addr.clone());
        match self.fd().connect(&addr) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::new(Operation::Connect, error).peer(addr).into()),
        }
    }

    /// Sends a datagram to the socket at `path`, and says its length.
    ///
    /// # Errors
    /// `InvalidInput` if the path cannot be an address; else as [`send`](Self::send).
    pub async fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        self.transmit_to(buf, &at(path.as_ref())?.into()).await
    }

    /// As [`send_to`](Self::send_to), to an address.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_to_addr(&self, buf: &[u8], addr: &UnixAddr) -> io::Result<usize> {
        self.transmit_to(buf, &addr.clone().into()).await
    }

    /// As [`send_to`](Self::send_to), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if the receiver holds too many; else as [`send_to`](Self::send_to).
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        let to = Addr::from(at(path.as_ref())?);
        self.try_transmit(|fd| fd.send_to(buf, Some(&to)))
    }

    /// As [`send_to`](Self::send_to), for hand-written futures.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        path: P,
    ) -> Poll<io::Result<usize>> {
        let to = Addr::from(at(path.as_ref())?);
        self.poll(Side::Send, cx, |fd| fd.send_to(buf, Some(&to)))
    }

    /// Ends receiving, sending, or both: calls that wait for it return.
    ///
    /// # Errors
    /// `NotConnected` if it is not connected.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.fd().shutdown(how)
    }
}

#[cfg(unix)]
impl Datagram<Unix> {
    /// Takes in a socket of std's, on the loop of this thread or else on the global one. It
    /// becomes non-blocking.
    ///
    /// # Errors
    /// The system's; `Unsupported` in a simulated loop.
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        let (fd, home) = open::adopt(socket.into())?;
        Ok(Self::adopt(fd, &home))
    }

    /// The socket as std's, which stays non-blocking.
    ///
    /// # Errors
    /// `Unsupported` for a simulated socket.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixDatagram> {
        detach::into_os(self.into_handle()).map(Into::into)
    }
}

#[cfg(unix)]
impl TryFrom<std::os::unix::net::UnixDatagram> for UnixDatagram {
    type Error = io::Error;

    fn try_from(socket: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        Self::from_std(socket)
    }
}
