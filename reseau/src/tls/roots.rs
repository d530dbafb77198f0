//! Whom to trust: [`Roots`].
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::pem::Paper;
use super::{Unfit, unfit};

/// Certificates of those who are trusted to issue certificates.
///
/// ```
/// use reseau::tls::{Client, Roots};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// let roots = Roots::from_pem(made.cert.pem().as_bytes())?;
/// let client = Client::new().trust_only(&roots);
/// # drop(client);
///
/// let none = Roots::from_pem(b"there is none in here");
/// assert_eq!(none.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Roots(Arc<Vec<CertificateDer<'static>>>);

impl Roots {
    /// Those in a text that is PEM.
    ///
    /// # Errors
    /// `InvalidInput` if there is none, or one that cannot be read.
    pub fn from_pem(text: &[u8]) -> io::Result<Self> {
        Self::checked(Paper::text(text).certificates()?)
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
    /// The system's, and as [`from_pem`](Self::from_pem), with the name of the file.
    pub fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let roots = Self::checked(Paper::file(path)?.certificates()?);
        Ok(roots.map_err(|error| Unfit::new(error).at(Some(path), None))?)
    }

    /// Those in the files of a directory, such as `openssl rehash` makes one: what is there under
    /// several names counts once, and files with none are passed over.
    ///
    /// # Errors
    /// The system's; `InvalidInput` if no file has one.
    pub fn from_dir(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let wrong = |error| Unfit::new(error).at(Some(path), None);
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(path).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if path.is_file()
                && let Ok(roots) = Self::from_file(path)
            {
                found.extend(roots.0.iter().map(|one| one.to_vec()));
            }
        }
        let found = found.into_iter().map(CertificateDer::from).collect();
        Ok(Self::checked(found).map_err(wrong)?)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// These and those.
    ///
    /// ```
    /// use reseau::tls::Roots;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    /// # let (ours, theirs) = (made()?.cert.pem(), made()?.cert.pem());
    /// let ours = Roots::from_pem(ours.as_bytes())?;
    /// let both = ours.and(&Roots::from_pem(theirs.as_bytes())?);
    /// assert_eq!(both.count(), 2);
    /// # Ok(())
    /// # }
    /// ```
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
