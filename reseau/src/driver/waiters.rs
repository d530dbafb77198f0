//! Who waits for a lane.
//!
//! Futures over `&mut` share one place: the last one polled is the one that waits, and a dropped
//! future leaves a stale waker that costs one spurious wake. Futures over `&` (`readable`,
//! `accept`, `peek`) may wait side by side, so each has a ticket and hands it back when dropped:
//! the list is as long as there are living futures.
use std::task::{Context, Waker};

#[derive(Default)]
pub(crate) struct Waiters {
    one: Option<Waker>,
    many: Option<Box<Crowd>>,
}

#[derive(Default)]
struct Crowd {
    issued: u64,
    wakers: Vec<(u64, Waker)>,
}

/// Who asks.
pub(crate) enum Who<'a> {
    /// The owner of the socket, or of this half of it.
    Owner,
    /// One of many, with the place for its ticket.
    Ticket(&'a mut Option<u64>),
}

impl Who<'_> {
    /// The same, for another question.
    #[cfg(feature = "tls")]
    pub(crate) fn again(&mut self) -> Who<'_> {
        match self {
            Self::Owner => Who::Owner,
            Self::Ticket(ticket) => Who::Ticket(ticket),
        }
    }
}

impl Waiters {
    /// Whether a wake would reach `cx` already.
    pub(crate) fn has(&self, who: &Who<'_>, cx: &Context<'_>) -> bool {
        let known = match who {
            Who::Owner => self.one.as_ref(),
            Who::Ticket(Some(ticket)) => self.find(*ticket),
            Who::Ticket(None) => None,
        };
        known.is_some_and(|waker| waker.will_wake(cx.waker()))
    }

    /// Leaves a waker; the one it replaces is handed out, to be dropped under no lock.
    pub(crate) fn leave(&mut self, who: &mut Who<'_>, waker: Waker) -> Option<Waker> {
        let Who::Ticket(ticket) = who else { return self.one.replace(waker) };
        let crowd = self.many.get_or_insert_default();
        let number = ticket.get_or_insert_with(|| {
            crowd.issued += 1;
            crowd.issued
        });
        match crowd.wakers.iter_mut().find(|(known, _)| known == number) {
            Some((_, place)) => Some(std::mem::replace(place, waker)),
            None => {
                crowd.wakers.push((*number, waker));
                None
            }
        }
    }

    /// A future with a ticket is gone.
    pub(crate) fn withdraw(&mut self, ticket: u64) -> Option<Waker> {
        let crowd = self.many.as_mut()?;
        let place = crowd.wakers.iter().position(|(known, _)| *known == ticket)?;
        Some(crowd.wakers.swap_remove(place).1)
    }

    /// Everybody who waits, to be woken (or dropped) under no lock.
    pub(crate) fn take(&mut self, into: &mut Vec<Waker>) {
        if let Some(waker) = self.one.take() {
            into.push(waker);
        }
        if let Some(crowd) = &mut self.many {
            into.extend(crowd.wakers.drain(..).map(|(_, waker)| waker));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.one.is_none() && self.many.as_ref().is_none_or(|crowd| crowd.wakers.is_empty())
    }

    fn find(&self, ticket: u64) -> Option<&Waker> {
        let crowd = self.many.as_ref()?;
        crowd.wakers.iter().find(|(known, _)| *known == ticket).map(|(_, waker)| waker)
    }
}
