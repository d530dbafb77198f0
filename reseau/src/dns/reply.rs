//! Between who asks and who answers.
use std::io;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use super::LookupError;
use super::error::Cause;
use super::query::Answer;
use crate::crew::Slot;

/// A lookup that was started. Whoever polls it last is woken; dropping it forgets the lookup if it
/// has not begun, and its answer if it has.
pub(crate) struct Pending<T = Answer> {
    name: Box<str>,
    slot: Arc<Slot<Outcome<T>>>,
}

pub(super) type Outcome<T> = Result<T, LookupError>;

/// The other end: what a resolver answers to. Dropped, it says that there will be no answer.
pub(super) struct Reply<T = Answer>(Option<Box<dyn Asker<T>>>);

/// Who waits for an answer.
pub(super) trait Asker<T>: Send {
    /// Whether anybody still does. After `false` nobody will again.
    fn is_waiting(&mut self) -> bool;
    fn hear(self: Box<Self>, outcome: Outcome<T>);
}

impl<T: Send + 'static> Pending<T> {
    /// A lookup of `name`, and what it is answered to.
    pub(super) fn new(name: &str) -> (Self, Reply<T>) {
        let slot = Arc::new(Slot::new(None));
        let reply = Reply::to(Arc::downgrade(&slot));
        (Self { name: name.into(), slot }, reply)
    }

    /// One that is over.
    pub(super) fn known(name: &str, outcome: Outcome<T>) -> Self {
        Self { name: name.into(), slot: Arc::new(Slot::new(Some(outcome))) }
    }

    /// The answer, once: polled again it is never ready.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.poll_outcome(cx).map_err(|error| error.about(&self.name))
    }

    pub(super) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        self.slot.poll(cx)
    }
}

impl<T> Reply<T> {
    pub(super) fn to(asker: impl Asker<T> + 'static) -> Self {
        Self(Some(Box::new(asker)))
    }

    /// Whether the answer is still wanted. After `false` the reply is to be dropped.
    pub(super) fn is_wanted(&mut self) -> bool {
        self.0.as_mut().is_some_and(|asker| asker.is_waiting())
    }

    pub(super) fn answer(mut self, outcome: Outcome<T>) {
        if let Some(asker) = self.0.take() {
            asker.hear(outcome);
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(asker) = self.0.take() {
            let what = "the resolver gave up without an answer";
            asker.hear(Err(LookupError::because(Cause::Failed, what)));
        }
    }
}

impl<T: Send> Asker<T> for Weak<Slot<Outcome<T>>> {
    fn is_waiting(&mut self) -> bool {
        self.strong_count() > 0
    }

    fn hear(self: Box<Self>, outcome: Outcome<T>) {
        if let Some(slot) = self.upgrade() {
            slot.put(outcome);
        }
    }
}
