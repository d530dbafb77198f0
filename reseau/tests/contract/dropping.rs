//! Futures that are dropped: whatever they waited for is still there.
use super::everywhere;
use super::stage::{
    TcpStream, connect, listen, pair, pair_at, pattern, poll_once, run, scaled, settle, take,
};
use reseau::{Kind, spawn, yield_now};
use std::time::Duration;

everywhere!(
    dropped_recv_loses_nothing,
    dropped_read_exact_takes_all_or_nothing,
    dropped_peek_and_readable_lose_nothing,
    dropped_send_is_whole_or_nothing,
    dropped_flush_and_finish_go_on,
    forgotten_futures_hurt_nobody;
    plain "a handshake takes two, and who connects waits for who accepts":
    dropped_accept_loses_nothing,
    dropped_connect_frees_its_place,
);

/// Sends a pattern in frames of one size, with pauses now and then, and ends.
async fn send_frames(mut stream: TcpStream, total: usize, frame: usize) {
    let bytes = pattern(total);
    for (index, frame) in bytes.chunks(frame).enumerate() {
        stream.send(frame.to_vec()).await.unwrap();
        if index % 16 == 0 {
            reseau::sleep(Duration::from_micros(300)).await;
        }
    }
    stream.finish().await.unwrap();
    // The other side may still be reading: what closes now must not reset it.
    settle().await;
}

fn dropped_recv_loses_nothing(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let total = 200_000;
        let writer = spawn(send_frames(client, total, 777));
        let (mut got, mut dropped) = (Vec::new(), 0);
        loop {
            let chunk = match poll_once(server.recv()).await {
                Some(chunk) => chunk,
                None => {
                    dropped += 1;
                    if dropped % 2 == 0 {
                        reseau::sleep(Duration::from_micros(200)).await;
                    }
                    server.recv().await
                }
            };
            match chunk.unwrap() {
                Some(chunk) => got.extend_from_slice(&chunk),
                None => break,
            }
        }
        writer.await.unwrap();
        assert!(dropped > 0);
        assert!(got == pattern(total));
    });
}

fn dropped_accept_loses_nothing(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        for i in 0..50u8 {
            assert!(poll_once(listener.accept()).await.is_none());
            let mut client = connect(addr).await.unwrap();
            client.send(vec![i]).await.unwrap();
            if i % 3 == 0 {
                settle().await; // Accepted by the loop, while nobody asks.
            }
            let (mut server, _) = listener.accept().await.unwrap();
            assert_eq!(&*server.recv().await.unwrap().unwrap(), [i], "in order");
        }
        assert!(poll_once(listener.accept()).await.is_none(), "and no connection twice");
    });
}

fn dropped_read_exact_takes_all_or_nothing(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let total = 300_000;
        let writer = spawn(send_frames(client, total, 1013));
        let (mut at, mut dropped, want) = (0, 0, pattern(total));
        while at < total {
            let size = (1 + at % 9973).min(total - at);
            let mut buf = vec![0; size];
            match poll_once(server.read_exact(&mut buf)).await {
                Some(count) => assert_eq!(count.unwrap(), size),
                None => {
                    dropped += 1;
                    buf.fill(0);
                    assert_eq!(server.read_exact(&mut buf).await.unwrap(), size);
                }
            }
            assert!(buf == want[at..at + size], "at {at}");
            at += size;
        }
        assert!(dropped > 0);
        let error = server.read_exact(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        writer.await.unwrap();
    });
}

fn dropped_peek_and_readable_lose_nothing(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let total = 100_000;
        let writer = spawn(send_frames(client, total, 501));
        let (mut got, mut dropped) = (Vec::new(), 0);
        loop {
            let mut head = [0; 64];
            if poll_once(server.readable()).await.is_none() {
                dropped += 1;
            }
            let seen = match poll_once(server.peek(&mut head)).await {
                Some(seen) => seen.unwrap(),
                None => {
                    dropped += 1;
                    server.readable().await.unwrap();
                    server.peek(&mut head).await.unwrap()
                }
            };
            let Some(chunk) = server.recv().await.unwrap() else {
                assert_eq!(seen, 0, "the end was seen first");
                break;
            };
            let least = seen.min(chunk.len());
            assert!(seen > 0 && head[..least] == chunk[..least], "the same bytes, seen and taken");
            got.extend_from_slice(&chunk);
        }
        writer.await.unwrap();
        assert!(dropped > 0);
        assert!(got == pattern(total));
    });
}

/// Frames whose sending was given up are not there at all; all others are there, whole, in order.
fn dropped_send_is_whole_or_nothing(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let frame = |i: usize| vec![i as u8; 4096];
        let (mut sent, mut dropped, mut i) = (Vec::new(), 0, 0);
        while dropped < 8 && i < 8000 {
            match poll_once(client.send(frame(i))).await {
                Some(done) => {
                    done.unwrap();
                    sent.push(i as u8);
                }
                None => dropped += 1,
            }
            i += 1;
            yield_now().await;
        }
        assert!(dropped > 0, "nobody reads, and yet there is always room");
        let reader = spawn(async move {
            let mut got = Vec::new();
            while let Some(chunk) = server.recv().await.unwrap() {
                got.extend_from_slice(&chunk);
            }
            got
        });
        client.flush().await.unwrap();
        client.send(frame(i)).await.unwrap();
        sent.push(i as u8);
        client.close().await.unwrap();
        let got = reader.await.unwrap();
        assert_eq!(got.len(), sent.len() * 4096);
        for (frame, byte) in got.chunks(4096).zip(sent) {
            assert!(frame.iter().all(|b| *b == byte), "frames are whole and in order");
        }
    });
}

fn dropped_connect_frees_its_place(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let mut abandoned = 0;
        for i in 0..50u8 {
            if poll_once(connect(addr)).await.is_none() {
                abandoned += 1;
            }
            if i % 2 == 0 {
                yield_now().await;
            }
            let mut client = connect(addr).await.unwrap();
            client.send(vec![i]).await.unwrap();
            let from = client.local_addr().unwrap();
            loop {
                let (mut server, peer) = listener.accept().await.unwrap();
                if peer == from {
                    assert_eq!(take(&mut server, 1).await, [i]);
                    break;
                }
                // One of those that were given up: it has ended, one way or the other.
                assert!(!matches!(server.recv().await, Ok(Some(_))));
            }
        }
        assert!(abandoned > 0);
    });
}

/// What was begun with `flush` and `finish` goes on when nobody waits for it.
fn dropped_flush_and_finish_go_on(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let size = scaled(kind, 8 << 20);
        client.send(pattern(size)).await.unwrap();
        assert!(poll_once(client.flush()).await.is_none(), "so much takes time");
        assert!(poll_once(client.finish()).await.is_none());
        assert!(poll_once(client.finish()).await.is_none());
        let mut got = Vec::new();
        while let Some(chunk) = server.recv().await.unwrap() {
            got.extend_from_slice(&chunk);
        }
        assert!(got == pattern(size));
        client.finish().await.unwrap();
        client.flush().await.unwrap();
    });
}

/// `mem::forget` runs no destructor at all: sockets and loops go on regardless.
fn forgotten_futures_hurt_nobody(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let (mut client, mut server) = pair_at(&listener, addr).await;
        for round in 0..20u8 {
            let mut recv = Box::pin(server.recv());
            assert!(poll_once(&mut recv).await.is_none());
            std::mem::forget(recv);
            let mut readable = Box::pin(server.readable());
            assert!(poll_once(&mut readable).await.is_none());
            std::mem::forget(readable);
            let mut accept = Box::pin(listener.accept());
            assert!(poll_once(&mut accept).await.is_none());
            std::mem::forget(accept);
            client.send(vec![round]).await.unwrap();
            assert_eq!(take(&mut server, 1).await, [round]);
        }
        let (_client, _server) = pair_at(&listener, addr).await;
    });
}
