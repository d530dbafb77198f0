//! Sockets as forge_tools for Mojo plans them: [`Socket`], generic over family, type, protocol,
//! address and platform, and a [`Pool`] of workers to fan connections out to.
//!
//! ```no_run
//! use reseau::sockets::mojo::{IPv4Addr, Pool, Socket};
//!
//! fn handler(conn: Socket, addr: IPv4Addr) {
//!     println!("{addr} is here");
//!     let _ = conn.send_all(b"hello");
//! }
//!
//! let server = Socket::create_server(("0.0.0.0", 8000))?;
//! Pool::new().starmap(handler, &server)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What is `async` there waits here. Who wants `None` or an error where the plan says `raises` gets
//! an error with operation, address and cause.
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;

mod addr;
mod family;
#[cfg(unix)]
mod fds;
mod incoming;
mod names;
mod platform;
mod pool;
mod serve;
mod timeout;

pub use crate::addr::UnixAddr;
pub use addr::{IPv4Addr, IPv6Addr, SockAddr, ToAddr};
pub use family::{
    AF_INET, AF_INET6, AF_UNIX, LOCAL, SOCK_DGRAM, SOCK_STREAM, SockFamily, SockProtocol, SockType,
    TCP, UDP,
};
pub use incoming::Incoming;
pub use names::{AI_CANONNAME, AI_NUMERICHOST, AI_PASSIVE, AddrInfo};
pub use platform::{Current, SockPlatform, SocketInterface, System};
pub use pool::Pool;
pub use serve::{Connection, Server};

use super::Plain;
use crate::error::Operation;
use crate::sys::OsSocket;

/// A socket: of TCP over IPv4, unless its parameters say otherwise.
///
/// Clones are the same socket; it is closed with the last of them. All calls wait, unless
/// [`settimeout`](Self::settimeout) says how long.
///
/// ```
/// use reseau::sockets::mojo::Socket;
///
/// let server = Socket::create_server(("127.0.0.1", 0))?;
/// let client = Socket::create_connection(server.getsockname()?)?;
/// let (conn, addr) = server.accept()?;
/// assert_eq!(addr, client.getsockname()?);
/// client.send(b"hello")?;
/// let mut buf = [0; 16];
/// let count = conn.recv(&mut buf)?;
/// assert_eq!(&buf[..count], b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Its parameters are the family, the type, the protocol, the address and the platform:
///
/// ```
/// use reseau::sockets::mojo::{AF_INET6, IPv6Addr, SOCK_DGRAM, Socket, UDP};
///
/// let socket = Socket::<AF_INET6, SOCK_DGRAM, UDP, IPv6Addr>::new()?;
/// socket.bind(("::1", 0))?;
/// assert_ne!(socket.getsockname()?.port, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Socket<F = AF_INET, T = SOCK_STREAM, P = TCP, A = IPv4Addr, S = Current>(Arc<S::Socket>)
where
    S: SockPlatform<F, T, P, A>;

impl<F, T, P, A, S> Socket<F, T, P, A, S>
where
    S: SockPlatform<F, T, P, A>,
{
    /// A new socket, with the [default timeout](Socket::getdefaulttimeout).
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        let socket = S::Socket::open()?;
        Self::fresh(socket)
    }

    fn fresh(socket: S::Socket) -> io::Result<Self> {
        if let Some(limit) = timeout::default() {
            socket.settimeout(Some(limit))?;
        }
        Ok(Self(Arc::new(socket)))
    }

    /// Closes the socket, if this is the last that shares it.
    ///
    /// # Errors
    /// None on today's systems.
    pub fn close(self) -> io::Result<()> {
        drop(self);
        Ok(())
    }

    /// Sets an option by the system's numbers.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::sockets::mojo::Socket;
    /// let (sol_socket, so_keepalive) = (1, 9); // Of Linux.
    /// Socket::create_server(("127.0.0.1", 0))?.setsockopt(sol_socket, so_keepalive, 1)?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// The system's.
    pub fn setsockopt(&self, level: i32, option_name: i32, option_value: i32) -> io::Result<()> {
        self.0.setsockopt(level, option_name, option_value)
    }

    /// Takes the first of the addresses. The socket must not have one yet.
    ///
    /// # Errors
    /// The system's, `InvalidInput` if it has one already; the resolver's.
    pub fn bind(&self, address: impl ToAddr<A>) -> io::Result<()> {
        self.0.bind(&address.to_addrs()?.swap_remove(0))
    }

    /// Starts to listen; `backlog` connections may wait to be accepted, or with 0 a default: 511.
    ///
    /// # Errors
    /// The system's.
    pub fn listen(&self, backlog: u32) -> io::Result<()> {
        self.0.listen(if backlog == 0 { BACKLOG } else { backlog })
    }

    /// Connects to the first of the addresses.
    /// ([`create_connection`](Socket::create_connection) tries them all.)
    ///
    /// # Errors
    /// The system's; the resolver's.
    pub fn connect(&self, address: impl ToAddr<A>) -> io::Result<()> {
        self.0.connect(&address.to_addrs()?.swap_remove(0))
    }

    /// Waits for a connection: a new socket, and the address of the client.
    ///
    /// # Errors
    /// The system's; the socket may be asked again.
    pub fn accept(&self) -> io::Result<(Self, A)> {
        let (socket, addr) = self.0.accept()?;
        Ok((Self::fresh(socket)?, addr))
    }

    /// Sends bytes and says how many: there may be room for a part of them only
    /// ([`send_all`](Self::send_all) goes on).
    ///
    /// # Errors
    /// The system's. A peer that is gone is an error, never a signal.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.send(buf)
    }

    /// Sends all of the bytes.
    ///
    /// # Errors
    /// As [`send`](Self::send); some of the bytes may have been sent.
    pub fn send_all(&self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let count = self.send(buf)?;
            buf = &buf[count..];
        }
        Ok(())
    }

    /// Receives into the buffer and says how many bytes: at most its length, and 0 at the end.
    ///
    /// # Errors
    /// The system's.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buf)
    }

    /// How many seconds a call may wait from now on; `None` for as long as it takes, 0 not at all.
    /// False if that is no such number, or the system refuses.
    ///
    /// A call that is late fails with `TimedOut` (with `WouldBlock` if it may not wait at all); the
    /// socket can be used on.
    ///
    /// ```
    /// use reseau::sockets::mojo::Socket;
    /// let server = Socket::create_server(("127.0.0.1", 0))?;
    /// assert!(server.settimeout(Some(0.01)));
    /// let error = server.accept().unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    /// assert!(!server.settimeout(Some(-1.0)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn settimeout(&self, value: Option<f64>) -> bool {
        timeout::span(value).is_some_and(|limit| self.0.settimeout(limit).is_ok())
    }

    /// The address that the socket has: with the port that the system chose.
    ///
    /// # Errors
    /// The system's.
    pub fn getsockname(&self) -> io::Result<A> {
        self.0.getsockname()
    }

    /// Ends one direction or both. A socket that listens ends whole: threads that wait in
    /// [`accept`](Self::accept) return, and iterating over its connections is over.
    ///
    /// # Errors
    /// The system's.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    /// The connections, one after the other, until the socket is [shut](Self::shutdown).
    pub fn incoming(&self) -> Incoming<F, T, P, A, S> {
        Incoming::new(self.clone())
    }

    fn is_open(&self) -> bool {
        self.0.is_open()
    }
}

impl<F, T, P> Socket<F, T, P, F::Addr>
where
    F: SockFamily,
    T: SockType,
    P: SockProtocol,
    Current: SockPlatform<F, T, P, F::Addr, Socket = System<F, T, P>>,
{
    fn adopt(socket: OsSocket) -> io::Result<Self> {
        Self::fresh(System::adopt(socket)?)
    }

    /// Fails while others share it: they would be left with a socket that is not theirs.
    fn into_socket(self) -> io::Result<OsSocket> {
        let shared = |_| io::Error::new(io::ErrorKind::ResourceBusy, "the socket has clones");
        let plain = Arc::try_unwrap(self.0).map_err(shared)?.into_plain();
        plain.set_limit(None)?;
        Ok(plain.into_socket())
    }

    fn plain(&self) -> &Plain {
        self.0.plain()
    }

    /// Lets the address be taken again at once after a restart, and with `full_duplicates` by
    /// several sockets at the same time (`SO_REUSEPORT`), which share what comes.
    ///
    /// On Windows the first is so anyway, and nothing is set.
    ///
    /// # Errors
    /// The system's; `Unsupported` where sockets cannot share an address.
    pub fn reuse_address(&self, value: bool, full_duplicates: bool) -> io::Result<()> {
        serve::reuse(self.plain(), value, full_duplicates)
    }
}

impl<F: SockFamily> Socket<F, SOCK_STREAM, TCP, F::Addr>
where
    Current: SockPlatform<F, SOCK_STREAM, TCP, F::Addr, Socket = System<F, SOCK_STREAM, TCP>>,
{
    /// Small writes go out at once (`true`), or wait for each other (Nagle's algorithm).
    ///
    /// # Errors
    /// The system's.
    pub fn no_delay(&self, value: bool) -> io::Result<()> {
        let set = self.plain().socket().set_tcp_nodelay(value);
        set.map_err(|error| self.plain().failed(Operation::SetOption, error))
    }

    /// Whether a connection on which nothing happens is tried now and then: after `idle` seconds,
    /// every `interval` seconds, and given up after `count` tries.
    ///
    /// # Errors
    /// The system's; `Unsupported` for what it cannot set.
    pub fn keep_alive(&self, enable: bool, idle: u32, interval: u32, count: u32) -> io::Result<()> {
        let set = serve::keep_alive(self.plain(), enable, [idle, interval, count]);
        set.map_err(|error| self.plain().failed(Operation::SetOption, error))
    }
}

/// The backlog of those who do not care, as Julia's and nginx have it.
const BACKLOG: u32 = 511;

/// The same socket.
impl<F, T, P, A, S: SockPlatform<F, T, P, A>> Clone for Socket<F, T, P, A, S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F, T, P, A: fmt::Debug, S: SockPlatform<F, T, P, A>> fmt::Debug for Socket<F, T, P, A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("Socket");
        if let Ok(addr) = self.getsockname() {
            form.field("addr", &addr);
        }
        form.finish()
    }
}
