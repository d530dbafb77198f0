//! A socket that any thread may close under the others.
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::plain::{Plain, gone};

/// A socket until it is closed. Its descriptor is closed as soon as no call uses it any more.
pub(super) struct Shared(Mutex<Option<Arc<Plain>>>);

impl Shared {
    pub(super) fn new(plain: Plain) -> Self {
        Self(Mutex::new(Some(Arc::new(plain))))
    }

    /// The socket, for the time of a call.
    pub(super) fn get(&self) -> io::Result<Arc<Plain>> {
        self.lock().clone().ok_or_else(gone)
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// Closes it. Calls that wait return with an error; doing so again does nothing.
    pub(super) fn close(&self) {
        let taken = self.lock().take();
        if let Some(plain) = taken {
            plain.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Plain>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
