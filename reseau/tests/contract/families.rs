//! One socket for both families, or one for each: the same on every kernel.
use crate::everywhere;
use crate::stage::{drain, has_v6, run, say_skipped, settle};
use futures_lite::future::zip;
use reseau::{Inet, Kind, Socket, TcpListener, TcpSocket, TcpStream, UdpSocket, kind, opt};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

everywhere!(
    one_listener_hears_both_families,
    a_listener_of_v6_alone_leaves_v4_to_others,
    one_datagram_socket_hears_both_families,
    a_client_of_v6_reaches_v4_by_a_mapped_address,
);

/// A listener of every address of IPv6, of IPv4 too or not.
fn listener(only_v6: bool, on: Kind) -> Option<(TcpListener, u16)> {
    let listener = (|| {
        let socket = TcpSocket::new_v6()?;
        socket.set_only_v6(only_v6)?;
        socket.bind((Ipv6Addr::UNSPECIFIED, 0).into())?;
        socket.listen(64)
    })();
    let listener = here(on, listener)?;
    let port = listener.local_addr().unwrap().port();
    Some((listener, port))
}

/// What this place has, if it has IPv6; a world has.
fn here<T>(on: Kind, opened: std::io::Result<T>) -> Option<T> {
    if let Err(error) = &opened {
        assert_ne!(on, Kind::Sim, "a world has IPv6: {error}");
        say_skipped(&format!("no IPv6 here: {error}"));
    }
    opened.ok()
}

fn mapped(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(addr) => (addr.ip().to_ipv6_mapped(), addr.port()).into(),
        addr => addr,
    }
}

fn one_listener_hears_both_families(on: Kind) {
    run(on, async move {
        // A system may listen at addresses of IPv6 that nobody can reach it at.
        if !has_v6().await {
            return;
        }
        let Some((listener, port)) = listener(false, on) else { return };
        for to in
            [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), (Ipv6Addr::LOCALHOST, port).into()]
        {
            let (client, accepted) = zip(TcpStream::connect(to), listener.accept()).await;
            let (mut client, (mut server, peer)) = (client.unwrap(), accepted.unwrap());
            assert_eq!(client.peer_addr().unwrap(), to);
            assert_eq!(peer, mapped(client.local_addr().unwrap()));
            assert_eq!(server.peer_addr().unwrap(), peer);
            assert_eq!(server.local_addr().unwrap(), mapped(to));
            client.send("hello").await.unwrap();
            client.finish().await.unwrap();
            assert_eq!(drain(&mut server).await, b"hello");
        }
        let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    });
}

fn a_listener_of_v6_alone_leaves_v4_to_others(on: Kind) {
    run(on, async move {
        if !has_v6().await {
            return;
        }
        let Some((six, port)) = listener(true, on) else { return };
        assert!(six.get::<opt::OnlyV6>().unwrap().0);
        // The port of IPv4 is another's, if it is not some stranger's just now.
        let Ok(four) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await else { return };
        let (client, accepted) =
            zip(TcpStream::connect((Ipv4Addr::LOCALHOST, port)), four.accept()).await;
        assert_eq!(client.unwrap().local_addr().unwrap(), accepted.unwrap().1);
        let (client, accepted) =
            zip(TcpStream::connect((Ipv6Addr::LOCALHOST, port)), six.accept()).await;
        assert_eq!(client.unwrap().local_addr().unwrap(), accepted.unwrap().1);
    });
}

fn one_datagram_socket_hears_both_families(on: Kind) {
    run(on, async move {
        if !has_v6().await {
            return;
        }
        let server = (|| {
            let socket = Socket::<Inet, kind::Dgram>::new_v6()?;
            socket.set(opt::OnlyV6(false))?;
            socket.bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))?;
            socket.into_datagram()
        })();
        let Some(server) = here(on, server) else { return };
        let port = server.local_addr().unwrap().port();
        let mut buf = [0; 8];
        for from in [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), (Ipv6Addr::LOCALHOST, 0).into()] {
            let client: UdpSocket = UdpSocket::bind(from).await.unwrap();
            client.send_to(b"ping", (from.ip(), port)).await.unwrap();
            let (count, peer) = server.recv_from(&mut buf).await.unwrap();
            assert_eq!((count, peer), (4, mapped(client.local_addr().unwrap())));
            server.send_to(b"pong", peer).await.unwrap();
            let (count, peer) = client.recv_from(&mut buf).await.unwrap();
            assert_eq!((count, peer), (4, (from.ip(), port).into()));
        }
        settle().await;
    });
}

fn a_client_of_v6_reaches_v4_by_a_mapped_address(on: Kind) {
    run(on, async move {
        if !has_v6().await {
            return;
        }
        let four = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let to = mapped(four.local_addr().unwrap());
        let Some(socket) = here(on, TcpSocket::new_v6()) else { return };
        socket.set_only_v6(false).unwrap();
        let (client, accepted) = zip(socket.connect(to), four.accept()).await;
        let (client, (_server, peer)) = (client.unwrap(), accepted.unwrap());
        assert_eq!(client.peer_addr().unwrap(), to);
        assert_eq!(client.local_addr().unwrap(), mapped(peer));
        assert!(peer.is_ipv4());
    });
}
