//! Taking turns, for no longer than one wants to wait: [`Turn`].
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::clock;

/// What one at a time may have, for as long as a call of the system takes. (A mutex waits without
/// end, and a call on a stream must not.)
#[derive(Debug, Default)]
pub(super) struct Turn<T> {
    what: Mutex<T>,
    taken: Mutex<bool>,
    free: Condvar,
}

/// It is one's own until this is dropped.
pub(super) struct Taken<'a, T> {
    what: MutexGuard<'a, T>,
    _end: End<'a, T>,
}

struct End<'a, T>(&'a Turn<T>);

impl<T> Turn<T> {
    pub(super) fn new(what: T) -> Self {
        Self { what: Mutex::new(what), taken: Mutex::new(false), free: Condvar::new() }
    }

    /// If it is nobody's.
    pub(super) fn at_once(&self) -> Option<Taken<'_, T>> {
        let mut taken = lock(&self.taken);
        if *taken {
            return None;
        }
        *taken = true;
        drop(taken);
        Some(self.mine())
    }

    /// Once it is nobody's; `limit` is asked when that is to be waited for, and says until when,
    /// and what is wrong then.
    pub(super) fn take(
        &self,
        limit: impl FnOnce() -> io::Result<Option<(Instant, io::Error)>>,
    ) -> io::Result<Taken<'_, T>> {
        if let Some(mine) = self.at_once() {
            return Ok(mine);
        }
        let mut limit = limit()?;
        let mut taken = lock(&self.taken);
        while *taken {
            let Some((at, late)) = limit.take() else {
                taken = self.free.wait(taken).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = at.saturating_duration_since(clock::real());
            if left.is_zero() {
                return Err(late);
            }
            limit = Some((at, late));
            taken = match self.free.wait_timeout(taken, left) {
                Ok((taken, _)) => taken,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        *taken = true;
        drop(taken);
        Ok(self.mine())
    }

    fn mine(&self) -> Taken<'_, T> {
        Taken { what: lock(&self.what), _end: End(self) }
    }
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.what
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.what
    }
}

impl<T> Drop for End<'_, T> {
    fn drop(&mut self) {
        *lock(&self.0.taken) = false;
        self.0.free.notify_one();
    }
}

/// Nothing that is locked here is left half done by a panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn nobody_waits_longer_than_he_wants_to() {
        let turn = Turn::new(0);
        let mine = turn.at_once().unwrap();
        assert!(turn.at_once().is_none());
        let soon = clock::real() + Duration::from_millis(10);
        let late = turn.take(|| Ok(Some((soon, io::ErrorKind::TimedOut.into()))));
        assert_eq!(late.err().unwrap().kind(), io::ErrorKind::TimedOut);
        let refused = turn.take(|| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(refused.err().unwrap().kind(), io::ErrorKind::WouldBlock);
        drop(mine);
        assert!(turn.take(|| Err(io::ErrorKind::WouldBlock.into())).is_ok(), "nobody has it");
    }

    #[test]
    fn everybody_gets_his_turn() {
        let turn = Turn::new(0);
        let soon = clock::real() + Duration::from_secs(30);
        thread::scope(|scope| {
            for patient in [true, false, true, false] {
                let turn = &turn;
                scope.spawn(move || {
                    for _ in 0..500 {
                        let limit = || {
                            Ok((!patient).then(|| (soon, io::Error::from(io::ErrorKind::TimedOut))))
                        };
                        let mut mine = turn.take(limit).unwrap();
                        let before = *mine;
                        thread::yield_now();
                        *mine = before + 1;
                    }
                });
            }
        });
        assert_eq!(*turn.at_once().unwrap(), 2000);
    }
}
