//! One lookup for all who ask the same at the same time.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::query::{Answer, Query};
use super::realm::Realm;
use super::reply::{Asker, Outcome, Reply};
use super::resolver::Counters;
use super::source::Layer;
use crate::sync::lock;

/// The layer that joins equal questions.
pub(super) struct SingleFlight {
    below: Arc<dyn Layer>,
    flights: Arc<Flights>,
}

/// The questions that are being asked, with all who wait for each answer.
#[derive(Default)]
pub(super) struct Flights(Mutex<Board>);

#[derive(Default)]
struct Board {
    aloft: HashMap<Key, Vec<Reply>>,
    joined: u64,
}

/// A question in a world.
pub(super) type Key = (Realm, Query);

impl SingleFlight {
    pub(super) fn new(below: Arc<dyn Layer>) -> Self {
        Self { below, flights: Arc::default() }
    }
}

impl Layer for SingleFlight {
    fn name(&self) -> &'static str {
        "single flight"
    }

    fn ask(&self, query: &Query, reply: Reply) {
        let key = (Realm::here(), query.clone());
        if let Some(flight) = self.flights.board(key, reply) {
            self.below.ask(query, flight);
        }
    }

    fn reverse(&self, ip: IpAddr, reply: Reply<String>) {
        self.below.reverse(ip, reply);
    }

    fn count(&self, counters: &mut Counters) {
        counters.joined += self.flights.joined();
        self.below.count(counters);
    }

    fn purge(&self, host: Option<&str>) {
        self.below.purge(host);
    }

    fn failed(&self, host: &str, ip: IpAddr) {
        self.below.failed(host, ip);
    }
}

impl Flights {
    /// Lets `reply` wait for the flight of its question. If there was none there is one now, and
    /// what is given back must be answered.
    pub(super) fn board(self: &Arc<Self>, key: Key, reply: Reply) -> Option<Reply> {
        let mut board = lock(&self.0);
        if let Some(aboard) = board.aloft.get_mut(&key) {
            if aboard.len() == aboard.capacity() {
                // Those who gave up must not gather while a resolver is stuck.
                aboard.retain_mut(Reply::is_wanted);
            }
            aboard.push(reply);
            board.joined += 1;
            return None;
        }
        board.aloft.insert(key.clone(), vec![reply]);
        drop(board);
        Some(Reply::to(Flight { flights: self.clone(), key, landed: false }))
    }

    /// How many did not have to fly by themselves.
    pub(super) fn joined(&self) -> u64 {
        lock(&self.0).joined
    }
}

/// All who wait for one answer, as one.
struct Flight {
    flights: Arc<Flights>,
    key: Key,
    /// Given up: another flight may have its place on the board.
    landed: bool,
}

impl Asker<Answer> for Flight {
    fn is_waiting(&mut self) -> bool {
        if self.landed {
            return false;
        }
        let mut board = lock(&self.flights.0);
        let aboard = board.aloft.get_mut(&self.key);
        if aboard.is_some_and(|aboard| aboard.iter_mut().any(Reply::is_wanted)) {
            return true;
        }
        // In one breath with the look, so that nobody boards what will not fly.
        let gone = board.aloft.remove(&self.key);
        drop(board);
        drop(gone);
        self.landed = true;
        false
    }

    fn hear(self: Box<Self>, outcome: Outcome<Answer>) {
        if self.landed {
            return;
        }
        let aboard = lock(&self.flights.0).aloft.remove(&self.key);
        for reply in aboard.into_iter().flatten() {
            reply.answer(outcome.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::reply::Pending;
    use crate::dns::{Cause, IpFamily, LookupError};
    use std::task::{Context, Poll, Waker};

    fn passenger() -> (Pending, Reply) {
        Pending::new("a.example")
    }

    fn key() -> Key {
        (Realm::default(), Query::new("a.example", IpFamily::V4).unwrap())
    }

    fn told(pending: &mut Pending) -> Poll<Result<usize, Cause>> {
        let outcome = pending.poll_outcome(&mut Context::from_waker(Waker::noop()));
        outcome.map(|outcome| match outcome {
            Ok(answer) => Ok(answer.addrs().len()),
            Err(error) => Err(error.cause()),
        })
    }

    #[test]
    fn those_aboard_hear_the_same_and_the_next_flies_anew() {
        let flights = Arc::new(Flights::default());
        let ((mut one, first), (mut two, second)) = (passenger(), passenger());
        let flight = flights.board(key(), first).expect("the first flies");
        assert!(flights.board(key(), second).is_none());
        assert_eq!((told(&mut one), flights.joined()), (Poll::Pending, 1));
        flight.answer(Ok(Answer::new([[192, 0, 2, 1].into()])));
        assert_eq!((told(&mut one), told(&mut two)), (Poll::Ready(Ok(1)), Poll::Ready(Ok(1))));
        assert!(flights.board(key(), passenger().1).is_some());
    }

    #[test]
    fn a_flight_that_is_given_up_leaves_the_next_one_alone() {
        let flights = Arc::new(Flights::default());
        let (one, first) = passenger();
        let mut given_up = flights.board(key(), first).unwrap();
        assert!(given_up.is_wanted());
        drop(one);
        assert!(!given_up.is_wanted());
        let (mut two, second) = passenger();
        let flight = flights.board(key(), second).expect("nobody boards what will not fly");
        drop(given_up);
        assert_eq!(told(&mut two), Poll::Pending);
        flight.answer(Err(LookupError::new(Cause::NotFound)));
        assert_eq!(told(&mut two), Poll::Ready(Err(Cause::NotFound)));
    }

    #[test]
    fn a_flight_that_crashes_is_an_error() {
        let flights = Arc::new(Flights::default());
        let (mut one, first) = passenger();
        drop(flights.board(key(), first).unwrap());
        assert_eq!(told(&mut one), Poll::Ready(Err(Cause::Failed)));
        assert!(lock(&flights.0).aloft.is_empty());
    }

    #[test]
    fn those_who_gave_up_do_not_gather() {
        let flights = Arc::new(Flights::default());
        let (_stays, first) = passenger();
        let _stuck = flights.board(key(), first).unwrap();
        for _ in 0..10_000 {
            assert!(flights.board(key(), passenger().1).is_none());
        }
        let aboard = lock(&flights.0).aloft[&key()].len();
        assert!(aboard < 16, "{aboard} aboard");
    }
}
