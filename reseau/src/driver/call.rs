//! Sockets whose users make their own calls: a lane has only to wait for them.
use super::ask::timed_out;
use super::lane::State;
use super::waiters::Who;
use super::{Side, Socket, gone};
use crate::sys::Fd;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

impl Socket {
    /// Makes one call that does not block. When it would, leaves a waker, to be woken when that
    /// side is ready; the kernel is asked *after* that, so what comes in between is not missed.
    pub(crate) fn poll_call<T>(
        self: &Arc<Self>,
        side: Side,
        mut who: Who<'_>,
        cx: &mut Context<'_>,
        call: impl FnOnce(&Fd) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if self.either(side, |_, deadline, _| deadline.expired()) {
            let what = if side == Side::Recv { "receive" } else { "send" };
            return Poll::Ready(Err(timed_out(what)));
        }
        if self.is_greedy() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match call(self.fd()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            answer => return Poll::Ready(answer),
        }
        self.calm();
        let fresh = cx.waker().clone();
        let (stale, idle, ended) = match side {
            Side::Recv => {
                let lane = &mut *self.recv_lane();
                let stale = lane.waiters.leave(&mut who, fresh);
                let ended = lane.ended().map(|end| end.err().unwrap_or_else(gone));
                (stale, lane.state == State::Idle, ended)
            }
            Side::Send => {
                let lane = &mut *self.send_lane();
                let stale = lane.waiters.leave(&mut who, fresh);
                (stale, lane.state == State::Idle, lane.error())
            }
        };
        drop(stale);
        if let Some(error) = ended {
            return Poll::Ready(Err(error));
        }
        if idle {
            self.home().kick(self, side);
        }
        Poll::Pending
    }
}
