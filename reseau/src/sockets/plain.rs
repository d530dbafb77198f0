//! A socket that is made step by step and waits in its calls: what the surfaces stand on.
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::addr::Addr;
use crate::clock;
use crate::error::{Error, Operation};
use crate::sys::blocking as calls;
use crate::sys::{self, Domain, Kind, OsSocket, Side, SockAddr, Type, Woken, message};

/// An untyped socket. All calls go through a shared reference, from any thread.
pub(super) struct Plain {
    socket: OsSocket,
    domain: Domain,
    transfer: Type,
    /// How long a call may wait, in nanoseconds, or [`FOREVER`]. Unless it is that, the socket is
    /// in the mode in which the system does not wait.
    limit: AtomicU64,
    /// It was ended here: calls that wait return.
    ended: AtomicBool,
    /// Which of them shutting it wakes: the system's doing.
    shut_wakes: Woken,
}

#[allow(dead_code)] // Not every surface uses all of it.
impl Plain {
    /// A new socket, by the system's numbers.
    pub(super) fn open(domain: i32, transfer: i32, protocol: i32) -> io::Result<Self> {
        let (domain, transfer) = (Domain::from(domain), Type::from(transfer));
        let kind = match transfer {
            Type::STREAM => Some(Kind::Stream),
            Type::DGRAM => Some(Kind::Dgram),
            Type::SEQPACKET => Some(Kind::Seqpacket),
            _ => None,
        };
        let opened = match kind {
            Some(kind) if protocol == 0 => calls::open(domain, kind),
            _ => OsSocket::new(domain, transfer, Some(protocol.into())),
        };
        let socket = opened.map_err(|error| Error::new(Operation::Open, error))?;
        Ok(Self::with(socket, domain, transfer))
    }

    /// Takes in a socket from elsewhere; `NotASocket` or the like if it is none.
    pub(super) fn adopt(socket: OsSocket) -> io::Result<Self> {
        let look = || Ok((socket.local_addr()?.domain(), socket.r#type()?));
        let looked = look().map_err(|error| Error::new(Operation::Adopt, error));
        let (domain, transfer) = looked?;
        socket.set_nonblocking(false)?;
        Ok(Self::with(socket, domain, transfer))
    }

    fn with(socket: OsSocket, domain: Domain, transfer: Type) -> Self {
        let (limit, ended) = (AtomicU64::new(FOREVER), AtomicBool::new(false));
        Self { socket, domain, transfer, limit, ended, shut_wakes: sys::SHUT_WAKES }
    }

    pub(super) fn into_socket(self) -> OsSocket {
        self.socket
    }

    pub(super) fn socket(&self) -> &OsSocket {
        &self.socket
    }

    pub(super) fn domain(&self) -> Domain {
        self.domain
    }

    /// How long calls may wait from now on: `None` for as long as it takes, zero not at all.
    pub(super) fn set_limit(&self, limit: Option<Duration>) -> io::Result<()> {
        self.socket.set_nonblocking(limit.is_some())?;
        let nanos = limit.map_or(FOREVER, |limit| {
            u64::try_from(limit.as_nanos()).unwrap_or(FOREVER).min(FOREVER - 1)
        });
        self.limit.store(nanos, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        let nanos = self.limit.load(Ordering::Relaxed);
        (nanos != FOREVER).then(|| Duration::from_nanos(nanos))
    }

    pub(super) fn bind(&self, addr: &Addr) -> io::Result<()> {
        let bound = sys::to_sock_addr(addr).and_then(|raw| self.socket.bind(&raw));
        bound.map_err(|error| Error::new(Operation::Bind, error).local(addr.clone()).into())
    }

    /// Starts to listen. Systems cut `backlog` to their own limit.
    pub(super) fn listen(&self, backlog: u32) -> io::Result<()> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        self.socket.listen(backlog).map_err(|error| self.failed(Operation::Listen, error))
    }

    pub(super) fn connect(&self, addr: &Addr) -> io::Result<()> {
        let connect = || {
            let raw = sys::to_sock_addr(addr)?;
            match self.limit().filter(|limit| !limit.is_zero()) {
                Some(limit) if sys::ROOM_PAUSE.is_some() && self.domain == Domain::UNIX => {
                    self.connect_near(&raw, limit)
                }
                Some(limit) => {
                    let connected = self.socket.connect_timeout(&raw, limit);
                    self.socket.set_nonblocking(true)?; // It was put back to the other mode.
                    connected
                }
                None => calls::connect(&self.socket, &raw),
            }
        };
        connect().map_err(|error| Error::new(Operation::Connect, error).peer(addr.clone()).into())
    }

    /// Connects to a listener of this machine, whose backlog may be full for a while.
    fn connect_near(&self, raw: &SockAddr, limit: Duration) -> io::Result<()> {
        let deadline = clock::real().checked_add(limit);
        loop {
            match self.socket.connect(raw) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                connected => return connected,
            }
            let left = deadline.map(|at| at.saturating_duration_since(clock::real()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(late());
            }
            self.check_open()?;
            calls::wait_any(&[], &[], left.into_iter().chain(sys::ROOM_PAUSE).min())?;
        }
    }

    /// The next connection and whose it is, if it has a name that we know.
    pub(super) fn accept(&self) -> io::Result<(Self, Option<Addr>)> {
        let accepted = self.on(Side::Recv, Operation::Accept, calls::accept);
        if self.is_ended() {
            self.ring(); // For the next one who waits.
            return Err(self.failed(Operation::Accept, gone()));
        }
        let (socket, addr) = accepted?;
        socket.set_nonblocking(false)?; // Some systems hand the listener's mode on.
        Ok((Self::with(socket, self.domain, self.transfer), sys::from_sock_addr(&addr).ok()))
    }

    /// Receives what is there; 0 is the end of a stream (or an empty `space`). A datagram that is
    /// longer is cut, on every system.
    pub(super) fn recv(&self, space: &mut [u8]) -> io::Result<usize> {
        if space.is_empty() && self.is_stream() {
            return Ok(0); // Some systems would wait.
        }
        if !self.is_stream() {
            let recv = |socket: &_| message::recv(socket, space, 0);
            return self.on(Side::Recv, Operation::Recv, recv);
        }
        self.among_peers(Side::Recv, Operation::Recv, |socket, flags| {
            calls::recv(socket, space, flags.unwrap_or(0))
        })
    }

    /// Sends what fits.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.among_peers(Side::Send, Operation::Send, |socket, flags| {
            // A call that must not wait may be given only so much.
            let most =
                if flags.is_none() || !self.is_stream() { usize::MAX } else { calls::AT_ONCE_MAX };
            calls::send(socket, &bytes[..bytes.len().min(most)], flags.unwrap_or(0))
        })
    }

    /// Sends everything.
    pub(super) fn send_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.send(bytes)?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Ends one direction or both. What listens, or waits for datagrams, ends whole.
    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how).map_err(|error| self.failed(Operation::Shutdown, error))
    }

    /// Ends the socket for every thread that uses it: calls that wait return, as do later ones.
    /// Its descriptor is closed when it is dropped.
    pub(super) fn end(&self) {
        if self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        // What has a peer ends by that on every system, if not at once.
        if self.shut_wakes == Woken::All || self.peer_addr().is_ok() {
            let _ = self.socket.shutdown(Shutdown::Both);
        } else {
            self.ring();
        }
    }

    /// How often one who waits looks whether it was ended: only where that wakes nobody.
    pub(super) fn looks_every(&self) -> Option<Duration> {
        (self.shut_wakes == Woken::Nobody).then_some(LOOK_EVERY)
    }

    /// An error once it was ended.
    pub(super) fn check_open(&self) -> io::Result<()> {
        if self.is_ended() { Err(gone()) } else { Ok(()) }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(super) fn local_addr(&self) -> io::Result<Addr> {
        sys::from_sock_addr(&self.socket.local_addr()?)
    }

    pub(super) fn peer_addr(&self) -> io::Result<Addr> {
        sys::from_sock_addr(&self.socket.peer_addr()?)
    }

    /// Whether it listens, as far as the system tells.
    pub(super) fn listens(&self) -> bool {
        sys::listens(&self.socket) == Some(true)
    }

    pub(super) fn transfer(&self) -> Type {
        self.transfer
    }

    pub(super) fn is_stream(&self) -> bool {
        self.transfer == Type::STREAM
    }

    /// Makes `call`, and waits between as long as it may.
    pub(super) fn on<T>(
        &self,
        side: Side,
        operation: Operation,
        mut call: impl FnMut(&OsSocket) -> io::Result<T>,
    ) -> io::Result<T> {
        let limit = self.limit();
        let deadline = limit.and_then(|limit| clock::real().checked_add(limit));
        loop {
            let error = match call(&self.socket) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock if limit.is_some_and(|limit| !limit.is_zero()) => {
                    let left = deadline.map(|at| at.saturating_duration_since(clock::real()));
                    if left.is_some_and(|left| left.is_zero()) {
                        return Err(self.failed(operation, late()));
                    }
                    calls::wait(&self.socket, side, left)
                        .map_err(|error| self.failed(operation, error))?;
                }
                _ => return Err(self.failed(operation, error)),
            }
        }
    }

    /// As [`on`](Self::on), in a connection. Where ending that does not wake who waits, he looks
    /// now and then, and `call` gets the flags by which it does not wait.
    fn among_peers<T>(
        &self,
        side: Side,
        operation: Operation,
        mut call: impl FnMut(&OsSocket, Option<i32>) -> io::Result<T>,
    ) -> io::Result<T> {
        let deaf = self.shut_wakes == Woken::Nobody && self.limit().is_none();
        if !deaf || self.peer_addr().is_err() {
            return self.on(side, operation, |socket| call(socket, None));
        }
        self.on(side, operation, |socket| {
            loop {
                match calls::at_once(socket, side, |flags| call(socket, Some(flags))) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => return done,
                }
                if self.is_ended() {
                    return Err(gone());
                }
                calls::wait(socket, side, Some(LOOK_EVERY))?;
            }
        })
    }

    /// An error with all that is known about where.
    pub(super) fn failed(&self, operation: Operation, error: io::Error) -> io::Error {
        let mut error = Error::new(operation, error);
        if let Ok(addr) = self.local_addr() {
            error = error.local(addr);
        }
        if let Ok(addr) = self.peer_addr() {
            error = error.peer(addr);
        }
        error.into()
    }

    /// Wakes a thread that waits for a connection or a datagram, where shutting the socket does
    /// not: one comes from ourselves.
    pub(super) fn ring(&self) {
        let Ok(mut addr) = self.local_addr() else { return };
        if self.shut_wakes == Woken::All || self.peer_addr().is_ok() {
            return;
        }
        if let Addr::Inet(inet) = &mut addr {
            *inet = reachable(*inet);
        }
        let Ok(raw) = sys::to_sock_addr(&addr) else { return };
        let kind = if self.is_stream() { Kind::Stream } else { Kind::Dgram };
        let Ok(bell) = calls::open(self.domain, kind) else { return };
        let _ = match kind {
            Kind::Stream => bell.connect_timeout(&raw, RING_MAX),
            _ => message::send_to(&bell, &[], Some(&raw), 0).map(|_| ()),
        };
    }
}

/// No limit.
const FOREVER: u64 = u64::MAX;

/// How long waking may take where there is no room for one more connection. (Then those who wait
/// have one each.)
const RING_MAX: Duration = Duration::from_millis(100);

/// How often a thread that nothing wakes looks whether its socket was ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// An address by which this machine reaches itself.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    addr
}

/// What calls on an ended socket end with.
pub(super) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the socket was closed")
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the timeout has passed")
}

/// What other systems need, here.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::option::numbers::{AF_INET, SOCK_DGRAM, SOCK_STREAM};
    use std::thread;

    /// A bound socket, as if shutting it did not wake anybody.
    fn deaf(transfer: i32) -> Plain {
        let mut plain = Plain::open(AF_INET, transfer, 0).unwrap();
        plain.shut_wakes = Woken::Nobody;
        plain.bind(&Addr::Inet(([127, 0, 0, 1], 0).into())).unwrap();
        plain
    }

    /// Ends the socket while several threads are in `call`, which fails then.
    fn ends(plain: &Plain, call: impl Fn(&Plain) -> io::Result<()> + Sync) {
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| call(plain))).collect();
            thread::park_timeout(Duration::from_millis(50));
            plain.end();
            for thread in waiting {
                thread.join().unwrap().unwrap_err();
            }
        });
    }

    #[test]
    fn who_waits_for_a_connection_is_woken_by_one() {
        let plain = deaf(SOCK_STREAM);
        plain.listen(16).unwrap();
        ends(&plain, |plain| plain.accept().map(|_| ()));
    }

    #[test]
    fn who_waits_for_a_datagram_is_woken_by_one() {
        let plain = deaf(SOCK_DGRAM);
        ends(&plain, |plain| {
            plain.recv(&mut [0; 8])?;
            plain.ring();
            if plain.is_ended() { Err(gone()) } else { Ok(()) }
        });
    }

    #[test]
    fn who_waits_for_room_looks_whether_it_was_ended() {
        let listener = deaf(SOCK_STREAM);
        listener.listen(1).unwrap();
        let client = deaf(SOCK_STREAM);
        client.connect(&listener.local_addr().unwrap()).unwrap();
        let _peer = listener.accept().unwrap();
        let bytes = vec![0; 32 << 20];
        ends(&client, |client| client.send_all(&bytes));
    }

    #[test]
    fn who_waits_for_bytes_looks_whether_it_was_ended() {
        let listener = deaf(SOCK_STREAM);
        listener.listen(1).unwrap();
        let client = deaf(SOCK_STREAM);
        client.connect(&listener.local_addr().unwrap()).unwrap();
        let _peer = listener.accept().unwrap();
        // Linux would wake him, and so the end is told without an error.
        ends(&client, |client| match client.recv(&mut [0; 8])? {
            0 => Err(gone()),
            _ => Ok(()),
        });
    }

    #[test]
    fn a_call_without_a_peer_is_no_wait() {
        let unconnected = deaf(SOCK_STREAM);
        unconnected.send(b"x").unwrap_err();
        unconnected.recv(&mut [0; 8]).unwrap_err();
    }
}
