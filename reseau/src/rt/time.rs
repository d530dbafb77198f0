//! Waiting for points in time, under any executor.
use super::Remote;
use crate::clock;
use crate::driver::Alarm;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Waits for a point in time: see [`sleep`].
#[must_use = "sleeping starts when awaited"]
pub struct Sleep {
    deadline: Instant,
    alarm: Option<Arc<Alarm>>,
}

/// Waits for `span`, on the clock of the loop that runs here, else on the global loop's.
///
/// ```
/// use std::time::Duration;
/// reseau::block_on(async {
///     reseau::sleep(Duration::from_millis(1)).await;
/// });
/// ```
pub fn sleep(span: Duration) -> Sleep {
    sleep_until(clock::after(span))
}

/// Waits until `deadline`.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { deadline, alarm: None }
}

/// Gives `future` no longer than `limit`.
///
/// ```
/// use std::time::Duration;
/// reseau::block_on(async {
///     let never = std::future::pending::<()>();
///     assert!(reseau::timeout(Duration::from_millis(1), never).await.is_err());
///     assert_eq!(reseau::timeout(Duration::from_secs(9), async { 7 }).await, Ok(7));
/// });
/// ```
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    timeout_at(clock::after(limit), future).await
}

/// Gives `future` until `deadline`. A future that is ready is never late.
pub async fn timeout_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut sleep = sleep_until(deadline);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed(())))
    })
    .await
}

/// A [`timeout`] was over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

/// Ticks with the given period, the first time at once.
///
/// # Panics
///
/// When the period is zero.
#[must_use]
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period");
    Interval { next: sleep_until(clock::now()), period }
}

/// A steady beat: see [`interval`]. Ticks that were missed come one after the other.
pub struct Interval {
    next: Sleep,
    period: Duration,
}

/// Lets others run once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Sleep {
    /// When it ends.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        clock::now() >= self.deadline
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_elapsed() {
            return Poll::Ready(());
        }
        let deadline = self.deadline;
        let alarm = self.alarm.get_or_insert_with(|| match Remote::current() {
            Ok(remote) => Alarm::new(remote.home().clone(), deadline),
            Err(error) => panic!("no loop can watch the clock: {error}"),
        });
        alarm.poll(cx)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(alarm) = self.alarm.take() {
            alarm.cancel();
        }
    }
}

impl Interval {
    /// Waits for the next tick and says when it was due. Dropping the future misses no tick.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| Pin::new(&mut self.next).poll(cx)).await;
        let due = self.next.deadline;
        self.next = sleep_until(due.checked_add(self.period).unwrap_or(due));
        due
    }

    /// The time from tick to tick.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit has passed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, elapsed)
    }
}
