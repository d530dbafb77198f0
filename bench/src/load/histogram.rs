//! Counts of durations in log-linear buckets.

use std::time::Duration;

/// Nanoseconds, to better than one part in 128.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }

    pub(crate) fn record(&mut self, duration: Duration) {
        let ns = duration.as_nanos().min(u128::from(u64::MAX)) as u64;
        self.counts[bucket(ns)] += 1;
        self.total += 1;
        self.max = self.max.max(ns);
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        (self.total, self.max) = (0, 0);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The duration that the share `q` of all does not exceed, in nanoseconds.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        let rank = ((self.total as f64 * q).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (i, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return ceiling(i).min(self.max);
            }
        }
        self.max
    }
}

fn bucket(ns: u64) -> usize {
    if ns < LINEAR {
        return ns as usize;
    }
    let shift = ns.ilog2() - LINEAR.ilog2();
    (u64::from(shift + 1) * LINEAR + ((ns >> shift) - LINEAR)) as usize
}

/// The largest duration of a bucket.
fn ceiling(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < LINEAR {
        return bucket;
    }
    let shift = bucket / LINEAR - 1;
    let start = (bucket % LINEAR + LINEAR) << shift;
    start + ((1 << shift) - 1)
}

/// Buckets for each doubling.
const LINEAR: u64 = 128;
/// Up to the last doubling of 64 bits.
const BUCKETS: usize = ((64 - 7 + 1) * LINEAR) as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_its_bucket() {
        let mut last = 0;
        for ns in (0..100_000).chain((1..1000).map(|i| i * i * i * 7919)) {
            let i = bucket(ns);
            assert!(ceiling(i) >= ns, "{ns} ns is above the ceiling of bucket {i}");
            assert!(i == 0 || ceiling(i - 1) < ns, "{ns} ns belongs below bucket {i}");
            last = last.max(i);
        }
        assert!(last < BUCKETS);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(ceiling(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut histogram = Histogram::new();
        for us in 1..=1000 {
            histogram.record(Duration::from_micros(us));
        }
        for (q, exact) in [(0.5, 500_000.0), (0.99, 990_000.0), (0.999, 999_000.0)] {
            let found = histogram.quantile(q) as f64;
            assert!((found / exact - 1.0).abs() < 0.01, "p{q}: {found} ns, not {exact}");
        }
        assert_eq!(histogram.quantile(1.0), 1_000_000);
        assert_eq!(histogram.total(), 1000);
    }

    #[test]
    fn merging_is_recording_both() {
        let (mut left, mut right, mut both) =
            (Histogram::new(), Histogram::new(), Histogram::new());
        for i in 0..500_u64 {
            let duration = Duration::from_nanos(i * i * 31);
            if i % 3 == 0 { &mut left } else { &mut right }.record(duration);
            both.record(duration);
        }
        left.merge(&right);
        for q in [0.01, 0.5, 0.9, 0.999] {
            assert_eq!(left.quantile(q), both.quantile(q));
        }
    }
}
