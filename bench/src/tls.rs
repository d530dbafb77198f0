//! What both sides of TLS have in common: a certificate of this run, versions, groups, tickets.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ServerConfig, ServerSessionMemoryCache};
use rustls::{DigitallySignedStruct, Error, SignatureScheme, version};

/// A certificate (ECDSA, P-256) and its key, made anew for every run. The load makes it; the
/// servers have it from their environment.
pub(crate) struct Credentials {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Credentials {
    /// Those of this run.
    pub(crate) fn of_this_run() -> io::Result<&'static Self> {
        static MADE: OnceLock<Credentials> = OnceLock::new();
        if let Some(made) = MADE.get() {
            return Ok(made);
        }
        let made = match std::env::var(VARIABLE) {
            Ok(text) => Self::parse(&text).ok_or_else(|| io::Error::other(VARIABLE))?,
            Err(_) => Self::make().map_err(io::Error::other)?,
        };
        Ok(MADE.get_or_init(|| made))
    }

    fn make() -> Result<Self, rcgen::Error> {
        let made = rcgen::generate_simple_self_signed(["bench.invalid".to_owned()])?;
        let certificate = made.cert.der().to_vec();
        Ok(Self { certificate, key: made.signing_key.serialize_der() })
    }

    /// As the environment has it.
    pub(crate) fn text(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("{}:{}", hex(&self.certificate), hex(&self.key))
    }

    fn parse(text: &str) -> Option<Self> {
        let (certificate, key) = text.split_once(':')?;
        Some(Self { certificate: bytes(certificate)?, key: bytes(key)? })
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pair = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// The configuration of every server on rustls, which is also what reseau makes of the same.
pub(crate) fn server() -> io::Result<Arc<ServerConfig>> {
    let own = Credentials::of_this_run()?;
    let chain = vec![CertificateDer::from(own.certificate.clone())];
    let key = PrivateKeyDer::try_from(own.key.clone()).map_err(io::Error::other)?;
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let builder = builder.with_no_client_auth().with_single_cert(chain, key);
    let mut config = builder.map_err(io::Error::other)?;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
    config.session_storage = ServerSessionMemoryCache::new(64);
    Ok(Arc::new(config))
}

/// How the load introduces itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Checks all that a client has to, and resumes nothing.
    Careful,
    /// Looks whether it is the right certificate and leaves its signature alone, so that the load
    /// is the cheaper side. Resumes nothing.
    Quick,
    /// The same, and takes up earlier sessions where it has been under the same name before.
    Returning,
}

/// The configuration of the load: TLS 1.3 with one group and one suite, which every server has.
pub(crate) fn client(habit: Habit) -> io::Result<Arc<ClientConfig>> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384];
    let certificate = Credentials::of_this_run()?.certificate.clone();
    let provider = Arc::new(provider);
    let only = Only { certificate, careful: habit == Habit::Careful, provider: provider.clone() };
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[&version::TLS13]).map_err(io::Error::other)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(only));
    let mut config = builder.with_no_client_auth();
    config.resumption = match habit {
        Habit::Returning => Resumption::in_memory_sessions(NAMES * TICKETS),
        Habit::Careful | Habit::Quick => Resumption::disabled(),
    };
    Ok(Arc::new(config))
}

/// The name under which the load visits: sessions are kept by name.
pub(crate) fn name(place: usize) -> ServerName<'static> {
    let name = format!("place-{}.bench.invalid", place % NAMES);
    ServerName::try_from(name).unwrap_or_else(|_| unreachable!("a name in order"))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Trusts one certificate.
#[derive(Debug)]
struct Only {
    certificate: Vec<u8>,
    careful: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Only {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match **end_entity == *self.certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::General("another certificate".into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 was not offered".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.careful {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// Where the servers find the certificate of this run.
pub(crate) const VARIABLE: &str = "RESEAU_BENCH_CREDENTIALS";

/// More than there are connections at a time that resume.
const NAMES: usize = 256;

/// What rustls reckons with for each name.
const TICKETS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_survive_the_environment() {
        let made = Credentials::make().unwrap();
        let read = Credentials::parse(&made.text()).unwrap();
        assert_eq!((made.certificate, made.key), (read.certificate, read.key));
        assert!(Credentials::parse("0g:00").is_none());
    }
}
