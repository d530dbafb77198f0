//! Accept and close: a few connections at a time, each of them only to see it end.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::{Histogram, STALL, Sample, Turn, Window, stalled};
use crate::sys::{self, Interest, Poller};

pub(super) fn run(window: &mut Window<'_>, addr: SocketAddr, slots: usize) -> io::Result<Sample> {
    let mut load = Load { poller: Poller::new()?, addr, latencies: Histogram::new() };
    let mut places = Vec::with_capacity(slots);
    for place in 0..slots {
        places.push(load.connect(place)?);
    }
    loop {
        let n = load.poller.watch(window.span.awake, STALL)?;
        if n == 0 {
            return Err(stalled("no connection ended"));
        }
        let now = Instant::now();
        for i in 0..n {
            let event = load.poller.event(i);
            if event.only_writable() {
                continue;
            }
            let place = event.token as usize;
            let (stream, since) = &mut places[place];
            match stream.read(&mut [0; 8]) {
                Ok(0) => {}
                Ok(_) => return Err(io::Error::other("the server sent something")),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            load.latencies.record(now.saturating_duration_since(*since));
            // Replacing closes: with a linger of zero, so no port is left in TIME_WAIT.
            places[place] = load.connect(place)?;
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

struct Load {
    poller: Poller,
    addr: SocketAddr,
    latencies: Histogram,
}

impl Load {
    fn connect(&self, place: usize) -> io::Result<(TcpStream, Instant)> {
        let since = Instant::now();
        let stream = sys::connect(self.addr)?;
        self.poller.add(stream.as_raw_fd(), place as u64, Interest::Edge)?;
        Ok((stream, since))
    }
}
