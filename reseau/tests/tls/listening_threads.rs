//! `blocking::TlsListener` and `blocking::MaybeTlsListener`.
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use reseau::blocking::{self, MaybeTls, TcpListener, TcpStream, TlsListener, TlsStream};
use reseau::tls::{Broken, Client, ClientCerts, Server};

use crate::stage::{Authority, pattern, sides, watched};

/// So long that nobody is late.
const LONG: Duration = Duration::from_secs(1_000);

/// What the first bytes of a client's hello may be.
const HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

fn listener(server: &Server) -> (TlsListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap().tls(server).handshake_limit(LONG);
    let addr = listener.local_addr().unwrap().inet().unwrap();
    (listener, addr)
}

fn dial(client: &Client, at: SocketAddr) -> io::Result<TlsStream> {
    TcpStream::connect(at)?.start_tls(client.to("localhost"))
}

/// Says hello once it is connected, and waits for the answer.
fn greet(client: &Client, at: SocketAddr) -> JoinHandle<TlsStream> {
    let client = client.clone();
    thread::spawn(move || {
        let mut stream = dial(&client, at).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut got = [0; 5];
        stream.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"hello");
        stream
    })
}

fn answer(stream: &mut TlsStream) {
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).unwrap();
    stream.write_all(&hello).unwrap();
}

/// Looks after those who are there, none of whom will be done, until it is so.
fn until(listener: &TlsListener, so: impl Fn() -> bool) {
    listener.set_nonblocking(true);
    while !so() {
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        thread::sleep(Duration::from_millis(1));
    }
    listener.set_nonblocking(false);
}

#[test]
fn connections_come_with_their_handshakes_done() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = listener(&server);
        let greeting = greet(&client, addr);
        let (mut stream, peer) = listener.accept().unwrap();
        assert!(stream.session().cipher().is_some());
        answer(&mut stream);
        let greeted = greeting.join().unwrap();
        assert_eq!(peer, greeted.local_addr().unwrap());
        assert_eq!((listener.handshakes(), listener.failed()), (0, 0));
        // It waits as others do, though the listener does not.
        let more = thread::spawn(move || stream.read(&mut [0]));
        drop(greeted);
        assert_eq!(more.join().unwrap().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn one_word_is_enough() {
    watched(|| {
        let (client, server) = sides();
        let refused = blocking::listen("tls://127.0.0.1:0").wait().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
        let first = blocking::listen("tls://127.0.0.1:0").backlog(9).tls(&server).wait().unwrap();
        let addr = first.local_addr().unwrap().inet().unwrap();
        let another = blocking::listen_any("127.0.0.1", addr.port()).tls(&server);
        let (port, other) = another.wait().unwrap();
        assert_ne!(port, addr.port());
        for (listener, port) in [(&first, addr.port()), (&other, port)] {
            let greeting = greet(&client, SocketAddr::new(addr.ip(), port));
            let mut stream = listener.incoming().next().unwrap().unwrap();
            answer(&mut stream);
            greeting.join().unwrap();
        }
    });
}

#[test]
fn who_is_silent_or_slow_holds_up_nobody() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = listener(&server);
        let silent = TcpStream::connect(addr).unwrap();
        let mut slow = TcpStream::connect(addr).unwrap();
        slow.write_all(&HELLO[..1]).unwrap();
        for byte in HELLO[1..].chunks(1) {
            let greeting = greet(&client, addr);
            let (mut stream, peer) = listener.accept().unwrap();
            assert_ne!(peer, slow.local_addr().unwrap().into());
            answer(&mut stream);
            greeting.join().unwrap();
            slow.write_all(byte).unwrap();
        }
        assert_eq!((listener.handshakes(), listener.failed()), (2, 0));
        drop(silent);
    });
}

#[test]
fn who_is_late_is_sent_away() {
    watched(|| {
        let (_, server) = sides();
        let (listener, addr) = listener(&server);
        let listener = listener.handshake_limit(Duration::from_millis(20));
        let mut silent = TcpStream::connect(addr).unwrap();
        let mut slow = TcpStream::connect(addr).unwrap();
        let peers = [&silent, &slow].map(|one| one.local_addr().unwrap().to_string());
        // No byte is late, but the hello as a whole is.
        let trickling = thread::spawn(move || {
            for byte in HELLO.iter().cycle().take(100) {
                if slow.write_all(&[*byte]).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        let listener = Arc::new(listener);
        // Nobody comes, so it waits for ever: its thread goes with the test.
        let accepting = listener.clone();
        thread::spawn(move || accepting.accept());
        assert!(!matches!(silent.read(&mut [0]), Ok(1..)));
        trickling.join().unwrap();
        while listener.failed() < 2 {
            thread::sleep(Duration::from_millis(1));
        }
        let failures = listener.take_failures();
        let late: BTreeSet<_> = failures.iter().map(|failure| failure.peer().to_string()).collect();
        assert_eq!(late, BTreeSet::from(peers));
        for failure in &failures {
            assert_eq!(failure.error().kind(), ErrorKind::TimedOut, "{failure}");
            let told = format!("accept {}: tls: the handshake is late", failure.peer());
            assert_eq!(failure.to_string(), told);
        }
    });
}

#[test]
fn who_speaks_something_else_is_told_and_forgotten() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = listener(&server);
        let seen = Arc::new(AtomicUsize::new(0));
        let told = seen.clone();
        let listener = listener.watch(move |_| {
            told.fetch_add(1, Ordering::Relaxed);
        });
        let http = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let words: [&[u8]; 3] = [http, &[0; 300], &[0x16; 300]];
        let mut strangers = Vec::new();
        for word in words {
            let mut stranger = TcpStream::connect(addr).unwrap();
            stranger.write_all(word).unwrap();
            strangers.push(stranger);
        }
        let other = client.clone();
        let refusing = thread::spawn(move || {
            let stream = TcpStream::connect(addr).unwrap();
            stream.start_tls(other.to("example.com")).unwrap_err()
        });
        drop(TcpStream::connect(addr).unwrap());
        let greeting = greet(&client, addr);
        let (mut stream, _) = listener.accept().unwrap();
        answer(&mut stream);
        greeting.join().unwrap();
        until(&listener, || listener.failed() == 5);
        refusing.join().unwrap();
        assert_eq!(seen.load(Ordering::Relaxed), 5);
        let failures = listener.take_failures();
        for failure in &failures {
            let broken = Broken::of(failure.error());
            assert!(broken.is_some_and(Broken::in_handshake), "{failure}");
        }
        assert_eq!((failures.len(), listener.handshakes()), (5, 0));
    });
}

#[test]
fn who_is_refused_hears_why() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = listener(&server.client_certs(ClientCerts::RequireAny));
        let refused = thread::spawn(move || {
            // In TLS 1.3 a client is done before it is judged.
            match dial(&client, addr) {
                Ok(mut stream) => stream.read(&mut [0]).unwrap_err(),
                Err(error) => error,
            }
        });
        until(&listener, || listener.failed() == 1);
        let refused = refused.join().unwrap();
        assert!(refused.to_string().contains("the peer refuses"), "{refused}");
        let failures = listener.take_failures();
        let broken = Broken::of(failures[0].error());
        assert!(broken.is_some_and(Broken::is_certificate), "{}", failures[0]);
    });
}

#[test]
fn many_come_at_once() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = listener(&server);
        let listener = listener.handshakes_max(16);
        let greeting: Vec<_> = (0..200).map(|_| greet(&client, addr)).collect();
        let (mut serving, mut peers) = (Vec::new(), BTreeSet::new());
        for _ in 0..200 {
            let (mut stream, peer) = listener.accept().unwrap();
            assert!(peers.insert(peer.to_string()), "each comes once");
            assert!(listener.handshakes() < 16);
            serving.push(thread::spawn(move || {
                answer(&mut stream);
                stream
            }));
        }
        for thread in greeting {
            thread.join().unwrap();
        }
        for thread in serving {
            thread.join().unwrap();
        }
        assert_eq!((listener.handshakes(), listener.failed()), (0, 0));
    });
}

#[test]
fn many_wait_and_all_are_served() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = listener(&server);
        let listener = Arc::new(listener);
        let accepting: Vec<_> = (0..8)
            .map(|_| {
                let listener = listener.clone();
                thread::spawn(move || answer(&mut listener.accept().unwrap().0))
            })
            .collect();
        let greeting: Vec<_> = (0..8).map(|_| greet(&client, addr)).collect();
        for thread in accepting {
            thread.join().unwrap();
        }
        for thread in greeting {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_room_is_bounded() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = listener(&server);
        let listener = listener.handshakes_max(2);
        let silent: Vec<_> = (0..5).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let greeting = greet(&client, addr);
        until(&listener, || listener.handshakes() == 2);
        for _ in 0..20 {
            assert_eq!(listener.handshakes(), 2);
            until(&listener, || true);
        }
        // Places become free, one after the other.
        drop(silent);
        let (mut stream, _) = listener.accept().unwrap();
        answer(&mut stream);
        greeting.join().unwrap();
        assert_eq!(listener.failed(), 5);
    });
}

#[test]
fn who_does_not_wait_loses_nobody() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = listener(&server);
        listener.set_nonblocking(true);
        let greeting: Vec<_> = (0..24).map(|_| greet(&client, addr)).collect();
        let mut streams = Vec::new();
        while streams.len() < greeting.len() {
            match listener.accept() {
                Ok((mut stream, _)) => {
                    answer(&mut stream);
                    streams.push(stream);
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    thread::sleep(Duration::from_micros(100));
                }
            }
        }
        for thread in greeting {
            thread.join().unwrap();
        }
        assert_eq!(listener.failed(), 0);
    });
}

/// What a client says at once comes with the end of its handshake, and more of it than is decrypted
/// at a time.
#[test]
fn what_comes_behind_a_handshake_is_kept() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = listener(&server);
        let said = pattern(300_000);
        let (saying, all) = (client.clone(), said.clone());
        let talking = thread::spawn(move || {
            let mut stream = dial(&saying, addr).unwrap();
            stream.write_all(&all).unwrap();
            stream.finish().unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
        listener.set_nonblocking(true);
        let (mut stream, _) = loop {
            match listener.accept() {
                Ok(accepted) => break accepted,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            // Time enough for all that the client has to say.
            thread::sleep(Duration::from_millis(20));
        };
        let mut heard = Vec::new();
        stream.set_nonblocking(false).unwrap();
        stream.read_to_end(&mut heard).unwrap();
        assert!(heard == said, "{} bytes of {}", heard.len(), said.len());
        stream.finish().unwrap();
        talking.join().unwrap();
    });
}

#[test]
fn a_flight_that_does_not_fit_goes_out_in_parts() {
    use reseau::opt;
    use reseau::tls::{Identity, Version};
    watched(|| {
        let authority = Authority::new();
        let papers = authority.papers(&rcgen::PKCS_ECDSA_P256_SHA256);
        // More than a socket holds whose buffer is the smallest.
        let chain = papers.chain + &authority.pem.repeat(80);
        let identity = Identity::from_pem(chain.as_bytes(), papers.key.as_bytes()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set(opt::SendBuffer(1)).unwrap();
        let listener = listener.tls(&Server::new(&identity)).handshake_limit(LONG);
        let addr = listener.local_addr().unwrap().inet().unwrap();
        let dial = blocking::connect(addr.to_string()).set(opt::RecvBuffer(1));
        let stream = dial.wait().unwrap();
        // In TLS 1.3 a client has something to say before the flight is there as a whole.
        let client = Client::new().trust_only(&authority.roots).newest(Version::Tls12);
        let greeting = thread::spawn(move || {
            let mut stream = stream.start_tls(client.to("localhost")).unwrap();
            assert_eq!(stream.session().peer_chain().len(), 81);
            stream.write_all(b"hello").unwrap();
            stream
        });
        // Others do not wait for it.
        let other = greet(&Client::new().trust_only(&authority.roots), addr);
        for _ in 0..2 {
            answer(&mut listener.accept().unwrap().0);
        }
        greeting.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_listeners_own_timeout_holds() {
    use reseau::opt;
    watched(|| {
        let (client, server) = sides();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let Ok(()) = listener.set(opt::RecvTimeout(Some(Duration::from_millis(30)))) else {
            return println!("skipped: listeners have no timeouts here");
        };
        let listener = listener.tls(&server);
        let addr = listener.local_addr().unwrap().inet().unwrap();
        let silent = TcpStream::connect(addr).unwrap();
        let late = listener.accept().unwrap_err();
        assert!(matches!(late.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{late}");
        // And it goes on.
        let greeting = greet(&client, addr);
        let (mut stream, _) = loop {
            if let Ok(accepted) = listener.accept() {
                break accepted;
            }
        };
        answer(&mut stream);
        greeting.join().unwrap();
        drop(silent);
    });
}

#[test]
fn handshakes_end_with_their_listener() {
    watched(|| {
        let (_, server) = sides();
        let (listener, addr) = listener(&server);
        let waiting: Vec<_> = (0..8).map(|_| TcpStream::connect(addr).unwrap()).collect();
        until(&listener, || listener.handshakes() == 8);
        drop(listener);
        for mut stream in waiting {
            // An end or a reset: it is closed.
            assert!(!matches!(stream.read(&mut [0]), Ok(1..)));
        }
    });
}

#[test]
fn what_is_shown_may_change_under_a_listener() {
    watched(|| {
        let (old, new) = (Authority::new(), Authority::new());
        let server = Server::new(&old.identity());
        let (listener, addr) = listener(&server);
        for authority in [&old, &new] {
            let greeting = greet(&Client::new().trust_only(&authority.roots), addr);
            answer(&mut listener.accept().unwrap().0);
            greeting.join().unwrap();
            server.reload(&new.identity());
        }
    });
}

#[test]
fn both_come_to_one_port_and_lose_no_byte() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = listener(&server);
        let listener = listener.plain_too();
        let silent = TcpStream::connect(addr).unwrap();
        for client in [None, Some(&client), None, Some(&client)] {
            let client = client.cloned();
            let secured = client.is_some();
            let telling = thread::spawn(move || {
                let stream = match client {
                    None => MaybeTls::Plain(TcpStream::connect(addr).unwrap().into()),
                    Some(client) => MaybeTls::Tls(dial(&client, addr).unwrap()),
                };
                thread::scope(|scope| {
                    scope.spawn(|| {
                        (&stream).write_all(&pattern(50_000)).unwrap();
                        stream.finish().unwrap();
                    });
                    let mut got = Vec::new();
                    (&stream).read_to_end(&mut got).unwrap();
                    got
                })
            });
            let (mut stream, _) = listener.accept().unwrap();
            assert_eq!((stream.is_tls(), stream.session().is_some()), (secured, secured));
            let mut got = Vec::new();
            stream.read_to_end(&mut got).unwrap();
            stream.write_all(&got).unwrap();
            stream.finish().unwrap();
            assert!(telling.join().unwrap() == pattern(50_000));
        }
        // Nobody waits for who is silent.
        assert_eq!((listener.handshakes(), listener.failed()), (1, 0));
        drop(silent);
    });
}

#[test]
fn who_does_not_speak_tls_is_waited_for_as_others_are() {
    watched(|| {
        let (_, server) = sides();
        let (listener, addr) = listener(&server);
        let listener = listener.plain_too();
        let mut client = TcpStream::connect(addr).unwrap();
        client.write_all(b"a").unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        let reading = thread::spawn(move || stream.read(&mut [0]).unwrap());
        while !reading.is_finished() {
            // It waits for this, however late it comes.
            thread::sleep(Duration::from_millis(20));
            let _ = client.write_all(b"b");
        }
        assert_eq!(reading.join().unwrap(), 1);
    });
}

#[test]
fn who_leaves_without_a_word_comes_to_an_end() {
    watched(|| {
        let (_, server) = sides();
        let (listener, addr) = listener(&server);
        let listener = listener.plain_too();
        let leaving = TcpStream::connect(addr).unwrap();
        leaving.finish().unwrap();
        let mut stream = listener.incoming().next().unwrap().unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        stream.write_all(b"bye").unwrap();
        drop(stream);
        let mut got = String::new();
        (&leaving).read_to_string(&mut got).unwrap();
        assert_eq!(got, "bye");
    });
}
