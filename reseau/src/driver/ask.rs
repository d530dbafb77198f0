//! What a user asks of a lane, under its lock: something to take, or room for something.
use super::Op;
use super::lane::{RecvLane, SendLane, State};
use crate::pool::Chunk;
use std::io;

pub(super) enum Accepted {
    /// Queued on the home's own thread, which may have to start it.
    Here(Option<Op>),
    Queued {
        idle: bool,
    },
    /// Not queued: the lane is reserved for one `send` of the caller.
    Direct(Chunk),
}

/// How what was accepted gets on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// We are on the home's own thread.
    Here,
    /// By a kick.
    FromAfar,
    /// By a `send` of our own, if nothing is before it.
    Directly,
}

impl Accepted {
    /// Whether it goes its way by itself.
    #[cfg(feature = "tls")]
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Here(None) | Self::Queued { idle: false })
    }

    pub(super) fn queued(lane: &mut SendLane, how: How) -> Self {
        match how {
            How::Here => Self::Here(lane.next()),
            _ => Self::Queued { idle: lane.state == State::Idle },
        }
    }
}

pub(super) fn look<T>(
    lane: &mut RecvLane,
    take: &mut impl FnMut(&mut RecvLane) -> Option<T>,
) -> Option<io::Result<Option<T>>> {
    if lane.deadline.expired() {
        return Some(Err(timed_out("receive")));
    }
    if let Some(value) = take(lane) {
        return Some(Ok(Some(value)));
    }
    if !lane.is_empty() {
        return None;
    }
    lane.ended().map(|end| end.map(|()| None))
}

pub(super) fn ask<T>(
    lane: &mut SendLane,
    done: &mut impl FnMut(&mut SendLane) -> Option<T>,
) -> Option<io::Result<T>> {
    if let Some(error) = lane.error() {
        return Some(Err(error));
    }
    if lane.deadline.expired() {
        return Some(Err(timed_out("send")));
    }
    done(lane).map(Ok)
}

/// Copies what there is room for. No room, and something to copy: `None`.
pub(super) fn gather(
    lane: &mut SendLane,
    bufs: &[io::IoSlice<'_>],
    how: How,
) -> Option<io::Result<(usize, Accepted)>> {
    if !lane.open() {
        return Some(Err(finished()));
    }
    if bufs.iter().all(|buf| buf.is_empty()) {
        return Some(Ok((0, Accepted::Queued { idle: false })));
    }
    if !lane.room() {
        lane.blocked = true;
        return None;
    }
    let mut count = 0;
    if how == How::Directly && lane.quiet() {
        let chunk = lane.collect(bufs);
        lane.state = State::Direct;
        return Some(Ok((chunk.len(), Accepted::Direct(chunk))));
    }
    for buf in bufs {
        let taken = lane.append(buf);
        count += taken;
        if taken < buf.len() {
            break;
        }
    }
    Some(Ok((count, Accepted::queued(lane, how))))
}

pub(super) fn finished() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the stream was finished: nothing more can be sent")
}

pub(super) fn timed_out(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("the {what} deadline has passed"))
}
