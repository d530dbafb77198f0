//! Tasks of a loop.
use crate::driver::{Home, Post, Run};
use async_task::FallibleTask;
use pin_project_lite::pin_project;
use slab::Slab;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// The tasks of one loop.
pub(super) struct Tasks {
    home: Arc<Home>,
    ready: RefCell<VecDeque<Run>>,
    /// A waker of each living task: how they are found again when the loop ends.
    living: RefCell<Slab<Waker>>,
    ended: Cell<bool>,
}

/// A task that was started; await it for its result.
///
/// Dropping it lets the task go on by itself; [`abort`](Self::abort) ends it.
#[must_use = "drop it, or call `detach`, to let the task go on by itself"]
pub struct Task<T>(Option<FallibleTask<Outcome<T>, Arc<Home>>>);

/// Why a task has no result.
pub struct JoinError(Option<Mutex<Box<dyn Any + Send>>>);

type Outcome<T> = Result<T, Box<dyn Any + Send>>;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Tasks>>> = const { RefCell::new(None) };
}

/// Starts a task on the loop that runs on this thread.
///
/// ```
/// reseau::block_on(async {
///     let task = reseau::spawn(async { "done" });
///     assert_eq!(task.await.unwrap(), "done");
/// });
/// ```
///
/// # Panics
///
/// Outside a running loop: [`Remote::spawn`](crate::Remote::spawn) starts tasks from there.
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_local(future)
}

/// Starts a task, which need not be `Send`, on the loop that runs on this thread.
///
/// # Panics
///
/// Outside a running loop.
pub fn spawn_local<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let tasks = CURRENT.with(|current| current.borrow().clone());
    let Some(tasks) = tasks else {
        panic!("spawn needs a loop that runs on this thread: `Loop::block_on`, `reseau::block_on`")
    };
    tasks.spawn(future)
}

impl Tasks {
    pub(super) fn new(home: Arc<Home>) -> Rc<Self> {
        Rc::new(Self {
            home,
            ready: RefCell::default(),
            living: RefCell::default(),
            ended: Cell::new(false),
        })
    }

    fn spawn<F: Future + 'static>(self: &Rc<Self>, future: F) -> Task<F::Output>
    where
        F::Output: 'static,
    {
        if self.ended.get() {
            return Task(None);
        }
        let key = self.living.borrow().vacant_key();
        let life = Life { tasks: self.clone(), key };
        let future = Alive { future, _life: life };
        // The home goes along as the task's own data, not in a closure: async-task guards what a
        // closure holds with three more counts per wake.
        let builder = async_task::Builder::new().metadata(self.home.clone());
        let (runnable, task) = builder.spawn_local(move |_| future, schedule);
        let at = self.living.borrow_mut().insert(runnable.waker());
        debug_assert_eq!(at, key);
        runnable.schedule();
        Task(Some(task.fallible()))
    }

    pub(super) fn push(&self, task: Run) {
        self.ready.borrow_mut().push_back(task);
    }

    /// Runs what is ready, and what becomes so meanwhile, within bounds.
    pub(super) fn run(&self) {
        for _ in 0..RUNS_MAX {
            let Some(task) = self.ready.borrow_mut().pop_front() else { return };
            task.run();
        }
    }

    pub(super) fn are_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    pub(super) fn are_living(&self) -> bool {
        !self.living.borrow().is_empty()
    }

    /// Drops every task that is here. What they spawn while they go is not started.
    ///
    /// One that was woken elsewhere is here once it is [pushed](Self::push), and lives until then.
    pub(super) fn end(&self) {
        self.ended.set(true);
        loop {
            let wakers: Vec<_> = self.living.borrow().iter().map(|(_, w)| w.clone()).collect();
            wakers.into_iter().for_each(Waker::wake);
            let ready = std::mem::take(&mut *self.ready.borrow_mut());
            if ready.is_empty() {
                return;
            }
            for task in ready {
                guarded(|| drop(task));
            }
        }
    }
}

pin_project! {
    /// A task's future: in its loop's list while it lives, and hurting nobody when it panics.
    /// (An `async` block around it would hold it twice.)
    struct Alive<F> {
        #[pin]
        future: F,
        _life: Life,
    }
}

impl<F: Future> Future for Alive<F> {
    type Output = Outcome<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(cx)));
        polled.map_or_else(|panic| Poll::Ready(Err(panic)), |poll| poll.map(Ok))
    }
}

/// A living task's place in its loop's list.
struct Life {
    tasks: Rc<Tasks>,
    key: usize,
}

impl Drop for Life {
    fn drop(&mut self) {
        let waker = self.tasks.living.borrow_mut().try_remove(self.key);
        drop(waker);
    }
}

/// Queues a task with its loop, from whatever thread.
fn schedule(task: Run) {
    let mut task = Some(task);
    let _ = CURRENT.try_with(|current| {
        if let Some(tasks) = &*current.borrow()
            && let Some(task) = task.take_if(|task| Arc::ptr_eq(&tasks.home, task.metadata()))
        {
            tasks.push(task);
        }
    });
    let Some(task) = task else { return };
    // (A reference of our own: once it is posted, the task may be over before we are.)
    let home = task.metadata().clone();
    if let Err(Post::Task(task)) = home.post(Post::Task(task)) {
        // Its loop has waited for it, and has ended without it in the end. What it holds is lost:
        // it must not be dropped on a thread that is not its own.
        std::mem::forget(task);
    }
}

/// Runs user code on a shared loop: a panic (which has said its words) hurts nobody else.
pub(super) fn guarded(call: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(call));
}

impl<T> Task<T> {
    /// Lets the task go on by itself, as dropping does.
    pub fn detach(self) {}

    /// Ends the task: its future is dropped, soon and on its own thread.
    pub fn abort(mut self) {
        drop(self.0.take());
    }

    /// Whether the task is over.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(FallibleTask::is_finished)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.0 else { return Poll::Ready(Err(JoinError(None))) };
        Pin::new(task).poll(cx).map(|outcome| match outcome {
            Some(Ok(value)) => Ok(value),
            // (A lock that nobody takes: a payload is `Send` only, errors had better be `Sync`.)
            Some(Err(panic)) => Err(JoinError(Some(Mutex::new(panic)))),
            None => Err(JoinError(None)),
        })
    }
}

impl JoinError {
    /// Whether the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the task was aborted, or its loop ended.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_none()
    }

    /// What the task panicked with.
    ///
    /// # Panics
    ///
    /// When it did not.
    #[must_use]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        let payload = self.0.expect("the task was cancelled; it did not panic");
        payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on panicking here, if the task panicked.
    pub fn resume(self) {
        if self.is_panic() {
            resume_unwind(self.into_panic());
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_panic() { "JoinError::Panic(..)" } else { "JoinError::Cancelled" })
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_panic() { "the task panicked" } else { "the task was cancelled" })
    }
}

impl std::error::Error for JoinError {}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("finished", &self.is_finished()).finish()
    }
}

/// Makes a loop's tasks the current ones of this thread, while it lives.
pub(super) struct Current(Option<Rc<Tasks>>);

impl Current {
    pub(super) fn set(tasks: Rc<Tasks>) -> Self {
        Self(CURRENT.replace(Some(tasks)))
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        drop(CURRENT.replace(self.0.take()));
    }
}

/// How many tasks may run before the kernel is asked again.
const RUNS_MAX: usize = 64;
