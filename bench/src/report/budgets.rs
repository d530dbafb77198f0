//! The bars that reseau set itself, against what was found in the same run.

use super::{duration, human};
use crate::figures::{Figures, Findings};
use crate::servers::Family;

/// One bar.
pub(super) struct Budget {
    pub(super) what: String,
    pub(super) found: String,
    pub(super) met: bool,
}

/// The bars that this run can judge; none without reseau.
pub(super) fn check(findings: &Findings) -> Vec<Budget> {
    let mut budgets = Vec::new();
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

/// Cost and p99: no peer better; within 5 % of the raw loop; little of it in user space.
fn echo(findings: &Findings, scenario: &str) -> Vec<Budget> {
    let mut budgets = Vec::new();
    let cpu = |figures: &Figures| figures.cpu.median;
    let p99 = |figures: &Figures| figures.latency.as_ref().map_or(f64::MAX, |l| l.at(0.99).median);
    let Some((name, ours)) = best(findings, scenario, OURS, cpu) else { return budgets };
    if let Some((peer, theirs)) = best(findings, scenario, &peers(findings), cpu) {
        let found = compare(name, ours, peer, theirs, duration);
        let what = format!("{scenario}: CPU, no peer better");
        budgets.push(Budget { what, found, met: ours <= theirs });
    }
    let ours99 = best(findings, scenario, OURS, p99);
    let theirs99 = best(findings, scenario, &peers(findings), p99);
    if let (Some((name, ours)), Some((peer, theirs))) = (ours99, theirs99) {
        let found = compare(name, ours, peer, theirs, duration);
        let what = format!("{scenario}: p99, no peer better");
        budgets.push(Budget { what, found, met: ours <= theirs });
    }
    for (own, raw) in [("reseau-uring", "raw-uring-multi"), ("reseau-ready", "raw-epoll")] {
        let pair = (findings.figures(own, scenario), findings.figures(raw, scenario));
        let (Some(ours), Some(theirs)) = pair else { continue };
        let (ours, theirs) = (ours.cpu.median, theirs.cpu.median);
        let found = compare(own, ours, raw, theirs, duration);
        let what = format!("{scenario}: CPU, within 5 % of {raw}");
        budgets.push(Budget { what, found, met: ours <= theirs * 1.05 });
    }
    if let Some((name, user)) = best(findings, scenario, OURS, |figures| figures.user.median) {
        let what = format!("{scenario}: user space, at most 250 ns");
        let found = format!("{name} {}", duration(user));
        budgets.push(Budget { what, found, met: user <= 250.0 });
    }
    budgets
}

fn bulk(findings: &Findings, scenario: &str) -> Option<Budget> {
    let slowness = |figures: &Figures| -figures.rate.median;
    let (name, ours) = best(findings, scenario, OURS, slowness)?;
    let (peer, theirs) = best(findings, scenario, &peers(findings), slowness)?;
    let rate = |bytes: f64| format!("{} MB/s", human(-bytes / 1e6));
    let found = compare(name, ours, peer, theirs, rate);
    let what = format!("{scenario}: throughput, no peer better");
    Some(Budget { what, found, met: ours <= theirs })
}

/// By the server's own cost: the load is the slower side of this scenario.
fn close(findings: &Findings) -> Option<Budget> {
    let cpu = |figures: &Figures| figures.cpu.median;
    let (name, ours) = best(findings, "close", OURS, cpu)?;
    let (peer, theirs) = best(findings, "close", &["tokio-current", "tokio-multi"], cpu)?;
    let found = compare(name, ours, peer, theirs, duration);
    let what = "close: connections per CPU second, 1.2 × tokio".to_owned();
    Some(Budget { what, found, met: ours * 1.2 <= theirs })
}

fn idle(findings: &Findings) -> Option<Budget> {
    let (name, ours) = best(findings, "idle", OURS, |figures| figures.rate.median)?;
    let tokio = findings.figures("tokio-current", "idle");
    let beside = tokio.map(|figures| format!(", tokio-current {} B", human(figures.rate.median)));
    let found = format!("{name} {} B{}", human(ours), beside.unwrap_or_default());
    let what = "idle: at most 1 KiB with a task waiting".to_owned();
    Some(Budget { what, found, met: ours <= 1024.0 })
}

fn blocking(findings: &Findings) -> Option<Budget> {
    let ours = findings.figures("reseau-blocking", "echo-64-1")?.cpu.median;
    let theirs = findings.figures("std-threads", "echo-64-1")?.cpu.median;
    let found = compare("reseau-blocking", ours, "std-threads", theirs, duration);
    let what = "echo-64-1: blocking, at most 1.02 × std".to_owned();
    Some(Budget { what, found, met: ours <= theirs * 1.02 })
}

/// The one with the smallest value.
fn best<'a>(
    findings: &Findings,
    scenario: &str,
    servers: &[&'a str],
    value: impl Fn(&Figures) -> f64,
) -> Option<(&'a str, f64)> {
    servers
        .iter()
        .filter_map(|&name| Some((name, value(findings.figures(name, scenario)?))))
        .min_by(|left, right| left.1.total_cmp(&right.1))
}

fn peers(findings: &Findings) -> Vec<&'static str> {
    let peers = findings.servers.iter().filter(|server| server.family == Family::Peer);
    peers.map(|server| server.name).filter(|&name| name != "std-threads").collect()
}

fn compare(own: &str, ours: f64, peer: &str, theirs: f64, text: impl Fn(f64) -> String) -> String {
    format!("{own} {}, {peer} {} (× {:.2})", text(ours), text(theirs), ours / theirs)
}

/// Those that the bars are for: async, on a loop of their own.
const OURS: &[&str] = &["reseau-uring", "reseau-ready"];
