//! Authorities, identities and connected pairs.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use reseau::blocking::{TcpListener, TcpStream};
use reseau::tls::{Client, Identity, Roots, Server};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// Who issues certificates here.
pub(crate) struct Authority {
    pub(crate) roots: Roots,
    pub(crate) pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

/// A chain and its key, as texts.
pub(crate) struct Papers {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let roots = Roots::from_pem(pem.as_bytes()).unwrap();
        Self { roots, pem, issuer: rcgen::Issuer::new(params, key) }
    }

    /// For `localhost`.
    pub(crate) fn papers(&self, algorithm: &'static rcgen::SignatureAlgorithm) -> Papers {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap().serialize_pem();
        self.papers_for(key)
    }

    /// For `localhost`, with this key.
    pub(crate) fn papers_for(&self, key: String) -> Papers {
        let pair = rcgen::KeyPair::from_pem(&key).unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let chain = params.signed_by(&pair, &self.issuer).unwrap().pem();
        Papers { chain, key }
    }

    /// For these names.
    pub(crate) fn identity_of(&self, names: &[&str]) -> Identity {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let params = rcgen::CertificateParams::new(names).unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        Papers { chain, key: key.serialize_pem() }.identity()
    }

    pub(crate) fn identity(&self) -> Identity {
        self.papers(&rcgen::PKCS_ECDSA_P256_SHA256).identity()
    }

    /// A server for `localhost` that is another's TLS.
    pub(crate) fn other_server(&self) -> rustls::ServerConfig {
        let papers = self.papers(&rcgen::PKCS_ECDSA_P256_SHA256);
        let chain = vec![CertificateDer::from_pem_slice(papers.chain.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(papers.key.as_bytes()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider());
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        config.with_single_cert(chain, key).unwrap()
    }

    /// A client that is another's TLS, and trusts this authority.
    pub(crate) fn other_client(&self) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(provider());
        let config = config.with_safe_default_protocol_versions().unwrap();
        config.with_root_certificates(roots).with_no_client_auth()
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

impl Papers {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(self.chain.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

/// A client and a server that trust each other.
pub(crate) fn sides() -> (Client, Server) {
    let authority = Authority::new();
    (Client::new().trust_only(&authority.roots), Server::new(&authority.identity()))
}

pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Runs `test` on a thread of its own: a hang becomes a failure, under the test's name.
#[track_caller]
pub(crate) fn watched<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = channel();
    let running = thread::spawn(move || {
        let result = test();
        let _ = done.send(());
        result
    });
    let wish = std::env::var("RESEAU_TEST_LIMIT").ok().and_then(|text| text.parse().ok());
    let limit = Duration::from_secs(wish.unwrap_or(60));
    if finished.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        panic!("{} hangs", thread::current().name().unwrap_or("a test"));
    }
    running.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))
}

/// Bytes of which no two neighbourhoods are alike.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at.wrapping_mul(31) >> 3) as u8 ^ (at >> 8) as u8).collect()
}
