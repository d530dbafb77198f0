//! Before a server is measured: does it send datagrams back, byte for byte, whatever their length?

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use super::connect;
use crate::load::stalled;
use crate::load::verify::Noise;
use crate::sys::mail::{self, Mail};
use crate::sys::wait_readable;

/// Sends datagrams of all lengths on two sockets, singly and as trains, and compares what comes
/// back. Servers here answer in order, and a loopback loses nothing that has room.
pub(crate) fn verify(addr: SocketAddr) -> io::Result<()> {
    let sockets = [connect(addr)?, connect(addr)?];
    let mut noise = Noise(3);
    for len in (0..=40).chain([63, 64, 65, 511, 1199, 1200, 1472, 1473, 2000, 2048]) {
        let all = sockets.each_ref().map(|socket| (socket, bytes(&mut noise, len)));
        for (socket, datagram) in &all {
            socket.send(datagram)?;
        }
        for (socket, datagram) in &all {
            expect(socket, datagram)?;
        }
    }
    let mut mail = Mail::new(1, mail::TRAIN_ROOM);
    for (size, rest) in [(1, 0), (7, 3), (64, 0), (64, 1), (1200, 0), (1200, 1199), (1452, 10)] {
        let count = mail::train_max(size).min(30);
        let len = count * size - size + if rest == 0 { size } else { rest };
        for socket in &sockets {
            let train = bytes(&mut noise, len);
            mail.slot(0)[..len].copy_from_slice(&train);
            mail.address(0, len, size, None);
            mail.send(socket, 0, 1)?;
            train.chunks(size).try_for_each(|datagram| expect(socket, datagram))?;
        }
    }
    Ok(())
}

fn expect(socket: &UdpSocket, datagram: &[u8]) -> io::Result<()> {
    if !wait_readable(socket.as_fd(), LIMIT)? {
        return Err(stalled("no datagram came back"));
    }
    let mut buffer = [0; 4096];
    let n = socket.recv(&mut buffer)?;
    if &buffer[..n] == datagram {
        return Ok(());
    }
    let text = format!("a datagram of {} bytes came back otherwise ({n})", datagram.len());
    Err(io::Error::other(text))
}

fn bytes(noise: &mut Noise, len: usize) -> Vec<u8> {
    (0..len).map(|_| noise.next_byte()).collect()
}

const LIMIT: Duration = Duration::from_secs(5);
