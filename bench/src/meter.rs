//! Processor time of a server: how much, and where.
//!
//! The total is the process's own clock (nanoseconds, exact). Its split comes from two sources:
//! the cycle counters of the server's core, which cost nothing while they run because they belong
//! to the core and not to the process, and `getrusage`, which the kernel samples at its tick.
//! Counters see whoever runs on the core, so they are believed only while they agree with the tick.

use std::io;

use crate::child::Process;
use crate::sys::{self, CoreCounter, Count, Rusage};

/// Reads processor time of one server after another, all on one core.
pub(crate) struct Meter {
    core: usize,
    load_core: usize,
    counters: Option<Counters>,
    /// Why there are no counters.
    pub(crate) missing: Option<String>,
}

/// One reading.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    total_ns: u64,
    ticks: Rusage,
    counts: Option<Counts>,
}

/// What was used between two readings.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) total_ns: f64,
    pub(crate) user_ns: f64,
    /// Whether the split is from cycle counters.
    pub(crate) counted: bool,
    /// Instructions on the core in user space; zero without counters.
    pub(crate) user_instructions: f64,
    /// Instructions on the core in the kernel, its idle loop included.
    pub(crate) system_instructions: f64,
}

struct Counters {
    user_cycles: CoreCounter,
    user_instructions: CoreCounter,
    system_instructions: CoreCounter,
    cycles_per_ns: f64,
}

#[derive(Clone, Copy)]
struct Counts {
    user_cycles: f64,
    user_instructions: f64,
    system_instructions: f64,
}

impl Meter {
    pub(crate) fn new(core: usize, load_core: usize) -> Self {
        let (counters, missing) = match Counters::open(core) {
            Ok(counters) => (Some(counters), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { core, load_core, counters, missing }
    }

    /// Learns how fast the core runs now, by spinning there for a few milliseconds.
    pub(crate) fn calibrate(&mut self) -> io::Result<()> {
        let Some(counters) = &mut self.counters else { return Ok(()) };
        sys::pin(self.core)?;
        let spun = counters.spin();
        sys::pin(self.load_core)?;
        let (cycles, ns) = spun?;
        if ns > 0.0 && cycles > 0.0 {
            counters.cycles_per_ns = cycles / ns;
        }
        Ok(())
    }

    /// Opens an interval: the slow question first, the exact ones last.
    pub(crate) fn open(&self, server: &mut Process) -> io::Result<Reading> {
        let ticks = server.rusage()?;
        let counts = self.counters.as_ref().map(Counters::read).transpose()?;
        let total_ns = sys::clock_ns(sys::cpu_clock(server.pid())?)?;
        Ok(Reading { total_ns, ticks, counts })
    }

    /// Closes an interval: the exact questions first.
    pub(crate) fn close(&self, server: &mut Process) -> io::Result<Reading> {
        let total_ns = sys::clock_ns(sys::cpu_clock(server.pid())?)?;
        let counts = self.counters.as_ref().map(Counters::read).transpose()?;
        let ticks = server.rusage()?;
        Ok(Reading { total_ns, ticks, counts })
    }

    pub(crate) fn between(&self, first: &Reading, last: &Reading) -> Usage {
        let total_ns = last.total_ns.saturating_sub(first.total_ns) as f64;
        let user = last.ticks.user_us.saturating_sub(first.ticks.user_us) as f64;
        let system = last.ticks.system_us.saturating_sub(first.ticks.system_us) as f64;
        let share = if user + system > 0.0 { user / (user + system) } else { 0.0 };
        let ticked = Usage { total_ns, user_ns: total_ns * share, ..Usage::default() };
        let (Some(from), Some(to), Some(counters)) = (first.counts, last.counts, &self.counters)
        else {
            return ticked;
        };
        let user_ns = (to.user_cycles - from.user_cycles) / counters.cycles_per_ns;
        if (user_ns - ticked.user_ns).abs() > total_ns * STRANGER {
            return ticked;
        }
        Usage {
            user_ns: user_ns.clamp(0.0, total_ns),
            counted: true,
            user_instructions: to.user_instructions - from.user_instructions,
            system_instructions: to.system_instructions - from.system_instructions,
            ..ticked
        }
    }
}

impl Counters {
    fn open(core: usize) -> io::Result<Self> {
        Ok(Self {
            user_cycles: CoreCounter::open(core, Count::Cycles, true)?,
            user_instructions: CoreCounter::open(core, Count::Instructions, true)?,
            system_instructions: CoreCounter::open(core, Count::Instructions, false)?,
            cycles_per_ns: 1.0,
        })
    }

    fn read(&self) -> io::Result<Counts> {
        Ok(Counts {
            user_cycles: self.user_cycles.read()?,
            user_instructions: self.user_instructions.read()?,
            system_instructions: self.system_instructions.read()?,
        })
    }

    /// User cycles, and nanoseconds that this thread had the core. Another thread's cycles are
    /// counted too, so the best of a few short spins is the truth.
    fn spin(&self) -> io::Result<(f64, f64)> {
        let mut best = (f64::INFINITY, 1.0);
        for _ in 0..5 {
            let start = sys::clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)?;
            let cycles = self.user_cycles.read()?;
            for i in 0..500_000_u32 {
                std::hint::black_box(i);
            }
            let cycles = self.user_cycles.read()? - cycles;
            let ns = (sys::clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)? - start) as f64;
            if cycles / ns < best.0 / best.1 {
                best = (cycles, ns);
            }
        }
        Ok(if best.0.is_finite() { best } else { (0.0, 0.0) })
    }
}

/// Counters and ticks may differ by this share of the total before a stranger on the core is
/// suspected: ticks of a tenth of a second are that coarse.
const STRANGER: f64 = 0.25;
