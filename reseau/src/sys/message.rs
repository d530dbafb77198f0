//! Datagrams with their circumstances, one by one and many at once, for both doors.
//!
//! What differs between systems is in `message_unix.rs` and `message_windows.rs`, under the same
//! names in the same order. **The contract:**
//!
//! - `recv_packet(socket, space, flags)`, `send_packet(socket, bytes, packet, peer, flags)`: one
//!   datagram; a longer one than `space` is cut and says so, on every system;
//! - `recv_from(socket, space, flags)`, `recv(socket, space, flags)`: without circumstances;
//! - `tell(socket)`: from now on the system tells all that it can about datagrams;
//! - `recv_many(socket, batch, flags)`, `send_many(socket, batch, flags)`: `None` where the system
//!   has no call for many;
//! - `set_gro(socket, on)`, `gro(socket)`: whether datagrams of one sender may come joined.
//!
//! All functions on sockets do what the socket does when it would block: return or wait. Those on
//! [`Fd`] never wait.
use super::{Fd, OsSocket, Side, SockAddr, messages, system, uninterrupted, unsupported};
use crate::addr::Addr;
use crate::packet::{Batch, Packet};
use std::io;
use std::net::SocketAddr;

impl Fd {
    /// Receives one datagram; `peer` is `None` if the sender has no name.
    ///
    /// What it tells beside `len`, `peer` and `truncated` was asked for before
    /// ([`tell`](Self::tell)).
    pub(crate) fn recv_packet(&self, space: &mut [u8]) -> io::Result<Packet<Addr>> {
        match self {
            Self::Os(socket) => uninterrupted(|| messages::recv_packet(socket, space, 0)),
            #[cfg(feature = "async")]
            Self::Sim(port) => simulated(port, space),
        }
    }

    /// Sends one datagram, whole or not at all. `Unsupported` if the system cannot grant a wish.
    pub(crate) fn send_packet(&self, bytes: &[u8], packet: &Packet<Addr>) -> io::Result<usize> {
        match self {
            Self::Os(socket) => uninterrupted(|| send_packet(socket, bytes, packet, 0)),
            #[cfg(feature = "async")]
            Self::Sim(port) => {
                without_wishes(packet)?;
                port.send_to(bytes, packet.peer.as_ref())
            }
        }
    }

    /// Receives what is there, as far as there is room: at least one datagram.
    pub(crate) fn recv_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        match self {
            Self::Os(socket) => uninterrupted(|| recv_batch(socket, batch, 0)),
            #[cfg(feature = "async")]
            Self::Sim(port) => recv_each(batch, |space, _| simulated(port, space)),
        }
    }

    /// Sends from the front of the batch, which loses what was sent: at least one datagram.
    pub(crate) fn send_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        match self {
            Self::Os(socket) => uninterrupted(|| send_batch(socket, batch, 0)),
            #[cfg(feature = "async")]
            Self::Sim(port) => send_each(batch, |bytes, packet| {
                without_wishes(packet)?;
                let peer = packet.peer.map(Addr::Inet);
                port.send_to(bytes, peer.as_ref())
            }),
        }
    }

    /// Asks the system to tell what it can about the datagrams that arrive from now on. What it
    /// cannot tell stays `None`, so this does not fail.
    pub(crate) fn tell(&self) {
        if let Ok(socket) = self.os() {
            messages::tell(socket);
        }
    }

    /// Lets the system join datagrams of one sender, which only `recv_batch` takes apart again.
    pub(crate) fn set_gro(&self, on: bool) -> io::Result<()> {
        messages::set_gro(self.os()?, on)
    }

    /// What [`set_gro`](Self::set_gro) set; `false` where there is no such thing.
    pub(crate) fn gro(&self) -> bool {
        self.os().is_ok_and(messages::gro)
    }
}

pub(crate) use messages::{gro, recv, recv_from, recv_packet, set_gro, tell};

/// Sends one datagram to `to`, or to the peer that the socket is connected with.
pub(crate) fn send_to(
    socket: &OsSocket,
    bytes: &[u8],
    to: Option<&SockAddr>,
    flags: i32,
) -> io::Result<usize> {
    match to {
        None => socket.send_with_flags(bytes, flags | system::NOSIGNAL),
        Some(to) => socket.send_to_with_flags(bytes, to, flags | system::NOSIGNAL),
    }
}

/// [`Fd::send_packet`] on a socket of either mode.
pub(crate) fn send_packet<A: Named>(
    socket: &OsSocket,
    bytes: &[u8],
    packet: &Packet<A>,
    flags: i32,
) -> io::Result<usize> {
    let peer = packet.peer.as_ref().map(Named::to_sock_addr).transpose()?;
    messages::send_packet(socket, bytes, packet, peer.as_ref(), flags | system::NOSIGNAL)
}

/// Addresses of any family, and those that can only be UDP's.
pub(crate) trait Named {
    fn to_sock_addr(&self) -> io::Result<SockAddr>;
    #[cfg_attr(windows, allow(dead_code))] // It grants no wishes that would have to be looked at.
    fn to_inet(&self) -> Option<SocketAddr>;
}

impl Named for Addr {
    fn to_sock_addr(&self) -> io::Result<SockAddr> {
        super::to_sock_addr(self)
    }

    fn to_inet(&self) -> Option<SocketAddr> {
        self.inet()
    }
}

impl Named for SocketAddr {
    fn to_sock_addr(&self) -> io::Result<SockAddr> {
        Ok(SockAddr::from(*self))
    }

    fn to_inet(&self) -> Option<SocketAddr> {
        Some(*self)
    }
}

/// [`Fd::recv_batch`] on a socket of either mode: it waits for the first datagram alone.
pub(crate) fn recv_batch(socket: &OsSocket, batch: &mut Batch, flags: i32) -> io::Result<usize> {
    if let Some(result) = messages::recv_many(socket, batch, flags) {
        return result;
    }
    recv_each(batch, |space, first| {
        if first {
            messages::recv_packet(socket, space, flags)
        } else {
            system::at_once(socket, Side::Recv, |none| {
                messages::recv_packet(socket, space, flags | none)
            })
        }
    })
}

/// [`Fd::send_batch`] on a socket of either mode: one that waits sends all.
pub(crate) fn send_batch(socket: &OsSocket, batch: &mut Batch, flags: i32) -> io::Result<usize> {
    if let Some(result) = messages::send_many(socket, batch, flags | system::NOSIGNAL) {
        return result;
    }
    send_each(batch, |bytes, packet| send_packet(socket, bytes, packet, flags))
}

/// Receives by single calls, of which the first is told that it is.
fn recv_each(
    batch: &mut Batch,
    mut recv: impl FnMut(&mut [u8], bool) -> io::Result<Packet<Addr>>,
) -> io::Result<usize> {
    let (count, size) = (batch.packets_max(), batch.bytes_each());
    batch.empty(count * size);
    for nth in 0..count {
        match recv(batch.room(nth * size, size), nth == 0) {
            Ok(packet) => batch.received(nth * size, packet.map(inet)?, None),
            Err(error) if nth == 0 => return Err(error),
            // There is no more, or the next call will say what is wrong.
            Err(_) => break,
        }
    }
    Ok(batch.len())
}

/// Sends by single calls until one fails.
fn send_each(
    batch: &mut Batch,
    mut send: impl FnMut(&[u8], &Packet) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut count = 0;
    let result = batch.iter().try_for_each(|(packet, bytes)| {
        send(bytes, packet)?;
        count += 1;
        Ok(())
    });
    batch.skip(count);
    if count > 0 { Ok(count) } else { result.map(|()| 0) }
}

/// A name of IPv4 or IPv6: batches have no others.
pub(crate) fn inet(addr: Addr) -> io::Result<SocketAddr> {
    addr.inet().ok_or_else(not_inet)
}

pub(super) fn not_inet() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "batches are for sockets of UDP")
}

#[cfg(feature = "async")]
fn simulated(port: &super::sim::Port, space: &mut [u8]) -> io::Result<Packet<Addr>> {
    let (count, whole, peer) = port.recv_from(super::blocking::uninit(space), false)?;
    let mut packet = Packet::connected();
    (packet.len, packet.truncated, packet.peer) = (count, whole > count, peer);
    Ok(packet)
}

#[cfg_attr(unix, cfg_attr(not(feature = "async"), allow(dead_code)))]
pub(super) fn without_wishes<A>(packet: &Packet<A>) -> io::Result<()> {
    if packet.has_wishes() { Err(unsupported("no wishes are granted here")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
