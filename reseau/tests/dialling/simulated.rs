//! The networks in the simulator, where time is exact.
use crate::networks::{HOST, NETWORKS, Network, PORT, ROUND_TRIP, Reply, Way};
use crate::watchdog::watched;
use reseau::dial::DialReport;
use reseau::dns::CacheConfig;
use reseau::error::Phase;
use reseau::sim::{Answer, Name, Route, World};
use reseau::{Error, Resolver, TcpListener, blocking, connect};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What came of one dial.
pub(crate) struct Run {
    pub(crate) report: DialReport,
    pub(crate) end: Result<IpAddr, ErrorKind>,
    /// On the world's clock, not by what the report says.
    pub(crate) took: Duration,
    pub(crate) trace: u64,
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Dials in a world in which everything takes the same time.
pub(crate) fn dial(network: &Network, seed: u64) -> Run {
    let world = World::new(seed).latency(ms(ROUND_TRIP / 2), ms(ROUND_TRIP / 2));
    let answer = |reply: Reply, v6| match reply {
        Reply::After(after) => Answer::addrs(network.ips(v6)).after(ms(after)),
        Reply::Fails(after) => Answer::error(ErrorKind::NotFound).after(ms(after)),
        Reply::Never => Answer::silence(),
    };
    let (v6, v4) = (answer(network.v6.0, true), answer(network.v4.0, false));
    world.name(HOST, Name::new().v6(v6).v4(v4));
    for (ip, way) in network.ways() {
        let route = match way {
            Way::Open | Way::Refused => continue,
            Way::Slow(trip) => Route::Delay(ms((trip - ROUND_TRIP) / 2)),
            Way::Blackhole => Route::Blackhole,
            Way::Unreachable => Route::Unreachable,
            Way::NoRoute => Route::NoRoute,
            Way::Reset => Route::Reset,
        };
        world.route(ip, route);
    }
    let (end, took) = world.run(async {
        let mut listeners = Vec::new();
        for (ip, way) in network.ways() {
            if matches!(way, Way::Open | Way::Slow(_) | Way::Reset) {
                listeners.push(TcpListener::bind(SocketAddr::new(ip, PORT)).await.unwrap());
            }
        }
        let began = world.elapsed();
        let dial = connect((HOST, PORT));
        let dial = match network.limit {
            Some(limit) => dial.limit(ms(limit)),
            None => dial,
        };
        let end = dial.with_report().await;
        (end, world.elapsed() - began)
    });
    let (end, report) = match end {
        // Asked of the report: a connection that was reset does not tell any more.
        Ok((_, report)) => (Ok(report.won().unwrap().addr().inet().unwrap().ip()), report),
        Err(error) => (Err(error.kind()), DialReport::of(&error).unwrap().clone()),
    };
    Run { report, end, took, trace: world.trace_hash() }
}

#[test]
fn connections_come_when_the_rfc_says() {
    watched("connections_come_when_the_rfc_says", || {
        let mut wrong = Vec::new();
        for network in NETWORKS {
            let run = dial(network, 7);
            let due = ms(network.due());
            if (run.took, &run.end) != (due, &network.winner()) {
                wrong.push(format!(
                    "{}: {:?} after {:?}, not {:?} after {due:?}\n{}",
                    network.name,
                    run.end,
                    run.took,
                    network.winner(),
                    run.report
                ));
            }
            assert_eq!(run.report.total(), run.took, "{}", network.name);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// The rules that hold in every network, by what the report says.
#[test]
fn no_attempt_begins_before_its_time() {
    watched("no_attempt_begins_before_its_time", || {
        for network in NETWORKS {
            let report = dial(network, 7).report;
            for pair in report.attempts().windows(2) {
                let [before, after] = pair else { unreachable!("windows of two") };
                let failed = before.error().map(|_| before.start() + before.duration());
                let due = before.start() + ms(250);
                let due = failed.map_or(due, |failed| failed.min(due));
                // Late answers put an attempt off, nothing else does.
                let known = report
                    .lookups()
                    .iter()
                    .filter(|lookup| lookup.addrs().contains(&after.addr().inet().unwrap().ip()));
                let known = known.map(|lookup| lookup.start() + lookup.duration()).max();
                assert_eq!(Some(after.start()), known.map(|known| known.max(due)), "{report}");
            }
        }
    });
}

#[test]
fn a_dial_is_the_same_with_the_same_seed() {
    watched("a_dial_is_the_same_with_the_same_seed", || {
        for network in NETWORKS {
            let (one, other) = (dial(network, 11), dial(network, 11));
            assert_eq!(one.trace, other.trace, "{}", network.name);
            assert_eq!(one.report.to_string(), other.report.to_string());
        }
    });
}

#[test]
fn silence_ends_at_the_deadline() {
    watched("silence_ends_at_the_deadline", || {
        let world = World::new(7);
        world.name(HOST, Name::new().v6(Answer::silence()).v4(Answer::silence()));
        let limit = Duration::from_nanos(123_456_789);
        let error = world.run(async { connect((HOST, PORT)).limit(limit).await }).unwrap_err();
        assert_eq!(world.elapsed(), limit, "not a moment later");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(Error::of(&error).unwrap().phase(), Some(Phase::Name));
        // The other door would stand still there, and says so.
        let error = world.run(async { blocking::connect((HOST, PORT)).wait() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    });
}

/// What was refused is not tried first again, as long as the answer is remembered.
#[test]
fn a_dial_learns_from_the_last_one() {
    watched("a_dial_learns_from_the_last_one", || {
        let world = World::new(7);
        let [dead, alive] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        world.name(HOST, Name::at([dead, alive]));
        world.run(async {
            let _listener = TcpListener::bind(SocketAddr::new(alive, PORT)).await.unwrap();
            let resolver = Resolver::system().cached(CacheConfig::default());
            let attempts = async || {
                let dial = connect((HOST, PORT)).resolver(&resolver);
                dial.with_report().await.unwrap().1.attempts().len()
            };
            assert_eq!((attempts().await, attempts().await), (2, 1));
            resolver.purge(HOST);
            assert_eq!((attempts().await, attempts().await), (2, 1));
        });
    });
}

/// Losers are closed when somebody has won: a later connection of theirs is not accepted by us.
#[test]
fn whoever_loses_is_closed() {
    watched("whoever_loses_is_closed", || {
        let world = World::new(7).latency(ms(5), ms(5));
        let (slow, quick) = ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        world.name(HOST, Name::at([slow, quick]));
        world.route(slow, Route::Delay(ms(200)));
        world.run(async {
            let slow = TcpListener::bind(SocketAddr::new(slow, PORT)).await.unwrap();
            let quick = TcpListener::bind(SocketAddr::new(quick, PORT)).await.unwrap();
            let stream = connect((HOST, PORT)).await.unwrap();
            assert_eq!(
                stream.peer_addr().unwrap().inet().unwrap().ip(),
                quick.local_addr().unwrap().ip()
            );
            quick.accept().await.unwrap();
            // What was under way to the other ends without anybody there.
            match reseau::timeout(ms(5000), slow.accept()).await {
                Err(_) | Ok(Err(_)) => {}
                Ok(Ok((mut late, _))) => assert!(!matches!(late.recv().await, Ok(Some(_)))),
            }
        });
    });
}
