//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::load::{Shape, Span};
use crate::meter::{Core, Counters};
use crate::scenario::{self, Scenario};
use crate::servers::{self, Server};
use crate::sys;

/// What to run, and how long.
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) span: Span,
    pub(crate) servers: Vec<&'static Server>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) out: PathBuf,
    pub(crate) server_core: Core,
    pub(crate) load_core: usize,
    /// Why no server can be asked to count; `None` if it can.
    pub(crate) uncounted: Option<String>,
}

/// What the command line asks for.
pub(crate) enum Request {
    Run(Options),
    Print(String),
}

impl Options {
    pub(crate) fn parse(args: &[String]) -> Result<Request, String> {
        let mut given = Given::default();
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let (flag, attached) = match arg.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (arg, None),
            };
            let mut value =
                || attached.or_else(|| args.next()).ok_or_else(|| format!("{flag} needs a value"));
            match flag {
                "--quick" => given.quick = true,
                "--rounds" => given.rounds = Some(number(flag, value()?, 1.0, 1000.0)? as usize),
                "--secs" => given.secs = Some(number(flag, value()?, 0.01, 600.0)?),
                "--only" => given.only = value()?.to_owned(),
                "--scenario" => given.scenario = value()?.to_owned(),
                "--out" => given.out = Some(PathBuf::from(value()?)),
                "--cores" => given.cores = Some(value()?.to_owned()),
                "--sleepy" => given.sleepy = true,
                "--list" => return Ok(Request::Print(list())),
                "--help" | "-h" => return Ok(Request::Print(HELP.to_owned())),
                _ => return Err(format!("{arg}: no such flag; --help lists them")),
            }
        }
        given.complete().map(Request::Run)
    }

    /// Whether each scenario ends with a round in which the servers count cycles.
    pub(crate) fn counts(&self) -> bool {
        self.uncounted.is_none() && !self.quick
    }

    /// A generous bound for the whole run: the watchdog's.
    pub(crate) fn limit(&self) -> Duration {
        let visits = self.servers.len() * self.scenarios.len() * (self.rounds + 1);
        let visit = self.span.warm + self.span.measured + Duration::from_secs(2);
        Duration::from_secs(60) + visit * 2 * visits as u32
    }
}

#[derive(Default)]
struct Given {
    quick: bool,
    rounds: Option<usize>,
    secs: Option<f64>,
    only: String,
    scenario: String,
    out: Option<PathBuf>,
    cores: Option<String>,
    sleepy: bool,
}

impl Given {
    fn complete(self) -> Result<Options, String> {
        let servers = pick(&self.only, servers::ALL.iter().collect(), |server| server.name)?;
        let (server_core, load_core) = cores(self.cores.as_deref())?;
        let secs = self.secs.unwrap_or(if self.quick { 0.1 } else { 1.0 });
        let span = Span {
            warm: Duration::from_secs_f64((secs / 4.0).clamp(0.02, 0.5)),
            measured: Duration::from_secs_f64(secs),
            // On one core, a load that never sleeps would only keep the server waiting.
            awake: !self.sleepy && server_core != load_core,
        };
        Ok(Options {
            quick: self.quick,
            rounds: self.rounds.unwrap_or(if self.quick { 1 } else { 5 }),
            span,
            servers,
            scenarios: scenarios(self.quick, &self.scenario)?,
            out: self.out.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR"))),
            server_core: Core::new(server_core),
            load_core,
            uncounted: Counters::open().err().map(|error| error.to_string()),
        })
    }
}

fn scenarios(quick: bool, names: &str) -> Result<Vec<Scenario>, String> {
    let mut scenarios = pick(names, scenario::ALL.to_vec(), |scenario| scenario.name)?;
    if quick {
        if names.is_empty() {
            scenarios.retain(|scenario| scenario::QUICK.contains(&scenario.name));
        }
        for scenario in &mut scenarios {
            if let Shape::Idle { connections } = &mut scenario.shape {
                *connections = 200;
            }
        }
    }
    Ok(scenarios)
}

/// Those of `all` whose name is listed, or starts with a listed name and a dash; all if none is.
fn pick<T>(names: &str, all: Vec<T>, name_of: fn(&T) -> &'static str) -> Result<Vec<T>, String> {
    let wanted: Vec<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
    let hits = |wanted: &str, name: &str| {
        name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    for wanted in &wanted {
        if !all.iter().any(|one| hits(wanted, name_of(one))) {
            let names: Vec<_> = all.iter().map(name_of).collect();
            return Err(format!("{wanted}: none of {}", names.join(", ")));
        }
    }
    let chosen = |one: &T| wanted.is_empty() || wanted.iter().any(|name| hits(name, name_of(one)));
    Ok(all.into_iter().filter(chosen).collect())
}

fn cores(given: Option<&str>) -> Result<(usize, usize), String> {
    let allowed = sys::cores().map_err(|error| format!("the cores of this process: {error}"))?;
    let Some(given) = given else {
        // The first core gets most interrupts: the server has the last.
        let (first, last) = (allowed.first(), allowed.last());
        return Ok((last.copied().unwrap_or(0), first.copied().unwrap_or(0)));
    };
    let parsed: Vec<usize> = given.split(',').filter_map(|core| core.parse().ok()).collect();
    match parsed[..] {
        [server, load] if allowed.contains(&server) && allowed.contains(&load) => {
            Ok((server, load))
        }
        _ => Err(format!("--cores {given}: wants two of {allowed:?}, as SERVER,LOAD")),
    }
}

fn number(flag: &str, text: &str, min: f64, max: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(format!("{flag} {text}: wants a number from {min} to {max}")),
    }
}

fn list() -> String {
    let mut text = String::from("servers:\n");
    for server in servers::ALL {
        text += &format!("  {:<18}{}\n", server.name, server.about);
    }
    text += "scenarios:\n";
    for scenario in scenario::ALL {
        text += &format!("  {:<18}{}\n", scenario.name, scenario.title);
    }
    text
}

const HELP: &str = "\
Measures reseau beside its peers: throughput, latency, processor time, memory.

usage: cargo run --release -p bench -- [FLAGS]

  --quick             every server, few scenarios, a tenth of a second each: for correctness
  --rounds N          visits to each server and scenario, interleaved (5)
  --secs S            measured seconds of a visit (1)
  --only A,B          these servers; `raw` means every raw-…
  --scenario A,B      these scenarios; `echo` means every echo-…
  --cores S,L         the core of the servers and the core of the load (last, first)
  --sleepy            the load sleeps while it waits, and the server pays for waking it
  --out DIR           where report.html and report.json go (bench/)
  --list              servers and scenarios
  --help              this text

Ends with 1 if a server fails, with 0 if one is only unavailable on this machine.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_pick_themselves_and_their_kin() {
        let all = || vec!["raw-epoll", "raw-uring", "raw-uring-multi", "smol"];
        let pick = |names: &str| pick(names, all(), |name| name);
        assert_eq!(pick("").map(|hits| hits.len()), Ok(4));
        assert_eq!(pick("raw-uring"), Ok(vec!["raw-uring", "raw-uring-multi"]));
        assert_eq!(pick("smol,raw-epoll"), Ok(vec!["raw-epoll", "smol"]));
        assert!(pick("ra").is_err_and(|text| text.contains("none of raw-epoll")));
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        assert_eq!(number("--secs", "0.5", 0.01, 600.0), Ok(0.5));
        for text in ["0", "NaN", "inf", "1e9", "-1", "x", ""] {
            assert!(number("--secs", text, 0.01, 600.0).is_err(), "{text:?} was taken");
        }
    }
}
