//! One system call that whoever uses a socket makes himself, instead of having its home do it.
//!
//! The lane is his for the length of the call (`State::Direct`), and nothing of it is in the kernel
//! or queued, so the order stays.
use super::lane::{End, Next, SendLane, State};
use super::socket::Socket;
use super::{Event, Side};
use crate::error::Fault;
use crate::pool::Chunk;
use crate::sync::wake;
use std::io;
use std::sync::{Arc, MutexGuard};

impl Socket {
    /// The lane is ours (`State::Direct`) and nothing of it is in the kernel: what the kernel has
    /// is asked for here and now, once.
    pub(super) fn recv_directly(self: &Arc<Self>) {
        let event = self.home().pool().take().and_then(|mut block| {
            let (mut fds, space) = (Vec::new(), block.space());
            let came = if self.shape().passes {
                self.fd().recv_passing(space, &mut fds)
            } else {
                self.fd().recv(space)
            };
            match came {
                Ok(0) => Some(Event::Eof),
                Ok(count) => Some(Event::received(block.into_chunk(count), fds)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(error) => Some(Event::Failed(Fault::from(&error))),
            }
        });
        let mut woken = Vec::new();
        let mut lane = self.recv_lane();
        lane.state = State::Idle;
        if let Some(event) = event {
            let next = lane.deliver(event, true, self.shape());
            debug_assert!(matches!(next, Next::Nothing | Next::Rearm), "nothing was under way");
            lane.state = State::Idle;
            self.fed();
            lane.waiters.take(&mut woken);
        }
        let arm = lane.wants();
        drop(lane);
        woken.into_iter().for_each(wake);
        if arm || self.ending() {
            self.home().kick(self, Side::Recv);
        }
    }

    /// The lane is quiet and ours (`State::Direct`): nothing of it is in the kernel or queued, so
    /// a plain `send` keeps the order. The kernel says what went wrong only once, so it is kept.
    pub(super) fn send_directly(self: &Arc<Self>, chunk: Chunk) {
        let sent = self.fd().send(&chunk);
        let mut lane = self.send_lane();
        lane.state = State::Idle;
        // All of it is out, and nothing has been asked for meanwhile.
        let whole = matches!(sent, Ok(count) if count == chunk.len());
        if !whole || !lane.flushed() || !lane.open() {
            return self.sent_directly(lane, chunk, sent);
        }
        drop(lane);
        if self.ending() {
            self.home().kick(self, Side::Send);
        }
    }

    #[cold]
    fn sent_directly(
        self: &Arc<Self>,
        mut lane: MutexGuard<'_, SendLane>,
        mut chunk: Chunk,
        sent: io::Result<usize>,
    ) {
        let (mut woken, mut spent) = (Vec::new(), Vec::new());
        match sent {
            Ok(sent) => chunk.advance(sent),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                lane.fail(End::Failed(Fault::from(&error)), &mut spent);
                lane.waiters.take(&mut woken);
            }
        }
        if !chunk.is_empty() && !lane.failed() {
            lane.push_front(std::mem::take(&mut chunk));
        }
        let kick = !lane.flushed() || !lane.open();
        drop(lane);
        woken.into_iter().for_each(wake);
        if kick || self.ending() {
            self.home().kick(self, Side::Send);
        }
        drop((chunk, spent));
    }
}
