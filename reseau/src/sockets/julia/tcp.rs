//! Connections: `TCPSocket` and `connect`.
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, PoisonError};

use super::buffer::Buffer;
#[cfg(feature = "tls")]
use super::tls::Layer;
use super::way::Way;
use super::{Error, IPAddr, IPType, InetAddr, localhost, port};
use crate::addr::{Addr, UnixAddr};
use crate::blocking;
use crate::dns::LookupError;
use crate::sockets::plain::Plain;
use crate::sockets::shared::Shared;
use crate::sys::OsSocket;
use crate::sys::option::numbers::{AF_INET, AF_INET6, AF_UNIX, SOCK_STREAM};

/// A connection: of TCP, or of this machine's own sockets.
///
/// Calls wait, and go through a shared reference from any thread; [`close`](Self::close) ends those
/// that wait. Dropping it closes it. What has come ahead of the reader is kept in one piece of at
/// most 64 KiB; then the peer has to wait.
///
/// ```
/// use reseau::sockets::julia::{accept, connect, getsockname, listen};
///
/// let server = listen(0)?; // Of this machine alone.
/// let (_ip, port) = getsockname(&server)?;
/// let client = connect(port)?;
/// let conn = accept(&server)?;
/// client.write(b"first line\nrest")?;
/// client.closewrite()?;
/// assert_eq!(conn.readline()?, "first line");
/// assert_eq!(conn.read_to_end()?, b"rest");
/// assert!(conn.eof()?);
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
pub struct TCPSocket {
    pub(super) socket: Shared,
    pub(super) buffer: Mutex<Buffer>,
    /// How much is in the buffer, for those who do not want to wait for its lock.
    pub(super) buffered: AtomicUsize,
    /// One message after the other.
    pub(super) writing: Mutex<()>,
    /// The host that was dialled.
    #[cfg(feature = "tls")]
    pub(super) host: Option<String>,
    #[cfg(feature = "tls")]
    pub(super) layer: Layer,
}

/// Connects, and waits until it is done.
///
/// | argument | meaning |
/// |---|---|
/// | `8000` | a port of this machine (`127.0.0.1`) |
/// | `("example.com", 443)` | a host, whose addresses are raced, and a port |
/// | `(ip!("127.0.0.1"), 8000)` | an address and a port |
/// | `InetAddr { host, port }` | the same |
/// | `"/run/server.sock"` | a socket of this machine, by its path |
///
/// ```
/// use reseau::sockets::julia::{connect, getpeername, getsockname, listen, localhost};
/// let server = listen(0)?;
/// let (_, port) = getsockname(&server)?;
/// for client in [connect(port)?, connect(("localhost", port))?, connect((localhost, port))?] {
///     assert_eq!(getpeername(&client)?, (localhost.into(), port));
/// }
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// [`Error::ArgumentError`] for a port out of range, [`Error::DNSError`] for a host without an
/// address, [`Error::IOError`] if the peer cannot be reached.
pub fn connect(to: impl Remote) -> Result<TCPSocket, Error> {
    to.connect()
}

/// What [`connect`] takes.
pub trait Remote {
    /// Connects to it.
    ///
    /// # Errors
    /// As of [`connect`].
    fn connect(self) -> Result<TCPSocket, Error>;
}

impl TCPSocket {
    pub(super) fn new(plain: Plain) -> Self {
        Self {
            socket: Shared::new(plain),
            buffer: Mutex::default(),
            buffered: AtomicUsize::new(0),
            writing: Mutex::default(),
            #[cfg(feature = "tls")]
            host: None,
            #[cfg(feature = "tls")]
            layer: Layer::plain(),
        }
    }

    #[cfg_attr(not(feature = "tls"), allow(unused_mut, unused_variables))]
    fn of(mut self, host: impl ToString) -> Self {
        #[cfg(feature = "tls")]
        {
            self.host = Some(host.to_string());
        }
        self
    }

    #[cfg(feature = "tls")]
    pub(super) fn with(mut self, layer: Layer) -> Self {
        self.layer = layer;
        self
    }

    /// How its bytes go, for the time of a call. What is to speak TLS has negotiated it then.
    pub(super) fn way(&self) -> Result<Way, Error> {
        let plain = self.socket.get()?;
        #[cfg(feature = "tls")]
        if let Some(tls) = self.layer.over(&plain)? {
            return Ok(Way::Tls(plain, tls));
        }
        Ok(Way::Plain(plain))
    }

    /// The same, if nothing is to be waited for.
    pub(super) fn way_at_once(&self) -> Option<Way> {
        let plain = self.socket.get().ok()?;
        #[cfg(feature = "tls")]
        if self.layer.is_due() {
            return None;
        } else if let Some(tls) = self.layer.at_once() {
            return Some(Way::Tls(plain, tls));
        }
        Some(Way::Plain(plain))
    }

    /// Whether it is closed here, or is about to be.
    pub(super) fn is_closed(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.layer.is_closed() {
            return true;
        }
        !self.socket.is_open()
    }

    /// Sends all of the bytes, and says how many they are.
    ///
    /// # Errors
    /// [`Error::IOError`]; some of the bytes may have been sent.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        let way = self.way()?;
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        way.send_all(bytes)?;
        Ok(bytes.len())
    }

    /// Does nothing: what was written is the system's already.
    ///
    /// # Errors
    /// [`Error::IOError`] on a closed socket.
    pub fn flush(&self) -> Result<(), Error> {
        self.socket.get()?;
        Ok(())
    }

    /// Says that nothing more will be written: the peer reads to the end, and may answer.
    ///
    /// # Errors
    /// [`Error::IOError`] on a closed socket, or if the connection is gone.
    pub fn closewrite(&self) -> Result<(), Error> {
        let way = self.way()?;
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(way.closewrite()?)
    }

    /// Closes the connection: calls that wait for it return. Doing so again does nothing.
    ///
    /// What has come and was not read yet can still be read; then it is the end.
    ///
    /// By TLS the peer is told that it was all, if that needs no waiting.
    pub fn close(&self) {
        #[cfg(feature = "tls")]
        self.layer.close();
        self.socket.close();
        // Whoever negotiated until now has left something there, perhaps.
        #[cfg(feature = "tls")]
        self.layer.close();
    }

    /// Whether it was not [closed](Self::close) on this side.
    #[must_use]
    pub fn isopen(&self) -> bool {
        self.socket.is_open()
    }
}

fn reach(addr: &Addr) -> Result<TCPSocket, Error> {
    let domain = match addr {
        Addr::Inet(addr) if addr.is_ipv4() => AF_INET,
        Addr::Inet(_) => AF_INET6,
        _ => AF_UNIX,
    };
    let plain = Plain::open(domain, SOCK_STREAM, 0)?;
    plain.connect(addr)?;
    let socket = TCPSocket::new(plain);
    Ok(match addr {
        Addr::Inet(addr) => socket.of(addr.ip()),
        _ => socket,
    })
}

/// What dialling a host failed with.
fn failed(host: &str, error: io::Error) -> Error {
    match LookupError::of(&error) {
        Some(_) => Error::lookup(host, error),
        None if error.kind() == io::ErrorKind::InvalidInput => {
            Error::ArgumentError(error.to_string())
        }
        None => error.into(),
    }
}

macro_rules! ports {
    ($($port:ident)+) => {$(
        /// A port of `127.0.0.1`.
        impl Remote for $port {
            fn connect(self) -> Result<TCPSocket, Error> {
                connect((localhost, i64::from(self)))
            }
        }
    )+};
}

ports!(i32 i64 u16 u32);

macro_rules! addresses {
    ($($ip:ty),+) => {$(
        impl<P: Into<i64>> Remote for ($ip, P) {
            fn connect(self) -> Result<TCPSocket, Error> {
                connect(InetAddr { host: IPAddr::from(self.0), port: port(self.1)? })
            }
        }
    )+};
}

addresses!(super::IPv4, super::IPv6, IPAddr, Ipv4Addr, Ipv6Addr, IpAddr);

impl<T: IPType> Remote for InetAddr<T> {
    fn connect(self) -> Result<TCPSocket, Error> {
        reach(&self.std().into())
    }
}

/// A host and a port: its addresses are raced (RFC 8305).
impl<P: Into<i64>> Remote for (&str, P) {
    fn connect(self) -> Result<TCPSocket, Error> {
        let (host, port) = (self.0, port(self.1)?);
        match blocking::connect((host, port)).wait() {
            Ok(blocking::Stream::Tcp(stream)) => {
                let socket = OsSocket::from(TcpStream::from(stream));
                Ok(TCPSocket::new(Plain::adopt(socket)?).of(host))
            }
            Ok(_) => Err(Error::argument(format!("{host} is no host"))),
            Err(error) => Err(failed(host, error)),
        }
    }
}

impl<P: Into<i64>> Remote for (String, P) {
    fn connect(self) -> Result<TCPSocket, Error> {
        connect((self.0.as_str(), self.1))
    }
}

macro_rules! paths {
    ($($path:ty),+) => {$(
        /// A path.
        impl Remote for $path {
            fn connect(self) -> Result<TCPSocket, Error> {
                reach(&path(self.as_ref())?)
            }
        }
    )+};
}

paths!(&str, String, &Path, PathBuf);

/// The address that a path is. Named pipes of Windows are not served yet.
pub(super) fn path(path: &Path) -> Result<Addr, Error> {
    if path.to_str().is_some_and(|text| text.starts_with(PIPES)) {
        let what = "named pipes are not served yet";
        return Err(io::Error::new(io::ErrorKind::Unsupported, what).into());
    }
    let addr = UnixAddr::from_pathname(path);
    addr.map(Addr::from).map_err(|error| Error::ArgumentError(error.to_string()))
}

/// What the names of all pipes begin with.
const PIPES: &str = r"\\.\pipe\";

impl fmt::Debug for TCPSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("TCPSocket");
        match self.socket.get() {
            Err(_) => form.field("open", &false),
            Ok(socket) => form.field("addr", &socket.local_addr().ok()),
        };
        form.finish()
    }
}
