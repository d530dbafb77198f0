//! Unix-domain connections that keep records apart: [`UnixSeqpacket`], [`UnixSeqpacketListener`].
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::handle::{Handle, Ticket};
use super::unix::{UCred, at};
use super::{Datagram, Interest, Ready, Unix, open};
use crate::addr::{Addr, Family, UnixAddr};
use crate::driver::{self, Home, Side, connection};
use crate::error::{Error, Operation};
use crate::opt;
use crate::rt::sleep;
use crate::sys::{self, Domain, Fd, Kind, OsSocket, listening::Terms};

/// A Unix-domain connection of records: what is sent at once is received at once, whole and in
/// order.
///
/// All its calls take `&self`, and futures may be dropped at any time, as with
/// [`Datagram`]. Not on macOS and Windows: each way to make one fails there.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::net::UnixSeqpacket;
/// let (one, other) = UnixSeqpacket::pair()?;
/// one.send(b"a record").await?;
/// one.send(b"another").await?;
/// let mut buf = [0; 64];
/// assert_eq!(other.recv(&mut buf).await?, 8);
/// assert_eq!(other.recv(&mut buf).await?, 7);
/// drop(one);
/// assert_eq!(other.recv(&mut buf).await?, 0); // The end (or an empty record).
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(target_os = "linux"))]
/// # fn main() {}
/// ```
pub struct UnixSeqpacket {
    records: Datagram<Unix>,
}

/// A source of [`UnixSeqpacket`] connections.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::net::{UnixSeqpacket, UnixSeqpacketListener};
/// let path = std::env::temp_dir().join(format!("records-{}", std::process::id()));
/// let listener = UnixSeqpacketListener::bind(&path)?;
/// let client = UnixSeqpacket::connect(&path).await?;
/// std::fs::remove_file(&path)?;
/// let (server, _peer) = listener.accept().await?;
/// client.send(b"hello").await?;
/// assert_eq!(server.recv(&mut [0; 64]).await?, 5);
/// # Ok(())
/// # })
/// # }
/// # #[cfg(not(target_os = "linux"))]
/// # fn main() {}
/// ```
pub struct UnixSeqpacketListener {
    handle: Handle,
}

impl UnixSeqpacket {
    /// Connects to the socket at `path`, on the loop of this thread or else on the global one.
    /// Dropping the future gives it up.
    ///
    /// # Errors
    /// `InvalidInput` if the path cannot be an address; else the system's.
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::connect_addr(&at(path.as_ref())?).await
    }

    /// As [`connect`](Self::connect), to an address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_addr(addr: &UnixAddr) -> io::Result<Self> {
        let home = open::here()?;
        let opened = home.open_as(Domain::UNIX, Kind::Seqpacket);
        let fd = opened.map_err(|error| Error::new(Operation::Open, error))?;
        connect(fd, addr.clone(), &home).await
    }

    /// Two ends of a connection that have no names.
    ///
    /// # Errors
    /// When there are no descriptors left, or no such sockets here.
    pub fn pair() -> io::Result<(Self, Self)> {
        let home = open::here()?;
        let (one, other) = home.pair(Kind::Seqpacket)?;
        let adopt = |fd| Self { records: Datagram::adopt(fd, &home) };
        Ok((adopt(one), adopt(other)))
    }

    /// Receives the next record; what does not fit is lost. 0 is the end, or an empty record.
    ///
    /// # Errors
    /// The system's; `TimedOut` once the deadline has passed, until another is set.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.records.recv(buf).await
    }

    /// As [`recv`](Self::recv), without taking the record.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.records.peek(buf).await
    }

    /// As [`recv`](Self::recv), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; else as [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.records.try_recv(buf)
    }

    /// Sends a record, whole or not at all, and says its length. Waits while the peer holds too
    /// many.
    ///
    /// # Errors
    /// The system's: it is too long, the peer is gone; `TimedOut` once the deadline has passed,
    /// until another is set.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.records.send(buf).await
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else as [`send`](Self::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.records.try_send(buf)
    }

    /// Waits until there is a record, or the end.
    ///
    /// # Errors
    /// The system's.
    pub async fn readable(&self) -> io::Result<()> {
        self.records.readable().await
    }

    /// Waits until there is room for a record.
    ///
    /// # Errors
    /// The system's.
    pub async fn writable(&self) -> io::Result<()> {
        self.records.writable().await
    }

    /// Waits until one of the wanted things is ready, and says which are.
    ///
    /// # Errors
    /// The system's.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.records.ready(interest).await
    }

    /// The points in time at which receiving and sending are late; `None`: never.
    pub fn set_deadlines(&self, recv: Option<Instant>, send: Option<Instant>) {
        self.records.set_deadlines(recv, send);
    }

    /// Ends receiving, sending, or both.
    ///
    /// # Errors
    /// The system's.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.records.shutdown(how)
    }

    /// Who is at the other end, by the word of the system.
    ///
    /// # Errors
    /// `Unsupported` where the system does not tell, and for simulated sockets.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        self.records().fd().peer_credentials()
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<UnixAddr> {
        self.records.local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// The system's.
    pub fn peer_addr(&self) -> io::Result<UnixAddr> {
        self.records.peer_addr()
    }

    /// Takes the error that the system keeps for this socket.
    ///
    /// # Errors
    /// The system's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.records.take_error()
    }

    pub(super) fn records(&self) -> &Datagram<Unix> {
        &self.records
    }

    fn socket(&self) -> &OsSocket {
        self.records.descriptor()
    }
}

impl UnixSeqpacketListener {
    /// Listens at `path`, where nothing may be yet, on the loop of this thread or else on the
    /// global one, with a backlog of 511.
    ///
    /// # Errors
    /// `AddrInUse` if something is there, `InvalidInput` if the path cannot be an address; else
    /// the system's.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::bind_addr(&at(path.as_ref())?)
    }

    /// As [`bind`](Self::bind), at an address.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_addr(addr: &UnixAddr) -> io::Result<Self> {
        let home = open::here()?;
        let addr = Addr::from(addr.clone());
        match open::listen_on(&addr, Kind::Seqpacket, &Terms::default(), &home) {
            Ok(fd) => Ok(Self::adopt(fd, &home)),
            Err((operation, error)) => Err(Error::new(operation, error).local(addr).into()),
        }
    }

    pub(super) fn adopt(fd: Fd, home: &Arc<Home>) -> Self {
        Self { handle: Handle::listener(fd, home) }
    }

    /// Waits for the next connection, and says who it is. Any number of tasks may wait at the same
    /// time; dropping the future loses none.
    ///
    /// # Errors
    /// What ended the listener.
    pub async fn accept(&self) -> io::Result<(UnixSeqpacket, UnixAddr)> {
        let socket = self.handle.socket();
        let mut ticket = Ticket::new(socket, Side::Recv);
        loop {
            let found = poll_fn(|cx| socket.poll_recv(ticket.who(), cx, connection)).await;
            let found = found.map_err(|error| Error::new(Operation::Accept, error))?;
            let (fd, peer) = found.ok_or_else(driver::gone)?;
            let Some(peer) = peer.or_else(|| fd.peer_addr().ok()) else { continue };
            let records = Datagram::adopt(fd, self.handle.home());
            return Ok((UnixSeqpacket { records }, Unix::named(peer)?));
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<UnixAddr> {
        Unix::named(self.handle.fd().local_addr()?)
    }

    fn socket(&self) -> &OsSocket {
        self.handle.descriptor()
    }
}

/// Connects a socket of this kind.
pub(super) async fn connect(fd: Fd, addr: UnixAddr, home: &Arc<Home>) -> io::Result<UnixSeqpacket> {
    let addr = Addr::from(addr);
    loop {
        match fd.connect(&addr) {
            Ok(_) => return Ok(UnixSeqpacket { records: Datagram::adopt(fd, home) }),
            // A full backlog, of which no system tells when it has room again.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(AGAIN).await,
            Err(error) => return Err(Error::new(Operation::Connect, error).peer(addr).into()),
        }
    }
}

sys::borrows_descriptor!(UnixSeqpacket);
sys::borrows_descriptor!(UnixSeqpacketListener);

opt::has_options!([] UnixSeqpacket, socket => socket.records.fd().on());
opt::fits! {
    UnixSeqpacket: Unix;
}

opt::has_options!([] UnixSeqpacketListener, listener => listener.handle.fd().on());
opt::fits! {
    UnixSeqpacketListener: Unix;
}

impl fmt::Debug for UnixSeqpacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::show_as::<Unix>(self.records.handle(), "UnixSeqpacket", f)
    }
}

impl fmt::Debug for UnixSeqpacketListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::show_as::<Unix>(&self.handle, "UnixSeqpacketListener", f)
    }
}

/// When to try again to connect to a listener with a full backlog.
const AGAIN: Duration = Duration::from_millis(5);
