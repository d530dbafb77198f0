//! What TLS asks of the socket beneath it.
//!
//! TLS has a lock of its own, which keeps the order of what it encrypts and decrypts, and under
//! which it takes from one lane and gives to the other. Under that lock nobody is woken and the
//! kernel is not asked: what that leaves to be done is an [`Errands`], for when the lock is free.
use super::Side;
use super::ask::{Accepted, How, ask, finished};
use super::lane::{Item, State};
use super::socket::Socket;
use super::waiters::Who;
use crate::pool::Chunk;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What is to be done for a socket once its caller's locks are free.
#[derive(Default)]
#[must_use = "it has to be run"]
pub(crate) struct Errands {
    /// The receive lane is to be armed.
    arm: bool,
    /// What was accepted is to be sent.
    accepted: Option<Accepted>,
    /// What came along, or is used up, is to be dropped.
    spent: Option<Item>,
}

impl Errands {
    pub(crate) fn run(self, socket: &Arc<Socket>) {
        if let Some(accepted) = self.accepted {
            socket.go_on(accepted);
        }
        if self.arm {
            socket.home().kick(socket, Side::Recv);
        }
    }

    /// Keeps a chunk that is used up until no lock is held.
    pub(crate) fn drop_later(&mut self, chunk: Chunk) {
        self.spent = Some(Item::Data(chunk));
    }
}

impl Socket {
    /// Takes the next chunk that has come, if one has, under a lock of the caller's.
    pub(crate) fn take_chunk(&self, errands: &mut Errands) -> Option<Chunk> {
        if self.seems_dry() {
            return None; // Whoever waits looks under the lock.
        }
        let mut lane = self.recv_lane();
        let item = lane.pop();
        errands.arm |= lane.state == State::Idle && lane.wants();
        self.left_empty(lane.is_empty());
        drop(lane);
        match item? {
            Item::Data(chunk) => Some(chunk),
            Item::Passed(passed) => {
                let chunk = passed.chunk.clone();
                errands.spent = Some(Item::Passed(passed));
                Some(chunk)
            }
            Item::Conn(..) => unreachable!("a stream does not accept"),
        }
    }

    /// Ready when something has come; `false`: the end.
    pub(crate) fn poll_came(
        self: &Arc<Self>,
        who: Who<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        let polled = self.poll_recv(who, cx, |lane| (!lane.is_empty()).then_some(()));
        polled.map_ok(|came| came.is_some())
    }

    /// As [`poll_came`](Self::poll_came) without waiting: `WouldBlock` if nothing has come.
    pub(crate) fn try_came(self: &Arc<Self>) -> io::Result<bool> {
        Ok(self.try_recv(|lane| (!lane.is_empty()).then_some(()))?.is_some())
    }

    /// Whether the deadline of receiving has passed.
    pub(crate) fn is_late(&self) -> Option<io::Error> {
        let late = self.is_dated() && self.recv_lane().deadline.expired();
        late.then(|| super::ask::timed_out("receive"))
    }

    /// Ready with how many bytes there is room for, one at least.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let polled = self.poll_send_lane(Who::Owner, cx, |lane| match lane.open() {
            true => lane.room().then(|| Ok(lane.space())),
            false => Some(Err(finished())),
        });
        polled.map(|answer| answer?)
    }

    /// As [`poll_room`](Self::poll_room) without waiting: `WouldBlock` if there is none.
    pub(crate) fn room(&self) -> io::Result<usize> {
        let asked = ask(&mut self.send_lane(), &mut |lane| {
            if !lane.open() {
                return Some(Err(finished()));
            }
            lane.blocked |= !lane.room();
            lane.room().then(|| Ok(lane.space()))
        });
        asked.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))?
    }

    /// Queues a chunk, whether there is room or not, under a lock of the caller's. Nothing follows
    /// the end of the stream, or a failure: such a chunk is dropped.
    pub(crate) fn post(self: &Arc<Self>, chunk: Chunk, errands: &mut Errands) {
        self.post_by(self.how(), chunk, errands);
    }

    /// As [`post`](Self::post), for who does not wait, and is to hear what the kernel says.
    pub(crate) fn post_now(self: &Arc<Self>, chunk: Chunk, errands: &mut Errands) {
        let how = match self.how() {
            How::FromAfar if self.home().allows_direct() => How::Directly,
            how => how,
        };
        self.post_by(how, chunk, errands);
    }

    fn post_by(self: &Arc<Self>, how: How, chunk: Chunk, errands: &mut Errands) {
        let mut lane = self.send_lane();
        if lane.failed() || !lane.open() || chunk.is_empty() {
            return;
        }
        let accepted = if how == How::Directly && lane.quiet() {
            lane.state = State::Direct;
            Accepted::Direct(chunk)
        } else {
            lane.push(chunk);
            Accepted::queued(&mut lane, how)
        };
        drop(lane);
        if errands.accepted.as_ref().is_none_or(Accepted::is_done) {
            errands.accepted = Some(accepted);
        }
    }

    /// Says that nothing more will be sent, and waits for nothing.
    pub(crate) fn finish_soon(self: &Arc<Self>) {
        let _ = self.poll_finish(&mut Context::from_waker(std::task::Waker::noop()));
    }

    /// Takes what the kernel has, up to about `most` bytes, and drops it; waits for nothing. A
    /// socket that closes with bytes unread resets the connection. (An operation may be under way:
    /// what it takes is dropped as well.)
    pub(crate) fn discard(&self, most: usize) {
        let mut space = [MaybeUninit::uninit(); DISCARD_SIZE];
        let mut left = most;
        while let Ok(count @ 1..) = self.fd().recv(&mut space) {
            left = left.saturating_sub(count);
            if left == 0 || count < space.len() {
                return;
            }
        }
    }
}

/// How much is dropped at a time: on the stack, so not much.
const DISCARD_SIZE: usize = 2 << 10;
