//! Sockets of any family and kind before they are bound, connected or listen; and descriptors from
//! elsewhere, which are looked at before they are taken for what they are said to be.
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;

use super::seqpacket::{self, UnixSeqpacket, UnixSeqpacketListener};
use super::socket::{bind, listen, prepared};
use super::{Datagram, Family, Inet, Listener, Stream, Unix, detach, open};
use crate::addr::Which;
use crate::addr::kind::{self, Kind, sealed::Way};
use crate::driver;
use crate::error::{Error, Operation};
use crate::opt;
use crate::sys::{self, Domain, Fd, OsSocket, listening};

/// A socket that is not connected and does not listen yet: where options are set that cannot be
/// set later, and protocols chosen.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::{Inet, Socket, kind, opt};
/// let socket = Socket::<Inet, kind::Stream>::new()?;
/// socket.set(opt::ReuseAddress(true))?;
/// socket.bind("127.0.0.1:0".parse().unwrap())?;
/// let listener = socket.listen(64)?;
///
/// let client = Socket::<Inet, kind::Stream>::new()?;
/// client.set(opt::Nodelay(true))?;
/// let mut client = client.connect(listener.local_addr()?).await?;
/// client.send("hello").await?;
/// # Ok(())
/// # })
/// # }
/// ```
///
/// Descriptors from elsewhere (a supervisor's, another library's) become sockets of every type by
/// `try_from`, which looks at them first: at their kind, their family, and whether they listen.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::{TcpListener, TcpStream};
/// # #[cfg(unix)]
/// use std::os::fd::OwnedFd;
/// # #[cfg(windows)]
/// # use std::os::windows::io::OwnedSocket as OwnedFd;
/// let inherited = || std::net::TcpListener::bind("127.0.0.1:0").map(OwnedFd::from);
/// let listener = TcpListener::try_from(inherited()?)?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (server, _) = listener.accept().await?;
/// let back = OwnedFd::try_from(server)?;
///
/// let error = TcpStream::try_from(inherited()?).unwrap_err();
/// assert_eq!(error.to_string(), "adopt: the descriptor listens: it is no stream");
/// # drop((client, back));
/// # Ok(())
/// # })
/// # }
/// ```
pub struct Socket<F: Family, K: Kind = kind::Stream> {
    fd: Fd,
    kind: PhantomData<fn() -> (F, K)>,
}

impl<F: Family, K: Kind> Socket<F, K> {
    /// A new socket; of IP, one for IPv4.
    ///
    /// # Errors
    /// `Unsupported` if there is no such thing here; else the system's.
    pub fn new() -> io::Result<Self> {
        Self::open(F::DOMAIN, 0)
    }

    /// As [`new`](Self::new), with a protocol of that number (0: the usual one). MPTCP, for one,
    /// is 262 on Linux.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{Inet, Socket, TcpListener, kind, opt};
    /// const MPTCP: u16 = 262;
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let socket = match Socket::<Inet, kind::Stream>::with_protocol(MPTCP) {
    ///     Ok(socket) => socket,
    ///     Err(_) => Socket::new()?, // This kernel has none, or it is switched off.
    /// };
    /// let client = socket.connect(listener.local_addr()?).await?;
    /// if let Ok(opt::Multipath(multipath)) = client.get() {
    ///     assert!(!multipath, "the listener speaks plain TCP");
    /// }
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_protocol(protocol: u16) -> io::Result<Self> {
        Self::open(F::DOMAIN, protocol)
    }

    /// Gives the socket its address.
    ///
    /// # Errors
    /// The system's; the [`Error`] inside says what was wrong.
    pub fn bind(&self, addr: F::Addr) -> io::Result<()> {
        bind(&self.fd, addr.into())
    }

    /// The address that the socket was bound to.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<F::Addr> {
        F::named(self.fd.local_addr()?)
    }

    fn open(domain: fn() -> io::Result<Domain>, protocol: u16) -> io::Result<Self> {
        let opened = domain().and_then(|domain| match (driver::here(), protocol) {
            (Some(home), 0) => home.open_as(domain, K::WAY.into()),
            (Some(home), _) if home.world().is_some() => {
                let what = "simulated sockets have the usual protocols";
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
            _ => Fd::open_with(domain, K::WAY.into(), protocol),
        });
        let fd = opened.map_err(|error| Error::new(Operation::Open, error))?;
        Ok(Self { fd, kind: PhantomData })
    }

    fn from_checked(socket: OsSocket) -> io::Result<Self> {
        check::<F>(&socket, K::WAY, None)?;
        Ok(Self { fd: Fd::Os(socket), kind: PhantomData })
    }

    fn into_checked(self) -> io::Result<OsSocket> {
        self.fd.into_os()
    }
}

impl<K: Kind> Socket<Inet, K> {
    /// A new socket for IPv6. Bound to `[::]` it is for IPv4 too, on every system that has such,
    /// unless [`opt::OnlyV6`] is set.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{Inet, Socket, TcpStream, kind, opt};
    /// let Ok(socket) = Socket::<Inet, kind::Stream>::new_v6() else {
    ///     return Ok(()); // No IPv6 here.
    /// };
    /// socket.set(opt::OnlyV6(false))?; // IPv4 too, as mapped addresses.
    /// socket.bind("[::]:0".parse().unwrap())?;
    /// let listener = socket.listen(64)?;
    /// let port = listener.local_addr()?.port();
    /// let _client = TcpStream::connect(("127.0.0.1", port)).await?;
    /// let (_, peer) = listener.accept().await?;
    /// assert!(peer.to_string().starts_with("[::ffff:127.0.0.1]:"));
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn new_v6() -> io::Result<Self> {
        let socket = Self::open(|| Ok(Domain::IPV6), 0)?;
        listening::allow_both(socket.fd.on());
        Ok(socket)
    }

    /// A new socket of the family of `addr`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_addr(addr: &SocketAddr) -> io::Result<Self> {
        if addr.is_ipv4() { Self::new() } else { Self::new_v6() }
    }
}

impl<F: Family> Socket<F, kind::Stream> {
    /// Listens, on the loop of this thread or else on the global one; `backlog` connections may
    /// wait to be accepted. Systems cut the number to their own limit, and round it.
    ///
    /// # Errors
    /// The system's; the [`Error`] inside says what was wrong.
    pub fn listen(self, backlog: u32) -> io::Result<Listener<F>> {
        let (fd, home) = prepared(self.fd)?;
        listen(&fd, backlog)?;
        Ok(Listener::adopt(fd, &home).told(backlog))
    }

    /// Connects to `addr`, on the loop of this thread or else on the global one. Dropping the
    /// future gives it up, and closes the socket.
    ///
    /// # Errors
    /// The system's; the [`Error`] inside says what was wrong.
    pub async fn connect(self, addr: F::Addr) -> io::Result<Stream<F>> {
        let (fd, home) = prepared(self.fd)?;
        open::connect_with(fd, addr.into(), &home).await.map(Stream::new)
    }
}

impl<F: Family> Socket<F, kind::Dgram> {
    /// Puts it on the loop of this thread, or else on the global one.
    ///
    /// # Errors
    /// When the global loop cannot be started.
    pub fn into_datagram(self) -> io::Result<Datagram<F>> {
        let (fd, home) = prepared(self.fd)?;
        Ok(Datagram::adopt(fd, &home))
    }

    /// As [`into_datagram`](Self::into_datagram), to send to and receive from `addr` alone.
    ///
    /// # Errors
    /// The system's; the [`Error`] inside says what was wrong.
    pub fn connect(self, addr: F::Addr) -> io::Result<Datagram<F>> {
        let (fd, home) = prepared(self.fd)?;
        let addr = addr.into();
        match fd.connect(&addr) {
            Ok(_) => Ok(Datagram::adopt(fd, &home)),
            Err(error) => Err(Error::new(Operation::Connect, error).peer(addr).into()),
        }
    }
}

impl Socket<Unix, kind::Seqpacket> {
    /// Listens, as a stream does.
    ///
    /// # Errors
    /// The system's; the [`Error`] inside says what was wrong.
    pub fn listen(self, backlog: u32) -> io::Result<UnixSeqpacketListener> {
        let (fd, home) = prepared(self.fd)?;
        listen(&fd, backlog)?;
        Ok(UnixSeqpacketListener::adopt(fd, &home))
    }

    /// Connects to `addr`. Dropping the future gives it up, and closes the socket.
    ///
    /// # Errors
    /// The system's; the [`Error`] inside says what was wrong.
    pub async fn connect(self, addr: crate::addr::UnixAddr) -> io::Result<UnixSeqpacket> {
        let (fd, home) = prepared(self.fd)?;
        seqpacket::connect(fd, addr, &home).await
    }
}

opt::has_options!([F: Family, K: Kind] Socket<F, K>, socket => socket.fd.on());
opt::fits! {
    Socket<Inet, kind::Stream>: Inet Tcp Listening Fresh FreshTcp;
    Socket<Inet, kind::Dgram>: Inet Udp Datagram Fresh;
    Socket<Unix, kind::Stream>: Unix;
    Socket<Unix, kind::Dgram>: Unix Datagram;
    Socket<Unix, kind::Seqpacket>: Unix;
}

/// Descriptors from elsewhere, and their way back. Those that come are looked at: their kind,
/// their family, and whether they listen; what does not fit is `InvalidInput`, and closed.
macro_rules! adopts {
    ($([$($generics:tt)*] $type:ty, $from:expr, $into:expr;)*) => {$(
        sys::adopts_descriptor!([$($generics)*] $type, $from, $into);
    )*};
}

adopts! {
    [F: Family, K: Kind] Socket<F, K>, Self::from_checked, Socket::into_checked;
    [F: Family] Stream<F>,
        |socket: OsSocket| {
            check::<F>(&socket, Way::Stream, Some(false))?;
            open::adopt(socket).map(|(fd, home)| Self::adopt(fd, &home))
        },
        |stream: Stream<F>| detach::into_os(stream.into_handle());
    [F: Family] Listener<F>,
        |socket: OsSocket| {
            check::<F>(&socket, Way::Stream, Some(true))?;
            open::adopt(socket).map(|(fd, home)| Self::adopt(fd, &home))
        },
        |listener: Listener<F>| detach::into_os(listener.into_handle());
    [F: Family] Datagram<F>,
        |socket: OsSocket| {
            check::<F>(&socket, Way::Dgram, None)?;
            open::adopt(socket).map(|(fd, home)| Self::adopt(fd, &home))
        },
        |datagram: Datagram<F>| detach::into_os(datagram.into_handle());
}

/// Whether a socket is what it is said to be.
pub(super) fn check<F: Family>(
    socket: &OsSocket,
    way: Way,
    listens: Option<bool>,
) -> io::Result<()> {
    let wrong = |what: String| {
        let cause = io::Error::new(io::ErrorKind::InvalidInput, what);
        Err(Error::new(Operation::Adopt, cause).into())
    };
    let kind = sys::kind(socket)?;
    if kind != Some(way.into()) {
        let is =
            kind.map_or_else(|| "of another kind".to_owned(), |kind| format!("a {kind:?} socket"));
        return wrong(format!("the descriptor is {is}, not a {way:?} one"));
    }
    // Of one that has no address yet, not every system says what it would be.
    if let Ok(domain) = socket.local_addr().map(|addr| addr.domain())
        && !F::is_domain(domain)
    {
        return wrong(format!("the descriptor is of the family {domain:?}, not of {}", F::STREAM));
    }
    match (listens, sys::listens(socket)) {
        (Some(true), Some(false)) => wrong("the descriptor does not listen".to_owned()),
        (Some(false), Some(true)) => wrong("the descriptor listens: it is no stream".to_owned()),
        _ => Ok(()),
    }
}

impl From<Way> for sys::Kind {
    fn from(way: Way) -> Self {
        match way {
            Way::Stream => Self::Stream,
            Way::Dgram => Self::Dgram,
            Way::Seqpacket => Self::Seqpacket,
        }
    }
}

/// The domains of a family.
trait Domains {
    const DOMAIN: fn() -> io::Result<Domain>;
    fn is_domain(domain: Domain) -> bool;
}

impl<F: Family> Domains for F {
    const DOMAIN: fn() -> io::Result<Domain> = || match F::FAMILY {
        Which::Inet => Ok(Domain::IPV4),
        Which::Unix => Ok(Domain::UNIX),
        Which::Vsock => sys::vsock(),
        Which::Any => {
            let what = "a new socket needs a family";
            Err(io::Error::new(io::ErrorKind::Unsupported, what))
        }
    };

    fn is_domain(domain: Domain) -> bool {
        match F::FAMILY {
            Which::Inet => domain == Domain::IPV4 || domain == Domain::IPV6,
            Which::Unix => domain == Domain::UNIX,
            Which::Vsock => sys::vsock().is_ok_and(|vsock| vsock == domain),
            Which::Any => true,
        }
    }
}

impl<F: Family, K: Kind> fmt::Debug for Socket<F, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.fd).finish()
    }
}
