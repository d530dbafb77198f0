//! Servers: binding, listening, accepting.
use std::io::ErrorKind;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use reseau::sockets::julia::{
    Bind, Error, IPAddr, IPv4, IPv6, InetAddr, TCPServer, accept, accept_with, bind, bind_with,
    connect, getpeername, getsockname, listen, listen_with, listenany, localhost,
};

use super::connected;
use crate::{Taken, watched};

#[test]
fn a89_accept_waits_for_a_connection() {
    watched(|| {
        let server = listen(0).unwrap();
        let (_, port) = getsockname(&server).unwrap();
        let waiting = thread::spawn(move || accept(&server).unwrap());
        let client = connect(port).unwrap();
        client.write(b"x").unwrap();
        assert_eq!(waiting.join().unwrap().read_byte().unwrap(), b'x');
    });
}

#[test]
fn a94_bind_returns_bool() {
    watched(|| {
        let taken = Taken::new();
        let server = TCPServer::new();
        assert!(!bind(&server, localhost, taken.port()).unwrap(), "taken");
        assert!(!bind(&server, IPv4::from([192, 0, 2, 1]), 0).unwrap(), "not this machine's");
        assert!(matches!(bind(&server, localhost, 65536), Err(Error::ArgumentError(_))));
        // It has had no address by all that.
        assert!(matches!(getsockname(&server), Err(Error::ArgumentError(_))));
        assert!(bind(&server, localhost, 0).unwrap());
        let error = bind(&server, localhost, 0).unwrap_err();
        assert!(matches!(error, Error::ErrorException(_)), "{error}");
        server.close();
        assert!(matches!(bind(&server, localhost, 0), Err(Error::ErrorException(_))));
    });
}

#[test]
fn a94_ipv6only() {
    watched(|| {
        for only in [false, true] {
            let server = TCPServer::new();
            let options = Bind { ipv6only: only, ..Bind::default() };
            match bind_with(&server, IPv6(0), 0, options) {
                Ok(true) => {}
                _ => return, // There is no IPv6 here.
            }
            listen(&server).unwrap();
            let (_, port) = getsockname(&server).unwrap();
            assert_eq!(connect(port).is_ok(), !only, "by IPv4");
        }
    });
}

#[test]
fn a95_listen_is_for_this_machine_alone() {
    watched(|| {
        let (ip, port) = getsockname(&listen(0).unwrap()).unwrap();
        assert_eq!(ip, localhost.into());
        assert_ne!(port, 0);
        let all = listen((IPv4(0), 0)).unwrap();
        assert_eq!(getsockname(&all).unwrap().0, IPv4(0).into());
    });
}

#[test]
fn a96_listenany_finds_the_next_free_port() {
    watched(|| {
        let (port, server) = listenany(localhost, 0).unwrap();
        assert_ne!(port, 0, "the system's choice is read back");
        assert_eq!(getsockname(&server).unwrap(), (localhost.into(), port));
        let (next, other) = listenany(localhost, port).unwrap();
        assert_ne!(next, port);
        assert_eq!(getsockname(&other).unwrap().1, next);
        connect(next).unwrap();
        // From the highest it goes on below, and not at 0.
        let highest = listen(65535);
        let (wrapped, _server) = listenany(localhost, 65535).unwrap();
        if highest.is_ok() {
            // As good as all of the low ones are free; the system would choose a high one.
            assert!((1..10_000).contains(&wrapped), "{wrapped}");
        }
        // What no other port would help against ends at once.
        let error = listenany(IPv4::from([192, 0, 2, 1]), 8000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        assert!(matches!(listenany(localhost, -1), Err(Error::ArgumentError(_))));
    });
}

#[test]
fn a97_accept_gives_connections_to_a_callback() {
    watched(|| {
        let server = listen(0).unwrap();
        let (_, port) = getsockname(&server).unwrap();
        let (told, telling) = channel();
        let callback = move |client: reseau::sockets::julia::TCPSocket| {
            told.send(client.readline().unwrap()).unwrap();
        };
        let task = accept_with(callback, &server).unwrap();
        for text in ["one", "two"] {
            let client = connect(port).unwrap();
            client.write(text.as_bytes()).unwrap();
            client.close();
            assert_eq!(telling.recv().unwrap(), text);
        }
        assert!(!task.istaskdone());
        server.close();
        task.wait().unwrap();
        // Without `listen` the task fails, and says why.
        let unready = TCPServer::new();
        let error = accept_with(|_| {}, &unready).unwrap().wait().unwrap_err();
        assert!(matches!(error, Error::ArgumentError(_)), "{error}");
    });
}

#[test]
fn a97_a_panic_of_the_callback_is_the_tasks() {
    watched(|| {
        let (server, port, ..) = connected();
        let task = accept_with(|_| panic!("staged"), &server).unwrap();
        connect(port).unwrap();
        let wait = || task.wait();
        let cause = std::panic::catch_unwind(std::panic::AssertUnwindSafe(wait)).unwrap_err();
        assert_eq!(cause.downcast_ref(), Some(&"staged"));
    });
}

#[test]
fn a98_the_backlog_is_511_or_what_is_asked_for() {
    watched(|| {
        assert_eq!(reseau::sockets::julia::BACKLOG_DEFAULT, 511);
        let server = listen(0).unwrap();
        let (_, port) = getsockname(&server).unwrap();
        // More than 128, with nobody accepting.
        let clients: Vec<_> = (0..200).map(|_| connect(port).unwrap()).collect();
        for _ in &clients {
            accept(&server).unwrap();
        }
    });
}

#[test]
fn a99_connect_takes_what_names_a_place() {
    watched(|| {
        let server = listen(0).unwrap();
        let (_, port) = getsockname(&server).unwrap();
        let v4 = IPAddr::from(localhost);
        for client in [
            connect(port),
            connect(i32::from(port)),
            connect(("localhost", port)),
            connect(("127.0.0.1".to_owned(), port)),
            connect((localhost, port)),
            connect((v4, i64::from(port))),
            connect(InetAddr { host: localhost, port }),
            connect(InetAddr { host: v4, port }),
        ] {
            assert_eq!(getpeername(&client.unwrap()).unwrap(), (v4, port));
            accept(&server).unwrap();
        }
    });
}

#[test]
fn a100_listen_takes_what_names_a_place() {
    watched(|| {
        let bound = TCPServer::new();
        assert!(bind(&bound, localhost, 0).unwrap());
        for server in [
            listen(0),
            listen(0_u16),
            listen((localhost, 0)),
            listen((IPAddr::from(localhost), 0)),
            listen(InetAddr { host: localhost, port: 0 }),
            listen_with((IPv4(0), 0), 7),
            listen(&bound),
        ] {
            let (_, port) = getsockname(&server.unwrap()).unwrap();
            assert_ne!(port, 0);
        }
        assert!(matches!(listen(&bound), Err(Error::ArgumentError(_))), "it listens already");
        assert!(matches!(listen(&TCPServer::new()), Err(Error::ArgumentError(_))));
        let taken = Taken::new();
        assert_eq!(listen(taken.port()).unwrap_err().kind(), ErrorKind::AddrInUse);
    });
}

#[test]
#[cfg(unix)]
fn a101_domain_sockets() {
    watched(|| {
        let path = super::path("domain");
        let server = listen(path.as_str()).unwrap();
        let client = connect(path.as_str()).unwrap();
        client.write(b"over a path\n").unwrap();
        let conn = accept(&server).unwrap();
        assert_eq!(conn.readline().unwrap(), "over a path");
        assert!(matches!(getpeername(&client), Err(Error::ArgumentError(_))), "no IP");
        assert_eq!(listen(path.as_str()).unwrap_err().kind(), ErrorKind::AddrInUse);
        server.close();
        assert!(!std::path::Path::new(&path).exists(), "its file went with it");
        assert!(connect(path.as_str()).is_err());
        // The file of a dead one gives way.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        drop(listen(path.as_str()).unwrap());
        assert!(!std::path::Path::new(&path).exists());
    });
}

#[test]
fn a101_named_pipes_say_that_they_are_not_served_yet() {
    let name = r"\\.\pipe\reseau";
    assert_eq!(listen(name).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(connect(name).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a134_closing_a_server_ends_its_accept_loops() {
    watched(|| {
        let server = listen(0).unwrap();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let server = server.clone();
                thread::spawn(move || accept(&server).unwrap_err())
            })
            .collect();
        thread::sleep(Duration::from_millis(50)); // They wait by now, or most of them.
        server.close();
        server.close();
        assert!(!server.isopen());
        for thread in waiting {
            assert_eq!(thread.join().unwrap().kind(), ErrorKind::ConnectionAborted);
        }
    });
}

#[test]
fn a134_a_server_that_nobody_has_is_closed() {
    watched(|| {
        let server = listen(0).unwrap();
        let (_, port) = getsockname(&server).unwrap();
        let task = accept_with(|_| {}, &server).unwrap();
        drop(server);
        task.wait().unwrap();
        assert!(connect(port).is_err());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a97_a_lack_of_descriptors_is_waited_out() {
    crate::alone("julia::servers::a97_a_lack_of_descriptors_is_waited_out", || {
        let server = listen(0).unwrap();
        let (_, port) = getsockname(&server).unwrap();
        let (told, telling) = channel();
        let callback = move |client: reseau::sockets::julia::TCPSocket| {
            told.send(client.readline().unwrap()).unwrap();
        };
        let task = accept_with(callback, &server).unwrap();
        let mut hoard = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
        }
        drop(hoard.pop());
        let client = connect(port).unwrap(); // With the last one.
        client.write(b"patience\n").unwrap();
        thread::sleep(Duration::from_millis(120));
        assert!(!task.istaskdone(), "it waits");
        drop(hoard);
        assert_eq!(telling.recv().unwrap(), "patience");
        server.close();
        task.wait().unwrap();
    });
}
