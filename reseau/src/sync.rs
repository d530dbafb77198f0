//! The locks and atomics of `driver/door.rs`, under names that loom can stand in for; and waking.
#[cfg(feature = "async")]
pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Locks. A panic elsewhere while a lock was held cannot have broken what it guards: no user code
/// runs under a lock of this crate.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A waker that panics hurts nobody else.
pub(crate) fn wake(waker: Waker) {
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}
