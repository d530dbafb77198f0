//! Processor time of a server: how much, and where.
//!
//! The total is the process's own clock, and that of the kernel thread that does network work for
//! the core when there is much of it (`ksoftirqd`): both in nanoseconds, exact. Without the second,
//! a server would look cheap just when the kernel takes work off its hands. The split into user and
//! system comes from one of two sources. `getrusage` is always there, but the kernel samples it at
//! its tick: 250 looks a second, blind to whatever runs in step with the tick. Cycle counters of
//! the process are exact, but switching them with the threads costs time (30 µs each in some
//! virtual machines), so they count in a visit of their own, and only what happens in user space is
//! taken from there.

use std::fs;
use std::io;

use crate::child::Process;
use crate::sys::{self, Count, Counter, Rusage};

/// The core of the servers.
#[derive(Clone, Copy)]
pub(crate) struct Core {
    pub(crate) number: usize,
    /// The clock of the core's `ksoftirqd`, where it can be seen.
    pub(crate) softirq: Option<libc::clockid_t>,
}

/// One look at a server's processor time.
pub(crate) struct Reading {
    total_ns: u64,
    softirq_ns: u64,
    ticks: Rusage,
    counts: Option<Counts>,
    tally: Option<Tally>,
}

/// What a server used between two looks.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) total_ns: f64,
    /// What of the total was spent by `ksoftirqd`.
    pub(crate) softirq_ns: f64,
    /// As the kernel's tick saw it.
    pub(crate) user_ns: f64,
    pub(crate) counts: Option<Counts>,
    pub(crate) tally: Option<Tally>,
}

/// What a server counted itself, and its processor time and the time of day at that moment: it
/// works on while the load asks.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) packets: f64,
    pub(crate) bytes: f64,
    pub(crate) cpu_ns: f64,
    pub(crate) wall_ns: f64,
}

/// The counters of a process, read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) user_ns: f64,
    pub(crate) user_instructions: f64,
    /// Zero where the kernel does not let us count it.
    pub(crate) system_instructions: f64,
}

/// The counters of a process, opened before its threads start.
pub(crate) struct Counters {
    user_cycles: Counter,
    user_instructions: Counter,
    system_instructions: Option<Counter>,
    cycles_per_ns: f64,
}

impl Core {
    pub(crate) fn new(number: usize) -> Self {
        let name = format!("ksoftirqd/{number}");
        let softirq = thread_named(&name).and_then(|pid| sys::cpu_clock(pid).ok());
        Self { number, softirq }
    }
}

impl Reading {
    /// For the opening of an interval: the slow questions first, the exact ones last.
    pub(crate) fn first(server: &mut Process) -> io::Result<Self> {
        let (ticks, counts) = (server.rusage()?, server.counts()?);
        let tally = server.tally()?;
        let (total_ns, softirq_ns) = clocks(server, tally)?;
        Ok(Self { total_ns, softirq_ns, ticks, counts, tally })
    }

    /// For the close of an interval: the exact questions first.
    pub(crate) fn last(server: &mut Process) -> io::Result<Self> {
        let tally = server.tally()?;
        let (total_ns, softirq_ns) = clocks(server, tally)?;
        let (counts, ticks) = (server.counts()?, server.rusage()?);
        Ok(Self { total_ns, softirq_ns, ticks, counts, tally })
    }

    /// What was used from `first` until this.
    pub(crate) fn since(&self, first: &Self) -> Usage {
        let own_ns = self.total_ns.saturating_sub(first.total_ns) as f64;
        let softirq_ns = self.softirq_ns.saturating_sub(first.softirq_ns) as f64;
        let user = self.ticks.user_us.saturating_sub(first.ticks.user_us) as f64;
        let system = self.ticks.system_us.saturating_sub(first.ticks.system_us) as f64;
        let share = if user + system > 0.0 { user / (user + system) } else { 0.0 };
        let counts = self.counts.zip(first.counts).map(|(to, from)| Counts {
            user_ns: to.user_ns - from.user_ns,
            user_instructions: to.user_instructions - from.user_instructions,
            system_instructions: to.system_instructions - from.system_instructions,
        });
        let tally = self.tally.zip(first.tally).map(|(to, from)| Tally {
            packets: to.packets - from.packets,
            bytes: to.bytes - from.bytes,
            cpu_ns: to.cpu_ns - from.cpu_ns,
            wall_ns: to.wall_ns - from.wall_ns,
        });
        let (total_ns, user_ns) = (own_ns + softirq_ns, own_ns * share);
        Usage { total_ns, softirq_ns, user_ns, counts, tally }
    }
}

/// Of the server, and of the kernel thread beside it.
fn clocks(server: &Process, tally: Option<Tally>) -> io::Result<(u64, u64)> {
    let total_ns = match tally {
        Some(tally) => tally.cpu_ns as u64,
        None => sys::clock_ns(sys::cpu_clock(server.pid())?)?,
    };
    let softirq_ns = server.core.softirq.map_or(Ok(0), sys::clock_ns)?;
    Ok((total_ns, softirq_ns))
}

fn thread_named(name: &str) -> Option<u32> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let found = fs::read_to_string(entry.path().join("comm")).ok()?;
        (found.trim_end() == name).then_some(pid)
    })
}

impl Counters {
    pub(crate) fn open() -> io::Result<Self> {
        let mut counters = Self {
            user_cycles: Counter::open(Count::Cycles, true)?,
            user_instructions: Counter::open(Count::Instructions, true)?,
            system_instructions: Counter::open(Count::Instructions, false).ok(),
            cycles_per_ns: 1.0,
        };
        counters.calibrate()?;
        Ok(counters)
    }

    pub(crate) fn read(&self) -> io::Result<Counts> {
        let system = self.system_instructions.as_ref().map(Counter::read).transpose()?;
        Ok(Counts {
            user_ns: self.user_cycles.read()? / self.cycles_per_ns,
            user_instructions: self.user_instructions.read()?,
            system_instructions: system.unwrap_or(0.0),
        })
    }

    /// Learns how many cycles a nanosecond has, by spinning for some milliseconds. Interrupts make
    /// a nanosecond look poorer, so the best of a few spins is the truth.
    fn calibrate(&mut self) -> io::Result<()> {
        let mut best = 0.0_f64;
        for _ in 0..8 {
            let start = sys::clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)?;
            let cycles = self.user_cycles.read()?;
            for i in 0..1_000_000_u32 {
                std::hint::black_box(i);
            }
            let cycles = self.user_cycles.read()? - cycles;
            let ns = sys::clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)? - start;
            best = best.max(cycles / ns.max(1) as f64);
        }
        if best == 0.0 {
            return Err(io::Error::other("the cycle counter stands still"));
        }
        self.cycles_per_ns = best;
        Ok(())
    }
}
