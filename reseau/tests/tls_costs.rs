//! What TLS takes from the heap: while messages go to and fro, and while nothing does.
#![cfg(all(feature = "tls", feature = "async"))]
#![allow(unsafe_code)] // An allocator is unsafe by its trait.
mod watchdog;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use reseau::tls::{Client, Identity, Roots, Server, TlsStream};
use reseau::{Chunk, Config, Inet, Kind, Loop, TcpListener, TcpStream};

/// The system's allocator, which counts for each thread what is asked of it there.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn count(calls: usize, bytes: isize) {
    // A thread that ends has no counters any more.
    let _ = CALLS.try_with(|all| all.set(all.get() + calls));
    let _ = LIVE.try_with(|all| all.set(all.get() + bytes));
}

// SAFETY: all is the system's; counting asks for no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: what the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: what the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as isize - layout.size() as isize);
        // SAFETY: what the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// A loop of this kind, if it is there.
fn home(kind: Kind) -> Option<Loop> {
    match Loop::with(&Config { kind: Some(kind), seed: 7, ..Config::default() }) {
        Ok(home) => Some(home),
        Err(error) if kind == Kind::Uring => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{kind} must work here: {error}"),
    }
}

fn sides() -> (Client, Server) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes()).unwrap());
    (client, Server::new(&identity))
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

async fn pair(client: &Client, server: &Server) -> (TlsStream<Inet>, TlsStream<Inet>) {
    let (a, b) = tcp_pair().await;
    let server = server.clone();
    let accepting = reseau::spawn(async move { b.start_tls(&server).await.unwrap() });
    let a = a.start_tls(client.to("localhost")).await.unwrap();
    (a, accepting.await.unwrap())
}

#[test]
fn a_message_takes_little() {
    watchdog::watched("a_message_takes_little", || {
        for kind in [Kind::Ready, Kind::Uring] {
            let Some(home) = home(kind) else { continue };
            let calls = home.block_on(async {
                let (client, server) = sides();
                let (mut a, mut b) = pair(&client, &server).await;
                let echo = reseau::spawn(async move {
                    while let Some(chunk) = b.recv().await.unwrap() {
                        b.send(chunk).await.unwrap();
                    }
                });
                let mut calls = 0;
                // At first, what is kept is made.
                for turns in [200, 1000] {
                    let before = CALLS.get();
                    for _ in 0..turns {
                        a.send(Chunk::copy_from(&[7; 64])).await.unwrap();
                        assert_eq!(a.recv().await.unwrap().unwrap().len(), 64);
                    }
                    calls = (CALLS.get() - before).div_ceil(turns);
                }
                a.finish().await.unwrap();
                echo.await.unwrap();
                calls
            });
            eprintln!("{kind}: {calls} allocations for 64 bytes there and back");
            assert!(calls <= ECHO_CALLS_MAX, "{kind}: {calls}");
        }
    });
}

#[test]
fn an_idle_connection_holds_little() {
    watchdog::watched("an_idle_connection_holds_little", || {
        for kind in [Kind::Ready, Kind::Uring] {
            let Some(home) = home(kind) else { continue };
            let (plain, tls) = home.block_on(async {
                let (client, server) = sides();
                let mut held = Vec::with_capacity(4 * PAIRS);
                let mut of_each = [0; 2];
                // At first, what is kept is made.
                for each in [0, 0, 1, 1] {
                    let before = LIVE.get();
                    for _ in 0..PAIRS {
                        held.push(match each {
                            0 => idle(tcp_pair().await).await,
                            _ => idle_tls(pair(&client, &server).await).await,
                        });
                    }
                    reseau::sleep(Duration::from_millis(1)).await; // All of them wait now.
                    of_each[each] = (LIVE.get() - before) / (2 * PAIRS as isize);
                }
                (of_each[0], of_each[1])
            });
            eprintln!("{kind}: {tls} bytes, {plain} without TLS");
            assert!(tls - plain <= IDLE_MAX, "{kind}: {tls} bytes, {plain} without TLS");
        }
    });
}

/// Tasks that wait for both ends.
type Held = (reseau::Task<()>, reseau::Task<()>);

async fn idle((mut a, mut b): (TcpStream, TcpStream)) -> Held {
    a.send("x").await.unwrap();
    assert_eq!(b.recv().await.unwrap().unwrap().len(), 1);
    b.send("y").await.unwrap();
    assert_eq!(a.recv().await.unwrap().unwrap().len(), 1);
    let wait = |mut stream: TcpStream| async move { drop(stream.recv().await) };
    (reseau::spawn(wait(a)), reseau::spawn(wait(b)))
}

async fn idle_tls((mut a, mut b): (TlsStream<Inet>, TlsStream<Inet>)) -> Held {
    a.send("x").await.unwrap();
    assert_eq!(b.recv().await.unwrap().unwrap().len(), 1);
    b.send(vec![7; 40_000]).await.unwrap();
    a.read_exact(&mut [0; 40_000]).await.unwrap();
    let wait = |mut stream: TlsStream<Inet>| async move { drop(stream.recv().await) };
    (reseau::spawn(wait(a)), reseau::spawn(wait(b)))
}

#[test]
fn futures_are_small() {
    watchdog::watched("futures_are_small", || {
        reseau::block_on(async {
            let (client, server) = sides();
            let (mut a, _b) = pair(&client, &server).await;
            assert!(size_of::<TlsStream>() <= 32, "{}", size_of::<TlsStream>());
            let sizes = [
                ("recv", size(a.recv()), 24),
                ("read_exact", size(a.read_exact(&mut [0])), 144),
                ("peek", size(a.peek(&mut [0])), 96),
                ("readable", size(a.readable()), 64),
                ("send", size(a.send(Chunk::default())), 80),
                ("flush", size(a.flush()), 24),
                ("finish", size(a.finish()), 24),
            ];
            for (name, size, most) in sizes {
                assert!(size <= most, "{name}: {size} bytes");
            }
        });
    });
}

/// Of a future, which is dropped.
fn size<T>(future: T) -> usize {
    size_of_val(&future)
}

/// How often a message of 64 bytes may ask for memory, there and back. (Four times: the library
/// has a vector for each record, sealed or opened. What is ours is kept from one to the next.)
const ECHO_CALLS_MAX: usize = 6;

/// How many pairs are looked at.
const PAIRS: usize = 20;

/// How many bytes TLS may add to a connection that waits. (Measured: 7 KiB, of which 4 are a buffer
/// of the library's that nothing gives back.)
const IDLE_MAX: isize = 8 << 10;
