//! Where the systems keep their options.
//!
//! Each row: what the option is called here, what the simulated kernel calls it, and for each
//! group of systems the level and the name. A system that stands in no group has no such option.
#![allow(unused_assignments, unused_mut)] // Of a row's groups one is compiled, or none.
use super::Place;
use super::system::c;

/// A statement for one system, or for a family of them.
macro_rules! on {
    (everywhere, $then:stmt) => {
        $then
    };
    (unix, $then:stmt) => {
        #[cfg(unix)]
        $then
    };
    (linux, $then:stmt) => {
        #[cfg(target_os = "linux")]
        $then
    };
    (android, $then:stmt) => {
        #[cfg(target_os = "android")]
        $then
    };
    (apple, $then:stmt) => {
        #[cfg(target_vendor = "apple")]
        $then
    };
    (freebsd, $then:stmt) => {
        #[cfg(target_os = "freebsd")]
        $then
    };
    (netbsd, $then:stmt) => {
        #[cfg(target_os = "netbsd")]
        $then
    };
    (openbsd, $then:stmt) => {
        #[cfg(target_os = "openbsd")]
        $then
    };
    (dragonfly, $then:stmt) => {
        #[cfg(target_os = "dragonfly")]
        $then
    };
    (illumos, $then:stmt) => {
        #[cfg(any(target_os = "illumos", target_os = "solaris"))]
        $then
    };
    (windows, $then:stmt) => {
        #[cfg(windows)]
        $then
    };
}

macro_rules! places {
    ($($place:ident $($simulated:literal)?:
        $($($system:ident)+ => $level:ident $name:ident),+;)+) => {$(
        pub(crate) const $place: Place = {
            let mut simulated = None;
            $(simulated = Some($simulated);)?
            let mut keys = None;
            $($(on!($system, keys = Some((c::$level as i32, c::$name as i32)));)+)+
            Place { keys, simulated, systems: &[$($(stringify!($system)),+),+] }
        };
    )+};
}

// Of every socket.
places! {
    RECV_BUFFER "recv_buffer_size": everywhere => SOL_SOCKET SO_RCVBUF;
    SEND_BUFFER "send_buffer_size": everywhere => SOL_SOCKET SO_SNDBUF;
    RECV_BUFFER_FORCE: linux android => SOL_SOCKET SO_RCVBUFFORCE;
    SEND_BUFFER_FORCE: linux android => SOL_SOCKET SO_SNDBUFFORCE;
    RECV_LOW_WATER: unix => SOL_SOCKET SO_RCVLOWAT;
    RECV_TIMEOUT: everywhere => SOL_SOCKET SO_RCVTIMEO;
    SEND_TIMEOUT: everywhere => SOL_SOCKET SO_SNDTIMEO;
    PENDING_ERROR "take_error": everywhere => SOL_SOCKET SO_ERROR;
    TYPE: everywhere => SOL_SOCKET SO_TYPE;
    DOMAIN: linux android freebsd openbsd illumos => SOL_SOCKET SO_DOMAIN;
    PROTOCOL: linux android freebsd openbsd => SOL_SOCKET SO_PROTOCOL;
    ACCEPTING: everywhere => SOL_SOCKET SO_ACCEPTCONN;
    MARK: linux android => SOL_SOCKET SO_MARK;
    PRIORITY: linux android => SOL_SOCKET SO_PRIORITY;
    COOKIE: linux android => SOL_SOCKET SO_COOKIE;
    PASS_CREDENTIALS: linux android => SOL_SOCKET SO_PASSCRED;
    RECV_QUEUE_OVERFLOW: linux android => SOL_SOCKET SO_RXQ_OVFL;
}

// Of sockets of IP, at the level of all. (Windows takes SO_DONTROUTE, and does nothing.)
places! {
    LINGER "linger": everywhere => SOL_SOCKET SO_LINGER;
    KEEP_ALIVE "keepalive": everywhere => SOL_SOCKET SO_KEEPALIVE;
    OUT_OF_BAND_INLINE: everywhere => SOL_SOCKET SO_OOBINLINE;
    REUSE_ADDRESS "reuse_address": everywhere => SOL_SOCKET SO_REUSEADDR;
    REUSE_PORT "reuse_port":
        linux android apple freebsd netbsd openbsd dragonfly => SOL_SOCKET SO_REUSEPORT;
    REUSE_PORT_LB: freebsd => SOL_SOCKET SO_REUSEPORT_LB;
    EXCLUSIVE_ADDRESS:
        windows => SOL_SOCKET SO_EXCLUSIVEADDRUSE,
        illumos => SOL_SOCKET SO_EXCLBIND;
    BROADCAST "broadcast": everywhere => SOL_SOCKET SO_BROADCAST;
    DONT_ROUTE: unix => SOL_SOCKET SO_DONTROUTE;
    BIND_DEVICE: linux android => SOL_SOCKET SO_BINDTODEVICE;
    BIND_INTERFACE:
        linux android => SOL_SOCKET SO_BINDTOIFINDEX,
        apple illumos => IPPROTO_IP IP_BOUND_IF;
    BIND_INTERFACE_V6:
        linux android => SOL_SOCKET SO_BINDTOIFINDEX,
        apple illumos => IPPROTO_IPV6 IPV6_BOUND_IF;
    INCOMING_CPU: linux android => SOL_SOCKET SO_INCOMING_CPU;
    INCOMING_QUEUE: linux android => SOL_SOCKET SO_INCOMING_NAPI_ID;
    BUSY_POLL: linux android => SOL_SOCKET SO_BUSY_POLL;
    PREFER_BUSY_POLL: linux android => SOL_SOCKET SO_PREFER_BUSY_POLL;
    BUSY_POLL_BUDGET: linux android => SOL_SOCKET SO_BUSY_POLL_BUDGET;
    PACING_RATE_MAX: linux android => SOL_SOCKET SO_MAX_PACING_RATE;
    ROUTING_TABLE:
        freebsd => SOL_SOCKET SO_SETFIB,
        openbsd => SOL_SOCKET SO_RTABLE;
}

// Of IP.
places! {
    TTL "ttl": everywhere => IPPROTO_IP IP_TTL;
    HOP_LIMIT: everywhere => IPPROTO_IPV6 IPV6_UNICAST_HOPS;
    TTL_MIN: linux android freebsd openbsd => IPPROTO_IP IP_MINTTL;
    HOP_LIMIT_MIN: linux android => IPPROTO_IPV6 IPV6_MINHOPCOUNT;
    TOS "tos": everywhere => IPPROTO_IP IP_TOS;
    TCLASS: everywhere => IPPROTO_IPV6 IPV6_TCLASS;
    RECV_TOS: linux android apple freebsd windows => IPPROTO_IP IP_RECVTOS;
    RECV_TCLASS: everywhere => IPPROTO_IPV6 IPV6_RECVTCLASS;
    RECV_TTL: linux android apple freebsd openbsd windows => IPPROTO_IP IP_RECVTTL;
    RECV_HOP_LIMIT:
        linux android apple freebsd openbsd => IPPROTO_IPV6 IPV6_RECVHOPLIMIT,
        windows => IPPROTO_IPV6 IPV6_HOPLIMIT;
    ONLY_V6 "only_v6": everywhere => IPPROTO_IPV6 IPV6_V6ONLY;
    TRANSPARENT:
        linux android => IPPROTO_IP IP_TRANSPARENT,
        freebsd => IPPROTO_IP IP_BINDANY,
        openbsd => SOL_SOCKET SO_BINDANY;
    TRANSPARENT_V6:
        linux android => IPPROTO_IPV6 IPV6_TRANSPARENT,
        freebsd => IPPROTO_IPV6 IPV6_BINDANY,
        openbsd => SOL_SOCKET SO_BINDANY;
    FREEBIND: linux android => IPPROTO_IP IP_FREEBIND;
    FREEBIND_V6: linux android => IPPROTO_IPV6 IPV6_FREEBIND;
    BIND_ADDRESS_NO_PORT: linux android => IPPROTO_IP IP_BIND_ADDRESS_NO_PORT;
    LOCAL_PORT_RANGE: linux android => IPPROTO_IP IP_LOCAL_PORT_RANGE;
    DONT_FRAGMENT:
        linux android => IPPROTO_IP IP_MTU_DISCOVER,
        apple freebsd illumos => IPPROTO_IP IP_DONTFRAG,
        windows => IPPROTO_IP IP_DONTFRAGMENT;
    DONT_FRAGMENT_V6:
        linux android => IPPROTO_IPV6 IPV6_MTU_DISCOVER,
        apple freebsd netbsd openbsd illumos windows => IPPROTO_IPV6 IPV6_DONTFRAG;
    MTU_DISCOVERY: linux android windows => IPPROTO_IP IP_MTU_DISCOVER;
    MTU_DISCOVERY_V6: linux android windows => IPPROTO_IPV6 IPV6_MTU_DISCOVER;
    MTU: linux android windows => IPPROTO_IP IP_MTU;
    MTU_V6: linux android windows => IPPROTO_IPV6 IPV6_MTU;
    ORIGINAL_DST: linux android => IPPROTO_IP SO_ORIGINAL_DST;
}

// Of UDP and multicast.
places! {
    MULTICAST_TTL: everywhere => IPPROTO_IP IP_MULTICAST_TTL;
    MULTICAST_HOPS: everywhere => IPPROTO_IPV6 IPV6_MULTICAST_HOPS;
    MULTICAST_LOOP: everywhere => IPPROTO_IP IP_MULTICAST_LOOP;
    MULTICAST_LOOP_V6: everywhere => IPPROTO_IPV6 IPV6_MULTICAST_LOOP;
    MULTICAST_INTERFACE: everywhere => IPPROTO_IP IP_MULTICAST_IF;
    MULTICAST_INTERFACE_V6: everywhere => IPPROTO_IPV6 IPV6_MULTICAST_IF;
    MULTICAST_ALL: linux android => IPPROTO_IP IP_MULTICAST_ALL;
    MULTICAST_ALL_V6: linux android => IPPROTO_IPV6 IPV6_MULTICAST_ALL;
    SEGMENT: linux android => IPPROTO_UDP UDP_SEGMENT, windows => IPPROTO_UDP UDP_SEND_MSG_SIZE;
    COALESCE: linux android => IPPROTO_UDP UDP_GRO;
}

// Of TCP.
places! {
    NODELAY "nodelay": everywhere => IPPROTO_TCP TCP_NODELAY;
    KEEP_ALIVE_IDLE:
        linux android freebsd netbsd illumos windows => IPPROTO_TCP TCP_KEEPIDLE,
        apple => IPPROTO_TCP TCP_KEEPALIVE;
    KEEP_ALIVE_INTERVAL:
        linux android apple freebsd netbsd illumos windows => IPPROTO_TCP TCP_KEEPINTVL;
    KEEP_ALIVE_COUNT:
        linux android apple freebsd netbsd illumos windows => IPPROTO_TCP TCP_KEEPCNT;
    QUICK_ACK "quickack": linux android => IPPROTO_TCP TCP_QUICKACK;
    SEGMENT_MAX: everywhere => IPPROTO_TCP TCP_MAXSEG;
    USER_TIMEOUT: linux android => IPPROTO_TCP TCP_USER_TIMEOUT;
    CONGESTION: linux android freebsd illumos => IPPROTO_TCP TCP_CONGESTION;
    NOT_SENT_LOW_WATER: linux android apple => IPPROTO_TCP TCP_NOTSENT_LOWAT;
    CORK:
        linux android illumos => IPPROTO_TCP TCP_CORK,
        apple freebsd openbsd => IPPROTO_TCP TCP_NOPUSH;
    DEFER_ACCEPT: linux android => IPPROTO_TCP TCP_DEFER_ACCEPT;
    FAST_OPEN: linux android => IPPROTO_TCP TCP_FASTOPEN;
    FAST_OPEN_CONNECT: linux android => IPPROTO_TCP TCP_FASTOPEN_CONNECT;
    THIN_LINEAR_TIMEOUTS: linux android => IPPROTO_TCP TCP_THIN_LINEAR_TIMEOUTS;
    SYN_COUNT: linux android => IPPROTO_TCP TCP_SYNCNT;
    WINDOW_CLAMP: linux android => IPPROTO_TCP TCP_WINDOW_CLAMP;
    FIN_TIMEOUT: linux android => IPPROTO_TCP TCP_LINGER2;
    MULTIPATH: linux android => IPPROTO_TCP TCP_IS_MPTCP;
    INFO:
        linux android => IPPROTO_TCP TCP_INFO,
        apple => IPPROTO_TCP TCP_CONNECTION_INFO;
}
