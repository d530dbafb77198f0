//! The same seed gives the same run, everywhere; and a run leaves nothing behind.
use super::*;

/// A run that uses everything: what it does depends on the seed alone.
fn workload(seed: u64) -> (u64, Duration) {
    let world = World::new(seed);
    let faults = Faults {
        slow: 20,
        refused: 30,
        reset: 5,
        accept_exhausted: 50,
        accept_aborted: 20,
        whole_sends: 300,
        whole_recvs: 300,
        ..Faults::default()
    };
    world.set_faults(faults);
    let addrs = [v4(0), v6(4000), path("/run/echo")];
    let listeners = addrs.each_ref().map(|addr| listener(&world, addr, 2));
    for port in &listeners {
        port.set_option("recv_buffer_size", 3000).unwrap();
    }
    let mut ports = Vec::new();
    for _ in 0..600 {
        match world.below(8) {
            0 | 1 => {
                let at = listeners[world.below(3) as usize].local_addr().unwrap();
                let port = world.open(crate::sys::domain(&at).unwrap());
                if port.connect(&at).is_ok() {
                    ports.push(port);
                }
            }
            2 => {
                ports.extend(listeners.iter().filter_map(|l| accept(l).ok()).map(|(port, _)| port))
            }
            3 if !ports.is_empty() => {
                drop(ports.swap_remove(world.below(ports.len() as u64) as usize));
            }
            4 | 5 if !ports.is_empty() => {
                let port = &ports[world.below(ports.len() as u64) as usize];
                let bytes = vec![1; 1 + world.below(4000) as usize];
                let _ = port.send(&bytes);
            }
            6 => ports.iter().for_each(|port| drop(recv(port, 1000))),
            _ => {
                let some = Duration::from_micros(world.below(3000));
                world.advance_to(world.now() + some);
            }
        }
    }
    drop(ports);
    drop(listeners);
    settle(&world);
    let kernel = world.kernel();
    assert!(kernel.sockets.is_empty(), "seed {seed} leaves {} sockets", kernel.sockets.len());
    // The path stays, as a file does.
    assert_eq!((kernel.names.len(), kernel.future.len()), (1, 0));
    drop(kernel);
    (world.trace(), world.now())
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let runs: Vec<_> = (0..50).map(workload).collect();
    assert_eq!(runs, (0..50).map(workload).collect::<Vec<_>>());
    let traces: std::collections::BTreeSet<_> = runs.iter().map(|(trace, _)| trace).collect();
    assert_eq!(traces.len(), 50, "different seeds give different runs");
}

/// Written down once: another machine, another word size, another byte order must agree. Whoever
/// changes what a world does or draws changes these numbers, and knows it.
#[test]
fn traces_are_the_same_on_every_machine() {
    let traces = [0, 1, u64::MAX].map(|seed| workload(seed).0);
    assert_eq!(traces, PINNED, "{traces:#018x?}");
}

#[test]
fn a_call_that_blocks_leaves_no_trace_and_draws_nothing() {
    let run = |ask: bool| {
        let world = World::new(40);
        let listener = listener(&world, &v4(88), 1);
        let client = world.open(Domain::IPV4);
        client.connect(&v4(88)).unwrap();
        let mut ears = Vec::new();
        for _ in 0..1000 {
            if ask {
                let _ = (recv(&client, 1), client.connected(), client.take_error());
                let _ = (client.peer_addr(), client.local_addr(), client.option("ttl"));
                ears.iter().for_each(|port| drop(recv(port, 1)));
            }
            world.advance_to(world.now() + Duration::from_micros(10));
            ears.extend(accept(&listener).map(|(port, _)| port));
        }
        assert_eq!(ears.len(), 1);
        (world.trace(), world.below(u64::MAX))
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn stirred_tells_each_socket_once_and_never_a_closed_one() {
    let world = World::new(41);
    let (a, b) = world.pair();
    let mut stirred = Vec::new();
    world.stirred(&mut stirred);
    assert_eq!(stirred, [], "nothing has happened");
    a.send(b"xy").unwrap();
    a.send(b"xy").unwrap();
    world.stirred(&mut stirred);
    assert_eq!(stirred, []);
    settle(&world);
    world.stirred(&mut stirred);
    assert_eq!(stirred, [b.index()]);
    world.stirred(&mut stirred);
    assert_eq!(stirred, [b.index()], "told already");
    drop(a);
    settle(&world);
    drop(b);
    stirred.clear();
    world.stirred(&mut stirred);
    assert_eq!(stirred, []);
}

/// Whoever waits for [`World::stirred`] alone misses nothing.
#[test]
fn stirred_is_enough_to_make_progress() {
    for seed in 0..50 {
        let world = World::new(seed);
        let listener = listener(&world, &v4(89), 8);
        let client = world.open(Domain::IPV4);
        client.set_option("recv_buffer_size", 50).unwrap();
        client.connect(&v4(89)).unwrap();
        let (mut server, mut sent, mut got, mut open) = (None, 0, 0, false);
        let mut stirred = Vec::new();
        until(&world, "end", || {
            world.stirred(&mut stirred);
            for index in stirred.drain(..) {
                if index == listener.index() {
                    server = Some(accept(&listener).unwrap().0);
                } else if index == client.index() {
                    open = open || client.connected().unwrap();
                    while let Ok(bytes) = recv(&client, 100) {
                        got += bytes.len();
                    }
                }
                // A new socket is tried at once, then when it is stirred.
                if let Some(port) = &server
                    && (index == port.index() || index == listener.index())
                {
                    while sent < 1000
                        && let Ok(count) = port.send(&[0; 1000][sent..])
                    {
                        sent += count;
                    }
                }
            }
            (got == 1000).then_some(())
        });
        assert!(open);
    }
}

#[test]
fn time_moves_to_where_it_is_told_and_not_back() {
    let world = World::new(42);
    assert_eq!((world.now(), world.next_arrival()), (Duration::ZERO, None));
    assert!(!world.advance_to(SECOND));
    assert_eq!(world.now(), SECOND);
    assert!(!world.advance_to(SECOND / 2));
    assert_eq!(world.now(), SECOND);
    let (a, b) = world.pair();
    a.send(b"x").unwrap();
    let at = world.next_arrival().unwrap();
    assert!(at > SECOND);
    assert!(!world.advance_to(at - Duration::from_nanos(1)));
    assert_eq!(kind(recv(&b, 1)), ErrorKind::WouldBlock);
    assert!(world.advance_to(at));
    assert_eq!(recv(&b, 1).unwrap(), b"x");
}

#[test]
fn chance_is_even_enough() {
    let world = World::new(43);
    let mut counts = [0; 7];
    for _ in 0..7000 {
        counts[world.below(7) as usize] += 1;
    }
    assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    assert_eq!(world.below(1), 0);
}

#[test]
fn a_hundred_thousand_connections_leave_nothing_behind() {
    let world = World::new(44);
    let listener = listener(&world, &v4(90), 8);
    for round in 0..100_000_u32 {
        let client = world.open(Domain::IPV4);
        client.connect(&v4(90)).unwrap();
        let (server, _) = wait(&world, "connection", || accept(&listener)).unwrap();
        client.send(b"bytes").unwrap();
        if round % 3 == 0 {
            settle(&world);
        }
        if round % 2 == 0 {
            drop(server);
        }
    }
    settle(&world);
    {
        let kernel = world.kernel();
        assert_eq!((kernel.sockets.len(), kernel.future.len()), (1, 0));
        assert_eq!(kernel.names.len(), 1);
    }
    let mut stirred = Vec::new();
    world.stirred(&mut stirred);
    assert_eq!(stirred, [listener.index()]);
}

const PINNED: [u64; 3] = [0x1a12_e674_8596_bb63, 0xd96a_3431_056d_db2d, 0x9eaa_fa43_d6b8_56b7];
