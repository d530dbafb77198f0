//! Sessions that a client may take up again: [`Sessions`].
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// The sessions of the servers that were used last.
pub(super) struct Sessions {
    max: usize,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    servers: HashMap<ServerName<'static>, Known>,
    /// By when each was used last.
    used: BTreeMap<u64, ServerName<'static>>,
    now: u64,
}

/// What is known of one server.
#[derive(Default)]
struct Known {
    used: u64,
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    /// Each is good for one connection; the newest last.
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl Sessions {
    /// Of so many servers, at least one.
    pub(super) fn new(max: usize) -> Self {
        Self { max, shelf: Mutex::default() }
    }

    /// What is known of that server, which is used now.
    fn with<T>(&self, name: ServerName<'static>, change: impl FnOnce(&mut Known) -> T) -> T {
        let shelf = &mut *self.shelf();
        shelf.now += 1;
        let known = shelf.servers.entry(name.clone()).or_default();
        shelf.used.remove(&known.used);
        known.used = shelf.now;
        shelf.used.insert(shelf.now, name);
        let changed = change(known);
        while shelf.servers.len() > self.max
            && let Some((_, oldest)) = shelf.used.pop_first()
        {
            shelf.servers.remove(&oldest);
        }
        changed
    }

    /// The same, if something is.
    fn known<T>(
        &self,
        name: &ServerName<'_>,
        look: impl FnOnce(&mut Known) -> Option<T>,
    ) -> Option<T> {
        if !self.shelf().servers.contains_key(&name.to_owned()) {
            return None;
        }
        self.with(name.to_owned(), look)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.with(name, |known| known.group = Some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.known(name, |known| known.group)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.with(name, |known| known.tls12 = Some(value));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.known(name, |known| known.tls12.clone())
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.known(name, |known| known.tls12.take());
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.with(name, |known| {
            if known.tls13.len() == TICKETS_MAX {
                known.tls13.pop_front();
            }
            known.tls13.push_back(value);
        });
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.known(name, |known| known.tls13.pop_back())
    }
}

/// Without secrets.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("max", &self.max).finish_non_exhaustive()
    }
}

/// How many tickets of one server are kept.
const TICKETS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> ServerName<'static> {
        ServerName::try_from(format!("host{number}.example")).unwrap()
    }

    #[test]
    fn who_was_not_used_for_longest_goes_first() {
        let sessions = Sessions::new(3);
        let group = NamedGroup::X25519;
        for number in 0..3 {
            sessions.set_kx_hint(name(number), group);
        }
        assert_eq!(sessions.kx_hint(&name(0)), Some(group)); // And so it is used.
        assert_eq!(sessions.kx_hint(&name(7)), None); // Who asks for nobody moves nobody.
        sessions.set_kx_hint(name(3), group);
        let there = |number| sessions.shelf().servers.contains_key(&name(number));
        assert_eq!([0, 1, 2, 3].map(there), [true, false, true, true]);
        sessions.set_kx_hint(name(2), NamedGroup::secp256r1);
        sessions.set_kx_hint(name(4), group);
        assert_eq!([0, 2, 3, 4].map(there), [false, true, true, true]);
        assert_eq!(sessions.kx_hint(&name(2)), Some(NamedGroup::secp256r1));
        let shelf = sessions.shelf();
        assert_eq!(shelf.used.len(), shelf.servers.len());
    }

    /// Connections that begin at the same time take up the same session of 1.2.
    #[test]
    fn a_session_of_1_2_is_good_for_many() {
        use crate::clock::tests::watched;
        use crate::tls::engine::tests::{authority, engines, settle};
        use crate::tls::{Client, Server, Version};
        watched(|| {
            let (roots, identity) = authority();
            let client = Client::new().trust_only(&roots).resume(1);
            let server = Server::new(&identity).newest(Version::Tls12);
            let (mut a, mut b) = engines(&client, &server);
            settle(&mut a, &mut b).unwrap();
            let pairs = [(); 3].map(|()| engines(&client, &server));
            for (mut a, mut b) in pairs {
                settle(&mut a, &mut b).unwrap();
                assert!(a.session().is_resumed() && b.session().is_resumed());
            }
        });
    }

    /// However many a server sends, so many are kept; each is good for one connection.
    #[test]
    fn the_tickets_of_a_server_are_bounded() {
        use crate::clock::tests::watched;
        use rustls::client::Resumption;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
        use rustls::{
            ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
        };
        use std::sync::Arc;
        watched(|| {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let cert = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap();
            let key = made.signing_key.serialize_pem();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            let server = ServerConfig::builder_with_provider(crate::tls::provider());
            let server = server.with_safe_default_protocol_versions().unwrap();
            let server = server.with_no_client_auth().with_single_cert(vec![cert.clone()], key);
            let mut server = server.unwrap();
            server.send_tls13_tickets = 3 * TICKETS_MAX;
            let mut roots = RootCertStore::empty();
            roots.add(cert).unwrap();
            let client = ClientConfig::builder_with_provider(crate::tls::provider());
            let client = client.with_safe_default_protocol_versions().unwrap();
            let mut client = client.with_root_certificates(roots).with_no_client_auth();
            let sessions = Arc::new(Sessions::new(1));
            client.resumption = Resumption::store(sessions.clone());
            let name = ServerName::try_from("localhost").unwrap();
            let mut one = ClientConnection::new(Arc::new(client), name.clone()).unwrap();
            let mut other = ServerConnection::new(Arc::new(server)).unwrap();
            while one.wants_write() || other.wants_write() {
                let (mut there, mut back) = (Vec::new(), Vec::new());
                while one.write_tls(&mut there).unwrap() > 0 {}
                let mut left = &there[..];
                while other.read_tls(&mut left).unwrap() > 0 {
                    other.process_new_packets().unwrap();
                }
                while other.write_tls(&mut back).unwrap() > 0 {}
                let mut left = &back[..];
                while one.read_tls(&mut left).unwrap() > 0 {
                    one.process_new_packets().unwrap();
                }
            }
            let taken = std::iter::from_fn(|| sessions.take_tls13_ticket(&name)).take(100);
            assert_eq!(taken.count(), TICKETS_MAX);
        });
    }
}
