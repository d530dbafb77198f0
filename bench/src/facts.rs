//! Where and when: what a reader must know to believe a number.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::figures::Spread;
use crate::options::Options;
use crate::servers::{Family, Server};
use crate::sys::openssl;

/// Names and values, in the order of the report.
pub(crate) fn facts(options: &Options) -> Vec<(&'static str, String)> {
    let split = match (&options.uncounted, options.quick) {
        (_, true) => "getrusage, sampled at the kernel's tick".into(),
        (None, false) => "user: cycle counters of the server, in a visit of their own".into(),
        (Some(why), false) => {
            format!("getrusage, sampled at the kernel's tick (no counters: {why})")
        }
    };
    let (server, load) = (options.server_core.number, options.load_core);
    let shared = if server == load { " (one core for both: no true numbers)" } else { "" };
    let total = match options.server_core.softirq {
        Some(_) => "clocks of the server process and of its core's ksoftirqd, in nanoseconds",
        None => {
            "the server process's clock (no ksoftirqd to be seen: work that it took is missing)"
        }
    };
    let load_waits = match options.span.awake {
        true => "awake: the server never pays for waking it",
        false => "asleep: the server pays for waking it",
    };
    let kind = if options.quick { QUICK } else { "full" };
    vec![
        ("date", date()),
        ("command", command()),
        ("commit", commit()),
        ("processor", processor()),
        ("cores", format!("{} online; server on {server}, load on {load}{shared}", online())),
        ("kernel", line("/proc/sys/kernel/osrelease")),
        ("load average at start", line("/proc/loadavg")),
        ("kind", kind.to_owned()),
        ("rounds", format!("{}, interleaved", options.rounds)),
        (
            "each visit",
            format!(
                "{:?} after {:?} of warm-up, in a process of its own",
                options.span.measured, options.span.warm
            ),
        ),
        ("load waits", load_waits.to_owned()),
        ("CPU total", total.to_owned()),
        ("CPU split", split),
    ]
}

/// How far apart the cores were, which is known only after the run.
pub(crate) fn distance(spread: Spread) -> (&'static str, String) {
    let Spread { low, median, high } = spread;
    let moved = if high > low * 1.5 { "; they were moved: compare within rounds" } else { "" };
    let text = format!("{median:.0} ns round trip, {low:.0} to {high:.0}{moved}");
    ("core to core", text)
}

/// Servers and the versions of their packages.
pub(crate) fn versions(servers: &[&'static Server]) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for server in servers {
        let Some(package) = server.package else { continue };
        if server.family != Family::Raw && found.iter().all(|(name, _)| *name != package) {
            found.push((package, version(package)));
        }
    }
    if servers.iter().any(|server| server.name == "openssl") {
        found.extend(openssl::version().map(|version| ("openssl", version)));
    }
    found.push(("io-uring (raw loops)", version("io-uring")));
    found
}

/// The highest version that the lock file of this build has: monoio brings an old io-uring along.
fn version(package: &str) -> String {
    let name = format!("name = \"{package}\"");
    let mut lines = LOCK.lines();
    let mut best = String::from("?");
    while let Some(line) = lines.next() {
        if line == name {
            let version = lines.next().and_then(|line| line.split('"').nth(1));
            best = version.unwrap_or("?").to_owned();
        }
    }
    best
}

/// As it is typed, wherever the program lies.
fn command() -> String {
    let flags: Vec<String> = std::env::args().skip(1).collect();
    if flags.is_empty() {
        return "cargo run --release -p bench".into();
    }
    format!("cargo run --release -p bench -- {}", flags.join(" "))
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let flags = field("flags").unwrap_or_default();
    let guest = flags.split(' ').any(|flag| flag == "hypervisor");
    if guest { format!("{model}, virtual machine") } else { model }
}

fn online() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn line(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned())
}

fn commit() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = |args: &[&str]| {
        let out = Command::new("git").current_dir(here).args(args).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let Some(id) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".into() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_some_and(|text| !text.is_empty()) { format!("{id} with changes") } else { id }
}

/// Now, in UTC, to the minute.
fn date() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = civil(since / 86_400);
    let (hour, minute) = (since / 3600 % 24, since / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// The date of a day since 1970, counted from the first of March of the year 0.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    (era * 400 + year + u64::from(month <= 2), month, day)
}

const QUICK: &str = "quick: for correctness, with 200 idle connections; the times mean nothing";

/// The lock file that this program was built with.
const LOCK: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(19_783), (2024, 3, 1));
        assert_eq!(civil(20_453), (2025, 12, 31));
    }

    #[test]
    fn the_lock_file_names_the_peers() {
        for package in [
            "tokio",
            "compio",
            "monoio",
            "async-io",
            "io-uring",
            "quinn-udp",
            "rustls",
            "tokio-rustls",
        ] {
            assert!(version(package).contains('.'), "no version of {package}");
        }
    }
}
