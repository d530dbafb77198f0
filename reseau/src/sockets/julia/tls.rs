//! TLS for connections and servers: the keywords of `connect` and `listen`, and `tlsupgrade`.
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Error, Listen, Remote, TCPSocket};
use crate::blocking::{Stream, TlsStream};
use crate::clock;
use crate::sockets::plain::Plain;
use crate::tls::{Client, Identity, Roots, Server, Session, Side};

/// How long a handshake may take that was not told another limit, in milliseconds.
pub const TLS_DEFAULT_TIMEOUT_MS: u64 = 10_000;

/// The keywords of [`connect_with`] and [`tlsupgrade_with`].
///
/// ```
/// use reseau::sockets::julia::Connect;
/// let alpn_list = Some("h2;http/1.1".to_owned());
/// let connect = Connect { tls: true, alpn_list, ..Connect::default() };
/// assert_eq!(connect.timeout_ms, 10_000);
/// assert!(!connect.ssl_insecure);
/// ```
#[derive(Clone, Debug)]
pub struct Connect {
    /// Speaks TLS; without it, what follows says nothing.
    pub tls: bool,
    /// All of it in one value. What follows then counts no more, but for the name and the limit.
    pub tls_options: Option<Client>,
    /// The name that the certificate must have; the one that was dialled unless this says another.
    pub server_name: Option<String>,
    /// A file of roots that are trusted, and no others.
    pub ssl_cacert: Option<PathBuf>,
    /// A directory of roots that are trusted, and no others.
    pub ssl_capath: Option<PathBuf>,
    /// A file with the chain that is shown to servers that ask for one, and with its key unless
    /// that has a file of its own.
    pub ssl_cert: Option<PathBuf>,
    /// A file with its key.
    pub ssl_key: Option<PathBuf>,
    /// Takes any certificate of anybody: **whoever is on the way can read and change everything**.
    pub ssl_insecure: bool,
    /// The protocols to choose from, the best first, with semicolons between them.
    pub alpn_list: Option<String>,
    /// How long the handshake may take, in milliseconds.
    pub timeout_ms: u64,
}

/// As [`connect`](super::connect), with TLS if the keywords say so: it is negotiated when this
/// returns.
///
/// ```
/// use reseau::sockets::julia::{Connect, Listen, accept, connect_with, getsockname, listen_with};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = std::env::temp_dir().join(format!("reseau-julia-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
/// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # std::fs::write(&cert, made.cert.pem())?;
/// # std::fs::write(&key, made.signing_key.serialize_pem())?;
/// let (ssl_cert, ssl_key) = (Some(cert.clone()), Some(key.clone()));
/// let server = listen_with(0, Listen { tls: true, ssl_cert, ssl_key, ..Listen::default() })?;
/// let (_, port) = getsockname(&server)?;
/// let serving = std::thread::spawn(move || accept(&server)?.write(b"hello"));
/// let how = Connect { tls: true, ssl_cacert: Some(cert), ..Connect::default() };
/// let client = connect_with(("localhost", port), how)?;
/// assert_eq!(client.read_bytes(5)?, b"hello");
/// # serving.join().unwrap()?;
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`connect`](super::connect); [`Error::ArgumentError`] if the keywords cannot be met: a file
/// that is no certificate, a path without a name; [`Error::IOError`] if the other side or its
/// certificate is wrong ([`tls::Broken`](crate::tls::Broken)), or late.
pub fn connect_with(to: impl Remote, connect: Connect) -> Result<TCPSocket, Error> {
    let client = connect.client()?; // What is wrong with it is told before anything is dialled.
    let socket = to.connect()?;
    if let Some(client) = client {
        socket.upgrade(&client, &connect)?;
    }
    Ok(socket)
}

/// Speaks TLS from here on, as the client of the name that was dialled, and waits until it is
/// negotiated. Does nothing to what speaks it already.
///
/// ```no_run
/// use reseau::sockets::julia::{connect, tlsupgrade};
/// let mail = connect(("mail.example.com", 25))?;
/// mail.readline()?;
/// mail.write(b"STARTTLS\r\n")?;
/// assert!(mail.readline()?.starts_with("220"));
/// tlsupgrade(&mail)?;
/// mail.write(b"EHLO client.example.com\r\n")?;
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// As [`connect_with`]. The connection is of no use then.
#[doc(alias = "tlsupgrade!")]
pub fn tlsupgrade(socket: &TCPSocket) -> Result<(), Error> {
    tlsupgrade_with(socket, Connect::default())
}

/// As [`tlsupgrade`], with the keywords of [`connect_with`]; that TLS is wanted need not be said.
///
/// ```no_run
/// use reseau::sockets::julia::{Connect, connect, tlsupgrade_with};
/// let socket = connect("/run/server.sock")?;
/// let server_name = Some("server.example".to_owned());
/// tlsupgrade_with(&socket, Connect { server_name, ..Connect::default() })?;
/// # Ok::<(), reseau::sockets::julia::Error>(())
/// ```
///
/// # Errors
/// As [`tlsupgrade`].
#[doc(alias = "tlsupgrade!")]
pub fn tlsupgrade_with(socket: &TCPSocket, connect: Connect) -> Result<(), Error> {
    let connect = Connect { tls: true, ..connect };
    match connect.client()? {
        Some(client) if !socket.layer.is_tls() => socket.upgrade(&client, &connect),
        _ => handshake(socket),
    }
}

/// Waits until TLS is negotiated, if it is to be. A connection that was accepted does that by
/// itself, as soon as it is read from or written to: so nobody who is silent holds up
/// [`accept`](super::accept). Doing so again does nothing.
///
/// # Errors
/// [`Error::IOError`] if the other side or its certificate is wrong, or late.
pub fn handshake(socket: &TCPSocket) -> Result<(), Error> {
    socket.way().map(drop)
}

/// What was negotiated; `None` without TLS, or before it is.
#[must_use]
pub fn tls_session(socket: &TCPSocket) -> Option<Session> {
    match &*socket.layer.state() {
        State::On(tls) => Some(tls.session()),
        _ => None,
    }
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            tls: false,
            tls_options: None,
            server_name: None,
            ssl_cacert: None,
            ssl_capath: None,
            ssl_cert: None,
            ssl_key: None,
            ssl_insecure: false,
            alpn_list: None,
            timeout_ms: TLS_DEFAULT_TIMEOUT_MS,
        }
    }
}

impl Connect {
    fn client(&self) -> Result<Option<Client>, Error> {
        if !self.tls {
            return Ok(None);
        }
        if let Some(client) = &self.tls_options {
            return Ok(Some(client.clone()));
        }
        let mut client = Client::new();
        let file = self.ssl_cacert.as_ref().map(Roots::from_file).transpose().map_err(unfit)?;
        let dir = self.ssl_capath.as_ref().map(Roots::from_dir).transpose().map_err(unfit)?;
        let both = file.clone().zip(dir.clone()).map(|(file, dir)| file.and(&dir));
        if let Some(roots) = both.or(file).or(dir) {
            client = client.trust_only(&roots);
        }
        if self.ssl_insecure {
            client = client.danger_accept_any_certificate();
        }
        if let Some(identity) = identity(self.ssl_cert.as_ref(), self.ssl_key.as_ref())? {
            client = client.identity(&identity);
        }
        if let Some(list) = &self.alpn_list {
            client = client.alpn(protocols(list));
        }
        Ok(Some(client))
    }
}

impl Listen {
    pub(super) fn server(&self) -> Result<Option<Server>, Error> {
        if !self.tls {
            return Ok(None);
        }
        if let Some(server) = &self.tls_options {
            return Ok(Some(server.clone()));
        }
        let Some(identity) = identity(self.ssl_cert.as_ref(), self.ssl_key.as_ref())? else {
            return Err(Error::argument("a server of TLS needs ssl_cert, or tls_options"));
        };
        let server = Server::new(&identity);
        Ok(Some(match &self.alpn_list {
            Some(list) => server.alpn(protocols(list)),
            None => server,
        }))
    }
}

impl TCPSocket {
    fn upgrade(&self, client: &Client, connect: &Connect) -> Result<(), Error> {
        let name = connect.server_name.as_deref().or(self.host.as_deref());
        let name =
            name.ok_or_else(|| Error::argument("the server has no name: say server_name"))?;
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // What the server has said ahead belongs to TLS.
        let received = {
            let mut buffer = self.lock();
            let unread = buffer.unread().to_vec();
            self.consume(&mut buffer, unread.len());
            unread
        };
        let side = client.to(name).received(received);
        *self.layer.state() = State::Due(side, Duration::from_millis(connect.timeout_ms));
        self.layer.secure.store(true, Ordering::Release);
        self.layer.over(&self.socket.get()?).map(drop)
    }
}

/// What lies over a socket: TLS, or nothing.
pub(super) struct Layer {
    /// So that who speaks no TLS takes no lock.
    secure: AtomicBool,
    state: Mutex<State>,
    /// Held by who negotiates.
    negotiating: Mutex<()>,
}

enum State {
    Plain,
    /// It is to be negotiated, in such a time.
    Due(Side, Duration),
    On(Arc<TlsStream>),
    /// It is being negotiated, or could not be.
    Over,
    Closed,
}

impl Layer {
    pub(super) fn plain() -> Self {
        let (secure, state) = (AtomicBool::new(false), Mutex::new(State::Plain));
        Self { secure, state, negotiating: Mutex::default() }
    }

    /// A server's, that will be negotiated when it is needed.
    pub(super) fn due(server: &Server) -> Self {
        let limit = Duration::from_millis(TLS_DEFAULT_TIMEOUT_MS);
        let state = Mutex::new(State::Due(server.into(), limit));
        Self { secure: AtomicBool::new(true), state, negotiating: Mutex::default() }
    }

    fn is_tls(&self) -> bool {
        self.secure.load(Ordering::Acquire)
    }

    /// TLS over that socket, if there is to be.
    pub(super) fn over(&self, plain: &Arc<Plain>) -> Result<Option<Arc<TlsStream>>, Error> {
        if !self.is_tls() {
            return Ok(None);
        }
        let _turn = {
            if let State::On(tls) = &*self.state() {
                return Ok(Some(tls.clone()));
            }
            self.negotiating.lock().unwrap_or_else(PoisonError::into_inner)
        };
        let due = {
            let state = &mut *self.state();
            match std::mem::replace(state, State::Over) {
                State::Due(side, limit) => (side, limit),
                State::On(tls) => {
                    *state = State::On(tls.clone());
                    return Ok(Some(tls));
                }
                State::Closed => {
                    *state = State::Closed;
                    return Err(crate::sockets::plain::gone().into());
                }
                State::Plain | State::Over => return Err(crate::sockets::plain::gone().into()),
            }
        };
        let tls = Arc::new(negotiate(plain, due).map_err(unfit)?);
        *self.state() = State::On(tls.clone());
        if plain.is_ended() {
            self.close();
        }
        Ok(Some(tls))
    }

    /// TLS, if it was negotiated already; nothing is waited for.
    pub(super) fn at_once(&self) -> Option<Arc<TlsStream>> {
        match &*self.state() {
            State::On(tls) => Some(tls.clone()),
            _ => None,
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.is_tls() && self.at_once().is_none()
    }

    /// Whether it was closed on this side.
    pub(super) fn is_closed(&self) -> bool {
        self.is_tls() && matches!(&*self.state(), State::Closed)
    }

    /// Says that nothing more will come, if that needs no waiting.
    pub(super) fn close(&self) {
        if self.is_tls()
            && let State::On(tls) = std::mem::replace(&mut *self.state(), State::Closed)
        {
            let _ = tls.shutdown(std::net::Shutdown::Both);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who drops a connection has said all.
impl Drop for Layer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Makes the handshake on a second handle, which closing the socket ends, too.
fn negotiate(plain: &Plain, (side, limit): (Side, Duration)) -> io::Result<TlsStream> {
    let addr = plain.local_addr()?;
    let twin = Stream::new(plain.socket().try_clone()?, &addr);
    match clock::real().checked_add(limit) {
        Some(late) => twin.start_tls(side.deadline(late)),
        None => twin.start_tls(side),
    }
}

/// The key may be in the file of the chain.
fn identity(cert: Option<&PathBuf>, key: Option<&PathBuf>) -> Result<Option<Identity>, Error> {
    match (cert, key) {
        (Some(cert), key) => {
            Identity::from_files(cert, key.unwrap_or(cert)).map(Some).map_err(unfit)
        }
        (None, Some(_)) => Err(Error::argument("ssl_key without ssl_cert")),
        (None, None) => Ok(None),
    }
}

fn protocols(list: &str) -> impl Iterator<Item = &[u8]> {
    list.split(';').map(str::trim).filter(|one| !one.is_empty()).map(str::as_bytes)
}

/// What is wrong with what one was given is an argument's fault.
fn unfit(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidInput => Error::ArgumentError(error.to_string()),
        _ => error.into(),
    }
}
