//! What a client asks for: [`Client`].
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::{ClientConfig, Resumption, WebPkiServerVerifier};
use rustls::{ConfigBuilder, KeyLogFile, WantsVerifier};

use super::unchecked::Anybody;
use super::{Identity, Roots, Side, Version, calendar, provider, system, unfit, versions};

/// What a client of TLS asks for, good for any number of connections. Clones share what sessions
/// were kept.
///
/// By itself it trusts whom the system trusts, speaks 1.2 and 1.3, shows no certificate, and keeps
/// no sessions.
///
/// ```
/// use reseau::tls::Client;
/// let client = Client::new().alpn(["h2", "http/1.1"]).resume(64);
/// let side = client.to("example.com");
/// # drop(side);
/// ```
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
    oldest: Option<Version>,
    name: Option<String>,
    sessions: usize,
    early: bool,
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
    /// One that asks for nothing in particular.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these issuers beside the system's.
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
    #[must_use]
    pub fn server_name(self, name: impl Into<String>) -> Self {
        self.with(|wish| wish.name = Some(name.into()))
    }

    /// Speaks no older version than this.
    #[must_use]
    pub fn oldest(self, version: Version) -> Self {
        self.with(|wish| wish.oldest = Some(version))
    }

    /// Keeps so many sessions, and takes them up again: one round trip or a signature less.
    #[must_use]
    pub fn resume(self, sessions_max: usize) -> Self {
        self.with(|wish| wish.sessions = sessions_max)
    }

    /// Writes the keys of connections to the file that `SSLKEYLOGFILE` names, if it names one.
    /// **Whoever has the file can read everything.**
    #[must_use]
    pub fn key_log_from_env(self) -> Self {
        self.with(|wish| wish.key_log = true)
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
        let builder = ClientConfig::builder_with_details(provider(), calendar());
        let builder = builder.with_protocol_versions(versions(self.oldest.unwrap_or(OLDEST)));
        let builder = self.trust.verify(builder.map_err(unfit)?)?;
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let known = rustls::sign::SingleCertAndKey::from(identity.key());
                builder.with_client_cert_resolver(Arc::new(known))
            }
        };
        config.alpn_protocols.clone_from(&self.alpn);
        config.enable_early_data = self.early;
        config.resumption = match self.sessions {
            0 => Resumption::disabled(),
            max => Resumption::in_memory_sessions(max),
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
        Ok(match self {
            Self::Only(roots) => {
                let store = Arc::new(roots.store()?);
                let verifier = WebPkiServerVerifier::builder_with_provider(store, provider);
                let verifier = verifier.build().map_err(unfit)?;
                dangerous.with_custom_certificate_verifier(verifier)
            }
            Self::Anybody => {
                let anybody = Anybody { provider, mandatory: true };
                dangerous.with_custom_certificate_verifier(Arc::new(anybody))
            }
            Self::System => dangerous.with_custom_certificate_verifier(system::verifier(provider)?),
            Self::And(roots) => {
                dangerous.with_custom_certificate_verifier(system::verifier_and(provider, roots)?)
            }
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("alpn", &self.wish.alpn).finish_non_exhaustive()
    }
}

/// The oldest version that is spoken unless another is asked for.
const OLDEST: Version = Version::Tls12;
