//! A socket of any family, with all that connections and datagrams do on it.
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::deadline::Deadlines;
use super::place::Place;
use crate::addr::{Addr, UnixAddr};
use crate::clock;
use crate::error::{Error, Fault, Operation};
pub(super) use crate::sys::listening::BACKLOG;
use crate::sys::listening::{self, Terms};
use crate::sys::option::On;
use crate::sys::{self, Kind, OsSocket, Side, SockAddr};
use crate::sys::{blocking as calls, message};

/// An untyped socket. Without a deadline, each read and write is one system call.
pub(super) struct Handle {
    socket: OsSocket,
    deadlines: Deadlines,
    /// The system was asked to tell about datagrams.
    tells: AtomicBool,
}

impl Handle {
    pub(super) fn new(socket: OsSocket) -> Self {
        Self { socket, deadlines: Deadlines::default(), tells: AtomicBool::new(false) }
    }

    /// Connects to the first of `addrs` that takes it. The error tells of all of them.
    pub(super) fn connect(
        addrs: impl IntoIterator<Item = Addr>,
        kind: Kind,
        limit: Option<Duration>,
    ) -> io::Result<Self> {
        first(addrs, |addr| {
            let raw = sys::to_sock_addr(addr)?;
            let socket = calls::open(sys::domain(addr)?, kind)?;
            match limit {
                None => calls::connect(&socket, &raw)?,
                Some(limit) => socket.connect_timeout(&raw, limit)?,
            }
            Ok(Self::new(socket))
        })
    }

    pub(super) fn pair(kind: Kind) -> io::Result<(Self, Self)> {
        calls::pair(kind).map(|(a, b)| (Self::new(a), Self::new(b)))
    }

    /// Accepts from `listener`; the address is the kernel's.
    pub(super) fn accept(listener: &OsSocket) -> io::Result<(Self, SockAddr)> {
        calls::accept(listener).map(|(socket, addr)| (Self::new(socket), addr))
    }

    pub(super) fn into_socket(self) -> OsSocket {
        self.socket
    }

    pub(super) fn socket(&self) -> &OsSocket {
        &self.socket
    }

    pub(super) fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        let socket = self.socket.try_clone()?;
        let tells = AtomicBool::new(self.tells.load(Ordering::Relaxed));
        Ok(Self { socket, deadlines: self.deadlines.clone(), tells })
    }

    /// Sends to the first of `addrs` that can be had, and receives from there alone: for datagrams.
    pub(super) fn reconnect(&self, addrs: impl IntoIterator<Item = Addr>) -> io::Result<()> {
        first(addrs, |addr| calls::connect(&self.socket, &sys::to_sock_addr(addr)?))
    }

    /// Asks the system to tell about datagrams, if that was not done yet.
    pub(super) fn tell(&self) {
        if !self.tells.load(Ordering::Relaxed) {
            message::tell(&self.socket);
            self.tells.store(true, Ordering::Relaxed);
        }
    }

    /// Makes `call`, which gets the flags to be used, and waits no longer than the deadline.
    pub(super) fn on<T>(
        &self,
        side: Side,
        mut call: impl FnMut(&OsSocket, i32) -> io::Result<T>,
    ) -> io::Result<T> {
        let deadline = match side {
            Side::Recv => self.deadlines.recv(),
            Side::Send => self.deadlines.send(),
        };
        match deadline {
            None => call(&self.socket, 0),
            Some(at) => self.by(at, side, call),
        }
    }

    pub(super) fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        self.on(Side::Recv, |socket, flags| calls::recv(socket, space, flags))
    }

    pub(super) fn read_vectored(&self, spaces: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.on(Side::Recv, |socket, flags| calls::recv_vectored(socket, spaces, flags))
    }

    pub(super) fn peek(&self, space: &mut [u8]) -> io::Result<usize> {
        self.on(Side::Recv, |socket, flags| calls::peek(socket, space, flags))
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.deadlines.send() {
            None => calls::send(&self.socket, bytes, 0),
            Some(at) => {
                let part = &bytes[..bytes.len().min(calls::AT_ONCE_MAX)];
                self.by(at, Side::Send, |socket, flags| calls::send(socket, part, flags))
            }
        }
    }

    pub(super) fn write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(at) = self.deadlines.send() else {
            return calls::send_vectored(&self.socket, parts, 0);
        };
        let whole = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        if whole > calls::AT_ONCE_MAX {
            let first = parts.iter().find(|part| !part.is_empty());
            return self.write(first.map_or(&[], |part| part));
        }
        self.by(at, Side::Send, |socket, flags| calls::send_vectored(socket, parts, flags))
    }

    /// As [`on`](Self::on), for receiving a message where `end` makes what a socket that was
    /// shut gives: some systems tell that only to calls that wait.
    pub(super) fn receive<T>(
        &self,
        end: impl Fn() -> T,
        mut call: impl FnMut(&OsSocket, i32) -> io::Result<T>,
    ) -> io::Result<T> {
        self.on(Side::Recv, |socket, flags| match call(socket, flags) {
            Err(error) if flags != 0 && error.kind() == io::ErrorKind::WouldBlock => {
                if calls::is_shut(socket) {
                    Ok(end())
                } else {
                    Err(error)
                }
            }
            result => result,
        })
    }

    /// Repeats `call` without letting it wait, and waits between, until it is late.
    #[cold]
    fn by<T>(
        &self,
        deadline: Instant,
        side: Side,
        mut call: impl FnMut(&OsSocket, i32) -> io::Result<T>,
    ) -> io::Result<T> {
        let socket = &self.socket;
        let mut patience = None;
        loop {
            let now = clock::real();
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                return Err(late(side));
            }
            match calls::at_once(socket, side, |flags| call(socket, flags)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if calls::is_nonblocking(socket)? {
                        return Err(error);
                    }
                }
                result => return result,
            }
            // The system's own timeout counts from the start of the call, and ends as ever.
            let patience = match patience {
                Some(patience) => patience,
                None => *patience.insert(timeout(socket, side)?.map(|span| (now, span))),
            };
            let calm = patience.map(|(start, span)| span.saturating_sub(now - start));
            if calm.is_some_and(|calm| calm.is_zero()) {
                return Err(io::Error::from_raw_os_error(calls::TIMED_OUT));
            }
            calls::wait(socket, side, Some(calm.map_or(left, |calm| calm.min(left))))?;
        }
    }
}

/// Listens on the first of `addrs` that can be had. The error tells of the last.
pub(super) fn listen(
    addrs: impl IntoIterator<Item = Addr>,
    kind: Kind,
    backlog: u32,
) -> io::Result<Place> {
    listen_on(addrs, kind, &Terms::with_backlog(backlog))
}

/// As [`listen`], on those terms.
pub(super) fn listen_on(
    addrs: impl IntoIterator<Item = Addr>,
    kind: Kind,
    terms: &Terms,
) -> io::Result<Place> {
    let backlog = i32::try_from(terms.backlog).unwrap_or(i32::MAX);
    let prepare = |socket: &OsSocket, addr: &Addr| match kind {
        Kind::Stream => terms.prepare(On::Os(socket), addr),
        _ => Ok(()),
    };
    let socket = bound(addrs, kind, prepare, |socket| {
        socket.listen(backlog).map_err(|error| Error::new(Operation::Listen, error))
    })?;
    Ok(Place::new(socket, terms.backlog))
}

/// A socket for datagrams on the first of `addrs` that can be had. The error tells of the last.
pub(super) fn bind(addrs: impl IntoIterator<Item = Addr>) -> io::Result<Handle> {
    let prepare = |socket: &OsSocket, addr: &Addr| match addr.inet() {
        Some(addr) => listening::choose_stack(On::Os(socket), addr, false),
        None => Ok(()),
    };
    bound(addrs, Kind::Dgram, prepare, |_| Ok(())).map(Handle::new)
}

/// A socket on the first of `addrs` that can be had and for which `then` succeeds.
fn bound(
    addrs: impl IntoIterator<Item = Addr>,
    kind: Kind,
    prepare: impl Fn(&OsSocket, &Addr) -> io::Result<()>,
    then: impl Fn(&OsSocket) -> Result<(), Error>,
) -> io::Result<OsSocket> {
    let failed = |operation| move |error| Error::new(operation, error);
    let bind = |addr: &Addr| {
        let raw = sys::to_sock_addr(addr).map_err(failed(Operation::Bind))?;
        let socket = sys::domain(addr).and_then(|domain| calls::open(domain, kind));
        let socket = socket.map_err(failed(Operation::Open))?;
        prepare(&socket, addr).map_err(failed(Operation::SetOption))?;
        socket.bind(&raw).map_err(failed(Operation::Bind))?;
        then(&socket).map(|()| socket)
    };
    let mut last = None;
    for addr in addrs {
        match bind(&addr) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error.local(addr)),
        }
    }
    Err(last.map_or_else(no_address, io::Error::from))
}

/// Connects to the first of `addrs` that takes it. The error tells of all of them.
fn first<T>(
    addrs: impl IntoIterator<Item = Addr>,
    connect: impl Fn(&Addr) -> io::Result<T>,
) -> io::Result<T> {
    let mut tried = Vec::new();
    for addr in addrs {
        match connect(&addr) {
            Ok(found) => return Ok(found),
            Err(error) => tried.push((addr, error)),
        }
    }
    let Some((last, cause)) = tried.last() else { return Err(no_address()) };
    let error = Error::new(Operation::Connect, Fault::from(cause).to_io()).peer(last.clone());
    let error = tried.into_iter().fold(error, |all, (addr, one)| all.attempt(addr, one));
    Err(error.into())
}

/// The addresses of a name, as the system finds them.
pub(super) fn resolve(addr: impl ToSocketAddrs) -> io::Result<impl Iterator<Item = Addr>> {
    match addr.to_socket_addrs() {
        Ok(addrs) => Ok(addrs.map(Addr::from)),
        Err(error) => Err(Error::new(Operation::Resolve, error).into()),
    }
}

/// An address as the family of the socket has it.
pub(super) fn inet(addr: &SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket().ok_or_else(other_family)
}

/// A sender of datagrams that has no name comes without an address.
pub(super) fn unix(addr: &SockAddr) -> io::Result<UnixAddr> {
    if addr.len() == 0 {
        return Ok(UnixAddr::unnamed());
    }
    match sys::from_sock_addr(addr)? {
        Addr::Unix(addr) => Ok(addr),
        _ => Err(other_family()),
    }
}

pub(super) fn other_family() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the socket is of another family")
}

pub(super) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the name has no addresses")
}

/// A timeout as the system keeps it: never zero, which would mean "for ever" there.
pub(super) fn checked_timeout(span: Option<Duration>) -> io::Result<Option<Duration>> {
    if span == Some(Duration::ZERO) {
        let what = "a timeout of zero: take None to wait for ever, or set_nonblocking";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(span.map(|span| span.max(calls::TIMEOUT_MIN)))
}

pub(super) fn timeout(socket: &OsSocket, side: Side) -> io::Result<Option<Duration>> {
    match side {
        Side::Recv => socket.read_timeout(),
        Side::Send => socket.write_timeout(),
    }
}

pub(super) fn late(side: Side) -> io::Error {
    let operation = match side {
        Side::Recv => Operation::Recv,
        Side::Send => Operation::Send,
    };
    let cause = io::Error::new(io::ErrorKind::TimedOut, "the deadline has passed");
    Error::new(operation, cause).into()
}
