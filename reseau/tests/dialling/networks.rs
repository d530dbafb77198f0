//! The networks, and when RFC 8305 says that there is a connection.
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network around one name, and what is to come of dialling it. Times are in milliseconds.
pub(crate) struct Network {
    pub(crate) name: &'static str,
    pub(crate) v6: Family,
    pub(crate) v4: Family,
    pub(crate) limit: Option<u64>,
    pub(crate) end: End,
    /// Why it takes as long as it does: what has to pass, one after the other.
    pub(crate) terms: &'static [Term],
}

/// The addresses of one family: when they are known, and the way to each.
pub(crate) struct Family(pub(crate) Reply, pub(crate) &'static [Way]);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    After(u64),
    Fails(u64),
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Somebody answers within the usual round trip.
    Open,
    /// The round trip takes so long.
    Slow(u64),
    /// What is sent vanishes.
    Blackhole,
    /// The host answers that nobody listens.
    Refused,
    /// A router answers that it does not reach the host.
    Unreachable,
    /// This machine knows no way there.
    NoRoute,
    /// Somebody answers, and resets the connection at once.
    Reset,
}

pub(crate) enum End {
    /// Connected to this address of that family, counted from 1.
    V6(usize),
    V4(usize),
    Fails(ErrorKind),
}

/// Something that passes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Term {
    /// The answer to the question for these addresses.
    Aaaa(u64),
    A(u64),
    /// RFC 8305, §3: 50 ms.
    ResolutionDelay,
    /// RFC 8305, §5: 250 ms.
    AttemptDelay,
    RoundTrip,
    LongRoundTrip(u64),
    Limit(u64),
}

use End::{Fails, V4, V6};
use Reply::{After, Never};
use Term::{A, Aaaa, AttemptDelay, Limit, LongRoundTrip, ResolutionDelay, RoundTrip};
use Way::{Blackhole, NoRoute, Open, Refused, Reset, Slow, Unreachable};

impl Network {
    /// When the RFC says that it is over.
    pub(crate) fn due(&self) -> u64 {
        self.terms.iter().map(|term| term.millis()).sum()
    }

    /// The ways, with the addresses that they lead to.
    pub(crate) fn ways(&self) -> impl Iterator<Item = (IpAddr, Way)> {
        let of = |v6, family: &'static [Way]| {
            let numbered = family.iter().zip(1..);
            numbered.map(move |(way, number)| (ip(v6, *way, number), *way))
        };
        of(true, self.v6.1).chain(of(false, self.v4.1))
    }

    pub(crate) fn ips(&self, v6: bool) -> impl Iterator<Item = IpAddr> {
        self.ways().map(|(ip, _)| ip).filter(move |ip| ip.is_ipv6() == v6)
    }

    /// Where it is connected to in the end.
    pub(crate) fn winner(&self) -> Result<IpAddr, ErrorKind> {
        match self.end {
            V6(number) => Ok(self.ips(true).nth(number - 1).unwrap()),
            V4(number) => Ok(self.ips(false).nth(number - 1).unwrap()),
            Fails(kind) => Err(kind),
        }
    }
}

impl Term {
    pub(crate) fn millis(self) -> u64 {
        match self {
            Aaaa(ms) | A(ms) | LongRoundTrip(ms) | Limit(ms) => ms,
            ResolutionDelay => 50,
            AttemptDelay => 250,
            RoundTrip => ROUND_TRIP,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Aaaa(_) => "AAAA",
            A(_) => "A",
            ResolutionDelay => "resolution delay",
            AttemptDelay => "attempt delay",
            RoundTrip | LongRoundTrip(_) => "round trip",
            Limit(_) => "limit",
        }
    }
}

/// An address whose network is of that kind: each kind has a prefix, which the simulator and the
/// kernel are told about.
fn ip(v6: bool, way: Way, number: u8) -> IpAddr {
    let (net, first) = match way {
        Open | Slow(_) | Reset => (1, 0),
        Refused => (1, 100),
        Blackhole => (2, 0),
        Unreachable => (3, 0),
        NoRoute => (4, 0),
    };
    if v6 {
        let last = u16::from(first + number);
        Ipv6Addr::new(0x2001, 0xdb8, net.into(), 0, 0, 0, 0, last).into()
    } else {
        Ipv4Addr::new(198, 18, net, first + number).into()
    }
}

/// In the simulator, and less on a real machine's loopback.
pub(crate) const ROUND_TRIP: u64 = 10;
pub(crate) const PORT: u16 = 443;
pub(crate) const HOST: &str = "host.example";

const fn family(reply: Reply, ways: &'static [Way]) -> Family {
    Family(reply, ways)
}

const fn network(
    name: &'static str,
    v6: Family,
    v4: Family,
    end: End,
    terms: &'static [Term],
) -> Network {
    Network { name, v6, v4, limit: None, end, terms }
}

pub(crate) const NETWORKS: &[Network] = &[
    network(
        "all is well",
        family(After(10), &[Open]),
        family(After(12), &[Open]),
        V6(1),
        &[Aaaa(10), RoundTrip],
    ),
    network(
        "IPv6 is a black hole",
        family(After(10), &[Blackhole]),
        family(After(12), &[Open]),
        V4(1),
        &[Aaaa(10), AttemptDelay, RoundTrip],
    ),
    network(
        "IPv4 is a black hole",
        family(After(10), &[Open]),
        family(After(12), &[Blackhole]),
        V6(1),
        &[Aaaa(10), RoundTrip],
    ),
    network(
        "A is slow",
        family(After(10), &[Open]),
        family(After(900), &[Open]),
        V6(1),
        &[Aaaa(10), RoundTrip],
    ),
    network(
        "AAAA is slow",
        family(After(900), &[Open]),
        family(After(10), &[Open]),
        V4(1),
        &[A(10), ResolutionDelay, RoundTrip],
    ),
    network(
        "AAAA is a little slow",
        family(After(40), &[Open]),
        family(After(10), &[Open]),
        V6(1),
        &[Aaaa(40), RoundTrip],
    ),
    network(
        "AAAA is never answered",
        family(Never, &[Open]),
        family(After(10), &[Open]),
        V4(1),
        &[A(10), ResolutionDelay, RoundTrip],
    ),
    network(
        "AAAA fails",
        family(Reply::Fails(30), &[]),
        family(After(10), &[Open]),
        V4(1),
        &[Aaaa(30), RoundTrip],
    ),
    network(
        "A comes after a dead IPv6",
        family(After(10), &[Blackhole, Blackhole, Blackhole]),
        family(After(400), &[Open]),
        V4(1),
        &[Aaaa(10), AttemptDelay, AttemptDelay, RoundTrip],
    ),
    network(
        "no way for IPv6 here",
        family(After(10), &[NoRoute, NoRoute]),
        family(After(12), &[Open]),
        V4(1),
        &[A(12), RoundTrip],
    ),
    network(
        "IPv6 is refused",
        family(After(10), &[Refused]),
        family(After(12), &[Open]),
        V4(1),
        &[Aaaa(10), RoundTrip, RoundTrip],
    ),
    network(
        "IPv6 is not reached",
        family(After(10), &[Unreachable]),
        family(After(12), &[Open]),
        V4(1),
        &[Aaaa(10), RoundTrip, RoundTrip],
    ),
    network(
        "IPv6 is slower than the delay",
        family(After(10), &[Slow(310)]),
        family(After(12), &[Open]),
        V4(1),
        &[Aaaa(10), AttemptDelay, RoundTrip],
    ),
    network(
        "IPv6 is slow, but not too slow",
        family(After(10), &[Slow(210)]),
        family(After(12), &[Open]),
        V6(1),
        &[Aaaa(10), LongRoundTrip(210)],
    ),
    network(
        "the first attempt wins late",
        family(After(10), &[Slow(300)]),
        family(After(12), &[Blackhole]),
        V6(1),
        &[Aaaa(10), LongRoundTrip(300)],
    ),
    network(
        "first of many dead",
        family(After(10), &[Blackhole, Refused, Open]),
        family(After(12), &[Blackhole, Blackhole]),
        V6(3),
        // The dead of each family take turns; the one that refuses hands over at once.
        &[Aaaa(10), AttemptDelay, AttemptDelay, RoundTrip, AttemptDelay, RoundTrip],
    ),
    network(
        "reset at once",
        family(After(10), &[Reset]),
        family(After(12), &[Open]),
        V6(1),
        &[Aaaa(10), RoundTrip],
    ),
    network(
        "all refuse",
        family(After(10), &[Refused]),
        family(After(12), &[Refused]),
        Fails(ErrorKind::ConnectionRefused),
        &[Aaaa(10), RoundTrip, RoundTrip],
    ),
    Network {
        limit: Some(1000),
        ..network(
            "all dead, within a second",
            family(After(10), &[Blackhole, Blackhole]),
            family(After(12), &[Blackhole, Blackhole]),
            Fails(ErrorKind::TimedOut),
            &[Limit(1000)],
        )
    },
];
