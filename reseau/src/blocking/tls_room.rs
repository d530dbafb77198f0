//! Handshakes beside `accept`, for threads: [`Room`].
//!
//! Whoever accepts waits for the listener and for all whose handshakes are under way, by one call
//! of the system, and goes on with those who can. Nothing else waits: sockets are in a mode in
//! which their calls do not.
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Listener, MaybeTls, Stream, TlsStream};
use crate::addr::Addr;
use crate::clock;
use crate::sys::blocking as calls;
use crate::sys::{OsSocket, Side};
use crate::tls::Server;
use crate::tls::chance::Chance;
use crate::tls::engine::Engine;
use crate::tls::listening::{Failure, Failures, HANDSHAKE, LIMIT, MOST};

/// A listener, and those of its connections whose handshakes are under way.
pub(super) struct Room {
    pub(super) listener: Listener,
    pub(super) server: Server,
    /// How long a handshake may take.
    pub(super) limit: Duration,
    /// How many may be there at the same time.
    pub(super) most: usize,
    /// Those who do not speak TLS are let in, too.
    pub(super) plain: bool,
    pub(super) failures: Failures,
    /// Whoever accepts does not wait.
    pub(super) nonblocking: AtomicBool,
    /// How many are there, for those who do not want to wait until they may count.
    count: AtomicUsize,
    /// Held by the one who accepts. Others wait until it has.
    guests: Mutex<Guests>,
}

#[derive(Default)]
struct Guests {
    there: Vec<Guest>,
    /// The listener's own calls do not wait any more.
    prepared: bool,
    /// What was read, for as long as it takes to feed it.
    space: Vec<u8>,
}

struct Guest {
    arrival: Arrival,
    peer: Addr,
    late: Instant,
    /// It was late because nobody accepted, and was given its time once more.
    spared: bool,
    waits: Side,
}

/// A connection before its handshake is done.
enum Arrival {
    /// It may speak TLS, or not.
    Unknown(Stream),
    Tls(Greeting),
    /// It is over, and about to be taken away.
    Gone,
}

/// A handshake.
struct Greeting {
    stream: Stream,
    engine: Engine,
    /// Encrypted and not sent yet.
    sealed: Vec<u8>,
}

/// How far an arrival came.
enum Step {
    Waits(Side),
    Done(MaybeTls),
}

impl Room {
    pub(super) fn new(listener: Listener, server: &Server) -> Self {
        let waits_not = calls::is_nonblocking(listener.socket()).unwrap_or(false);
        Self {
            listener,
            server: server.clone(),
            limit: LIMIT,
            most: MOST,
            plain: false,
            failures: Failures::default(),
            nonblocking: AtomicBool::new(waits_not),
            count: AtomicUsize::new(0),
            guests: Mutex::default(),
        }
    }

    /// How many handshakes are under way.
    pub(super) fn handshakes(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn accept(&self) -> io::Result<(MaybeTls, Addr)> {
        self.server.check()?;
        let guests = &mut *self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if !mem::replace(&mut guests.prepared, true) {
            self.listener.set_nonblocking(true)?;
        }
        let accepted = self.next(guests);
        self.count.store(guests.there.len(), Ordering::Relaxed);
        accepted
    }

    fn next(&self, guests: &mut Guests) -> io::Result<(MaybeTls, Addr)> {
        let nonblocking = self.nonblocking.load(Ordering::Relaxed);
        // The system's timeout of a listener counts from the start of the call.
        let patience = self.listener.socket().read_timeout().ok().flatten();
        let end = patience.and_then(|patience| clock::real().checked_add(patience));
        let mut looked = false;
        loop {
            self.count.store(guests.there.len(), Ordering::Relaxed);
            let limit = if nonblocking { Some(Duration::ZERO) } else { self.span(guests, end) };
            let ready = self.wait(guests, limit)?;
            if let Some(accepted) = self.attend(guests, &ready) {
                return Ok(accepted);
            }
            if ready.first() == Some(&true) && self.admit(guests)? {
                continue;
            }
            // Who was let in has not been looked at yet.
            if nonblocking && mem::replace(&mut looked, true) {
                return Err(ErrorKind::WouldBlock.into());
            }
            if end.is_some_and(|end| end <= clock::real()) {
                return Err(io::Error::from_raw_os_error(calls::TIMED_OUT));
            }
        }
    }

    /// How long nothing has to be done.
    fn span(&self, guests: &Guests, end: Option<Instant>) -> Option<Duration> {
        let late = guests.there.iter().map(|guest| guest.late).chain(end).min()?;
        Some(late.saturating_duration_since(clock::real()))
    }

    /// Says of the listener, and of each who is there, whether it can go on.
    fn wait(&self, guests: &Guests, limit: Option<Duration>) -> io::Result<Vec<bool>> {
        let mut sockets = Vec::with_capacity(guests.there.len() + 1);
        if guests.there.len() < self.most {
            sockets.push((self.listener.socket(), Side::Recv));
        }
        let full = sockets.is_empty();
        sockets.extend(guests.there.iter().filter_map(Guest::entry));
        let mut ready = calls::wait_each(&sockets, limit)?;
        if full {
            ready.insert(0, false);
        }
        Ok(ready)
    }

    /// Goes on with those who can, until one is done, and sends those away who are late.
    fn attend(&self, guests: &mut Guests, ready: &[bool]) -> Option<(MaybeTls, Addr)> {
        let now = clock::real();
        let mut done = None;
        let Guests { there, space, .. } = guests;
        for (guest, ready) in there.iter_mut().zip(&ready[1..]) {
            if done.is_some() {
                break;
            }
            let step = if *ready {
                guest.arrival.step(&self.server, space)
            } else if guest.late <= now {
                Err(io::Error::new(ErrorKind::TimedOut, "the handshake is late"))
            } else {
                continue;
            };
            match step {
                Ok(Step::Done(stream)) => done = Some((stream, guest.peer.clone())),
                Ok(Step::Waits(side)) => {
                    guest.waits = side;
                    // It was there in time, as far as anybody can tell, and nobody came.
                    if guest.late <= now && !mem::replace(&mut guest.spared, true) {
                        guest.late = after(now, self.limit);
                    }
                    continue;
                }
                Err(error) => self.failures.add(Failure::new(guest.peer.clone(), error)),
            }
            guest.arrival = Arrival::Gone;
        }
        there.retain(|guest| !matches!(guest.arrival, Arrival::Gone));
        if there.is_empty() {
            // Who waits for hours should not hold what it once needed.
            *space = Vec::new();
        }
        done
    }

    /// Lets those in who wait, as long as there are places; says whether there were any.
    fn admit(&self, guests: &mut Guests) -> io::Result<bool> {
        let mut came = false;
        while guests.there.len() < self.most {
            let (stream, peer) = match self.listener.accept() {
                Ok(accepted) => accepted,
                // What broke is told once all who came before it were let in.
                Err(error) if error.kind() != ErrorKind::WouldBlock && !came => return Err(error),
                Err(_) => break,
            };
            stream.set_nonblocking(true)?;
            let arrival = if self.plain {
                Arrival::Unknown(stream)
            } else {
                Arrival::Tls(Greeting::new(stream, &self.server)?)
            };
            let late = after(clock::real(), self.limit);
            guests.there.push(Guest { arrival, peer, late, spared: false, waits: Side::Recv });
            came = true;
        }
        Ok(came)
    }
}

impl Guest {
    fn entry(&self) -> Option<(&OsSocket, Side)> {
        let stream = match &self.arrival {
            Arrival::Unknown(stream) => stream,
            Arrival::Tls(greeting) => &greeting.stream,
            Arrival::Gone => return None,
        };
        Some((stream.socket(), self.waits))
    }
}

impl Arrival {
    /// Goes on as far as it goes. It is gone once that fails, or is done.
    fn step(&mut self, server: &Server, space: &mut Vec<u8>) -> io::Result<Step> {
        if let Self::Unknown(stream) = self {
            let mut first = [0];
            match not_now(stream.peek(&mut first))? {
                None => return Ok(Step::Waits(Side::Recv)),
                Some(1..) if first[0] == HANDSHAKE => {}
                // Who says nothing and leaves has come to the plain one: its end is no failure.
                Some(_) => {
                    stream.set_nonblocking(false)?;
                    let Self::Unknown(stream) = mem::replace(self, Self::Gone) else {
                        unreachable!("it was looked at");
                    };
                    return Ok(Step::Done(MaybeTls::Plain(stream)));
                }
            }
        }
        *self = match mem::replace(self, Self::Gone) {
            Self::Unknown(stream) => Self::Tls(Greeting::new(stream, server)?),
            other => other,
        };
        let Self::Tls(greeting) = self else { unreachable!("who is gone waits for nothing") };
        if let Some(side) = greeting.step(space)? {
            return Ok(Step::Waits(side));
        }
        greeting.stream.set_nonblocking(false)?;
        match mem::replace(self, Self::Gone) {
            Self::Tls(greeting) => Ok(Step::Done(MaybeTls::Tls(greeting.done()))),
            _ => unreachable!("it was looked at"),
        }
    }
}

impl Greeting {
    fn new(stream: Stream, server: &Server) -> io::Result<Self> {
        let (engine, ..) = server.side().start(Chance::default())?;
        Ok(Self { stream, engine, sealed: Vec::new() })
    }

    /// Goes on as far as it goes, and says what it waits for; for nothing if it is done.
    fn step(&mut self, space: &mut Vec<u8>) -> io::Result<Option<Side>> {
        loop {
            if !self.send()? {
                return Ok(Some(Side::Send));
            }
            if !self.engine.is_handshaking() {
                return Ok(None);
            }
            space.resize(READ_SIZE, 0);
            let read = not_now(uninterrupted(|| (&self.stream).read(space)))?;
            let Some(count) = read else { return Ok(Some(Side::Recv)) };
            if count == 0 {
                self.engine.feed_end();
                self.engine.plain()?;
                return Err(ErrorKind::UnexpectedEof.into());
            }
            match self.engine.feed(&space[..count]) {
                // It has room for as much as is read at a time: nothing was decrypted before.
                Ok(fed) => assert_eq!(fed, count, "it is not read again"),
                Err(broken) => {
                    // The peer is told why, if there is room; what counts is the first error.
                    let _ = self.send();
                    return Err(broken.into());
                }
            }
        }
    }

    /// Sends what is to be sent; says whether that was all.
    fn send(&mut self) -> io::Result<bool> {
        while self.engine.wants_to_send() {
            self.engine.send_to(&mut self.sealed)?;
        }
        while !self.sealed.is_empty() {
            match not_now(uninterrupted(|| (&self.stream).write(&self.sealed)))? {
                None => return Ok(false),
                Some(0) => return Err(ErrorKind::WriteZero.into()),
                Some(count) => drop(self.sealed.drain(..count)),
            }
        }
        Ok(true)
    }

    fn done(self) -> TlsStream {
        TlsStream::new(self.stream, self.engine, Vec::new())
    }
}

/// `None` for what would have waited.
fn not_now<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A span that overflows the clock ends far away.
fn after(now: Instant, span: Duration) -> Instant {
    now.checked_add(span).unwrap_or_else(|| now + Duration::from_secs(60 * 60 * 24 * 365 * 30))
}

/// A record of the greatest length and its header.
const READ_SIZE: usize = (16 << 10) + 256 + 5;

#[cfg(test)]
mod tests {
    use super::super::TcpStream;
    use super::*;
    use crate::clock::tests::watched;
    use crate::tls::{Client, Identity, Roots};

    /// A room whose only guest is let in, has said hello, and is late.
    fn late_room() -> (Room, std::thread::JoinHandle<io::Result<TlsStream>>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
        let listener = super::super::listen("127.0.0.1:0").wait().unwrap();
        let addr = listener.local_addr().unwrap().inet().unwrap();
        let mut room = Room::new(listener, &server);
        room.limit = Duration::from_secs(1_000);
        room.nonblocking = true.into();
        let stream = TcpStream::connect(addr).unwrap();
        while room.handshakes() == 0 {
            assert_eq!(room.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        let roots = Roots::from_pem(chain.as_bytes()).unwrap();
        let side = Client::new().trust_only(&roots).to("localhost");
        let client = std::thread::spawn(move || stream.start_tls(side));
        {
            let guests = &mut *room.guests.lock().unwrap();
            let hello = [(guests.there[0].entry().unwrap().0, Side::Recv)];
            assert!(calls::wait_each(&hello, Some(Duration::from_secs(60))).unwrap()[0]);
            guests.there[0].late = clock::real();
        }
        (room, client)
    }

    #[test]
    fn nobody_is_late_because_nobody_accepted() {
        watched(|| {
            let (room, client) = late_room();
            // Each of these would wait for a client that is still at work.
            let (stream, _) = loop {
                match room.accept() {
                    Ok(accepted) => break accepted,
                    Err(_) => {
                        assert_eq!(room.failures.take().pop().map(|one| one.to_string()), None)
                    }
                }
            };
            assert!(matches!(stream, MaybeTls::Tls(_)));
            client.join().unwrap().unwrap();
            assert_eq!(room.failures.count(), 0);
        });
    }

    #[test]
    fn nobody_is_spared_twice() {
        watched(|| {
            let (room, client) = late_room();
            room.guests.lock().unwrap().there[0].spared = true;
            // It may be done by the first look after it; or else it goes with the next.
            while room.failures.count() == 0 && room.accept().is_err() {}
            assert!(room.handshakes() == 0);
            drop(client.join());
        });
    }
}
