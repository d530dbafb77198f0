//! forge_tools: rows A44 to A72.
mod pool;
mod words;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use reseau::sockets::mojo::{
    AF_INET, AF_INET6, AF_UNIX, IPv4Addr, IPv6Addr, LOCAL, SOCK_DGRAM, SOCK_STREAM, Socket, TCP,
    UDP, UnixAddr,
};

use crate::{Taken, watched};

/// A server on a free port, and a connection to it from both ends.
fn connected() -> (Socket, Socket, Socket) {
    let server = Socket::create_server(("127.0.0.1", 0)).unwrap();
    let client = Socket::create_connection(server.getsockname().unwrap()).unwrap();
    let (conn, _) = server.accept().unwrap();
    (server, client, conn)
}

#[test]
fn a44_a_socket_is_generic_over_family_type_protocol_address_and_platform() {
    watched(|| {
        let one = Socket::<AF_INET, SOCK_DGRAM, UDP>::new().unwrap();
        let other = Socket::<AF_INET, SOCK_DGRAM, UDP>::new().unwrap();
        other.bind(("127.0.0.1", 0)).unwrap();
        one.connect(other.getsockname().unwrap()).unwrap();
        one.send(b"datagram").unwrap();
        assert_eq!(other.recv(&mut [0; 32]).unwrap(), 8);
        let stream: Socket = Socket::new().unwrap(); // All five have a default.
        stream.bind(("127.0.0.1", 0)).unwrap();
        let addr: IPv4Addr = stream.getsockname().unwrap();
        assert!(addr.host.is_loopback());
    });
}

#[test]
fn a45_a_new_socket_has_nothing_yet() {
    watched(|| {
        let socket: Socket = Socket::new().unwrap();
        assert!(socket.send(b"x").is_err());
        assert!(socket.accept().is_err());
    });
}

#[test]
#[cfg(unix)]
fn a46_a_socket_is_made_from_an_open_descriptor() {
    use std::os::fd::OwnedFd;
    watched(|| {
        let theirs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = theirs.local_addr().unwrap();
        let server: Socket = OwnedFd::from(theirs).try_into().unwrap();
        let _client = TcpStream::connect(addr).unwrap();
        let (conn, _) = server.accept().unwrap();
        // And back, but not while others share it.
        let clone = conn.clone();
        assert_eq!(OwnedFd::try_from(conn).unwrap_err().kind(), ErrorKind::ResourceBusy);
        let fd = OwnedFd::try_from(clone).unwrap();
        // What is of another kind is not taken.
        let wrong = Socket::<AF_INET, SOCK_DGRAM, UDP>::try_from(fd).unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a47_close_ends_the_connection() {
    watched(|| {
        let (server, client, conn) = connected();
        conn.close().unwrap();
        assert_eq!(client.recv(&mut [0]).unwrap(), 0);
        let addr = server.getsockname().unwrap();
        server.close().unwrap();
        assert!(Socket::create_connection(addr).is_err(), "nobody listens");
    });
}

#[test]
fn a48_the_last_reference_closes() {
    watched(|| {
        let (_server, client, conn) = connected();
        let clone = conn.clone();
        drop(conn);
        clone.send(b"still here").unwrap();
        assert_eq!(client.recv(&mut [0; 32]).unwrap(), 10);
        drop(clone);
        assert_eq!(client.recv(&mut [0; 32]).unwrap(), 0);
    });
}

#[test]
fn a49_options_are_set_by_number() {
    watched(|| {
        let (server, ..) = connected();
        if cfg!(target_os = "linux") {
            server.setsockopt(1, 9, 1).unwrap(); // SO_KEEPALIVE
        }
        let error = server.setsockopt(12345, 54321, 1).unwrap_err();
        let told = reseau::Error::of(&error).unwrap();
        assert_eq!(told.operation(), reseau::error::Operation::SetOption);
    });
}

#[test]
fn a50_bind_works_once() {
    watched(|| {
        let socket: Socket = Socket::new().unwrap();
        socket.bind(("127.0.0.1", 0)).unwrap();
        let addr = socket.getsockname().unwrap();
        assert!(socket.bind(("127.0.0.1", 0)).is_err());
        assert_eq!(socket.getsockname().unwrap(), addr);
        let v6 = Socket::<AF_INET6, SOCK_STREAM, TCP, IPv6Addr>::new().unwrap();
        match v6.bind(("::1", 0)) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::AddrNotAvailable),
            Ok(()) => assert!(v6.getsockname().unwrap().host.is_loopback()),
        }
        let other: Socket = Socket::new().unwrap();
        assert_eq!(other.bind(("::1", 0)).unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a52_connect_reaches_the_peer_or_says_why_not() {
    watched(|| {
        let server = Socket::create_server(("127.0.0.1", 0)).unwrap();
        let client: Socket = Socket::new().unwrap();
        client.connect(("localhost", server.getsockname().unwrap().port)).unwrap();
        assert_eq!(server.accept().unwrap().1, client.getsockname().unwrap());
        let addr = server.getsockname().unwrap();
        drop(server);
        let late: Socket = Socket::new().unwrap();
        let error = late.connect(addr).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let told = reseau::Error::of(&error).unwrap().peer_addr().unwrap().to_string();
        assert_eq!(told, addr.to_string());
    });
}

#[test]
fn a53_accept_gives_a_socket_and_the_address() {
    watched(|| {
        let (server, client, conn) = connected();
        client.send(b"x").unwrap();
        assert_eq!(conn.recv(&mut [0; 8]).unwrap(), 1);
        let other = Socket::create_connection(server.getsockname().unwrap()).unwrap();
        let (_, addr) = server.accept().unwrap();
        assert_eq!(addr, other.getsockname().unwrap());
        server.shutdown(Shutdown::Both).unwrap();
        assert!(server.accept().is_err(), "an error, and no None");
    });
}

#[test]
fn a54_connections_can_be_iterated() {
    watched(|| {
        let server = Socket::create_server(("127.0.0.1", 0)).unwrap();
        let addr = server.getsockname().unwrap();
        let stopper = server.clone();
        let clients = thread::spawn(move || {
            for _ in 0..3 {
                let client = Socket::create_connection(addr).unwrap();
                assert_eq!(client.recv(&mut [0; 8]).unwrap(), 1);
            }
            stopper.shutdown(Shutdown::Both).unwrap();
        });
        let mut count = 0;
        for accepted in server {
            let (conn, _addr) = accepted.unwrap();
            conn.send(b"x").unwrap();
            count += 1;
        }
        assert_eq!(count, 3, "and it ended when the server was shut");
        clients.join().unwrap();
    });
}

#[test]
#[cfg(unix)]
fn a55_socketpair() {
    watched(|| {
        let (one, other) = Socket::<AF_UNIX, SOCK_STREAM, LOCAL, UnixAddr>::socketpair().unwrap();
        one.send_all(b"over").unwrap();
        let mut buf = [0; 16];
        assert_eq!(other.recv(&mut buf).unwrap(), 4);
        let (one, other) = Socket::<AF_UNIX, SOCK_DGRAM, LOCAL, UnixAddr>::socketpair().unwrap();
        one.send(b"first").unwrap();
        one.send(b"second").unwrap();
        assert_eq!(other.recv(&mut buf).unwrap(), 5, "datagrams stay apart");
    });
}

#[test]
#[cfg(unix)]
fn a56_descriptors_are_sent() {
    use std::os::fd::AsFd;
    watched(|| {
        let (one, other) = Socket::<AF_UNIX, SOCK_STREAM, LOCAL, UnixAddr>::socketpair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        assert!(one.send_fds(&[writer.as_fd(), writer.as_fd()]).unwrap());
        drop(writer);
        let fds = other.recv_fds(8).unwrap();
        assert_eq!(fds.len(), 2);
        for fd in fds {
            std::io::PipeWriter::from(fd).write_all(b"x").unwrap();
        }
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "xx");
        // Into a full socket with a timeout: not sent, and said so.
        assert!(one.settimeout(Some(0.01)));
        let null = std::fs::File::open("/dev/null").unwrap();
        let mut sent = 0;
        while one.send_fds(&[null.as_fd()]).unwrap() {
            sent += 1;
        }
        for _ in 0..sent {
            assert_eq!(other.recv_fds(1).unwrap().len(), 1);
        }
    });
}

#[test]
#[cfg(unix)]
fn a57_as_many_descriptors_come_as_are_wanted() {
    use std::os::fd::AsFd;
    watched(|| {
        let (one, other) = Socket::<AF_UNIX, SOCK_STREAM, LOCAL, UnixAddr>::socketpair().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        one.send_fds(&[null.as_fd(), null.as_fd(), null.as_fd()]).unwrap();
        one.send(b"y").unwrap();
        assert_eq!(other.recv_fds(2).unwrap().len(), 2);
        assert_eq!(other.recv_fds(2).unwrap().len(), 0, "a byte without any");
        drop(one);
        assert_eq!(other.recv_fds(2).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a58_send_takes_bytes_and_says_how_many() {
    watched(|| {
        let (_server, client, conn) = connected();
        assert_eq!(client.send(&[0xff; 10]).unwrap(), 10);
        assert_eq!(conn.recv(&mut [0; 32]).unwrap(), 10);
        assert!(client.settimeout(Some(0.0)));
        let mut whole = 0_usize;
        let error = loop {
            match client.send(&[0; 65536]) {
                Ok(count) => whole += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(whole > 0);
    });
}

#[test]
fn a59_recv_fills_the_callers_buffer() {
    watched(|| {
        let (_server, client, conn) = connected();
        client.send_all(b"hello").unwrap();
        let mut buf = [b'.'; 3];
        assert_eq!((conn.recv(&mut buf).unwrap(), &buf), (3, b"hel"));
        assert_eq!((conn.recv(&mut buf).unwrap(), &buf), (2, b"lol"));
        drop(client);
        assert_eq!(conn.recv(&mut buf).unwrap(), 0);
    });
}

#[test]
fn a67_create_server_and_create_connection() {
    watched(|| {
        let server = Socket::create_server(("127.0.0.1", 0)).unwrap();
        let addr = server.getsockname().unwrap();
        let error = Socket::create_server(addr).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let taken = Taken::new();
        let source = IPv4Addr::new([127, 0, 0, 1], taken.port());
        let connection = reseau::sockets::mojo::Connection {
            source_address: Some(source),
            all_errors: true,
            ..Default::default()
        };
        let error = Socket::create_connection_with(addr, connection).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "the address to connect from is taken");
        let wrong = reseau::sockets::mojo::Connection { timeout: Some(-1.0), ..Default::default() };
        let error = Socket::create_connection_with(addr, wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        if cfg!(target_os = "linux") {
            let shared = reseau::sockets::mojo::Server { reuse_port: true, ..Default::default() };
            let one = Socket::create_server_with(("127.0.0.1", 0), shared).unwrap();
            Socket::create_server_with(one.getsockname().unwrap(), shared).unwrap();
        }
    });
}

/// Linux says at once that a Unix listener's backlog is full, to sockets that do not wait.
#[cfg(target_os = "linux")]
#[test]
fn a_timeout_is_for_room_in_a_full_backlog() {
    use std::time::{Duration, Instant};
    type Unix = Socket<AF_UNIX, SOCK_STREAM, LOCAL, UnixAddr>;
    watched(|| {
        let path = std::env::temp_dir().join(format!("reseau-mojo-full-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let server = Unix::new().unwrap();
        server.bind(&*path).unwrap();
        server.listen(1).unwrap();
        let client = |timeout| {
            let client = Unix::new().unwrap();
            assert!(client.settimeout(Some(timeout)));
            let connected = client.connect(&*path);
            (client, connected)
        };
        let mut crowd = Vec::new();
        loop {
            match client(0.) {
                (client, Ok(())) => crowd.push(client),
                (_, Err(error)) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                    break;
                }
            }
            assert!(crowd.len() < 100, "the backlog has no end");
        }
        let start = Instant::now();
        let error = client(0.05).1.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(start.elapsed() >= Duration::from_millis(50));
        thread::scope(|scope| {
            let late = scope.spawn(|| client(1e9));
            thread::sleep(Duration::from_millis(20));
            assert!(!late.is_finished());
            for _ in 0..crowd.len() {
                server.accept().unwrap();
            }
            let (client, connected) = late.join().unwrap();
            connected.unwrap();
            client.send(b"late").unwrap();
            let (conn, _) = server.accept().unwrap();
            let mut bytes = [0; 8];
            assert_eq!(conn.recv(&mut bytes).unwrap(), 4);
        });
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
fn a68_the_accept_loop() {
    watched(|| {
        let server = Socket::create_server(("127.0.0.1", 0)).unwrap();
        let addr = server.getsockname().unwrap();
        let clients = thread::spawn(move || {
            (0..2).map(|_| Socket::create_connection(addr).unwrap()).collect::<Vec<_>>()
        });
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let (_conn, addr) = server.accept().unwrap();
            seen.push(addr);
        }
        let clients = clients.join().unwrap();
        let addrs: Vec<_> = clients.iter().map(|client| client.getsockname().unwrap()).collect();
        assert_eq!(seen, addrs);
    });
}

#[test]
fn a71_tuples_are_addresses() {
    watched(|| {
        let socket: Socket = Socket::new().unwrap();
        socket.bind(("", 0)).unwrap(); // As in Python: every address.
        assert!(socket.getsockname().unwrap().host.is_unspecified());
        let other: Socket = Socket::new().unwrap();
        other.bind((String::from("127.0.0.1"), 0)).unwrap();
        let third: Socket = Socket::new().unwrap();
        third.bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
        third.listen(0).unwrap();
        TcpStream::connect(("127.0.0.1", third.getsockname().unwrap().port)).unwrap();
    });
}
