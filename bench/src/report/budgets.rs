//! The bars that reseau set itself, against what was found in the same run.
//!
//! Servers are compared within rounds: a multiple is the median of the multiples of the rounds.

use super::{duration, human};
use crate::figures::{Figures, Findings, Round};
use crate::servers::Family;

/// One bar.
pub(super) struct Budget {
    pub(super) what: String,
    pub(super) found: String,
    pub(super) met: bool,
}

/// The bars that this run can judge; none without reseau, none in a hurry.
pub(super) fn check(findings: &Findings) -> Vec<Budget> {
    let mut budgets = Vec::new();
    if !findings.judged {
        return budgets;
    }
    for scenario in ["echo-64-1", "echo-64-64", "echo-64-1000"] {
        budgets.extend(echo(findings, scenario));
    }
    for scenario in ["bulk-in", "bulk-out"] {
        budgets.extend(bulk(findings, scenario));
    }
    budgets.extend(close(findings));
    budgets.extend(idle(findings));
    budgets.extend(blocking(findings));
    budgets
}

/// A server and what it reached.
type Entry<'a> = (&'static str, &'a Figures);

/// Cost and p99: no peer better; within 5 % of the raw loop; little of it in user space.
fn echo(findings: &Findings, scenario: &str) -> Vec<Budget> {
    let mut budgets = Vec::new();
    let bar = |what: &str| format!("{scenario}: {what}");
    for (what, value) in [("CPU", cpu as fn(&Round) -> f64), ("p99", p99)] {
        let ours = best(findings, scenario, OURS, value);
        let theirs = best(findings, scenario, &peers(findings), value);
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        let what = bar(&format!("{what}, no peer better"));
        budgets.push(compare(what, ours, theirs, value, duration, 1.0));
    }
    for (own, raw) in [("reseau-uring", "raw-uring-multi"), ("reseau-ready", "raw-epoll")] {
        let entry = |name| Some((name, findings.figures(name, scenario)?));
        let (Some(ours), Some(theirs)) = (entry(own), entry(raw)) else { continue };
        let what = bar(&format!("CPU, within 5 % of {raw}"));
        budgets.push(compare(what, ours, theirs, cpu, duration, 1.05));
    }
    for name in OURS {
        let Some(figures) = findings.figures(name, scenario) else { continue };
        let user = figures.user.median;
        let found = format!("{name} {}", duration(user));
        budgets.push(Budget { what: bar("user space, at most 250 ns"), found, met: user <= 250.0 });
    }
    budgets
}

fn bulk(findings: &Findings, scenario: &str) -> Option<Budget> {
    let ours = best(findings, scenario, OURS, slowness)?;
    let theirs = best(findings, scenario, &peers(findings), slowness)?;
    let rate = |slowness: f64| format!("{} MB/s", human(1e3 / slowness));
    let what = format!("{scenario}: throughput, no peer better");
    Some(compare(what, ours, theirs, slowness, rate, 1.0))
}

/// By the server's own cost: the load is the slower side of this scenario.
fn close(findings: &Findings) -> Option<Budget> {
    let ours = best(findings, "close", OURS, cpu)?;
    let theirs = best(findings, "close", &["tokio-current", "tokio-multi"], cpu)?;
    let what = "close: connections per CPU second, 1.2 × tokio".to_owned();
    Some(compare(what, ours, theirs, cpu, duration, 1.0 / 1.2))
}

fn idle(findings: &Findings) -> Option<Budget> {
    let bytes = |round: &Round| round.rate;
    let (name, ours) = best(findings, "idle", OURS, bytes)?;
    let tokio = findings.figures("tokio-current", "idle");
    let beside = tokio.map(|figures| format!(", tokio-current {} B", human(figures.rate.median)));
    let found = format!("{name} {} B{}", human(ours.rate.median), beside.unwrap_or_default());
    let what = "idle: at most 1 KiB with a task waiting".to_owned();
    Some(Budget { what, found, met: ours.rate.median <= 1024.0 })
}

fn blocking(findings: &Findings) -> Option<Budget> {
    let entry = |name| Some((name, findings.figures(name, "echo-64-1")?));
    let what = "echo-64-1: blocking, at most 1.02 × std".to_owned();
    let (ours, theirs) = (entry("reseau-blocking")?, entry("std-threads")?);
    Some(compare(what, ours, theirs, cpu, duration, 1.02))
}

/// Whether `ours` is at most `limit` times `theirs`, as less of `value` is better.
fn compare(
    what: String,
    ours: Entry<'_>,
    theirs: Entry<'_>,
    value: fn(&Round) -> f64,
    text: impl Fn(f64) -> String,
    limit: f64,
) -> Budget {
    let times = ours.1.times(theirs.1, value);
    let one = |(name, figures): Entry<'_>| format!("{name} {}", text(figures.middle(value)));
    let found = format!("{}, {}: × {times:.3}", one(ours), one(theirs));
    Budget { what, found, met: times <= limit }
}

/// The one with the smallest value.
fn best<'a>(
    findings: &'a Findings,
    scenario: &str,
    servers: &[&'static str],
    value: fn(&Round) -> f64,
) -> Option<Entry<'a>> {
    servers
        .iter()
        .filter_map(|&name| Some((name, findings.figures(name, scenario)?)))
        .min_by(|left, right| left.1.middle(value).total_cmp(&right.1.middle(value)))
}

/// The async ones.
fn peers(findings: &Findings) -> Vec<&'static str> {
    let peers = findings.servers.iter().filter(|server| server.family == Family::Peer);
    peers.map(|server| server.name).filter(|&name| name != "std-threads").collect()
}

fn cpu(round: &Round) -> f64 {
    round.cpu
}

fn p99(round: &Round) -> f64 {
    round.p99
}

/// Nanoseconds for each byte.
fn slowness(round: &Round) -> f64 {
    1e9 / round.rate.max(1.0)
}

/// Those that the bars are for: async, on a loop of their own.
const OURS: &[&str] = &["reseau-uring", "reseau-ready"];
