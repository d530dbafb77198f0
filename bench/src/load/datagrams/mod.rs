//! The load of datagrams: requests and answers, floods in both directions.

mod echo;
mod flood;
mod verify;

use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::sys::mail;

pub(super) use echo::run as echo;
pub(super) use flood::{inwards, outwards};
pub(crate) use verify::verify;

/// Who asks, and how.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    /// Sockets of the load.
    pub(crate) peers: usize,
    /// For each of them: requests in flight, or datagrams sent at once.
    pub(crate) each: usize,
    pub(crate) size: usize,
    /// Whether the load lets the kernel cut and join its datagrams.
    pub(crate) trains: bool,
}

/// A socket that talks with the server alone.
fn connect(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = mail::bind()?;
    socket.connect(addr)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A socket that talks with the server alone, and receives trains.
fn connect_joined(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = connect(addr)?;
    mail::join(&socket)?;
    Ok(socket)
}

/// The bytes of a datagram, before it gets its number.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 37 + 11) as u8).collect()
}

/// Where the pattern begins.
const HEAD: usize = 8;
