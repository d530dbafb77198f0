//! Sockets as Julia's standard library has them, and as the seed of Reseau.jl describes them:
//! `using Sockets` becomes `use reseau::sockets::julia::*`.
//!
//! ```
//! use reseau::sockets::julia::*;
//!
//! let (port, server) = listenany(localhost, 8000)?;
//! let task = accept_with(
//!     |client| {
//!         while let Ok(line) = client.readline()
//!             && !line.is_empty()
//!         {
//!             let _ = client.write(line.to_uppercase().as_bytes());
//!         }
//!     },
//!     &server,
//! )?;
//! let client = connect(port)?;
//! client.write(b"hello\n")?;
//! assert_eq!(client.read_bytes(5)?, b"HELLO");
//! client.close();
//! server.close();
//! task.wait()?;
//! # Ok::<(), Error>(())
//! ```
//!
//! Where Julia has methods of one name for several arguments, one function takes what its trait
//! says ([`Remote`], [`Local`]); keywords are a second function that ends in `_with`, a type
//! argument one that ends in `_as`, and what Julia marks by `!` or spells without a break has a
//! name of its own here, which searching for the old one finds.
mod buffer;
mod error;
mod ip;
mod names;
mod read;
mod server;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod udp;
mod way;

use std::io;

use crate::addr::Addr;
use crate::error::Operation;
use crate::sys::blocking::set_quickack;

pub use error::Error;
pub use ip::{IPAddr, IPType, IPv4, IPv6, InetAddr};
pub use names::{
    getaddrinfo, getaddrinfo_as, getalladdrinfo, getipaddr, getipaddr_as, getipaddrs,
    getipaddrs_as, getnameinfo, islinklocaladdr,
};
pub use server::{
    Listen, Local, TCPServer, Task, accept, accept_with, listen, listen_with, listenany,
};
pub use tcp::{Remote, TCPSocket, connect};
#[cfg(feature = "tls")]
pub use tls::{
    Connect, TLS_DEFAULT_TIMEOUT_MS, connect_with, handshake, tls_session, tlsupgrade,
    tlsupgrade_with,
};
pub use udp::{
    Setopt, UDPSocket, join_multicast_group, join_multicast_group_on, leave_multicast_group,
    leave_multicast_group_on, recv, recvfrom, send, setopt,
};

/// This machine, by its address of IPv4.
#[allow(non_upper_case_globals)] // It has that name.
pub const localhost: IPv4 = IPv4(0x7f00_0001);

/// The backlog of a server that was not told another.
pub const BACKLOG_DEFAULT: u32 = 511;

/// How [`bind_with`] binds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bind {
    /// An address of IPv6 takes IPv6 alone. Without it, `::` takes both families, on every system.
    pub ipv6only: bool,
    /// Several sockets may have the address. It is for [`UDPSocket`]s; servers have it as the
    /// system wants it.
    pub reuseaddr: bool,
    /// Options of [`UDPSocket`]s.
    pub options: Setopt,
}

/// What has an address: [`TCPSocket`], [`TCPServer`], [`UDPSocket`].
pub trait Named {
    /// Its address.
    ///
    /// # Errors
    /// As of [`getsockname`].
    fn sockname(&self) -> Result<Addr, Error>;
}

/// What can be given an address: [`TCPServer`], [`UDPSocket`].
pub trait Bindable {
    /// Takes the address.
    ///
    /// # Errors
    /// The system's.
    fn take(&self, addr: InetAddr, bind: Bind) -> Result<(), Error>;
}

/// Gives a socket its address, and says whether it could be had: `false` if it is taken, not
/// allowed, or not this machine's.
///
/// ```
/// use reseau::sockets::julia::{TCPServer, UDPSocket, bind, getsockname, listen, localhost};
/// let one = listen(0)?;
/// let (_, port) = getsockname(&one)?;
/// assert!(!bind(&TCPServer::new(), localhost, port)?, "it is taken");
/// let socket = UDPSocket::new();
/// assert!(bind(&socket, localhost, 0)?);
/// assert!(bind(&socket, localhost, 0).is_err(), "it has one");
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// [`Error::ErrorException`] if it has one already or is closed, [`Error::ArgumentError`] for a
/// port out of range, [`Error::IOError`] for any other reason.
pub fn bind(
    socket: &impl Bindable,
    host: impl Into<IPAddr>,
    port: impl Into<i64>,
) -> Result<bool, Error> {
    bind_with(socket, host, port, Bind::default())
}

/// As [`bind`], with more to say.
///
/// ```
/// use reseau::sockets::julia::{Bind, IPv6, UDPSocket, bind_with};
/// let bind = Bind { ipv6only: true, reuseaddr: true, ..Bind::default() };
/// bind_with(&UDPSocket::new(), IPv6(1), 0, bind)?;
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// As [`bind`].
pub fn bind_with(
    socket: &impl Bindable,
    host: impl Into<IPAddr>,
    to_port: impl Into<i64>,
    bind: Bind,
) -> Result<bool, Error> {
    let addr = InetAddr { host: host.into(), port: port(to_port)? };
    match socket.take(addr, bind) {
        Ok(()) => Ok(true),
        Err(Error::IOError(error)) if is_taken(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The address and the port that a socket has.
///
/// # Errors
/// [`Error::ArgumentError`] if it has none; [`Error::IOError`] if it is closed.
pub fn getsockname(socket: &impl Named) -> Result<(IPAddr, u16), Error> {
    inet(socket.sockname()?)
}

/// The address and the port that a connection goes to.
///
/// # Errors
/// [`Error::IOError`] if it is closed or gone, [`Error::ArgumentError`] if it is not of TCP.
pub fn getpeername(socket: &TCPSocket) -> Result<(IPAddr, u16), Error> {
    inet(socket.socket.get()?.peer_addr()?)
}

/// Whether small writes wait for each other (Nagle's algorithm).
///
/// # Errors
/// [`Error::IOError`]: the system's.
pub fn nagle(socket: &TCPSocket, enable: bool) -> Result<(), Error> {
    let plain = socket.socket.get()?;
    let set = plain.socket().set_tcp_nodelay(!enable);
    Ok(set.map_err(|error| plain.failed(Operation::SetOption, error))?)
}

/// Whether what came is acknowledged at once. Systems other than Linux do as they think best.
///
/// # Errors
/// [`Error::IOError`]: the system's.
pub fn quickack(socket: &TCPSocket, enable: bool) -> Result<(), Error> {
    let plain = socket.socket.get()?;
    match set_quickack(plain.socket(), enable) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        set => Ok(set.map_err(|error| plain.failed(Operation::SetOption, error))?),
    }
}

impl Named for TCPSocket {
    fn sockname(&self) -> Result<Addr, Error> {
        Ok(self.socket.get()?.local_addr()?)
    }
}

impl Named for TCPServer {
    fn sockname(&self) -> Result<Addr, Error> {
        self.addr()
    }
}

impl Named for UDPSocket {
    fn sockname(&self) -> Result<Addr, Error> {
        self.addr()
    }
}

impl Bindable for TCPServer {
    fn take(&self, addr: InetAddr, bind: Bind) -> Result<(), Error> {
        self.bind_at(addr.std(), bind)
    }
}

impl Bindable for UDPSocket {
    fn take(&self, addr: InetAddr, bind: Bind) -> Result<(), Error> {
        self.bind_at(addr.std(), bind)
    }
}

fn inet(addr: Addr) -> Result<(IPAddr, u16), Error> {
    let addr = addr.inet().ok_or_else(|| Error::argument("the socket is not of IP"))?;
    Ok((addr.ip().into(), addr.port()))
}

fn port(port: impl Into<i64>) -> Result<u16, Error> {
    super::port_of(port.into()).map_err(|error| Error::ArgumentError(error.to_string()))
}

/// What `bind` says by `false`.
fn is_taken(error: &crate::Error) -> bool {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
    matches!(error.kind(), AddrInUse | AddrNotAvailable | PermissionDenied)
}
