//! Points in time that can be set and read from any thread, for the price of a load.
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock;

/// The points at which the reads and the writes of a handle are late.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    recv: AtomicDeadline,
    send: AtomicDeadline,
}

impl Deadlines {
    pub(super) fn set(&self, recv: Option<Instant>, send: Option<Instant>) {
        self.recv.set(recv);
        self.send.set(send);
    }

    pub(super) fn recv(&self) -> Option<Instant> {
        self.recv.get()
    }

    pub(super) fn send(&self) -> Option<Instant> {
        self.send.get()
    }
}

/// A clone has the same deadlines, and from then on its own.
impl Clone for Deadlines {
    fn clone(&self) -> Self {
        let copy = Self::default();
        copy.set(self.recv(), self.send());
        copy
    }
}

/// Nanoseconds since [`origin`], and one; 0 for none.
#[derive(Debug, Default)]
struct AtomicDeadline(AtomicU64);

impl AtomicDeadline {
    fn set(&self, at: Option<Instant>) {
        let number = at.map_or(0, |at| {
            let nanos = at.saturating_duration_since(origin()).as_nanos();
            u64::try_from(nanos).unwrap_or(u64::MAX).saturating_add(1)
        });
        self.0.store(number, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Instant> {
        let nanos = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        // A point beyond what the clock can say (584 years from now) never comes.
        origin().checked_add(Duration::from_nanos(nanos))
    }
}

/// The time at which the first deadline was set: whatever lies before it was late already.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(clock::real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_comes_back_as_it_was_set() {
        let deadlines = Deadlines::default();
        assert_eq!((deadlines.recv(), deadlines.send()), (None, None));
        let at = clock::real() + Duration::from_nanos(1_234_567);
        deadlines.set(Some(at), None);
        assert_eq!((deadlines.recv(), deadlines.send()), (Some(at), None));
        assert_eq!(deadlines.clone().recv(), Some(at));
        deadlines.set(None, Some(at));
        assert_eq!((deadlines.recv(), deadlines.send()), (None, Some(at)));
    }

    #[test]
    fn the_past_stays_past_and_the_far_future_is_never_now() {
        let start = origin();
        let deadlines = Deadlines::default();
        let past = start.checked_sub(Duration::from_secs(1)).unwrap_or(start);
        deadlines.set(Some(past), start.checked_add(Duration::from_secs(60 * 60 * 24 * 365 * 900)));
        assert!(deadlines.recv().is_some_and(|at| at <= start));
        let century = start + Duration::from_secs(60 * 60 * 24 * 365 * 100);
        assert!(deadlines.send().is_none_or(|at| at > century));
    }
}
