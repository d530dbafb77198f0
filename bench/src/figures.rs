//! What the rounds say together: medians, spreads, quantiles.

use crate::load::{Histogram, Sample};
use crate::scenario::Scenario;
use crate::servers::Server;

/// Everything that a run found.
pub(crate) struct Findings {
    /// Whether the run was long enough to be judged.
    pub(crate) judged: bool,
    pub(crate) servers: Vec<&'static Server>,
    pub(crate) sections: Vec<Section>,
    /// Of servers that could not be asked at all, why.
    pub(crate) absent: Vec<(&'static Server, Outcome)>,
}

/// One scenario.
pub(crate) struct Section {
    pub(crate) scenario: Scenario,
    /// Of [`Findings::servers`] those that have a program for it, in that order.
    pub(crate) rows: Vec<(&'static Server, Outcome)>,
}

/// One server in one scenario.
pub(crate) enum Outcome {
    Measured(Box<Figures>),
    /// The machine or the server's interface has no such thing.
    Unavailable(String),
    Failed(String),
}

/// The numbers of one server in one scenario.
pub(crate) struct Figures {
    /// Operations per second; for idle memory, bytes per connection.
    pub(crate) rate: Spread,
    /// Nanoseconds of server CPU for each operation.
    pub(crate) cpu: Spread,
    pub(crate) user: Spread,
    pub(crate) system: Spread,
    /// What of `system` the kernel did in a thread of its own.
    pub(crate) softirq: Spread,
    /// Whether the split is from cycle counters, not from ticks.
    pub(crate) counted: bool,
    /// For each operation, as counted; `None` without counters.
    pub(crate) user_instructions: Option<f64>,
    pub(crate) system_instructions: Option<f64>,
    pub(crate) latency: Option<Latency>,
    /// The share of datagrams that did not come.
    pub(crate) lost: Option<Spread>,
    /// In the order of the rounds.
    pub(crate) rounds: Vec<Round>,
}

/// What one round showed, for comparing servers like with like.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    pub(crate) rate: f64,
    pub(crate) cpu: f64,
    pub(crate) p99: f64,
    pub(crate) distance: Option<f64>,
}

/// Nanoseconds; a spread over rounds for each of [`QUANTILES`].
pub(crate) struct Latency {
    pub(crate) spreads: [Spread; QUANTILES.len()],
    pub(crate) max: u64,
    pub(crate) count: u64,
}

/// The middle and the ends of some rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Findings {
    /// The numbers of a server in a scenario, if there are any.
    pub(crate) fn figures(&self, server: &str, scenario: &str) -> Option<&Figures> {
        let section = self.sections.iter().find(|section| section.scenario.name == scenario)?;
        let (_, outcome) = section.rows.iter().find(|(row, _)| row.name == server)?;
        outcome.figures()
    }

    /// Nanoseconds between the cores, over all visits.
    pub(crate) fn distance(&self) -> Option<Spread> {
        let rows = self.sections.iter().flat_map(|section| &section.rows);
        let rounds = rows.filter_map(|(_, outcome)| outcome.figures()).flat_map(|f| &f.rounds);
        let known: Vec<f64> = rounds.filter_map(|round| round.distance).collect();
        (!known.is_empty()).then(|| Spread::of(known.into_iter()))
    }

    pub(crate) fn failures(&self) -> usize {
        let rows = self.sections.iter().flat_map(|section| &section.rows).chain(&self.absent);
        rows.filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_))).count()
    }
}

impl Outcome {
    pub(crate) fn figures(&self) -> Option<&Figures> {
        match self {
            Self::Measured(figures) => Some(figures),
            Self::Unavailable(_) | Self::Failed(_) => None,
        }
    }

    /// Why there are no numbers, in one line.
    pub(crate) fn excuse(&self) -> String {
        match self {
            Self::Measured(_) => String::new(),
            Self::Unavailable(why) => format!("n/a: {why}"),
            Self::Failed(why) => format!("FAILED: {why}"),
        }
    }
}

impl Figures {
    /// From the rounds, and from the visit in which the server counted, if there was one.
    pub(crate) fn of(samples: &[Sample], counted: Option<&Sample>) -> Self {
        let all = |value: &dyn Fn(&Sample) -> f64| Spread::of(samples.iter().map(value));
        let counts = counted.and_then(|sample| Some((sample.usage.counts?, sample.amount)));
        let user = |sample: &Sample| match counts {
            Some((counts, amount)) => counts.user_ns / amount.max(1.0),
            None => per(sample.usage.user_ns, sample),
        };
        Self {
            rate: all(&|sample| sample.amount / sample.seconds),
            cpu: all(&|sample| per(sample.usage.total_ns, sample)),
            user: all(&user),
            system: all(&|sample| (per(sample.usage.total_ns, sample) - user(sample)).max(0.0)),
            softirq: all(&|sample| per(sample.usage.softirq_ns, sample)),
            counted: counts.is_some(),
            user_instructions: counts.map(|(counts, n)| counts.user_instructions / n.max(1.0)),
            system_instructions: counts
                .map(|(counts, n)| counts.system_instructions / n.max(1.0))
                .filter(|&count| count > 0.0),
            latency: Latency::of(samples),
            lost: samples
                .iter()
                .any(|sample| sample.lost.is_some())
                .then(|| all(&|sample| sample.lost.unwrap_or(0.0))),
            rounds: samples.iter().map(Round::of).collect(),
        }
    }

    /// How many times the value of `other` this one has: the median over rounds of the ratio within
    /// a round, for the machine may change from one round to the next.
    pub(crate) fn times(&self, other: &Self, value: impl Fn(&Round) -> f64) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        Spread::of(pairs.map(|(own, other)| value(own) / value(other).max(f64::MIN_POSITIVE)))
            .median
    }

    /// The median of a value over rounds.
    pub(crate) fn middle(&self, value: impl Fn(&Round) -> f64) -> f64 {
        Spread::of(self.rounds.iter().map(value)).median
    }
}

impl Round {
    fn of(sample: &Sample) -> Self {
        let latencies = sample.latencies.as_ref();
        Self {
            rate: sample.amount / sample.seconds,
            cpu: per(sample.usage.total_ns, sample),
            p99: latencies.map_or(0.0, |latencies| latencies.quantile(0.99) as f64),
            distance: sample.distance,
        }
    }
}

/// A part of the server's time for each operation.
fn per(ns: f64, sample: &Sample) -> f64 {
    ns / sample.amount.max(1.0)
}

impl Latency {
    fn of(samples: &[Sample]) -> Option<Self> {
        let rounds: Vec<&Histogram> =
            samples.iter().filter_map(|sample| sample.latencies.as_ref()).collect();
        let mut all = Histogram::new();
        rounds.iter().for_each(|round| all.merge(round));
        if all.total() == 0 {
            return None;
        }
        let spreads =
            QUANTILES.map(|q| Spread::of(rounds.iter().map(|round| round.quantile(q) as f64)));
        Some(Self { spreads, max: all.quantile(1.0), count: all.total() })
    }

    /// The quantile `q`, which is one of [`QUANTILES`].
    pub(crate) fn at(&self, q: f64) -> Spread {
        let place = QUANTILES.iter().position(|&one| one == q);
        self.spreads[place.unwrap_or_else(|| unreachable!("p{q} is not kept"))]
    }
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (Some(&low), Some(&high)) = (values.first(), values.last()) else {
            return Self { low: 0.0, median: 0.0, high: 0.0 };
        };
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Self { low, median, high }
    }

    pub(crate) fn scaled(self, factor: f64) -> Self {
        let Self { low, median, high } = self;
        Self { low: low * factor, median: median * factor, high: high * factor }
    }
}

/// The shares that the report shows.
pub(crate) const QUANTILES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 0.9999];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let of = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(of(&[3.0, 1.0, 2.0]), Spread { low: 1.0, median: 2.0, high: 3.0 });
        assert_eq!(of(&[4.0, 1.0, 2.0, 8.0]), Spread { low: 1.0, median: 3.0, high: 8.0 });
        assert_eq!(of(&[5.0]).median, 5.0);
    }
}
