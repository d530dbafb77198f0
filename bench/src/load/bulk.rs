//! Bulk: one connection, 64 KiB at a time (under TLS 16 KiB, a record), one way.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::wire::Dial;
use super::{STALL, Sample, Turn, Window, stalled};
use crate::sys::{Interest, Poller};

/// Where the bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Into the server.
    In,
    /// Out of the server.
    Out,
}

pub(super) fn run(window: &mut Window<'_>, dial: &Dial, way: Way) -> io::Result<Sample> {
    let mut poller = Poller::new()?;
    let block = if dial.is_secure() && way == Way::In { RECORD } else { BLOCK };
    let mut buffer = vec![0x5a; block];
    let mut streams = dial.connect_all(1)?;
    let stream = &mut streams[0];
    let interest = if way == Way::In { Interest::Write } else { Interest::Read };
    poller.add(stream.as_raw_fd(), 0, interest)?;
    let mut bytes = 0;
    loop {
        if poller.watch(window.span.awake, STALL)? == 0 {
            return Err(stalled("no byte moved"));
        }
        // A few blocks for each wait, so that the load is cheaper than the server.
        for _ in 0..16 {
            let moved = match way {
                Way::In => stream.write(&buffer),
                Way::Out => stream.read(&mut buffer),
            };
            match moved {
                Ok(0) => return Err(io::Error::other("the server closed the connection")),
                Ok(n) => bytes += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if !window.due(Instant::now()) {
            continue;
        }
        match window.turn()? {
            Turn::Opened => bytes = 0,
            Turn::Closed { seconds, usage } => {
                return Ok(Sample {
                    amount: bytes as f64,
                    seconds,
                    usage,
                    latencies: None,
                    lost: None,
                    distance: None,
                });
            }
        }
    }
}

const BLOCK: usize = 64 * 1024;
const RECORD: usize = 16 * 1024;
