//! Options as the two kernels keep them: numbers and bytes at a place. What they mean, and to
//! which sockets they belong, is the business of the room `opt`.
//!
//! **The platform contract**, which `option_unix.rs` and `option_windows.rs` keep:
//!
//! - `get(socket, level, name, space)`: reads the value into `space`, and says how long it is;
//! - `set(socket, level, name, value)`: writes it;
//! - `is_unknown(error)`: the kernel does not know the option, for this socket or at all;
//! - `MTU_DISCOVERY`: the numbers of `opt::MtuDiscovery`, in its order;
//! - `DONT_FRAGMENT`: the number that says so, and another that means it too;
//! - `OCTETS`: options of one byte are written as one byte, not as an `int`;
//! - `c`: the constants that `option_places.rs` names.
use super::{Fd, OsSocket, Side, unsupported};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

#[cfg(feature = "async")]
use super::sim;

#[path = "option_info.rs"]
pub(crate) mod info;
#[path = "option_numbers.rs"]
pub(crate) mod numbers;
#[path = "option_places.rs"]
pub(crate) mod places;
#[cfg(unix)]
#[path = "option_unix.rs"]
mod system;
#[cfg(windows)]
#[path = "option_windows.rs"]
mod system;

pub(crate) use super::system::VSOCK;
pub(crate) use socket2::SockRef as Borrowed;
pub(crate) use system::{DONT_FRAGMENT, MTU_DISCOVERY};

/// A socket that options are read from and written to.
#[derive(Clone, Copy)]
pub(crate) enum On<'a> {
    Os(&'a OsSocket),
    #[cfg(feature = "async")]
    Sim(&'a sim::Port),
}

/// Where an option is kept.
#[derive(Debug)]
pub(crate) struct Place {
    /// Its level and its name, if this system has it.
    pub(crate) keys: Option<(i32, i32)>,
    /// What the simulated kernel calls it, if that has it.
    pub(crate) simulated: Option<&'static str>,
    /// The systems that have it.
    pub(crate) systems: &'static [&'static str],
}

impl Fd {
    pub(crate) fn on(&self) -> On<'_> {
        match self {
            Self::Os(socket) => On::Os(socket),
            #[cfg(feature = "async")]
            Self::Sim(port) => On::Sim(port),
        }
    }
}

/// One call, for whichever kernel the socket belongs to.
macro_rules! either {
    ($on:expr, $os:ident => $real:expr, $port:ident => $simulated:expr) => {
        match $on {
            On::Os($os) => $real,
            #[cfg(feature = "async")]
            On::Sim($port) => $simulated,
        }
    };
}

impl On<'_> {
    pub(crate) fn is_simulated(self) -> bool {
        either!(self, _socket => false, _port => true)
    }

    /// A value that is an `int`, or on some systems a byte.
    pub(crate) fn number(self, at: &Place) -> io::Result<i32> {
        either!(self,
            socket => {
                let mut space = [0; 4];
                match get(socket, at, &mut space)? {
                    1 => Ok(space[0].into()),
                    _ => Ok(i32::from_ne_bytes(space)),
                }
            },
            port => Ok(u32::from_number(port.option(at.simulated()?)?).cast_signed()))
    }

    pub(crate) fn set_number(self, at: &Place, value: i32) -> io::Result<()> {
        either!(self,
            socket => set(socket, at, &value.to_ne_bytes()),
            port => port.set_option(at.simulated()?, value.cast_unsigned().to_number()))
    }

    /// As [`set_number`](Self::set_number), of an option that BSD made of one byte.
    pub(crate) fn set_octet(self, at: &Place, value: u8) -> io::Result<()> {
        match self {
            On::Os(socket) if system::OCTETS => set(socket, at, &[value]),
            _ => self.set_number(at, value.into()),
        }
    }

    /// A value of any form: how many bytes it has.
    pub(crate) fn bytes(self, at: &Place, space: &mut [u8]) -> io::Result<usize> {
        either!(self, socket => get(socket, at, space), _port => Err(unsupported(NOT_SIMULATED)))
    }

    pub(crate) fn set_bytes(self, at: &Place, value: &[u8]) -> io::Result<()> {
        either!(self, socket => set(socket, at, value), _port => Err(unsupported(NOT_SIMULATED)))
    }

    pub(crate) fn linger(self) -> io::Result<Option<Duration>> {
        either!(self,
            socket => socket.linger(),
            port => port.option("linger").map(OptionValue::from_number))
    }

    pub(crate) fn set_linger(self, span: Option<Duration>) -> io::Result<()> {
        either!(self,
            socket => socket.set_linger(span),
            port => port.set_option("linger", span.to_number()))
    }

    pub(crate) fn timeout(self, side: Side) -> io::Result<Option<Duration>> {
        either!(self,
            socket => match side {
                Side::Recv => socket.read_timeout(),
                Side::Send => socket.write_timeout(),
            },
            _port => Err(unsupported(NOT_SIMULATED)))
    }

    /// A span that is not zero.
    pub(crate) fn set_timeout(self, side: Side, span: Option<Duration>) -> io::Result<()> {
        let span = span.map(|span| span.max(super::blocking::TIMEOUT_MIN));
        either!(self,
        socket => match side {
            Side::Recv => socket.set_read_timeout(span),
            Side::Send => socket.set_write_timeout(span),
        },
        _port => {
            let _ = span;
            Err(unsupported(NOT_SIMULATED))
        })
    }

    pub(crate) fn take_error(self) -> io::Result<Option<io::Error>> {
        either!(self, socket => socket.take_error(), port => port.take_error())
    }

    /// Whether it is a socket of IPv6.
    pub(crate) fn is_v6(self) -> io::Result<bool> {
        either!(self,
            socket => Ok(socket.local_addr()?.is_ipv6()),
            port => Ok(port.local_addr()?.inet().is_some_and(|addr| addr.is_ipv6())))
    }

    /// Where a connection was going before the firewall turned it here.
    pub(crate) fn original_dst(self) -> io::Result<SocketAddr> {
        either!(self,
            socket => {
                let addr = system::original_dst(socket)?;
                let strange = || io::Error::new(io::ErrorKind::InvalidData, "not an IP address");
                addr.as_socket().ok_or_else(strange)
            },
            _port => Err(unsupported(NOT_SIMULATED)))
    }
}

/// The calls that the doors have under std's and tokio's names: for each its two names, its type,
/// and where it is kept.
macro_rules! calls {
    ($($get:ident, $set:ident: $value:ty => $place:ident;)+) => {
        impl Fd {$(
            pub(crate) fn $get(&self) -> io::Result<$value> {
                self.on().number(&places::$place).map(Number::of_number)
            }

            pub(crate) fn $set(&self, value: $value) -> io::Result<()> {
                self.on().set_number(&places::$place, value.number())
            }
        )+}
    };
}

calls! {
    nodelay, set_nodelay: bool => NODELAY;
    ttl, set_ttl: u32 => TTL;
    keepalive, set_keepalive: bool => KEEP_ALIVE;
    reuse_address, set_reuse_address: bool => REUSE_ADDRESS;
    reuse_port, set_reuse_port: bool => REUSE_PORT;
    recv_buffer_size, set_recv_buffer_size: usize => RECV_BUFFER;
    send_buffer_size, set_send_buffer_size: usize => SEND_BUFFER;
    only_v6, set_only_v6: bool => ONLY_V6;
    tos, set_tos: u32 => TOS;
    tclass, set_tclass: u32 => TCLASS;
    quickack, set_quickack: bool => QUICK_ACK;
    broadcast, set_broadcast: bool => BROADCAST;
    multicast_loop_v4, set_multicast_loop_v4: bool => MULTICAST_LOOP;
    multicast_ttl_v4, set_multicast_ttl_v4: u32 => MULTICAST_TTL;
    multicast_loop_v6, set_multicast_loop_v6: bool => MULTICAST_LOOP_V6;
}

impl Fd {
    pub(crate) fn linger(&self) -> io::Result<Option<Duration>> {
        self.on().linger()
    }

    pub(crate) fn set_linger(&self, span: Option<Duration>) -> io::Result<()> {
        self.on().set_linger(span)
    }
}

pub(crate) fn quickack(socket: &OsSocket) -> io::Result<bool> {
    On::Os(socket).number(&places::QUICK_ACK).map(Number::of_number)
}

pub(crate) fn set_quickack(socket: &OsSocket, on: bool) -> io::Result<()> {
    On::Os(socket).set_number(&places::QUICK_ACK, on.number())
}

/// How those calls' values are written.
trait Number {
    fn number(self) -> i32;
    fn of_number(number: i32) -> Self;
}

macro_rules! number {
    ($($value:ty: $self:ident => $to:expr, $number:ident => $from:expr;)+) => {$(
        impl Number for $value {
            fn number($self) -> i32 { $to }
            fn of_number($number: i32) -> Self { $from }
        }
    )+};
}

number! {
    bool: self => self.into(), number => number != 0;
    u32: self => self.cast_signed(), number => number.cast_unsigned();
    usize: self => i32::try_from(self).unwrap_or(i32::MAX),
        number => Self::try_from(number).unwrap_or_default();
}

impl Place {
    fn keys(&self) -> io::Result<(i32, i32)> {
        self.keys.ok_or_else(|| unsupported("this system has no such option"))
    }

    #[cfg(feature = "async")]
    fn simulated(&self) -> io::Result<&'static str> {
        self.simulated.ok_or_else(|| unsupported(NOT_SIMULATED))
    }
}

fn get(socket: &OsSocket, at: &Place, space: &mut [u8]) -> io::Result<usize> {
    let (level, name) = at.keys()?;
    system::get(socket, level, name, space)
}

fn set(socket: &OsSocket, at: &Place, value: &[u8]) -> io::Result<()> {
    let (level, name) = at.keys()?;
    system::set(socket, level, name, value)
}

/// What the kernel does not know is `Unsupported`, and no nameless kind of error.
pub(crate) fn named(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::Unsupported && system::is_unknown(&error) {
        return io::Error::new(io::ErrorKind::Unsupported, error);
    }
    error
}

/// How a simulated socket keeps an option's value.
#[cfg(feature = "async")]
trait OptionValue {
    fn to_number(self) -> u64;
    fn from_number(number: u64) -> Self;
}

#[cfg(feature = "async")]
macro_rules! option_value {
    ($($value:ty: $self:ident => $to:expr, $number:ident => $from:expr;)*) => {$(
        impl OptionValue for $value {
            fn to_number($self) -> u64 { $to }
            fn from_number($number: u64) -> Self { $from }
        }
    )*};
}

#[cfg(feature = "async")]
option_value! {
    u32: self => u64::from(self), number => u32::try_from(number).unwrap_or(Self::MAX);
    // 0: none; otherwise the milliseconds and one.
    Option<Duration>: self => self.map_or(0, |span| {
            u64::try_from(span.as_millis()).map_or(u64::MAX, |millis| millis.saturating_add(1))
        }),
        number => number.checked_sub(1).map(Duration::from_millis);
}

const NOT_SIMULATED: &str = "the simulated kernel has no such option";

#[cfg(test)]
#[path = "option_tests.rs"]
mod tests;
