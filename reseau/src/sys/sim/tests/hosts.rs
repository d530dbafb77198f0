//! Names of hosts, and what the world says about them.
use super::*;
use crate::sys::sim::{Answer, Name};
use std::net::IpAddr;

const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn found(world: &World, host: &str) -> [Option<Vec<IpAddr>>; 2] {
    [true, false].map(|v6| world.lookup(host, v6).1.ok())
}

#[test]
fn a_name_has_answers_per_family() {
    let world = World::new(1);
    let more = IpAddr::from([192, 0, 2, 9]);
    world.name("Example.com.", Name::at([more, V6, V4]));
    let both = [Some(vec![V6]), Some(vec![more, V4])];
    for host in ["example.com", "EXAMPLE.COM", "example.com."] {
        assert_eq!(found(&world, host), both);
    }
    for host in ["example.com..", "www.example.com", "example", ""] {
        assert_eq!(found(&world, host), [None, None], "{host:?} is another name");
    }
    // The latest word holds.
    world.name("example.COM", Name::new().v4(Answer::addrs([V4])));
    assert_eq!(found(&world, "example.com"), [Some(vec![]), Some(vec![V4])]);
    world.name("example.com", Name::new());
    assert_eq!(found(&world, "example.com"), [Some(vec![]), Some(vec![])]);
}

#[test]
fn addresses_and_localhost_are_known_at_once() {
    let world = World::new(2);
    let (v6, v4) = (Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into());
    assert_eq!(found(&world, "LocalHost"), [Some(vec![v6]), Some(vec![v4])]);
    assert_eq!(found(&world, "192.0.2.1"), [Some(vec![]), Some(vec![V4])]);
    assert_eq!(found(&world, "2001:db8::1"), [Some(vec![V6]), Some(vec![])]);
    for host in ["localhost", "192.0.2.1", "::1"] {
        assert_eq!(world.lookup(host, false).0, Duration::ZERO);
    }
    world.name("localhost", Name::at([V4]));
    assert_eq!(found(&world, "localhost"), [Some(vec![]), Some(vec![V4])]);
}

#[test]
fn answers_take_their_time_and_may_be_errors_or_silence() {
    let world = World::new(3);
    world.set_faults(Faults { latency: (SECOND, 2 * SECOND), ..Faults::default() });
    let late = Answer::addrs([V6]).after(9 * SECOND);
    world.name("a", Name::at([V4]).v6(late));
    world.name("b", Name::new().v6(Answer::silence()).v4(Answer::error(ErrorKind::TimedOut)));
    let exact = world.lookup("a", true);
    assert_eq!((exact.0, exact.1.unwrap()), (9 * SECOND, vec![V6]));
    for host in ["a", "b", "unknown"] {
        let (after, _) = world.lookup(host, false);
        assert!((SECOND..=2 * SECOND).contains(&after), "{host} took {after:?}");
    }
    assert_eq!(world.lookup("b", true).0, Duration::MAX);
    assert_eq!(kind(world.lookup("b", false).1), ErrorKind::TimedOut);
    let unknown = world.lookup("unknown", true).1.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert!(unknown.to_string().contains("\"unknown\""));
    assert_eq!(world.now(), Duration::ZERO, "to ask takes no time");
}

#[test]
fn questions_and_names_are_in_the_trace() {
    let run = |host: &str, v6, named: &str| {
        let world = World::new(4);
        let late = |ip| Answer::addrs([ip]).after(SECOND);
        world.name(named, Name::new().v6(late(V6)).v4(late(V4)));
        let _ = world.lookup(host, v6);
        world.trace()
    };
    let one = run("a", false, "a");
    assert_eq!(one, run("A.", false, "a"));
    let others =
        [run("a", true, "a"), run("b", false, "a"), run("a", false, "b"), World::new(4).trace()];
    assert!(!others.contains(&one), "{others:x?}");
}

#[test]
#[should_panic(expected = "is not of IPv6")]
fn an_answer_is_of_one_family() {
    let _ = Name::new().v6(Answer::addrs([V4]));
}
