//! `tls::TlsListener`, on every backend.
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use reseau::tls::{Broken, Client, ClientCerts, Server, TlsListener, TlsStream};
use reseau::{Family, Inet, Kind, TcpListener, TcpStream};

use crate::backends::{on, on_each, poll_once};
use crate::stage::{Authority, sides, watched};

/// So long that nobody is late.
const LONG: Duration = Duration::from_secs(1_000);

/// What the first bytes of a client's hello may be.
const HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

async fn listener(server: &Server) -> (TlsListener<Inet>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap().tls(server);
    let addr = listener.local_addr().unwrap();
    (listener.handshake_limit(LONG), addr)
}

async fn dial(client: &Client, at: SocketAddr) -> io::Result<TlsStream<Inet>> {
    TcpStream::connect(at).await?.start_tls(client.to("localhost")).await
}

/// Says hello once it is connected, and waits for the answer.
fn greet(client: &Client, at: SocketAddr) -> reseau::Task<TlsStream<Inet>> {
    let client = client.clone();
    reseau::spawn(async move {
        let mut stream = dial(&client, at).await.unwrap();
        stream.send("hello").await.unwrap();
        let mut got = [0; 5];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"hello");
        stream
    })
}

async fn answer<F: Family>(stream: &mut TlsStream<F>) {
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).await.unwrap();
    stream.send(hello.to_vec()).await.unwrap();
}

async fn a_while() {
    reseau::sleep(Duration::from_millis(1)).await;
}

on_each! {
    async fn connections_come_with_their_handshakes_done() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let greeting = greet(&client, addr);
        let (mut stream, peer) = listener.accept().await.unwrap();
        assert!(stream.session().cipher().is_some());
        answer(&mut stream).await;
        let greeted = greeting.await.unwrap();
        assert_eq!(peer, greeted.local_addr().unwrap());
        assert_eq!((listener.handshakes(), listener.failed()), (0, 0));
    }

    async fn one_word_is_enough() {
        let (client, server) = sides();
        let refused = reseau::listen("tls://127.0.0.1:0").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
        let listener = reseau::listen("tls://127.0.0.1:0").backlog(9).tls(&server).await.unwrap();
        let addr = listener.local_addr().unwrap().inet().unwrap();
        let another = reseau::listen_any("127.0.0.1", addr.port()).tls(&server);
        let (port, other) = another.await.unwrap();
        assert_ne!(port, addr.port());
        for (listener, port) in [(&listener, addr.port()), (&other, port)] {
            let greeting = greet(&client, SocketAddr::new(addr.ip(), port));
            let (mut stream, _) = listener.accept().await.unwrap();
            answer(&mut stream).await;
            greeting.await.unwrap();
        }
    }

    async fn who_is_silent_or_slow_holds_up_nobody() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let silent = TcpStream::connect(addr).await.unwrap();
        let mut slow = TcpStream::connect(addr).await.unwrap();
        slow.send(&HELLO[..1]).await.unwrap();
        for byte in HELLO[1..].chunks(1) {
            let greeting = greet(&client, addr);
            let (mut stream, peer) = listener.accept().await.unwrap();
            assert_ne!(peer, slow.local_addr().unwrap());
            answer(&mut stream).await;
            greeting.await.unwrap();
            slow.send(byte.to_vec()).await.unwrap();
        }
        assert_eq!((listener.handshakes(), listener.failed()), (2, 0));
        drop(silent);
    }

    async fn who_is_late_is_sent_away() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let listener = listener.handshake_limit(Duration::from_millis(20));
        let mut silent = TcpStream::connect(addr).await.unwrap();
        let silent_addr = silent.local_addr().unwrap();
        // No byte is late, but the hello as a whole is.
        let mut slow = TcpStream::connect(addr).await.unwrap();
        let slow_addr = slow.local_addr().unwrap();
        let trickling = reseau::spawn(async move {
            for byte in HELLO.iter().cycle().take(100) {
                if slow.send(vec![*byte]).await.is_err() {
                    break;
                }
                reseau::sleep(Duration::from_millis(5)).await;
            }
            while slow.recv().await.is_ok_and(|more| more.is_some()) {}
        });
        let accepting = async {
            // Nobody comes, but both go.
            assert!(silent.recv().await.is_ok_and(|end| end.is_none()));
            trickling.await.unwrap();
        };
        {
            let mut accepting = std::pin::pin!(accepting);
            let mut accept = std::pin::pin!(listener.accept());
            poll_fn(|cx| {
                assert!(accept.as_mut().poll(cx).is_pending());
                accepting.as_mut().poll(cx)
            })
            .await;
        }
        let failures = listener.take_failures();
        let peers: BTreeSet<_> =
            failures.iter().map(|failure| failure.peer().to_string()).collect();
        assert_eq!(peers, BTreeSet::from([silent_addr.to_string(), slow_addr.to_string()]));
        for failure in &failures {
            assert_eq!(failure.error().kind(), ErrorKind::TimedOut, "{failure}");
            let told = format!("accept {}: tls: the handshake is late", failure.peer());
            assert_eq!(failure.to_string(), told);
        }
        assert_eq!((listener.handshakes(), listener.failed()), (0, 2));
        assert!(listener.take_failures().is_empty());
        drop(client);
    }

    async fn who_speaks_something_else_is_told_and_forgotten() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let seen = Arc::new(AtomicUsize::new(0));
        let told = seen.clone();
        let listener = listener.watch(move |_| {
            told.fetch_add(1, Ordering::Relaxed);
        });
        let http = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let words: [&[u8]; 3] = [http, &[0; 300], &[0x16; 300]];
        let mut strangers = Vec::new();
        for word in words {
            let mut stranger = TcpStream::connect(addr).await.unwrap();
            stranger.send(word.to_vec()).await.unwrap();
            strangers.push(stranger);
        }
        // One asks for a name that the server does not have, as its certificate shows.
        let other = client.clone();
        let refusing = reseau::spawn(async move {
            let stream = TcpStream::connect(addr).await.unwrap();
            stream.start_tls(other.to("example.com")).await.unwrap_err()
        });
        // And one leaves.
        drop(TcpStream::connect(addr).await.unwrap());
        let greeting = greet(&client, addr);
        let (mut stream, _) = listener.accept().await.unwrap();
        answer(&mut stream).await;
        greeting.await.unwrap();
        while listener.failed() < 5 {
            assert!(poll_once(listener.accept()).await.is_none());
            a_while().await;
        }
        refusing.await.unwrap();
        assert_eq!(seen.load(Ordering::Relaxed), 5);
        let failures = listener.take_failures();
        assert_eq!(failures.len(), 5);
        for failure in &failures {
            let broken = Broken::of(failure.error());
            assert!(broken.is_some_and(Broken::in_handshake), "{failure}");
        }
        let cut = |failure: &&reseau::tls::Failure| {
            Broken::of(failure.error()).is_some_and(Broken::is_truncation)
        };
        assert_eq!(failures.iter().filter(cut).count(), 1);
        assert_eq!(listener.handshakes(), 0);
    }

    async fn who_is_refused_hears_why() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server.client_certs(ClientCerts::RequireAny)).await;
        let refused = reseau::spawn(async move {
            // In TLS 1.3 a client is done before it is judged.
            match dial(&client, addr).await {
                Ok(mut stream) => stream.recv().await.unwrap_err(),
                Err(error) => error,
            }
        });
        while listener.failed() == 0 {
            assert!(poll_once(listener.accept()).await.is_none());
            a_while().await;
        }
        let refused = refused.await.unwrap();
        assert!(refused.to_string().contains("the peer refuses"), "{refused}");
        let failures = listener.take_failures();
        let broken = Broken::of(failures[0].error());
        assert!(broken.is_some_and(Broken::is_certificate), "{}", failures[0]);
    }

    async fn many_come_at_once() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let listener = listener.handshakes_max(16);
        let tasks: Vec<_> = (0..200).map(|_| greet(&client, addr)).collect();
        let mut serving = Vec::new();
        let mut peers = BTreeSet::new();
        for _ in 0..200 {
            let (mut stream, peer) = listener.accept().await.unwrap();
            assert!(peers.insert(peer), "each comes once");
            assert!(listener.handshakes() <= 16);
            serving.push(reseau::spawn(async move { answer(&mut stream).await; stream }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        for task in serving {
            task.await.unwrap();
        }
        assert_eq!((listener.handshakes(), listener.failed()), (0, 0));
    }

    async fn a_place_that_is_left_is_taken() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let listener = listener.handshakes_max(1);
        let silent = TcpStream::connect(addr).await.unwrap();
        while listener.handshakes() == 0 {
            assert!(poll_once(listener.accept()).await.is_none());
            a_while().await;
        }
        // All places are taken, and nobody looks at the door any more.
        let greeting = greet(&client, addr);
        for _ in 0..5 {
            assert!(poll_once(listener.accept()).await.is_none());
            a_while().await;
        }
        drop(silent);
        answer(&mut listener.accept().await.unwrap().0).await;
        greeting.await.unwrap();
        assert_eq!(listener.failed(), 1);
    }

    async fn dropped_futures_lose_nobody() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let tasks: Vec<_> = (0..24).map(|_| greet(&client, addr)).collect();
        let mut streams = Vec::new();
        while streams.len() < tasks.len() {
            // Dropped wherever it is, each time.
            match poll_once(listener.accept()).await {
                Some(accepted) => {
                    let (mut stream, _) = accepted.unwrap();
                    answer(&mut stream).await;
                    streams.push(stream);
                }
                None => reseau::sleep(Duration::from_micros(100)).await,
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(listener.failed(), 0);
    }

    async fn many_wait_and_all_are_served() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let listener = Arc::new(listener);
        // Some of those who wait leave again.
        for _ in 0..3 {
            assert!(poll_once(listener.accept()).await.is_none());
        }
        let accepting: Vec<_> = (0..8)
            .map(|_| {
                let listener = listener.clone();
                reseau::spawn(async move {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    answer(&mut stream).await;
                })
            })
            .collect();
        a_while().await;
        let greeting: Vec<_> = (0..8).map(|_| greet(&client, addr)).collect();
        for task in accepting {
            task.await.unwrap();
        }
        for task in greeting {
            task.await.unwrap();
        }
    }

    async fn handshakes_end_with_their_listener() {
        let (_, server) = sides();
        let (listener, addr) = listener(&server).await;
        let mut waiting = Vec::new();
        for _ in 0..8 {
            waiting.push(TcpStream::connect(addr).await.unwrap());
        }
        while listener.handshakes() < 8 {
            assert!(poll_once(listener.accept()).await.is_none());
            a_while().await;
        }
        drop(listener);
        for mut stream in waiting {
            // An end or a reset: it is closed.
            assert!(stream.recv().await.ok().flatten().is_none());
        }
    }

    async fn what_is_shown_may_change_under_a_listener() {
        let old = Authority::new();
        let new = Authority::new();
        let server = Server::new(&old.identity());
        let (listener, addr) = listener(&server).await;
        for authority in [&old, &new] {
            let greeting = greet(&Client::new().trust_only(&authority.roots), addr);
            let (mut stream, _) = listener.accept().await.unwrap();
            answer(&mut stream).await;
            greeting.await.unwrap();
            server.reload(&new.identity());
        }
    }
}

/// Several threads accept from one listener, each under an executor of its own.
#[test]
fn any_executors_will_do() {
    watched(|| {
        let (client, server) = sides();
        let (listener, addr) = smol::block_on(listener(&server));
        let listener = Arc::new(listener.handshakes_max(6));
        let accepting: Vec<_> = (0..4)
            .map(|_| {
                let listener = listener.clone();
                std::thread::spawn(move || {
                    smol::block_on(async {
                        for _ in 0..10 {
                            // It may be dropped at any time, also while others go on with it.
                            let mut stream = loop {
                                if let Some(accepted) = poll_once(listener.accept()).await {
                                    break accepted.unwrap().0;
                                }
                                let accept = listener.accept();
                                let accepted = reseau::timeout(Duration::from_millis(2), accept);
                                if let Ok(accepted) = accepted.await {
                                    break accepted.unwrap().0;
                                }
                            };
                            answer(&mut stream).await;
                        }
                    });
                })
            })
            .collect();
        let greeting: Vec<_> = (0..40)
            .map(|_| {
                let client = client.clone();
                std::thread::spawn(move || {
                    let stream = reseau::blocking::TcpStream::connect(addr).unwrap();
                    let mut stream = stream.start_tls(client.to("localhost")).unwrap();
                    stream.write_all(b"hello").unwrap();
                    stream.read_exact(&mut [0; 5]).unwrap();
                })
            })
            .collect();
        for thread in greeting {
            thread.join().unwrap();
        }
        for thread in accepting {
            thread.join().unwrap();
        }
        assert_eq!((listener.handshakes(), listener.failed()), (0, 0));
    });
}

/// Somebody who waits without a future is woken beside those who have one.
#[test]
fn hand_written_futures_are_woken() {
    on(Kind::Sim, || async {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let listener = Arc::new(listener);
        let other = listener.clone();
        let waiting = reseau::spawn(async move {
            let (mut stream, _) = poll_fn(|cx| other.poll_accept(cx)).await.unwrap();
            answer(&mut stream).await;
        });
        let other = listener.clone();
        let accepting = reseau::spawn(async move {
            let (mut stream, _) = other.accept().await.unwrap();
            answer(&mut stream).await;
        });
        a_while().await;
        for greeting in [greet(&client, addr), greet(&client, addr)] {
            greeting.await.unwrap();
        }
        waiting.await.unwrap();
        accepting.await.unwrap();
    });
}

/// What is wrong with the server is said to whoever runs it, and not to its clients' account.
#[test]
fn a_server_that_cannot_serve_says_so_at_once() {
    use reseau::tls::Version;
    on(Kind::Sim, || async {
        let (_, server) = sides();
        let server = server.oldest(Version::Tls13).newest(Version::Tls12);
        let unfit = reseau::listen("127.0.0.1:0").tls(&server).await.unwrap_err();
        assert_eq!(unfit.kind(), ErrorKind::InvalidInput, "{unfit}");
        let (listener, addr) = listener(&server).await;
        let _client = TcpStream::connect(addr).await.unwrap();
        let unfit = listener.accept().await.unwrap_err();
        assert_eq!(unfit.kind(), ErrorKind::InvalidInput, "{unfit}");
        assert_eq!(listener.failed(), 0);
    });
}

/// In simulated time, because real clients may be late.
#[test]
fn a_full_room_is_emptied_by_its_clock() {
    on(Kind::Sim, || async {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let listener = listener.handshakes_max(2).handshake_limit(Duration::from_millis(30));
        let mut silent = Vec::new();
        for _ in 0..5 {
            silent.push(TcpStream::connect(addr).await.unwrap());
        }
        let greeting = greet(&client, addr);
        let (mut stream, _) = listener.accept().await.unwrap();
        // Two at a time, and so three times.
        assert!(listener.failed() >= 4, "{}", listener.failed());
        answer(&mut stream).await;
        greeting.await.unwrap();
    });
}

#[test]
fn nobody_is_late_because_nobody_accepted() {
    on(Kind::Sim, || async {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let limit = Duration::from_millis(40);
        let listener = listener.handshake_limit(limit);
        let greeting = greet(&client, addr);
        // It is let in, and then nobody looks after it for longer than it has.
        while listener.handshakes() == 0 {
            assert!(poll_once(listener.accept()).await.is_none());
            a_while().await;
        }
        reseau::sleep(limit * 2).await;
        let (mut stream, _) = listener.accept().await.unwrap();
        answer(&mut stream).await;
        greeting.await.unwrap();
        assert_eq!(listener.failed(), 0);
    });
}

/// However often nobody accepts: who sends a byte now and then has that time twice, and no more.
#[test]
fn nobody_is_spared_twice() {
    on(Kind::Sim, || async {
        let (_, server) = sides();
        let (listener, addr) = listener(&server).await;
        let limit = Duration::from_millis(40);
        let listener = listener.handshake_limit(limit);
        let mut slow = TcpStream::connect(addr).await.unwrap();
        let mut looks = 0;
        for byte in HELLO {
            slow.send(vec![*byte]).await.unwrap();
            reseau::sleep(limit * 2).await;
            assert!(poll_once(listener.accept()).await.is_none());
            looks += 1;
            if listener.failed() > 0 {
                break;
            }
        }
        assert!(looks <= 4, "{looks}");
        assert_eq!(listener.take_failures()[0].error().kind(), ErrorKind::TimedOut);
    });
}

/// The clock goes on after the first one who was late.
#[test]
fn each_has_its_own_deadline() {
    on(Kind::Sim, || async {
        let (_, server) = sides();
        let (listener, addr) = listener(&server).await;
        let limit = Duration::from_millis(40);
        let listener = listener.handshake_limit(limit);
        let accepting = reseau::spawn(async move {
            // Nobody comes, but it looks after all who are there.
            let _ = reseau::timeout(limit * 10, listener.accept()).await;
            listener
        });
        let mut silent = Vec::new();
        for _ in 0..3 {
            let begin = reseau::clock::now();
            silent.push((begin, TcpStream::connect(addr).await.unwrap()));
            reseau::sleep(limit / 3).await;
        }
        for (begin, mut one) in silent {
            assert!(one.recv().await.unwrap().is_none());
            let span = reseau::clock::now() - begin;
            assert!((limit..limit * 2).contains(&span), "{span:?}");
        }
        assert_eq!(accepting.await.unwrap().failed(), 3);
    });
}

/// Futures that are dropped leave nothing behind, however long nobody comes.
#[test]
fn who_accepts_no_more_is_forgotten() {
    on(Kind::Sim, || async {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let woken = Arc::new(Woken::default());
        for _ in 0..10 {
            let waker = Waker::from(woken.clone());
            let mut accept = Box::pin(listener.accept());
            assert!(accept.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(Arc::strong_count(&woken), 1);
        let greeting = greet(&client, addr);
        answer(&mut listener.accept().await.unwrap().0).await;
        greeting.await.unwrap();
    });
}

/// Who was woken may leave without having looked: then it is the others' turn.
#[test]
fn nobody_takes_a_wake_along() {
    on(Kind::Sim, || async {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let wakers: Vec<_> = (0..2).map(|_| Arc::new(Woken::default())).collect();
        let wait = |woken: &Arc<Woken>| {
            let mut accept = Box::pin(listener.accept());
            let waker = Waker::from(woken.clone());
            assert!(accept.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            accept
        };
        let mut waiting = [wait(&wakers[0]), wait(&wakers[1])].map(Some);
        let is_woken = |which: usize| wakers[which].0.load(Ordering::SeqCst) > 0;
        let greeting = greet(&client, addr);
        while !is_woken(0) && !is_woken(1) {
            a_while().await;
        }
        // One of those who were woken goes, and the other is woken, too.
        let gone = usize::from(!is_woken(0));
        drop(waiting[gone].take());
        for _ in 0..100 {
            a_while().await;
        }
        assert!(is_woken(1 - gone));
        let accept = waiting[1 - gone].take().unwrap();
        answer(&mut accept.await.unwrap().0).await;
        greeting.await.unwrap();
    });
}

/// Counts how often it is.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
