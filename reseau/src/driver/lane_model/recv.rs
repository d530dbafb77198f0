//! The receiving lane, of a stream and of a listener.
use super::{BLOCK, Script, WINDOW_MAX, assert_numbered, numbered};
use crate::addr::Addr;
use crate::driver::lane::{End, Item, Next, RecvLane, Shape, State, start_cancel};
use crate::driver::waiters::Who;
use crate::driver::{Event, Op};
use crate::error::Fault;
use crate::pool::Chunk;
use crate::sys::sim::World;
use crate::sys::{Domain, Fd};
use std::io::ErrorKind;
use std::task::{Context, Waker};
use std::time::Duration;

pub(super) fn run(script: &mut Script<'_>, accepts: bool) {
    let window = script.count(WINDOW_MAX);
    let mut model = Model::new(window, accepts);
    while !script.is_over() {
        model.step(script);
        model.check();
    }
    model.finish();
}

/// The lane, its users, its home and the kernel under it.
struct Model {
    lane: RecvLane,
    shape: Shape,
    world: World,
    /// What the kernel works on.
    kernel: Option<Flight>,
    /// Bytes, or connections, that came out of the kernel, and of those what the users took.
    made: u64,
    taken: u64,
    ended: Option<End>,
    /// The largest window since the lane was empty: what is queued may owe itself to that.
    window: usize,
    starving: bool,
    paused: bool,
    /// The next pause to be expected.
    pause: Duration,
    ticket: Option<u64>,
    /// How many bytes the last one to wait waits for.
    need: usize,
}

struct Flight {
    multi: bool,
    cancelled: bool,
    /// What may still come after the home asked it to stop.
    burst: usize,
}

impl Model {
    fn new(window: usize, accepts: bool) -> Self {
        Self {
            lane: RecvLane::new(window),
            shape: Shape { accepts, polls: false, passes: false, block: BLOCK },
            world: World::new(0),
            kernel: None,
            made: 0,
            taken: 0,
            ended: None,
            window,
            starving: false,
            paused: false,
            pause: PAUSE_MIN,
            ticket: None,
            need: 1,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 16 {
            0 | 1 => self.user_waits(script.chance(2)),
            2 => self.user_waits_for(script),
            3 => self.user_tries(),
            4 => self.user_consumes(script),
            5 => self.user_goes(),
            6 => self.user_puts_back(),
            7 => self.window_changes(script),
            8 => self.settle(),
            9 => self.block_comes_home(),
            10 => self.timer_fires(),
            11 if script.chance(16) => self.loop_ends(),
            _ => self.kernel_answers(script),
        }
    }

    // ---- users ------------------------------------------------------------------------------

    /// As `poll_recv`: what is there, else the end, else a waker and an armed lane.
    fn user_waits(&mut self, owner: bool) {
        if self.take() || self.lane.ended().is_some() {
            return self.settle();
        }
        self.need = 1;
        self.leave(owner);
        self.settle();
    }

    /// As `read_exact`.
    fn user_waits_for(&mut self, script: &mut Script<'_>) {
        if self.shape.accepts {
            return;
        }
        let count = script.count(self.lane.window());
        if self.lane.queued() >= count {
            self.consume(count);
        } else if self.lane.ended().is_none() {
            self.lane.need(count);
            self.need = count;
            self.leave(true);
        }
        self.settle();
    }

    /// As `try_recv`.
    fn user_tries(&mut self) {
        if !self.take() && self.lane.ended().is_none() {
            self.lane.want();
        }
        self.settle();
    }

    fn user_consumes(&mut self, script: &mut Script<'_>) {
        if !self.shape.accepts {
            let count = script.count(WINDOW_MAX).min(self.lane.queued());
            self.consume(count);
        }
        self.settle();
    }

    /// A future with a ticket is dropped.
    fn user_goes(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            drop(self.lane.waiters.withdraw(ticket));
        }
    }

    fn user_puts_back(&mut self) {
        if let Some(item) = self.lane.pop() {
            self.lane.unpop(item);
        }
        self.need = 1;
    }

    fn window_changes(&mut self, script: &mut Script<'_>) {
        // Who waits for many bytes holds the lane, and so the window, still.
        if self.need == 1 {
            let window = script.count(WINDOW_MAX);
            self.lane.set_window(window);
            self.window = self.window.max(window);
        }
    }

    fn leave(&mut self, owner: bool) {
        let mut who = if owner { Who::Owner } else { Who::Ticket(&mut self.ticket) };
        let cx = Context::from_waker(Waker::noop());
        if !self.lane.waiters.has(&who, &cx) {
            drop(self.lane.waiters.leave(&mut who, Waker::noop().clone()));
        }
    }

    fn take(&mut self) -> bool {
        self.need = 1;
        match self.lane.pop() {
            Some(Item::Data(chunk)) => {
                assert!(!chunk.is_empty());
                assert_numbered(&chunk, self.taken);
                self.taken += chunk.len() as u64;
            }
            Some(Item::Passed(_)) => unreachable!("nobody passes anything"),
            Some(Item::Conn(_, peer)) => {
                assert_eq!(peer.as_deref(), Some(&peer_of(self.taken)), "connections in order");
                self.taken += 1;
            }
            None => return false,
        }
        true
    }

    fn consume(&mut self, count: usize) {
        let bytes: Vec<u8> = self.lane.chunks().flat_map(|chunk| chunk.to_vec()).collect();
        assert_numbered(&bytes[..count], self.taken);
        let (mut spent, before) = (Vec::new(), self.lane.queued());
        self.lane.consume(count, &mut spent);
        assert_eq!(before - count, self.lane.queued());
        self.taken += count as u64;
        self.need = 1;
    }

    // ---- the home -----------------------------------------------------------------------------

    /// As `settle_recv`.
    fn settle(&mut self) {
        if let Some(op) = self.lane.arm(self.shape) {
            self.submit(&op);
        }
    }

    fn submit(&mut self, op: &Op) {
        assert!(self.kernel.is_none(), "one operation at a time");
        assert!(self.ended.is_none(), "armed after the end");
        let multi = match op {
            Op::Accept => self.shape.accepts,
            Op::Recv { multi, .. } => *multi,
            _ => panic!("not a receiving operation"),
        };
        self.kernel = Some(Flight { multi, cancelled: false, burst: BURST });
    }

    /// As `on_recv` and `follow`.
    fn deliver(&mut self, event: Event, last: bool) {
        if last {
            self.kernel = None;
        }
        let next = self.lane.deliver(event, last, self.shape);
        if !self.lane.is_empty() || self.lane.ended().is_some() {
            let mut woken = Vec::new();
            self.lane.waiters.take(&mut woken);
            assert!(self.lane.waiters.is_empty());
        }
        match next {
            Next::Nothing => {}
            Next::Cancel => {
                let flight = self.kernel.as_mut().expect("something to cancel");
                assert!(!flight.cancelled, "cancelled twice");
                flight.cancelled = true;
            }
            Next::Rearm => {
                let op = self.lane.op(self.shape);
                self.submit(&op);
            }
            Next::Starve => self.starving = true,
            Next::Shed(pause) => {
                assert!(self.shape.accepts);
                assert_eq!(pause, self.pause, "each pause is twice the one before");
                self.pause = (pause * 2).min(PAUSE_MAX);
                self.paused = true;
            }
            Next::Pause(_) => panic!("only a connect pauses so"),
        }
    }

    /// As `rearm_starved`.
    fn block_comes_home(&mut self) {
        if std::mem::take(&mut self.starving) {
            self.lane.state = State::Idle;
        }
        self.settle();
    }

    /// As `fire_lane`.
    fn timer_fires(&mut self) {
        if std::mem::take(&mut self.paused) {
            self.lane.state = State::Idle;
        }
        self.settle();
    }

    /// As `Socket::fail`: what is in the kernel stays there until it answers.
    fn loop_ends(&mut self) {
        self.lane.finish(End::Gone);
        self.ended.get_or_insert(End::Gone);
        self.lane.waiters.take(&mut Vec::new());
        if start_cancel(&mut self.lane.state) {
            self.kernel.as_mut().expect("armed").cancelled = true;
        }
    }

    // ---- the kernel ---------------------------------------------------------------------------

    fn kernel_answers(&mut self, script: &mut Script<'_>) {
        let Some(flight) = &mut self.kernel else { return };
        let (multi, cancelled) = (flight.multi, flight.cancelled);
        let choice = script.byte() % 16;
        if cancelled && (flight.burst == 0 || choice == 0) {
            return self.deliver(Event::Cancelled, true);
        }
        flight.burst -= usize::from(cancelled);
        match choice {
            1 if !self.shape.accepts => self.end(End::Eof, Event::Eof),
            2 => self.fails(script),
            3 if !self.shape.accepts => self.deliver(Event::Starved, true),
            _ => {
                // A multishot operation may end with any answer; a single shot always does.
                let last = !multi || script.chance(8);
                let event = self.make(script);
                self.deliver(event, last);
            }
        }
    }

    fn make(&mut self, script: &mut Script<'_>) -> Event {
        if self.shape.accepts {
            self.made += 1;
            self.pause = PAUSE_MIN;
            let fd = Fd::Sim(self.world.open(Domain::IPV4));
            return Event::Conn(fd, Some(Box::new(peer_of(self.made - 1))));
        }
        let count = if script.chance(2) { BLOCK } else { script.count(BLOCK) };
        let chunk = Chunk::from(numbered(self.made, count));
        self.made += count as u64;
        Event::Data(chunk)
    }

    fn fails(&mut self, script: &mut Script<'_>) {
        let fault = |kind| Event::Failed(Fault::Kind(kind));
        match script.byte() % 4 {
            0 if self.shape.accepts => self.deliver(fault(ErrorKind::ConnectionAborted), true),
            1 if self.shape.accepts => self.deliver(fault(ErrorKind::OutOfMemory), true),
            _ => {
                let end = End::Failed(Fault::Kind(ErrorKind::InvalidInput));
                self.end(end, fault(ErrorKind::InvalidInput));
            }
        }
    }

    fn end(&mut self, end: End, event: Event) {
        self.ended.get_or_insert(end);
        self.deliver(event, true);
    }

    // ---- what must hold -----------------------------------------------------------------------

    fn check(&mut self) {
        let size = if self.shape.accepts { CONN } else { 1 };
        let queued = self.lane.queued();
        assert_eq!(queued as u64, (self.made - self.taken) * size as u64, "none lost or doubled");
        assert_eq!(queued == 0, self.lane.is_empty());
        let state = match (&self.kernel, self.starving, self.paused) {
            (Some(Flight { cancelled: false, .. }), false, false) => State::Armed,
            (Some(Flight { cancelled: true, .. }), false, false) => State::Cancelling,
            (None, true, false) => State::Starved,
            (None, false, true) => State::Paused,
            (None, false, false) => State::Idle,
            _ => panic!("two things at once"),
        };
        assert_eq!(self.lane.state, state);
        let answer = match (&self.ended, self.lane.ended()) {
            (None, answer) => answer.is_none(),
            (Some(End::Eof), answer) => matches!(answer, Some(Ok(()))),
            (Some(end), answer) => {
                answer.and_then(Result::err).is_some_and(|e| e.kind() == end.to_io().kind())
            }
        };
        assert!(answer, "the first end stays: {:?}", self.ended);
        self.check_bound(queued, size);
        let waits = !self.lane.waiters.is_empty() && queued < self.need && self.ended.is_none();
        assert!(!waits || state != State::Idle, "somebody waits, and nobody works");
        if !self.lane.waiters.is_empty() {
            assert!(self.ended.is_none(), "who waits was told of the end");
        }
    }

    /// Below the window one more item may come, and a burst behind it until a cancel is heard.
    fn check_bound(&mut self, queued: usize, size: usize) {
        let item = if self.shape.accepts { size } else { BLOCK };
        if self.lane.is_empty() {
            self.window = self.lane.window();
        }
        let burst = match &self.kernel {
            Some(Flight { multi: false, .. }) => 0,
            _ => BURST * item,
        };
        let most = self.window - 1 + item + burst;
        assert!(queued <= most.max(self.window), "{queued} queued, and at most {most}");
        if let Some(Flight { multi: true, cancelled: false, .. }) = &self.kernel {
            assert!(queued < self.window, "a flood is cancelled");
        }
    }

    /// Everything that came out of the kernel goes to the user, and then the end.
    fn finish(&mut self) {
        while self.take() {}
        assert_eq!(self.made, self.taken);
    }
}

fn peer_of(number: u64) -> Addr {
    Addr::Inet(([127, 0, 0, 1], number as u16).into())
}

/// What may come between the cancel and its answer.
const BURST: usize = 3;
/// What a connection counts against the window.
const CONN: usize = 1024;
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);
