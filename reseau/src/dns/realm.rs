//! Whose names: the real world's, or those of one simulated world.
#[cfg(feature = "async")]
use std::sync::Weak;

#[cfg(feature = "async")]
use crate::driver::{self, Home};

/// The world that a question is asked in. A lookup or an answer of one world is none in another,
/// though the resolver may be the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Realm {
    /// The loop of a simulated world. Its memory stays, so that no later world is taken for it.
    #[cfg(feature = "async")]
    home: Option<Weak<Home>>,
}

impl Realm {
    /// The one of the loop that this thread runs.
    pub(super) fn here() -> Self {
        #[cfg(feature = "async")]
        {
            let home = driver::here().filter(|home| home.world().is_some());
            Self { home: home.as_ref().map(std::sync::Arc::downgrade) }
        }
        #[cfg(not(feature = "async"))]
        Self {}
    }

    pub(super) fn is_simulated(&self) -> bool {
        self.number() != 0
    }

    /// What tells worlds apart; 0 is the real one.
    fn number(&self) -> usize {
        #[cfg(feature = "async")]
        return self.home.as_ref().map_or(0, |home| home.as_ptr() as usize);
        #[cfg(not(feature = "async"))]
        0
    }
}

impl PartialEq for Realm {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
    }
}

impl Eq for Realm {}

impl std::hash::Hash for Realm {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}
