//! The deadline of a lane. Few sockets have one, so it costs the others a pointer.
use super::timer::TimerKey;
use std::time::Instant;

#[derive(Default)]
pub(crate) struct Deadline(Option<Box<Watch>>);

/// An absolute deadline, and the one timer that watches over the lane.
#[derive(Default)]
struct Watch {
    at: Option<Instant>,
    expired: bool,
    /// The home's timer: never later than `at`, perhaps earlier.
    timer: Option<TimerKey>,
}

impl Deadline {
    /// Sets or clears the deadline; `past`: it is over already.
    pub(crate) fn set(&mut self, at: Option<Instant>, past: bool) {
        if at.is_some() || self.0.is_some() {
            let watch = self.0.get_or_insert_default();
            watch.at = at;
            watch.expired = past;
        }
    }

    /// The timer has fired. What is still to be waited for, if anything.
    pub(crate) fn fire(&mut self, now: Instant) -> Option<Instant> {
        let watch = self.0.as_mut()?;
        watch.timer = None;
        let later = watch.at.filter(|at| *at > now);
        watch.expired |= watch.at.is_some() && later.is_none();
        later
    }

    pub(crate) fn set_timer(&mut self, timer: TimerKey) {
        self.0.get_or_insert_default().timer = Some(timer);
    }

    pub(crate) fn take_timer(&mut self) -> Option<TimerKey> {
        self.0.as_mut()?.timer.take()
    }

    pub(crate) fn timer(&self) -> Option<TimerKey> {
        self.0.as_ref()?.timer
    }

    pub(crate) fn at(&self) -> Option<Instant> {
        self.0.as_ref()?.at
    }

    pub(crate) fn expired(&self) -> bool {
        self.0.as_ref().is_some_and(|watch| watch.expired)
    }
}
