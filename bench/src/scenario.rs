//! What is measured: the scenarios, and what each asks of a server.

use crate::load::Shape;

/// One line of work given to every server in turn.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) mode: Mode,
    pub(crate) shape: Shape,
    pub(crate) unit: Unit,
}

/// What a server does with its connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Sends back what it receives.
    Echo,
    /// The same, with no buffer held by a connection that is silent.
    Lean,
    /// Receives and forgets.
    Sink,
    /// Sends without end.
    Source,
    /// Closes what it accepts.
    Close,
}

/// What a scenario counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Messages,
    Bytes,
    Connections,
    Memory,
}

impl Mode {
    pub(crate) const ALL: [Self; 5] =
        [Self::Echo, Self::Lean, Self::Sink, Self::Source, Self::Close];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Lean => "lean",
            Self::Sink => "sink",
            Self::Source => "source",
            Self::Close => "close",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

impl Unit {
    /// How the throughput is written, and what to divide operations per second by.
    pub(crate) fn rate(self) -> (&'static str, f64) {
        match self {
            Self::Messages => ("k msg/s", 1e3),
            Self::Bytes => ("MB/s", 1e6),
            Self::Connections => ("k conn/s", 1e3),
            Self::Memory => ("bytes per connection", 1.0),
        }
    }

    /// How processor time is written, and how many operations it is for.
    pub(crate) fn cost(self) -> (&'static str, f64) {
        match self {
            Self::Messages => ("µs CPU per message", 1.0),
            Self::Bytes => ("µs CPU per MiB", 1_048_576.0),
            Self::Connections | Self::Memory => ("µs CPU per connection", 1.0),
        }
    }
}

/// Every scenario, in the order of the report.
pub(crate) const ALL: [Scenario; 11] = [
    echo("echo-64-1", "Echo, 64 B, 1 connection", 1, 64),
    echo("echo-64-64", "Echo, 64 B, 64 connections", 64, 64),
    echo("echo-64-1000", "Echo, 64 B, 1,000 connections", 1000, 64),
    echo("echo-4k-1", "Echo, 4 KiB, 1 connection", 1, 4096),
    echo("echo-4k-64", "Echo, 4 KiB, 64 connections", 64, 4096),
    echo("echo-4k-1000", "Echo, 4 KiB, 1,000 connections", 1000, 4096),
    Scenario {
        name: "bulk-in",
        title: "Bulk stream into the server",
        about: "One connection; the load writes 64 KiB at a time, the server reads and forgets.",
        mode: Mode::Sink,
        shape: Shape::BulkIn,
        unit: Unit::Bytes,
    },
    Scenario {
        name: "bulk-out",
        title: "Bulk stream out of the server",
        about: "One connection; the server writes 64 KiB at a time, the load reads and forgets.",
        mode: Mode::Source,
        shape: Shape::BulkOut,
        unit: Unit::Bytes,
    },
    Scenario {
        name: "close",
        title: "Accept and close",
        about: "64 connections at a time: the load connects, the server accepts and closes, the \
                load sees the end. The load does most of the work here, on its own core: where \
                rates are equal, read the server's processor time.",
        mode: Mode::Close,
        shape: Shape::Close { slots: 64 },
        unit: Unit::Connections,
    },
    Scenario {
        name: "idle",
        title: "Memory of idle connections",
        about: "10,000 connections that echoed one message of 64 B and fell silent: private \
                memory of the server before and after, divided by their number. The same program \
                as in the echo scenarios.",
        mode: Mode::Echo,
        shape: Shape::Idle { connections: 10_000 },
        unit: Unit::Memory,
    },
    Scenario {
        name: "idle-lean",
        title: "Memory of idle connections, thrifty program",
        about: "The same, with a program written to hold no buffer while a connection is silent, \
                where the peer's interface allows it (readiness first, or buffers lent by the \
                kernel).",
        mode: Mode::Lean,
        shape: Shape::Idle { connections: 10_000 },
        unit: Unit::Memory,
    },
];

/// What `--quick` runs.
pub(crate) const QUICK: [&str; 7] =
    ["echo-64-64", "echo-4k-1", "bulk-in", "bulk-out", "close", "idle", "idle-lean"];

const fn echo(
    name: &'static str,
    title: &'static str,
    connections: usize,
    size: usize,
) -> Scenario {
    Scenario {
        name,
        title,
        about: "Closed loop: every connection has one message in flight.",
        mode: Mode::Echo,
        shape: Shape::Echo { connections, size },
        unit: Unit::Messages,
    }
}
