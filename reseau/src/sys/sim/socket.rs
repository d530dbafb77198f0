//! One socket of a world: what it is, what it holds, and its options.
use super::datagram::{Dgram, cost};
use crate::addr::{Addr, UnixAddr};
use crate::sys::Kind;
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

pub(super) struct Socket {
    pub(super) family: Family,
    pub(super) kind: Kind,
    pub(super) role: Role,
    pub(super) local: Option<Addr>,
    /// `local` was given by `bind` and belongs to this socket until it is closed.
    pub(super) bound: bool,
    /// The two addresses of a TCP client, which no other may have.
    pub(super) pair: Option<(SocketAddr, SocketAddr)>,
    /// What `take_error` gives.
    pub(super) error: Option<ErrorKind>,
    /// Counts the attempts to connect: an answer to an older one is void.
    pub(super) serial: u32,
    /// What the peer may send ahead of the reads here.
    pub(super) window: usize,
    options: Vec<(&'static str, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
    Unix,
}

pub(super) enum Role {
    Fresh,
    Listening(Queue),
    /// A TCP client under way to an address.
    Connecting(SocketAddr),
    /// A TCP client that did not arrive.
    Failed,
    Stream(Stream),
    Dgram(Dgram),
}

/// The connections of a listener that nobody has accepted.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) backlog: usize,
    /// Those whose client does not know yet.
    pub(super) half: BTreeSet<u64>,
    pub(super) ready: VecDeque<u64>,
}

/// One end of a connection.
pub(super) struct Stream {
    pub(super) tcp: bool,
    pub(super) peer: u64,
    pub(super) peer_addr: Addr,
    /// The listener of a connection that is not ready to be accepted.
    pub(super) listener: Option<u64>,
    /// What has arrived and was not read.
    pub(super) inbox: VecDeque<u8>,
    /// How long the records in the inbox are, if it holds records.
    pub(super) records: Option<VecDeque<usize>>,
    /// How much was sent that the peer, as far as is known here, has not read.
    pub(super) held: usize,
    /// How much was read here that the peer does not know of.
    pub(super) freed: usize,
    /// The news of room is under way to the peer.
    pub(super) telling: bool,
    /// When the last of what was sent arrives: nothing overtakes it.
    pub(super) last: u64,
    /// The peer's end has arrived here.
    pub(super) ended: bool,
    /// The end of this side has arrived at the peer.
    pub(super) finished: bool,
    pub(super) read_shut: bool,
    pub(super) write_shut: bool,
    /// The connection is no more: reset, or a Unix peer that was closed.
    pub(super) down: bool,
}

impl Socket {
    pub(super) fn new(family: Family, kind: Kind) -> Self {
        let role = if kind == Kind::Dgram { Role::Dgram(Dgram::default()) } else { Role::Fresh };
        Self {
            family,
            kind,
            role,
            local: None,
            bound: false,
            pair: None,
            error: None,
            serial: 0,
            window: WINDOW as usize,
            options: Vec::new(),
        }
    }

    /// The server's end of a new connection, with the options of its listener.
    pub(super) fn accepted(listener: &Self, local: Option<Addr>, stream: Stream) -> Self {
        Self {
            role: Role::Stream(stream),
            local,
            window: listener.window,
            options: listener.options.clone(),
            ..Self::new(listener.family, listener.kind)
        }
    }

    pub(super) fn set_option(&mut self, name: &'static str, value: u64) -> io::Result<()> {
        if !self.known(name)?.values.contains(&value) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "value out of range"));
        }
        if name == "only_v6" && self.local.is_some() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "too late: it has an address"));
        }
        match self.options.iter_mut().find(|(known, _)| *known == name) {
            Some(option) => option.1 = value,
            None => self.options.push((name, value)),
        }
        if name == "recv_buffer_size" {
            self.window = value as usize;
        }
        Ok(())
    }

    pub(super) fn option(&self, name: &'static str) -> io::Result<u64> {
        let default = self.known(name)?.default;
        let set = self.options.iter().find(|(known, _)| *known == name);
        Ok(set.map_or(default, |(_, value)| *value))
    }

    /// The datagrams that it holds, if it is for datagrams.
    pub(super) fn dgram(&self) -> Option<&Dgram> {
        if let Role::Dgram(dgram) = &self.role { Some(dgram) } else { None }
    }

    pub(super) fn is_tcp(&self) -> bool {
        self.family != Family::Unix && self.kind == Kind::Stream
    }

    /// Whether it is one of IPv6 that takes part in IPv4.
    pub(super) fn is_dual(&self) -> bool {
        self.family == Family::V6 && !self.is_set("only_v6")
    }

    /// An address as the kernel has it: those of IPv4 are that, however they are written.
    pub(super) fn taken(&self, addr: SocketAddr) -> io::Result<SocketAddr> {
        let IpAddr::V6(ip) = addr.ip() else { return Ok(addr) };
        match ip.to_ipv4_mapped() {
            None => Ok(addr),
            Some(ip) if self.is_dual() => Ok(SocketAddr::new(ip.into(), addr.port())),
            Some(_) => Err(ErrorKind::NetworkUnreachable.into()),
        }
    }

    /// An address as this socket's calls have it: those of IPv4 are mapped to IPv6 on one of IPv6.
    pub(super) fn told(&self, addr: Addr) -> Addr {
        match addr {
            Addr::Inet(SocketAddr::V4(addr)) if self.family == Family::V6 => {
                Addr::Inet((addr.ip().to_ipv6_mapped(), addr.port()).into())
            }
            addr => addr,
        }
    }

    /// Whether a switch is on.
    pub(super) fn is_set(&self, name: &'static str) -> bool {
        self.option(name).is_ok_and(|value| value != 0)
    }

    /// Whether closing must not wait for anything, and so resets.
    pub(super) fn is_abrupt(&self) -> bool {
        self.option("linger").is_ok_and(|value| value == LINGER_ZERO)
    }

    fn known(&self, name: &'static str) -> io::Result<&'static Known> {
        let unsupported = || io::Error::new(ErrorKind::Unsupported, "no such option here");
        let known = OPTIONS.iter().find(|known| known.name == name).ok_or_else(unsupported)?;
        if (known.has)(self) { Ok(known) } else { Err(unsupported()) }
    }
}

impl Family {
    pub(super) fn of(addr: &SocketAddr) -> Self {
        if addr.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Its address that stands for all, if it has such.
    pub(super) fn wildcard(self) -> Option<IpAddr> {
        match self {
            Self::V4 => Some(Ipv4Addr::UNSPECIFIED.into()),
            Self::V6 => Some(Ipv6Addr::UNSPECIFIED.into()),
            Self::Unix => None,
        }
    }
}

impl Queue {
    /// Whether a backlog of `n` holds its `n` and one, as on Linux.
    pub(super) fn is_full(&self) -> bool {
        self.half.len() + self.ready.len() > self.backlog
    }
}

impl Stream {
    pub(super) fn new(peer: u64, peer_addr: Addr) -> Self {
        Self {
            tcp: matches!(peer_addr, Addr::Inet(_)),
            peer,
            peer_addr,
            listener: None,
            inbox: VecDeque::new(),
            records: None,
            held: 0,
            freed: 0,
            telling: false,
            last: 0,
            ended: false,
            finished: false,
            read_shut: false,
            write_shut: false,
            down: false,
        }
    }

    /// An end that sends `kind` of things.
    pub(super) fn of(self, kind: Kind) -> Self {
        let records = (kind == Kind::Seqpacket).then(VecDeque::new);
        Self { records, ..self }
    }

    /// Whether something has arrived that nobody has read.
    pub(super) fn has_unread(&self) -> bool {
        !self.records.as_ref().map_or(self.inbox.is_empty(), VecDeque::is_empty)
    }

    /// What is unread, but may be lost: Linux does not mind an empty record in front.
    pub(super) fn harmless_unread(&self) -> usize {
        let front = self.records.as_ref().and_then(VecDeque::front);
        if front == Some(&0) { cost(0) } else { 0 }
    }

    /// Whether a call that receives does not wait.
    pub(super) fn is_readable(&self) -> bool {
        self.has_unread() || self.ended || self.down || self.read_shut
    }

    /// Reset, or ended on both sides.
    pub(super) fn is_over(&self) -> bool {
        self.down || (self.ended && self.finished)
    }
}

/// The name of a Unix socket that was never bound.
pub(super) fn unnamed() -> Addr {
    Addr::Unix(UnixAddr::unnamed())
}

/// An option: its value before it is set, the values that it takes, and who has it.
struct Known {
    name: &'static str,
    default: u64,
    values: RangeInclusive<u64>,
    has: fn(&Socket) -> bool,
}

const fn known(
    name: &'static str,
    default: u64,
    values: RangeInclusive<u64>,
    has: fn(&Socket) -> bool,
) -> Known {
    Known { name, default, values, has }
}

const ANY: fn(&Socket) -> bool = |_| true;
const INET: fn(&Socket) -> bool = |socket| socket.family != Family::Unix;
const TCP: fn(&Socket) -> bool = Socket::is_tcp;
const V4: fn(&Socket) -> bool = |socket| socket.family == Family::V4;
const V6: fn(&Socket) -> bool = |socket| socket.family == Family::V6;

static OPTIONS: [Known; 12] = [
    known("nodelay", 0, 0..=1, TCP),
    known("ttl", 64, 1..=255, INET),
    known("linger", LINGER_NONE, 0..=u64::MAX, ANY),
    known("keepalive", 0, 0..=1, ANY),
    known("reuse_address", 0, 0..=1, ANY),
    known("reuse_port", 0, 0..=1, ANY),
    known("recv_buffer_size", WINDOW, 1..=WINDOW_MAX, ANY),
    known("send_buffer_size", WINDOW, 1..=WINDOW_MAX, ANY),
    known("only_v6", 0, 0..=1, V6),
    known("tos", 0, 0..=255, V4),
    known("quickack", 1, 0..=1, TCP),
    known("broadcast", 0, 0..=1, ANY),
];

/// How `sys` writes that no linger is set, and one of zero: the milliseconds and one, or 0.
const LINGER_NONE: u64 = 0;
pub(super) const LINGER_ZERO: u64 = 1;

/// What a socket takes in before it is read: what Linux begins with, about.
const WINDOW: u64 = 64 << 10;
/// More than any test sends at once, and little enough that a thousand of them fit into memory.
const WINDOW_MAX: u64 = 16 << 20;
