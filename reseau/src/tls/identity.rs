//! Who one is: [`Identity`].
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::pem::Paper;
use super::{Unfit, provider, unfit};

/// A chain of certificates, one's own first, and its key.
///
/// It knows the files that it came from, so that they can be read anew:
/// [`Server::reload_files`](super::Server::reload_files). What is wrong with one of them is told
/// with its name and line ([`Unfit`]).
///
/// Keys are PKCS#8, PKCS#1 or SEC1, of ECDSA, RSA or Ed25519, and not encrypted. PKCS#12, PKCS#11
/// and keys that somebody else signs with are not taken.
///
/// ```
/// use reseau::tls::Identity;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
/// let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes())?;
/// assert_eq!(identity.chain().count(), 1);
///
/// let error = Identity::from_files("/no/such/chain.pem", "/no/such/key.pem").unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// assert!(error.to_string().starts_with("/no/such/chain.pem: "), "{error}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    files: Option<Arc<Files>>,
}

/// Where it came from.
#[derive(Debug)]
struct Files {
    chain: PathBuf,
    key: PathBuf,
}

impl Identity {
    /// From texts that are PEM: the chain, and a key. Both may be in one text.
    ///
    /// # Errors
    /// `InvalidInput` if one of them is missing or cannot be read, or if the key is another's.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> io::Result<Self> {
        let (chain, key) = (Paper::text(chain).certificates()?, Paper::text(key).key()?);
        Ok(Self { key: matched(chain, key)?, files: None })
    }

    /// From DER: each certificate of the chain, and the key.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// let (chain, key) = ([made.cert.der().to_vec()], made.signing_key.serialize_der());
    /// let identity = reseau::tls::Identity::from_der(chain, &key)?;
    /// # drop(identity);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_der<C: Into<Vec<u8>>>(
        chain: impl IntoIterator<Item = C>,
        key: &[u8],
    ) -> io::Result<Self> {
        let chain = chain.into_iter().map(|one| CertificateDer::from(one.into())).collect();
        let key = PrivateKeyDer::try_from(key.to_vec()).map_err(unfit)?;
        Ok(Self { key: matched(chain, key)?, files: None })
    }

    /// From files, each PEM or DER; they may be one.
    ///
    /// # Errors
    /// The system's, and as [`from_pem`](Self::from_pem), with the name of the file.
    pub fn from_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> io::Result<Self> {
        let files = Files { chain: chain.as_ref().into(), key: key.as_ref().into() };
        Ok(Self { key: files.read()?, files: Some(Arc::new(files)) })
    }

    /// The same with an OCSP response, which says that the certificate was not revoked (a staple).
    #[must_use]
    pub fn with_ocsp(&self, response: impl Into<Vec<u8>>) -> Self {
        let mut key = CertifiedKey::clone(&self.key);
        key.ocsp = Some(response.into());
        Self { key: Arc::new(key), files: self.files.clone() }
    }

    /// The certificates in DER, one's own first.
    pub fn chain(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.key.cert.iter().map(AsRef::as_ref)
    }

    /// What its files have in them now; `None` if it came from none. A staple stays if the
    /// certificate is the same.
    pub(super) fn again(&self) -> Option<io::Result<Self>> {
        let files = self.files.as_ref()?;
        Some(files.read().map(|mut key| {
            if key.cert.first() == self.key.cert.first() {
                Arc::make_mut(&mut key).ocsp.clone_from(&self.key.ocsp);
            }
            Self { key, files: Some(files.clone()) }
        }))
    }

    /// Who shows the chain of one, and has the key of another.
    #[cfg(test)]
    pub(super) fn forged(shown: &Self, owned: &Self) -> Self {
        let key = CertifiedKey::new(shown.key.cert.clone(), owned.key.key.clone());
        Self { key: Arc::new(key), files: None }
    }

    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        self.key.clone()
    }

    /// Whether the one is a clone of the other.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.key, &other.key)
    }
}

impl Files {
    fn read(&self) -> io::Result<Arc<CertifiedKey>> {
        let chain = Paper::file(&self.chain)?.certificates()?;
        let key = Paper::file(&self.key)?.key()?;
        Ok(matched(chain, key).map_err(|error| Unfit::new(error).at(Some(&self.key), None))?)
    }
}

/// The chain with its key, which must not be another's.
fn matched(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> io::Result<Arc<CertifiedKey>> {
    if chain.is_empty() {
        return Err(unfit("there is no certificate"));
    }
    match CertifiedKey::from_der(chain, key, &provider()) {
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(unfit("the key is not that of the certificate"))
        }
        key => key.map(Arc::new).map_err(unfit),
    }
}

/// Without the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = &mut f.debug_struct("Identity");
        form.field("certificates", &self.key.cert.len());
        if let Some(files) = &self.files {
            form.field("files", files);
        }
        form.finish_non_exhaustive()
    }
}
