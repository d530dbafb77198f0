//! What the system knows of a TCP connection.
use std::io;
use std::time::Duration;

use super::codec::{Decode, strange};
use crate::sys::option::info::{Field, LAYOUT, RECORD_MAX};
use crate::sys::option::{On, Place};

/// A TCP connection as the system saw it at one moment: the value of [`TcpInfo`](super::TcpInfo).
///
/// `None`: this system does not tell, or this kernel is too old to.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use reseau::blocking::{TcpListener, TcpStream};
/// use reseau::opt::{self, TcpState};
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = TcpStream::connect(listener.local_addr()?)?;
/// let opt::TcpInfo(info) = stream.get()?;
/// assert_eq!(info.state, TcpState::Established);
/// println!("{:?} there and back, {:?} lost", info.rtt, info.lost);
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpSnapshot {
    /// How far the connection has come.
    pub state: TcpState,
    /// How long an acknowledgment may take before something is sent again.
    pub retransmit_timeout: Option<Duration>,
    /// How long a segment takes there and back, smoothed.
    pub rtt: Option<Duration>,
    /// How much that varies.
    pub rtt_deviation: Option<Duration>,
    /// The least of late.
    pub rtt_min: Option<Duration>,
    /// The most bytes in one segment.
    pub segment_max: Option<u32>,
    /// The congestion window: segments on Linux and Android, bytes elsewhere.
    pub congestion_window: Option<u32>,
    /// Where it stops to grow fast, if it has been found out.
    pub congestion_threshold: Option<u32>,
    /// The window that the peer has opened, in bytes.
    pub peer_window: Option<u32>,
    /// The biggest packet that fits through the whole way.
    pub path_mtu: Option<u32>,
    /// By how many segments the way shuffles.
    pub reordering: Option<u32>,
    /// Segments on the way.
    pub in_flight: Option<u32>,
    /// Segments that are taken for lost.
    pub lost: Option<u32>,
    /// Segments that were sent again, ever.
    pub retransmitted: Option<u32>,
    /// Bytes that wait here to be sent.
    pub not_sent: Option<u32>,
    /// Bytes that were sent, those that were sent again included.
    pub bytes_sent: Option<u64>,
    /// Bytes that the peer has acknowledged.
    pub bytes_acked: Option<u64>,
    /// Bytes that were sent again.
    pub bytes_retransmitted: Option<u64>,
    /// Bytes that were received.
    pub bytes_received: Option<u64>,
    /// Segments that were sent.
    pub segments_sent: Option<u64>,
    /// Segments that were received.
    pub segments_received: Option<u64>,
    /// The rate at which the system lets segments out, in bytes per second, if it is held back.
    pub pacing_rate: Option<u64>,
    /// The rate at which the peer received of late, in bytes per second.
    pub delivery_rate: Option<u64>,
    /// For how long there was something to send.
    pub busy: Option<Duration>,
    /// For how long of that the peer's window was the limit.
    pub limited_by_peer: Option<Duration>,
    /// For how long of that the send buffer was the limit.
    pub limited_by_buffer: Option<Duration>,
}

/// How far a TCP connection has come (RFC 9293, section 3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcpState {
    /// Not connected, or not any more.
    Closed,
    /// A listener.
    Listen,
    /// It asks for a connection.
    SynSent,
    /// It was asked for a connection, and has answered.
    SynReceived,
    /// Connected.
    Established,
    /// The peer has finished.
    CloseWait,
    /// This side has finished.
    FinWait1,
    /// Both have finished at the same time.
    Closing,
    /// The peer has finished, then this side.
    LastAck,
    /// This side has finished, and the peer knows.
    FinWait2,
    /// Both have finished.
    TimeWait,
}

impl TcpSnapshot {
    fn new(record: &[u8]) -> io::Result<Self> {
        let long = |field: Field| field.of(record);
        let number = |field: Field| long(field).and_then(|number| u32::try_from(number).ok());
        let micros = |field: Field| long(field).map(Duration::from_micros);
        let ticks = |field: Field| micros(field).map(|span| span * LAYOUT.micros);
        Ok(Self {
            state: TcpState::new(long(LAYOUT.state).unwrap_or(u64::MAX))?,
            retransmit_timeout: ticks(LAYOUT.retransmit_timeout),
            rtt: ticks(LAYOUT.rtt),
            rtt_deviation: ticks(LAYOUT.rtt_deviation),
            rtt_min: ticks(LAYOUT.rtt_min).filter(|span| *span < NEVER),
            segment_max: number(LAYOUT.segment_max),
            congestion_window: number(LAYOUT.congestion_window),
            congestion_threshold: number(LAYOUT.congestion_threshold)
                .filter(|threshold| *threshold < i32::MAX.cast_unsigned()),
            peer_window: number(LAYOUT.peer_window),
            path_mtu: number(LAYOUT.path_mtu),
            reordering: number(LAYOUT.reordering),
            in_flight: number(LAYOUT.in_flight),
            lost: number(LAYOUT.lost),
            retransmitted: number(LAYOUT.retransmitted),
            not_sent: number(LAYOUT.not_sent),
            bytes_sent: long(LAYOUT.bytes_sent),
            bytes_acked: long(LAYOUT.bytes_acked),
            bytes_retransmitted: long(LAYOUT.bytes_retransmitted),
            bytes_received: long(LAYOUT.bytes_received),
            segments_sent: long(LAYOUT.segments_sent),
            segments_received: long(LAYOUT.segments_received),
            pacing_rate: long(LAYOUT.pacing_rate).filter(|rate| *rate != u64::MAX),
            delivery_rate: long(LAYOUT.delivery_rate),
            busy: micros(LAYOUT.busy),
            limited_by_peer: micros(LAYOUT.limited_by_peer),
            limited_by_buffer: micros(LAYOUT.limited_by_buffer),
        })
    }
}

impl TcpState {
    const ALL: [Self; 11] = [
        Self::Closed,
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::CloseWait,
        Self::FinWait1,
        Self::Closing,
        Self::LastAck,
        Self::FinWait2,
        Self::TimeWait,
    ];

    fn new(number: u64) -> io::Result<Self> {
        let index = LAYOUT.states.iter().position(|one| *one == number);
        index.map(|index| Self::ALL[index]).ok_or_else(|| strange(number))
    }
}

/// The system's record of a connection.
pub(super) struct Record;

impl Decode<TcpSnapshot> for Record {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<TcpSnapshot> {
        let mut record = [0; RECORD_MAX];
        let len = on.bytes(at, &mut record)?;
        TcpSnapshot::new(&record[..len])
    }
}

/// What Linux says of a time before anything was measured: all bits.
const NEVER: Duration = Duration::from_micros(u32::MAX as u64);
