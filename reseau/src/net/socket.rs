//! Sockets before they connect or listen: where options are set that cannot be set later.
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::unix::at;
use super::{Family, Inet, TcpListener, TcpStream, UnixListener, UnixStream, open};
use crate::addr::Addr;
use crate::driver;
use crate::error::{Error, Operation};
use crate::opt;
use crate::sys::{self, Domain, Fd, OsSocket, listening};

/// A TCP socket that is neither connected nor listening yet.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::{TcpSocket, TcpStream};
/// let socket = TcpSocket::new_v4()?;
/// socket.set_recv_buffer_size(1 << 20)?;
/// socket.bind("127.0.0.1:0".parse().unwrap())?;
/// let listener = socket.listen(64)?;
///
/// let socket = TcpSocket::new_v4()?;
/// socket.set_nodelay(true)?;
/// let client = socket.connect(listener.local_addr()?).await?;
/// assert!(client.nodelay()?);
/// # Ok(())
/// # })
/// # }
/// ```
pub struct TcpSocket(Fd);

/// A Unix-domain stream socket that is neither connected nor listening yet.
///
/// ```
/// # #[cfg(unix)]
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::net::UnixSocket;
/// let path = std::env::temp_dir().join(format!("step-by-step-{}", std::process::id()));
/// let socket = UnixSocket::new_stream()?;
/// socket.bind(&path)?;
/// let listener = socket.listen(64)?;
/// let mut client = UnixSocket::new_stream()?.connect(&path).await?;
/// client.send("hello").await?;
/// assert_eq!(&*listener.accept().await?.0.recv().await?.unwrap(), b"hello");
/// std::fs::remove_file(&path)
/// # })
/// # }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
pub struct UnixSocket(Fd);

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn new_v4() -> io::Result<Self> {
        fresh(Domain::IPV4).map(Self)
    }

    /// A socket for IPv6. Bound to `[::]` it is for IPv4 too, on every system that has such, unless
    /// [`set_only_v6`](Self::set_only_v6) says otherwise.
    ///
    /// # Errors
    /// When there are no descriptors left, or no IPv6 here.
    pub fn new_v6() -> io::Result<Self> {
        let fd = fresh(Domain::IPV6)?;
        listening::allow_both(fd.on());
        Ok(Self(fd))
    }

    /// A socket of std's, whatever its state; it becomes non-blocking when it connects or
    /// listens.
    #[must_use]
    pub fn from_std_stream(stream: std::net::TcpStream) -> Self {
        Self::from_socket(stream.into())
    }

    /// Connects to `addr`, on the loop of this thread or else on the global one. Dropping the
    /// future gives it up, and closes the socket.
    ///
    /// # Errors
    /// The system's; the [`Error`] inside says what was wrong.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        let (fd, home) = prepared(self.0)?;
        open::connect_with(fd, Addr::from(addr), &home).await.map(TcpStream::new)
    }

    /// Listens, on the loop of this thread or else on the global one; `backlog` connections may
    /// wait to be accepted. Systems cut the number to their own limit, and round it.
    ///
    /// # Errors
    /// The system's; the [`Error`] inside says what was wrong.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let (fd, home) = prepared(self.0)?;
        listen(&fd, backlog)?;
        Ok(TcpListener::adopt(fd, &home).told(backlog))
    }

    /// Gives the socket its address. Port 0: one that the system chooses.
    ///
    /// # Errors
    /// The system's; the [`Error`] inside says what was wrong.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        bind(&self.0, addr.into())
    }

    /// The address that the socket was bound to.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Inet::named(self.0.local_addr()?)
    }

    /// Takes the error that the system keeps for this socket.
    ///
    /// # Errors
    /// The system's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// Closing resets the connection: what is not yet delivered is dropped.
    ///
    /// # Errors
    /// The system's.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.0.set_linger(Some(Duration::ZERO))
    }

    /// How long the system, when the socket is closed, goes on with what is not yet delivered.
    /// Any but zero makes the *loop* wait in closing: take
    /// [`set_zero_linger`](Self::set_zero_linger), or leave it alone.
    ///
    /// # Errors
    /// The system's.
    #[deprecated = "a linger that is not zero makes the loop wait; take set_zero_linger"]
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.0.set_linger(linger)
    }

    /// What [`set_linger`](Self::set_linger) or [`set_zero_linger`](Self::set_zero_linger) set.
    ///
    /// # Errors
    /// The system's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.0.linger()
    }

    /// How many bytes the system may keep that were not yet received. Systems round it.
    ///
    /// # Errors
    /// The system's.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.0.set_recv_buffer_size(usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// The size that the system made of [`set_recv_buffer_size`](Self::set_recv_buffer_size).
    ///
    /// # Errors
    /// The system's.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.0.recv_buffer_size().map(|size| u32::try_from(size).unwrap_or(u32::MAX))
    }

    /// How many bytes the system may keep that were not yet acknowledged. Systems round it.
    ///
    /// # Errors
    /// The system's.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.0.set_send_buffer_size(usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// The size that the system made of [`set_send_buffer_size`](Self::set_send_buffer_size).
    ///
    /// # Errors
    /// The system's.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.0.send_buffer_size().map(|size| u32::try_from(size).unwrap_or(u32::MAX))
    }

    /// As [`tos_v4`](Self::tos_v4), under its old name.
    ///
    /// # Errors
    /// The system's.
    #[deprecated = "it is about IPv4 only: tos_v4"]
    pub fn tos(&self) -> io::Result<u32> {
        self.0.tos()
    }

    /// As [`set_tos_v4`](Self::set_tos_v4), under its old name.
    ///
    /// # Errors
    /// The system's.
    #[deprecated = "it is about IPv4 only: set_tos_v4"]
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        self.0.set_tos(tos)
    }
}

opt::named_options! {
    TcpSocket, socket => socket.0;

    /// Lets the address be bound while old connections of it linger. On Windows it lets two
    /// programs share a port, which nobody wants.
    reuseaddr, set_reuseaddr: bool => reuse_address, set_reuse_address;
    /// Lets several sockets listen on one address; the system spreads the connections. Not on
    /// Windows and illumos.
    reuseport, set_reuseport: bool => reuse_port, set_reuse_port;
    /// Asks a silent peer, from time to time, whether it is still there.
    keepalive, set_keepalive: bool => keepalive, set_keepalive;
    /// Sends small writes at once (`true`), or lets them wait for each other (Nagle's algorithm).
    nodelay, set_nodelay: bool => nodelay, set_nodelay;
    /// The type-of-service field of IPv4 packets.
    tos_v4, set_tos_v4: u32 => tos, set_tos;
    /// The traffic class of IPv6 packets.
    tclass_v6, set_tclass_v6: u32 => tclass, set_tclass;
    /// Whether an IPv6 socket takes IPv6 alone. Without it, `[::]` is for IPv4 too.
    only_v6, set_only_v6: bool => only_v6, set_only_v6;
}

impl TcpSocket {
    fn from_socket(socket: OsSocket) -> Self {
        Self(Fd::Os(socket))
    }

    /// # Panics
    ///
    /// When the socket is simulated, and so has no descriptor.
    fn into_socket(self) -> OsSocket {
        self.0.into_os().expect("a simulated socket has no descriptor")
    }

    fn socket(&self) -> &OsSocket {
        self.0.os().expect("a simulated socket has no descriptor")
    }
}

impl UnixSocket {
    /// A stream socket.
    ///
    /// # Errors
    /// When there are no descriptors left, or no Unix-domain sockets here.
    pub fn new_stream() -> io::Result<Self> {
        fresh(Domain::UNIX).map(Self)
    }

    /// Connects to the socket at `path`, as [`UnixStream::connect`] does.
    ///
    /// # Errors
    /// `InvalidInput` if the path cannot be an address; else the system's.
    pub async fn connect(self, path: impl AsRef<Path>) -> io::Result<UnixStream> {
        let addr = at(path.as_ref())?;
        let (fd, home) = prepared(self.0)?;
        open::connect_with(fd, Addr::from(addr), &home).await.map(UnixStream::new)
    }

    /// Listens, as [`TcpSocket::listen`] does.
    ///
    /// # Errors
    /// The system's; the [`Error`] inside says what was wrong.
    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        let (fd, home) = prepared(self.0)?;
        listen(&fd, backlog)?;
        Ok(UnixListener::adopt(fd, &home).told(backlog))
    }

    /// Gives the socket its address: a path, where nothing may be yet.
    ///
    /// # Errors
    /// `InvalidInput` if the path cannot be an address; else the system's.
    pub fn bind(&self, path: impl AsRef<Path>) -> io::Result<()> {
        bind(&self.0, at(path.as_ref())?.into())
    }

    fn from_socket(socket: OsSocket) -> Self {
        Self(Fd::Os(socket))
    }

    /// # Panics
    ///
    /// When the socket is simulated, and so has no descriptor.
    fn into_socket(self) -> OsSocket {
        self.0.into_os().expect("a simulated socket has no descriptor")
    }

    fn socket(&self) -> &OsSocket {
        self.0.os().expect("a simulated socket has no descriptor")
    }
}

opt::has_options!([] TcpSocket, socket => socket.0.on());
opt::fits! {
    TcpSocket: Inet Tcp Listening Fresh FreshTcp;
}

opt::has_options!([] UnixSocket, socket => socket.0.on());
opt::fits! {
    UnixSocket: Unix;
}

sys::borrows_descriptor!(TcpSocket);
sys::owns_descriptor!(TcpSocket);
sys::borrows_descriptor!(UnixSocket);
sys::owns_descriptor!(UnixSocket);

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpSocket").field(&self.0).finish()
    }
}

impl fmt::Debug for UnixSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnixSocket").field(&self.0).finish()
    }
}

/// A socket of the kernel that this thread's loop works for, else of the system's.
fn fresh(domain: Domain) -> io::Result<Fd> {
    let made = driver::here().map_or_else(|| Fd::open(domain), |home| home.open(domain));
    made.map_err(|error| Error::new(Operation::Open, error).into())
}

/// The socket on its way to a loop. It may have come from elsewhere, and block.
pub(super) fn prepared(fd: Fd) -> io::Result<(Fd, std::sync::Arc<driver::Home>)> {
    match fd {
        Fd::Os(socket) => open::adopt(socket),
        simulated => {
            let home = open::here()?;
            open::fits(&simulated, &home)?;
            Ok((simulated, home))
        }
    }
}

pub(super) fn bind(fd: &Fd, addr: Addr) -> io::Result<()> {
    let bound = fd.bind(&addr);
    bound.map_err(|error| Error::new(Operation::Bind, error).local(addr).into())
}

pub(super) fn listen(fd: &Fd, backlog: u32) -> io::Result<()> {
    fd.listen(backlog).map_err(|error| {
        let error = Error::new(Operation::Listen, error);
        match fd.local_addr() {
            Ok(addr) => error.local(addr).into(),
            Err(_) => error.into(),
        }
    })
}
