//! What a server shows and asks for: [`Server`].
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::{fmt, io};

use rustls::KeyLogFile;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert, ServerConfig};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

use super::choice::{Choice, choices};
use super::tickets::Tickets;
use super::unchecked::Anybody;
use super::witness::Witness;
use super::{Identity, Roots, Side, calendar, provider, unfit};

/// What a server of TLS shows and asks for, good for any number of connections. Clones share
/// identities, so that [`reload`](Self::reload) is for all of them.
///
/// ```
/// use reseau::blocking::{TcpListener, connect};
/// use reseau::tls::{Client, Identity, Roots, Server};
/// use std::io::{Read, Write};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
/// let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let port = listener.local_addr()?.port();
/// let serving = std::thread::spawn(move || {
///     let mut stream = listener.accept()?.0.start_tls(&server)?;
///     stream.write_all(b"hello")?;
///     stream.finish()
/// });
/// let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
/// let mut stream = connect(("localhost", port)).tls(&client).wait()?;
/// let mut text = String::new();
/// stream.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Server {
    wish: Wish,
    shown: Arc<Shown>,
    /// What the wish came to, once it was needed.
    made: Arc<OnceLock<Arc<ServerConfig>>>,
}

#[derive(Clone, Default)]
struct Wish {
    alpn: Vec<Vec<u8>>,
    choice: Choice,
    clients: ClientCerts,
    tickets: bool,
    key_log: bool,
}

/// Whether clients have to show certificates, and what is done with them.
///
/// ```
#[doc = include_str!("pair.txt")]
/// use reseau::tls::ClientCerts;
/// let (identity, roots) = made("localhost");
/// let (anna, known) = made("anna.example");
/// let server = Server::new(&identity).client_certs(ClientCerts::VerifyIfGiven(known));
/// let nobody = Client::new().trust_only(&roots);
/// let (_one, other) = connected(&nobody, &server);
/// assert_eq!(other.session().peer_chain().len(), 0);
/// let (_one, other) = connected(&nobody.identity(&anna), &server);
/// assert_eq!(other.session().peer_chain().len(), 1);
/// # Ok(())
/// # }
/// ```
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
        let shown = Shown(RwLock::new(Shop { first: identity.clone(), named: BTreeMap::new() }));
        let wish = Wish { tickets: true, ..Wish::default() };
        Self { wish, shown: Arc::new(shown), made: Arc::default() }
    }

    /// The protocols that are spoken, the best first.
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// let (identity, roots) = made("localhost");
    /// let server = Server::new(&identity).alpn(["h2", "http/1.1"]);
    /// let client = Client::new().trust_only(&roots).alpn(["http/1.1"]);
    /// let (one, _other) = connected(&client, &server);
    /// assert_eq!(one.session().alpn(), Some(&b"http/1.1"[..]));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.with(|wish| wish.alpn = protocols.into_iter().map(Into::into).collect())
    }

    choices!();

    /// Asks clients for certificates.
    #[must_use]
    pub fn client_certs(self, clients: ClientCerts) -> Self {
        self.with(|wish| wish.clients = clients)
    }

    /// Whether clients may take up a session again (they may unless this says no).
    ///
    /// They do by tickets, for which the server keeps no state. There is a new key for them every
    /// day, and each is good for a week.
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// let (identity, roots) = made("localhost");
    /// let server = Server::new(&identity).tickets(false);
    /// let client = Client::new().trust_only(&roots).resume(Client::SESSIONS);
    /// for _ in 0..2 {
    ///     let (one, _other) = connected(&client, &server);
    ///     assert!(!one.session().is_resumed());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tickets(self, tickets: bool) -> Self {
        self.with(|wish| wish.tickets = tickets)
    }

    /// Shows this to those who ask for that name (SNI): `example.com`, or `*.example.com` for all
    /// that are one word longer. Who asks for none of the names sees the first identity.
    ///
    /// ```
    /// use reseau::tls::{Identity, Server};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let made = |name: &str| -> Result<Identity, Box<dyn std::error::Error>> {
    /// #     let made = rcgen::generate_simple_self_signed([name.to_owned()])?;
    /// #     let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// #     Ok(Identity::from_pem(chain.as_bytes(), key.as_bytes())?)
    /// # };
    /// # let (first, shop, blogs) =
    /// #     (made("example.com")?, made("shop.example.com")?, made("*.blog.example.com")?);
    /// let server = Server::new(&first)
    ///     .named("shop.example.com", &shop)
    ///     .named("*.blog.example.com", &blogs);
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn named(self, name: &str, identity: &Identity) -> Self {
        self.reload_name(name, identity);
        self
    }

    /// Shows this instead, from the next handshake on, to those who ask for no name that has an
    /// identity of its own. Connections that are there stay as they are.
    ///
    /// ```
    #[doc = include_str!("pair.txt")]
    /// let ((old, _), (new, roots)) = (made("localhost"), made("localhost"));
    /// let server = Server::new(&old);
    /// server.reload(&new);
    /// let (one, _other) = connected(&Client::new().trust_only(&roots), &server);
    /// assert_eq!(one.session().peer_chain().next(), new.chain().next());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reload(&self, identity: &Identity) {
        self.shown.change(|shop| shop.first = identity.clone());
    }

    /// Shows this, from the next handshake on, to those who ask for that name, as
    /// [`named`](Self::named) does.
    pub fn reload_name(&self, name: &str, identity: &Identity) {
        let name = name.to_ascii_lowercase();
        self.shown.change(|shop| shop.named.insert(name, identity.clone()));
    }

    /// Reads the files anew that identities came from, and shows what they have, from the next
    /// handshake on. Says how many identities that were: those that came from no files stay.
    ///
    /// It is all of them or none. If a file cannot be read, or a key is not that of its certificate
    /// (because a new one has been written in part, say), everything stays as it is.
    ///
    /// ```
    /// use reseau::tls::{Identity, Server};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = std::env::temp_dir().join(format!("reseau-reload-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// # let (chain, key) = (dir.join("chain.pem"), dir.join("key.pem"));
    /// # let renew = || -> Result<(), Box<dyn std::error::Error>> {
    /// #     let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// #     std::fs::write(&chain, made.cert.pem())?;
    /// #     std::fs::write(&key, made.signing_key.serialize_pem())?;
    /// #     Ok(())
    /// # };
    /// # renew()?;
    /// let server = Server::new(&Identity::from_files(&chain, &key)?);
    /// renew()?; // Somebody writes both files.
    /// assert_eq!(server.reload_files()?, 1);
    ///
    /// std::fs::write(&key, "nonsense")?;
    /// let error = server.reload_files().unwrap_err(); // And what was shown still is.
    /// assert!(error.to_string().contains("key.pem: there is no key"), "{error}");
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What is wrong with the first file that is: [`tls::Unfit`](super::Unfit).
    pub fn reload_files(&self) -> io::Result<usize> {
        let (first, named) = self.shown.look(|shop| (shop.first.clone(), shop.named.clone()));
        let mut read = Vec::new();
        for old in [&first].into_iter().chain(named.values()) {
            if let Some(new) = old.again() {
                read.push((old, new?));
            }
        }
        self.shown.change(|shop| {
            for shown in [&mut shop.first].into_iter().chain(shop.named.values_mut()) {
                // Somebody may have shown another one meanwhile.
                if let Some((_, new)) = read.iter().find(|(old, _)| old.is(shown)) {
                    *shown = new.clone();
                }
            }
        });
        Ok(read.len())
    }

    pub(crate) fn side(&self) -> Side {
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
        let builder = ServerConfig::builder_with_details(self.choice.provider()?, calendar());
        let builder = builder.with_protocol_versions(&self.choice.versions()?);
        let builder = builder.map_err(unfit)?.with_client_cert_verifier(self.clients.verifier()?);
        let mut config = builder.with_cert_resolver(shown.clone());
        config.alpn_protocols.clone_from(&self.alpn);
        if self.tickets {
            let tickets = Tickets::new().ok_or_else(|| unfit("there is no randomness"))?;
            config.ticketer = Arc::new(tickets);
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        if self.key_log {
            config.key_log = Arc::new(KeyLogFile::new());
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
        Ok(Arc::new(Witness(builder.build().map_err(unfit)?)))
    }
}

/// What is shown to whom, and can be changed at any time.
#[derive(Debug)]
struct Shown(RwLock<Shop>);

#[derive(Debug)]
struct Shop {
    first: Identity,
    named: BTreeMap<String, Identity>,
}

impl Shown {
    fn look<T>(&self, look: impl FnOnce(&Shop) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Shop) -> T) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        Some(self.look(|shop| shop.of(name.as_deref()).key()))
    }
}

impl Shop {
    fn of(&self, name: Option<&str>) -> &Identity {
        let Some(name) = name else { return &self.first };
        let wild = || self.named.get(&format!("*.{}", name.split_once('.')?.1));
        self.named.get(name).or_else(wild).unwrap_or(&self.first)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = &mut f.debug_struct("Server");
        form.field("alpn", &self.wish.alpn).field("client_certs", &self.wish.clients);
        form.finish_non_exhaustive()
    }
}

/// How many sessions of TLS 1.2 without tickets are kept.
const SESSIONS_MAX: usize = 64;
