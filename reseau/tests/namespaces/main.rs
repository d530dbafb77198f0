//! Dialling, and UDP, on real sockets in a network that the test makes for itself: a user and
//! network namespace with paths that lose, refuse and do not exist. What is tried there is tried in
//! a simulated world too, which must tell the same story.
//!
//! Where a machine does not let tests make such networks they are skipped, and say so;
//! `RESEAU_REQUIRE=namespaces` makes that a failure.
#![cfg(all(feature = "async", target_os = "linux"))]
#![allow(clippy::disallowed_methods)] // Tests may look at the clock.

mod network;
mod stage;
#[path = "../watchdog/mod.rs"]
mod watchdog;

use network::{Path, isolated};
use reseau::dial::{News, Outcome};
use reseau::{Resolver, blocking};
use stage::{PORT, Scene, datagrams_everywhere, dials_everywhere, told};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// An address of IPv6 that is for documentation.
const fn six(number: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 6, 0, 0, 0, 0, number))
}

/// The same of IPv4.
const fn four(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, number))
}

/// So long that whoever waits for it hangs: what comes next must come because something failed.
const NEVER: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(100);

#[test]
fn v6_is_silent_and_v4_answers() {
    isolated("v6_is_silent_and_v4_answers", |network| {
        let scene = Scene {
            paths: vec![(six(1), Path::Silent), (four(1), Path::Listens)],
            attempt_delay: SOON,
            limit: None,
        };
        for report in dials_everywhere(&network, scene) {
            let report = report.unwrap();
            assert_eq!(told(&report), [(six(1), "given up"), (four(1), "connected")]);
            let [lost, won] = report.attempts() else { unreachable!() };
            assert!(won.start() >= lost.start() + SOON, "{report}");
            // It went on while the other was made, and until that was there.
            assert!(lost.start() + lost.duration() >= won.start() + won.duration(), "{report}");
        }
    });
}

#[test]
fn v4_is_silent_and_v6_answers() {
    isolated("v4_is_silent_and_v6_answers", |network| {
        let scene = Scene {
            paths: vec![(four(1), Path::Silent), (six(1), Path::Listens)],
            attempt_delay: NEVER,
            limit: None,
        };
        for report in dials_everywhere(&network, scene) {
            assert_eq!(told(&report.unwrap()), [(six(1), "connected")]);
        }
    });
}

#[test]
fn what_fails_at_once_is_not_waited_for() {
    isolated("what_fails_at_once_is_not_waited_for", |network| {
        for (number, path, error) in [
            (1, Path::Unreachable, "HostUnreachable"),
            (2, Path::NoRoute, "NetworkUnreachable"),
            (3, Path::Refuses, "ConnectionRefused"),
        ] {
            let (lost, won) = (six(number), four(number as u8));
            let scene = Scene {
                paths: vec![(lost, path), (won, Path::Listens)],
                attempt_delay: NEVER,
                limit: None,
            };
            for report in dials_everywhere(&network, scene) {
                let report = report.unwrap();
                assert_eq!(told(&report), [(lost, error), (won, "connected")]);
                let [lost, won] = report.attempts() else { unreachable!() };
                assert!(won.start() >= lost.start() + lost.duration(), "{report}");
            }
        }
    });
}

#[test]
fn the_last_of_many_answers() {
    isolated("the_last_of_many_answers", |network| {
        let scene = Scene {
            paths: vec![
                (six(1), Path::NoRoute),
                (six(2), Path::Silent),
                (six(3), Path::Unreachable),
                (four(1), Path::Refuses),
                (four(2), Path::Silent),
                (four(3), Path::Listens),
            ],
            attempt_delay: SOON,
            limit: None,
        };
        for report in dials_everywhere(&network, scene) {
            let report = report.unwrap();
            let story = [
                (six(1), "NetworkUnreachable"),
                (four(1), "ConnectionRefused"),
                (six(2), "given up"),
                (four(2), "given up"),
                (six(3), "HostUnreachable"),
                (four(3), "connected"),
            ];
            assert_eq!(told(&report), story);
            let starts: Vec<_> = report.attempts().iter().map(|one| one.start()).collect();
            assert!(starts.is_sorted(), "{report}");
            assert!(starts[3] >= starts[2] + SOON && starts[4] >= starts[3] + SOON, "{report}");
        }
    });
}

#[test]
fn nobody_answers_and_the_error_tells_of_all() {
    isolated("nobody_answers_and_the_error_tells_of_all", |network| {
        let scene = Scene {
            paths: vec![
                (six(1), Path::Unreachable),
                (six(2), Path::NoRoute),
                (four(1), Path::Refuses),
                (four(2), Path::Unreachable),
            ],
            attempt_delay: NEVER,
            limit: None,
        };
        for failed in dials_everywhere(&network, scene) {
            let (report, _) = failed.unwrap_err();
            let story = [
                (six(1), "HostUnreachable"),
                (four(1), "ConnectionRefused"),
                (six(2), "NetworkUnreachable"),
                (four(2), "HostUnreachable"),
            ];
            assert_eq!(told(&report), story);
            assert!(report.won().is_none());
        }
    });
}

#[test]
fn silence_ends_at_the_deadline() {
    isolated("silence_ends_at_the_deadline", |network| {
        let scene = Scene {
            paths: vec![(six(1), Path::Silent), (four(1), Path::Silent)],
            attempt_delay: SOON,
            limit: Some(10 * SOON),
        };
        for failed in dials_everywhere(&network, scene) {
            let (report, kind) = failed.unwrap_err();
            assert_eq!(kind, ErrorKind::TimedOut);
            assert_eq!(told(&report), [(six(1), "given up"), (four(1), "given up")]);
            assert!(report.total() >= 10 * SOON, "{report}");
        }
    });
}

#[test]
fn datagrams_meet_what_they_meet_in_a_world() {
    isolated("datagrams_meet_what_they_meet_in_a_world", |network| {
        let silent = [None, None, Some(ErrorKind::TimedOut)];
        let refused = [None, None, Some(ErrorKind::ConnectionRefused)];
        let nowhere = Some(ErrorKind::NetworkUnreachable);
        let nowhere = [nowhere, nowhere, Some(ErrorKind::TimedOut)];
        let paths = [
            (six(1), Path::Silent),
            (four(1), Path::Silent),
            (six(2), Path::Refuses),
            (four(2), Path::Refuses),
            (six(3), Path::NoRoute),
            (four(3), Path::NoRoute),
        ];
        let met = datagrams_everywhere(&network, &paths);
        assert_eq!(met, [silent, silent, refused, refused, nowhere, nowhere]);
    });
}

/// The system repeats what was lost; whoever aborts an attempt because the next one starts, or has
/// failed, never sees this one succeed.
#[test]
fn a_path_that_heals_connects_the_attempt_that_waited() {
    isolated("a_path_that_heals_connects_the_attempt_that_waited", |network| {
        let paths = [(six(1), Path::Silent), (four(1), Path::Unreachable)];
        network.lay(&paths);
        let _listener = std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, PORT)).unwrap();
        let healed = network.clone();
        let stream = blocking::connect(("heals.example", PORT))
            .resolver(&Resolver::fixed([("heals.example", paths.map(|(addr, _)| addr))]))
            .attempt_delay(SOON)
            .watch(move |news| {
                let News::Attempt(attempt) = news else { return };
                if matches!(attempt.outcome(), Outcome::Failed(_)) {
                    healed.heal(six(1));
                }
            })
            .wait_with_report();
        let (_stream, report) = stream.unwrap();
        assert_eq!(told(&report), [(six(1), "connected"), (four(1), "HostUnreachable")]);
    });
}
