//! Listeners: `TCPServer`, `listen`, `listenany`, `accept`.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
#[cfg(feature = "tls")]
use std::sync::OnceLock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[cfg(feature = "tls")]
use super::tls::Layer;
use super::{Bind, Error, IPAddr, IPType, InetAddr, TCPSocket, localhost, port, tcp};
use crate::addr::Addr;
use crate::error::{self, Class};
use crate::sockets::plain::Plain;
use crate::sockets::shared::Shared;
use crate::sys::option::numbers::{AF_INET, AF_INET6, AF_UNIX, SOCK_STREAM};
use crate::sys::{self, Claim, Kind};
#[cfg(feature = "tls")]
use crate::tls;

/// A socket that listens, or will: of TCP, or of this machine's own.
///
/// Clones are the same server. It is closed by [`close`](Self::close), or with the last of them:
/// who waits for a connection is told so.
///
/// ```
/// use reseau::sockets::julia::{Error, TCPServer, accept, bind, listen, localhost};
/// let server = TCPServer::new();
/// assert!(matches!(accept(&server), Err(Error::ArgumentError(_))), "it does not listen");
/// assert!(bind(&server, localhost, 0)?);
/// listen(&server)?;
/// server.close();
/// assert!(!server.isopen());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct TCPServer(Arc<Owner>);

/// Closes the server when nobody has it any more, although somebody may still wait in it.
struct Owner(Arc<Server>);

struct Server {
    state: Mutex<State>,
    #[cfg(feature = "tls")]
    tls: OnceLock<tls::Server>,
}

/// The keywords of [`listen_with`].
///
/// ```
/// use reseau::sockets::julia::{Listen, listen_with};
/// let server = listen_with(0, Listen { backlog: 16, ..Listen::default() })?;
/// assert!(server.isopen());
/// listen_with(0, 16)?; // The backlog alone.
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Listen {
    /// How many connections may wait to be accepted.
    pub backlog: u32,
    /// Speaks TLS with those who connect; without it, what follows says nothing.
    #[cfg(feature = "tls")]
    pub tls: bool,
    /// All of it in one value. What follows then counts no more.
    #[cfg(feature = "tls")]
    pub tls_options: Option<tls::Server>,
    /// A file with the chain that is shown, and with its key unless that has a file of its own.
    #[cfg(feature = "tls")]
    pub ssl_cert: Option<PathBuf>,
    /// A file with its key.
    #[cfg(feature = "tls")]
    pub ssl_key: Option<PathBuf>,
    /// Clients are asked for no certificate, which is so without it, too: who wants to ask them
    /// does so by `tls_options`.
    #[cfg(feature = "tls")]
    pub ssl_insecure: bool,
    /// The protocols that are spoken, the best first, with semicolons between them.
    #[cfg(feature = "tls")]
    pub alpn_list: Option<String>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            backlog: super::BACKLOG_DEFAULT,
            #[cfg(feature = "tls")]
            tls: false,
            #[cfg(feature = "tls")]
            tls_options: None,
            #[cfg(feature = "tls")]
            ssl_cert: None,
            #[cfg(feature = "tls")]
            ssl_key: None,
            #[cfg(feature = "tls")]
            ssl_insecure: false,
            #[cfg(feature = "tls")]
            alpn_list: None,
        }
    }
}

/// A backlog alone.
impl From<u32> for Listen {
    #[allow(clippy::needless_update)] // Without TLS it is all there is.
    fn from(backlog: u32) -> Self {
        Self { backlog, ..Self::default() }
    }
}

enum State {
    /// Without an address.
    Init,
    Bound(Plain),
    /// The claim goes first, so that nobody finds the file of a server that is gone.
    Listening(Option<Claim>, Arc<Shared>),
    Closed,
}

/// Listens, on `127.0.0.1` unless the argument says otherwise, with a backlog of
/// [511](super::BACKLOG_DEFAULT).
///
/// | argument | meaning |
/// |---|---|
/// | `8000` | a port, for programs of this machine alone; 0: one that the system chooses |
/// | `(IPv4(0), 8000)` | an address and a port: 0 is every address that the machine has |
/// | `(IPv6(0), 8000)` | the same, of both families |
/// | `InetAddr { host, port }` | an address and a port |
/// | `"/run/server.sock"` | a socket of this machine, by its path |
/// | `&server` | a [`TCPServer`] that has an address by [`bind`](super::bind) |
///
/// ```
/// use reseau::sockets::julia::{IPv4, getsockname, listen};
/// let (ip, _) = getsockname(&listen(0)?)?;
/// assert_eq!(ip.to_string(), "127.0.0.1");
/// let (ip, port) = getsockname(&listen((IPv4(0), 0))?)?;
/// assert_eq!(ip.to_string(), "0.0.0.0");
/// assert_ne!(port, 0);
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// [`Error::ArgumentError`] for a port out of range, [`Error::IOError`] if the address cannot be
/// had.
pub fn listen(at: impl Local) -> Result<TCPServer, Error> {
    listen_with(at, Listen::default())
}

/// As [`listen`], with a backlog (how many connections may wait to be accepted), or with all the
/// keywords there are: a server of TLS is made by them, too.
///
/// # Errors
/// As [`listen`]; [`Error::ArgumentError`] for a certificate or a key that is none.
pub fn listen_with(at: impl Local, how: impl Into<Listen>) -> Result<TCPServer, Error> {
    at.listen(&how.into())
}

/// Listens on the port of the hint, or on the next one that is free, and says which: after 65535
/// comes 1. With 0, the system chooses.
///
/// ```
/// use reseau::sockets::julia::{listenany, localhost};
/// let (port, _server) = listenany(localhost, 8000)?;
/// let (next, _other) = listenany(localhost, port)?;
/// assert_ne!(port, next);
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// [`Error::ErrorException`] "no ports available" when it comes to the hint again;
/// [`Error::IOError`] for what no other port would help against: the machine does not have the
/// address.
pub fn listenany(
    host: impl Into<IPAddr>,
    port_hint: impl Into<i64>,
) -> Result<(u16, TCPServer), Error> {
    let (host, hint) = (host.into(), port(port_hint)?);
    let mut port = hint;
    loop {
        match listen(InetAddr { host, port }) {
            Ok(server) => return Ok((super::getsockname(&server)?.1, server)),
            Err(Error::IOError(error)) if another_may_do(&error) => {}
            Err(error) => return Err(error),
        }
        port = if port == u16::MAX { 1 } else { port + 1 };
        if port == hint || hint == 0 {
            return Err(Error::state("no ports available"));
        }
    }
}

/// Whether the next port may be had where this one cannot: it is taken, or only for the mighty.
fn another_may_do(error: &error::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::AddrInUse | std::io::ErrorKind::PermissionDenied)
}

/// Waits for a connection.
///
/// # Errors
/// [`Error::ArgumentError`] if it does not listen; [`Error::IOError`] of the kind
/// `ConnectionAborted` when it is closed, else the system's: the server may be asked again.
pub fn accept(server: &TCPServer) -> Result<TCPSocket, Error> {
    server.0.0.accept()
}

/// Accepts connections on a thread of its own and gives each to `callback`, one after the other,
/// until the server is closed. (A callback that takes long should start a thread.) A connection
/// that went wrong before it was accepted is passed over, and a lack of descriptors waited out.
///
/// ```
/// use reseau::sockets::julia::{accept_with, connect, getsockname, listen};
/// let server = listen(0)?;
/// let task = accept_with(
///     |client| {
///         let _ = client.write(b"hello");
///     },
///     &server,
/// )?;
/// let client = connect(getsockname(&server)?.1)?;
/// assert_eq!(client.read_to_end()?, b"hello");
/// server.close();
/// task.wait()?; // That was no error.
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// [`Error::IOError`] if the system has no thread. What accepting ends with is the task's.
#[doc(alias = "accept(callback)")]
pub fn accept_with(
    mut callback: impl FnMut(TCPSocket) + Send + 'static,
    server: &TCPServer,
) -> Result<Task, Error> {
    let server = Arc::clone(&server.0.0);
    let thread = thread::Builder::new().name("accept".into()).spawn(move || {
        loop {
            match server.accept() {
                Ok(client) => callback(client),
                Err(_) if server.is_closed() => return Ok(()),
                Err(Error::IOError(error)) => match error.class() {
                    Class::Retry => {}
                    Class::Wait => thread::park_timeout(PAUSE),
                    _ => return Err(Error::IOError(error)),
                },
                Err(error) => return Err(error),
            }
        }
    });
    Ok(Task(thread?))
}

/// How long to wait for a descriptor that somebody gives back.
const PAUSE: Duration = Duration::from_millis(50);

/// A thread that accepts connections: [`accept_with`] starts it.
///
/// Dropping it leaves it running.
#[derive(Debug)]
#[must_use = "what it ends with may be an error"]
pub struct Task(JoinHandle<Result<(), Error>>);

impl Task {
    /// Waits for its end. A panic of the callback goes on here.
    ///
    /// # Errors
    /// What accepting ended with, if it was not that the server was closed.
    pub fn wait(self) -> Result<(), Error> {
        self.0.join().unwrap_or_else(|cause| resume_unwind(cause))
    }

    /// Whether it has ended.
    #[must_use]
    pub fn istaskdone(&self) -> bool {
        self.0.is_finished()
    }
}

/// What [`listen`] takes.
pub trait Local {
    /// Listens there.
    ///
    /// # Errors
    /// As of [`listen`].
    fn listen(self, how: &Listen) -> Result<TCPServer, Error>;
}

impl TCPServer {
    /// A server without an address: [`bind`](super::bind) gives it one.
    #[must_use]
    pub fn new() -> Self {
        let server = Server {
            state: Mutex::new(State::Init),
            #[cfg(feature = "tls")]
            tls: OnceLock::new(),
        };
        Self(Arc::new(Owner(Arc::new(server))))
    }

    /// Stops listening: who waits for a connection is told so. Doing so again does nothing.
    pub fn close(&self) {
        self.0.0.close();
    }

    /// Whether it was not [closed](Self::close).
    #[must_use]
    pub fn isopen(&self) -> bool {
        !self.0.0.is_closed()
    }

    /// Takes an address; the error is the system's.
    pub(super) fn bind_at(&self, addr: SocketAddr, bind: Bind) -> Result<(), Error> {
        let mut state = self.0.0.lock();
        if !matches!(*state, State::Init) {
            return Err(Error::state("TCPServer is not in initialization state"));
        }
        let domain = if addr.is_ipv4() { AF_INET } else { AF_INET6 };
        let plain = Plain::open(domain, SOCK_STREAM, 0)?;
        if addr.is_ipv6() {
            plain.socket().set_only_v6(bind.ipv6only)?;
        }
        if sys::REUSE_ADDRESS {
            plain.socket().set_reuse_address(true)?;
        }
        plain.bind(&addr.into())?;
        *state = State::Bound(plain);
        Ok(())
    }

    /// Listens on the address it has.
    fn start(&self, how: &Listen) -> Result<(), Error> {
        #[cfg(feature = "tls")]
        self.secure(how)?;
        let mut state = self.0.0.lock();
        match std::mem::replace(&mut *state, State::Closed) {
            State::Bound(plain) => match plain.listen(how.backlog) {
                Ok(()) => {
                    *state = State::Listening(None, Arc::new(Shared::new(plain)));
                    Ok(())
                }
                Err(error) => {
                    *state = State::Bound(plain);
                    Err(error.into())
                }
            },
            other => {
                *state = other;
                Err(Error::argument("the server has no address, or listens already"))
            }
        }
    }

    /// Listens at a path, which a new server takes. Whoever else wants it must not find a socket
    /// that refuses, as only the dead do: from its first moment to the last it listens.
    fn claim(&self, addr: &Addr, how: &Listen) -> Result<(), Error> {
        #[cfg(feature = "tls")]
        self.secure(how)?; // That may take its time, and fail.
        let take = || {
            let plain = Plain::open(AF_UNIX, SOCK_STREAM, 0)?;
            plain.bind(addr)?;
            plain.listen(how.backlog)?;
            Ok(plain)
        };
        let (plain, claim) = sys::claimed(addr, Kind::Stream, take)?;
        *self.0.0.lock() = State::Listening(claim, Arc::new(Shared::new(plain)));
        Ok(())
    }

    /// Speaks TLS, if the keywords say so.
    #[cfg(feature = "tls")]
    fn secure(&self, how: &Listen) -> Result<(), Error> {
        if let Some(server) = how.server()? {
            // It listens once, and so whoever accepts finds it.
            let _ = self.0.0.tls.set(server);
        }
        Ok(())
    }

    pub(super) fn addr(&self) -> Result<Addr, Error> {
        match &*self.0.0.lock() {
            State::Bound(plain) => Ok(plain.local_addr()?),
            State::Listening(_, socket) => Ok(socket.get()?.local_addr()?),
            State::Init | State::Closed => Err(Error::argument("the server has no address")),
        }
    }
}

impl Server {
    fn accept(&self) -> Result<TCPSocket, Error> {
        let socket = self.listening()?.get()?;
        let (plain, _) = socket.accept()?;
        let socket = TCPSocket::new(plain);
        #[cfg(feature = "tls")]
        if let Some(server) = self.tls.get() {
            return Ok(socket.with(Layer::due(server)));
        }
        Ok(socket)
    }

    fn listening(&self) -> Result<Arc<Shared>, Error> {
        match &*self.lock() {
            State::Listening(_, socket) => Ok(Arc::clone(socket)),
            State::Closed => Err(crate::sockets::plain::gone().into()),
            State::Init | State::Bound(_) => {
                Err(Error::argument("the server does not listen: call `listen` first"))
            }
        }
    }

    fn close(&self) {
        let state = std::mem::replace(&mut *self.lock(), State::Closed);
        if let State::Listening(claim, socket) = state {
            drop(claim);
            socket.close();
        }
    }

    fn is_closed(&self) -> bool {
        matches!(*self.lock(), State::Closed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for TCPServer {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A server that has that address, and listens.
fn at(addr: &Addr, how: &Listen) -> Result<TCPServer, Error> {
    let server = TCPServer::new();
    match addr {
        Addr::Inet(inet) => {
            server.bind_at(*inet, Bind::default())?;
            server.start(how)?;
        }
        _ => server.claim(addr, how)?,
    }
    Ok(server)
}

macro_rules! ports {
    ($($port:ident)+) => {$(
        /// A port of `127.0.0.1`.
        impl Local for $port {
            fn listen(self, how: &Listen) -> Result<TCPServer, Error> {
                (localhost, i64::from(self)).listen(how)
            }
        }
    )+};
}

ports!(i32 i64 u16 u32);

macro_rules! addresses {
    ($($ip:ty),+) => {$(
        impl<P: Into<i64>> Local for ($ip, P) {
            fn listen(self, how: &Listen) -> Result<TCPServer, Error> {
                InetAddr { host: IPAddr::from(self.0), port: port(self.1)? }.listen(how)
            }
        }
    )+};
}

addresses!(super::IPv4, super::IPv6, IPAddr, Ipv4Addr, Ipv6Addr, IpAddr);

impl<T: IPType> Local for InetAddr<T> {
    fn listen(self, how: &Listen) -> Result<TCPServer, Error> {
        at(&self.std().into(), how)
    }
}

macro_rules! paths {
    ($($path:ty),+) => {$(
        /// A path. The file that a dead server has left there gives way; ours goes with us.
        impl Local for $path {
            fn listen(self, how: &Listen) -> Result<TCPServer, Error> {
                at(&tcp::path(self.as_ref())?, how)
            }
        }
    )+};
}

paths!(&str, String, &Path, PathBuf);

/// A server that has an address already.
impl Local for &TCPServer {
    fn listen(self, how: &Listen) -> Result<TCPServer, Error> {
        self.start(how)?;
        Ok(self.clone())
    }
}

impl fmt::Debug for TCPServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("TCPServer");
        form.field("open", &self.isopen());
        if let Ok(addr) = self.addr() {
            form.field("addr", &addr);
        }
        form.finish()
    }
}
