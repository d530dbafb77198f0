//! What is printed while a server runs: one line that is redrawn on a terminal, a line now and
//! then where nobody watches.
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::tally::{DatagramTotals, HandshakeTotals, Totals};
use crate::figures;
use crate::paint;

/// The running commentary, and the summary at the end.
#[derive(Debug)]
pub(crate) struct Meter {
    live: bool,
    started: Instant,
    shown: Totals,
    shown_at: Instant,
    /// A line without its end stands on the terminal.
    drawn: bool,
    /// stdout is gone: serve on in silence.
    silent: bool,
}

impl Meter {
    pub(crate) fn new(live: bool, now: Instant) -> Self {
        let shown = Totals::default();
        Self { live, started: now, shown, shown_at: now, drawn: false, silent: false }
    }

    /// How long until the next [`show`](Self::show).
    pub(crate) fn pause(&self) -> Duration {
        if self.live { LIVE } else { PLAIN }
    }

    /// Shows the totals if there is anything new to see.
    pub(crate) fn show(&mut self, totals: Totals, now: Instant, to: &mut impl Write) {
        if !self.live && totals == self.shown {
            return;
        }
        let span = now.duration_since(self.shown_at);
        let line = line(&totals, &self.shown, span);
        let printed = if self.live {
            // To the start of the line, clear it, and write without ending it; what is too long for
            // the terminal must not begin another line.
            write!(to, "\r\x1b[2K\x1b[?7l{line}\x1b[?7h")
        } else {
            writeln!(to, "{line}")
        };
        self.drawn = self.live;
        self.printed(printed.and_then(|()| to.flush()));
        (self.shown, self.shown_at) = (totals, now);
    }

    /// Says what was done in all.
    pub(crate) fn end(&mut self, totals: Totals, now: Instant, to: &mut impl Write) {
        let clear = if self.drawn { "\r\x1b[2K" } else { "" };
        let text = summary(&totals, now.duration_since(self.started));
        let (title, faint) = (paint::TITLE, paint::FAINT);
        let printed = writeln!(to, "{clear}{title}stopped{title:#} {faint}{text}{faint:#}");
        self.printed(printed.and_then(|()| to.flush()));
    }

    fn printed(&mut self, result: io::Result<()>) {
        self.silent |= result.is_err();
    }

    /// Whether stdout has gone.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }
}

fn line(now: &Totals, before: &Totals, span: Duration) -> String {
    let seconds = span.as_secs_f64().max(f64::MIN_POSITIVE);
    let rate = |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds) as u64;
    let mut text = format!(
        "{} open, {} in all | {}, {}/s | in {}, out {}, {}/s",
        figures::count(now.open()),
        figures::count(now.opened),
        figures::of(now.messages, "message"),
        figures::count(rate(now.messages, before.messages)),
        figures::bytes(now.bytes_in),
        figures::bytes(now.bytes_out),
        figures::bytes(rate(now.bytes_in, before.bytes_in)),
    );
    if now.tls != HandshakeTotals::default() {
        text.push_str(&format!(" | tls {}", handshakes(&now.tls)));
    }
    for ((name, now), (_, before)) in datagrams(now).into_iter().zip(datagrams(before)) {
        if now != DatagramTotals::default() {
            text.push_str(&format!(
                " | {name} {}, {}/s, in {}, out {}",
                figures::of(now.received, "packet"),
                figures::count(rate(now.received, before.received)),
                figures::bytes(now.bytes_in),
                figures::bytes(now.bytes_out),
            ));
        }
    }
    text
}

fn summary(totals: &Totals, span: Duration) -> String {
    let mut text = format!(
        "after {}: {}, {}, {} in, {} out",
        figures::span(span),
        figures::of(totals.opened, "connection"),
        figures::of(totals.messages, "message"),
        figures::bytes(totals.bytes_in),
        figures::bytes(totals.bytes_out),
    );
    flaws(
        &mut text,
        &[
            (totals.failed, "ended with an error"),
            (totals.refused, "could not be accepted"),
            (totals.open(), "cut off by the end"),
        ],
    );
    if totals.tls != HandshakeTotals::default() {
        text.push_str(&format!("; tls {}", handshakes(&totals.tls)));
    }
    for (name, totals) in datagrams(totals) {
        if totals == DatagramTotals::default() {
            continue;
        }
        text.push_str(&format!(
            "; {name} {}, {} in, {} out",
            figures::of(totals.received, "packet"),
            figures::bytes(totals.bytes_in),
            figures::bytes(totals.bytes_out),
        ));
        flaws(
            &mut text,
            &[
                (totals.nameless, "from senders without a name"),
                (totals.cut, "too long"),
                (totals.unanswered, "whose sender took no answer"),
                (totals.failed, "could not be received"),
            ],
        );
    }
    text
}

fn handshakes(totals: &HandshakeTotals) -> String {
    let mut text = figures::of(totals.done, "handshake");
    flaws(&mut text, &[(totals.resumed, "resumed"), (totals.failed, "failed")]);
    text
}

/// Names what went wrong, if it did.
fn flaws(text: &mut String, counts: &[(u64, &str)]) {
    for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!(", {} {what}", figures::count(*count)));
    }
}

fn datagrams(totals: &Totals) -> [(&'static str, DatagramTotals); 2] {
    [("udp", totals.udp), ("unixgram", totals.unixgram)]
}

/// Often enough to look alive.
const LIVE: Duration = Duration::from_secs(1);
/// Seldom enough not to fill a log.
const PLAIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Totals = Totals {
        opened: 3,
        closed: 1,
        failed: 1,
        refused: 0,
        messages: 1_200,
        bytes_in: 4096,
        bytes_out: 2048,
        tls: HandshakeTotals { done: 0, resumed: 0, failed: 0 },
        udp: NONE,
        unixgram: NONE,
    };

    const NONE: DatagramTotals = DatagramTotals {
        received: 0,
        sent: 0,
        bytes_in: 0,
        bytes_out: 0,
        nameless: 0,
        cut: 0,
        unanswered: 0,
        failed: 0,
    };

    #[test]
    fn plain_lines_come_only_when_something_changed() {
        let start = reseau::clock::now();
        let mut meter = Meter::new(false, start);
        let mut out = Vec::new();
        meter.show(Totals::default(), start, &mut out);
        assert!(out.is_empty());
        meter.show(SOME, start + Duration::from_secs(2), &mut out);
        let wanted =
            "2 open, 3 in all | 1,200 messages, 600/s | in 4.0 KiB, out 2.0 KiB, 2.0 KiB/s\n";
        assert_eq!(String::from_utf8_lossy(&out), wanted);
        meter.show(SOME, start + Duration::from_secs(4), &mut out);
        assert_eq!(out.len(), wanted.len());
    }

    #[test]
    fn the_live_line_is_redrawn_and_cleared_before_the_summary() {
        let start = reseau::clock::now();
        let mut meter = Meter::new(true, start);
        let mut out = Vec::new();
        meter.show(SOME, start, &mut out);
        meter.show(SOME, start + LIVE, &mut out);
        meter.end(SOME, start + LIVE, &mut out);
        let text = String::from_utf8_lossy(&out);
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert_eq!(text.matches("\r\x1b[2K").count(), 3, "{text:?}");
    }

    #[test]
    fn the_summary_names_what_went_wrong_and_nothing_else() {
        let text = summary(&SOME, Duration::from_secs(2));
        assert!(text.contains("3 connections") && text.contains("1 ended with an error"), "{text}");
        assert!(text.contains("2 cut off") && !text.contains("accepted"), "{text}");
    }

    #[test]
    fn datagrams_are_shown_by_kind_where_there_were_any() {
        let udp =
            DatagramTotals { received: 20, sent: 19, bytes_in: 4096, bytes_out: 3072, ..NONE };
        let totals = Totals { udp: DatagramTotals { unanswered: 1, ..udp }, ..SOME };
        let text = line(&totals, &SOME, Duration::from_secs(2));
        let (streams, rest) = text.split_once(" | udp ").unwrap();
        assert_eq!(streams, line(&SOME, &SOME, Duration::from_secs(2)));
        assert_eq!(rest, "20 packets, 10/s, in 4.0 KiB, out 3.0 KiB");
        let text = summary(&totals, Duration::from_secs(2));
        let wanted = "; udp 20 packets, 4.0 KiB in, 3.0 KiB out, 1 whose sender took no answer";
        assert!(text.ends_with(wanted), "{text}");
        let unixgram = DatagramTotals { received: 1, nameless: 1, ..NONE };
        let text = summary(&Totals { unixgram, ..totals }, Duration::from_secs(2));
        let wanted = "; unixgram 1 packet, 0 B in, 0 B out, 1 from senders without a name";
        assert!(text.ends_with(wanted), "{text}");
    }

    #[test]
    fn handshakes_are_shown_where_there_were_any() {
        let tls = HandshakeTotals { done: 3, resumed: 1, failed: 0 };
        let totals = Totals { tls, ..SOME };
        let (plain, shown) = (line(&SOME, &SOME, LIVE), line(&totals, &SOME, LIVE));
        assert_eq!(shown, format!("{plain} | tls 3 handshakes, 1 resumed"));
        let totals = Totals { tls: HandshakeTotals { done: 1, resumed: 0, failed: 2 }, ..SOME };
        let (plain, shown) = (summary(&SOME, LIVE), summary(&totals, LIVE));
        assert_eq!(shown, format!("{plain}; tls 1 handshake, 2 failed"));
    }

    #[test]
    fn a_lost_stdout_is_remembered() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let start = reseau::clock::now();
        let mut meter = Meter::new(false, start);
        meter.show(SOME, start, &mut Gone);
        assert!(meter.is_silent());
    }
}
