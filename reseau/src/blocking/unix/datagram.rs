//! Unix-domain datagrams: [`UnixDatagram`].
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::addr::{Addr, UnixAddr};
use crate::blocking::calls;
use crate::blocking::handle::{self, Handle, checked_timeout};
use crate::opt;
use crate::sys::blocking::PEEK;
use crate::sys::option::On;
use crate::sys::{self, Domain, Kind, OsSocket, Side, message};

/// A Unix-domain socket that sends datagrams, as `std::os::unix::net::UnixDatagram` and more (see
/// [the module](crate::blocking)).
///
/// Its datagrams are not lost and come in order; who sends waits while the receiver holds too
/// many. Its file stays when it is dropped. Windows has none: each way to make one fails with
/// `Unsupported` there.
///
/// ```
/// # #[cfg(unix)]
/// # fn main() -> std::io::Result<()> {
/// use reseau::blocking::unix::UnixDatagram;
///
/// let (one, other) = UnixDatagram::pair()?;
/// one.send(b"hello")?;
/// let mut buf = [0; 64];
/// let len = other.recv(&mut buf)?;
/// assert_eq!(&buf[..len], b"hello");
/// # Ok(())
/// # }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
pub struct UnixDatagram(pub(super) Handle);

impl UnixDatagram {
    /// Takes the name `path`, where nothing may be yet.
    ///
    /// # Errors
    /// `AddrInUse` if something is there, `InvalidInput` if the path cannot be an address; else
    /// the system's.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::blocking::unix::UnixDatagram;
    ///
    /// let path = std::env::temp_dir().join(format!("datagrams-{}", std::process::id()));
    /// let server = UnixDatagram::bind(&path)?;
    /// UnixDatagram::unbound()?.send_to(b"hello", &path)?;
    /// let (len, peer) = server.recv_from(&mut [0; 64])?;
    /// assert!(len == 5 && peer.is_unnamed());
    /// std::fs::remove_file(&path)
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::bind_addr(&UnixAddr::from_pathname(path)?)
    }

    /// As [`bind`](Self::bind), at an address.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::{UnixAddr, blocking::UnixDatagram};
    ///
    /// let name = UnixAddr::from_abstract_name(format!("letters-{}", std::process::id()))?;
    /// let own = UnixDatagram::bind_addr(&name)?; // There is no file.
    /// own.send_to_addr(b"to myself", &name)?;
    /// assert_eq!(own.recv_from(&mut [0; 64])?, (9, name));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn bind_addr(addr: &UnixAddr) -> io::Result<Self> {
        handle::bind([Addr::from(addr.clone())]).map(Self)
    }

    /// A socket without a name: whom it sends to cannot answer.
    ///
    /// # Errors
    /// When there are no descriptors left; `Unsupported` on Windows.
    pub fn unbound() -> io::Result<Self> {
        sys::blocking::open(Domain::UNIX, Kind::Dgram).map(Self::from_socket)
    }

    /// Two sockets that are connected to each other and have no names.
    ///
    /// # Errors
    /// When there are no descriptors left; `Unsupported` on Windows.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::blocking::UnixDatagram;
    ///
    /// let (one, other) = UnixDatagram::pair()?;
    /// one.send(b"first")?;
    /// one.send(b"second")?; // In order, and apart.
    /// let mut buf = [0; 64];
    /// assert_eq!((other.recv(&mut buf)?, other.recv(&mut buf)?), (5, 6));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn pair() -> io::Result<(Self, Self)> {
        Handle::pair(Kind::Dgram).map(|(one, other)| (Self(one), Self(other)))
    }

    /// Sends to the socket at `path` from now on, and receives from it alone.
    ///
    /// # Errors
    /// `InvalidInput` if the path cannot be an address; else the system's: nobody is there.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.connect_addr(&UnixAddr::from_pathname(path)?)
    }

    /// As [`connect`](Self::connect), to an address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_addr(&self, addr: &UnixAddr) -> io::Result<()> {
        self.0.reconnect([Addr::from(addr.clone())])
    }

    /// Receives the next datagram, and says whose it is. What does not fit is lost.
    ///
    /// # Errors
    /// The system's.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, UnixAddr)> {
        self.take_from(buf, 0)
    }

    /// As [`recv_from`](Self::recv_from), without taking the datagram.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, UnixAddr)> {
        self.take_from(buf, PEEK)
    }

    /// As [`recv_from`](Self::recv_from), for whom the sender does not matter.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.receive(|| 0, |socket, flags| message::recv(socket, buf, flags))
    }

    /// As [`recv`](Self::recv), without taking the datagram.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.receive(|| 0, |socket, flags| message::recv(socket, buf, flags | PEEK))
    }

    /// Sends a datagram to the socket at `path`, whole or not at all, and says its length.
    ///
    /// # Errors
    /// `InvalidInput` if the path cannot be an address; else the system's: it is too long, nobody
    /// is there.
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        self.send_to_addr(buf, &UnixAddr::from_pathname(path)?)
    }

    /// As [`send_to`](Self::send_to), to an address.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    pub fn send_to_addr(&self, buf: &[u8], addr: &UnixAddr) -> io::Result<usize> {
        let to = sys::to_sock_addr(&Addr::from(addr.clone()))?;
        self.0.on(Side::Send, |socket, flags| message::send_to(socket, buf, Some(&to), flags))
    }

    /// Sends a datagram to the socket that this one is connected with, whole or not at all, and
    /// says its length.
    ///
    /// # Errors
    /// The system's: it is too long, nobody is there (`NotConnected`, `ConnectionRefused`).
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.on(Side::Send, |socket, flags| message::send_to(socket, buf, None, flags))
    }

    /// Ends receiving, sending, or both: calls that wait for it return.
    ///
    /// # Errors
    /// `NotConnected` if it is not connected.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().shutdown(how)
    }

    fn take_from(&self, buf: &mut [u8], peek: i32) -> io::Result<(usize, UnixAddr)> {
        let taken = self.0.receive(
            || None,
            |socket, flags| message::recv_from(socket, buf, flags | peek).map(Some),
        );
        match taken? {
            Some((len, addr)) => Ok((len, handle::unix(&addr)?)),
            None => Ok((0, UnixAddr::unnamed())),
        }
    }
}

calls::handle!(
    UnixDatagram, UnixAddr, handle::unix,
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::blocking::unix::UnixDatagram;
    /// use std::io::ErrorKind;
    /// use std::time::{Duration, Instant};
    ///
    /// let (one, _other) = UnixDatagram::pair()?;
    /// one.set_deadlines(Some(Instant::now() + Duration::from_millis(5)), None);
    /// assert_eq!(one.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::TimedOut);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
);

opt::has_options!([] UnixDatagram, socket => On::Os(socket.socket()));
opt::fits! {
    UnixDatagram: Unix Datagram Waiting;
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::shown(self.socket(), "UnixDatagram", f)
    }
}
