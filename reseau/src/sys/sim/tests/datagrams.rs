//! Datagrams: what is lost, what is not, who hears what, and when there is room.
use super::*;
use crate::addr::InterfaceRef;
use crate::sys::{Kind, Side};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Shutdown};

fn dgram(world: &World, domain: Domain) -> Port {
    world.open_as(domain, Kind::Dgram).unwrap()
}

/// A datagram socket with a name.
fn bound(world: &World, addr: &Addr) -> Port {
    let port = dgram(world, crate::sys::domain(addr).unwrap());
    port.bind(addr).unwrap();
    port
}

fn recv_from(port: &Port, most: usize) -> io::Result<(Vec<u8>, usize, Option<Addr>)> {
    let mut space = vec![MaybeUninit::uninit(); most];
    let (fitted, full, from) = port.recv_from(&mut space, false)?;
    // SAFETY: `recv_from` has written as many slots as it says.
    let read = |slot: &MaybeUninit<u8>| unsafe { slot.assume_init() };
    Ok((space[..fitted].iter().map(read).collect(), full, from))
}

/// Everything that there is to receive.
fn drain(port: &Port) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| recv_from(port, 1 << 17).ok()).map(|(bytes, ..)| bytes).collect()
}

fn stirred(world: &World) -> Vec<u64> {
    let mut indexes = Vec::new();
    world.stirred(&mut indexes);
    indexes
}

#[test]
fn udp_echoes_and_names_whom_it_hears() {
    for (wildcard, here) in [("0.0.0.0:0", v4(0)), ("[::]:0", v6(0))] {
        let world = World::new(50);
        let server = bound(&world, &here);
        let to = server.local_addr().unwrap();
        let client = dgram(&world, crate::sys::domain(&here).unwrap());
        assert_eq!(client.local_addr().unwrap().to_string(), wildcard);
        assert_eq!(client.send_to(b"hello", Some(&to)).unwrap(), 5);
        let bound = client.local_addr().unwrap();
        assert!(port_of(&bound) >= 32768 && bound.inet().unwrap().ip().is_unspecified());
        assert_eq!(kind(recv_from(&server, 9)), ErrorKind::WouldBlock, "it takes its time");
        let (bytes, full, from) = wait(&world, "datagram", || recv_from(&server, 2)).unwrap();
        assert_eq!((&bytes[..], full), (&b"he"[..], 5));
        let from = from.unwrap();
        assert_eq!(port_of(&from), port_of(&bound));
        assert!(from.inet().unwrap().ip().is_loopback());
        client.connect(&to).unwrap();
        assert_eq!((client.local_addr().unwrap(), client.peer_addr().unwrap()), (from.clone(), to));
        server.send_to(b"", Some(&from)).unwrap();
        let echo = wait(&world, "echo", || recv_from(&client, 9)).unwrap();
        assert_eq!((&echo.0[..], echo.1), (&b""[..], 0), "an empty datagram is one");
    }
}

#[test]
fn tcp_and_udp_have_ports_of_their_own() {
    let world = World::new(51);
    let _listener = listener(&world, &v4(53), 1);
    let _udp = bound(&world, &v4(53));
    assert_eq!(kind(dgram(&world, Domain::IPV4).bind(&v4(53))), ErrorKind::AddrInUse);
    assert_eq!(kind(dgram(&world, Domain::IPV4).listen(1)), ErrorKind::Unsupported);
    assert_eq!(kind(accept(&_udp)), ErrorKind::Unsupported);
    let seqpacket = world.open_as(Domain::IPV4, Kind::Seqpacket);
    assert_eq!(kind(seqpacket), ErrorKind::Unsupported);
    assert_eq!(kind(world.open_as(Domain::from(40), Kind::Stream)), ErrorKind::Unsupported);
}

#[test]
fn datagrams_overtake_each_other() {
    let orders: BTreeSet<_> = (0..50)
        .map(|seed| {
            let world = World::new(seed);
            let server = bound(&world, &v4(7));
            let client = dgram(&world, Domain::IPV4);
            for byte in 0..3 {
                client.send_to(&[byte], Some(&v4(7))).unwrap();
            }
            settle(&world);
            drain(&server).concat()
        })
        .collect();
    assert_eq!(orders.len(), 6, "three things have six orders: {orders:?}");
}

#[test]
fn faults_lose_and_double() {
    let heard = |lost, doubled| {
        let world = World::new(52);
        world.set_faults(Faults { lost, doubled, ..Faults::default() });
        let server = bound(&world, &v4(7));
        let client = dgram(&world, Domain::IPV4);
        let mut heard = 0;
        for byte in 0..=255_u8 {
            client.send_to(&[byte], Some(&v4(7))).unwrap();
            settle(&world);
            heard += drain(&server).len();
        }
        assert!(client.is_ready(Side::Send), "nothing is under way");
        heard
    };
    assert_eq!((heard(0, 0), heard(1000, 0), heard(0, 1000)), (256, 0, 512));
    assert!((100..156).contains(&heard(500, 0)));
    assert!((356..412).contains(&heard(0, 500)));
}

#[test]
fn a_full_receiver_loses_and_a_full_sender_waits() {
    let world = World::new(53);
    let server = bound(&world, &v4(7));
    server.set_option("recv_buffer_size", 1000).unwrap();
    let client = dgram(&world, Domain::IPV4);
    client.set_option("send_buffer_size", 2000).unwrap();
    let mut sent = 0;
    while client.is_ready(Side::Send) {
        client.send_to(&[1; 144], Some(&v4(7))).unwrap();
        sent += 1;
    }
    assert_eq!(sent, 5, "each counts for 400, and begins below 2000");
    assert_eq!(kind(client.send_to(&[1], Some(&v4(7)))), ErrorKind::WouldBlock);
    stirred(&world);
    world.advance_to(world.next_arrival().unwrap());
    assert_eq!(stirred(&world), [server.index(), client.index()]);
    assert!(client.is_ready(Side::Send));
    settle(&world);
    assert_eq!(drain(&server).len(), 2, "no more than fits into 1000");
    client.send_to(&[1; 30_000], Some(&v4(7))).unwrap();
    settle(&world);
    assert_eq!(drain(&server), [vec![1; 30_000]], "the smallest room holds one");
}

#[test]
fn sizes_have_a_limit() {
    let world = World::new(54);
    for (to, most) in [(v4(7), 65_507), (v6(7), 65_527)] {
        let server = bound(&world, &to);
        let client = dgram(&world, crate::sys::domain(&to).unwrap());
        let error = client.send_to(&vec![0; most + 1], Some(&to)).unwrap_err();
        #[cfg(unix)]
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        #[cfg(not(unix))]
        assert_ne!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(client.send_to(&vec![0; most], Some(&to)).unwrap(), most);
        assert_eq!(wait(&world, "datagram", || recv_from(&server, 0)).unwrap().1, most);
    }
}

#[test]
fn a_port_where_nobody_hears_refuses_the_connected() {
    let world = World::new(55);
    let client = dgram(&world, Domain::IPV4);
    client.send_to(b"x", Some(&v4(9))).unwrap();
    settle(&world);
    assert!(client.take_error().unwrap().is_none(), "he was not connected");
    client.connect(&v4(9)).unwrap();
    client.send(b"x").unwrap();
    assert!(!client.is_ready(Side::Recv));
    settle(&world);
    assert!(client.is_ready(Side::Recv) && stirred(&world).contains(&client.index()));
    assert_eq!(kind(client.send(b"x")), ErrorKind::ConnectionRefused);
    client.send(b"x").unwrap();
    settle(&world);
    assert_eq!(kind(recv_from(&client, 9)), ErrorKind::ConnectionRefused);
    // A stranger is not heard by a socket that is connected with another.
    let friend = bound(&world, &v4(10));
    let server = bound(&world, &v4(9));
    server.connect(&v4(10)).unwrap();
    client.send(b"stranger").unwrap();
    friend.send_to(b"friend", Some(&v4(9))).unwrap();
    settle(&world);
    assert_eq!(drain(&server), [b"friend"]);
    assert_eq!(kind(client.send(b"x")), ErrorKind::ConnectionRefused);
}

#[test]
fn groups_are_heard_by_members_and_broadcasts_by_all() {
    for (group, addr, any) in
        [("224.0.0.9", v4(0), "0.0.0.0:5353"), ("ff02::9", v6(0), "[::]:5353")]
    {
        let world = World::new(56);
        let group: IpAddr = group.parse().unwrap();
        let any = Addr::Inet(any.parse().unwrap());
        let [a, b, c] = [(); 3].map(|()| {
            let port = dgram(&world, crate::sys::domain(&addr).unwrap());
            port.set_option("reuse_address", 1).unwrap();
            port.bind(&any).unwrap();
            port
        });
        let set =
            |port: &Port, group, member| port.set_member(group, None, &InterfaceRef::Any, member);
        set(&a, group, true).unwrap();
        set(&b, group, true).unwrap();
        assert_eq!(kind(set(&a, group, true)), ErrorKind::AddrInUse);
        assert_eq!(kind(set(&c, group, false)), ErrorKind::AddrNotAvailable);
        assert_eq!(kind(set(&a, addr.inet().unwrap().ip(), true)), ErrorKind::InvalidInput);
        let to = Addr::Inet(SocketAddr::new(group, 5353));
        a.send_to(b"all", Some(&to)).unwrap();
        settle(&world);
        assert_eq!([&a, &b, &c].map(|port| drain(port).len()), [1, 1, 0]);
        set(&b, group, false).unwrap();
        a.send_to(b"all", Some(&to)).unwrap();
        settle(&world);
        assert_eq!([&a, &b, &c].map(|port| drain(port).len()), [1, 0, 0]);
        if addr == v4(0) {
            let to = Addr::Inet("255.255.255.255:5353".parse().unwrap());
            assert_eq!(kind(a.send_to(b"all", Some(&to))), ErrorKind::PermissionDenied);
            assert_eq!(kind(a.connect(&to)), ErrorKind::PermissionDenied);
            a.set_option("broadcast", 1).unwrap();
            a.send_to(b"all", Some(&to)).unwrap();
            settle(&world);
            assert_eq!([&a, &b, &c].map(|port| drain(port).len()), [1, 1, 1]);
        }
    }
}

#[test]
fn a_group_may_be_heard_from_some_sources_only() {
    let world = World::new(56);
    let group: IpAddr = "232.1.1.1".parse().unwrap();
    let [friend, other] = ["127.0.0.1", "127.0.0.2"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let member = bound(&world, &Addr::Inet("0.0.0.0:5353".parse().unwrap()));
    let set = |source: Option<IpAddr>, member_of| {
        member.set_member(group, source, &InterfaceRef::from("lo"), member_of)
    };
    let heard = || {
        for ip in [friend, other] {
            let from = bound(&world, &Addr::Inet((ip, 0).into()));
            from.send_to(&[1], Some(&Addr::Inet((group, 5353).into()))).unwrap();
            settle(&world);
        }
        drain(&member).len()
    };
    assert_eq!(kind(set(Some(friend), false)), ErrorKind::InvalidInput, "never joined");
    set(Some(friend), true).unwrap();
    assert_eq!(heard(), 1);
    assert_eq!(kind(set(Some(friend), true)), ErrorKind::AddrNotAvailable);
    assert_eq!(kind(set(Some(other), false)), ErrorKind::AddrNotAvailable);
    set(Some(other), true).unwrap();
    assert_eq!(heard(), 2);
    set(Some(friend), false).unwrap();
    set(Some(other), false).unwrap();
    assert_eq!(heard(), 0);
    set(None, true).unwrap();
    assert_eq!(heard(), 2);
    set(Some(other), true).unwrap();
    assert_eq!(heard(), 1, "who asks for one hears no other");
    set(None, false).unwrap();
    assert_eq!(heard(), 0);
    let six = Some(Ipv6Addr::LOCALHOST.into());
    assert_eq!(kind(set(six, true)), ErrorKind::InvalidInput);
    let on = |interface: InterfaceRef| member.set_member(group, None, &interface, true);
    assert_eq!(kind(on("eth0".into())), ErrorKind::NotFound);
    assert_eq!(kind(on(2.into())), ErrorKind::NotFound);
    on(1.into()).unwrap();
    assert_eq!(kind(on(Ipv4Addr::LOCALHOST.into())), ErrorKind::AddrInUse, "it is the same one");
}

#[test]
fn a_shared_port_is_one_sockets_or_anyones() {
    let share = |option| {
        let world = World::new(57);
        let servers = [(); 3].map(|()| {
            let port = dgram(&world, Domain::IPV4);
            port.set_option(option, 1).unwrap();
            port.bind(&v4(7)).unwrap();
            port
        });
        let client = dgram(&world, Domain::IPV4);
        for _ in 0..90 {
            client.send_to(b"x", Some(&v4(7))).unwrap();
            settle(&world);
        }
        servers.map(|port| drain(&port).len())
    };
    assert_eq!(share("reuse_address"), [0, 0, 90], "as on Linux, the latest");
    let even = share("reuse_port");
    assert!(even.iter().all(|count| (15..50).contains(count)), "{even:?}");
    // Whoever is connected with the sender hears it before whoever is not.
    let world = World::new(58);
    let [everybody, one] = [(); 2].map(|()| {
        let port = dgram(&world, Domain::IPV4);
        port.set_option("reuse_port", 1).unwrap();
        port.bind(&Addr::Inet("0.0.0.0:7".parse().unwrap())).unwrap();
        port
    });
    let client = bound(&world, &v4(70));
    one.connect(&v4(70)).unwrap();
    client.send_to(b"mine", Some(&v4(7))).unwrap();
    dgram(&world, Domain::IPV4).send_to(b"other's", Some(&v4(7))).unwrap();
    settle(&world);
    assert_eq!(
        (drain(&one), drain(&everybody)),
        (vec![b"mine".to_vec()], vec![b"other's".to_vec()])
    );
}

#[test]
fn a_unix_queue_is_bounded_and_calls_who_waits() {
    let world = World::new(59);
    let server = bound(&world, &path("/run/log"));
    let [client, connected] = [(); 2].map(|()| dgram(&world, Domain::UNIX));
    let to = path("/run/log");
    for _ in 0..11 {
        client.send_to(b"line", Some(&to)).unwrap();
    }
    assert_eq!(recv_from(&server, 9).unwrap(), (b"line".to_vec(), 4, None), "at once, no name");
    connected.connect(&to).unwrap();
    connected.send(b"line").unwrap();
    assert_eq!(kind(client.send_to(b"line", Some(&to))), ErrorKind::WouldBlock);
    assert!(!client.is_ready(Side::Send) && !connected.is_ready(Side::Send));
    stirred(&world);
    drop(recv_from(&server, 9).unwrap());
    assert_eq!(stirred(&world), [client.index(), connected.index()]);
    assert!(client.is_ready(Side::Send) && connected.is_ready(Side::Send));
    connected.send(b"line").unwrap();
    assert_eq!(kind(client.send_to(b"line", Some(&to))), ErrorKind::WouldBlock);
    stirred(&world);
    server.shutdown(Shutdown::Read).unwrap();
    assert!(stirred(&world).contains(&client.index()));
    assert!(client.is_ready(Side::Send));
    assert_eq!(kind(client.send_to(b"line", Some(&to))), ErrorKind::BrokenPipe);
    drop(server);
    assert_eq!(kind(connected.send(b"line")), ErrorKind::ConnectionRefused);
    assert_eq!(kind(connected.send(b"line")), ErrorKind::NotConnected);
    world.unlink(std::path::Path::new("/run/log")).unwrap();
    assert_eq!(kind(client.send_to(b"line", Some(&to))), ErrorKind::NotFound);
}

#[test]
fn kinds_of_unix_sockets_do_not_meet() {
    let world = World::new(60);
    let here = path("/run/kinds");
    let _listener = listener(&world, &here, 1);
    let client = dgram(&world, Domain::UNIX);
    let error = client.connect(&here).unwrap_err();
    #[cfg(unix)]
    assert_eq!(error.raw_os_error(), Some(libc::EPROTOTYPE));
    #[cfg(not(unix))]
    assert_ne!(error.kind(), ErrorKind::WouldBlock);
    assert!(client.send_to(b"x", Some(&here)).is_err());
    assert!(client.peer_addr().is_err());
}

#[test]
fn records_are_accepted_and_keep_their_borders() {
    let world = World::new(61);
    let here = path("/run/records");
    let listener = world.open_as(Domain::UNIX, Kind::Seqpacket).unwrap();
    listener.bind(&here).unwrap();
    listener.listen(4).unwrap();
    let client = world.open_as(Domain::UNIX, Kind::Seqpacket).unwrap();
    assert!(client.connect(&here).unwrap());
    let (server, _) = accept(&listener).unwrap();
    for record in [&b"one"[..], b"", b"three"] {
        assert_eq!(client.send(record).unwrap(), record.len());
    }
    settle(&world);
    let mut space = [MaybeUninit::uninit(); 2];
    assert_eq!(server.recv_from(&mut space, true).unwrap(), (2, 3, None));
    assert_eq!(recv_from(&server, 2).unwrap(), (b"on".to_vec(), 3, None));
    assert_eq!(recv_from(&server, 9).unwrap(), (b"".to_vec(), 0, None));
    assert_eq!(recv(&server, 9).unwrap(), b"three");
    assert_eq!(kind(recv(&server, 9)), ErrorKind::WouldBlock);
    let mut sent = 0;
    while client.is_ready(Side::Send) {
        sent += client.send(&[1; 1000]).unwrap();
    }
    assert_eq!(kind(client.send(b"")), ErrorKind::WouldBlock, "even nothing takes room");
    drop(client);
    let mut got = 0;
    while let Ok((bytes, ..)) = wait(&world, "record or end", || recv_from(&server, 4096)) {
        if bytes.is_empty() {
            break;
        }
        assert_eq!(bytes.len(), 1000);
        got += bytes.len();
    }
    assert_eq!(got, sent, "nothing is lost");
}

/// What a random crowd of sockets does; `see` looks at each before and after.
fn crowd(seed: u64, steps: usize, mut see: impl FnMut(&World, &[Port])) -> (u64, Duration) {
    let world = World::new(seed);
    world.set_faults(Faults {
        lost: 20,
        doubled: 20,
        slow: 20,
        whole_recvs: 500,
        ..Faults::default()
    });
    let addrs = [v4(1000), v6(1000), path("/run/crowd"), path("/run/other")];
    let mut ports: Vec<Port> = addrs.iter().map(|addr| bound(&world, addr)).collect();
    for pair in [Kind::Stream, Kind::Dgram, Kind::Seqpacket] {
        let (a, b) = world.pair_as(pair).unwrap();
        ports.extend([a, b]);
    }
    let (a, b) = tcp(&world);
    ports.extend([a, b]);
    for port in &ports {
        port.set_option("recv_buffer_size", 3000).unwrap();
        port.set_option("send_buffer_size", 3000).unwrap();
    }
    for _ in 0..steps {
        see(&world, &ports);
        let place = world.below(ports.len() as u64) as usize;
        let port = &ports[place];
        let bytes = vec![place as u8; world.below(600) as usize];
        let _ = match world.below(16) {
            0..4 => recv_from(port, 1000).map(drop),
            4..7 => port.send(&bytes).map(drop),
            7..11 => port.send_to(&bytes, Some(&addrs[world.below(4) as usize])).map(drop),
            11 => port.connect(&addrs[world.below(4) as usize]).map(drop),
            12 if world.below(20) == 0 => {
                let how = [Shutdown::Read, Shutdown::Write, Shutdown::Both];
                port.shutdown(how[world.below(3) as usize])
            }
            13 if world.below(30) == 0 => {
                // The next inherits its place, as far as it can.
                let domain = [Domain::IPV4, Domain::IPV6, Domain::UNIX][world.below(3) as usize];
                ports[place] = dgram(&world, domain);
                Ok(())
            }
            14 => port.set_option("recv_buffer_size", 1 + world.below(5000)),
            _ => {
                world.advance_to(world.now() + Duration::from_micros(world.below(500)));
                Ok(())
            }
        };
    }
    drop(ports);
    settle(&world);
    let kernel = world.kernel();
    assert!(kernel.sockets.is_empty(), "seed {seed} leaves {} sockets", kernel.sockets.len());
    assert_eq!((kernel.names.len(), kernel.future.len()), (2, 0), "seed {seed}: two paths stay");
    drop(kernel);
    (world.trace(), world.now())
}

#[test]
fn the_same_seed_gives_the_same_crowd() {
    let run = |seed| crowd(seed, 600, |_, _| {});
    let runs: Vec<_> = (0..50).map(run).collect();
    assert_eq!(runs, (0..50).map(run).collect::<Vec<_>>());
    let traces: BTreeSet<_> = runs.iter().map(|(trace, _)| trace).collect();
    assert_eq!(traces.len(), 50, "different seeds give different runs");
    // To look is not to touch.
    let look = |_: &World, ports: &[Port]| {
        for port in ports {
            let _ = (port.is_ready(Side::Recv), port.is_ready(Side::Send), port.peer_addr());
        }
    };
    let looked: Vec<_> = (0..50).map(|seed| crowd(seed, 600, look)).collect();
    assert_eq!(runs, looked);
    // Written down once, as those of streams are.
    let traces = [0, 1, u64::MAX].map(|seed| run(seed).0);
    assert_eq!(traces, PINNED, "{traces:#018x?}");
}

/// Whoever waits for [`World::stirred`] alone misses no readiness.
#[test]
fn readiness_never_comes_without_a_stir() {
    for seed in 0..200 {
        let mut before: BTreeMap<(u64, bool), bool> = BTreeMap::new();
        let mut changes = 0;
        crowd(seed, 400, |world, ports| {
            let stirred = stirred(world);
            for port in ports {
                for (side, sends) in [(Side::Recv, false), (Side::Send, true)] {
                    let now = port.is_ready(side);
                    let was = before.insert((port.index(), sends), now);
                    if now && was == Some(false) {
                        changes += 1;
                        let told = stirred.contains(&port.index());
                        assert!(told, "seed {seed}: {side:?} of {port:?} became ready unheard");
                    }
                }
            }
        });
        assert!(changes > 0, "seed {seed}: nobody ever waited");
    }
}

/// What is ready does not block, and what is not, does.
#[test]
fn ready_is_what_does_not_block() {
    let mut seen = [0; 4];
    for seed in 0..200 {
        crowd(seed, 300, |world, ports| {
            let port = &ports[world.below(ports.len() as u64) as usize];
            let ready = port.is_ready(Side::Recv);
            let would_block =
                matches!(recv_from(port, 64), Err(e) if e.kind() == ErrorKind::WouldBlock);
            assert_eq!(ready, !would_block, "seed {seed}: recv of {port:?}");
            // Without an address a send goes to the peer, whose room `is_ready` knows.
            let sends = port.is_ready(Side::Send);
            let would_block =
                matches!(port.send(b"x"), Err(e) if e.kind() == ErrorKind::WouldBlock);
            assert!(!(sends && would_block), "seed {seed}: send of {port:?}");
            seen[usize::from(ready)] += 1;
            seen[2 + usize::from(sends)] += 1;
        });
    }
    assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
}

/// Without faults every datagram comes, once; in the Unix domain in order. Those who send and those
/// who receive do so when they are stirred, and at no other time.
#[test]
fn nothing_is_lost_without_faults() {
    for seed in 0..100 {
        let world = World::new(seed);
        let unix = seed % 2 == 1;
        let to = if unix { path("/run/all") } else { v4(1) };
        let server = bound(&world, &to);
        let senders: Vec<Port> =
            (0..3).map(|_| dgram(&world, crate::sys::domain(&to).unwrap())).collect();
        for sender in &senders {
            // Together they cannot have more under way than the server takes.
            sender.set_option("send_buffer_size", 1000 + world.below(20_000)).unwrap();
            if world.below(2) == 0 {
                sender.connect(&to).unwrap();
            }
        }
        let (mut sent, mut got) = ([0_u32; 3], vec![Vec::new(); 3]);
        let mut eager: Vec<u64> = senders.iter().map(Port::index).collect();
        until(&world, "last datagram", || {
            eager.extend(stirred(&world));
            while let Some(index) = eager.pop() {
                if let Some(place) = senders.iter().position(|port| port.index() == index) {
                    while sent[place] < 200 {
                        let mut bytes = vec![place as u8; 5 + world.below(900) as usize];
                        bytes[1..5].copy_from_slice(&sent[place].to_le_bytes());
                        let connected = senders[place].peer_addr().is_ok();
                        let to = Some(&to).filter(|_| !connected);
                        match senders[place].send_to(&bytes, to) {
                            Ok(count) => assert_eq!(count, bytes.len()),
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                                break;
                            }
                        }
                        sent[place] += 1;
                    }
                }
                while let Ok((bytes, ..)) = recv_from(&server, 2000) {
                    let number = u32::from_le_bytes(bytes[1..5].try_into().unwrap());
                    got[usize::from(bytes[0])].push(number);
                }
                eager.extend(stirred(&world));
            }
            got.iter().all(|numbers| numbers.len() == 200).then_some(())
        });
        for mut numbers in got {
            if !unix {
                numbers.sort_unstable();
            }
            assert_eq!(numbers, (0..200).collect::<Vec<_>>(), "seed {seed}");
        }
    }
}

const PINNED: [u64; 3] = [0x3b0e_611b_2e45_c6b2, 0x0570_e2aa_d1d1_1093, 0x7b0f_51ba_4eb4_5a78];
