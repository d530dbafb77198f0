//! The state of a world: its sockets, its time, and what will arrive when.
use super::faults::{Chance, Faults, mix};
use super::names::{Names, UnixName};
use super::socket::{Family, Role, Socket, Stream};
use crate::addr::Addr;
use socket2::Domain;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// What stands behind the lock of a world.
pub(super) struct Kernel {
    pub(super) chance: Chance,
    pub(super) faults: Faults,
    pub(super) names: Names,
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
}

impl Kernel {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            faults: Faults::default(),
            names: Names::default(),
            sockets: BTreeMap::new(),
            opened: 0,
            now: 0,
            future: BTreeMap::new(),
            scheduled: 0,
            stirred: BTreeSet::new(),
            trace: 0,
        }
    }

    pub(super) fn open(&mut self, domain: Domain) -> u64 {
        let family = match domain {
            Domain::IPV4 => Family::V4,
            Domain::IPV6 => Family::V6,
            Domain::UNIX => Family::Unix,
            other => unreachable!("the simulated kernel has no sockets of {other:?}"),
        };
        self.insert(Socket::new(family))
    }

    pub(super) fn pair(&mut self) -> (u64, u64) {
        let unnamed = super::socket::unnamed();
        let (a, b) = (self.open(Domain::UNIX), self.open(Domain::UNIX));
        self.socket(a).role = Role::Stream(Stream::new(b, unnamed.clone()));
        self.socket(b).role = Role::Stream(Stream::new(a, unnamed));
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
        let (family, shared) = (socket.family, socket.option("reuse_port").is_ok_and(|v| v != 0));
        if socket.bound || !matches!(socket.role, Role::Fresh) {
            return fail(ErrorKind::InvalidInput);
        }
        let local = match addr {
            Addr::Inet(addr) if Family::of(addr) == family => {
                Addr::Inet(self.names.bind(*addr, index, shared, &mut self.chance)?)
            }
            Addr::Unix(unix) if family == Family::Unix => {
                self.names.bind_unix(UnixName::of(unix)?, index)?;
                addr.clone()
            }
            _ => return fail(ErrorKind::InvalidInput),
        };
        let port = if let Addr::Inet(addr) = &local { addr.port() } else { 0 };
        let socket = self.socket(index);
        (socket.bound, socket.local) = (true, Some(local));
        self.mark(Mark::Bind, index, u64::from(port));
        Ok(())
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        self.names.unlink(path)
    }

    pub(super) fn take_error(&mut self, index: u64) -> Option<ErrorKind> {
        self.socket(index).error.take()
    }

    pub(super) fn local_addr(&mut self, index: u64) -> Addr {
        let socket = self.socket(index);
        let any: IpAddr = match socket.family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
            Family::Unix => return socket.local.clone().unwrap_or_else(super::socket::unnamed),
        };
        socket.local.clone().unwrap_or_else(|| Addr::Inet((any, 0).into()))
    }

    pub(super) fn peer_addr(&mut self, index: u64) -> io::Result<Addr> {
        let socket = self.socket(index);
        match &socket.role {
            Role::Stream(stream) if socket.family == Family::Unix || !stream.is_over() => {
                Ok(stream.peer_addr.clone())
            }
            _ => fail(ErrorKind::NotConnected),
        }
    }

    pub(super) fn close(&mut self, index: u64) {
        let Some(socket) = self.remove(index) else { return };
        match &socket.role {
            Role::Listening(queue) => self.turn_away(queue),
            Role::Stream(stream) => self.part(index, &socket, stream),
            Role::Fresh | Role::Connecting(_) | Role::Failed => {}
        }
        self.mark(Mark::Close, index, 0);
    }

    /// Takes a socket out of every table. What is under way to it finds nobody.
    pub(super) fn remove(&mut self, index: u64) -> Option<Socket> {
        let socket = self.sockets.remove(&index)?;
        self.stirred.remove(&index);
        if let Some(local) = socket.local.as_ref().filter(|_| socket.bound) {
            self.names.release(local, index);
        }
        if let Some(route) = &socket.route {
            self.names.close_route(route);
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
            self.deliver(arrival);
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

    fn deliver(&mut self, arrival: Arrival) {
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
        }
    }
}

/// An error of a kind that the standard library knows.
pub(super) fn fail<T>(kind: ErrorKind) -> io::Result<T> {
    Err(kind.into())
}
