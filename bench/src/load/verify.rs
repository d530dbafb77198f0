//! Before a server is measured: does it echo, byte for byte, whatever the pieces?

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use super::wire::{Dial, Wire};
use super::{STALL, stalled};
use crate::sys::{self, Interest, Poller};

/// Sends a megabyte in odd pieces, on two connections at once, and compares what comes back; then
/// checks that the server survives a reset and a half-close.
pub(crate) fn verify(dial: &Dial) -> io::Result<()> {
    let mut wires = dial.connect_all(3)?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let poller = Poller::new()?;
    let mut both: Vec<Stream> = Vec::new();
    for (place, seed) in [(0_u64, 1), (1, 2)] {
        let wire = wires.remove(0);
        poller.add(wire.as_raw_fd(), place, Interest::Edge)?;
        both.push(Stream::new(wire, seed));
    }
    pump(poller, &mut both, deadline)?;
    // Dropping the third without a word, in the middle of the server's read, is a reset.
    drop(wires);
    both[0].wire.finish()?;
    expect_end(&mut both[0].wire)?;
    exchange(&mut both[1].wire, b"still there?")
}

/// One small message there and back, on a nonblocking stream.
pub(super) fn exchange(stream: &mut Wire, message: &[u8]) -> io::Result<()> {
    // A connection that is still being made has no room yet.
    if !sys::wait_writable(stream.as_fd(), STALL)? {
        return Err(stalled("no connection"));
    }
    let sent = stream.write(message)?;
    if sent != message.len() {
        return Err(io::Error::other("a small message did not fit into an empty socket"));
    }
    let mut buffer = [0; 256];
    let mut received = 0;
    while received < message.len() {
        if !sys::wait_readable(stream.as_fd(), STALL)? {
            return Err(stalled("no echo"));
        }
        match stream.read(&mut buffer[received..]) {
            Ok(0) => return Err(io::Error::other("the server closed the connection")),
            Ok(n) => received += n,
            // A part of a record, or what the protocol has to say.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    if &buffer[..received] != message {
        return Err(io::Error::other("the echo is not what was sent"));
    }
    Ok(())
}

struct Stream {
    wire: Wire,
    send: Noise,
    expect: Noise,
    sent: usize,
    received: usize,
}

impl Stream {
    fn new(wire: Wire, seed: u64) -> Self {
        Self { wire, send: Noise(seed), expect: Noise(seed), sent: 0, received: 0 }
    }

    fn write(&mut self) -> io::Result<()> {
        while self.sent < TOTAL {
            // Pieces from 1 byte to 20,000, different on each stream and each time.
            let ahead = self.send.clone().next_byte() as usize;
            let piece = (1 + (self.sent * 31 + ahead * 79) % 20_000).min(TOTAL - self.sent);
            let mut after = self.send.clone();
            let bytes: Vec<u8> = (0..piece).map(|_| after.next_byte()).collect();
            match self.wire.write(&bytes) {
                Ok(n) => {
                    (0..n).for_each(|_| _ = self.send.next_byte());
                    self.sent += n;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 10_007];
        loop {
            match self.wire.read(&mut buffer) {
                Ok(0) => return Err(io::Error::other("the server closed the connection")),
                Ok(n) => {
                    let right = buffer[..n].iter().all(|&byte| byte == self.expect.next_byte());
                    self.received += n;
                    if !right || self.received > TOTAL {
                        return Err(io::Error::other("the echo is not what was sent"));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn pump(mut poller: Poller, streams: &mut [Stream], deadline: Instant) -> io::Result<()> {
    while streams.iter().any(|stream| stream.received < TOTAL) {
        if Instant::now() > deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the echo of 1 MiB takes for ever",
            ));
        }
        let n = poller.wait(Some(STALL))?;
        if n == 0 {
            return Err(stalled("no echo"));
        }
        for i in 0..n {
            let stream = &mut streams[poller.event(i).token as usize];
            stream.write()?;
            stream.read()?;
        }
    }
    Ok(())
}

fn expect_end(stream: &mut Wire) -> io::Result<()> {
    loop {
        if !sys::wait_readable(stream.as_fd(), STALL)? {
            return Err(stalled("no end after a half-close"));
        }
        match stream.read(&mut [0; 16]) {
            Ok(0) => return Ok(()),
            Ok(_) => return Err(io::Error::other("bytes that were never sent")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Bytes that repeat for nobody's buffer size (xorshift).
#[derive(Clone)]
pub(super) struct Noise(pub(super) u64);

impl Noise {
    pub(super) fn next_byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 24) as u8
    }
}

/// On each stream.
const TOTAL: usize = 1 << 20;
