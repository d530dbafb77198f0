//! What a server counts: one tally per loop, so that loops do not share a cache line.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of one loop. Only the loop writes; anybody reads.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Tally {
    opened: AtomicU64,
    closed: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    messages: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    pub(crate) tls: Handshakes,
    pub(crate) udp: Datagrams,
    pub(crate) unixgram: Datagrams,
}

/// The counters of TLS's handshakes.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    done: AtomicU64,
    resumed: AtomicU64,
    failed: AtomicU64,
}

/// The counters of datagrams of one kind.
#[derive(Debug, Default)]
pub(crate) struct Datagrams {
    received: AtomicU64,
    sent: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    nameless: AtomicU64,
    cut: AtomicU64,
    unanswered: AtomicU64,
    failed: AtomicU64,
}

/// The sum of tallies at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    /// Connections that ended with an error. They count as closed too.
    pub(crate) failed: u64,
    /// Calls of accept that gave an error instead of a connection.
    pub(crate) refused: u64,
    pub(crate) messages: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) tls: HandshakeTotals,
    pub(crate) udp: DatagramTotals,
    pub(crate) unixgram: DatagramTotals,
}

/// The sum for handshakes of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandshakeTotals {
    pub(crate) done: u64,
    /// Those that took up an earlier session. They count as done too.
    pub(crate) resumed: u64,
    /// Those that came to nothing: no connection was opened.
    pub(crate) failed: u64,
}

/// The sum for datagrams of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DatagramTotals {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// Those whose sender has no name, so that nobody can be answered.
    pub(crate) nameless: u64,
    /// Those that were too long to be taken whole. What is left of one is no echo.
    pub(crate) cut: u64,
    /// Those whose sender is gone, or takes no answers.
    pub(crate) unanswered: u64,
    /// Receives that gave an error instead of datagrams.
    pub(crate) failed: u64,
}

impl Tally {
    pub(crate) fn opened(&self) {
        add(&self.opened, 1);
    }

    pub(crate) fn closed(&self) {
        add(&self.closed, 1);
    }

    pub(crate) fn failed(&self) {
        add(&self.failed, 1);
    }

    pub(crate) fn refused(&self) {
        add(&self.refused, 1);
    }

    pub(crate) fn received(&self, bytes: usize) {
        add(&self.messages, 1);
        add(&self.bytes_in, bytes);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        add(&self.bytes_out, bytes);
    }
}

impl Handshakes {
    pub(crate) fn done(&self, resumed: bool) {
        add(&self.done, 1);
        add(&self.resumed, usize::from(resumed));
    }

    pub(crate) fn failed(&self) {
        add(&self.failed, 1);
    }
}

impl Datagrams {
    pub(crate) fn received(&self, count: usize, bytes: usize) {
        add(&self.received, count);
        add(&self.bytes_in, bytes);
    }

    pub(crate) fn sent(&self, count: usize, bytes: usize) {
        add(&self.sent, count);
        add(&self.bytes_out, bytes);
    }

    pub(crate) fn nameless(&self) {
        add(&self.nameless, 1);
    }

    pub(crate) fn cut(&self) {
        add(&self.cut, 1);
    }

    pub(crate) fn unanswered(&self, count: usize) {
        add(&self.unanswered, count);
    }

    pub(crate) fn failed(&self) {
        add(&self.failed, 1);
    }
}

impl Totals {
    pub(crate) fn of<'a>(tallies: impl IntoIterator<Item = &'a Tally>) -> Self {
        let mut totals = Self::default();
        for tally in tallies {
            totals.opened += tally.opened.load(Relaxed);
            totals.closed += tally.closed.load(Relaxed);
            totals.failed += tally.failed.load(Relaxed);
            totals.refused += tally.refused.load(Relaxed);
            totals.messages += tally.messages.load(Relaxed);
            totals.bytes_in += tally.bytes_in.load(Relaxed);
            totals.bytes_out += tally.bytes_out.load(Relaxed);
            totals.tls.done += tally.tls.done.load(Relaxed);
            totals.tls.resumed += tally.tls.resumed.load(Relaxed);
            totals.tls.failed += tally.tls.failed.load(Relaxed);
            totals.udp.add(&tally.udp);
            totals.unixgram.add(&tally.unixgram);
        }
        totals
    }

    /// How many connections are open. (A connection may close between two loads.)
    pub(crate) fn open(&self) -> u64 {
        self.opened.saturating_sub(self.closed)
    }
}

impl DatagramTotals {
    fn add(&mut self, more: &Datagrams) {
        self.received += more.received.load(Relaxed);
        self.sent += more.sent.load(Relaxed);
        self.bytes_in += more.bytes_in.load(Relaxed);
        self.bytes_out += more.bytes_out.load(Relaxed);
        self.nameless += more.nameless.load(Relaxed);
        self.cut += more.cut.load(Relaxed);
        self.unanswered += more.unanswered.load(Relaxed);
        self.failed += more.failed.load(Relaxed);
    }
}

fn add(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Relaxed);
}
