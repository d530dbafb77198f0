//! Where a connection's randomness and its calendar come from: [`Chance`].
//!
//! From the system, but for connections of a simulated world: those get both from their world, so
//! that the same seed gives the same handshakes, at the same dates.
//!
//! **Nobody else gets a world's keys.** A world is found by one of its own sockets alone
//! ([`Chance::of`]), and set for the thread while that socket's engine computes, which calls
//! nobody. A real socket's engine never meets it, on whatever thread or in whatever program it is
//! used; nor does a configuration, whose ticket keys are the system's.
use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;
use rustls::time_provider::TimeProvider;

#[cfg(feature = "async")]
use super::played;
#[cfg(feature = "async")]
use crate::sys::Fd;
#[cfg(feature = "async")]
use crate::sys::sim::World;

/// Where the randomness and the calendar of one connection come from; by default, the system.
#[derive(Default)]
pub(crate) struct Chance {
    #[cfg(feature = "async")]
    world: Option<World>,
}

impl Chance {
    /// That of the connection whose socket this is.
    #[cfg(feature = "async")]
    pub(crate) fn of(fd: &Fd) -> Self {
        let world = match fd {
            Fd::Sim(port) => Some(port.world()),
            Fd::Os(_) => None,
        };
        Self { world }
    }

    /// Computes, with this chance.
    pub(super) fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        #[cfg(feature = "async")]
        if let Some(world) = &self.world {
            return played::within(world, work);
        }
        work()
    }
}

/// The cryptography: one for all, whatever else the program has set up.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        #[cfg(feature = "async")]
        return Arc::new(played::provider());
        #[cfg(not(feature = "async"))]
        Arc::new(rustls::crypto::aws_lc_rs::default_provider())
    });
    PROVIDER.clone()
}

/// The calendar.
pub(super) fn calendar() -> Arc<dyn TimeProvider> {
    #[cfg(feature = "async")]
    return Arc::new(played::Calendar);
    #[cfg(not(feature = "async"))]
    Arc::new(rustls::time_provider::DefaultTimeProvider)
}
