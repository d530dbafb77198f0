//! What is written at the end: a table, a page, and the same as data.

mod budgets;
mod chart;
mod html;
mod json;
mod table;

use std::fs;
use std::io;
use std::path::Path;

use crate::figures::Findings;

/// Everything that is known after a run.
pub(crate) struct Report {
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) versions: Vec<(&'static str, String)>,
    pub(crate) findings: Findings,
}

impl Report {
    /// The table, on standard output.
    pub(crate) fn print(&self) {
        print!("{}", table::text(&self.findings));
    }

    /// `report.html` and `report.json`.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for (name, text) in [("report.html", html::page(self)), ("report.json", json::text(self))] {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
            println!("wrote {}", path.display());
        }
        Ok(())
    }
}

/// Three significant digits or so, thousands apart: for people.
fn human(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 0.1 || v == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((&text[..], None), |(w, f)| (w, Some(f)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |rest| ("-", rest));
    let mut grouped = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped += fraction;
    }
    grouped
}

/// Nanoseconds, in the unit that suits.
fn duration(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{} µs", human(ns / 1e3)),
        ns => format!("{} ms", human(ns / 1e6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let cases = [
            (0.0, "0.00"),
            (0.0123, "0.012"),
            (5.789, "5.79"),
            (57.89, "57.9"),
            (1234.5, "1,234"),
            (-1_234_567.0, "-1,234,567"),
            (999.7, "1,000"),
        ];
        for (value, text) in cases {
            assert_eq!(human(value), text);
        }
        assert_eq!(duration(950.0), "950 ns");
        assert_eq!(duration(12_345.0), "12.3 µs");
        assert_eq!(duration(2_500_000.0), "2.50 ms");
    }
}
