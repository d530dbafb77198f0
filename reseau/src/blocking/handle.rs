//! A connected socket of any family, with all that streams do on it.
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::deadline::Deadlines;
use crate::addr::{Addr, UnixAddr};
use crate::clock;
use crate::error::{Error, Fault, Operation};
use crate::sys::blocking as calls;
use crate::sys::{self, OsSocket, Side, SockAddr};

/// An untyped stream. Without a deadline, each read and write is one system call.
pub(super) struct Handle {
    socket: OsSocket,
    deadlines: Deadlines,
}

impl Handle {
    pub(super) fn new(socket: OsSocket) -> Self {
        Self { socket, deadlines: Deadlines::default() }
    }

    /// Connects to the first of `addrs` that takes it. The error tells of all of them.
    pub(super) fn connect(
        addrs: impl IntoIterator<Item = Addr>,
        limit: Option<Duration>,
    ) -> io::Result<Self> {
        let mut tried = Vec::new();
        for addr in addrs {
            match Self::connect_to(&addr, limit) {
                Ok(handle) => return Ok(handle),
                Err(error) => tried.push((addr, error)),
            }
        }
        let Some((last, cause)) = tried.last() else { return Err(no_address()) };
        let error = Error::new(Operation::Connect, Fault::from(cause).to_io()).peer(last.clone());
        let error = tried.into_iter().fold(error, |all, (addr, one)| all.attempt(addr, one));
        Err(error.into())
    }

    fn connect_to(addr: &Addr, limit: Option<Duration>) -> io::Result<Self> {
        let raw = sys::to_sock_addr(addr)?;
        let socket = calls::open(sys::domain(addr), sys::Kind::Stream)?;
        match limit {
            None => calls::connect(&socket, &raw)?,
            Some(limit) => socket.connect_timeout(&raw, limit)?,
        }
        Ok(Self::new(socket))
    }

    pub(super) fn pair() -> io::Result<(Self, Self)> {
        calls::pair(sys::Kind::Stream).map(|(a, b)| (Self::new(a), Self::new(b)))
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
        Ok(Self { socket: self.socket.try_clone()?, deadlines: self.deadlines.clone() })
    }

    pub(super) fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        match self.deadlines.recv() {
            None => calls::recv(&self.socket, space, 0),
            Some(at) => self.by(at, Side::Recv, |socket, flags| calls::recv(socket, space, flags)),
        }
    }

    pub(super) fn read_vectored(&self, spaces: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self.deadlines.recv() {
            None => calls::recv_vectored(&self.socket, spaces, 0),
            Some(at) => {
                self.by(at, Side::Recv, |socket, flags| calls::recv_vectored(socket, spaces, flags))
            }
        }
    }

    pub(super) fn peek(&self, space: &mut [u8]) -> io::Result<usize> {
        match self.deadlines.recv() {
            None => calls::peek(&self.socket, space, 0),
            Some(at) => self.by(at, Side::Recv, |socket, flags| calls::peek(socket, space, flags)),
        }
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
pub(super) fn listen(addrs: impl IntoIterator<Item = Addr>, backlog: u32) -> io::Result<OsSocket> {
    let mut failed = None;
    for addr in addrs {
        match listen_on(&addr, backlog) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = Some(error.local(addr)),
        }
    }
    Err(failed.map_or_else(no_address, io::Error::from))
}

fn listen_on(addr: &Addr, backlog: u32) -> Result<OsSocket, Error> {
    let failed = |operation| move |error| Error::new(operation, error);
    let raw = sys::to_sock_addr(addr).map_err(failed(Operation::Bind))?;
    let socket =
        calls::open(sys::domain(addr), sys::Kind::Stream).map_err(failed(Operation::Open))?;
    if sys::REUSE_ADDRESS && addr.inet().is_some() {
        socket.set_reuse_address(true).map_err(failed(Operation::SetOption))?;
    }
    socket.bind(&raw).map_err(failed(Operation::Bind))?;
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    socket.listen(backlog).map_err(failed(Operation::Listen))?;
    Ok(socket)
}

/// The backlog of a listener that was not told another, as nginx, Apache and Redis have it.
/// Systems cut it to their own limit (Linux: `net.core.somaxconn`, 4096 by default).
pub(super) const BACKLOG: u32 = 511;

/// An address as the family of the socket has it.
pub(super) fn inet(addr: &SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket().ok_or_else(other_family)
}

pub(super) fn unix(addr: &SockAddr) -> io::Result<UnixAddr> {
    match sys::from_sock_addr(addr)? {
        Addr::Unix(addr) => Ok(addr),
        Addr::Inet(_) => Err(other_family()),
    }
}

fn other_family() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the socket is of another family")
}

fn no_address() -> io::Error {
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

fn timeout(socket: &OsSocket, side: Side) -> io::Result<Option<Duration>> {
    match side {
        Side::Recv => socket.read_timeout(),
        Side::Send => socket.write_timeout(),
    }
}

fn late(side: Side) -> io::Error {
    let operation = match side {
        Side::Recv => Operation::Recv,
        Side::Send => Operation::Send,
    };
    let cause = io::Error::new(io::ErrorKind::TimedOut, "the deadline has passed");
    Error::new(operation, cause).into()
}
