//! A loop as other threads know it: `Send + Sync`, outliving the loop itself.
//!
//! The inbox carries *kicks*, not commands. A foreign thread changes a lane under the lane's lock
//! and then kicks the socket; the home looks at a kicked socket and makes the kernel agree with its
//! lanes. A kick names a shared record, so it is never stale, and two kicks are one.
use super::alarm::Alarm;
use super::door::{Door, Posted};
use super::{Aftermath, Driver, DriverReport, Op, Side, Socket};
use crate::clock;
use crate::pool::Pool;
use crate::sys::sim::World;
use crate::sys::{Domain, Fd, Kind};
use async_task::Runnable;
use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread, ThreadId};
use std::time::Duration;

/// The part of a loop that is `Send + Sync`.
pub(crate) struct Home {
    door: Door<Post>,
    unpark: Unpark,
    /// `Some` when the loop's kernel is simulated.
    world: Option<World>,
    /// Where the loop was made, and runs.
    thread: ThreadId,
    window: usize,
    pool: Pool,
    block_size: usize,
    direct: Direct,
    report: DriverReport,
}

/// What other threads leave for a loop.
pub(crate) enum Post {
    /// Look at this socket.
    Kick(Arc<Socket>),
    /// Look at this alarm.
    Alarm(Arc<Alarm>),
    Task(Run),
    Call(Box<dyn FnOnce() + Send>),
    /// Say so when everything queued is sent.
    Drain(Box<dyn FnOnce() + Send>),
    /// End the loop; what is queued may still be sent for so long.
    Stop(Duration),
}

/// A task that is to be run, and the loop that it belongs to.
pub(crate) type Run = Runnable<Arc<Home>>;

/// Wakes a parked loop, from any thread.
pub(crate) type Unpark = Box<dyn Fn() + Send + Sync>;

/// When a foreign thread sends at once, if a send lane is quiet, instead of kicking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direct {
    Never,
    Always,
    /// While the home sleeps, and a kick would cost a system call anyway.
    Asleep,
}

/// A home, and the driver that this thread turns for it.
type Seated = Option<(Arc<Home>, Rc<RefCell<Driver>>)>;

thread_local! {
    /// The home that this thread is running, as an address to compare with.
    static HERE: Cell<*const Home> = const { Cell::new(std::ptr::null()) };
    /// How many sends this thread's loop may still make by itself before its next turn.
    static AT_ONCE: Cell<u32> = const { Cell::new(0) };
    /// The home that this thread is running, to use.
    static SEAT: RefCell<Seated> = const { RefCell::new(None) };
}

/// Nothing of it is left half-done by a panic: locks are given back as they were, and what is
/// boxed only wakes.
impl UnwindSafe for Home {}
impl RefUnwindSafe for Home {}

impl Home {
    pub(super) fn new(driver: &Driver, direct: Direct, report: DriverReport) -> Self {
        Self {
            door: Door::new(),
            unpark: driver.unparker(),
            world: driver.world(),
            thread: thread::current().id(),
            window: driver.window(),
            block_size: driver.pool().block_size(),
            pool: driver.pool(),
            direct,
            report,
        }
    }

    /// A new stream socket of this loop's kernel.
    pub(crate) fn open(&self, domain: Domain) -> io::Result<Fd> {
        self.open_as(domain, Kind::Stream)
    }

    /// A new socket of this loop's kernel.
    pub(crate) fn open_as(&self, domain: Domain, kind: Kind) -> io::Result<Fd> {
        match &self.world {
            Some(world) => world.open_as(domain, kind).map(Fd::Sim),
            None => Fd::open_as(domain, kind),
        }
    }

    /// Two connected Unix-domain sockets of this loop's kernel.
    pub(crate) fn pair(&self, kind: Kind) -> io::Result<(Fd, Fd)> {
        let Some(world) = &self.world else { return Fd::pair(kind) };
        let (a, b) = world.pair_as(kind)?;
        Ok((Fd::Sim(a), Fd::Sim(b)))
    }

    pub(crate) fn world(&self) -> Option<&World> {
        self.world.as_ref()
    }

    pub(crate) fn window(&self) -> usize {
        self.window
    }

    pub(crate) fn block_size(&self) -> usize {
        self.block_size
    }

    /// The blocks that all receives of this loop share.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn report(&self) -> &DriverReport {
        &self.report
    }

    /// Makes the home look at `socket`: at once on the home's own thread, else on its next turn.
    pub(crate) fn kick(self: &Arc<Self>, socket: &Arc<Socket>, side: Side) {
        if self.seated(|driver| driver.settle(socket, side)).is_none() {
            self.kick_from_afar(socket);
        }
    }

    fn kick_from_afar(&self, socket: &Arc<Socket>) {
        self.forbid_in_simulation();
        if socket.kicked().set() {
            return; // Still in the inbox: the home has yet to look, and will see this change too.
        }
        if let Err(Post::Kick(socket)) = self.post(Post::Kick(socket.clone())) {
            // Nobody will look. Cleared first: whoever kicks from now on comes here too.
            socket.kicked().clear();
            socket.fail();
        }
    }

    /// On the home's own thread: starts an operation that a lane has just armed.
    pub(crate) fn submit(self: &Arc<Self>, socket: &Arc<Socket>, side: Side, op: Op) {
        let mut op = Some(op);
        let mut spent = self.seated(|driver| {
            driver.submit(socket, side, op.take().expect("given once"));
            driver.take_spent()
        });
        debug_assert!(op.is_none(), "armed for the home on another thread");
        // What was sent at once is let go of at once: who sends in a loop may not turn it for long.
        while let Some(Some(op)) = spent {
            drop(op);
            spent = self.seated(Driver::take_spent);
        }
    }

    /// Makes the home look at an alarm.
    pub(crate) fn ring(self: &Arc<Self>, alarm: &Arc<Alarm>) {
        if self.seated(|driver| driver.settle_alarm(alarm)).is_some() {
            return;
        }
        self.forbid_in_simulation();
        if !alarm.kicked().set()
            && let Err(Post::Alarm(alarm)) = self.post(Post::Alarm(alarm.clone()))
        {
            alarm.fail();
        }
    }

    /// Leaves something in the inbox and unparks the home if it sleeps. The loop has ended: it
    /// comes back.
    pub(crate) fn post(&self, post: Post) -> Result<(), Post> {
        if self.door.post(post)? == Posted::Unpark {
            (self.unpark)();
        }
        Ok(())
    }

    /// Makes the home look around once.
    pub(crate) fn knock(&self) {
        if self.door.knock() == Posted::Unpark {
            (self.unpark)();
        }
    }

    pub(crate) fn door(&self) -> &Door<Post> {
        &self.door
    }

    /// A hint: whether a foreign `send(2)` is worth more than a kick.
    pub(crate) fn prefers_direct(&self) -> bool {
        match self.direct {
            Direct::Never => false,
            Direct::Always => true,
            Direct::Asleep => self.door.asleep(),
        }
    }

    /// Whether a foreign thread may send at all.
    pub(crate) fn allows_direct(&self) -> bool {
        self.direct != Direct::Never
    }

    /// Whether this thread is running this home's loop.
    pub(crate) fn is_here(self: &Arc<Self>) -> bool {
        HERE.try_with(Cell::get).is_ok_and(|here| here == Arc::as_ptr(self))
    }

    /// On the home's own thread: whether one more send may go straight to the kernel, instead of by
    /// way of the driver. Whoever sends and sends must let others in.
    pub(crate) fn may_send(&self) -> bool {
        self.allows_direct() && spend_send()
    }

    /// Runs `f` on the driver when this thread is the home. No user code may run inside `f`.
    pub(crate) fn seated<T>(self: &Arc<Self>, f: impl FnOnce(&mut Driver) -> T) -> Option<T> {
        if !self.is_here() {
            return None;
        }
        SEAT.try_with(|seat| {
            let seat = seat.borrow();
            let (_, driver) = seat.as_ref()?;
            Some(f(&mut driver.borrow_mut()))
        })
        .ok()
        .flatten()
    }

    /// Waits, on whatever thread, for what the home will do: by turning the loop by hand on the
    /// home's own thread, by sleeping on any other.
    pub(crate) fn block_here(
        self: &Arc<Self>,
        poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> io::Result<()> {
        let waker = Waker::from(Arc::new(Parked(std::thread::current())));
        let mut after = Aftermath::default();
        loop {
            if let Poll::Ready(answer) = poll(&mut Context::from_waker(&waker)) {
                return answer;
            }
            let soon = clock::after(Duration::from_millis(10));
            let turned = self.seated(|driver| {
                driver.fire();
                let turned = driver.turn(Some(soon));
                driver.take_aftermath(&mut after);
                turned
            });
            after.release();
            match turned {
                Some(turned) => turned?,
                None => std::thread::park_timeout(Duration::from_millis(10)),
            }
        }
    }

    /// Waits, for a moment, until nobody but the caller holds a closed socket, so that it is really
    /// closed when he lets go: who drops a listener may want its address again.
    pub(crate) fn let_go(self: &Arc<Self>, socket: &Arc<Socket>) {
        let mut after = Aftermath::default();
        for _ in 0..LET_GO_TRIES {
            if Arc::strong_count(socket) == 1 {
                return;
            }
            let turned = self.seated(|driver| {
                let turned = driver.turn(Some(clock::now())).is_ok();
                driver.take_aftermath(&mut after);
                turned
            });
            after.release();
            match turned {
                Some(true) => {}
                Some(false) => return,
                None => thread::park_timeout(LET_GO_PAUSE),
            }
        }
    }

    /// A simulated world is one thread's: what another does to it could not be repeated.
    fn forbid_in_simulation(&self) {
        // (Its own thread may use it between two runs of its loop, and after the last.)
        let here = self.world.is_none() || thread::current().id() == self.thread;
        // (Not twice: what unwinds drops its sockets on the way.)
        assert!(here || thread::panicking(), "a simulated socket was used from another thread");
    }
}

/// A thread that sleeps until it is woken.
struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// From now until the next turn, so many sends may be made at once.
pub(super) fn grant_sends(count: u32) {
    AT_ONCE.set(count);
}

/// Whether one more send may be made at once.
pub(super) fn spend_send() -> bool {
    let left = AT_ONCE.get();
    AT_ONCE.set(left.saturating_sub(1));
    left > 0
}

/// The loop this thread runs, if any.
pub(crate) fn here() -> Option<Arc<Home>> {
    SEAT.try_with(|seat| seat.borrow().as_ref().map(|(home, _)| home.clone())).ok().flatten()
}

/// Seats a loop on this thread while it lives.
pub(crate) struct Seat(Seated);

impl Seat {
    pub(crate) fn take(home: Arc<Home>, driver: Rc<RefCell<Driver>>) -> Self {
        HERE.set(Arc::as_ptr(&home));
        grant_sends(if home.direct == Direct::Asleep { 0 } else { AT_ONCE_MAX });
        Self(SEAT.replace(Some((home, driver))))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let here = self.0.as_ref().map_or(std::ptr::null(), |(home, _)| Arc::as_ptr(home));
        HERE.set(here);
        drop(SEAT.replace(self.0.take()));
    }
}

/// How many sends may be made at once in one turn of a loop.
pub(super) const AT_ONCE_MAX: u32 = 256;
/// A loop lets go in one or two turns; one that nobody runs is not waited for any longer than this.
const LET_GO_TRIES: u32 = 200;
const LET_GO_PAUSE: Duration = Duration::from_micros(100);
