//! The layer that remembers.
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::LookupError;
use super::cache::{Cache, CacheConfig, Look};
use super::flight::Flights;
use super::query::{Answer, Query};
use super::realm::Realm;
use super::reply::{Asker, Outcome, Reply};
use super::resolver::Counters;
use super::source::Layer;
use crate::clock;
use crate::sync::lock;

/// Answers from a cache, and fills it from below: one lookup for all who miss the same.
pub(super) struct Cached {
    below: Arc<dyn Layer>,
    cache: Arc<Mutex<Cache>>,
    /// Locked under the cache, so that nobody misses what has just landed.
    flights: Arc<Flights>,
}

impl Cached {
    pub(super) fn new(below: Arc<dyn Layer>, config: CacheConfig) -> Self {
        let cache = Arc::new(Mutex::new(Cache::new(config)));
        Self { below, cache, flights: Arc::default() }
    }

    fn fetch(&self, realm: Realm, query: &Query, flight: Option<Reply>) {
        let lesson = Lesson { cache: self.cache.clone(), realm, query: query.clone(), flight };
        self.below.ask(query, Reply::to(lesson));
    }
}

impl Layer for Cached {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn ask(&self, query: &Query, reply: Reply) {
        let realm = Realm::here();
        let mut cache = lock(&self.cache);
        match cache.look(&realm, query, clock::now()) {
            Look::Fresh(answer) => {
                drop(cache);
                reply.answer(Ok(answer));
            }
            Look::None(cause) => {
                drop(cache);
                reply.answer(Err(LookupError::new(cause)));
            }
            Look::Stale { answer, refresh } => {
                drop(cache);
                reply.answer(Ok(answer));
                if refresh {
                    self.fetch(realm, query, None);
                }
            }
            Look::Miss => {
                let flight = self.flights.board((realm.clone(), query.clone()), reply);
                drop(cache);
                if flight.is_some() {
                    self.fetch(realm, query, flight);
                }
            }
        }
    }

    fn reverse(&self, ip: IpAddr, reply: Reply<String>) {
        self.below.reverse(ip, reply);
    }

    fn count(&self, counters: &mut Counters) {
        let cache = lock(&self.cache);
        let tally = cache.tally;
        counters.hosts += cache.len();
        drop(cache);
        counters.hits += tally.hits;
        counters.stale += tally.stale;
        counters.negative += tally.negative;
        counters.misses += tally.misses;
        counters.evicted += tally.evicted;
        counters.refreshed += tally.refreshed;
        counters.joined += self.flights.joined();
        self.below.count(counters);
    }

    fn purge(&self, host: Option<&str>) {
        lock(&self.cache).purge(host);
        self.below.purge(host);
    }

    fn failed(&self, host: &str, ip: IpAddr) {
        lock(&self.cache).demote(&Realm::here(), host, ip);
        self.below.failed(host, ip);
    }
}

/// An answer that is to be remembered, and then given to those who wait for it.
struct Lesson {
    cache: Arc<Mutex<Cache>>,
    realm: Realm,
    query: Query,
    /// None: the cache alone wants to know.
    flight: Option<Reply>,
}

impl Asker<Answer> for Lesson {
    fn is_waiting(&mut self) -> bool {
        self.flight.as_mut().is_none_or(Reply::is_wanted)
    }

    fn hear(self: Box<Self>, outcome: Outcome<Answer>) {
        lock(&self.cache).learn(&self.realm, &self.query, &outcome, clock::now());
        if let Some(flight) = self.flight {
            flight.answer(outcome);
        }
    }
}
