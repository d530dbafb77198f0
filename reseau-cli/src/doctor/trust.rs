//! Whose certificates are believed where nobody says whose.
use super::host::Reading;

/// The roots that `tls://` stands on unless a program has its own.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    /// Who judges certificates.
    pub(crate) verifier: &'static str,
    /// How many issuers are trusted by themselves.
    pub(crate) roots: Reading<u64>,
    /// The variables that say where they are; without, it is the system that says so.
    pub(crate) variables: Option<&'static str>,
    pub(crate) file: Reading<String>,
    pub(crate) directories: Reading<Vec<String>>,
    /// What could not be read, or is no certificate.
    pub(crate) faults: Vec<String>,
}

/// Systems that keep roots in files, which the library reads.
#[cfg(all(unix, not(target_vendor = "apple"), not(target_os = "android")))]
impl Trust {
    pub(crate) fn examine() -> Self {
        use std::env;
        use std::path::{Path, PathBuf};

        use reseau::tls::Roots;

        let file = env::var_os(FILE).map(PathBuf::from);
        let directories = env::var_os(DIRECTORY).map(|all| env::split_paths(&all).collect());
        let mut directories: Vec<PathBuf> = directories.unwrap_or_default();
        directories.retain(|path| !path.as_os_str().is_empty());
        let variables = match (&file, directories.is_empty()) {
            (Some(_), false) => Some("SSL_CERT_FILE and SSL_CERT_DIR"),
            (Some(_), true) => Some(FILE),
            (None, false) => Some(DIRECTORY),
            (None, true) => None,
        };
        let (file, directories) = match variables {
            Some(_) => (file, directories),
            None => {
                let found = openssl_probe::probe();
                (found.cert_file, found.cert_dir)
            }
        };
        let found = rustls_native_certs::load_native_certs();
        let usable = found.certs.iter().filter(|one| Roots::from_der(one).is_ok()).count();
        let mut faults: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        if usable < found.certs.len() {
            let count = found.certs.len() - usable;
            faults.push(format!("{count} of the certificates cannot be roots"));
        }
        let shown = |path: &Path| path.display().to_string();
        let none = || Err("none".to_owned());
        Self {
            verifier: "rustls, by files of this system",
            roots: Ok(usable as u64),
            variables,
            file: file.as_deref().map_or_else(none, |file| Ok(shown(file))),
            directories: match directories.is_empty() {
                true => Err("none".to_owned()),
                false => Ok(directories.iter().map(|path| shown(path)).collect()),
            },
            faults,
        }
    }
}

/// Systems that judge by themselves.
#[cfg(not(all(unix, not(target_vendor = "apple"), not(target_os = "android"))))]
impl Trust {
    pub(crate) fn examine() -> Self {
        let verifier = match std::env::consts::OS {
            "windows" => "Windows, by its certificate stores",
            "android" => "Android, once the program has introduced itself",
            _ => "the system's Security framework, by its keychains",
        };
        let own = || "the system judges, and lists nothing".to_owned();
        Self {
            verifier,
            roots: Err(own()),
            variables: None,
            file: Err(own()),
            directories: Err(own()),
            faults: Vec::new(),
        }
    }
}

/// The variables of OpenSSL, which others honour, too.
#[cfg(all(unix, not(target_vendor = "apple"), not(target_os = "android")))]
const FILE: &str = "SSL_CERT_FILE";
#[cfg(all(unix, not(target_vendor = "apple"), not(target_os = "android")))]
const DIRECTORY: &str = "SSL_CERT_DIR";
