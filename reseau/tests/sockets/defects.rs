//! What was wrong in the seeds' own code (part A.11), and is not so here.
use std::net::{TcpListener, TcpStream};
use std::thread;

use reseau::sockets::{codon, julia, mojo};

use crate::watched;

fn codon_server(host: &str) -> (codon::Socket, u16) {
    let server = codon::Socket::new(0, 0, 0).unwrap();
    server.bind(host, 0).unwrap();
    server.listen(16).unwrap();
    let port = server.local_addr().unwrap().1;
    (server, port)
}

/// Defect 1: `bind(host, …)` took every address of the machine, whatever the host.
#[test]
fn defect_1_a_private_service_stays_private() {
    watched(|| {
        let (server, port) = codon_server("127.0.0.1");
        assert_eq!(server.local_addr().unwrap().0, "127.0.0.1");
        if cfg!(target_os = "linux") {
            // All of 127.0.0.0/8 is this machine, but this service is at one of its addresses.
            assert!(TcpStream::connect(("127.0.0.2", port)).is_err());
        }
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (server, port) = codon_server("0.0.0.0");
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(server.local_addr().unwrap().0, "0.0.0.0");
    });
}

/// Defect 2: `send` was short and there was nothing else; `recv` took any bytes for text; a signal
/// ended a call; a peer that was gone ended the program.
#[test]
fn defect_2_all_is_sent_as_bytes_and_nothing_raises_a_signal() {
    watched(|| {
        let (server, port) = codon_server("127.0.0.1");
        let client = codon::Socket::new(0, 0, 0).unwrap();
        client.connect("127.0.0.1", port).unwrap();
        let accepted = server.accept().unwrap();
        // More than any buffer holds, and none of it text.
        let bytes: Vec<u8> = (0..16_u32 << 20).map(|at| ((at * 31) >> 3) as u8 | 0x80).collect();
        let expected = bytes.clone();
        let sending = thread::spawn(move || client.send_all(bytes).map(|()| client));
        let mut came = Vec::new();
        while came.len() < expected.len() {
            came.extend(accepted.recv(1 << 20).unwrap());
        }
        assert!(came == expected);
        let client = sending.join().unwrap().unwrap();
        drop(accepted);
        // Sooner or later the peer's reset is known here; a SIGPIPE would end the test's process.
        let error = loop {
            if let Err(error) = client.send("x") {
                break error;
            }
            thread::yield_now();
        };
        assert!(matches!(error, codon::Error::ValueError(_)), "{error}");
    });
}

/// Defect 3: closing shut the connection down, and left the descriptor open.
#[test]
#[cfg(target_os = "linux")]
fn defect_3_closing_leaves_no_descriptor() {
    crate::alone("defects::defect_3_closing_leaves_no_descriptor", || {
        let before = crate::descriptors();
        for _ in 0..10 {
            let server = mojo::Socket::create_server(("127.0.0.1", 0)).unwrap();
            let client = mojo::Socket::create_connection(server.getsockname().unwrap()).unwrap();
            let (conn, _) = server.accept().unwrap();
            let clone = conn.clone();
            conn.close().unwrap();
            clone.close().unwrap();
            client.close().unwrap();
            drop(server);
            let (mut server, port) = codon_server("127.0.0.1");
            let mut client = codon::Socket::new(0, 0, 0).unwrap();
            client.connect("127.0.0.1", port).unwrap();
            server.accept().unwrap().close();
            client.close();
            server.close();
            let server = julia::listen(0).unwrap();
            let task = julia::accept_with(|client| client.close(), &server).unwrap();
            let client = julia::connect(julia::getsockname(&server).unwrap().1).unwrap();
            assert!(client.eof().unwrap());
            server.close();
            task.wait().unwrap();
            let datagrams = julia::UDPSocket::new();
            julia::send(&datagrams, julia::localhost, 9, "nobody").unwrap();
            datagrams.close();
            client.close(); // Both are closed, and not dropped yet.
            assert_eq!(crate::descriptors(), before);
        }
        assert_eq!(crate::descriptors(), before);
    });
}

/// Defect 4: TCP_NODELAY went to the level of SOL_SOCKET, where its number is another option.
#[test]
#[cfg(unix)]
fn defect_4_no_delay_is_set_where_it_belongs() {
    use std::os::fd::OwnedFd;
    watched(|| {
        let server = mojo::Socket::create_server(("127.0.0.1", 0)).unwrap();
        let client = mojo::Socket::create_connection(server.getsockname().unwrap()).unwrap();
        client.no_delay(true).unwrap();
        client.keep_alive(true, 7200, 75, 10).unwrap();
        let client = TcpStream::from(OwnedFd::try_from(client).unwrap());
        assert!(client.nodelay().unwrap());
    });
}

/// Defect 5: `listen(0)` had no default: the system's least backlog is 1 or so.
#[test]
fn defect_5_a_backlog_of_0_is_a_default() {
    watched(|| {
        let server: mojo::Socket = mojo::Socket::new().unwrap();
        server.bind(("127.0.0.1", 0)).unwrap();
        server.listen(0).unwrap();
        let addr = server.getsockname().unwrap();
        let clients: Vec<_> =
            (0..100).map(|_| TcpStream::connect((addr.host, addr.port)).unwrap()).collect();
        for _ in &clients {
            server.accept().unwrap();
        }
    });
}

/// Defect 6: a dual-stack server moved its socket and then read the descriptor; an address printed
/// without the colon before its port.
#[test]
fn defect_6_a_dual_stack_server_is_two_sockets_that_live() {
    watched(|| {
        if TcpListener::bind("[::1]:0").is_err() {
            return; // There is no IPv6 here.
        }
        // Every address of both families: they would be in each other's way if one took both.
        let make = || mojo::Socket::create_server_dualstack(("::", 0), ("0.0.0.0", 0));
        // The port that the system chose for one may be taken for the other.
        let (v6, v4) = (0..20).find_map(|_| make().ok()).unwrap();
        let port = v4.getsockname().unwrap().port;
        assert_eq!(v6.getsockname().unwrap().port, port);
        for host in ["::1", "127.0.0.1"] {
            TcpStream::connect((host, port)).unwrap();
        }
        assert!(v6.accept().unwrap().1.host.is_loopback());
        assert!(v4.accept().unwrap().1.host.is_loopback());
        assert_eq!(v4.getsockname().unwrap().to_string(), format!("0.0.0.0:{port}"));
        assert_eq!(v6.getsockname().unwrap().to_string(), format!("[::]:{port}"));
    });
}

/// Defect 7: `listen(sock; backlog)` dropped the backlog; `listenany` took any error for a port
/// that is taken, and tried 65,535 of them; `accept(callback)` died with an error when its server
/// was closed.
#[test]
fn defect_7_a_backlog_counts_and_listeners_end_well() {
    watched(|| {
        let server = julia::TCPServer::new();
        assert!(julia::bind(&server, julia::localhost, 0).unwrap());
        julia::listen_with(&server, 1).unwrap();
        let (_, port) = julia::getsockname(&server).unwrap();
        let addr = ([127, 0, 0, 1], port).into();
        let patience = std::time::Duration::from_millis(300);
        let mut waiting = Vec::new();
        while let Ok(client) = TcpStream::connect_timeout(&addr, patience) {
            waiting.push(client);
            // With 511 there would be room for as many.
            assert!(waiting.len() < 100, "the backlog was dropped");
        }
        // An address that is not this machine's is no better with another port.
        let nobody = julia::IPv4::from([192, 0, 2, 1]);
        let error = julia::listenany(nobody, 1).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrNotAvailable);
        let server = julia::listen(0).unwrap();
        let task = julia::accept_with(|_| {}, &server).unwrap();
        server.close();
        task.wait().unwrap();
    });
}

/// Defect 8: a listener of 127.0.0.1 was missed by `connect("localhost")` where that is `::1`
/// first.
#[test]
fn defect_8_localhost_is_tried_by_all_its_addresses() {
    watched(|| {
        let server = julia::listen(0).unwrap();
        let (_, port) = julia::getsockname(&server).unwrap();
        julia::connect(("localhost", port)).unwrap();
        if let Ok(server) = julia::listen((julia::IPv6(1), 0)) {
            let (_, port) = julia::getsockname(&server).unwrap();
            let found = julia::getalladdrinfo("localhost").unwrap();
            if found.contains(&julia::IPv6(1).into()) {
                julia::connect(("localhost", port)).unwrap();
            }
        }
    });
}

/// Defect 9: on Windows SO_REUSEADDR lets strangers take the port of a server that runs.
#[test]
fn defect_9_nobody_takes_the_port_of_a_server() {
    watched(|| {
        let (_server, port) = codon_server("127.0.0.1");
        let thief = codon::Socket::new(0, 0, 0).unwrap();
        thief.set_reuseaddr().unwrap();
        assert!(thief.bind("127.0.0.1", port).is_err());
        let server = mojo::Socket::create_server(("127.0.0.1", 0)).unwrap();
        assert!(mojo::Socket::create_server(server.getsockname().unwrap()).is_err());
        let server = julia::listen(0).unwrap();
        let (_, port) = julia::getsockname(&server).unwrap();
        assert!(!julia::bind(&julia::TCPServer::new(), julia::localhost, port).unwrap());
    });
}
