//! Datagrams and groups.
use std::io::ErrorKind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use reseau::sockets::julia::{
    Bind, Error, IPAddr, IPv4, IPv6, Setopt, UDPSocket, bind, bind_with, getsockname,
    join_multicast_group, join_multicast_group_on, leave_multicast_group_on, localhost, recv,
    recvfrom, send, setopt,
};

use crate::watched;

fn bound() -> (UDPSocket, u16) {
    let socket = UDPSocket::new();
    assert!(bind(&socket, localhost, 0).unwrap());
    let (_, port) = getsockname(&socket).unwrap();
    (socket, port)
}

#[test]
fn a91_recv_gives_a_datagram() {
    watched(|| {
        let (server, port) = bound();
        let client = UDPSocket::new();
        let large = vec![7; 60_000];
        for bytes in [b"one".as_slice(), b"", &large] {
            send(&client, localhost, port, bytes).unwrap();
            assert!(recv(&server).unwrap() == bytes);
        }
    });
}

#[test]
fn a92_recvfrom_says_who_and_binds_by_itself() {
    watched(|| {
        let socket = Arc::new(UDPSocket::new());
        assert!(matches!(getsockname(&*socket), Err(Error::ArgumentError(_))), "no address yet");
        let other = Arc::clone(&socket);
        let waiting = thread::spawn(move || recvfrom(&other).unwrap());
        let (ip, port) = loop {
            match getsockname(&*socket) {
                Ok(name) => break name,
                Err(_) => thread::yield_now(),
            }
        };
        assert!(ip == IPv6(0).into() || ip == IPv4(0).into(), "{ip}");
        let (client, client_port) = bound();
        send(&client, localhost, port, b"hello").unwrap();
        let (from, bytes) = waiting.join().unwrap();
        assert_eq!((from.host, from.port), (localhost.into(), client_port), "by IPv4, as it came");
        assert_eq!(bytes, b"hello");
        // And back, through a socket of both families.
        send(&socket, from.host, from.port, b"back").unwrap();
        assert_eq!(recv(&client).unwrap(), b"back");
    });
}

#[test]
fn a93_send_needs_no_connection() {
    watched(|| {
        let (one, port_one) = bound();
        let (other, port_other) = bound();
        let client = UDPSocket::new();
        send(&client, localhost, port_one, "1").unwrap();
        send(&client, localhost, port_other, "2").unwrap();
        assert_eq!((recv(&one).unwrap(), recv(&other).unwrap()), (vec![b'1'], vec![b'2']));
        for wrong in [-1, 65536] {
            assert!(matches!(send(&client, localhost, wrong, ""), Err(Error::ArgumentError(_))));
        }
        let error = send(&client, localhost, port_one, vec![0; 70_000]).unwrap_err();
        assert!(matches!(error, Error::IOError(_)), "{error}");
    });
}

#[test]
fn a83_a_closed_socket_says_so() {
    watched(|| {
        let (socket, _) = bound();
        let socket = Arc::new(socket);
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let socket = Arc::clone(&socket);
                thread::spawn(move || recv(&socket).unwrap_err())
            })
            .collect();
        assert!(socket.isopen());
        thread::sleep(Duration::from_millis(50)); // They wait by now, or most of them.
        socket.close();
        socket.close();
        for thread in waiting {
            let error = thread.join().unwrap();
            // One that had not begun yet is told that it is closed.
            assert!(matches!(error, Error::EOFError | Error::ErrorException(_)), "{error}");
        }
        assert!(!socket.isopen());
        assert!(matches!(recv(&socket), Err(Error::ErrorException(_))));
        assert!(matches!(send(&socket, localhost, 1, ""), Err(Error::ErrorException(_))));
        assert!(matches!(bind(&*socket, localhost, 0), Err(Error::ErrorException(_))));
    });
}

#[test]
fn a94_reuseaddr_is_for_datagrams() {
    watched(|| {
        let (one, port) = bound();
        assert!(!bind(&UDPSocket::new(), localhost, port).unwrap(), "taken");
        let error = bind(&one, localhost, 0).unwrap_err();
        assert!(matches!(error, Error::ErrorException(_)), "{error}");
        let shared = || {
            let socket = UDPSocket::new();
            let options = Bind { reuseaddr: true, ..Bind::default() };
            (bind_with(&socket, IPv4(0), 0, options).unwrap(), socket)
        };
        let (ok, first) = shared();
        assert!(ok);
        if cfg!(target_os = "linux") {
            let (_, port) = getsockname(&first).unwrap();
            let second = UDPSocket::new();
            let options = Bind { reuseaddr: true, ..Bind::default() };
            assert!(bind_with(&second, IPv4(0), port, options).unwrap());
        }
    });
}

#[test]
fn a83_multicast_groups() {
    watched(|| {
        let group = IPAddr::from(IPv4::from([239, 255, 71, 83]));
        let member = UDPSocket::new();
        assert!(bind(&member, IPv4(0), 0).unwrap());
        let (_, port) = getsockname(&member).unwrap();
        let loopback = std::net::Ipv4Addr::LOCALHOST;
        join_multicast_group_on(&member, group, loopback).unwrap();
        let sender = UDPSocket::new();
        assert!(bind(&sender, localhost, 0).unwrap());
        let options = Setopt {
            multicast_loop: Some(true),
            multicast_ttl: Some(1),
            enable_broadcast: Some(true),
            ttl: Some(7),
        };
        setopt(&sender, options).unwrap();
        // Where multicast does not go out by the loopback there is nothing to receive.
        if cfg!(target_os = "linux") && send(&sender, group, port, b"to all").is_ok() {
            assert_eq!(recv(&member).unwrap(), b"to all");
        }
        leave_multicast_group_on(&member, group, loopback).unwrap();
        assert!(leave_multicast_group_on(&member, group, loopback).is_err(), "it was left");
        let nobody = join_multicast_group(&member, IPv4::from([192, 0, 2, 1])).unwrap_err();
        assert_ne!(nobody.kind(), ErrorKind::NotFound, "{nobody}");
    });
}
