//! What may go wrong in a world, and the chance that decides it.
use std::time::Duration;

/// The hardships of a world. The chances are per mille; the default has none of them.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    /// The least and the most time that anything takes to arrive.
    pub(crate) latency: (Duration, Duration),
    /// That something takes up to [`SLOWER`] times longer than the most.
    pub(crate) slow: u16,
    /// That a connect is refused although somebody listens.
    pub(crate) refused: u16,
    /// That a TCP connection breaks at both ends after a send.
    pub(crate) reset: u16,
    /// That an accept fails for want of descriptors; the connection stays in the backlog.
    pub(crate) accept_exhausted: u16,
    /// That an accept finds its connection aborted.
    pub(crate) accept_aborted: u16,
    /// That a UDP datagram never arrives.
    pub(crate) lost: u16,
    /// That a UDP datagram arrives twice.
    pub(crate) doubled: u16,
    /// That a send takes all that fits, instead of any part of it.
    pub(crate) whole_sends: u16,
    /// That a recv gives all that is there and fits, instead of any part of it.
    pub(crate) whole_recvs: u16,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            latency: (Duration::from_micros(10), Duration::from_millis(1)),
            slow: 0,
            refused: 0,
            reset: 0,
            accept_exhausted: 0,
            accept_aborted: 0,
            lost: 0,
            doubled: 0,
            whole_sends: 0,
            whole_recvs: 0,
        }
    }
}

/// Numbers from a seed (xorshift64*): the same on every machine.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        // The one state that xorshift cannot leave is nought.
        Self(mix(seed).max(1))
    }

    /// A number below `limit`, which is at least 1.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        assert!(limit > 0, "nothing is below 0");
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(number) * u128::from(limit)) >> 64) as u64
    }

    /// Bytes, all as likely.
    #[cfg(feature = "tls")]
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(4) {
            let number = self.below(1 << 32) as u32;
            part.copy_from_slice(&number.to_le_bytes()[..part.len()]);
        }
    }

    /// True `per_mille` times of a thousand. What cannot be, or must be, draws no number.
    pub(super) fn strikes(&mut self, per_mille: u16) -> bool {
        per_mille > 0 && (per_mille >= 1000 || self.below(1000) < u64::from(per_mille))
    }

    /// How long something takes to arrive, in nanoseconds.
    pub(super) fn latency(&mut self, faults: &Faults) -> u64 {
        let (least, most) = (nanos(faults.latency.0), nanos(faults.latency.1));
        let spread = most.saturating_sub(least);
        let mut span = least + if spread > 0 { self.below(spread.saturating_add(1)) } else { 0 };
        if self.strikes(faults.slow) {
            span = span.saturating_add(self.below(most.saturating_mul(SLOWER).saturating_add(1)));
        }
        span
    }

    /// A part of `most` (at least 1): at least 1, and all of it `whole` times of a thousand.
    pub(super) fn portion(&mut self, most: usize, whole: u16) -> usize {
        if self.strikes(whole) { most } else { 1 + self.below(most as u64) as usize }
    }
}

/// Spreads a number over all bits (splitmix64), so that near seeds give unlike runs.
pub(super) const fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A span as the kernel counts time: 584 years are enough.
pub(super) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// How many times the longest latency a slow arrival may take on top: enough to be overtaken by
/// hundreds of others.
const SLOWER: u64 = 100;
