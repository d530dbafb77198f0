//! Options of TCP.
use std::io;
use std::time::Duration;

use super::codec::{
    Between, Bits, Decode, Encode, Flag, Forgiving, Lingering, Name, Optional, Reset, Span,
};
use super::fits::{FreshTcp, Listening, Tcp, WaitingTcp};
use super::sealed::Lent;
use super::table::{Row, options, unread, unset};
use super::tcp_info::{Record, TcpSnapshot};
use super::{Get, Set, sealed};
use crate::sys::option::places;

options! {
    (Clone, Copy, Debug, PartialEq, Eq) {
        /// Sends small writes at once, and does not let them wait for each other (Nagle's
        /// algorithm).
        Nodelay(bool) get Tcp set Tcp at NODELAY as Flag;

        /// How long closing waits for what is not yet delivered, in whole seconds; none: it does
        /// not wait, and the system goes on by itself; zero: it resets the connection. Only for
        /// sockets that wait in their calls: a loop would wait too, and all its sockets with it.
        /// [`ResetOnClose`] is for all.
        Linger(Option<Duration>) get Tcp set WaitingTcp at LINGER as Lingering;

        /// Closing resets the connection: what is not yet delivered is dropped, and the peer sees
        /// an error. It is a [`Linger`] of zero, and switching it off ends any linger.
        ResetOnClose(bool) get Tcp set Tcp at LINGER as Reset;

        /// Bytes that are urgent are read where they stand among the others.
        OutOfBandInline(bool) get Tcp set Tcp at OUT_OF_BAND_INLINE as Flag;

        /// Asks a silent peer, from time to time, whether it is still there.
        KeepAlive(bool) get Tcp set Tcp at KEEP_ALIVE as Flag;

        /// How long the peer is silent before [`KeepAlive`] asks: whole seconds.
        KeepAliveIdle(Duration) get Tcp set Tcp at KEEP_ALIVE_IDLE as Span::seconds(1, 32_767);

        /// How long [`KeepAlive`] waits for an answer before it asks again: whole seconds.
        KeepAliveInterval(Duration) get Tcp set Tcp
            at KEEP_ALIVE_INTERVAL as Span::seconds(1, 32_767);

        /// How often [`KeepAlive`] asks before it takes the peer for dead.
        KeepAliveCount(u32) get Tcp set Tcp at KEEP_ALIVE_COUNT as Between(1, 127);

        /// How long what was sent may go unacknowledged before the connection ends; none: as long
        /// as the system thinks right.
        UserTimeout(Option<Duration>) get Tcp set Tcp
            at USER_TIMEOUT as Optional(Span::millis(1, i32::MAX));

        /// The most bytes in one segment: what is wished before connecting, and what came of it.
        SegmentMax(u32) get Tcp set Listening at SEGMENT_MAX as Between(88, 32_767);

        /// The socket is writable only while fewer bytes than that wait to be sent for the first
        /// time; all bits: as the system thinks right.
        NotSentLowWater(u32) get Tcp set Tcp at NOT_SENT_LOW_WATER as Bits;

        /// Acknowledges at once, not with the next data; until the system changes its mind.
        QuickAck(bool) get Tcp set Tcp at QUICK_ACK as Flag;

        /// Sends full segments only, until it is switched off again.
        Cork(bool) get Tcp set Tcp at CORK as Flag;

        /// A connection is accepted when its first bytes have come, or when it has waited that
        /// long: whole seconds, which the system rounds up to the times at which it sends again;
        /// zero: as soon as it is there.
        DeferAccept(Duration) get Listening set Listening
            at DEFER_ACCEPT as Span::seconds(0, 32_767);

        /// How many connections may wait that brought bytes along with their first packet; 0: none
        /// may. (The system must allow it, too.)
        FastOpen(u32) get Listening set Listening at FAST_OPEN as Between(0, i32::MAX);

        /// Connecting is done at once, and happens with the first bytes that are sent, which it
        /// takes along if the peer is known to take it.
        FastOpenConnect(bool) get Tcp set FreshTcp at FAST_OPEN_CONNECT as Flag;

        /// Sends again after even intervals, where little is under way, and not after ever longer
        /// ones.
        ThinLinearTimeouts(bool) get Tcp set Tcp at THIN_LINEAR_TIMEOUTS as Flag;

        /// How often it asks for a connection before it gives up.
        SynCount(u8) get Tcp set Tcp at SYN_COUNT as Between(1, 127);

        /// The most that the peer may send ahead, in bytes; 0: as the system thinks right.
        WindowClamp(u32) get Tcp set Tcp at WINDOW_CLAMP as Between(0, i32::MAX);

        /// How long a closed connection waits for the peer to finish; none: it does not.
        FinTimeout(Option<Duration>) get Tcp set Tcp at FIN_TIMEOUT as Forgiving(120);

        /// Whether it is a connection of Multipath TCP, and has not fallen back to plain TCP.
        Multipath(bool) get Tcp at MULTIPATH as Flag;

        /// What the system knows of the connection.
        TcpInfo(TcpSnapshot) get Tcp at INFO as Record;
    }

    (Clone, Debug, PartialEq, Eq) {
        /// The algorithm that avoids congestion, by its name. Which there are depends on the
        /// system, and some are for privileged programs.
        Congestion(String) get Tcp set Tcp at CONGESTION as Name;
    }
}
