//! Datagrams of the Unix domain: at once, in order, and none is lost.
use super::datagram::{Message, Peer, cost};
use super::kernel::{Kernel, Mark, fail};
use super::socket::Role;
use crate::addr::{Addr, UnixAddr};
use crate::sys::Kind;
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind};

#[cfg(unix)]
use libc::EMSGSIZE;
#[cfg(windows)]
use windows_sys::Win32::Networking::WinSock::WSAEMSGSIZE as EMSGSIZE;

impl Kernel {
    pub(super) fn connect_local(&mut self, index: u64, name: &UnixAddr) -> io::Result<()> {
        let target = self.unix_owner(name, Kind::Dgram)?;
        self.may_reach(index, target)?;
        let peer = Peer::Unix(target, Addr::Unix(name.clone()));
        let before = self.dgram(index).peer.replace(peer);
        if let Some(Peer::Unix(before, _)) = before
            && before != target
        {
            self.forsake(index, before);
        }
        self.mark(Mark::Connect, index, target);
        // Two that are connected with each other know no queue.
        self.stir(index);
        self.stir(target);
        Ok(())
    }

    pub(super) fn send_local(
        &mut self,
        index: u64,
        bytes: &[u8],
        to: Option<&UnixAddr>,
    ) -> io::Result<usize> {
        let limit = self.send_limit(index);
        let socket = self.socket(index);
        let name = socket.local.clone();
        let Some(dgram) = socket.dgram() else { unreachable!("its kind is known") };
        if to.is_some_and(UnixAddr::is_unnamed) {
            return fail(ErrorKind::InvalidInput);
        }
        if bytes.len() > record_max(limit) {
            return Err(io::Error::from_raw_os_error(EMSGSIZE));
        }
        let (peer, full) = (dgram.unix_peer(), dgram.under_way >= limit);
        let write_shut = dgram.write_shut;
        if let Some(kind) = socket.error.take() {
            return fail(kind);
        }
        if write_shut {
            return fail(ErrorKind::BrokenPipe);
        }
        if full {
            return fail(ErrorKind::WouldBlock);
        }
        let target = match (to, peer) {
            (Some(to), _) => self.unix_owner(to, Kind::Dgram)?,
            (None, Some(peer)) => peer,
            (None, None) => return fail(ErrorKind::NotConnected),
        };
        self.may_reach(index, target)?;
        if self.dgram(target).read_shut {
            return fail(ErrorKind::BrokenPipe);
        }
        if self.waits_for(index, target) {
            self.dgram(index).full = Some(target);
            return fail(ErrorKind::WouldBlock);
        }
        self.dgram(index).full = None;
        self.dgram(index).under_way += cost(bytes.len());
        self.dgram(target).push(Message { from: index, name, bytes: bytes.to_vec() });
        self.stir(target);
        self.mark(Mark::Send, index, bytes.len() as u64);
        Ok(bytes.len())
    }

    /// Those who know `index` hear its name, which it has only now.
    pub(super) fn tell_name(&mut self, index: u64, name: &Addr) {
        for socket in self.sockets.values_mut() {
            match &mut socket.role {
                Role::Stream(stream) if stream.peer == index => stream.peer_addr = name.clone(),
                Role::Dgram(dgram) => {
                    if let Some(Peer::Unix(peer, known)) = &mut dgram.peer
                        && *peer == index
                    {
                        *known = name.clone();
                    }
                    let mine = dgram.inbox.iter_mut().filter(|message| message.from == index);
                    mine.for_each(|message| message.name = Some(name.clone()));
                }
                _ => {}
            }
        }
    }

    /// Whether `target` has no room for a datagram of `index`, which then is told when it has.
    pub(super) fn waits_for(&mut self, index: u64, target: u64) -> bool {
        let Some(dgram) = self.dgram_of(target) else { return false };
        let exempt = target == index || dgram.unix_peer() == Some(index) || dgram.read_shut;
        let full = !exempt && dgram.inbox.len() > QUEUE_MAX;
        if full {
            dgram.waiting.insert(index);
        }
        full
    }

    /// Tells those who wait for room at `index` that there is some.
    pub(super) fn call_in(&mut self, index: u64) {
        let dgram = self.dgram(index);
        if dgram.inbox.len() <= QUEUE_MAX {
            let waiting = std::mem::take(&mut dgram.waiting);
            waiting.into_iter().for_each(|index| self.stir(index));
        }
    }

    /// A datagram of that length was taken out: its sender may send more.
    pub(super) fn taken(&mut self, from: u64, length: usize) {
        if let Some(sender) = self.dgram_of(from) {
            sender.under_way -= cost(length);
            self.stir(from);
        }
    }

    /// Drops what a socket has not read, for the good of those who have sent it.
    pub(super) fn void(&mut self, inbox: VecDeque<Message>, waiting: BTreeSet<u64>) {
        for Message { from, name, bytes } in inbox {
            // A sender of UDP had room again when it arrived.
            if !matches!(name, Some(Addr::Inet(_))) {
                self.taken(from, bytes.len());
            }
        }
        waiting.into_iter().for_each(|index| self.stir(index));
    }

    /// The socket leaves its old peer: what it has not read is void, and a peer that was connected
    /// with it too gets an error.
    fn forsake(&mut self, index: u64, before: u64) {
        let dgram = self.dgram(index);
        dgram.held = 0;
        let (inbox, waiting) =
            (std::mem::take(&mut dgram.inbox), std::mem::take(&mut dgram.waiting));
        let lost = !inbox.is_empty();
        self.void(inbox, waiting);
        self.stir(index);
        if lost
            && let Some(old) = self.dgram_of(before)
            && old.unix_peer() == Some(index)
        {
            self.socket(before).error = Some(ErrorKind::ConnectionReset);
            self.stir(before);
        }
    }

    /// Refuses where there is nobody, or somebody who hears only another.
    fn may_reach(&mut self, index: u64, target: u64) -> io::Result<()> {
        let Some(dgram) = self.dgram_of(target) else {
            let own = self.dgram(index);
            if own.unix_peer() == Some(target) {
                own.peer = None;
                self.forsake(index, target);
            }
            return fail(ErrorKind::ConnectionRefused);
        };
        if dgram.unix_peer().is_some_and(|peer| peer != index) {
            return fail(ErrorKind::PermissionDenied);
        }
        Ok(())
    }
}

/// What fits into a datagram or record of a socket that may have `limit` under way, as on Linux.
pub(super) const fn record_max(limit: usize) -> usize {
    limit.saturating_sub(32)
}

/// A socket that holds more takes nothing (Linux: `net.unix.max_dgram_qlen`).
const QUEUE_MAX: usize = 10;
