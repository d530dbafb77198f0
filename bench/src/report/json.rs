//! The findings as data.

use super::{Report, budgets};
use crate::figures::{Figures, Outcome, QUANTILES, Spread};
use crate::servers::Server;

pub(super) fn text(report: &Report) -> String {
    let named = |pairs: &[(&'static str, String)]| {
        object(pairs.iter().map(|(name, value)| (*name, string(value))))
    };
    let findings = &report.findings;
    let scenarios = findings.sections.iter().map(|section| {
        let rows = section.rows.iter().map(|(server, outcome)| row(server, outcome));
        object([
            ("name", string(section.scenario.name)),
            ("title", string(section.scenario.title)),
            ("unit", string(section.scenario.unit.rate().0)),
            ("servers", array(rows)),
        ])
    });
    let absent = findings.absent.iter().map(|(server, outcome)| row(server, outcome));
    let budgets = budgets::check(findings).into_iter().map(|budget| {
        object([
            ("what", string(&budget.what)),
            ("found", string(&budget.found)),
            ("met", budget.met.to_string()),
        ])
    });
    object([
        ("units", string("rates per second (idle: bytes per connection); times in nanoseconds")),
        ("facts", named(&report.facts)),
        ("versions", named(&report.versions)),
        ("scenarios", array(scenarios)),
        ("absent", array(absent)),
        ("budgets", array(budgets)),
    ]) + "\n"
}

fn row(server: &Server, outcome: &Outcome) -> String {
    let state = match outcome {
        Outcome::Measured(_) => "measured",
        Outcome::Unavailable(_) => "unavailable",
        Outcome::Failed(_) => "failed",
    };
    let mut fields = vec![("server", string(server.name)), ("state", string(state))];
    match outcome {
        Outcome::Measured(figures) => fields.extend(numbers(figures)),
        Outcome::Unavailable(why) | Outcome::Failed(why) => fields.push(("why", string(why))),
    }
    object(fields)
}

fn numbers(figures: &Figures) -> Vec<(&'static str, String)> {
    let mut fields = vec![("rate", spread(figures.rate))];
    if figures.cpu.median > 0.0 {
        let split = if figures.counted { "cycles" } else { "ticks" };
        fields.extend([
            ("cpu_per_op", spread(figures.cpu)),
            ("cpu_user_per_op", spread(figures.user)),
            ("cpu_system_per_op", spread(figures.system)),
            ("cpu_ksoftirqd_per_op", spread(figures.softirq)),
            ("split_by", string(split)),
        ]);
    }
    if let Some(instructions) = figures.user_instructions {
        fields.push(("user_instructions_per_op", format!("{instructions:.1}")));
    }
    if let Some(instructions) = figures.system_instructions {
        fields.push(("system_instructions_per_op", format!("{instructions:.1}")));
    }
    if let Some(lost) = figures.lost {
        let number = |share: f64| format!("{share:.6}");
        let Spread { low, median, high } = lost;
        let ends = [("median", median), ("min", low), ("max", high)];
        fields.push(("lost", object(ends.map(|(name, share)| (name, number(share))))));
    }
    let rounds = figures.rounds.iter().map(|round| {
        let distance = round.distance.map_or_else(|| "null".to_owned(), |ns| format!("{ns:.0}"));
        object([
            ("rate", format!("{:.3}", round.rate)),
            ("cpu_per_op", format!("{:.3}", round.cpu)),
            ("p99", format!("{:.0}", round.p99)),
            ("core_to_core", distance),
        ])
    });
    fields.push(("rounds", array(rounds)));
    if let Some(latency) = &figures.latency {
        let names = QUANTILES.map(|q| format!("p{}", q * 100.0));
        let spreads = latency.spreads.map(spread);
        let mut latencies: Vec<(&str, String)> =
            names.iter().map(String::as_str).zip(spreads).collect();
        latencies.push(("max", latency.max.to_string()));
        latencies.push(("count", latency.count.to_string()));
        fields.push(("latency", object(latencies)));
    }
    fields
}

fn spread(spread: Spread) -> String {
    let number = |value: f64| format!("{value:.3}");
    object([
        ("median", number(spread.median)),
        ("min", number(spread.low)),
        ("max", number(spread.high)),
    ])
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields = fields.into_iter().map(|(name, value)| format!("{}: {value}", string(name)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[\n{}\n]", items.collect::<Vec<_>>().join(",\n"))
}

fn string(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if (letter as u32) < 0x20 => quoted += &format!("\\u{:04x}", letter as u32),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted() {
        assert_eq!(string("a\"b\\c\nµ"), "\"a\\\"b\\\\c\\u000aµ\"");
    }

    #[test]
    fn objects_and_arrays_nest() {
        let inner = object([("a", "1".to_owned()), ("b", "[]".to_owned())]);
        assert_eq!(inner, "{\"a\": 1, \"b\": []}");
        assert_eq!(array([inner].into_iter()), "[\n{\"a\": 1, \"b\": []}\n]");
    }
}
