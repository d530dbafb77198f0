//! Which kernel interface a loop runs on, and why: hosts forbid io_uring by sysctl, by seccomp and
//! by memory limits, so the only test that counts is to submit the operations and look.
use super::home::Direct;
use super::{Backend, Driver, Home, ready, sim};
use crate::error::{Error, Operation};
use crate::pool::Pool;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How a loop came to its driver, as data.
///
/// ```
/// let report = reseau::probe();
/// println!("{} because {}", report.kind, report.reason);
/// for tried in &report.tried {
///     println!("{}: {}", tried.kind, tried.outcome);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverReport {
    /// What runs.
    pub kind: Kind,
    /// Why that and nothing else, in words.
    pub reason: String,
    /// What was looked at on the way, in order.
    pub tried: Vec<Tried>,
}

/// A kernel interface that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tried {
    /// Which one.
    pub kind: Kind,
    /// Whether it can be used here.
    pub usable: bool,
    /// What came of it, in words.
    pub outcome: String,
}

/// A kernel interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// io_uring: multishot accept and receive into lent blocks.
    Uring,
    /// epoll, kqueue, event ports, or IOCP, through the `polling` crate.
    Ready,
    /// A simulated kernel: same seed, same run.
    Sim,
}

/// The bounds of a driver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) block_size: usize,
    pub(crate) blocks_max: usize,
    pub(crate) window: usize,
    pub(crate) linger: Duration,
    pub(crate) seed: u64,
    pub(crate) direct_sends: bool,
}

impl Limits {
    /// Enough to look at a driver.
    pub(super) const SMALL: Self = Self {
        block_size: 4096,
        blocks_max: 8,
        window: 4096,
        linger: Duration::ZERO,
        seed: 0,
        direct_sends: false,
    };
}

/// What a driver chosen now would be, without keeping it.
#[must_use]
pub fn probe() -> DriverReport {
    match open(None, &Limits::SMALL) {
        Ok((_, home)) => home.report().clone(),
        Err(error) => DriverReport {
            kind: Kind::Ready,
            reason: format!("no driver can be used: {error}"),
            tried: vec![],
        },
    }
}

/// Opens the driver that was asked for, or the best that works.
pub(crate) fn open(kind: Option<Kind>, limits: &Limits) -> io::Result<(Driver, Arc<Home>)> {
    let (wish, who) = match kind {
        Some(kind) => (Some(kind), "the program"),
        None => (from_environment()?, "RESEAU_DRIVER"),
    };
    match wish {
        Some(kind) => {
            let usable = match kind {
                Kind::Uring => try_uring(),
                _ => Ok(()),
            };
            if let Err(why) = usable {
                return Err(refused(kind, who, &why));
            }
            let report = DriverReport {
                kind,
                reason: format!("{who} asked for it"),
                tried: vec![tried(kind, Ok(NOTE_WORKS))],
            };
            make(kind, limits, report)
        }
        None => match try_uring() {
            // It works, but memory or descriptors for one more ring may be wanting.
            Ok(()) => make(Kind::Uring, limits, chosen_uring()).or_else(|error| {
                make(Kind::Ready, limits, fallen_back(format!("no more rings: {error}")))
            }),
            Err(why) => make(Kind::Ready, limits, fallen_back(why)),
        },
    }
}

fn chosen_uring() -> DriverReport {
    DriverReport {
        kind: Kind::Uring,
        reason: "accept, connect, receive, send and cancel were tried and work".into(),
        tried: vec![tried(Kind::Uring, Ok(NOTE_WORKS))],
    }
}

fn fallen_back(why: String) -> DriverReport {
    DriverReport {
        kind: Kind::Ready,
        reason: format!("io_uring cannot be used: {why}"),
        tried: vec![tried(Kind::Uring, Err(why)), tried(Kind::Ready, Ok(NOTE_WORKS))],
    }
}

fn tried(kind: Kind, outcome: Result<&str, String>) -> Tried {
    let usable = outcome.is_ok();
    Tried { kind, usable, outcome: outcome.map_or_else(|why| why, str::to_owned) }
}

fn refused(kind: Kind, who: &str, why: &str) -> io::Error {
    let text = format!("{who} asked for the driver `{kind}`, which cannot be used here: {why}");
    Error::new(Operation::Start, io::Error::new(io::ErrorKind::Unsupported, text)).into()
}

fn from_environment() -> io::Result<Option<Kind>> {
    let Some(wish) = std::env::var_os("RESEAU_DRIVER") else { return Ok(None) };
    match wish.to_str() {
        Some("" | "auto") => Ok(None),
        Some("uring") => Ok(Some(Kind::Uring)),
        Some("ready") => Ok(Some(Kind::Ready)),
        _ => {
            let text = format!("RESEAU_DRIVER is {wish:?}; it may be `auto`, `uring` or `ready`");
            let error = io::Error::new(io::ErrorKind::InvalidInput, text);
            Err(Error::new(Operation::Start, error).into())
        }
    }
}

fn make(kind: Kind, limits: &Limits, report: DriverReport) -> io::Result<(Driver, Arc<Home>)> {
    let pool = Pool::new(limits.block_size, limits.blocks_max);
    let (backend, direct) = match kind {
        Kind::Uring => (uring(pool.clone(), limits)?, Direct::Asleep),
        Kind::Ready => (Backend::Ready(Box::new(ready::Ready::new(pool.clone())?)), Direct::Always),
        Kind::Sim => {
            (Backend::Sim(Box::new(sim::Sim::new(limits.seed, pool.clone()))), Direct::Never)
        }
    };
    let driver = Driver::new(backend, pool.clone(), limits);
    let direct = if limits.direct_sends { direct } else { Direct::Never };
    let home = Arc::new(Home::new(&driver, direct, report));
    let told = Arc::downgrade(&home);
    pool.set_notify(move || {
        if let Some(home) = told.upgrade() {
            home.knock();
        }
    });
    Ok((driver, home))
}

#[cfg(uring)]
fn uring(pool: Pool, limits: &Limits) -> io::Result<Backend> {
    let uring = super::uring::Uring::new(pool, limits.blocks_max)?;
    Ok(Backend::Uring(Box::new(uring)))
}

#[cfg(not(uring))]
fn uring(_pool: Pool, _limits: &Limits) -> io::Result<Backend> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether io_uring does here what a loop needs. Tried once a process.
fn try_uring() -> Result<(), String> {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    TRIED.get_or_init(rehearse).clone()
}

#[cfg(not(uring))]
fn rehearse() -> Result<(), String> {
    Err("this system has none".into())
}

#[cfg(uring)]
fn rehearse() -> Result<(), String> {
    let make = |limits: &Limits| make(Kind::Uring, limits, chosen_uring());
    super::rehearse::rehearse(make)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uring => "uring",
            Self::Ready => "ready",
            Self::Sim => "sim",
        })
    }
}

impl fmt::Display for DriverReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.reason)
    }
}

const NOTE_WORKS: &str = "works";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_and_why() {
        let report = probe();
        assert!(!report.reason.is_empty());
        assert!(report.tried.iter().any(|tried| tried.kind == report.kind && tried.usable));
    }
}
