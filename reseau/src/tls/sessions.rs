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
}
