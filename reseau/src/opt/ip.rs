//! Options of IP. Most exist twice, for IPv4 and for IPv6; a socket of IPv6 that speaks IPv4 too
//! may have both.
use std::io;
use std::net::SocketAddr;

use super::codec::{Between, Decode, Destination, Encode, Flag};
use super::fits::{Fresh, Inet, Tcp, Udp};
use super::sealed::Lent;
use super::table::{Row, options, unread, unset};
use super::values::{Choice, Discoveries, MtuDiscovery, Ports, Uncut};
use super::{Get, Set, sealed};
use crate::sys::option::places;

options! {
    (Clone, Copy, Debug, PartialEq, Eq) {
        /// How many hops a packet of IPv4 may take (time to live).
        Ttl(u8) get Inet set Inet at TTL as Between(1, 255);

        /// How many hops a packet of IPv6 may take.
        HopLimit(u8) get Inet set Inet at HOP_LIMIT as Between(0, 255);

        /// Packets of IPv4 that have fewer hops left are dropped (RFC 5082): with 255, all that
        /// were not sent by a neighbour.
        TtlMin(u8) get Inet set Inet at TTL_MIN as Between(0, 255);

        /// As [`TtlMin`], for IPv6.
        HopLimitMin(u8) get Inet set Inet at HOP_LIMIT_MIN as Between(0, 255);

        /// The type of service of packets of IPv4: six bits of DSCP, and two of ECN, which on a
        /// TCP socket are TCP's own.
        Tos(u8) get Inet set Inet at TOS as Between(0, 255);

        /// The traffic class of packets of IPv6: as [`Tos`].
        Tclass(u8) get Inet set Inet at TCLASS as Between(0, 255);

        /// What is received brings its [`Tos`] along, as ancillary data.
        RecvTos(bool) get Udp set Udp at RECV_TOS as Flag;

        /// What is received brings its [`Tclass`] along, as ancillary data.
        RecvTclass(bool) get Udp set Udp at RECV_TCLASS as Flag;

        /// What is received brings its [`Ttl`] along, as ancillary data.
        RecvTtl(bool) get Udp set Udp at RECV_TTL as Flag;

        /// What is received brings its [`HopLimit`] along, as ancillary data.
        RecvHopLimit(bool) get Udp set Udp at RECV_HOP_LIMIT as Flag;

        /// Whether a socket of IPv6 takes IPv6 alone; systems differ in what they do when not
        /// told.
        OnlyV6(bool) get Inet set Fresh at ONLY_V6 as Flag;

        /// Addresses of IPv4 that are not this machine's can be bound and spoken from, as proxies
        /// do. Only a privileged program may.
        Transparent(bool) get Inet set Inet at TRANSPARENT as Flag;

        /// As [`Transparent`], for IPv6.
        TransparentV6(bool) get Inet set Inet at TRANSPARENT_V6 as Flag;

        /// Addresses of IPv4 that this machine does not have yet can be bound.
        Freebind(bool) get Inet set Inet at FREEBIND as Flag;

        /// As [`Freebind`], for IPv6.
        FreebindV6(bool) get Inet set Inet at FREEBIND_V6 as Flag;

        /// Binding with port 0 leaves the choice of the port to connecting, when one will do that
        /// is in use towards other peers.
        BindAddressNoPort(bool) get Inet set Inet at BIND_ADDRESS_NO_PORT as Flag;

        /// The ports from which the system chooses this socket's; none: the system's own.
        LocalPortRange(Option<Ports>) get Inet set Inet at LOCAL_PORT_RANGE as Choice;

        /// Packets of IPv4 are not cut, here or on the way.
        DontFragment(bool) get Inet set Inet at DONT_FRAGMENT as Uncut;

        /// Packets of IPv6 are not cut here.
        DontFragmentV6(bool) get Inet set Inet at DONT_FRAGMENT_V6 as Uncut;

        /// What becomes of packets of IPv4 that are too big; [`DontFragment`] is the short form,
        /// and the portable one.
        DiscoverMtu(MtuDiscovery) get Inet set Inet at MTU_DISCOVERY as Discoveries;

        /// As [`DiscoverMtu`], for IPv6.
        DiscoverMtuV6(MtuDiscovery) get Inet set Inet at MTU_DISCOVERY_V6 as Discoveries;

        /// The biggest packet of IPv4 that fits through the whole way, as far as is known. For
        /// connected sockets.
        Mtu(u32) get Inet at MTU as Between(0, i32::MAX);

        /// As [`Mtu`], for IPv6.
        MtuV6(u32) get Inet at MTU_V6 as Between(0, i32::MAX);

        /// Where the connection was going when the firewall turned it here (`REDIRECT`);
        /// `NotFound` if it did not.
        OriginalDst(SocketAddr) get Tcp at ORIGINAL_DST as Destination;
    }
}
