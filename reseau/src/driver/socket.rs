//! The shared record of a socket: its descriptor, its home, and two lanes behind two locks.
//!
//! Any thread may look into a lane. Only the home arms one, and only the home moves its state (with
//! one exception, `Direct`, which keeps the home away for the length of one system call). Under a
//! lane's lock no user code runs: wakers are cloned before, dropped and woken after; chunks and
//! sockets are dropped after. Never two lanes at once, and no system call under either.
use super::ask::{Accepted, How, ask, finished, gather, look};
use super::deadline::Deadline;
use super::door::Mark;
use super::lane::{End, Item, RecvLane, SendLane, Shape, State};
use super::waiters::{Waiters, Who};
use super::{Destination, Home, Op, Side};
use crate::addr::Addr;
use crate::error::Fault;
use crate::pool::Chunk;
use crate::sync::{lock, wake};
use crate::sys::Fd;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

pub(crate) struct Socket {
    fd: Fd,
    home: Arc<Home>,
    accepts: bool,
    polls: bool,
    passes: bool,
    /// The place in the home's table. Read and written by the home only.
    key: AtomicUsize,
    /// In the inbox and not yet looked at.
    kicked: Mark,
    fate: AtomicU8,
    /// The receive lane has nothing: a hint, so that whoever will have to wait prepares his waker
    /// before he takes the lock, and takes it once.
    dry: AtomicBool,
    /// Receiving has a deadline, or had one.
    dated: AtomicBool,
    /// How many calls of its user's own have been made since one of them had to wait.
    streak: AtomicU8,
    recv: Mutex<RecvLane>,
    send: Mutex<SendLane>,
}

impl Socket {
    pub(crate) fn stream(fd: Fd, home: Arc<Home>) -> Arc<Self> {
        let lane = RecvLane::new(home.window());
        Arc::new(Self::new(fd, home, lane))
    }

    /// A stream that a listener has handed out.
    pub(crate) fn accepted(fd: Fd, home: Arc<Home>) -> Arc<Self> {
        let lane = RecvLane::new(home.window()).accepted();
        Arc::new(Self::new(fd, home, lane))
    }

    /// Takes in what comes along with its bytes. Before it is used.
    pub(crate) fn passing(mut self: Arc<Self>, passes: bool) -> Arc<Self> {
        if let Some(socket) = Arc::get_mut(&mut self) {
            socket.passes = passes;
        }
        self
    }

    pub(crate) fn listener(fd: Fd, home: Arc<Home>) -> Arc<Self> {
        let lane = RecvLane::new(home.window());
        Arc::new(Self { accepts: true, ..Self::new(fd, home, lane) })
    }

    /// A socket whose user makes his own calls, and only waits here.
    pub(crate) fn polled(fd: Fd, home: Arc<Home>) -> Arc<Self> {
        let (recv, send) = (RecvLane::new(home.window()), SendLane::new(home.window()));
        let send = Mutex::new(send.polled());
        Arc::new(Self { polls: true, send, ..Self::new(fd, home, recv) })
    }

    fn new(fd: Fd, home: Arc<Home>, recv: RecvLane) -> Self {
        let window = home.window();
        Self {
            fd,
            home,
            accepts: false,
            polls: false,
            passes: false,
            key: AtomicUsize::new(UNKNOWN),
            kicked: Mark::new(),
            fate: AtomicU8::new(OPEN),
            dry: AtomicBool::new(true),
            dated: AtomicBool::new(false),
            streak: AtomicU8::new(0),
            recv: Mutex::new(recv),
            send: Mutex::new(SendLane::new(window)),
        }
    }

    pub(crate) fn fd(&self) -> &Fd {
        &self.fd
    }

    /// The descriptor, when nobody else holds the record.
    pub(crate) fn into_fd(self: Arc<Self>) -> Result<Fd, Arc<Self>> {
        Arc::try_unwrap(self).map(|socket| socket.fd)
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    pub(crate) fn shape(&self) -> Shape {
        let Self { accepts, polls, passes, .. } = *self;
        Shape { accepts, polls, passes, block: self.home.block_size() }
    }

    pub(crate) fn recv_lane(&self) -> MutexGuard<'_, RecvLane> {
        lock(&self.recv)
    }

    pub(crate) fn send_lane(&self) -> MutexGuard<'_, SendLane> {
        lock(&self.send)
    }

    /// Counts a call. Whoever finds the socket ready again and again lets others in, now and then.
    pub(super) fn is_greedy(&self) -> bool {
        let streak = self.streak.load(Ordering::Relaxed);
        let greedy = streak >= STREAK_MAX;
        self.streak.store(if greedy { 0 } else { streak + 1 }, Ordering::Relaxed);
        greedy
    }

    /// A call has to wait, which lets others in.
    pub(super) fn calm(&self) {
        self.streak.store(0, Ordering::Relaxed);
    }

    /// What both lanes have, under the lock of one of them.
    pub(crate) fn either<T>(
        &self,
        side: Side,
        f: impl FnOnce(&mut State, &mut Deadline, &mut Waiters) -> T,
    ) -> T {
        match side {
            Side::Recv => {
                let lane = &mut *self.recv_lane();
                f(&mut lane.state, &mut lane.deadline, &mut lane.waiters)
            }
            Side::Send => {
                let lane = &mut *self.send_lane();
                f(&mut lane.state, &mut lane.deadline, &mut lane.waiters)
            }
        }
    }

    /// The home has put something into the receive lane.
    pub(crate) fn fed(&self) {
        self.dry.store(false, Ordering::Relaxed);
    }

    /// Somebody has taken from the receive lane, and left it so.
    #[cfg(feature = "tls")]
    pub(super) fn left_empty(&self, empty: bool) {
        self.dry.store(empty, Ordering::Relaxed);
    }

    /// Whether the receive lane has nothing, as far as is known without its lock.
    #[cfg(feature = "tls")]
    pub(crate) fn seems_dry(&self) -> bool {
        self.dry.load(Ordering::Relaxed)
    }

    /// Whether receiving may have a deadline that has passed. Whoever is woken by one sees it.
    #[cfg(feature = "tls")]
    pub(super) fn is_dated(&self) -> bool {
        self.dated.load(Ordering::Relaxed)
    }

    pub(crate) fn key(&self) -> Option<usize> {
        Some(self.key.load(Ordering::Relaxed)).filter(|key| *key != UNKNOWN)
    }

    pub(crate) fn set_key(&self, key: Option<usize>) {
        self.key.store(key.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// Its user is gone.
    pub(crate) fn closing(&self) -> bool {
        self.fate.load(Ordering::Acquire) == CLOSING
    }

    /// It closes, or it leaves its loop.
    pub(crate) fn ending(&self) -> bool {
        self.fate.load(Ordering::Acquire) != OPEN
    }

    pub(crate) fn kicked(&self) -> &Mark {
        &self.kicked
    }

    // ---- receiving ----------------------------------------------------------------------------

    /// Asks the receive lane: `take` what is there, else its end, else leave a waker and arm it.
    /// `Ok(None)` is the end.
    pub(crate) fn poll_recv<T>(
        self: &Arc<Self>,
        mut who: Who<'_>,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&mut RecvLane) -> Option<T>,
    ) -> Poll<io::Result<Option<T>>> {
        let mut fresh = self.dry.load(Ordering::Relaxed).then(|| cx.waker().clone());
        let (stale, arm) = loop {
            let mut lane = self.recv_lane();
            if let Some(answer) = look(&mut lane, &mut take) {
                let arm = lane.state == State::Idle && lane.wants();
                self.dry.store(lane.is_empty(), Ordering::Relaxed);
                drop(lane);
                return self.answered(answer, arm, fresh);
            }
            if lane.found_empty() {
                drop(lane);
                self.recv_directly();
                continue;
            }
            let known = lane.waiters.has(&who, cx);
            if known || fresh.is_some() {
                let stale = match fresh.take() {
                    Some(fresh) if !known => lane.waiters.leave(&mut who, fresh),
                    unneeded => unneeded,
                };
                break (stale, lane.state == State::Idle);
            }
            drop(lane);
            fresh = Some(cx.waker().clone());
        };
        drop(stale);
        if arm {
            self.home.kick(self, Side::Recv);
        }
        Poll::Pending
    }

    /// Like `poll_recv` without waiting: `WouldBlock` where that would be pending. The lane is
    /// armed all the same, so that asking again can succeed.
    pub(crate) fn try_recv<T>(
        self: &Arc<Self>,
        mut take: impl FnMut(&mut RecvLane) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let mut lane = self.recv_lane();
        let mut found = look(&mut lane, &mut take);
        if found.is_none() && lane.found_empty() {
            drop(lane);
            self.recv_directly();
            lane = self.recv_lane();
            found = look(&mut lane, &mut take);
        }
        let answer = found.unwrap_or_else(|| {
            lane.want();
            Err(io::ErrorKind::WouldBlock.into())
        });
        let arm = lane.state == State::Idle && lane.wants();
        drop(lane);
        if arm {
            self.home.kick(self, Side::Recv);
        }
        answer
    }

    fn answered<T>(
        self: &Arc<Self>,
        answer: io::Result<Option<T>>,
        arm: bool,
        unneeded: Option<Waker>,
    ) -> Poll<io::Result<Option<T>>> {
        drop(unneeded);
        if arm {
            self.home.kick(self, Side::Recv);
        }
        Poll::Ready(answer)
    }

    // ---- sending ------------------------------------------------------------------------------

    pub(crate) fn start_connect(self: &Arc<Self>, addr: &Addr) -> io::Result<()> {
        self.plan_connect(addr)?;
        self.home.kick(self, Side::Send);
        Ok(())
    }

    /// Its home will connect it when it is kicked.
    pub(crate) fn plan_connect(&self, addr: &Addr) -> io::Result<()> {
        let to = Box::new(Destination::new(addr)?);
        self.send_lane().connect(to);
        Ok(())
    }

    pub(crate) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.poll_send_lane(Who::Owner, cx, |lane| (!lane.connecting()).then_some(()));
        if let Poll::Ready(Ok(())) = polled
            && let Some(error) = self.fd.take_error()?
        {
            return Poll::Ready(Err(error)); // Connected, and reset before we looked.
        }
        polled
    }

    /// Ready when the kernel has taken everything that was queued.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send_lane(Who::Owner, cx, |lane| lane.flushed().then_some(()))
    }

    /// Ready when everything queued is out and the end of the stream behind it.
    pub(crate) fn poll_finish(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let asked = {
            let mut lane = self.send_lane();
            let asked = !lane.open() || lane.failed();
            lane.ask_finish();
            asked
        };
        if !asked {
            self.home.kick(self, Side::Send);
        }
        self.poll_send_lane(Who::Owner, cx, |lane| lane.finished().then_some(()))
    }

    /// Ready when there is room, or when sending would say what went wrong.
    pub(crate) fn poll_writable(&self, who: Who<'_>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_send_lane(who, cx, |lane| (lane.hopeful() || !lane.open()).then_some(())) {
            Poll::Ready(_) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Queues a whole chunk when there is room: from then on it is sent, in order, whatever the
    /// caller drops. Takes the chunk exactly when it says `Ready(Ok)`.
    pub(crate) fn poll_send(
        self: &Arc<Self>,
        chunk: &mut Option<Chunk>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let how = self.how();
        let free = |chunk: &mut Chunk| !chunk.is_empty() && self.send_lane().reserve();
        if how == How::Directly
            && let Some(chunk) = chunk.take_if(free)
        {
            self.send_directly(chunk);
            return Poll::Ready(Ok(()));
        }
        let polled = self.poll_send_lane(Who::Owner, cx, |lane| {
            if !lane.open() {
                return Some(Err(finished()));
            }
            lane.room().then(|| {
                lane.push(chunk.take().expect("a chunk to send"));
                Ok(Accepted::queued(lane, how))
            })
        });
        polled.map(|answer| {
            self.go_on(answer??);
            Ok(())
        })
    }

    /// Copies as much as there is room for. (A borrowed slice never reaches the kernel.)
    pub(crate) fn poll_write(
        self: &Arc<Self>,
        who: Who<'_>,
        bufs: &[io::IoSlice<'_>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let how = self.how();
        let polled = self.poll_send_lane(who, cx, |lane| gather(lane, bufs, how));
        polled.map(|answer| {
            let (count, accepted) = answer??;
            self.go_on(accepted);
            Ok(count)
        })
    }

    pub(crate) fn try_write(self: &Arc<Self>, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        // Who does not wait is to hear what the kernel says, so he asks it himself if he can.
        let how = match self.how() {
            How::FromAfar if self.home.allows_direct() => How::Directly,
            how => how,
        };
        let asked = ask(&mut self.send_lane(), &mut |lane| gather(lane, bufs, how));
        let Some(answer) = asked else { return Err(io::ErrorKind::WouldBlock.into()) };
        let (count, accepted) = answer??;
        self.go_on(accepted);
        Ok(count)
    }

    pub(super) fn how(self: &Arc<Self>) -> How {
        if self.home.is_here() {
            if self.home.may_send() { How::Directly } else { How::Here }
        } else if self.home.prefers_direct() {
            How::Directly
        } else {
            How::FromAfar
        }
    }

    pub(super) fn go_on(self: &Arc<Self>, accepted: Accepted) {
        match accepted {
            Accepted::Here(None) | Accepted::Queued { idle: false } => {}
            Accepted::Here(Some(op)) => self.home.submit(self, Side::Send, op),
            Accepted::Queued { idle: true } => self.home.kick(self, Side::Send),
            Accepted::Direct(chunk) => self.send_directly(chunk),
        }
    }

    pub(super) fn poll_send_lane<T>(
        &self,
        mut who: Who<'_>,
        cx: &mut Context<'_>,
        mut done: impl FnMut(&mut SendLane) -> Option<T>,
    ) -> Poll<io::Result<T>> {
        let mut fresh: Option<Waker> = None;
        let stale = loop {
            let mut lane = self.send_lane();
            if let Some(answer) = ask(&mut lane, &mut done) {
                return Poll::Ready(answer);
            }
            let known = lane.waiters.has(&who, cx);
            if known || fresh.is_some() {
                break match fresh.take() {
                    Some(fresh) if !known => lane.waiters.leave(&mut who, fresh),
                    unneeded => unneeded,
                };
            }
            drop(lane);
            fresh = Some(cx.waker().clone());
        };
        drop(stale);
        Poll::Pending
    }

    // ---- both ---------------------------------------------------------------------------------

    /// Sets or clears the absolute deadline of one direction. What waits looks again.
    pub(crate) fn set_deadline(self: &Arc<Self>, side: Side, at: Option<Instant>) {
        let past = at.is_some_and(|at| at <= crate::clock::now());
        if at.is_some() && side == Side::Recv {
            self.dated.store(true, Ordering::Relaxed);
        }
        let mut woken = Vec::new();
        self.either(side, |_, deadline, waiters| {
            deadline.set(at, past);
            if past {
                waiters.take(&mut woken);
            }
        });
        woken.into_iter().for_each(wake);
        if at.is_some() && !past {
            self.home.kick(self, side);
        }
    }

    /// Sets how much a lane may hold. Who waits for room looks again.
    pub(crate) fn set_window(&self, side: Side, window: usize) {
        let mut woken = Vec::new();
        match side {
            Side::Recv => self.recv_lane().set_window(window),
            Side::Send => {
                let mut lane = self.send_lane();
                lane.set_window(window);
                lane.waiters.take(&mut woken);
            }
        }
        woken.into_iter().for_each(wake);
    }

    /// Nothing more of what is queued shall be sent. What closes now closes at once.
    pub(crate) fn abandon(&self) {
        let (mut woken, mut spent) = (Vec::new(), Vec::new());
        let mut lane = self.send_lane();
        lane.fail(End::Failed(Fault::Kind(io::ErrorKind::ConnectionAborted)), &mut spent);
        lane.waiters.take(&mut woken);
        drop(lane);
        woken.into_iter().for_each(wake);
    }

    /// A future with a ticket is gone.
    pub(crate) fn withdraw(&self, side: Side, ticket: Option<u64>) {
        let Some(ticket) = ticket else { return };
        let waker = self.either(side, |_, _, waiters| waiters.withdraw(ticket));
        drop(waker);
    }

    /// Begins the end: what was received is dropped, what was queued is still sent.
    pub(crate) fn close(self: &Arc<Self>) {
        let mut woken = Vec::new();
        let items = {
            let mut lane = self.recv_lane();
            lane.waiters.take(&mut woken);
            lane.deadline.set(None, false);
            lane.drain()
        };
        self.send_lane().waiters.take(&mut woken);
        self.fate.store(CLOSING, Ordering::Release);
        self.home.kick(self, Side::Recv);
        drop((items, woken));
    }

    /// Begins to leave the loop: what was received stays, what was queued is sent first.
    /// Ready when nothing of the socket is with the loop any more.
    pub(crate) fn poll_leave(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waker = cx.waker().clone();
        let stale = self.send_lane().waiters.leave(&mut Who::Owner, waker);
        drop(stale);
        if self.fate.load(Ordering::Acquire) == OPEN {
            self.fate.store(LEAVING, Ordering::Release);
            self.home.kick(self, Side::Recv);
        }
        let lane = self.send_lane();
        match self.fate.load(Ordering::Acquire) {
            // What could not be sent in time is lost, and that is to be said.
            LEFT if lane.lingering && lane.failed() => {
                Poll::Ready(lane.error().map_or(Ok(()), Err))
            }
            LEFT => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }

    /// The home has let go of a socket that leaves.
    pub(crate) fn left(&self, woken: &mut Vec<Waker>) {
        if self.fate.load(Ordering::Acquire) == LEAVING {
            let mut lane = self.send_lane();
            self.fate.store(LEFT, Ordering::Release);
            lane.waiters.take(woken);
        }
    }

    /// The loop has ended: whoever waits hears so, and so does whoever asks later. The lanes keep
    /// their states: the home may still be sending for others, and has to know what the kernel has.
    pub(crate) fn fail(&self) {
        let (mut woken, mut spent) = (Vec::new(), Vec::<Op>::new());
        {
            let mut lane = self.recv_lane();
            lane.finish(End::Gone);
            lane.waiters.take(&mut woken);
        }
        self.left(&mut woken);
        {
            let mut lane = self.send_lane();
            lane.fail(End::Gone, &mut spent);
            lane.waiters.take(&mut woken);
        }
        woken.into_iter().for_each(wake);
        drop(spent);
    }
}

impl crate::sys::poller::Watched for Arc<Socket> {
    fn fd(&self) -> &Fd {
        &self.fd
    }
}

/// Takes the next chunk of a stream that brings nothing along.
#[cfg(any(uring, all(test, unix)))]
pub(crate) fn chunk(lane: &mut RecvLane) -> Option<Chunk> {
    lane.pop()?.into_bytes()
}

/// Takes the next connection of a listener.
pub(crate) fn connection(lane: &mut RecvLane) -> Option<(Fd, Option<Addr>)> {
    match lane.pop()? {
        Item::Conn(fd, peer) => Some((fd, peer.map(|peer| *peer))),
        Item::Data(_) | Item::Passed(_) => unreachable!("a listener receives no bytes"),
    }
}

const UNKNOWN: usize = usize::MAX;
/// Calls that need not wait, in a row: as many as tokio allows a task.
const STREAK_MAX: u8 = 128;
/// A socket's fate: used, on its way to another owner, there, or on its way out.
const OPEN: u8 = 0;
const LEAVING: u8 = 1;
const LEFT: u8 = 2;
const CLOSING: u8 = 3;
