//! How connections end: one direction, both, in order, by force, and what can still be read then.
use super::everywhere;
use super::stage::{
    TcpStream, connect, drain, drain_left, is_left, listen, listen_in, pair, pattern,
    resets_are_lost, run, scaled, settle, take,
};
use reseau::{Config, Kind, Loop, spawn};
use std::io::ErrorKind;
use std::time::Duration;

everywhere!(
    half_close_one_way_then_the_other,
    half_close_by_the_server_first,
    finish_then_receive_the_rest,
    the_end_is_sticky,
    nothing_can_be_sent_after_finish,
    finish_comes_after_everything,
    reset_is_an_error_that_stays,
    nothing_received_before_a_reset_is_lost,
    sending_to_the_gone_is_an_error_that_stays,
    close_sends_what_is_queued,
    drop_sends_what_is_queued,
    small_writes_outlive_their_stream,
    drop_does_not_wait_for_a_peer_that_reads_nothing;
    plain "a handshake takes two, and who connects waits for who accepts":
    drop_of_a_listener_turns_its_connections_away,
);

fn half_close_one_way_then_the_other(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        client.send("question").await.unwrap();
        client.finish().await.unwrap();
        assert_eq!(drain(&mut server).await, b"question");
        for i in 0..20u8 {
            server.send(vec![i; 1000]).await.unwrap();
            assert_eq!(take(&mut client, 1000).await, vec![i; 1000]);
        }
        server.finish().await.unwrap();
        assert!(client.recv().await.unwrap().is_none());
        assert!(server.recv().await.unwrap().is_none());
    });
}

fn half_close_by_the_server_first(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        server.finish().await.unwrap();
        assert!(client.recv().await.unwrap().is_none());
        for _ in 0..20 {
            client.send(pattern(3000)).await.unwrap();
            assert!(take(&mut server, 3000).await == pattern(3000));
        }
        client.finish().await.unwrap();
        assert!(server.recv().await.unwrap().is_none());
    });
}

fn finish_then_receive_the_rest(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let size = scaled(kind, 2 << 20);
        let task = spawn(async move {
            let question = drain(&mut server).await;
            server.send(pattern(size)).await.unwrap();
            server.close().await.unwrap();
            question
        });
        client.send(pattern(size)).await.unwrap();
        client.finish().await.unwrap();
        client.finish().await.unwrap(); // Once is enough, twice is fine.
        assert!(drain(&mut client).await == pattern(size));
        assert!(task.await.unwrap() == pattern(size));
    });
}

fn the_end_is_sticky(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        client.send("x").await.unwrap();
        client.close().await.unwrap();
        assert_eq!(&*server.recv().await.unwrap().unwrap(), b"x");
        for _ in 0..3 {
            assert!(server.recv().await.unwrap().is_none());
            server.readable().await.unwrap();
            assert_eq!(server.try_read(&mut [0; 8]).unwrap(), 0);
            assert_eq!(server.peek(&mut [0; 8]).await.unwrap(), 0);
            let short = server.read_exact(&mut [0; 8]).await.unwrap_err();
            assert_eq!(short.kind(), ErrorKind::UnexpectedEof);
        }
        assert_eq!(server.read_exact(&mut []).await.unwrap(), 0);
    });
}

fn nothing_can_be_sent_after_finish(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        client.send("all").await.unwrap();
        client.finish().await.unwrap();
        for _ in 0..2 {
            assert_eq!(client.send("more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert_eq!(client.try_write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert_eq!(client.try_write(b"").unwrap_err().kind(), ErrorKind::BrokenPipe);
            client.writable().await.unwrap(); // Writing would say something.
        }
        client.flush().await.unwrap();
        client.finish().await.unwrap();
        assert_eq!(drain(&mut server).await, b"all");
        server.send("answer").await.unwrap();
        assert_eq!(take(&mut client, 6).await, b"answer");
    });
}

fn finish_comes_after_everything(kind: Kind) {
    run(kind, async {
        for i in 0..30 {
            let (mut client, mut server) = pair().await;
            let size = 1 + i * 9973;
            let reader = spawn(async move { drain(&mut server).await });
            for frame in pattern(size).chunks(10_007) {
                client.send(frame.to_vec()).await.unwrap();
            }
            client.finish().await.unwrap();
            assert!(reader.await.unwrap() == pattern(size), "{size} bytes");
        }
    });
}

/// Ends a connection so that the peer gets a reset.
fn abort(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

fn reset_is_an_error_that_stays(kind: Kind) {
    if resets_are_lost("reset_is_an_error_that_stays") {
        return;
    }
    run(kind, async {
        let (client, mut server) = pair().await;
        abort(client);
        for _ in 0..3 {
            let error = server.recv().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
            server.readable().await.unwrap();
            let error = server.try_read(&mut [0; 8]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
            let error = server.peek(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
            let error = server.read_exact(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
    });
}

fn nothing_received_before_a_reset_is_lost(kind: Kind) {
    if resets_are_lost("nothing_received_before_a_reset_is_lost") {
        return;
    }
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let want = spawn(async move {
            // Waiting for the whole keeps the lane receiving; giving up leaves it all there.
            let mut all = vec![0; 20_001];
            while server.queued() < 20_000 {
                let late = reseau::timeout(Duration::from_millis(5), server.read_exact(&mut all));
                assert!(late.await.is_err());
            }
            server
        });
        client.send(pattern(20_000)).await.unwrap();
        let mut server = want.await.unwrap();
        assert_eq!(server.queued(), 20_000);
        abort(client);
        settle().await;
        assert!(take(&mut server, 20_000).await == pattern(20_000));
        for _ in 0..2 {
            let error = server.recv().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
    });
}

fn sending_to_the_gone_is_an_error_that_stays(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        drop(server);
        settle().await;
        let gone = |kind| matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        let first = loop {
            if let Err(error) = client.send(pattern(100)).await {
                break error;
            }
            reseau::sleep(Duration::from_millis(1)).await;
        };
        assert!(gone(first.kind()), "{first}");
        for _ in 0..3 {
            let again = [
                client.send("x").await.unwrap_err(),
                client.flush().await.unwrap_err(),
                client.try_write(b"x").unwrap_err(),
                client.finish().await.unwrap_err(),
            ];
            for error in again {
                assert_eq!(error.kind(), first.kind(), "{error}");
            }
            client.writable().await.unwrap();
        }
    });
}

fn close_sends_what_is_queued(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let size = scaled(kind, 8 << 20);
        let reader = spawn(async move { drain(&mut server).await });
        client.send(pattern(size)).await.unwrap();
        client.close().await.unwrap();
        assert!(reader.await.unwrap() == pattern(size));
    });
}

fn drop_sends_what_is_queued(kind: Kind) {
    run(kind, async {
        for way in 0..4 {
            let (mut client, mut server) = pair().await;
            let size = scaled(kind, 4 << 20);
            let mut sent = Vec::new();
            let full = loop {
                client.send(pattern(size)).await.unwrap();
                sent.extend(pattern(size));
                match client.try_write(b"end") {
                    Ok(count) => sent.extend(&b"end"[..count]), // The kernel took it all.
                    Err(error) => break error,
                }
            };
            assert_eq!(full.kind(), ErrorKind::WouldBlock);
            match way {
                0 => drop(client),
                1 => drop(Box::pin(client.close())),
                2 => drop(client.into_split()),
                _ => {
                    // Asked and given up.
                    let mut close = Box::pin(client.close());
                    assert!(super::stage::poll_once(&mut close).await.is_none());
                }
            }
            assert!(drain_left(&mut server).await == sent, "way {way}");
        }
    });
}

/// They are collected behind the operation that is under way, and it is they that come last.
fn small_writes_outlive_their_stream(kind: Kind) {
    run(kind, async {
        for way in 0..3 {
            let (client, mut server) = pair().await;
            let (mut sent, mut full) = (Vec::new(), 0);
            while full < 3 {
                match client.try_write(&pattern(700 + full)) {
                    Ok(count) => sent.extend_from_slice(&pattern(count)),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        full += 1;
                        settle().await;
                    }
                }
                assert!(sent.len() < 64 << 20, "somebody takes it all");
            }
            match way {
                0 => drop(client),
                1 => drop(client.into_split()),
                _ => spawn(async move { client.close().await.unwrap() }).detach(),
            }
            let got = drain_left(&mut server).await;
            assert!(got == sent, "way {way}: {} of {} bytes", got.len(), sent.len());
        }
    });
}

/// The linger bounds how long the loop goes on sending for a socket that was left.
fn drop_does_not_wait_for_a_peer_that_reads_nothing(kind: Kind) {
    let config = Config { linger: Duration::from_millis(30), ..super::stage::config(kind) };
    Loop::with(&config).unwrap().block_on(async {
        let (listener, addr) = listen().await;
        let (mut client, mut server) = super::stage::pair_at(&listener, addr).await;
        let mut sent = 0;
        while super::stage::poll_once(client.send(pattern(100_000))).await.is_some() {
            sent += 100_000;
            settle().await;
        }
        drop(client);
        reseau::sleep(Duration::from_millis(100)).await;
        // What was in the kernel's hands arrives; what was queued does not.
        let mut got = 0;
        loop {
            match server.recv().await {
                Ok(Some(chunk)) => got += chunk.len(),
                Ok(None) => break,
                Err(error) => {
                    assert!(is_left(&error), "{error}");
                    break;
                }
            }
        }
        assert!(got < sent, "{got} of {sent} bytes arrived, although the time was over");
    });
}

/// Connections that nobody asked for end with their listener, those already accepted included.
fn drop_of_a_listener_turns_its_connections_away(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen_in(13).await;
        assert!(super::stage::poll_once(listener.accept()).await.is_none());
        let mut clients = Vec::new();
        for _ in 0..100 {
            clients.push(connect(addr).await.unwrap());
        }
        settle().await;
        drop(listener);
        for client in &mut clients {
            assert!(!matches!(client.recv().await, Ok(Some(_))));
        }
        let error = connect(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}
