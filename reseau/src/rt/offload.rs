//! Work that blocks, on threads that may: few of them, for everybody.
use crate::crew::{Crew, Job, Slot};
use crate::driver;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, LazyLock};
use std::task::Poll;

/// Runs `work` on a thread that may block, and waits for its result.
///
/// There are at most 16 such threads in a process, started when needed and gone when
/// idle. When all are busy the work waits in a bounded queue, and when that is full, here. Dropping
/// the future forgets the work if it has not begun, and its result if it has. The end of the
/// process does not wait for it. In a simulated loop the work runs on the spot.
///
/// A panic of `work` goes on here; an error says that no thread could be started.
///
/// ```
/// let sum = reseau::block_on(reseau::offload(|| (1..=100).sum::<i32>()))?;
/// assert_eq!(sum, 5050);
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn offload<T, W>(work: W) -> io::Result<T>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    if driver::here().is_some_and(|home| home.world().is_some()) {
        return Ok(work());
    }
    let answer = Arc::new(Slot::new(None));
    let wanted = Arc::downgrade(&answer);
    let mut job: Option<Job> = Some(Box::new(move || {
        if wanted.strong_count() == 0 {
            return;
        }
        let value = catch_unwind(AssertUnwindSafe(work));
        if let Some(answer) = wanted.upgrade() {
            answer.put(value);
        }
    }));
    poll_fn(|cx| match CREW.take_on(&mut job, cx.waker()) {
        Ok(true) => Poll::Ready(Ok(())),
        Ok(false) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error)),
    })
    .await?;
    let value: std::thread::Result<T> = poll_fn(|cx| answer.poll(cx)).await;
    Ok(value.unwrap_or_else(|panic| resume_unwind(panic)))
}

/// For whatever anybody offloads. Threads cost memory, and work that hangs must not hold up all.
static CREW: LazyLock<Arc<Crew>> = LazyLock::new(|| Arc::new(Crew::new("reseau-offload", 16)));
