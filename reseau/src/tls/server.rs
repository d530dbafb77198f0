//! What a server shows and asks for: [`Server`].
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::{fmt, io};

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert, ServerConfig};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

use super::unchecked::Anybody;
use super::{Identity, Roots, Side, Version, calendar, provider, unfit, versions};

/// What a server of TLS shows and asks for, good for any number of connections. Clones share
/// identities, so that [`reload`](Self::reload) is for all of them.
#[derive(Clone)]
pub struct Server {
    wish: Wish,
    shown: Arc<Shown>,
    /// What the wish came to, once it was needed.
    made: Arc<OnceLock<Arc<ServerConfig>>>,
}

#[derive(Clone)]
struct Wish {
    alpn: Vec<Vec<u8>>,
    oldest: Option<Version>,
    clients: ClientCerts,
    tickets: bool,
}

/// Whether clients have to show certificates, and what is done with them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientCerts {
    /// They are not asked.
    #[default]
    None,
    /// They are asked and may show none, or any: **nobody checks whose it is**.
    Request,
    /// They have to show one, whichever: **nobody checks whose it is**.
    RequireAny,
    /// They are asked, and what they show must have been issued by one of these.
    VerifyIfGiven(Roots),
    /// They have to show one, which one of these must have issued.
    RequireAndVerify(Roots),
}

impl Server {
    /// One that shows this to everybody and asks nobody.
    #[must_use]
    pub fn new(identity: &Identity) -> Self {
        let shown = Shown(RwLock::new(Shop { first: identity.key(), named: BTreeMap::new() }));
        let clients = ClientCerts::None;
        let wish = Wish { alpn: Vec::new(), oldest: None, clients, tickets: true };
        Self { wish, shown: Arc::new(shown), made: Arc::default() }
    }

    /// The protocols that are spoken, the best first.
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.with(|wish| wish.alpn = protocols.into_iter().map(Into::into).collect())
    }

    /// Speaks no older version than this.
    #[must_use]
    pub fn oldest(self, version: Version) -> Self {
        self.with(|wish| wish.oldest = Some(version))
    }

    /// Asks clients for certificates.
    #[must_use]
    pub fn client_certs(self, clients: ClientCerts) -> Self {
        self.with(|wish| wish.clients = clients)
    }

    /// Whether clients may take up a session again (they may unless this says no).
    #[must_use]
    pub fn tickets(self, tickets: bool) -> Self {
        self.with(|wish| wish.tickets = tickets)
    }

    /// Shows this instead, from the next handshake on, to those who ask for no name that has an
    /// identity of its own. Connections that are there stay as they are.
    pub fn reload(&self, identity: &Identity) {
        self.shown.change(|shop| shop.first = identity.key());
    }

    /// Shows this, from the next handshake on, to those who ask for that name (SNI).
    pub fn reload_name(&self, name: &str, identity: &Identity) {
        let name = name.to_ascii_lowercase();
        self.shown.change(|shop| shop.named.insert(name, identity.key()));
    }

    pub(super) fn side(&self) -> Side {
        Side::server(self.config())
    }

    /// Whether it can serve at all: what is wrong with it is wrong with every handshake.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.config().map(drop)
    }

    fn with(mut self, change: impl FnOnce(&mut Wish)) -> Self {
        change(&mut self.wish);
        self.made = Arc::default();
        self
    }

    fn config(&self) -> io::Result<Arc<ServerConfig>> {
        if let Some(made) = self.made.get() {
            return Ok(made.clone());
        }
        let made = Arc::new(self.wish.config(&self.shown)?);
        Ok(self.made.get_or_init(|| made).clone())
    }
}

impl Wish {
    fn config(&self, shown: &Arc<Shown>) -> io::Result<ServerConfig> {
        let builder = ServerConfig::builder_with_details(provider(), calendar());
        let builder = builder.with_protocol_versions(versions(self.oldest.unwrap_or(OLDEST)));
        let builder = builder.map_err(unfit)?.with_client_cert_verifier(self.clients.verifier()?);
        let mut config = builder.with_cert_resolver(shown.clone());
        config.alpn_protocols.clone_from(&self.alpn);
        if self.tickets {
            config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(unfit)?;
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }
}

impl ClientCerts {
    fn verifier(&self) -> io::Result<Arc<dyn ClientCertVerifier>> {
        let provider = provider();
        let (roots, optional) = match self {
            Self::None => return Ok(Arc::new(NoClientAuth)),
            Self::Request => return Ok(Arc::new(Anybody { provider, mandatory: false })),
            Self::RequireAny => return Ok(Arc::new(Anybody { provider, mandatory: true })),
            Self::VerifyIfGiven(roots) => (roots, true),
            Self::RequireAndVerify(roots) => (roots, false),
        };
        let store = Arc::new(roots.store()?);
        let builder = WebPkiClientVerifier::builder_with_provider(store, provider);
        let builder = if optional { builder.allow_unauthenticated() } else { builder };
        builder.build().map_err(unfit)
    }
}

/// What is shown to whom, and can be changed at any time.
#[derive(Debug)]
struct Shown(RwLock<Shop>);

#[derive(Debug)]
struct Shop {
    first: Arc<CertifiedKey>,
    named: BTreeMap<String, Arc<CertifiedKey>>,
}

impl Shown {
    fn change<T>(&self, change: impl FnOnce(&mut Shop) -> T) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shop = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let named = hello.server_name().and_then(|name| shop.named.get(&name.to_ascii_lowercase()));
        Some(named.unwrap_or(&shop.first).clone())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = &mut f.debug_struct("Server");
        form.field("alpn", &self.wish.alpn).field("client_certs", &self.wish.clients);
        form.finish_non_exhaustive()
    }
}

/// The oldest version that is spoken unless another is asked for.
const OLDEST: Version = Version::Tls12;

/// How many sessions of TLS 1.2 without tickets are kept.
const SESSIONS_MAX: usize = 64;
