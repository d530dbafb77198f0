//! The words that a type of socket is made of: families, types and protocols.
#![allow(non_camel_case_types)] // They have the names that everybody knows.
use std::fmt::Debug;

use super::addr::{IPv4Addr, IPv6Addr, SockAddr};
use crate::addr::UnixAddr;
use crate::sys::option::numbers;

/// A family of addresses.
pub trait SockFamily: Copy + Debug + Default + Send + Sync + 'static {
    /// The addresses that its sockets have.
    type Addr: SockAddr;
    /// The system's number for it.
    const NUMBER: i32;
}

/// How a socket sends.
pub trait SockType: Copy + Debug + Default + Send + Sync + 'static {
    /// The system's number for it.
    const NUMBER: i32;
}

/// What goes over the wire.
pub trait SockProtocol: Copy + Debug + Default + Send + Sync + 'static {
    /// The system's number for it.
    const NUMBER: i32;
    /// The name by which services are registered for it.
    const NAME: &'static str;
}

macro_rules! words {
    ($($(#[$doc:meta])+ $name:ident: $trait:ident { $($body:tt)+ })+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name;

        impl $trait for $name { $($body)+ }
    )+};
}

words! {
    /// IPv4.
    AF_INET: SockFamily {
        type Addr = IPv4Addr;
        const NUMBER: i32 = numbers::AF_INET;
    }
    /// IPv6.
    AF_INET6: SockFamily {
        type Addr = IPv6Addr;
        const NUMBER: i32 = numbers::AF_INET6;
    }
    /// Paths of this machine.
    AF_UNIX: SockFamily {
        type Addr = UnixAddr;
        const NUMBER: i32 = numbers::AF_UNIX;
    }
    /// Bytes in order.
    SOCK_STREAM: SockType {
        const NUMBER: i32 = numbers::SOCK_STREAM;
    }
    /// Datagrams.
    SOCK_DGRAM: SockType {
        const NUMBER: i32 = numbers::SOCK_DGRAM;
    }
    /// The protocol of streams of IP.
    TCP: SockProtocol {
        const NUMBER: i32 = numbers::IPPROTO_TCP;
        const NAME: &'static str = "tcp";
    }
    /// The protocol of datagrams of IP.
    UDP: SockProtocol {
        const NUMBER: i32 = numbers::IPPROTO_UDP;
        const NAME: &'static str = "udp";
    }
    /// No protocol of its own: the family has one way only.
    LOCAL: SockProtocol {
        const NUMBER: i32 = 0;
        const NAME: &'static str = "";
    }
}
