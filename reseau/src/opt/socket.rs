//! Options that every socket has, or every socket of IP: what systems keep at `SOL_SOCKET`.
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use super::codec::{
    Between, Bits, Decode, Encode, Flag, Interface, Long, Maybe, Name, Pending, Span, Timeout, Word,
};
use super::fits::{Datagram, Inet, Unix, Waiting};
use super::sealed::Lent;
use super::table::{Row, options, unread, unset};
use super::values::{AddressFamily, Families, Transfer, Transfers};
use super::{Get, Set, Socket, sealed};
use crate::sys::Side;
use crate::sys::option::places;

options! {
    (Clone, Copy, Debug, PartialEq, Eq) {
        /// How many bytes the system may keep that were not yet received. Systems round it, and
        /// Linux doubles it for its own needs.
        RecvBuffer(usize) get Socket set Socket at RECV_BUFFER as Between(0, i32::MAX);

        /// How many bytes the system may keep that were not yet sent, or not yet acknowledged.
        /// Systems round it, and Linux doubles it for its own needs.
        SendBuffer(usize) get Socket set Socket at SEND_BUFFER as Between(0, i32::MAX);

        /// As [`RecvBuffer`], beyond the system's limit. Only a privileged program may.
        RecvBufferForce(usize) set Socket at RECV_BUFFER_FORCE as Between(0, i32::MAX);

        /// As [`SendBuffer`], beyond the system's limit. Only a privileged program may.
        SendBufferForce(usize) set Socket at SEND_BUFFER_FORCE as Between(0, i32::MAX);

        /// From how many bytes on the socket is readable: fewer wait for more, or for the end. An
        /// async socket receives ahead of its reader, so there it only slows.
        RecvLowWater(u32) get Socket set Socket at RECV_LOW_WATER as Between(1, i32::MAX);

        /// How long one receive may wait; none: for as long as it takes. Deadlines are better
        /// where a message takes several.
        RecvTimeout(Option<Duration>) get Waiting set Waiting
            at RECV_TIMEOUT as Timeout(Side::Recv);

        /// How long one send may wait; none: for as long as it takes.
        SendTimeout(Option<Duration>) get Waiting set Waiting
            at SEND_TIMEOUT as Timeout(Side::Send);

        /// How the socket sends.
        SocketType(Transfer) get Socket at TYPE as Transfers;

        /// The family of the socket's addresses.
        SocketDomain(AddressFamily) get Socket at DOMAIN as Families;

        /// The number of the socket's protocol.
        SocketProtocol(u32) get Socket at PROTOCOL as Between(0, i32::MAX);

        /// Whether it listens.
        Accepting(bool) get Socket at ACCEPTING as Flag;

        /// A number that no other socket of this system has, for as long as it runs.
        Cookie(u64) get Socket at COOKIE as Long;

        /// The mark of the packets, for firewalls and routes. Only a privileged program may.
        Mark(u32) get Socket set Socket at MARK as Bits;

        /// The priority of the packets in the queues of devices. Above 6, only a privileged
        /// program may.
        Priority(u32) get Socket set Socket at PRIORITY as Between(0, i32::MAX);

        /// What is received brings the credentials of its sender along, as ancillary data.
        PassCredentials(bool) get Unix set Unix at PASS_CREDENTIALS as Flag;

        /// What is received brings along, as ancillary data, how many datagrams were dropped so
        /// far because the buffer was full.
        RecvQueueOverflow(bool) get Datagram set Datagram at RECV_QUEUE_OVERFLOW as Flag;

        /// Lets the address be bound while old connections of it linger. On Windows it lets two
        /// programs share a port, which nobody wants.
        ReuseAddress(bool) get Inet set Inet at REUSE_ADDRESS as Flag;

        /// Lets several sockets have one address; Linux spreads what comes among them.
        ReusePort(bool) get Inet set Inet at REUSE_PORT as Flag;

        /// As [`ReusePort`], and what comes is spread among them.
        ReusePortLb(bool) get Inet set Inet at REUSE_PORT_LB as Flag;

        /// Nobody else may have the address, whatever he asks for.
        ExclusiveAddress(bool) get Inet set Inet at EXCLUSIVE_ADDRESS as Flag;

        /// Packets go to machines of the own network only, past the routing table.
        DontRoute(bool) get Inet set Inet at DONT_ROUTE as Flag;

        /// The interface, by its number, that packets come and go through; none: any.
        BindInterface(Option<NonZeroU32>) get Inet set Inet
            at BIND_INTERFACE as Interface(&places::BIND_INTERFACE_V6);

        /// The processor that is to handle what comes, among sockets that share their port; once
        /// something came, the one that did.
        IncomingCpu(Option<u32>) get Inet set Inet at INCOMING_CPU as Maybe;

        /// The number of the device's queue from which the last packet came; 0: none yet.
        IncomingQueue(u32) get Inet at INCOMING_QUEUE as Bits;

        /// How long a receive that would wait asks the device itself, instead of sleeping. Only a
        /// privileged program may ask for more than the system's default.
        BusyPoll(Duration) get Inet set Inet at BUSY_POLL as Span::micros(0, i32::MAX);

        /// Lets asking the device itself (see [`BusyPoll`]) take the place of its interrupts.
        /// Only a privileged program may.
        PreferBusyPoll(bool) get Inet set Inet at PREFER_BUSY_POLL as Flag;

        /// How many packets one [`BusyPoll`] takes at most. Only a privileged program may ask for
        /// more.
        BusyPollBudget(u16) set Inet at BUSY_POLL_BUDGET as Between(0, 65_535);

        /// The most bytes per second that are sent; all bits: no limit.
        PacingRateMax(usize) get Inet set Inet at PACING_RATE_MAX as Word;

        /// The table by which the packets are routed, by its number.
        RoutingTable(u32) set Inet at ROUTING_TABLE as Between(0, i32::MAX);
    }

    (Clone, Debug, PartialEq, Eq) {
        /// The interface, by its name, that packets come and go through; none: any. To change it
        /// once it is set, a program must be privileged.
        BindDevice(Option<String>) get Inet set Inet at BIND_DEVICE as Name;
    }

    (Debug) {
        /// The error that the system keeps for this socket. Reading it takes it away.
        PendingError(Option<io::Error>) get Socket at PENDING_ERROR as Pending;
    }
}
