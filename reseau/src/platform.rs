//! What differs from system to system, said once, for the README and for programs that ask.
//!
//! `tests/platforms.rs` prints this table into the README and checks, wherever it runs, that the
//! column of the system under it is true.
use std::fmt::Write;

/// One difference: what it is about, and what it is on each of [`SYSTEMS`], in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// What a user would look for.
    pub what: &'static str,
    /// What the systems do.
    pub on: [&'static str; SYSTEMS.len()],
}

/// The systems of the table's columns.
pub const SYSTEMS: [&str; 6] = ["Linux", "Android", "Apple", "BSD", "illumos", "Windows"];

/// The differences.
pub const DIFFERENCES: &[Difference] = &[
    row(
        "async driver",
        ["io_uring, else epoll", "epoll", "kqueue", "kqueue", "event ports", "IOCP"],
    ),
    row("Unix streams", ["yes", "yes", "yes", "yes", "yes", "from Windows 10"]),
    row("`UnixStream::pair`", ["yes", "yes", "yes", "yes", "yes", "`Unsupported`"]),
    row("Unix datagrams", ["yes", "yes", "yes", "yes", "yes", NO]),
    row("`send_fds`, `recv_fds`", ["yes", "yes", "yes", "yes", "yes", "not there"]),
    row("abstract Unix names", ["yes", "yes", NO, NO, NO, NO]),
    row("vsock", ["yes", "yes", NO, NO, NO, NO]),
    row(
        "listeners set `SO_REUSEADDR`",
        ["yes", "yes", "yes", "yes", "yes", "no: it would let others in"],
    ),
    row("`[::]` is for IPv4 too", ["yes", "yes", "yes", "yes, not on OpenBSD", "yes", "yes"]),
    row("`backlog()` tells", ["yes", "yes", "no", "no", "no", "no"]),
    row("`listen` at `fd:3`, `systemd:web`", ["yes", "yes", "yes", "yes", "yes", NO]),
    row("`set_reuseport`", ["yes", "yes", "yes", "yes", NO, NO]),
    row("`set_quickack`", ["yes", "yes", NO, NO, NO, NO]),
    row(
        "a UDP packet tells",
        [
            "all",
            "all",
            "all",
            "all but IPv4's interface (FreeBSD), or addresses",
            "IPv6 addresses and ECN",
            "sender, length, whether it was cut",
        ],
    ),
    row(
        "a UDP packet may wish for",
        [
            "all",
            "all",
            "all but IPv4's TTL",
            "address, ECN, IPv6 (FreeBSD), or IPv6",
            "IPv6 address and ECN",
            NO,
        ],
    ),
    row(
        "UDP batches",
        ["32 a call, GSO, GRO", "32 a call, GSO, GRO", "loop", "loop", "loop", "loop"],
    ),
    row(
        "TLS trusts, if nothing is said",
        [
            "the system's files",
            "the system, once rustls-platform-verifier is set up",
            "the system",
            "the system's files",
            "the system's files",
            "the system",
        ],
    ),
    row("`Client::trust` adds roots", ["yes", NO, "yes", "yes", "yes", "yes"]),
    row("writing to a closed peer", ["error", "error", "error", "error", "error", "error"]),
    row("sockets start inheritable", ["no", "no", "no, after a moment", "no", "no", "no"]),
    row("descriptors run out", ["sheds", "sheds", "sheds", "sheds", "sheds", "sheds"]),
];

/// The system that this program was built for, as an index into [`SYSTEMS`], if the table has it.
#[must_use]
pub fn current() -> Option<usize> {
    let name = match std::env::consts::OS {
        "linux" => "Linux",
        "android" => "Android",
        "macos" | "ios" | "tvos" | "watchos" | "visionos" => "Apple",
        "freebsd" | "netbsd" | "openbsd" | "dragonfly" => "BSD",
        "illumos" | "solaris" => "illumos",
        "windows" => "Windows",
        _ => return None,
    };
    SYSTEMS.iter().position(|system| *system == name)
}

/// The table in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from("| |");
    for system in SYSTEMS {
        let _ = write!(table, " {system} |");
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(SYSTEMS.len()));
    for Difference { what, on } in DIFFERENCES {
        let _ = write!(table, "\n| {what} | {} |", on.join(" | "));
    }
    table.push('\n');
    table
}

const fn row(what: &'static str, on: [&'static str; SYSTEMS.len()]) -> Difference {
    Difference { what, on }
}

const NO: &str = "`Unsupported`";
