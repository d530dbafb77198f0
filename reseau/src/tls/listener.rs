//! Listeners that speak TLS: [`TlsListener`].
use std::task::{Context, Poll};
use std::{fmt, io};

use super::listening::words;
use super::room::Room;
use super::{MaybeTls, MaybeTlsListener, Server, TlsStream};
use crate::addr::{Any, Covers, Family};
use crate::net::Listener;

/// A source of connections whose handshakes are done: made by
/// [`listen(..).tls(&server)`](crate::dial::Listen::tls), or from a listener by
/// [`Listener::tls`].
///
/// Handshakes are made beside each other in whatever [`accept`](Self::accept)s: no task is spawned,
/// and who is slow or silent holds up nobody. Connections come in the order in which their
/// handshakes end. While nobody accepts, none goes on; where handshakes are to be spread over
/// threads, let a task on each of them accept from the same listener.
///
/// Its bounds: [`handshakes_max`](Self::handshakes_max) at the same time (64),
/// [`handshake_limit`](Self::handshake_limit) for each (10 s). A handshake that fails ends nothing:
/// it is [counted](Self::failed), [told](Self::watch) if somebody wants to know, and
/// [remembered](Self::take_failures).
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::tls::{Client, Identity, Roots, Server};
/// # let rcgen::CertifiedKey { cert, signing_key } =
/// #     rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (chain, key) = (cert.pem(), signing_key.serialize_pem());
/// let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
/// let listener = reseau::listen("tls://localhost:0").tls(&server).await?;
/// let addr = listener.local_addr()?.inet().unwrap();
/// let serving = reseau::spawn(async move {
///     let (mut stream, _peer) = listener.accept().await?;
///     stream.send("hello").await?;
///     stream.close().await
/// });
///
/// let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
/// let at = format!("tls://localhost:{}", addr.port());
/// let mut stream = reseau::connect(at).tls(&client).await?;
/// assert_eq!(&*stream.recv().await?.unwrap(), b"hello");
/// # serving.await.unwrap()
/// # })
/// # }
/// ```
///
/// Who fails, and why:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::tls;
/// use std::time::Duration;
/// # let rcgen::CertifiedKey { cert, signing_key } =
/// #     rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (chain, key) = (cert.pem(), signing_key.serialize_pem());
/// # let identity = tls::Identity::from_pem(chain.as_bytes(), key.as_bytes())?;
/// let listener = reseau::listen(":0").tls(&tls::Server::new(&identity)).await?;
/// let (tell, told) = std::sync::mpsc::channel();
/// let listener = listener.handshake_limit(Duration::from_millis(10)).watch(move |failure| {
///     let _ = tell.send(failure.error().kind());
/// });
/// let _silent = reseau::connect(listener.local_addr()?.to_string()).await?;
/// let accepted = reseau::timeout(Duration::from_millis(100), listener.accept()).await;
/// assert!(accepted.is_err(), "who is silent is not accepted");
/// assert_eq!(told.recv().unwrap(), std::io::ErrorKind::TimedOut);
/// # Ok(())
/// # })
/// # }
/// ```
pub struct TlsListener<F: Family = Any> {
    room: Room<F>,
}

impl<F: Family> Listener<F> {
    /// Speaks TLS with all who come, as `server`.
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{TcpListener, tls};
    /// let server = tls::Server::new(&tls::Identity::from_files("chain.pem", "key.pem")?);
    /// let listener = TcpListener::bind("0.0.0.0:443").await?.tls(&server);
    /// loop {
    ///     let (mut stream, peer) = listener.accept().await?;
    ///     reseau::spawn(async move { stream.send(format!("hello, {peer}")).await });
    /// }
    /// # #[allow(unreachable_code)]
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    #[must_use]
    pub fn tls(self, server: &Server) -> TlsListener<F> {
        TlsListener { room: Room::new(self, server) }
    }
}

impl<F: Family> TlsListener<F> {
    words!();

    /// Lets those in who do not speak TLS, too.
    #[must_use]
    pub fn plain_too(self) -> MaybeTlsListener<F> {
        MaybeTlsListener::new(self.room)
    }

    /// Waits for the next connection whose handshake is done, and says who it is.
    ///
    /// Any number of tasks may wait at the same time; each connection comes to one of them.
    /// Dropping the future loses no connection and no handshake: whoever accepts next goes on with
    /// them.
    ///
    /// # Errors
    /// What ended the listener, as for [`Listener::accept`]; what is wrong with the server's
    /// configuration. What is wrong with a client is no error of this.
    pub async fn accept(&self) -> io::Result<(TlsStream<F>, F::Addr)> {
        self.room.accept().await.map(encrypted)
    }

    /// As [`accept`](Self::accept), for hand-written futures. The last task that waits by this
    /// call is the one that is woken.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TlsStream<F>, F::Addr)>> {
        self.room.poll_accept(cx).map_ok(encrypted)
    }
}

/// A room that is not open to plaintext gives none.
fn encrypted<F: Family, A>((stream, peer): (MaybeTls<F>, A)) -> (TlsStream<F>, A) {
    match stream {
        MaybeTls::Tls(stream) => (stream, peer),
        MaybeTls::Plain(_) => unreachable!("nobody is let in without TLS"),
    }
}

/// The calls of the listener that is inside.
macro_rules! inside {
    ($type:ident) => {
        impl<F: Family> $type<F> {
            /// Where it listens: with the port that the system chose, if it was asked to.
            ///
            /// # Errors
            /// The system's.
            pub fn local_addr(&self) -> io::Result<F::Addr> {
                self.room.listener.local_addr()
            }

            /// Whom it takes connections from, which the address alone does not tell.
            ///
            /// # Errors
            /// The system's.
            pub fn covers(&self) -> io::Result<Covers> {
                self.room.listener.covers()
            }

            /// The listener that is inside, with its options. What is accepted there comes without
            /// TLS.
            #[must_use]
            pub fn get_ref(&self) -> &Listener<F> {
                &self.room.listener
            }

            /// The configuration of the server. It shares its identities: `reload` is for the
            /// handshakes to come.
            #[must_use]
            pub fn server(&self) -> &Server {
                &self.room.server
            }
        }

        impl<F: Family> fmt::Debug for $type<F> {
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
