//! Peers that are threads, with sockets that are not ours: std's, on real kernels. (Over TLS they
//! are `blocking::TlsStream`s.)
use super::on_kernels;
use super::stage::{
    Peer, THREADS, config, connect, dial_peer, drain_left, listen, pair_with_peer, pattern,
    poll_once, resets_are_lost, run, settle, take,
};
use reseau::{Config, Kind, Loop, spawn};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

on_kernels!(
    echo_for_threads,
    bytes_in_odd_portions,
    a_slow_peer_gets_everything,
    resets_after_bytes_that_were_read,
    resets_in_the_middle_of_sending,
    shutdowns_of_every_kind,
    peers_vanish_while_everything_is_under_way,
    hundreds_of_threads;
    plain "nobody comes out of accept before a handshake":
    connections_that_were_reset_before_accept,
);

fn reset(peer: Peer) {
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
}

fn echo_for_threads(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let peer = thread::spawn(move || {
            let mut peer = dial_peer(addr);
            for size in [1, 4095, 4096, 4097, 300_000] {
                let mut writer = peer.try_clone().unwrap();
                let writes = thread::spawn(move || writer.write_all(&pattern(size)).unwrap());
                let mut back = vec![0; size];
                peer.read_exact(&mut back).unwrap();
                assert!(back == pattern(size));
                writes.join().unwrap();
            }
            peer.shutdown(Shutdown::Write).unwrap();
        });
        let (mut server, _) = listener.accept().await.unwrap();
        while let Some(chunk) = server.recv().await.unwrap() {
            server.send(chunk).await.unwrap();
        }
        peer.join().unwrap();
    });
}

fn bytes_in_odd_portions(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let total = 300_000;
        let writer = thread::spawn(move || {
            let mut peer = dial_peer(addr);
            peer.set_nodelay(true).unwrap();
            let bytes = pattern(total);
            let mut at = 0;
            while at < total {
                let step = (1 + (at * 7919) % 6007).min(total - at);
                peer.write_all(&bytes[at..at + step]).unwrap();
                at += step;
                if at % 11 == 0 {
                    thread::sleep(Duration::from_micros(100));
                }
            }
            peer.shutdown(Shutdown::Write).unwrap();
        });
        let (mut server, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        loop {
            let chunk = match poll_once(server.recv()).await {
                Some(chunk) => chunk,
                None => server.recv().await,
            };
            let Some(chunk) = chunk.unwrap() else { break };
            got.extend_from_slice(&chunk);
        }
        assert!(got == pattern(total));
        writer.join().unwrap();
    });
}

/// Small and large chunks to a peer that reads a little at a time: sends end in the middle of them.
fn a_slow_peer_gets_everything(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let reader = thread::spawn(move || {
            let mut peer = dial_peer(addr);
            socket2::SockRef::from(&peer).set_recv_buffer_size(32 << 10).unwrap();
            let (mut got, mut buf) = (Vec::new(), vec![0; 70_001]);
            loop {
                match peer.read(&mut buf).unwrap() {
                    0 => return got,
                    count => got.extend_from_slice(&buf[..count]),
                }
                if got.len() % 3 == 0 {
                    thread::sleep(Duration::from_micros(300));
                }
            }
        });
        let (mut server, _) = listener.accept().await.unwrap();
        let (mut at, bytes) = (0, pattern(6 << 20));
        while at < bytes.len() {
            let size = if at % 5 == 0 { 900_001 } else { 1 + at % 7001 }.min(bytes.len() - at);
            server.send(bytes[at..at + size].to_vec()).await.unwrap();
            at += size;
        }
        server.close().await.unwrap();
        assert!(reader.join().unwrap() == bytes);
    });
}

fn resets_after_bytes_that_were_read(kind: Kind) {
    if resets_are_lost("resets_after_bytes_that_were_read") {
        return;
    }
    run(kind, async {
        let (listener, addr) = listen().await;
        for _ in 0..20 {
            let (mut peer, mut server) = pair_with_peer(&listener, addr).await;
            peer.write_all(&pattern(5000)).unwrap();
            assert!(take(&mut server, 5000).await == pattern(5000));
            reset(peer);
            for _ in 0..2 {
                let error = server.recv().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            }
            loop {
                let Err(error) = server.send("x").await else { continue };
                assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
                break;
            }
        }
    });
}

fn resets_in_the_middle_of_sending(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        for round in 0..20 {
            let (mut peer, mut server) = pair_with_peer(&listener, addr).await;
            let resets = thread::spawn(move || {
                let mut buf = vec![0; 1000 * round];
                let _ = peer.read_exact(&mut buf);
                reset(peer);
            });
            let error = loop {
                if let Err(error) = server.send(pattern(100_000)).await {
                    break error;
                }
            };
            assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
            assert_eq!(server.flush().await.unwrap_err().kind(), error.kind());
            resets.join().unwrap();
        }
    });
}

/// They may come out of `accept` or not, but the listener goes on.
fn connections_that_were_reset_before_accept(kind: Kind) {
    if resets_are_lost("connections_that_were_reset_before_accept") {
        return;
    }
    run(kind, async {
        let (listener, addr) = listen().await;
        for _ in 0..50 {
            reset(dial_peer(addr));
        }
        let mut client = connect(addr).await.unwrap();
        client.send("alive").await.unwrap();
        loop {
            let (mut server, _) = listener.accept().await.unwrap();
            match server.recv().await {
                Ok(Some(chunk)) => {
                    assert_eq!(&*chunk, b"alive");
                    break;
                }
                Ok(None) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            }
        }
    });
}

fn shutdowns_of_every_kind(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        for how in [Shutdown::Write, Shutdown::Both, Shutdown::Read] {
            let (mut peer, mut server) = pair_with_peer(&listener, addr).await;
            peer.write_all(b"last").unwrap();
            peer.shutdown(how).unwrap();
            assert_eq!(take(&mut server, 4).await, b"last");
            if how == Shutdown::Read {
                drop(peer);
            } else {
                assert!(server.recv().await.unwrap().is_none());
                drop(peer);
            }
            assert!(!matches!(server.recv().await, Ok(Some(_))));
        }
    });
}

fn peers_vanish_while_everything_is_under_way(kind: Kind) {
    if resets_are_lost("peers_vanish_while_everything_is_under_way") {
        return;
    }
    let lp = Loop::with(&Config { linger: Duration::from_millis(5), ..config(kind) }).unwrap();
    lp.block_on(async {
        let (listener, addr) = listen().await;
        let server = spawn(async move {
            for round in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                spawn(async move {
                    if round % 3 == 0 {
                        let _ = stream.send(pattern(200_000)).await;
                    }
                    while let Ok(Some(chunk)) = stream.recv().await {
                        if stream.send(chunk).await.is_err() {
                            break;
                        }
                    }
                    if round % 2 == 0 {
                        let _ = stream.finish().await;
                    }
                })
                .detach();
            }
        });
        let peers = thread::spawn(move || {
            for round in 0..200 {
                let mut peer = dial_peer(addr);
                let _ = peer.write_all(&pattern(round * 97));
                match round % 4 {
                    0 => reset(peer),
                    1 => drop(peer.read(&mut [0; 100])),
                    2 => drop(peer.shutdown(Shutdown::Read)),
                    _ => {}
                }
            }
        });
        reseau::offload(move || peers.join().unwrap()).await.unwrap();
        settle().await;
        // Everybody is gone, and the next one is served.
        let mut client = connect(addr).await.unwrap();
        client.send("still there?").await.unwrap();
        client.finish().await.unwrap();
        assert!(drain_left(&mut client).await.ends_with(b"still there?"));
        server.abort();
    });
}

fn hundreds_of_threads(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let threads: Vec<_> = (0..THREADS)
            .map(|i| {
                thread::spawn(move || {
                    let mut peer = dial_peer(addr);
                    let size = 1 + i * 311 % 20_000;
                    peer.write_all(&pattern(size)).unwrap();
                    peer.shutdown(Shutdown::Write).unwrap();
                    let mut back = Vec::new();
                    peer.read_to_end(&mut back).unwrap();
                    assert!(back == pattern(size), "{i}");
                })
            })
            .collect();
        let mut tasks = Vec::new();
        for _ in 0..THREADS {
            let (mut stream, _) = listener.accept().await.unwrap();
            tasks.push(spawn(async move {
                while let Some(chunk) = stream.recv().await.unwrap() {
                    stream.send(chunk).await.unwrap();
                }
                stream.close().await.unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
