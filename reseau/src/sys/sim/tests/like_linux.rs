//! The same calls on sockets of this Linux and of a world, in random order: the same answers.
use super::*;
use crate::sys::{Kind, Side};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Shutdown;

/// A socket of the system and one of a world that should not be told apart.
struct Twins {
    os: Fd,
    sim: Fd,
    read_shut: Cell<bool>,
}

/// Twins in a world, and who has had which name.
struct Stage {
    world: World,
    family: Domain,
    kind: Kind,
    twins: Vec<Option<Twins>>,
    /// By side (system, world) and port: the number of the socket.
    ports: [BTreeMap<u16, usize>; 2],
    /// By side: the ports of sockets that were closed.
    left: [BTreeSet<u16>; 2],
    /// A port was given out again: from now on its number does not tell whose it was, and who is
    /// connected to it hears the new owner. Linux takes ports at random, so it happens.
    muddled: bool,
    born: usize,
}

impl Stage {
    fn new(seed: u64, family: Domain, kind: Kind) -> Self {
        let world = World::new(seed);
        let mut stage = Self {
            world,
            family,
            kind,
            twins: Vec::new(),
            ports: Default::default(),
            left: Default::default(),
            muddled: false,
            born: 0,
        };
        if kind == Kind::Dgram {
            for place in 0..4 {
                stage.twins.push(None);
                stage.open(place);
            }
        }
        if family == Domain::UNIX {
            stage.twins.extend([const { None }; 2]);
            let last = stage.twins.len() - 2;
            stage.pair(last);
        }
        stage
    }

    fn open(&mut self, place: usize) {
        let os = Fd::open_as(self.family, self.kind).unwrap();
        let sim = Fd::Sim(self.world.open_as(self.family, self.kind).unwrap());
        self.twins[place] = Some(Twins { os, sim, read_shut: Cell::new(false) });
    }

    fn pair(&mut self, place: usize) {
        let (a, b) = Fd::pair(self.kind).unwrap();
        let (c, d) = self.world.pair_as(self.kind).unwrap();
        self.twins[place] = Some(Twins { os: a, sim: Fd::Sim(c), read_shut: Cell::new(false) });
        self.twins[place + 1] = Some(Twins { os: b, sim: Fd::Sim(d), read_shut: Cell::new(false) });
    }

    fn below(&self, limit: u64) -> usize {
        self.world.below(limit) as usize
    }

    /// The name of a socket, on both sides, if it has one.
    fn names(&self, place: usize) -> Option<(Addr, Addr)> {
        let twins = self.twins[place].as_ref()?;
        let (os, sim) = (twins.os.local_addr().unwrap(), twins.sim.local_addr().unwrap());
        let named = match &sim {
            Addr::Inet(addr) => addr.port() != 0,
            Addr::Unix(addr) => !addr.is_unnamed(),
            #[allow(unreachable_patterns)]
            _ => unreachable!(),
        };
        named.then_some((os, sim))
    }

    /// What an address says on one side, without the port that chance gave it.
    fn told(&self, side: usize, addr: &Addr) -> String {
        match addr {
            Addr::Inet(addr) => {
                format!("{} of {:?}", addr.ip(), self.ports[side].get(&addr.port()))
            }
            other => other.to_string(),
        }
    }

    fn bind(&mut self, place: usize) -> Option<[String; 2]> {
        self.born += 1;
        let name = if self.family == Domain::IPV4 {
            v4(0)
        } else if self.family == Domain::IPV6 {
            v6(0)
        } else {
            let name = format!("like-linux-{}-{}", std::process::id(), unique());
            Addr::Unix(UnixAddr::from_abstract_name(name).unwrap())
        };
        let twins = self.twins[place].as_ref()?;
        let told = [&twins.os, &twins.sim].map(|fd| show(fd.bind(&name)));
        self.note(place);
        Some(told)
    }

    /// Remembers who has which port.
    fn note(&mut self, place: usize) {
        if let Some((Addr::Inet(os), Addr::Inet(sim))) = self.names(place) {
            for (side, port) in [os.port(), sim.port()].into_iter().enumerate() {
                let before = self.ports[side].insert(port, place);
                self.muddled |= before.is_some_and(|before| before != place);
                self.muddled |= self.left[side].contains(&port);
            }
        }
    }

    /// One random call on both; what each has answered, and the call's name.
    fn step(&mut self) -> Option<(&'static str, [usize; 2], [String; 2])> {
        let count = self.twins.len() as u64;
        let (place, other) = (self.below(count), self.below(count));
        let bytes = vec![7; self.below(20)];
        let space = self.below(25);
        let action = self.below(24);
        let to = self.names(other);
        let twins = self.twins[place].as_ref()?;
        let both = [&twins.os, &twins.sim];
        let (name, told) = match action {
            0 => ("bind", self.bind(place)?),
            1 | 2 if self.kind == Kind::Dgram => {
                let (os, sim) = to?;
                ("connect", [show(both[0].connect(&os)), show(both[1].connect(&sim))])
            }
            3..=8 if self.kind == Kind::Dgram => {
                let (os, sim) = to?;
                let told = [
                    show(both[0].send_to(&bytes, Some(&os))),
                    show(both[1].send_to(&bytes, Some(&sim))),
                ];
                ("send_to", told)
            }
            1..=12 => ("send", both.map(|fd| show(fd.send_to(&bytes, None)))),
            13..=18 => {
                let peek = action == 13;
                let read_shut = self.kind == Kind::Dgram && twins.read_shut.get();
                let mut told =
                    [0, 1].map(|side| {
                        let mut buffer = vec![0; space];
                        show(both[side].recv_from(&mut buffer, peek).map(|(fitted, from)| {
                            (fitted, from.map(|addr| self.told(side, &addr)))
                        }))
                    });
                // The world says what Linux says when it may wait.
                if read_shut && told == ["WouldBlock", "(0, None)"] {
                    told[1] = told[0].clone();
                }
                ("recv_from", told)
            }
            19 => ("take_error", both.map(|fd| show(fd.take_error().map(|e| e.map(|e| e.kind()))))),
            20 => {
                let told = [0, 1].map(|side| match both[side].peer_addr() {
                    Ok(addr) => self.told(side, &addr),
                    Err(error) => show::<()>(Err(error)),
                });
                ("peer_addr", told)
            }
            21 if !twins.read_shut.get() => {
                ("is_ready", both.map(|fd| show(fd.is_ready(Side::Recv))))
            }
            22 if self.world.below(4) == 0 => {
                let how = [Shutdown::Read, Shutdown::Write, Shutdown::Both];
                let how = how[self.world.below(3) as usize];
                twins.read_shut.set(twins.read_shut.get() || how != Shutdown::Write);
                ("shutdown", [&twins.os, &twins.sim].map(|fd| show(fd.shutdown(how))))
            }
            23 if self.world.below(2) == 0 => {
                self.close(place);
                ("close", Default::default())
            }
            _ => return None,
        };
        settle(&self.world);
        self.note(place);
        Some((name, [place, other], told))
    }

    fn close(&mut self, place: usize) {
        if let Some((Addr::Inet(os), Addr::Inet(sim))) = self.names(place) {
            self.left[0].insert(os.port());
            self.left[1].insert(sim.port());
        }
        self.twins[place] = None;
        settle(&self.world);
        if self.kind == Kind::Dgram {
            self.open(place);
        } else if self.twins.iter().all(Option::is_none) {
            self.pair(0);
        }
    }
}

/// What a call has said, in words that do not depend on who said it.
fn show<T: Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => match (error.kind(), error.raw_os_error()) {
            // Kinds without a name: the number tells them apart.
            (kind, Some(code)) if format!("{kind:?}") == "Uncategorized" => format!("code {code}"),
            (kind, _) => format!("{kind:?}"),
        },
    }
}

fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Plays random scripts on both, and counts which answers were heard.
fn compare(family: Domain, kind: Kind, seeds: u64) -> BTreeMap<String, usize> {
    let mut heard = BTreeMap::new();
    for seed in 0..seeds {
        let mut stage = Stage::new(seed, family, kind);
        let mut history = Vec::new();
        for step in 0..300 {
            let Some((name, places, [os, sim])) = stage.step() else { continue };
            if stage.muddled {
                break;
            }
            history.push(format!("{name} {places:?} -> {os}"));
            let last = &history[history.len().saturating_sub(40)..];
            assert_eq!(os, sim, "seed {seed}, step {step}, {name}: Linux, world; {last:#?}");
            *heard.entry(format!("{name} {}", os.split(' ').next().unwrap())).or_default() += 1;
        }
    }
    heard
}

#[test]
fn udp_answers_as_linux_does() {
    for family in [Domain::IPV4, Domain::IPV6] {
        if family == Domain::IPV6 && std::net::UdpSocket::bind("[::1]:0").is_err() {
            eprintln!("no IPv6 here: skipped");
            continue;
        }
        let heard = compare(family, Kind::Dgram, 150);
        for answer in [
            "bind InvalidInput",
            "recv_from ConnectionRefused",
            "send ConnectionRefused",
            "send code",
            "send BrokenPipe",
            "take_error Some(ConnectionRefused)",
            "recv_from (19,",
            "peer_addr NotConnected",
            "shutdown NotConnected",
            "recv_from WouldBlock",
        ] {
            assert!(heard.contains_key(answer), "never heard {answer}: {heard:#?}");
        }
    }
}

#[test]
fn unix_datagrams_answer_as_linux_does() {
    let heard = compare(Domain::UNIX, Kind::Dgram, 300);
    for answer in [
        "send NotConnected",
        "send ConnectionRefused",
        "send_to PermissionDenied",
        "send_to BrokenPipe",
        "connect PermissionDenied",
        "send_to WouldBlock",
        "recv_from (19,",
        "recv_from ConnectionReset",
        "recv_from WouldBlock",
        "peer_addr NotConnected",
    ] {
        assert!(heard.contains_key(answer), "never heard {answer}: {heard:#?}");
    }
}

#[test]
fn records_answer_as_linux_does() {
    let heard = compare(Domain::UNIX, Kind::Seqpacket, 300);
    for answer in
        ["send BrokenPipe", "recv_from (19,", "recv_from ConnectionReset", "recv_from WouldBlock"]
    {
        assert!(heard.contains_key(answer), "never heard {answer}: {heard:#?}");
    }
}
