//! Timers of one loop: a sorted map, and nothing cleverer.
//!
//! Deadlines that move with every operation are not moved here: a lane remembers its deadline,
//! and its one timer, firing early, goes back in at the later time (lazy re-arm).
use std::collections::BTreeMap;
use std::time::Instant;

/// What to do at which time, in order of time and then of asking.
pub(crate) struct Timers<T> {
    due: BTreeMap<TimerKey, T>,
    sequence: u64,
}

/// The place of one timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey {
    pub(crate) at: Instant,
    sequence: u64,
}

impl<T> Timers<T> {
    pub(crate) fn new() -> Self {
        Self { due: BTreeMap::new(), sequence: 0 }
    }

    pub(crate) fn insert(&mut self, at: Instant, what: T) -> TimerKey {
        self.sequence += 1;
        let key = TimerKey { at, sequence: self.sequence };
        self.due.insert(key, what);
        key
    }

    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<T> {
        self.due.remove(&key)
    }

    /// The first timer that is due at `now`.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<T> {
        let first = self.due.first_entry()?;
        (first.key().at <= now).then(|| first.remove())
    }

    /// When the next timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first_key_value().map(|(key, _)| key.at)
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        std::mem::take(&mut self.due).into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn in_order_of_time_then_of_asking() {
        let start = crate::clock::real();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::new();
        timers.insert(at(5), "late");
        let gone = timers.insert(at(1), "gone");
        timers.insert(at(1), "first");
        timers.insert(at(1), "second");
        assert_eq!(timers.cancel(gone), Some("gone"));
        assert_eq!(timers.cancel(gone), None);
        assert_eq!(timers.next(), Some(at(1)));
        assert_eq!(timers.pop(start), None);
        assert_eq!(timers.pop(at(1)), Some("first"));
        assert_eq!(timers.pop(at(1)), Some("second"));
        assert_eq!(timers.pop(at(1)), None);
        assert_eq!(timers.pop(at(9)), Some("late"));
        assert_eq!(timers.next(), None);
    }
}
