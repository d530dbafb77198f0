//! Which address is tried when: RFC 8305 (Happy Eyeballs) as arithmetic on points in time.
//!
//! Nothing here resolves or connects: whoever races says what was answered and what failed, asks
//! what to do, and says what time it is. The numbers of the RFC, in its words:
//!
//! - *Resolution Delay* (§3), 50 ms: when the addresses of the family that is not preferred come
//!   first, the others get so much more time. When the preferred ones come first, or it is known
//!   that there are none, nobody waits.
//! - *First Address Family Count* (§4), 1: the families take turns, as long as there are both.
//! - *Connection Attempt Delay* (§5), 250 ms, and never below 10 ms: so long after one attempt the
//!   next one starts, without ending it. When the latest attempt fails, the next starts at once.
//! - Addresses that come later take their turn among those that were not tried yet (§3).
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::dns::{Families, IpFamily};

/// A race of connection attempts.
#[derive(Debug)]
pub(crate) struct Race {
    pace: Pace,
    /// The preferred family first.
    lines: [Line; 2],
    /// Every address there was, so that none is tried twice.
    seen: Vec<SocketAddr>,
    /// Until when the preferred family is waited for, although the other one has come.
    held: Option<Instant>,
    /// When the next attempt may start: a delay after the latest one.
    next: Option<Instant>,
    /// The line of the latest attempt.
    turn: Option<usize>,
    started: usize,
    running: Vec<usize>,
}

/// The delays of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    attempt: Duration,
    resolution: Duration,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Start an attempt, and ask again.
    Connect { attempt: usize, addr: SocketAddr },
    /// Ask again at that time, and whenever something was answered or has failed.
    Wait(Option<Instant>),
    /// All has been answered, all was tried, and all has failed.
    Lost,
}

/// The addresses of one family that were not tried yet.
#[derive(Debug)]
struct Line {
    family: Option<IpFamily>,
    /// Somebody may still answer.
    open: bool,
    addrs: VecDeque<SocketAddr>,
}

impl Race {
    /// A race among the addresses of `families`, for each of which [`answered`](Self::answered)
    /// will be called.
    pub(crate) fn new(families: Families, pace: Pace) -> Self {
        let line = |family: Option<IpFamily>| Line {
            family,
            open: family.is_some(),
            addrs: VecDeque::new(),
        };
        Self {
            pace,
            lines: [line(Some(families.first())), line(families.second())],
            seen: Vec::new(),
            held: None,
            next: None,
            turn: None,
            started: 0,
            running: Vec::new(),
        }
    }

    /// What is known of a family, in the order in which it is to be tried: nothing, if the lookup
    /// failed.
    pub(crate) fn answered(
        &mut self,
        family: IpFamily,
        addrs: impl IntoIterator<Item = SocketAddr>,
        now: Instant,
    ) {
        let Some(at) = self.lines.iter().position(|line| line.family == Some(family)) else {
            return;
        };
        for addr in addrs {
            if IpFamily::of(addr.ip()) == family && !self.seen.contains(&addr) {
                self.seen.push(addr);
                self.lines[at].addrs.push_back(addr);
            }
        }
        self.lines[at].open = false;
        if at == 1 && !self.lines[1].addrs.is_empty() {
            self.held = Some(later(now, self.pace.resolution));
        }
    }

    /// An attempt is over, and did not connect.
    pub(crate) fn failed(&mut self, attempt: usize) {
        self.running.retain(|running| *running != attempt);
        if attempt + 1 == self.started {
            self.next = None;
        }
    }

    /// What is to be done now. An attempt that it names counts as started.
    pub(crate) fn step(&mut self, now: Instant) -> Step {
        let Some(at) = self.line() else {
            let more = self.lines.iter().any(|line| line.open) || !self.running.is_empty();
            return if more { Step::Wait(None) } else { Step::Lost };
        };
        if self.running.len() == RUNNING_MAX {
            return Step::Wait(None);
        }
        let held = self.held.filter(|_| at == 1 && self.started == 0 && self.lines[0].open);
        if let Some(until) = held.max(self.next).filter(|until| now < *until) {
            return Step::Wait(Some(until));
        }
        let Some(addr) = self.lines[at].addrs.pop_front() else { unreachable!("it has some") };
        let attempt = self.started;
        self.started += 1;
        self.running.push(attempt);
        self.turn = Some(at);
        self.next = Some(later(now, self.pace.attempt));
        Step::Connect { attempt, addr }
    }

    /// The line whose turn it is, of those that have addresses.
    fn line(&self) -> Option<usize> {
        let first = self.turn.map_or(0, |turn| 1 - turn);
        [first, 1 - first].into_iter().find(|at| !self.lines[*at].addrs.is_empty())
    }
}

impl Pace {
    /// So long after one attempt the next starts; not less than the RFC's least.
    pub(crate) fn attempt_delay(self, delay: Duration) -> Self {
        Self { attempt: delay.max(ATTEMPT_DELAY_MIN), ..self }
    }

    /// So long the preferred family is waited for.
    pub(crate) fn resolution_delay(self, delay: Duration) -> Self {
        Self { resolution: delay, ..self }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { attempt: ATTEMPT_DELAY, resolution: RESOLUTION_DELAY }
    }
}

/// A point that the clock cannot say never comes.
fn later(now: Instant, span: Duration) -> Instant {
    now.checked_add(span).unwrap_or_else(|| now + NEVER)
}

/// RFC 8305, §8.
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
const ATTEMPT_DELAY_MIN: Duration = Duration::from_millis(10);
/// Attempts under way at once, each of which has a descriptor: at the usual delay this is reached
/// after eight seconds without any answer, good or bad.
const RUNNING_MAX: usize = 32;
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

#[cfg(test)]
mod tests;
