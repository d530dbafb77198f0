//! Those who send much do not keep others waiting, and those who are rude do not matter.
use super::stage::{connect, drain, listen, pair_at, pattern, poll_once, run, settle, take};
use super::{everywhere, on_kernels};
use reseau::{Kind, TcpSocket, TcpStream, spawn, yield_now};
use std::cell::Cell;
use std::rc::Rc;

everywhere!(floods_do_not_starve_others, senders_share, accepts_do_not_starve_streams,);

mod real {
    use super::*;
    // In a simulated world, whoever does not wait takes no time, and so lets none pass.
    on_kernels!(
        busy_tasks_do_not_starve_sockets,
        closing_sockets_do_not_starve_others,
        #[cfg(target_os = "linux")]
        who_waits_for_nothing_costs_nothing;
        plain "its peer is std's, which only reads":
        a_peer_that_keeps_up_does_not_let_a_sender_hog_the_loop,
    );
}

/// Four peers send as fast as they can to readers that keep up; a fifth plays ping-pong.
fn floods_do_not_starve_others(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let received = Rc::new(Cell::new(0usize));
        for _ in 0..4 {
            let (mut client, mut server) = pair_at(&listener, addr).await;
            spawn(async move { while client.send(pattern(40_000)).await.is_ok() {} }).detach();
            let received = received.clone();
            reseau::spawn_local(async move {
                while let Ok(Some(chunk)) = server.recv().await {
                    received.set(received.get() + chunk.len());
                }
            })
            .detach();
        }
        settle().await;
        let (mut client, mut server) = pair_at(&listener, addr).await;
        for round in 0..100 {
            let before = received.get();
            client.send(pattern(200)).await.unwrap();
            assert!(take(&mut server, 200).await == pattern(200));
            let meanwhile = received.get() - before;
            assert!(meanwhile < 16 << 20, "round {round}: {meanwhile} bytes of others came first");
        }
        assert!(received.get() > 100 << 10, "the floods went on");
    });
}

fn busy_tasks_do_not_starve_sockets(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let stop = Rc::new(Cell::new(false));
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let stop = stop.clone();
                reseau::spawn_local(async move {
                    while !stop.get() {
                        yield_now().await;
                    }
                })
            })
            .collect();
        let (mut client, mut server) = pair_at(&listener, addr).await;
        for _ in 0..20 {
            client.send("ping").await.unwrap();
            assert_eq!(take(&mut server, 4).await, b"ping");
        }
        reseau::sleep(std::time::Duration::from_millis(2)).await;
        stop.set(true);
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// There is always room, so the sender never has to wait; and yet the loop is not its own.
fn a_peer_that_keeps_up_does_not_let_a_sender_hog_the_loop(kind: Kind) {
    let std_listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = std_listener.local_addr().unwrap();
    let reader = std::thread::spawn(move || {
        let (mut peer, _) = std_listener.accept().unwrap();
        let (mut buf, mut count) = (vec![0; 1 << 20], 0u64);
        while let Ok(more @ 1..) = std::io::Read::read(&mut peer, &mut buf) {
            count += more as u64;
        }
        count
    });
    run(kind, async {
        let stream = TcpStream::connect(addr).await.unwrap();
        let (_read, mut write) = stream.into_split();
        let sent = Rc::new(Cell::new(0u64));
        let count = sent.clone();
        let hog = reseau::spawn_local(async move {
            while count.get() < 4 << 30 {
                write.send(vec![7; 512]).await.unwrap();
                count.set(count.get() + 512);
            }
        });
        for _ in 0..20 {
            let before = sent.get();
            yield_now().await;
            let meanwhile = sent.get() - before;
            assert!(meanwhile <= 4 << 20, "{meanwhile} bytes were sent in one turn");
        }
        hog.abort();
    });
    assert!(reader.join().unwrap() > 0);
}

/// In every turn connects are given up, are cancelled, and answer; the other end has much to do.
fn closing_sockets_do_not_starve_others(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let (mut client, mut server) = pair_at(&listener, addr).await;
        let (other, at) = listen().await;
        let closed = Rc::new(Cell::new(0));
        let count = closed.clone();
        let closing = reseau::spawn_local(async move {
            loop {
                count.set(count.get() + 1);
                drop(poll_once(other.accept()).await);
                let socket = TcpSocket::new_v4().unwrap();
                socket.set_zero_linger().unwrap(); // Ports are not to be used up.
                drop(poll_once(socket.connect(at)).await);
                yield_now().await;
            }
        });
        for _ in 0..50 {
            client.send("ping").await.unwrap();
            assert_eq!(take(&mut server, 4).await, b"ping");
            // 64 of them in each turn, and no more turns than it takes to see what is ready.
            let closed = closed.get();
            assert!(closed < 50 * 64 * 14, "{closed} sockets were closed meanwhile");
        }
        closing.abort();
    });
}

/// Sockets that have something to say, to nobody, do not keep their loop awake.
#[cfg(target_os = "linux")]
fn who_waits_for_nothing_costs_nothing(kind: Kind) {
    /// What this thread has computed so far, in nanoseconds.
    fn busy() -> u64 {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split_whitespace().next().unwrap().parse().unwrap()
    }
    run(kind, async {
        let (listener, addr) = listen().await;
        // One has more bytes than its window holds, one has ended, one was reset.
        let (mut flood, mut flooded) = pair_at(&listener, addr).await;
        while poll_once(flood.send(pattern(100_000))).await.is_some() {
            settle().await;
        }
        assert!(flooded.recv().await.unwrap().is_some());
        let (mut client, mut ended) = pair_at(&listener, addr).await;
        client.send("x").await.unwrap();
        client.close().await.unwrap();
        assert_eq!(drain(&mut ended).await, b"x");
        let (client, mut reset) = pair_at(&listener, addr).await;
        client.set_zero_linger().unwrap();
        drop(client);
        assert!(reset.recv().await.is_err());
        settle().await;
        let (start, before) = (std::time::Instant::now(), busy());
        reseau::sleep(std::time::Duration::from_millis(200)).await;
        let computed = u128::from(busy() - before);
        let passed = start.elapsed().as_nanos();
        assert!(computed * 10 < passed, "awake for {computed} of {passed} ns");
    });
}

/// Several streams with full lanes: all of them move.
fn senders_share(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let moved: Vec<_> = (0..4).map(|_| Rc::new(Cell::new(0usize))).collect();
        for count in &moved {
            let (mut client, mut server) = pair_at(&listener, addr).await;
            spawn(async move { while client.send(pattern(30_000)).await.is_ok() {} }).detach();
            let count = count.clone();
            reseau::spawn_local(async move {
                while let Ok(Some(chunk)) = server.recv().await {
                    count.set(count.get() + chunk.len());
                }
            })
            .detach();
        }
        while moved.iter().any(|count| count.get() < 1 << 18) {
            let most = moved.iter().map(|count| count.get()).max().unwrap();
            assert!(most < 1 << 30, "{moved:?}: one has it all");
            reseau::sleep(std::time::Duration::from_micros(200)).await;
        }
    });
}

/// A storm of connections, and a conversation in the middle of it.
fn accepts_do_not_starve_streams(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let (mut client, mut server) = pair_at(&listener, addr).await;
        let server_task = spawn(async move { while listener.accept().await.is_ok() {} });
        let storms: Vec<_> =
            (0..4).map(|_| spawn(async move { while connect(addr).await.is_ok() {} })).collect();
        for _ in 0..100 {
            client.send("ping").await.unwrap();
            assert_eq!(take(&mut server, 4).await, b"ping");
        }
        storms.into_iter().for_each(reseau::Task::abort);
        server_task.abort();
        settle().await;
    });
}
