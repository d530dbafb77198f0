//! Before a server is measured: does it echo, byte for byte, whatever the pieces?

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use super::{STALL, connect_all, stalled};
use crate::sys::{self, Interest, Poller};

/// Sends a megabyte in odd pieces, on two connections at once, and compares what comes back; then
/// checks that the server survives a reset and a half-close.
pub(crate) fn verify(addr: SocketAddr) -> io::Result<()> {
    let mut streams = connect_all(addr, 3)?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let poller = Poller::new()?;
    let mut both: Vec<Stream> = Vec::new();
    for (place, seed) in [(0, 1), (1, 2)] {
        poller.add(streams[place].as_raw_fd(), place as u64, Interest::Edge)?;
        both.push(Stream::new(streams[place].try_clone()?, seed));
    }
    pump(poller, &mut both, deadline)?;
    // Dropping the third without a word, in the middle of the server's read, is a reset.
    streams.pop();
    streams[0].shutdown(std::net::Shutdown::Write)?;
    expect_end(&mut streams[0])?;
    exchange(&mut streams[1], b"still there?")
}

/// One small message there and back, on a nonblocking stream.
pub(super) fn exchange(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
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
        let n = stream.read(&mut buffer[received..])?;
        if n == 0 {
            return Err(io::Error::other("the server closed the connection"));
        }
        received += n;
    }
    if &buffer[..received] != message {
        return Err(io::Error::other("the echo is not what was sent"));
    }
    Ok(())
}

struct Stream {
    stream: TcpStream,
    send: Noise,
    expect: Noise,
    sent: usize,
    received: usize,
}

impl Stream {
    fn new(stream: TcpStream, seed: u64) -> Self {
        Self { stream, send: Noise(seed), expect: Noise(seed), sent: 0, received: 0 }
    }

    fn write(&mut self) -> io::Result<()> {
        while self.sent < TOTAL {
            // Pieces from 1 byte to 20,000, different on each stream and each time.
            let ahead = self.send.clone().next_byte() as usize;
            let piece = (1 + (self.sent * 31 + ahead * 79) % 20_000).min(TOTAL - self.sent);
            let mut after = self.send.clone();
            let bytes: Vec<u8> = (0..piece).map(|_| after.next_byte()).collect();
            match self.stream.write(&bytes) {
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
            match self.stream.read(&mut buffer) {
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

fn expect_end(stream: &mut TcpStream) -> io::Result<()> {
    if !sys::wait_readable(stream.as_fd(), STALL)? {
        return Err(stalled("no end after a half-close"));
    }
    match stream.read(&mut [0; 16])? {
        0 => Ok(()),
        _ => Err(io::Error::other("bytes that were never sent, after a half-close")),
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
