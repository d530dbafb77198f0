//! What is measured: the scenarios, and what each asks of a server.

use crate::load::Shape;
use crate::load::datagrams::Crowd;

/// One line of work given to every server in turn.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) job: Job,
    pub(crate) shape: Shape,
    pub(crate) unit: Unit,
}

impl Scenario {
    /// Whether the load sees how long each operation takes.
    pub(crate) fn has_latencies(&self) -> bool {
        match self.job {
            Job::Streams(_) | Job::Secure(_) => {
                matches!(self.unit, Unit::Messages | Unit::Connections)
            }
            Job::Packets(post) => post == Post::Echo,
        }
    }
}

/// What a server is started for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Job {
    Streams(Mode),
    /// Streams that speak TLS, as their server.
    Secure(Mode),
    Packets(Post),
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
    /// Closes what it accepts; under TLS it ends what it has shaken hands with.
    Close,
}

/// What a server does with datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Post {
    /// Sends them back.
    Echo,
    /// Receives and counts them.
    Sink,
    /// Sends them without end, and counts them.
    Source,
}

/// What a scenario counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Messages,
    Bytes,
    Connections,
    Packets,
    Memory,
}

impl Job {
    const ALL: [Self; 13] = [
        Self::Streams(Mode::Echo),
        Self::Streams(Mode::Lean),
        Self::Streams(Mode::Sink),
        Self::Streams(Mode::Source),
        Self::Streams(Mode::Close),
        Self::Secure(Mode::Echo),
        Self::Secure(Mode::Lean),
        Self::Secure(Mode::Sink),
        Self::Secure(Mode::Source),
        Self::Secure(Mode::Close),
        Self::Packets(Post::Echo),
        Self::Packets(Post::Sink),
        Self::Packets(Post::Source),
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Streams(Mode::Echo) => "echo",
            Self::Streams(Mode::Lean) => "lean",
            Self::Streams(Mode::Sink) => "sink",
            Self::Streams(Mode::Source) => "source",
            Self::Streams(Mode::Close) => "close",
            Self::Secure(Mode::Echo) => "tls-echo",
            Self::Secure(Mode::Lean) => "tls-lean",
            Self::Secure(Mode::Sink) => "tls-sink",
            Self::Secure(Mode::Source) => "tls-source",
            Self::Secure(Mode::Close) => "tls-close",
            Self::Packets(Post::Echo) => "packet-echo",
            Self::Packets(Post::Sink) => "packet-sink",
            Self::Packets(Post::Source) => "packet-source",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.name() == name)
    }

    /// Whether the server counts what it does, since nobody else can.
    pub(crate) fn is_tallied(self) -> bool {
        matches!(self, Self::Packets(Post::Sink | Post::Source))
    }
}

impl Unit {
    /// How the throughput is written, and what to divide operations per second by.
    pub(crate) fn rate(self) -> (&'static str, f64) {
        match self {
            Self::Messages => ("k msg/s", 1e3),
            Self::Bytes => ("MB/s", 1e6),
            Self::Connections => ("k conn/s", 1e3),
            Self::Packets => ("k packets/s", 1e3),
            Self::Memory => ("bytes per connection", 1.0),
        }
    }

    /// How processor time is written, and how many operations it is for.
    pub(crate) fn cost(self) -> (&'static str, f64) {
        match self {
            Self::Messages => ("µs CPU per message", 1.0),
            Self::Packets => ("µs CPU per packet", 1.0),
            Self::Bytes => ("µs CPU per MiB", 1_048_576.0),
            Self::Connections | Self::Memory => ("µs CPU per connection", 1.0),
        }
    }
}

/// Every scenario, in the order of the report.
pub(crate) const ALL: [Scenario; 30] = [
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
        job: Job::Streams(Mode::Sink),
        shape: Shape::BulkIn,
        unit: Unit::Bytes,
    },
    Scenario {
        name: "bulk-out",
        title: "Bulk stream out of the server",
        about: "One connection; the server writes 64 KiB at a time, the load reads and forgets.",
        job: Job::Streams(Mode::Source),
        shape: Shape::BulkOut,
        unit: Unit::Bytes,
    },
    Scenario {
        name: "close",
        title: "Accept and close",
        about: "64 connections at a time: the load connects, the server accepts and closes, the \
                load sees the end. The load does most of the work here, on its own core: where \
                rates are equal, read the server's processor time.",
        job: Job::Streams(Mode::Close),
        shape: Shape::Close { slots: 64, resumed: false },
        unit: Unit::Connections,
    },
    Scenario {
        name: "idle",
        title: "Memory of idle connections",
        about: "10,000 connections that echoed one message of 64 B and fell silent: private \
                memory of the server before and after, divided by their number. The same program \
                as in the echo scenarios.",
        job: Job::Streams(Mode::Echo),
        shape: Shape::Idle { connections: 10_000 },
        unit: Unit::Memory,
    },
    Scenario {
        name: "idle-lean",
        title: "Memory of idle connections, thrifty program",
        about: "The same, with a program written to hold no buffer while a connection is silent, \
                where the peer's interface allows it (readiness first, or buffers lent by the \
                kernel).",
        job: Job::Streams(Mode::Lean),
        shape: Shape::Idle { connections: 10_000 },
        unit: Unit::Memory,
    },
    packet_echo("udp-echo-64", "UDP echo, 64 B, 64 peers", MANY_PEERS, 64),
    packet_echo("udp-echo-1200", "UDP echo, 1,200 B, 64 peers", MANY_PEERS, 1200),
    packet_echo("udp-train-1200", "UDP echo, 1,200 B, trains of 4 peers", TRAINS, 1200),
    flood_in("udp-in-64", "UDP flood into the server, 64 B", TRAINS, 64),
    flood_in("udp-in-1200", "UDP flood into the server, 1,200 B", TRAINS, 1200),
    flood_in("udp-in-single-64", "UDP flood into the server, 64 B, sent singly", SINGLE, 64),
    flood_out("udp-out-64", "UDP flood out of the server, 64 B", SINGLE, 64),
    flood_out("udp-out-1200", "UDP flood out of the server, 1,200 B", SINGLE, 1200),
    flood_out(
        "udp-out-joined-1200",
        "UDP flood out of the server, 1,200 B, never cut",
        TRAINS,
        1200,
    ),
    handshakes("tls-full", "TLS: full handshakes", false),
    handshakes("tls-resumed", "TLS: resumed handshakes", true),
    secure_echo("tls-echo-64-1", "TLS: echo, 64 B, 1 connection", 1, 64),
    secure_echo("tls-echo-64-64", "TLS: echo, 64 B, 64 connections", 64, 64),
    secure_echo("tls-echo-4k-1", "TLS: echo, 4 KiB, 1 connection", 1, 4096),
    secure_echo("tls-echo-4k-64", "TLS: echo, 4 KiB, 64 connections", 64, 4096),
    Scenario {
        name: "tls-in",
        title: "TLS: bulk stream into the server",
        about: "One connection; the load writes 16 KiB at a time, the server reads and forgets. \
                The load encrypts as much as the server decrypts: where rates are equal, read the \
                server's processor time.",
        job: Job::Secure(Mode::Sink),
        shape: Shape::BulkIn,
        unit: Unit::Bytes,
    },
    Scenario {
        name: "tls-out",
        title: "TLS: bulk stream out of the server",
        about: "One connection; the server writes 16 KiB at a time, the load reads and forgets.",
        job: Job::Secure(Mode::Source),
        shape: Shape::BulkOut,
        unit: Unit::Bytes,
    },
    Scenario {
        name: "tls-idle",
        title: "TLS: memory of idle connections",
        about: "2,000 connections that echoed one message of 64 B and fell silent, as without \
                TLS. The same program as in the echo scenarios.",
        job: Job::Secure(Mode::Echo),
        shape: Shape::Idle { connections: 2000 },
        unit: Unit::Memory,
    },
    Scenario {
        name: "tls-idle-lean",
        title: "TLS: memory of idle connections, thrifty program",
        about: "The same, with a program written to hold no buffer while a connection is silent, \
                where the peer's interface allows it.",
        job: Job::Secure(Mode::Lean),
        shape: Shape::Idle { connections: 2000 },
        unit: Unit::Memory,
    },
];

/// What `--quick` runs.
pub(crate) const QUICK: [&str; 18] = [
    "echo-64-64",
    "echo-4k-1",
    "bulk-in",
    "bulk-out",
    "close",
    "idle",
    "idle-lean",
    "udp-echo-64",
    "udp-train-1200",
    "udp-in-64",
    "udp-out-1200",
    "tls-full",
    "tls-resumed",
    "tls-echo-64-64",
    "tls-in",
    "tls-out",
    "tls-idle",
    "tls-idle-lean",
];

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
        job: Job::Streams(Mode::Echo),
        shape: Shape::Echo { connections, size },
        unit: Unit::Messages,
    }
}

const fn secure_echo(
    name: &'static str,
    title: &'static str,
    connections: usize,
    size: usize,
) -> Scenario {
    Scenario { job: Job::Secure(Mode::Echo), ..echo(name, title, connections, size) }
}

const fn handshakes(name: &'static str, title: &'static str, resumed: bool) -> Scenario {
    let about = match resumed {
        false => {
            "64 connections at a time: the load connects and shakes hands, the server says that \
             it was all and closes, the load sees the end. TLS 1.3, X25519, a certificate for \
             ECDSA on P-256, two tickets. The load takes no session up again, and leaves the \
             signature alone, which would cost it more than the server. Read the server's \
             processor time."
        }
        true => "As before, with sessions taken up again by tickets (and a new key exchange).",
    };
    let shape = Shape::Close { slots: 64, resumed };
    Scenario { name, title, about, job: Job::Secure(Mode::Close), shape, unit: Unit::Connections }
}

const fn packet_echo(
    name: &'static str,
    title: &'static str,
    crowd: Crowd,
    size: usize,
) -> Scenario {
    let about = match crowd.trains {
        false => {
            "Every peer has one datagram in flight, sent and received by a call of its own: \
             nothing can be cut or joined, and a batch is what has come in the meantime."
        }
        true => {
            "Every peer has 64 datagrams in flight, which the load lets the kernel cut and join \
             (GSO, GRO): what comes together may be answered together."
        }
    };
    let shape = Shape::PacketEcho(Crowd { size, ..crowd });
    Scenario { name, title, about, job: Job::Packets(Post::Echo), shape, unit: Unit::Packets }
}

const fn flood_in(name: &'static str, title: &'static str, crowd: Crowd, size: usize) -> Scenario {
    let about = match crowd.trains {
        true => {
            "The load sends what it can, as trains that the kernel cuts (GSO), or hands over \
             whole to a server that asked for it (GRO). The server counts. What it is too slow \
             for is lost; where it is faster than the load, read its processor time."
        }
        false => {
            "As before, with datagrams of their own from 16 sockets: nothing is joined, so a \
             call for many saves the calls and nothing else."
        }
    };
    let shape = Shape::PacketsIn(Crowd { size, ..crowd });
    Scenario { name, title, about, job: Job::Packets(Post::Sink), shape, unit: Unit::Packets }
}

const fn flood_out(name: &'static str, title: &'static str, crowd: Crowd, size: usize) -> Scenario {
    let about = match crowd.trains {
        false => {
            "The server sends what it can to one socket, and counts. On a loopback the sender's \
             core delivers, too: trains are cut there, since the socket of the load takes no such, \
             and what the load is too slow for is lost there."
        }
        true => "As before, to a socket that takes trains: the kernel cuts none.",
    };
    let shape = Shape::PacketsOut(Crowd { size, ..crowd });
    Scenario { name, title, about, job: Job::Packets(Post::Source), shape, unit: Unit::Packets }
}

const MANY_PEERS: Crowd = Crowd { peers: 64, each: 1, size: 0, trains: false };
const SINGLE: Crowd = Crowd { peers: 16, each: 32, size: 0, trains: false };
const TRAINS: Crowd = Crowd { peers: 4, each: 64, size: 0, trains: true };
