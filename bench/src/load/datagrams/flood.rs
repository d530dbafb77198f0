//! Floods: as many datagrams as one core can send, and as many as a server can.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::{Crowd, HEAD, connect, connect_joined, pattern};
use crate::load::{STALL, Sample, Turn, Window, stalled};
use crate::meter::{Tally, Usage};
use crate::sys::mail::{self, Mail};
use crate::sys::{Interest, Poller};

/// Into the server, which counts; what it is too slow for is lost.
pub(in crate::load) fn inwards(
    window: &mut Window<'_>,
    addr: SocketAddr,
    crowd: Crowd,
) -> io::Result<Sample> {
    let sockets: Vec<_> = (0..crowd.peers).map(|_| connect(addr)).collect::<Result<_, _>>()?;
    let Crowd { each, size, trains, .. } = crowd;
    let train = if trains { mail::train_max(size).min(each) } else { 1 };
    let slots = each / train;
    let mut mail = Mail::new(slots, train * size);
    for slot in 0..slots {
        for datagram in mail.slot(slot).chunks_exact_mut(size) {
            datagram[HEAD..].copy_from_slice(&pattern(size)[HEAD..]);
        }
        mail.address(slot, train * size, size, None);
    }
    window.restart();
    let mut sent = 0;
    loop {
        for socket in &sockets {
            match mail.send(socket, 0, slots) {
                Ok(n) => sent += n * train,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if !window.due(Instant::now()) {
            continue;
        }
        match window.turn()? {
            Turn::Opened => sent = 0,
            Turn::Closed { usage, .. } => {
                return tallied(usage, size, |tally| {
                    1.0 - tally.packets / f64::max(sent as f64, 1.0)
                });
            }
        }
    }
}

/// Out of the server, which counts; what the load is too slow for is lost.
pub(in crate::load) fn outwards(
    window: &mut Window<'_>,
    addr: SocketAddr,
    crowd: Crowd,
) -> io::Result<Sample> {
    let Crowd { size, trains, .. } = crowd;
    let socket = if trains { connect_joined(addr) } else { connect(addr) }?;
    let mut mail = Mail::new(SLOTS, if trains { mail::TRAIN_ROOM } else { size + 1 });
    let mut poller = Poller::new()?;
    poller.add(socket.as_raw_fd(), 0, Interest::Read)?;
    let (mut came, mut last) = (0_usize, None);
    socket.send(&pattern(size))?;
    loop {
        if poller.watch(window.span.awake, STALL)? == 0 {
            return Err(stalled("no datagram"));
        }
        // A few for each wait, so that the load is cheaper than the server.
        for _ in 0..16 {
            let trains = match mail.receive(&socket) {
                Ok(trains) => trains,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            for slot in 0..trains {
                let (bytes, segment) = mail.train(slot);
                came += bytes.len() / size;
                check(bytes, segment, size, &mut last)?;
            }
        }
        if !window.due(Instant::now()) {
            continue;
        }
        let so_far = came;
        match window.turn()? {
            Turn::Opened => came = 0,
            Turn::Closed { usage, .. } => {
                return tallied(usage, size, |tally| 1.0 - so_far as f64 / tally.packets.max(1.0));
            }
        }
    }
}

/// Datagrams are as long as they shall be, and their numbers grow.
fn check(bytes: &[u8], segment: usize, size: usize, last: &mut Option<u64>) -> io::Result<()> {
    if segment != size || !bytes.len().is_multiple_of(size) {
        return Err(io::Error::other("a datagram of another length than was asked for"));
    }
    for datagram in bytes.chunks_exact(size) {
        let number = datagram.first_chunk().map(|head| u64::from_le_bytes(*head));
        if number <= *last {
            return Err(io::Error::other("a datagram came twice or too late"));
        }
        *last = number;
    }
    Ok(())
}

/// By the server's own count.
fn tallied(usage: Usage, size: usize, lost: impl Fn(&Tally) -> f64) -> io::Result<Sample> {
    let tally = usage.tally.ok_or_else(|| io::Error::other("the server does not count"))?;
    if tally.packets == 0.0 {
        return Err(io::Error::other("the server counted nothing"));
    }
    if tally.bytes != tally.packets * size as f64 {
        return Err(io::Error::other("the server counted datagrams of other lengths"));
    }
    Ok(Sample {
        amount: tally.packets,
        seconds: tally.wall_ns / 1e9,
        usage,
        latencies: None,
        lost: Some(lost(&tally).max(0.0)),
        distance: None,
    })
}

const SLOTS: usize = 32;
