//! The plots of one scenario, drawn side by side with one row for each server.

use super::{duration, human};
use crate::figures::{Figures, Outcome, QUANTILES, Section, Spread};
use crate::scenario::Unit;
use crate::servers::{Family, Server};

/// The plots of a section, as one SVG element.
pub(super) fn svg(section: &Section) -> String {
    let rows = &section.rows;
    let height = TOP + rows.len() as f64 * ROW + BOTTOM;
    let unit = section.scenario.unit;
    let memory = unit == Unit::Memory;
    let width = if memory { NAMES + WIDE + PAD } else { WIDTH };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" style=\"max-width:{width}px\" role=\"img\" \
         aria-label=\"{}\">\n",
        escape(section.scenario.title)
    );
    svg += &names(section, width);
    if memory {
        let panel = Panel { x: NAMES, width: WIDE - LABEL };
        svg += &rates(section, panel, "private bytes per connection (less is better)");
    } else {
        let (name, _) = unit.rate();
        let panel = Panel { x: NAMES, width: PLOT };
        svg += &rates(section, panel, &format!("{name} (more is better)"));
        svg += &costs(section, Panel { x: NAMES + PLOT + LABEL + GAP, width: PLOT });
        let x = NAMES + 2.0 * (PLOT + LABEL + GAP) + GAP / 2.0;
        svg += &latencies(section, Panel { x, width: WIDTH - PAD - x });
    }
    svg + "</svg>\n"
}

/// A part of the drawing, with a scale of its own.
#[derive(Clone, Copy)]
struct Panel {
    x: f64,
    width: f64,
}

impl Panel {
    fn title(self, text: &str) -> String {
        let (x, y) = (self.x, TOP - 14.0);
        format!("<text class=\"head\" x=\"{x:.1}\" y=\"{y}\">{}</text>\n", escape(text))
    }

    /// A vertical line of the grid, with its value below.
    fn grid(self, x: f64, rows: usize, label: &str) -> String {
        let bottom = TOP + rows as f64 * ROW;
        format!(
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{}\">{}</text>\n",
            bottom + 15.0,
            escape(label)
        )
    }

    /// The grid of a linear scale from zero.
    fn scale(self, max: f64, rows: usize) -> String {
        let step = step(max / 3.0);
        let mut text = String::new();
        let mut value = 0.0;
        while value <= max {
            text += &self.grid(self.x + value / max * self.width, rows, &short(value));
            value += step;
        }
        text
    }

    fn whisker(self, spread: Spread, max: f64, row: usize) -> String {
        if spread.low == spread.high {
            return String::new();
        }
        let y = TOP + row as f64 * ROW + ROW / 2.0;
        let at = |value: f64| self.x + value / max * self.width;
        let (low, high) = (at(spread.low), at(spread.high));
        let (top, bottom) = (y - 3.5, y + 3.5);
        format!(
            "<path class=\"whisker\" d=\"M{low:.1} {top}V{bottom}M{high:.1} {top}V{bottom}\
             M{low:.1} {y}H{high:.1}\"/>\n"
        )
    }

    fn bar(self, from: f64, to: f64, max: f64, row: usize, class: &str) -> String {
        let (x, width) = (self.x + from / max * self.width, (to - from) / max * self.width);
        let (y, height) = (TOP + row as f64 * ROW + 4.0, ROW - 8.0);
        format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"{height}\"/>",
            width.max(0.5)
        )
    }

    /// A value to the right of a bar and its whisker.
    fn label(self, after: f64, max: f64, row: usize, text: &str) -> String {
        let x = self.x + after / max * self.width + 6.0;
        let y = TOP + row as f64 * ROW + ROW / 2.0 + 4.0;
        format!("<text class=\"value\" x=\"{x:.1}\" y=\"{y}\">{}</text>\n", escape(text))
    }
}

fn names(section: &Section, width: f64) -> String {
    let mut text = String::new();
    for (row, (server, outcome)) in section.rows.iter().enumerate() {
        let y = TOP + row as f64 * ROW;
        let (band, middle) = (if row % 2 == 0 { "band" } else { "none" }, y + ROW / 2.0 + 4.0);
        text += &format!(
            "<rect class=\"{band}\" x=\"0\" y=\"{y}\" width=\"{width}\" height=\"{ROW}\"/>\
             <text class=\"name {}\" x=\"{}\" y=\"{middle}\"><title>{}</title>{}</text>\n",
            class(server),
            NAMES - 10.0,
            escape(server.about),
            server.name,
        );
        if outcome.figures().is_none() {
            text += &format!(
                "<text class=\"excuse\" x=\"{}\" y=\"{middle}\">{}</text>\n",
                NAMES + 8.0,
                escape(&outcome.excuse())
            );
        }
    }
    text
}

fn rates(section: &Section, panel: Panel, title: &str) -> String {
    let divisor = section.scenario.unit.rate().1;
    let max = largest(section, |figures| figures.rate.high / divisor);
    let mut text = panel.title(title) + &panel.scale(max, section.rows.len());
    for (row, server, figures) in measured(section) {
        let rate = figures.rate.scaled(1.0 / divisor);
        text += &panel.bar(0.0, rate.median, max, row, class(server));
        text += &panel.whisker(rate, max, row);
        text += &panel.label(rate.high, max, row, &human(rate.median));
    }
    text
}

fn costs(section: &Section, panel: Panel) -> String {
    let (name, per) = section.scenario.unit.cost();
    let max = largest(section, |figures| figures.cpu.high * per / 1e3);
    let mut text = panel.scale(max, section.rows.len());
    // One text, so that the key follows the words at whatever width the reader's font gives them.
    text += &format!(
        "<text class=\"head\" x=\"{:.1}\" y=\"{}\">{}: <tspan class=\"dark\">■</tspan> user \
         <tspan class=\"pale\">■</tspan> system</text>\n",
        panel.x,
        TOP - 14.0,
        escape(name)
    );
    for (row, server, figures) in measured(section) {
        let cpu = figures.cpu.scaled(per / 1e3);
        let user = (figures.user.median * per / 1e3).min(cpu.median);
        let family = class(server);
        text += &panel.bar(0.0, user, max, row, &format!("{family} user"));
        text += &panel.bar(user, cpu.median, max, row, &format!("{family} system"));
        text += &panel.whisker(cpu, max, row);
        text += &panel.label(cpu.high, max, row, &human(cpu.median));
    }
    text
}

fn latencies(section: &Section, panel: Panel) -> String {
    let all = || measured(section).filter_map(|(.., figures)| figures.latency.as_ref());
    if all().next().is_none() {
        return String::new();
    }
    let of = |place: usize| all().map(move |latency| latency.spreads[place]);
    let low = of(0).map(|spread| spread.low).fold(f64::MAX, f64::min).max(1.0) / 1.15;
    let high = of(SHOWN - 1).map(|spread| spread.high).fold(low * 2.0, f64::max) * 1.15;
    let at = |ns: f64| panel.x + (ns / low).ln() / (high / low).ln() * panel.width;
    let mut text = panel.title("latency, log scale: p50 ● p90 · p99 ● p99.9 ○");
    for decade in 0..10 {
        for digit in [1.0, 2.0, 5.0] {
            let ns = digit * 10_f64.powi(decade);
            // Where the scale is long, a grid of decades is enough.
            let crowded = high / low > 400.0 && digit > 1.0;
            if ns > low && ns < high && !crowded {
                text += &panel.grid(at(ns), section.rows.len(), &tick(ns));
            }
        }
    }
    for (row, server, figures) in measured(section) {
        let Some(latency) = &figures.latency else { continue };
        let y = TOP + row as f64 * ROW + ROW / 2.0;
        let family = class(server);
        let shown = &latency.spreads[..SHOWN];
        let (first, last) = (at(shown[0].median), at(shown[SHOWN - 1].median));
        text += &format!("<path class=\"{family} run\" d=\"M{first:.1} {y}H{last:.1}\"/>\n");
        for (i, spread) in shown.iter().enumerate() {
            let hollow = if i == SHOWN - 1 { " hollow" } else { "" };
            text += &format!(
                "<circle class=\"{family} dot{hollow}\" cx=\"{:.1}\" cy=\"{y}\" r=\"{}\">\
                 <title>{} p{}: {} ({} to {})</title></circle>\n",
                at(spread.median),
                [4.5, 3.0, 4.5, 3.5][i],
                server.name,
                QUANTILES[i] * 100.0,
                duration(spread.median),
                duration(spread.low),
                duration(spread.high),
            );
        }
    }
    text
}

fn measured(section: &Section) -> impl Iterator<Item = (usize, &'static Server, &Figures)> {
    section.rows.iter().enumerate().filter_map(|(row, (server, outcome))| match outcome {
        Outcome::Measured(figures) => Some((row, *server, &**figures)),
        _ => None,
    })
}

fn largest(section: &Section, value: impl Fn(&Figures) -> f64) -> f64 {
    measured(section).map(|(.., figures)| value(figures)).fold(f64::MIN_POSITIVE, f64::max)
}

fn class(server: &Server) -> &'static str {
    match server.family {
        Family::Reseau => "reseau",
        Family::Peer => "peer",
        Family::Raw => "raw",
    }
}

/// The round number at or above `value`: 1, 2 or 5 and zeros.
fn step(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|digit| digit * decade)
        .into_iter()
        .find(|&s| s >= value)
        .unwrap_or(value)
}

/// A value of a scale, without needless digits.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e4 => format!("{}k", v / 1e3),
        v => format!("{}", (v * 1e6).round() / 1e6),
    }
}

fn tick(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns} ns"),
        ns if ns < 1e6 => format!("{} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{} ms", ns / 1e6),
        ns => format!("{} s", ns / 1e9),
    }
}

/// For text and attributes of HTML and SVG.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const WIDTH: f64 = 1280.0;
const NAMES: f64 = 176.0;
const PLOT: f64 = 250.0;
const WIDE: f64 = 700.0;
/// Room for a value to the right of the longest bar.
const LABEL: f64 = 62.0;
const GAP: f64 = 26.0;
const PAD: f64 = 16.0;
const TOP: f64 = 34.0;
const ROW: f64 = 26.0;
const BOTTOM: f64 = 26.0;
/// How many of [`QUANTILES`] are drawn.
const SHOWN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_large_enough() {
        for value in [0.003, 0.9, 1.0, 1.1, 4.0, 7.0, 12_345.0] {
            let step = step(value);
            assert!(step >= value && step <= value * 10.0, "{value}: {step}");
        }
        assert_eq!(step(30.0), 50.0);
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("a<b & \"c\""), "a&lt;b &amp; &quot;c&quot;");
    }
}
