//! TLS in a simulated world: the same seed is the same run, the calendar is the world's, and a
//! connection that is cut says so, wherever it is cut.
use std::collections::BTreeSet;
use std::io;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use reseau::sim::World;
use reseau::tls::{Client, Identity, Roots, Server, TlsStream};
use reseau::{Inet, TcpListener, TcpStream, spawn_local};

use crate::stage::{Authority, pattern, tcp_pair as real_pair, watched};

/// Two who trust each other, by a key whose signatures are the same again.
pub(crate) static SIDES: LazyLock<(Client, Server)> = LazyLock::new(|| sides(&rcgen::PKCS_ED25519));

fn sides(algorithm: &'static rcgen::SignatureAlgorithm) -> (Client, Server) {
    let authority = Authority::new();
    let identity = authority.papers(algorithm).identity();
    (Client::new().trust_only(&authority.roots), Server::new(&identity))
}

async fn pair_of(client: &Client, server: &Server) -> (TlsStream<Inet>, TlsStream<Inet>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = server.clone();
    let accepting = spawn_local(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.start_tls(&server).await.unwrap()
    });
    let stream = TcpStream::connect(addr).await.unwrap();
    let client = stream.start_tls(client.to("localhost")).await.unwrap();
    (client, accepting.await.unwrap())
}

/// A few connections at once, which may break; says how many bytes came back, and what keys each
/// connection had.
async fn echoes(client: Client, server: Server) -> (usize, Vec<[u8; 16]>) {
    let listener = TcpListener::bind("127.0.0.1:443").await.unwrap();
    let serving = spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = server.clone();
            let echo = async move {
                let mut stream = stream.start_tls(&server).await?;
                while let Some(chunk) = stream.recv().await? {
                    stream.send(chunk).await?;
                }
                stream.finish().await
            };
            spawn_local(async move { drop(echo.await) }).detach();
        }
    });
    let clients: Vec<_> = (0..3)
        .map(|number| {
            let client = client.clone();
            spawn_local(async move {
                let mut came = Vec::new();
                let keys = talk(&client, number, &mut came).await.unwrap_or_default();
                assert!(pattern(9_000).starts_with(&came), "what came back was sent");
                (came.len(), keys)
            })
        })
        .collect();
    let (mut bytes, mut all) = (0, Vec::new());
    for client in clients {
        let (count, keys) = client.await.unwrap();
        bytes += count;
        all.push(keys);
    }
    serving.abort();
    (bytes, all)
}

async fn talk(client: &Client, number: usize, came: &mut Vec<u8>) -> io::Result<[u8; 16]> {
    let stream = TcpStream::connect("127.0.0.1:443").await?;
    let mut stream = stream.start_tls(client.to("localhost")).await?;
    let mut keys = [0; 16];
    stream.export(b"EXPERIMENTAL", None, &mut keys)?;
    for frame in pattern(3_000 + number * 1_000).chunks(701) {
        stream.send(frame.to_vec()).await?;
    }
    stream.finish().await?;
    while let Some(chunk) = stream.recv().await? {
        came.extend_from_slice(&chunk);
    }
    Ok(keys)
}

/// All that a run gives: its trace, how long it took, how much came back, and the keys.
type Run = (u64, Duration, usize, Vec<[u8; 16]>);

fn run(world: World, client: &Client, server: &Server) -> Run {
    let (bytes, keys) = world.run(echoes(client.clone(), server.clone()));
    (world.trace_hash(), world.elapsed(), bytes, keys)
}

fn rough(seed: u64) -> World {
    World::new(seed).slow(50).reset(4).refuse(20).whole(300)
}

#[test]
fn the_same_seed_is_the_same_run() {
    watched(|| {
        let (client, server) = &*SIDES;
        for world in [World::new, rough] {
            let runs: Vec<Run> = (0..12).map(|seed| run(world(seed), client, server)).collect();
            for (seed, first) in (0..).zip(&runs) {
                assert_eq!(run(world(seed), client, server), *first, "seed {seed}");
            }
            let traces: BTreeSet<_> = runs.iter().map(|run| run.0).collect();
            assert_eq!(traces.len(), runs.len(), "other seeds are other runs");
            let keys: BTreeSet<_> = runs.iter().flat_map(|run| &run.3).collect();
            assert!(keys.len() > runs.len(), "and have other keys");
            assert!(runs.iter().any(|run| run.2 == 3_000 + 4_000 + 5_000), "some arrive");
        }
    });
}

/// Signatures that need a random number have other bytes in each run, but neither another length
/// nor another time.
#[test]
fn the_same_seed_is_as_long_whatever_the_signature() {
    watched(|| {
        let algorithms = [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ECDSA_P521_SHA512,
            &rcgen::PKCS_RSA_SHA256,
        ];
        for algorithm in algorithms {
            let (client, server) = sides(algorithm);
            let first = run(rough(7), &client, &server);
            for _ in 0..4 {
                let again = run(rough(7), &client, &server);
                assert_eq!(
                    (again.0, again.1, again.2),
                    (first.0, first.1, first.2),
                    "{algorithm:?}"
                );
            }
        }
    });
}

/// The keys of a simulated connection, and of a real one that the same program makes beside it.
fn keys_of_both(seed: u64) -> ([u8; 32], [u8; 32]) {
    let (client, server) = &*SIDES;
    World::new(seed).run(async {
        let (simulated, _peer) = pair_of(client, server).await;
        let (a, b) = real_pair();
        let side = server.clone();
        let peer = thread::spawn(move || b.start_tls(&side).unwrap());
        let real = a.start_tls(client.to("localhost")).unwrap();
        peer.join().unwrap();
        let mut keys = ([0; 32], [0; 32]);
        simulated.export(b"EXPERIMENTAL", None, &mut keys.0).unwrap();
        real.export(b"EXPERIMENTAL", None, &mut keys.1).unwrap();
        keys
    })
}

#[test]
fn nobody_foresees_the_keys_of_a_real_connection() {
    watched(|| {
        let (first, again) = (keys_of_both(7), keys_of_both(7));
        assert_eq!(first.0, again.0, "the world's are the seed's");
        assert_ne!(first.1, again.1, "and no others are, whoever made them, and where");
        assert_ne!(keys_of_both(8).0, first.0);
    });
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

/// What a client says of a server whose certificate holds from the first of February 2026 to the
/// first of March, after so many days of a world that begins with that year.
fn told_after(count: u64) -> Result<(), String> {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 2, 1);
    params.not_after = rcgen::date_time_ymd(2026, 3, 1);
    let chain = params.self_signed(&key).unwrap().pem();
    let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes()).unwrap());
    let key = key.serialize_pem();
    let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
    World::new(7).run(async {
        reseau::sleep(days(count)).await;
        let listener = TcpListener::bind("127.0.0.1:443").await.unwrap();
        spawn_local(async move {
            let (stream, _) = listener.accept().await.unwrap();
            drop(stream.start_tls(&server).await);
        })
        .detach();
        let stream = TcpStream::connect("127.0.0.1:443").await.unwrap();
        let started = stream.start_tls(client.to("localhost")).await;
        started.map(drop).map_err(|error| error.to_string())
    })
}

#[test]
fn certificates_hold_by_the_worlds_calendar() {
    watched(|| {
        let early = told_after(3).unwrap_err();
        assert!(early.contains("not valid") && early.contains("2026-02-01"), "{early}");
        assert_eq!(told_after(40), Ok(()));
        let late = told_after(365).unwrap_err();
        assert!(late.contains("expired") && late.contains("2026-03-01"), "{late}");
    });
}
