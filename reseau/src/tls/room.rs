//! Handshakes beside `accept`: [`Room`].
//!
//! No task is spawned. Whoever accepts looks after all who are there: each connection has a waker
//! of its own that leaves its number with the [`Bell`], and wakes all who accept. Nothing that
//! somebody has to go on with is in a future, so a future that is dropped loses nothing.
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant};
use std::{io, mem};

use super::listening::{Failure, Failures, HANDSHAKE, LIMIT, MOST};
use super::{MaybeTls, Server, TlsStream};
use crate::addr::Family;
use crate::clock;
use crate::net::{Listener, Stream};
use crate::rt::{Sleep, sleep_until};
use crate::sync::{lock, wake};

/// A listener, and those of its connections whose handshakes are under way.
pub(super) struct Room<F: Family> {
    pub(super) listener: Listener<F>,
    pub(super) server: Server,
    /// How long a handshake may take.
    pub(super) limit: Duration,
    /// How many may be there at the same time.
    pub(super) most: usize,
    /// Those who do not speak TLS are let in, too.
    pub(super) plain: bool,
    pub(super) failures: Failures,
    guests: Mutex<Guests<F>>,
    bell: Arc<Bell>,
    door: Waker,
    clock: Waker,
}

/// Who is there. Nobody is polled, woken or dropped while this is locked.
struct Guests<F: Family> {
    named: u64,
    there: BTreeMap<u64, Guest<F>>,
    /// Places that are kept for whoever is about to come in.
    coming: usize,
    /// Nobody looks at the door, because there is no place.
    shut: bool,
    alarm: Option<Sleep>,
}

struct Guest<F: Family> {
    /// `None` while somebody looks after it.
    arrival: Option<Arrival<F>>,
    /// It called while somebody looked after it.
    again: bool,
    peer: F::Addr,
    late: Instant,
    /// It was late because nobody accepted, and was given its time once more.
    spared: bool,
    call: Arc<Call>,
}

/// A connection before its handshake is done.
enum Arrival<F: Family> {
    /// It may speak TLS, or not.
    Unknown(Stream<F>),
    Tls(TlsStream<F>),
}

/// How far an arrival came.
enum Step<F: Family> {
    Waits(Arrival<F>),
    Done(MaybeTls<F>),
    Failed(io::Error),
}

type Accepted<F> = (MaybeTls<F>, <F as Family>::Addr);

impl<F: Family> Room<F> {
    pub(super) fn new(listener: Listener<F>, server: &Server) -> Self {
        let bell = Arc::new(Bell::default());
        bell.ring(DOOR);
        let caller = |number| Waker::from(Call::new(number, &bell));
        Self {
            listener,
            server: server.clone(),
            limit: LIMIT,
            most: MOST,
            plain: false,
            failures: Failures::default(),
            guests: Mutex::new(Guests {
                named: CLOCK,
                there: BTreeMap::new(),
                coming: 0,
                shut: false,
                alarm: None,
            }),
            door: caller(DOOR),
            clock: caller(CLOCK),
            bell,
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Accepted<F>> {
        let mut ticket = Ticket { bell: &self.bell, number: None };
        poll_fn(|cx| self.poll(&mut ticket.number, cx)).await
    }

    /// For those who wait without a future: the last one is woken.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted<F>>> {
        self.poll(&mut Some(OWNER), cx)
    }

    /// How many handshakes are under way.
    pub(super) fn handshakes(&self) -> usize {
        lock(&self.guests).there.len()
    }

    fn poll(
        &self,
        ticket: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Accepted<F>>> {
        for _ in 0..TURN {
            match ready!(self.bell.poll_next(ticket, cx)) {
                DOOR => self.admit()?,
                CLOCK => self.look_at_clock(),
                number => {
                    if let Some(accepted) = self.attend(number) {
                        return Poll::Ready(Ok(accepted));
                    }
                }
            }
        }
        // Others on this thread get a turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Lets the next one in, if there is a place.
    fn admit(&self) -> io::Result<()> {
        {
            let guests = &mut *lock(&self.guests);
            if guests.there.len() + guests.coming >= self.most {
                guests.shut = true;
                return Ok(());
            }
            guests.coming += 1;
        }
        let found = self.listener.poll_accept(&mut Context::from_waker(&self.door));
        if let Poll::Ready(Ok((stream, peer))) = found {
            let arrival = self.arrival(stream);
            let late = clock::after(self.limit);
            let mut guests = lock(&self.guests);
            guests.coming -= 1;
            guests.named += 1;
            let number = guests.named;
            let call = Call::new(number, &self.bell);
            let (again, spared) = (false, false);
            match arrival {
                Ok(arrival) => {
                    let arrival = Some(arrival);
                    let guest = Guest { arrival, again, peer, late, spared, call };
                    guests.there.insert(number, guest);
                }
                Err(error) => {
                    drop(guests);
                    self.bell.ring(DOOR);
                    // It is not the client's fault, and will be the same with the next.
                    return Err(error);
                }
            }
            drop(guests);
            self.bell.ring(number);
            self.bell.ring(DOOR);
            self.wake_at(late);
            return Ok(());
        }
        lock(&self.guests).coming -= 1;
        match found {
            Poll::Ready(Err(error)) => {
                self.bell.ring(DOOR);
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn arrival(&self, stream: Stream<F>) -> io::Result<Arrival<F>> {
        if self.plain {
            self.server.check()?;
            return Ok(Arrival::Unknown(stream));
        }
        TlsStream::begin(stream, self.server.side()).map(|(stream, _)| Arrival::Tls(stream))
    }

    /// Goes on with one of those who are there.
    fn attend(&self, number: u64) -> Option<Accepted<F>> {
        let (mut arrival, waker) = {
            let guests = &mut *lock(&self.guests);
            let guest = guests.there.get_mut(&number)?;
            let Some(arrival) = guest.arrival.take() else {
                guest.again = true;
                return None;
            };
            (arrival, Waker::from(guest.call.clone()))
        };
        loop {
            match arrival.step(&self.server, &mut Context::from_waker(&waker)) {
                Step::Done(stream) => {
                    let peer = self.leave(number)?;
                    return Some((stream, peer));
                }
                Step::Failed(error) => {
                    self.failed(number, error);
                    return None;
                }
                Step::Waits(waiting) => arrival = self.put_back(number, waiting)?,
            }
        }
    }

    /// It waits; or it has called in the meantime, and is given back.
    fn put_back(&self, number: u64, arrival: Arrival<F>) -> Option<Arrival<F>> {
        let late = {
            let guests = &mut *lock(&self.guests);
            let guest = guests.there.get_mut(&number)?;
            if mem::take(&mut guest.again) {
                return Some(arrival);
            }
            guest.arrival = Some(arrival);
            let now = clock::now();
            if guest.late > now {
                return None;
            }
            // It was called for in time, as far as anybody can tell, and nobody came.
            if !mem::replace(&mut guest.spared, true) {
                guest.late = clock::after(self.limit);
            }
            guest.late
        };
        self.wake_at(late);
        None
    }

    /// It is here no more.
    fn leave(&self, number: u64) -> Option<F::Addr> {
        let (guest, shut) = {
            let guests = &mut *lock(&self.guests);
            let guest = guests.there.remove(&number)?;
            (guest, mem::take(&mut guests.shut))
        };
        guest.call.over.store(true, Ordering::Relaxed);
        if shut {
            self.bell.ring(DOOR);
        }
        Some(guest.peer)
    }

    fn failed(&self, number: u64, error: io::Error) {
        if let Some(peer) = self.leave(number) {
            self.failures.add(Failure::new(peer.into(), error));
        }
    }

    /// Sends those away who are late, and looks again when the next one will be.
    fn look_at_clock(&self) {
        let now = clock::now();
        let (mut gone, mut next) = (Vec::new(), None::<Instant>);
        let rung = {
            let guests = &mut *lock(&self.guests);
            for (number, guest) in &mut guests.there {
                // Who is looked after is judged by who does.
                if guest.late <= now {
                    gone.extend(guest.arrival.take().map(|arrival| (*number, arrival)));
                } else {
                    next = Some(next.map_or(guest.late, |next| next.min(guest.late)));
                }
            }
            // It does not ring again, even if it rang before its time.
            guests.alarm.take()
        };
        drop(rung);
        for (number, arrival) in gone {
            drop(arrival);
            let late = io::Error::new(io::ErrorKind::TimedOut, "the handshake is late");
            self.failed(number, late);
        }
        if let Some(next) = next {
            self.wake_at(next);
        }
    }

    /// Sees to it that somebody looks at the clock then, if not before.
    fn wake_at(&self, at: Instant) {
        let sooner = |alarm: &Sleep| !alarm.is_elapsed() && alarm.deadline() <= at;
        if lock(&self.guests).alarm.as_ref().is_some_and(sooner) {
            return;
        }
        let mut alarm = sleep_until(at);
        if Pin::new(&mut alarm).poll(&mut Context::from_waker(&self.clock)).is_ready() {
            self.bell.ring(CLOCK);
            return;
        }
        let mut guests = lock(&self.guests);
        let spent = if guests.alarm.as_ref().is_some_and(sooner) {
            Some(alarm)
        } else {
            guests.alarm.replace(alarm)
        };
        drop(guests);
        drop(spent);
    }
}

impl<F: Family> Arrival<F> {
    fn step(self, server: &Server, cx: &mut Context<'_>) -> Step<F> {
        let stream = match self {
            Self::Tls(stream) => stream,
            Self::Unknown(stream) => match stream.poll_first(cx) {
                Poll::Pending => return Step::Waits(Self::Unknown(stream)),
                Poll::Ready(Err(error)) => return Step::Failed(error),
                Poll::Ready(Ok(Some(HANDSHAKE))) => match TlsStream::begin(stream, server.side()) {
                    Ok((stream, _)) => stream,
                    Err(error) => return Step::Failed(error),
                },
                // Who says nothing and leaves has come to the plain one: its end is no failure.
                Poll::Ready(Ok(_)) => return Step::Done(MaybeTls::Plain(stream)),
            },
        };
        match stream.poll_handshake(cx) {
            Poll::Pending => Step::Waits(Self::Tls(stream)),
            Poll::Ready(Ok(())) => Step::Done(MaybeTls::Tls(stream)),
            Poll::Ready(Err(error)) => Step::Failed(error),
        }
    }
}

/// Where those who are there call, and those who accept listen.
#[derive(Default)]
struct Bell(Mutex<Rung>);

#[derive(Default)]
struct Rung {
    /// Each number once.
    calls: VecDeque<u64>,
    issued: u64,
    waiters: Vec<(u64, Waker)>,
}

impl Bell {
    fn ring(&self, number: u64) {
        let woken = {
            let rung = &mut *lock(&self.0);
            if !rung.calls.contains(&number) {
                rung.calls.push_back(number);
            }
            // All of them: who is woken may be gone before it looks.
            mem::take(&mut rung.waiters)
        };
        woken.into_iter().for_each(|(_, waker)| wake(waker));
    }

    /// The number of the next call; or else the ticket waits for one.
    fn poll_next(&self, ticket: &mut Option<u64>, cx: &mut Context<'_>) -> Poll<u64> {
        // Wakers are other people's, and so cloned and dropped under no lock.
        let waker = cx.waker().clone();
        let _old = {
            let rung = &mut *lock(&self.0);
            if let Some(number) = rung.calls.pop_front() {
                return Poll::Ready(number);
            }
            let number = *ticket.get_or_insert_with(|| {
                rung.issued += 1;
                rung.issued + OWNER
            });
            match rung.waiters.iter_mut().find(|(known, _)| *known == number) {
                Some((_, place)) => Some(mem::replace(place, waker)),
                None => {
                    rung.waiters.push((number, waker));
                    None
                }
            }
        };
        Poll::Pending
    }

    fn withdraw(&self, number: u64) {
        let mut rung = lock(&self.0);
        let place = rung.waiters.iter().position(|(known, _)| *known == number);
        let gone = place.map(|place| rung.waiters.swap_remove(place));
        drop(rung);
        drop(gone);
    }
}

/// One future that accepts.
struct Ticket<'a> {
    bell: &'a Bell,
    number: Option<u64>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.bell.withdraw(number);
        }
    }
}

/// Calls for one of those who are there.
struct Call {
    number: u64,
    bell: Arc<Bell>,
    /// It is here no more.
    over: AtomicBool,
}

impl Call {
    fn new(number: u64, bell: &Arc<Bell>) -> Arc<Self> {
        Arc::new(Self { number, bell: bell.clone(), over: AtomicBool::new(false) })
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.over.load(Ordering::Relaxed) {
            self.bell.ring(self.number);
        }
    }
}

/// Numbers that are nobody's.
const DOOR: u64 = 0;
const CLOCK: u64 = 1;

/// The ticket of those who wait without a future.
const OWNER: u64 = 0;

/// How many calls are answered before others on the same thread get a turn.
const TURN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::watched;
    use crate::tls::Identity;
    use crate::{Inet, TcpListener, TcpStream};

    /// Whoever is called for while somebody looks after it is looked after once more.
    #[test]
    fn a_call_in_the_meantime_is_answered() {
        watched(call_in_the_meantime);
    }

    fn call_in_the_meantime() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
        crate::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let room: Room<Inet> = Room::new(listener, &server);
            let _client = TcpStream::connect(addr).await.unwrap();
            let limit = Duration::from_millis(1);
            while room.handshakes() == 0 {
                assert!(crate::timeout(limit, room.accept()).await.is_err());
            }
            let number = *lock(&room.guests).there.first_key_value().unwrap().0;
            let take = || {
                let mut guests = lock(&room.guests);
                guests.there.get_mut(&number).unwrap().arrival.take()
            };
            let arrival = take().unwrap();
            assert!(room.attend(number).is_none());
            let arrival = room.put_back(number, arrival);
            assert!(arrival.is_some(), "it has called");
            assert!(room.put_back(number, arrival.unwrap()).is_none(), "and that was all");
            assert!(take().is_some());
        });
    }
}
