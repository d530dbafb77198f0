//! TurboX and Conduit: rows A1 to A33.
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;

use reseau::sockets::codon::{self, AF_INET, AF_INET6, Error, SOCK_DGRAM, SOCK_STREAM, Socket};

use crate::{Taken, watched};

/// A server on a free port, and the port.
fn serving() -> (Socket, u16) {
    let server = Socket::new(0, 0, 0).unwrap();
    server.set_reuseaddr().unwrap();
    server.bind("127.0.0.1", 0).unwrap();
    server.listen(128).unwrap();
    let port = server.local_addr().unwrap().1;
    (server, port)
}

/// What the quick start does with one client.
fn serve_one(server: &Socket) -> Result<(), Error> {
    let mut client = server.accept()?;
    let data = client.recv(1024)?;
    client.send(data)?;
    client.close();
    Ok(())
}

#[test]
fn a2_constants_are_the_systems_own() {
    let (level, option) = (codon::SOL_SOCKET, codon::SO_REUSEADDR);
    if cfg!(target_vendor = "apple") || cfg!(windows) {
        assert_eq!((level, option), (65535, 4));
    } else if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        assert_eq!((level, option), (1, 2));
    }
    assert_eq!((AF_INET, SOCK_STREAM, SOCK_DGRAM), (2, 1, 2));
}

#[test]
fn a4_zero_is_the_default() {
    watched(|| {
        let (usual, said) = (Socket::new(0, 0, 0).unwrap(), Socket::new(AF_INET, SOCK_STREAM, 0));
        for socket in [usual, said.unwrap()] {
            socket.bind("127.0.0.1", 0).unwrap();
            socket.listen(1).unwrap(); // So it is a stream.
            assert_eq!(socket.local_addr().unwrap().0, "127.0.0.1");
        }
        let error = Socket::new(9999, 0, 0).unwrap_err();
        assert!(matches!(&error, Error::ValueError(_)), "{error}");
        assert!(error.to_string().starts_with("open"), "{error}");
        // A protocol that does not go with the type.
        assert!(Socket::new(AF_INET, SOCK_STREAM, 17).is_err());
        assert!(Socket::new(AF_INET, SOCK_STREAM, 6).is_ok());
    });
}

#[test]
#[cfg(unix)]
fn a6_a_port_can_be_taken_again_at_once() {
    watched(|| {
        let (server, port) = serving();
        // The server closes first, so its end of the connection lingers.
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let accepted = server.accept().unwrap();
        drop((accepted, server));
        assert_eq!((&client).read(&mut [0]).unwrap(), 0);
        drop(client);
        let strict = Socket::new(0, 0, 0).unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(strict.bind("127.0.0.1", port).unwrap_err().kind(), ErrorKind::AddrInUse);
        }
        let again = Socket::new(0, 0, 0).unwrap();
        again.set_reuseaddr().unwrap();
        again.bind("127.0.0.1", port).unwrap();
        again.listen(1).unwrap();
    });
}

#[test]
fn a7_bind_takes_that_host_and_says_which_it_could_not() {
    watched(|| {
        let taken = Taken::new();
        let socket = Socket::new(0, 0, 0).unwrap();
        let error = socket.bind("127.0.0.1", taken.port()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let said = format!("bind 127.0.0.1:{}", taken.port());
        assert!(error.to_string().starts_with(&said), "{error}");
        // 192.0.2.1 is nobody's (RFC 5737).
        assert_eq!(socket.bind("192.0.2.1", 0).unwrap_err().kind(), ErrorKind::AddrNotAvailable);
        for (host, port) in [("127.0.0.1", 65536), ("127.0.0.1", -1), ("", 80), ("::1", 80)] {
            let error = socket.bind(host, port).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
        socket.bind("localhost", 0).unwrap();
        assert_eq!(socket.local_addr().unwrap().0, "127.0.0.1");
    });
}

#[test]
fn a8_the_backlog_is_the_callers() {
    watched(|| {
        let (server, port) = serving();
        // More than fit into the smallest of backlogs, with nobody accepting.
        let clients: Vec<_> =
            (0..100).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
        for _ in &clients {
            server.accept().unwrap();
        }
        let unbound = Socket::new(AF_INET, SOCK_DGRAM, 0).unwrap();
        assert!(unbound.listen(1).is_err(), "datagrams are not accepted");
    });
}

#[test]
fn a9_accept_gives_a_socket() {
    watched(|| {
        let (server, port) = serving();
        let waiting = thread::spawn(move || {
            let first = server.accept().unwrap();
            (first, server.accept().unwrap())
        });
        let mut one = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut other = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (first, second) = waiting.join().unwrap();
        one.write_all(b"1").unwrap();
        other.write_all(b"2").unwrap();
        assert_eq!((first.recv(9).unwrap(), second.recv(9).unwrap()), (vec![b'1'], vec![b'2']));
        assert!(Socket::new(0, 0, 0).unwrap().accept().is_err(), "it does not listen");
    });
}

#[test]
fn a10_recv_gives_what_there_is_and_the_end_is_an_error() {
    watched(|| {
        let (server, port) = serving();
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let accepted = server.accept().unwrap();
        client.write_all(b"\xff\x00not text").unwrap();
        assert_eq!(accepted.recv(2).unwrap(), b"\xff\x00");
        assert_eq!(accepted.recv(0).unwrap(), b"", "nothing was asked for, nothing has ended");
        assert_eq!(accepted.recv(usize::MAX).unwrap(), b"not text");
        drop(client);
        for _ in 0..2 {
            let error = accepted.recv(1024).unwrap_err();
            assert!(matches!(error, Error::EOFError), "{error}");
            assert_eq!(io::Error::from(error).kind(), ErrorKind::UnexpectedEof);
        }
        if cfg!(not(windows)) {
            // (Wine waits for what can never come.)
            assert!(matches!(server.recv(1).unwrap_err(), Error::ValueError(_)), "not connected");
        }
    });
}

#[test]
fn a11_send_says_how_much_went() {
    watched(|| {
        let (server, port) = serving();
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let accepted = server.accept().unwrap();
        assert_eq!(accepted.send("hello").unwrap(), 5);
        assert_eq!(accepted.send(b"").unwrap(), 0);
        let mut came = [0; 5];
        client.read_exact(&mut came).unwrap();
        assert_eq!(&came, b"hello");
    });
}

#[test]
fn a12_close_can_be_repeated() {
    watched(|| {
        let (mut server, port) = serving();
        server.close();
        server.close();
        assert_eq!(server.fd(), -1);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens");
        for error in [
            server.listen(1).unwrap_err(),
            server.bind("127.0.0.1", 0).unwrap_err(),
            server.accept().unwrap_err(),
            server.recv(1).unwrap_err(),
            server.send("x").unwrap_err(),
            server.set_reuseaddr().unwrap_err(),
        ] {
            assert!(error.to_string().ends_with("the socket was closed"), "{error}");
        }
    });
}

#[test]
fn a13_the_echo_server_of_the_quick_start() {
    watched(|| {
        let (server, port) = serving();
        let serving = thread::spawn(move || (0..3).try_for_each(|_| serve_one(&server)));
        for text in ["Hello TurboX", "Hello Conduit", "!"] {
            let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.write_all(text.as_bytes()).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, text);
        }
        serving.join().unwrap().unwrap();
    });
}

#[test]
fn a14_addresses_are_laid_out_as_the_system_wants() {
    watched(|| {
        // A port whose two bytes differ, and an address whose four do, come through unharmed.
        let socket = Socket::new(AF_INET, SOCK_DGRAM, 0).unwrap();
        socket.bind("127.0.0.1", 0).unwrap();
        let (host, port) = socket.local_addr().unwrap();
        let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
        theirs.send_to(b"x", (host.as_str(), port)).unwrap();
        assert_eq!(socket.recv(1).unwrap(), b"x");
        if cfg!(target_os = "linux") {
            let other = Socket::new(AF_INET, SOCK_DGRAM, 0).unwrap();
            other.bind("127.1.2.3", 0x1234).unwrap();
            assert_eq!(other.local_addr().unwrap(), ("127.1.2.3".to_owned(), 0x1234));
        }
    });
}

#[test]
fn a16_errors_have_a_type_a_number_an_operation_and_an_address() {
    watched(|| {
        let taken = Taken::new();
        let error = Socket::new(0, 0, 0).unwrap().bind("127.0.0.1", taken.port()).unwrap_err();
        let Error::ValueError(cause) = error else { panic!("{error}") };
        assert_eq!(cause.operation(), reseau::error::Operation::Bind);
        assert!(cause.os_code().is_some());
        let local = cause.local_addr().unwrap().inet().unwrap();
        assert_eq!(local.port(), taken.port());
    });
}

#[test]
#[cfg(unix)]
fn a19_a_socket_is_made_from_a_descriptor() {
    use std::os::fd::OwnedFd;
    watched(|| {
        let theirs = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = theirs.local_addr().unwrap().port();
        let server = Socket::try_from(OwnedFd::from(theirs)).unwrap();
        let serving = thread::spawn(move || serve_one(&server));
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
        serving.join().unwrap().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(Socket::try_from(OwnedFd::from(file)).is_err(), "it is no socket");
        let mut closed = Socket::new(0, 0, 0).unwrap();
        closed.close();
        assert!(OwnedFd::try_from(closed).is_err());
    });
}

#[test]
fn a25_ipv6() {
    watched(|| {
        let server = Socket::new(AF_INET6, 0, 0).unwrap();
        match server.bind("::1", 0) {
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return, // There is none.
            bound => bound.unwrap(),
        }
        server.listen(1).unwrap();
        let (host, port) = server.local_addr().unwrap();
        assert_eq!(host, "::1");
        let client = Socket::new(AF_INET6, 0, 0).unwrap();
        client.connect("::1", port).unwrap();
        client.send("six").unwrap();
        assert_eq!(server.accept().unwrap().recv(9).unwrap(), b"six");
        assert_eq!(client.bind("127.0.0.1", 0).unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a26_udp() {
    watched(|| {
        let server = Socket::new(AF_INET, SOCK_DGRAM, 0).unwrap();
        server.bind("127.0.0.1", 0).unwrap();
        let client = Socket::new(AF_INET, SOCK_DGRAM, 0).unwrap();
        client.connect("127.0.0.1", server.local_addr().unwrap().1).unwrap();
        for text in ["one", "", "three"] {
            assert_eq!(client.send(text).unwrap(), text.len());
        }
        assert_eq!(server.recv(100).unwrap(), b"one");
        assert_eq!(server.recv(100).unwrap(), b"", "a datagram may be empty: no end");
        assert_eq!(server.recv(2).unwrap(), b"th");
    });
}

#[test]
#[cfg(unix)]
fn a29_unix_domain_sockets() {
    watched(|| {
        let path = std::env::temp_dir().join(format!("reseau-codon-{}", std::process::id()));
        let path = path.to_str().unwrap().to_owned();
        let _ = std::fs::remove_file(&path);
        let server = Socket::new(codon::AF_UNIX, 0, 0).unwrap();
        server.bind(&path, 0).unwrap();
        server.listen(1).unwrap();
        assert_eq!(server.local_addr().unwrap(), (path.clone(), 0));
        let client = Socket::new(codon::AF_UNIX, 0, 0).unwrap();
        client.connect(&path, 0).unwrap();
        client.send("here").unwrap();
        assert_eq!(server.accept().unwrap().recv(9).unwrap(), b"here");
        std::fs::remove_file(&path).unwrap();
    });
}
