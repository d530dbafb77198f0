//! Taking turns, for no longer than one wants to wait: [`Turn`].
use std::io;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// What one at a time may have, for as long as a call of the system takes. (A mutex waits without
/// end, and a call on a stream must not.)
#[derive(Debug)]
pub(super) struct Turn<T> {
    place: Mutex<Place<T>>,
    free: Condvar,
}

#[derive(Debug)]
struct Place<T> {
    /// Nothing is there while somebody has it.
    what: Option<T>,
    /// Whoever has it gives it back without waiting for anything.
    brief: bool,
    /// How many wait: to wake nobody would be a call of the system, too.
    waiting: usize,
}

/// It is one's own until this is dropped.
pub(super) struct Taken<'a, T> {
    turn: &'a Turn<T>,
    /// It is there until the drop.
    what: Option<T>,
}

impl<T> Turn<T> {
    pub(super) fn new(what: T) -> Self {
        let place = Place { what: Some(what), brief: false, waiting: 0 };
        Self { place: Mutex::new(place), free: Condvar::new() }
    }

    /// If it is nobody's, or only briefly somebody's.
    pub(super) fn soon(&self) -> Option<Taken<'_, T>> {
        let mut place = lock(&self.place);
        loop {
            if let Some(what) = place.what.take() {
                return Some(Taken { turn: self, what: Some(what) });
            }
            if !place.brief {
                return None;
            }
            place.waiting += 1;
            place = self.free.wait(place).unwrap_or_else(PoisonError::into_inner);
            place.waiting -= 1;
        }
    }

    /// If it is nobody's, for somebody who will not wait for anything while it is his: to others
    /// it is as good as free.
    pub(super) fn briefly(&self) -> Option<Taken<'_, T>> {
        let mut place = lock(&self.place);
        let what = place.what.take()?;
        place.brief = true;
        Some(Taken { turn: self, what: Some(what) })
    }

    /// Once it is nobody's; `limit` is asked when that is to be waited for, and says until when,
    /// and what is wrong then.
    pub(super) fn take(
        &self,
        limit: impl FnOnce() -> io::Result<Option<(Instant, io::Error)>>,
    ) -> io::Result<Taken<'_, T>> {
        if let Some(mine) = self.soon() {
            return Ok(mine);
        }
        let mut limit = limit()?;
        let mut place = lock(&self.place);
        loop {
            if let Some(what) = place.what.take() {
                return Ok(Taken { turn: self, what: Some(what) });
            }
            let left = limit.as_ref().map(|(at, _)| at.saturating_duration_since(clock::real()));
            if left == Some(Duration::ZERO)
                && let Some((_, late)) = limit.take()
            {
                return Err(late);
            }
            place.waiting += 1;
            place = match left {
                None => self.free.wait(place).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.free.wait_timeout(place, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            place.waiting -= 1;
        }
    }
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.what.as_ref().expect("it is there until the drop")
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.what.as_mut().expect("it is there until the drop")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let mut place = lock(&self.turn.place);
        place.what = self.what.take();
        let brief = mem::take(&mut place.brief);
        let waiting = place.waiting > 0;
        drop(place);
        if waiting && brief {
            // One of them has it next, and perhaps not briefly: the others have to know.
            self.turn.free.notify_all();
        } else if waiting {
            self.turn.free.notify_one();
        }
    }
}

/// Nothing that is locked here is left half done by a panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::watched;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn nobody_waits_longer_than_he_wants_to() {
        let turn = Turn::new(0);
        let mine = turn.soon().unwrap();
        assert!(turn.soon().is_none());
        let soon = clock::real() + Duration::from_millis(10);
        let late = turn.take(|| Ok(Some((soon, io::ErrorKind::TimedOut.into()))));
        assert_eq!(late.err().unwrap().kind(), io::ErrorKind::TimedOut);
        let refused = turn.take(|| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(refused.err().unwrap().kind(), io::ErrorKind::WouldBlock);
        drop(mine);
        assert!(turn.take(|| Err(io::ErrorKind::WouldBlock.into())).is_ok(), "nobody has it");
    }

    #[test]
    fn who_has_it_briefly_is_in_nobodys_way() {
        type Way = fn(&Turn<u8>) -> Option<Taken<'_, u8>>;
        let ways: [Way; 2] =
            [Turn::soon, |turn| turn.take(|| Err(io::ErrorKind::WouldBlock.into())).ok()];
        watched(move || {
            let turn = &Turn::new(0);
            for way in ways {
                let mut mine = turn.briefly().unwrap();
                assert!(turn.briefly().is_none());
                thread::scope(|scope| {
                    let other = scope.spawn(|| way(turn).map(|theirs| *theirs));
                    while lock(&turn.place).waiting == 0 {
                        thread::yield_now();
                    }
                    *mine += 1;
                    let given = *mine;
                    drop(mine);
                    assert_eq!(other.join().unwrap(), Some(given));
                });
            }
            let _mine = turn.soon();
            assert!(turn.soon().is_none(), "this one may keep it");
        });
    }

    #[test]
    fn who_waited_for_a_brief_one_is_told_when_it_is_not_his() {
        watched(|| {
            let turn = &Turn::new(0);
            let mine = turn.briefly().unwrap();
            thread::scope(|scope| {
                let (tell, told) = mpsc::channel();
                for tell in [tell.clone(), tell] {
                    scope.spawn(move || tell.send(turn.soon()).unwrap());
                }
                while lock(&turn.place).waiting < 2 {
                    thread::yield_now();
                }
                drop(mine);
                // Whoever has it keeps it until the other has answered.
                let answers = [told.recv().unwrap(), told.recv().unwrap()];
                assert_eq!(answers.iter().flatten().count(), 1);
            });
        });
    }

    #[test]
    fn everybody_gets_his_turn() {
        watched(|| {
            let turn = Turn::new(0);
            let soon = clock::real() + Duration::from_secs(30);
            thread::scope(|scope| {
                for patient in [true, false, true, false] {
                    let turn = &turn;
                    scope.spawn(move || {
                        for _ in 0..500 {
                            let late = || (soon, io::Error::from(io::ErrorKind::TimedOut));
                            let mut mine = turn.take(|| Ok((!patient).then(late))).unwrap();
                            let before = *mine;
                            thread::yield_now();
                            *mine = before + 1;
                        }
                    });
                }
            });
            assert_eq!(*turn.soon().unwrap(), 2000);
        });
    }
}
