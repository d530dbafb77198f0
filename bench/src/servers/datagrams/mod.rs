//! The servers of datagrams: they echo, count, or send without end.

mod compio;
mod quinn;
mod raw;
mod reseau;
mod threads;
mod tokio;

use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::scenario::Post;
use crate::sys;

pub(super) use compio::run as compio;
pub(super) use quinn::run as quinn;
pub(super) use raw::{gso as raw_gso, mmsg as raw_mmsg, single as raw_epoll};
pub(super) use reseau::{blocking, blocking_batch, ready, ready_batch, uring, uring_batch};
pub(super) use threads::run as threads;
pub(super) use tokio::run as tokio;

/// What a server of datagrams is to do: [`Post::Echo`], [`Post::Sink`] or
/// [`Post::Source`].
///
/// A source waits for a datagram, and then sends such of the same length to whom it came from,
/// without end, each with its number in the first eight bytes.
pub(crate) struct Task {
    pub(crate) socket: UdpSocket,
    pub(crate) post: Post,
}

impl Task {
    /// Tells the load that the server stands; to be called once.
    pub(crate) fn ready(&self) -> io::Result<()> {
        super::announce(self.socket.local_addr()?.port())
    }
}

/// Datagrams received by a sink, or sent by a source. One thread counts.
pub(super) struct Tally {
    packets: AtomicU64,
    bytes: AtomicU64,
}

pub(super) static TALLY: Tally = Tally { packets: AtomicU64::new(0), bytes: AtomicU64::new(0) };

impl Tally {
    /// As cheap as adding to a number: nobody else writes.
    pub(super) fn add(&self, packets: usize, bytes: usize) {
        for (total, more) in [(&self.packets, packets), (&self.bytes, bytes)] {
            total.store(total.load(Ordering::Relaxed) + more as u64, Ordering::Relaxed);
        }
    }

    /// Packets, bytes, and the nanoseconds of processor and wall time at which they were counted.
    pub(super) fn read(&self) -> io::Result<[u64; 4]> {
        let cpu = sys::clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)?;
        let (packets, bytes) =
            (self.packets.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        Ok([packets, bytes, cpu, sys::clock_ns(libc::CLOCK_MONOTONIC)?])
    }
}

/// The numbers of datagrams that a source sends.
#[derive(Default)]
struct Numbers(u64);

impl Numbers {
    /// Numbers the next one.
    fn write(&mut self, bytes: &mut [u8]) {
        if let Some(place) = bytes.first_chunk_mut() {
            *place = self.0.to_le_bytes();
        }
        self.0 += 1;
    }
}

/// The posts, one call for each datagram; behind each comes `$wait`.
macro_rules! one_by_one {
    ($socket:ident, $post:expr, [$($wait:tt)*]) => {{
        use crate::scenario::Post;
        use crate::servers::datagrams::{Numbers, PACKET_BYTES, TALLY};
        let mut buffer = vec![0; PACKET_BYTES];
        match $post {
            Post::Sink => loop {
                let (n, _) = $socket.recv_from(&mut buffer)$($wait)*?;
                TALLY.add(1, n);
            },
            Post::Source => {
                let (n, peer) = $socket.recv_from(&mut buffer)$($wait)*?;
                let mut numbers = Numbers::default();
                loop {
                    numbers.write(&mut buffer[..n]);
                    $socket.send_to(&buffer[..n], peer)$($wait)*?;
                    TALLY.add(1, n);
                }
            }
            _ => loop {
                let (n, peer) = $socket.recv_from(&mut buffer)$($wait)*?;
                $socket.send_to(&buffer[..n], peer)$($wait)*?;
            },
        }
    }};
}

use one_by_one;

/// Counts what a sink received as one train: it looks at each datagram, as a program would.
fn count(train: &[u8], segment: usize) {
    let lens = train.chunks(segment.max(1)).map(<[u8]>::len);
    let (packets, bytes) = lens.fold((0, 0), |(packets, bytes), len| (packets + 1, bytes + len));
    TALLY.add(packets, bytes);
}

/// The room for one datagram, where they come one by one.
const PACKET_BYTES: usize = 2048;
/// How many datagrams a batch holds at least.
const BATCH: usize = 64;
