//! What is said on stderr beside the conversation: news, and how much has gone through.
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reseau::clock;

use crate::{figures, paint};

/// The counters of a session, and the line on the terminal that shows them.
#[derive(Debug)]
pub(super) struct Aside {
    verbose: bool,
    when: When,
    /// stderr is a terminal, on which a line can be drawn anew.
    terminal: bool,
    /// Bytes to the peer.
    sent: AtomicU64,
    /// Bytes from the peer.
    received: AtomicU64,
    /// How many bytes stdin has, if it is a file.
    whole: Option<u64>,
    line: Mutex<Line>,
}

/// When progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

/// What stands on the terminal.
#[derive(Debug)]
struct Line {
    /// When the connection was there.
    began: Option<Instant>,
    shown: (u64, u64),
    shown_at: Instant,
    /// It stands there without its end.
    drawn: bool,
    /// It was shown at all: then there is a summary, too.
    used: bool,
}

impl Aside {
    pub(super) fn new(verbose: bool, when: When) -> Self {
        let line =
            Line { began: None, shown: (0, 0), shown_at: clock::now(), drawn: false, used: false };
        Self {
            verbose,
            when,
            terminal: io::stderr().is_terminal(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            whole: stdin_size(),
            line: Mutex::new(line),
        }
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// From now on bytes may go through.
    pub(super) fn begin(&self) {
        let now = clock::now();
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.began.get_or_insert(now);
        line.shown_at = now;
    }

    /// Says it to those who want to know all.
    pub(super) fn note(&self, news: impl Display) {
        if self.verbose {
            self.say(news);
        }
    }

    /// Says it.
    pub(super) fn say(&self, news: impl Display) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let clear = if line.drawn { CLEAR } else { "" };
        line.drawn = false;
        let faint = paint::FAINT;
        // Nobody is left to be told when stderr is gone.
        let _ = writeln!(anstream::stderr(), "{clear}{faint}{news}{faint:#}");
    }

    /// How long until the next [`show`](Self::show).
    pub(super) fn pause(&self) -> Duration {
        if self.terminal { PAUSE } else { PLAIN }
    }

    /// Draws the line anew, if it is wanted and has something to say.
    pub(super) fn show(&self) {
        let now = clock::now();
        let counted = self.counted();
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(began) = line.began else { return };
        let early = now.duration_since(began) < LONG && self.when == When::Auto;
        if early || !self.is_live(counted) || (!self.terminal && counted == line.shown) {
            return;
        }
        let text = self.text(counted, line.shown, now.duration_since(line.shown_at));
        (line.shown, line.shown_at) = (counted, now);
        (line.drawn, line.used) = (self.terminal, true);
        let mut stderr = anstream::stderr();
        let _ = match self.terminal {
            // What is too long for the terminal must not begin another line.
            true => write!(stderr, "{CLEAR}\x1b[?7l{text}\x1b[?7h"),
            false => writeln!(stderr, "{text}"),
        };
        let _ = stderr.flush();
    }

    /// Takes the line away; whoever saw it, or wants to know all, hears what it came to.
    pub(super) fn end(&self) {
        let now = clock::now();
        let (sent, received) = self.counted();
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let clear = if line.drawn { CLEAR } else { "" };
        line.drawn = false;
        let wanted = self.verbose || line.used || self.when == When::Always;
        let Some(began) = line.began.filter(|_| wanted) else { return };
        let span = now.duration_since(began);
        let rate = (sent + received) as f64 / span.as_secs_f64().max(f64::MIN_POSITIVE);
        let text = format!(
            "sent {}, received {} in {}{}",
            figures::bytes(sent),
            figures::bytes(received),
            figures::span(span),
            if span >= LONG {
                format!(", {}/s", figures::bytes(rate as u64))
            } else {
                String::new()
            },
        );
        let faint = paint::FAINT;
        let _ = writeln!(anstream::stderr(), "{clear}{faint}{text}{faint:#}");
    }

    fn counted(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// Whether a line would be in nobody's way: not in that of what the peer says, nor of somebody
    /// who types.
    fn is_live(&self, (_, received): (u64, u64)) -> bool {
        let shown = received > 0 && io::stdout().is_terminal();
        match self.when {
            When::Always => true,
            When::Never => false,
            When::Auto => io::stderr().is_terminal() && !io::stdin().is_terminal() && !shown,
        }
    }

    fn text(&self, now: (u64, u64), before: (u64, u64), span: Duration) -> String {
        let seconds = span.as_secs_f64().max(f64::MIN_POSITIVE);
        let rate = |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds) as u64;
        let mut text = format!("sent {}", figures::bytes(now.0));
        if let Some(whole) = self.whole.filter(|whole| *whole > 0) {
            let percent = (now.0.min(whole) as f64 / whole as f64 * 100.0) as u64;
            text.push_str(&format!(" of {} ({percent} %)", figures::bytes(whole)));
        }
        text.push_str(&format!(
            ", {}/s | received {}, {}/s",
            figures::bytes(rate(now.0, before.0)),
            figures::bytes(now.1),
            figures::bytes(rate(now.1, before.1)),
        ));
        text
    }
}

/// What is left of stdin, if it is a file.
fn stdin_size() -> Option<u64> {
    use std::io::Seek;
    let stdin = duplicate()?;
    let mut file = std::fs::File::from(stdin);
    let size = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    size.checked_sub(file.stream_position().ok()?)
}

#[cfg(unix)]
fn duplicate() -> Option<std::os::fd::OwnedFd> {
    use std::os::fd::AsFd;
    io::stdin().as_fd().try_clone_to_owned().ok()
}

#[cfg(windows)]
fn duplicate() -> Option<std::os::windows::io::OwnedHandle> {
    use std::os::windows::io::AsHandle;
    io::stdin().as_handle().try_clone_to_owned().ok()
}

/// To the start of the line, and nothing on it.
const CLEAR: &str = "\r\x1b[2K";
/// How often the line is drawn.
const PAUSE: Duration = Duration::from_millis(250);
/// How often a line is written where none can be drawn.
const PLAIN: Duration = Duration::from_secs(1);
/// What takes less is over before anybody wonders.
const LONG: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_has_totals_rates_and_a_share_of_the_whole() {
        let mut aside = Aside::new(false, When::Always);
        aside.whole = None;
        let second = Duration::from_secs(1);
        assert_eq!(
            aside.text((3072, 10), (1024, 10), second),
            "sent 3.0 KiB, 2.0 KiB/s | received 10 B, 0 B/s"
        );
        aside.whole = Some(4096);
        assert!(
            aside.text((3072, 0), (0, 0), second).starts_with("sent 3.0 KiB of 4.0 KiB (75 %)")
        );
        // A file that grew.
        assert!(aside.text((9000, 0), (0, 0), second).contains("(100 %)"));
    }
}
