//! Sockets with two lanes over a kernel interface chosen at run time.
//!
//! **Operations belong to sockets; futures are only waiters.** A lane holds at most one operation
//! in the kernel and a bounded queue of what that operation produced. A future looks into the lane,
//! arms it when it is empty, and leaves a waker. Dropping the future removes nothing, so no byte
//! and no connection can be lost, and no kernel pointer ever refers to a future.
//!
//! - `lane.rs` is the state machine, `socket.rs` two of them behind locks, `table.rs` the home's
//!   side of both; `door.rs` and `home.rs` are what other threads see.
//! - `uring.rs`, `ready.rs`, `sim.rs` are the kernels; `choose.rs` picks one and says why.
mod alarm;
mod ask;
#[cfg(feature = "tls")]
mod beneath;
mod call;
mod choose;
mod deadline;
mod direct;
mod door;
mod home;
mod lane;
#[cfg(any(test, fuzzing))]
mod lane_model;
mod queue;
mod ready;
#[cfg(uring)]
mod rehearse;
mod sim;
mod socket;
mod table;
mod timer;
#[cfg(uring)]
mod uring;
#[cfg(uring)]
mod uring_blocks;
mod waiters;
mod words;

pub(crate) use alarm::Alarm;
#[cfg(feature = "tls")]
pub(crate) use beneath::Errands;
pub use choose::{DriverReport, Kind, Tried, probe};
pub(crate) use choose::{Limits, open};
pub(crate) use home::{Home, Post, Run, Seat, Unpark, here};
pub(crate) use lane::{End, Item, RecvLane, State};
#[cfg(fuzzing)]
pub(crate) use lane_model::run as fuzz_lane;
#[cfg(any(uring, all(test, unix)))]
#[allow(unused_imports)] // For the rehearsal of a ring, and tests.
pub(crate) use socket::chunk;
pub(crate) use socket::{Socket, connection};
pub(crate) use table::Driver;
pub(crate) use waiters::Who;
pub(crate) use words::gone;

use crate::addr::Addr;
use crate::error::Fault;
use crate::pool::{Chunk, Supply};
use crate::sys::sim::World;
use crate::sys::{Descriptor, Fd, SockAddr};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

/// What a lane asks of the kernel. A closed set: sockets need no more.
pub(crate) enum Op {
    /// Accept connections until cancelled.
    Accept,
    /// Receive into pool blocks: until cancelled, ended or starved, or only once. `fds`: and the
    /// descriptors that come along.
    Recv {
        multi: bool,
        fds: bool,
    },
    Connect(Box<Destination>),
    /// Send these bytes, or the first of them.
    Send(Chunk),
    /// Say once when a call on that side would not block. (Datagrams go whole or not at all, by
    /// one call of whoever asks, so their lanes have nothing to hold.)
    Poll(Side),
}

/// What the kernel answered.
pub(crate) enum Event {
    Conn(Fd, Option<Box<Addr>>),
    Data(Chunk),
    Passed(Box<Passed>),
    Eof,
    Connected,
    Sent(usize),
    Ready,
    /// No block was free. Nothing was lost; arm again when the pool has blocks.
    Starved,
    Cancelled,
    Failed(Fault),
}

/// Bytes, and the descriptors that came with the first of them.
pub(crate) struct Passed {
    pub(crate) chunk: Chunk,
    pub(crate) fds: Vec<Descriptor>,
}

/// One answer. The operation comes back with its last one, to be dropped where user code may run.
pub(crate) struct Completion {
    pub(crate) id: Id,
    pub(crate) event: Event,
    pub(crate) last: Option<Op>,
}

/// A lane of a socket. A record outlives its operations, so an `Id` is never stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) key: usize,
    pub(crate) side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Recv = 0,
    Send = 1,
}

impl Event {
    /// What one `recv` has brought.
    fn received(chunk: Chunk, fds: Vec<Descriptor>) -> Self {
        if chunk.is_empty() {
            Self::Eof
        } else if fds.is_empty() {
            Self::Data(chunk)
        } else {
            Self::Passed(Box::new(Passed { chunk, fds }))
        }
    }

    /// Whether an operation of that kind goes on after it.
    fn goes_on(&self, op: &Op) -> bool {
        match self {
            Self::Data(_) | Self::Passed(_) => matches!(op, Op::Recv { multi: true, .. }),
            Self::Conn(..) => true,
            _ => false,
        }
    }
}

impl From<Side> for crate::sys::Side {
    fn from(side: Side) -> Self {
        match side {
            Side::Recv => Self::Recv,
            Side::Send => Self::Send,
        }
    }
}

/// Where a connect goes: for people, and for the kernel, which reads it while it connects.
pub(crate) struct Destination {
    pub(crate) addr: Addr,
    #[cfg_attr(not(uring), allow(dead_code))]
    pub(crate) raw: SockAddr,
}

/// A kernel interface. Each is one file; each obeys the same four rules.
///
/// 1. `submit` takes the descriptor and the operation; both live in the backend until the
///    operation's last completion (`last.is_some()`), which comes exactly once.
/// 2. `cancel` only asks: rule 1 still holds.
/// 3. `wait` flushes what was submitted, parks until the deadline, and reports.
/// 4. Dropping the backend returns only when the kernel holds none of its memory.
pub(crate) enum Backend {
    #[cfg(uring)]
    Uring(Box<uring::Uring>),
    Ready(Box<ready::Ready>),
    Sim(Box<sim::Sim>),
}

macro_rules! each {
    ($backend:expr, $b:ident => $call:expr) => {
        match $backend {
            #[cfg(uring)]
            Backend::Uring($b) => $call,
            Backend::Ready($b) => $call,
            Backend::Sim($b) => $call,
        }
    };
}

impl Backend {
    /// `Some`: done at once. Else the answer comes from `wait`.
    fn submit(&mut self, id: Id, socket: &Arc<Socket>, op: Op) -> Option<Completion> {
        each!(self, b => b.submit(id, socket, op))
    }

    fn cancel(&mut self, id: Id) {
        each!(self, b => b.cancel(id));
    }

    /// The record leaves the table; none of its operations is left.
    fn forget(&mut self, key: usize, socket: &Socket) {
        match self {
            Self::Ready(b) => b.forget(key),
            Self::Sim(b) => b.forget(socket),
            #[cfg(uring)]
            Self::Uring(_) => {}
        }
    }

    /// Whether the backend keeps blocks of its own that a receive (of descriptors or not) could
    /// fill: where few bytes are copied out of a block, it stays there and does not go home to the
    /// pool.
    fn has_blocks(&self, fds: bool) -> bool {
        each!(self, b => b.has_blocks(fds))
    }

    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        each!(self, b => b.wait(deadline, done))
    }

    /// Ends whatever the kernel still works on, before the backend is dropped, and reports it.
    fn finish(&mut self) -> Vec<Completion> {
        match self {
            // Their calls bring nothing that was not reported at once.
            Self::Ready(_) | Self::Sim(_) => Vec::new(),
            #[cfg(uring)]
            Self::Uring(b) => b.finish(),
        }
    }

    fn unparker(&self) -> Unpark {
        each!(self, b => b.unparker())
    }

    fn world(&self) -> Option<World> {
        match self {
            Self::Sim(sim) => Some(sim.world()),
            _ => None,
        }
    }
}

/// What must be woken or dropped once no lock and no borrow is held.
#[derive(Default)]
pub(crate) struct Aftermath {
    wakers: Vec<Waker>,
    ops: Vec<Op>,
    items: Vec<Item>,
    sockets: Vec<Arc<Socket>>,
}

impl Aftermath {
    /// Runs foreign code: wakers and destructors.
    pub(crate) fn release(&mut self) {
        // A waker that panics hurts nobody else.
        let mut wakers = self.wakers.drain(..);
        while catch_unwind(AssertUnwindSafe(|| wakers.by_ref().for_each(Waker::wake))).is_err() {}
        drop(wakers);
        self.ops.clear();
        self.items.clear();
        self.sockets.clear();
    }

    fn is_empty(&self) -> bool {
        let nothing = self.wakers.is_empty() && self.ops.is_empty();
        nothing && self.items.is_empty() && self.sockets.is_empty()
    }
}

impl Destination {
    pub(crate) fn new(addr: &Addr) -> io::Result<Self> {
        Ok(Self { addr: addr.clone(), raw: crate::sys::to_sock_addr(addr)? })
    }
}

/// One nonblocking system call (real or simulated): the whole meaning of every operation where the
/// kernel reports readiness. `None`: it would block. `started`: the connect is under way.
fn attempt(fd: &Fd, op: &Op, started: &mut bool, supply: &mut Supply) -> Option<Event> {
    let result = match op {
        Op::Accept => fd.accept().map(|new| Event::Conn(new.fd, new.peer.map(Box::new))),
        Op::Recv { fds, .. } => {
            let mut came = Vec::new();
            let call = |space: &mut [_]| {
                if *fds { fd.recv_passing(space, &mut came) } else { fd.recv(space) }
            };
            let Some(received) = supply.receive(call) else { return Some(Event::Starved) };
            received.map(|chunk| Event::received(chunk, came))
        }
        Op::Connect(to) if !*started => match fd.connect(&to.addr) {
            Ok(true) => Ok(Event::Connected),
            Ok(false) => {
                *started = true;
                return None;
            }
            // Not under way: an error of its own, though it says "would block".
            Err(error) => return Some(Event::Failed(Fault::from(&error))),
        },
        Op::Connect(_) => return connected(fd),
        Op::Send(chunk) => fd.send(chunk).map(Event::Sent),
        Op::Poll(side) => match fd.is_ready((*side).into()) {
            Ok(false) => return None,
            answer => answer.map(|_| Event::Ready),
        },
    };
    match result {
        Ok(event) => Some(event),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => Some(Event::Failed(Fault::from(&error))),
    }
}

/// Whether a connect that is under way is over, and how.
fn connected(fd: &Fd) -> Option<Event> {
    match fd.is_connected() {
        Ok(true) => Some(Event::Connected),
        Ok(false) => None,
        Err(error) => Some(Event::Failed(Fault::from(&error))),
    }
}
