//! A loop ends: everybody who uses its sockets from elsewhere hears of it, and nobody hangs.
use crate::foreign;
use crate::stage::{Stage, accept, block_on, bytes, corner, poll_once, tokio_of_many};
use reseau::{Config, TcpListener, TcpStream};
use std::io::Read;
use std::net::TcpStream as Peer;
use std::thread;
use std::time::Duration;

foreign!(
    a_stop_is_an_error_and_not_a_hang,
    a_stop_ends_sleeps_too,
    stops_race_with_use,
    stops_race_with_kicks,
    stops_of_nothing,
    what_was_received_can_still_be_read,
    what_was_queued_is_sent_within_the_grace,
    sockets_outlive_their_loop,
);

fn a_stop_is_an_error_and_not_a_hang(stage: &mut Stage) {
    let (listener, addr) = stage.listen();
    let (mut stream, _peer) = accept(&listener, addr);
    let (mut stuffed, _unread) = accept(&listener, addr);
    let (exact, _silent) = accept(&listener, addr);
    let (peeked, _mute) = accept(&listener, addr);
    let remote = stage.remote.clone();
    tokio_of_many().block_on(async {
        let accepts =
            tokio::spawn(
                async move { (listener.accept().await.err(), listener.accept().await.err()) },
            );
        let recvs = tokio::spawn(async move {
            let first = stream.recv().await.err();
            (first, stream.recv().await.err(), stream.send("x").await.err())
        });
        let sends = tokio::spawn(async move {
            let error = loop {
                if let Err(error) = stuffed.send(vec![0; 1 << 20]).await {
                    break error;
                }
            };
            (error, stuffed.flush().await.err(), stuffed.close().await.err())
        });
        let exacts = tokio::spawn(async move {
            let mut exact = exact;
            exact.read_exact(&mut [0; 100]).await.err()
        });
        let peeks = tokio::spawn(async move {
            let peeked = peeked;
            (peeked.peek(&mut [0; 100]).await.err(), peeked.readable().await.is_ok())
        });
        tokio::time::sleep(Duration::from_millis(30)).await;
        stage.stop();
        let (a, b) = accepts.await.unwrap();
        assert!(a.is_some() && b.is_some(), "{a:?} {b:?}");
        let (a, b, c) = recvs.await.unwrap();
        assert!(a.is_some() && b.is_some() && c.is_some(), "{a:?} {b:?} {c:?}");
        let (_, b, c) = sends.await.unwrap();
        assert!(b.is_some() && c.is_some());
        assert!(exacts.await.unwrap().is_some());
        let (a, readable) = peeks.await.unwrap();
        assert!(a.is_some() && readable);
        assert!(TcpStream::connect_on(&remote, addr).await.is_err());
        assert!(remote.spawn(|| async {}).is_err());
    });
}

/// A task of the loop that sleeps is dropped with it, and its sockets close.
fn a_stop_ends_sleeps_too(stage: &mut Stage) {
    let (mut stream, mut peer) = stage.pair();
    let (tell, told) = std::sync::mpsc::channel();
    let task = move || async move {
        stream.send("bye").await.unwrap();
        tell.send(()).unwrap();
        reseau::sleep(Duration::from_secs(3600)).await;
        tell.send(()).unwrap();
    };
    stage.remote.spawn(task).unwrap();
    told.recv().unwrap();
    stage.stop();
    assert!(told.recv().is_err(), "the task is gone");
    let mut all = Vec::new();
    peer.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"bye");
}

/// Loops end at random points of other threads' calls.
fn stops_race_with_use(stage: &mut Stage) {
    let tokio = tokio_of_many();
    for round in 0..15u64 {
        let mut other = Stage::new(Config { blocks_max: 64, ..stage.config.clone() });
        let (listener, addr) = other.listen();
        tokio.block_on(async {
            let mut tasks = vec![tokio::spawn(serve_until_the_end(listener))];
            for _ in 0..8 {
                let remote = other.remote.clone();
                tasks.push(tokio::spawn(async move {
                    while let Ok(stream) = TcpStream::connect_on(&remote, addr).await {
                        if five_echoes(stream).await.is_none() {
                            return;
                        }
                    }
                }));
            }
            tokio::time::sleep(Duration::from_micros(300 * round)).await;
            let stopping = other.stop_soon();
            for task in tasks {
                task.await.unwrap();
            }
            stopping.join().unwrap();
        });
    }
}

async fn serve_until_the_end(listener: TcpListener) {
    let mut served = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        served.push(tokio::spawn(async move {
            while let Ok(Some(chunk)) = stream.recv().await {
                if stream.send(chunk).await.is_err() {
                    break;
                }
            }
        }));
    }
    for task in served {
        task.await.unwrap();
    }
}

async fn five_echoes(mut stream: TcpStream) -> Option<()> {
    for _ in 0..5 {
        stream.send(vec![1; 300]).await.ok()?;
        stream.read_exact(&mut [0; 300]).await.ok()?;
    }
    Some(())
}

/// Threads that do nothing but kick, while the loop closes its door.
fn stops_race_with_kicks(stage: &mut Stage) {
    for round in 0..20u64 {
        let mut other = Stage::new(stage.config.clone());
        let (listener, addr) = other.listen();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (mut stream, peer) = accept(&listener, addr);
                thread::spawn(move || {
                    let _peer = peer;
                    for _ in 0..200_000 {
                        let late = Some(std::time::Instant::now() + Duration::from_secs(60));
                        stream.set_deadlines(late, None);
                        match poll_once(stream.recv()) {
                            Some(Err(_)) => return,
                            _ => thread::yield_now(),
                        }
                    }
                    assert!(block_on(stream.recv()).is_err());
                })
            })
            .collect();
        thread::sleep(Duration::from_micros(200 * round));
        other.stop();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

fn stops_of_nothing(stage: &mut Stage) {
    for _ in 0..30 {
        Stage::new(stage.config.clone()).stop();
    }
    let several = reseau::Group::new(3, &stage.config).unwrap();
    assert_eq!(several.remotes().len(), 3);
    drop(several);
}

fn what_was_received_can_still_be_read(stage: &mut Stage) {
    let (mut stream, mut peer) = stage.pair();
    std::io::Write::write_all(&mut peer, &bytes(0..3000)).unwrap();
    block_on(async {
        while stream.queued() < 3000 {
            stream.peek(&mut [0]).await.unwrap();
            thread::yield_now();
        }
    });
    stage.stop();
    let mut got = vec![0; 3000];
    block_on(stream.read_exact(&mut got)).unwrap();
    assert!(got == bytes(0..3000));
    assert!(block_on(stream.recv()).is_err());
}

fn what_was_queued_is_sent_within_the_grace(stage: &mut Stage) {
    let group = reseau::Group::new(1, &stage.config).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let reader = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        thread::sleep(Duration::from_millis(30));
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    });
    let mut stream = block_on(TcpStream::connect_on(&group.remotes()[0], addr)).unwrap();
    block_on(stream.send(bytes(0..6 << 20))).unwrap();
    drop(stream);
    group.stop(Duration::from_secs(30));
    assert!(reader.join().unwrap() == bytes(0..6 << 20));
}

/// Dropped, split, detached, closed and used, long after their loop.
fn sockets_outlive_their_loop(stage: &mut Stage) {
    let (listener, addr) = stage.listen_at(corner(23));
    let mut streams: Vec<_> = (0..6).map(|_| accept(&listener, addr)).collect();
    for (stream, _) in &mut streams {
        assert!(poll_once(stream.recv()).is_none());
    }
    stage.stop();
    for (way, (mut stream, mut peer)) in streams.into_iter().enumerate() {
        match way {
            0 => drop(stream),
            1 => drop(stream.into_split()),
            2 => assert!(block_on(stream.close()).is_err()),
            3 => {
                assert!(block_on(stream.finish()).is_err());
                drop(stream);
            }
            4 => {
                assert!(stream.local_addr().is_ok(), "the descriptor is still there");
                stream.set_nodelay(true).unwrap();
                drop(stream);
            }
            _ => {
                // Without its loop it can still move to another one.
                let moved = block_on(stream.detach()).and_then(reseau::net::Detached::attach);
                drop(moved);
            }
        }
        assert!(matches!(peer.read(&mut [0; 8]), Ok(0) | Err(_)), "way {way}: closed");
    }
    drop(listener);
    assert!(Peer::connect(addr).is_err(), "closed");
}
