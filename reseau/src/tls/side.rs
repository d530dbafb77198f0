//! One side of a connection to be: [`Side`].
use std::sync::Arc;
use std::time::Instant;
use std::{fmt, io};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

use super::chance::Chance;
use super::engine::{EARLY_MAX, Engine};
use super::{Server, unfit};

/// One side of a connection that is to speak TLS: a [`Client`](super::Client) and a name, or a
/// [`Server`].
///
/// ```
/// use reseau::tls::Client;
/// use std::time::{Duration, Instant};
/// let side = Client::new().to("example.com").deadline(Instant::now() + Duration::from_secs(5));
/// # drop(side);
/// ```
#[must_use = "a stream starts it"]
pub struct Side {
    start: io::Result<Start>,
    received: Vec<u8>,
    early: Vec<u8>,
    deadline: Option<Instant>,
}

enum Start {
    Client(Arc<ClientConfig>, ServerName<'static>),
    Server(Arc<ServerConfig>),
}

impl Side {
    pub(super) fn client(config: io::Result<Arc<ClientConfig>>, name: &str) -> Self {
        // A name that is written with its root asks for the same host.
        let plain = name.strip_suffix('.').unwrap_or(name);
        let name = ServerName::try_from(plain.to_owned()).map_err(unfit);
        Self::new(config.and_then(|config| Ok(Start::Client(config, name?))))
    }

    pub(super) fn server(config: io::Result<Arc<ServerConfig>>) -> Self {
        Self::new(config.map(Start::Server))
    }

    fn new(start: io::Result<Start>) -> Self {
        Self { start, received: Vec::new(), early: Vec::new(), deadline: None }
    }

    /// Begins with these bytes, which were read from the stream already.
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// use reseau::tls::Side;
    /// let (identity, roots) = made("localhost");
    /// let (one, mut other) = plain();
    /// let serving = std::thread::spawn(move || {
    ///     let mut ahead = [0; 8];
    ///     other.read_exact(&mut ahead)?; // Somebody had to look.
    ///     other.start_tls(Side::from(&Server::new(&identity)).received(ahead))
    /// });
    /// one.start_tls(Client::new().trust_only(&roots).to("localhost"))?;
    /// # serving.join().unwrap()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn received(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { received: bytes.into(), ..self }
    }

    /// Says this first, for clients only, and as early as it can be said: with the first flight
    /// (0-RTT) if a session of this server [was kept](super::Client::resume) and the server takes
    /// it, else right behind the handshake. [`Session::early`](super::Session::early) tells which.
    ///
    /// **Whoever sees it on its way can send it to the server again**, which may take it for
    /// another request: say nothing early that may not happen twice. Servers of this library take
    /// nothing early; they hear it behind the handshake.
    ///
    /// At most 16 KiB.
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// let (identity, roots) = made("localhost");
    /// let client = Client::new().trust_only(&roots).resume(Client::SESSIONS);
    /// let (one, mut other) = plain();
    /// let serving = std::thread::spawn(move || {
    ///     let mut stream = other.start_tls(&Server::new(&identity))?;
    ///     let mut asked = [0; 3];
    ///     stream.read_exact(&mut asked)?;
    ///     std::io::Result::Ok(asked)
    /// });
    /// let stream = one.start_tls(client.to("localhost").early("GET"))?;
    /// assert_eq!(stream.session().early(), 0); // There was no session to take up.
    /// assert_eq!(&serving.join().unwrap()?, b"GET");
    /// # Ok(())
    /// # }
    /// ```
    pub fn early(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { early: bytes.into(), ..self }
    }

    /// The point in time at which the handshake is late. The stream's own deadlines hold, too.
    pub fn deadline(self, at: Instant) -> Self {
        Self { deadline: Some(at), ..self }
    }

    /// The state to begin with, what it has received, and its deadline.
    pub(crate) fn start(self, chance: Chance) -> io::Result<(Engine, Vec<u8>, Option<Instant>)> {
        let engine = match self.start? {
            Start::Client(config, name) if self.early.is_empty() => {
                Engine::client(chance, config, name)?
            }
            Start::Client(config, name) => {
                if self.early.len() > EARLY_MAX {
                    return Err(unfit("more than 16 KiB are to be said early"));
                }
                let mut config = (*config).clone();
                config.enable_early_data = true;
                let mut engine = Engine::client(chance, Arc::new(config), name)?;
                engine.begin_with(self.early);
                engine
            }
            Start::Server(_) if !self.early.is_empty() => {
                return Err(unfit("a server says nothing early"));
            }
            Start::Server(config) => Engine::server(chance, config)?,
        };
        Ok((engine, self.received, self.deadline))
    }
}

impl From<&Server> for Side {
    fn from(server: &Server) -> Self {
        server.side()
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = &mut f.debug_struct("Side");
        match &self.start {
            Ok(Start::Client(_, name)) => form.field("to", &name.to_str()),
            Ok(Start::Server(_)) => form.field("as", &"server"),
            Err(error) => form.field("unfit", error),
        };
        form.finish_non_exhaustive()
    }
}
