//! Values of options that are more than a number or a name.
use std::io;
use std::net::Ipv4Addr;

use super::codec::{Decode, Encode, Numeric, invalid, strange};
use crate::sys::option::{DONT_FRAGMENT, MTU_DISCOVERY, On, Place, VSOCK};
use crate::sys::{Domain, Type};

/// How a socket sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transfer {
    /// Bytes in order.
    Stream,
    /// Messages, each by itself.
    Datagram,
    /// Messages in order.
    Seqpacket,
    /// Packets of a protocol, whole.
    Raw,
    /// Something else: the system's number for it.
    Other(i32),
}

/// The family of a socket's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Paths and other names of this machine.
    Unix,
    /// Virtual machines and their host.
    Vsock,
    /// Something else: the system's number for it.
    Other(i32),
}

/// What becomes of packets that are too big for a part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MtuDiscovery {
    /// They are cut, here or on the way.
    Never,
    /// As the system thinks best. Linux cuts them here to what it has found out to fit, and they
    /// are not cut on the way.
    Want,
    /// They are not cut, and not sent if they are known not to fit.
    Always,
    /// They are not cut, and sent even if they are thought not to fit: for programs that find out
    /// themselves what fits.
    Probe,
    /// They are cut here to what the interface takes, whatever others say of the way. Linux and
    /// Android alone.
    Interface,
    /// As [`Interface`](Self::Interface), and they may be cut on the way. Linux and Android
    /// alone.
    Omit,
}

/// Ports from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

/// The number of a way to send.
pub(super) struct Transfers;

impl Decode<Transfer> for Transfers {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<Transfer> {
        on.number(at).map(|number| match Type::from(number) {
            Type::STREAM => Transfer::Stream,
            Type::DGRAM => Transfer::Datagram,
            Type::SEQPACKET => Transfer::Seqpacket,
            Type::RAW => Transfer::Raw,
            _ => Transfer::Other(number),
        })
    }
}

/// The number of a family.
pub(super) struct Families;

impl Decode<AddressFamily> for Families {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<AddressFamily> {
        on.number(at).map(|number| match Domain::from(number) {
            Domain::IPV4 => AddressFamily::V4,
            Domain::IPV6 => AddressFamily::V6,
            Domain::UNIX => AddressFamily::Unix,
            domain if Some(domain) == VSOCK => AddressFamily::Vsock,
            _ => AddressFamily::Other(number),
        })
    }
}

/// The number of a way to find out what fits.
pub(super) struct Discoveries;

impl Discoveries {
    const ALL: [MtuDiscovery; MTU_DISCOVERY.len()] = [
        MtuDiscovery::Never,
        MtuDiscovery::Want,
        MtuDiscovery::Always,
        MtuDiscovery::Probe,
        MtuDiscovery::Interface,
        MtuDiscovery::Omit,
    ];
}

impl Numeric<MtuDiscovery> for Discoveries {
    fn number_of(&self, value: MtuDiscovery) -> io::Result<i32> {
        let number = Self::ALL.iter().position(|one| *one == value);
        number.and_then(|index| MTU_DISCOVERY[index]).ok_or_else(|| {
            let what = format!("this system does not have {value:?}");
            io::Error::new(io::ErrorKind::Unsupported, what)
        })
    }

    fn value_of(&self, number: i32) -> io::Result<MtuDiscovery> {
        let index = MTU_DISCOVERY.iter().position(|one| *one == Some(number));
        index.map(|index| Self::ALL[index]).ok_or_else(|| strange(number))
    }
}

/// Whether packets may be cut: a flag, or one of several ways.
pub(super) struct Uncut;

impl Numeric<bool> for Uncut {
    fn number_of(&self, uncut: bool) -> io::Result<i32> {
        Ok(if uncut { DONT_FRAGMENT[0] } else { 0 })
    }

    fn value_of(&self, number: i32) -> io::Result<bool> {
        Ok(DONT_FRAGMENT.contains(&number))
    }
}

/// Two ports in one number; zero is the system's own range.
pub(super) struct Choice;

impl Numeric<Option<Ports>> for Choice {
    fn number_of(&self, ports: Option<Ports>) -> io::Result<i32> {
        let Some(Ports { first, last }) = ports else { return Ok(0) };
        if first == 0 || first > last {
            let what = format!("{first} to {last} are no ports: at least 1, and in order");
            return Err(invalid(what));
        }
        Ok((u32::from(last) << 16 | u32::from(first)).cast_signed())
    }

    fn value_of(&self, number: i32) -> io::Result<Option<Ports>> {
        let number = number.cast_unsigned();
        let (first, last) = (number as u16, (number >> 16) as u16);
        Ok((number != 0).then_some(Ports { first, last }))
    }
}

/// An address of an interface.
pub(super) struct Octets;

impl Decode<Ipv4Addr> for Octets {
    fn read(&self, on: On<'_>, at: &Place) -> io::Result<Ipv4Addr> {
        let mut octets = [0; 4];
        on.bytes(at, &mut octets)?;
        Ok(octets.into())
    }
}

impl Encode<Ipv4Addr> for Octets {
    fn write(&self, on: On<'_>, at: &Place, addr: Ipv4Addr) -> io::Result<()> {
        on.set_bytes(at, &addr.octets())
    }
}
