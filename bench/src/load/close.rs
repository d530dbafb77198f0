//! Accept and close: a few connections at a time, each of them only to see it end, under TLS
//! behind a handshake.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::wire::{Dial, Wire};
use super::{Histogram, STALL, Sample, Turn, Window, stalled};
use crate::sys::{Interest, Poller};

/// With handshakes that are all full, or all `resumed` but the first of each slot.
pub(super) fn run(
    window: &mut Window<'_>,
    dial: &Dial,
    slots: usize,
    resumed: bool,
) -> io::Result<Sample> {
    let mut load = Load { poller: Poller::new()?, dial, latencies: Histogram::new() };
    let mut places = Vec::with_capacity(slots);
    for place in 0..slots {
        let (wire, since) = load.connect(place)?;
        places.push(Place { wire, since, again: false });
    }
    loop {
        let n = load.poller.watch(window.span.awake, STALL)?;
        if n == 0 {
            return Err(stalled("no connection ended"));
        }
        let now = Instant::now();
        for i in 0..n {
            let event = load.poller.event(i);
            let number = event.token as usize;
            let place = &mut places[number];
            if event.only_writable() {
                place.wire.flush()?;
                continue;
            }
            match place.wire.read(&mut [0; 8]) {
                Ok(0) => {}
                Ok(_) => return Err(io::Error::other("the server sent something")),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if place.wire.is_resumed().is_some_and(|was| was != (resumed && place.again)) {
                return Err(io::Error::other("a handshake of the wrong kind"));
            }
            load.latencies.record(now.saturating_duration_since(place.since));
            // Replacing closes: with a linger of zero, so no port is left in TIME_WAIT.
            (place.wire, place.since) = load.connect(number)?;
            place.again = true;
        }
        if !window.due(now) {
            continue;
        }
        match window.turn()? {
            Turn::Opened => load.latencies.clear(),
            Turn::Closed { seconds, usage } => {
                return Ok(Sample::counted(load.latencies, seconds, usage));
            }
        }
    }
}

struct Place {
    wire: Wire,
    since: Instant,
    /// Whether it has been here before.
    again: bool,
}

struct Load<'a> {
    poller: Poller,
    dial: &'a Dial,
    latencies: Histogram,
}

impl Load<'_> {
    fn connect(&self, place: usize) -> io::Result<(Wire, Instant)> {
        let since = Instant::now();
        let mut stream = self.dial.begin(place)?;
        self.poller.add(stream.as_raw_fd(), place as u64, Interest::Edge)?;
        stream.flush()?;
        Ok((stream, since))
    }
}
