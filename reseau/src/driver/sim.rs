//! The simulated kernel as a backend: the same operations, one virtual clock, order from a seed.
use super::{Completion, Event, Id, Op, Side, Socket, Unpark, attempt};
use crate::clock;
use crate::pool::{Pool, Supply};
use crate::sys::Fd;
use crate::sys::sim::World;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

pub(crate) struct Sim {
    world: World,
    /// What runs, in a fixed order: nothing may depend on hashing.
    ops: BTreeMap<Id, Running>,
    /// Which record a simulated socket belongs to.
    keys: BTreeMap<u64, usize>,
    /// What may succeed now.
    eager: Vec<Id>,
    stirred: Vec<u64>,
    early: Vec<Completion>,
    supply: Supply,
    /// The virtual clock's zero.
    start: Instant,
}

struct Running {
    socket: Arc<Socket>,
    op: Op,
    started: bool,
}

impl Sim {
    pub(crate) fn new(seed: u64, pool: Pool) -> Self {
        // What is over by any clock has to be over by this one, too, from its beginning.
        clock::past();
        Self {
            world: World::new(seed),
            ops: BTreeMap::new(),
            keys: BTreeMap::new(),
            eager: Vec::new(),
            stirred: Vec::new(),
            early: Vec::new(),
            supply: Supply::new(pool),
            start: clock::real(),
        }
    }

    /// Nobody else may be there to wake a simulated loop.
    pub(crate) fn unparker(&self) -> Unpark {
        Box::new(|| {})
    }

    pub(crate) fn world(&self) -> World {
        self.world.clone()
    }

    pub(crate) fn submit(&mut self, id: Id, socket: &Arc<Socket>, op: Op) -> Option<Completion> {
        let Fd::Sim(port) = socket.fd() else {
            unreachable!("a simulated loop has simulated sockets only")
        };
        self.keys.insert(port.index(), id.key);
        let running = Running { socket: socket.clone(), op, started: false };
        let before = self.ops.insert(id, running);
        assert!(before.is_none(), "one operation per lane");
        self.eager.push(id);
        None
    }

    pub(crate) fn has_blocks(&self, _fds: bool) -> bool {
        self.supply.has_spare()
    }

    pub(crate) fn cancel(&mut self, id: Id) {
        if let Some(Running { op, .. }) = self.ops.remove(&id) {
            self.early.push(Completion { id, event: Event::Cancelled, last: Some(op) });
        }
    }

    pub(crate) fn forget(&mut self, socket: &Socket) {
        if let Fd::Sim(port) = socket.fd() {
            self.keys.remove(&port.index());
        }
    }

    /// Runs what can run; only when nothing can, moves the time to what comes next.
    pub(crate) fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        let limit = deadline.map(|at| at.saturating_duration_since(self.start));
        loop {
            self.run();
            if !self.early.is_empty() || limit.is_some_and(|limit| limit <= self.world.now()) {
                done.append(&mut self.early);
                return Ok(());
            }
            let next = [self.world.next_arrival(), limit].into_iter().flatten().min();
            let Some(next) = next else {
                return Err(io::Error::other(
                    "the simulated world stands still: everybody waits, and nothing will happen",
                ));
            };
            self.world.advance_to(next);
            clock::set_virtual(Some(self.start + next));
        }
    }

    /// The present of the world.
    pub(crate) fn now(&self) -> Instant {
        self.start + self.world.now()
    }

    fn run(&mut self) {
        self.world.stirred(&mut self.stirred);
        for index in self.stirred.drain(..) {
            if let Some(&key) = self.keys.get(&index) {
                self.eager.extend([Side::Recv, Side::Send].map(|side| Id { key, side }));
            }
        }
        let mut round = std::mem::take(&mut self.eager);
        round.sort_unstable();
        round.dedup();
        while !round.is_empty() {
            let pick = self.world.below(round.len() as u64) as usize;
            self.step(round.swap_remove(pick));
        }
    }

    fn step(&mut self, id: Id) {
        let Some(running) = self.ops.get_mut(&id) else { return };
        let Running { socket, op, started } = running;
        let Some(event) = attempt(socket.fd(), op, started, &mut self.supply) else { return };
        let more = event.goes_on(op);
        let last = if more {
            self.eager.push(id);
            None
        } else {
            self.ops.remove(&id).map(|running| running.op)
        };
        self.early.push(Completion { id, event, last });
    }
}
