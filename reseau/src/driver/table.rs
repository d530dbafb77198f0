//! The home's side of its sockets: one table, one kernel interface, one clock.
//!
//! Everything here runs on the loop's own thread, and none of it is user code: wakers, spent chunks
//! and last references go into the aftermath, which the loop releases when nothing is borrowed.
use super::deadline::Deadline;
use super::lane::{Next, State, start_cancel};
use super::timer::Timers;
use super::{
    Aftermath, Alarm, Backend, Completion, End, Event, Id, Item, Limits, Op, Side, Socket, Unpark,
};
use crate::clock;
use crate::error::Fault;
use crate::pool::Pool;
use crate::sys::Reserve;
use crate::sys::sim::World;
use slab::Slab;
use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The sockets of one loop, and the kernel under them.
pub(crate) struct Driver {
    backend: Backend,
    table: Slab<Arc<Socket>>,
    timers: Timers<Timer>,
    starved: VecDeque<usize>,
    after: Aftermath,
    done: Vec<Completion>,
    pool: Pool,
    reserve: Option<Reserve>,
    window: usize,
    linger: Duration,
}

/// What follows from an answer.
enum Then {
    Lane(Next),
    /// Start this, which the lane has armed.
    Submit(Op),
    /// Send the end of the stream.
    Finish,
}

enum Timer {
    /// A deadline, or the end of a pause.
    Lane(Id),
    Alarm(Arc<Alarm>),
}

impl Driver {
    pub(super) fn new(backend: Backend, pool: Pool, limits: &Limits) -> Self {
        let simulated = matches!(backend, Backend::Sim(_));
        Self {
            backend,
            table: Slab::new(),
            timers: Timers::new(),
            starved: VecDeque::new(),
            after: Aftermath::default(),
            done: Vec::new(),
            pool,
            reserve: if simulated { None } else { Reserve::new() },
            window: limits.window,
            linger: limits.linger,
        }
    }

    /// Looks at a socket somebody kicked from afar. Whichever lane changed, both are settled.
    pub(crate) fn answer(&mut self, socket: &Arc<Socket>) {
        socket.kicked().clear();
        self.settle(socket, Side::Recv);
        self.settle(socket, Side::Send);
    }

    /// Makes the kernel agree with a lane. Idempotent.
    pub(crate) fn settle(&mut self, socket: &Arc<Socket>, side: Side) {
        if socket.ending() {
            return self.end(socket);
        }
        match side {
            Side::Recv => self.settle_recv(socket),
            Side::Send => self.settle_send(socket),
        }
        self.settle_deadline(socket, side);
    }

    fn settle_recv(&mut self, socket: &Arc<Socket>) {
        let op = socket.recv_lane().arm(socket.shape());
        if let Some(op) = op {
            self.submit(socket, Side::Recv, op);
        }
    }

    fn settle_send(&mut self, socket: &Arc<Socket>) {
        // Who waits for a socket that makes its own calls to leave, waits for no readiness.
        let over = socket.shape().polls && socket.ending();
        let op = if over { None } else { socket.send_lane().next() };
        match op {
            Some(op) => self.submit(socket, Side::Send, op),
            None => self.finish_writing(socket),
        }
    }

    /// Sends the end of the stream when everything before it is out.
    fn finish_writing(&mut self, socket: &Arc<Socket>) {
        if !socket.send_lane().take_finish() {
            return;
        }
        let shut = socket.fd().shutdown(Shutdown::Write);
        let mut lane = socket.send_lane();
        // Not connected any more: the end has come from elsewhere, and reading will say how.
        if let Err(error) = shut
            && error.kind() != io::ErrorKind::NotConnected
        {
            lane.fail(End::Failed(Fault::from(&error)), &mut self.after.ops);
        }
        lane.waiters.take(&mut self.after.wakers);
    }

    /// Starts an operation that its lane has armed. A record enters the table with its first
    /// operation (or timer) and leaves it closed and quiet.
    pub(crate) fn submit(&mut self, socket: &Arc<Socket>, side: Side, op: Op) {
        let id = Id { key: self.key(socket), side };
        let mut next = Some(op);
        while let Some(op) = next.take() {
            let Some(completion) = self.backend.submit(id, socket, op) else { return };
            match on_send(socket, completion, &mut self.after) {
                Then::Submit(op) => next = Some(op),
                then => self.follow(socket, id, then),
            }
        }
    }

    fn key(&mut self, socket: &Arc<Socket>) -> usize {
        socket.key().unwrap_or_else(|| {
            let key = self.table.insert(socket.clone());
            socket.set_key(Some(key));
            key
        })
    }

    // ---- deadlines and pauses -----------------------------------------------------------------

    fn settle_deadline(&mut self, socket: &Arc<Socket>, side: Side) {
        let due = |deadline: &mut Deadline| deadline.at().filter(|_| !deadline.expired());
        if let Some(at) = deadline_of(socket, side, due) {
            self.set_timer(socket, side, at);
        }
    }

    /// Makes sure that the lane is looked at by `at`. An earlier timer stays: it will see.
    fn set_timer(&mut self, socket: &Arc<Socket>, side: Side, at: Instant) {
        let id = Id { key: self.key(socket), side };
        let timer = deadline_of(socket, side, |deadline| deadline.timer());
        if timer.is_some_and(|timer| timer.at <= at) {
            return;
        }
        if let Some(timer) = timer {
            self.timers.cancel(timer);
        }
        let key = self.timers.insert(at, Timer::Lane(id));
        deadline_of(socket, side, |deadline| deadline.set_timer(key));
    }

    /// Makes the clock agree with an alarm. Idempotent.
    pub(crate) fn settle_alarm(&mut self, alarm: &Arc<Alarm>) {
        alarm.kicked().clear();
        let (away, at) = alarm.settle();
        if let Some(key) = away {
            self.timers.cancel(key);
        }
        if let Some(at) = at {
            if at <= clock::now() {
                self.after.wakers.extend(alarm.strike());
            } else {
                alarm.set_timer(self.timers.insert(at, Timer::Alarm(alarm.clone())));
            }
        }
    }

    /// Fires what is due.
    pub(crate) fn fire(&mut self) {
        if self.timers.next().is_none() {
            return;
        }
        let now = clock::now();
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Alarm(alarm) => self.after.wakers.extend(alarm.strike()),
                Timer::Lane(id) => self.fire_lane(id, now),
            }
        }
    }

    fn fire_lane(&mut self, id: Id, now: Instant) {
        let socket = self.table[id.key].clone();
        let later = socket.either(id.side, |state, deadline, waiters| {
            let later = deadline.fire(now);
            if *state == State::Paused {
                *state = State::Idle;
            }
            if deadline.expired() {
                waiters.take(&mut self.after.wakers);
            }
            later
        });
        if let Some(at) = later {
            self.set_timer(&socket, id.side, at);
        }
        self.settle_after_timer(&socket, id.side);
    }

    fn settle_after_timer(&mut self, socket: &Arc<Socket>, side: Side) {
        if side == Side::Send && socket.ending() && socket.send_lane().deadline.expired() {
            return self.give_up(socket);
        }
        match side {
            Side::Recv if !socket.ending() => self.settle_recv(socket),
            Side::Send if !socket.ending() => self.settle_send(socket),
            _ => self.end(socket),
        }
    }

    // ---- the end of a socket ------------------------------------------------------------------

    /// A socket that closes or leaves: sends what is queued, stops receiving, and goes when quiet.
    fn end(&mut self, socket: &Arc<Socket>) {
        self.settle_send(socket);
        let Some(key) = socket.key() else { return socket.left(&mut self.after.wakers) };
        self.cancel(socket, Id { key, side: Side::Recv });
        let (pointless, unsent) = {
            let lane = socket.send_lane();
            let pointless = (lane.connecting() && socket.closing()) || lane.failed();
            (pointless || socket.shape().polls, !lane.flushed())
        };
        if pointless {
            self.cancel(socket, Id { key, side: Side::Send });
        } else if unsent {
            self.linger(socket);
        }
        self.reap(key);
    }

    /// Bounds how long a socket may go on sending after its user has left it.
    fn linger(&mut self, socket: &Arc<Socket>) {
        let at = clock::after(self.linger);
        let already = {
            let mut lane = socket.send_lane();
            let already = std::mem::replace(&mut lane.lingering, true);
            if !already {
                lane.deadline.set(Some(at), false);
            }
            already
        };
        if !already {
            self.set_timer(socket, Side::Send, at);
        }
    }

    /// The peer takes nothing: what is queued is dropped, and what is in flight cancelled.
    fn give_up(&mut self, socket: &Arc<Socket>) {
        {
            let fault = Fault::Kind(io::ErrorKind::TimedOut);
            let mut lane = socket.send_lane();
            lane.fail(End::Failed(fault), &mut self.after.ops);
            lane.waiters.take(&mut self.after.wakers);
        }
        let Some(key) = socket.key() else { return };
        self.cancel(socket, Id { key, side: Side::Send });
        self.reap(key);
    }

    fn cancel(&mut self, socket: &Socket, id: Id) {
        if socket.either(id.side, |state, _, _| start_cancel(state)) {
            self.backend.cancel(id);
        }
    }

    /// Lets an ending and quiet socket out of the table.
    fn reap(&mut self, key: usize) {
        let Some(socket) = self.table.get(key) else { return };
        if !socket.ending() || !quiet(socket) {
            return;
        }
        let socket = self.table.remove(key);
        socket.set_key(None);
        self.starved.retain(|&starved| starved != key);
        for side in [Side::Recv, Side::Send] {
            if let Some(timer) = deadline_of(&socket, side, Deadline::take_timer) {
                self.timers.cancel(timer);
            }
        }
        self.backend.forget(key, &socket);
        socket.left(&mut self.after.wakers);
        self.after.sockets.push(socket);
    }

    // ---- the turn -----------------------------------------------------------------------------

    /// One trip to the kernel: flush, park, and put every answer into its lane.
    pub(crate) fn turn(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        self.rearm_starved();
        let deadline = if !self.after.is_empty() {
            Some(clock::past())
        } else {
            [deadline, self.timers.next()].into_iter().flatten().min()
        };
        let mut done = std::mem::take(&mut self.done);
        let waited = self.backend.wait(deadline, &mut done);
        for completion in done.drain(..) {
            let id = completion.id;
            let socket = &self.table[id.key];
            let ending = socket.ending();
            let then = match id.side {
                Side::Recv => Then::Lane(on_recv(socket, completion, &mut self.after)),
                Side::Send => on_send(socket, completion, &mut self.after),
            };
            if ending || !matches!(then, Then::Lane(Next::Nothing)) {
                let socket = socket.clone();
                self.follow(&socket, id, then);
                if ending {
                    self.reap(id.key);
                }
            }
        }
        self.done = done;
        waited
    }

    /// An operation that is over, to be dropped where nothing is borrowed.
    pub(crate) fn take_spent(&mut self) -> Option<Op> {
        self.after.ops.pop()
    }

    /// Swaps what is to be released for an empty one. False: there is nothing.
    pub(crate) fn take_aftermath(&mut self, empty: &mut Aftermath) -> bool {
        let some = !self.after.is_empty();
        if some {
            std::mem::swap(&mut self.after, empty);
        }
        some
    }

    fn follow(&mut self, socket: &Arc<Socket>, id: Id, then: Then) {
        let next = match then {
            Then::Lane(next) => next,
            Then::Submit(op) => return self.submit(socket, id.side, op),
            Then::Finish => return self.finish_writing(socket),
        };
        match next {
            Next::Nothing => {}
            Next::Starve => self.starved.push_back(id.key),
            Next::Cancel => self.backend.cancel(id),
            Next::Rearm if socket.ending() => {
                // Leaving: the lane thinks of its waiters, but they are to wait elsewhere.
                socket.recv_lane().state = State::Idle;
            }
            Next::Rearm => {
                let op = socket.recv_lane().op(socket.shape());
                self.submit(socket, id.side, op);
            }
            Next::Shed(pause) => {
                self.shed(socket);
                self.set_timer(socket, id.side, clock::after(pause));
            }
            Next::Pause(pause) => self.set_timer(socket, id.side, clock::after(pause)),
        }
    }

    /// Out of descriptors: the connections that wait are told so, instead of left hanging.
    fn shed(&mut self, listener: &Arc<Socket>) {
        let Some(reserve) = &mut self.reserve else { return };
        let mut shed = 0;
        while shed < SHED_MAX && reserve.shed(listener.fd()) {
            shed += 1;
        }
        listener.recv_lane().shed += shed;
    }

    /// Asks again for the lanes that a block can be had for. The others are told when one is.
    fn rearm_starved(&mut self) {
        if self.starved.is_empty() {
            return;
        }
        let own = [false, true].map(|fds| self.backend.has_blocks(fds));
        let pooled = own == [true; 2] || self.pool.ready_or_starve();
        if own == [false; 2] && !pooled {
            return;
        }
        for key in std::mem::take(&mut self.starved) {
            let socket = self.table[key].clone();
            if !pooled && !own[usize::from(socket.shape().passes)] {
                self.starved.push_back(key);
                continue;
            }
            socket.recv_lane().state = State::Idle;
            self.settle(&socket, Side::Recv);
            self.after.sockets.push(socket); // It may have closed: perhaps the last reference.
        }
    }

    // ---- the end of the loop ------------------------------------------------------------------

    /// Whether a socket that was left by its user still has something to send.
    pub(crate) fn is_draining(&self) -> bool {
        self.table.iter().any(|(_, socket)| socket.ending() && !socket.send_lane().flushed())
    }

    /// Whether any socket still has something to send.
    pub(crate) fn is_sending(&self) -> bool {
        self.table.iter().any(|(_, socket)| {
            let lane = socket.send_lane();
            !lane.flushed() && !lane.failed() && !lane.connecting()
        })
    }

    /// Ends the driver: the kernel lets go first, then everybody who waits is told.
    pub(crate) fn shutdown(self) {
        let Self { mut backend, table, mut timers, mut after, .. } = self;
        let done = backend.finish();
        drop(backend);
        // A socket may go on elsewhere, with all that the kernel has given out for it.
        for completion in done {
            match completion.id.side {
                Side::Recv => {
                    on_recv(&table[completion.id.key], completion, &mut after);
                }
                Side::Send => after.ops.extend(completion.last),
            }
        }
        table.into_iter().for_each(|(_, socket)| socket.fail());
        for timer in timers.drain() {
            if let Timer::Alarm(alarm) = timer {
                alarm.fail();
            }
        }
        after.release();
    }

    pub(super) fn unparker(&self) -> Unpark {
        self.backend.unparker()
    }

    pub(super) fn world(&self) -> Option<World> {
        self.backend.world()
    }

    /// The present of a simulated kernel.
    pub(crate) fn virtual_now(&self) -> Option<Instant> {
        match &self.backend {
            Backend::Sim(sim) => Some(sim.now()),
            _ => None,
        }
    }

    pub(super) fn window(&self) -> usize {
        self.window
    }

    pub(super) fn pool(&self) -> Pool {
        self.pool.clone()
    }
}

/// Puts an answer of the kernel into the receive lane.
fn on_recv(socket: &Socket, completion: Completion, after: &mut Aftermath) -> Next {
    let Completion { event, last, .. } = completion;
    let mut lane = socket.recv_lane();
    let next = if socket.closing() {
        if last.is_some() {
            lane.state = State::Idle;
        }
        match event {
            Event::Data(chunk) => after.items.push(Item::Data(chunk)),
            Event::Passed(passed) => after.items.push(Item::Passed(passed)),
            Event::Conn(fd, peer) => after.items.push(Item::Conn(fd, peer)),
            _ => {}
        }
        Next::Nothing
    } else {
        let descriptors = matches!(&event, Event::Failed(fault) if no_descriptors(*fault));
        let ready = matches!(&event, Event::Ready);
        let next = lane.deliver(event, last.is_some(), socket.shape());
        if ready || !lane.is_empty() || lane.ended().is_some() {
            socket.fed();
            lane.waiters.take(&mut after.wakers);
        }
        match next {
            Next::Shed(pause) if !descriptors => Next::Pause(pause),
            next => next,
        }
    };
    drop(lane);
    after.ops.extend(last);
    next
}

/// Puts the answer of the kernel into the send lane.
fn on_send(socket: &Socket, completion: Completion, after: &mut Aftermath) -> Then {
    let op = completion.last.expect("a send completes once");
    let mut lane = socket.send_lane();
    let next = lane.deliver(completion.event, op, &mut after.ops);
    lane.waiters.take(&mut after.wakers);
    match next {
        Next::Nothing => match lane.next() {
            Some(op) => Then::Submit(op),
            None if lane.open() || lane.finished() => Then::Lane(Next::Nothing),
            None => Then::Finish,
        },
        next => Then::Lane(next),
    }
}

fn deadline_of<T>(socket: &Socket, side: Side, f: impl FnOnce(&mut Deadline) -> T) -> T {
    socket.either(side, |_, deadline, _| f(deadline))
}

/// Nothing of the socket is in the kernel, and nothing of it has to go there.
fn quiet(socket: &Socket) -> bool {
    let resting = |state| matches!(state, State::Idle | State::Starved | State::Paused);
    let reading = !resting(socket.recv_lane().state);
    let lane = socket.send_lane();
    !reading && resting(lane.state) && (lane.flushed() || lane.failed())
}

/// Whether an accept failed for want of descriptors, so that giving one up would help.
fn no_descriptors(fault: Fault) -> bool {
    #[cfg(unix)]
    const CODES: &[i32] = &[libc::EMFILE, libc::ENFILE];
    #[cfg(windows)]
    const CODES: &[i32] = &[windows_sys::Win32::Networking::WinSock::WSAEMFILE];
    matches!(fault, Fault::Os(code) if CODES.contains(&code))
}

/// How many waiting connections are told at once that there is no descriptor for them.
const SHED_MAX: u64 = 16;

#[cfg(all(test, uring))]
#[path = "table_tests.rs"]
mod tests;
