//! Sockets as the Codon frameworks TurboX and Conduit have them: [`Socket`].
//!
//! ```no_run
//! use reseau::sockets::codon::Socket;
//!
//! let server = Socket::new(0, 0, 0)?;
//! server.set_reuseaddr()?;
//! server.bind("0.0.0.0", 8080)?;
//! server.listen(128)?;
//! loop {
//!     let mut client = server.accept()?;
//!     let data = client.recv(1024)?;
//!     client.send(data)?;
//!     client.close();
//! }
//! # #[allow(unreachable_code)]
//! # Ok::<(), reseau::sockets::codon::Error>(())
//! ```
//!
//! The same program runs on Linux, macOS and Windows: the constants are each system's own. What is
//! there beyond the original: [`connect`](Socket::connect), [`send_all`](Socket::send_all),
//! [`local_addr`](Socket::local_addr), and families and types other than TCP over IPv4.
use std::fmt;
use std::io;

use super::{Plain, plain, port_of, resolve};
use crate::addr::{Addr, UnixAddr};
use crate::error::Operation;
use crate::sys::option::numbers;
use crate::sys::{self, Domain, OsSocket};

mod error;

pub use error::Error;

/// IPv4.
pub const AF_INET: i32 = numbers::AF_INET;
/// IPv6.
pub const AF_INET6: i32 = numbers::AF_INET6;
/// Paths of this machine: the host is the path, and the port is 0.
pub const AF_UNIX: i32 = numbers::AF_UNIX;
/// Bytes in order.
pub const SOCK_STREAM: i32 = numbers::SOCK_STREAM;
/// Datagrams.
pub const SOCK_DGRAM: i32 = numbers::SOCK_DGRAM;
/// The level of options that every socket has: 1 on Linux, 65535 on macOS.
pub const SOL_SOCKET: i32 = numbers::SOL_SOCKET;
/// The option that [`Socket::set_reuseaddr`] sets: 2 on Linux, 4 on macOS.
pub const SO_REUSEADDR: i32 = numbers::SO_REUSEADDR;

/// A socket, made step by step.
///
/// Calls wait until they are done. Dropping it closes it.
///
/// ```
/// use reseau::sockets::codon::{Error, Socket};
/// use std::thread;
///
/// let server = Socket::new(0, 0, 0)?; // IPv4 and TCP
/// server.bind("127.0.0.1", 0)?;
/// server.listen(128)?;
/// let (host, port) = server.local_addr()?;
/// let client = thread::spawn(move || {
///     let client = Socket::new(0, 0, 0)?;
///     client.connect(&host, port)?;
///     client.send("hello")?;
///     Ok::<_, Error>(())
/// });
/// let accepted = server.accept()?;
/// assert_eq!(accepted.recv(1024)?, b"hello");
/// client.join().unwrap()?;
/// assert!(matches!(accepted.recv(1024), Err(Error::EOFError)));
/// # Ok::<(), Error>(())
/// ```
pub struct Socket(Option<Plain>);

impl Socket {
    /// A new socket. 0 stands for the usual: [`AF_INET`], [`SOCK_STREAM`], and the protocol that
    /// goes with both.
    ///
    /// ```
    /// use reseau::sockets::codon::{AF_INET6, SOCK_DGRAM, Socket};
    /// let datagrams = Socket::new(AF_INET6, SOCK_DGRAM, 0)?;
    /// assert!(datagrams.fd() >= 0);
    /// # Ok::<(), reseau::sockets::codon::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ValueError`]: the system does not have such a socket, or no descriptor is left.
    pub fn new(domain: i32, sock_type: i32, protocol: i32) -> Result<Self, Error> {
        let domain = if domain == 0 { AF_INET } else { domain };
        let sock_type = if sock_type == 0 { SOCK_STREAM } else { sock_type };
        Ok(Self(Some(Plain::open(domain, sock_type, protocol)?)))
    }

    /// Closes the socket. Doing so again does nothing; every other call fails from then on.
    ///
    /// ```
    /// use reseau::sockets::codon::Socket;
    /// let mut socket = Socket::new(0, 0, 0)?;
    /// socket.close();
    /// socket.close();
    /// assert_eq!(socket.fd(), -1);
    /// assert!(socket.listen(1).is_err());
    /// # Ok::<(), reseau::sockets::codon::Error>(())
    /// ```
    pub fn close(&mut self) {
        self.0 = None;
    }

    /// Lets the port be taken again at once after the server was restarted.
    ///
    /// On Windows, where servers may do so anyway and the option means that strangers may take the
    /// port of one that runs, it is not set.
    ///
    /// # Errors
    /// [`Error::ValueError`]: the system's.
    pub fn set_reuseaddr(&self) -> Result<(), Error> {
        let plain = self.plain(Operation::SetOption)?;
        if sys::REUSE_ADDRESS {
            let set = plain.socket().set_reuse_address(true);
            set.map_err(|error| plain.failed(Operation::SetOption, error))?;
        }
        Ok(())
    }

    /// Takes an address of this machine: of `host` alone, so that a service bound to 127.0.0.1
    /// cannot be reached from elsewhere. `0.0.0.0` (or `::`) stands for all of them, and port 0
    /// for one that the system chooses.
    ///
    /// ```
    /// use reseau::sockets::codon::Socket;
    /// let server = Socket::new(0, 0, 0)?;
    /// server.bind("127.0.0.1", 0)?;
    /// assert_eq!(server.local_addr()?.0, "127.0.0.1");
    ///
    /// let error = Socket::new(0, 0, 0)?.bind("127.0.0.1", 99999).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    /// # Ok::<(), reseau::sockets::codon::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ValueError`] with host, port and the system's reason; also for a host that is not
    /// of the socket's family and a port that is none.
    pub fn bind(&self, host: &str, port: impl Into<i64>) -> Result<(), Error> {
        let plain = self.plain(Operation::Bind)?;
        let port = port.into();
        let bind = || plain.bind(&place(plain.domain(), host, port)?.swap_remove(0));
        bind().map_err(|error| Error::at(Operation::Bind, host, port, error))
    }

    /// Starts to listen; `backlog` connections may wait to be accepted.
    ///
    /// Systems cut the number to their own limit. 0 is the least that the system has.
    ///
    /// # Errors
    /// [`Error::ValueError`]: the system's.
    pub fn listen(&self, backlog: i32) -> Result<(), Error> {
        let backlog = u32::try_from(backlog).unwrap_or(0);
        Ok(self.plain(Operation::Listen)?.listen(backlog)?)
    }

    /// Waits for a connection.
    ///
    /// # Errors
    /// [`Error::ValueError`]: the system's; the socket may be asked again.
    pub fn accept(&self) -> Result<Self, Error> {
        let (client, _) = self.plain(Operation::Accept)?.accept()?;
        Ok(Self(Some(client)))
    }

    /// Connects to a host: to the first of its addresses that takes the connection.
    ///
    /// # Errors
    /// [`Error::ValueError`] with host, port and the reason of the last address. A socket that
    /// could not connect should be closed.
    pub fn connect(&self, host: &str, port: impl Into<i64>) -> Result<(), Error> {
        let plain = self.plain(Operation::Connect)?;
        let port = port.into();
        let connect = || {
            let mut last = None;
            for addr in place(plain.domain(), host, port)? {
                match plain.connect(&addr) {
                    Ok(()) => return Ok(()),
                    Err(error) => last = Some(error),
                }
            }
            Err(last.unwrap_or_else(no_address))
        };
        connect().map_err(|error| Error::at(Operation::Connect, host, port, error))
    }

    /// Waits for bytes and gives what there is, at most `size` and at most 1 MiB.
    ///
    /// # Errors
    /// [`Error::EOFError`] when the peer has closed the connection; [`Error::ValueError`]: the
    /// system's.
    pub fn recv(&self, size: usize) -> Result<Vec<u8>, Error> {
        let plain = self.plain(Operation::Recv)?;
        let mut data = vec![0; size.min(RECV_MAX)];
        let count = plain.recv(&mut data)?;
        if count == 0 && size > 0 && plain.is_stream() {
            return Err(Error::EOFError);
        }
        data.truncate(count);
        Ok(data)
    }

    /// Sends bytes and says how many: there may be room for a part of them only
    /// ([`send_all`](Self::send_all) goes on).
    ///
    /// # Errors
    /// [`Error::ValueError`]: the system's. A peer that is gone is an error, never a signal.
    pub fn send(&self, data: impl AsRef<[u8]>) -> Result<usize, Error> {
        Ok(self.plain(Operation::Send)?.send(data.as_ref())?)
    }

    /// Sends all of the bytes.
    ///
    /// # Errors
    /// As [`send`](Self::send); some of the bytes may have been sent.
    pub fn send_all(&self, data: impl AsRef<[u8]>) -> Result<(), Error> {
        Ok(self.plain(Operation::Send)?.send_all(data.as_ref())?)
    }

    /// The host and the port that the socket has: with the port that the system chose.
    ///
    /// # Errors
    /// [`Error::ValueError`]: the system's, and for a path that is not Unicode.
    pub fn local_addr(&self) -> Result<(String, u16), Error> {
        let addr = self.plain(Operation::GetOption)?.local_addr()?;
        match addr {
            Addr::Inet(addr) => Ok((addr.ip().to_string(), addr.port())),
            Addr::Unix(addr) => {
                let path = addr.as_pathname().and_then(|path| path.to_str());
                Ok((path.unwrap_or_default().to_owned(), 0))
            }
            _ => Err(no_address().into()),
        }
    }

    /// The number of the descriptor; -1 when it is closed.
    #[must_use]
    #[allow(clippy::unnecessary_fallible_conversions)] // Windows' numbers are larger.
    pub fn fd(&self) -> i64 {
        let number = |plain: &Plain| sys::blocking::number(plain.socket()).1;
        self.0.as_ref().map_or(-1, |plain| i64::try_from(number(plain)).unwrap_or(-1))
    }

    fn plain(&self, operation: Operation) -> Result<&Plain, Error> {
        let closed = || crate::Error::new(operation, plain::gone());
        self.0.as_ref().ok_or_else(|| Error::ValueError(closed()))
    }

    fn from_socket(socket: OsSocket) -> io::Result<Self> {
        Plain::adopt(socket).map(|plain| Self(Some(plain)))
    }

    fn into_socket(self) -> io::Result<OsSocket> {
        self.0.map(Plain::into_socket).ok_or_else(plain::gone)
    }
}

sys::adopts_descriptor!([] Socket, Socket::from_socket, Socket::into_socket);

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("Socket");
        form.field("fd", &self.fd());
        if let Some(Ok(addr)) = self.0.as_ref().map(Plain::local_addr) {
            form.field("addr", &addr);
        }
        form.finish()
    }
}

/// The most that one `recv` gives: room for it is made before it is known how much will come.
const RECV_MAX: usize = 1 << 20;

/// The addresses of a host that a socket of that family can have: one at least.
fn place(domain: Domain, host: &str, port: i64) -> io::Result<Vec<Addr>> {
    let port = port_of(port)?;
    if domain == Domain::UNIX {
        return Ok(vec![UnixAddr::from_pathname(host)?.into()]);
    }
    let mut addrs = resolve(host, port)?;
    addrs.retain(|addr| Domain::for_address(*addr) == domain);
    if addrs.is_empty() {
        let what = format!("{host} has no address of the socket's family");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(addrs.into_iter().map(Addr::from).collect())
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "there is no address")
}
