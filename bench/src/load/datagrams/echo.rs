//! Requests and answers: every peer has a bounded number of datagrams in flight.
//!
//! What is lost is sent again after a while, and counted; it is not late until then, so that a
//! server that answers at all comes to an end.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use super::{Crowd, HEAD, connect, connect_joined, pattern};
use crate::load::{Histogram, STALL, Sample, Turn, Window, stalled};
use crate::sys::mail::{self, Mail};
use crate::sys::{Interest, Poller};

pub(in crate::load) fn run(
    window: &mut Window<'_>,
    addr: SocketAddr,
    crowd: Crowd,
) -> io::Result<Sample> {
    let mut load = Load::new(addr, crowd)?;
    window.restart();
    load.start_all(Instant::now())?;
    let mut progress = Instant::now();
    loop {
        let n = load.poller.watch(window.span.awake, LOOK)?;
        let now = Instant::now();
        if n > 0 {
            progress = now;
        } else if now - progress > STALL {
            return Err(stalled("no answer"));
        }
        let ending = window.due(now);
        for i in 0..n {
            let place = load.poller.event(i).token as usize;
            load.turn(place, now, !ending)?;
        }
        load.send_lost_again(now)?;
        if !ending || load.waiting > 0 {
            continue;
        }
        match window.turn()? {
            Turn::Opened => {
                load.latencies.clear();
                load.lost = 0;
                load.start_all(Instant::now())?;
            }
            Turn::Closed { seconds, usage } => {
                let amount = load.latencies.total() as f64;
                let lost = Some(load.lost as f64 / (amount + load.lost as f64));
                let latencies = Some(load.latencies);
                return Ok(Sample { amount, seconds, usage, latencies, lost, distance: None });
            }
        }
    }
}

struct Load {
    poller: Poller,
    peers: Vec<Peer>,
    crowd: Crowd,
    /// Received, and to be sent.
    came: Mail,
    goes: Mail,
    pattern: Vec<u8>,
    latencies: Histogram,
    /// How many requests are in flight.
    waiting: usize,
    lost: u64,
    looked: Instant,
}

struct Peer {
    socket: UdpSocket,
    /// The numbers of requests in flight are above this: `place * FIRST` and up.
    base: u64,
    next: u64,
    /// By number, in the order of sending; the answered ones at the front are gone.
    flight: VecDeque<Request>,
}

struct Request {
    number: u64,
    /// When it was sent first.
    since: Instant,
    /// When it was sent last; `None` once it is answered.
    sent: Option<Instant>,
}

impl Load {
    fn new(addr: SocketAddr, crowd: Crowd) -> io::Result<Self> {
        let poller = Poller::new()?;
        let mut peers = Vec::with_capacity(crowd.peers);
        for place in 0..crowd.peers {
            let socket = if crowd.trains { connect_joined(addr) } else { connect(addr) }?;
            poller.add(socket.as_raw_fd(), place as u64, Interest::Read)?;
            let base = place as u64 * FIRST;
            peers.push(Peer { socket, base, next: base, flight: VecDeque::new() });
        }
        let (slots, room) = match crowd.trains {
            true => (SLOTS, mail::TRAIN_ROOM),
            false => (SLOTS.min(crowd.each), crowd.size + 1),
        };
        Ok(Self {
            poller,
            peers,
            crowd,
            came: Mail::new(slots, room),
            goes: Mail::new(slots, room),
            pattern: pattern(crowd.size),
            latencies: Histogram::new(),
            waiting: 0,
            lost: 0,
            looked: Instant::now(),
        })
    }

    fn start_all(&mut self, now: Instant) -> io::Result<()> {
        (0..self.peers.len()).try_for_each(|place| self.start(place, self.crowd.each, now))
    }

    /// Sends the next `count` requests of a peer.
    fn start(&mut self, place: usize, count: usize, now: Instant) -> io::Result<()> {
        let peer = &mut self.peers[place];
        let first = peer.next;
        peer.next += count as u64;
        let requests =
            (first..peer.next).map(|number| Request { number, since: now, sent: Some(now) });
        peer.flight.extend(requests);
        self.waiting += count;
        self.send(place, first, count)
    }

    /// Sends requests, in as few calls as the crowd may.
    fn send(&mut self, place: usize, first: u64, count: usize) -> io::Result<()> {
        let size = self.crowd.size;
        let train = if self.crowd.trains { mail::train_max(size) } else { 1 };
        let (mut number, end) = (first, first + count as u64);
        while number < end {
            let mut slots = 0;
            while slots < self.goes.slots() && number < end {
                let datagrams = train.min((end - number) as usize);
                let bytes = self.goes.slot(slots);
                for datagram in bytes[..datagrams * size].chunks_exact_mut(size) {
                    datagram[..HEAD].copy_from_slice(&number.to_le_bytes());
                    datagram[HEAD..].copy_from_slice(&self.pattern[HEAD..]);
                    number += 1;
                }
                self.goes.address(slots, datagrams * size, size, None);
                slots += 1;
            }
            let mut sent = 0;
            while sent < slots {
                match self.goes.send(&self.peers[place].socket, sent, slots) {
                    Ok(n) => sent += n,
                    // It counts as lost, and is sent again in its time.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Takes in what came to a peer, and asks anew.
    fn turn(&mut self, place: usize, now: Instant, again: bool) -> io::Result<()> {
        let peer = &mut self.peers[place];
        let trains = match self.came.receive(&peer.socket) {
            Ok(trains) => trains,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut answered = 0;
        for slot in 0..trains {
            let (bytes, segment) = self.came.train(slot);
            for datagram in bytes.chunks(segment.max(1)) {
                let right = datagram.len() == self.pattern.len()
                    && datagram[HEAD..] == self.pattern[HEAD..];
                let number = datagram.first_chunk().map(|head| u64::from_le_bytes(*head));
                let number = number.filter(|number| (peer.base..peer.next).contains(number));
                let (true, Some(number)) = (right, number) else {
                    return Err(io::Error::other("the answer is not what was asked"));
                };
                // One that was sent twice may come back twice.
                if let Some(since) = peer.answer(number) {
                    self.latencies.record(now.saturating_duration_since(since));
                    answered += 1;
                }
            }
        }
        self.waiting -= answered;
        if again && answered > 0 { self.start(place, answered, now) } else { Ok(()) }
    }

    fn send_lost_again(&mut self, now: Instant) -> io::Result<()> {
        if now - self.looked < LOOK {
            return Ok(());
        }
        self.looked = now;
        for place in 0..self.peers.len() {
            let mut overdue = Vec::new();
            for request in &mut self.peers[place].flight {
                if request.sent.is_some_and(|sent| now.saturating_duration_since(sent) > LATE) {
                    request.sent = Some(now);
                    overdue.push(request.number);
                }
            }
            self.lost += overdue.len() as u64;
            overdue.into_iter().try_for_each(|number| self.send(place, number, 1))?;
        }
        Ok(())
    }
}

impl Peer {
    /// When the request was sent that is answered now, if it still was in flight.
    fn answer(&mut self, number: u64) -> Option<Instant> {
        let first = self.flight.front()?.number;
        let request = self.flight.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)?;
        let since = request.sent.take().map(|_| request.since);
        while self.flight.front().is_some_and(|request| request.sent.is_none()) {
            self.flight.pop_front();
        }
        since
    }
}

/// Spreads the numbers of peers, so that an answer to the wrong peer is seen.
const FIRST: u64 = 0x0000_1000_0000_0001;
/// How often to look for what is lost, and after what time it is.
const LOOK: Duration = Duration::from_millis(20);
const LATE: Duration = Duration::from_millis(200);
const SLOTS: usize = 32;
