//! Who one is: [`Identity`].
use std::path::Path;
use std::sync::Arc;
use std::{fmt, fs, io};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::roots::is_der;
use super::{provider, unfit};

/// A chain of certificates, one's own first, and its key.
///
/// ```
/// use reseau::tls::Identity;
/// let error = Identity::from_files("/no/such/chain.pem", "/no/such/key.pem").unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// ```
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// From texts that are PEM: the chain, and a key in PKCS#8, PKCS#1 or SEC1. Both may be in one
    /// text.
    ///
    /// # Errors
    /// `InvalidInput` if one of them is missing or cannot be read, or if the key is another's.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> io::Result<Self> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        Self::new(chain.map_err(unfit)?, PrivateKeyDer::from_pem_slice(key).map_err(unfit)?)
    }

    /// From DER: each certificate of the chain, and the key.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der<C: Into<Vec<u8>>>(
        chain: impl IntoIterator<Item = C>,
        key: &[u8],
    ) -> io::Result<Self> {
        let chain = chain.into_iter().map(|one| CertificateDer::from(one.into())).collect();
        Self::new(chain, PrivateKeyDer::try_from(key.to_vec()).map_err(unfit)?)
    }

    /// From files, each PEM or DER.
    ///
    /// # Errors
    /// The system's, and as [`from_pem`](Self::from_pem).
    pub fn from_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> io::Result<Self> {
        let (chain, key) = (fs::read(chain)?, fs::read(key)?);
        let chain = match is_der(&chain) {
            true => vec![CertificateDer::from(chain)],
            false => {
                let all = CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>();
                all.map_err(unfit)?
            }
        };
        let key = match is_der(&key) {
            true => PrivateKeyDer::try_from(key).map_err(unfit)?,
            false => PrivateKeyDer::from_pem_slice(&key).map_err(unfit)?,
        };
        Self::new(chain, key)
    }

    /// The same with an OCSP response, which says that the certificate was not revoked (a staple).
    #[must_use]
    pub fn with_ocsp(&self, response: impl Into<Vec<u8>>) -> Self {
        let mut key = CertifiedKey::clone(&self.0);
        key.ocsp = Some(response.into());
        Self(Arc::new(key))
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> io::Result<Self> {
        if chain.is_empty() {
            return Err(unfit("there is no certificate"));
        }
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(unfit)?;
        Ok(Self(Arc::new(key)))
    }

    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        self.0.clone()
    }
}

/// Without the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.cert.len();
        f.debug_struct("Identity").field("certificates", &count).finish_non_exhaustive()
    }
}
