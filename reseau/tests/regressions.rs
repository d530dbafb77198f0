//! What was wrong once, each by the smallest program that showed it; and seeds of simulated worlds
//! in which something went wrong. A failing seed of whatever test becomes a line here.
#![cfg(feature = "async")]
#![allow(clippy::disallowed_methods)] // Tests may look at the clock.

#[path = "watchdog/mod.rs"]
mod watchdog;

use futures_lite::future::block_on;
use reseau::sim::World;
use reseau::{Chunk, Config, Group, Kind, Loop, TcpListener, TcpStream, yield_now};
use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;
use std::thread;
use std::time::Duration;
use watchdog::watched;

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

/// Seeds, and why they are here. The first stand for themselves.
const SEEDS: &[u64] = &[0, 1, 7, 300];

/// Every hardship at once: what arrives is right, and it always ends.
#[test]
fn seeds() {
    watched("seeds", || {
        for seed in SEEDS {
            let world = World::new(*seed).refuse(50).reset(10).exhaust(50).abort(50).slow(50);
            world.run(hardships());
        }
    });
}

async fn hardships() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = reseau::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            reseau::spawn(async move {
                while let Ok(Some(chunk)) = stream.recv().await {
                    if stream.send(chunk).await.is_err() {
                        break;
                    }
                }
            })
            .detach();
        }
    });
    for size in (0..30).map(|i| 1 + i * 977) {
        let Ok(mut client) = TcpStream::connect(addr).await else { continue };
        client.set_deadlines(Some(reseau::clock::now() + Duration::from_secs(600)), None);
        let sent: Vec<u8> = (0..size).map(|i| ((i * 31) >> 3) as u8).collect();
        if client.send(sent.clone()).await.is_err() || client.finish().await.is_err() {
            continue;
        }
        let mut got = Vec::new();
        while let Ok(Some(chunk)) = client.recv().await {
            got.extend_from_slice(&chunk);
        }
        assert!(sent.starts_with(&got), "size {size}");
    }
    server.abort();
}

/// A simulated socket belongs to its thread, not only to the times at which its loop is run there.
#[test]
fn a_simulated_socket_may_be_dropped_between_two_runs() {
    watched("a_simulated_socket_may_be_dropped_between_two_runs", || {
        let world = World::new(1);
        let (client, mut server) = world.run(pair());
        drop(client);
        assert!(world.run(server.recv()).unwrap().is_none());
        drop(world);
        assert!(block_on(server.recv()).unwrap().is_none(), "the end has come before");
    });
}

/// Used on another thread it panics; the socket that is dropped on the way must not do so again,
/// which would end the process.
#[test]
fn a_simulated_socket_elsewhere_panics_once() {
    watched("a_simulated_socket_elsewhere_panics_once", || {
        let (mut client, _server) = World::new(1).run(pair());
        let elsewhere = thread::spawn(move || drop(block_on(client.recv())));
        assert!(elsewhere.join().is_err());
    });
}

/// With a peer that takes everything at once a sender never has to wait; the loop got no turn, and
/// kept all that was sent in memory.
#[test]
fn a_sender_that_never_waits_is_not_alone() {
    watched("a_sender_that_never_waits_is_not_alone", || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let reader = thread::spawn(move || {
            let (mut peer, mut buf) = (listener.accept().unwrap().0, vec![0; 1 << 20]);
            while matches!(peer.read(&mut buf), Ok(1..)) {}
        });
        let config = Config { kind: Some(Kind::Ready), ..Config::default() };
        Loop::with(&config).unwrap().block_on(async {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            let sent = Rc::new(Cell::new(0));
            let count = sent.clone();
            let sender = reseau::spawn_local(async move {
                while count.get() < 4 << 30 {
                    stream.send(vec![7; 512]).await.unwrap();
                    count.set(count.get() + 512);
                }
            });
            for _ in 0..10 {
                let before = sent.get();
                yield_now().await;
                assert!(sent.get() - before < 16 << 20, "{} bytes in one turn", sent.get());
            }
            sender.abort();
        });
        reader.join().unwrap();
    });
}

/// The destructor of a chunk is its owner's code. It took the loop, and all sockets on it, along.
#[test]
fn a_chunk_that_panics_does_not_end_its_loop() {
    struct Bomb(Vec<u8>);
    impl AsRef<[u8]> for Bomb {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    watched("a_chunk_that_panics_does_not_end_its_loop", || {
        let group = Group::new(1, &Config::default()).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let mut stream = block_on(TcpStream::connect_on(&group.remotes()[0], addr)).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        // More than the system takes at once, so that the loop is the one to drop it.
        block_on(stream.send(Chunk::from_owner(Bomb(vec![7; 16 << 20])))).unwrap();
        peer.read_exact(&mut vec![0; 16 << 20]).unwrap();
        block_on(stream.flush()).unwrap();
        block_on(stream.send("alive")).unwrap();
        peer.read_exact(&mut [0; 5]).unwrap();
    });
}

/// It had taken what was there, and a dropped future took that along.
#[test]
fn a_dropped_read_exact_takes_nothing() {
    watched("a_dropped_read_exact_takes_nothing", || {
        World::new(1).run(async {
            let (mut client, mut server) = pair().await;
            client.send("half").await.unwrap();
            let limit = Duration::from_millis(50);
            assert!(reseau::timeout(limit, server.read_exact(&mut [0; 8])).await.is_err());
            client.send("full").await.unwrap();
            let mut both = [0; 8];
            server.read_exact(&mut both).await.unwrap();
            assert_eq!(&both, b"halffull");
        });
    });
}

/// The probe had seen io_uring work; that a ring can be had later is another matter.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn a_ring_that_is_refused_later_is_no_reason_to_fail() {
    use seccompiler::{SeccompAction, SeccompFilter};
    const IO_URING_SETUP: i64 = 425;
    watched("a_ring_that_is_refused_later_is_no_reason_to_fail", || {
        // A driver that was asked for has no second choice, and being asked for is its reason.
        if std::env::var_os("RESEAU_DRIVER").is_some() {
            return;
        }
        drop(Loop::new().unwrap());
        let deny = SeccompFilter::new(
            [(IO_URING_SETUP, vec![])].into(),
            SeccompAction::Allow,
            SeccompAction::Errno(12), // ENOMEM: no more locked memory.
            std::env::consts::ARCH.try_into().unwrap(),
        );
        let program: seccompiler::BpfProgram = deny.unwrap().try_into().unwrap();
        seccompiler::apply_filter(&program).unwrap(); // For this thread alone.
        let lp = Loop::new().unwrap();
        let report = lp.driver_report();
        assert_eq!(report.kind, Kind::Ready);
        assert!(report.reason.contains("io_uring cannot be used"), "{report}");
    });
}
