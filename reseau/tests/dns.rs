//! Names: what resolvers promise, to threads and to tasks.
#![allow(clippy::disallowed_methods)] // Tests may look at the clock.

mod watchdog;

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use reseau::Resolver;
use reseau::dns::{
    self, Answer, CacheConfig, Cause, Families, IpFamily, LookupError, Query, Source,
};
use reseau::error::{Class, Error, Operation, Phase, class_of};
use watchdog::watched;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn both(_: &Query) -> io::Result<Answer> {
    Ok(Answer::new([ip("192.0.2.1"), ip("2001:db8::1")]))
}

fn cause(error: &io::Error) -> Cause {
    let outer = Error::of(error).expect("an error of this crate");
    assert_eq!((outer.operation(), outer.phase()), (Operation::Resolve, Some(Phase::Name)));
    LookupError::of(error).expect("an error of a lookup").cause()
}

/// A function that answers when it is told to, and counts its calls.
struct Gate {
    resolver: Resolver,
    calls: Arc<AtomicUsize>,
    open: Sender<()>,
}

impl Gate {
    fn new() -> Self {
        let (open, wait): (Sender<()>, Receiver<()>) = channel();
        let calls = Arc::new(AtomicUsize::new(0));
        let (wait, counted) = (Mutex::new(wait), calls.clone());
        let resolver = Resolver::from_fn(move |query| {
            counted.fetch_add(1, Ordering::SeqCst);
            // One message for each call; the end of the channel lets all through.
            let _ = wait.lock().unwrap().recv();
            both(query)
        });
        Self { resolver, calls, open }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[test]
fn a_thousand_threads_make_one_call() {
    watched("a_thousand_threads_make_one_call", || {
        let gate = Gate::new();
        let resolver = gate.resolver.clone().single_flight().families(Families::V4Only);
        let start = Arc::new(Barrier::new(CROWD + 1));
        let crowd: Vec<_> = (0..CROWD)
            .map(|_| {
                let (resolver, start) = (resolver.clone(), start.clone());
                let thread = thread::Builder::new().stack_size(64 << 10);
                let body = move || {
                    start.wait();
                    resolver.lookup("one.example").wait()
                };
                thread.spawn(body).unwrap()
            })
            .collect();
        start.wait();
        // All have asked when all but one have joined.
        while resolver.counters().joined < CROWD as u64 - 1 {
            thread::yield_now();
        }
        gate.open.send(()).unwrap();
        for thread in crowd {
            assert_eq!(thread.join().unwrap().unwrap(), [ip("192.0.2.1")]);
        }
        assert_eq!(gate.calls(), 1);
        // The next one is asked anew: this layer keeps nothing.
        drop(gate.open);
        resolver.lookup("one.example").wait().unwrap();
        assert_eq!(gate.calls.load(Ordering::SeqCst), 2);
    });
}

const CROWD: usize = 1000;

#[test]
fn every_bad_name_is_an_error_at_once() {
    watched("every_bad_name_is_an_error_at_once", || {
        // Nobody may be asked.
        let resolver = Resolver::from_fn(|query| panic!("{query:?} was asked for"));
        let long = format!("{}com", "a.".repeat(126));
        let label = format!("{}.com", "a".repeat(64));
        for name in
            ["", ".", "a..b", ".a", "a\0b", "a b", "fe80::1%lo", &long, &label, "http://x", "a:80"]
        {
            let error = resolver.lookup(name).wait().unwrap_err();
            assert_eq!(cause(&error), Cause::BadName, "{name:?}");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(!error.to_string().contains('\0'));
        }
        assert_eq!(resolver.counters().calls, 0);
        // The longest good ones, with and without the dot at the end.
        let longest = format!("{}com", "a.".repeat(125));
        assert_eq!(longest.len(), 253);
        let resolver = Resolver::from_fn(both);
        assert_eq!(resolver.lookup(&longest).wait().unwrap().len(), 2);
        assert_eq!(resolver.lookup(&format!("{longest}.")).wait().unwrap().len(), 2);
    });
}

#[test]
fn a_deadline_is_kept_when_the_resolver_is_stuck() {
    watched("a_deadline_is_kept_when_the_resolver_is_stuck", || {
        let gate = Gate::new();
        let resolver = gate.resolver.clone().single_flight();
        for _ in 0..3 {
            let error = resolver.lookup("x.example").limit(Duration::from_millis(20)).wait();
            let error = error.unwrap_err();
            assert_eq!((cause(&error), class_of(&error)), (Cause::Late, Class::Timeout));
        }
        // One that is over before it begins.
        let past = resolver.lookup("x.example").deadline(Instant::now()).wait().unwrap_err();
        assert_eq!(cause(&past), Cause::Late);
        // Whoever comes again joins the call that is stuck: no thread for each try.
        assert!(gate.calls() <= 2, "{} calls", gate.calls());
        drop(gate.open);
        assert_eq!(resolver.lookup("x.example").wait().unwrap().len(), 2);
    });
}

#[test]
fn what_has_come_by_the_deadline_is_the_answer() {
    watched("what_has_come_by_the_deadline_is_the_answer", || {
        let resolver = Resolver::from_fn(|query| match query.family() {
            IpFamily::V4 => both(query),
            IpFamily::V6 => loop {
                thread::park();
            },
        });
        let found = resolver.lookup("half.example").limit(Duration::from_millis(100)).wait();
        assert_eq!(found.unwrap(), [ip("192.0.2.1")]);
    });
}

#[test]
fn answers_are_of_the_family_that_was_asked_for() {
    watched("answers_are_of_the_family_that_was_asked_for", || {
        let v6 = Resolver::from_fn(|_| Ok(Answer::new([ip("::1"), ip("::2"), ip("::1")])));
        assert_eq!(v6.lookup("x.example").wait().unwrap(), [ip("::1"), ip("::2")]);
        let error = v6.clone().families(Families::V4Only).lookup("x.example").wait().unwrap_err();
        assert_eq!((cause(&error), error.kind()), (Cause::NoFamily, io::ErrorKind::Unsupported));
        let none = Resolver::from_fn(|_| Ok(Answer::new([])));
        assert_eq!(cause(&none.lookup("x.example").wait().unwrap_err()), Cause::NoData);
        let order = |families| {
            Resolver::from_fn(both).families(families).lookup("x.example").wait().unwrap()
        };
        assert_eq!(order(Families::V4First), [ip("192.0.2.1"), ip("2001:db8::1")]);
        assert_eq!(order(Families::V6First), [ip("2001:db8::1"), ip("192.0.2.1")]);
        let query = Query::new("x.example", IpFamily::V6).unwrap();
        let error = Resolver::from_fn(both).families(Families::V4Only).query(&query).wait();
        assert_eq!(cause(&error.unwrap_err()), Cause::NoFamily);
        let literal = Resolver::system().families(Families::V6Only).lookup("127.0.0.1").wait();
        assert_eq!(cause(&literal.unwrap_err()), Cause::NoData);
    });
}

#[test]
fn a_panic_is_an_error_and_the_threads_live_on() {
    watched("a_panic_is_an_error_and_the_threads_live_on", || {
        let resolver = Resolver::from_fn(|query| {
            assert!(query.name() != "bad.example", "on purpose");
            both(query)
        });
        let resolver = resolver.single_flight();
        for _ in 0..20 {
            let error = resolver.lookup("bad.example").wait().unwrap_err();
            assert_eq!(cause(&error), Cause::Failed);
            assert_eq!(resolver.lookup("good.example").wait().unwrap().len(), 2);
        }
    });
}

#[test]
fn only_what_is_not_found_is_asked_of_the_next() {
    watched("only_what_is_not_found_is_asked_of_the_next", || {
        let first = Resolver::from_fn(|query| match query.name() {
            "here.example" => Ok(Answer::new([ip("192.0.2.7")])),
            "down.example" => Err(LookupError::new(Cause::Temporary).into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        });
        let resolver = first.families(Families::V4Only).or(Resolver::from_fn(both));
        let of = |name: &str| resolver.lookup(name).wait();
        assert_eq!(of("here.example").unwrap(), [ip("192.0.2.7")]);
        assert_eq!(of("there.example").unwrap(), [ip("192.0.2.1")]);
        assert_eq!(cause(&of("down.example").unwrap_err()), Cause::Temporary);
        let query = Query::new("here.example", IpFamily::V6).unwrap();
        let v6 = resolver.clone().families(Families::V6Only).query(&query).wait();
        assert_eq!(cause(&v6.unwrap_err()), Cause::NoFamily);
        assert_eq!(resolver.counters().calls, 5);
    });
}

#[test]
fn errors_keep_their_class() {
    watched("errors_keep_their_class", || {
        let failing = |make: fn() -> io::Error| {
            let resolver = Resolver::from_fn(move |_| Err(make())).single_flight();
            resolver.lookup("x.example").wait().unwrap_err()
        };
        let temporary = failing(|| LookupError::new(Cause::Temporary).into());
        assert_eq!((cause(&temporary), class_of(&temporary)), (Cause::Temporary, Class::Wait));
        let own = failing(|| io::Error::other("the moon is full"));
        assert_eq!((cause(&own), class_of(&own)), (Cause::Other, Class::Fatal));
        assert_eq!(own.to_string(), "resolve x.example: name: the moon is full");
        let absent = failing(|| io::ErrorKind::NotFound.into());
        assert_eq!((cause(&absent), absent.kind()), (Cause::NotFound, io::ErrorKind::NotFound));
    });
}

#[test]
fn the_system_knows_this_machine() {
    watched("the_system_knows_this_machine", || {
        let resolver = Resolver::default();
        let query = Query::new("localhost", IpFamily::V4).unwrap();
        let answer = resolver.query(&query).wait().unwrap();
        assert_eq!((answer.addrs(), answer.source()), (&[ip("127.0.0.1")][..], Source::System));
        // RFC 6761: nobody has this name, with or without a network.
        let error = resolver.lookup("nobody.invalid").wait().unwrap_err();
        let known = [Cause::NotFound, Cause::NoData, Cause::Temporary, Cause::Failed];
        assert!(known.contains(&cause(&error)), "{error}");
        assert!(LookupError::of(&error).unwrap().code().is_some());
        assert!(error.to_string().starts_with("resolve nobody.invalid: name: "), "{error}");
        assert!(!resolver.reverse(ip("127.0.0.1")).or_numeric().wait().unwrap().is_empty());
    });
}

#[test]
fn the_addresses_of_this_machine_can_be_bound() {
    watched("the_addresses_of_this_machine_can_be_bound", || {
        let interfaces = dns::interfaces().unwrap();
        let names: HashSet<_> = interfaces.iter().map(|one| one.name().to_owned()).collect();
        assert_eq!(names.len(), interfaces.len(), "an interface is listed twice");
        let all = dns::ip_addrs(true).unwrap();
        assert!(all.contains(&ip("127.0.0.1")));
        for addr in interfaces.iter().flat_map(|one| one.addrs()) {
            assert!(addr.prefix_len() <= if addr.ip().is_ipv4() { 32 } else { 128 }, "{addr}");
            assert!(addr.reaches(addr.ip()));
            // One of the link's own network has a zone, without which it cannot be bound.
            let linked = matches!(addr.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local());
            if all.contains(&addr.ip()) && !linked {
                std::net::UdpSocket::bind((addr.ip(), 0)).expect("an address of this machine");
            }
        }
        assert!(dns::ip_addrs(false).unwrap().iter().all(|ip| all.contains(ip)));
        assert!(dns::host_name().is_ok_and(|name| !name.contains('\0')));
    });
}

#[test]
fn a_stuck_name_delays_no_other() {
    watched("a_stuck_name_delays_no_other", || {
        let resolver = Resolver::from_fn(|query| {
            if query.name() == "stuck.example" {
                loop {
                    thread::park();
                }
            }
            both(query)
        });
        let resolver = resolver.single_flight();
        let limit = Duration::from_millis(1);
        let late: HashSet<_> = (0..100)
            .map(|_| cause(&resolver.lookup("stuck.example").limit(limit).wait().unwrap_err()))
            .collect();
        assert_eq!(late, HashSet::from([Cause::Late]));
        for number in 0..100 {
            assert!(resolver.lookup(&format!("host-{number}.example")).wait().is_ok());
        }
    });
}

#[test]
fn more_names_than_the_queue_has_room_for_are_all_found() {
    watched("more_names_than_the_queue_has_room_for_are_all_found", || {
        let gate = Gate::new();
        let resolver = gate.resolver.clone().families(Families::V4Only);
        let (done, all) = channel();
        for number in 0..8 {
            let (resolver, done) = (resolver.clone(), done.clone());
            thread::spawn(move || {
                let names = (0..400).map(|at| format!("host-{number}-{at}.example"));
                let lookups = names.map(|name| resolver.lookup(&name)).collect::<Vec<_>>();
                done.send(futures(lookups)).unwrap();
            });
        }
        drop(gate.open);
        let found: usize = (0..8).map(|_| all.recv().unwrap()).sum();
        assert_eq!(found, 3200);
        assert_eq!(gate.calls.load(Ordering::SeqCst), 3200);
    });
}

/// Waits for all at once; how many found something.
fn futures(lookups: Vec<reseau::dns::Lookup>) -> usize {
    #[cfg(feature = "async")]
    return reseau::block_on(async {
        let started: Vec<_> = lookups
            .into_iter()
            .map(|lookup| reseau::spawn_local(async move { lookup.await.is_ok() }))
            .collect();
        let mut found = 0;
        for task in started {
            found += usize::from(task.await.unwrap());
        }
        found
    });
    #[cfg(not(feature = "async"))]
    lookups.into_iter().filter_map(|lookup| lookup.wait().ok()).count()
}

#[test]
fn a_stuck_resolver_does_not_keep_the_process() {
    if std::env::var_os(STUCK).is_some() {
        return watched("the child of it", stuck_until_the_end);
    }
    watched("a_stuck_resolver_does_not_keep_the_process", || {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "a_stuck_resolver_does_not_keep_the_process", "--nocapture"]);
        let output = child.env(STUCK, "1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("all threads are stuck"), "{text}");
    });
}

/// Says that this is the process that is to end.
const STUCK: &str = "RESEAU_TEST_STUCK";

/// Every thread of a resolver hangs for ever, and more lookups wait for them.
fn stuck_until_the_end() {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let resolver = Resolver::from_fn(move |_| {
        let _ = tell.lock().unwrap().send(());
        loop {
            thread::park();
        }
    });
    let in_vain = |number: usize| {
        let lookup = resolver.lookup(&format!("host-{number}.example"));
        assert!(lookup.limit(Duration::from_millis(1)).wait().is_err());
    };
    // Both families of eight hosts. (What ran out of time before it was begun, never is.)
    let mut begun = 0;
    for number in 0.. {
        in_vain(number);
        begun += told.try_iter().count();
        if begun == 16 {
            break;
        }
    }
    (0..12).for_each(in_vain);
    println!("all threads are stuck");
}

#[test]
fn a_cold_cache_is_filled_by_one_call() {
    watched("a_cold_cache_is_filled_by_one_call", || {
        let gate = Gate::new();
        let resolver = gate.resolver.clone().families(Families::V4Only);
        let resolver =
            resolver.cached(CacheConfig { ttl: Duration::MAX, ..CacheConfig::default() });
        let crowd: Vec<_> = (0..32)
            .map(|_| {
                let resolver = resolver.clone();
                thread::spawn(move || {
                    let query = Query::new("one.example", IpFamily::V4).unwrap();
                    resolver.query(&query).wait().unwrap().source()
                })
            })
            .collect();
        drop(gate.open);
        // Whoever came too late to fly along found the answer: nobody falls between the two.
        for thread in crowd {
            let source = thread.join().unwrap();
            assert!(matches!(source, Source::Function | Source::Cache), "{source}");
        }
        assert_eq!(gate.calls.load(Ordering::SeqCst), 1);
        let counters = resolver.counters();
        assert_eq!(counters.hits + counters.joined + counters.calls, 32);
    });
}

#[cfg(feature = "async")]
mod tasks {
    use super::*;
    use reseau::sim;

    #[test]
    fn a_thousand_tasks_make_one_call() {
        watched("a_thousand_tasks_make_one_call", || {
            let gate = Gate::new();
            let resolver = gate.resolver.clone().single_flight().families(Families::V6Only);
            reseau::block_on(async {
                let crowd: Vec<_> = (0..CROWD)
                    .map(|_| {
                        let resolver = resolver.clone();
                        reseau::spawn(async move { resolver.lookup("one.example").await })
                    })
                    .collect();
                while resolver.counters().joined < CROWD as u64 - 1 {
                    reseau::yield_now().await;
                }
                gate.open.send(()).unwrap();
                for task in crowd {
                    assert_eq!(task.await.unwrap().unwrap(), [ip("2001:db8::1")]);
                }
            });
            assert_eq!(gate.calls(), 1);
        });
    }

    #[test]
    fn a_dropped_lookup_is_not_begun() {
        watched("a_dropped_lookup_is_not_begun", || {
            let gate = Gate::new();
            let resolver = gate.resolver.clone().single_flight().families(Families::V4Only);
            reseau::block_on(async {
                // Every thread is busy, so that the others wait in the queue.
                let busy: Vec<_> = (0..16)
                    .map(|number| resolver.lookup(&format!("busy-{number}.example")))
                    .map(|lookup| reseau::spawn_local(async move { lookup.await.is_ok() }))
                    .collect();
                while gate.calls() < 16 {
                    reseau::yield_now().await;
                }
                let limit = Duration::from_millis(1);
                let dropped = resolver.lookup("dropped.example");
                assert!(reseau::timeout(limit, dropped.into_future()).await.is_err());
                let kept = resolver.lookup("kept.example").into_future();
                drop(gate.open);
                assert!(kept.await.is_ok());
                for task in busy {
                    assert!(task.await.unwrap());
                }
                // The queue is in order: had it been begun, it would have been before this one.
                assert_eq!(gate.calls.load(Ordering::SeqCst), 17);
            });
        });
    }

    #[test]
    fn deadlines_are_kept_in_a_world() {
        watched("deadlines_are_kept_in_a_world", || {
            let six = ip("2001:db8::1");
            let late = |after| sim::Answer::addrs([six]).after(Duration::from_millis(after));
            for (answer, limit, cause_then) in [
                (sim::Answer::silence(), 1, Some(Cause::Late)),
                (sim::Answer::silence(), 3_600_000, Some(Cause::Late)),
                (late(5000), 4000, Some(Cause::Late)),
                (late(3000), 4000, None),
                (sim::Answer::error(io::ErrorKind::NotFound), 4000, Some(Cause::NotFound)),
            ] {
                let world = sim::World::new(1);
                let hopeless = sim::Answer::error(io::ErrorKind::NotFound);
                world.name("x.example", sim::Name::new().v6(answer).v4(hopeless));
                let limit = Duration::from_millis(limit);
                let outcome =
                    world.run(async { Resolver::default().lookup("x.example").limit(limit).await });
                assert_eq!(outcome.as_ref().err().map(cause), cause_then);
                let spent = world.elapsed();
                match cause_then {
                    Some(Cause::Late) => {
                        assert!(spent >= limit && spent < limit + Duration::from_millis(10));
                    }
                    Some(_) => assert!(spent < Duration::from_secs(1)),
                    None => assert_eq!(spent, Duration::from_secs(3)),
                }
            }
        });
    }

    #[test]
    fn a_world_answers_for_itself_alone() {
        watched("a_world_answers_for_itself_alone", || {
            // The same resolver, asked the same in two worlds: nobody joins a flight of the other.
            let resolver = Resolver::default();
            let of_world = |addr: &str| {
                let world = sim::World::new(7);
                world.name("x.example", sim::Name::at([ip(addr)]));
                world.name("silent.example", sim::Name::new().v4(sim::Answer::silence()));
                world.run(async {
                    let limit = Duration::from_secs(1);
                    let silent = resolver.lookup("silent.example").limit(limit).await;
                    let found = resolver.lookup("X.Example.").await.unwrap();
                    // A thread cannot wait in a world: it would stand still.
                    assert_eq!(resolver.lookup(addr).wait().unwrap(), [ip(addr)]);
                    let error = resolver.lookup("x.example").wait().unwrap_err();
                    assert_eq!(cause(&error), Cause::Unsupported);
                    let error = resolver.reverse(ip(addr)).await.unwrap_err();
                    assert_eq!(cause(&error), Cause::Unsupported);
                    (cause(&silent.unwrap_err()), found)
                })
            };
            assert_eq!(of_world("192.0.2.1"), (Cause::Late, vec![ip("192.0.2.1")]));
            assert_eq!(of_world("192.0.2.2"), (Cause::Late, vec![ip("192.0.2.2")]));
            let source = sim::World::new(1).run(async {
                let query = Query::new("localhost", IpFamily::V4).unwrap();
                resolver.query(&query).await.unwrap().source()
            });
            assert_eq!(source, Source::World);
        });
    }

    #[test]
    fn a_cache_goes_by_the_clock_of_its_world() {
        watched("a_cache_goes_by_the_clock_of_its_world", || {
            let world = sim::World::new(3);
            let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
            let slow = |last| sim::Answer::addrs([six(last)]).after(Duration::from_secs(2));
            world.name("x.example", sim::Name::new().v6(slow(1)));
            let config = CacheConfig { stale: Duration::from_secs(60), ..CacheConfig::default() };
            let resolver = Resolver::system().families(Families::V6Only).cached(config);
            let query = Query::new("x.example", IpFamily::V6).unwrap();
            world.run(async {
                let ask = async || {
                    let (before, answer) = (world.elapsed(), resolver.query(&query).await.unwrap());
                    let spent = world.elapsed() - before;
                    (answer.source(), answer.addrs()[0], spent >= Duration::from_secs(2))
                };
                assert_eq!(ask().await, (Source::World, six(1), true));
                world.name("x.example", sim::Name::new().v6(slow(2)));
                reseau::sleep(Duration::from_millis(4_900)).await;
                assert_eq!(ask().await, (Source::Cache, six(1), false));
                reseau::sleep(Duration::from_millis(200)).await;
                // Over: the old answer at once, and a new one in the background.
                assert_eq!(ask().await, (Source::StaleCache, six(1), false));
                assert_eq!(ask().await, (Source::StaleCache, six(1), false));
                reseau::sleep(Duration::from_millis(2_100)).await;
                assert_eq!(ask().await, (Source::Cache, six(2), false));
                let counters = resolver.counters();
                assert_eq!((counters.refreshed, counters.misses, counters.hosts), (1, 1, 1));
                resolver.purge_all();
                assert_eq!(ask().await, (Source::World, six(2), true));
            });
        });
    }

    #[test]
    fn foreign_executors_may_ask() {
        watched("foreign_executors_may_ask", || {
            let resolver = Resolver::from_fn(both).single_flight();
            let lookup = || resolver.lookup("x.example").limit(Duration::from_secs(60));
            assert_eq!(smol::block_on(lookup().into_future()).unwrap().len(), 2);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            assert_eq!(runtime.block_on(lookup().into_future()).unwrap().len(), 2);
        });
    }
}
