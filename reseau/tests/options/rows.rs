//! For every row of the table its test.
use crate::each::each;
use crate::stage::{Ground, Ip, Stage};
use crate::trial::{Both, Gets, Sets, Trial, row};
use crate::watchdog::watched;
use reseau::opt::{self, MtuDiscovery, Ports};
use std::cell::Cell;
use std::fmt::Debug;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::time::Duration;

/// The tests, each of one option: the groups that it says it is for (which must be the table's),
/// what is set, how that may differ from what is read (`agree`), for which version of IP it is,
/// and how the system `may` refuse it.
macro_rules! tests {
    ($(
        $test:ident: $option:ident
        $(get $get:ident)? $(set $set:ident)? $(ip $ip:ident)? $([$($value:expr),*])?
        $(agree $agree:expr,)? $(may $($may:ident)+)?;
    )+) => {
        $(
            #[test]
            fn $test() {
                watched(stringify!($test), || {
                    let row = row(stringify!($option));
                    assert_eq!(row.get(), concat!($(stringify!($get))?));
                    assert_eq!(row.set(), concat!($(stringify!($set))?));
                    everywhere(&[$(Ip::$ip)?], async |ground, ip| {
                        let stage = Stage::set(ground, ip).await.unwrap();
                        let trial = Trial::<opt::$option> {
                            row,
                            ground,
                            ip,
                            values: vec![$($(opt::$option($value)),*)?],
                            agree: first!($($agree,)? same),
                            may: vec![$($(ErrorKind::$may),+)?],
                            worked: Cell::new(0),
                        };
                        tried!(trial, stage, $(get $get)? $(set $set)?);
                        trial.end();
                    });
                });
            }
        )+

        /// The options that have a test, and its name.
        pub(crate) const TESTED: &[(&str, &str)] =
            &[$((stringify!($option), stringify!($test))),+];
    };
}

macro_rules! first {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}

macro_rules! tried {
    ($trial:ident, $stage:ident, get $get:ident set $set:ident) => {
        each!($set, $stage, Both(&$trial));
        each!($get, $stage, Gets(&$trial));
    };
    ($trial:ident, $stage:ident, get $get:ident) => {
        each!($get, $stage, Gets(&$trial));
    };
    ($trial:ident, $stage:ident, set $set:ident) => {
        each!($set, $stage, Sets(&$trial));
    };
}

fn everywhere(ips: &[Ip], body: impl AsyncFn(Ground, Ip)) {
    let ips = if ips.is_empty() { &[Ip::V4, Ip::V6] } else { ips };
    for ip in ips.iter().filter(|ip| ip.is_here()) {
        for ground in Ground::ALL {
            ground.run(body(ground, *ip));
        }
    }
}

tests! {
    recv_buffer: RecvBuffer get Socket set Socket [16_384, 100_000]
        agree |set, got| got.0 >= set.0,;
    send_buffer: SendBuffer get Socket set Socket [16_384, 100_000]
        agree |set, got| got.0 >= set.0,;
    recv_buffer_force: RecvBufferForce set Socket [100_000] may PermissionDenied;
    send_buffer_force: SendBufferForce set Socket [100_000] may PermissionDenied;
    recv_low_water: RecvLowWater get Socket set Socket [2, 1];
    recv_timeout: RecvTimeout get Waiting set Waiting [seconds(1), Some(millis(200)), None];
    send_timeout: SendTimeout get Waiting set Waiting [seconds(1), Some(millis(200)), None];
    socket_type: SocketType get Socket;
    socket_domain: SocketDomain get Socket;
    socket_protocol: SocketProtocol get Socket;
    accepting: Accepting get Socket;
    cookie: Cookie get Socket;
    mark: Mark get Socket set Socket [7, u32::MAX, 0] may PermissionDenied;
    priority: Priority get Socket set Socket [6, 0];
    pass_credentials: PassCredentials get Unix set Unix [true, false];
    recv_queue_overflow: RecvQueueOverflow get Datagram set Datagram [true, false];
    reuse_address: ReuseAddress get Inet set Inet [true, false];
    reuse_port: ReusePort get Inet set Inet [true, false];
    reuse_port_lb: ReusePortLb get Inet set Inet [true, false];
    exclusive_address: ExclusiveAddress get Inet set Inet [true, false] may InvalidInput;
    dont_route: DontRoute get Inet set Inet [true, false];
    bind_interface: BindInterface get Inet set Inet [NonZeroU32::new(1), None]
        may PermissionDenied;
    bind_device: BindDevice get Inet set Inet [Some("lo".to_owned()), None] may PermissionDenied;
    incoming_cpu: IncomingCpu get Inet set Inet [Some(0)];
    incoming_queue: IncomingQueue get Inet may Unsupported;
    busy_poll: BusyPoll get Inet set Inet [Duration::from_micros(50), Duration::ZERO]
        may PermissionDenied Unsupported;
    prefer_busy_poll: PreferBusyPoll get Inet set Inet [true, false]
        may PermissionDenied Unsupported;
    busy_poll_budget: BusyPollBudget set Inet [8, 0] may PermissionDenied Unsupported;
    pacing_rate_max: PacingRateMax get Inet set Inet [1_000_000, usize::MAX];
    routing_table: RoutingTable set Inet [0];
    pending_error: PendingError get Socket;

    nodelay: Nodelay get Tcp set Tcp [true, false];
    linger: Linger get Tcp set WaitingTcp [seconds(5), seconds(0), None];
    reset_on_close: ResetOnClose get Tcp set Tcp [true, false];
    out_of_band_inline: OutOfBandInline get Tcp set Tcp [true, false];
    keep_alive: KeepAlive get Tcp set Tcp [true, false];
    keep_alive_idle: KeepAliveIdle get Tcp set Tcp [millis(60_000), millis(9_000)];
    keep_alive_interval: KeepAliveInterval get Tcp set Tcp [millis(60_000), millis(9_000)];
    keep_alive_count: KeepAliveCount get Tcp set Tcp [3, 127];
    user_timeout: UserTimeout get Tcp set Tcp [Some(millis(5_001)), None];
    segment_max: SegmentMax get Tcp set Listening [1000, 500];
    not_sent_low_water: NotSentLowWater get Tcp set Tcp [16_384, u32::MAX];
    quick_ack: QuickAck get Tcp set Tcp [false, true];
    cork: Cork get Tcp set Tcp [true, false];
    defer_accept: DeferAccept get Listening set Listening [millis(5_000), Duration::ZERO]
        agree |set, got| got.0 >= set.0 && set.0.is_zero() == got.0.is_zero(),;
    fast_open: FastOpen get Listening set Listening [16, 0];
    fast_open_connect: FastOpenConnect get Tcp set FreshTcp [true, false] may Unsupported;
    thin_linear_timeouts: ThinLinearTimeouts get Tcp set Tcp [true, false];
    syn_count: SynCount get Tcp set Tcp [3, 127];
    window_clamp: WindowClamp get Tcp set Tcp [60_000, 30_000];
    fin_timeout: FinTimeout get Tcp set Tcp [seconds(30), None];
    multipath: Multipath get Tcp may Unsupported;
    tcp_info: TcpInfo get Tcp;
    congestion: Congestion get Tcp set Tcp ["reno".to_owned()] may PermissionDenied;

    ttl: Ttl get Inet set Inet ip V4 [1, 255, 64];
    hop_limit: HopLimit get Inet set Inet ip V6 [1, 255, 64];
    ttl_min: TtlMin get Inet set Inet ip V4 [255, 0];
    hop_limit_min: HopLimitMin get Inet set Inet ip V6 [255, 0];
    tos: Tos get Inet set Inet ip V4 [0xb8, 0];
    tclass: Tclass get Inet set Inet ip V6 [0xb8, 0];
    recv_tos: RecvTos get Udp set Udp ip V4 [true, false];
    recv_tclass: RecvTclass get Udp set Udp ip V6 [true, false];
    recv_ttl: RecvTtl get Udp set Udp ip V4 [true, false];
    recv_hop_limit: RecvHopLimit get Udp set Udp ip V6 [true, false];
    only_v6: OnlyV6 get Inet set Fresh ip V6 [false, true];
    transparent: Transparent get Inet set Inet ip V4 [true, false] may PermissionDenied;
    transparent_v6: TransparentV6 get Inet set Inet ip V6 [true, false] may PermissionDenied;
    freebind: Freebind get Inet set Inet ip V4 [true, false];
    freebind_v6: FreebindV6 get Inet set Inet ip V6 [true, false];
    bind_address_no_port: BindAddressNoPort get Inet set Inet ip V4 [true, false];
    local_port_range: LocalPortRange get Inet set Inet
        [Some(Ports { first: 40_000, last: 40_010 }), None] may Unsupported;
    dont_fragment: DontFragment get Inet set Inet ip V4 [true, false];
    dont_fragment_v6: DontFragmentV6 get Inet set Inet ip V6 [true, false];
    discover_mtu: DiscoverMtu get Inet set Inet ip V4
        [MtuDiscovery::Always, MtuDiscovery::Never, MtuDiscovery::Probe, MtuDiscovery::Want];
    discover_mtu_v6: DiscoverMtuV6 get Inet set Inet ip V6
        [MtuDiscovery::Always, MtuDiscovery::Never, MtuDiscovery::Probe, MtuDiscovery::Want];
    mtu: Mtu get Inet ip V4 may NotConnected;
    mtu_v6: MtuV6 get Inet ip V6 may NotConnected;
    original_dst: OriginalDst get Tcp may NotFound NotConnected Unsupported;

    broadcast: Broadcast get Udp set Udp [true, false];
    multicast_ttl: MulticastTtl get Udp set Udp ip V4 [0, 255, 1];
    multicast_hops: MulticastHops get Udp set Udp ip V6 [0, 255, 1];
    multicast_loop: MulticastLoop get Udp set Udp ip V4 [false, true];
    multicast_loop_v6: MulticastLoopV6 get Udp set Udp ip V6 [false, true];
    multicast_interface: MulticastInterface get Udp set Udp ip V4
        [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED];
    multicast_interface_v6: MulticastInterfaceV6 get Udp set Udp ip V6
        [NonZeroU32::new(1), None];
    multicast_all: MulticastAll get Udp set Udp ip V4 [false, true];
    multicast_all_v6: MulticastAllV6 get Udp set Udp ip V6 [false, true];
    segment: Segment get Udp set Udp [1_200, 0];
    coalesce: Coalesce get Udp set Udp [true, false];
}

/// Not every value can be compared.
fn same<O: Debug>(set: &O, got: &O) -> bool {
    format!("{set:?}") == format!("{got:?}")
}

fn seconds(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count))
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
