//! What the systems tell of a TCP connection: where in their records the facts are.

/// A record's form. A fact that it does not have, or that an older kernel's shorter record does
/// not reach, is `None`.
pub(crate) struct Layout {
    /// How the system numbers the states: in the order of `opt::TcpState`.
    pub(crate) states: [u64; 11],
    /// How many microseconds the times count in.
    pub(crate) micros: u32,
    pub(crate) state: Field,
    pub(crate) retransmit_timeout: Field,
    pub(crate) rtt: Field,
    pub(crate) rtt_deviation: Field,
    pub(crate) rtt_min: Field,
    pub(crate) segment_max: Field,
    pub(crate) congestion_window: Field,
    pub(crate) congestion_threshold: Field,
    pub(crate) peer_window: Field,
    pub(crate) path_mtu: Field,
    pub(crate) reordering: Field,
    pub(crate) in_flight: Field,
    pub(crate) lost: Field,
    pub(crate) retransmitted: Field,
    pub(crate) not_sent: Field,
    pub(crate) bytes_sent: Field,
    pub(crate) bytes_acked: Field,
    pub(crate) bytes_retransmitted: Field,
    pub(crate) bytes_received: Field,
    pub(crate) segments_sent: Field,
    pub(crate) segments_received: Field,
    pub(crate) pacing_rate: Field,
    pub(crate) delivery_rate: Field,
    pub(crate) busy: Field,
    pub(crate) limited_by_peer: Field,
    pub(crate) limited_by_buffer: Field,
}

/// Where a number is, and how many bytes it has.
#[derive(Clone, Copy)]
pub(crate) struct Field(Option<(usize, usize)>);

impl Field {
    const fn new(at: usize, len: usize) -> Self {
        Self(Some((at, len)))
    }

    /// The number in `record`, if that has it.
    pub(crate) fn of(self, record: &[u8]) -> Option<u64> {
        let (at, len) = self.0?;
        let bytes = record.get(at..at + len)?;
        match *bytes {
            [byte] => Some(byte.into()),
            [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d]).into()),
            _ => bytes.try_into().ok().map(u64::from_ne_bytes),
        }
    }
}

/// Longer than any record so far.
pub(crate) const RECORD_MAX: usize = 512;

#[cfg(any(all(test, target_os = "linux", target_env = "gnu"), target_vendor = "apple"))]
const NONE: Field = Field(None);

/// Linux' `struct tcp_info`, which only ever grows at its end.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const LAYOUT: Layout = Layout {
    states: [7, 10, 2, 3, 1, 8, 4, 11, 9, 5, 6],
    micros: 1,
    state: Field::new(0, 1),
    retransmit_timeout: Field::new(8, 4),
    rtt: Field::new(68, 4),
    rtt_deviation: Field::new(72, 4),
    rtt_min: Field::new(148, 4),
    segment_max: Field::new(16, 4),
    congestion_window: Field::new(80, 4),
    congestion_threshold: Field::new(76, 4),
    peer_window: Field::new(228, 4),
    path_mtu: Field::new(60, 4),
    reordering: Field::new(88, 4),
    in_flight: Field::new(24, 4),
    lost: Field::new(32, 4),
    retransmitted: Field::new(100, 4),
    not_sent: Field::new(144, 4),
    bytes_sent: Field::new(200, 8),
    bytes_acked: Field::new(120, 8),
    bytes_retransmitted: Field::new(208, 8),
    bytes_received: Field::new(128, 8),
    segments_sent: Field::new(136, 4),
    segments_received: Field::new(140, 4),
    pacing_rate: Field::new(104, 8),
    delivery_rate: Field::new(160, 8),
    busy: Field::new(168, 8),
    limited_by_peer: Field::new(176, 8),
    limited_by_buffer: Field::new(184, 8),
};

/// Apple's `struct tcp_connection_info`.
#[cfg(target_vendor = "apple")]
pub(crate) const LAYOUT: Layout = {
    use libc::tcp_connection_info as Record;
    use std::mem::offset_of;
    Layout {
        states: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        micros: 1000,
        state: Field::new(offset_of!(Record, tcpi_state), 1),
        retransmit_timeout: Field::new(offset_of!(Record, tcpi_rto), 4),
        rtt: Field::new(offset_of!(Record, tcpi_srtt), 4),
        rtt_deviation: Field::new(offset_of!(Record, tcpi_rttvar), 4),
        rtt_min: NONE,
        segment_max: Field::new(offset_of!(Record, tcpi_maxseg), 4),
        congestion_window: Field::new(offset_of!(Record, tcpi_snd_cwnd), 4),
        congestion_threshold: Field::new(offset_of!(Record, tcpi_snd_ssthresh), 4),
        peer_window: Field::new(offset_of!(Record, tcpi_snd_wnd), 4),
        path_mtu: NONE,
        reordering: NONE,
        in_flight: NONE,
        lost: NONE,
        retransmitted: NONE,
        not_sent: NONE,
        bytes_sent: Field::new(offset_of!(Record, tcpi_txbytes), 8),
        bytes_acked: NONE,
        bytes_retransmitted: Field::new(offset_of!(Record, tcpi_txretransmitbytes), 8),
        bytes_received: Field::new(offset_of!(Record, tcpi_rxbytes), 8),
        segments_sent: Field::new(offset_of!(Record, tcpi_txpackets), 8),
        segments_received: Field::new(offset_of!(Record, tcpi_rxpackets), 8),
        pacing_rate: NONE,
        delivery_rate: NONE,
        busy: NONE,
        limited_by_peer: NONE,
        limited_by_buffer: NONE,
    }
};

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use libc::tcp_info as Record;
    use std::mem::offset_of;

    #[test]
    fn the_record_is_the_c_librarys() {
        let known = [
            (LAYOUT.state, offset_of!(Record, tcpi_state)),
            (LAYOUT.retransmit_timeout, offset_of!(Record, tcpi_rto)),
            (LAYOUT.rtt, offset_of!(Record, tcpi_rtt)),
            (LAYOUT.rtt_deviation, offset_of!(Record, tcpi_rttvar)),
            (LAYOUT.segment_max, offset_of!(Record, tcpi_snd_mss)),
            (LAYOUT.congestion_window, offset_of!(Record, tcpi_snd_cwnd)),
            (LAYOUT.congestion_threshold, offset_of!(Record, tcpi_snd_ssthresh)),
            (LAYOUT.path_mtu, offset_of!(Record, tcpi_pmtu)),
            (LAYOUT.reordering, offset_of!(Record, tcpi_reordering)),
            (LAYOUT.in_flight, offset_of!(Record, tcpi_unacked)),
            (LAYOUT.lost, offset_of!(Record, tcpi_lost)),
            (LAYOUT.retransmitted, offset_of!(Record, tcpi_total_retrans)),
        ];
        for (field, at) in known {
            assert_eq!(field.0.map(|(at, _)| at), Some(at));
        }
    }

    #[test]
    fn a_short_record_lacks_its_end() {
        let record = [1; 104];
        assert_eq!(LAYOUT.state.of(&record), Some(1));
        assert_eq!(LAYOUT.retransmitted.of(&record), Some(0x0101_0101));
        assert_eq!(LAYOUT.bytes_acked.of(&record), None);
        assert_eq!(NONE.of(&record), None);
    }
}
