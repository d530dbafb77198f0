//! UDP: std's calls, and datagrams with their circumstances.
use crate::{is_timeout, tells_true, watched};
use reseau::blocking::UdpSocket;
use reseau::{Error, Packet};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const SOON: Duration = Duration::from_millis(30);

/// A socket on the loopback, and its address.
fn open(ip: IpAddr) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Runs a test on each loopback that this machine has.
fn on_loopbacks(test: impl Fn(IpAddr) + Send + 'static) {
    watched(move || {
        test(Ipv4Addr::LOCALHOST.into());
        if std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            test(Ipv6Addr::LOCALHOST.into());
        }
    });
}

#[test]
fn datagrams_come_whole_and_with_their_sender() {
    on_loopbacks(|ip| {
        let ((a, from), (b, addr)) = (open(ip), open(ip));
        for len in [1, 0, 1200, 9000] {
            assert_eq!(a.send_to(&vec![5; len], addr).unwrap(), len);
            let mut buf = vec![0; 10_000];
            assert_eq!(b.peek_from(&mut buf).unwrap(), (len, from));
            assert_eq!(b.peek(&mut buf).unwrap(), len);
            assert_eq!(b.recv_from(&mut buf).unwrap(), (len, from));
            assert!(buf[..len].iter().all(|byte| *byte == 5));
        }
    });
}

#[test]
fn a_connected_socket_hears_its_peer_alone() {
    on_loopbacks(|ip| {
        let ((a, from), (b, addr), (c, _)) = (open(ip), open(ip), open(ip));
        assert_eq!(b.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        assert!(b.send(b"x").is_err());
        b.connect(from).unwrap();
        a.connect(addr).unwrap();
        assert_eq!(b.peer_addr().unwrap(), from);
        c.send_to(b"stranger", addr).unwrap();
        a.send(b"friend").unwrap();
        let mut buf = [0; 20];
        assert_eq!(b.peek(&mut buf).unwrap(), 6);
        assert_eq!(b.recv(&mut buf).unwrap(), 6);
        assert_eq!(&buf[..6], b"friend");
        b.send(b"back").unwrap();
        assert_eq!(a.recv_from(&mut buf).unwrap(), (4, addr));
    });
}

#[test]
fn what_does_not_fit_is_lost_and_the_rest_is_as_ever() {
    on_loopbacks(|ip| {
        let ((a, from), (b, addr)) = (open(ip), open(ip));
        a.send_to(b"too long", addr).unwrap();
        a.send_to(b"next", addr).unwrap();
        let mut buf = [0; 3];
        assert_eq!(b.peek(&mut buf).unwrap(), 3);
        assert_eq!(b.recv_from(&mut buf).unwrap(), (3, from));
        assert_eq!(&buf, b"too");
        assert_eq!(b.recv(&mut [0; 9]).unwrap(), 4);
    });
}

#[test]
fn what_is_too_long_is_refused_whole() {
    on_loopbacks(|ip| {
        let ((a, _), (b, addr)) = (open(ip), open(ip));
        let error = a.send_to(&[0; 66_000], addr).unwrap_err();
        assert_eq!(reseau::error::class_of(&error), reseau::error::Class::Fatal, "{error}");
        assert!(a.send_packet(&[0; 66_000], &Packet::to(addr)).is_err());
        a.send_to(b"x", addr).unwrap();
        assert_eq!(b.recv(&mut [0; 9]).unwrap(), 1);
    });
}

#[test]
fn all_addresses_are_tried_and_the_error_tells() {
    watched(|| {
        let (_owner, taken) = open(Ipv4Addr::LOCALHOST.into());
        let good = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = UdpSocket::bind(&[taken, good][..]).unwrap();
        assert!(socket.local_addr().unwrap().ip().is_loopback());
        let error = UdpSocket::bind(taken).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert_eq!(Error::of(&error).unwrap().local_addr(), Some(&taken.into()));
        if cfg!(unix) {
            // (Wine lets one have any address.)
            let foreign = UdpSocket::bind("192.0.2.1:0").unwrap_err();
            assert_eq!(foreign.kind(), ErrorKind::AddrNotAvailable);
        }
        let nothing: &[SocketAddr] = &[];
        for error in [
            UdpSocket::bind(nothing).unwrap_err(),
            socket.connect(nothing).unwrap_err(),
            socket.send_to(b"x", nothing).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        // One of another family cannot be had; the next is.
        let other = SocketAddr::from((Ipv6Addr::LOCALHOST, 9));
        socket.connect(&[other, socket.local_addr().unwrap()][..]).unwrap();
        let error = socket.connect(other).unwrap_err();
        assert_eq!(Error::of(&error).unwrap().attempts().len(), 1);
        assert!(socket.send_to(b"x", other).is_err());
    });
}

/// What was sent to nobody comes back as an error, but not on Windows, which tells it of others.
#[test]
fn a_refusal_does_not_end_it() {
    on_loopbacks(|ip| {
        let ((a, addr), (b, _)) = (open(ip), open(ip));
        let nobody = open(ip).1;
        b.set_read_timeout(Some(SOON)).unwrap();
        b.connect(nobody).unwrap();
        b.send(b"anybody?").unwrap();
        let error = b.recv(&mut [0; 9]).unwrap_err();
        let kind = error.kind();
        assert!(kind == ErrorKind::ConnectionRefused || is_timeout(kind), "{error}");
        b.connect(addr).unwrap();
        b.send(b"somebody").unwrap();
        assert_eq!(a.recv(&mut [0; 9]).unwrap(), 8);
        // Not connected, it never hears of it.
        let (c, from) = open(ip);
        c.send_to(b"anybody?", nobody).unwrap();
        a.send_to(b"here", from).unwrap();
        assert_eq!(c.recv(&mut [0; 9]).unwrap(), 4);
    });
}

#[test]
fn timeouts_and_deadlines_end_a_call() {
    on_loopbacks(|ip| {
        let ((a, from), (b, addr)) = (open(ip), open(ip));
        assert_eq!(b.read_timeout().unwrap(), None);
        let zero = b.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(zero.kind(), ErrorKind::InvalidInput);
        b.set_write_timeout(Some(SOON)).unwrap();
        assert!(b.write_timeout().unwrap().is_some());
        b.set_read_timeout(Some(SOON)).unwrap();
        let mut batch = reseau::Batch::new(4, 9);
        let mut buf = [0; 9];
        for error in [
            b.recv(&mut buf).unwrap_err(),
            b.recv_from(&mut buf).unwrap_err(),
            b.peek(&mut buf).unwrap_err(),
            b.recv_packet(&mut buf).unwrap_err(),
            b.recv_batch(&mut batch).unwrap_err(),
        ] {
            assert!(is_timeout(error.kind()), "{error}");
        }
        b.set_read_timeout(None).unwrap();
        let late = |error: std::io::Error| {
            assert!(error.kind() == ErrorKind::TimedOut && Error::of(&error).is_some(), "{error}");
        };
        let at = Instant::now() + SOON;
        b.set_deadlines(Some(at), None);
        assert_eq!((b.read_deadline(), b.write_deadline()), (Some(at), None));
        late(b.recv(&mut buf).unwrap_err());
        assert!(Instant::now() >= at);
        a.send_to(b"here", addr).unwrap();
        late(b.recv_from(&mut buf).unwrap_err());
        late(b.peek_from(&mut buf).unwrap_err());
        late(b.recv_packet(&mut buf).unwrap_err());
        late(b.recv_batch(&mut batch).unwrap_err());
        b.set_deadlines(Some(Instant::now() + Duration::from_secs(600)), Some(at));
        assert_eq!(b.recv_batch(&mut batch).unwrap(), 1);
        late(b.send_to(b"x", from).unwrap_err());
        batch.reply();
        late(b.send_batch(&mut batch).unwrap_err());
        assert_eq!(batch.len(), 1);
        let waiting = thread::spawn(move || b.recv(&mut [0; 9]).unwrap());
        a.send_to(b"later", addr).unwrap();
        assert_eq!(waiting.join().unwrap(), 5);
    });
}

#[test]
fn a_socket_that_does_not_wait() {
    on_loopbacks(|ip| {
        let ((a, _), (b, addr)) = (open(ip), open(ip));
        b.set_nonblocking(true).unwrap();
        assert_eq!(b.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(b.recv_packet(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        b.set_nonblocking(false).unwrap();
        let copy = b.try_clone().unwrap();
        let waiting = thread::spawn(move || copy.recv(&mut [0; 9]).unwrap());
        a.send_to(b"hello", addr).unwrap();
        assert_eq!(waiting.join().unwrap(), 5);
        assert!(b.take_error().unwrap().is_none());
    });
}

#[test]
fn options_come_back_as_they_were_set() {
    watched(|| {
        let (a, _) = open(Ipv4Addr::LOCALHOST.into());
        for on in [true, false] {
            a.set_broadcast(on).unwrap();
            assert_eq!(a.broadcast().unwrap(), on);
            a.set_multicast_loop_v4(on).unwrap();
            assert_eq!(a.multicast_loop_v4().unwrap(), on);
        }
        a.set_multicast_ttl_v4(7).unwrap();
        a.set_ttl(9).unwrap();
        assert_eq!((a.multicast_ttl_v4().unwrap(), a.ttl().unwrap()), (7, 9));
        assert!(a.set_ttl(1000).is_err());
        if let Ok(v6) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) {
            v6.set_multicast_loop_v6(false).unwrap();
            assert!(!v6.multicast_loop_v6().unwrap());
        }
    });
}

#[test]
fn std_sockets_become_ours_and_back() {
    watched(|| {
        fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe + 'static>() {
        }
        shared::<UdpSocket>();
        let theirs = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = theirs.local_addr().unwrap();
        let ours = UdpSocket::from(theirs);
        ours.send_to(b"me", addr).unwrap();
        let shown = format!("{ours:?}");
        let theirs = std::net::UdpSocket::from(ours);
        assert_eq!(theirs.recv(&mut [0; 9]).unwrap(), 2);
        assert_eq!(shown, format!("{theirs:?}"));
    });
}

/// Of what is told, each system has its part.
#[test]
fn a_packet_tells_what_the_system_knows() {
    on_loopbacks(|ip| {
        let ((a, from), (b, addr)) = (open(ip), open(ip));
        b.tell();
        let before = SystemTime::now() - Duration::from_secs(5);
        a.set_ttl(44).ok();
        a.send_to(b"hello", addr).unwrap();
        let mut buf = [0; 9];
        let packet = b.recv_packet(&mut buf).unwrap();
        assert_eq!((packet.len, packet.truncated, packet.peer), (5, false, Some(from)));
        let all = cfg!(any(target_os = "linux", target_os = "android", target_vendor = "apple"));
        if all && tells_true() {
            assert_eq!(packet.local, Some(ip));
            assert!(packet.interface.is_some() && packet.ecn == Some(reseau::Ecn::NotEct));
            assert!(packet.at.is_some_and(|at| at > before));
            assert_eq!(packet.ttl, Some(if ip.is_ipv4() { 44 } else { 64 }));
        }
        if tells_true() {
            b.send_packet(b"back", &packet.reply()).unwrap();
            assert_eq!(a.recv_from(&mut buf).unwrap(), (4, addr));
        }
        a.connect(addr).unwrap();
        a.send_packet(b"there", &Packet::connected()).unwrap();
        assert_eq!(b.recv_packet(&mut buf[..2]).unwrap().len, 2);
    });
}

/// A server on all addresses answers from the one that was asked: its client is connected, and
/// hears no other.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn an_answer_comes_from_the_address_that_was_asked() {
    if !tells_true() {
        return;
    }
    watched(|| {
        let server = UdpSocket::bind("0.0.0.0:0").unwrap();
        server.tell();
        let port = server.local_addr().unwrap().port();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(("127.0.0.77", port)).unwrap();
        client.send(b"who?").unwrap();
        let packet = server.recv_packet(&mut [0; 9]).unwrap();
        assert_eq!(packet.local, Some([127, 0, 0, 77].into()));
        server.send_packet(b"me", &packet.reply()).unwrap();
        assert_eq!(client.recv(&mut [0; 9]).unwrap(), 2);
    });
}

/// What the system cannot grant is an error, not silence.
#[cfg(windows)]
#[test]
fn a_wish_that_cannot_be_granted_is_told() {
    on_loopbacks(|ip| {
        let ((a, _), (_b, addr)) = (open(ip), open(ip));
        let mut packet = Packet::to(addr);
        packet.ttl = Some(3);
        let error = a.send_packet(b"x", &packet).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    });
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod groups {
    use super::*;
    use reseau::addr::InterfaceRef;

    const GROUP: Ipv4Addr = Ipv4Addr::new(232, 77, 3, 1);

    /// Whether the machine lets one join on its loopback.
    fn joins(socket: &UdpSocket, group: IpAddr, on: impl Into<InterfaceRef>) -> bool {
        match socket.join_multicast(group, on) {
            Ok(()) => true,
            Err(error) => {
                eprintln!("skipped: {error}");
                false
            }
        }
    }

    /// One that sends to groups through the loopback. (Emulators do not let one choose.)
    fn sender() -> Option<UdpSocket> {
        let socket = socket2::Socket::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        match socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST) {
            Ok(()) => Some(UdpSocket::from(std::net::UdpSocket::from(socket))),
            Err(error) if std::env::var_os("RESEAU_TEST_RUNNER").is_some() => {
                eprintln!("skipped: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_member_hears_until_it_leaves() {
        watched(|| {
            // One's own: Linux lets a socket hear the groups that any other has joined.
            let [.., high, low] = std::process::id().to_be_bytes();
            let group = IpAddr::from([239, 77, high, low]);
            let (member, addr) = open(Ipv4Addr::UNSPECIFIED.into());
            let Some(sender) = sender() else { return };
            member.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let ways: [InterfaceRef; 3] = ["lo".into(), 1.into(), Ipv4Addr::LOCALHOST.into()];
            for way in ways {
                if !joins(&member, group, way.clone()) {
                    return;
                }
                sender.send_to(b"all", (group, addr.port())).unwrap();
                assert_eq!(member.recv(&mut [0; 9]).unwrap(), 3, "{way}");
                member.leave_multicast(group, way.clone()).unwrap();
                sender.send_to(b"none", (group, addr.port())).unwrap();
                assert!(is_timeout(member.recv(&mut [0; 9]).unwrap_err().kind()), "{way}");
                assert!(member.leave_multicast(group, way).is_err());
            }
        });
    }

    #[test]
    fn a_member_hears_its_source_alone() {
        watched(|| {
            let (member, addr) = open(Ipv4Addr::UNSPECIFIED.into());
            member.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let Some(sender) = sender() else { return };
            let (own, other) = ([127, 0, 0, 1].into(), [127, 0, 0, 99].into());
            let ways: [InterfaceRef; 2] = ["lo".into(), Ipv4Addr::LOCALHOST.into()];
            for way in ways {
                if let Err(error) = member.join_ssm(GROUP.into(), other, way.clone()) {
                    return eprintln!("skipped: {error}");
                }
                sender.send_to(b"not for you", (GROUP, addr.port())).unwrap();
                assert!(is_timeout(member.recv(&mut [0; 20]).unwrap_err().kind()));
                member.join_ssm(GROUP.into(), own, way.clone()).unwrap();
                sender.send_to(b"for you", (GROUP, addr.port())).unwrap();
                assert_eq!(member.recv(&mut [0; 20]).unwrap(), 7);
                member.leave_ssm(GROUP.into(), own, way.clone()).unwrap();
                member.leave_ssm(GROUP.into(), other, way.clone()).unwrap();
                assert!(member.leave_ssm(GROUP.into(), own, way).is_err());
            }
        });
    }

    #[test]
    fn groups_of_ipv6_are_joined_by_name_and_number() {
        watched(|| {
            let Ok(member) = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)) else { return };
            let group = "ff05::77:1".parse().unwrap();
            for way in [InterfaceRef::from("lo"), InterfaceRef::from(1)] {
                if !joins(&member, group, way.clone()) {
                    return;
                }
                assert_eq!(
                    member.join_multicast(group, way.clone()).unwrap_err().kind(),
                    ErrorKind::AddrInUse
                );
                member.leave_multicast(group, way).unwrap();
            }
            let source = Ipv6Addr::LOCALHOST.into();
            let joined = member.join_ssm("ff35::77:1".parse().unwrap(), source, 1);
            assert!(joined.is_ok() || std::env::var_os("RESEAU_TEST_RUNNER").is_some());
        });
    }

    #[test]
    fn a_bad_interface_or_group_is_an_error() {
        watched(|| {
            let (socket, _) = open(Ipv4Addr::LOCALHOST.into());
            let group = IpAddr::from(GROUP);
            let missing = socket.join_multicast(group, "no-such-interface").unwrap_err();
            assert_eq!(missing.kind(), ErrorKind::NotFound);
            let nul = socket.join_multicast(group, "l\0o").unwrap_err();
            assert_eq!(nul.kind(), ErrorKind::InvalidInput);
            assert!(socket.join_multicast(group, 999_999).is_err());
            assert!(socket.join_multicast(group, Ipv4Addr::new(192, 0, 2, 9)).is_err());
            assert!(socket.join_multicast([127, 0, 0, 1].into(), "lo").is_err());
            assert!(socket.join_multicast_v4(&GROUP, &Ipv4Addr::new(192, 0, 2, 9)).is_err());
            assert!(socket.leave_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST).is_err());
            assert!(socket.join_multicast_v6(&Ipv6Addr::LOCALHOST, 0).is_err());
            assert!(socket.leave_multicast_v6(&"ff02::1".parse().unwrap(), 1).is_err());
            let mixed = socket.join_ssm(group, Ipv6Addr::LOCALHOST.into(), 1).unwrap_err();
            assert_eq!(mixed.kind(), ErrorKind::InvalidInput);
            let v6 = IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 1]);
            let by_address = socket.join_multicast(v6, Ipv4Addr::LOCALHOST).unwrap_err();
            assert_eq!(by_address.kind(), ErrorKind::InvalidInput);
        });
    }
}
