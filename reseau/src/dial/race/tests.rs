use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What happens in a race, in milliseconds since its start.
#[derive(Clone, Debug)]
enum Happens {
    /// A family is answered, with so many addresses.
    Answer(IpFamily, u8),
    /// An attempt fails: the how manieth.
    Fail(usize),
}

use Happens::{Answer, Fail};
use IpFamily::{V4, V6};

/// Where somebody can be: `6` and `4` and a number.
fn addr(family: IpFamily, number: u8) -> SocketAddr {
    match family {
        V4 => SocketAddr::from(([192, 0, 2, number], 443)),
        V6 => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()], 443)),
    }
}

fn addrs(family: IpFamily, count: u8) -> impl Iterator<Item = SocketAddr> {
    (1..=count).map(move |number| addr(family, number))
}

fn shown(addr: SocketAddr) -> String {
    let number = match addr {
        SocketAddr::V4(v4) => v4.ip().octets()[3].into(),
        SocketAddr::V6(v6) => v6.ip().segments()[7],
    };
    format!("{}{number}", if addr.is_ipv4() { '4' } else { '6' })
}

/// Plays a script, and says when what was started: `6.1@0 4.1@250`; `lost@…` at the end.
fn play(families: Families, pace: Pace, script: &[(u64, Happens)]) -> String {
    let zero = crate::clock::real();
    let at = |ms: u64| zero + Duration::from_millis(ms);
    let ms = |at: Instant| at.duration_since(zero).as_millis();
    let mut race = Race::new(families, pace);
    let (mut told, mut now) = (Vec::new(), zero);
    let mut script = script.iter().peekable();
    loop {
        while let Some((_, happens)) = script.next_if(|(when, _)| at(*when) <= now) {
            match happens {
                Answer(family, count) => race.answered(*family, addrs(*family, *count), now),
                Fail(attempt) => race.failed(*attempt),
            }
        }
        match race.step(now) {
            Step::Connect { addr, .. } => told.push(format!("{}@{}", shown(addr), ms(now))),
            Step::Wait(until) => {
                let next = script.peek().map(|(when, _)| at(*when));
                match until.into_iter().chain(next).min() {
                    Some(next) => now = next,
                    None => break,
                }
            }
            Step::Lost => {
                told.push(format!("lost@{}", ms(now)));
                break;
            }
        }
    }
    told.join(" ")
}

fn usual(script: &[(u64, Happens)]) -> String {
    play(Families::default(), Pace::default(), script)
}

#[test]
fn the_preferred_family_starts_at_once() {
    let script = [(0, Answer(V6, 2)), (10, Answer(V4, 2))];
    assert_eq!(usual(&script), "61@0 41@250 62@500 42@750");
    let script = [(20, Answer(V6, 1)), (300, Answer(V4, 1))];
    assert_eq!(usual(&script), "61@20 41@300");
    // Nobody waits for what comes too late to be second.
    let script = [(0, Answer(V6, 3)), (260, Answer(V4, 1))];
    assert_eq!(usual(&script), "61@0 62@250 41@500 63@750");
}

#[test]
fn the_other_family_waits_for_the_resolution_delay() {
    let script = [(7, Answer(V4, 2)), (400, Answer(V6, 1))];
    assert_eq!(usual(&script), "41@57 42@307 61@557");
    // In time: it is first.
    let script = [(7, Answer(V4, 2)), (56, Answer(V6, 1))];
    assert_eq!(usual(&script), "61@56 41@306 42@556");
    // Nothing to wait for.
    let script = [(7, Answer(V4, 1)), (20, Answer(V6, 0))];
    assert_eq!(usual(&script), "41@20");
    let script = [(7, Answer(V6, 0)), (20, Answer(V4, 1))];
    assert_eq!(usual(&script), "41@20");
    // It is over, however late one asks: an answer at its end is still in time.
    let script = [(0, Answer(V4, 1)), (50, Answer(V6, 1))];
    assert_eq!(usual(&script), "61@50 41@300");
    let short = Pace::default().resolution_delay(Duration::from_millis(3));
    let script = [(7, Answer(V4, 1)), (20, Answer(V6, 1))];
    assert_eq!(play(Families::default(), short, &script), "41@10 61@260");
}

#[test]
fn a_failure_of_the_latest_starts_the_next() {
    let both = || [(0, Answer(V6, 2)), (0, Answer(V4, 2))];
    let with = |more: &[(u64, Happens)]| usual(&[&both()[..], more].concat());
    assert_eq!(with(&[(30, Fail(0)), (60, Fail(1))]), "61@0 41@30 62@60 42@310");
    // Of an earlier one it does not.
    assert_eq!(with(&[(260, Fail(0))]), "61@0 41@250 62@500 42@750");
    assert_eq!(with(&[(260, Fail(1)), (270, Fail(0))]), "61@0 41@250 62@260 42@510");
    let all = [(30, Fail(0)), (60, Fail(1)), (90, Fail(2)), (700, Fail(3))];
    assert_eq!(with(&all), "61@0 41@30 62@60 42@90 lost@700");
}

#[test]
fn answers_that_come_late_are_woven_in() {
    // All of the first family were tried: the others start when they come, but not too soon.
    let script = [(0, Answer(V6, 1)), (5, Fail(0)), (100, Answer(V4, 2))];
    assert_eq!(usual(&script), "61@0 41@100 42@350");
    let script = [(0, Answer(V6, 1)), (100, Answer(V4, 2))];
    assert_eq!(usual(&script), "61@0 41@250 42@500");
    // Not lost before both are answered.
    let script = [(0, Answer(V6, 1)), (5, Fail(0)), (9_000, Answer(V4, 0))];
    assert_eq!(usual(&script), "61@0 lost@9000");
    assert_eq!(usual(&[(1, Answer(V6, 0)), (2, Answer(V4, 0))]), "lost@2");
}

#[test]
fn policies_hold() {
    let script = [(0, Answer(V6, 1)), (20, Answer(V4, 1))];
    let on = |families| play(families, Pace::default(), &script);
    assert_eq!(on(Families::V4First), "41@20 61@270");
    assert_eq!(on(Families::V4Only), "41@20");
    assert_eq!(on(Families::V6Only), "61@0");
    // Never less than the RFC allows.
    let hasty = Pace::default().attempt_delay(Duration::ZERO);
    assert_eq!(play(Families::default(), hasty, &script), "61@0 41@20");
    let script = [(0, Answer(V6, 3))];
    assert_eq!(play(Families::V6Only, hasty, &script), "61@0 62@10 63@20");
    let patient = Pace::default().attempt_delay(Duration::MAX);
    let script = [(0, Answer(V6, 2)), (70_000, Fail(0))];
    assert_eq!(play(Families::V6Only, patient, &script), "61@0 62@70000");
}

#[test]
fn what_is_of_the_wrong_family_or_known_is_not_tried() {
    let now = crate::clock::real();
    let mut race = Race::new(Families::default(), Pace::default());
    race.answered(V6, [addr(V6, 1), addr(V4, 9), addr(V6, 1)], now);
    race.answered(V4, [], now);
    race.answered(V6, [addr(V6, 1)], now);
    assert_eq!(race.step(now), Step::Connect { attempt: 0, addr: addr(V6, 1) });
    assert_eq!(race.step(now), Step::Wait(None));
    race.failed(0);
    assert_eq!(race.step(now), Step::Lost);
}

#[test]
fn attempts_under_way_are_bounded() {
    let zero = crate::clock::real();
    let mut race = Race::new(Families::V6Only, Pace::default());
    race.answered(V6, addrs(V6, 200), zero);
    let mut now = zero;
    for attempt in 0..RUNNING_MAX {
        assert!(matches!(race.step(now), Step::Connect { attempt: a, .. } if a == attempt));
        now += ATTEMPT_DELAY;
    }
    assert_eq!(race.step(now), Step::Wait(None), "no more until one of them is over");
    race.failed(3);
    assert!(matches!(race.step(now), Step::Connect { attempt: RUNNING_MAX, .. }));
}

/// A world: when each family answers, with what, and how long each attempt takes to fail.
#[derive(Clone, Debug)]
struct Wild {
    families: Families,
    answers: [(u64, Vec<u8>); 2],
    fails: Vec<u64>,
    attempt_delay: u64,
    /// So much later than asked for it is looked at again.
    drowsy: u64,
}

fn wild() -> impl Strategy<Value = Wild> {
    use Families::{V4First, V4Only, V6First, V6Only};
    let families = prop_oneof![Just(V6First), Just(V4First), Just(V6Only), Just(V4Only)];
    let answer = || (0u64..600, prop::collection::vec(0u8..6, 0..6));
    let fails = prop::collection::vec(0u64..2000, 12);
    (families, [answer(), answer()], fails, 10u64..600, 0u64..9).prop_map(
        |(families, answers, fails, attempt_delay, drowsy)| Wild {
            families,
            answers,
            fails,
            attempt_delay,
            drowsy,
        },
    )
}

/// What was seen of a race: when each attempt started and failed.
#[derive(Debug, Default)]
struct Seen {
    starts: Vec<(u64, SocketAddr)>,
    fails: BTreeMap<usize, u64>,
    lost: u64,
}

/// Runs it until it is lost, in milliseconds.
fn run(wild: &Wild) -> Seen {
    let zero = crate::clock::real();
    let at = |ms: u64| zero + Duration::from_millis(ms);
    let pace = Pace::default().attempt_delay(Duration::from_millis(wild.attempt_delay));
    let mut race = Race::new(wild.families, pace);
    let mut seen = Seen::default();
    let mut answers = BTreeMap::from([(V4, &wild.answers[0]), (V6, &wild.answers[1])]);
    let (mut due, mut now) = (BTreeMap::<(u64, usize), ()>::new(), 0);
    for _ in 0..10_000 {
        answers.retain(|family, (when, numbers)| {
            let waits = now < *when;
            if !waits {
                race.answered(*family, numbers.iter().map(|n| addr(*family, *n)), at(now));
            }
            waits
        });
        while let Some(entry) = due.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, attempt), ()) = entry.remove_entry();
            race.failed(attempt);
            seen.fails.insert(attempt, now);
        }
        match race.step(at(now)) {
            Step::Connect { attempt, addr } => {
                assert_eq!(attempt, seen.starts.len(), "attempts are numbered");
                due.insert((now + wild.fails[attempt], attempt), ());
                seen.starts.push((now, addr));
            }
            Step::Wait(until) => {
                let until = until.map(|until| (until - zero).as_millis() as u64 + wild.drowsy);
                assert!(until.is_none_or(|until| until > now), "it waits for the past");
                let news = answers.values().map(|(when, _)| *when);
                let news = news.chain(due.keys().map(|(when, _)| *when));
                now = until.into_iter().chain(news).min().expect("it waits for nothing");
            }
            Step::Lost => {
                seen.lost = now;
                return seen;
            }
        }
    }
    panic!("it does not end");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn races_keep_the_rules(wild in wild()) {
        let seen = run(&wild);
        let allowed = |family| wild.families.allows(family);
        let mut all: Vec<SocketAddr> = Vec::new();
        for (family, (_, numbers)) in [V4, V6].into_iter().zip(&wild.answers) {
            all.extend(numbers.iter().filter(|_| allowed(family)).map(|n| addr(family, *n)));
        }
        all.sort_unstable();
        all.dedup();
        let mut tried: Vec<_> = seen.starts.iter().map(|(_, addr)| *addr).collect();
        // Of one family in the order of the answer.
        for (family, (_, numbers)) in [V4, V6].into_iter().zip(&wild.answers) {
            let mut order: Vec<SocketAddr> = Vec::new();
            for number in numbers {
                let addr = addr(family, *number);
                if allowed(family) && !order.contains(&addr) {
                    order.push(addr);
                }
            }
            let of: Vec<_> = tried.iter().filter(|a| IpFamily::of(a.ip()) == family).collect();
            prop_assert_eq!(of, order.iter().collect::<Vec<_>>());
        }
        tried.sort_unstable();
        prop_assert_eq!(tried, all, "each address exactly once");

        let answered = |family| wild.answers[usize::from(family == V6)].0;
        for (number, pair) in seen.starts.windows(2).enumerate() {
            let ((before, one), (after, other)) = (pair[0], pair[1]);
            prop_assert!(before <= after);
            let failed = seen.fails.get(&number).is_some_and(|failed| *failed <= after);
            prop_assert!(failed || after - before >= wild.attempt_delay, "too soon");
            // One family twice in a row: the other had nothing left, or nothing yet.
            let (one, other) = (IpFamily::of(one.ip()), IpFamily::of(other.ip()));
            let absent = if one == V4 { V6 } else { V4 };
            let mut rest = seen.starts[number + 1..].iter();
            let later = rest.any(|(_, addr)| IpFamily::of(addr.ip()) == absent);
            prop_assert!(one != other || !later || answered(absent) >= after, "no turns");
            // Nobody idles: an attempt starts when it may.
            let due = seen.fails.get(&number).map_or(before + wild.attempt_delay, |failed| {
                (*failed).min(before + wild.attempt_delay)
            });
            let due = due.max(answered(other));
            prop_assert!(after <= due + wild.drowsy, "{} is later than {}", after, due);
        }
        if let Some((start, addr)) = seen.starts.first() {
            let first = wild.families.first();
            let family = IpFamily::of(addr.ip());
            let due = if family == first {
                answered(first)
            } else if allowed(first) {
                answered(family).max(answered(first)).min(answered(family) + 50)
            } else {
                answered(family)
            };
            prop_assert!((due..=due + wild.drowsy).contains(start), "{} for {}", start, due);
        }
        // Lost exactly when all was answered and all has failed.
        let last = [V4, V6].into_iter().filter(|family| allowed(*family)).map(answered).max();
        let over = seen.fails.values().copied().chain(last).max().unwrap();
        prop_assert_eq!(seen.lost, over);
        prop_assert_eq!(seen.fails.len(), seen.starts.len());
    }
}
