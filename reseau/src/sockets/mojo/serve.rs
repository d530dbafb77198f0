//! Sockets in one call: servers and connections.
use std::io;

use super::{AF_INET6, IPv4Addr, IPv6Addr, SOCK_STREAM, Socket, TCP, ToAddr};
use crate::error::{Error, Operation};
use crate::sockets::Plain;
use crate::sys;
use crate::sys::option::{On, places};

/// How a server is made, beside its address.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server {
    /// How many connections may wait to be accepted; 0 for a default.
    pub backlog: u32,
    /// Several servers may have the address at the same time, and share the connections.
    pub reuse_port: bool,
}

/// How a connection is made, beside the address of the peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection {
    /// How many seconds an attempt may take, and a call of the socket later; `None` for the
    /// [default](Socket::getdefaulttimeout).
    pub timeout: Option<f64>,
    /// The address to connect from.
    pub source_address: Option<IPv4Addr>,
    /// An error tells of every address that was tried, instead of the last.
    pub all_errors: bool,
}

impl Socket {
    /// A socket that listens: bound to the first of the addresses, which may be taken again at
    /// once after a restart.
    ///
    /// # Errors
    /// The system's; the resolver's.
    pub fn create_server(address: impl ToAddr<IPv4Addr>) -> io::Result<Self> {
        Self::create_server_with(address, Server::default())
    }

    /// As [`create_server`](Self::create_server), with more to say.
    ///
    /// ```
    /// use reseau::sockets::mojo::{Server, Socket};
    /// let server = Server { backlog: 16, ..Server::default() };
    /// let server = Socket::create_server_with(("127.0.0.1", 0), server)?;
    /// assert_ne!(server.getsockname()?.port, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`create_server`](Self::create_server); `Unsupported` where ports cannot be shared.
    pub fn create_server_with(address: impl ToAddr<IPv4Addr>, server: Server) -> io::Result<Self> {
        let socket = Self::new()?;
        reuse(socket.plain(), true, server.reuse_port)?;
        socket.bind(address)?;
        socket.listen(server.backlog)?;
        Ok(socket)
    }

    /// Two sockets that listen, one for IPv6 alone and one for IPv4: which of both a connection
    /// comes to does not depend on the system's settings. If the port of `dualstack_ipv6` is 0, it
    /// is that which the system chose for `address`.
    ///
    /// ```no_run
    /// use reseau::sockets::mojo::Socket;
    /// let (v6, v4) = Socket::create_server_dualstack(("::", 8000), ("0.0.0.0", 8000))?;
    /// assert_eq!(v6.getsockname()?.port, v4.getsockname()?.port);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`create_server`](Self::create_server), for either.
    pub fn create_server_dualstack(
        address: impl ToAddr<IPv6Addr>,
        dualstack_ipv6: impl ToAddr<IPv4Addr>,
    ) -> io::Result<(Socket<AF_INET6, SOCK_STREAM, TCP, IPv6Addr>, Self)> {
        let v6 = Socket::<AF_INET6, SOCK_STREAM, TCP, IPv6Addr>::new()?;
        let only = v6.plain().socket().set_only_v6(true);
        only.map_err(|error| v6.plain().failed(Operation::SetOption, error))?;
        reuse(v6.plain(), true, false)?;
        v6.bind(address)?;
        v6.listen(0)?;
        let mut other = dualstack_ipv6.to_addrs()?.swap_remove(0);
        if other.port == 0 {
            other.port = v6.getsockname()?.port;
        }
        Ok((v6, Self::create_server(other)?))
    }

    /// Connects to the first of the addresses that takes the connection.
    ///
    /// # Errors
    /// The last address' error; the resolver's.
    pub fn create_connection(address: impl ToAddr<IPv4Addr>) -> io::Result<Self> {
        Self::create_connection_with(address, Connection::default())
    }

    /// As [`create_connection`](Self::create_connection), with more to say.
    ///
    /// ```
    /// use reseau::sockets::mojo::{Connection, IPv4Addr, Socket};
    /// let server = Socket::create_server(("127.0.0.1", 0))?;
    /// let connection = Connection {
    ///     timeout: Some(5.0),
    ///     source_address: Some(IPv4Addr::new([127, 0, 0, 1], 0)),
    ///     ..Connection::default()
    /// };
    /// let client = Socket::create_connection_with(server.getsockname()?, connection)?;
    /// assert_eq!(server.accept()?.1, client.getsockname()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`create_connection`](Self::create_connection). With `all_errors`, the
    /// [`reseau::Error`](crate::Error) inside has every attempt. `InvalidInput` for a timeout that
    /// is no number of seconds.
    pub fn create_connection_with(
        address: impl ToAddr<IPv4Addr>,
        connection: Connection,
    ) -> io::Result<Self> {
        let mut failed = Vec::new();
        for addr in address.to_addrs()? {
            match attempt(addr, &connection) {
                Ok(socket) => return Ok(socket),
                Err(error) => failed.push(error),
            }
        }
        let last = failed.pop().unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into());
        Err(if connection.all_errors { joined(failed, last) } else { last })
    }
}

fn attempt(addr: IPv4Addr, connection: &Connection) -> io::Result<Socket> {
    let socket = Socket::new()?;
    if connection.timeout.is_some() && !socket.settimeout(connection.timeout) {
        let what = "the timeout is no number of seconds";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    if let Some(source) = connection.source_address {
        socket.bind(source)?;
    }
    socket.connect(addr)?;
    Ok(socket)
}

/// The last error, with all of them as attempts.
fn joined(failed: Vec<io::Error>, last: io::Error) -> io::Error {
    let mut whole = Error::new(Operation::Connect, crate::error::Fault::from(&last).to_io());
    if let Some(peer) = Error::of(&last).and_then(Error::peer_addr) {
        whole = whole.peer(peer.clone());
    }
    for error in failed.into_iter().chain([last]) {
        if let Some(addr) = Error::of(&error).and_then(Error::peer_addr).cloned() {
            whole = whole.attempt(addr, error);
        }
    }
    whole.into()
}

/// Sets who else may take the address.
pub(super) fn reuse(plain: &Plain, value: bool, full_duplicates: bool) -> io::Result<()> {
    let set = || {
        if sys::REUSE_ADDRESS {
            plain.socket().set_reuse_address(value)?;
        }
        if full_duplicates {
            On::Os(plain.socket()).set_number(&places::REUSE_PORT, value.into())?;
        }
        Ok(())
    };
    set().map_err(|error| plain.failed(Operation::SetOption, error))
}

/// Sets whether an idle connection is tried, and in which rhythm.
pub(super) fn keep_alive(plain: &Plain, enable: bool, rhythm: [u32; 3]) -> io::Result<()> {
    let on = On::Os(plain.socket());
    on.set_number(&places::KEEP_ALIVE, enable.into())?;
    if !enable {
        return Ok(());
    }
    let places = [places::KEEP_ALIVE_IDLE, places::KEEP_ALIVE_INTERVAL, places::KEEP_ALIVE_COUNT];
    places.iter().zip(rhythm).try_for_each(|(place, value)| {
        on.set_number(place, i32::try_from(value).unwrap_or(i32::MAX))
    })
}
