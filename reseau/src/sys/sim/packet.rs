//! Datagrams of UDP: each is under way by itself, and may not arrive.
use super::connect::{destination, source};
use super::datagram::{Message, Peer, cost};
use super::groups::is_many;
use super::kernel::{Arrival, Kernel, Mark, fail};
use super::routes::Route;
use super::socket::Socket;
use crate::addr::Addr;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

#[cfg(unix)]
use libc::{EDESTADDRREQ, EMSGSIZE};
#[cfg(windows)]
use windows_sys::Win32::Networking::WinSock::{
    WSAEDESTADDRREQ as EDESTADDRREQ, WSAEMSGSIZE as EMSGSIZE,
};

/// A datagram under way.
pub(super) struct Packet {
    pub(super) from: u64,
    source: SocketAddr,
    target: SocketAddr,
    pub(super) bytes: Vec<u8>,
    /// Its arrival makes room at the sender. (The second of two does not.)
    counts: bool,
}

impl Kernel {
    pub(super) fn connect_udp(&mut self, index: u64, target: SocketAddr) -> io::Result<()> {
        let target = SocketAddr::new(destination(target.ip()), target.port());
        self.may_broadcast(index, target.ip())?;
        let mut local = self.named(index)?;
        let wild = local.ip().is_unspecified();
        if wild {
            local.set_ip(source(target.ip()));
        }
        same_family(&local, &target)?;
        self.may_depart((local.ip(), target.ip()))?;
        if wild {
            self.names.udp.narrow(local, index);
            self.socket(index).local = Some(Addr::Inet(local));
        }
        self.dgram(index).peer = Some(Peer::Inet(target));
        self.mark(Mark::Connect, index, u64::from(target.port()));
        Ok(())
    }

    pub(super) fn send_udp(
        &mut self,
        index: u64,
        bytes: &[u8],
        to: Option<SocketAddr>,
    ) -> io::Result<usize> {
        let local = self.named(index)?;
        let peer = self.dgram(index).inet_peer();
        let target = to.or(peer).ok_or_else(|| io::Error::from_raw_os_error(EDESTADDRREQ))?;
        if to.is_some_and(|to| to.port() == 0) {
            return fail(ErrorKind::InvalidInput);
        }
        let target = SocketAddr::new(destination(target.ip()), target.port());
        self.may_broadcast(index, target.ip())?;
        if bytes.len() > if target.is_ipv4() { PAYLOAD_V4_MAX } else { PAYLOAD_V6_MAX } {
            return Err(io::Error::from_raw_os_error(EMSGSIZE));
        }
        let ip = if local.ip().is_unspecified() { source(target.ip()) } else { local.ip() };
        same_family(&SocketAddr::new(ip, 0), &target)?;
        self.may_depart((ip, target.ip()))?;
        if let Some(kind) = self.socket(index).error.take() {
            return fail(kind);
        }
        let limit = self.send_limit(index);
        let dgram = self.dgram(index);
        if dgram.write_shut {
            return fail(ErrorKind::BrokenPipe);
        }
        if dgram.under_way >= limit {
            return fail(ErrorKind::WouldBlock);
        }
        let source = SocketAddr::new(ip, local.port());
        self.dispatch(index, source, target, bytes);
        self.mark(Mark::Send, index, bytes.len() as u64);
        Ok(bytes.len())
    }

    /// A datagram arrives.
    pub(super) fn packet(&mut self, packet: Packet) {
        let Packet { from, source, target, bytes, counts } = packet;
        if counts && let Some(sender) = self.dgram_of(from) {
            sender.under_way -= cost(bytes.len());
            self.stir(from);
        }
        let ends = (source.ip(), target.ip());
        let route = self.routes.between(ends);
        if !route.delivers() {
            return self.mark(Mark::Lost, from, u64::from(target.port()));
        }
        let many = is_many(target.ip());
        let hearers = match route {
            Route::Refused => Vec::new(),
            _ if many => self.members(source, target),
            _ => self.hearer(source, target),
        };
        if hearers.is_empty() && !many {
            let at = self.soon_between(Some(ends));
            return self.schedule(at, Arrival::Unheard { from, source, target });
        }
        for index in hearers {
            let window = self.socket(index).window;
            let dgram = self.dgram(index);
            // Even the smallest room holds one.
            if dgram.inbox.is_empty() || dgram.held + cost(bytes.len()) <= window {
                let name = Some(Addr::Inet(source));
                dgram.push(Message { from, name, bytes: bytes.clone() });
                self.stir(index);
                self.mark(Mark::Heard, index, bytes.len() as u64);
            }
        }
    }

    /// The sender learns that nobody has heard him, if it was his peer that he spoke to.
    pub(super) fn unheard(&mut self, from: u64, source: SocketAddr, target: SocketAddr) {
        let Some(socket) = self.sockets.get(&from) else { return };
        let same = socket.local == Some(Addr::Inet(source));
        if same && self.dgram(from).inet_peer() == Some(target) {
            self.socket(from).error = Some(ErrorKind::ConnectionRefused);
            self.stir(from);
        }
    }

    /// Sends a datagram on its way, if it is not to be lost.
    fn dispatch(&mut self, from: u64, source: SocketAddr, target: SocketAddr, bytes: &[u8]) {
        if self.chance.strikes(self.faults.lost) {
            return;
        }
        self.dgram(from).under_way += cost(bytes.len());
        let doubled = self.chance.strikes(self.faults.doubled);
        for counts in [true, false].into_iter().take(1 + usize::from(doubled)) {
            let at = self.soon_between(Some((source.ip(), target.ip())));
            let packet = Packet { from, source, target, bytes: bytes.to_vec(), counts };
            self.schedule(at, Arrival::Packet(packet));
        }
    }

    /// The name of a socket, which gets one if it has none.
    fn named(&mut self, index: u64) -> io::Result<SocketAddr> {
        if !self.socket(index).bound {
            let wildcard = self.socket(index).family.wildcard();
            let wildcard = wildcard.ok_or(ErrorKind::InvalidInput)?;
            self.bind(index, &Addr::Inet((wildcard, 0).into()))?;
        }
        match self.socket(index).local {
            Some(Addr::Inet(local)) => Ok(local),
            _ => unreachable!("what is bound has a name"),
        }
    }

    /// Who hears what is sent to one: whoever is connected with the sender, or else is not
    /// connected; whoever is bound to just this address, or else to none.
    fn hearer(&mut self, source: SocketAddr, target: SocketAddr) -> Vec<u64> {
        let mut best = 0;
        let mut hearers = Vec::new();
        for bound in self.names.udp.at(target) {
            let exact = bound.ip == target.ip();
            if !exact && !bound.ip.is_unspecified() {
                continue;
            }
            let score = match peer_of(self.sockets.get(&bound.owner)) {
                None => 2 + 4 * u8::from(exact),
                Some(peer) if peer == source => 4 + 4 * u8::from(exact),
                Some(_) => continue,
            } + u8::from(!bound.dual);
            if score > best {
                best = score;
                hearers.clear();
            }
            if score == best {
                hearers.push(bound.owner);
            }
        }
        let shares = |index| self.sockets.get(index).is_some_and(|one| one.is_set("reuse_port"));
        let one = match hearers.len() {
            0 | 1 => return hearers,
            several if hearers.iter().all(shares) => self.chance.below(several as u64) as usize,
            several => several - 1,
        };
        vec![hearers[one]]
    }
}

pub(super) fn peer_of(socket: Option<&Socket>) -> Option<SocketAddr> {
    socket.and_then(Socket::dgram).and_then(super::datagram::Dgram::inet_peer)
}

/// A socket that has an address of one family reaches no other.
fn same_family(local: &SocketAddr, target: &SocketAddr) -> io::Result<()> {
    if local.is_ipv4() == target.is_ipv4() { Ok(()) } else { fail(ErrorKind::NetworkUnreachable) }
}

/// What fits into a datagram: 65,535 bytes without UDP's header and, in IPv4, IP's.
const PAYLOAD_V4_MAX: usize = 65_535 - 8 - 20;
const PAYLOAD_V6_MAX: usize = 65_535 - 8;
