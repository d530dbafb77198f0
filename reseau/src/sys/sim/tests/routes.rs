//! Paths that delay, lose, refuse, reset, and heal.
use super::*;
use crate::sys::sim::{Prefix, Route};
use crate::sys::{Kind, Side};

const MS: Duration = Duration::from_millis(1);
/// How long everything takes by itself.
const STEP: Duration = Duration::from_millis(10);

/// A world where everything takes just [`STEP`].
fn even(seed: u64) -> World {
    let world = World::new(seed);
    world.set_faults(Faults { latency: (STEP, STEP), ..whole() });
    world
}

fn at(addr: &str) -> Addr {
    Addr::Inet(addr.parse().unwrap())
}

fn set(world: &World, prefix: &str, route: Route) {
    world.route(prefix.parse().unwrap(), route);
}

fn dial(world: &World, to: &Addr) -> Port {
    let client = world.open(crate::sys::domain(to).unwrap());
    assert!(!client.connect(to).unwrap());
    client
}

/// Both ends of a connection between two of the world's addresses.
fn joined(world: &World, to: &Addr) -> (Port, Port) {
    let listener = listener(world, to, 8);
    let client = dial(world, to);
    let (server, _) = wait(world, "connection", || accept(&listener)).unwrap();
    assert!(client.connected().unwrap());
    (client, server)
}

#[test]
fn prefixes_are_parsed_printed_and_compared_by_bits() {
    for (text, printed) in [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("10.1.2.3/0", "0.0.0.0/0"),
        ("2001:db8::1/33", "2001:db8::/33"),
        ("::1", "::1/128"),
        ("ffff::/0", "::/0"),
    ] {
        let prefix: Prefix = text.parse().unwrap();
        assert_eq!(prefix.to_string(), printed);
        assert_eq!(printed.parse(), Ok(prefix));
    }
    for text in ["", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "::/+1", "1/8", "::1/8/8"] {
        assert!(text.parse::<Prefix>().is_err(), "{text:?}");
    }
    let prefix: Prefix = "10.16.0.0/12".parse().unwrap();
    assert!(prefix.contains("10.31.255.255".parse().unwrap()));
    assert!(!prefix.contains("10.32.0.0".parse().unwrap()));
    assert!(!prefix.contains("::ffff:10.16.0.1".parse().unwrap()));
}

#[test]
fn delays_add_to_the_latency_to_the_nanosecond() {
    for (to, prefix) in [
        ("10.0.0.1:80", "10.0.0.0/24"),
        ("[2001:db8::1]:80", "2001:db8::/32"),
        ("127.0.0.2:80", "127.0.0.2"),
    ] {
        let world = even(1);
        set(&world, prefix, Route::Delay(25 * MS));
        let listener = listener(&world, &at(to), 8);
        let client = dial(&world, &at(to));
        connected(&world, &client).unwrap();
        assert_eq!(world.now(), 2 * (STEP + 25 * MS));
        let (server, _) = wait(&world, "connection", || accept(&listener)).unwrap();
        assert_eq!(world.now(), 3 * (STEP + 25 * MS));
        for (one, other) in [(&client, &server), (&server, &client)] {
            let start = world.now();
            one.send(b"x").unwrap();
            wait(&world, "byte", || recv(other, 1)).unwrap();
            assert_eq!(world.now(), start + STEP + 25 * MS, "both ways");
        }
        // From now on without: nothing overtakes what is under way.
        client.send(b"slow").unwrap();
        set(&world, prefix, Route::Delay(Duration::ZERO));
        client.send(b"fast").unwrap();
        let start = world.now();
        drop(client);
        assert_eq!(recv_all(&world, &server).0, b"slowfast");
        assert_eq!(world.now(), start + STEP + 25 * MS);
    }
}

#[test]
fn the_longest_prefix_holds_and_loopback_is_not_part_of_all() {
    let world = even(2);
    set(&world, "0.0.0.0/0", Route::Refused);
    set(&world, "::/0", Route::NoRoute);
    set(&world, "10.0.0.0/8", Route::Unreachable);
    set(&world, "10.1.0.0/16", Route::Delay(Duration::ZERO));
    set(&world, "10.1.1.1", Route::Refused);
    let wild = listener(&world, &at("0.0.0.0:80"), 64);
    let result = |to: &str| {
        let to = at(to);
        let client = world.open(crate::sys::domain(&to).unwrap());
        client.connect(&to)?;
        connected(&world, &client)
    };
    assert_eq!(kind(result("192.0.2.1:80")), ErrorKind::ConnectionRefused);
    assert_eq!(kind(result("10.9.0.1:80")), ErrorKind::HostUnreachable);
    assert_eq!(kind(result("10.1.1.1:80")), ErrorKind::ConnectionRefused);
    result("10.1.1.2:80").unwrap();
    result("127.0.0.1:80").unwrap();
    assert_eq!(kind(result("[2001:db8::1]:80")), ErrorKind::NetworkUnreachable);
    assert_eq!(kind(result("[::1]:80")), ErrorKind::ConnectionRefused, "nobody listens there");
    settle(&world);
    assert_eq!(std::iter::from_fn(|| accept(&wild).ok()).count(), 2);
    set(&world, "127.0.0.0/8", Route::Unreachable);
    assert_eq!(kind(result("127.0.0.1:80")), ErrorKind::HostUnreachable);
}

#[test]
fn errors_take_a_round_trip_but_for_want_of_a_route() {
    for (route, error) in [
        (Route::Refused, ErrorKind::ConnectionRefused),
        (Route::Unreachable, ErrorKind::HostUnreachable),
    ] {
        let world = even(3);
        set(&world, "10.0.0.1", route);
        let _listener = listener(&world, &at("10.0.0.1:80"), 8);
        let client = dial(&world, &at("10.0.0.1:80"));
        assert_eq!(kind(connected(&world, &client)), error);
        assert_eq!(world.now(), 2 * STEP);
    }
    let world = even(3);
    set(&world, "10.0.0.1", Route::NoRoute);
    let client = world.open(Domain::IPV4);
    assert_eq!(kind(client.connect(&at("10.0.0.1:80"))), ErrorKind::NetworkUnreachable);
    // It has done nothing, and may be used for another.
    assert_eq!(kind(client.connected()), ErrorKind::NotConnected);
    let _listener = listener(&world, &at("10.0.0.2:80"), 8);
    client.connect(&at("10.0.0.2:80")).unwrap();
    connected(&world, &client).unwrap();
}

#[test]
fn connects_into_a_black_hole_are_repeated_and_time_out() {
    let world = even(4);
    set(&world, "10.0.0.0/8", Route::Blackhole);
    let _listener = listener(&world, &at("10.0.0.1:80"), 8);
    let [lost, late] = [(); 2].map(|()| dial(&world, &at("10.0.0.1:80")));
    assert_eq!(kind(connected(&world, &lost)), ErrorKind::TimedOut);
    assert_eq!(world.now(), STEP + 127 * SECOND);
    assert_eq!(kind(connected(&world, &late)), ErrorKind::TimedOut);

    let start = world.now();
    let client = dial(&world, &at("10.0.0.1:80"));
    world.advance_to(start + 2 * SECOND);
    assert!(!client.connected().unwrap());
    set(&world, "10.0.0.0/8", Route::Delay(Duration::ZERO));
    connected(&world, &client).unwrap();
    assert_eq!(world.now(), start + 2 * STEP + 3 * SECOND, "the third attempt got through");
}

#[test]
fn an_answer_that_is_lost_is_repeated_too() {
    for heals in [true, false] {
        let world = even(5);
        let listener = listener(&world, &at("10.0.0.1:80"), 8);
        let client = dial(&world, &at("10.0.0.1:80"));
        world.advance_to(STEP);
        set(&world, "10.0.0.1", Route::Blackhole);
        world.advance_to(3 * SECOND);
        assert!(!client.connected().unwrap());
        assert_eq!(kind(accept(&listener)), ErrorKind::WouldBlock);
        if heals {
            set(&world, "10.0.0.1", Route::Delay(Duration::ZERO));
            connected(&world, &client).unwrap();
            assert_eq!(world.now(), 2 * STEP + 3 * SECOND);
            wait(&world, "connection", || accept(&listener)).unwrap();
        } else {
            assert_eq!(kind(connected(&world, &client)), ErrorKind::TimedOut);
            settle(&world);
            assert_eq!(world.kernel().sockets.len(), 2, "the half-open one went");
        }
    }
}

#[test]
fn a_broken_path_holds_back_and_delivers_in_order_when_it_heals() {
    for seed in 0..50 {
        let world = World::new(seed);
        let (client, server) = joined(&world, &at("10.0.0.1:80"));
        set(&world, "10.0.0.0/24", Route::Blackhole);
        let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let mut sent = 0;
        while sent < bytes.len() {
            sent += client.send(&bytes[sent..]).unwrap();
            world.advance_to(world.now() + Duration::from_micros(world.below(200)));
        }
        client.shutdown(std::net::Shutdown::Write).unwrap();
        world.advance_to(world.now() + (1 + world.below(100) as u32) * SECOND);
        assert_eq!(kind(recv(&server, 1)), ErrorKind::WouldBlock, "seed {seed}");
        set(&world, "10.0.0.0/24", Route::Delay(MS));
        let (got, end) = recv_all(&world, &server);
        end.unwrap();
        assert!(got == bytes, "seed {seed}");
        server.send(b"back").unwrap();
        assert!(!wait(&world, "answer", || recv(&client, 4)).unwrap().is_empty());
    }
}

#[test]
fn who_sends_over_a_path_that_stays_broken_hears_of_it() {
    for (route, error) in [
        (Route::Blackhole, ErrorKind::TimedOut),
        (Route::Unreachable, ErrorKind::HostUnreachable),
        (Route::NoRoute, ErrorKind::NetworkUnreachable),
    ] {
        let world = even(6);
        let (client, server) = joined(&world, &at("10.0.0.1:80"));
        set(&world, "10.0.0.1", route);
        client.send(b"lost").unwrap();
        let start = world.now();
        assert_eq!(kind(wait(&world, "end", || recv(&client, 1))), error);
        let passed = world.now() - start;
        assert!(passed > 900 * SECOND && passed < 1000 * SECOND, "{passed:?}");
        assert_eq!(kind(client.send(b"more")), ErrorKind::BrokenPipe);
        settle(&world);
        assert_eq!(kind(recv(&server, 1)), ErrorKind::WouldBlock, "nobody told the server");
        // It learns it when it speaks up and the path is there.
        set(&world, "10.0.0.1", Route::Delay(Duration::ZERO));
        server.send(b"there?").unwrap();
        assert_eq!(kind(wait(&world, "end", || recv(&server, 1))), ErrorKind::ConnectionReset);
    }
}

#[test]
fn nobody_despairs_for_having_read() {
    let world = even(7);
    let (client, server) = joined(&world, &at("10.0.0.1:80"));
    client.set_option("recv_buffer_size", 10).unwrap();
    assert_eq!(server.send(&[1; 20]).unwrap(), 10);
    wait(&world, "bytes", || recv(&client, 10)).unwrap();
    set(&world, "10.0.0.1", Route::Blackhole);
    settle(&world);
    assert_eq!(kind(recv(&client, 1)), ErrorKind::WouldBlock, "it had sent nothing");
    assert!(!server.is_ready(Side::Send));
    set(&world, "10.0.0.1", Route::Delay(Duration::ZERO));
    settle(&world);
    assert_eq!(kind(server.send(b"x")), ErrorKind::WouldBlock, "the news of room was lost");
    client.set_option("recv_buffer_size", 20).unwrap();
    server.send(b"x").unwrap();
    wait(&world, "byte", || recv(&client, 1)).unwrap();
    settle(&world);
    assert_eq!(server.send(&[1; 99]).unwrap(), 20, "with the next news all room is known");
}

#[test]
fn resets_and_ends_of_closed_sockets_are_lost_with_the_path() {
    let world = even(8);
    let (client, server) = joined(&world, &at("10.0.0.1:80"));
    set(&world, "10.0.0.1", Route::Blackhole);
    server.set_option("linger", crate::sys::sim::socket::LINGER_ZERO).unwrap();
    drop(server);
    world.advance_to(world.now() + SECOND);
    set(&world, "10.0.0.1", Route::Delay(Duration::ZERO));
    settle(&world);
    assert_eq!(kind(recv(&client, 1)), ErrorKind::WouldBlock, "nobody repeats a reset");
    set(&world, "10.0.0.1", Route::Blackhole);
    drop(client);
    settle(&world);
    let kernel = world.kernel();
    assert_eq!((kernel.sockets.len(), kernel.future.len(), kernel.stalled.len()), (0, 0, 0));
}

#[test]
fn connections_may_be_reset_as_soon_as_they_stand() {
    let world = even(9);
    set(&world, "10.0.0.1", Route::Reset);
    let listener = listener(&world, &at("10.0.0.1:80"), 8);
    let client = dial(&world, &at("10.0.0.1:80"));
    connected(&world, &client).unwrap();
    assert_eq!(world.now(), 2 * STEP);
    assert_eq!(kind(wait(&world, "reset", || recv(&client, 1))), ErrorKind::ConnectionReset);
    assert_eq!(world.now(), 3 * STEP);
    let (server, _) = accept(&listener).unwrap();
    assert_eq!(kind(recv(&server, 1)), ErrorKind::ConnectionReset);
    let nobody = dial(&world, &at("10.0.0.1:81"));
    assert_eq!(kind(connected(&world, &nobody)), ErrorKind::ConnectionRefused);
}

#[test]
fn datagrams_are_delayed_lost_and_refused() {
    let world = even(10);
    let bound = |addr: &str| {
        let port = world.open_as(Domain::IPV4, Kind::Dgram).unwrap();
        port.bind(&at(addr)).unwrap();
        port
    };
    let server = bound("10.0.0.1:53");
    let client = world.open_as(Domain::IPV4, Kind::Dgram).unwrap();
    client.connect(&at("10.0.0.1:53")).unwrap();
    let heard = |port: &Port| {
        let mut space = [MaybeUninit::uninit(); 9];
        port.recv_from(&mut space, false).map(|(fitted, ..)| fitted)
    };
    set(&world, "10.0.0.1", Route::Delay(25 * MS));
    client.send(b"slow").unwrap();
    assert_eq!(wait(&world, "datagram", || heard(&server)).unwrap(), 4);
    assert_eq!(world.now(), STEP + 25 * MS);
    server.send_to(b"back", Some(&client.local_addr().unwrap())).unwrap();
    wait(&world, "datagram", || heard(&client)).unwrap();
    assert_eq!(world.now(), 2 * (STEP + 25 * MS));
    for route in [Route::Blackhole, Route::Unreachable] {
        set(&world, "10.0.0.1", route);
        client.send(b"lost").unwrap();
        settle(&world);
        assert_eq!(kind(heard(&server)), ErrorKind::WouldBlock);
        assert_eq!(kind(heard(&client)), ErrorKind::WouldBlock, "nobody says so");
        assert!(world.kernel().dgram(client.index()).under_way == 0);
    }
    set(&world, "10.0.0.1", Route::Refused);
    client.send(b"lost").unwrap();
    settle(&world);
    assert_eq!(kind(heard(&server)), ErrorKind::WouldBlock);
    assert_eq!(kind(heard(&client)), ErrorKind::ConnectionRefused);
    set(&world, "10.0.0.1", Route::NoRoute);
    assert_eq!(kind(client.send(b"lost")), ErrorKind::NetworkUnreachable);
    let other = bound("0.0.0.0:0");
    assert_eq!(kind(other.send_to(b"x", Some(&at("10.0.0.1:53")))), ErrorKind::NetworkUnreachable);
    assert_eq!(kind(other.connect(&at("10.0.0.1:53"))), ErrorKind::NetworkUnreachable);
    assert!(other.local_addr().unwrap().inet().unwrap().ip().is_unspecified());
    set(&world, "10.0.0.1", Route::Reset);
    client.send(b"here").unwrap();
    assert_eq!(wait(&world, "datagram", || heard(&server)).unwrap(), 4);
}

/// Paths that break and heal at any moment: every byte arrives once and in order, or somebody gets
/// an error, and nothing is left behind.
#[test]
fn broken_paths_keep_the_promises_of_tcp() {
    let (mut whole_ones, mut broken) = (0, 0);
    for seed in 0..200 {
        let run = || {
            let world = World::new(seed);
            let (client, server) = joined(&world, &at("10.0.0.1:80"));
            let bytes: Vec<u8> = (0..=255).cycle().take(3000).collect();
            let (mut sent, mut got) = (0, Vec::new());
            let mut failed = false;
            for _ in 0..400 {
                match world.below(8) {
                    0..3 => match client.send(&bytes[sent..]) {
                        Ok(count) => sent += count,
                        Err(error) => failed |= error.kind() != ErrorKind::WouldBlock,
                    },
                    3..5 => match recv(&server, 100) {
                        Ok(more) => got.extend(more),
                        Err(error) => failed |= error.kind() != ErrorKind::WouldBlock,
                    },
                    5 => {
                        let routes = [
                            Route::Blackhole,
                            Route::Unreachable,
                            Route::Delay(MS),
                            Route::Delay(Duration::ZERO),
                        ];
                        set(&world, "10.0.0.0/8", routes[world.below(4) as usize]);
                    }
                    6 if world.below(50) == 0 => {
                        world.advance_to(world.now() + 1000 * SECOND);
                    }
                    _ => {
                        world.advance_to(world.now() + MS * world.below(300) as u32);
                    }
                }
                assert!(bytes.starts_with(&got), "seed {seed}: out of order");
            }
            set(&world, "10.0.0.0/8", Route::Delay(Duration::ZERO));
            let all = sent;
            drop(client);
            let (rest, end) = recv_all_or_rest(&world, &server);
            got.extend(rest);
            assert!(bytes.starts_with(&got), "seed {seed}: out of order");
            let complete = got.len() == all && end.is_ok();
            assert!(complete || failed || end.is_err(), "seed {seed}: {} of {all}", got.len());
            drop(server);
            settle(&world);
            let kernel = world.kernel();
            let left = (kernel.sockets.len(), kernel.stalled.len(), kernel.names.len());
            assert_eq!(left, (0, 0, 0), "seed {seed}");
            drop(kernel);
            (world.trace(), complete)
        };
        let first = run();
        assert_eq!(first, run(), "the same seed is the same run");
        whole_ones += usize::from(first.1);
        broken += usize::from(!first.1);
    }
    assert!(whole_ones > 50 && broken > 5, "{whole_ones} whole, {broken} broken");
}

/// Like [`recv_all`], of a connection whose end may be lost for ever.
fn recv_all_or_rest(world: &World, port: &Port) -> (Vec<u8>, io::Result<()>) {
    let mut all = Vec::new();
    loop {
        match recv(port, 4096) {
            Ok(bytes) if bytes.is_empty() => return (all, Ok(())),
            Ok(bytes) => all.extend(bytes),
            Err(error) if error.kind() != ErrorKind::WouldBlock => return (all, Err(error)),
            Err(error) => match world.next_arrival() {
                Some(at) => drop(world.advance_to(at)),
                None => return (all, Err(error)),
            },
        }
    }
}
