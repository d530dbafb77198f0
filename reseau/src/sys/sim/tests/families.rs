//! IPv4 through sockets of IPv6, and where the families are apart.
use super::*;
use crate::sys::{Kind, Side};

fn at(addr: &str) -> Addr {
    Addr::Inet(addr.parse().unwrap())
}

fn open(world: &World, addr: &Addr, kind: Kind, only_v6: bool) -> Port {
    let port = world.open_as(crate::sys::domain(addr).unwrap(), kind).unwrap();
    if only_v6 {
        port.set_option("only_v6", 1).unwrap();
    }
    port
}

#[test]
fn a_listener_of_v6_hears_v4_under_mapped_addresses() {
    let world = World::new(1);
    let listener = listener(&world, &at("[::]:80"), 8);
    for (to, told) in [("127.0.0.1:80", "[::ffff:127.0.0.1]"), ("[::1]:80", "[::1]")] {
        let client = world.open(crate::sys::domain(&at(to)).unwrap());
        client.connect(&at(to)).unwrap();
        connected(&world, &client).unwrap();
        let (server, peer) = wait(&world, "connection", || accept(&listener)).unwrap();
        assert!(peer.to_string().starts_with(told), "{peer}");
        assert_eq!(server.peer_addr().unwrap(), peer);
        assert_eq!(server.local_addr().unwrap(), at(&format!("{told}:80")));
        assert_eq!(client.peer_addr().unwrap(), at(to));
        assert_eq!(port_of(&client.local_addr().unwrap()), port_of(&peer));
        send_all(&world, &client, b"hello");
        drop(client);
        assert_eq!(recv_all(&world, &server).0, b"hello");
    }
}

#[test]
fn a_client_of_v6_reaches_v4() {
    let world = World::new(2);
    let listener = listener(&world, &at("127.0.0.1:80"), 8);
    let to = at("[::ffff:127.0.0.1]:80");
    let client = open(&world, &to, Kind::Stream, false);
    client.connect(&to).unwrap();
    connected(&world, &client).unwrap();
    let (server, peer) = wait(&world, "connection", || accept(&listener)).unwrap();
    assert!(peer.to_string().starts_with("127.0.0.1:"), "{peer}");
    assert_eq!(server.local_addr().unwrap(), at("127.0.0.1:80"));
    assert_eq!(client.peer_addr().unwrap(), to);
    assert!(client.local_addr().unwrap().to_string().starts_with("[::ffff:127.0.0.1]:"));
    let pure = open(&world, &to, Kind::Stream, true);
    assert_eq!(kind(pure.connect(&to)), ErrorKind::NetworkUnreachable);
    assert_eq!(kind(pure.bind(&to)), ErrorKind::InvalidInput);
    pure.bind(&at("[::1]:0")).unwrap();
    assert_eq!(kind(pure.set_option("only_v6", 0)), ErrorKind::InvalidInput, "too late");
}

#[test]
fn the_wildcard_of_v6_has_the_port_of_both_unless_it_is_only_v6() {
    for (kind_of, only_v6) in [Kind::Stream, Kind::Dgram].into_iter().zip([false, true]) {
        let world = World::new(3);
        let wild = open(&world, &at("[::]:0"), kind_of, only_v6);
        wild.bind(&at("[::]:700")).unwrap();
        for addr in ["0.0.0.0:700", "127.0.0.1:700", "[::ffff:127.0.0.1]:700"] {
            let bound = open(&world, &at(addr), kind_of, false).bind(&at(addr));
            assert_eq!(bound.is_ok(), only_v6, "{addr}");
        }
        assert_eq!(kind(open(&world, &v6(0), kind_of, false).bind(&v6(700))), ErrorKind::AddrInUse);
        drop(wild);
        for addr in ["0.0.0.0:700", "[::1]:700"] {
            open(&world, &at(addr), kind_of, false).bind(&at(addr)).unwrap();
        }
        assert_eq!(world.kernel().names.len(), 0, "both were given back");
    }
}

#[test]
fn datagrams_cross_the_families_too() {
    let world = World::new(4);
    let server = open(&world, &at("[::]:53"), Kind::Dgram, false);
    server.bind(&at("[::]:53")).unwrap();
    let client = open(&world, &v4(0), Kind::Dgram, false);
    client.send_to(b"four", Some(&v4(53))).unwrap();
    let heard = |port: &Port| {
        wait(&world, "datagram", || {
            let mut space = [MaybeUninit::uninit(); 9];
            port.recv_from(&mut space, false).map(|(_, full, from)| (full, from.unwrap()))
        })
    };
    let (_, from) = heard(&server).unwrap();
    assert!(from.to_string().starts_with("[::ffff:127.0.0.1]:"), "{from}");
    server.send_to(b"back", Some(&from)).unwrap();
    assert_eq!(heard(&client).unwrap(), (4, v4(53)));
    // Who is connected with one of IPv4 is of IPv4.
    server.connect(&from).unwrap();
    assert_eq!(server.local_addr().unwrap(), at("[::ffff:127.0.0.1]:53"));
    assert_eq!(server.peer_addr().unwrap(), from);
    assert_eq!(kind(server.send_to(b"six", Some(&v6(9)))), ErrorKind::NetworkUnreachable);
    client.send_to(b"again", Some(&v4(53))).unwrap();
    assert_eq!(heard(&server).unwrap(), (5, from));
    // And the port of IPv6 is free.
    open(&world, &v6(53), Kind::Dgram, false).bind(&v6(53)).unwrap();
    drop(server);
    let heir = open(&world, &v4(53), Kind::Dgram, false);
    heir.bind(&v4(53)).unwrap();
}

#[test]
fn of_two_that_share_a_port_the_one_of_v4_hears_v4() {
    for kind_of in [Kind::Stream, Kind::Dgram] {
        let world = World::new(6);
        let [wild, four] = ["[::]:53", "0.0.0.0:53"].map(|addr| {
            let port = open(&world, &at(addr), kind_of, false);
            port.set_option("reuse_port", 1).unwrap();
            port.bind(&at(addr)).unwrap();
            port
        });
        for to in [v4(53), v6(53)] {
            let client = open(&world, &to, kind_of, false);
            let (hears, other) = if to == v4(53) { (&four, &wild) } else { (&wild, &four) };
            if kind_of == Kind::Stream {
                [hears, other].iter().for_each(|port| port.listen(8).unwrap());
                client.connect(&to).unwrap();
            } else {
                client.send_to(b"x", Some(&to)).unwrap();
            }
            settle(&world);
            assert!(hears.is_ready(Side::Recv) && !other.is_ready(Side::Recv), "{to}");
            match kind_of {
                Kind::Stream => drop(accept(hears).unwrap()),
                _ => drop(hears.recv_from(&mut [MaybeUninit::uninit(); 9], false).unwrap()),
            }
        }
    }
}

#[test]
fn ports_that_chance_gives_are_free_in_both_families() {
    let world = World::new(5);
    // All ports of IPv4 but one.
    let ports: Vec<Port> = (32768..=60999)
        .filter(|port| *port != 40_000)
        .map(|port| {
            let taken = world.open(Domain::IPV4);
            taken.bind(&v4(port)).unwrap();
            taken
        })
        .collect();
    let wild = world.open(Domain::IPV6);
    wild.bind(&at("[::]:0")).unwrap();
    assert_eq!(port_of(&wild.local_addr().unwrap()), 40_000);
    assert_eq!(kind(world.open(Domain::IPV6).bind(&at("[::]:0"))), ErrorKind::AddrInUse);
    let pure = open(&world, &v6(0), Kind::Stream, true);
    pure.bind(&at("[::]:0")).unwrap();
    drop(ports);
}

#[cfg(target_os = "linux")]
mod like_linux {
    use super::*;
    use std::net::IpAddr;

    const BOUND: [&str; 6] =
        ["0.0.0.0", "127.0.0.1", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]"];
    const CALLED: [(&str, bool); 6] = [
        ("127.0.0.1", false),
        ("127.0.0.2", false),
        ("[::1]", false),
        ("[::1]", true),
        ("[::ffff:127.0.0.1]", false),
        ("[::ffff:127.0.0.1]", true),
    ];

    /// The sockets of one kernel that try to share a port.
    struct Party<'a> {
        world: Option<&'a World>,
        kind: Kind,
        port: u16,
        bound: Vec<Fd>,
        told: Vec<String>,
    }

    impl Party<'_> {
        fn open(&self, addr: &Addr, only_v6: bool) -> Fd {
            let domain = crate::sys::domain(addr).unwrap();
            let fd = match self.world {
                Some(world) => Fd::Sim(world.open_as(domain, self.kind).unwrap()),
                None => Fd::open_as(domain, self.kind).unwrap(),
            };
            if domain == Domain::IPV6 {
                fd.set_only_v6(only_v6).unwrap();
            }
            fd
        }

        fn addr(&self, ip: &str) -> Addr {
            at(&format!("{ip}:{}", self.port))
        }

        fn bind(&mut self, ip: &str, only_v6: bool, shared: bool) {
            let addr = self.addr(ip);
            let fd = self.open(&addr, only_v6);
            fd.set_reuse_port(shared).unwrap();
            let bound = fd.bind(&addr);
            self.told.push(format!("bind {ip} {only_v6} {shared}: {}", show(&bound)));
            if bound.is_ok() {
                self.told.push(format!("which is {}", fd.local_addr().unwrap()));
                if self.kind == Kind::Stream {
                    fd.listen(8).unwrap();
                }
                self.bound.push(fd);
            }
        }

        /// Everything that is under way on loopback arrives.
        fn settle(&self) {
            match self.world {
                Some(world) => settle(world),
                None => (0..50).for_each(|_| std::thread::yield_now()),
            }
        }

        fn call(&mut self, ip: &str, only_v6: bool) {
            let to = self.addr(ip);
            let client = self.open(&to, only_v6);
            let line = if self.kind == Kind::Stream {
                self.connect(&client, &to)
            } else {
                self.send(&client, &to)
            };
            self.told.push(format!("call {ip} {only_v6}: {line}"));
        }

        fn connect(&self, client: &Fd, to: &Addr) -> String {
            if let Err(error) = client.connect(to)
                && error.kind() != ErrorKind::WouldBlock
            {
                return show::<()>(&Err(error));
            }
            self.settle();
            if let Some(error) = client.take_error().unwrap() {
                return show::<()>(&Err(error));
            }
            let names = [client.local_addr().unwrap(), client.peer_addr().unwrap()];
            let accepted = self.bound.iter().enumerate().find_map(|(place, fd)| {
                let accepted = fd.accept().ok()?;
                let names = [accepted.fd.local_addr(), accepted.fd.peer_addr()];
                Some((place, names.map(|name| ip(&name.unwrap()))))
            });
            format!("{:?}, {accepted:?}", names.map(|name| ip(&name)))
        }

        fn send(&self, client: &Fd, to: &Addr) -> String {
            let sent = client.send_to(b"x", Some(to));
            self.settle();
            let heard = self.bound.iter().enumerate().find_map(|(place, fd)| {
                let mut space = [0; 4];
                fd.is_ready(Side::Recv).unwrap().then(|| {
                    let (_, from) = fd.recv_from(&mut space, false).unwrap();
                    (place, ip(&from.unwrap()))
                })
            });
            format!("{}, {heard:?}", show(&sent))
        }
    }

    fn ip(addr: &Addr) -> IpAddr {
        addr.inet().unwrap().ip()
    }

    fn show<T: Debug>(result: &io::Result<T>) -> String {
        match result {
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("{:?}", error.kind()),
        }
    }

    /// A port below those that chance gives, which nobody has.
    fn free_port(seed: u64) -> u16 {
        let first = u64::from(std::process::id()) * 31 + seed * 7;
        (0..1000)
            .map(|step| 10_000 + ((first + step * 13) % 20_000) as u16)
            .find(|port| {
                let udp = std::net::UdpSocket::bind(("::", *port)).is_ok();
                udp && std::net::TcpListener::bind(("::", *port)).is_ok()
            })
            .expect("one of a thousand ports is free")
    }

    #[test]
    fn ports_are_shared_between_families_as_on_linux() {
        if std::net::TcpListener::bind("[::1]:0").is_err() {
            eprintln!("no IPv6 here: skipped");
            return;
        }
        let mut heard = std::collections::BTreeSet::new();
        for seed in 0..1500 {
            let world = World::new(seed);
            let kind = [Kind::Stream, Kind::Dgram][world.below(2) as usize];
            let port = free_port(seed);
            let party = |world| Party { world, kind, port, bound: Vec::new(), told: Vec::new() };
            let mut sides = [party(None), party(Some(&world))];
            // Between those that share an address chance decides: let there be none.
            let mut taken = Vec::new();
            for _ in 0..1 + world.below(3) {
                let place = world.below(BOUND.len() as u64) as usize;
                let (only_v6, shared) = (world.below(2) == 0, world.below(2) == 0);
                let alike = if place == 5 { 2 } else { place };
                if taken.contains(&alike) && shared {
                    continue;
                }
                taken.push(alike);
                sides.iter_mut().for_each(|side| side.bind(BOUND[place], only_v6, shared));
            }
            for (ip, only_v6) in CALLED {
                sides.iter_mut().for_each(|side| side.call(ip, only_v6));
            }
            let [os, sim] = &sides;
            assert_eq!(os.told, sim.told, "seed {seed}, {kind:?}: Linux, world");
            heard.extend(
                os.told
                    .iter()
                    .filter_map(|line| line.split(": ").nth(1))
                    .map(|told| told.split(&[',', '('][..]).next().unwrap().to_owned()),
            );
        }
        for answer in ["AddrInUse", "InvalidInput", "ConnectionRefused", "NetworkUnreachable"] {
            assert!(heard.contains(answer), "never heard {answer}: {heard:?}");
        }
    }
}
