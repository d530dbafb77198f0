//! Listening at endpoints: where, for whom, and at which port.
use crate::everywhere;
use crate::stage::{has_v6, pair_at, run, say_skipped, take};
use reseau::addr::{Addr, Any, Covers, Reach, Stack};
use reseau::{
    Kind, Listener, Resolver, TcpListener, TcpSocket, TcpStream, UnixAddr, UnixStream, listen,
    listen_any,
};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

everywhere!(
    without_a_host_only_this_machine_can_connect,
    what_is_taken_is_not_had_elsewhere,
    the_unspecified_address_of_ipv6_is_for_both,
    ipv6_alone_leaves_ipv4_to_others,
    every_way_to_listen_covers_the_same,
    walks_go_on_where_a_port_is_taken,
    walks_stop_at_everything_else,
    the_backlog_is_what_the_system_made_of_it,
    names_are_looked_up,
    what_cannot_be_listened_at_is_refused,
    homes_can_be_named,
    paths_are_listened_at,
);

fn inet(listener: &Listener<Any>) -> SocketAddr {
    listener.local_addr().unwrap().inet().expect("it is for TCP")
}

/// A connection to `to`, and who it is as the listener sees it.
async fn met(listener: &Listener<Any>, to: SocketAddr) -> (IpAddr, SocketAddr) {
    let mut client = TcpStream::connect(to).await.unwrap();
    let (mut server, peer) = listener.accept().await.unwrap();
    client.send("hello").await.unwrap();
    assert_eq!(take(&mut server, 5).await, b"hello");
    let peer = peer.inet().unwrap();
    assert_eq!(server.peer_addr().unwrap(), Addr::Inet(peer));
    assert_eq!(peer.ip().to_canonical(), client.local_addr().unwrap().ip());
    assert_eq!(peer.port(), client.local_addr().unwrap().port());
    (peer.ip(), server.local_addr().unwrap().inet().unwrap())
}

fn at(ip: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

fn without_a_host_only_this_machine_can_connect(kind: Kind) {
    run(kind, async {
        for text in [":0", "localhost:0", "tcp://LocalHost.:0"] {
            let listener = listen(text).await.unwrap();
            let addr = inet(&listener);
            assert_eq!(addr.ip(), Ipv4Addr::LOCALHOST, "{text}");
            let covers = listener.covers().unwrap();
            assert!(covers.is_local(), "{text}: {covers}");
            met(&listener, addr).await;
        }
        let open = listen("0.0.0.0:0").await.unwrap();
        let port = inet(&open).port();
        let all = Covers::Inet { stack: Stack::V4, reach: Reach::All, port };
        assert_eq!(open.covers().unwrap(), all);
    });
}

/// Though `:port` has a second address, it would not be where it was asked for.
fn what_is_taken_is_not_had_elsewhere(kind: Kind) {
    run(kind, async {
        let first = listen(":0").await.unwrap();
        let port = inet(&first).port();
        for text in [format!(":{port}"), format!("localhost:{port}")] {
            let error = listen(&text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse, "{text}: {error}");
        }
        let here = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let name = Resolver::fixed([("here", here)]);
        let error = listen(("here", port)).resolver(&name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    });
}

fn the_unspecified_address_of_ipv6_is_for_both(kind: Kind) {
    run(kind, async {
        if !has_v6().await {
            return;
        }
        let port = for_both().await;
        // Others may have been given it meanwhile, and then not for long.
        for _ in 0..PORTS_TRIED {
            match listen(at(Ipv4Addr::LOCALHOST, port)).await {
                Ok(_) => return,
                Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse),
            }
            reseau::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the port of IPv4 is not free again");
    });
}

/// Listens for both, and says where that was.
async fn for_both() -> u16 {
    let listener = listen("[::]:0").await.unwrap();
    let port = inet(&listener).port();
    let covers = listener.covers().unwrap();
    assert_eq!(covers, Covers::Inet { stack: Stack::Both, reach: Reach::All, port });
    let (peer, local) = met(&listener, at(Ipv6Addr::LOCALHOST, port)).await;
    assert_eq!((peer, local.ip()), (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()));
    let (peer, local) = met(&listener, at(Ipv4Addr::LOCALHOST, port)).await;
    let mapped = IpAddr::from(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
    assert_eq!((peer, local.ip()), (mapped, mapped));
    // It has the port of both.
    let error = listen(at(Ipv4Addr::UNSPECIFIED, port)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    port
}

/// Other tests have ports, too, by chance just this one.
const PORTS_TRIED: usize = 40;

fn ipv6_alone_leaves_ipv4_to_others(kind: Kind) {
    run(kind, async {
        if !has_v6().await {
            return;
        }
        for _ in 0..PORTS_TRIED {
            let listener = listen("[::]:0").only_v6(true).await.unwrap();
            let port = inet(&listener).port();
            let covers = listener.covers().unwrap();
            assert_eq!(covers, Covers::Inet { stack: Stack::V6, reach: Reach::All, port });
            met(&listener, at(Ipv6Addr::LOCALHOST, port)).await;
            match TcpStream::connect(at(Ipv4Addr::LOCALHOST, port)).await {
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
                Ok(_) => continue,
            }
            match listen(at(Ipv4Addr::UNSPECIFIED, port)).await {
                Ok(other) => {
                    met(&other, at(Ipv4Addr::LOCALHOST, port)).await;
                    return;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse),
            }
        }
        panic!("the port of IPv4 is never for others");
    });
}

fn every_way_to_listen_covers_the_same(kind: Kind) {
    run(kind, async {
        if !has_v6().await {
            return;
        }
        let any: SocketAddr = "[::]:0".parse().unwrap();
        let socket = TcpSocket::new_v6().unwrap();
        socket.bind(any).unwrap();
        let stepwise = socket.listen(8).unwrap();
        let socket = reseau::Socket::<reseau::Inet>::new_v6().unwrap();
        socket.bind(any).unwrap();
        for listener in [TcpListener::bind(any).await.unwrap(), stepwise, socket.listen(8).unwrap()]
        {
            let addr = listener.local_addr().unwrap();
            let covers = Covers::Inet { stack: Stack::Both, reach: Reach::All, port: addr.port() };
            assert_eq!(listener.covers().unwrap(), covers);
            let to = at(Ipv4Addr::LOCALHOST, addr.port());
            TcpStream::connect(to).await.unwrap();
            listener.accept().await.unwrap();
        }
        let socket = TcpSocket::new_v6().unwrap();
        socket.set_only_v6(true).unwrap();
        socket.bind(any).unwrap();
        let alone = socket.listen(8).unwrap();
        let port = alone.local_addr().unwrap().port();
        let covers = Covers::Inet { stack: Stack::V6, reach: Reach::All, port };
        assert_eq!(alone.covers().unwrap(), covers, "whoever says so is heard");
        let one = TcpListener::bind("[::1]:0").await.unwrap();
        let addr = one.local_addr().unwrap();
        let covers = Covers::Inet { stack: Stack::V6, reach: Reach::Loopback, port: addr.port() };
        assert_eq!(one.covers().unwrap(), covers);
        pair_at(&one, addr).await;
    });
}

fn walks_go_on_where_a_port_is_taken(kind: Kind) {
    run(kind, async {
        let (port, first) = listen_any("127.0.0.1", 0).await.unwrap();
        assert_eq!(inet(&first).port(), port);
        assert_ne!(port, 0);
        let (next, second) = listen_any("127.0.0.1", port).backlog(3).await.unwrap();
        assert_eq!(inet(&second), at([127, 0, 0, 1], next));
        assert_ne!(next, port);
        // Others on this machine may have some, but not thousands in a row.
        let steps = next.wrapping_sub(port);
        assert!(steps < 4096 || next < port, "from {port} to {next}");
        met(&second, inet(&second)).await;
        let (_, local) = listen_any("", port).await.unwrap();
        assert!(local.covers().unwrap().is_local());
        // Above the highest it goes on at 1, which may be for the privileged alone.
        let _last = listen_any("127.0.0.1", 65535).await;
        match listen_any("127.0.0.1", 65535).await {
            Ok((port, _)) => assert!(port < 65535, "{port} is taken"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
        }
    });
}

/// The seeds walked over every error, 65535 times.
fn walks_stop_at_everything_else(kind: Kind) {
    run(kind, async {
        // Worlds have every address.
        if kind != Kind::Sim {
            let error = listen_any("192.0.2.1", 8000).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{error}");
            let local = reseau::Error::of(&error).unwrap().local_addr().cloned();
            assert_eq!(local, Some(at([192, 0, 2, 1], 8000).into()), "at once, at the hint");
        }
        for host in ["a b", "unix", "1.2.3.4.5"] {
            let error = listen_any(host, 8000).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{host}: {error}");
        }
    });
}

fn the_backlog_is_what_the_system_made_of_it(kind: Kind) {
    run(kind, async {
        let told = cfg!(target_os = "linux") || kind == Kind::Sim;
        let max = match std::fs::read_to_string("/proc/sys/net/core/somaxconn") {
            _ if kind == Kind::Sim => 4096,
            Ok(text) => text.trim().parse().unwrap(),
            Err(_) => u32::MAX,
        };
        for asked in [1, 7, 1_000_000] {
            let listener = listen(":0").backlog(asked).await.unwrap();
            assert_eq!(listener.backlog(), told.then_some(asked.min(max)));
        }
        let usual = Some(511.min(max)).filter(|_| told);
        assert_eq!(listen(":0").await.unwrap().backlog(), usual);
        assert_eq!(TcpListener::bind("127.0.0.1:0").await.unwrap().backlog(), usual);
    });
}

fn names_are_looked_up(kind: Kind) {
    run(kind, async {
        let here = IpAddr::from([127, 0, 0, 1]);
        let names = Resolver::fixed([("web.internal", [here])]);
        let listener = listen("web.internal:0").resolver(&names).await.unwrap();
        assert_eq!(inet(&listener).ip(), here);
        met(&listener, inet(&listener)).await;
        let error = listen("db.internal:0").resolver(&names).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("db.internal"), "{error}");
        // No resolver can make this public.
        let lying = Resolver::fixed([("localhost", [IpAddr::from([0, 0, 0, 0])])]);
        let listener = listen("localhost:0").resolver(&lying).await.unwrap();
        assert!(listener.covers().unwrap().is_local());
    });
}

fn what_cannot_be_listened_at_is_refused(kind: Kind) {
    run(kind, async {
        for (at, why) in [
            ("", ErrorKind::InvalidInput),
            ("80", ErrorKind::InvalidInput),
            ("127.0.0.1:99999", ErrorKind::InvalidInput),
            ("udp://:53", ErrorKind::InvalidInput),
            ("tls://:443", ErrorKind::Unsupported),
            ("npipe:echo", ErrorKind::Unsupported),
            ("fd:2147483647", if kind == Kind::Sim { ErrorKind::Unsupported } else { NO_FD }),
        ] {
            let error = listen(at).await.unwrap_err();
            assert_eq!(error.kind(), why, "{at}: {error}");
            assert!(reseau::Error::of(&error).is_some(), "{at}: a bare {error}");
        }
    });
}

const NO_FD: ErrorKind = if cfg!(unix) { ErrorKind::NotFound } else { ErrorKind::Unsupported };

fn homes_can_be_named(kind: Kind) {
    run(kind, async {
        if kind == Kind::Sim {
            // A socket of the system has its home elsewhere.
            let home = reseau::Remote::global().unwrap();
            let listener = listen(":0").on(&home).await.unwrap();
            assert_ne!(inet(&listener).port(), 0);
            return;
        }
        let group = reseau::Group::new(1, &reseau::Config::default()).unwrap();
        let listener = listen(":0").on(&group.remotes()[0]).await.unwrap();
        met(&listener, inet(&listener)).await;
        let (_, listener) = listen_any("", 0).on(&group.remotes()[0]).await.unwrap();
        met(&listener, inet(&listener)).await;
    });
}

fn paths_are_listened_at(kind: Kind) {
    if cfg!(windows) && kind != Kind::Sim {
        return say_skipped("Wine has no Unix sockets");
    }
    run(kind, async move {
        let path = std::env::temp_dir().join(format!("reseau-at-{kind}-{}", std::process::id()));
        let name = UnixAddr::from_pathname(&path).unwrap();
        let listener = listen(Addr::from(name.clone()).to_string()).backlog(9).await.unwrap();
        let told = cfg!(target_os = "linux") || kind == Kind::Sim;
        assert_eq!(listener.backlog(), told.then_some(9));
        assert_eq!(listener.covers().unwrap(), Covers::Unix(name.clone()));
        let mut client = UnixStream::connect_addr(&name).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.send("hello").await.unwrap();
        assert_eq!(take(&mut server, 5).await, b"hello");
        drop((client, server, listener));
        // The file has stayed: it was not claimed, and whoever claims it has it now.
        let at = Addr::from(name.clone()).to_string();
        assert_eq!(listen(&at).await.unwrap_err().kind(), ErrorKind::AddrInUse);
        if kind != Kind::Sim && cfg!(unix) {
            let claimed = listen(&at).claim(true).await.unwrap();
            assert!(path.exists());
            let error = listen(&at).claim(true).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse, "somebody listens: {error}");
            drop(claimed);
            assert!(!path.exists());
        }
        let _ = std::fs::remove_file(&path);
    });
}
