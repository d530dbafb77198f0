//! The words that a lane and its home speak with each other.
use super::Passed;
use crate::addr::Addr;
use crate::error::Fault;
use crate::pool::Chunk;
use crate::sys::Fd;
use std::io;
use std::time::Duration;

/// What a receive lane is part of.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Of a listener: it yields connections.
    pub(crate) accepts: bool,
    /// Of a socket that makes its own calls: it says when they would not block.
    pub(crate) polls: bool,
    /// Of a stream that may bring descriptors along.
    pub(crate) passes: bool,
    /// The size of one block of the loop's pool.
    pub(crate) block: usize,
}

/// Where a lane stands with the kernel. Only the home moves it, but for `Direct`.
#[derive(Default, PartialEq, Eq, Clone, Copy, Debug)]
pub(crate) enum State {
    #[default]
    Idle,
    Armed,
    Cancelling,
    /// Waits for a block of the pool.
    Starved,
    /// Waits for the deadline's timer before it tries again.
    Paused,
    /// A foreign thread is inside one nonblocking `send`.
    Direct,
}

/// How a direction ended. Sticky: whoever asks later hears the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Eof,
    Failed(Fault),
    /// The loop has ended.
    Gone,
}

pub(crate) enum Item {
    Conn(Fd, Option<Box<Addr>>),
    Data(Chunk),
    Passed(Box<Passed>),
}

/// What the home must do after a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    Cancel,
    Rearm,
    Starve,
    /// Shed a connection if it can be, then wait so long before trying again.
    Shed(Duration),
    /// Try again after so long.
    Pause(Duration),
}

impl Item {
    /// What an item counts against the window. A connection counts as one small read.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Conn(..) => 1024,
            Self::Data(chunk) => chunk.len(),
            // A descriptor counts as a connection does: there are not many of them to have.
            Self::Passed(passed) => passed.chunk.len() + 1024 * passed.fds.len(),
        }
    }

    /// The bytes, if there are any.
    pub(crate) fn bytes(&self) -> Option<&Chunk> {
        match self {
            Self::Conn(..) => None,
            Self::Data(chunk) => Some(chunk),
            Self::Passed(passed) => Some(&passed.chunk),
        }
    }

    pub(super) fn bytes_mut(&mut self) -> Option<&mut Chunk> {
        match self {
            Self::Conn(..) => None,
            Self::Data(chunk) => Some(chunk),
            Self::Passed(passed) => Some(&mut passed.chunk),
        }
    }

    /// The bytes alone. What came along is dropped, so not under a lock.
    pub(crate) fn into_bytes(self) -> Option<Chunk> {
        match self {
            Self::Conn(..) => None,
            Self::Data(chunk) => Some(chunk),
            Self::Passed(passed) => Some(passed.chunk),
        }
    }
}

impl End {
    pub(crate) fn to_io(self) -> io::Error {
        match self {
            Self::Eof => io::ErrorKind::UnexpectedEof.into(),
            Self::Failed(fault) => fault.to_io(),
            Self::Gone => gone(),
        }
    }
}

pub(crate) fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the socket's loop has ended")
}

/// The next pause: each twice as long as the one before it, up to `most`.
pub(super) fn pause(times: &mut u8, most: Duration) -> Duration {
    let pause = PAUSE_MIN.saturating_mul(1 << (*times).min(16));
    *times = times.saturating_add(1);
    pause.min(most)
}

/// Marks an armed lane as being cancelled; false when there is nothing to cancel.
pub(crate) fn start_cancel(state: &mut State) -> bool {
    let armed = *state == State::Armed;
    if armed {
        *state = State::Cancelling;
    }
    armed
}

/// Pauses of a listener that runs out of descriptors: they come back soon, or not for long.
pub(super) const PAUSE_MIN: Duration = Duration::from_millis(5);
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A listener with a full backlog accepts again as soon as it is scheduled.
pub(super) const CONNECT_PAUSE_MAX: Duration = Duration::from_millis(20);
