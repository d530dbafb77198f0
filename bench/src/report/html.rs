//! The findings as one page that needs nothing else.

use super::chart::{self, escape};
use super::{Report, budgets, duration, human, table};
use crate::figures::{Figures, Findings, Round, Section};
use crate::scenario::{Job, Unit};
use crate::servers::{Family, Server};

pub(super) fn page(report: &Report) -> String {
    let findings = &report.findings;
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>reseau bench</title>\n<style>",
    );
    page += STYLE;
    page += "</style></head><body><main>\n<h1>reseau beside its peers</h1>\n";
    page += INTRODUCTION;
    page += &overview(findings);
    page += &bars(findings);
    for section in &findings.sections {
        page += &one(section);
    }
    page += &absent(findings);
    page += "<section><h2>Machine and method</h2>\n<div class=\"pair\">";
    page += &pairs("Facts", &report.facts);
    page += &pairs("Versions", &report.versions);
    page += "</div>\n";
    page += METHOD;
    page + "</section>\n</main></body></html>\n"
}

/// Every server in every scenario: what it costs, shaded by how far from the cheapest.
fn overview(findings: &Findings) -> String {
    let mut text = String::from(
        "<section><h2>At a glance</h2><p>Server CPU for each operation (bytes for idle memory), \
         medians; below it, the multiple of the cheapest in the column, within rounds.</p>\n",
    );
    type Kind = fn(Job) -> bool;
    let kinds: [Kind; 3] = [
        |job| matches!(job, Job::Streams(_)),
        |job| matches!(job, Job::Secure(_)),
        |job| matches!(job, Job::Packets(_)),
    ];
    for kind in kinds {
        let of_kind = |section: &&Section| kind(section.scenario.job);
        let sections: Vec<&Section> = findings.sections.iter().filter(of_kind).collect();
        if !sections.is_empty() {
            text += &glances(findings, &sections);
        }
    }
    text + "</section>\n"
}

/// The servers that have a program for one of these.
fn glances(findings: &Findings, sections: &[&Section]) -> String {
    let mut text =
        String::from("<div class=\"scroll\"><table class=\"glance\"><thead><tr><th></th>");
    for section in sections {
        text += &format!("<th>{}</th>", section.scenario.name);
    }
    text += "</tr></thead><tbody>\n";
    let serves = |server: &&Server| sections.iter().any(|one| server.serves(one.scenario.job));
    for server in findings.servers.iter().copied().filter(|server| serves(server)) {
        let class = if server.family == Family::Reseau { " class=\"ours\"" } else { "" };
        text += &format!("<tr{class}><th title=\"{}\">{}</th>", escape(server.about), server.name);
        for section in sections {
            text += &glance(section, findings.figures(server.name, section.scenario.name));
        }
        text += "</tr>\n";
    }
    text + "</tbody></table></div>\n"
}

fn glance(section: &Section, figures: Option<&Figures>) -> String {
    let cost = |round: &Round| match section.scenario.unit {
        Unit::Memory => round.rate,
        unit => round.cpu * unit.cost().1,
    };
    let all = || section.rows.iter().filter_map(|(_, outcome)| outcome.figures());
    let best = all().min_by(|left, right| left.middle(cost).total_cmp(&right.middle(cost)));
    let (Some(figures), Some(best)) = (figures, best) else {
        return "<td class=\"none\">–</td>".into();
    };
    let (value, times) = (figures.middle(cost), figures.times(best, cost));
    let worst = all().map(|one| one.times(best, cost)).fold(2.0, f64::max);
    let text = match section.scenario.unit {
        Unit::Memory => format!("{} B", human(value)),
        _ => duration(value),
    };
    // The deepest shade is for the worst, or for twice the best where all are close.
    let shade = (times.max(1.0).ln() / worst.ln() * 55.0).round();
    let class = if std::ptr::eq(figures, best) { "best" } else { "other" };
    format!(
        "<td class=\"{class}\" style=\"--shade:{shade}%\">{text}<small>× {}</small></td>",
        ratio_text(times)
    )
}

fn ratio_text(ratio: f64) -> String {
    if ratio < 100.0 { format!("{ratio:.2}") } else { human(ratio) }
}

fn bars(findings: &Findings) -> String {
    let budgets = budgets::check(findings);
    if budgets.is_empty() {
        return String::new();
    }
    let mut text = String::from("<section><h2>Budgets</h2><div class=\"scroll\"><table><tbody>\n");
    for budget in budgets {
        let (class, word) = if budget.met { ("met", "met") } else { ("missed", "missed") };
        text += &format!(
            "<tr><td class=\"{class}\">{word}</td><th>{}</th><td class=\"left\">{}</td></tr>\n",
            escape(&budget.what),
            escape(&budget.found)
        );
    }
    text + "</tbody></table></div></section>\n"
}

fn one(section: &Section) -> String {
    let scenario = &section.scenario;
    let mut text = format!(
        "<section id=\"{}\"><h2>{} <code>{}</code></h2><p>{}</p>\n<div class=\"scroll\">",
        scenario.name,
        escape(scenario.title),
        scenario.name,
        escape(scenario.about)
    );
    text += &chart::svg(section);
    text += "</div><details><summary>Numbers</summary><div class=\"scroll\"><table><thead><tr>";
    for head in table::heads(scenario) {
        text += &format!("<th>{}</th>", escape(&head));
    }
    text += "</tr></thead><tbody>\n";
    for (server, outcome) in &section.rows {
        text += &format!("<tr><th>{}</th>", server.name);
        match outcome.figures() {
            Some(figures) => {
                for cell in table::cells(scenario, figures) {
                    text += &format!("<td>{}</td>", escape(&cell));
                }
            }
            None => {
                let columns = table::heads(scenario).len() - 1;
                let excuse = escape(&outcome.excuse());
                text += &format!("<td class=\"left none\" colspan=\"{columns}\">{excuse}</td>");
            }
        }
        text += "</tr>\n";
    }
    text + "</tbody></table></div></details></section>\n"
}

fn absent(findings: &Findings) -> String {
    if findings.absent.is_empty() {
        return String::new();
    }
    let mut text = String::from("<section><h2>Not measured</h2><ul>");
    for (server, outcome) in &findings.absent {
        text += &format!("<li><b>{}</b>: {}</li>", server.name, escape(&outcome.excuse()));
    }
    text + "</ul></section>\n"
}

fn pairs(title: &str, pairs: &[(&'static str, String)]) -> String {
    let mut text = format!("<table><thead><tr><th colspan=\"2\">{title}</th></tr></thead><tbody>");
    for (name, value) in pairs {
        text += &format!("<tr><th>{name}</th><td class=\"left\">{}</td></tr>\n", escape(value));
    }
    text + "</tbody></table>\n"
}

const INTRODUCTION: &str = "<p>Every server runs in a process of its own on one core; one load \
    generator, the same for all, runs on another. Rounds are interleaved: bars are medians over \
    rounds, whiskers reach from the lowest to the highest.</p>\
    <p class=\"legend\"><span class=\"swatch reseau\"></span>reseau \
    <span class=\"swatch peer\"></span>peers \
    <span class=\"swatch raw\"></span>raw loops</p>\n";

const METHOD: &str = "\
    <p>Before it is measured, each server has to echo 2 MiB of noise, sent in odd pieces on two \
    connections, byte for byte, and to answer a half-close with an end. The load is one thread \
    on epoll. Its loop is closed: a connection sends its next message when the last one is back, \
    so a slow server is asked less often, and latencies are those of an equal number of messages \
    in flight, not of an equal rate. The end of a message is when the load learns of it. Where \
    the server has the core for itself, throughput and CPU say the same thing twice; where the \
    load is the slower side, only CPU compares. A virtual machine's host may move its cores, and \
    a message costs up to three times as much when they are far apart: the distance is measured \
    before every visit (in the JSON), and multiples are medians of those within a round.</p>\
    <p>Datagrams: before it is measured, each server has to send back datagrams of all lengths \
    from none to 2,048 bytes, single ones and trains. In an echo the number in flight is bounded; \
    what has not come back after 200 ms is sent again and counted as lost, and its latency runs \
    from when it was first sent. In a flood the server counts, and says with its count what \
    processor time it had used at that moment; lost is what the other side did not receive. Every \
    datagram has its number, and lengths and order are checked. On a loopback the sender's core \
    carries a datagram as far as the receiver's socket: sending looks dear and receiving cheap \
    beside a network card.</p>\
    <p>TLS: 1.3, X25519, AES-256-GCM, and one certificate (ECDSA, P-256) for all, made for the \
    run; the load speaks it by rustls. Before it is measured, each server has to echo under TLS \
    to a client that checks its signature, and to answer a close_notify with one. A handshake is \
    a connection: TCP's, TLS's, two tickets, close_notify, end; whether a session was taken up \
    again is checked on each.</p>\n";

const STYLE: &str = "
:root { --ink:#1a222c; --soft:#5c6875; --paper:#fff; --band:#f4f6f8; --line:#dde2e8;
  --reseau:#d2541b; --peer:#4a78ad; --raw:#8a929b; --good:#1d7f4a; --bad:#b3261e; --warm:#e9a23b; }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e4e9ee; --soft:#98a4b0; --paper:#13171c; --band:#1b2027; --line:#323a44;
    --reseau:#f07b42; --peer:#6f9fd6; --raw:#87909a; --good:#58c48a; --bad:#f2857d;
    --warm:#b5741a; } }
* { box-sizing:border-box }
body { margin:0; background:var(--paper); color:var(--ink);
  font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif }
main { max-width:1340px; margin:0 auto; padding:24px 28px 60px }
h1 { font-size:26px; margin:0 0 8px } h2 { font-size:18px; margin:0 0 4px }
h2 code { font-size:13px; font-weight:400; color:var(--soft); margin-left:6px }
p { margin:4px 0 10px; max-width:100ch; color:var(--soft) }
section { margin-top:34px }
.scroll { overflow-x:auto }
svg { display:block; width:100%; min-width:900px; height:auto }
svg text { font-size:12px; fill:var(--ink) }
.head { fill:var(--soft) !important } .name { text-anchor:end }
.name.reseau { font-weight:700; fill:var(--reseau) !important }
.tick { text-anchor:middle; fill:var(--soft) !important; font-size:11px !important }
.value { font-variant-numeric:tabular-nums }
.excuse { fill:var(--bad) !important }
.band { fill:var(--band) } rect.none { fill:none }
.grid { stroke:var(--line); stroke-width:1 }
.whisker { stroke:var(--ink); stroke-width:1.3; fill:none; opacity:.75 }
rect.reseau, circle.reseau { fill:var(--reseau) } rect.peer, circle.peer { fill:var(--peer) }
rect.raw, circle.raw { fill:var(--raw) } rect.system { opacity:.45 }
.dark { fill:var(--peer) } .pale { fill:var(--peer); opacity:.45 }
.run { stroke-width:2; opacity:.45 }
.run.reseau { stroke:var(--reseau) } .run.peer { stroke:var(--peer) } .run.raw { stroke:var(--raw) }
circle.hollow { fill:var(--paper) } circle.hollow.reseau { stroke:var(--reseau) }
circle.hollow.peer { stroke:var(--peer) } circle.hollow.raw { stroke:var(--raw) }
circle.hollow { stroke-width:1.6 }
.legend { color:var(--ink) }
.swatch { display:inline-block; width:12px; height:12px; margin:0 5px 0 12px; border-radius:2px }
.swatch:first-child { margin-left:0 }
.swatch.reseau { background:var(--reseau) } .swatch.peer { background:var(--peer) }
.swatch.raw { background:var(--raw) }
table { border-collapse:collapse; font-size:13px; font-variant-numeric:tabular-nums }
th, td { padding:4px 10px; text-align:right; border-bottom:1px solid var(--line); font-weight:400;
  white-space:nowrap }
thead th { color:var(--soft); vertical-align:bottom }
tbody th, th:first-child, .left { text-align:left }
.ours th { font-weight:700; color:var(--reseau) }
.glance td { background:color-mix(in srgb, var(--warm) var(--shade, 0%), transparent) }
.glance td small { display:block; color:var(--soft); font-size:11px }
.glance td.other small { color:inherit; opacity:.75 }
.glance td.best { font-weight:700; color:var(--good) }
.none { color:var(--soft); background:none !important }
.met { color:var(--good) } .missed { color:var(--bad); font-weight:700 }
details { margin-top:6px } summary { cursor:pointer; color:var(--soft); font-size:13px }
.pair { display:flex; flex-wrap:wrap; gap:28px; align-items:flex-start; margin-bottom:14px }
.pair td { white-space:normal; max-width:70ch } .pair th { vertical-align:top }
";
