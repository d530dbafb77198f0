//! Bytes stay in order, whole and single, whoever sends them from wherever.
use crate::foreign;
use crate::stage::{Stage, block_on, bytes, check, poll_once, tokio_of_many};
use reseau::TcpStream;
use std::io::{Read, Write};
use std::net::TcpListener as Peers;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

foreign!(
    halves_on_two_threads,
    dropped_recv_loses_nothing,
    dropped_send_is_whole_or_nothing,
    big_and_small_sends_are_ordered,
    backpressure_is_ordered,
    streams_wander_between_threads,
    small_writes_from_afar,
);

fn halves_on_two_threads(stage: &mut Stage) {
    const TOTAL: usize = 8 << 20;
    let peers = Peers::bind("127.0.0.1:0").unwrap();
    let addr = peers.local_addr().unwrap();
    let echo = thread::spawn(move || {
        let (mut stream, _) = peers.accept().unwrap();
        let mut back = stream.try_clone().unwrap();
        std::io::copy(&mut stream, &mut back).unwrap();
    });
    let stream = block_on(TcpStream::connect_on(&stage.remote, addr)).unwrap();
    let (mut read, mut write) = stream.into_split();
    let writer = thread::spawn(move || {
        block_on(async {
            let mut at = 0;
            while at < TOTAL {
                let end = (at + 1 + at % 5000).min(TOTAL);
                write.send(bytes(at..end)).await.unwrap();
                at = end;
            }
            write.finish().await.unwrap();
        });
    });
    let reader = thread::spawn(move || {
        block_on(async {
            let mut at = 0;
            while let Some(chunk) = read.recv().await.unwrap() {
                at = check(at, &chunk);
            }
            assert_eq!(at, TOTAL);
        });
    });
    writer.join().unwrap();
    reader.join().unwrap();
    echo.join().unwrap();
}

fn dropped_recv_loses_nothing(stage: &mut Stage) {
    const TOTAL: usize = 1 << 20;
    let (mut stream, mut peer) = stage.pair();
    let writer = thread::spawn(move || {
        bytes(0..TOTAL).chunks(1777).for_each(|frame| peer.write_all(frame).unwrap());
    });
    tokio_of_many().block_on(async {
        let (mut at, mut dropped) = (0, 0);
        loop {
            let chunk = tokio::select! { biased;
                chunk = stream.recv() => chunk,
                () = tokio::task::yield_now() => { dropped += 1; continue }
            };
            let Some(chunk) = chunk.unwrap() else { break };
            at = check(at, &chunk);
        }
        assert_eq!(at, TOTAL);
        assert!(dropped > 0);
    });
    writer.join().unwrap();
}

/// Frames are sent or not, as the call says; in between, another thread's poll may be the one.
fn dropped_send_is_whole_or_nothing(stage: &mut Stage) {
    let (mut stream, mut peer) = stage.pair();
    let (full, start) = std::sync::mpsc::channel();
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        start.recv().unwrap(); // When all buffers are full.
        peer.read_to_end(&mut got).unwrap();
        got
    });
    let (mut sent, mut dropped) = (Vec::new(), 0);
    for i in 0..6000usize {
        match poll_once(stream.send(vec![i as u8; 3000])) {
            Some(done) => {
                done.unwrap();
                sent.push(i as u8);
            }
            None => {
                dropped += 1;
                if dropped % 64 == 0 {
                    let _ = full.send(());
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }
    assert!(dropped > 0 || cfg!(windows)); // (Its buffers grow.)
    full.send(()).unwrap();
    block_on(stream.close()).unwrap();
    let got = reader.join().unwrap();
    assert_eq!(got.len(), sent.len() * 3000);
    for (frame, byte) in got.chunks(3000).zip(sent) {
        assert!(frame.iter().all(|b| *b == byte), "frames are whole and in order");
    }
}

/// Small and huge chunks alternate, so that direct sends and queued ones do.
fn big_and_small_sends_are_ordered(stage: &mut Stage) {
    const ROUNDS: usize = 2000;
    let size = |i: usize| if i % 50 == 7 { 300_000 } else { 1 + i * 37 % 3000 };
    let total: usize = (0..ROUNDS).map(size).sum();
    let (mut stream, mut peer) = stage.pair();
    let reader = thread::spawn(move || {
        let (mut buf, mut at, mut turn) = (vec![0; 70_000], 0, 0);
        while at < total {
            let count = peer.read(&mut buf).unwrap();
            assert!(count > 0);
            at = check(at, &buf[..count]);
            turn += 1;
            if turn % 64 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let sends = async move {
        let mut at = 0;
        for i in 0..ROUNDS {
            stream.send(bytes(at..at + size(i))).await.unwrap();
            at += size(i);
            if i % 97 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        stream.flush().await.unwrap();
    };
    let tokio = tokio_of_many();
    tokio.block_on(async { tokio::spawn(sends).await.unwrap() });
    reader.join().unwrap();
}

/// A peer that reads a little at a time: the lane is full most of the time, and drains under the
/// sender's feet. A direct send that overtook the queue would show.
fn backpressure_is_ordered(stage: &mut Stage) {
    const TOTAL: usize = 8 << 20;
    let (mut stream, mut peer) = stage.pair();
    socket2::SockRef::from(&peer).set_recv_buffer_size(64 << 10).unwrap();
    let reader = thread::spawn(move || {
        let (mut buf, mut at) = (vec![0; 128 << 10], 0);
        while at < TOTAL {
            thread::sleep(Duration::from_micros(300));
            let count = peer.read(&mut buf).unwrap();
            assert!(count > 0);
            at = check(at, &buf[..count]);
        }
    });
    block_on(async {
        let mut at = 0;
        while at < TOTAL {
            let end = (at + 1 + at % 7001).min(TOTAL);
            stream.send(bytes(at..end)).await.unwrap();
            at = end;
        }
        stream.flush().await.unwrap();
    });
    reader.join().unwrap();
}

/// Each call on another thread, each with another waker.
fn streams_wander_between_threads(stage: &mut Stage) {
    let (mut stream, mut peer) = stage.pair();
    for round in 0..100usize {
        stream = thread::spawn(move || {
            let _ = poll_once(stream.recv());
            block_on(stream.send(bytes(round..round + 500))).unwrap();
            stream
        })
        .join()
        .unwrap();
        let mut back = vec![0; 500];
        peer.read_exact(&mut back).unwrap();
        check(round, &back);
        peer.write_all(&back).unwrap();
        stream = thread::spawn(move || {
            let mut got = vec![0; 500];
            block_on(stream.read_exact(&mut got)).unwrap();
            check(round, &got);
            stream
        })
        .join()
        .unwrap();
    }
}

/// By the trait, which collects them behind what is under way.
fn small_writes_from_afar(stage: &mut Stage) {
    use futures_lite::io::AsyncWriteExt;
    const TOTAL: usize = 200_000;
    let (mut stream, mut peer) = stage.pair();
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        assert_eq!(check(0, &got), TOTAL);
    });
    block_on(async {
        let mut at = 0;
        while at < TOTAL {
            let end = (at + 1 + at % 7).min(TOTAL);
            stream.write_all(&bytes(at..end)).await.unwrap();
            at = end;
        }
        // Polled to readiness by hand, and once too often.
        let mut flush = Box::pin(stream.flush());
        let mut cx = Context::from_waker(Waker::noop());
        while flush.as_mut().poll(&mut cx).is_pending() {
            thread::yield_now();
        }
        drop(flush);
        AsyncWriteExt::close(&mut stream).await.unwrap();
    });
    reader.join().unwrap();
}
