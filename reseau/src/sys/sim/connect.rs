//! How connections come about: listen, connect, the handshake, accept.
use super::groups::is_many;
use super::kernel::{Arrival, Kernel, Mark, fail};
use super::names::UnixName;
use super::routes::{Route, ends};
use super::socket::{Family, Queue, Role, Socket, Stream, unnamed};
use crate::addr::{Addr, UnixAddr};
use crate::sys::Kind;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

#[cfg(unix)]
use libc::{EALREADY, EISCONN, EMFILE, EPROTOTYPE};
#[cfg(windows)]
use windows_sys::Win32::Networking::WinSock::{
    WSAEALREADY as EALREADY, WSAEISCONN as EISCONN, WSAEMFILE as EMFILE,
    WSAEPROTOTYPE as EPROTOTYPE,
};

impl Kernel {
    pub(super) fn listen(&mut self, index: u64, backlog: u32) -> io::Result<()> {
        let socket = self.socket(index);
        let backlog = backlog.min(BACKLOG_MAX) as usize;
        match &mut socket.role {
            Role::Listening(queue) => queue.backlog = backlog,
            Role::Fresh => {
                if !socket.bound {
                    let any = socket.family.wildcard().ok_or(ErrorKind::InvalidInput)?;
                    self.bind(index, &Addr::Inet((any, 0).into()))?;
                }
                self.socket(index).role = Role::Listening(Queue { backlog, ..Queue::default() });
            }
            Role::Dgram(_) => return fail(ErrorKind::Unsupported),
            _ => return fail(ErrorKind::InvalidInput),
        }
        self.mark(Mark::Listen, index, backlog as u64);
        Ok(())
    }

    pub(super) fn connect(&mut self, index: u64, addr: &Addr) -> io::Result<bool> {
        let socket = self.socket(index);
        let family = socket.family;
        match &socket.role {
            Role::Fresh => {}
            Role::Dgram(_) => return self.connect_dgram(index, addr).map(|()| true),
            Role::Connecting(_) => return Err(io::Error::from_raw_os_error(EALREADY)),
            Role::Listening(_) if family == Family::Unix => return fail(ErrorKind::InvalidInput),
            Role::Listening(_) | Role::Stream(_) => {
                return Err(io::Error::from_raw_os_error(EISCONN));
            }
            Role::Failed => {
                socket.role = Role::Fresh;
                return fail(socket.error.take().unwrap_or(ErrorKind::ConnectionAborted));
            }
        }
        match addr {
            Addr::Inet(addr) if Family::of(addr) == family => {
                let addr = socket.taken(*addr)?;
                self.connect_inet(index, addr).map(|()| false)
            }
            Addr::Unix(unix) if family == Family::Unix => {
                self.connect_unix(index, addr, unix).map(|()| true)
            }
            _ => fail(ErrorKind::InvalidInput),
        }
    }

    #[cfg(test)]
    pub(super) fn connected(&mut self, index: u64) -> io::Result<bool> {
        let socket = self.socket(index);
        match socket.role {
            Role::Connecting(_) => Ok(false),
            Role::Stream(_) | Role::Dgram(_) => Ok(true),
            Role::Failed => fail(socket.error.take().unwrap_or(ErrorKind::NotConnected)),
            Role::Fresh | Role::Listening(_) => fail(ErrorKind::NotConnected),
        }
    }

    pub(super) fn accept(&mut self, index: u64) -> io::Result<(u64, Addr)> {
        let queue = match &self.socket(index).role {
            Role::Listening(queue) => queue,
            Role::Dgram(_) => return fail(ErrorKind::Unsupported),
            _ => return fail(ErrorKind::InvalidInput),
        };
        let server = *queue.ready.front().ok_or(ErrorKind::WouldBlock)?;
        if self.chance.strikes(self.faults.accept_exhausted) {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        if let Role::Listening(queue) = &mut self.socket(index).role {
            queue.ready.pop_front();
        }
        if self.chance.strikes(self.faults.accept_aborted) {
            self.abort(server);
            return fail(ErrorKind::ConnectionAborted);
        }
        self.mark(Mark::Accept, index, server);
        let Role::Stream(stream) = &self.socket(server).role else {
            unreachable!("a backlog holds connections")
        };
        let peer = stream.peer_addr.clone();
        Ok((server, self.socket(server).told(peer)))
    }

    /// Resets every connection that waited in `queue`. The half-open ones follow when their
    /// clients answer.
    pub(super) fn turn_away(&mut self, queue: &Queue) {
        for server in &queue.ready {
            self.abort(*server);
        }
    }

    /// A client's attempt arrives.
    pub(super) fn syn(&mut self, client: u64, serial: u32, target: SocketAddr, retry: u32) {
        let Some(socket) = self.attempt(client, serial) else { return };
        let peer_addr = socket.local.clone().unwrap_or_else(unnamed);
        let ends = ends(socket);
        let refused = match ends.map(|ends| self.routes.between(ends)) {
            Some(Route::Blackhole | Route::NoRoute) => {
                return self.repeat(client, serial, target, retry);
            }
            Some(Route::Unreachable) => Some(ErrorKind::HostUnreachable),
            Some(Route::Refused) => Some(ErrorKind::ConnectionRefused),
            _ => None,
        };
        let listener = if refused.is_none() { self.listener(target) } else { None };
        let Some(listener) = listener else {
            let at = self.soon_between(ends);
            let kind = refused.unwrap_or(ErrorKind::ConnectionRefused);
            return self.schedule(at, Arrival::Failed { client, serial, kind });
        };
        let Role::Listening(queue) = &self.socket(listener).role else { return };
        if queue.is_full() {
            return self.repeat(client, serial, target, retry);
        }
        let stream = Stream { listener: Some(listener), ..Stream::new(client, peer_addr) };
        let local = Some(Addr::Inet(target));
        let server = Socket::accepted(self.socket(listener), local, stream);
        let server = self.insert(server);
        if let Role::Listening(queue) = &mut self.socket(listener).role {
            queue.half.insert(server);
        }
        let at = self.soon_between(ends);
        self.schedule(at, Arrival::Established { client, serial, server });
    }

    /// An attempt that was lost is made again, unless the client has had enough.
    fn repeat(&mut self, client: u64, serial: u32, target: SocketAddr, retry: u32) {
        let at = self.now().saturating_add(RETRY_AFTER << retry);
        let again = if retry == RETRIES_MAX {
            Arrival::Failed { client, serial, kind: ErrorKind::TimedOut }
        } else {
            Arrival::Syn { client, serial, target, retry: retry + 1 }
        };
        self.schedule(at, again);
    }

    pub(super) fn failed(&mut self, client: u64, serial: u32, kind: ErrorKind) {
        if self.attempt(client, serial).is_some() {
            self.give_up(client, Some(kind));
        }
    }

    pub(super) fn established(&mut self, client: u64, serial: u32, server: u64) {
        let path = self.sockets.get(&server).and_then(ends);
        let at = self.soon_between(path);
        let Some(socket) = self.attempt(client, serial) else {
            return self.schedule(at, Arrival::Reset { from: client, to: server });
        };
        let Role::Connecting(target) = socket.role else { return };
        let stream = Stream { last: at, ..Stream::new(server, Addr::Inet(target)) };
        socket.role = Role::Stream(stream);
        self.schedule(at, Arrival::Ready { client, server });
        if path.is_some_and(|path| self.routes.between(path) == Route::Reset) {
            self.schedule(at, Arrival::Reset { from: client, to: server });
            self.schedule(at, Arrival::Reset { from: server, to: client });
        }
        self.stir(client);
    }

    pub(super) fn ready(&mut self, client: u64, server: u64) {
        let Some(socket) = self.sockets.get_mut(&server) else { return };
        let Role::Stream(stream) = &mut socket.role else { return };
        debug_assert_eq!(stream.peer, client, "a connection has two ends");
        let listener = stream.listener.take();
        if let Some(index) = listener
            && let Some(Socket { role: Role::Listening(queue), .. }) = self.sockets.get_mut(&index)
            && queue.half.remove(&server)
        {
            queue.ready.push_back(server);
            self.stir(index);
        } else {
            self.abort(server);
        }
    }

    /// Ends an attempt to connect. The socket may try again.
    pub(super) fn give_up(&mut self, client: u64, error: Option<ErrorKind>) {
        let socket = self.socket(client);
        (socket.role, socket.error) = (Role::Failed, error);
        if !socket.bound {
            socket.local = None;
        }
        if let Some(pair) = socket.pair.take() {
            self.names.close_pair(&pair);
        }
        self.stir(client);
    }

    fn connect_inet(&mut self, index: u64, target: SocketAddr) -> io::Result<()> {
        let target = SocketAddr::new(destination(target.ip()), target.port());
        let mut local = SocketAddr::new(source(target.ip()), 0);
        if let Some(Addr::Inet(bound)) = self.socket(index).local {
            local.set_port(bound.port());
            if !bound.ip().is_unspecified() {
                local.set_ip(bound.ip());
            }
        }
        if local.is_ipv4() != target.is_ipv4() {
            return fail(ErrorKind::NetworkUnreachable);
        }
        let ends = (local.ip(), target.ip());
        self.may_depart(ends)?;
        let local = self.names.open_pair(local, target, &mut self.chance)?;
        let socket = self.socket(index);
        socket.serial = socket.serial.wrapping_add(1);
        let serial = socket.serial;
        socket.role = Role::Connecting(target);
        socket.local = Some(Addr::Inet(local));
        socket.pair = Some((local, target));
        self.mark(Mark::Connect, index, u64::from(target.port()));
        let mut at = self.soon_between(Some(ends));
        if self.chance.strikes(self.faults.refused) {
            at = at.saturating_add(self.soon_between(Some(ends)) - self.now());
            let kind = ErrorKind::ConnectionRefused;
            self.schedule(at, Arrival::Failed { client: index, serial, kind });
        } else {
            self.schedule(at, Arrival::Syn { client: index, serial, target, retry: 0 });
        }
        Ok(())
    }

    fn connect_unix(&mut self, index: u64, addr: &Addr, name: &UnixAddr) -> io::Result<()> {
        let kind = self.socket(index).kind;
        let owner = self.unix_owner(name, kind)?;
        let Role::Listening(queue) = &self.socket(owner).role else {
            return fail(ErrorKind::ConnectionRefused);
        };
        if queue.is_full() {
            return fail(ErrorKind::WouldBlock);
        }
        if self.chance.strikes(self.faults.refused) {
            return fail(ErrorKind::ConnectionRefused);
        }
        let client = self.local_addr(index);
        let local = Some(addr.clone());
        let server =
            Socket::accepted(self.socket(owner), local, Stream::new(index, client).of(kind));
        let server = self.insert(server);
        if let Role::Listening(queue) = &mut self.socket(owner).role {
            queue.ready.push_back(server);
        }
        self.socket(index).role = Role::Stream(Stream::new(server, addr.clone()).of(kind));
        self.mark(Mark::Connect, index, server);
        self.stir(owner);
        Ok(())
    }

    /// The socket of that kind that has the name.
    pub(super) fn unix_owner(&mut self, name: &UnixAddr, kind: Kind) -> io::Result<u64> {
        let owner = self.names.owner(&UnixName::of(name, kind)?)?;
        if self.socket(owner).kind == kind {
            Ok(owner)
        } else {
            Err(io::Error::from_raw_os_error(EPROTOTYPE))
        }
    }

    /// The client, if it still makes this very attempt.
    fn attempt(&mut self, client: u64, serial: u32) -> Option<&mut Socket> {
        let socket = self.sockets.get_mut(&client)?;
        let same = socket.serial == serial && matches!(socket.role, Role::Connecting(_));
        same.then_some(socket)
    }

    /// Who hears a connect to `target`: chance decides between listeners that share a port.
    fn listener(&mut self, target: SocketAddr) -> Option<u64> {
        let sockets = &self.sockets;
        let listens = |index| {
            let socket: Option<&Socket> = sockets.get(&index);
            socket.is_some_and(|socket| matches!(socket.role, Role::Listening(_)))
        };
        let owners = self.names.tcp.owners(target, listens);
        match owners.len() {
            0 | 1 => owners.first().copied(),
            several => Some(owners[self.chance.below(several as u64) as usize]),
        }
    }
}

/// Where a connect to `ip` goes: without an address, to the loopback.
pub(super) fn destination(ip: IpAddr) -> IpAddr {
    if ip.is_unspecified() { loopback(ip) } else { ip }
}

/// The address that what is sent to `ip` comes from: itself, because it is one of this machine, or
/// the loopback.
pub(super) fn source(ip: IpAddr) -> IpAddr {
    if ip.is_loopback() || is_many(ip) { loopback(ip) } else { ip }
}

/// The loopback address of the family of `ip`.
fn loopback(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

/// The most that a listener holds, whatever it asks for (Linux: `somaxconn`).
pub(crate) const BACKLOG_MAX: u32 = 4096;
/// A dropped attempt is repeated after a second, then after twice as long each time; after the
/// sixth repetition the client waits once more and gives up, two minutes in (Linux:
/// `tcp_syn_retries`).
const RETRY_AFTER: u64 = 1_000_000_000;
const RETRIES_MAX: u32 = 6;
