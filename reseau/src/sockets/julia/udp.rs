//! Datagrams: `UDPSocket`, `recv`, `recvfrom`, `send`, groups.
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Bind, Error, IPAddr, InetAddr, port};
use crate::addr::{Addr, InterfaceRef};
use crate::error::Operation;
use crate::sockets::plain::Plain;
use crate::sys::option::numbers::{AF_INET, AF_INET6, SOCK_DGRAM};
use crate::sys::{Domain, Side, message, multicast};

/// A socket for datagrams. It needs no address to begin with: using it gives it one.
///
/// Calls wait, and go through a shared reference from any thread; [`close`](Self::close) ends those
/// that wait. Dropping it closes it.
///
/// ```
/// use reseau::sockets::julia::{UDPSocket, bind, getsockname, localhost, recvfrom, send};
///
/// let server = UDPSocket::new();
/// assert!(bind(&server, localhost, 0)?);
/// let (ip, port) = getsockname(&server)?;
/// let client = UDPSocket::new();
/// send(&client, ip, port, b"hello")?;
/// let (from, bytes) = recvfrom(&server)?;
/// assert_eq!(bytes, b"hello");
/// send(&server, from.host, from.port, b"and back")?;
/// assert_eq!(recvfrom(&client)?.1, b"and back");
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
pub struct UDPSocket(Mutex<State>);

enum State {
    /// Without an address.
    Init,
    Open(Arc<Plain>),
    Closed,
}

/// Waits for a datagram, and gives it.
///
/// ```
/// use reseau::sockets::julia::{UDPSocket, bind, getsockname, localhost, recv, send};
/// let server = UDPSocket::new();
/// bind(&server, localhost, 0)?;
/// send(&UDPSocket::new(), localhost, getsockname(&server)?.1, b"hello")?;
/// assert_eq!(recv(&server)?, b"hello");
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// As [`recvfrom`].
pub fn recv(socket: &UDPSocket) -> Result<Vec<u8>, Error> {
    recvfrom(socket).map(|(_, bytes)| bytes)
}

/// Waits for a datagram, and gives it and its sender. A socket without an address gets one: every
/// address of this machine, of both families, and a port that the system chooses.
///
/// # Errors
/// [`Error::EOFError`] when the socket is closed meanwhile, [`Error::ErrorException`] if it was
/// closed before, or "Partial message received" for a datagram that is longer than any may be;
/// [`Error::IOError`] else.
pub fn recvfrom(socket: &UDPSocket) -> Result<(InetAddr, Vec<u8>), Error> {
    let plain = socket.open(Domain::IPV6)?;
    let mut space = vec![0; DATAGRAM_MAX + 1];
    let receive = |socket: &_| message::recv_from(socket, &mut space, 0);
    let received = plain.on(Side::Recv, Operation::Recv, receive);
    if plain.is_ended() {
        plain.ring(); // For the next one who waits.
        return Err(Error::EOFError);
    }
    let (count, addr) = received?;
    let whole = whole(&space[..count])?.to_vec();
    let from = addr.as_socket().ok_or_else(|| Error::state("the sender has no address"))?;
    Ok((SocketAddr::new(from.ip().to_canonical(), from.port()).into(), whole))
}

/// Sends a datagram to an address, whole or not at all. A socket without an address of its own
/// gets one of the same family.
///
/// # Errors
/// [`Error::ArgumentError`] for a port out of range, [`Error::ErrorException`] on a closed socket;
/// [`Error::IOError`] else: it is too long, nobody can be reached.
pub fn send(
    socket: &UDPSocket,
    ipaddr: impl Into<IPAddr>,
    to_port: impl Into<i64>,
    msg: impl AsRef<[u8]>,
) -> Result<(), Error> {
    let to = SocketAddr::new(ipaddr.into().into(), port(to_port)?);
    let plain = socket.open(Domain::for_address(to))?;
    let to = mapped(to, plain.domain()).into();
    let transmit = |socket: &_| message::send_to(socket, msg.as_ref(), Some(&to), 0);
    plain.on(Side::Send, Operation::Send, transmit)?;
    Ok(())
}

/// Joins a group: what is sent to it comes to this socket too.
///
/// ```
/// use reseau::sockets::julia::{IPv4, UDPSocket, bind, join_multicast_group};
/// let socket = UDPSocket::new();
/// bind(&socket, IPv4(0), 0)?;
/// assert!(join_multicast_group(&socket, IPv4::from([192, 0, 2, 1])).is_err()); // It is none.
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// [`Error::IOError`]: it is no group, or no interface can have groups.
pub fn join_multicast_group(socket: &UDPSocket, group: impl Into<IPAddr>) -> Result<(), Error> {
    member(socket, group.into(), &InterfaceRef::Any, true)
}

/// As [`join_multicast_group`], on an interface: by its address, its name or its number.
///
/// # Errors
/// As [`join_multicast_group`]; there is no such interface.
pub fn join_multicast_group_on(
    socket: &UDPSocket,
    group: impl Into<IPAddr>,
    interface: impl Into<InterfaceRef>,
) -> Result<(), Error> {
    member(socket, group.into(), &interface.into(), true)
}

/// Leaves a group.
///
/// # Errors
/// [`Error::IOError`]: it was not joined.
pub fn leave_multicast_group(socket: &UDPSocket, group: impl Into<IPAddr>) -> Result<(), Error> {
    member(socket, group.into(), &InterfaceRef::Any, false)
}

/// As [`leave_multicast_group`], on an interface.
///
/// # Errors
/// As [`leave_multicast_group`].
pub fn leave_multicast_group_on(
    socket: &UDPSocket,
    group: impl Into<IPAddr>,
    interface: impl Into<InterfaceRef>,
) -> Result<(), Error> {
    member(socket, group.into(), &interface.into(), false)
}

/// Options of a [`UDPSocket`]; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setopt {
    /// Whether what goes to a group comes to this machine's members too.
    pub multicast_loop: Option<bool>,
    /// How many hops a datagram to a group may take.
    pub multicast_ttl: Option<u32>,
    /// Whether datagrams may go to broadcast addresses.
    pub enable_broadcast: Option<bool>,
    /// How many hops a datagram may take.
    pub ttl: Option<u32>,
}

/// Sets options. A socket without an address gets one.
///
/// ```
/// use reseau::sockets::julia::{IPv4, Setopt, UDPSocket, bind, setopt};
/// let socket = UDPSocket::new();
/// bind(&socket, IPv4(0), 0)?;
/// setopt(&socket, Setopt { enable_broadcast: Some(true), ttl: Some(3), ..Setopt::default() })?;
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// [`Error::IOError`]: the value is out of range.
pub fn setopt(socket: &UDPSocket, options: Setopt) -> Result<(), Error> {
    let plain = socket.open(Domain::IPV4)?;
    let set = || apply(&plain, options);
    Ok(set().map_err(|error| plain.failed(Operation::SetOption, error))?)
}

impl UDPSocket {
    /// A socket without an address.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(State::Init))
    }

    /// Closes it: calls that wait return. Doing so again does nothing.
    pub fn close(&self) {
        if let State::Open(plain) = std::mem::replace(&mut *self.lock(), State::Closed) {
            plain.end();
        }
    }

    /// Whether it was not [closed](Self::close).
    #[must_use]
    pub fn isopen(&self) -> bool {
        !matches!(*self.lock(), State::Closed)
    }

    pub(super) fn bind_at(&self, addr: SocketAddr, bind: Bind) -> Result<(), Error> {
        let mut state = self.lock();
        if !matches!(*state, State::Init) {
            return Err(Error::state("UDPSocket is not in initialization state"));
        }
        let plain = made(Domain::for_address(addr), bind.ipv6only)?;
        if bind.reuseaddr {
            plain.socket().set_reuse_address(true)?;
        }
        plain.bind(&addr.into())?;
        apply(&plain, bind.options)?;
        *state = State::Open(Arc::new(plain));
        Ok(())
    }

    pub(super) fn addr(&self) -> Result<Addr, Error> {
        match &*self.lock() {
            State::Open(plain) => Ok(plain.local_addr()?),
            State::Init | State::Closed => Err(Error::argument("the socket has no address")),
        }
    }

    /// The socket. One without an address gets one of that family, or where that is IPv6, of both.
    fn open(&self, domain: Domain) -> Result<Arc<Plain>, Error> {
        let mut state = self.lock();
        let plain = match &*state {
            State::Open(plain) => return Ok(Arc::clone(plain)),
            State::Closed => return Err(Error::state("UDPSocket is not initialized and open")),
            State::Init => Arc::new(implicit(domain)?),
        };
        *state = State::Open(Arc::clone(&plain));
        Ok(plain)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most that a datagram holds.
const DATAGRAM_MAX: usize = 65_535;

/// A datagram that is not cut.
fn whole(bytes: &[u8]) -> Result<&[u8], Error> {
    if bytes.len() > DATAGRAM_MAX {
        return Err(Error::state("Partial message received"));
    }
    Ok(bytes)
}

fn made(domain: Domain, only_v6: bool) -> io::Result<Plain> {
    let number = if domain == Domain::IPV6 { AF_INET6 } else { AF_INET };
    let plain = Plain::open(number, SOCK_DGRAM, 0)?;
    if domain == Domain::IPV6 {
        plain.socket().set_only_v6(only_v6)?;
    }
    Ok(plain)
}

/// A socket with every address of the machine. Where there is no IPv6, IPv4 has to do.
fn implicit(domain: Domain) -> io::Result<Plain> {
    let bound = |domain, ip: IpAddr| {
        let plain = made(domain, false)?;
        plain.bind(&SocketAddr::new(ip, 0).into())?;
        Ok(plain)
    };
    let v4 = || bound(Domain::IPV4, [0; 4].into());
    if domain == Domain::IPV6 {
        return bound(domain, Ipv6Addr::UNSPECIFIED.into()).or_else(|_: io::Error| v4());
    }
    v4()
}

/// An address as a socket of that family has it.
fn mapped(to: SocketAddr, domain: Domain) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(ip) if domain == Domain::IPV6 => {
            SocketAddr::new(ip.to_ipv6_mapped().into(), to.port())
        }
        _ => to,
    }
}

fn member(socket: &UDPSocket, group: IPAddr, on: &InterfaceRef, joins: bool) -> Result<(), Error> {
    let group = IpAddr::from(group);
    let plain = socket.open(Domain::for_address(SocketAddr::new(group, 0)))?;
    let set = multicast::set_member(plain.socket(), group, on, joins);
    Ok(set.map_err(|error| plain.failed(Operation::SetOption, error))?)
}

fn apply(plain: &Plain, options: Setopt) -> io::Result<()> {
    let (socket, v6) = (plain.socket(), plain.domain() == Domain::IPV6);
    if let Some(on) = options.multicast_loop {
        match v6 {
            true => socket.set_multicast_loop_v6(on)?,
            false => socket.set_multicast_loop_v4(on)?,
        }
    }
    if let Some(hops) = options.multicast_ttl {
        match v6 {
            true => socket.set_multicast_hops_v6(hops)?,
            false => socket.set_multicast_ttl_v4(hops)?,
        }
    }
    if let Some(on) = options.enable_broadcast {
        socket.set_broadcast(on)?;
    }
    if let Some(hops) = options.ttl {
        match v6 {
            true => socket.set_unicast_hops_v6(hops)?,
            false => socket.set_ttl_v4(hops)?,
        }
    }
    Ok(())
}

impl Default for UDPSocket {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for UDPSocket {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for UDPSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("UDPSocket");
        form.field("open", &self.isopen());
        if let Ok(addr) = self.addr() {
            form.field("addr", &addr);
        }
        form.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_datagram_is_an_error() {
        assert_eq!(whole(&[0; DATAGRAM_MAX]).unwrap().len(), DATAGRAM_MAX);
        let error = whole(&[0; DATAGRAM_MAX + 1]).unwrap_err();
        assert_eq!(error.to_string(), "Partial message received");
    }
}
