//! Where the tests play: a loop on a thread of its own, and everybody else elsewhere.
use crate::watchdog::{say, watched};
use reseau::{Config, Group, Kind, Loop, Remote, TcpListener, TcpStream};
use std::future::Future;
use std::net::{SocketAddr, TcpStream as Peer};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) use futures_lite::future::block_on;

/// A loop that runs elsewhere, for the length of a test.
pub(crate) struct Stage {
    pub(crate) remote: Remote,
    pub(crate) config: Config,
    group: Option<Group>,
}

/// Runs a test's body with one kind of loop, or says why it cannot.
pub(crate) fn on(kind: Kind, direct_sends: bool, name: &'static str, body: fn(&mut Stage)) {
    let config = Config { kind: Some(kind), direct_sends, ..config() };
    if let Err(error) = Loop::with(&config) {
        let required = std::env::var("RESEAU_REQUIRE").is_ok_and(|list| list.contains("uring"));
        assert!(kind == Kind::Uring && !required, "{kind} must work here: {error}");
        return say(&format!("skipped: {name}: {error}"));
    }
    watched(name, move || body(&mut Stage::new(config)));
}

fn config() -> Config {
    Config {
        block_size: 4096,
        blocks_max: 256,
        window: 64 << 10,
        linger: Duration::from_secs(5),
        ..Config::default()
    }
}

impl Stage {
    pub(crate) fn new(config: Config) -> Self {
        let group = Group::new(1, &config).unwrap();
        Self { remote: group.remotes()[0].clone(), config, group: Some(group) }
    }

    /// Ends the loop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.group.take().expect("once").stop(Duration::ZERO);
    }

    /// As [`stop`](Self::stop), from somewhere else and without waiting for it.
    pub(crate) fn stop_soon(&mut self) -> std::thread::JoinHandle<()> {
        let group = self.group.take().expect("once");
        std::thread::spawn(move || group.stop(Duration::ZERO))
    }

    pub(crate) fn listen(&self) -> (TcpListener, SocketAddr) {
        self.listen_at(any())
    }

    pub(crate) fn listen_at(&self, addr: SocketAddr) -> (TcpListener, SocketAddr) {
        let listener = block_on(TcpListener::bind_on(&self.remote, addr)).unwrap();
        let addr = listener.local_addr().unwrap();
        (listener, addr)
    }

    /// A stream on the loop, and its peer: a socket of std's.
    pub(crate) fn pair(&self) -> (TcpStream, Peer) {
        let (listener, addr) = self.listen();
        accept(&listener, addr)
    }
}

pub(crate) fn accept(listener: &TcpListener, addr: SocketAddr) -> (TcpStream, Peer) {
    let peer = Peer::connect(addr).unwrap();
    let (stream, from) = block_on(listener.accept()).unwrap();
    assert_eq!(from, peer.local_addr().unwrap());
    (stream, peer)
}

pub(crate) fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) fn tokio_of_many() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

pub(crate) fn tokio_of_one() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// An address that is this test's alone, where all of 127/8 is here. To find that nobody listens
/// any more, there must be nobody else who might.
pub(crate) fn corner(number: u8) -> SocketAddr {
    let last = if cfg!(target_os = "linux") { number } else { 1 };
    SocketAddr::from(([127, 0, 0, last], 0))
}

/// Polls a future once, with a waker, and drops it.
pub(crate) fn poll_with<T>(waker: &Waker, future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(waker)) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    poll_with(Waker::noop(), future)
}

/// The byte at a place of every stream of bytes here.
pub(crate) fn byte_at(at: usize) -> u8 {
    (at % 251) as u8 ^ (at >> 12) as u8
}

pub(crate) fn bytes(range: std::ops::Range<usize>) -> Vec<u8> {
    range.map(byte_at).collect()
}

/// Checks bytes that begin at a place, and says where they end.
#[track_caller]
pub(crate) fn check(at: usize, bytes: &[u8]) -> usize {
    for (offset, byte) in bytes.iter().enumerate() {
        assert_eq!(*byte, byte_at(at + offset), "at {}", at + offset);
    }
    at + bytes.len()
}
