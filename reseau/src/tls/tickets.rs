//! What a server gives its clients to take up a session again, and keeps no state for: [`Tickets`].
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::crypto::SecureRandom;
use rustls::server::ProducesTickets;

use crate::clock;

/// Keys of tickets: a new one every day, each of which opens what it has closed for a week.
///
/// They belong to a configuration, which may be used in simulated worlds and outside: so they and
/// their days are the system's everywhere.
pub(super) struct Tickets {
    random: &'static dyn SecureRandom,
    /// The newest first.
    ring: Mutex<VecDeque<Key>>,
}

struct Key {
    /// By which a ticket says whose it is.
    name: [u8; NAME_LEN],
    key: LessSafeKey,
    born: Instant,
    /// How many it has closed: each has a nonce of its own.
    count: u64,
}

impl Tickets {
    /// `None` if there is no randomness.
    pub(super) fn new() -> Option<Self> {
        let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
        let first = Key::new(random, clock::real())?;
        Some(Self { random, ring: Mutex::new(VecDeque::from([first])) })
    }

    fn close(&self, plain: &[u8], now: Instant) -> Option<Vec<u8>> {
        self.ring(now).front_mut()?.close(plain)
    }

    fn open(&self, ticket: &[u8], now: Instant) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        self.ring(now).iter().find(|key| key.name == *name)?.open(*nonce, sealed)
    }

    /// The keys that are good now.
    fn ring(&self, now: Instant) -> MutexGuard<'_, VecDeque<Key>> {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let age = |key: &Key| now.saturating_duration_since(key.born);
        // If there is no randomness, the old one goes on.
        if ring.front().is_none_or(|newest| age(newest) >= TURN)
            && let Some(key) = Key::new(self.random, now)
        {
            ring.push_front(key);
        }
        ring.retain(|key| age(key) < LIFE);
        ring
    }
}

impl Key {
    fn new(random: &dyn SecureRandom, born: Instant) -> Option<Self> {
        let (mut name, mut secret) = ([0; NAME_LEN], [0; 32]);
        random.fill(&mut name).ok()?;
        random.fill(&mut secret).ok()?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &secret).ok()?);
        Some(Self { name, key, born, count: 0 })
    }

    fn close(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        self.count += 1;
        let mut nonce = [0; NONCE_LEN];
        nonce[NONCE_LEN - 8..].copy_from_slice(&self.count.to_be_bytes());
        let mut sealed = plain.to_vec();
        let (aad, sealing) = (Aad::from(self.name), Nonce::assume_unique_for_key(nonce));
        self.key.seal_in_place_append_tag(sealing, aad, &mut sealed).ok()?;
        Some([&self.name[..], &nonce, &sealed].concat())
    }

    fn open(&self, nonce: [u8; NONCE_LEN], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut space = sealed.to_vec();
        let (aad, nonce) = (Aad::from(self.name), Nonce::assume_unique_for_key(nonce));
        let length = self.key.open_in_place(nonce, aad, &mut space).ok()?.len();
        space.truncate(length);
        Some(space)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFE.as_secs() as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.close(plain, clock::real())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(ticket, clock::real())
    }
}

/// Without the keys.
impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}

const NAME_LEN: usize = 16;

/// How often there is a new key.
const TURN: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a key opens what it has closed. No ticket may live longer (RFC 8446, 4.6.1).
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn name(ticket: &[u8]) -> &[u8] {
        &ticket[..NAME_LEN]
    }

    #[test]
    fn keys_turn_every_day_and_live_for_a_week() {
        let tickets = Tickets::new().unwrap();
        let start = clock::real();
        let at = |hours: u64| start + Duration::from_secs(hours * 60 * 60);
        let close = |hours, plain| tickets.close(plain, at(hours)).unwrap();
        let open = |hours, ticket: &[u8]| tickets.open(ticket, at(hours));
        assert_eq!(tickets.lifetime(), 604_800);
        let first = close(0, b"of monday");
        let same = close(23, b"of monday");
        assert_eq!(name(&first), name(&same));
        assert_ne!(first, same, "no nonce comes twice");
        let next = close(25, b"of tuesday");
        assert_ne!(name(&first), name(&next));
        assert_eq!(open(25, &first).unwrap(), b"of monday");
        assert_eq!(open(7 * 24 - 1, &first).unwrap(), b"of monday");
        assert_eq!(open(7 * 24, &first), None);
        assert_eq!(open(7 * 24, &next).unwrap(), b"of tuesday");
        // After a long silence.
        assert_eq!(open(1000 * 24, &next), None);
        let late = close(1000 * 24, b"late");
        assert_eq!(open(1000 * 24, &late).unwrap(), b"late");
        assert_eq!(tickets.ring(at(1000 * 24)).len(), 1);
    }

    #[test]
    fn what_was_changed_is_no_ticket() {
        let tickets = Tickets::new().unwrap();
        let good = tickets.encrypt(b"session").unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(tickets.decrypt(&bad), None, "byte {at}");
            assert_eq!(tickets.decrypt(&good[..at]), None, "{at} bytes");
        }
        let others = Tickets::new().unwrap();
        assert_eq!(others.decrypt(&good), None);
    }
}
