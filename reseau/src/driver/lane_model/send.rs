//! The sending lane.
use super::{Script, assert_numbered, counted, numbered};
use crate::addr::Addr;
use crate::driver::lane::{End, Next, SendLane, State, start_cancel};
use crate::driver::waiters::Who;
use crate::driver::{Destination, Event, Op};
use crate::error::Fault;
use crate::pool::Chunk;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

pub(super) fn run(script: &mut Script<'_>) {
    let window = script.count(WINDOW_MAX);
    let mut model = Model::new(window, script.chance(4));
    while !script.is_over() {
        model.step(script);
        model.check();
    }
    model.finish();
}

/// The lane, its users, its home and the kernel under it.
struct Model {
    lane: SendLane,
    /// What the kernel works on.
    kernel: Option<Op>,
    cancelled: bool,
    /// Bytes that the lane accepted, and of those what the kernel took.
    accepted: u64,
    sent: u64,
    window: usize,
    connecting: bool,
    paused: bool,
    pause: Duration,
    failed: bool,
    asked: bool,
    finished: bool,
    /// What another thread is sending right now.
    direct: Option<Chunk>,
    /// How many chunks of the users are alive.
    owners: Arc<()>,
}

impl Model {
    fn new(window: usize, connects: bool) -> Self {
        let mut lane = SendLane::new(window);
        if connects {
            lane.connect(Box::new(destination()));
        }
        Self {
            lane,
            kernel: None,
            cancelled: false,
            accepted: 0,
            sent: 0,
            window,
            connecting: connects,
            paused: false,
            pause: PAUSE_MIN,
            failed: false,
            asked: false,
            finished: false,
            direct: None,
            owners: Arc::new(()),
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 16 {
            0..=2 => self.user_sends(script),
            3 | 4 => self.user_writes(script),
            5 => self.direct_begins(script),
            6 => self.direct_ends(script),
            7 if script.chance(4) => self.lane.ask_finish(),
            8 => self.settle(),
            9 => self.timer_fires(),
            10 if script.chance(16) => self.home_gives_up(),
            11 => self.window_changes(script),
            _ => self.kernel_answers(script),
        }
        self.asked |= !self.lane.open();
    }

    // ---- users ------------------------------------------------------------------------------

    fn may_send(&mut self) -> bool {
        let may = !self.lane.failed() && self.lane.open();
        if may && !self.lane.room() {
            let waker = Waker::noop().clone();
            drop(self.lane.waiters.leave(&mut Who::Owner, waker));
        }
        may && self.lane.room()
    }

    /// As `poll_send`.
    fn user_sends(&mut self, script: &mut Script<'_>) {
        if self.may_send() {
            let chunk = self.make(script);
            self.lane.push(chunk);
            self.kick();
        }
    }

    /// As `poll_write`.
    fn user_writes(&mut self, script: &mut Script<'_>) {
        if self.may_send() {
            let most = if script.chance(2) { 50 } else { WINDOW_MAX };
            let bytes = numbered(self.accepted, script.count(most));
            let room = self.window - self.lane.queued();
            let count = self.lane.append(&bytes);
            assert_eq!(count, room.min(bytes.len()), "as much as there is room for");
            self.accepted += count as u64;
            self.kick();
        }
    }

    /// Another thread finds the lane quiet. It holds the lane until `direct_ends`.
    fn direct_begins(&mut self, script: &mut Script<'_>) {
        let quiet = self.kernel.is_none() && self.accepted == self.sent && !self.connecting;
        let may = self.may_send();
        if may {
            let quiet = quiet && self.direct.is_none() && !self.asked && !self.paused;
            assert_eq!(self.lane.quiet(), quiet);
        }
        if may && self.lane.quiet() {
            self.lane.state = State::Direct;
            self.direct = Some(self.make(script));
        }
    }

    /// As `send_directly`.
    fn direct_ends(&mut self, script: &mut Script<'_>) {
        let Some(mut chunk) = self.direct.take() else { return };
        assert_numbered(&chunk, self.sent);
        self.lane.state = State::Idle;
        if script.chance(16) {
            self.fail(ErrorKind::ConnectionReset);
        } else {
            let count = script.count(chunk.len() + 1) - 1;
            self.sent += count as u64;
            chunk.advance(count);
        }
        if !chunk.is_empty() && !self.lane.failed() {
            self.lane.push_front(chunk);
        }
        self.settle();
    }

    fn make(&mut self, script: &mut Script<'_>) -> Chunk {
        let bytes = numbered(self.accepted, script.count(WINDOW_MAX));
        self.accepted += bytes.len() as u64;
        counted(&self.owners, bytes)
    }

    fn window_changes(&mut self, script: &mut Script<'_>) {
        if self.lane.waiters.is_empty() {
            self.window = script.count(WINDOW_MAX);
            self.lane.set_window(self.window);
        }
    }

    /// The home is told when the lane is idle, and looks at once.
    fn kick(&mut self) {
        if self.lane.state == State::Idle {
            self.settle();
        }
    }

    // ---- the home -----------------------------------------------------------------------------

    /// As `settle_send`.
    fn settle(&mut self) {
        match self.lane.next() {
            Some(op) => self.submit(op),
            None => self.finish_writing(),
        }
    }

    fn submit(&mut self, op: Op) {
        assert!(self.kernel.is_none() && self.direct.is_none(), "one operation at a time");
        assert!(!self.failed, "nothing is sent after a failure");
        match &op {
            Op::Send(chunk) => {
                assert!(!chunk.is_empty() && !self.connecting && !self.finished);
                assert_numbered(chunk, self.sent);
            }
            Op::Connect(_) => assert!(self.connecting),
            _ => panic!("not a sending operation"),
        }
        self.kernel = Some(op);
    }

    fn finish_writing(&mut self) {
        if self.lane.take_finish() {
            assert!(self.asked && !self.finished, "once, and when it was asked for");
            assert!(self.kernel.is_none() && self.direct.is_none() && !self.connecting);
            assert!(self.failed || self.sent == self.accepted, "behind everything");
            self.finished = true;
        }
    }

    /// As `on_send`.
    fn deliver(&mut self, event: Event) {
        let op = self.kernel.take().expect("something that answers");
        self.cancelled = false;
        let mut spent = Vec::new();
        let next = self.lane.deliver(event, op, &mut spent);
        self.lane.waiters.take(&mut Vec::new());
        if let Next::Pause(pause) = next {
            assert_eq!(pause, self.pause, "each pause is twice the one before");
            self.pause = (pause * 2).min(PAUSE_MAX);
            self.paused = true;
        } else {
            assert_eq!(next, Next::Nothing);
            self.settle();
        }
    }

    /// As `fire_lane`.
    fn timer_fires(&mut self) {
        if std::mem::take(&mut self.paused) {
            self.lane.state = State::Idle;
        }
        self.settle();
    }

    /// As `give_up`.
    fn home_gives_up(&mut self) {
        self.fail(ErrorKind::TimedOut);
        if start_cancel(&mut self.lane.state) {
            self.cancelled = true;
        }
    }

    fn fail(&mut self, kind: ErrorKind) {
        let mut spent = Vec::new();
        self.lane.fail(End::Failed(Fault::Kind(kind)), &mut spent);
        self.lane.waiters.take(&mut Vec::new());
        self.failed = true;
        self.connecting = false;
    }

    // ---- the kernel ---------------------------------------------------------------------------

    fn kernel_answers(&mut self, script: &mut Script<'_>) {
        let Some(op) = &self.kernel else { return };
        let choice = script.byte() % 16;
        match op {
            _ if self.cancelled && choice < 8 => self.deliver(Event::Cancelled),
            _ if choice == 0 => self.fails(ErrorKind::ConnectionReset),
            Op::Connect(_) if choice < 6 && !self.failed => {
                self.deliver(Event::Failed(Fault::Kind(ErrorKind::WouldBlock)));
            }
            Op::Connect(_) => {
                self.connecting = false;
                self.deliver(Event::Connected);
            }
            Op::Send(chunk) => {
                let count = if choice < 8 { chunk.len() } else { script.count(chunk.len()) };
                self.sent += count as u64;
                self.deliver(Event::Sent(count));
            }
            _ => panic!("not a sending operation"),
        }
    }

    fn fails(&mut self, kind: ErrorKind) {
        self.failed = true;
        self.connecting = false;
        self.deliver(Event::Failed(Fault::Kind(kind)));
    }

    // ---- what must hold -----------------------------------------------------------------------

    fn check(&mut self) {
        assert_eq!(self.lane.failed(), self.failed);
        assert_eq!(self.lane.error().is_some(), self.failed);
        assert_eq!(self.lane.connecting(), self.connecting);
        assert_eq!(self.lane.finished(), self.finished);
        let direct = self.direct.as_ref().map_or(0, |chunk| chunk.len());
        let queued = if self.failed { 0 } else { self.accepted - self.sent - direct as u64 };
        assert_eq!(self.lane.queued() as u64, queued, "exact");
        assert_eq!(self.lane.flushed(), queued == 0);
        let room = self.lane.queued() < self.window && !self.connecting;
        assert_eq!(self.lane.room(), room);
        let state = match (&self.kernel, &self.direct, self.paused) {
            (Some(_), None, false) if self.cancelled => State::Cancelling,
            (Some(_), None, false) => State::Armed,
            (None, Some(_), false) => State::Direct,
            (None, None, true) => State::Paused,
            (None, None, false) => State::Idle,
            _ => panic!("two things at once"),
        };
        assert_eq!(self.lane.state, state);
        if state == State::Idle && !self.connecting {
            assert!(self.failed || queued == 0, "something to send, and nobody sends");
        }
        assert!(self.failed || self.lane.waiters.is_empty() || !room, "who waits hears of room");
        if self.failed {
            // The one in the kernel's or the other thread's hands, and ours.
            let held = usize::from(self.kernel.is_some()) + usize::from(self.direct.is_some());
            assert!(Arc::strong_count(&self.owners) <= 1 + held, "a failed lane holds nothing");
        }
    }

    /// The kernel takes everything from now on.
    fn finish(&mut self) {
        let mut zeros = Script(&[]);
        self.direct_ends(&mut zeros);
        self.lane.ask_finish();
        self.asked = true;
        for _ in 0..FINISH_STEPS_MAX {
            self.timer_fires();
            match &self.kernel {
                None if !self.paused => break,
                None => {}
                Some(_) if self.cancelled => self.deliver(Event::Cancelled),
                Some(Op::Send(chunk)) => {
                    let count = chunk.len();
                    self.sent += count as u64;
                    self.deliver(Event::Sent(count));
                }
                Some(_) => {
                    self.connecting = false;
                    self.deliver(Event::Connected);
                }
            }
            self.check();
        }
        assert!(self.finished, "everything comes to an end");
        assert!(self.failed || self.sent == self.accepted, "every byte went out");
        assert_eq!(Arc::strong_count(&self.owners), 1, "no chunk is left");
    }
}

fn destination() -> Destination {
    let addr = Addr::Inet(([127, 0, 0, 1], 9).into());
    Destination::new(&addr).expect("an address of the internet")
}

/// The largest window: more than one collection of small writes holds.
const WINDOW_MAX: usize = 10_000;
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(20);
/// More than there can be chunks in a lane: each is at least one byte of a window.
const FINISH_STEPS_MAX: usize = 2 * WINDOW_MAX;
