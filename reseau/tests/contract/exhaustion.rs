//! What runs out: descriptors and memory. Each test is alone in its process, to count them.
use crate::alone::{alone, descriptors};
use crate::on_kernels;
use crate::stage::{
    any, config, drain, listen, pair, pair_at, pattern, poll_once, run, settle, take,
};
use reseau::error::{Class, Error};
use reseau::{Config, Kind, Loop, TcpListener, TcpStream, spawn};
use std::net::TcpStream as Peer;
use std::time::Duration;

on_kernels!(
    a_listener_survives_running_out_of_descriptors,
    a_connect_without_descriptors_is_an_error,
    more_answers_than_a_ring_has_room_for,
    no_descriptor_leaks,
    no_descriptor_leaks_when_loops_end,
    #[cfg(target_os = "linux")]
    memory_is_bounded_under_floods,
    #[cfg(target_os = "linux")]
    idle_connections_are_cheap,
);

/// More peers than descriptors: those for whom there is none are told so, the others are served,
/// and when there are descriptors again everybody is.
fn a_listener_survives_running_out_of_descriptors(kind: Kind) {
    alone!(kind, a_listener_survives_running_out_of_descriptors, descriptors: 64);
    run(kind, async {
        let (listener, addr) = listen().await;
        // The peers live in this process too: half of the descriptors are theirs.
        let mut ballast = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            ballast.push(file);
        }
        ballast.truncate(ballast.len() - 12);
        let mut peers = Vec::new();
        while let Ok(peer) = Peer::connect(addr) {
            peer.set_nonblocking(true).unwrap();
            peers.push(peer);
        }
        assert!(peers.len() >= 6, "{} peers", peers.len());
        let mut served = Vec::new();
        while listener.shed() == 0 {
            // No descriptor is left, so nobody is accepted; but nobody waits for ever either.
            let late = reseau::timeout(Duration::from_millis(20), listener.accept()).await;
            served.extend(late.map(|accepted| accepted.unwrap().0));
        }
        let told = peers.iter().filter(|peer| matches!(peer.peek(&mut [0]), Ok(0) | Err(_)));
        assert!(told.count() > 0);
        assert!(listener.shed() >= 1);
        // Descriptors come back, and the same listener serves again.
        drop((ballast, peers, served));
        settle().await;
        for i in 0..5u8 {
            let mut client = TcpStream::connect(addr).await.unwrap();
            client.send(vec![i]).await.unwrap();
            let from = client.local_addr().unwrap();
            loop {
                let (mut server, peer) = listener.accept().await.unwrap();
                if peer == from {
                    assert_eq!(take(&mut server, 1).await, [i]);
                    break;
                }
            }
        }
    });
}

fn a_connect_without_descriptors_is_an_error(kind: Kind) {
    alone!(kind, a_connect_without_descriptors_is_an_error, descriptors: 64);
    run(kind, async {
        let (_listener, addr) = listen().await;
        let mut ballast = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            ballast.push(file);
        }
        let error = TcpStream::connect(addr).await.unwrap_err();
        assert_eq!(Error::of(&error).expect("with its story").class(), Class::Wait, "{error}");
        let error = TcpListener::bind(any()).await.unwrap_err();
        assert_eq!(Error::of(&error).expect("with its story").class(), Class::Wait, "{error}");
        ballast.pop();
        TcpStream::connect(addr).await.unwrap();
    });
}

/// io_uring then ends what would have gone on: all of it has to be started again.
fn more_answers_than_a_ring_has_room_for(kind: Kind) {
    const COUNT: usize = 4400; // A ring's queue has 4096 places.
    alone!(kind, more_answers_than_a_ring_has_room_for, descriptors: 10_000);
    let config = Config { blocks_max: 3 * COUNT, ..config(kind) };
    Loop::with(&config).unwrap().block_on(async {
        let (listener, addr) = listen().await;
        let mut pairs = Vec::new();
        for _ in 0..COUNT {
            let peer = Peer::connect(addr).unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            assert!(poll_once(server.recv()).await.is_none());
            pairs.push((peer, server));
        }
        settle().await;
        for round in 0..3u8 {
            for (peer, _) in &mut pairs {
                std::io::Write::write_all(peer, &[round; 400]).unwrap();
            }
            for (index, (_, server)) in pairs.iter_mut().enumerate() {
                assert_eq!(take(server, 400).await, [round; 400], "{index}");
                // Some wait again at once, some are asked in the next round.
                assert!(index % 2 == 0 || poll_once(server.recv()).await.is_none());
            }
        }
    });
}

/// What sockets do in their lives, in a hundred ways of ending; afterwards all of them are gone.
fn no_descriptor_leaks(kind: Kind) {
    alone!(kind, no_descriptor_leaks);
    let lp = Loop::with(&config(kind)).unwrap();
    lp.block_on(settle());
    let before = descriptors();
    lp.block_on(async {
        for way in 0..100 {
            let (listener, addr) = listen().await;
            let (mut client, mut server) = pair_at(&listener, addr).await;
            assert!(poll_once(server.recv()).await.is_none());
            client.send(pattern(way * 100)).await.unwrap();
            drop(poll_once(TcpStream::connect(addr)).await);
            match way % 6 {
                0 => drop((client, server)),
                1 => {
                    client.close().await.unwrap();
                    drain(&mut server).await;
                }
                2 => drop(client.detach().await.unwrap().attach().unwrap()),
                3 => drop(client.into_split()),
                4 => drop(client.detach().await.unwrap().into_parts().unwrap()),
                _ => {
                    client.set_zero_linger().unwrap();
                    drop(client);
                    while let Ok(Some(_)) = server.recv().await {}
                }
            }
            if way % 2 == 0 {
                // Accepted by the loop, and by nobody else.
                drop(poll_once(listener.accept()).await);
                drop(Peer::connect(addr).unwrap());
                if way % 4 == 0 {
                    reseau::yield_now().await;
                } // Else the listener closes before its loop has heard of the connection.
            }
        }
        for _ in 0..100 {
            if descriptors() == before {
                break;
            }
            settle().await;
        }
    });
    assert_eq!(descriptors(), before);
}

fn no_descriptor_leaks_when_loops_end(kind: Kind) {
    alone!(kind, no_descriptor_leaks_when_loops_end);
    run(kind, settle()); // Whatever is made once and kept.
    let before = descriptors();
    for round in 0..30 {
        let lp = Loop::with(&Config { linger: Duration::from_millis(1), ..config(kind) }).unwrap();
        let kept = lp.block_on(async {
            let (listener, addr) = listen().await;
            let (mut client, mut server) = pair_at(&listener, addr).await;
            client.send(pattern(1 << 20)).await.unwrap();
            assert!(poll_once(listener.accept()).await.is_none());
            let _peers: Vec<_> = (0..5).map(|_| Peer::connect(addr).unwrap()).collect();
            let task = spawn(async move { while let Ok(Some(_)) = server.recv().await {} });
            for _ in 0..round % 5 {
                reseau::yield_now().await;
            }
            (listener, client, task)
        });
        drop(lp);
        drop(kept);
    }
    assert_eq!(descriptors(), before);
}

/// What this process has in memory, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// A hundred peers that send what they can to readers that do not read.
#[cfg(target_os = "linux")]
fn memory_is_bounded_under_floods(kind: Kind) {
    alone!(kind, memory_is_bounded_under_floods);
    let config = Config { blocks_max: 512, ..config(kind) }; // 2 MiB for all.
    Loop::with(&config).unwrap().block_on(async {
        let (listener, addr) = listen().await;
        let mut streams = Vec::new();
        for _ in 0..100 {
            let peer = Peer::connect(addr).unwrap();
            peer.set_nonblocking(true).unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            assert!(poll_once(server.recv()).await.is_none());
            streams.push((peer, server));
        }
        let before = resident();
        let bytes = pattern(1 << 20);
        let mut written = 0;
        for _ in 0..20 {
            for (peer, server) in &mut streams {
                while let Ok(count) = std::io::Write::write(peer, &bytes) {
                    written += count;
                }
                // They ask, and take nothing.
                let _ = poll_once(server.readable()).await;
            }
            reseau::sleep(Duration::from_millis(1)).await;
        }
        let queued: usize = streams.iter().map(|(_, server)| server.queued()).sum();
        let grown = resident().saturating_sub(before);
        assert!(written > 50 << 20, "the peers wrote {written} bytes");
        assert!(queued <= 2 << 20, "{queued} bytes are queued");
        assert!(grown < 8 << 20, "grew by {grown} bytes");
    });
}

#[cfg(target_os = "linux")]
fn idle_connections_are_cheap(kind: Kind) {
    alone!(kind, idle_connections_are_cheap);
    run(kind, async {
        let (listener, addr) = listen().await;
        let mut warm = Vec::new();
        for _ in 0..100 {
            warm.push(pair_at(&listener, addr).await);
        }
        let before = resident();
        let mut pairs = Vec::with_capacity(1000);
        for _ in 0..1000 {
            let (mut client, mut server) = pair_at(&listener, addr).await;
            assert!(poll_once(client.recv()).await.is_none());
            assert!(poll_once(server.recv()).await.is_none());
            pairs.push((client, server));
        }
        settle().await;
        let each = resident().saturating_sub(before) / 2000;
        assert!(each < 2048, "{each} bytes per idle connection");
        let (mut client, mut server) = pair().await;
        client.send("x").await.unwrap();
        assert_eq!(take(&mut server, 1).await, b"x");
    });
}
