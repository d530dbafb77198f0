//! io_uring: multishot accept, multishot receive into a ring of lent blocks.
//!
//! # Safety
//!
//! Everything the kernel may touch is owned by this file: operations and sockets by `flying` until
//! their last completion, blocks by `blocks` until a completion names them. `finish`, which `Drop`
//! makes sure of, cancels everything and reaps every operation, because closing a ring does **not**
//! wait for the kernel to stop writing.
#![allow(unsafe_code)]

use super::home::grant_sends;
use super::uring_blocks::{Blocks, GROUP};
use super::{Completion, Event, Id, Op, Side, Socket, Unpark, attempt};
use crate::clock;
use crate::error::Fault;
use crate::pool::{Pool, Supply};
use crate::sys::counter::Counter;
use crate::sys::{Fd, OsSocket};
use io_uring::types::{self, CancelBuilder, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct Uring {
    ring: IoUring,
    /// What the kernel works on, by key and side.
    flying: Vec<Flights>,
    in_flight: usize,
    blocks: Blocks,
    early: Vec<Completion>,
    pool: Pool,
    /// For what is received by calls.
    supply: Supply,
    blocks_max: usize,
    wake: Counter,
    wake_armed: bool,
}

/// What the kernel works on for one socket.
#[derive(Default)]
struct Flights {
    /// Keeps the descriptor open as long as the kernel works on it.
    socket: Option<Arc<Socket>>,
    ops: [Option<Op>; 2],
    /// What is asked again and again (`call`) was cancelled, perhaps between two times.
    cancelled: bool,
}

impl Uring {
    pub(crate) fn new(pool: Pool, blocks_max: usize) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_cqsize(CQ_ENTRIES)
            .setup_clamp()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .build(SQ_ENTRIES)?;
        let blocks = Blocks::new(&ring, blocks_max)?;
        let wake = Counter::new()?;
        Ok(Self {
            ring,
            flying: Vec::new(),
            in_flight: 0,
            blocks,
            early: Vec::new(),
            supply: Supply::new(pool.clone()),
            pool,
            blocks_max,
            wake,
            wake_armed: false,
        })
    }

    pub(crate) fn unparker(&self) -> Unpark {
        self.wake.ringer()
    }

    pub(crate) fn submit(&mut self, id: Id, socket: &Arc<Socket>, op: Op) -> Option<Completion> {
        // A multishot receive on an empty ring of blocks would end at once, or worse.
        if matches!(op, Op::Recv { fds, .. } if !self.calls(fds)) && self.blocks.lent() == 0 {
            self.blocks.refill(&self.pool);
            if self.blocks.lent() == 0 {
                self.early.push(Completion { id, event: Event::Starved, last: Some(op) });
                return None;
            }
        }
        let Ok(fd) = socket.fd().os().map(AsRawFd::as_raw_fd) else {
            unreachable!("a real loop has real sockets only")
        };
        if self.flying.len() <= id.key {
            // A quarter more, not twice as much: memory per connection is counted.
            if self.flying.capacity() <= id.key {
                self.flying.reserve_exact(id.key + 1 - self.flying.len() + id.key / 4 + 16);
            }
            self.flying.resize_with(id.key + 1, Flights::default);
        }
        let entry = self.entry(fd, &op).user_data(to_data(id));
        let flights = &mut self.flying[id.key];
        let place = &mut flights.ops[id.side as usize];
        assert!(place.is_none(), "one operation per lane");
        *place = Some(op);
        flights.cancelled &= id.side != Side::Recv;
        flights.socket.get_or_insert_with(|| socket.clone());
        self.in_flight += 1;
        self.push(&entry);
        None
    }

    pub(crate) fn has_blocks(&self, fds: bool) -> bool {
        if self.calls(fds) { self.supply.has_spare() } else { self.blocks.lent() > 0 }
    }

    pub(crate) fn cancel(&mut self, id: Id) {
        let Some(flights) = self.flying.get_mut(id.key) else { return };
        if flights.ops[id.side as usize].is_some() {
            flights.cancelled |= id.side == Side::Recv;
            self.push(&opcode::AsyncCancel::new(to_data(id)).build().user_data(CANCEL));
        }
    }

    /// Once pushed, an entry is in flight: a failing `enter` does not take it back.
    fn push(&mut self, entry: &squeue::Entry) {
        loop {
            // SAFETY: all memory that the entry points to is in `flying`, which outlives it.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return;
            }
            if self.ring.submit().is_err() {
                // The completions may be in the way: take them in, they are reported later.
                let mut early = std::mem::take(&mut self.early);
                self.collect(&mut early);
                self.early = early;
            }
        }
    }

    pub(crate) fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        self.blocks.refill(&self.pool);
        if !self.wake_armed {
            self.wake_armed = true;
            let fd = types::Fd(self.wake.as_raw_fd());
            let poll = opcode::PollAdd::new(fd, libc::POLLIN as u32).multi(true);
            self.push(&poll.build().user_data(WAKE));
        }
        let deadline = if self.early.is_empty() { deadline } else { Some(clock::past()) };
        self.enter(deadline)?;
        done.append(&mut self.early);
        self.collect(done);
        // One call does some 20 pieces of the kernel's work for this ring, and a turn may lead to
        // more of them: what is left would only grow, and everybody wait for it.
        // Not so where data comes: a flood that is read as eagerly as that is read in crumbs, each
        // with an acknowledgement, and the sender answers in crumbs (a fortieth of the speed).
        for _ in 0..ENTERS_MAX {
            let data = |done: &Completion| matches!(done.event, Event::Data(_));
            if !self.ring.submission().taskrun() || done.iter().any(data) {
                break;
            }
            self.enter(Some(clock::past()))?;
            self.collect(done);
        }
        // Many sends are cheaper by way of the ring, in one call; a lone one without: its
        // completion would end the wait for the next message.
        grant_sends(u32::from(done.len() <= 1));
        Ok(())
    }

    /// Cancels everything, and reports what the kernel has done until it let go of the last
    /// operation: what was submitted behind the last wait runs before its own cancel.
    pub(crate) fn finish(&mut self) -> Vec<Completion> {
        // One by one, each by its name: to cancel "any" makes the kernel search for each of them.
        for key in 0..self.flying.len() {
            [Side::Recv, Side::Send].into_iter().for_each(|side| self.cancel(Id { key, side }));
        }
        let mut done = std::mem::take(&mut self.early);
        while self.in_flight > 0 {
            if self.enter(Some(clock::now() + STRAGGLE_MAX)).is_err() {
                std::process::abort(); // The kernel may still write: there is no safe way on.
            }
            let before = self.in_flight;
            self.collect(&mut done);
            if self.in_flight == before {
                let any = CancelBuilder::any().all();
                let _ = self.ring.submitter().register_sync_cancel(None, any);
            }
        }
        done
    }

    fn enter(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let ready = !self.ring.completion().is_empty();
        if ready && self.ring.submission().is_empty() {
            return Ok(());
        }
        let time = deadline.map(|at| Timespec::from(clock::until(at)));
        let mut args = SubmitArgs::new();
        if let Some(time) = &time {
            args = args.timespec(time);
        }
        match self.ring.submitter().submit_with_args(usize::from(!ready), &args) {
            Ok(_) => Ok(()),
            // The time is over, a signal came, or the completions overflow: there is something
            // to collect.
            Err(error) if error.raw_os_error().is_some_and(|code| GO_ON.contains(&code)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn collect(&mut self, done: &mut Vec<Completion>) {
        loop {
            // What came while the last entry was looked at (see `push`) is older than the next.
            done.append(&mut self.early);
            let Some(entry) = self.ring.completion().next() else { return };
            let (data, more) = (entry.user_data(), cqueue::more(entry.flags()));
            match data {
                CANCEL => continue,
                WAKE => {
                    self.wake_armed = more;
                    self.wake.hush();
                    continue;
                }
                _ => {}
            }
            let id = from_data(data);
            if let &Op::Recv { multi, fds } = self.op(id)
                && self.calls(fds)
                && entry.result() >= 0
            {
                done.extend(self.call(id, &Op::Recv { multi, fds }));
                continue;
            }
            let Some(event) = self.event(id, &entry) else { continue };
            let last = if more { None } else { self.land(id) };
            done.push(Completion { id, event, last });
        }
    }

    /// A stream has something that is taken by a call, and asked again while that goes on.
    fn call(&mut self, id: Id, op: &Op) -> Option<Completion> {
        let flights = &self.flying[id.key];
        let (socket, cancelled) = (flights.socket.clone()?, flights.cancelled);
        let event = attempt(socket.fd(), op, &mut false, &mut self.supply);
        let on = event.as_ref().is_none_or(|event| event.goes_on(op));
        if on && !cancelled {
            let fd = socket.fd().os().map_or(-1, AsRawFd::as_raw_fd);
            let entry = self.entry(fd, op).user_data(to_data(id));
            self.push(&entry);
            return event.map(|event| Completion { id, event, last: None });
        }
        let event = event.unwrap_or(Event::Cancelled);
        Some(Completion { id, event, last: self.land(id) })
    }

    fn land(&mut self, id: Id) -> Option<Op> {
        let flights = &mut self.flying[id.key];
        let op = flights.ops[id.side as usize].take();
        if flights.ops.iter().all(Option::is_none) {
            // The table has it too, and lets it go where user code may run.
            flights.socket = None;
        }
        self.in_flight -= 1;
        Some(op.expect("an operation completes once"))
    }

    /// `None`: the operation is in flight again, and nothing has happened.
    fn event(&mut self, id: Id, entry: &cqueue::Entry) -> Option<Event> {
        let result = entry.result();
        let len = usize::try_from(result).unwrap_or(0);
        // A selected block is ours again whatever the result says.
        let chunk = cqueue::buffer_select(entry.flags())
            .and_then(|slot| self.blocks.take(slot, len, self.pool.block_size()));
        if result < 0 {
            return Some(match -result {
                libc::ENOBUFS if matches!(self.op(id), Op::Recv { .. }) => {
                    self.blocks.grow(self.blocks_max);
                    Event::Starved
                }
                libc::ECANCELED => Event::Cancelled,
                libc::EALREADY if matches!(self.op(id), Op::Connect(_)) => return self.connect(id),
                code => Event::Failed(Fault::Os(code)),
            });
        }
        Some(match self.op(id) {
            // SAFETY: a successful accept returns a new descriptor that nobody else owns.
            Op::Accept => Event::Conn(Fd::Os(unsafe { OsSocket::from_raw_fd(result) }), None),
            Op::Recv { .. } if result == 0 => Event::Eof,
            Op::Recv { .. } => Event::Data(chunk.expect("a receive selects a block")),
            Op::Connect(_) if result > 0 => return self.connect(id),
            Op::Connect(_) => Event::Connected,
            Op::Send(_) => Event::Sent(len),
            Op::Poll(_) => Event::Ready,
        })
    }

    /// Goes on with a connect that something has woken.
    ///
    /// The ring connects anew at whatever wakes the socket, and is told "already" if that was not
    /// the connection: a vsock is woken by its own request as soon as that is sent. From then on
    /// it is for us to look, and to wait for the next wake.
    fn connect(&mut self, id: Id) -> Option<Event> {
        let socket = self.flying[id.key].socket.as_ref().expect("in flight, so it is held");
        let over = super::connected(socket.fd());
        if over.is_none()
            && let Ok(fd) = socket.fd().os()
        {
            let poll = opcode::PollAdd::new(types::Fd(fd.as_raw_fd()), libc::POLLOUT as u32);
            self.push(&poll.build().user_data(to_data(id)));
        }
        over
    }

    /// Whether a stream is received from by calls: rings have no room for descriptors that come
    /// beside the bytes, and an only block that is lent would be nobody else's for ever.
    fn calls(&self, fds: bool) -> bool {
        fds || self.blocks_max == 1
    }

    /// The whole meaning of every operation: one submission entry.
    fn entry(&self, fd: RawFd, op: &Op) -> squeue::Entry {
        let fd = types::Fd(fd);
        match op {
            Op::Accept => opcode::AcceptMulti::new(fd).flags(ACCEPT_FLAGS).build(),
            Op::Recv { fds, .. } if self.calls(*fds) => {
                opcode::PollAdd::new(fd, libc::POLLIN as u32).build()
            }
            Op::Recv { multi: true, .. } => opcode::RecvMulti::new(fd, GROUP).build(),
            Op::Recv { multi: false, .. } => opcode::Recv::new(fd, std::ptr::null_mut(), 0)
                .buf_group(GROUP)
                .build()
                .flags(squeue::Flags::BUFFER_SELECT),
            // The address is boxed, and the box stays in `flying`.
            Op::Connect(to) => {
                opcode::Connect::new(fd, to.raw.as_ptr().cast(), to.raw.len()).build()
            }
            Op::Send(chunk) => {
                let len = u32::try_from(chunk.len()).unwrap_or(SEND_MAX);
                opcode::Send::new(fd, chunk.as_ptr(), len).flags(SEND_FLAGS).build()
            }
            Op::Poll(Side::Recv) => opcode::PollAdd::new(fd, libc::POLLIN as u32).build(),
            Op::Poll(Side::Send) => opcode::PollAdd::new(fd, libc::POLLOUT as u32).build(),
        }
    }

    fn op(&self, id: Id) -> &Op {
        let op = self.flying[id.key].ops[id.side as usize].as_ref();
        op.expect("in flight until its last answer")
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        drop(self.finish());
    }
}

fn to_data(id: Id) -> u64 {
    (id.key as u64) << 1 | id.side as u64
}

fn from_data(data: u64) -> Id {
    let side = if data & 1 == 0 { Side::Recv } else { Side::Send };
    Id { key: (data >> 1) as usize, side }
}

/// How long operations may take to answer to a cancel before all are cancelled once more.
const STRAGGLE_MAX: Duration = Duration::from_millis(50);
/// How often the kernel may be asked to go on with its work in one turn.
const ENTERS_MAX: u32 = 64;
const SQ_ENTRIES: u32 = 256;
/// Bursts beyond it overflow into the kernel's own list, which loses nothing.
const CQ_ENTRIES: u32 = 4096;
const WAKE: u64 = u64::MAX;
const CANCEL: u64 = u64::MAX - 1;
const ACCEPT_FLAGS: i32 = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
const SEND_MAX: u32 = 1 << 30;
const GO_ON: [i32; 4] = [libc::ETIME, libc::EINTR, libc::EBUSY, libc::EAGAIN];
