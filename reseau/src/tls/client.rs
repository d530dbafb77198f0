//! What a client asks for: [`Client`].
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ClientConfig, Resumption, WebPkiServerVerifier};
use rustls::{ConfigBuilder, KeyLogFile, WantsVerifier};

use super::choice::{Choice, choices};
use super::sessions::Sessions;
use super::unchecked::Anybody;
use super::witness::Witness;
use super::{Identity, Roots, Side, calendar, system, unfit};

/// What a client of TLS asks for, good for any number of connections. Clones share what sessions
/// were kept.
///
/// By itself it trusts whom the system trusts, speaks 1.2 and 1.3, shows no certificate, and keeps
/// no sessions.
///
/// ```
/// use reseau::tls::Client;
/// let client = Client::new().alpn(["h2", "http/1.1"]).resume(Client::SESSIONS);
/// let side = client.to("example.com");
/// # drop(side);
/// ```
///
/// Early data (0-RTT) is sent where it is asked for, connection by connection: [`Side::early`].
#[derive(Clone, Default)]
pub struct Client {
    wish: Wish,
    /// What the wish came to, once it was needed.
    made: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[derive(Clone, Default)]
struct Wish {
    trust: Trust,
    identity: Option<Identity>,
    alpn: Vec<Vec<u8>>,
    choice: Choice,
    name: Option<String>,
    sessions: usize,
    key_log: bool,
}

#[derive(Clone, Default)]
enum Trust {
    #[default]
    System,
    And(Roots),
    Only(Roots),
    Anybody,
}

impl Client {
    /// How many servers' sessions are worth keeping for most: [`resume`](Self::resume).
    pub const SESSIONS: usize = 64;

    /// One that asks for nothing in particular.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these issuers beside the system's.
    ///
    /// ```
    /// use reseau::tls::{Client, Roots};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?.cert.pem();
    /// let ours = Roots::from_pem(made.as_bytes())?;
    /// let client = Client::new().trust(&ours);
    /// # drop(client);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn trust(self, roots: &Roots) -> Self {
        self.with(|wish| {
            wish.trust = match &wish.trust {
                Trust::And(others) => Trust::And(others.and(roots)),
                Trust::Only(others) => Trust::Only(others.and(roots)),
                Trust::System | Trust::Anybody => Trust::And(roots.clone()),
            }
        })
    }

    /// Trusts these issuers and no other.
    #[must_use]
    pub fn trust_only(self, roots: &Roots) -> Self {
        self.with(|wish| wish.trust = Trust::Only(roots.clone()))
    }

    /// Takes any certificate of anybody. **Whoever is on the way can read and change everything.**
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// let (identity, _) = made("whoever.example");
    /// let client = Client::new().danger_accept_any_certificate();
    /// let (one, _other) = connected(&client, &Server::new(&identity));
    /// assert_eq!(one.session().peer_chain().next(), identity.chain().next());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn danger_accept_any_certificate(self) -> Self {
        self.with(|wish| wish.trust = Trust::Anybody)
    }

    /// Shows this to a server that asks who one is.
    #[must_use]
    pub fn identity(self, identity: &Identity) -> Self {
        self.with(|wish| wish.identity = Some(identity.clone()))
    }

    /// The protocols to choose from, the best first.
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.with(|wish| wish.alpn = protocols.into_iter().map(Into::into).collect())
    }

    /// Asks for this name instead of the one that was dialled.
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// let (identity, roots) = made("shop.example");
    /// let client = Client::new().trust_only(&roots).server_name("shop.example");
    /// let (_one, other) = connected(&client, &Server::new(&identity)); // It dials localhost.
    /// assert_eq!(other.session().server_name(), Some("shop.example"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn server_name(self, name: impl Into<String>) -> Self {
        self.with(|wish| wish.name = Some(name.into()))
    }

    choices!();

    /// Keeps sessions, and takes them up again: one round trip or a signature less. They are those
    /// of so many servers, of which the one that was not used for longest gives way.
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// let (identity, roots) = made("localhost");
    /// let client = Client::new().trust_only(&roots).resume(Client::SESSIONS);
    /// let server = Server::new(&identity);
    /// for again in [false, true] {
    ///     let (mut one, mut other) = connected(&client, &server);
    ///     assert_eq!(one.session().is_resumed(), again);
    ///     other.write_all(b"x")?; // What makes it possible comes before the first answer.
    ///     one.read_exact(&mut [0])?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn resume(self, servers_max: usize) -> Self {
        self.with(|wish| wish.sessions = servers_max)
    }

    /// The client's side of a connection to a server of that name: a host's name, or an address.
    pub fn to(&self, name: &str) -> Side {
        Side::client(self.config(), self.wish.name.as_deref().unwrap_or(name))
    }

    fn with(mut self, change: impl FnOnce(&mut Wish)) -> Self {
        change(&mut self.wish);
        self.made = Arc::default();
        self
    }

    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(made) = self.made.get() {
            return Ok(made.clone());
        }
        let made = Arc::new(self.wish.config()?);
        Ok(self.made.get_or_init(|| made).clone())
    }
}

impl Wish {
    fn config(&self) -> io::Result<ClientConfig> {
        let builder = ClientConfig::builder_with_details(self.choice.provider()?, calendar());
        let builder = builder.with_protocol_versions(&self.choice.versions()?);
        let builder = self.trust.verify(builder.map_err(unfit)?)?;
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let known = rustls::sign::SingleCertAndKey::from(identity.key());
                builder.with_client_cert_resolver(Arc::new(known))
            }
        };
        config.alpn_protocols.clone_from(&self.alpn);
        config.resumption = match self.sessions {
            0 => Resumption::disabled(),
            max => Resumption::store(Arc::new(Sessions::new(max))),
        };
        if self.key_log {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(config)
    }
}

type Unverified = ConfigBuilder<ClientConfig, WantsVerifier>;
type Verified = ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

impl Trust {
    fn verify(&self, builder: Unverified) -> io::Result<Verified> {
        let provider = builder.crypto_provider().clone();
        let dangerous = builder.dangerous();
        let verifier: Arc<dyn ServerCertVerifier> = match self {
            Self::Only(roots) => {
                let store = Arc::new(roots.store()?);
                let verifier = WebPkiServerVerifier::builder_with_provider(store, provider);
                verifier.build().map_err(unfit)?
            }
            Self::Anybody => Arc::new(Anybody { provider, mandatory: true }),
            Self::System => system::verifier(provider)?,
            Self::And(roots) => system::verifier_and(provider, roots)?,
        };
        Ok(dangerous.with_custom_certificate_verifier(Arc::new(Witness(verifier))))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("alpn", &self.wish.alpn).finish_non_exhaustive()
    }
}
