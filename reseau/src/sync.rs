//! The locks and atomics of `driver/door.rs`, under names that loom can stand in for.
pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};

/// Locks. A panic elsewhere while a lock was held cannot have broken what it guards: no user code
/// runs under a lock of this crate.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
