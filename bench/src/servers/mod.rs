//! The servers, each run in a process of its own by `bench server NAME JOB CORE`.

mod compio;
mod datagrams;
mod epoll;
mod monoio;
mod multishot;
mod reseau;
mod secure;
mod single_shot;
mod smol;
mod threads;
mod tokio;

use std::io::{self, BufRead, Write};
use std::net::TcpListener;
use std::process::ExitCode;

use crate::meter::Counters;
use crate::scenario::{Job, Mode};
use crate::sys::{self, mail};

/// A server that can be measured.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) family: Family,
    /// The package whose version the report names.
    pub(crate) package: Option<&'static str>,
    /// Whether it has a program that holds no buffer for a silent connection.
    pub(crate) lean: bool,
    streams: Option<fn(Task) -> io::Result<()>>,
    secure: Option<fn(Task) -> io::Result<()>>,
    datagrams: Option<fn(datagrams::Task) -> io::Result<()>>,
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
        announce(self.listener.local_addr()?.port())
    }
}

impl Server {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|server| server.name == name)
    }

    /// Whether it has programs for connections, or for datagrams, whichever the job is about.
    pub(crate) fn serves(&self, job: Job) -> bool {
        match job {
            Job::Streams(_) => self.streams.is_some(),
            Job::Secure(_) => self.secure.is_some(),
            Job::Packets(_) => self.datagrams.is_some(),
        }
    }

    fn run(&self, job: Job) -> io::Result<()> {
        let none = || io::Error::other("no program for that");
        match job {
            Job::Streams(mode) => {
                let run = self.streams.ok_or_else(none)?;
                run(Task { listener: sys::listen()?, mode })
            }
            Job::Secure(mode) => {
                let run = self.secure.ok_or_else(none)?;
                run(Task { listener: sys::listen()?, mode })
            }
            Job::Packets(post) => {
                let run = self.datagrams.ok_or_else(none)?;
                run(datagrams::Task { socket: mail::bind()?, post })
            }
        }
    }
}

/// The body of a server's process.
pub(crate) fn main(args: &[String]) -> ExitCode {
    let outcome = match args {
        [name, job, core] => serve(name, job, core, false),
        [name, job, core, count] if count == "count" => serve(name, job, core, true),
        _ => Err(io::Error::other("usage: bench server NAME JOB CORE [count]")),
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

fn serve(name: &str, job: &str, core: &str, count: bool) -> io::Result<()> {
    let server = Server::named(name).ok_or_else(|| io::Error::other("no such server"))?;
    let job = Job::parse(job).ok_or_else(|| io::Error::other("no such job"))?;
    let core = core.parse().map_err(|_| io::Error::other("no such core"))?;
    sys::die_with_parent()?;
    sys::pin(core)?;
    sys::raise_descriptor_limit()?;
    let counters = count.then(Counters::open).transpose()?;
    std::thread::Builder::new().name("control".into()).spawn(move || control(counters))?;
    server.run(job)
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
            Ok("tally") => datagrams::TALLY
                .read()
                .map(|[packets, bytes, cpu, wall]| format!("tally {packets} {bytes} {cpu} {wall}")),
            _ => break,
        };
        if answered.and_then(|line| answer(&line)).is_err() {
            break;
        }
    }
    std::process::exit(0);
}

fn announce(port: u16) -> io::Result<()> {
    answer(&format!("ready {port}"))
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
    let (family, package) = (Family::Peer, Some(package));
    let streams = Some(run);
    Server { name, about, family, package, lean: true, streams, secure: None, datagrams: None }
}

const fn raw(name: &'static str, about: &'static str, run: fn(Task) -> io::Result<()>) -> Server {
    let family = Family::Raw;
    let (package, streams) = (None, Some(run));
    Server { name, about, family, package, lean: true, streams, secure: None, datagrams: None }
}

impl Server {
    /// The same, for TLS too.
    const fn and_tls(self, run: fn(Task) -> io::Result<()>) -> Self {
        Self { secure: Some(run), ..self }
    }

    /// The same, for datagrams too.
    const fn with(self, run: fn(datagrams::Task) -> io::Result<()>) -> Self {
        Self { datagrams: Some(run), ..self }
    }
}

/// A server of datagrams alone.
const fn packets(
    name: &'static str,
    about: &'static str,
    (family, package): (Family, Option<&'static str>),
    run: fn(datagrams::Task) -> io::Result<()>,
) -> Server {
    let datagrams = Some(run);
    Server { name, about, family, package, lean: false, streams: None, secure: None, datagrams }
}

/// A server of TLS alone.
const fn tls_only(
    name: &'static str,
    about: &'static str,
    (family, package): (Family, Option<&'static str>),
    lean: bool,
    run: fn(Task) -> io::Result<()>,
) -> Server {
    let secure = Some(run);
    Server { name, about, family, package, lean, streams: None, secure, datagrams: None }
}

/// Every server, in the order in which a round visits them.
pub(crate) const ALL: &[Server] = &[
    reseau::URING.with(datagrams::uring).and_tls(secure::uring),
    reseau::READY.with(datagrams::ready).and_tls(secure::ready),
    reseau::TOKIO.and_tls(secure::under_tokio),
    reseau::BLOCKING.with(datagrams::blocking).and_tls(secure::blocking),
    tls_only(
        "reseau-listener",
        "reseau's own listener of TLS, on its own loop, on the best driver that there is",
        OURS,
        true,
        secure::listener,
    ),
    packets(
        "reseau-uring-batch",
        "reseau on its own loop, on io_uring: many datagrams in a call, cut and joined",
        OURS,
        datagrams::uring_batch,
    ),
    packets(
        "reseau-ready-batch",
        "reseau on its own loop, on epoll: many datagrams in a call, cut and joined",
        OURS,
        datagrams::ready_batch,
    ),
    packets(
        "reseau-blocking-batch",
        "reseau::blocking: many datagrams in a call, cut and joined",
        OURS,
        datagrams::blocking_batch,
    ),
    peer("tokio-current", "tokio, current-thread runtime", "tokio", tokio::current)
        .with(datagrams::tokio),
    peer("tokio-multi", "tokio, multi-thread runtime", "tokio", tokio::multi),
    peer("smol", "async-io under smol's single-thread executor", "async-io", smol::run),
    peer("compio", "compio, completion-based on io_uring", "compio", compio::run)
        .with(datagrams::compio),
    peer("monoio", "monoio on io_uring", "monoio", monoio::run),
    packets(
        "quinn-udp",
        "quinn-udp's socket on tokio: many datagrams in a call, cut and joined",
        (Family::Peer, Some("quinn-udp")),
        datagrams::quinn,
    ),
    Server {
        lean: false,
        package: None,
        ..peer(
            "std-threads",
            "std::net, one thread per connection (for all datagrams)",
            "",
            threads::run,
        )
        .with(datagrams::threads)
    },
    tls_only(
        "tokio-rustls",
        "tokio-rustls on tokio's current-thread runtime",
        (Family::Peer, Some("tokio-rustls")),
        true,
        secure::tokio,
    ),
    tls_only(
        "futures-rustls",
        "futures-rustls on async-io under smol's single-thread executor",
        (Family::Peer, Some("futures-rustls")),
        true,
        secure::smol,
    ),
    tls_only(
        "std-rustls",
        "rustls's own stream on std::net, one thread per connection",
        (Family::Peer, Some("rustls")),
        false,
        secure::threads,
    ),
    tls_only(
        "openssl",
        "the system's OpenSSL in a plain loop on epoll, one buffer for all",
        (Family::Raw, None),
        true,
        secure::openssl,
    ),
    raw("raw-epoll", "a plain loop on epoll, level-triggered, one buffer for all", epoll::run)
        .with(datagrams::raw_epoll),
    Server {
        lean: false,
        ..raw("raw-uring", "a plain loop on io_uring, one operation at a time", single_shot::run)
    },
    raw("raw-uring-multi", "a plain loop on io_uring, multishot and lent buffers", multishot::run),
    packets(
        "raw-mmsg",
        "a plain loop on epoll, recvmmsg and sendmmsg: many datagrams in a call",
        (Family::Raw, None),
        datagrams::raw_mmsg,
    ),
    packets(
        "raw-gso",
        "as raw-mmsg, with datagrams cut and joined by the kernel (UDP_SEGMENT, UDP_GRO)",
        (Family::Raw, None),
        datagrams::raw_gso,
    ),
];

const OURS: (Family, Option<&str>) = (Family::Reseau, Some("reseau"));

/// The buffer of a connection that echoes.
pub(crate) const ECHO_BYTES: usize = 4096;
/// The buffer of a connection that streams.
pub(crate) const BULK_BYTES: usize = 64 * 1024;
