//! Names, listeners, and how connections come about.
use super::*;

#[test]
fn connect_takes_a_round_trip_and_both_ends_know_each_other() {
    for addr in [v4(0), v6(0)] {
        let world = World::new(1);
        let listener = listener(&world, &addr, 8);
        let at = listener.local_addr().unwrap();
        assert_ne!(port_of(&at), 0);
        let client = world.open(crate::sys::domain(&addr).unwrap());
        assert_eq!(kind(client.connected()), ErrorKind::NotConnected);
        assert!(!client.connect(&at).unwrap());
        assert!(!client.connected().unwrap());
        assert_eq!(kind(client.peer_addr()), ErrorKind::NotConnected);
        assert_eq!(kind(client.send(b"early")), ErrorKind::WouldBlock);
        assert_eq!(kind(recv(&client, 1)), ErrorKind::WouldBlock);
        assert_eq!(kind(accept(&listener)), ErrorKind::WouldBlock);
        assert!(client.connect(&at).is_err(), "a second connect while one is under way");

        connected(&world, &client).unwrap();
        assert!(client.take_error().unwrap().is_none());
        let (server, peer) = wait(&world, "connection", || accept(&listener)).unwrap();
        let ephemeral = client.local_addr().unwrap();
        assert!(port_of(&ephemeral) >= 32768 && ephemeral != at);
        assert_eq!(peer, ephemeral);
        assert_eq!(server.peer_addr().unwrap(), ephemeral);
        assert_eq!(server.local_addr().unwrap(), at);
        assert_eq!(client.peer_addr().unwrap(), at);
        assert!(world.now() >= Duration::from_micros(30), "three times the least latency");
        assert!(client.connect(&at).is_err(), "a connect of what is connected");
    }
}

#[test]
fn connect_to_nobody_is_refused_and_may_be_repeated() {
    let world = World::new(2);
    let reserved = world.open(Domain::IPV4);
    reserved.bind(&v4(0)).unwrap();
    let at = reserved.local_addr().unwrap();
    let client = world.open(Domain::IPV4);
    client.connect(&at).unwrap();
    assert_eq!(kind(connected(&world, &client)), ErrorKind::ConnectionRefused);
    assert_eq!(kind(client.connected()), ErrorKind::NotConnected, "the error was taken");
    assert_eq!(recv(&client, 1).unwrap(), b"");
    assert_eq!(kind(client.send(b"x")), ErrorKind::BrokenPipe);
    assert_eq!(kind(client.connect(&at)), ErrorKind::ConnectionAborted, "as on Linux");

    client.connect(&at).unwrap();
    settle(&world);
    let error = client.take_error().unwrap().expect("the error is kept for take_error");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(client.take_error().unwrap().is_none());

    assert_eq!(kind(client.connect(&at)), ErrorKind::ConnectionAborted);
    reserved.listen(1).unwrap();
    client.connect(&at).unwrap();
    connected(&world, &client).unwrap();
}

#[test]
fn addresses_in_use_are_refused() {
    let world = World::new(3);
    let first = listener(&world, &v4(700), 1);
    let any = Addr::Inet(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 700)));
    let second = world.open(Domain::IPV4);
    assert_eq!(kind(second.bind(&v4(700))), ErrorKind::AddrInUse);
    assert_eq!(kind(second.bind(&any)), ErrorKind::AddrInUse);
    assert_eq!(kind(second.bind(&v6(700))), ErrorKind::InvalidInput, "of another family");
    // Another address, and another family, have ports of their own.
    let third = world.open(Domain::IPV4);
    third.bind(&Addr::Inet("10.0.0.1:700".parse().unwrap())).unwrap();
    let sixth = listener(&world, &v6(700), 1);
    assert_eq!(kind(sixth.bind(&v6(701))), ErrorKind::InvalidInput, "bound already");
    drop(first);
    assert_eq!(kind(second.bind(&any)), ErrorKind::AddrInUse, "10.0.0.1 still has the port");
    second.bind(&v4(700)).unwrap();
    let fourth = world.open(Domain::IPV4);
    fourth.bind(&Addr::Inet("0.0.0.0:702".parse().unwrap())).unwrap();
    assert_eq!(kind(world.open(Domain::IPV4).bind(&v4(702))), ErrorKind::AddrInUse);
}

#[test]
fn a_wildcard_listener_hears_every_address_and_an_exact_one_goes_first() {
    let world = World::new(4);
    let any = Addr::Inet("0.0.0.0:0".parse().unwrap());
    let wild = listener(&world, &any, 8);
    let port = port_of(&wild.local_addr().unwrap());
    let dial = |to: &str| {
        let client = world.open(Domain::IPV4);
        client.connect(&Addr::Inet(format!("{to}:{port}").parse().unwrap())).unwrap();
        connected(&world, &client).unwrap();
        let (server, peer) = wait(&world, "connection", || accept(&wild)).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(server.local_addr().unwrap(), client.peer_addr().unwrap());
        client.local_addr().unwrap().to_string()
    };
    assert!(dial("127.0.0.1").starts_with("127.0.0.1:"));
    assert!(dial("127.0.0.2").starts_with("127.0.0.1:"));
    assert!(dial("0.0.0.0").starts_with("127.0.0.1:"));
    assert!(dial("10.1.2.3").starts_with("10.1.2.3:"));

    let six = world.open(Domain::IPV6);
    six.connect(&v6(port)).unwrap();
    assert_eq!(kind(connected(&world, &six)), ErrorKind::ConnectionRefused);

    // Two may listen at one port if both say so.
    let shared = |addr: &Addr| {
        let port = world.open(Domain::IPV4);
        port.set_option("reuse_port", 1).unwrap();
        port.bind(addr).unwrap();
        port.listen(64).unwrap();
        port
    };
    let twins = [shared(&v4(900)), shared(&v4(900))];
    let clients: Vec<_> = (0..40).map(|_| world.open(Domain::IPV4)).collect();
    clients.iter().for_each(|client| assert!(!client.connect(&v4(900)).unwrap()));
    settle(&world);
    let heard = twins.map(|twin| std::iter::from_fn(|| accept(&twin).ok()).count());
    assert_eq!(heard[0] + heard[1], 40);
    assert!(heard[0] > 5 && heard[1] > 5, "chance decides between them: {heard:?}");

    let both = [shared(&v4(901)), shared(&Addr::Inet("0.0.0.0:901".parse().unwrap()))];
    let clients: Vec<_> = (0..10).map(|_| world.open(Domain::IPV4)).collect();
    clients.iter().for_each(|client| assert!(!client.connect(&v4(901)).unwrap()));
    settle(&world);
    let heard = both.map(|port| std::iter::from_fn(|| accept(&port).ok()).count());
    assert_eq!(heard, [10, 0], "the exact address goes first");
}

#[test]
fn a_full_backlog_makes_tcp_wait_and_time_out() {
    let world = World::new(5);
    let listener = listener(&world, &v4(800), 0);
    let clients: Vec<_> = (0..3).map(|_| world.open(Domain::IPV4)).collect();
    clients.iter().for_each(|client| assert!(!client.connect(&v4(800)).unwrap()));
    world.advance_to(SECOND / 2);
    let count = || clients.iter().filter(|client| client.connected().unwrap_or(false)).count();
    assert_eq!(count(), 1, "a backlog of none holds one");
    let _first = accept(&listener).unwrap();
    world.advance_to(world.now() + 4 * SECOND);
    assert_eq!(count(), 2, "the next attempt found room");
    settle(&world);
    assert!(world.now() > 120 * SECOND);
    let results: Vec<_> = clients.iter().map(Port::connected).collect();
    let open = results.iter().filter(|result| matches!(result, Ok(true))).count();
    let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert_eq!((open, errors.len()), (2, 1));
    assert_eq!(errors[0].kind(), ErrorKind::TimedOut);
}

#[test]
fn unix_streams_connect_at_once_or_not_at_all() {
    let world = World::new(6);
    let at = path("/run/test.sock");
    let client = world.open(Domain::UNIX);
    assert_eq!(kind(client.connect(&at)), ErrorKind::NotFound);
    let server = world.open(Domain::UNIX);
    assert_eq!(kind(server.listen(1)), ErrorKind::InvalidInput, "unbound");
    server.bind(&at).unwrap();
    assert_eq!(kind(client.connect(&at)), ErrorKind::ConnectionRefused, "bound only");
    server.listen(1).unwrap();
    let mut stirred = Vec::new();
    assert!(client.connect(&at).unwrap());
    world.stirred(&mut stirred);
    assert!(stirred.contains(&server.index()), "the listener may accept");
    assert!(client.connected().unwrap());
    assert_eq!(client.peer_addr().unwrap(), at);
    assert_eq!(client.local_addr().unwrap(), Addr::Unix(UnixAddr::unnamed()));
    let other = world.open(Domain::UNIX);
    other.bind(&path("/run/named.sock")).unwrap();
    assert!(other.connect(&at).unwrap());
    let third = world.open(Domain::UNIX);
    assert_eq!(kind(third.connect(&at)), ErrorKind::WouldBlock, "the backlog is full");

    let (first, peer) = accept(&server).unwrap();
    assert_eq!(peer, Addr::Unix(UnixAddr::unnamed()));
    assert_eq!(first.local_addr().unwrap(), at);
    let (_second, peer) = accept(&server).unwrap();
    assert_eq!(peer, path("/run/named.sock"));

    // The file stays when the socket goes.
    drop(server);
    assert_eq!(kind(third.connect(&at)), ErrorKind::ConnectionRefused);
    let heir = world.open(Domain::UNIX);
    assert_eq!(kind(heir.bind(&at)), ErrorKind::AddrInUse);
    world.unlink("/run/test.sock".as_ref()).unwrap();
    assert_eq!(kind(world.unlink("/run/test.sock".as_ref())), ErrorKind::NotFound);
    assert_eq!(kind(third.connect(&at)), ErrorKind::NotFound);
    heir.bind(&at).unwrap();
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_names_go_with_their_sockets() {
    let world = World::new(7);
    let at = Addr::Unix(UnixAddr::from_abstract_name("name").unwrap());
    let first = listener(&world, &at, 1);
    let second = world.open(Domain::UNIX);
    assert_eq!(kind(second.bind(&at)), ErrorKind::AddrInUse);
    assert!(world.open(Domain::UNIX).connect(&at).unwrap());
    drop(first);
    assert_eq!(kind(world.open(Domain::UNIX).connect(&at)), ErrorKind::ConnectionRefused);
    second.bind(&at).unwrap();
}

#[test]
fn a_listener_that_closes_resets_who_waited() {
    for unix in [false, true] {
        let world = World::new(8);
        let at = if unix { path("/l") } else { v4(80) };
        let listener = listener(&world, &at, 8);
        let waiting = world.open(crate::sys::domain(&at).unwrap());
        waiting.connect(&at).unwrap();
        settle(&world);
        // One more is half-way when the listener goes.
        let late = world.open(crate::sys::domain(&at).unwrap());
        late.connect(&at).unwrap();
        drop(listener);
        settle(&world);
        assert!(waiting.connected().unwrap());
        assert_eq!(kind(recv(&waiting, 1)), ErrorKind::ConnectionReset);
        assert_eq!(recv(&waiting, 1).unwrap(), b"");
        assert_eq!(kind(waiting.send(b"x")), ErrorKind::BrokenPipe);
        assert!(late.connected().is_err() || recv(&late, 1).is_err());
        assert_eq!(world.kernel().sockets.len(), 2, "nobody else is left");
    }
}

#[test]
fn a_listener_that_is_shut_down_stops_to_listen() {
    let world = World::new(9);
    let listener = listener(&world, &v4(81), 8);
    listener.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(kind(accept(&listener)), ErrorKind::WouldBlock);
    listener.shutdown(std::net::Shutdown::Read).unwrap();
    assert_eq!(kind(accept(&listener)), ErrorKind::InvalidInput);
    let client = world.open(Domain::IPV4);
    client.connect(&v4(81)).unwrap();
    assert_eq!(kind(connected(&world, &client)), ErrorKind::ConnectionRefused);
    listener.listen(1).unwrap();
    assert_eq!(kind(accept(&listener)), ErrorKind::WouldBlock);
}

#[test]
fn a_client_that_gives_up_half_way_leaves_nothing() {
    for seed in 0..100 {
        let world = World::new(seed);
        let listener = listener(&world, &v4(82), 8);
        let client = world.open(Domain::IPV4);
        client.connect(&v4(82)).unwrap();
        for _ in 0..world.below(4) {
            let at = world.next_arrival().unwrap();
            world.advance_to(at);
        }
        client.set_option("linger", crate::sys::sim::socket::LINGER_ZERO).unwrap();
        drop(client);
        settle(&world);
        while let Ok((server, _)) = accept(&listener) {
            assert_eq!(kind(recv(&server, 1)), ErrorKind::ConnectionReset);
        }
        drop(listener);
        settle(&world);
        let kernel = world.kernel();
        assert_eq!((kernel.sockets.len(), kernel.names.len(), kernel.future.len()), (0, 0, 0));
    }
}

#[test]
fn a_client_that_gives_up_half_way_leaves_its_place() {
    for seed in 0..100 {
        let world = World::new(seed);
        let listener = listener(&world, &v4(82), 0);
        let client = world.open(Domain::IPV4);
        client.connect(&v4(82)).unwrap();
        for _ in 0..2 {
            let at = world.next_arrival().unwrap();
            world.advance_to(at);
        }
        // It is connected, and the listener does not know yet: the reset may come first.
        client.set_option("linger", crate::sys::sim::socket::LINGER_ZERO).unwrap();
        drop(client);
        settle(&world);
        drop(accept(&listener));
        let next = world.open(Domain::IPV4);
        next.connect(&v4(82)).unwrap();
        world.advance_to(world.now() + SECOND / 2);
        assert!(next.connected().unwrap(), "seed {seed}: the place is still taken");
    }
}

#[test]
fn answers_to_an_abandoned_attempt_are_void() {
    for seed in 0..20 {
        let world = World::new(seed);
        let first = listener(&world, &v4(91), 8);
        let second = listener(&world, &v4(92), 8);
        let client = world.open(Domain::IPV4);
        client.connect(&v4(91)).unwrap();
        for _ in 0..world.below(2) {
            let at = world.next_arrival().unwrap();
            world.advance_to(at);
        }
        client.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(kind(client.connected()), ErrorKind::NotConnected);
        assert_eq!(kind(client.connect(&v4(92))), ErrorKind::ConnectionAborted);
        client.connect(&v4(92)).unwrap();
        connected(&world, &client).unwrap();
        settle(&world);
        assert_eq!(client.peer_addr().unwrap(), v4(92));
        accept(&second).unwrap();
        assert_eq!(kind(accept(&first)), ErrorKind::WouldBlock);
    }
}

#[test]
fn a_listener_that_begins_again_does_not_know_the_half_open() {
    let world = World::new(14);
    let listener = listener(&world, &v4(93), 8);
    let client = world.open(Domain::IPV4);
    client.connect(&v4(93)).unwrap();
    let at = world.next_arrival().unwrap();
    world.advance_to(at);
    assert_eq!(world.kernel().sockets.len(), 3, "the server's end is there");
    listener.shutdown(std::net::Shutdown::Read).unwrap();
    listener.listen(8).unwrap();
    settle(&world);
    assert_eq!(kind(accept(&listener)), ErrorKind::WouldBlock);
    assert_eq!(kind(recv(&client, 1)), ErrorKind::ConnectionReset);
}

#[test]
fn ports_run_out_with_an_error() {
    let world = World::new(10);
    let listener = listener(&world, &v4(83), 8);
    let mut clients = Vec::new();
    let error = loop {
        let client = world.open(Domain::IPV4);
        match client.connect(&listener.local_addr().unwrap()) {
            Ok(_) => clients.push(client),
            Err(error) => break error,
        }
        assert!(clients.len() < 100_000, "the ports do not run out");
    };
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    assert_eq!(clients.len(), 28232);
    // Another target has the same ports for its own.
    let client = world.open(Domain::IPV4);
    client.connect(&v4(84)).unwrap();
}

#[test]
fn calls_on_the_wrong_socket_fail_as_on_linux() {
    let world = World::new(11);
    for (domain, sends, receives) in [
        (Domain::IPV4, ErrorKind::BrokenPipe, ErrorKind::NotConnected),
        (Domain::UNIX, ErrorKind::NotConnected, ErrorKind::InvalidInput),
    ] {
        let fresh = world.open(domain);
        assert_eq!(kind(fresh.send(b"x")), sends);
        assert_eq!(kind(recv(&fresh, 1)), receives);
        assert_eq!(kind(accept(&fresh)), ErrorKind::InvalidInput);
        assert_eq!(kind(fresh.peer_addr()), ErrorKind::NotConnected);
    }
    let fresh = world.open(Domain::IPV4);
    assert_eq!(fresh.local_addr().unwrap().to_string(), "0.0.0.0:0");
    assert_eq!(kind(fresh.shutdown(std::net::Shutdown::Both)), ErrorKind::NotConnected);
    assert_eq!(kind(fresh.connect(&v6(1))), ErrorKind::InvalidInput);
    assert_eq!(kind(fresh.connect(&path("/x"))), ErrorKind::InvalidInput);
    fresh.listen(1).unwrap();
    assert_ne!(port_of(&fresh.local_addr().unwrap()), 0, "listening binds");
    assert!(fresh.connect(&v4(1)).is_err());
    let (a, _b) = world.pair();
    assert_eq!(kind(a.listen(1)), ErrorKind::InvalidInput);
}

#[test]
fn options_keep_what_was_set_and_pass_to_accepted_sockets() {
    let world = World::new(12);
    let listener = listener(&world, &v4(85), 8);
    assert_eq!(listener.option("ttl").unwrap(), 64);
    assert_eq!(listener.option("recv_buffer_size").unwrap(), 65536);
    listener.set_option("ttl", 9).unwrap();
    listener.set_option("ttl", 10).unwrap();
    listener.set_option("recv_buffer_size", 100).unwrap();
    assert_eq!(kind(listener.set_option("ttl", 256)), ErrorKind::InvalidInput);
    assert_eq!(kind(listener.set_option("colour", 1)), ErrorKind::Unsupported);
    assert_eq!(kind(listener.option("only_v6")), ErrorKind::Unsupported);
    assert_eq!(kind(world.open(Domain::UNIX).set_option("nodelay", 1)), ErrorKind::Unsupported);
    let client = world.open(Domain::IPV4);
    client.connect(&v4(85)).unwrap();
    let (server, _) = wait(&world, "connection", || accept(&listener)).unwrap();
    assert_eq!(server.option("ttl").unwrap(), 10);
    assert_eq!(client.option("ttl").unwrap(), 64);
    world.set_faults(whole());
    assert_eq!(client.send(&[0; 1000]).unwrap(), 100, "the window came with the option");
}

/// The names and encodings are those that `Fd` uses.
#[test]
fn options_agree_with_the_table_of_descriptors() {
    let world = World::new(13);
    let fd = Fd::Sim(world.open(Domain::IPV4));
    assert_eq!(fd.linger().unwrap(), None);
    for linger in [Some(Duration::ZERO), Some(SECOND), None] {
        fd.set_linger(linger).unwrap();
        assert_eq!(fd.linger().unwrap(), linger);
        let Fd::Sim(port) = &fd else { unreachable!() };
        let abrupt = port.world.kernel().socket(port.index).is_abrupt();
        assert_eq!(abrupt, linger == Some(Duration::ZERO));
    }
    fd.set_nodelay(true).unwrap();
    assert!(fd.nodelay().unwrap());
    assert!(!fd.keepalive().unwrap() && !fd.reuse_address().unwrap());
    assert!(!fd.reuse_port().unwrap());
    assert_eq!((fd.ttl().unwrap(), fd.tos().unwrap()), (64, 0));
    assert_eq!(fd.recv_buffer_size().unwrap(), 65536);
    assert_eq!(fd.send_buffer_size().unwrap(), 65536);
    fd.set_quickack(false).unwrap();
    assert!(!fd.quickack().unwrap());
    let six = Fd::Sim(world.open(Domain::IPV6));
    assert!(!six.only_v6().unwrap(), "as on Linux");
    six.set_only_v6(true).unwrap();
    assert!(six.only_v6().unwrap());
}
