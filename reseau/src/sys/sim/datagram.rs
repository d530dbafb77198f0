//! Datagrams: what all of them share. `packet.rs` has those of UDP, `local.rs` those of the Unix
//! domain.
use super::groups::Sources;
use super::kernel::{Kernel, Mark, fail};
use super::socket::{Family, Role, unnamed};
use crate::addr::Addr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};

/// What a socket of datagrams holds.
#[derive(Default)]
pub(super) struct Dgram {
    pub(super) peer: Option<Peer>,
    /// What has arrived and was not read, and what that counts for.
    pub(super) inbox: VecDeque<Message>,
    pub(super) held: usize,
    /// What was sent and, with UDP, has not arrived, or, in the Unix domain, was not read.
    pub(super) under_way: usize,
    pub(super) read_shut: bool,
    pub(super) write_shut: bool,
    /// The multicast addresses that it hears.
    pub(super) groups: BTreeMap<IpAddr, Sources>,
    /// Senders in the Unix domain that have found no room here.
    pub(super) waiting: BTreeSet<u64>,
    /// The socket that has last refused a datagram of this one for want of room.
    pub(super) full: Option<u64>,
}

/// With whom a socket is connected.
pub(super) enum Peer {
    Inet(SocketAddr),
    Unix(u64, Addr),
}

/// A datagram that has arrived.
pub(super) struct Message {
    pub(super) from: u64,
    /// The sender's name, if he has one.
    pub(super) name: Option<Addr>,
    pub(super) bytes: Vec<u8>,
}

impl Dgram {
    /// One of two that are connected with each other.
    pub(super) fn paired(peer: u64) -> Self {
        Self { peer: Some(Peer::Unix(peer, unnamed())), ..Self::default() }
    }

    pub(super) fn push(&mut self, message: Message) {
        self.held += cost(message.bytes.len());
        self.inbox.push_back(message);
    }

    pub(super) fn peer_addr(&self) -> io::Result<Addr> {
        match &self.peer {
            // Linux connects to port 0, and denies it.
            Some(Peer::Inet(addr)) if addr.port() != 0 => Ok(Addr::Inet(*addr)),
            Some(Peer::Unix(_, addr)) => Ok(addr.clone()),
            _ => fail(ErrorKind::NotConnected),
        }
    }

    pub(super) fn is_readable(&self) -> bool {
        !self.inbox.is_empty() || self.read_shut
    }

    /// The socket that it is connected with, in the Unix domain.
    pub(super) fn unix_peer(&self) -> Option<u64> {
        match self.peer {
            Some(Peer::Unix(peer, _)) => Some(peer),
            _ => None,
        }
    }

    /// The address that it is connected with, in UDP.
    pub(super) fn inet_peer(&self) -> Option<SocketAddr> {
        match self.peer {
            Some(Peer::Inet(peer)) => Some(peer),
            _ => None,
        }
    }
}

impl Kernel {
    pub(super) fn connect_dgram(&mut self, index: u64, addr: &Addr) -> io::Result<()> {
        match (addr, self.socket(index).family) {
            (Addr::Inet(to), family) if Family::of(to) == family => {
                let to = self.socket(index).taken(*to)?;
                self.connect_udp(index, to)
            }
            (Addr::Unix(to), Family::Unix) => self.connect_local(index, to),
            _ => fail(ErrorKind::InvalidInput),
        }
    }

    pub(super) fn send_to(
        &mut self,
        index: u64,
        bytes: &[u8],
        to: Option<&Addr>,
    ) -> io::Result<usize> {
        let socket = self.socket(index);
        if !matches!(socket.role, Role::Dgram(_)) {
            // A connection has one other end, and Linux does not even look at another address.
            return self.send(index, bytes);
        }
        match (to, socket.family) {
            (None, Family::Unix) => self.send_local(index, bytes, None),
            (Some(Addr::Unix(to)), Family::Unix) => self.send_local(index, bytes, Some(to)),
            (None, _) => self.send_udp(index, bytes, None),
            (Some(Addr::Inet(to)), family) if Family::of(to) == family => {
                let to = socket.taken(*to)?;
                self.send_udp(index, bytes, Some(to))
            }
            _ => fail(ErrorKind::InvalidInput),
        }
    }

    /// One datagram or record: how much of it fitted, how long it is, and whose it is.
    pub(super) fn recv_from(
        &mut self,
        index: u64,
        space: &mut [MaybeUninit<u8>],
        peek: bool,
    ) -> io::Result<(usize, usize, Option<Addr>)> {
        let socket = self.socket(index);
        let Role::Dgram(dgram) = &mut socket.role else {
            return self.recv_record(index, space, peek);
        };
        if let Some(kind) = socket.error.take() {
            return fail(kind);
        }
        let Some(message) = dgram.inbox.front() else {
            return if dgram.read_shut { Ok((0, 0, None)) } else { fail(ErrorKind::WouldBlock) };
        };
        let full = message.bytes.len();
        let fitted = full.min(space.len());
        for (slot, byte) in space.iter_mut().zip(&message.bytes) {
            slot.write(*byte);
        }
        if peek {
            let name = message.name.clone();
            return Ok((fitted, full, name.map(|name| socket.told(name))));
        }
        let unix = socket.family == Family::Unix;
        let Some(message) = dgram.inbox.pop_front() else { unreachable!("it was just there") };
        dgram.held -= cost(full);
        if unix {
            self.taken(message.from, full);
            self.call_in(index);
        }
        self.mark(Mark::Recv, index, full as u64);
        let name = message.name.map(|name| self.socket(index).told(name));
        Ok((fitted, full, name))
    }

    pub(super) fn shutdown_dgram(
        &mut self,
        index: u64,
        reads: bool,
        writes: bool,
    ) -> io::Result<()> {
        let socket = self.socket(index);
        let unix = socket.family == Family::Unix;
        let Role::Dgram(dgram) = &mut socket.role else { return Ok(()) };
        dgram.read_shut |= reads;
        dgram.write_shut |= writes;
        let connected = dgram.peer.is_some();
        let waiting = std::mem::take(&mut dgram.waiting);
        // Who waits to send to it will be refused, or find that nothing has changed.
        waiting.into_iter().chain([index]).for_each(|index| self.stir(index));
        // It works all the same, as it does on Linux.
        if unix || connected { Ok(()) } else { fail(ErrorKind::NotConnected) }
    }

    /// Whether a send would not have to wait.
    pub(super) fn may_send(&mut self, index: u64) -> bool {
        let limit = self.send_limit(index);
        let dgram = self.dgram(index);
        if dgram.write_shut {
            return true;
        }
        if dgram.under_way >= limit {
            return false;
        }
        let doubtful = [dgram.unix_peer(), dgram.full];
        !doubtful.into_iter().flatten().any(|target| self.waits_for(index, target))
    }

    /// How much may be under way of what `index` sends.
    pub(super) fn send_limit(&mut self, index: u64) -> usize {
        let size = self.socket(index).option("send_buffer_size");
        size.map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// The datagrams of a port that is known to have them.
    pub(super) fn dgram(&mut self, index: u64) -> &mut Dgram {
        self.dgram_of(index).unwrap_or_else(|| unreachable!("a socket keeps its kind"))
    }

    /// The datagrams of a socket that may be gone.
    pub(super) fn dgram_of(&mut self, index: u64) -> Option<&mut Dgram> {
        match &mut self.sockets.get_mut(&index)?.role {
            Role::Dgram(dgram) => Some(dgram),
            _ => None,
        }
    }
}

/// What a datagram of `length` bytes counts for where room is scarce: never nothing.
pub(super) const fn cost(length: usize) -> usize {
    length + 256
}
