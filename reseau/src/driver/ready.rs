//! Readiness: try the system call, and when it would block, wait until the socket is ready.
//!
//! Level-triggered where the poller can: a socket is registered with its first waiting operation
//! and stays so. While a lane goes on receiving, no message costs a call to the poller but the one
//! that waits; when an event finds a lane without an operation, the interest is withdrawn. (Edges
//! would cost one more `recv` a message, the one that says "would block": `polling` does not tell
//! the peer's end from its bytes.) Elsewhere (IOCP through AFD) interest is one-shot, and asked for
//! again after each event.
use super::home::{AT_ONCE_MAX, grant_sends, spend_send};
use super::{Completion, Event, Id, Op, Side, Socket, Unpark, attempt};
use crate::clock;
use crate::pool::{Pool, Supply};
use crate::sys::poller::{Interest, Poller, Registered};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct Ready {
    poller: Poller,
    slots: Vec<Option<Slot>>,
    early: Vec<Completion>,
    supply: Supply,
    block_size: usize,
    /// Turns since the poller was asked last: early answers must not starve it.
    skipped: u32,
}

/// A socket and what runs on it.
struct Slot {
    socket: Arc<Socket>,
    registered: Option<Registered<Arc<Socket>>>,
    lanes: [Lane; 2],
}

#[derive(Default)]
struct Lane {
    op: Option<Op>,
    /// The connect is under way.
    started: bool,
}

impl Ready {
    pub(crate) fn new(pool: Pool) -> io::Result<Self> {
        let poller = Poller::new()?;
        Ok(Self {
            poller,
            slots: Vec::new(),
            early: Vec::new(),
            block_size: pool.block_size(),
            supply: Supply::new(pool),
            skipped: 0,
        })
    }

    pub(crate) fn unparker(&self) -> Unpark {
        self.poller.unparker()
    }

    pub(crate) fn submit(&mut self, id: Id, socket: &Arc<Socket>, op: Op) -> Option<Completion> {
        if self.slots.len() <= id.key {
            if self.slots.capacity() <= id.key {
                self.slots.reserve_exact(id.key + 1 - self.slots.len() + id.key / 4 + 16);
            }
            self.slots.resize_with(id.key + 1, || None);
        }
        let slot = self.slots[id.key].get_or_insert_with(|| Slot {
            socket: socket.clone(),
            registered: None,
            lanes: Default::default(),
        });
        let lane = &mut slot.lanes[id.side as usize];
        assert!(lane.op.is_none(), "one operation per lane");
        lane.started = false;
        lane.op = Some(op);
        // Sending mostly succeeds at once; receiving, in a server, mostly has to wait.
        let tried = matches!(lane.op, Some(Op::Poll(_)));
        if id.side == Side::Send
            && !tried
            && spend_send()
            && let Some(done) = slot.attempt(id, &mut self.supply)
        {
            return Some(done);
        }
        if let Err(error) = slot.watch(id.key, &self.poller) {
            self.early.push(slot.refuse(id, &error));
        }
        None
    }

    pub(crate) fn has_blocks(&self, _fds: bool) -> bool {
        self.supply.has_spare()
    }

    pub(crate) fn cancel(&mut self, id: Id) {
        let slot = self.slots.get_mut(id.key).and_then(Option::as_mut);
        if let Some(op) = slot.and_then(|slot| slot.lanes[id.side as usize].op.take()) {
            self.early.push(Completion { id, event: Event::Cancelled, last: Some(op) });
        }
    }

    pub(crate) fn forget(&mut self, key: usize) {
        if let Some(slot) = self.slots.get_mut(key) {
            *slot = None;
        }
    }

    pub(crate) fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        // What is early comes first, and `done` is empty: they only change places.
        debug_assert!(done.is_empty());
        std::mem::swap(done, &mut self.early);
        let busy = !done.is_empty();
        grant_sends(AT_ONCE_MAX);
        self.skipped += 1;
        if !busy || self.skipped > SKIPS_MAX {
            self.skipped = 0;
            self.poller.wait(if busy {
                Some(Duration::ZERO)
            } else {
                deadline.map(clock::until)
            })?;
            while let Some((key, ready)) = self.poller.next_event() {
                self.on_event(key, ready, done);
            }
        }
        Ok(())
    }

    fn on_event(&mut self, key: usize, ready: Interest, done: &mut Vec<Completion>) {
        // An event may be older than what a lane before it in this batch has led to.
        let Some(Some(slot)) = self.slots.get_mut(key) else { return };
        slot.fired();
        let mut told = false;
        for (ready, side) in [(ready.recv, Side::Recv), (ready.send, Side::Send)] {
            if !ready {
                continue;
            }
            let id = Id { key, side };
            if let Some(completion) = slot.tell(id) {
                done.push(completion);
                told = true;
                continue;
            }
            for _ in 0..BURST_MAX {
                let Some(completion) = slot.attempt(id, &mut self.supply) else { break };
                let (over, drained) =
                    (completion.last.is_some(), drained(&completion, self.block_size));
                done.push(completion);
                if over || drained {
                    break;
                }
            }
        }
        // Who was told will make his call, and mostly wait again: the interest stays until an event
        // comes that nobody waits for.
        if told {
            return;
        }
        if let Err(error) = slot.watch(key, &self.poller) {
            for side in [Side::Recv, Side::Send] {
                let id = Id { key, side };
                if slot.lanes[side as usize].op.is_some() {
                    done.push(slot.refuse(id, &error));
                }
            }
        }
    }
}

impl Slot {
    /// Performs a lane's operation, if there is one and it does not block.
    fn attempt(&mut self, id: Id, supply: &mut Supply) -> Option<Completion> {
        let lane = &mut self.lanes[id.side as usize];
        let op = lane.op.as_ref()?;
        let event = attempt(self.socket.fd(), op, &mut lane.started, supply)?;
        let more = event.goes_on(op);
        let last = if more { None } else { lane.op.take() };
        Some(Completion { id, event, last })
    }

    /// An event is all that a poll waits for.
    fn tell(&mut self, id: Id) -> Option<Completion> {
        let last = self.lanes[id.side as usize].op.take_if(|op| matches!(op, Op::Poll(_)))?;
        Some(Completion { id, event: Event::Ready, last: Some(last) })
    }

    /// A one-shot interest is spent.
    fn fired(&mut self) {
        if let Some(registered) = &mut self.registered {
            registered.fired();
        }
    }

    /// Makes the poller report what the lanes wait for, and nothing for ever that they do not.
    fn watch(&mut self, key: usize, poller: &Poller) -> io::Result<()> {
        let [recv, send] = &self.lanes;
        let want = Interest { recv: recv.op.is_some(), send: send.op.is_some() };
        match &mut self.registered {
            Some(registered) if registered.wants(want) => {}
            // Even without interest a hung-up socket is reported, again and again.
            Some(_) if want == Interest::default() => self.registered = None,
            Some(registered) => registered.want(want)?,
            None if want == Interest::default() => {}
            None => self.registered = Some(poller.register(key, self.socket.clone(), want)?),
        }
        Ok(())
    }

    fn refuse(&mut self, id: Id, error: &io::Error) -> Completion {
        let last = self.lanes[id.side as usize].op.take();
        Completion { id, event: Event::Failed(error.into()), last }
    }
}

/// A read that leaves room has emptied the socket: the next would only say so.
fn drained(completion: &Completion, block_size: usize) -> bool {
    matches!(&completion.event, Event::Data(chunk) if chunk.len() < block_size)
}

/// How many reads or accepts one event may produce before others get their turn.
const BURST_MAX: usize = 4;
/// How many turns may pass on early answers alone before the poller is asked again.
const SKIPS_MAX: u32 = 8;
