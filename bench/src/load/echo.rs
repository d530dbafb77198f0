//! Echo: every connection has one message in flight, and sends the next when it is back.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::wire::{Dial, Wire};
use super::{Histogram, STALL, Sample, Turn, Window, stalled};
use crate::sys::{Event, Interest, Poller};

pub(super) fn run(
    window: &mut Window<'_>,
    dial: &Dial,
    connections: usize,
    size: usize,
) -> io::Result<Sample> {
    let mut load = Load::connect(dial, connections, size)?;
    window.restart();
    load.start_all()?;
    loop {
        let n = load.poller.watch(window.span.awake, STALL)?;
        if n == 0 {
            return Err(stalled("no echo"));
        }
        // One look at the clock for a batch: the end of a message is when the load learns of it.
        let now = Instant::now();
        // At the end of a stretch all that is in flight comes home first: a thousand messages would
        // else be paid for in one stretch and counted in another.
        let ending = window.due(now);
        for i in 0..n {
            load.turn(load.poller.event(i), now, !ending)?;
        }
        if !ending || load.waiting > 0 {
            continue;
        }
        match window.turn()? {
            Turn::Opened => {
                load.latencies.clear();
                load.start_all()?;
            }
            Turn::Closed { seconds, usage } => {
                return Ok(Sample::counted(load.latencies, seconds, usage));
            }
        }
    }
}

struct Load {
    poller: Poller,
    connections: Vec<Connection>,
    message: Vec<u8>,
    buffer: Vec<u8>,
    latencies: Histogram,
    /// How many messages are in flight.
    waiting: usize,
}

struct Connection {
    stream: Wire,
    /// Of the message in flight.
    sent: usize,
    received: usize,
    number: u64,
    since: Instant,
}

impl Load {
    fn connect(dial: &Dial, count: usize, size: usize) -> io::Result<Self> {
        let poller = Poller::new()?;
        let since = Instant::now();
        let mut connections = Vec::with_capacity(count);
        for (place, stream) in dial.connect_all(count)?.into_iter().enumerate() {
            stream.set_nodelay(true)?;
            poller.add(stream.as_raw_fd(), place as u64, Interest::Edge)?;
            let number = place as u64 * FIRST;
            connections.push(Connection { stream, sent: size, received: size, number, since });
        }
        Ok(Self {
            poller,
            connections,
            message: (0..size).map(|i| (i * 37 + 11) as u8).collect(),
            buffer: vec![0; size + 1],
            latencies: Histogram::new(),
            waiting: 0,
        })
    }

    fn start_all(&mut self) -> io::Result<()> {
        (0..self.connections.len()).try_for_each(|place| self.start(place))
    }

    /// Sends the next message of a connection.
    fn start(&mut self, place: usize) -> io::Result<()> {
        let connection = &mut self.connections[place];
        connection.number += 1;
        (connection.sent, connection.received) = (0, 0);
        connection.since = Instant::now();
        self.waiting += 1;
        self.send(place)
    }

    fn turn(&mut self, event: Event, now: Instant, again: bool) -> io::Result<()> {
        let place = event.token as usize;
        if self.connections[place].sent < self.message.len() {
            self.send(place)?;
        } else {
            self.connections[place].stream.flush()?;
        }
        if event.only_writable() {
            return Ok(());
        }
        if self.connections[place].received < self.message.len() && self.receive(place)? {
            let since = self.connections[place].since;
            self.latencies.record(now.saturating_duration_since(since));
            self.waiting -= 1;
            if again {
                self.start(place)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, place: usize) -> io::Result<()> {
        let connection = &mut self.connections[place];
        self.message[..8].copy_from_slice(&connection.number.to_le_bytes());
        match connection.stream.write(&self.message[connection.sent..]) {
            Ok(n) => connection.sent += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads what is there; true when the message is back whole.
    fn receive(&mut self, place: usize) -> io::Result<bool> {
        let size = self.message.len();
        let connection = &mut self.connections[place];
        loop {
            // One byte more than is due: a server that sends too much must not go unseen.
            let room = &mut self.buffer[..size - connection.received + 1];
            let n = match connection.stream.read(room) {
                Ok(0) => return Err(io::Error::other("the server closed the connection")),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            self.message[..8].copy_from_slice(&connection.number.to_le_bytes());
            let due = self.message.get(connection.received..connection.received + n);
            if due.is_none_or(|due| due != &self.buffer[..n]) {
                return Err(io::Error::other("the echo is not what was sent"));
            }
            connection.received += n;
            if connection.received == size {
                return Ok(true);
            }
        }
    }
}

/// Spreads the numbers of connections, so that an echo on the wrong connection is seen.
const FIRST: u64 = 0x0000_1000_0000_0001;
