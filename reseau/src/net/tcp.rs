//! TCP: [`TcpStream`], [`TcpListener`], [`TcpSocket`], under the names of `tokio::net::tcp`.
use std::io;
use std::time::Duration;

use super::to_addrs::Found;
use super::{BACKLOG, Inet, Listener, Stream, ToSocketAddrs, detach, open, split};
use crate::error::Operation;
use crate::rt::Remote;
use crate::sys;

pub use super::socket::TcpSocket;
pub use super::split::ReuniteError;

/// A TCP connection. What it has beside its own calls is [`Stream`]'s.
pub type TcpStream = Stream<Inet>;

/// A TCP socket that listens. What it has beside its own calls is [`Listener`]'s.
pub type TcpListener = Listener<Inet>;

/// The half of a [`TcpStream`] that reads, borrowed.
pub type ReadHalf<'a> = split::ReadHalf<'a, Inet>;

/// The half of a [`TcpStream`] that writes, borrowed.
pub type WriteHalf<'a> = split::WriteHalf<'a, Inet>;

/// The half of a [`TcpStream`] that reads.
pub type OwnedReadHalf = split::OwnedReadHalf<Inet>;

/// The half of a [`TcpStream`] that writes.
pub type OwnedWriteHalf = split::OwnedWriteHalf<Inet>;

impl Stream<Inet> {
    /// Connects to the first address of `addr` that takes it, on the loop of this thread or else
    /// on the global one.
    ///
    /// Dropping the future gives it up. No option is set: see
    /// [`set_nodelay`](Self::set_nodelay).
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{TcpListener, TcpStream};
    /// let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    /// let error = TcpStream::connect(closed).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    /// let told = reseau::Error::of(&error).unwrap();
    /// assert_eq!(told.peer_addr(), Some(&closed.into()));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// The last address' error, with all of them as
    /// [`Error::attempts`](crate::Error::attempts).
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        Self::connect_on(&Remote::current()?, addr).await
    }

    /// As [`connect`](Self::connect), on another loop.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_on<A: ToSocketAddrs>(home: &Remote, addr: A) -> io::Result<Self> {
        let home = home.home();
        let found = Found::of(&addr, Operation::Connect, home).await?;
        open::connect(found.addrs, found.name.as_deref(), home).await.map(Self::new)
    }

    /// Takes in a connection of std's, on the loop of this thread or else on the global one. It
    /// becomes non-blocking.
    ///
    /// # Errors
    /// The system's; `Unsupported` in a simulated loop.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
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
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        detach::into_os(self.into_handle()).map(Into::into)
    }

    /// Small writes go out at once (`true`), or wait for each other (Nagle's algorithm).
    ///
    /// # Errors
    /// The system's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.handle().fd().set_nodelay(nodelay)
    }

    /// What [`set_nodelay`](Self::set_nodelay) set.
    ///
    /// # Errors
    /// The system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.handle().fd().nodelay()
    }

    /// Acknowledges at once (`true`) or with the next data, until the system changes its mind.
    ///
    /// # Errors
    /// `Unsupported` on other systems than Linux and Android.
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        self.handle().fd().set_quickack(quickack)
    }

    /// What [`set_quickack`](Self::set_quickack) set, unless the system changed its mind.
    ///
    /// # Errors
    /// `Unsupported` on other systems than Linux and Android.
    pub fn quickack(&self) -> io::Result<bool> {
        self.handle().fd().quickack()
    }

    /// How long the system, when the stream is closed, goes on with what is not yet delivered.
    /// Any but zero makes the *loop* wait in closing: take
    /// [`set_zero_linger`](Self::set_zero_linger), or leave it alone.
    ///
    /// # Errors
    /// The system's.
    #[deprecated = "a linger that is not zero makes the loop wait; take set_zero_linger"]
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.handle().fd().set_linger(linger)
    }

    /// Closing resets the connection from now on: what is not yet delivered is dropped.
    ///
    /// # Errors
    /// The system's.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.handle().fd().set_linger(Some(Duration::ZERO))
    }

    /// What [`set_linger`](Self::set_linger) or [`set_zero_linger`](Self::set_zero_linger) set.
    ///
    /// # Errors
    /// The system's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.handle().fd().linger()
    }

    /// How many hops a packet may take (IPv4's time to live).
    ///
    /// # Errors
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.handle().fd().set_ttl(ttl)
    }

    /// What [`set_ttl`](Self::set_ttl) set.
    ///
    /// # Errors
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.handle().fd().ttl()
    }
}

impl Listener<Inet> {
    /// Listens on the first address of `addr` that can be had, on the loop of this thread or else
    /// on the global one, with a backlog of 511.
    ///
    /// On Unix the address may be bound again at once after the program ended (`SO_REUSEADDR`);
    /// on Windows it may without that. Other options are [`TcpSocket`]'s.
    ///
    /// # Errors
    /// The last address' error, with all of them as
    /// [`Error::attempts`](crate::Error::attempts).
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        Self::bind_on(&Remote::current()?, addr).await
    }

    /// As [`bind`](Self::bind), on another loop.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn bind_on<A: ToSocketAddrs>(home: &Remote, addr: A) -> io::Result<Self> {
        let home = home.home();
        let found = Found::of(&addr, Operation::Bind, home).await?;
        let fd = open::listen(found.addrs, found.name.as_deref(), home)?;
        Ok(Self::adopt(fd, home).told(BACKLOG))
    }

    /// Takes in a listener of std's, on the loop of this thread or else on the global one. It
    /// becomes non-blocking.
    ///
    /// # Errors
    /// The system's; `Unsupported` in a simulated loop.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        let (fd, home) = open::adopt(listener.into())?;
        Ok(Self::adopt(fd, &home))
    }

    /// The listener as std's, which stays non-blocking.
    ///
    /// # Errors
    /// When connections were accepted ahead of the caller (they and the listener are closed
    /// then): [`detach`](Self::detach) hands them over. `Unsupported` for a simulated listener.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        detach::into_os(self.into_handle()).map(Into::into)
    }

    /// How many hops a packet may take (IPv4's time to live); what is accepted inherits it.
    ///
    /// # Errors
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.handle().fd().set_ttl(ttl)
    }

    /// What [`set_ttl`](Self::set_ttl) set.
    ///
    /// # Errors
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.handle().fd().ttl()
    }
}

impl TryFrom<std::net::TcpStream> for TcpStream {
    type Error = io::Error;

    fn try_from(stream: std::net::TcpStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: std::net::TcpListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

sys::borrows_descriptor!(Stream<Inet>);
sys::borrows_descriptor!(Listener<Inet>);
