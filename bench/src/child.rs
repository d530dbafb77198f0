//! A server in a process of its own, pinned to its core, killed when dropped.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::meter::{Core, Counts, Tally};
use crate::scenario::Job;
use crate::sys::{self, Rusage};
use crate::tls;

/// A running server.
pub(crate) struct Process {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    counting: bool,
    tallied: bool,
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    /// Where it runs.
    pub(crate) core: Core,
}

/// Why there is no server.
pub(crate) enum Refusal {
    /// This machine does not offer what the server needs.
    Unavailable(String),
    /// It should have started.
    Broken(String),
}

impl Process {
    /// Starts the named server, with counters or without, and waits until it listens.
    pub(crate) fn start(name: &str, job: Job, core: Core, counting: bool) -> Result<Self, Refusal> {
        let mut child =
            spawn(name, job, core.number, counting).map_err(|e| Refusal::Broken(e.to_string()))?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both pipes were asked for")
        };
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let answers = BufReader::new(answers);
        let tallied = job.is_tallied();
        let mut process = Self { child, orders, answers, counting, tallied, addr, core };
        let line = process.answer(START_LIMIT).map_err(|e| {
            Refusal::Broken(format!("did not start: {e}; its standard error may say more"))
        })?;
        match line.split_once(' ') {
            Some(("ready", port)) => {
                let port = port.parse().map_err(|_| Refusal::Broken(line.clone()))?;
                process.addr.set_port(port);
                Ok(process)
            }
            Some(("unavailable", why)) => Err(Refusal::Unavailable(why.to_owned())),
            _ => Err(Refusal::Broken(line)),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its processor time, asked of itself: microseconds, where /proc has ticks of 10 ms.
    pub(crate) fn rusage(&mut self) -> io::Result<Rusage> {
        let [user_us, system_us] = self.ask("usage")?;
        Ok(Rusage { user_us: user_us as u64, system_us: system_us as u64 })
    }

    /// Its counters, if it was started with them.
    pub(crate) fn counts(&mut self) -> io::Result<Option<Counts>> {
        if !self.counting {
            return Ok(None);
        }
        let [user_ns, user_instructions, system_instructions] = self.ask("counts")?;
        Ok(Some(Counts { user_ns, user_instructions, system_instructions }))
    }

    /// What it counted itself, if it does.
    pub(crate) fn tally(&mut self) -> io::Result<Option<Tally>> {
        if !self.tallied {
            return Ok(None);
        }
        let [packets, bytes, cpu_ns, wall_ns] = self.ask("tally")?;
        Ok(Some(Tally { packets, bytes, cpu_ns, wall_ns }))
    }

    fn ask<const N: usize>(&mut self, question: &str) -> io::Result<[f64; N]> {
        writeln!(self.orders, "{question}")?;
        let line = self.answer(ANSWER_LIMIT)?;
        let numbers: Result<Vec<f64>, _> = line.split(' ').skip(1).map(str::parse).collect();
        let numbers = numbers.ok().and_then(|numbers| numbers.try_into().ok());
        numbers.ok_or_else(|| io::Error::other(format!("the server answered {line:?}")))
    }

    /// Private resident memory, in bytes.
    pub(crate) fn private_bytes(&self) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid()))?;
        let kib: u64 = text
            .lines()
            .filter(|line| line.starts_with("Private_"))
            .filter_map(|line| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok())
            .sum();
        Ok(kib * 1024)
    }

    fn answer(&mut self, limit: Duration) -> io::Result<String> {
        if !sys::wait_readable(self.answers.get_ref().as_fd(), limit)? {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not answer"));
        }
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server ended"));
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Killed, not asked: a server that hangs must not outlive its turn. Both calls fail only
        // if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(name: &str, job: Job, core: usize, counting: bool) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .env(tls::VARIABLE, tls::Credentials::of_this_run()?.text())
        .args(["server", name, job.name(), &core.to_string()])
        .args(counting.then_some("count"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
}

const START_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
