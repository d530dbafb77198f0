//! Datagrams: what is told about one beside its bytes ([`Packet`]), and many at once ([`Batch`]).
//!
//! Receiving fills a [`Packet`]'s fields with what the system tells; sending takes them as wishes.
//! What a system does not tell is `None`; what it cannot grant is an `Unsupported` error, never
//! silence.
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

mod batch;
mod passed;

pub use batch::{Batch, Full, Iter};
#[allow(unused_imports, unreachable_pub)] // Nothing on systems that pass no descriptors.
pub use passed::*;

/// One datagram's circumstances: as it was received, or as it is to be sent.
///
/// ```
/// use reseau::{Ecn, Packet};
/// let mut packet = Packet::to("127.0.0.1:53".parse::<std::net::SocketAddr>()?);
/// packet.ecn = Some(Ecn::Ect0);
/// packet.ttl = Some(8);
/// assert_eq!(packet.peer.map(|peer| peer.port()), Some(53));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet<A = SocketAddr> {
    /// How many bytes of the buffer it fills (received; sending does not look at it).
    pub len: usize,
    /// Who sent it, or whom it is for. `None`: the sender has no name, or it goes to the peer that
    /// the socket is connected with.
    pub peer: Option<A>,
    /// Which of our addresses it came to, or is to come from.
    pub local: Option<IpAddr>,
    /// The index of the interface on which it came, or through which it is to go.
    pub interface: Option<u32>,
    /// Explicit congestion notification (RFC 3168).
    pub ecn: Option<Ecn>,
    /// Time to live, or hop limit: what was left of it, or what it starts with.
    pub ttl: Option<u8>,
    /// When the system received it (sending does not look at it).
    pub at: Option<SystemTime>,
    /// It was longer than the buffer, and the rest is lost (sending does not look at it).
    pub truncated: bool,
}

/// The two bits by which routers and receivers tell of congestion (RFC 3168).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// The sender does not take part.
    NotEct,
    /// The sender takes part: codepoint ECT(1).
    Ect1,
    /// The sender takes part: codepoint ECT(0).
    Ect0,
    /// A router marked it instead of dropping it: congestion experienced.
    Ce,
}

impl<A> Packet<A> {
    /// A datagram for `peer`, sent as the system sends any.
    pub fn to(peer: A) -> Self {
        Self { peer: Some(peer), ..Self::connected() }
    }

    /// A datagram for the peer that the socket is connected with.
    #[must_use]
    pub const fn connected() -> Self {
        Self {
            len: 0,
            peer: None,
            local: None,
            interface: None,
            ecn: None,
            ttl: None,
            at: None,
            truncated: false,
        }
    }

    /// The answer to this one: to its sender, from the address that it came to, through the
    /// interface on which it came.
    #[must_use]
    pub fn reply(&self) -> Self
    where
        A: Clone,
    {
        Self {
            peer: self.peer.clone(),
            local: self.local,
            interface: self.interface,
            ..Self::connected()
        }
    }

    /// The same with another kind of peer.
    #[cfg_attr(not(feature = "async"), allow(dead_code))]
    pub(crate) fn map<B, E>(self, peer: impl FnOnce(A) -> Result<B, E>) -> Result<Packet<B>, E> {
        let Self { len, peer: named, local, interface, ecn, ttl, at, truncated } = self;
        let peer = named.map(peer).transpose()?;
        Ok(Packet { len, peer, local, interface, ecn, ttl, at, truncated })
    }

    /// Whether it asks for more than a peer.
    pub(crate) fn has_wishes(&self) -> bool {
        self.local.is_some() || self.interface.is_some() || self.ecn.is_some() || self.ttl.is_some()
    }

    /// Whether two are sent alike.
    pub(crate) fn goes_like(&self, other: &Self) -> bool
    where
        A: PartialEq,
    {
        self.peer == other.peer
            && self.local == other.local
            && self.interface == other.interface
            && self.ecn == other.ecn
            && self.ttl == other.ttl
    }
}

impl Ecn {
    /// The notification in a traffic class (the former "type of service").
    #[must_use]
    pub const fn of_traffic_class(class: u8) -> Self {
        match class & 0b11 {
            0b00 => Self::NotEct,
            0b01 => Self::Ect1,
            0b10 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The two bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0b00,
            Self::Ect1 => 0b01,
            Self::Ect0 => 0b10,
            Self::Ce => 0b11,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notification_is_two_bits_of_eight() {
        for class in 0..=u8::MAX {
            assert_eq!(Ecn::of_traffic_class(class).bits(), class & 0b11);
        }
    }

    #[test]
    fn a_reply_goes_back_the_way_it_came() {
        let mut packet = Packet::to(SocketAddr::from(([127, 0, 0, 1], 9)));
        packet.len = 7;
        packet.local = Some(IpAddr::from([127, 0, 0, 2]));
        packet.interface = Some(1);
        packet.ecn = Some(Ecn::Ce);
        packet.ttl = Some(3);
        packet.truncated = true;
        let reply = packet.reply();
        let mut expected = Packet::to(SocketAddr::from(([127, 0, 0, 1], 9)));
        expected.local = packet.local;
        expected.interface = Some(1);
        assert_eq!(reply, expected);
        assert!(reply.has_wishes() && !reply.goes_like(&packet));
        assert!(!Packet::<SocketAddr>::connected().has_wishes());
    }

    #[test]
    fn another_kind_of_peer_keeps_the_rest() {
        let mut packet = Packet::to(5_u8);
        packet.len = 3;
        packet.truncated = true;
        let mapped = packet.clone().map(|peer| Ok::<_, ()>(u32::from(peer) + 1)).unwrap();
        assert_eq!((mapped.peer, mapped.len, mapped.truncated), (Some(6), 3, true));
        assert_eq!(packet.map(|_| Err::<u8, _>("no")), Err("no"));
    }
}
