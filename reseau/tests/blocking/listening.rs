//! Listening at endpoints: where, for whom, and at which port.
use crate::watched;
use reseau::Resolver;
use reseau::addr::{Covers, Reach, Stack};
use reseau::blocking::{
    IpAddr, Ipv4Addr, Ipv6Addr, Listener, SocketAddr, Stream, TcpListener, TcpStream, UdpSocket,
    listen, listen_any,
};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

fn inet(listener: &Listener) -> SocketAddr {
    listener.local_addr().unwrap().inet().expect("it is for TCP")
}

fn at(ip: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

fn has_v6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// Who a connection to `to` is, as the listener sees it.
fn met(listener: &Listener, to: SocketAddr) -> IpAddr {
    let mut client = TcpStream::connect(to).unwrap();
    let (mut server, peer) = listener.accept().unwrap();
    let soon = Instant::now() + Duration::from_secs(20);
    server.set_deadlines(Some(soon), Some(soon));
    server.write_all(b"hello").unwrap();
    server.finish().unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    assert_eq!(server.peer_addr().unwrap(), peer);
    peer.inet().unwrap().ip()
}

#[test]
fn without_a_host_only_this_machine_can_connect() {
    watched(|| {
        for text in [":0", "localhost:0"] {
            let listener = listen(text).wait().unwrap();
            assert_eq!(inet(&listener).ip(), Ipv4Addr::LOCALHOST, "{text}");
            assert!(listener.covers().unwrap().is_local(), "{text}");
            met(&listener, inet(&listener));
        }
        let first = listen(":0").wait().unwrap();
        let error = listen(format!(":{}", inet(&first).port())).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "not at [::1] instead: {error}");
    });
}

#[test]
fn the_unspecified_address_of_ipv6_is_for_both() {
    watched(|| {
        if !has_v6() {
            return;
        }
        let listener = listen("[::]:0").wait().unwrap();
        let plain = Listener::from(TcpListener::bind("[::]:0").unwrap());
        for listener in [&listener, &plain] {
            let port = inet(listener).port();
            let covers = Covers::Inet { stack: Stack::Both, reach: Reach::All, port };
            assert_eq!(listener.covers().unwrap(), covers);
            let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
            assert_eq!(met(listener, at(Ipv4Addr::LOCALHOST, port)), mapped);
            assert_eq!(met(listener, at(Ipv6Addr::LOCALHOST, port)), Ipv6Addr::LOCALHOST);
        }
        let alone = listen("[::]:0").only_v6(true).wait().unwrap();
        let port = inet(&alone).port();
        let covers = Covers::Inet { stack: Stack::V6, reach: Reach::All, port };
        assert_eq!(alone.covers().unwrap(), covers);
        let refused = TcpStream::connect(at(Ipv4Addr::LOCALHOST, port)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let other = listen(at(Ipv4Addr::UNSPECIFIED, port)).wait().unwrap();
        met(&other, at(Ipv4Addr::LOCALHOST, port));
    });
}

#[test]
fn datagrams_come_over_both_too() {
    watched(|| {
        if !has_v6() {
            return;
        }
        let server = UdpSocket::bind("[::]:0").unwrap();
        let port = server.local_addr().unwrap().port();
        server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        for (from, ip) in [
            ("127.0.0.1:0", IpAddr::from(Ipv4Addr::LOCALHOST.to_ipv6_mapped())),
            ("[::1]:0", Ipv6Addr::LOCALHOST.into()),
        ] {
            let client = UdpSocket::bind(from).unwrap();
            let to = at(client.local_addr().unwrap().ip(), port);
            client.send_to(b"hello", to).unwrap();
            let (_, peer) = server.recv_from(&mut [0; 8]).unwrap();
            assert_eq!(peer, at(ip, client.local_addr().unwrap().port()));
        }
    });
}

#[test]
fn walks_go_on_where_a_port_is_taken_and_nowhere_else() {
    watched(|| {
        let (port, first) = listen_any("127.0.0.1", 0).wait().unwrap();
        assert_eq!((inet(&first).port(), port == 0), (port, false));
        let (next, second) = listen_any("127.0.0.1", port).wait().unwrap();
        assert_ne!(next, port);
        met(&second, at([127, 0, 0, 1], next));
        let _last = listen_any("127.0.0.1", 65535).wait();
        match listen_any("127.0.0.1", 65535).wait() {
            Ok((port, _)) => assert!(port < 65535, "{port} is taken"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
        }
        let error = listen_any("192.0.2.1", 8000).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{error}");
        let local = reseau::Error::of(&error).unwrap().local_addr().cloned();
        assert_eq!(local, Some(at([192, 0, 2, 1], 8000).into()), "at once, at the hint");
    });
}

/// At an address of the loopback that nobody else uses, the last ports are taken.
#[cfg(target_os = "linux")]
#[test]
fn above_the_highest_port_it_goes_on_at_the_lowest() {
    watched(|| {
        let [.., high, low] = std::process::id().to_be_bytes();
        let host = &format!("127.77.{high}.{low}");
        let taken: Vec<_> = (65500..=65535)
            .filter_map(|port| TcpListener::bind((host.as_str(), port)).ok())
            .collect();
        assert!(taken.len() > 30);
        match listen_any(host, 65500).wait() {
            Ok((port, _)) => assert!(port < 65500, "{port}: it is taken"),
            // The lowest are for the privileged.
            Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
        }
    });
}

#[test]
fn the_backlog_is_what_the_system_made_of_it() {
    watched(|| {
        let told = cfg!(target_os = "linux");
        let max = match std::fs::read_to_string("/proc/sys/net/core/somaxconn") {
            Ok(text) => text.trim().parse().unwrap(),
            Err(_) => u32::MAX,
        };
        for asked in [1, 7, 1_000_000] {
            let listener = listen(":0").backlog(asked).wait().unwrap();
            assert_eq!(listener.backlog(), told.then_some(asked.min(max)));
            assert_eq!(listener.try_clone().unwrap().backlog(), listener.backlog());
        }
        let std = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let from_std = TcpListener::from(std);
        assert_eq!(from_std.backlog(), told.then_some(128.min(max)), "the system's own number");
    });
}

#[test]
fn names_are_looked_up() {
    watched(|| {
        let here = IpAddr::from([127, 0, 0, 1]);
        let names = Resolver::fixed([("web.internal", [here])]);
        let listener = listen("web.internal:0").resolver(&names).wait().unwrap();
        assert_eq!(inet(&listener).ip(), here);
        let error = listen("db.internal:0").resolver(&names).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        for bad in ["", "80", "udp://:53", "127.0.0.1:99999"] {
            let error = listen(bad).wait().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}: {error}");
        }
    });
}

/// On Windows because of the option, elsewhere anyway.
#[test]
fn an_exclusive_port_is_nobody_elses() {
    watched(|| {
        let listener = listen("127.0.0.1:0").exclusive(true).wait().unwrap();
        met(&listener, inet(&listener));
        let port = inet(&listener).port();
        for text in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}")] {
            let error = listen(&text).wait().unwrap_err();
            let kinds = [ErrorKind::AddrInUse, ErrorKind::PermissionDenied];
            assert!(kinds.contains(&error.kind()), "{text}: {error}");
        }
    });
}

#[cfg(unix)]
#[test]
fn paths_are_claimed_where_that_is_asked() {
    use std::os::unix::net::UnixListener as Std;
    watched(|| {
        let name = format!("reseau-listen-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(Std::bind(&path).unwrap());
        let at = format!("unix:{}", path.display());
        let error = listen(&at).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "nobody asked: {error}");
        let listener = listen(&at).claim(true).backlog(5).wait().unwrap();
        assert_eq!(listener.backlog(), cfg!(target_os = "linux").then_some(5));
        assert!(matches!(listener.covers().unwrap(), Covers::Unix(_)));
        let error = listen(&at).claim(true).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
        let client = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert!(matches!(server, Stream::Unix(_)));
        drop((client, server, listener));
        assert!(!path.exists());
    });
}

#[test]
fn variants_are_had_and_given_back() {
    watched(|| {
        let listener = listen(":0").wait().unwrap();
        let addr = inet(&listener);
        let tcp = TcpListener::try_from(listener).unwrap();
        let client = Stream::from(TcpStream::connect(addr).unwrap());
        let (server, _) = tcp.accept().unwrap();
        let mut second = client.try_clone().unwrap();
        second.write_all(b"ab").unwrap();
        let mut both = [0; 2];
        (&server).read_exact(&mut both).unwrap();
        assert_eq!(&both, b"ab");
        assert!(TcpStream::try_from(client).is_ok());
        #[cfg(unix)]
        {
            let (one, _other) = reseau::blocking::UnixStream::pair().unwrap();
            let back = TcpStream::try_from(Stream::from(one)).unwrap_err();
            assert!(matches!(back, Stream::Unix(_)));
        }
    });
}
