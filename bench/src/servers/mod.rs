//! The servers, each run in a process of its own by `bench server NAME MODE CORE`.

mod compio;
mod epoll;
mod monoio;
mod multishot;
mod reseau;
mod single_shot;
mod smol;
mod threads;
mod tokio;

use std::io::{self, BufRead, Write};
use std::net::TcpListener;
use std::process::ExitCode;

use crate::meter::Counters;
use crate::scenario::Mode;
use crate::sys;

/// A server that can be measured.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) family: Family,
    /// The package whose version the report names.
    pub(crate) package: Option<&'static str>,
    /// Whether it has a program that holds no buffer for a silent connection.
    pub(crate) lean: bool,
    run: fn(Task) -> io::Result<()>,
}

/// Whose work is measured; decides the colour in the report.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Reseau,
    Peer,
    Raw,
}

/// What a server is to do.
pub(crate) struct Task {
    pub(crate) listener: TcpListener,
    pub(crate) mode: Mode,
}

impl Task {
    /// Tells the load that the server stands, and where. A server calls this once, as soon as
    /// nothing that the machine may refuse lies ahead.
    pub(crate) fn ready(&self) -> io::Result<()> {
        let port = self.listener.local_addr()?.port();
        answer(&format!("ready {port}"))
    }
}

impl Server {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|server| server.name == name)
    }
}

/// The body of a server's process.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let outcome = match args {
        [name, mode, core] => serve(name, mode, core, false),
        [name, mode, core, count] if count == "count" => serve(name, mode, core, true),
        _ => Err(io::Error::other("usage: bench server NAME MODE CORE [count]")),
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let word = match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EPERM | libc::EACCES | libc::EINVAL) => "unavailable",
        _ if error.kind() == io::ErrorKind::Unsupported => "unavailable",
        _ => "broken",
    };
    // The load may be gone already: then nobody needs the answer.
    let _ = answer(&format!("{word} {error}"));
    ExitCode::FAILURE
}

fn serve(name: &str, mode: &str, core: &str, count: bool) -> io::Result<()> {
    let server = Server::named(name).ok_or_else(|| io::Error::other("no such server"))?;
    let mode = Mode::parse(mode).ok_or_else(|| io::Error::other("no such mode"))?;
    let core = core.parse().map_err(|_| io::Error::other("no such core"))?;
    sys::die_with_parent()?;
    sys::pin(core)?;
    sys::raise_descriptor_limit()?;
    let counters = count.then(Counters::open).transpose()?;
    std::thread::Builder::new().name("control".into()).spawn(move || control(counters))?;
    (server.run)(Task { listener: sys::listen()?, mode })
}

/// Answers the load's questions until its end of the pipe closes, then ends the process.
fn control(counters: Option<Counters>) {
    for line in io::stdin().lock().lines() {
        let answered = match line.as_deref() {
            Ok("usage") => {
                sys::rusage().map(|usage| format!("usage {} {}", usage.user_us, usage.system_us))
            }
            Ok("counts") => counters.as_ref().map_or_else(
                || Err(io::Error::other("no counters")),
                |counters| {
                    let counts = counters.read()?;
                    let (user, system) = (counts.user_instructions, counts.system_instructions);
                    Ok(format!("counts {} {user} {system}", counts.user_ns))
                },
            ),
            _ => break,
        };
        if answered.and_then(|line| answer(&line)).is_err() {
            break;
        }
    }
    std::process::exit(0);
}

fn answer(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

const fn peer(
    name: &'static str,
    about: &'static str,
    package: &'static str,
    run: fn(Task) -> io::Result<()>,
) -> Server {
    Server { name, about, family: Family::Peer, package: Some(package), lean: true, run }
}

const fn raw(name: &'static str, about: &'static str, run: fn(Task) -> io::Result<()>) -> Server {
    Server { name, about, family: Family::Raw, package: None, lean: true, run }
}

/// Every server, in the order in which a round visits them.
pub(crate) const ALL: &[Server] = &[
    reseau::URING,
    reseau::READY,
    reseau::TOKIO,
    reseau::BLOCKING,
    peer("tokio-current", "tokio, current-thread runtime", "tokio", tokio::current),
    peer("tokio-multi", "tokio, multi-thread runtime", "tokio", tokio::multi),
    peer("smol", "async-io under smol's single-thread executor", "async-io", smol::run),
    peer("compio", "compio, completion-based on io_uring", "compio", compio::run),
    peer("monoio", "monoio on io_uring", "monoio", monoio::run),
    Server {
        lean: false,
        package: None,
        ..peer("std-threads", "std::net, one thread per connection", "", threads::run)
    },
    raw("raw-epoll", "a plain loop on epoll, level-triggered, one buffer for all", epoll::run),
    Server {
        lean: false,
        ..raw("raw-uring", "a plain loop on io_uring, one operation at a time", single_shot::run)
    },
    raw("raw-uring-multi", "a plain loop on io_uring, multishot and lent buffers", multishot::run),
];

/// The buffer of a connection that echoes.
pub(crate) const ECHO_BYTES: usize = 4096;
/// The buffer of a connection that streams.
pub(crate) const BULK_BYTES: usize = 64 * 1024;
