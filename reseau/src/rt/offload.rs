//! Work that blocks, on threads that may: few of them, for everybody.
use crate::driver;
use crate::sync::lock;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

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
    let answer = Arc::new(Mutex::new(Answer { value: None, waker: None }));
    let wanted = Arc::downgrade(&answer);
    let mut job: Option<Job> = Some(Box::new(move || {
        if wanted.strong_count() == 0 {
            return;
        }
        let value = catch_unwind(AssertUnwindSafe(work));
        let Some(answer) = wanted.upgrade() else { return };
        let waker = {
            let mut answer = lock(&answer);
            answer.value = Some(value);
            answer.waker.take()
        };
        waker.into_iter().for_each(driver::wake);
    }));
    poll_fn(|cx| match CREW.take_on(&mut job, cx.waker()) {
        Ok(true) => Poll::Ready(Ok(())),
        Ok(false) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error)),
    })
    .await?;
    let value = poll_fn(|cx| {
        let mut stale = Some(cx.waker().clone());
        let mut answer = lock(&answer);
        match answer.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                std::mem::swap(&mut answer.waker, &mut stale);
                drop(answer);
                drop(stale);
                Poll::Pending
            }
        }
    })
    .await;
    Ok(value.unwrap_or_else(|panic| resume_unwind(panic)))
}

struct Answer<T> {
    value: Option<std::thread::Result<T>>,
    waker: Option<Waker>,
}

type Job = Box<dyn FnOnce() + Send>;

/// The threads and what waits for them.
struct Crew {
    work: Mutex<Work>,
    more: Condvar,
}

struct Work {
    queue: VecDeque<Job>,
    /// Who waits for room in the queue.
    outside: Vec<Waker>,
    threads: usize,
    idle: usize,
}

static CREW: Crew = Crew {
    work: Mutex::new(Work { queue: VecDeque::new(), outside: Vec::new(), threads: 0, idle: 0 }),
    more: Condvar::new(),
};

impl Crew {
    /// Takes the job on. `false`: there is no room, and the waker will be called when there is.
    fn take_on(&'static self, job: &mut Option<Job>, waker: &Waker) -> io::Result<bool> {
        let waker = waker.clone();
        let mut work = lock(&self.work);
        if work.queue.len() >= QUEUE_MAX {
            work.outside.push(waker);
            return Ok(false);
        }
        let hire = work.queue.len() >= work.idle && work.threads < THREADS_MAX;
        work.queue.extend(job.take());
        if !hire {
            drop(work);
            self.more.notify_one();
            return Ok(true);
        }
        work.threads += 1;
        drop(work);
        let thread = std::thread::Builder::new().name("reseau-offload".into());
        if let Err(error) = thread.spawn(move || self.labour()) {
            let mut work = lock(&self.work);
            work.threads -= 1;
            // With other threads at work the job waits for them; alone, it would wait for ever.
            if work.threads == 0 {
                let job = work.queue.pop_back();
                drop(work);
                drop(job);
                return Err(error);
            }
        }
        Ok(true)
    }

    fn labour(&self) {
        let mut work = lock(&self.work);
        loop {
            if let Some(job) = work.queue.pop_front() {
                let outside = std::mem::take(&mut work.outside);
                drop(work);
                outside.into_iter().for_each(driver::wake);
                job();
                work = lock(&self.work);
                continue;
            }
            work.idle += 1;
            let waited = self.more.wait_timeout(work, IDLE_MAX);
            let (guard, result) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
            work = guard;
            work.idle -= 1;
            if result.timed_out() && work.queue.is_empty() {
                work.threads -= 1;
                return;
            }
        }
    }
}

/// The most threads: name look-ups that hang must not hold up all others, and threads cost memory.
const THREADS_MAX: usize = 16;
/// The most jobs that wait for a thread.
const QUEUE_MAX: usize = 1024;
const IDLE_MAX: Duration = Duration::from_secs(10);
