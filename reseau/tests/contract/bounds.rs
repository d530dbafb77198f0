//! Nothing grows without end: neither what peers send, nor what is sent to peers that do not read.
use super::stage::{
    BLOCK, WINDOW, config, connect, drain, listen, pair, pair_at, pattern, poll_once, run, scaled,
    settle, take,
};
use super::{everywhere, on_kernels};
use reseau::{Chunk, Config, Kind, Loop, TcpSocket, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

everywhere!(
    slow_reader_is_bounded,
    bounded_again_after_it_was_drained,
    writes_end_at_the_window,
    reader_that_does_not_read_hinders_nobody,
    whole_messages_from_a_small_pool,
    windows_can_be_changed;
    plain "what is encrypted is a copy, and so is what was decrypted":
    slow_peer_bounds_the_sender,
    hoarder_starves_then_recovers,
    starved_lanes_take_turns;
    plain "a handshake takes two, and who connects waits for who accepts":
    listener_holds_back,
);

mod real {
    use super::*;
    on_kernels!(;
        plain "its peer is std's, which only floods": a_flooded_lane_does_not_overshoot_again
    );
}

/// What a burst may add to a full window: the blocks that were lent to the kernel, which are half
/// of the pool's at most.
const BURST: usize = 128 * BLOCK;

fn slow_reader_is_bounded(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let total = scaled(kind, 8 << 20);
        let writer = spawn(async move {
            for frame in pattern(total).chunks(BLOCK) {
                client.send(frame.to_vec()).await.unwrap();
            }
            client.finish().await.unwrap();
        });
        assert!(poll_once(server.recv()).await.is_none());
        for _ in 0..60 {
            reseau::sleep(Duration::from_millis(2)).await;
            assert!(server.queued() <= WINDOW + BURST, "{} bytes queued", server.queued());
        }
        assert!(server.queued() > 0, "and yet it is read ahead");
        assert!(drain(&mut server).await == pattern(total));
        writer.await.unwrap();
    });
}

/// A lane that went over its window does not do so again as long as the flood lasts.
fn bounded_again_after_it_was_drained(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let total = scaled(kind, 16 << 20);
        let writer = spawn(async move {
            for frame in pattern(total).chunks(3 * BLOCK) {
                client.send(frame.to_vec()).await.unwrap();
            }
            client.finish().await.unwrap();
        });
        let mut got = Vec::new();
        'whole: loop {
            for _ in 0..(server.queued() / BLOCK / 2).max(1) {
                let Some(chunk) = server.recv().await.unwrap() else { break 'whole };
                got.extend_from_slice(&chunk);
            }
            for _ in 0..3 {
                yield_now().await;
            }
            assert!(server.queued() <= WINDOW + BURST, "{} bytes queued", server.queued());
        }
        assert!(got == pattern(total));
        writer.await.unwrap();
    });
}

/// A burst may go over the window once. As long as the kernel has more than a block to give, the
/// lane then takes one at a time.
fn a_flooded_lane_does_not_overshoot_again(kind: Kind) {
    run(kind, async {
        // A large buffer, which one window does not empty.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1 << 20).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(8).unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.set_nonblocking(true).unwrap();
        // Until both buffers of the kernel are full.
        let mut fill = || while std::io::Write::write(&mut peer, &[7; 1 << 16]).is_ok() {};
        let (mut server, _) = listener.accept().await.unwrap();
        while poll_once(server.recv()).await.is_some() {}
        while server.queued() < WINDOW {
            fill();
            reseau::sleep(Duration::from_millis(1)).await;
        }
        for round in 0..20 {
            fill();
            while poll_once(server.recv()).await.is_some() {} // Who waits has it all begin again.
            reseau::sleep(Duration::from_millis(1)).await;
            let queued = server.queued();
            assert!(queued <= WINDOW + BLOCK, "round {round}: {queued} bytes queued");
        }
    });
}

/// Bytes that count how many of them are alive.
struct Counted(Vec<u8>, Arc<AtomicUsize>);

impl Counted {
    fn chunk(bytes: Vec<u8>, alive: &Arc<AtomicUsize>) -> Chunk {
        alive.fetch_add(bytes.len(), SeqCst);
        Chunk::from_owner(Self(bytes, alive.clone()))
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(self.0.len(), SeqCst);
    }
}

fn slow_peer_bounds_the_sender(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let alive = Arc::new(AtomicUsize::new(0));
        let mut sent = Vec::new();
        let mut refused = 0;
        while refused < 10 {
            assert!(sent.len() < 64 << 20, "somebody takes it all");
            let frame = pattern(3000 + sent.len() % 777);
            match poll_once(client.send(Counted::chunk(frame.clone(), &alive))).await {
                Some(done) => {
                    done.unwrap();
                    sent.extend_from_slice(&frame);
                }
                None => {
                    refused += 1;
                    // The frame at the head may be gone but for its last bytes.
                    let held = alive.load(SeqCst);
                    assert!(held >= WINDOW, "refused while the lane holds only {held} bytes");
                    settle().await;
                }
            }
            yield_now().await; // What was sent at once is dropped in the next turn.
            let held = alive.load(SeqCst);
            // One frame over the window, and one that is sent but for its last bytes.
            assert!(held < WINDOW + 2 * 4000, "the lane holds {held} bytes");
        }
        let reader = spawn(async move { drain(&mut server).await });
        client.close().await.unwrap();
        assert!(reader.await.unwrap() == sent);
        assert_eq!(alive.load(SeqCst), 0, "what is sent is dropped");
    });
}

/// `try_write` takes a window of bytes and no more until the loop has sent some.
fn writes_end_at_the_window(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let (mut sent, mut full) = (Vec::new(), 0);
        let bytes = pattern(1000);
        while full < 10 {
            let mut now = 0;
            // Without a turn of the loop, nothing leaves the lane but what `send(2)` takes at once.
            loop {
                match client.try_write(&bytes) {
                    Ok(count) => {
                        assert!(0 < count && count <= bytes.len());
                        sent.extend_from_slice(&bytes[..count]);
                        now += count;
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                        full += 1;
                        break;
                    }
                }
                assert!(sent.len() < 64 << 20, "somebody takes it all");
            }
            if kind != Kind::Ready {
                // (A ring is spared one send a turn.)
                let spared = if kind == Kind::Uring { bytes.len() } else { 0 };
                assert!(now <= WINDOW + spared, "{now} bytes in one go");
            }
            settle().await;
        }
        let reader = spawn(async move { drain(&mut server).await });
        client.flush().await.unwrap();
        client.close().await.unwrap();
        assert!(reader.await.unwrap() == sent);
    });
}

fn small_pool(kind: Kind) -> Config {
    Config { blocks_max: 8, window: 1 << 20, ..config(kind) }
}

/// Who holds all blocks of the pool gets no more; who gives them back goes on.
fn hoarder_starves_then_recovers(kind: Kind) {
    Loop::with(&small_pool(kind)).unwrap().block_on(async {
        let (mut client, mut server) = pair().await;
        let total = scaled(kind, 4 << 20);
        let writer = spawn(async move {
            client.send(pattern(total)).await.unwrap();
            client.close().await.unwrap();
        });
        let (mut held, mut got) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            if let Some(chunk) = poll_once(server.recv()).await {
                held.push(chunk.unwrap().unwrap());
            }
            reseau::sleep(Duration::from_millis(1)).await;
        }
        let blocks: usize = held.iter().filter(|chunk| chunk.len() > BLOCK / 16).count();
        assert!(0 < blocks && blocks <= 8, "the budget holds: {blocks} blocks");
        held.iter().for_each(|chunk| got.extend_from_slice(chunk));
        drop(held);
        got.extend(drain(&mut server).await);
        assert!(got == pattern(total));
        writer.await.unwrap();
    });
}

/// Several lanes starve; blocks come home one by one, and each lane gets some.
fn starved_lanes_take_turns(kind: Kind) {
    Loop::with(&small_pool(kind)).unwrap().block_on(async {
        let (listener, addr) = listen().await;
        let (mut client, mut hoarder) = pair_at(&listener, addr).await;
        let flood = spawn(async move {
            let _ = client.send(pattern(40 * BLOCK)).await;
            client
        });
        let mut held = Vec::new();
        while held.len() < 8 {
            match poll_once(hoarder.recv()).await {
                Some(chunk) => held.extend(chunk.unwrap().filter(|c| c.len() > BLOCK / 16)),
                None => reseau::sleep(Duration::from_millis(1)).await,
            }
        }
        let mut others = Vec::new();
        for i in 0..6u8 {
            let (mut client, mut server) = pair_at(&listener, addr).await;
            client.send(vec![i; 600]).await.unwrap();
            assert!(poll_once(server.recv()).await.is_none(), "no block is left for it");
            others.push(spawn(async move {
                assert_eq!(take(&mut server, 600).await, [i; 600]);
                drop(client);
            }));
        }
        settle().await;
        assert!(others.iter().all(|other| !other.is_finished()));
        held.truncate(6); // The hoarder keeps hoarding, with fewer.
        for other in others {
            other.await.unwrap();
        }
        drop((held, hoarder));
        drop(flood.await.unwrap());
    });
}

/// Its window fills and it stops there, well within the pool.
fn reader_that_does_not_read_hinders_nobody(kind: Kind) {
    let config = Config { window: 16 << 10, ..config(kind) };
    Loop::with(&config).unwrap().block_on(async {
        let (listener, addr) = listen().await;
        let mut idle = Vec::new();
        for _ in 0..3 {
            let (mut client, mut server) = pair_at(&listener, addr).await;
            assert!(poll_once(server.recv()).await.is_none());
            let flood = spawn(async move { while client.send(pattern(10_000)).await.is_ok() {} });
            idle.push((server, flood));
        }
        settle().await;
        let (mut client, mut server) = pair_at(&listener, addr).await;
        for round in 0..100 {
            client.send(pattern(5000)).await.unwrap();
            assert!(take(&mut server, 5000).await == pattern(5000), "{round}");
        }
    });
}

/// Messages that need more blocks than the pool has, awaited whole, by two at once.
fn whole_messages_from_a_small_pool(kind: Kind) {
    Loop::with(&Config { window: WINDOW, ..small_pool(kind) }).unwrap().block_on(async {
        let (listener, addr) = listen().await;
        let mut readers = Vec::new();
        for _ in 0..3 {
            let (mut client, mut server) = pair_at(&listener, addr).await;
            spawn(async move {
                for _ in 0..4 {
                    client.send(pattern(60_000)).await.unwrap();
                }
                client.close().await.unwrap();
            })
            .detach();
            readers.push(spawn(async move {
                let mut message = vec![0; 60_000];
                for _ in 0..4 {
                    server.read_exact(&mut message).await.unwrap();
                    assert!(message == pattern(60_000));
                }
                assert!(server.recv().await.unwrap().is_none());
            }));
        }
        for reader in readers {
            reader.await.unwrap();
        }
    });
}

fn windows_can_be_changed(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        server.set_window(8 << 10);
        assert!(poll_once(server.recv()).await.is_none());
        let writer = spawn(async move {
            for frame in pattern(1 << 20).chunks(5000) {
                client.send(frame.to_vec()).await.unwrap();
            }
            client.close().await.unwrap();
        });
        for _ in 0..20 {
            reseau::sleep(Duration::from_millis(1)).await;
            assert!(server.queued() <= (8 << 10) + BURST, "{} bytes queued", server.queued());
        }
        server.set_window(512 << 10);
        let mut all = vec![0; 300 << 10]; // Within the new window, not within the old.
        assert!(poll_once(server.read_exact(&mut all)).await.is_none());
        server.read_exact(&mut all).await.unwrap();
        let mut got = all;
        got.extend(drain(&mut server).await);
        assert!(got == pattern(1 << 20));
        writer.await.unwrap();
    });
}

/// A listener that nobody asks accepts some connections and leaves the rest to the kernel; all of
/// them are there when somebody asks.
fn listener_holds_back(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        assert!(poll_once(listener.accept()).await.is_none());
        let mut clients = Vec::new();
        for i in 0..200u8 {
            let mut client = connect(addr).await.unwrap();
            client.send(vec![i]).await.unwrap();
            clients.push(client);
        }
        settle().await;
        let mut seen = [false; 200];
        for _ in 0..200 {
            let (mut server, _) = listener.accept().await.unwrap();
            let i = usize::from(take(&mut server, 1).await[0]);
            assert!(!std::mem::replace(&mut seen[i], true), "{i} twice");
        }
        assert!(poll_once(listener.accept()).await.is_none());
    });
}
