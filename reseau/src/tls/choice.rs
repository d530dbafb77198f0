//! Which versions, suites and groups one speaks: [`Choice`].
use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{SupportedProtocolVersion, version};

use super::{Version, provider, unfit};

/// What both sides of TLS can narrow.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    pub(super) oldest: Option<Version>,
    pub(super) newest: Option<Version>,
    /// By their names; empty for all.
    pub(super) ciphers: Vec<String>,
    pub(super) groups: Vec<String>,
}

impl Choice {
    pub(super) fn provider(&self) -> io::Result<Arc<CryptoProvider>> {
        let whole = provider();
        if self.ciphers.is_empty() && self.groups.is_empty() {
            return Ok(whole);
        }
        let mut part = CryptoProvider::clone(&whole);
        let name_of = |one: &rustls::SupportedCipherSuite| one.suite().as_str().unwrap_or_default();
        part.cipher_suites = chosen("cipher suite", &self.ciphers, part.cipher_suites, name_of)?;
        let name_of =
            |one: &&'static dyn rustls::crypto::SupportedKxGroup| named(one.name().as_str());
        part.kx_groups = chosen("group", &self.groups, part.kx_groups, name_of)?;
        Ok(Arc::new(part))
    }

    pub(super) fn versions(&self) -> io::Result<Vec<&'static SupportedProtocolVersion>> {
        let oldest = self.oldest.unwrap_or(Version::Tls12);
        let newest = self.newest.unwrap_or(Version::Tls13);
        let all = [(Version::Tls13, &version::TLS13), (Version::Tls12, &version::TLS12)];
        let within = all.into_iter().filter(|(one, _)| (oldest..=newest).contains(one));
        let within: Vec<_> = within.map(|(_, one)| one).collect();
        match within.is_empty() {
            true => Err(unfit(format!("there is no version from {oldest} to {newest}"))),
            false => Ok(within),
        }
    }
}

/// The words by which [`Client`](super::Client) and [`Server`](super::Server) narrow it.
macro_rules! choices {
    () => {
        /// Speaks no older version than this.
        #[must_use]
        pub fn oldest(self, version: $crate::tls::Version) -> Self {
            self.with(|wish| wish.choice.oldest = Some(version))
        }

        /// Speaks no newer version than this.
        #[must_use]
        pub fn newest(self, version: $crate::tls::Version) -> Self {
            self.with(|wish| wish.choice.newest = Some(version))
        }

        /// Speaks these cipher suites alone, the best first, by their names as
        /// [`Session::cipher`](crate::tls::Session::cipher) and the registry have them. A name that
        /// is none is an error of the first handshake, which says those that are.
        #[must_use]
        pub fn ciphers<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
            self.with(|wish| wish.choice.ciphers = names.into_iter().map(Into::into).collect())
        }

        /// Exchanges keys in these groups alone, the best first, by their names as
        /// [`Session::group`](crate::tls::Session::group) has them: `X25519`, `secp256r1`.
        #[must_use]
        pub fn groups<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
            self.with(|wish| wish.choice.groups = names.into_iter().map(Into::into).collect())
        }

        /// Writes the keys of connections to the file that `SSLKEYLOGFILE` names, if it names one.
        /// **Whoever has the file can read everything.**
        #[must_use]
        pub fn key_log_from_env(self) -> Self {
            self.with(|wish| wish.key_log = true)
        }
    };
}

pub(super) use choices;

/// Those of `all` that have these names, in the order of the names; all if there are none.
fn chosen<T: Copy>(
    what: &str,
    names: &[String],
    all: Vec<T>,
    name_of: impl Fn(&T) -> &'static str,
) -> io::Result<Vec<T>> {
    if names.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| {
        let found = all.iter().find(|one| is_name(name_of(one), name));
        found.copied().ok_or_else(|| {
            let known: Vec<_> = all.iter().map(&name_of).collect();
            unfit(format!("no {what} is called {name:?}: there are {}", known.join(", ")))
        })
    };
    names.iter().map(find).collect()
}

/// The registry calls the suites of 1.3 `TLS_…` and not `TLS13_…`.
fn is_name(name: &str, wish: &str) -> bool {
    name.eq_ignore_ascii_case(wish)
        || name.strip_prefix("TLS13").is_some_and(|end| {
            wish.strip_prefix("TLS").is_some_and(|wish| end.eq_ignore_ascii_case(wish))
        })
}

fn named(name: Option<&'static str>) -> &'static str {
    name.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn names_are_those_of_the_registry_too() {
        let ciphers = names(&["TLS_AES_128_GCM_SHA256", "tls13_aes_256_gcm_sha384"]);
        let groups = names(&["secp256r1"]);
        let provider = Choice { ciphers, groups, ..Choice::default() }.provider().unwrap();
        let suites = provider.cipher_suites.iter().map(|one| one.suite().as_str().unwrap());
        let told: Vec<_> = suites.collect();
        assert_eq!(told, ["TLS13_AES_128_GCM_SHA256", "TLS13_AES_256_GCM_SHA384"]);
        assert_eq!(provider.kx_groups.len(), 1);
        let unknown = Choice { groups: names(&["X448"]), ..Choice::default() };
        let error = unknown.provider().unwrap_err().to_string();
        assert!(error.starts_with("no group is called \"X448\": there are "), "{error}");
        assert!(error.contains("X25519"), "{error}");
    }

    #[test]
    fn bounds_that_leave_nothing_are_refused() {
        let (oldest, newest) = (Some(Version::Tls13), Some(Version::Tls12));
        let none = Choice { oldest, newest, ..Choice::default() };
        let error = none.versions().unwrap_err().to_string();
        assert_eq!(error, "there is no version from TLS 1.3 to TLS 1.2");
        let old = Choice { newest, ..Choice::default() };
        assert_eq!(old.versions().unwrap().len(), 1);
        assert_eq!(Choice::default().versions().unwrap().len(), 2);
    }
}
