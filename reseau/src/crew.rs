//! Work that blocks, on threads that may: few of them, started when needed, gone when idle.
use crate::sync::{lock, wake};
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// The threads and what waits for them. Nobody joins them: a process ends without waiting.
pub(crate) struct Crew {
    name: &'static str,
    threads_max: usize,
    work: Mutex<Work>,
    more: Condvar,
}

/// A job that panics harms nobody else.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

struct Work {
    queue: VecDeque<Job>,
    /// Who waits for room in the queue, first come first.
    outside: Vec<Waker>,
    threads: usize,
    idle: usize,
}

impl Crew {
    pub(crate) const fn new(name: &'static str, threads_max: usize) -> Self {
        let work = Work { queue: VecDeque::new(), outside: Vec::new(), threads: 0, idle: 0 };
        Self { name, threads_max, work: Mutex::new(work), more: Condvar::new() }
    }

    /// Takes the job on. `false`: there is no room, and the waker will be called when there may be.
    /// An error, and the job still there: no thread could be started.
    pub(crate) fn take_on(
        self: &Arc<Self>,
        job: &mut Option<Job>,
        waker: &Waker,
    ) -> io::Result<bool> {
        self.take_on_by(job, waker, |crew| {
            let thread = std::thread::Builder::new().name(crew.name.into());
            thread.spawn(move || crew.labour()).map(drop)
        })
    }

    fn take_on_by(
        self: &Arc<Self>,
        job: &mut Option<Job>,
        waker: &Waker,
        start: impl FnOnce(Arc<Self>) -> io::Result<()>,
    ) -> io::Result<bool> {
        let waker = waker.clone();
        let mut work = lock(&self.work);
        if work.queue.len() >= QUEUE_MAX {
            work.outside.push(waker);
            return Ok(false);
        }
        let hire = work.queue.len() >= work.idle && work.threads < self.threads_max;
        work.queue.extend(job.take());
        if !hire {
            drop(work);
            self.more.notify_one();
            return Ok(true);
        }
        work.threads += 1;
        // Still locked, so that the last job is this one and nobody counts on a thread that never
        // starts: two who fail at once would each take the other for a thread at work.
        if let Err(error) = start(self.clone()) {
            work.threads -= 1;
            // With other threads at work the job waits for them; alone, it would wait for ever.
            if work.threads == 0 {
                *job = work.queue.pop_back();
                return Err(error);
            }
        }
        Ok(true)
    }

    /// Takes the job on, now or when there is room, without anybody waiting for that. A job that
    /// cannot be done, because no thread can be started, is dropped.
    pub(crate) fn run(self: &Arc<Self>, job: Job) {
        let outside = Outside { crew: self.clone(), job: Mutex::new(Some(job)) };
        Arc::new(outside).wake();
    }

    fn labour(&self) {
        let mut work = lock(&self.work);
        loop {
            if let Some(job) = work.queue.pop_front() {
                let outside = work.let_in();
                drop(work);
                outside.into_iter().for_each(wake);
                let _ = catch_unwind(AssertUnwindSafe(job));
                work = lock(&self.work);
                continue;
            }
            work.idle += 1;
            let waited = self.more.wait_timeout(work, IDLE_MAX);
            let (guard, result) = waited.unwrap_or_else(PoisonError::into_inner);
            work = guard;
            work.idle -= 1;
            if result.timed_out() && work.queue.is_empty() {
                work.threads -= 1;
                return;
            }
        }
    }
}

impl Work {
    /// Those outside for whom there is room. Some may be gone: all are told when none is left who
    /// would make room for the others.
    fn let_in(&mut self) -> Vec<Waker> {
        let room = QUEUE_MAX - self.queue.len();
        if self.queue.is_empty() || room >= self.outside.len() {
            return std::mem::take(&mut self.outside);
        }
        self.outside.drain(..room).collect()
    }
}

/// A job for which there was no room; waking it tries again.
struct Outside {
    crew: Arc<Crew>,
    job: Mutex<Option<Job>>,
}

impl Wake for Outside {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        // Locked until it is known whether there was room: whoever makes room meanwhile waits.
        let mut job = lock(&self.job);
        let hopeless = match self.crew.take_on(&mut job, &waker) {
            Ok(_) => None,
            Err(_) => job.take(),
        };
        drop(job);
        drop(hopeless);
    }
}

/// The place of one answer, between who works and who waits for it.
pub(crate) struct Slot<T>(Mutex<Face<T>>);

struct Face<T> {
    answer: Option<T>,
    waker: Option<Waker>,
}

impl<T> Slot<T> {
    pub(crate) const fn new(answer: Option<T>) -> Self {
        Self(Mutex::new(Face { answer, waker: None }))
    }

    /// Answers, and wakes who polled last.
    pub(crate) fn put(&self, answer: T) {
        let waker = {
            let mut face = lock(&self.0);
            face.answer = Some(answer);
            face.waker.take()
        };
        waker.into_iter().for_each(wake);
    }

    /// The answer, once: polled again it is never ready.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<T> {
        let mut stale = Some(cx.waker().clone());
        let mut face = lock(&self.0);
        match face.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                std::mem::swap(&mut face.waker, &mut stale);
                drop(face);
                drop(stale);
                Poll::Pending
            }
        }
    }
}

/// The most jobs that wait for a thread.
const QUEUE_MAX: usize = 1024;
const IDLE_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::watched;

    /// A second job may come while the first waits for its thread.
    #[test]
    fn two_jobs_without_a_thread_come_back() {
        watched(two_jobs);
    }

    fn two_jobs() {
        let crew = Arc::new(Crew::new("none", 2));
        let refused = || Err(io::Error::from(io::ErrorKind::OutOfMemory));
        let job = |name: &Arc<()>| -> Option<Job> {
            let name = name.clone();
            Some(Box::new(move || drop(name)))
        };
        let (one, two) = (Arc::new(()), Arc::new(()));
        let (mut first, mut second) = (job(&one), job(&two));
        let mut come =
            |crew: &Arc<Crew>| crew.take_on_by(&mut second, Waker::noop(), |_| refused());
        let mut between = None;
        let outcome = crew.take_on_by(&mut first, Waker::noop(), |crew| {
            let free = crew.work.try_lock().is_ok();
            between = free.then(|| come(&crew));
            refused()
        });
        assert!(outcome.is_err(), "nobody is there to do the first job");
        let outcome = between.unwrap_or_else(|| come(&crew));
        assert!(outcome.is_err(), "nobody is there to do the second job");
        drop(first);
        assert_eq!(Arc::strong_count(&one), 1, "the first job is not the one that came back");
        drop(second);
        assert_eq!(Arc::strong_count(&two), 1, "the second job is still queued");
        assert!(lock(&crew.work).queue.is_empty());
    }
}
