//! What drops futures.
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Counts the points at which futures wait, and drops some of them there.
pub(crate) struct Axe {
    when: When,
    habit: Habit,
    points: Cell<usize>,
    falls: Cell<usize>,
}

enum When {
    Never,
    At(usize),
    Often(usize),
}

/// What happens between the drop and the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Nothing: the same task asks again, in the same poll.
    AtOnce,
    /// What the dropped future waited for has happened meanwhile.
    AfterAPause,
    /// Another task had polled it last, and so has left its waker behind.
    AfterAnotherTask,
}

impl Axe {
    pub(crate) fn never() -> Self {
        Self::new(When::Never, Habit::AtOnce)
    }

    pub(crate) fn at(number: usize, habit: Habit) -> Self {
        Self::new(When::At(number), habit)
    }

    /// Of sixteen points so many.
    pub(crate) fn often(most: usize, habit: Habit) -> Self {
        Self::new(When::Often(most), habit)
    }

    fn new(when: When, habit: Habit) -> Self {
        Self { when, habit, points: Cell::new(0), falls: Cell::new(0) }
    }

    pub(crate) fn points(&self) -> usize {
        self.points.get()
    }

    pub(crate) fn falls(&self) -> usize {
        self.falls.get()
    }

    /// Makes a call until it is done, whatever is dropped on the way.
    pub(crate) async fn over<T>(&self, mut call: impl AsyncFnMut() -> T) -> T {
        loop {
            if let Some(value) = self.once(call()).await {
                return value;
            }
            self.rest().await;
        }
    }

    /// Awaits a future, unless it is dropped on the way.
    pub(crate) async fn once<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if !self.strikes() => Poll::Pending,
            Poll::Pending if self.habit == Habit::AfterAnotherTask => {
                let mut noop = Context::from_waker(Waker::noop());
                match future.as_mut().poll(&mut noop) {
                    Poll::Ready(value) => Poll::Ready(Some(value)),
                    Poll::Pending => Poll::Ready(None),
                }
            }
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    pub(crate) async fn rest(&self) {
        if self.habit == Habit::AfterAPause {
            reseau::sleep(Duration::from_micros(700)).await;
        }
    }

    /// Another point is reached: whether the axe falls.
    fn strikes(&self) -> bool {
        let point = self.points.replace(self.points.get() + 1);
        let falls = match self.when {
            When::Never => false,
            When::At(number) => point == number,
            // Not in a beat, which the roles could dance to for ever.
            When::Often(most) => (point.wrapping_mul(0x9e37_79b9) >> 15) % 16 < most,
        };
        self.falls.set(self.falls.get() + usize::from(falls));
        falls
    }
}
