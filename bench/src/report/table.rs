//! The findings as text.

use super::{budgets, duration, human};
use crate::figures::{Figures, Findings, Outcome, Section};
use crate::scenario::{Scenario, Unit};

pub(super) fn text(findings: &Findings) -> String {
    let mut text = String::new();
    for section in &findings.sections {
        text += &one(section);
    }
    for (server, outcome) in &findings.absent {
        text += &format!("\n{}: {}\n", server.name, outcome.excuse());
    }
    let budgets = budgets::check(findings);
    if !budgets.is_empty() {
        text += "\nBudgets\n";
    }
    for budget in budgets {
        let mark = if budget.met { "ok  " } else { "MISS" };
        text += &format!("  {mark} {:<50} {}\n", budget.what, budget.found);
    }
    text.push('\n');
    text
}

fn one(section: &Section) -> String {
    let heads = heads(&section.scenario);
    let mut rows = vec![heads];
    let mut notes = Vec::new();
    for (server, outcome) in &section.rows {
        match outcome {
            Outcome::Measured(figures) => {
                let mut row = vec![server.name.to_owned()];
                row.extend(cells(&section.scenario, figures));
                rows.push(row);
            }
            _ => notes.push(format!("  {}: {}\n", server.name, outcome.excuse())),
        }
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = format!("\n{}\n", section.scenario.title);
    for row in rows {
        let mut line = format!("  {:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            line += &format!("  {cell:>width$}");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text + &notes.concat()
}

/// The columns of a scenario, the server's first.
pub(super) fn heads(scenario: &Scenario) -> Vec<String> {
    let mut heads = vec!["server".to_owned(), scenario.unit.rate().0.to_owned(), "min…max".into()];
    if scenario.unit != Unit::Memory {
        heads.extend(
            [scenario.unit.cost().0, "min…max", "user", "system", "of it softirq"]
                .map(str::to_owned),
        );
        heads.push("user instr".to_owned());
    }
    if scenario.has_latencies() {
        heads.extend(["p50", "p99", "p99.9"].map(str::to_owned));
    }
    if scenario.unit == Unit::Packets {
        heads.push("lost".to_owned());
    }
    heads
}

/// The cells of a server, below [`heads`] without its first.
pub(super) fn cells(scenario: &Scenario, figures: &Figures) -> Vec<String> {
    let rate = figures.rate.scaled(1.0 / scenario.unit.rate().1);
    let span = |low: f64, high: f64| format!("{}…{}", human(low), human(high));
    let mut cells = vec![human(rate.median), span(rate.low, rate.high)];
    if scenario.unit == Unit::Memory {
        return cells;
    }
    let per = scenario.unit.cost().1;
    let cpu = figures.cpu.scaled(per / 1e3);
    cells.extend([human(cpu.median), span(cpu.low, cpu.high)]);
    cells.push(human(figures.user.median * per / 1e3));
    cells.push(human(figures.system.median * per / 1e3));
    cells.push(human(figures.softirq.median * per / 1e3));
    let instructions = figures.user_instructions.map(|count| human(count * per));
    cells.push(instructions.unwrap_or_else(|| "-".into()));
    if scenario.has_latencies() {
        for q in [0.5, 0.99, 0.999] {
            let latency = figures.latency.as_ref().map(|latency| duration(latency.at(q).median));
            cells.push(latency.unwrap_or_else(|| "-".into()));
        }
    }
    if scenario.unit == Unit::Packets {
        let lost = figures.lost.map(|lost| format!("{} %", human(lost.median * 100.0)));
        cells.push(lost.unwrap_or_else(|| "-".into()));
    }
    cells
}
