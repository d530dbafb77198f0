//! The calls whose names and meaning are tokio's: `readable`, `try_read`, `peek`, vectors, options.
use crate::everywhere;
use crate::stage::{drain, listen, pair, pattern, run, scaled, settle, take};
use futures_lite::future::zip;
use reseau::net::Interest;
use reseau::{Kind, TcpStream, spawn};
use std::io::{ErrorKind, IoSlice, IoSliceMut};

everywhere!(
    try_loops_move_everything,
    try_read_says_would_block_and_arms_the_lane,
    peek_takes_nothing,
    vectors_go_out_and_come_in_in_order,
    ready_says_what_is_ready,
    many_wait_for_one_stream,
    many_accept_from_one_listener,
    addresses_and_options_are_kept,
    sockets_print_their_addresses,
);

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        stream.writable().await.unwrap();
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

/// Also says how often it was told to read, and found something, and nothing.
async fn read_all(stream: &TcpStream, step: usize) -> (Vec<u8>, usize, usize) {
    let (mut got, mut buf, mut found, mut spurious) = (Vec::new(), vec![0; step], 0, 0);
    loop {
        stream.readable().await.unwrap();
        match stream.try_read(&mut buf) {
            Ok(0) => return (got, found, spurious),
            Ok(count) => {
                found += 1;
                got.extend_from_slice(&buf[..count]);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                spurious += 1;
            }
        }
    }
}

fn try_loops_move_everything(kind: Kind) {
    run(kind, async {
        for step in [1000, 4096, 50_000, 1 << 20] {
            let (mut client, server) = pair().await;
            let total = scaled(kind, 2 << 20);
            let reads = spawn(async move { read_all(&server, step).await });
            write_all(&client, &pattern(total)).await;
            client.finish().await.unwrap();
            let (got, found, spurious) = reads.await.unwrap();
            assert!(got == pattern(total));
            // It is assumed after each read, and of a connection that was just accepted.
            assert!(spurious <= found + 1, "{spurious} times it was readable, and was not");
        }
    });
}

/// Programs that spin on `try_read` between other work get their bytes too.
fn try_read_says_would_block_and_arms_the_lane(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        let mut buf = [0; 64];
        for i in 0..20u8 {
            assert_eq!(server.try_read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
            client.send(vec![i; 8]).await.unwrap();
            let mut got = 0;
            while got < 8 {
                reseau::sleep(std::time::Duration::from_millis(1)).await;
                match server.try_read(&mut buf) {
                    Ok(count) => {
                        assert!(buf[..count].iter().all(|byte| *byte == i));
                        got += count;
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
        }
        assert_eq!(server.try_read(&mut []).unwrap(), 0);
    });
}

fn peek_takes_nothing(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        client.send(pattern(10_000)).await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..5 {
            let mut buf = vec![0; 6000];
            let count = server.peek(&mut buf).await.unwrap();
            assert!(count >= seen.len(), "what was seen stays");
            assert!(buf[..count] == pattern(10_000)[..count]);
            seen = buf[..count].to_vec();
            settle().await;
        }
        assert_eq!(server.peek(&mut []).await.unwrap(), 0);
        assert!(take(&mut server, 10_000).await == pattern(10_000));
    });
}

fn vectors_go_out_and_come_in_in_order(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        let (one, two, three) = (pattern(100), pattern(5000), pattern(3));
        let all = [&one[..], &[], &two, &three].concat();
        let mut sent = 0;
        while sent < all.len() {
            client.writable().await.unwrap();
            // The vector begins where the last one ended.
            let rest = &all[sent..];
            let middle = rest.len().min(100);
            let bufs =
                [IoSlice::new(&rest[..middle]), IoSlice::new(&[]), IoSlice::new(&rest[middle..])];
            match client.try_write_vectored(&bufs) {
                Ok(count) => sent += count,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        client.finish().await.unwrap();
        let mut got = Vec::new();
        loop {
            server.readable().await.unwrap();
            let (mut a, mut b, mut c) = ([0; 7], [0; 0], [0; 900]);
            let mut bufs = [&mut a[..], &mut b[..], &mut c[..]].map(IoSliceMut::new);
            match server.try_read_vectored(&mut bufs) {
                Ok(0) => break,
                Ok(count) => {
                    let both = [&a[..], &c[..]].concat();
                    got.extend_from_slice(&both[..count]);
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert!(got == all);
    });
}

fn ready_says_what_is_ready(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        assert_eq!(server.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = server.ready(both).await.unwrap();
        assert!(ready.is_writable() && !ready.is_readable());
        client.send("x").await.unwrap();
        let ready = server.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_readable());
        assert_eq!(server.try_read(&mut [0; 4]).unwrap(), 1);
        client.finish().await.unwrap();
        assert_eq!(server.peek(&mut [0]).await.unwrap(), 0);
        let ready = server.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_readable() && ready.is_read_closed());
    });
}

/// Each of them is woken, and each by what it waits for.
fn many_wait_for_one_stream(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        assert_eq!(server.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let server = std::rc::Rc::new(server);
        let tasks: Vec<_> = (0..8)
            .map(|i| {
                let server = server.clone();
                reseau::spawn_local(async move {
                    if i % 2 == 0 {
                        server.readable().await.unwrap();
                    } else {
                        assert!(server.peek(&mut [0; 4]).await.unwrap() > 0);
                    }
                })
            })
            .collect();
        settle().await;
        assert!(tasks.iter().all(|task| !task.is_finished()));
        client.send("all of you").await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

fn many_accept_from_one_listener(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let listener = std::sync::Arc::new(listener);
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let listener = listener.clone();
                spawn(async move { listener.accept().await.unwrap() })
            })
            .collect();
        settle().await;
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(TcpStream::connect(addr).await.unwrap());
        }
        let mut peers = Vec::new();
        for task in tasks {
            peers.push(task.await.unwrap().1);
        }
        let mut expected: Vec<_> = clients.iter().map(|c| c.local_addr().unwrap()).collect();
        peers.sort_unstable();
        expected.sort_unstable();
        assert_eq!(peers, expected, "each connection comes to one of them");
    });
}

fn addresses_and_options_are_kept(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let (client, accepted) = zip(TcpStream::connect(addr), listener.accept()).await;
        let (client, (server, peer)) = (client.unwrap(), accepted.unwrap());
        assert_eq!(client.peer_addr().unwrap(), addr);
        assert_eq!(client.local_addr().unwrap(), peer);
        assert_eq!(server.peer_addr().unwrap(), peer);
        assert_eq!(server.local_addr().unwrap(), addr);
        for on in [true, false] {
            client.set_nodelay(on).unwrap();
            assert_eq!(client.nodelay().unwrap(), on);
        }
        client.set_ttl(33).unwrap();
        assert_eq!(client.ttl().unwrap(), 33);
        assert!(client.take_error().unwrap().is_none());
        assert!(listener.take_error().unwrap().is_none());
        assert_eq!(client.linger().unwrap(), None);
        client.set_zero_linger().unwrap();
        assert_eq!(client.linger().unwrap(), Some(std::time::Duration::ZERO));
    });
}

fn sockets_print_their_addresses(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let text = format!("{client:?}");
        for part in [client.local_addr().unwrap(), client.peer_addr().unwrap()] {
            assert!(text.contains(&part.to_string()), "{text}");
        }
        client.send("x").await.unwrap();
        client.close().await.unwrap();
        assert_eq!(drain(&mut server).await, b"x");
        assert!(!format!("{server:?}").is_empty(), "whatever has become of the peer");
    });
}
