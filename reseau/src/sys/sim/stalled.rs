//! What TCP has sent over a path that delivers nothing: it is sent again, in order, and later each
//! time, until the path delivers or the patience is over.
use super::kernel::{Arrival, Kernel, Mark};
use super::routes::{Ends, ends};
use super::socket::Role;
use std::collections::VecDeque;
use std::io::ErrorKind;

/// One way of a connection, on which something is lost.
#[derive(Default)]
pub(super) struct Stalled {
    lost: VecDeque<Arrival>,
    tries: u32,
}

impl Kernel {
    /// Keeps back what does not arrive now: because its path does not deliver, or because
    /// something that goes before it did not arrive.
    pub(super) fn stall(&mut self, arrival: Arrival) -> Option<Arrival> {
        let Some(way) = way(&arrival) else { return Some(arrival) };
        let open = self.delivers(way);
        let reset = matches!(arrival, Arrival::Reset { .. });
        if open && (reset || !self.stalled.contains_key(&way)) {
            return Some(arrival);
        }
        self.mark(Mark::Lost, way.0, way.1);
        if reset {
            // Nobody repeats these.
            return None;
        }
        let asks = matches!(arrival, Arrival::Established { .. });
        let stalled = self.stalled.entry(way).or_default();
        stalled.lost.push_back(arrival);
        if stalled.lost.len() == 1 {
            let at = self.now().saturating_add(pause(asks, 0));
            self.schedule(at, Arrival::Again { from: way.0, to: way.1 });
        }
        None
    }

    /// What was lost between two sockets is sent again.
    pub(super) fn again(&mut self, from: u64, to: u64) {
        let open = self.delivers((from, to));
        let Some(stalled) = self.stalled.get_mut(&(from, to)) else { return };
        let asks = matches!(stalled.lost.front(), Some(Arrival::Established { .. }));
        stalled.tries += 1;
        let tries = stalled.tries;
        if !open && tries <= if asks { ASKED_MAX } else { SENT_MAX } {
            let at = self.now().saturating_add(pause(asks, tries));
            return self.schedule(at, Arrival::Again { from, to });
        }
        let Some(Stalled { lost, .. }) = self.stalled.remove(&(from, to)) else { return };
        if open {
            lost.into_iter().for_each(|arrival| self.deliver(arrival));
        } else {
            self.despair((from, to), lost);
        }
    }

    /// What was lost stays lost, and ends the connection for who sent it.
    fn despair(&mut self, way: (u64, u64), lost: VecDeque<Arrival>) {
        let kind = self.path(way).map(|path| self.routes.between(path).error());
        let kind = kind.unwrap_or(ErrorKind::TimedOut);
        let mut ends = false;
        for arrival in lost {
            match arrival {
                Arrival::Established { client, serial, server } => {
                    self.failed(client, serial, ErrorKind::TimedOut);
                    // Which is half-open, and goes.
                    self.reset(client, server);
                }
                Arrival::Ready { client, server } => {
                    self.reset(client, server);
                    ends = true;
                }
                Arrival::Room { from, to } => {
                    // It may say so again.
                    if let Some(reader) = self.stream_to(to, from) {
                        reader.telling = false;
                    }
                }
                _ => ends = true,
            }
        }
        let (from, to) = way;
        if ends && let Some(stream) = self.stream_to(to, from).filter(|stream| !stream.down) {
            stream.down = true;
            self.socket(from).error = Some(kind);
            self.stir(from);
        }
    }

    /// Whether something arrives that goes this way now.
    fn delivers(&self, way: (u64, u64)) -> bool {
        self.path(way).is_none_or(|path| self.routes.between(path).delivers())
    }

    /// The addresses of the connection that two sockets have, if they have one of TCP.
    fn path(&self, (from, to): (u64, u64)) -> Option<Ends> {
        let end = |index, other| {
            let socket = self.sockets.get(&index)?;
            let same = match &socket.role {
                Role::Connecting(_) => true,
                Role::Stream(stream) => stream.peer == other,
                _ => false,
            };
            Some(socket).filter(|_| same).and_then(ends)
        };
        end(from, to).or_else(|| end(to, from))
    }
}

/// From which socket to which something of a connection goes.
fn way(arrival: &Arrival) -> Option<(u64, u64)> {
    match *arrival {
        Arrival::Established { client, server, .. } => Some((server, client)),
        Arrival::Ready { client, server } => Some((client, server)),
        Arrival::Bytes { from, to, .. }
        | Arrival::End { from, to, .. }
        | Arrival::Room { from, to }
        | Arrival::Reset { from, to } => Some((from, to)),
        _ => None,
    }
}

/// How long is waited before the next try.
fn pause(asks: bool, tries: u32) -> u64 {
    let first = if asks { ASKED_AFTER } else { SENT_AFTER };
    (first << tries.min(20)).min(PAUSE_MAX)
}

/// As Linux has it: a listener repeats its answer as a client his question; what is sent on a
/// connection is repeated fifteen times, over a quarter of an hour (`tcp_retries2`).
const ASKED_AFTER: u64 = 1_000_000_000;
const ASKED_MAX: u32 = 6;
const SENT_AFTER: u64 = 200_000_000;
const SENT_MAX: u32 = 15;
const PAUSE_MAX: u64 = 120_000_000_000;
