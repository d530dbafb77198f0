//! Listeners that speak TLS, for threads: [`TlsListener`].
use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::sync::atomic::Ordering;

use super::tls_room::Room;
use super::{Listen, ListenAny, Listener, MaybeTls, MaybeTlsListener, TlsStream};
use super::{TcpListener, UnixListener, VsockListener};
use crate::addr::{Addr, Covers};
use crate::tls::Server;
use crate::tls::listening::words;

/// A source of connections whose handshakes are done: made by
/// [`listen(..).tls(&server)`](Listen::tls), or from a listener by [`Listener::tls`].
///
/// Handshakes are made beside each other by whoever [`accept`](Self::accept)s: no thread is
/// started, and who is slow or silent holds up nobody. Connections come in the order in which their
/// handshakes end. While nobody accepts, none goes on. Threads that accept at the same time take
/// turns; where handshakes are to be spread over them, let each make its own with
/// [`start_tls`](super::Stream::start_tls).
///
/// Its bounds: [`handshakes_max`](Self::handshakes_max) at the same time (64),
/// [`handshake_limit`](Self::handshake_limit) for each (10 s). A handshake that fails ends nothing:
/// it is [counted](Self::failed), [told](Self::watch) if somebody wants to know, and
/// [remembered](Self::take_failures).
///
/// ```
/// use reseau::blocking;
/// use reseau::tls::{Client, Identity, Roots, Server};
/// use std::io::{Read, Write};
/// # let rcgen::CertifiedKey { cert, signing_key } =
/// #     rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (chain, key) = (cert.pem(), signing_key.serialize_pem());
/// let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
/// let listener = blocking::listen("tls://localhost:0").tls(&server).wait()?;
/// let addr = listener.local_addr()?.inet().unwrap();
/// let serving = std::thread::spawn(move || {
///     let (mut stream, _peer) = listener.accept()?;
///     stream.write_all(b"hello")?;
///     stream.finish()
/// });
///
/// let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
/// let at = format!("tls://localhost:{}", addr.port());
/// let mut stream = blocking::connect(at).tls(&client).wait()?;
/// let mut text = String::new();
/// stream.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # serving.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TlsListener {
    room: Room,
}

/// A listener to be that will speak TLS, made by [`Listen::tls`].
#[must_use = "it listens when it is waited for"]
pub struct ListenTls<L = Listen> {
    listen: L,
    server: Server,
}

impl Listener {
    /// Speaks TLS with all who come, as `server`. Other handles to the same listener do not wait
    /// any more when they accept.
    ///
    /// ```no_run
    /// use reseau::{blocking, tls};
    /// use std::io::Write;
    /// let server = tls::Server::new(&tls::Identity::from_files("chain.pem", "key.pem")?);
    /// let listener = blocking::listen("0.0.0.0:443").wait()?.tls(&server);
    /// for stream in listener.incoming() {
    ///     let mut stream = stream?;
    ///     std::thread::spawn(move || stream.write_all(b"hello"));
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn tls(self, server: &Server) -> TlsListener {
        TlsListener { room: Room::new(self, server) }
    }
}

macro_rules! tls {
    ($($listener:ident)*) => {$(
        impl $listener {
            /// As [`Listener::tls`].
            #[must_use]
            pub fn tls(self, server: &Server) -> TlsListener {
                Listener::from(self).tls(server)
            }
        }
    )*};
}

tls!(TcpListener UnixListener VsockListener);

impl Listen {
    /// Speaks TLS with all who come, as `server`: see [`TlsListener`].
    ///
    /// This is the only way to listen at `tls://`: what is to be safe is never served without it.
    pub fn tls(mut self, server: &Server) -> ListenTls {
        self.berth.secures = true;
        ListenTls { listen: self, server: server.clone() }
    }
}

impl ListenAny {
    /// Speaks TLS with all who come, as `server`: see [`TlsListener`].
    pub fn tls(mut self, server: &Server) -> ListenTls<Self> {
        self.berth.secures = true;
        ListenTls { listen: self, server: server.clone() }
    }
}

impl ListenTls {
    /// Listens.
    ///
    /// # Errors
    /// As [`Listen::wait`]; what is wrong with the server's configuration.
    pub fn wait(self) -> io::Result<TlsListener> {
        self.server.check()?;
        Ok(self.listen.wait()?.tls(&self.server))
    }
}

impl ListenTls<ListenAny> {
    /// Listens, and says at which port.
    ///
    /// # Errors
    /// As [`ListenAny::wait`]; what is wrong with the server's configuration.
    pub fn wait(self) -> io::Result<(u16, TlsListener)> {
        self.server.check()?;
        let (port, listener) = self.listen.wait()?;
        Ok((port, listener.tls(&self.server)))
    }
}

impl TlsListener {
    words!();

    /// Lets those in who do not speak TLS, too.
    #[must_use]
    pub fn plain_too(self) -> MaybeTlsListener {
        MaybeTlsListener::new(self.room)
    }

    /// Waits for the next connection whose handshake is done, and says who it is.
    ///
    /// # Errors
    /// As [`Listener::accept`]: the listener stays usable; what is wrong with the server's
    /// configuration. What is wrong with a client is no error of this.
    pub fn accept(&self) -> io::Result<(TlsStream, Addr)> {
        match self.room.accept()? {
            (MaybeTls::Tls(stream), peer) => Ok((stream, peer)),
            (MaybeTls::Plain(_), _) => unreachable!("nobody is let in without TLS"),
        }
    }

    /// The connections, one after the other, without end: `next` is [`accept`](Self::accept)
    /// without the address.
    pub fn incoming(&self) -> impl FusedIterator<Item = io::Result<TlsStream>> + '_ {
        std::iter::repeat_with(|| self.accept().map(|(stream, _)| stream))
    }
}

/// The calls of the listener that is inside.
macro_rules! inside {
    ($type:ident) => {
        impl $type {
            /// Where it listens: with the port that the system chose, if it was asked to.
            ///
            /// # Errors
            /// The system's.
            pub fn local_addr(&self) -> io::Result<Addr> {
                self.room.listener.local_addr()
            }

            /// Whom it takes connections from, which the address alone does not tell.
            ///
            /// # Errors
            /// The system's.
            pub fn covers(&self) -> io::Result<Covers> {
                self.room.listener.covers()
            }

            /// Makes [`accept`](Self::accept) fail with `WouldBlock` where it would wait, or lets
            /// it wait again. Handshakes go on as far as they can before it fails.
            pub fn set_nonblocking(&self, nonblocking: bool) {
                self.room.nonblocking.store(nonblocking, Ordering::Relaxed);
            }

            /// The configuration of the server. It shares its identities: `reload` is for the
            /// handshakes to come.
            #[must_use]
            pub fn server(&self) -> &Server {
                &self.room.server
            }
        }

        $crate::sys::borrows_descriptor!($type);

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let form = &mut f.debug_struct(stringify!($type));
                form.field("listener", &self.room.listener);
                form.field("handshakes", &self.room.handshakes());
                form.field("failed", &self.room.failures.count()).finish_non_exhaustive()
            }
        }
    };
}

pub(super) use inside;
inside!(TlsListener);

impl TlsListener {
    fn socket(&self) -> &crate::sys::OsSocket {
        self.room.listener.socket()
    }
}

impl<L: fmt::Debug> fmt::Debug for ListenTls<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenTls").field("listen", &self.listen).finish_non_exhaustive()
    }
}
