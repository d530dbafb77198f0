//! Cryptography as it is played in a simulated world: as long as the real one, and foreseeable.
//!
//! Everything here is the real thing unless an engine of a simulated connection computes
//! ([`within`]). Then random numbers and the calendar are the world's, and keys are exchanged in
//! name only: both ends are in the world, so a share is a random number as long as a real one, and
//! the secret is what both shares give. (Of a real exchange not every part could be the same again:
//! the library takes no seed for ML-KEM.) Certificates and signatures are real, and really checked.
use std::cell::RefCell;
use std::sync::{Arc, LazyLock, OnceLock};

use rustls::crypto::{ActiveKeyExchange, CompletedKeyExchange, CryptoProvider, GetRandomFailed};
use rustls::crypto::{KeyProvider, SecureRandom, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::sign::{Signer, SigningKey};
use rustls::time_provider::TimeProvider;
use rustls::{Error, NamedGroup, ProtocolVersion, SignatureAlgorithm, SignatureScheme};

use crate::sys::sim::World;

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Computes in a world.
pub(super) fn within<T>(world: &World, work: impl FnOnce() -> T) -> T {
    /// Whatever happens, it is over then.
    struct Over(Option<World>);
    impl Drop for Over {
        fn drop(&mut self) {
            WORLD.set(self.0.take());
        }
    }
    let _over = Over(WORLD.replace(Some(world.clone())));
    work()
}

/// The world whose engine computes on this thread right now.
fn world() -> Option<World> {
    WORLD.with_borrow(Clone::clone)
}

static REAL: LazyLock<CryptoProvider> = LazyLock::new(rustls::crypto::aws_lc_rs::default_provider);

/// The real cryptography, which is played in simulated worlds.
pub(super) fn provider() -> CryptoProvider {
    static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
        REAL.kx_groups.iter().map(|&real| Group { real, lengths: OnceLock::new() }).collect()
    });
    CryptoProvider {
        kx_groups: GROUPS.iter().map(|group| group as _).collect(),
        secure_random: &Numbers,
        key_provider: &Keys,
        ..REAL.clone()
    }
}

#[derive(Debug)]
struct Numbers;

impl SecureRandom for Numbers {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        match world() {
            None => REAL.secure_random.fill(bytes),
            Some(world) => {
                world.fill(bytes);
                Ok(())
            }
        }
    }

    fn fips(&self) -> bool {
        REAL.secure_random.fips()
    }
}

/// The world's, or the machine's.
#[derive(Debug)]
pub(super) struct Calendar;

impl TimeProvider for Calendar {
    fn current_time(&self) -> Option<UnixTime> {
        Some(world().map_or_else(UnixTime::now, |world| UnixTime::since_unix_epoch(world.date())))
    }
}

/// A group of which keys are exchanged.
#[derive(Debug)]
struct Group {
    real: &'static dyn SupportedKxGroup,
    lengths: OnceLock<Lengths>,
}

/// How long its shares are.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    asks: usize,
    answers: usize,
    /// Who asks offers this part of his share by itself, too.
    part: Option<(NamedGroup, usize)>,
}

impl SupportedKxGroup for Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let Some(world) = world() else { return self.real.start() };
        let Lengths { asks, part, .. } = self.lengths()?;
        Ok(Box::new(Share { group: self.real.name(), bytes: share(&world, asks), part }))
    }

    fn start_and_complete(&self, asked: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let Some(world) = world() else { return self.real.start_and_complete(asked) };
        let pub_key = share(&world, self.lengths()?.answers);
        let secret = secret(asked, &pub_key);
        Ok(CompletedKeyExchange { group: self.real.name(), pub_key, secret })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        self.real.ffdhe_group()
    }

    fn name(&self) -> NamedGroup {
        self.real.name()
    }

    fn fips(&self) -> bool {
        self.real.fips()
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        self.real.usable_for_version(version)
    }
}

impl Group {
    /// As a real exchange has them, which is made once to see.
    fn lengths(&self) -> Result<Lengths, Error> {
        if let Some(lengths) = self.lengths.get() {
            return Ok(*lengths);
        }
        let asking = self.real.start()?;
        let answer = self.real.start_and_complete(asking.pub_key())?;
        let (asks, answers) = (asking.pub_key().len(), answer.pub_key.len());
        let part = asking.hybrid_component().map(|(group, share)| (group, share.len()));
        Ok(*self.lengths.get_or_init(|| Lengths { asks, answers, part }))
    }
}

/// One end's share.
struct Share {
    group: NamedGroup,
    bytes: Vec<u8>,
    part: Option<(NamedGroup, usize)>,
}

impl ActiveKeyExchange for Share {
    fn complete(self: Box<Self>, other: &[u8]) -> Result<SharedSecret, Error> {
        Ok(secret(&self.bytes, other))
    }

    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        self.part.map(|(group, length)| (group, &self.bytes[self.bytes.len() - length..]))
    }

    fn complete_hybrid_component(self: Box<Self>, other: &[u8]) -> Result<SharedSecret, Error> {
        let part = self.hybrid_component().map_or(&self.bytes[..], |(_, part)| part);
        Ok(secret(part, other))
    }

    fn pub_key(&self) -> &[u8] {
        &self.bytes
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        self.group
    }
}

fn share(world: &World, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    world.fill(&mut bytes);
    bytes
}

/// What both ends know: the same, whoever asks. (FNV-1a, from four beginnings.)
fn secret(one: &[u8], other: &[u8]) -> SharedSecret {
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    let mut bytes = Vec::with_capacity(32);
    for beginning in 0..4u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ beginning;
        for byte in first.iter().chain(second) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        bytes.extend_from_slice(&hash.to_le_bytes());
    }
    SharedSecret::from(bytes)
}

#[derive(Debug)]
struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Ok(Arc::new(Key(REAL.key_provider.load_private_key(key)?)))
    }

    fn fips(&self) -> bool {
        REAL.key_provider.fips()
    }
}

#[derive(Debug)]
struct Key(Arc<dyn SigningKey>);

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Hand(self.0.choose_scheme(offered)?)))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

/// Who signs. The library takes no seed for the signatures that need a random number, so their
/// bytes are not the same again; but in a world they are always as long.
#[derive(Debug)]
struct Hand(Box<dyn Signer>);

impl Signer for Hand {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        // Two integers, each without the noughts in front of it: mostly they are as long as this.
        let length = match self.0.scheme() {
            SignatureScheme::ECDSA_NISTP256_SHA256 => 71,
            SignatureScheme::ECDSA_NISTP384_SHA384 => 103,
            SignatureScheme::ECDSA_NISTP521_SHA512 => 139,
            _ => return self.0.sign(message),
        };
        let mut signature = self.0.sign(message)?;
        if world().is_some() {
            // Every other one is right, or more.
            for _ in 0..TRIES {
                if signature.len() == length {
                    break;
                }
                signature = self.0.sign(message)?;
            }
        }
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}

/// How often a signature of the wrong length is made anew: none was ever seen to take so many.
const TRIES: usize = 128;

#[cfg(test)]
#[path = "played_tests.rs"]
mod tests;
