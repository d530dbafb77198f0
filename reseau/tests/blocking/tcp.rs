//! What is TCP's own.
use crate::{Closed, listen, tcp_pair, watched};
use reseau::blocking::{SocketAddr, TcpListener, TcpStream};
use reseau::error::{Class, Operation};
use reseau::{Addr, Error};
use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

/// Loopback addresses of the families that this machine has.
fn loopbacks() -> Vec<SocketAddr> {
    let both = ["127.0.0.1:0", "[::1]:0"].map(|text| text.parse::<SocketAddr>().unwrap());
    both.into_iter().filter(|addr| addr.is_ipv4() || TcpListener::bind(addr).is_ok()).collect()
}

#[test]
fn echo_over_each_family() {
    watched(|| {
        for any in loopbacks() {
            let listener = TcpListener::bind(any).unwrap();
            let addr = listener.local_addr().unwrap();
            let server = thread::spawn(move || {
                let (mut stream, peer) = listener.accept().unwrap();
                let mut bytes = [0; 99];
                stream.read_exact(&mut bytes).unwrap();
                stream.write_all(&bytes).unwrap();
                assert_eq!(stream.peer_addr().unwrap(), peer);
                assert_eq!(stream.local_addr().unwrap(), addr);
                peer
            });
            let mut client = TcpStream::connect(addr).unwrap();
            client.write_all(&[99; 99]).unwrap();
            let mut back = Vec::new();
            client.read_to_end(&mut back).unwrap();
            assert_eq!(back, [99; 99]);
            assert_eq!(client.peer_addr().unwrap(), addr);
            assert_eq!(server.join().unwrap(), client.local_addr().unwrap());
        }
    });
}

#[test]
fn names_are_resolved_and_addresses_tried_in_order() {
    watched(|| {
        let listener = listen();
        let addr = listener.local_addr().unwrap();
        TcpStream::connect(("localhost", addr.port())).unwrap();
        let closed = Closed::new();
        let addrs = [closed.addr(), addr];
        let stream = TcpStream::connect(&addrs[..]).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addr);
        let taken = [addr, "127.0.0.1:0".parse().unwrap()];
        assert_ne!(TcpListener::bind(&taken[..]).unwrap().local_addr().unwrap(), addr);
    });
}

#[test]
fn a_refused_connection_tells_what_was_tried() {
    watched(|| {
        let held = [Closed::new(), Closed::new()];
        let closed = held.each_ref().map(Closed::addr);
        let error = TcpStream::connect(&closed[..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let told = Error::of(&error).unwrap();
        assert_eq!((told.operation(), told.class()), (Operation::Connect, Class::Retry));
        assert!(told.os_code().is_some());
        let tried: Vec<&Addr> = told.attempts().iter().map(|attempt| attempt.addr()).collect();
        assert_eq!(tried, [&Addr::from(closed[0]), &Addr::from(closed[1])]);
        assert_eq!(told.peer_addr(), Some(&Addr::from(closed[1])));
        let text = error.to_string();
        assert!(text.starts_with(&format!("connect {}: ", closed[1])), "{text}");
    });
}

#[test]
fn nonsense_is_invalid_input() {
    watched(|| {
        let none: [SocketAddr; 0] = [];
        for error in [
            TcpStream::connect(&none[..]).unwrap_err(),
            TcpListener::bind(&none[..]).unwrap_err(),
            TcpStream::connect("no port").unwrap_err(),
            TcpStream::connect_timeout(&Closed::new().addr(), Duration::ZERO).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
    });
}

#[test]
fn a_bind_that_fails_tells_where() {
    watched(|| {
        let listener = listen();
        let taken = listener.local_addr().unwrap();
        let foreign: SocketAddr = "192.0.2.1:9".parse().unwrap();
        for (addr, kind) in [(taken, ErrorKind::AddrInUse), (foreign, ErrorKind::AddrNotAvailable)]
        {
            let error = TcpListener::bind(addr).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(Error::of(&error).unwrap().local_addr(), Some(&addr.into()));
        }
    });
}

#[test]
fn a_port_can_be_taken_again_after_its_connections_ended() {
    watched(|| {
        let listener = listen();
        let addr = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(addr).unwrap();
        // The server closes first: its port is the one that lingers.
        drop(listener.accept().unwrap());
        drop(listener);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(client);
        TcpListener::bind(addr).unwrap();
    });
}

#[test]
fn connections_interleave() {
    watched(|| {
        let listener = listen();
        let addr = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let streams: Vec<TcpStream> = listener.incoming().take(10).flatten().collect();
            for mut stream in streams.into_iter().rev() {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                stream.write_all(&byte).unwrap();
            }
        });
        let clients: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(addr).unwrap()).collect();
        for (number, mut client) in clients.iter().enumerate() {
            client.write_all(&[number as u8]).unwrap();
        }
        for (number, mut client) in clients.iter().enumerate() {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            assert_eq!(usize::from(byte[0]), number);
        }
        server.join().unwrap();
    });
}

#[test]
fn listeners_are_cloned_and_iterated() {
    watched(|| {
        let listener = listen();
        let addr = listener.local_addr().unwrap();
        let copy = listener.try_clone().unwrap();
        assert_eq!(copy.local_addr().unwrap(), addr);
        let acceptors = [listener, copy].map(|listener| {
            thread::spawn(move || {
                // Wine tells the slower of two waiting threads WouldBlock, though neither asked
                // for that.
                let spurious = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
                let mut connections = listener
                    .into_incoming()
                    .skip_while(|next| cfg!(windows) && next.as_ref().is_err_and(spurious));
                connections.next().unwrap().unwrap().read(&mut [0]).unwrap()
            })
        });
        let clients = [0; 2].map(|_| TcpStream::connect(addr).unwrap());
        for client in &clients {
            client.finish().unwrap();
        }
        assert_eq!(acceptors.map(|acceptor| acceptor.join().unwrap()), [0, 0]);
    });
}

#[test]
fn a_non_blocking_listener_says_so() {
    watched(|| {
        let listener = listen();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        listener.accept().unwrap();
        assert!(listener.take_error().unwrap().is_none());
    });
}

#[test]
fn options_keep_what_was_set() {
    watched(|| {
        let (stream, _peer) = tcp_pair().unwrap();
        for on in [true, false] {
            stream.set_nodelay(on).unwrap();
            assert_eq!(stream.nodelay().unwrap(), on);
        }
        stream.set_ttl(33).unwrap();
        assert_eq!(stream.ttl().unwrap(), 33);
        assert_eq!(stream.linger().unwrap(), None);
        stream.set_linger(Some(Duration::from_secs(2))).unwrap();
        assert_eq!(stream.linger().unwrap(), Some(Duration::from_secs(2)));
        let quick = stream.set_quickack(true).and_then(|()| stream.quickack());
        match quick {
            Ok(on) => assert!(on),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        }
        assert_eq!(quick_is_known(), stream.set_quickack(true).is_ok());
        let listener = listen();
        listener.set_ttl(44).unwrap();
        assert_eq!(listener.ttl().unwrap(), 44);
    });
}

fn quick_is_known() -> bool {
    cfg!(any(target_os = "linux", target_os = "android"))
}

#[test]
#[allow(deprecated)]
fn only_v6_is_told_but_not_changed() {
    watched(|| {
        for any in loopbacks().iter().filter(|addr| addr.is_ipv6()) {
            let listener = TcpListener::bind(any).unwrap();
            let only = listener.only_v6().unwrap();
            assert!(listener.set_only_v6(!only).is_err() || cfg!(windows));
        }
    });
}

#[test]
fn a_connection_within_its_time_is_made() {
    watched(|| {
        let listener = listen();
        let addr = listener.local_addr().unwrap();
        let mut client = TcpStream::connect_timeout(&addr, Duration::from_secs(20)).unwrap();
        let mut server = listener.accept().unwrap().0;
        // It waits, as if it had been made by `connect`.
        let reader = thread::spawn(move || client.read_exact(&mut [0]));
        server.write_all(b"x").unwrap();
        reader.join().unwrap().unwrap();
        let closed = Closed::new();
        let refused = TcpStream::connect_timeout(&closed.addr(), Duration::from_secs(20));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_full_backlog_makes_connecting_late() {
    watched(|| {
        let listener = TcpListener::with_backlog("127.0.0.1:0", 1).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        let error = loop {
            match TcpStream::connect_timeout(&addr, Duration::from_millis(300)) {
                Ok(stream) => waiting.push(stream),
                Err(error) => break error,
            }
            assert!(waiting.len() < 600, "there is no end to the backlog");
        };
        // Windows refuses those for whom there is no room.
        let refused = cfg!(windows) && error.kind() == ErrorKind::ConnectionRefused;
        assert!(error.kind() == ErrorKind::TimedOut || refused, "{error}");
        assert_eq!(Error::of(&error).unwrap().peer_addr(), Some(&addr.into()));
        // Room for one again, or the listener was deaf.
        listener.accept().unwrap();
    });
}

#[test]
fn the_backlog_is_what_was_asked_for() {
    watched(|| {
        let listener = listen();
        let addr = listener.local_addr().unwrap();
        // More than std's 128, with nobody accepting.
        let waiting: Vec<TcpStream> = (0..200)
            .map(|_| TcpStream::connect_timeout(&addr, Duration::from_secs(20)).unwrap())
            .collect();
        assert_eq!(listener.incoming().take(waiting.len()).flatten().count(), waiting.len());
    });
}

#[test]
fn an_aborted_connection_is_reset_and_a_dropped_one_ends() {
    watched(|| {
        let (client, mut server) = tcp_pair().unwrap();
        client.abort().unwrap();
        match server.read(&mut [0]) {
            // Wine 8 tells an end where Windows tells a reset.
            Ok(count) => assert!(cfg!(windows) && count == 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        let (client, mut server) = tcp_pair().unwrap();
        drop(client);
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
    });
}
