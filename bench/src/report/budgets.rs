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
        budgets.extend(bulk(findings, scenario, &peers(findings)));
    }
    budgets.extend(close(findings));
    budgets.extend(idle(findings));
    budgets.extend(blocking(findings, "echo-64-1"));
    budgets.extend(packets(findings));
    budgets.extend(secure(findings));
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

fn bulk(findings: &Findings, scenario: &str, peers: &[&'static str]) -> Option<Budget> {
    let ours = best(findings, scenario, OURS, slowness)?;
    let theirs = best(findings, scenario, peers, slowness)?;
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

fn blocking(findings: &Findings, scenario: &str) -> Option<Budget> {
    let entry = |name| Some((name, findings.figures(name, scenario)?));
    let what = format!("{scenario}: blocking, at most 1.02 × std");
    let (ours, theirs) = (entry("reseau-blocking")?, entry("std-threads")?);
    Some(compare(what, ours, theirs, cpu, duration, 1.02))
}

/// Echo: no peer better. Floods: many times what tokio does by single calls; and in both, as
/// little beside the kernel's work as a plain loop has.
fn packets(findings: &Findings) -> Vec<Budget> {
    let mut budgets = Vec::new();
    let ours: Vec<_> = [OURS, OURS_BATCH].concat();
    for scenario in ["udp-echo-64", "udp-echo-1200", "udp-train-1200"] {
        for (what, value) in [("CPU", cpu as fn(&Round) -> f64), ("p99", p99)] {
            let pairs = [
                ("no peer better", &ours[..], &peers(findings)[..]),
                ("one by one, no peer better", OURS, &["tokio-current", "compio"]),
            ];
            for (bar, ours, theirs) in pairs {
                let ours = best(findings, scenario, ours, value);
                let theirs = best(findings, scenario, theirs, value);
                let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
                let what = format!("{scenario}: {what}, {bar}");
                budgets.push(compare(what, ours, theirs, value, duration, 1.0));
            }
        }
    }
    budgets.extend(blocking(findings, "udp-echo-64"));
    let floods = ["udp-in-64", "udp-in-1200", "udp-in-single-64"];
    let floods = floods.into_iter().chain(["udp-out-64", "udp-out-1200", "udp-out-joined-1200"]);
    for scenario in floods.clone() {
        let ours = best(findings, scenario, OURS_BATCH, cpu);
        let theirs = best(findings, scenario, &["tokio-current"], cpu);
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        let what = format!("{scenario}: packets per CPU second, batched, 5 × tokio");
        let mut budget = compare(what, ours, theirs, cpu, duration, 1.0 / 5.0);
        // What the kernel leaves for anybody to reach.
        if let Some((name, raw)) = best(findings, scenario, RAW_BATCH, cpu) {
            budget.found += &format!(" ({name}: × {:.3})", raw.times(theirs.1, cpu));
        }
        budgets.push(budget);
    }
    for scenario in ["udp-train-1200"].into_iter().chain(floods) {
        let ours = best(findings, scenario, OURS_BATCH, cpu);
        let theirs = best(findings, scenario, RAW_BATCH, cpu);
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        let what = format!("{scenario}: CPU, batched, within 5 % of a raw loop");
        budgets.push(compare(what, ours, theirs, cpu, duration, 1.05));
    }
    budgets
}

/// TLS: nobody better, and idle memory.
fn secure(findings: &Findings) -> Vec<Budget> {
    let mut budgets = Vec::new();
    let bulk_ways = ["tls-in", "tls-out"];
    let echoes = ["tls-echo-64-1", "tls-echo-64-64", "tls-echo-4k-1", "tls-echo-4k-64"];
    let mut bar = |scenario: &str, what: &str, value: fn(&Round) -> f64| {
        let ours = best(findings, scenario, OURS, value);
        let theirs = best(findings, scenario, TLS_PEERS, value);
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return };
        let what = format!("{scenario}: {what}, nobody better");
        budgets.push(compare(what, ours, theirs, value, duration, 1.0));
    };
    for scenario in ["tls-full", "tls-resumed"] {
        bar(scenario, "CPU for a handshake", cpu);
    }
    for scenario in echoes {
        bar(scenario, "CPU", cpu);
        bar(scenario, "p99", p99);
    }
    for scenario in bulk_ways {
        bar(scenario, "CPU for 1 MiB", |round| round.cpu * 1_048_576.0);
    }
    budgets.extend(bulk_ways.iter().filter_map(|way| bulk(findings, way, TLS_PEERS)));
    for scenario in ["tls-full", "tls-echo-64-1"] {
        let entry = |name| Some((name, findings.figures(name, scenario)?));
        if let (Some(ours), Some(theirs)) = (entry("reseau-blocking"), entry("std-rustls")) {
            let what = format!("{scenario}: blocking, at most 1.02 × std");
            budgets.push(compare(what, ours, theirs, cpu, duration, 1.02));
        }
    }
    for scenario in ["tls-idle", "tls-idle-lean"] {
        let bytes = |round: &Round| round.rate;
        let ours = best(findings, scenario, OURS, bytes);
        let tokio = findings.figures("tokio-rustls", scenario);
        let (Some((name, ours)), Some(tokio)) = (ours, tokio) else { continue };
        let (own, theirs) = (ours.rate.median, tokio.rate.median);
        let found = format!("{name} {} B, tokio-rustls {} B", human(own), human(theirs));
        let what = format!("{scenario}: 16 KiB less than tokio-rustls");
        budgets.push(Budget { what, found, met: own + 16384.0 <= theirs });
    }
    budgets
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

/// Those that speak TLS and await, or loop.
const TLS_PEERS: &[&str] = &["tokio-rustls", "futures-rustls", "openssl"];

/// The same, with many datagrams in a call.
const OURS_BATCH: &[&str] = &["reseau-uring-batch", "reseau-ready-batch"];
const RAW_BATCH: &[&str] = &["raw-mmsg", "raw-gso"];
