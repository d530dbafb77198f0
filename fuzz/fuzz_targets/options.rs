//! Any option with any value, on a socket that was just made: nothing panics, an error says which
//! option it is about, and what was taken is what is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reseau::blocking::TcpStream;
use reseau::error::Operation;
use reseau::opt::{self, Get, MtuDiscovery, Ports, Set, Socket};
use reseau::{Error, TcpSocket};
use std::fmt::Debug;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::time::Duration;

fuzz_target!(|input: &[u8]| {
    let mut script = Script(input);
    let v6 = bool::made(&mut script);
    let made = if v6 { TcpSocket::new_v6() } else { TcpSocket::new_v4() };
    // Of descriptors there may be none left, and of IPv6 none at all.
    let (Ok(tcp), Ok(udp)) = (made, UdpSocket::bind("127.0.0.1:0")) else { return };
    let Ok(waiting) = TcpSocket::new_v4() else { return };
    let waiting = TcpStream::from(OwnedFd::from(waiting));
    while !script.0.is_empty() {
        step(&mut script, &tcp, &udp, &waiting);
    }
});

/// What is left of the input.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    /// The next bytes; zeros when it is at its end.
    fn next<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (now, later) = self.0.split_at(N.min(self.0.len()));
        bytes[..now.len()].copy_from_slice(now);
        self.0 = later;
        bytes
    }
}

/// The options by what is to be expected of them, for TCP and for UDP.
macro_rules! options {
    (
        $($what:ident: tcp $($tcp:ident)*, udp $($udp:ident)*, waiting $($waiting:ident)*;)+
    ) => {
        /// One option, on the socket that it is for.
        fn step(
            script: &mut Script<'_>,
            tcp: &TcpSocket,
            udp: &UdpSocket,
            waiting: &TcpStream,
        ) {
            let [choice] = script.next();
            let mut steps = usize::from(choice) % COUNT;
            let mut chosen = || {
                let now = steps == 0;
                steps = steps.wrapping_sub(1);
                now
            };
            $(
                $(if chosen() {
                    return $what!($tcp, script, tcp);
                })*
                $(if chosen() {
                    return $what!($udp, script, &opt::of(udp));
                })*
                $(if chosen() {
                    return $what!($waiting, script, waiting);
                })*
            )+
        }

        const COUNT: usize = [$($(stringify!($tcp),)* $(stringify!($udp),)*
            $(stringify!($waiting),)*)+].len();
    };
}

macro_rules! exact {
    ($option:ident, $script:ident, $socket:expr) => {
        exact(stringify!($option), $socket, opt::$option(Made::made($script)))
    };
}

macro_rules! rounded {
    ($option:ident, $script:ident, $socket:expr) => {
        rounded(stringify!($option), $socket, opt::$option(Made::made($script)))
    };
}

macro_rules! written {
    ($option:ident, $script:ident, $socket:expr) => {
        told(stringify!($option), $socket.set(opt::$option(Made::made($script)))).map_or((), drop)
    };
}

macro_rules! read {
    ($option:ident, $script:ident, $socket:expr) => {
        told(stringify!($option), $socket.get::<opt::$option>()).map_or((), drop)
    };
}

options! {
    exact:
        tcp Mark Priority ReuseAddress ReusePort ReusePortLb ExclusiveAddress DontRoute
            BindInterface IncomingCpu PreferBusyPoll Nodelay ResetOnClose OutOfBandInline KeepAlive
            KeepAliveCount SegmentMax NotSentLowWater QuickAck Cork FastOpenConnect
            ThinLinearTimeouts SynCount Congestion Ttl HopLimit TtlMin HopLimitMin OnlyV6
            Transparent TransparentV6 Freebind FreebindV6 BindAddressNoPort LocalPortRange
            DontFragment DontFragmentV6 DiscoverMtu DiscoverMtuV6,
        udp Tos RecvTos RecvTclass RecvTtl RecvHopLimit RecvQueueOverflow Broadcast MulticastTtl
            MulticastHops MulticastLoop MulticastLoopV6 MulticastAll MulticastAllV6 Segment
            Coalesce,
        waiting;
    // Whole seconds, pages, what the system has, the bits that are TCP's own.
    rounded:
        tcp RecvBuffer SendBuffer RecvLowWater BusyPoll PacingRateMax KeepAliveIdle
            KeepAliveInterval UserTimeout DeferAccept FastOpen WindowClamp FinTimeout Tos Tclass
            BindDevice,
        udp MulticastInterface MulticastInterfaceV6,
        waiting Linger RecvTimeout SendTimeout;
    written:
        tcp RecvBufferForce SendBufferForce BusyPollBudget RoutingTable,
        udp,
        waiting;
    read:
        tcp SocketType SocketDomain SocketProtocol Accepting Cookie IncomingQueue PendingError Mtu
            MtuV6 OriginalDst Multipath TcpInfo,
        udp,
        waiting;
}

/// What is set is what is read.
fn exact<S: Socket, O>(name: &str, socket: &S, option: O)
where
    O: Get<S> + Set<S> + Clone + PartialEq + Debug,
{
    if told(name, socket.set(option.clone())).is_some() {
        let got = socket.get::<O>().expect("what can be set can be read");
        assert_eq!(got, option, "{name}");
    }
}

/// What is set can be read, whatever the system made of it.
fn rounded<S: Socket, O>(name: &str, socket: &S, option: O)
where
    O: Get<S> + Set<S> + Debug,
{
    if told(name, socket.set(option)).is_some() {
        socket.get::<O>().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// The value; an error must say what it is about.
fn told<T>(name: &str, result: io::Result<T>) -> Option<T> {
    let error = match result {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let told = Error::of(&error).unwrap_or_else(|| panic!("{name}: a bare {error}"));
    assert!(error.to_string().contains(name), "{name}: {error}");
    assert!(matches!(told.operation(), Operation::SetOption | Operation::GetOption));
    None
}

/// Values made of the input: any, those that no option has included.
trait Made {
    fn made(script: &mut Script<'_>) -> Self;
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Made for $number {
            fn made(script: &mut Script<'_>) -> Self {
                // Small ones often: most bounds are low.
                match script.next() {
                    [kind] if kind & 1 == 0 => Self::from_ne_bytes(script.next()),
                    [_] => Self::from(script.next::<1>()[0]),
                }
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 usize);

impl Made for bool {
    fn made(script: &mut Script<'_>) -> Self {
        script.next::<1>()[0] & 1 == 1
    }
}

impl<T: Made> Made for Option<T> {
    fn made(script: &mut Script<'_>) -> Self {
        bool::made(script).then(|| T::made(script))
    }
}

impl Made for NonZeroU32 {
    fn made(script: &mut Script<'_>) -> Self {
        Self::MIN.saturating_add(u32::made(script))
    }
}

impl Made for Duration {
    fn made(script: &mut Script<'_>) -> Self {
        let units = [Self::from_nanos, Self::from_micros, Self::from_millis, Self::from_secs];
        let [unit] = script.next();
        units[usize::from(unit) % units.len()](u64::made(script))
    }
}

impl Made for String {
    fn made(script: &mut Script<'_>) -> Self {
        let [len] = script.next();
        let bytes: Vec<u8> = (0..len % 20).map(|_| script.next::<1>()[0]).collect();
        match bytes.len() {
            1 => "lo".into(),
            2 => "reno".into(),
            _ => Self::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

impl Made for Ipv4Addr {
    fn made(script: &mut Script<'_>) -> Self {
        script.next::<4>().into()
    }
}

impl Made for Ports {
    fn made(script: &mut Script<'_>) -> Self {
        Self { first: u16::made(script), last: u16::made(script) }
    }
}

impl Made for MtuDiscovery {
    fn made(script: &mut Script<'_>) -> Self {
        const ALL: [MtuDiscovery; 6] = [
            MtuDiscovery::Never,
            MtuDiscovery::Want,
            MtuDiscovery::Always,
            MtuDiscovery::Probe,
            MtuDiscovery::Interface,
            MtuDiscovery::Omit,
        ];
        ALL[usize::from(script.next::<1>()[0]) % ALL.len()]
    }
}
