//! Sockets that leave their loop: with what they had received, for another loop or for none.
use crate::stage::{config, drain, listen, pair, pattern, poll_once, run, scaled, settle, take};
use crate::{everywhere, on_kernels};
use reseau::{Kind, Loop, TcpStream, spawn};

everywhere!(
    detached_and_attached_again_on_the_same_loop,
    detached_with_bytes_received_ahead,
    what_is_queued_is_sent_before_leaving,
    the_end_comes_along,
    detached_listeners_keep_their_connections,
    a_dropped_detach_closes,
    dropping_what_is_detached_closes_it,
);

mod real {
    use super::*;
    on_kernels!(
        moves_to_another_loop,
        moves_while_bytes_come,
        into_std_without_bytes_ahead,
        into_std_with_bytes_ahead_says_so,
        into_parts_hands_bytes_over,
        from_std_and_back,
        accepted_on_another_loop,
    );
}

fn detached_and_attached_again_on_the_same_loop(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        for round in 0..20u8 {
            client.send(vec![round; 100]).await.unwrap();
            if round % 2 == 0 {
                assert_eq!(take(&mut server, 100).await, [round; 100]);
                server = server.detach().await.unwrap().attach().unwrap();
            } else {
                server = server.detach().await.unwrap().attach().unwrap();
                assert_eq!(take(&mut server, 100).await, [round; 100]);
            }
            server.send("ok").await.unwrap();
            assert_eq!(take(&mut client, 2).await, b"ok");
        }
        let mut client = client.detach().await.unwrap().attach().unwrap();
        client.send("end").await.unwrap();
        client.close().await.unwrap();
        assert_eq!(drain(&mut server).await, b"end");
    });
}

fn detached_with_bytes_received_ahead(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        client.send(pattern(30_000)).await.unwrap();
        server.peek(&mut [0]).await.unwrap();
        settle().await;
        let ahead = server.queued();
        assert!(ahead > 0);
        let detached = server.detach().await.unwrap();
        let received: Vec<u8> = detached.received().flat_map(|chunk| chunk.to_vec()).collect();
        assert!(received.len() >= ahead);
        assert!(received[..] == pattern(30_000)[..received.len()]);
        client.send("more").await.unwrap();
        settle().await;
        let mut server = detached.attach().unwrap();
        assert_eq!(server.queued(), received.len());
        assert!(take(&mut server, 30_004).await == [&pattern(30_000)[..], b"more"].concat());
    });
}

fn what_is_queued_is_sent_before_leaving(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let size = scaled(kind, 4 << 20);
        client.send(pattern(size)).await.unwrap();
        let reader = spawn(async move { drain(&mut server).await });
        let client = client.detach().await.unwrap().attach().unwrap();
        client.close().await.unwrap();
        assert!(reader.await.unwrap() == pattern(size));
    });
}

fn the_end_comes_along(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        client.send("last words").await.unwrap();
        client.close().await.unwrap();
        server.peek(&mut [0]).await.unwrap();
        settle().await;
        let mut server = server.detach().await.unwrap().attach().unwrap();
        assert_eq!(drain(&mut server).await, b"last words");
        assert!(server.recv().await.unwrap().is_none());
    });
}

fn detached_listeners_keep_their_connections(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        assert!(poll_once(listener.accept()).await.is_none());
        let mut clients = Vec::new();
        for i in 0..5u8 {
            let mut client = TcpStream::connect(addr).await.unwrap();
            client.send(vec![i]).await.unwrap();
            clients.push(client);
        }
        settle().await;
        let detached = listener.detach().await.unwrap();
        assert_eq!(detached.accepted(), 5);
        clients.push(TcpStream::connect(addr).await.unwrap());
        let listener = detached.attach().unwrap();
        let mut missing: Vec<_> = clients.iter().map(|c| c.local_addr().unwrap()).collect();
        while !missing.is_empty() {
            let (mut server, peer) = listener.accept().await.unwrap();
            let client = clients.iter().position(|c| c.local_addr().unwrap() == peer).unwrap();
            missing.retain(|addr| *addr != peer);
            if client < 5 {
                assert_eq!(take(&mut server, 1).await, [client as u8]);
            }
        }
        assert!(poll_once(listener.accept()).await.is_none(), "none comes twice");
    });
}

fn a_dropped_detach_closes(kind: Kind) {
    run(kind, async {
        for turns in 0..4 {
            let (mut client, mut server) = pair().await;
            let size = scaled(kind, 4 << 20);
            client.send(pattern(size)).await.unwrap();
            let mut detach = Box::pin(client.detach());
            for _ in 0..turns {
                assert!(poll_once(&mut detach).await.is_none(), "so much takes time");
                settle().await;
            }
            drop(detach);
            assert!(drain(&mut server).await == pattern(size), "{turns}: as a drop does");
        }
    });
}

fn dropping_what_is_detached_closes_it(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        drop(client.detach().await.unwrap());
        assert!(server.recv().await.unwrap().is_none());
    });
}

fn moves_to_another_loop(kind: Kind) {
    let (detached, client) = run(kind, async {
        let (mut client, server) = pair().await;
        client.send(pattern(20_000)).await.unwrap();
        server.peek(&mut [0]).await.unwrap();
        settle().await;
        (server.detach().await.unwrap(), client.detach().await.unwrap())
    });
    let elsewhere = std::thread::spawn(move || {
        run(kind, async {
            let mut server = detached.attach().unwrap();
            assert!(take(&mut server, 20_000).await == pattern(20_000));
            server.send("from there").await.unwrap();
            server.close().await.unwrap();
        });
    });
    let other = if kind == Kind::Uring { Kind::Ready } else { kind };
    run(other, async move {
        let mut client = client.attach().unwrap();
        assert_eq!(drain(&mut client).await, b"from there");
    });
    elsewhere.join().unwrap();
}

/// From loop to loop, a hundred times, in the middle of a stream of bytes.
fn moves_while_bytes_come(kind: Kind) {
    let total = 3 << 20;
    let std_listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = std_listener.local_addr().unwrap();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        let (mut peer, _) = std_listener.accept().unwrap();
        for frame in pattern(total).chunks(1777) {
            peer.write_all(frame).unwrap();
        }
    });
    let loops = [Loop::with(&config(kind)).unwrap(), Loop::with(&config(kind)).unwrap()];
    let mut detached = loops[0]
        .block_on(async { TcpStream::connect(addr).await.unwrap().detach().await.unwrap() });
    let (mut got, mut turn) = (Vec::new(), 0);
    while got.len() < total {
        turn += 1;
        detached = loops[turn % 2].block_on(async {
            let mut stream = detached.attach().unwrap();
            for _ in 0..turn % 8 {
                let Some(chunk) = stream.recv().await.unwrap() else { break };
                got.extend_from_slice(&chunk);
            }
            stream.detach().await.unwrap()
        });
    }
    assert!(turn > 10);
    assert!(got == pattern(total));
    writer.join().unwrap();
}

fn into_std_without_bytes_ahead(kind: Kind) {
    use std::io::{Read, Write};
    run(kind, async {
        let (mut client, server) = pair().await;
        client.send(pattern(100_000)).await.unwrap();
        let reader = spawn(async move {
            let mut server = server;
            let got = take(&mut server, 100_003).await;
            (server, got)
        });
        client.flush().await.unwrap();
        let mut client = client.into_std().unwrap();
        client.set_nonblocking(false).unwrap();
        client.write_all(b"std").unwrap();
        let (mut server, got) = reader.await.unwrap();
        assert!(got == [&pattern(100_000)[..], b"std"].concat());
        server.send("back").await.unwrap();
        server.flush().await.unwrap();
        let mut back = [0; 4];
        client.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"back");
    });
}

fn into_std_with_bytes_ahead_says_so(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        client.send("ahead").await.unwrap();
        server.peek(&mut [0]).await.unwrap();
        let error = server.into_std().unwrap_err();
        assert!(error.to_string().contains("ahead"), "{error}");
        assert!(!matches!(client.recv().await, Ok(Some(_))), "and closes");
        // What was read already is not ahead.
        let (mut client, mut server) = pair().await;
        client.send("taken").await.unwrap();
        assert_eq!(take(&mut server, 5).await, b"taken");
        server.into_std().unwrap();
    });
}

fn into_parts_hands_bytes_over(kind: Kind) {
    use std::io::Read;
    run(kind, async {
        let (mut client, server) = pair().await;
        client.send(pattern(50_000)).await.unwrap();
        client.finish().await.unwrap();
        server.peek(&mut [0]).await.unwrap();
        let (mut socket, chunks) = server.detach().await.unwrap().into_parts().unwrap();
        let mut got: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.to_vec()).collect();
        assert!(!got.is_empty());
        socket.set_nonblocking(false).unwrap();
        let rest = reseau::offload(move || {
            let mut rest = Vec::new();
            socket.read_to_end(&mut rest).unwrap();
            rest
        });
        got.extend(rest.await.unwrap());
        assert!(got == pattern(50_000));
    });
}

fn from_std_and_back(kind: Kind) {
    use std::io::{Read, Write};
    let std_listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = std_listener.local_addr().unwrap();
    run(kind, async {
        let listener = reseau::TcpListener::from_std(std_listener).unwrap();
        let mut peer = std::net::TcpStream::connect(addr).unwrap();
        let (server, _) = listener.accept().await.unwrap();
        peer.write_all(b"ping").unwrap();
        let mut server = TcpStream::from_std(server.into_std().unwrap()).unwrap();
        assert_eq!(take(&mut server, 4).await, b"ping");
        server.send("pong").await.unwrap();
        server.close().await.unwrap();
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"pong");
        let std_listener = listener.into_std().unwrap();
        assert_eq!(std_listener.local_addr().unwrap(), addr);
        std_listener.set_nonblocking(false).unwrap();
        let _peer = std::net::TcpStream::connect(addr).unwrap();
        std_listener.accept().unwrap();
    });
}

fn accepted_on_another_loop(kind: Kind) {
    let group = reseau::Group::new(2, &config(kind)).unwrap();
    run(kind, async {
        let (listener, addr) = listen().await;
        for remote in group.remotes() {
            let mut client = TcpStream::connect(addr).await.unwrap();
            let (mut server, _) = listener.accept_on(remote).await.unwrap();
            let echo = spawn(async move {
                while let Some(chunk) = server.recv().await.unwrap() {
                    server.send(chunk).await.unwrap();
                }
            });
            client.send(pattern(200_000)).await.unwrap();
            client.finish().await.unwrap();
            assert!(drain(&mut client).await == pattern(200_000));
            echo.await.unwrap();
        }
    });
}
