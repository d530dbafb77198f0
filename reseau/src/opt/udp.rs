//! Options of UDP: one to many, and many in one.
use std::io;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use super::codec::{Between, Decode, Encode, Flag, Index, Octet};
use super::fits::Udp;
use super::sealed::Lent;
use super::table::{Row, options, unread, unset};
use super::values::Octets;
use super::{Get, Set, sealed};
use crate::sys::option::places;

options! {
    (Clone, Copy, Debug, PartialEq, Eq) {
        /// Lets datagrams go to all machines of a network.
        Broadcast(bool) get Udp set Udp at BROADCAST as Flag;

        /// How many hops a datagram to a group of IPv4 may take; 0: it stays on this machine.
        MulticastTtl(u8) get Udp set Udp at MULTICAST_TTL as Octet;

        /// How many hops a datagram to a group of IPv6 may take; 0: it stays on this machine.
        MulticastHops(u8) get Udp set Udp at MULTICAST_HOPS as Between(0, 255);

        /// What is sent to a group of IPv4 comes back to this machine's members of it. On Windows
        /// the receiver's option counts, elsewhere the sender's.
        MulticastLoop(bool) get Udp set Udp at MULTICAST_LOOP as Octet;

        /// As [`MulticastLoop`], for IPv6.
        MulticastLoopV6(bool) get Udp set Udp at MULTICAST_LOOP_V6 as Flag;

        /// The interface, by its address, through which datagrams to groups of IPv4 go;
        /// unspecified: the system chooses.
        MulticastInterface(Ipv4Addr) get Udp set Udp at MULTICAST_INTERFACE as Octets;

        /// The interface, by its number, through which datagrams to groups of IPv6 go; none: the
        /// system chooses.
        MulticastInterfaceV6(Option<NonZeroU32>) get Udp set Udp
            at MULTICAST_INTERFACE_V6 as Index;

        /// Receives from every group of IPv4 that anybody on this machine has joined, not only
        /// from those that this socket has.
        MulticastAll(bool) get Udp set Udp at MULTICAST_ALL as Flag;

        /// As [`MulticastAll`], for IPv6.
        MulticastAllV6(bool) get Udp set Udp at MULTICAST_ALL_V6 as Flag;

        /// What is sent is cut into datagrams of that size, by the system or the device; 0: it is
        /// one.
        Segment(u16) get Udp set Udp at SEGMENT as Between(0, 65_535);

        /// Datagrams of one size from one sender may be received as one.
        Coalesce(bool) get Udp set Udp at COALESCE as Flag;
    }
}
