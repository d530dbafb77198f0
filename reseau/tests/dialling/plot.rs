//! The page about dialling: its table and its plot are made of simulated runs, and compared.
use crate::networks::{NETWORKS, Network};
use crate::simulated::{Run, dial};
use crate::watchdog::watched;
use reseau::dial::{AttemptRecord, LookupRecord, Outcome};
use reseau::dns::IpFamily;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[test]
fn the_documentation_has_the_plot_of_the_code() {
    watched("the_documentation_has_the_plot_of_the_code", || {
        check("dialling.svg", |_| plot());
    });
}

#[test]
fn the_documentation_has_the_table_of_the_code() {
    watched("the_documentation_has_the_table_of_the_code", || {
        check("dialling.md", |page| {
            let (head, rest) = page.split_once(BEGIN).expect("the table's place");
            let (_, tail) = rest.split_once(END).expect("the table's end");
            format!("{head}{BEGIN}{}{END}{tail}", table())
        });
    });
}

/// Compares a file of the documentation with what the code makes of it, or writes it.
fn check(file: &str, make: impl Fn(&str) -> String) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file);
    if !path.parent().is_some_and(Path::exists) {
        return; // A package does not have it.
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let page = make(&there);
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(&path, page).expect("the documentation can be written");
    }
    assert!(there == page, "docs/{file} is not what the code makes: run this test with UPDATE=1");
}

fn table() -> String {
    let mut table = String::from(
        "\n| network | connected | after | why (ms, one after the other) |\n|---|---|---|---|\n",
    );
    for network in NETWORKS {
        let run = dial(network, SEED);
        let to = match &run.end {
            Ok(ip) if ip.is_ipv6() => format!("IPv6 ({ip})"),
            Ok(ip) => format!("IPv4 ({ip})"),
            Err(kind) => format!("no: {kind}"),
        };
        let terms = network.terms.iter().map(|term| format!("{} {}", term.millis(), term.name()));
        let why = terms.collect::<Vec<_>>().join(" + ");
        let _ = writeln!(table, "| {} | {to} | {} ms | {why} |", network.name, millis(run.took));
    }
    table
}

/// A band for each network: its lookups and attempts as bars, and the moment at which it was over.
fn plot() -> String {
    let runs: Vec<_> = NETWORKS.iter().map(|network| (network, dial(network, SEED))).collect();
    let heights = runs.iter().map(|(_, run)| height(run));
    let full = TOP + heights.sum::<u64>() + 40;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {full}\" \
         width=\"{WIDTH}\" height=\"{full}\" font-family=\"sans-serif\" font-size=\"11\">\n{STYLE}\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{full}\"/>"
    );
    legend(&mut svg);
    for at in (0..=1000).step_by(50) {
        let class = if at % 250 == 0 { "mark" } else { "line" };
        let (x, end) = (x(at), full - 30);
        let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{x} {TOP}V{end}\"/>");
        if at % 250 == 0 {
            let y = full - 14;
            let _ =
                writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{at} ms</text>");
        }
    }
    let mut y = TOP;
    for (network, run) in &runs {
        band(&mut svg, network, run, y);
        y += height(run);
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String) {
    let entries =
        [("asked", "lookup"), ("won", "connected"), ("failed", "failed"), ("given", "given up")];
    let mut at = LEFT;
    for (class, name) in entries {
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{at}\" y=\"10\" width=\"14\" height=\"{BAR}\"/>\
             <text x=\"{}\" y=\"17\">{name}</text>",
            at + 19
        );
        at += 40 + 7 * name.len() as u64;
    }
}

fn band(svg: &mut String, network: &Network, run: &Run, y: u64) {
    let (name, middle) = (network.name, y + 15);
    let _ = writeln!(svg, "<path class=\"edge\" d=\"M0 {y}H{WIDTH}\"/>");
    let _ = writeln!(svg, "<text class=\"name\" x=\"8\" y=\"{middle}\">{name}</text>");
    let mut lane = y + 6;
    for lookup in run.report.lookups() {
        let kind = if lookup.family() == IpFamily::V6 { "AAAA" } else { "A" };
        bar(svg, kind, "asked", lookup_span(lookup), lane);
        lane += LANE;
    }
    for attempt in run.report.attempts() {
        let (label, class) = (attempt.addr().inet().unwrap().ip().to_string(), class(attempt));
        bar(svg, &label, class, (attempt.start(), attempt.duration()), lane);
        lane += LANE;
    }
    let (x, end) = (x(run.took.as_millis() as u64), lane - 2);
    let class = if run.end.is_ok() { "there" } else { "over" };
    let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{x} {}V{end}\"/>", y + 3);
    let took = millis(run.took);
    let _ = writeln!(
        svg,
        "<text class=\"took\" x=\"{}\" y=\"{}\">{took} ms</text>",
        x.min(WIDTH - 52) + 4,
        y + 13
    );
}

fn bar(svg: &mut String, label: &str, class: &str, (start, took): (Duration, Duration), y: u64) {
    let (from, to) = (x(start.as_millis() as u64), x((start + took).as_millis() as u64));
    let (width, text, base) = ((to - from).max(2), LEFT - 6, y + BAR);
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{from}\" y=\"{y}\" width=\"{width}\" height=\"{BAR}\"/>\
         <text class=\"small\" x=\"{text}\" y=\"{base}\" text-anchor=\"end\">{label}</text>"
    );
}

fn class(attempt: &AttemptRecord) -> &'static str {
    match attempt.outcome() {
        Outcome::Done => "won",
        Outcome::Failed(_) => "failed",
        _ => "given",
    }
}

fn lookup_span(lookup: &LookupRecord) -> (Duration, Duration) {
    (lookup.start(), lookup.duration())
}

fn height(run: &Run) -> u64 {
    let lanes = run.report.lookups().len() + run.report.attempts().len();
    (lanes as u64 * LANE + 10).max(24)
}

fn x(ms: u64) -> u64 {
    LEFT + ms * (WIDTH - LEFT - 60) / 1000
}

fn millis(span: Duration) -> String {
    let micros = span.as_micros();
    match micros % 1000 {
        0 => format!("{}", micros / 1000),
        rest => format!("{}.{rest:03}", micros / 1000),
    }
}

const SEED: u64 = 7;
const WIDTH: u64 = 1000;
const LEFT: u64 = 330;
const TOP: u64 = 32;
const BAR: u64 = 8;
const LANE: u64 = 13;
const BEGIN: &str = "<!-- made by tests/dialling/plot.rs -->\n";
const END: &str = "\n<!-- end -->";
const STYLE: &str = "<style>\n\
    .page{fill:#fff} text{fill:#222} .name{font-weight:bold} .small{font-size:9px;fill:#666}\n\
    .line{stroke:#eee} .mark{stroke:#bbb} .edge{stroke:#ddd} .took{font-weight:bold}\n\
    .asked{fill:#9aa5b1} .won{fill:#2a9d63} .failed{fill:#d1495b} .given{fill:#edae49}\n\
    .there{stroke:#17663f;stroke-width:2} .over{stroke:#8a1c2c;stroke-width:2}\n</style>\n";
