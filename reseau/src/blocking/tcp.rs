//! TCP: [`TcpStream`] and [`TcpListener`].
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::iter::FusedIterator;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};
use std::{fmt, net};

use super::calls;
use super::handle::{self, BACKLOG, Handle, checked_timeout, resolve};
use super::place::Place;
use crate::addr::Addr;
use crate::opt;
use crate::sys::option::On;
use crate::sys::{self, Kind, OsSocket};

/// A TCP connection, as [`std::net::TcpStream`] and more (see [the module](super)).
///
/// Reads and writes go through the value or a shared reference to it, from any thread. Dropping it
/// closes this handle; the last one ends the connection.
///
/// ```
/// use reseau::blocking::{TcpListener, TcpStream};
/// use std::io::{Read, Write};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// (&client).write_all(b"over")?;
/// client.finish()?;
/// let mut text = String::new();
/// listener.accept()?.0.read_to_string(&mut text)?;
/// assert_eq!(text, "over");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpStream(Handle);

/// A TCP socket that listens, as [`std::net::TcpListener`] and more (see [the module](super)).
///
/// ```
/// use reseau::blocking::{TcpListener, TcpStream};
/// use std::io::{Read, Write};
/// use std::time::{Duration, Instant};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let addr = listener.local_addr()?;
/// let client = std::thread::spawn(move || {
///     let mut stream = TcpStream::connect(addr)?;
///     stream.write_all(b"much that nobody reads")?;
///     let mut answer = String::new();
///     stream.read_to_string(&mut answer).map(|_| answer)
/// });
/// let (mut server, _peer) = listener.accept()?;
/// server.write_all(b"go away")?;
/// // To drop it now might reset the connection before the answer is read.
/// server.close_gracefully(Instant::now() + Duration::from_secs(5))?;
/// assert_eq!(client.join().unwrap()?, "go away");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpListener(Place);

impl TcpStream {
    /// Connects to the first address of `addr` that takes the connection.
    ///
    /// # Errors
    /// The last address' error, with all of them as
    /// [`Error::attempts`](crate::Error::attempts).
    ///
    /// ```
    /// use reseau::blocking::{TcpListener, TcpStream};
    /// let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    /// let error = TcpStream::connect(closed).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    /// let told = reseau::Error::of(&error).unwrap();
    /// assert_eq!(told.peer_addr(), Some(&closed.into()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        Handle::connect(resolve(addr)?, Kind::Stream, None).map(Self)
    }

    /// Connects to one address within `timeout`.
    ///
    /// # Errors
    /// `TimedOut` when it took longer, `InvalidInput` for a timeout of zero, else the system's.
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        let limit = checked_timeout(Some(timeout))?;
        Handle::connect([Addr::from(*addr)], Kind::Stream, limit).map(Self)
    }

    /// Ends the connection at once: what is not yet sent is dropped, and the peer sees a reset.
    ///
    /// The reset is sent when the last handle is closed, so clones put it off.
    ///
    /// # Errors
    /// When the system does not take the option; the handle is closed all the same.
    ///
    /// ```
    /// use reseau::blocking::{TcpListener, TcpStream};
    /// use std::io::{ErrorKind, Read};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// listener.accept()?.0.abort()?;
    /// # if cfg!(windows) { return Ok(()); } // Wine passes no resets on.
    /// assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn abort(self) -> io::Result<()> {
        self.socket().set_linger(Some(Duration::ZERO))
    }

    /// Small writes go out at once (`true`), or wait for each other (Nagle's algorithm).
    ///
    /// # Errors
    /// The system's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket().set_tcp_nodelay(nodelay)
    }

    /// What [`set_nodelay`](Self::set_nodelay) set.
    ///
    /// # Errors
    /// The system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket().tcp_nodelay()
    }

    /// How long closing waits for what is not yet sent; with `Some(Duration::ZERO)` it resets.
    ///
    /// # Errors
    /// The system's.
    ///
    /// ```
    /// use reseau::blocking::{TcpListener, TcpStream};
    /// use std::time::Duration;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?)?;
    /// assert_eq!(stream.linger()?, None);
    /// stream.set_linger(Some(Duration::from_secs(2)))?;
    /// assert_eq!(stream.linger()?, Some(Duration::from_secs(2)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.socket().set_linger(linger)
    }

    /// What [`set_linger`](Self::set_linger) set.
    ///
    /// # Errors
    /// The system's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.socket().linger()
    }

    /// Acknowledges at once (`true`) or with the next data, until the system changes its mind.
    ///
    /// # Errors
    /// `Unsupported` on other systems than Linux and Android.
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        sys::blocking::set_quickack(self.socket(), quickack)
    }

    /// What [`set_quickack`](Self::set_quickack) set, unless the system changed its mind.
    ///
    /// # Errors
    /// `Unsupported` on other systems than Linux and Android.
    pub fn quickack(&self) -> io::Result<bool> {
        sys::blocking::quickack(self.socket())
    }
}

calls::stream!(TcpStream, SocketAddr, handle::inet);
calls::hops!(TcpStream);

impl TcpListener {
    /// Listens on the first address of `addr` that can be had, with a backlog of 511.
    ///
    /// On Unix the address may be bound again at once after the program ended (`SO_REUSEADDR`);
    /// on Windows it may without that.
    ///
    /// # Errors
    /// The last address' error; the [`Error`](crate::Error) inside says what was wrong.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        Self::with_backlog(addr, BACKLOG)
    }

    /// Listens like [`bind`](Self::bind); `backlog` connections may wait to be accepted.
    ///
    /// Systems cut the number to their own limit, and round it.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn with_backlog<A: ToSocketAddrs>(addr: A, backlog: u32) -> io::Result<Self> {
        handle::listen(resolve(addr)?, Kind::Stream, backlog).map(Self)
    }

    /// The connections, one after the other, without end; the iterator owns the listener.
    pub fn into_incoming(self) -> IntoIncoming {
        IntoIncoming(self)
    }

    /// Whether the listener takes IPv6 only. It can be set before binding alone.
    ///
    /// # Errors
    /// The system's.
    #[deprecated = "it can only be set before binding, so this call always fails, as in std"]
    pub fn set_only_v6(&self, only_v6: bool) -> io::Result<()> {
        self.socket().set_only_v6(only_v6)
    }

    /// Whether the listener takes IPv6 only.
    ///
    /// # Errors
    /// The system's; of an IPv4 listener always.
    #[deprecated = "what set_only_v6 cannot set"]
    pub fn only_v6(&self) -> io::Result<bool> {
        self.socket().only_v6()
    }
}

calls::listener!(TcpListener, TcpStream, SocketAddr, handle::inet);
calls::hops!(TcpListener);

/// The connections of a listener that it owns, without end.
#[derive(Debug)]
#[must_use = "it accepts when it is iterated"]
pub struct IntoIncoming(TcpListener);

impl Iterator for IntoIncoming {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for IntoIncoming {}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("TcpStream");
        if let Ok(addr) = self.local_addr() {
            form.field("addr", &addr);
        }
        if let Ok(peer) = self.peer_addr() {
            form.field("peer", &peer);
        }
        let (name, number) = sys::blocking::number(self.socket());
        form.field(name, &number).finish()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("TcpListener");
        if let Ok(addr) = self.local_addr() {
            form.field("addr", &addr);
        }
        let (name, number) = sys::blocking::number(self.socket());
        form.field(name, &number).finish()
    }
}

opt::has_options!([] TcpStream, socket => On::Os(socket.socket()));
opt::fits! {
    TcpStream: Inet Tcp Waiting WaitingTcp;
}

calls::std_twin!(TcpStream, net::TcpStream);
opt::has_options!([] TcpListener, socket => On::Os(socket.socket()));
opt::fits! {
    TcpListener: Inet Tcp Listening Waiting WaitingTcp;
}

calls::std_twin!(TcpListener, net::TcpListener);
