//! A lane: one direction of a socket, as a state machine that does no I/O.
//!
//! It says what the kernel should do (`arm`, `next`), takes what the kernel answered (`deliver`),
//! and holds what nobody has asked for yet. Locks, wakers' calls and system calls are elsewhere.
use super::deadline::Deadline;
use super::queue::Queue;
use super::waiters::Waiters;
use super::words::{CONNECT_PAUSE_MAX, PAUSE_MAX, pause};
pub(crate) use super::words::{End, Item, Next, Shape, State, start_cancel};
use super::{Destination, Event, Op, Side};
use crate::error::{Class, Fault, Operation};
use crate::pool::{Buffer, Chunk};
use crate::sys::Descriptor;
use std::collections::VecDeque;
use std::io;

/// The receiving direction: of a stream, bytes; of a listener, connections.
pub(crate) struct RecvLane {
    pub(crate) state: State,
    pub(crate) waiters: Waiters,
    pub(crate) deadline: Deadline,
    queue: Queue<Item>,
    queued: usize,
    window: usize,
    end: Option<End>,
    /// Somebody asked without waiting, and found nothing.
    wanted: bool,
    /// Who waits, waits until so many bytes are queued.
    need: usize,
    /// Nobody has found the lane empty since something came, or since the connection was
    /// accepted: it may be called readable, as tokio does, until a read has found nothing.
    hopeful: bool,
    /// No operation has run yet, and an accepted connection may have brought bytes along: the
    /// first read may ask the kernel itself.
    fresh: bool,
    /// Somebody has found nothing, or asked for more: from then on bytes may come ahead of whoever
    /// takes them.
    ahead: bool,
    /// The last burst went over the window: single shots, until one finds the kernel drained.
    demoted: bool,
    /// How often it has paused, for want of descriptors, since it last had one.
    pauses: u8,
    /// Connections shed for want of descriptors.
    pub(crate) shed: u64,
}

/// The sending direction.
pub(crate) struct SendLane {
    pub(crate) state: State,
    pub(crate) waiters: Waiters,
    pub(crate) deadline: Deadline,
    queue: Queue<Chunk>,
    /// Small writes that wait behind an operation, collected.
    tail: Option<Buffer>,
    /// Bytes accepted and not yet taken by the kernel, those in flight included.
    queued: usize,
    window: usize,
    /// Of a socket that makes its own calls: it only says when they would not block.
    polls: bool,
    connect: Option<Box<Destination>>,
    connecting: bool,
    failed: Option<End>,
    finish: Finish,
    pauses: u8,
    /// Left by its user, and given a last deadline.
    pub(crate) lingering: bool,
    /// Somebody was told that there is no room, and nothing has changed since: until then the
    /// lane may be called writable, as tokio does.
    pub(crate) blocked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    Open,
    Wanted,
    Done,
}

impl RecvLane {
    pub(crate) fn new(window: usize) -> Self {
        Self {
            state: State::Idle,
            waiters: Waiters::default(),
            deadline: Deadline::default(),
            queue: Queue::default(),
            queued: 0,
            window,
            end: None,
            wanted: false,
            need: 1,
            hopeful: false,
            fresh: false,
            ahead: false,
            demoted: false,
            pauses: 0,
            shed: 0,
        }
    }

    /// Of a connection that was accepted: it may have brought bytes along.
    pub(crate) fn accepted(mut self) -> Self {
        (self.hopeful, self.fresh) = (true, true);
        self
    }

    /// Somebody has found nothing. True, once: he may ask the kernel himself, and the lane is his
    /// (`State::Direct`) until he has delivered what he got.
    pub(crate) fn found_empty(&mut self) -> bool {
        self.hopeful = false;
        self.ahead = true;
        let ask = std::mem::take(&mut self.fresh) && self.state == State::Idle;
        if ask {
            self.state = State::Direct;
        }
        ask
    }

    /// Whether bytes may come, or have come, ahead of whoever takes them.
    pub(crate) fn may_be_ahead(&self) -> bool {
        self.ahead
    }

    /// Whether a read may find something.
    pub(crate) fn hopeful(&self) -> bool {
        self.hopeful || !self.is_empty()
    }

    /// Takes the next item off.
    pub(crate) fn pop(&mut self) -> Option<Item> {
        self.need = 1;
        let item = self.queue.pop_front()?;
        self.queued -= item.size();
        Some(item)
    }

    /// Drops the first `count` bytes of what is queued; what is empty then is handed out, to be
    /// dropped where no lock is held.
    pub(crate) fn consume(&mut self, mut count: usize, spent: &mut Vec<Item>) {
        self.need = 1;
        while count > 0 {
            let Some(chunk) = self.queue.front_mut().and_then(Item::bytes_mut) else { return };
            let step = count.min(chunk.len());
            chunk.advance(step);
            self.queued -= step;
            count -= step;
            if chunk.is_empty()
                && let Some(item) = self.queue.pop_front()
            {
                self.queued -= item.size();
                spent.push(item);
            }
        }
    }

    /// Puts back what a failed hand-over had taken off.
    pub(crate) fn unpop(&mut self, item: Item) {
        self.queued += item.size();
        self.queue.push_front(item);
    }

    /// Everything queued: the socket closes, or moves elsewhere.
    pub(crate) fn drain(&mut self) -> VecDeque<Item> {
        self.queued = 0;
        std::mem::take(&mut self.queue).collect()
    }

    /// Ends the lane from outside. What is queued may still be taken.
    pub(crate) fn finish(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    /// Who waits, waits until `count` bytes are queued (within the window), or the end.
    pub(crate) fn need(&mut self, count: usize) {
        self.need = count.clamp(1, self.window);
    }

    /// Somebody asks without waiting.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
        self.ahead = true;
    }

    pub(crate) fn set_window(&mut self, window: usize) {
        self.window = window.max(1);
    }

    /// The queued chunks, first to last.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.queue.iter().filter_map(Item::bytes)
    }

    /// Takes the descriptors that came with the first of what is queued, whose bytes stay.
    #[cfg_attr(windows, allow(dead_code))]
    pub(crate) fn take_fds(&mut self) -> Vec<Descriptor> {
        let before = self.queue.front_mut().map_or(0, |item| item.size());
        let fds = match self.queue.front_mut() {
            Some(Item::Passed(passed)) => std::mem::take(&mut passed.fds),
            _ => Vec::new(),
        };
        self.queued -= before - self.queue.front_mut().map_or(0, |item| item.size());
        fds
    }

    /// Whether descriptors are queued.
    pub(crate) fn has_fds(&self) -> bool {
        self.queue.iter().any(|item| matches!(item, Item::Passed(_)))
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    pub(crate) fn window(&self) -> usize {
        self.window
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What an empty lane answers instead of items, if anything.
    pub(crate) fn ended(&self) -> Option<io::Result<()>> {
        match self.end {
            Some(End::Eof) => Some(Ok(())),
            Some(end) => Some(Err(end.to_io())),
            None => None,
        }
    }

    /// The home's question: should the kernel work for this lane? Arms it.
    pub(crate) fn arm(&mut self, shape: Shape) -> Option<Op> {
        if self.state != State::Idle || !self.wants() {
            return None;
        }
        self.state = State::Armed;
        self.wanted = false;
        self.fresh = false;
        Some(self.op(shape))
    }

    /// The operation that this lane runs.
    pub(crate) fn op(&self, shape: Shape) -> Op {
        if shape.polls {
            Op::Poll(Side::Recv)
        } else if shape.accepts {
            Op::Accept
        } else {
            Op::Recv { multi: !self.demoted, fds: shape.passes }
        }
    }

    pub(crate) fn wants(&self) -> bool {
        let low = self.queued < self.need && (self.wanted || !self.waiters.is_empty());
        let ahead = self.demoted && self.queued <= self.window / 2;
        self.end.is_none() && (low || ahead)
    }

    /// Takes one answer of the kernel. `last`: the operation is over.
    pub(crate) fn deliver(&mut self, event: Event, last: bool, shape: Shape) -> Next {
        if last {
            self.state = State::Idle;
        }
        match event {
            Event::Data(chunk) => {
                let full = chunk.len() >= shape.block;
                if let Some(next) = self.received(Item::Data(chunk), full, last) {
                    return next;
                }
            }
            // The kernel stops behind descriptors, whatever it has.
            Event::Passed(passed) => {
                if let Some(next) = self.received(Item::Passed(passed), true, last) {
                    return next;
                }
            }
            Event::Conn(fd, peer) => {
                self.pauses = 0;
                self.push(Item::Conn(fd, peer));
            }
            Event::Eof => self.finish(End::Eof),
            // Who waits is about to be told; whether he will want more, he has to say.
            Event::Ready => return Next::Nothing,
            Event::Failed(fault) if shape.accepts => return self.accept_failed(fault),
            Event::Failed(fault) => self.finish(End::Failed(fault)),
            Event::Starved => {
                self.state = State::Starved;
                return Next::Starve;
            }
            // Somebody may have come back while the cancel was on its way: see below.
            Event::Cancelled => {}
            Event::Connected | Event::Sent(_) => unreachable!("not a receive event"),
        }
        if self.queued >= self.window && start_cancel(&mut self.state) {
            self.demoted = true;
            return Next::Cancel;
        }
        // A multishot operation may end with an item (the kernel ran out of something), or late.
        if last && self.wants() {
            self.state = State::Armed;
            return Next::Rearm;
        }
        Next::Nothing
    }

    fn received(&mut self, item: Item, full: bool, last: bool) -> Option<Next> {
        self.hopeful = true;
        self.push(item);
        (last && self.demoted).then(|| self.follow_single_shot(full))
    }

    /// While a flood lasts, single shots read ahead as far as the window goes and no further.
    fn follow_single_shot(&mut self, full: bool) -> Next {
        self.demoted = full;
        let ahead = full && self.queued < self.window && self.end.is_none();
        if ahead || self.wants() {
            self.state = State::Armed;
            return Next::Rearm;
        }
        Next::Nothing
    }

    /// An accept that fails says something about the process or about one peer, seldom about the
    /// listener.
    fn accept_failed(&mut self, fault: Fault) -> Next {
        match Operation::Accept.class_of(&fault.to_io()) {
            // Ended from outside; or full, and whoever takes something arms it again.
            _ if self.end.is_some() => Next::Nothing,
            Class::Retry if self.queued >= self.window => Next::Nothing,
            Class::Retry => {
                self.state = State::Armed;
                Next::Rearm
            }
            Class::Wait => {
                self.state = State::Paused;
                Next::Shed(pause(&mut self.pauses, PAUSE_MAX))
            }
            _ => {
                self.finish(End::Failed(fault));
                Next::Nothing
            }
        }
    }

    fn push(&mut self, item: Item) {
        self.queued += item.size();
        self.queue.push_back(item);
    }
}

impl SendLane {
    pub(crate) fn new(window: usize) -> Self {
        Self {
            state: State::Idle,
            waiters: Waiters::default(),
            deadline: Deadline::default(),
            queue: Queue::default(),
            tail: None,
            queued: 0,
            window,
            polls: false,
            connect: None,
            connecting: false,
            failed: None,
            finish: Finish::Open,
            pauses: 0,
            lingering: false,
            blocked: false,
        }
    }

    /// Of a socket that makes its own calls.
    pub(crate) fn polled(mut self) -> Self {
        self.polls = true;
        self
    }

    pub(crate) fn connect(&mut self, to: Box<Destination>) {
        self.connect = Some(to);
        self.connecting = true;
    }

    /// Queues a whole chunk.
    pub(crate) fn push(&mut self, chunk: Chunk) {
        if chunk.is_empty() {
            return;
        }
        self.close_tail();
        self.queued += chunk.len();
        self.queue.push_back(chunk);
    }

    /// Queues the rest of what was sent half, before everything else.
    pub(crate) fn push_front(&mut self, chunk: Chunk) {
        self.queued += chunk.len();
        self.queue.push_front(chunk);
    }

    /// Copies as many bytes as there is room for, collecting small writes behind an operation.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> usize {
        let most = bytes.len().min(self.window.saturating_sub(self.queued));
        let mut left = &bytes[..most];
        if let Some(tail) = &mut self.tail {
            left = &left[tail.extend(left)..];
        }
        if !left.is_empty() {
            self.close_tail();
            let busy = self.state != State::Idle;
            let capacity = if busy { left.len().max(TAIL_MIN) } else { left.len() };
            let mut tail = Buffer::with_capacity(capacity);
            tail.extend(left);
            self.tail = Some(tail);
        }
        self.queued += most;
        most
    }

    /// A chunk of the first bytes of `bufs`, up to the window: for a quiet lane.
    pub(crate) fn collect(&self, bufs: &[io::IoSlice<'_>]) -> Chunk {
        let len = bufs.iter().map(|buf| buf.len()).sum::<usize>().min(self.window);
        let mut buffer = Buffer::with_capacity(len);
        bufs.iter().for_each(|buf| {
            buffer.extend(buf);
        });
        buffer.freeze()
    }

    fn close_tail(&mut self) {
        if let Some(tail) = self.tail.take() {
            self.queue.push_back(tail.freeze());
        }
    }

    /// The home's question: what should the kernel do next? Arms the lane.
    pub(crate) fn next(&mut self) -> Option<Op> {
        if self.state != State::Idle || self.failed.is_some() {
            return None;
        }
        let op = match self.connect.take() {
            _ if self.polls && self.waiters.is_empty() => return None,
            _ if self.polls => Op::Poll(Side::Send),
            Some(to) => Op::Connect(to),
            None if self.connecting => return None,
            None => {
                if self.queue.is_empty() {
                    self.close_tail();
                }
                Op::Send(self.queue.pop_front()?)
            }
        };
        self.state = State::Armed;
        Some(op)
    }

    /// Takes the one answer of an operation, which comes back with it. What is spent is left in
    /// `spent`, to be dropped where no lock is held.
    pub(crate) fn deliver(&mut self, event: Event, op: Op, spent: &mut Vec<Op>) -> Next {
        self.state = State::Idle;
        // (That a call would not block may be old news: who makes his own calls asks again.)
        self.blocked &= self.polls;
        match (event, op) {
            (Event::Connected, op) => {
                self.connecting = false;
                spent.push(op);
            }
            (Event::Ready | Event::Cancelled, Op::Poll(_)) => {}
            (Event::Sent(count), Op::Send(mut chunk)) => {
                self.queued = self.queued.saturating_sub(count);
                chunk.advance(count);
                if chunk.is_empty() || self.failed.is_some() {
                    if chunk.runs_user_code() {
                        spent.push(Op::Send(chunk));
                    }
                } else {
                    self.queue.push_front(chunk);
                }
            }
            // A full backlog (Unix sockets say so at once): the connection is still wanted.
            (Event::Failed(fault), Op::Connect(to)) if would_block(fault) => {
                self.connect = Some(to);
                self.state = State::Paused;
                return Next::Pause(pause(&mut self.pauses, CONNECT_PAUSE_MAX));
            }
            (Event::Failed(fault), op) => {
                spent.push(op);
                self.fail(End::Failed(fault), spent);
            }
            (Event::Cancelled, op) => {
                spent.push(op);
                self.fail(End::Failed(Fault::Kind(io::ErrorKind::Interrupted)), spent);
            }
            _ => unreachable!("not a send event"),
        }
        Next::Nothing
    }

    /// Ends the lane: what was queued will not be sent.
    pub(crate) fn fail(&mut self, end: End, spent: &mut Vec<Op>) {
        self.close_tail();
        self.connecting = false;
        self.connect = None;
        self.failed.get_or_insert(end);
        self.queued = 0;
        spent.extend(std::mem::take(&mut self.queue).map(Op::Send));
    }

    /// Asks for the end of the stream, once everything queued is out.
    pub(crate) fn ask_finish(&mut self) {
        if self.finish == Finish::Open {
            self.finish = Finish::Wanted;
        }
    }

    /// Whether the home should shut the socket down for writing now. Says so once.
    pub(crate) fn take_finish(&mut self) -> bool {
        let now = self.finish == Finish::Wanted
            && self.state == State::Idle // Not while somebody sends directly.
            && self.flushed()
            && !self.connecting;
        if now {
            self.finish = Finish::Done;
        }
        now
    }

    pub(crate) fn set_window(&mut self, window: usize) {
        self.window = window.max(1);
    }

    pub(crate) fn finished(&self) -> bool {
        self.finish == Finish::Done
    }

    /// Whether the user may still queue anything.
    pub(crate) fn open(&self) -> bool {
        self.finish == Finish::Open
    }

    pub(crate) fn error(&self) -> Option<io::Error> {
        self.failed.map(End::to_io)
    }

    pub(crate) fn failed(&self) -> bool {
        self.failed.is_some()
    }

    pub(crate) fn room(&self) -> bool {
        self.queued < self.window && !self.connecting
    }

    /// How many bytes there is room for.
    #[cfg(feature = "tls")]
    pub(crate) fn space(&self) -> usize {
        self.window.saturating_sub(self.queued)
    }

    /// Whether a write may find room.
    pub(crate) fn hopeful(&self) -> bool {
        self.room() || !(self.blocked || self.connecting)
    }

    pub(crate) fn connecting(&self) -> bool {
        self.connecting
    }

    /// Everything accepted is in the kernel's hands.
    pub(crate) fn flushed(&self) -> bool {
        self.queued == 0
    }

    /// Bytes accepted and not yet taken by the kernel.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Gives the lane to whoever sends now by himself (`State::Direct`), if he may.
    pub(crate) fn reserve(&mut self) -> bool {
        let free = self.quiet() && self.failed.is_none() && !self.deadline.expired();
        if free {
            self.state = State::Direct;
        }
        free
    }

    /// Nothing queued, nothing in flight, nothing to come: a direct `send` keeps the order.
    pub(crate) fn quiet(&self) -> bool {
        self.state == State::Idle && self.queued == 0 && !self.connecting && self.open()
    }
}

fn would_block(fault: Fault) -> bool {
    fault.to_io().kind() == io::ErrorKind::WouldBlock
}

/// Room for the small writes that gather behind one operation.
const TAIL_MIN: usize = 4 << 10;

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
