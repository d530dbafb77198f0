//! The places against socket2, which has many of them too: a value that is set at one and read at
//! the other must be the same. (Set and read at one place, a wrong place would not show.)
use super::places::*;
use super::{On, Place};
use crate::sys::OsSocket;
use socket2::{Domain, Type};
use std::io;

fn socket(domain: Domain, kind: Type) -> OsSocket {
    OsSocket::new(domain, kind, None).unwrap()
}

#[test]
fn flags_are_where_socket2_reads_them() {
    type Read = fn(&OsSocket) -> io::Result<bool>;
    let v4 = socket(Domain::IPV4, Type::STREAM);
    let rows: &[(&Place, Read)] = &[
        (&NODELAY, OsSocket::tcp_nodelay),
        (&KEEP_ALIVE, OsSocket::keepalive),
        (&REUSE_ADDRESS, OsSocket::reuse_address),
        (&OUT_OF_BAND_INLINE, OsSocket::out_of_band_inline),
        #[cfg(target_os = "linux")]
        (&REUSE_PORT, OsSocket::reuse_port),
        #[cfg(target_os = "linux")]
        (&CORK, OsSocket::tcp_cork),
        #[cfg(target_os = "linux")]
        (&QUICK_ACK, OsSocket::tcp_quickack),
        #[cfg(target_os = "linux")]
        (&THIN_LINEAR_TIMEOUTS, OsSocket::tcp_thin_linear_timeouts),
        #[cfg(target_os = "linux")]
        (&FREEBIND, OsSocket::freebind_v4),
    ];
    for (place, read) in rows {
        agrees(&v4, place, *read);
    }
    let datagrams = socket(Domain::IPV4, Type::DGRAM);
    agrees(&datagrams, &BROADCAST, OsSocket::broadcast);
    agrees(&datagrams, &MULTICAST_LOOP, OsSocket::multicast_loop_v4);
    #[cfg(target_os = "linux")]
    agrees(&datagrams, &RECV_TOS, OsSocket::recv_tos_v4);
    #[cfg(target_os = "linux")]
    agrees(&datagrams, &MULTICAST_ALL, OsSocket::multicast_all_v4);
    #[cfg(target_os = "linux")]
    agrees(&socket(Domain::UNIX, Type::STREAM), &PASS_CREDENTIALS, OsSocket::passcred);
}

#[test]
fn flags_of_v6_are_where_socket2_reads_them() {
    let Ok(v6) = OsSocket::new(Domain::IPV6, Type::DGRAM, None) else { return };
    agrees(&v6, &ONLY_V6, OsSocket::only_v6);
    agrees(&v6, &MULTICAST_LOOP_V6, OsSocket::multicast_loop_v6);
    #[cfg(target_os = "linux")]
    for (place, read) in [
        (&RECV_TCLASS, OsSocket::recv_tclass_v6 as fn(&OsSocket) -> io::Result<bool>),
        (&RECV_HOP_LIMIT, OsSocket::recv_hoplimit_v6),
        (&FREEBIND_V6, OsSocket::freebind_v6),
        (&MULTICAST_ALL_V6, OsSocket::multicast_all_v6),
    ] {
        agrees(&v6, place, read);
    }
}

#[test]
fn numbers_are_where_socket2_reads_them() {
    type Read = fn(&OsSocket) -> io::Result<u32>;
    let v4 = socket(Domain::IPV4, Type::STREAM);
    let rows: &[(&Place, i32, Read)] = &[
        (&TTL, 77, OsSocket::ttl_v4),
        #[cfg(target_os = "linux")]
        (&TOS, 0x10, OsSocket::tos_v4),
        #[cfg(target_os = "linux")]
        (&PRIORITY, 5, OsSocket::priority),
        #[cfg(target_os = "linux")]
        (&SEGMENT_MAX, 777, OsSocket::tcp_mss),
        #[cfg(target_os = "linux")]
        (&NOT_SENT_LOW_WATER, 7777, OsSocket::tcp_notsent_lowat),
        #[cfg(target_os = "linux")]
        (&KEEP_ALIVE_COUNT, 7, OsSocket::tcp_keepalive_retries),
        #[cfg(target_os = "linux")]
        (&KEEP_ALIVE_IDLE, 70, |socket| Ok(socket.tcp_keepalive_time()?.as_secs() as u32)),
        #[cfg(target_os = "linux")]
        (&KEEP_ALIVE_INTERVAL, 77, |socket| Ok(socket.tcp_keepalive_interval()?.as_secs() as u32)),
        #[cfg(target_os = "linux")]
        (&USER_TIMEOUT, 7_777, |socket| {
            Ok(socket.tcp_user_timeout()?.map_or(0, |span| span.as_millis() as u32))
        }),
        #[cfg(target_os = "linux")]
        (&INCOMING_CPU, 0, |socket| Ok(socket.cpu_affinity()? as u32)),
    ];
    for (place, number, read) in rows {
        On::Os(&v4).set_number(place, *number).unwrap_or_else(|error| panic!("{place:?}: {error}"));
        assert_eq!(read(&v4).unwrap(), number.cast_unsigned(), "{place:?}");
        assert_eq!(On::Os(&v4).number(place).unwrap(), *number, "{place:?}");
    }
    let datagrams = socket(Domain::IPV4, Type::DGRAM);
    On::Os(&datagrams).set_octet(&MULTICAST_TTL, 7).unwrap();
    assert_eq!(datagrams.multicast_ttl_v4().unwrap(), 7);
    if let Ok(v6) = OsSocket::new(Domain::IPV6, Type::DGRAM, None) {
        On::Os(&v6).set_number(&HOP_LIMIT, 7).unwrap();
        assert_eq!(v6.unicast_hops_v6().unwrap(), 7);
        On::Os(&v6).set_number(&MULTICAST_HOPS, 8).unwrap();
        assert_eq!(v6.multicast_hops_v6().unwrap(), 8);
        #[cfg(target_os = "linux")]
        {
            On::Os(&v6).set_number(&TCLASS, 0x20).unwrap();
            assert_eq!(v6.tclass_v6().unwrap(), 0x20);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_are_where_socket2_reads_them() {
    let v4 = socket(Domain::IPV4, Type::STREAM);
    On::Os(&v4).set_bytes(&CONGESTION, b"reno").unwrap();
    assert!(v4.tcp_congestion().unwrap().starts_with(b"reno"));
    if On::Os(&v4).set_bytes(&BIND_DEVICE, b"lo").is_ok() {
        assert_eq!(v4.device().unwrap().as_deref(), Some(&b"lo"[..]));
    }
    let mut cookie = [0; 8];
    assert_eq!(On::Os(&v4).bytes(&COOKIE, &mut cookie).unwrap(), 8);
    assert_eq!(v4.cookie().unwrap(), u64::from_ne_bytes(cookie));
}

/// Sets both at the place, and reads by socket2.
fn agrees(socket: &OsSocket, place: &Place, read: fn(&OsSocket) -> io::Result<bool>) {
    for on in [true, false, true] {
        let set = On::Os(socket).set_octet(place, on.into());
        // Of what is no byte in the kernel, Linux refuses one byte.
        let set = set.or_else(|_| On::Os(socket).set_number(place, on.into()));
        set.unwrap_or_else(|error| panic!("{place:?}: {error}"));
        assert_eq!(read(socket).unwrap(), on, "{place:?}");
    }
}
