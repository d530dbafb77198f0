//! Identities that are changed under load: nobody is cut off, and who comes later sees the later
//! one.
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use reseau::blocking::{TcpListener, TcpStream, TlsStream};
use reseau::tls::{Client, Identity, Server, Version};

use crate::stage::{Authority, Papers, watched};

/// A server, its clients, and how far it is.
struct Load {
    server: Server,
    client: Client,
    /// What it shows, one after the other.
    identities: Vec<Identity>,
    /// The one that it is told to show, and the one that it was told, and has returned from it.
    begun: AtomicUsize,
    done: AtomicUsize,
    /// How many connections each client has made.
    made: Vec<AtomicUsize>,
    over: AtomicBool,
}

impl Load {
    fn new() -> Self {
        let authority = Authority::new();
        let identities: Vec<_> = (0..=SWAPS).map(|_| authority.identity()).collect();
        Self {
            server: Server::new(&identities[0]),
            client: Client::new().trust_only(&authority.roots),
            identities,
            begun: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            made: (0..CLIENTS).map(|_| AtomicUsize::new(0)).collect(),
            over: AtomicBool::new(false),
        }
    }

    /// Connects, until the last identity was seen a few times. One connection stays all the time.
    fn calls(&self, number: usize, at: SocketAddr) {
        let version = if number.is_multiple_of(2) { Version::Tls13 } else { Version::Tls12 };
        // They say what they have agreed on before; the others are not shown anything again.
        let client = self.client.clone().newest(version);
        let client = if number == 0 { client.resume(4) } else { client };
        let mut stays = connect(&client, at);
        let first = self.seen(&stays);
        let mut of_last = 0;
        while of_last < ROUNDS {
            let from = self.done.load(SeqCst);
            let mut stream = connect(&client, at);
            let to = self.begun.load(SeqCst);
            let seen = self.seen(&stream);
            let is_new = !stream.session().is_resumed();
            assert!(!is_new || (from..=to).contains(&seen), "{seen} is none of {from}..={to}");
            echoes(&mut stream);
            echoes(&mut stays);
            assert_eq!(self.seen(&stays), first);
            ends(stream);
            of_last += usize::from(from == SWAPS);
            self.made[number].fetch_add(1, SeqCst);
        }
        ends(stays);
    }

    /// Which of the identities the server has shown.
    fn seen(&self, stream: &TlsStream) -> usize {
        let session = stream.session();
        let shown = session.peer_chain().next().unwrap();
        let mut known = self.identities.iter();
        known.position(|one| one.chain().next().unwrap() == shown).unwrap()
    }

    /// Changes identities while clients come and go: each of them a few times in between.
    fn swaps(self: &Arc<Self>, at: SocketAddr) {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let load = self.clone();
                thread::spawn(move || load.calls(number, at))
            })
            .collect();
        for swap in 1..=SWAPS {
            let enough = |made: &AtomicUsize| made.load(SeqCst) >= swap * ROUNDS;
            while !self.made.iter().all(enough) && !clients.iter().any(JoinHandle::is_finished) {
                thread::sleep(Duration::from_millis(1));
            }
            self.begun.store(swap, SeqCst);
            self.server.reload(&self.identities[swap]);
            self.done.store(swap, SeqCst);
        }
        for client in clients {
            client.join().unwrap();
        }
        self.over.store(true, SeqCst);
        ends(connect(&self.client, at));
    }
}

fn connect(client: &Client, at: SocketAddr) -> TlsStream {
    TcpStream::connect(at).unwrap().start_tls(client.to("localhost")).unwrap()
}

fn echoes(stream: &mut TlsStream) {
    stream.write_all(b"still there?").unwrap();
    let mut got = [0; 12];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"still there?");
}

fn ends(mut stream: TlsStream) {
    stream.finish().unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn threads_change_identities_under_load() {
    watched(|| {
        let load = Arc::new(Load::new());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let serving = load.clone();
        let accepting = thread::spawn(move || {
            let mut echoing = Vec::new();
            while !serving.over.load(SeqCst) {
                let stream = listener.accept().unwrap().0;
                let server = serving.server.clone();
                echoing.push(thread::spawn(move || echo(stream.start_tls(&server).unwrap())));
            }
            echoing.into_iter().for_each(|one| one.join().unwrap());
        });
        load.swaps(at);
        accepting.join().unwrap();
    });
}

fn echo(mut stream: TlsStream) {
    let mut space = [0; 64];
    loop {
        match stream.read(&mut space).unwrap() {
            0 => return stream.finish().unwrap(),
            count => stream.write_all(&space[..count]).unwrap(),
        }
    }
}

#[cfg(feature = "async")]
#[test]
fn tasks_change_identities_under_load() {
    watched(|| {
        let load = Arc::new(Load::new());
        let (tell, told) = std::sync::mpsc::channel();
        let serving = load.clone();
        let accepting = thread::spawn(move || {
            reseau::block_on(async move {
                let listener = reseau::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let listener = listener.tls(&serving.server);
                let mut echoing = Vec::new();
                while !serving.over.load(SeqCst) {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    echoing.push(reseau::spawn(async move {
                        while let Some(chunk) = stream.recv().await.unwrap() {
                            stream.send(chunk).await.unwrap();
                        }
                        stream.finish().await.unwrap();
                    }));
                }
                for one in echoing {
                    one.await.unwrap();
                }
                assert_eq!(listener.failed(), 0);
            });
        });
        load.swaps(told.recv().unwrap());
        accepting.join().unwrap();
    });
}

/// Files that cannot be read, or do not fit each other, change nothing.
#[test]
fn a_bad_reload_keeps_what_was() {
    watched(|| {
        let authority = Authority::new();
        let client = Client::new().trust_only(&authority.roots);
        let papers = || authority.papers(&rcgen::PKCS_ECDSA_P256_SHA256);
        let (first, second) = (papers(), papers());
        let dir = std::env::temp_dir().join(format!("reseau-reload-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (chain, key) = (dir.join("chain.pem"), dir.join("key.pem"));
        let put = |one: &str, other: &str| {
            std::fs::write(&chain, one).unwrap();
            std::fs::write(&key, other).unwrap();
        };
        put(&first.chain, &first.key);
        let server = Server::new(&Identity::from_files(&chain, &key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let shows = |papers: &Papers| {
            let (client, server) = (client.clone(), server.clone());
            let calling = thread::spawn(move || connect(&client, at));
            let accepted = listener.accept().unwrap().0.start_tls(&server).unwrap();
            let session = calling.join().unwrap().session();
            let chain = papers.identity();
            assert!(session.peer_chain().eq(chain.chain()));
            drop(accepted);
        };
        shows(&first);
        // Half of it was written; or something else; or nothing.
        let halves =
            [(&*second.chain, &*first.key), ("no PEM", &*second.key), (&*second.chain, "")];
        for (one, other) in halves {
            put(one, other);
            server.reload_files().unwrap_err();
            shows(&first);
        }
        std::fs::remove_file(&key).unwrap();
        server.reload_files().unwrap_err();
        shows(&first);
        put(&second.chain, &second.key);
        assert_eq!(server.reload_files().unwrap(), 1);
        shows(&second);
        std::fs::remove_dir_all(&dir).unwrap();
    });
}

const CLIENTS: usize = 4;
const SWAPS: usize = 5;

/// How many connections each client makes before identities change again.
const ROUNDS: usize = 4;
