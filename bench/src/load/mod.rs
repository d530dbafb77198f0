//! The load generator: one thread, one epoll, the same for every server.

mod bulk;
mod close;
pub(crate) mod datagrams;
mod echo;
mod histogram;
mod idle;
mod verify;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::child::Process;
use crate::meter::{Reading, Usage};
use crate::scenario::Job;
use crate::tls::Habit;
use datagrams::Crowd;
use wire::Dial;

pub(crate) use histogram::Histogram;

/// Whether a server does what its job is, byte for byte.
pub(crate) fn verify(job: Job, addr: SocketAddr) -> io::Result<()> {
    match job {
        Job::Streams(_) => verify::verify(&Dial::plain(addr)),
        Job::Secure(_) => verify::verify(&Dial::secure(addr, Habit::Careful)?),
        Job::Packets(_) => datagrams::verify(addr),
    }
}

/// What the load does with a server.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Echo { connections: usize, size: usize },
    BulkIn,
    BulkOut,
    Close { slots: usize, resumed: bool },
    PacketEcho(Crowd),
    PacketsIn(Crowd),
    PacketsOut(Crowd),
    Idle { connections: usize },
}

/// What one visit to one server showed.
pub(crate) struct Sample {
    /// Messages, bytes or connections; for idle memory, bytes per connection.
    pub(crate) amount: f64,
    pub(crate) seconds: f64,
    pub(crate) usage: Usage,
    pub(crate) latencies: Option<Histogram>,
    /// Of the datagrams that were sent, the share that did not come.
    pub(crate) lost: Option<f64>,
    /// Nanoseconds between the cores, before the visit.
    pub(crate) distance: Option<f64>,
}

impl Sample {
    /// Of as many as there are latencies.
    fn counted(latencies: Histogram, seconds: f64, usage: Usage) -> Self {
        let amount = latencies.total() as f64;
        Self { amount, seconds, usage, latencies: Some(latencies), lost: None, distance: None }
    }
}

/// How long a visit lasts.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) warm: Duration,
    pub(crate) measured: Duration,
    /// Whether the load waits without sleeping. Waking a sleeper on another core costs the waker
    /// microseconds in a virtual machine, and the server would pay them for each message, or not,
    /// depending on who happens to be faster.
    pub(crate) awake: bool,
}

/// Visits `server` once.
pub(crate) fn visit(
    job: Job,
    shape: Shape,
    server: &mut Process,
    span: Span,
) -> io::Result<Sample> {
    let addr = server.addr;
    let returns = matches!(shape, Shape::Close { resumed: true, .. });
    let dial = match job {
        Job::Secure(_) if returns => Dial::secure(addr, Habit::Returning)?,
        Job::Secure(_) => Dial::secure(addr, Habit::Quick)?,
        Job::Streams(_) | Job::Packets(_) => Dial::plain(addr),
    };
    match shape {
        Shape::Idle { connections } => idle::run(server, &dial, connections),
        _ => {
            let mut window = Window::new(server, span);
            match shape {
                Shape::Echo { connections, size } => {
                    echo::run(&mut window, &dial, connections, size)
                }
                Shape::BulkIn => bulk::run(&mut window, &dial, bulk::Way::In),
                Shape::BulkOut => bulk::run(&mut window, &dial, bulk::Way::Out),
                Shape::Close { slots, resumed } => close::run(&mut window, &dial, slots, resumed),
                Shape::PacketEcho(crowd) => datagrams::echo(&mut window, addr, crowd),
                Shape::PacketsIn(crowd) => datagrams::inwards(&mut window, addr, crowd),
                Shape::PacketsOut(crowd) => datagrams::outwards(&mut window, addr, crowd),
                Shape::Idle { .. } => unreachable!("handled above"),
            }
        }
    }
}

/// The measured stretch of a visit: opens after the warm-up, closes on its own.
struct Window<'a> {
    server: &'a mut Process,
    span: Span,
    turns_at: Instant,
    opened: Option<(Instant, Reading)>,
}

/// What a load loop learns at the end of a stretch.
enum Turn {
    /// The warm-up is over: forget what was counted.
    Opened,
    /// Stop: so many seconds were measured, and the server used this.
    Closed { seconds: f64, usage: Usage },
}

impl<'a> Window<'a> {
    fn new(server: &'a mut Process, span: Span) -> Self {
        let turns_at = Instant::now() + span.warm;
        Self { server, span, turns_at, opened: None }
    }

    /// Starts the warm-up anew, for loads that take long to set up.
    fn restart(&mut self) {
        self.turns_at = Instant::now() + self.span.warm;
    }

    /// Whether a stretch is over.
    fn due(&self, now: Instant) -> bool {
        now >= self.turns_at
    }

    /// Ends a stretch that is over. What is in flight now is on nobody's bill, or on the wrong one.
    fn turn(&mut self) -> io::Result<Turn> {
        let Some((since, first)) = &self.opened else {
            let first = Reading::first(self.server)?;
            let since = Instant::now();
            self.turns_at = since + self.span.measured;
            self.opened = Some((since, first));
            return Ok(Turn::Opened);
        };
        let seconds = since.elapsed().as_secs_f64();
        let usage = Reading::last(self.server)?.since(first);
        Ok(Turn::Closed { seconds, usage })
    }
}

/// An error for a server that let the load wait too long.
fn stalled(what: &str) -> io::Error {
    let text = format!("stalled: {what} for {} s", STALL.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

/// A server that shows no progress for so long has failed.
const STALL: Duration = Duration::from_secs(20);
