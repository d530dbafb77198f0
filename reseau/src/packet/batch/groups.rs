//! The messages by which a batch goes out where the system cuts long ones.
#![allow(dead_code)] // Only Linux does.
use super::{Batch, Packet};

/// What goes out as one message: `count` datagrams of `segment` bytes, of which the last may be
/// shorter.
pub(crate) struct Group<'a> {
    pub(crate) packet: &'a Packet,
    pub(crate) bytes: &'a [u8],
    pub(crate) segment: usize,
    pub(crate) count: usize,
}

impl Batch {
    /// The next message to be sent, after `skipped` runs and `taken` datagrams of the next.
    pub(crate) fn groups(&self) -> Groups<'_> {
        Groups { batch: self, run: 0, taken: 0 }
    }

    /// The system refused to cut datagrams of `segment` bytes; `ever`: any.
    pub(crate) fn refused(&mut self, segment: usize, ever: bool) {
        self.segment_max = if ever { 0 } else { self.segment_max.min(segment.saturating_sub(1)) };
    }
}

/// The messages by which a batch goes out.
pub(crate) struct Groups<'a> {
    batch: &'a Batch,
    run: usize,
    taken: usize,
}

impl<'a> Iterator for Groups<'a> {
    type Item = Group<'a>;

    fn next(&mut self) -> Option<Group<'a>> {
        let batch = self.batch;
        let run = batch.runs.get(self.run)?;
        let segment = run.packet.len;
        let at = run.at + self.taken * run.stride;
        let left = run.count - self.taken;
        let joined = run.stride == segment && (1..=batch.segment_max).contains(&segment);
        let fit = if joined { (GROUP_BYTES_MAX / segment).clamp(1, GROUP_MAX) } else { 1 };
        let (mut count, mut len) = (left.min(fit), left.min(fit) * segment);
        self.taken += count;
        if self.taken == run.count {
            (self.run, self.taken) = (self.run + 1, 0);
            let short = batch.runs.get(self.run).filter(|next| {
                joined
                    && count < fit
                    && (1..segment).contains(&next.packet.len)
                    && next.at == at + len
                    && next.packet.goes_like(&run.packet)
            });
            if let Some(next) = short {
                (count, len) = (count + 1, len + next.packet.len);
                self.taken = 1;
                if next.count == 1 {
                    (self.run, self.taken) = (self.run + 1, 0);
                }
            }
        }
        let bytes = &batch.bytes[at..at + len];
        Some(Group { packet: &run.packet, bytes, segment, count })
    }
}

/// What fits into one message that is cut: the limit of IPv4 less its headers with all options,
/// and UDP's; and what Linux cuts at most (`UDP_MAX_SEGMENTS`, which was 64 and is more now).
pub(super) const GROUP_BYTES_MAX: usize = 0xFFFF - 60 - 8;
pub(super) const GROUP_MAX: usize = 64;
