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
}

impl Tally {
    pub(crate) fn opened(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.closed.fetch_add(1, Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
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
        }
        totals
    }

    /// How many connections are open. (A connection may close between two loads.)
    pub(crate) fn open(&self) -> u64 {
        self.opened.saturating_sub(self.closed)
    }
}
