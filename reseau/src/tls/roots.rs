//! Whom to trust: [`Roots`].
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::unfit;

/// Certificates of those who are trusted to issue certificates.
///
/// ```
/// let none = reseau::tls::Roots::from_pem(b"there is none in here");
/// assert_eq!(none.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
/// ```
#[derive(Clone, Debug)]
pub struct Roots(Arc<Vec<CertificateDer<'static>>>);

impl Roots {
    /// Those in a text that is PEM.
    ///
    /// # Errors
    /// `InvalidInput` if there is none, or one that cannot be read.
    pub fn from_pem(text: &[u8]) -> io::Result<Self> {
        let found = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
        Self::checked(found.map_err(unfit)?)
    }

    /// One in DER.
    ///
    /// # Errors
    /// `InvalidInput` if it cannot be read.
    pub fn from_der(bytes: &[u8]) -> io::Result<Self> {
        Self::checked(vec![CertificateDer::from(bytes.to_vec())])
    }

    /// Those in a file, PEM or DER.
    ///
    /// # Errors
    /// The system's, and as [`from_pem`](Self::from_pem).
    pub fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        if is_der(&bytes) { Self::from_der(&bytes) } else { Self::from_pem(&bytes) }
    }

    /// Those in the files of a directory. Files with none are passed over.
    ///
    /// # Errors
    /// The system's; `InvalidInput` if no file has one.
    pub fn from_dir(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut found = Vec::new();
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            if path.is_file()
                && let Ok(roots) = Self::from_file(path)
            {
                found.extend(roots.0.iter().cloned());
            }
        }
        Self::checked(found)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// These and those.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self(Arc::new(self.0.iter().chain(others.0.iter()).cloned().collect()))
    }

    fn checked(found: Vec<CertificateDer<'static>>) -> io::Result<Self> {
        let roots = Self(Arc::new(found));
        match roots.store()?.is_empty() {
            true => Err(unfit("there is no certificate")),
            false => Ok(roots),
        }
    }

    pub(super) fn store(&self) -> io::Result<RootCertStore> {
        let mut store = RootCertStore::empty();
        for one in self.list() {
            store.add(one).map_err(unfit)?;
        }
        Ok(store)
    }

    pub(super) fn list(&self) -> impl Iterator<Item = CertificateDer<'static>> + '_ {
        self.0.iter().cloned()
    }
}

/// DER begins with a sequence whose length takes more than one byte; PEM is text.
pub(super) fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x80..=0xff, ..])
}
