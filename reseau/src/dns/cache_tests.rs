use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::dns::LookupError;

fn start() -> Instant {
    crate::clock::real()
}

fn query(name: &str, family: IpFamily) -> Query {
    Query::new(name, family).unwrap()
}

fn answer(last: u8) -> Answer {
    Answer::new([IpAddr::from([192, 0, 2, last])])
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A cache, asked for one name of IPv4 in the real world.
struct Desk {
    cache: Cache,
    start: Instant,
}

impl Desk {
    fn new(config: CacheConfig) -> Self {
        Self { cache: Cache::new(config), start: start() }
    }

    fn look(&mut self, name: &str, at: u64) -> Look {
        let now = self.start + Duration::from_millis(at);
        self.cache.look(&Realm::default(), &query(name, IpFamily::V4), now)
    }

    fn learn(&mut self, name: &str, outcome: Outcome<Answer>, at: u64) {
        let now = self.start + Duration::from_millis(at);
        self.cache.learn(&Realm::default(), &query(name, IpFamily::V4), &outcome, now);
    }

    /// The addresses that are given, fresh or stale.
    fn given(&mut self, name: &str, at: u64) -> Option<Vec<IpAddr>> {
        match self.look(name, at) {
            Look::Fresh(answer) | Look::Stale { answer, .. } => Some(answer.into_addrs()),
            Look::None(_) | Look::Miss => None,
        }
    }
}

#[test]
fn an_answer_holds_for_its_time() {
    let mut desk = Desk::new(CacheConfig::default());
    assert_eq!(desk.look("a", 0), Look::Miss);
    desk.learn("a", Ok(answer(1).with_ttl(secs(10))), 0);
    let left = |ms| answer(1).with_ttl(Duration::from_millis(ms)).found_by(Source::Cache);
    assert_eq!(desk.look("a", 0), Look::Fresh(left(10_000)));
    assert_eq!(desk.look("a", 9_999), Look::Fresh(left(1)));
    assert_eq!(desk.look("a", 10_000), Look::Miss);
    let tally = Tally { hits: 2, misses: 2, ..Tally::default() };
    assert_eq!((desk.cache.tally, desk.cache.len()), (tally, 0));
}

#[test]
fn times_are_kept_within_bounds() {
    for (said, holds) in [
        (None, 5_000),
        (Some(0), 1_000),
        (Some(999), 1_000),
        (Some(1_001), 1_001),
        (Some(29_999), 29_999),
        (Some(86_400_000), 30_000),
    ] {
        let mut desk = Desk::new(CacheConfig::default());
        let said = said.map(Duration::from_millis);
        let told = said.map_or_else(|| answer(1), |ttl| answer(1).with_ttl(ttl));
        desk.learn("a", Ok(told), 7);
        assert!(desk.given("a", 7 + holds - 1).is_some(), "{said:?}");
        assert!(desk.given("a", 7 + holds).is_none(), "{said:?}");
    }
    // A bound that the clock cannot say is none; crossed ones are no panic.
    let config = CacheConfig { ttl_max: Duration::MAX, ..CacheConfig::default() };
    let mut desk = Desk::new(config.clone());
    desk.learn("a", Ok(answer(1).with_ttl(Duration::MAX)), 0);
    assert!(desk.given("a", u64::MAX / 1_000_000_000).is_some());
    let mut desk = Desk::new(CacheConfig { ttl_min: secs(9), ttl_max: secs(2), ..config });
    desk.learn("a", Ok(answer(1)), 0);
    assert!(desk.given("a", 1_999).is_some() && desk.given("a", 2_000).is_none());
}

#[test]
fn families_and_worlds_are_kept_apart() {
    let mut cache = Cache::new(CacheConfig::default());
    let (now, here) = (start(), Realm::default());
    cache.learn(&here, &query("a", IpFamily::V4), &Ok(answer(1)), now);
    assert_eq!(cache.look(&here, &query("a", IpFamily::V6), now), Look::Miss);
    assert_eq!(cache.look(&here, &query("b", IpFamily::V4), now), Look::Miss);
    assert!(matches!(cache.look(&here, &query("A", IpFamily::V4), now), Look::Fresh(_)));
    #[cfg(feature = "async")]
    simulated().block_on(async {
        let there = Realm::here();
        assert_eq!(cache.look(&there, &query("a", IpFamily::V4), now), Look::Miss);
        cache.learn(&there, &query("a", IpFamily::V4), &Ok(answer(2)), now);
        assert!(matches!(cache.look(&here, &query("a", IpFamily::V4), now),
            Look::Fresh(found) if found.addrs() == answer(1).addrs()));
    });
}

#[cfg(feature = "async")]
fn simulated() -> crate::rt::Loop {
    let kind = Some(crate::driver::Kind::Sim);
    crate::rt::Loop::with(&crate::rt::Config { kind, ..Default::default() }).unwrap()
}

#[test]
fn that_there_is_none_is_remembered_on_demand() {
    let mut desk = Desk::new(CacheConfig::default());
    desk.learn("a", Err(LookupError::new(Cause::NotFound)), 0);
    assert_eq!(desk.look("a", 0), Look::Miss);
    let config = CacheConfig { negative: secs(2), ..CacheConfig::default() };
    let mut desk = Desk::new(config);
    for cause in [Cause::NotFound, Cause::NoData] {
        desk.learn("a", Err(LookupError::new(cause)), 0);
        assert_eq!(desk.look("a", 1_999), Look::None(cause));
        assert_eq!(desk.look("a", 2_000), Look::Miss);
    }
    // What may pass is not remembered.
    for cause in [Cause::Temporary, Cause::Failed, Cause::Late, Cause::Other, Cause::NoFamily] {
        desk.learn("b", Err(LookupError::new(cause)), 0);
        assert_eq!(desk.look("b", 0), Look::Miss, "{cause:?}");
    }
    assert_eq!(desk.cache.tally.negative, 2);
}

#[test]
fn a_name_that_is_gone_is_forgotten() {
    let mut desk = Desk::new(CacheConfig { stale: secs(60), ..CacheConfig::default() });
    desk.learn("a", Ok(answer(1)), 0);
    assert!(desk.given("a", 6_000).is_some());
    desk.learn("a", Err(LookupError::new(Cause::NotFound)), 6_000);
    assert_eq!(desk.look("a", 6_000), Look::Miss);
}

#[test]
fn what_is_stale_is_given_and_asked_anew_by_one() {
    let mut desk = Desk::new(CacheConfig { stale: secs(10), ..CacheConfig::default() });
    desk.learn("a", Ok(answer(1)), 0);
    let stale = |refresh| {
        let answer = answer(1).with_ttl(Duration::ZERO).found_by(Source::StaleCache);
        Look::Stale { answer, refresh }
    };
    assert_eq!(desk.look("a", 5_000), stale(true));
    assert_eq!(desk.look("a", 5_000), stale(false));
    assert_eq!(desk.look("a", 14_999), stale(false));
    // It fails: a pause, then the next one tries.
    desk.learn("a", Err(LookupError::new(Cause::Temporary)), 6_000);
    assert_eq!(desk.look("a", 6_099), stale(false));
    assert_eq!(desk.look("a", 6_100), stale(true));
    desk.learn("a", Ok(answer(2)), 6_200);
    assert_eq!(desk.given("a", 6_300), Some(answer(2).into_addrs()));
    // Too old.
    assert_eq!(desk.look("a", 6_200 + 15_000), Look::Miss);
    let tally = Tally { hits: 1, stale: 5, misses: 1, refreshed: 2, ..Tally::default() };
    assert_eq!(desk.cache.tally, tally);
}

#[test]
fn who_was_not_asked_for_longest_makes_room() {
    let mut desk = Desk::new(CacheConfig { hosts_max: 2, ..CacheConfig::default() });
    desk.learn("a", Ok(answer(1)), 0);
    desk.learn("b", Ok(answer(2)), 0);
    assert!(desk.given("a", 1).is_some());
    desk.learn("c", Ok(answer(3)), 2);
    assert_eq!((desk.cache.len(), desk.cache.tally.evicted), (2, 1));
    assert_eq!(desk.look("b", 3), Look::Miss);
    assert!(desk.given("a", 3).is_some() && desk.given("c", 3).is_some());
    let mut none = Desk::new(CacheConfig { hosts_max: 0, ..CacheConfig::default() });
    none.learn("a", Ok(answer(1)), 0);
    assert_eq!((none.look("a", 0), none.cache.len()), (Look::Miss, 0));
}

#[test]
fn few_addresses_are_remembered() {
    let mut desk = Desk::new(CacheConfig { addrs_max: 3, ..CacheConfig::default() });
    let many = Answer::new((0..100).map(|last| IpAddr::from([192, 0, 2, last])));
    desk.learn("a", Ok(many.clone()), 0);
    assert_eq!(desk.given("a", 0).unwrap(), many.addrs()[..3]);
}

#[test]
fn where_nobody_answered_comes_last() {
    let mut desk = Desk::new(CacheConfig::default());
    let [a, b, c] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
    desk.learn("a", Ok(Answer::new([a, b, c])), 0);
    desk.learn("b", Ok(Answer::new([a, b])), 0);
    let realm = Realm::default();
    desk.cache.demote(&realm, "A", a);
    assert_eq!(desk.given("a", 1).unwrap(), [b, c, a]);
    desk.cache.demote(&realm, "a", c);
    assert_eq!(desk.given("a", 1).unwrap(), [b, a, c]);
    // Of what is not known there is nothing to put behind; other hosts are not concerned.
    desk.cache.demote(&realm, "a", IpAddr::from([192, 0, 2, 9]));
    desk.cache.demote(&realm, "c", a);
    assert_eq!(desk.given("a", 1).unwrap(), [b, a, c]);
    assert_eq!(desk.given("b", 1).unwrap(), [a, b]);
    desk.learn("a", Ok(Answer::new([a, b, c])), 2);
    assert_eq!(desk.given("a", 3).unwrap(), [a, b, c], "asked anew, told anew");
}

#[test]
fn what_is_purged_is_gone() {
    let mut desk = Desk::new(CacheConfig::default());
    for name in ["a", "b", "c"] {
        desk.learn(name, Ok(answer(1)), 0);
    }
    desk.cache.purge(Some("B"));
    assert!(desk.given("a", 1).is_some() && desk.given("b", 1).is_none());
    desk.cache.purge(None);
    assert_eq!((desk.cache.len(), desk.cache.order.len(), desk.look("a", 1)), (0, 0, Look::Miss));
}

/// The same in the plainest way: a list, the host that was asked for last at its end.
struct Model {
    config: CacheConfig,
    hosts: Vec<(u8, [Option<Known>; 2])>,
}

#[derive(Clone, Copy)]
struct Known {
    /// None: that there is no such name.
    addr: Option<u8>,
    until: u64,
}

impl Model {
    fn touch(&mut self, host: u8) -> Option<&mut [Option<Known>; 2]> {
        let at = self.hosts.iter().position(|(known, _)| *known == host)?;
        let found = self.hosts.remove(at);
        self.hosts.push(found);
        self.hosts.last_mut().map(|(_, known)| known)
    }

    /// What is given: an address, that there is none, or nothing; and whether it is stale.
    fn look(&mut self, host: u8, family: usize, now: u64) -> (Option<Option<u8>>, bool) {
        let stale = self.config.stale.as_millis() as u64;
        let Some(known) = self.touch(host) else { return (None, false) };
        let given = match known[family] {
            Some(known) if now < known.until => (Some(known.addr), false),
            Some(Known { addr: Some(addr), until }) if now < until + stale => {
                (Some(Some(addr)), true)
            }
            _ => (None, false),
        };
        if given.0.is_none() {
            known[family] = None;
            self.tidy(host);
        }
        given
    }

    fn learn(&mut self, host: u8, family: usize, addr: Option<u8>, ttl: u64, now: u64) {
        let millis = |span: Duration| span.as_millis() as u64;
        let config = &self.config;
        let lasts = match addr {
            Some(_) => ttl.max(millis(config.ttl_min)).min(millis(config.ttl_max)),
            None => millis(config.negative),
        };
        let entry =
            (lasts > 0 && config.hosts_max > 0).then_some(Known { addr, until: now + lasts });
        match self.hosts.iter_mut().find(|(known, _)| *known == host) {
            Some((_, known)) => known[family] = entry,
            None if entry.is_some() => {
                let mut known = [None, None];
                known[family] = entry;
                self.hosts.push((host, known));
            }
            None => {}
        }
        self.tidy(host);
        if self.hosts.len() > self.config.hosts_max {
            self.hosts.remove(0);
        }
    }

    fn tidy(&mut self, host: u8) {
        self.hosts.retain(|(known, entries)| *known != host || entries.iter().any(Option::is_some));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Look(u8, bool),
    Learn(u8, bool, Option<u8>, u64),
    /// The servers do not answer.
    Fail(u8, bool),
    Purge(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (host, family) = (|| 0..6u8, any::<bool>);
    prop_oneof![
        (0..4000u64).prop_map(Step::Pass),
        (host(), family()).prop_map(|(host, v6)| Step::Look(host, v6)),
        (host(), family(), proptest::option::of(any::<u8>()), 0..9000u64)
            .prop_map(|(host, v6, addr, ttl)| Step::Learn(host, v6, addr, ttl)),
        (host(), family()).prop_map(|(host, v6)| Step::Fail(host, v6)),
        host().prop_map(Step::Purge),
    ]
}

fn config() -> impl Strategy<Value = CacheConfig> {
    (0..5usize, 0..3000u64, 0..8000u64, 0..3000u64, 0..5000u64).prop_map(
        |(hosts_max, min, max, negative, stale)| CacheConfig {
            hosts_max,
            ttl_min: Duration::from_millis(min),
            ttl_max: Duration::from_millis(max),
            negative: Duration::from_millis(negative),
            stale: Duration::from_millis(stale),
            ..CacheConfig::default()
        },
    )
}

proptest! {
    #[test]
    fn the_cache_is_what_the_plain_list_is(
        config in config(),
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut desk = Desk::new(config.clone());
        let mut model = Model { config, hosts: Vec::new() };
        let mut now = 0;
        for step in steps {
            play(&mut desk, &mut model, &mut now, step)?;
            let order: Vec<_> = desk.cache.order.values().map(|(_, name)| name.clone()).collect();
            let wanted: Vec<_> = model.hosts.iter().map(|(host, _)| name(*host)).collect();
            prop_assert_eq!(order.iter().map(|name| &**name).collect::<Vec<_>>(), wanted);
            prop_assert!(desk.cache.len() <= desk.cache.config.hosts_max);
            prop_assert_eq!(desk.cache.len(), desk.cache.order.len());
        }
    }
}

fn name(host: u8) -> String {
    format!("host-{host}")
}

fn play(
    desk: &mut Desk,
    model: &mut Model,
    now: &mut u64,
    step: Step,
) -> Result<(), TestCaseError> {
    let asked =
        |host: u8, v6: bool| query(&name(host), if v6 { IpFamily::V6 } else { IpFamily::V4 });
    let (realm, at) = (Realm::default(), desk.start + Duration::from_millis(*now));
    match step {
        Step::Pass(span) => *now += span,
        Step::Look(host, v6) => {
            let look = desk.cache.look(&realm, &asked(host, v6), at);
            let last = |answer: &Answer| match answer.addrs() {
                [IpAddr::V4(ip)] => ip.octets()[3],
                other => panic!("{other:?}"),
            };
            let given = match &look {
                Look::Fresh(answer) => (Some(Some(last(answer))), false),
                Look::Stale { answer, .. } => (Some(Some(last(answer))), true),
                Look::None(_) => (Some(None), false),
                Look::Miss => (None, false),
            };
            prop_assert_eq!(given, model.look(host, usize::from(v6), *now), "{:?}", look);
        }
        Step::Learn(host, v6, addr, ttl) => {
            let outcome = addr.map(|last| answer(last).with_ttl(Duration::from_millis(ttl)));
            let outcome = outcome.ok_or_else(|| LookupError::new(Cause::NotFound));
            desk.cache.learn(&realm, &asked(host, v6), &outcome, at);
            model.learn(host, usize::from(v6), addr, ttl, *now);
        }
        Step::Fail(host, v6) => {
            let outcome = Err(LookupError::new(Cause::Temporary));
            desk.cache.learn(&realm, &asked(host, v6), &outcome, at);
        }
        Step::Purge(host) => {
            desk.cache.purge(Some(&name(host)));
            model.hosts.retain(|(known, _)| *known != host);
        }
    }
    Ok(())
}
