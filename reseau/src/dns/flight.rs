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
