//! What kinds of sockets there are, as types: families and ways of sending.
use std::net::SocketAddr;
use std::{fmt, io};

use super::{Addr, UnixAddr, VsockAddr};

/// An address family. The families are those of this crate: [`Inet`], [`Unix`] and [`Vsock`], and
/// [`Any`] for what is known only when the program runs.
pub trait Family: sealed::Named + 'static {
    /// What an end of a connection is called.
    type Addr: Clone + PartialEq + fmt::Debug + Into<Addr> + Send + Sync + 'static;

    #[doc(hidden)]
    fn named(addr: Addr) -> io::Result<Self::Addr>;

    /// Who sent a datagram. Some senders have no name.
    #[doc(hidden)]
    fn sender(addr: Option<Addr>) -> io::Result<Self::Addr> {
        addr.ok_or_else(other_family).and_then(Self::named)
    }
}

/// IPv4 and IPv6: TCP and UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inet {}

/// Unix-domain sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unix {}

/// Sockets between a virtual machine and its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vsock {}

/// One of the others: of a socket whose address came as text, for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Any {}

impl Family for Inet {
    type Addr = SocketAddr;

    fn named(addr: Addr) -> io::Result<SocketAddr> {
        addr.inet().ok_or_else(other_family)
    }
}

impl Family for Unix {
    type Addr = UnixAddr;

    fn named(addr: Addr) -> io::Result<UnixAddr> {
        addr.unix().cloned().ok_or_else(other_family)
    }

    fn sender(addr: Option<Addr>) -> io::Result<UnixAddr> {
        addr.map_or_else(|| Ok(UnixAddr::unnamed()), Self::named)
    }
}

impl Family for Vsock {
    type Addr = VsockAddr;

    fn named(addr: Addr) -> io::Result<VsockAddr> {
        addr.vsock().ok_or_else(other_family)
    }
}

impl Family for Any {
    type Addr = Addr;

    fn named(addr: Addr) -> io::Result<Addr> {
        Ok(addr)
    }
}

impl sealed::Named for Inet {
    const STREAM: &'static str = "Tcp";
    const DATAGRAM: &'static str = "UdpSocket";
    const LOCAL: &'static str = "addr";
    const DESCRIPTOR_FIRST: bool = false;
    const ENDS: bool = false;
    const PASSES: Option<bool> = Some(false);
    const FAMILY: Which = Which::Inet;
}

impl sealed::Named for Unix {
    const STREAM: &'static str = "Unix";
    const DATAGRAM: &'static str = "UnixDatagram";
    const LOCAL: &'static str = "local";
    const DESCRIPTOR_FIRST: bool = true;
    const ENDS: bool = true;
    const PASSES: Option<bool> = Some(true);
    const FAMILY: Which = Which::Unix;
}

impl sealed::Named for Vsock {
    const STREAM: &'static str = "Vsock";
    const DATAGRAM: &'static str = "VsockDatagram";
    const LOCAL: &'static str = "local";
    const DESCRIPTOR_FIRST: bool = true;
    const ENDS: bool = false;
    const PASSES: Option<bool> = Some(false);
    const FAMILY: Which = Which::Vsock;
}

impl sealed::Named for Any {
    const STREAM: &'static str = "";
    const DATAGRAM: &'static str = "Datagram";
    const LOCAL: &'static str = "local";
    const DESCRIPTOR_FIRST: bool = true;
    const ENDS: bool = false;
    const PASSES: Option<bool> = None;
    const FAMILY: Which = Which::Any;
}

/// The families, as values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(unnameable_types)]
pub enum Which {
    Inet,
    Unix,
    Vsock,
    Any,
}

#[allow(unnameable_types)] // That is what seals it.
pub(crate) mod sealed {
    use super::Which;

    /// How `Debug` shows a socket of the family: as std does.
    pub trait Named {
        /// What the names of stream types begin with.
        const STREAM: &'static str;
        /// The name of the type that sends datagrams.
        const DATAGRAM: &'static str;
        /// What it calls the address of this end.
        const LOCAL: &'static str;
        const DESCRIPTOR_FIRST: bool;
        /// Whether receiving datagrams can be ended.
        const ENDS: bool;
        const FAMILY: Which;
        /// Whether bytes may bring descriptors along, where the family says it.
        const PASSES: Option<bool>;
    }
}

fn other_family() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the socket is of another family")
}
