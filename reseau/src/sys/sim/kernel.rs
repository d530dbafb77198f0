//! The state of a world: its sockets, its time, and what will arrive when.
use super::datagram::Dgram;
use super::faults::{Chance, Faults, mix};
use super::hosts::Hosts;
use super::names::{Claim, Names, UnixName};
use super::packet::Packet;
use super::routes::Routes;
use super::socket::{Family, Role, Socket, Stream, unnamed};
use super::stalled::Stalled;
use crate::addr::Addr;
use crate::sys::{Kind, Side};
use socket2::Domain;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;
#[cfg(feature = "tls")]
use std::time::Duration;

/// What stands behind the lock of a world.
pub(super) struct Kernel {
    pub(super) chance: Chance,
    /// For what is secret elsewhere. What draws from it decides nothing else.
    #[cfg(feature = "tls")]
    pub(super) secrets: Chance,
    /// What the calendar showed in the beginning, since 1970.
    #[cfg(feature = "tls")]
    pub(super) born: Duration,
    pub(super) faults: Faults,
    pub(super) names: Names,
    pub(super) hosts: Hosts,
    pub(super) routes: Routes,
    /// What is lost, by sender and receiver.
    pub(super) stalled: BTreeMap<(u64, u64), Stalled>,
    /// Every socket that a port or a backlog holds, by a number that is never used twice: what
    /// arrives for a socket that is gone finds nobody.
    pub(super) sockets: BTreeMap<u64, Socket>,
    opened: u64,
    now: u64,
    /// What will arrive, by time and then by order of scheduling.
    pub(super) future: BTreeMap<(u64, u64), Arrival>,
    scheduled: u64,
    stirred: BTreeSet<u64>,
    trace: u64,
}

/// What a socket learns from another.
pub(super) enum Arrival {
    /// A client's attempt at the listener of `target`, for the `retry`th time.
    Syn {
        client: u64,
        serial: u32,
        target: SocketAddr,
        retry: u32,
    },
    /// The attempt has failed.
    Failed {
        client: u64,
        serial: u32,
        kind: ErrorKind,
    },
    /// The attempt has succeeded: the client's end is open.
    Established {
        client: u64,
        serial: u32,
        server: u64,
    },
    /// The client knows: the server's end may be accepted.
    Ready {
        client: u64,
        server: u64,
    },
    Bytes {
        from: u64,
        to: u64,
        bytes: Vec<u8>,
    },
    /// No more bytes; `gone`: and nobody will read any.
    End {
        from: u64,
        to: u64,
        gone: bool,
    },
    /// `from` has read some of what `to` sent.
    Room {
        from: u64,
        to: u64,
    },
    Reset {
        from: u64,
        to: u64,
    },
    Packet(Packet),
    /// Nobody heard a packet that `from` had sent to his peer.
    Unheard {
        from: u64,
        source: SocketAddr,
        target: SocketAddr,
    },
    /// What was lost between two sockets of a connection is sent again.
    Again {
        from: u64,
        to: u64,
    },
}

/// The kinds of events in the trace. The numbers are part of it.
#[derive(Clone, Copy)]
pub(super) enum Mark {
    Open = 1,
    Bind = 2,
    Listen = 3,
    Connect = 4,
    Accept = 5,
    Send = 6,
    Recv = 7,
    Shutdown = 8,
    Close = 9,
    Option = 10,
    Syn = 16,
    Failed = 17,
    Established = 18,
    Ready = 19,
    Bytes = 20,
    End = 21,
    Room = 22,
    Reset = 23,
    Packet = 24,
    Heard = 25,
    Unheard = 26,
    Join = 27,
    Leave = 28,
    Name = 29,
    Lookup = 30,
    Route = 31,
    Lost = 32,
    Again = 33,
}

impl Kernel {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            #[cfg(feature = "tls")]
            secrets: Chance::new(!seed),
            #[cfg(feature = "tls")]
            born: BORN,
            faults: Faults::default(),
            names: Names::default(),
            hosts: Hosts::new(),
            routes: Routes::default(),
            stalled: BTreeMap::new(),
            sockets: BTreeMap::new(),
            opened: 0,
            now: 0,
            future: BTreeMap::new(),
            scheduled: 0,
            stirred: BTreeSet::new(),
            trace: 0,
        }
    }

    /// `None`: a world has no such sockets.
    pub(super) fn open(&mut self, domain: Domain, kind: Kind) -> Option<u64> {
        let family = match domain {
            Domain::IPV4 => Family::V4,
            Domain::IPV6 => Family::V6,
            Domain::UNIX => Family::Unix,
            _ => return None,
        };
        let known = family == Family::Unix || kind != Kind::Seqpacket;
        known.then(|| self.insert(Socket::new(family, kind)))
    }

    pub(super) fn pair(&mut self, kind: Kind) -> (u64, u64) {
        let [a, b] = [(); 2].map(|()| self.insert(Socket::new(Family::Unix, kind)));
        for (index, peer) in [(a, b), (b, a)] {
            self.socket(index).role = match kind {
                Kind::Dgram => Role::Dgram(Dgram::paired(peer)),
                _ => Role::Stream(Stream::new(peer, unnamed()).of(kind)),
            };
        }
        (a, b)
    }

    pub(super) fn insert(&mut self, socket: Socket) -> u64 {
        self.opened += 1;
        self.sockets.insert(self.opened, socket);
        self.mark(Mark::Open, self.opened, 0);
        self.opened
    }

    /// The socket of a port, which exists as long as the port does.
    pub(super) fn socket(&mut self, index: u64) -> &mut Socket {
        self.sockets.get_mut(&index).expect("a port's socket is in the table")
    }

    pub(super) fn bind(&mut self, index: u64, addr: &Addr) -> io::Result<()> {
        let socket = self.socket(index);
        let (family, kind) = (socket.family, socket.kind);
        let shared =
            socket.is_set("reuse_port") || (kind == Kind::Dgram && socket.is_set("reuse_address"));
        // In the Unix domain a name may come late.
        let fresh = matches!(socket.role, Role::Fresh | Role::Dgram(_)) || family == Family::Unix;
        if socket.local.is_some() || !fresh {
            return fail(ErrorKind::InvalidInput);
        }
        let local = match addr {
            Addr::Inet(addr) if Family::of(addr) == family => {
                let addr = socket.taken(*addr).map_err(|_| ErrorKind::InvalidInput)?;
                let claim = Claim { owner: index, shared, dual: socket.is_dual() };
                let udp = kind == Kind::Dgram;
                let ports = if udp { &mut self.names.udp } else { &mut self.names.tcp };
                Addr::Inet(ports.bind(addr, claim, &mut self.chance)?)
            }
            Addr::Unix(unix) if family == Family::Unix => {
                self.names.bind_unix(UnixName::of(unix, kind)?, index)?;
                addr.clone()
            }
            _ => return fail(ErrorKind::InvalidInput),
        };
        let port = if let Addr::Inet(addr) = &local { addr.port() } else { 0 };
        let socket = self.socket(index);
        (socket.bound, socket.local) = (true, Some(local));
        if family == Family::Unix {
            self.tell_name(index, addr);
        }
        self.mark(Mark::Bind, index, u64::from(port));
        Ok(())
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        self.names.unlink(path)
    }

    pub(super) fn set_option(
        &mut self,
        index: u64,
        name: &'static str,
        value: u64,
    ) -> io::Result<()> {
        let socket = self.socket(index);
        socket.set_option(name, value)?;
        // There may be more room now: here, or for the peer of a stream.
        let peer = if let Role::Stream(stream) = &socket.role { stream.peer } else { index };
        for index in [index, peer] {
            if name.ends_with("buffer_size") && self.sockets.contains_key(&index) {
                self.stir(index);
            }
        }
        self.mark(Mark::Option, index, value);
        Ok(())
    }

    /// Whether a call on that side would not block now, be it that it fails.
    pub(super) fn is_ready(&mut self, index: u64, side: Side) -> bool {
        let socket = self.socket(index);
        if socket.error.is_some() {
            return true;
        }
        match (&socket.role, side) {
            (Role::Fresh | Role::Failed, _) | (Role::Listening(_), Side::Send) => true,
            (Role::Connecting(_), _) => false,
            (Role::Listening(queue), Side::Recv) => !queue.ready.is_empty(),
            (Role::Stream(stream), Side::Recv) => stream.is_readable(),
            (Role::Stream(stream), Side::Send) => {
                stream.write_shut || stream.down || self.room_of(index) > 0
            }
            (Role::Dgram(dgram), Side::Recv) => dgram.is_readable(),
            (Role::Dgram(_), Side::Send) => self.may_send(index),
        }
    }

    pub(super) fn take_error(&mut self, index: u64) -> Option<ErrorKind> {
        self.socket(index).error.take()
    }

    pub(super) fn local_addr(&mut self, index: u64) -> Addr {
        let socket = self.socket(index);
        let nowhere =
            || socket.family.wildcard().map_or_else(unnamed, |ip| Addr::Inet((ip, 0).into()));
        socket.told(socket.local.clone().unwrap_or_else(nowhere))
    }

    pub(super) fn peer_addr(&mut self, index: u64) -> io::Result<Addr> {
        let socket = self.socket(index);
        let peer = match &socket.role {
            Role::Stream(stream) if socket.family == Family::Unix || !stream.is_over() => {
                stream.peer_addr.clone()
            }
            Role::Dgram(dgram) => dgram.peer_addr()?,
            _ => return fail(ErrorKind::NotConnected),
        };
        Ok(socket.told(peer))
    }

    pub(super) fn close(&mut self, index: u64) {
        let Some(mut socket) = self.remove(index) else { return };
        match &mut socket.role {
            Role::Listening(queue) => self.turn_away(queue),
            Role::Stream(_) => self.part(index, &socket),
            Role::Dgram(Dgram { inbox, waiting, .. }) => {
                self.void(std::mem::take(inbox), std::mem::take(waiting));
            }
            Role::Fresh | Role::Connecting(_) | Role::Failed => {}
        }
        self.mark(Mark::Close, index, 0);
    }

    /// Takes a socket out of every table. What is under way to it finds nobody.
    pub(super) fn remove(&mut self, index: u64) -> Option<Socket> {
        let socket = self.sockets.remove(&index)?;
        self.stirred.remove(&index);
        if let Some(local) = socket.local.as_ref().filter(|_| socket.bound) {
            self.names.release(local, socket.kind, index);
        }
        if let Some(pair) = &socket.pair {
            self.names.close_pair(pair);
        }
        Some(socket)
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    pub(super) fn trace(&self) -> u64 {
        self.trace
    }

    pub(super) fn next_arrival(&self) -> Option<u64> {
        self.future.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn advance_to(&mut self, until: u64) -> bool {
        let mut delivered = false;
        while let Some(entry) = self.future.first_entry()
            && entry.key().0 <= until
        {
            let ((at, _), arrival) = entry.remove_entry();
            self.now = self.now.max(at);
            if let Some(arrival) = self.stall(arrival) {
                self.deliver(arrival);
            }
            delivered = true;
        }
        self.now = self.now.max(until);
        delivered
    }

    pub(super) fn stirred(&mut self, into: &mut Vec<u64>) {
        into.extend(&self.stirred);
        self.stirred.clear();
    }

    /// Notes that a call on `index` that would have blocked may succeed now.
    pub(super) fn stir(&mut self, index: u64) {
        self.stirred.insert(index);
    }

    /// Adds an event to the trace.
    pub(super) fn mark(&mut self, mark: Mark, index: u64, size: u64) {
        for word in [self.now, mark as u64, index, size] {
            self.trace = mix(self.trace ^ word);
        }
    }

    /// The time at which something arrives that leaves now.
    pub(super) fn soon(&mut self) -> u64 {
        self.now.saturating_add(self.chance.latency(&self.faults))
    }

    pub(super) fn schedule(&mut self, at: u64, arrival: Arrival) {
        self.scheduled += 1;
        self.future.insert((at, self.scheduled), arrival);
    }

    pub(super) fn deliver(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Syn { client, serial, target, retry } => {
                self.mark(Mark::Syn, client, u64::from(retry));
                self.syn(client, serial, target, retry);
            }
            Arrival::Failed { client, serial, kind } => {
                self.mark(Mark::Failed, client, 0);
                self.failed(client, serial, kind);
            }
            Arrival::Established { client, serial, server } => {
                self.mark(Mark::Established, client, server);
                self.established(client, serial, server);
            }
            Arrival::Ready { client, server } => {
                self.mark(Mark::Ready, server, client);
                self.ready(client, server);
            }
            Arrival::Bytes { from, to, bytes } => {
                self.mark(Mark::Bytes, to, bytes.len() as u64);
                self.bytes(from, to, &bytes);
            }
            Arrival::End { from, to, gone } => {
                self.mark(Mark::End, to, u64::from(gone));
                self.end(from, to, gone);
            }
            Arrival::Room { from, to } => {
                self.mark(Mark::Room, to, 0);
                self.room(from, to);
            }
            Arrival::Reset { from, to } => {
                self.mark(Mark::Reset, to, 0);
                self.reset(from, to);
            }
            Arrival::Packet(packet) => {
                self.mark(Mark::Packet, packet.from, packet.bytes.len() as u64);
                self.packet(packet);
            }
            Arrival::Unheard { from, source, target } => {
                self.mark(Mark::Unheard, from, u64::from(target.port()));
                self.unheard(from, source, target);
            }
            Arrival::Again { from, to } => {
                self.mark(Mark::Again, from, to);
                self.again(from, to);
            }
        }
    }
}

/// The first of January 2026, since 1970.
#[cfg(feature = "tls")]
const BORN: Duration = Duration::from_secs(1_767_225_600);

/// An error of a kind that the standard library knows.
pub(super) fn fail<T>(kind: ErrorKind) -> io::Result<T> {
    Err(kind.into())
}
