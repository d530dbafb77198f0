//! A point in time that somebody waits for, shared with the loop that watches the clock.
use super::Home;
use super::door::Mark;
use super::timer::TimerKey;
use crate::sync::{Mutex, lock, wake};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

pub(crate) struct Alarm {
    home: Arc<Home>,
    /// In the inbox and not yet looked at.
    kicked: Mark,
    face: Mutex<Face>,
}

struct Face {
    /// When to ring; `None`: nobody waits any more.
    at: Option<Instant>,
    rung: bool,
    waker: Option<Waker>,
    /// The home's timer.
    timer: Option<TimerKey>,
}

impl Alarm {
    pub(crate) fn new(home: Arc<Home>, at: Instant) -> Arc<Self> {
        let face = Face { at: Some(at), rung: false, waker: None, timer: None };
        Arc::new(Self { home, kicked: Mark::new(), face: Mutex::new(face) })
    }

    pub(crate) fn poll(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut fresh = Some(cx.waker().clone());
        let first = {
            let mut face = lock(&self.face);
            if face.rung {
                return Poll::Ready(());
            }
            std::mem::swap(&mut face.waker, &mut fresh);
            fresh.is_none()
        };
        drop(fresh);
        if first {
            self.home.ring(self);
            if lock(&self.face).rung {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Nobody waits any more.
    pub(crate) fn cancel(self: &Arc<Self>) {
        let (waker, timed) = {
            let mut face = lock(&self.face);
            face.at = None;
            let timed = !face.rung && face.waker.is_some();
            (face.waker.take(), timed)
        };
        drop(waker);
        if timed {
            self.home.ring(self);
        }
    }

    pub(crate) fn kicked(&self) -> &Mark {
        &self.kicked
    }

    /// The home's question: which timer to take away, and which to set.
    pub(super) fn settle(&self) -> (Option<TimerKey>, Option<Instant>) {
        let mut face = lock(&self.face);
        if face.rung {
            return (None, None);
        }
        match face.at {
            None => (face.timer.take(), None),
            Some(_) if face.timer.is_some() => (None, None),
            Some(at) => (None, Some(at)),
        }
    }

    pub(super) fn set_timer(&self, key: TimerKey) {
        lock(&self.face).timer = Some(key);
    }

    /// The time has come. The waker is handed out, to be woken under no lock.
    pub(super) fn strike(&self) -> Option<Waker> {
        let mut face = lock(&self.face);
        face.rung = true;
        face.timer = None;
        face.waker.take()
    }

    /// The loop has ended: nobody watches the clock, so nobody is kept waiting.
    pub(crate) fn fail(&self) {
        if let Some(waker) = self.strike() {
            wake(waker);
        }
    }
}
