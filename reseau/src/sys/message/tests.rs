//! Datagrams on the loopback, with all that the system tells of them.
use super::super::{Domain, Kind, from_sock_addr};
use super::*;
#[allow(unused_imports)] // Some systems tell nothing of it.
use crate::packet::Ecn;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A socket of UDP that waits for a while, bound to the loopback, and its address.
fn udp(ip: IpAddr) -> (OsSocket, SocketAddr) {
    let any = SocketAddr::new(ip, 0);
    let socket = super::super::blocking::open(Domain::for_address(any), Kind::Dgram).unwrap();
    socket.bind(&any.into()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let addr = from_sock_addr(&socket.local_addr().unwrap()).unwrap();
    (socket, addr.inet().unwrap())
}

/// The loopbacks that this machine has.
fn loopbacks() -> Vec<IpAddr> {
    let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    let mut all = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    all.extend(std::net::UdpSocket::bind((v6, 0)).is_ok().then_some(v6));
    all
}

/// Whether numbers in control data are what the kernel said. (Emulators for machines of the other
/// byte order hand them on as they are.)
fn is_true() -> bool {
    cfg!(target_endian = "little") || std::env::var_os("RESEAU_TEST_RUNNER").is_none()
}

fn to(addr: SocketAddr) -> Packet<Addr> {
    Packet::to(Addr::Inet(addr))
}

#[test]
fn a_packet_tells_who_how_long_and_whether_it_was_cut() {
    for ip in loopbacks() {
        let ((a, from), (b, addr)) = (udp(ip), udp(ip));
        for (sent, room, cut) in [(5, 9, false), (9, 9, false), (10, 9, true), (0, 9, false)] {
            assert_eq!(send_packet(&a, &vec![7; sent], &to(addr), 0).unwrap(), sent);
            let mut space = vec![0; room];
            let packet = recv_packet(&b, &mut space, 0).unwrap();
            assert_eq!((packet.len, packet.truncated), (sent.min(room), cut));
            assert_eq!(packet.peer, Some(Addr::Inet(from)));
            assert!(space[..packet.len].iter().all(|byte| *byte == 7));
        }
        // No room at all takes the datagram all the same.
        send_packet(&a, b"x", &to(addr), 0).unwrap();
        let packet = recv_packet(&b, &mut [], 0).unwrap();
        assert_eq!((packet.len, packet.truncated), (0, true));
    }
}

#[test]
fn what_is_too_long_is_refused_whole() {
    for ip in loopbacks() {
        let ((a, _), (b, addr)) = (udp(ip), udp(ip));
        let error = send_packet(&a, &vec![0; 70_000], &to(addr), 0).unwrap_err();
        assert_eq!(crate::error::class_of(&error), crate::error::Class::Fatal, "{error}");
        send_packet(&a, b"short", &to(addr), 0).unwrap();
        assert_eq!(recv_packet(&b, &mut [0; 9], 0).unwrap().len, 5);
    }
}

/// Where all is told; other systems have their own test of what they tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn everything_is_told_and_everything_can_be_wished() {
    if !is_true() {
        return;
    }
    for ip in loopbacks() {
        let ((a, _), (b, addr)) = (udp(ip), udp(ip));
        tell(&b);
        let before = std::time::SystemTime::now() - Duration::from_secs(5);
        for (ecn, ttl) in [(Ecn::Ce, 3), (Ecn::Ect0, 255), (Ecn::Ect1, 1), (Ecn::NotEct, 64)] {
            let mut packet = to(addr);
            (packet.ecn, packet.ttl) = (Some(ecn), Some(ttl));
            (packet.local, packet.interface) = (Some(ip), Some(1));
            send_packet(&a, b"x", &packet, 0).unwrap();
            let got = recv_packet(&b, &mut [0; 9], 0).unwrap();
            assert_eq!((got.ecn, got.ttl), (Some(ecn), Some(ttl)));
            assert_eq!((got.local, got.interface), (Some(ip), Some(1)));
            assert!(got.at.is_some_and(|at| at > before), "{got:?}");
        }
    }
}

/// A socket for both families says the same of IPv4 as one for IPv4 alone.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_socket_for_both_families_tells_and_grants_all() {
    if loopbacks().len() < 2 || !is_true() {
        return;
    }
    let (both, addr) = udp(Ipv6Addr::UNSPECIFIED.into());
    tell(&both);
    let (a, _) = udp(Ipv4Addr::LOCALHOST.into());
    tell(&a);
    let mut packet = to((Ipv4Addr::new(127, 0, 0, 5), addr.port()).into());
    (packet.ecn, packet.ttl) = (Some(Ecn::Ect1), Some(7));
    send_packet(&a, b"ask", &packet, 0).unwrap();
    let got = recv_packet(&both, &mut [0; 9], 0).unwrap();
    let mapped = Ipv4Addr::new(127, 0, 0, 5).to_ipv6_mapped();
    assert_eq!((got.local, got.interface), (Some(mapped.into()), Some(1)));
    assert_eq!((got.ecn, got.ttl), (Some(Ecn::Ect1), Some(7)));
    let mut reply = got.reply();
    (reply.ecn, reply.ttl) = (Some(Ecn::Ce), Some(9));
    send_packet(&both, b"tell", &reply, 0).unwrap();
    let got = recv_packet(&a, &mut [0; 9], 0).unwrap();
    assert_eq!(got.peer, packet.peer, "from the address that was asked");
    assert_eq!((got.ecn, got.ttl), (Some(Ecn::Ce), Some(9)));
}

#[cfg(unix)]
#[test]
fn a_wish_for_another_family_is_refused() {
    for ip in loopbacks() {
        let ((a, _), (_b, addr)) = (udp(ip), udp(ip));
        let other = if ip.is_ipv4() {
            IpAddr::from(Ipv6Addr::LOCALHOST)
        } else {
            IpAddr::from(Ipv4Addr::LOCALHOST)
        };
        let mut packet = to(addr);
        packet.local = Some(other);
        let error = send_packet(&a, b"x", &packet, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let mut batch = Batch::new(1, 9);
        let mut packet = Packet::to(addr);
        packet.local = Some(other);
        batch.push(&packet, b"x").unwrap();
        let error = send_batch(&a, &mut batch, 0).unwrap_err();
        assert_eq!((error.kind(), batch.len()), (io::ErrorKind::InvalidInput, 1));
    }
}

fn single(socket: &OsSocket) -> impl FnMut(&[u8], &Packet) -> io::Result<usize> + '_ {
    |bytes, packet| send_packet(socket, bytes, packet, 0)
}

fn one(socket: &OsSocket) -> impl FnMut(&mut [u8], bool) -> io::Result<Packet<Addr>> + '_ {
    |space, first| {
        if first {
            return recv_packet(socket, space, 0);
        }
        system::at_once(socket, Side::Recv, |none| recv_packet(socket, space, none))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Sent in batches or one by one, cut by the kernel or by us, joined or not, received in
    /// batches or one by one: the same datagrams, in the same order.
    #[test]
    fn a_batch_is_a_loop(
        lens in prop::collection::vec(0_usize..400, 1..90),
        alike in 0_usize..4,
        (offload, loops_out, loops_in, gro) in any::<(bool, bool, bool, bool)>(),
        room in 200_usize..400,
    ) {
        for ip in loopbacks() {
            let ((a, from), (b, addr)) = (udp(ip), udp(ip));
            let gro = gro && !loops_in && is_true() && set_gro(&b, true).is_ok();
            prop_assert_eq!(super::gro(&b), gro);
            let mut batch = Batch::new(100, 400);
            batch.set_offload(offload);
            let mut sent = Vec::new();
            for (nth, len) in lens.iter().enumerate() {
                // Many of one length, or hardly any could be cut or joined.
                let len = if nth % 4 < alike { 300 } else { *len };
                let bytes: Vec<u8> = (0..len).map(|at| (at ^ nth) as u8).collect();
                batch.push(&Packet::to(addr), &bytes).unwrap();
                sent.push(bytes);
            }
            let count = if loops_out {
                send_each(&mut batch, single(&a)).unwrap()
            } else {
                send_batch(&a, &mut batch, 0).unwrap()
            };
            prop_assert_eq!((count, batch.len()), (lens.len(), 0));
            let (mut inbox, mut got) = (Batch::new(16, room), 0);
            while got < sent.len() {
                let count = if loops_in {
                    recv_each(&mut inbox, one(&b)).unwrap()
                } else {
                    recv_batch(&b, &mut inbox, 0).unwrap()
                };
                prop_assert!(count > 0 && count == inbox.len() && (gro || count <= 16));
                for (packet, bytes) in &inbox {
                    let expected = &sent[got];
                    prop_assert_eq!(bytes, &expected[..expected.len().min(room)]);
                    prop_assert_eq!(packet.truncated, expected.len() > room);
                    prop_assert_eq!(packet.peer, Some(from));
                    got += 1;
                }
            }
            prop_assert_eq!(got, sent.len());
            let nothing = system::at_once(&b, Side::Recv, |none| recv_batch(&b, &mut inbox, none));
            prop_assert_eq!(nothing.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}

/// What the kernel cuts and joins, it does with every wish and tells of each datagram.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn wishes_hold_for_each_datagram_of_a_batch() {
    if !is_true() {
        return;
    }
    for ip in loopbacks() {
        let ((a, _), (b, addr)) = (udp(ip), udp(ip));
        tell(&b);
        let joins = set_gro(&b, true).is_ok();
        let mut batch = Batch::new(70, 100);
        for nth in 0..70 {
            let mut packet = Packet::to(addr);
            (packet.ecn, packet.ttl) = (Some(if nth < 50 { Ecn::Ect0 } else { Ecn::Ce }), Some(9));
            batch.push(&packet, &[nth; 100]).unwrap();
        }
        assert_eq!(send_batch(&a, &mut batch, 0).unwrap(), 70);
        let (mut got, mut calls) = (0, 0);
        while got < 70 {
            calls += 1;
            recv_batch(&b, &mut batch, 0).unwrap();
            for (packet, bytes) in &batch {
                assert_eq!(bytes, &[got; 100]);
                assert_eq!(packet.ecn, Some(if got < 50 { Ecn::Ect0 } else { Ecn::Ce }));
                assert_eq!((packet.ttl, packet.local), (Some(9), Some(ip)));
                assert!(packet.at.is_some());
                got += 1;
            }
        }
        assert!(!joins || calls <= 2, "{calls} calls");
    }
}

/// What cannot go is the first that is left, and an error says why.
#[cfg(unix)]
#[test]
fn a_datagram_that_cannot_go_stays_at_the_front() {
    for ip in loopbacks() {
        let ((a, _), (b, addr)) = (udp(ip), udp(ip));
        let mut batch = Batch::new(9, 70_000);
        for len in [10, 10, 70_000, 10] {
            batch.push(&Packet::to(addr), &vec![len as u8; len]).unwrap();
        }
        assert_eq!(send_batch(&a, &mut batch, 0).unwrap(), 2);
        let error = send_batch(&a, &mut batch, 0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        assert_eq!(batch.len(), 2);
        batch.skip(1);
        assert_eq!(send_batch(&a, &mut batch, 0).unwrap(), 1);
        for _ in 0..3 {
            assert_eq!(recv_packet(&b, &mut [0; 99], 0).unwrap().len, 10);
        }
    }
}

/// Segments that are longer than the way is wide go one by one, in pieces of IP.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn segments_beyond_the_mtu_go_all_the_same() {
    let ((a, _), (b, addr)) = (udp(loopbacks()[0]), udp(loopbacks()[0]));
    b.set_recv_buffer_size(1 << 20).unwrap();
    // Two are more than IP can say, so nothing is joined; three of 20,000 are one message.
    for (len, count) in [(40_000, 2), (20_000, 3)] {
        let mut batch = Batch::new(4, len);
        for nth in 0..count {
            batch.push(&Packet::to(addr), &vec![nth; len]).unwrap();
        }
        assert_eq!(send_batch(&a, &mut batch, 0).unwrap(), usize::from(count));
        for nth in 0..count {
            let mut space = vec![0; len + 1];
            assert_eq!(recv_packet(&b, &mut space, 0).unwrap().len, len);
            assert!(space[..len].iter().all(|byte| *byte == nth));
        }
    }
}

#[test]
fn a_descriptor_does_the_same_without_waiting() {
    let open = || {
        let fd = Fd::open_as(Domain::IPV4, Kind::Dgram).unwrap();
        fd.bind(&Addr::Inet((Ipv4Addr::LOCALHOST, 0).into())).unwrap();
        let addr = fd.local_addr().unwrap();
        (fd, addr)
    };
    let ((a, from), (b, addr)) = (open(), open());
    let none = |result: io::Error| assert_eq!(result.kind(), io::ErrorKind::WouldBlock);
    let mut batch = Batch::new(3, 10);
    none(b.recv_packet(&mut [0; 9]).unwrap_err());
    none(b.recv_batch(&mut batch).unwrap_err());
    b.tell();
    assert_eq!(a.send_packet(b"one", &Packet::to(addr.clone())).unwrap(), 3);
    let packet = b.recv_packet(&mut [0; 9]).unwrap();
    assert_eq!((packet.len, packet.peer), (3, Some(from)));
    let peer = addr.inet().unwrap();
    for text in ["one", "two", ""] {
        batch.push(&Packet::to(peer), text.as_bytes()).unwrap();
    }
    assert_eq!(a.send_batch(&mut batch).unwrap(), 3);
    assert_eq!(b.recv_batch(&mut batch).unwrap(), 3);
    assert_eq!(batch.iter().map(|(packet, _)| packet.len).collect::<Vec<_>>(), [3, 3, 0]);
    match b.set_gro(true) {
        Ok(()) => assert!(b.gro()),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
    }
}
