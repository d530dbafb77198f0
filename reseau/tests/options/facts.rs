//! What options mean, and what their values must be.
// What some tests use that are left out elsewhere.
#![cfg_attr(not(target_os = "linux"), allow(unused_imports))]
use crate::watchdog::{say, watched};
use reseau::blocking::{TcpListener, TcpStream};
use reseau::opt::{self, AddressFamily, MtuDiscovery, Ports, TcpState, Transfer};
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

fn pair() -> (TcpStream, TcpStream, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    (client, server, listener)
}

/// Fails unless it is an `InvalidInput` that names the option and says that.
#[track_caller]
fn refused(result: io::Result<()>, says: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(error.to_string(), format!("set option {says}"));
    // The kernel has no part in it.
    assert_eq!(reseau::Error::of(&error).unwrap().os_code(), None);
}

#[test]
fn values_out_of_range_do_not_reach_the_kernel() {
    let (stream, _server, listener) = pair();
    let long = Duration::from_secs(100_000);
    refused(stream.set(opt::Ttl(0)), "Ttl: 0 is out of range: 1 to 255");
    let most = "18446744073709551615 is out of range: 0 to 2147483647";
    if cfg!(target_pointer_width = "64") {
        refused(stream.set(opt::RecvBuffer(usize::MAX)), &format!("RecvBuffer: {most}"));
        refused(stream.set(opt::SendBuffer(usize::MAX)), &format!("SendBuffer: {most}"));
    }
    refused(
        stream.set(opt::KeepAliveIdle(Duration::ZERO)),
        "KeepAliveIdle: 0ns is out of range: 1s to 32767s",
    );
    refused(
        stream.set(opt::KeepAliveInterval(long)),
        "KeepAliveInterval: 100000s is out of range: 1s to 32767s",
    );
    refused(stream.set(opt::KeepAliveCount(128)), "KeepAliveCount: 128 is out of range: 1 to 127");
    refused(stream.set(opt::Linger(Some(long))), "Linger: 100000s is out of range: 0ns to 65535s");
    refused(
        stream.set(opt::UserTimeout(Some(Duration::ZERO))),
        "UserTimeout: 0ns is out of range: 1ms to 2147483.647s",
    );
    refused(
        stream.set(opt::RecvTimeout(Some(Duration::ZERO))),
        "RecvTimeout: a timeout of zero: take None to wait for ever",
    );
    refused(listener.set(opt::SegmentMax(87)), "SegmentMax: 87 is out of range: 88 to 32767");
    let backwards = Some(Ports { first: 2, last: 1 });
    refused(
        stream.set(opt::LocalPortRange(backwards)),
        "LocalPortRange: 2 to 1 are no ports: at least 1, and in order",
    );
}

#[test]
fn names_are_checked() {
    let (stream, ..) = pair();
    refused(stream.set(opt::Congestion(String::new())), "Congestion: the name is empty");
    refused(stream.set(opt::Congestion("a\0b".into())), "Congestion: \"a\\0b\" has a NUL in it");
    refused(
        stream.set(opt::BindDevice(Some("sixteen-letters-".into()))),
        "BindDevice: \"sixteen-letters-\" is longer than 15 bytes",
    );
    if !cfg!(target_os = "linux") {
        return;
    }
    let error = stream.set(opt::Congestion("no-such-thing".into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let error = stream.set(opt::BindDevice(Some("no-such-thing".into()))).unwrap_err();
    assert!(reseau::Error::of(&error).unwrap().os_code().is_some(), "{error}");
}

#[test]
fn spans_are_rounded_up() {
    let (stream, ..) = pair();
    stream.set(opt::Linger(Some(Duration::from_millis(1)))).unwrap();
    let opt::Linger(span) = stream.get().unwrap();
    assert_eq!(span, Some(Duration::from_secs(1)), "not a reset");
    let opt::ResetOnClose(resets) = stream.get().unwrap();
    assert!(!resets);
    stream.set(opt::ResetOnClose(true)).unwrap();
    assert_eq!(stream.linger().unwrap(), Some(Duration::ZERO));
    if let Err(error) = stream.set(opt::KeepAliveIdle(Duration::from_millis(1001))) {
        return assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let opt::KeepAliveIdle(span) = stream.get().unwrap();
    assert_eq!(span, Duration::from_secs(2));
}

#[test]
fn a_socket_says_what_it_is() {
    let (stream, _server, listener) = pair();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let opt::SocketType(sends) = stream.get().unwrap();
    assert_eq!(sends, Transfer::Stream);
    let opt::SocketType(sends) = opt::of(&udp).get().unwrap();
    assert_eq!(sends, Transfer::Datagram);
    let opt::Accepting(yes) = listener.get().unwrap();
    let opt::Accepting(no) = stream.get().unwrap();
    assert!(yes && !no);
    if !cfg!(target_os = "linux") {
        return;
    }
    let opt::SocketDomain(family) = stream.get().unwrap();
    assert_eq!(family, AddressFamily::V4);
    let opt::SocketProtocol(tcp) = stream.get().unwrap();
    let opt::SocketProtocol(datagrams) = opt::of(&udp).get().unwrap();
    assert_eq!((tcp, datagrams), (6, 17));
    let opt::Cookie(one) = stream.get().unwrap();
    let opt::Cookie(again) = stream.get().unwrap();
    let opt::Cookie(other) = listener.get().unwrap();
    assert!(one == again && one != other);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_says_what_it_is() {
    let (stream, _) = reseau::blocking::UnixStream::pair().unwrap();
    let opt::SocketType(sends) = stream.get().unwrap();
    assert_eq!(sends, Transfer::Stream);
    match stream.get() {
        Ok(opt::SocketDomain(family)) => assert_eq!(family, AddressFamily::Unix),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_vsock_socket_says_what_it_is() {
    use reseau::VsockAddr;
    // Not every kernel has them, and containers may not use them.
    let listener = reseau::blocking::VsockListener::bind(VsockAddr::ANY, VsockAddr::PORT_ANY);
    let Ok(listener) = listener else { return say("skipped: no vsock here") };
    let opt::SocketDomain(family) = listener.get().unwrap();
    let opt::Accepting(listens) = listener.get().unwrap();
    assert_eq!((family, listens), (AddressFamily::Vsock, true));
}

#[cfg(target_os = "linux")]
#[test]
fn one_option_shows_in_another() {
    let (stream, ..) = pair();
    for (way, uncut) in [
        (MtuDiscovery::Always, true),
        (MtuDiscovery::Probe, true),
        (MtuDiscovery::Want, false),
        (MtuDiscovery::Interface, false),
        (MtuDiscovery::Omit, false),
        (MtuDiscovery::Never, false),
    ] {
        stream.set(opt::DiscoverMtu(way)).unwrap();
        let opt::DontFragment(told) = stream.get().unwrap();
        assert_eq!(told, uncut, "{way:?}");
        let opt::DiscoverMtu(told) = stream.get().unwrap();
        assert_eq!(told, way);
    }
    let opt::Mtu(mtu) = stream.get().unwrap();
    assert!(mtu >= 1280, "{mtu} on the loopback");
}

#[test]
fn forced_buffers_go_beyond_the_limit() {
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = opt::of(&udp);
    let size = 64 << 20;
    match udp.set(opt::RecvBufferForce(size)) {
        Ok(()) => {
            let opt::RecvBuffer(got) = udp.get().unwrap();
            assert!(got >= size, "{got}");
        }
        Err(error) => {
            let kinds = [ErrorKind::PermissionDenied, ErrorKind::Unsupported];
            assert!(kinds.contains(&error.kind()), "{error}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_snapshot_follows_the_connection() {
    watched("the_snapshot_follows_the_connection", || {
        let (mut client, mut server, listener) = pair();
        let opt::TcpInfo(info) = listener.get().unwrap();
        assert_eq!(info.state, TcpState::Listen);
        client.write_all(&[7; 10_000]).unwrap();
        server.read_exact(&mut [0; 10_000]).unwrap();
        server.write_all(b"thanks").unwrap();
        client.read_exact(&mut [0; 6]).unwrap();

        let opt::TcpInfo(info) = client.get().unwrap();
        assert_eq!(info.state, TcpState::Established);
        let rtt = info.rtt.unwrap();
        assert!(rtt > Duration::ZERO && rtt < Duration::from_secs(60), "{info:?}");
        assert!(info.rtt_deviation.is_some() && info.retransmit_timeout > info.rtt, "{info:?}");
        assert!(info.segment_max.is_some_and(|most| most >= 500), "{info:?}");
        assert!(info.congestion_window.is_some_and(|window| window >= 1), "{info:?}");
        assert!(info.path_mtu.is_some_and(|mtu| mtu >= 576), "{info:?}");
        // Kernels older than 4.19 do not count all of it.
        assert!(info.bytes_acked.is_none_or(|count| count >= 10_000), "{info:?}");
        assert!(info.bytes_received.is_none_or(|count| count == 6), "{info:?}");
        assert!(info.bytes_sent.is_none_or(|count| count >= 10_000), "{info:?}");
        assert!(info.segments_sent.is_none_or(|count| count >= 2), "{info:?}");
        assert!(info.not_sent.is_none_or(|count| count == 0), "{info:?}");
        assert!(info.peer_window.is_none_or(|window| window > 0), "{info:?}");

        client.finish().unwrap();
        server.read_to_end(&mut Vec::new()).unwrap();
        let opt::TcpInfo(info) = server.get().unwrap();
        assert_eq!(info.state, TcpState::CloseWait);
    });
}

#[cfg(unix)]
#[test]
fn the_kept_error_is_taken() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    socket.connect(closed).unwrap();
    socket.send(b"is there anybody?").unwrap();
    let opt::PendingError(error) = opt::of(&socket).get().unwrap();
    // The news is back before the call is, on the loopback of most systems.
    assert!(error.is_none_or(|error| error.kind() == ErrorKind::ConnectionRefused));
    let opt::PendingError(error) = opt::of(&socket).get().unwrap();
    assert!(error.is_none() || !cfg!(target_os = "linux"));
}
