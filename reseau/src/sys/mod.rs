//! Descriptors and their control calls: the one place above the operating system.
//!
//! Sockets of the system are [`socket2::Socket`]s. What differs between systems is written twice,
//! in `unix.rs` and in `windows.rs`, under the same names in the same order, so that nothing above
//! this room asks which system it runs on. **The platform contract**, which both files keep:
//!
//! - `NOSIGNAL`: the flag of `send` that turns SIGPIPE into an error (0 where a socket carries it);
//!   `PEEK`: the flag of `recv` that leaves the bytes where they are;
//! - `REUSE_ADDRESS`: whether listeners of TCP set `reuse_address`;
//! - `ROOM_PAUSE`: how long to wait for room in the backlog of a Unix listener before asking again,
//!   if a connect that does not wait says `WouldBlock` when there is none;
//! - `SHUT_WAKES`: which of the threads that wait in calls of a socket are woken by shutting it;
//! - `open(domain, kind)`: a new socket, non-blocking, not inherited by child processes, never
//!   raising SIGPIPE; atomically where the system can;
//! - `pair(kind)`: two connected Unix-domain sockets like that, or `Unsupported`;
//! - `accept(listener)`: the next connection, made like by `open`, whatever the listener's mode;
//! - `is_connecting(error)`: a non-blocking `connect` is under way;
//! - `to_unix(addr)` and `from_unix(raw)`: names in the file system, abstract ones, none;
//! - `VSOCK`, `to_vsock(addr)` and `from_vsock(raw)`: a domain that Linux alone has;
//! - `waiting(domain, kind)`, `waiting_pair(kind)`: sockets for the blocking door, which wait;
//! - `is_nonblocking(socket)`, where the system tells, else `false`;
//! - `at_once(socket, side, call)`: `call`, given the flags by which it will not wait;
//! - `wait(socket, side, limit)`: sleeps until the call would not wait; `false` when time is up;
//! - `wait_any(recv, send, limit)`: sleeps until one of the first can receive or one of the second
//!   send or has failed, or time is up;
//! - `wait_each(sockets, limit)`: sleeps until one of any number can go on, or time is up, and says
//!   which can;
//! - `is_shut(socket)`: whether receiving was ended, where `recv` of a datagram does not tell;
//! - `number(socket)`: what descriptors are called here, and this one's number;
//! - `TIMED_OUT`, `TIMEOUT_MIN`, `AT_ONCE_MAX`: facts about timeouts;
//! - `at_exit(f)`: the C runtime's.
#![allow(unsafe_code)]
// The blocking door alone does not use everything that is here.
#![cfg_attr(not(feature = "async"), allow(dead_code, unused_imports))]

use crate::addr::Addr;
use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::time::Duration;

pub(crate) use socket2::{Domain, SockAddr, Socket as OsSocket, Type};

#[cfg(unix)]
pub(crate) mod ancillary;
#[cfg(unix)]
mod ancillary_kinds;
#[cfg(all(fuzzing, unix))]
pub(crate) mod ancillary_told;
pub(crate) mod blocking;
#[cfg(unix)]
mod claim;
#[cfg(all(feature = "async", any(target_os = "linux", target_os = "android")))]
pub(crate) mod counter;
mod credentials;
mod descriptor;
#[cfg(unix)]
mod inherited;
pub(crate) mod interfaces;
pub(crate) mod listening;
pub(crate) mod message;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod message_linux;
#[cfg(unix)]
#[path = "message_unix.rs"]
mod messages;
#[cfg(windows)]
#[path = "message_windows.rs"]
mod messages;
pub(crate) mod multicast;
pub(crate) mod names;
pub(crate) mod option;
#[cfg(feature = "async")]
pub(crate) mod poller;
#[cfg(unix)]
pub(crate) mod rights;
#[cfg(feature = "async")]
pub(crate) mod sim;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;
pub(crate) mod zone;

pub use credentials::UCred;
pub(crate) use credentials::of_peer;
#[cfg(unix)]
pub(crate) use credentials::process_of_peer;
pub(crate) use descriptor::{adopts_descriptor, borrows_descriptor, owns_descriptor};
pub(crate) use system::{REUSE_ADDRESS, ROOM_PAUSE, SHUT_WAKES, at_exit};

/// A socket: the operating system's, or the simulated kernel's.
#[derive(Debug)]
pub(crate) enum Fd {
    Os(OsSocket),
    #[cfg(feature = "async")]
    Sim(sim::Port),
}

/// How a socket sends: bytes in order, or messages (each by itself, or in order too).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stream,
    Dgram,
    Seqpacket,
}

/// What a listener hands out. Without `peer`, ask the socket itself.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) fd: Fd,
    pub(crate) peer: Option<Addr>,
}

#[cfg(unix)]
pub(crate) use claim::Claim;
#[cfg(unix)]
pub(crate) use inherited::take as take_inherited;

/// Descriptors come through `exec`, which Windows does not have.
#[cfg(windows)]
pub(crate) fn take_inherited(_which: &crate::addr::Inherited) -> io::Result<OsSocket> {
    Err(unsupported("descriptors are inherited on Unix alone"))
}

/// Only Unix leaves files to claim.
#[cfg(windows)]
#[derive(Debug)]
pub(crate) enum Claim {}

#[cfg(windows)]
impl Claim {
    pub(crate) fn release(self) {
        match self {}
    }
}

/// To drop a claim means something, though not here.
#[cfg(windows)]
impl Drop for Claim {
    fn drop(&mut self) {}
}

/// Binds by `bind` at `addr`; what this leaves in the file system is the claim's.
pub(crate) fn claimed<T>(
    addr: &Addr,
    kind: Kind,
    bind: impl Fn() -> io::Result<T>,
) -> io::Result<(T, Option<Claim>)> {
    #[cfg(unix)]
    if let Some(path) = addr.unix().and_then(crate::addr::UnixAddr::as_pathname) {
        return Claim::take(path, kind, bind).map(|(bound, claim)| (bound, Some(claim)));
    }
    let _ = (addr, kind);
    bind().map(|bound| (bound, None))
}

/// What a message may bring along.
#[cfg(unix)]
pub(crate) type Descriptor = std::os::fd::OwnedFd;
#[cfg(windows)]
pub(crate) type Descriptor = std::convert::Infallible;

/// Who is woken when the socket in which he waits is shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // Each system has one.
pub(crate) enum Woken {
    Nobody,
    /// Who waits for bytes of a peer, or for room to send them.
    Peers,
    /// Also who waits for a connection or a datagram of anybody.
    All,
}

/// One of the two ways through a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Recv,
    Send,
}

/// One call, for whichever kernel the socket belongs to.
macro_rules! either {
    ($fd:expr, $os:ident => $real:expr, $port:ident => $simulated:expr) => {
        match $fd {
            Fd::Os($os) => $real,
            #[cfg(feature = "async")]
            Fd::Sim($port) => $simulated,
        }
    };
}

impl Fd {
    /// A stream socket: non-blocking, closed on exec, never raising SIGPIPE.
    pub(crate) fn open(domain: Domain) -> io::Result<Self> {
        Self::open_as(domain, Kind::Stream)
    }

    /// As [`open`](Self::open), of any kind.
    pub(crate) fn open_as(domain: Domain, kind: Kind) -> io::Result<Self> {
        system::open(domain, kind).map(Self::Os)
    }

    /// As [`open_as`](Self::open_as), with a protocol of that number.
    pub(crate) fn open_with(domain: Domain, kind: Kind, protocol: u16) -> io::Result<Self> {
        if protocol == 0 {
            return Self::open_as(domain, kind);
        }
        let protocol = socket2::Protocol::from(i32::from(protocol));
        let socket = OsSocket::new(domain, kind.of_system(), Some(protocol))?;
        socket.set_nonblocking(true)?;
        Ok(Self::Os(socket))
    }

    /// Two connected Unix-domain sockets (`Unsupported` on Windows).
    pub(crate) fn pair(kind: Kind) -> io::Result<(Self, Self)> {
        system::pair(kind).map(|(a, b)| (Self::Os(a), Self::Os(b)))
    }

    /// The system's socket; `Unsupported` for a simulated one.
    pub(crate) fn os(&self) -> io::Result<&OsSocket> {
        either!(self, socket => Ok(socket), _port => Err(unsupported("socket is simulated")))
    }

    /// The system's socket; `Unsupported` for a simulated one, which is closed.
    pub(crate) fn into_os(self) -> io::Result<OsSocket> {
        either!(self, socket => Ok(socket), _port => Err(unsupported("socket is simulated")))
    }

    pub(crate) fn bind(&self, addr: &Addr) -> io::Result<()> {
        either!(self, socket => socket.bind(&to_sock_addr(addr)?), port => port.bind(addr))
    }

    /// Starts to listen. Systems cut `backlog` to their own limit (`somaxconn`).
    pub(crate) fn listen(&self, backlog: u32) -> io::Result<()> {
        let cut = i32::try_from(backlog).unwrap_or(i32::MAX);
        either!(self, socket => socket.listen(cut), port => port.listen(backlog))
    }

    /// Starts to connect. `true`: connected at once. `false`: under way; writable says when it is
    /// over and [`take_error`](Self::take_error) how it went.
    ///
    /// `WouldBlock` from a Unix-domain socket on Linux means that the listener's backlog is full:
    /// nothing is under way then.
    pub(crate) fn connect(&self, addr: &Addr) -> io::Result<bool> {
        either!(self,
            socket => match socket.connect(&to_sock_addr(addr)?) {
                Ok(()) => Ok(true),
                Err(error) if system::is_connecting(&error) => Ok(false),
                Err(error) => Err(error),
            },
            port => port.connect(addr))
    }

    /// Whether a connect that is under way has succeeded; its error, if it failed.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        match self.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the error that the kernel keeps for this socket.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        either!(self, socket => socket.take_error(), port => port.take_error())
    }

    /// The next connection, non-blocking and closed on exec; `WouldBlock` if there is none.
    pub(crate) fn accept(&self) -> io::Result<Accepted> {
        either!(self,
            listener => {
                let (socket, addr) = uninterrupted(|| system::accept(listener))?;
                Ok(Accepted { fd: Self::Os(socket), peer: from_sock_addr(&addr).ok() })
            },
            port => port.accept())
    }

    /// Receives what is there; 0 is the end of the stream (or an empty `space`).
    #[inline]
    pub(crate) fn recv(&self, space: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        either!(self,
            socket => uninterrupted(|| system::recv(socket, space)), port => port.recv(space))
    }

    /// As [`recv`](Self::recv), and takes what came along.
    #[cfg(windows)]
    pub(crate) fn recv_passing(
        &self,
        space: &mut [MaybeUninit<u8>],
        _fds: &mut Vec<Descriptor>,
    ) -> io::Result<usize> {
        self.recv(space)
    }

    /// Sends what fits; never raises SIGPIPE.
    #[inline]
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        either!(self,
            socket => uninterrupted(|| system::send(socket, bytes)), port => port.send(bytes))
    }

    /// Receives one datagram; what does not fit is lost (`peek`: nothing is taken). Its sender, if
    /// he has a name.
    pub(crate) fn recv_from(
        &self,
        space: &mut [u8],
        peek: bool,
    ) -> io::Result<(usize, Option<Addr>)> {
        let flags = if peek { system::PEEK } else { 0 };
        either!(self,
        socket => {
            let (count, addr) = uninterrupted(|| message::recv_from(socket, space, flags))?;
            Ok((count, from_sock_addr(&addr).ok()))
        },
        port => {
            let (count, _, addr) = port.recv_from(blocking::uninit(space), peek)?;
            Ok((count, addr))
        })
    }

    /// Whether receiving datagrams was ended: "would block" means "never" then.
    pub(crate) fn is_shut(&self) -> bool {
        self.os().is_ok_and(system::is_shut)
    }

    /// Sends one datagram, whole or not at all; without `to`: to the peer it is connected with.
    pub(crate) fn send_to(&self, bytes: &[u8], to: Option<&Addr>) -> io::Result<usize> {
        either!(self,
            socket => match to {
                None => uninterrupted(|| socket.send_with_flags(bytes, system::NOSIGNAL)),
                Some(to) => {
                    let to = to_sock_addr(to)?;
                    uninterrupted(|| socket.send_to_with_flags(bytes, &to, system::NOSIGNAL))
                }
            },
            port => port.send_to(bytes, to))
    }

    /// Whether a call on that side would not block now.
    pub(crate) fn is_ready(&self, side: Side) -> io::Result<bool> {
        either!(self,
            socket => uninterrupted(|| system::wait(socket, side, Some(Duration::ZERO))),
            port => Ok(port.is_ready(side)))
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        either!(self, socket => socket.shutdown(how), port => port.shutdown(how))
    }

    pub(crate) fn local_addr(&self) -> io::Result<Addr> {
        either!(self, socket => from_sock_addr(&socket.local_addr()?), port => port.local_addr())
    }

    pub(crate) fn peer_addr(&self) -> io::Result<Addr> {
        either!(self, socket => from_sock_addr(&socket.peer_addr()?), port => port.peer_addr())
    }
}

/// A spare descriptor: given up to shed one connection when the process has none left.
///
/// A listener out of descriptors cannot even refuse: the connection stays in the backlog and the
/// listener stays readable. With the spare it takes the connection, closes it, and goes on.
#[derive(Debug)]
pub(crate) struct Reserve(Option<OsSocket>);

impl Reserve {
    /// Takes a descriptor aside; `None` if there is none left already.
    pub(crate) fn new() -> Option<Self> {
        Some(Self(Some(system::open(Domain::IPV4, Kind::Stream).ok()?)))
    }

    /// Accepts one connection of `listener` and closes it. `true` if there was one.
    pub(crate) fn shed(&mut self, listener: &Fd) -> bool {
        drop(self.0.take());
        let shed = listener.accept().is_ok();
        self.0 = system::open(Domain::IPV4, Kind::Stream).ok();
        shed
    }
}

/// An address as the kernel wants it; `InvalidInput` says what does not fit.
pub(crate) fn to_sock_addr(addr: &Addr) -> io::Result<SockAddr> {
    match addr {
        Addr::Inet(addr) => Ok(SockAddr::from(*addr)),
        Addr::Unix(addr) => system::to_unix(addr),
        Addr::Vsock(addr) => system::to_vsock(*addr),
        Addr::Pipe(_) => Err(unsupported(NO_PIPES)),
    }
}

/// An address as the kernel gave it; `InvalidInput` for a family that is not one of ours.
pub(crate) fn from_sock_addr(addr: &SockAddr) -> io::Result<Addr> {
    if let Some(inet) = addr.as_socket() {
        Ok(Addr::Inet(inet))
    } else if addr.is_unix() {
        system::from_unix(addr).map(Addr::Unix)
    } else if let Some(vsock) = system::from_vsock(addr) {
        Ok(Addr::Vsock(vsock))
    } else {
        let what = format!("address of unknown family {}", addr.family());
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
    }
}

/// The domain that a socket for `addr` is opened in; `Unsupported` where there is none.
pub(crate) fn domain(addr: &Addr) -> io::Result<Domain> {
    match addr {
        Addr::Inet(addr) => Ok(Domain::for_address(*addr)),
        Addr::Unix(_) => Ok(Domain::UNIX),
        Addr::Vsock(_) => system::VSOCK.ok_or_else(|| unsupported(NO_VSOCK)),
        Addr::Pipe(_) => Err(unsupported(NO_PIPES)),
    }
}

const NO_PIPES: &str = "named pipes are not served yet";
const NO_VSOCK: &str = "vsock needs Linux";

/// The domain of vsock; `Unsupported` where there is none.
pub(crate) fn vsock() -> io::Result<Domain> {
    system::VSOCK.ok_or_else(|| unsupported(NO_VSOCK))
}

/// How a socket from elsewhere sends; `None` if it is none of our ways.
pub(crate) fn kind(socket: &OsSocket) -> io::Result<Option<Kind>> {
    let found = socket.r#type()?;
    let kinds = [Kind::Stream, Kind::Dgram, Kind::Seqpacket];
    Ok(kinds.into_iter().find(|kind| kind.of_system() == found))
}

/// Whether a socket from elsewhere listens, where the system tells.
pub(crate) fn listens(socket: &OsSocket) -> Option<bool> {
    option::On::Os(socket).number(&option::places::ACCEPTING).ok().map(|listens| listens != 0)
}

impl Kind {
    fn of_system(self) -> Type {
        match self {
            Self::Stream => Type::STREAM,
            Self::Dgram => Type::DGRAM,
            Self::Seqpacket => Type::SEQPACKET,
        }
    }
}

/// Repeats `call` while signals interrupt it.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A span as `poll` wants it: whole milliseconds, rounded up; -1 for ever.
fn millis(span: Option<Duration>) -> i32 {
    let up = |span: Duration| span.as_nanos().div_ceil(1_000_000);
    span.map_or(-1, |span| i32::try_from(up(span)).unwrap_or(i32::MAX))
}

fn unsupported(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

#[cfg(test)]
pub(crate) mod tests;
