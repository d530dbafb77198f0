//! How connections end: each case was tried on Linux first.
use super::*;
use std::net::Shutdown;

#[test]
fn shutdown_of_writing_ends_the_stream_after_its_bytes() {
    for unix in [false, true] {
        let world = World::new(30);
        let (client, server) = either(&world, unix);
        send_all(&world, &client, b"all of it");
        client.shutdown(Shutdown::Write).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(kind(client.send(b"more")), ErrorKind::BrokenPipe);
        let (bytes, end) = recv_all(&world, &server);
        assert_eq!(bytes, b"all of it");
        end.unwrap();
        // The other direction goes on.
        send_all(&world, &server, b"answer");
        server.shutdown(Shutdown::Write).unwrap();
        let (bytes, end) = recv_all(&world, &client);
        assert_eq!(bytes, b"answer");
        end.unwrap();
        settle(&world);
        for port in [&client, &server] {
            assert_eq!(recv(port, 1).unwrap(), b"");
            assert_eq!(kind(port.send(b"x")), ErrorKind::BrokenPipe);
            assert_eq!(port.peer_addr().is_ok(), unix, "TCP has forgotten the connection");
            assert_eq!(port.shutdown(Shutdown::Both).is_ok(), unix);
            assert!(port.take_error().unwrap().is_none());
        }
    }
}

#[test]
fn shutdown_of_reading_gives_what_is_there_and_then_the_end() {
    for unix in [false, true] {
        let world = World::new(31);
        let (client, server) = either(&world, unix);
        world.set_faults(whole());
        server.send(b"hello").unwrap();
        settle(&world);
        client.shutdown(Shutdown::Read).unwrap();
        assert_eq!(recv(&client, 9).unwrap(), b"hello");
        assert_eq!(recv(&client, 9).unwrap(), b"");
        if unix {
            assert_eq!(kind(server.send(b"more")), ErrorKind::BrokenPipe);
        } else {
            server.send(b"more").unwrap();
            settle(&world);
            assert_eq!(recv(&client, 9).unwrap(), b"more");
        }
        assert_eq!(recv(&client, 9).unwrap(), b"");
        client.send(b"still").unwrap();
    }
}

#[test]
fn closing_with_unread_bytes_resets() {
    for unix in [false, true] {
        let world = World::new(32);
        let (client, server) = either(&world, unix);
        world.set_faults(whole());
        client.send(b"never read").unwrap();
        server.send(b"hello").unwrap();
        settle(&world);
        drop(server);
        settle(&world);
        assert_eq!(recv(&client, 9).unwrap(), b"hello", "what has arrived can be read");
        assert_eq!(kind(recv(&client, 9)), ErrorKind::ConnectionReset);
        assert_eq!(recv(&client, 9).unwrap(), b"");
        assert_eq!(kind(client.send(b"x")), ErrorKind::BrokenPipe);
        assert_eq!(client.peer_addr().is_ok(), unix);
        assert_eq!(client.shutdown(Shutdown::Write).is_ok(), unix);
    }
}

#[test]
fn the_first_call_after_a_reset_tells_it() {
    let world = World::new(33);
    let (client, server) = tcp(&world);
    client.send(b"never read").unwrap();
    settle(&world);
    drop(server);
    settle(&world);
    assert_eq!(kind(client.send(b"x")), ErrorKind::ConnectionReset);
    assert_eq!(kind(client.send(b"x")), ErrorKind::BrokenPipe);
    assert_eq!(recv(&client, 9).unwrap(), b"");

    // A Unix stream keeps it for the reader.
    let (a, b) = world.pair();
    a.send(b"never read").unwrap();
    drop(b);
    settle(&world);
    assert_eq!(kind(a.send(b"x")), ErrorKind::BrokenPipe);
    assert_eq!(kind(recv(&a, 9)), ErrorKind::ConnectionReset);
    assert_eq!(recv(&a, 9).unwrap(), b"");
}

#[test]
fn a_reset_after_both_ends_means_nothing() {
    let world = World::new(39);
    let (client, server) = tcp(&world);
    client.send(b"never read").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    settle(&world);
    drop(server);
    settle(&world);
    assert!(client.take_error().unwrap().is_none());
    assert_eq!(recv(&client, 9).unwrap(), b"");
}

#[test]
fn sending_to_a_closed_peer_succeeds_once() {
    let world = World::new(34);
    let (client, server) = tcp(&world);
    drop(server);
    settle(&world);
    client.send(b"into the void").unwrap();
    settle(&world);
    // The end came first: for the reader nothing went wrong.
    assert_eq!(recv(&client, 9).unwrap(), b"");
    let error = client.take_error().unwrap().expect("the reset came after the end");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(kind(client.send(b"x")), ErrorKind::BrokenPipe);
    assert_eq!(kind(client.peer_addr()), ErrorKind::NotConnected);

    let (a, b) = world.pair();
    drop(b);
    settle(&world);
    assert_eq!(kind(a.send(b"x")), ErrorKind::BrokenPipe);
    assert_eq!(recv(&a, 9).unwrap(), b"");
}

/// Bytes that cross the closing of their reader.
#[test]
fn bytes_that_meet_nobody_are_answered_by_a_reset() {
    for unix in [false, true] {
        let world = World::new(35);
        let (client, server) = either(&world, unix);
        client.send(b"under way").unwrap();
        drop(server);
        settle(&world);
        if unix {
            assert_eq!(kind(recv(&client, 9)), ErrorKind::ConnectionReset);
        } else {
            assert_eq!(recv(&client, 9).unwrap(), b"");
        }
        assert_eq!(kind(client.send(b"x")), ErrorKind::BrokenPipe);
        drop(client);
        settle(&world);
        assert!(world.kernel().sockets.is_empty());
    }
}

#[test]
fn a_linger_of_zero_resets_and_may_lose_what_was_under_way() {
    let bytes: Vec<u8> = (0..=255).collect();
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..100 {
        let world = World::new(seed);
        let (client, server) = tcp(&world);
        let server = Fd::Sim(server);
        server.set_linger(Some(Duration::ZERO)).unwrap();
        let mut sent = 0;
        while sent < bytes.len() {
            sent += server.send(&bytes[sent..]).unwrap();
        }
        drop(server);
        let (heard, end) = recv_all(&world, &client);
        assert_eq!(kind(end), ErrorKind::ConnectionReset);
        assert!(bytes.starts_with(&heard), "what comes is the beginning");
        *(if heard == bytes { &mut kept } else { &mut lost }) += 1;
    }
    assert!(lost > 10 && kept > 10, "{lost} lost, {kept} kept");
}

#[test]
fn a_linger_means_nothing_to_unix_streams() {
    let world = World::new(36);
    let (a, b) = world.pair();
    let b = Fd::Sim(b);
    b.set_linger(Some(Duration::ZERO)).unwrap();
    b.send(b"x").unwrap();
    drop(b);
    let (heard, end) = recv_all(&world, &a);
    assert_eq!(heard, b"x");
    end.unwrap();
}

#[test]
fn a_connection_reset_in_the_backlog_is_still_accepted() {
    let world = World::new(37);
    let listener = listener(&world, &v4(86), 1);
    let client = Fd::Sim(world.open(Domain::IPV4));
    client.set_linger(Some(Duration::ZERO)).unwrap();
    client.connect(&v4(86)).unwrap();
    settle(&world);
    drop(client);
    settle(&world);
    let (server, _) = accept(&listener).unwrap();
    assert_eq!(kind(recv(&server, 1)), ErrorKind::ConnectionReset);
}

#[test]
fn every_fault_strikes_and_none_does_by_default() {
    let world = World::new(38);
    let listener = listener(&world, &v4(87), 100);
    let dial = || {
        let client = world.open(Domain::IPV4);
        client.connect(&v4(87)).unwrap();
        let result = connected(&world, &client);
        settle(&world);
        result.map(|()| client)
    };
    let unix = super::listener(&world, &path("/f"), 100);
    for _ in 0..50 {
        let client = dial().unwrap();
        let (server, _) = accept(&listener).unwrap();
        send_all(&world, &client, b"bytes");
        drop(client);
        recv_all(&world, &server).1.unwrap();
    }
    world.set_faults(Faults { refused: 1000, ..Faults::default() });
    assert_eq!(kind(dial()), ErrorKind::ConnectionRefused);
    let refused = world.open(Domain::UNIX).connect(&unix.local_addr().unwrap());
    assert_eq!(kind(refused), ErrorKind::ConnectionRefused);

    world.set_faults(Faults { accept_exhausted: 1000, ..Faults::default() });
    assert_eq!(kind(accept(&listener)), ErrorKind::WouldBlock, "only what waits can fail");
    let client = dial().unwrap();
    let error = accept(&listener).expect_err("no descriptors");
    #[cfg(unix)]
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    assert_ne!(error.kind(), ErrorKind::WouldBlock);
    world.set_faults(Faults { accept_aborted: 1000, ..Faults::default() });
    assert_eq!(kind(accept(&listener)), ErrorKind::ConnectionAborted);
    settle(&world);
    assert_eq!(kind(recv(&client, 1)), ErrorKind::ConnectionReset);

    world.set_faults(Faults { reset: 1000, ..Faults::default() });
    let client = dial().unwrap();
    let (server, _) = accept(&listener).unwrap();
    client.send(b"x").unwrap();
    settle(&world);
    for port in [&client, &server] {
        assert_eq!(kind(recv_all(&world, port).1), ErrorKind::ConnectionReset);
    }

    let latency = (Duration::ZERO, Duration::from_micros(1));
    world.set_faults(Faults { latency, slow: 1000, ..Faults::default() });
    let start = world.now();
    let _client = dial().unwrap();
    assert!(world.now() > start + Duration::from_micros(3));
}
