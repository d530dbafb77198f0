//! Idle: many connections that spoke once; what does each cost the server in memory?

use std::io;
use std::time::Duration;

use super::wire::{Dial, Wire};
use super::{Sample, verify};
use crate::child::Process;
use crate::meter::Usage;

pub(super) fn run(server: &mut Process, dial: &Dial, count: usize) -> io::Result<Sample> {
    // What the server allocates once, for its first connections, is not theirs.
    let mut first = talk(dial, 16)?;
    for _ in 0..WARM {
        for stream in &mut first {
            verify::exchange(stream, &[0x3c; 64])?;
        }
    }
    let before = settled(server)?;
    let streams = talk(dial, count)?;
    let after = settled(server)?;
    drop(streams);
    let amount = after.saturating_sub(before) as f64 / count as f64;
    // Not a rate: one second makes it stand as it is.
    Ok(Sample {
        amount,
        seconds: 1.0,
        usage: Usage::default(),
        latencies: None,
        lost: None,
        distance: None,
    })
}

/// Opens connections, a batch at a time, and has each of them echo one message.
fn talk(dial: &Dial, count: usize) -> io::Result<Vec<Wire>> {
    let mut streams = Vec::with_capacity(count);
    while streams.len() < count {
        let batch = BATCH.min(count - streams.len());
        let from = streams.len();
        streams.extend(dial.connect_all(batch)?);
        for stream in &mut streams[from..] {
            verify::exchange(stream, &[0x3c; 64])?;
        }
    }
    Ok(streams)
}

/// Private memory, once two looks in a row agree.
fn settled(server: &Process) -> io::Result<u64> {
    let mut last = server.private_bytes()?;
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(20));
        let now = server.private_bytes()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

/// Messages of each of the first connections: enough to go once around any pool of buffers.
const WARM: usize = 1000;
/// Well below any backlog.
const BATCH: usize = 256;
