//! Bytes there and back: every size, every family, many at once.
use super::everywhere;
use super::stage::{
    BLOCK, CHUNK_MAX, CROWD, TcpListener, WINDOW, config, connect, drain, listen, listen_at, pair,
    pattern, run, scaled, take,
};
use crate::watchdog::say;
use reseau::{Kind, Loop, spawn};
use std::time::Duration;

everywhere!(
    every_size,
    ipv6,
    chunks_as_they_come,
    big_send_in_parts,
    a_thousand,
    one_after_another;
    plain "TLS is of the stream above, which knows no family":
    #[cfg(unix)]
    unix_path,
    #[cfg(unix)]
    unix_pair,
    #[cfg(target_os = "linux")]
    unix_abstract,
);

/// Echoes one connection until its end, then ends its own side.
async fn serve(listener: TcpListener) -> usize {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut total = 0;
    while let Some(chunk) = stream.recv().await.unwrap() {
        assert!(!chunk.is_empty(), "a chunk has bytes; the end is `None`");
        total += chunk.len();
        stream.send(chunk).await.unwrap();
    }
    stream.finish().await.unwrap();
    total
}

fn every_size(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let server = spawn(serve(listener));
        let mut client = connect(addr).await.unwrap();
        client.set_nodelay(true).unwrap();
        assert_eq!(client.peer_addr().unwrap(), addr);
        let around = |size: usize| [size - 1, size, size + 1];
        let mut sizes: Vec<usize> = (0..40).map(|i| 1 + i * 371).collect();
        for size in [256, 1024, BLOCK, 2 * BLOCK, WINDOW, 3 * WINDOW] {
            sizes.extend(around(size));
        }
        let mut total = 0;
        for size in sizes {
            let sent = pattern(size);
            client.send(sent.clone()).await.unwrap();
            assert!(take(&mut client, size).await == sent, "{size} bytes came back changed");
            total += size;
        }
        client.send("").await.unwrap(); // Nothing is nothing, and not the end.
        client.send("last").await.unwrap();
        client.finish().await.unwrap();
        assert_eq!(drain(&mut client).await, b"last");
        assert_eq!(server.await.unwrap(), total + 4);
    });
}

fn ipv6(kind: Kind) {
    run(kind, async {
        let (listener, addr) = match listen_at("[::1]:0").await {
            Ok(listens) => listens,
            Err(error) => return say(&format!("skipped: no IPv6 here: {error}")),
        };
        let server = spawn(serve(listener));
        let mut client = connect(addr).await.unwrap();
        client.send(pattern(5000)).await.unwrap();
        client.finish().await.unwrap();
        assert!(drain(&mut client).await == pattern(5000));
        assert_eq!(server.await.unwrap(), 5000);
    });
}

/// What is received is not copied together: chunks are no longer than a block, or than a record.
fn chunks_as_they_come(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        client.send(pattern(10 * BLOCK)).await.unwrap();
        client.finish().await.unwrap();
        let mut got = Vec::new();
        while let Some(chunk) = server.recv().await.unwrap() {
            assert!(chunk.len() <= CHUNK_MAX, "{} bytes in one chunk", chunk.len());
            got.extend_from_slice(&chunk);
        }
        assert!(got == pattern(10 * BLOCK));
    });
}

/// More than any buffer on the way holds.
fn big_send_in_parts(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let size = scaled(kind, 16 << 20);
        let reader = spawn(async move { drain(&mut server).await });
        client.send(pattern(size)).await.unwrap();
        client.flush().await.unwrap();
        client.close().await.unwrap();
        assert!(reader.await.unwrap() == pattern(size));
    });
}

fn a_thousand(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let server = spawn(async move {
            for _ in 0..CROWD {
                let (mut stream, _) = listener.accept().await.unwrap();
                spawn(async move {
                    while let Some(chunk) = stream.recv().await.unwrap() {
                        stream.send(chunk).await.unwrap();
                    }
                })
                .detach();
            }
        });
        let clients: Vec<_> = (0..CROWD)
            .map(|i| {
                spawn(async move {
                    let mut stream = connect(addr).await.unwrap();
                    for round in 0..3 {
                        let sent: Vec<u8> = pattern(300).iter().map(|b| b ^ i as u8).collect();
                        stream.send(sent.clone()).await.unwrap();
                        assert!(take(&mut stream, 300).await == sent, "{i}, round {round}");
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        server.await.unwrap();
    });
}

/// Loops come and go on one thread, and blocks with them.
fn one_after_another(kind: Kind) {
    for seed in 0..20 {
        let config = reseau::Config { seed, ..config(kind) };
        let lp = Loop::with(&config).unwrap();
        for _ in 0..2 {
            lp.block_on(async {
                let (mut client, mut server) = pair().await;
                client.send(pattern(9000)).await.unwrap();
                assert!(take(&mut server, 9000).await == pattern(9000));
                reseau::sleep(Duration::from_micros(10)).await;
            });
        }
    }
}

#[cfg(unix)]
fn socket_path(kind: Kind, name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("reseau-{name}-{kind}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[cfg(unix)]
fn unix_path(kind: Kind) {
    use reseau::{UnixListener, UnixStream};
    let path = socket_path(kind, "echo");
    run(kind, async {
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
        let mut client = UnixStream::connect(&path).await.unwrap();
        let (mut server, peer) = listener.accept().await.unwrap();
        assert!(peer.is_unnamed());
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
        let writer = spawn(async move {
            client.send(pattern(300_000)).await.unwrap();
            client.finish().await.unwrap();
            client
        });
        assert!(drain(&mut server).await == pattern(300_000));
        server.send("pong").await.unwrap();
        drop(server);
        assert_eq!(drain(&mut writer.await.unwrap()).await, b"pong");
    });
    let _ = std::fs::remove_file(&path);
}

#[cfg(unix)]
fn unix_pair(kind: Kind) {
    run(kind, async {
        let (mut one, mut other) = reseau::UnixStream::pair().unwrap();
        one.send("ping").await.unwrap();
        assert_eq!(take(&mut other, 4).await, b"ping");
        other.send("pong").await.unwrap();
        other.finish().await.unwrap();
        assert_eq!(drain(&mut one).await, b"pong");
        drop(one);
        assert!(other.recv().await.unwrap().is_none());
    });
}

#[cfg(target_os = "linux")]
fn unix_abstract(kind: Kind) {
    use reseau::{UnixAddr, UnixListener, UnixStream};
    let name = format!("reseau-echo-{kind}-{}", std::process::id());
    run(kind, async {
        let addr = UnixAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        let mut client = UnixStream::connect_addr(&addr).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.send("ping").await.unwrap();
        assert_eq!(take(&mut server, 4).await, b"ping");
        assert_eq!(server.local_addr().unwrap().as_abstract_name(), Some(name.as_bytes()));
    });
}
