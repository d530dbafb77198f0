//! Loops: tasks, and the driver they wait on. One per thread; its sockets may be used from any.
mod group;
mod offload;
mod remote;
mod task;
mod time;

pub use group::Group;
pub use offload::offload;
pub use remote::Remote;
pub use task::{JoinError, Task, spawn, spawn_local};
pub use time::{
    Elapsed, Interval, Sleep, interval, sleep, sleep_until, timeout, timeout_at, yield_now,
};

use crate::clock;
use crate::driver::{self, Aftermath, Driver, DriverReport, Home, Kind, Limits, Post, Seat};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use task::Tasks;

/// An event loop: it runs tasks on this thread and homes the sockets that they make.
///
/// ```
/// let lp = reseau::Loop::new()?;
/// let sum = lp.block_on(async {
///     let task = reseau::spawn_local(async { 40 });
///     task.await.unwrap() + 2
/// });
/// assert_eq!(sum, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A loop stays on its thread (it is not `Send`); its sockets may go anywhere. They need the loop
/// to run, though: while nobody is inside [`block_on`](Self::block_on) they make no progress, and
/// when the loop is dropped they answer with an error. Sockets that are to outlive a loop belong to
/// the global one, to a [`Group`], or to another loop by way of `detach`.
pub struct Loop {
    tasks: Rc<Tasks>,
    home: Arc<Home>,
    driver: Option<Rc<RefCell<Driver>>>,
    scratch: RefCell<Scratch>,
    /// Who waits until everything queued is sent.
    drains: RefCell<Vec<Told>>,
    stop: Cell<Option<Duration>>,
    linger: Duration,
}

/// The bounds of a loop. Every one is a bound: nothing in a loop grows without end.
///
/// ```
/// use reseau::{Config, Kind, Loop};
/// let lp = Loop::with(&Config { kind: Some(Kind::Ready), window: 16 << 10, ..Config::default()
/// })?; assert_eq!(lp.driver_report().kind, Kind::Ready);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The kernel interface; `None`: the environment variable `RESEAU_DRIVER`, else the best that
    /// works here.
    pub kind: Option<Kind>,
    /// Bytes of one receive block.
    pub block_size: usize,
    /// How many blocks the loop may own, lent and held together: with `block_size`, the most
    /// memory that peers can make it use for what they send.
    pub blocks_max: usize,
    /// Bytes that a lane may hold before it stops asking for more (receiving) or taking more
    /// (sending). A multishot receive may go over it by a burst.
    pub window: usize,
    /// How long a socket that was dropped may go on sending what was queued.
    pub linger: Duration,
    /// Whether another thread's `send` may go straight to the kernel when nothing is queued.
    pub direct_sends: bool,
    /// The seed of a simulated kernel.
    pub seed: u64,
}

/// Buffers of the turn, kept between turns.
#[derive(Default)]
struct Scratch {
    posts: Vec<Post>,
    after: Aftermath,
    calls: Vec<Told>,
}

type Told = Box<dyn FnOnce() + Send>;

/// Runs a future on a loop of its own: the `main` of an async program.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use reseau::{TcpListener, TcpStream};
/// reseau::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let addr = listener.local_addr()?;
///     let mut client = TcpStream::connect(addr).await?;
///     let (mut server, _) = listener.accept().await?;
///     client.send("hello").await?;
///     assert_eq!(&*server.recv().await?.unwrap(), b"hello");
///     Ok(())
/// })
/// # }
/// ```
///
/// # Panics
///
/// When no loop can be made here (no descriptors, say), or when the future panics.
pub fn block_on<F: Future>(future: F) -> F::Output {
    match Loop::new() {
        Ok(lp) => lp.block_on(future),
        Err(error) => panic!("a loop cannot be made: {error}"),
    }
}

impl Loop {
    /// A loop on this thread, with the driver that the environment asks for or the best that works.
    pub fn new() -> io::Result<Self> {
        Self::with(&Config::default())
    }

    /// A loop on this thread, within bounds of your own.
    pub fn with(config: &Config) -> io::Result<Self> {
        let (driver, home) = driver::open(config.kind, &config.limits()?)?;
        Ok(Self {
            tasks: Tasks::new(home.clone()),
            home,
            driver: Some(Rc::new(RefCell::new(driver))),
            scratch: RefCell::default(),
            drains: RefCell::default(),
            stop: Cell::new(None),
            linger: config.linger,
        })
    }

    /// Runs the loop until `future` is done. Tasks go on only while some future is run so.
    ///
    /// # Panics
    ///
    /// When the kernel refuses to wait at all, and when a simulated world stands still: everybody
    /// waits, and nothing will ever happen.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _seated = self.sit();
        let main = Arc::new(Main { woken: AtomicBool::new(true), home: self.home.clone() });
        let waker = Waker::from(main.clone());
        let mut future = pin!(future);
        let mut scratch = self.scratch.take();
        loop {
            if main.take_woken()
                && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                self.scratch.replace(scratch);
                return output;
            }
            if let Err(error) = self.turn(&mut scratch, || main.woken.load(Ordering::Acquire)) {
                panic!("the loop cannot go on: {error}");
            }
        }
    }

    /// Runs the loop until somebody asks it to stop.
    pub(crate) fn run(&self) -> io::Result<()> {
        let _seated = self.sit();
        let mut scratch = self.scratch.take();
        while self.stop.get().is_none() {
            self.turn(&mut scratch, || false)?;
        }
        Ok(())
    }

    /// This loop, for other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote::new(self.home.clone())
    }

    /// Which driver runs, and why.
    #[must_use]
    pub fn driver_report(&self) -> DriverReport {
        self.home.report().clone()
    }

    /// The hash of everything that happened in a loop's simulated world: the same seed and the same
    /// program give the same hash on every machine. `None` on a real kernel.
    #[must_use]
    pub fn trace_hash(&self) -> Option<u64> {
        self.home.world().map(crate::sys::sim::World::trace)
    }

    /// The simulated kernel, if that is what runs.
    pub(crate) fn world(&self) -> Option<crate::sys::sim::World> {
        self.home.world().cloned()
    }

    /// What others left → timers → tasks → one trip to the kernel → wake.
    fn turn(&self, scratch: &mut Scratch, woken: impl Fn() -> bool) -> io::Result<()> {
        if self.home.door().has_mail() {
            self.look_around(scratch);
        }
        self.release(&mut scratch.after, Driver::fire);
        scratch.calls.drain(..).for_each(task::guarded);
        self.tasks.run();
        // What tasks have closed or spent is let go of before the loop may sleep.
        self.release(&mut scratch.after, |_| {});
        self.tell_drained(); // Perhaps there is nothing to wait for.
        let busy = self.tasks.are_ready() || woken() || self.stop.get().is_some();
        let deadline = if busy || !self.home.door().park() { Some(clock::past()) } else { None };
        let turned = self.release(&mut scratch.after, |driver| {
            let turned = driver.turn(deadline);
            self.home.door().awake();
            turned
        });
        self.tell_drained();
        turned
    }

    /// Tells those who wait until everything queued is sent, when it is.
    fn tell_drained(&self) {
        if !self.drains.borrow().is_empty() && !self.driver().borrow().is_sending() {
            let drains = self.drains.take();
            drains.into_iter().for_each(|told| told());
        }
    }

    /// Takes what other threads left in the inbox.
    fn look_around(&self, scratch: &mut Scratch) {
        self.home.door().take(&mut scratch.posts);
        for post in scratch.posts.drain(..) {
            match post {
                Post::Kick(socket) => self.driver().borrow_mut().answer(&socket),
                Post::Alarm(alarm) => self.driver().borrow_mut().settle_alarm(&alarm),
                Post::Task(task) => self.tasks.push(task),
                Post::Call(call) => scratch.calls.push(call),
                Post::Drain(told) => self.drains.borrow_mut().push(told),
                Post::Stop(grace) => self.stop.set(Some(grace)),
            }
        }
    }

    /// Has the driver do something, then wakes and drops what it has put aside: foreign code, with
    /// nothing borrowed.
    fn release<T>(&self, after: &mut Aftermath, work: impl FnOnce(&mut Driver) -> T) -> T {
        let mut driver = self.driver().borrow_mut();
        let done = work(&mut driver);
        if driver.take_aftermath(after) {
            drop(driver);
            after.release();
        }
        done
    }

    fn driver(&self) -> &Rc<RefCell<Driver>> {
        self.driver.as_ref().expect("the driver lives as long as the loop")
    }

    fn sit(&self) -> Seated {
        let before = match self.driver().borrow().virtual_now() {
            Some(now) => clock::set_virtual(Some(now)),
            None => clock::set_virtual(None),
        };
        let seat = Seat::take(self.home.clone(), self.driver().clone());
        Seated { _seat: seat, _current: task::Current::set(self.tasks.clone()), before }
    }

    /// Drops every task. One that was woken from afar is nobody's until it has come in by the door,
    /// and who woke it may still be on the way there. What else comes in is returned.
    fn end_tasks(&self) -> Vec<Post> {
        let (mut left, mut posts) = (Vec::new(), Vec::new());
        for round in 0..ENDINGS_MAX {
            self.home.door().take(&mut posts);
            for post in posts.drain(..) {
                match post {
                    Post::Task(task) => self.tasks.push(task),
                    post => left.push(post),
                }
            }
            self.tasks.end();
            if !self.tasks.are_living() {
                break;
            }
            clock::stand_aside(round);
        }
        left
    }

    /// Lets sockets whose users are gone send what was queued, for a while.
    fn drain(&self, limit: Instant) {
        let mut after = Aftermath::default();
        while self.driver().borrow().is_draining() && clock::now() < limit {
            let turned = self.release(&mut after, |driver| {
                let turned = driver.turn(Some(limit));
                driver.fire();
                turned
            });
            if turned.is_err() {
                return;
            }
        }
    }
}

impl Drop for Loop {
    /// Tasks first (they close their sockets), then the door, then the last sends, then the kernel,
    /// then the word to everybody who still waits.
    fn drop(&mut self) {
        let seated = self.sit();
        let mut left = self.end_tasks();
        left.append(&mut self.home.door().close());
        let mut alarms = Vec::new();
        for post in left {
            match post {
                Post::Kick(socket) => self.driver().borrow_mut().answer(&socket),
                Post::Alarm(alarm) => alarms.push(alarm),
                Post::Task(task) => drop(task),
                Post::Call(_) | Post::Drain(_) | Post::Stop(_) => {}
            }
        }
        let grace = self.stop.get().unwrap_or(self.linger);
        self.drain(clock::after(grace.min(self.linger)));
        drop(seated);
        if let Some(driver) = self.driver.take().and_then(Rc::into_inner) {
            driver.into_inner().shutdown();
        }
        alarms.iter().for_each(|alarm| alarm.fail());
    }
}

impl Config {
    fn limits(&self) -> io::Result<Limits> {
        let flaw = [
            (self.block_size < 256 || self.block_size > 1 << 24, "block_size: 256 B to 16 MiB"),
            (self.blocks_max == 0, "blocks_max: at least 1"),
            (self.window == 0, "window: at least 1"),
        ];
        if let Some((_, rule)) = flaw.iter().find(|(broken, _)| *broken) {
            let text = format!("a loop's bounds are out of range: {rule}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(Limits {
            block_size: self.block_size,
            blocks_max: self.blocks_max,
            window: self.window,
            linger: self.linger,
            seed: self.seed,
            direct_sends: self.direct_sends,
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kind: None,
            block_size: 32 << 10,
            blocks_max: 2048,
            window: 128 << 10,
            linger: Duration::from_secs(10),
            direct_sends: true,
            seed: 0,
        }
    }
}

/// The waker of the future that a loop is run for.
struct Main {
    woken: AtomicBool,
    home: Arc<Home>,
}

impl Main {
    /// Whether it was woken since the last look. (Mostly not: then it is only looked at.)
    fn take_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed) && self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Main {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        if !self.home.is_here() {
            self.home.knock();
        }
    }
}

/// A thread that runs a loop, while it does.
struct Seated {
    _seat: Seat,
    _current: task::Current,
    before: Option<Instant>,
}

impl Drop for Seated {
    fn drop(&mut self) {
        clock::set_virtual(self.before);
    }
}

/// How often the end of a loop looks for tasks that are on their way home: some ten seconds. They
/// take no time, but who brings one may have been stopped for good, as in the child of a fork.
const ENDINGS_MAX: u32 = 10_000;

#[cfg(test)]
mod found;
