//! The run: every scenario, round by round, every server in turn.

use std::io::{self, IsTerminal, Write};

use crate::child::{Process, Refusal};
use crate::distance;
use crate::figures::{Figures, Findings, Outcome, Section};
use crate::load::{self, Sample};
use crate::options::Options;
use crate::scenario::{Job, Mode, Post, Scenario, Unit};
use crate::servers::Server;

/// Checks every server, then measures those that stand.
pub(crate) fn run(options: &Options) -> Findings {
    let progress = Progress { terminal: io::stderr().is_terminal() };
    let (mut servers, mut absent) = (Vec::new(), Vec::new());
    for &server in &options.servers {
        progress.state(&format!("check {}", server.name));
        match check(server, options) {
            None => servers.push(server),
            Some(outcome) => {
                progress.line(&format!("check {}: {}", server.name, outcome.excuse()));
                absent.push((server, outcome));
            }
        }
    }
    progress.line(&format!("check: {} of {} servers echo", servers.len(), options.servers.len()));
    let mut sections = Vec::new();
    for scenario in &options.scenarios {
        sections.push(section(scenario, &servers, options, &progress));
    }
    progress.state("");
    Findings { judged: !options.quick, servers, sections, absent }
}

/// `None` if the server echoes byte for byte.
fn check(server: &'static Server, options: &Options) -> Option<Outcome> {
    let jobs = [Job::Streams(Mode::Echo), LEAN, Job::Packets(Post::Echo)];
    for job in jobs.into_iter().chain([Job::Secure(Mode::Echo), LEAN_SECURE]) {
        if !server.serves(job) || (is_lean(job) && !server.lean) {
            continue;
        }
        let started = Process::start(server.name, job, options.server_core, false);
        let process = match started {
            Ok(process) => process,
            Err(refusal) => return Some(refusal.into()),
        };
        if let Err(error) = load::verify(job, process.addr) {
            return Some(Outcome::Failed(format!("{} does not echo: {error}", job.name())));
        }
    }
    None
}

fn section(
    scenario: &Scenario,
    servers: &[&'static Server],
    options: &Options,
    progress: &Progress,
) -> Section {
    let servers: Vec<_> =
        servers.iter().copied().filter(|server| server.serves(scenario.job)).collect();
    let mut samples: Vec<Vec<Sample>> = servers.iter().map(|_| Vec::new()).collect();
    let mut counted: Vec<Option<Sample>> = servers.iter().map(|_| None).collect();
    let mut excuses: Vec<Option<Outcome>> = servers.iter().map(|_| None).collect();
    // The last round counts: its times are not taken.
    let counts = options.counts() && scenario.unit != Unit::Memory;
    for round in 1..=options.rounds + usize::from(counts) {
        let counting = round > options.rounds;
        for (i, server) in servers.iter().enumerate() {
            if excuses[i].is_some() {
                continue;
            }
            let place = match counting {
                true => format!("{} counting {}", scenario.name, server.name),
                false => format!("{} {round}/{} {}", scenario.name, options.rounds, server.name),
            };
            progress.state(&place);
            match visit(scenario, server, options, counting) {
                Ok(sample) if counting => counted[i] = Some(sample),
                Ok(sample) => {
                    progress.sample(&place, scenario, &sample);
                    samples[i].push(sample);
                }
                Err(outcome) => {
                    progress.line(&format!("{place}: {}", outcome.excuse()));
                    excuses[i] = Some(outcome);
                }
            }
        }
    }
    let rows = servers.iter().enumerate().map(|(i, &server)| {
        let figures = || Box::new(Figures::of(&samples[i], counted[i].as_ref()));
        (server, excuses[i].take().unwrap_or_else(|| Outcome::Measured(figures())))
    });
    Section { scenario: *scenario, rows: rows.collect() }
}

fn visit(
    scenario: &Scenario,
    server: &Server,
    options: &Options,
    counting: bool,
) -> Result<Sample, Outcome> {
    if is_lean(scenario.job) && !server.lean {
        return Err(Outcome::Unavailable("it cannot wait without a buffer".into()));
    }
    let core = options.server_core;
    let distance = distance::measure(options.load_core, core.number);
    let mut process = Process::start(server.name, scenario.job, core, counting)?;
    let sample = load::visit(scenario.job, scenario.shape, &mut process, options.span);
    sample
        .map(|sample| Sample { distance, ..sample })
        .map_err(|error| Outcome::Failed(error.to_string()))
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unavailable(why) => Self::Unavailable(why),
            Refusal::Broken(why) => Self::Failed(why),
        }
    }
}

fn is_lean(job: Job) -> bool {
    matches!(job, LEAN | LEAN_SECURE)
}

const LEAN: Job = Job::Streams(Mode::Lean);
const LEAN_SECURE: Job = Job::Secure(Mode::Lean);

/// What the run tells while it runs: one line that changes on a terminal, plain lines elsewhere.
struct Progress {
    terminal: bool,
}

impl Progress {
    fn state(&self, text: &str) {
        if self.terminal {
            let mut err = io::stderr().lock();
            // Nobody to tell is no reason to stop.
            let _ = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
        }
    }

    fn line(&self, text: &str) {
        self.state("");
        eprintln!("{text}");
    }

    fn sample(&self, place: &str, scenario: &Scenario, sample: &Sample) {
        if self.terminal {
            return;
        }
        let (unit, divisor) = scenario.unit.rate();
        let mut text = format!("{place}: {:.1} {unit}", sample.amount / sample.seconds / divisor);
        if sample.usage.total_ns > 0.0 {
            let (unit, factor) = scenario.unit.cost();
            let cost = sample.usage.total_ns / sample.amount.max(1.0) * factor / 1e3;
            text += &format!(", {cost:.2} {unit}");
        }
        if let Some(ns) = sample.distance {
            text += &format!(", cores {ns:.0} ns apart");
        }
        eprintln!("{text}");
    }
}
