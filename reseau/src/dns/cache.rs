//! What was answered lately, and for how long it holds. No clock, no locks, no lookups: time comes
//! in, and what is to be done goes out.
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::error::Cause;
use super::query::{Answer, IpFamily, Query, Source};
use super::realm::Realm;
use super::reply::Outcome;

/// The bounds of a cache of names.
///
/// ```
/// use reseau::dns::{CacheConfig, Families};
/// use std::time::Duration;
/// let config = CacheConfig { stale: Duration::from_secs(60), ..CacheConfig::default() };
/// let resolver = reseau::Resolver::default().families(Families::V4Only).cached(config);
/// assert!(resolver.lookup("localhost").wait().is_ok());
/// assert!(resolver.lookup("localhost").wait().is_ok());
/// assert_eq!((resolver.counters().misses, resolver.counters().hits), (1, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// How many hosts it remembers. Then those are forgotten that were not asked for longest.
    pub hosts_max: usize,
    /// How many addresses of each family it remembers of a host: the first ones.
    pub addrs_max: usize,
    /// How long an answer holds that does not say so. The system's resolver never does.
    pub ttl: Duration,
    /// How long an answer holds at least, whatever it says.
    pub ttl_min: Duration,
    /// How long an answer holds at most, whatever it says.
    pub ttl_max: Duration,
    /// How long it holds that there is no such name, or no address of a family. Zero: not at all.
    pub negative: Duration,
    /// How long after its end an answer is still given, while a new one is asked for in the
    /// background. Zero: not at all.
    pub stale: Duration,
}

impl Default for CacheConfig {
    /// 1024 hosts, 8 addresses of each family, 5 seconds if the answer does not say, else from 1 to
    /// 30 seconds; nothing negative, nothing stale.
    fn default() -> Self {
        Self {
            hosts_max: 1024,
            addrs_max: 8,
            ttl: Duration::from_secs(5),
            ttl_min: Duration::from_secs(1),
            ttl_max: Duration::from_secs(30),
            negative: Duration::ZERO,
            stale: Duration::ZERO,
        }
    }
}

/// The answers, and which of them were asked for lately.
pub(super) struct Cache {
    config: CacheConfig,
    hosts: HashMap<Key, Host>,
    /// The hosts by when they were last asked for.
    order: BTreeMap<u64, Key>,
    /// Counts the questions.
    tick: u64,
    pub(super) tally: Tally,
}

/// What was looked for and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) hits: u64,
    pub(super) stale: u64,
    pub(super) negative: u64,
    pub(super) misses: u64,
    pub(super) evicted: u64,
    pub(super) refreshed: u64,
}

/// What the cache has to say to a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It holds.
    Fresh(Answer),
    /// It held until lately. `refresh`: ask anew, nobody does.
    Stale {
        answer: Answer,
        refresh: bool,
    },
    /// It holds that there is none.
    None(Cause),
    Miss,
}

type Key = (Realm, Box<str>);

struct Host {
    /// Its place in the order.
    tick: u64,
    v4: Option<Entry>,
    v6: Option<Entry>,
}

struct Entry {
    said: Result<Answer, Cause>,
    /// Until when it holds; `None`: for ever.
    until: Option<Instant>,
    /// When it may be asked anew: not before, because somebody is at it or has just failed.
    refresh: Refresh,
}

enum Refresh {
    Free,
    UnderWay,
    After(Instant),
}

impl Cache {
    pub(super) fn new(config: CacheConfig) -> Self {
        let (hosts, order) = (HashMap::new(), BTreeMap::new());
        Self { config, hosts, order, tick: 0, tally: Tally::default() }
    }

    /// What is known at `now`. A stale answer that is to be refreshed must be
    /// [learned](Self::learn) anew, whatever comes of it.
    pub(super) fn look(&mut self, realm: &Realm, query: &Query, now: Instant) -> Look {
        let look = self.find(realm, query, now);
        if look == Look::Miss {
            self.tidy(&(realm.clone(), query.name().into()));
        }
        let tally = &mut self.tally;
        let count = match &look {
            Look::Fresh(_) => &mut tally.hits,
            Look::Stale { refresh, .. } => {
                tally.refreshed += u64::from(*refresh);
                &mut tally.stale
            }
            Look::None(_) => &mut tally.negative,
            Look::Miss => &mut tally.misses,
        };
        *count += 1;
        look
    }

    /// Takes note of what came of a question. An error that may pass is not remembered, and is no
    /// reason to forget what was known.
    pub(super) fn learn(
        &mut self,
        realm: &Realm,
        query: &Query,
        outcome: &Outcome<Answer>,
        now: Instant,
    ) {
        let said = match outcome {
            Ok(answer) => Ok(answer.clone().cut(self.config.addrs_max)),
            Err(error) => match error.cause() {
                cause @ (Cause::NotFound | Cause::NoData) => Err(cause),
                _ => return self.fail(realm, query, now),
            },
        };
        let lasts = match &said {
            Ok(answer) => self.lasts(answer),
            Err(_) => self.config.negative,
        };
        let key = (realm.clone(), query.name().into());
        if lasts.is_zero() || self.config.hosts_max == 0 {
            // It is known better than what may be here.
            if let Some(host) = self.hosts.get_mut(&key) {
                *host.entry(query.family()) = None;
            }
            return self.tidy(&key);
        }
        let entry = Entry { said, until: now.checked_add(lasts), refresh: Refresh::Free };
        self.tick += 1;
        let tick = self.tick;
        let host = self.hosts.entry(key.clone()).or_insert(Host { tick, v4: None, v6: None });
        *host.entry(query.family()) = Some(entry);
        if host.tick == tick {
            self.order.insert(tick, key);
            self.evict();
        }
    }

    /// Forgets a host, or all; in all worlds.
    pub(super) fn purge(&mut self, host: Option<&str>) {
        let host = host.map(str::to_ascii_lowercase);
        let goes = |(_, name): &Key| host.as_ref().is_none_or(|host| **host == **name);
        self.hosts.retain(|key, _| !goes(key));
        self.order.retain(|_, key| !goes(key));
    }

    /// Puts an address behind the others of its answer, for as long as that holds: nobody answered
    /// there.
    pub(super) fn demote(&mut self, realm: &Realm, host: &str, ip: IpAddr) {
        let key = (realm.clone(), host.to_ascii_lowercase().into());
        let Some(host) = self.hosts.get_mut(&key) else { return };
        if let Some(Entry { said: Ok(answer), .. }) = host.entry(IpFamily::of(ip)) {
            answer.demote(ip);
        }
    }

    /// How many hosts are remembered.
    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }

    fn find(&mut self, realm: &Realm, query: &Query, now: Instant) -> Look {
        // (A tuple of borrowed parts cannot be looked for.)
        let key = (realm.clone(), query.name().into());
        let Some(host) = self.hosts.get_mut(&key) else { return Look::Miss };
        self.tick += 1;
        self.order.remove(&host.tick);
        host.tick = self.tick;
        self.order.insert(self.tick, key);
        let stale_max = self.config.stale;
        let slot = host.entry(query.family());
        let Some(entry) = slot else { return Look::Miss };
        let left = entry.until.map_or(Duration::MAX, |until| until.saturating_duration_since(now));
        match &entry.said {
            Err(cause) if !left.is_zero() => Look::None(*cause),
            Ok(answer) if !left.is_zero() => {
                Look::Fresh(answer.clone().with_ttl(left).found_by(Source::Cache))
            }
            Ok(answer) if entry.is_stale(now, stale_max) => {
                let stale = answer.clone().with_ttl(Duration::ZERO).found_by(Source::StaleCache);
                Look::Stale { answer: stale, refresh: entry.begin(now) }
            }
            _ => {
                *slot = None;
                Look::Miss
            }
        }
    }

    /// What was asked anew has failed: what is known stays for as long as it may, and is not asked
    /// anew at once.
    fn fail(&mut self, realm: &Realm, query: &Query, now: Instant) {
        let key = (realm.clone(), query.name().into());
        let Some(host) = self.hosts.get_mut(&key) else { return };
        if let Some(entry) = host.entry(query.family()) {
            entry.refresh = Refresh::After(now.checked_add(REFRESH_PAUSE).unwrap_or(now));
        }
    }

    /// Removes a host of which nothing is known any more.
    fn tidy(&mut self, key: &Key) {
        if let Some(host) = self.hosts.get(key)
            && host.v4.is_none()
            && host.v6.is_none()
        {
            self.order.remove(&host.tick);
            self.hosts.remove(key);
        }
    }

    /// How long an answer holds.
    fn lasts(&self, answer: &Answer) -> Duration {
        let said = answer.ttl().unwrap_or(self.config.ttl);
        said.max(self.config.ttl_min).min(self.config.ttl_max)
    }

    fn evict(&mut self) {
        while self.hosts.len() > self.config.hosts_max {
            let Some((_, key)) = self.order.pop_first() else { return };
            self.hosts.remove(&key);
            self.tally.evicted += 1;
        }
    }
}

impl Host {
    fn entry(&mut self, family: IpFamily) -> &mut Option<Entry> {
        match family {
            IpFamily::V4 => &mut self.v4,
            IpFamily::V6 => &mut self.v6,
        }
    }
}

impl Entry {
    /// Whether what has ended may still be given.
    fn is_stale(&self, now: Instant, stale_max: Duration) -> bool {
        let ended = self.until.map(|until| now.saturating_duration_since(until));
        !stale_max.is_zero() && ended.is_some_and(|ended| ended < stale_max)
    }

    /// Whether whoever looks now is the one to ask anew.
    fn begin(&mut self, now: Instant) -> bool {
        let free = match self.refresh {
            Refresh::Free => true,
            Refresh::UnderWay => false,
            Refresh::After(at) => now >= at,
        };
        if free {
            self.refresh = Refresh::UnderWay;
        }
        free
    }
}

/// After a refresh that failed.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
