//! Certificates made on the spot, signed by themselves.
use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use reseau::tls::Identity;

use super::fingerprint;

/// A certificate that nobody else vouches for, and what clients have to know of it.
pub(crate) struct Own {
    pub(crate) identity: Identity,
    names: Vec<String>,
    fingerprint: String,
    /// Where it was written, for clients.
    saved: Option<PathBuf>,
}

impl Own {
    /// Makes a key and its certificate for these names, good from a day ago on.
    pub(crate) fn make(names: Vec<String>, save: Option<PathBuf>) -> io::Result<Self> {
        let unfit = |error: rcgen::Error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let mut params = CertificateParams::new(names.clone()).map_err(unfit)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "reseau, self-signed");
        // Some systems take no server without it.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = rcgen::date_time_ymd(1970, 1, 1) + now;
        // Clocks differ.
        params.not_before = since - DAY;
        params.not_after = since + LIFE;
        let key = KeyPair::generate().map_err(unfit)?;
        let certificate = params.self_signed(&key).map_err(unfit)?;
        let pem = certificate.pem();
        if let Some(path) = &save {
            std::fs::write(path, &pem).map_err(|error| {
                io::Error::new(error.kind(), format!("--save-cert {}: {error}", path.display()))
            })?;
        }
        let identity = Identity::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes())?;
        let fingerprint = fingerprint(certificate.der());
        Ok(Self { identity, names, fingerprint, saved: save })
    }

    /// Who it is, and how a client at that port can know.
    pub(crate) fn told(&self, port: Option<u16>) -> String {
        let Self { names, fingerprint, saved, .. } = self;
        let name = names.first().map_or("localhost", String::as_str);
        let host = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
        let at: &dyn Display = match &port {
            Some(port) => port,
            None => &"PORT",
        };
        let check = match saved {
            Some(path) => format!("reseau connect tls://{host}:{at} --ca {}", path.display()),
            None => format!(
                "reseau connect tls://{host}:{at} --insecure, and compare the SHA-256; or \
                 --save-cert FILE here, and --ca FILE there"
            ),
        };
        let names = names.join(", ");
        format!("self-signed for {names}; SHA-256 {fingerprint}\nto check it: {check}")
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than such a server runs, as a rule.
const LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
