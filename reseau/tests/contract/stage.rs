//! Where the tests play: a loop of the wanted kind, small bounds, and two ends of a connection.
use crate::watchdog::{say, watched};
use reseau::{Chunk, Config, Family, Kind, Loop, Stream};
pub(crate) use reseau::{TcpListener, TcpStream};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

/// Runs a test's body on one backend, or says why it cannot.
pub(crate) fn on(kind: Kind, name: &'static str, body: fn(Kind)) {
    if let Some(why) = missing(kind) {
        return say(&format!("skipped: {name}: {why}"));
    }
    watched(name, move || body(kind));
}

/// Why a backend cannot be used here.
pub(crate) fn missing(kind: Kind) -> Option<String> {
    let error = Loop::with(&config(kind)).err()?;
    let required = std::env::var("RESEAU_REQUIRE").is_ok_and(|list| list.contains("uring"));
    assert!(kind == Kind::Uring && !required, "{kind} must work here: {error}");
    Some(error.to_string())
}

/// Wine gives the end of the stream where Windows gives the reset: such tests are left out there.
pub(crate) fn resets_are_lost(test: &str) -> bool {
    let wine = cfg!(windows) && std::env::var_os("WINEPREFIX").is_some();
    if wine {
        say(&format!("skipped: {test}: Wine does not pass resets on"));
    }
    wine
}

/// Says that the rest of a test is left out here.
pub(crate) fn say_skipped(why: &str) {
    say(&format!("skipped: {why}"));
}

/// Whether this machine has IPv6 at all. Worlds have.
pub(crate) async fn has_v6() -> bool {
    let has = TcpListener::bind("[::1]:0").await.is_ok();
    if !has {
        say_skipped("this machine has no IPv6");
    }
    has
}

/// Bounds so small that tests run into them.
pub(crate) fn config(kind: Kind) -> Config {
    Config {
        kind: Some(kind),
        block_size: BLOCK,
        blocks_max: 256,
        window: WINDOW,
        seed: 7,
        ..Config::default()
    }
}

pub(crate) fn run<T>(kind: Kind, body: impl Future<Output = T>) -> T {
    Loop::with(&config(kind)).unwrap().block_on(body)
}

pub(crate) fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// An address that is this test's alone, where all of 127/8 is here. To find that nobody listens
/// any more, there must be nobody else who might.
pub(crate) fn corner(number: u8) -> SocketAddr {
    let last = if cfg!(target_os = "linux") { number } else { 1 };
    SocketAddr::from(([127, 0, 0, last], 0))
}

/// As [`listen`], in a corner.
pub(crate) async fn listen_in(number: u8) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(corner(number)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    listen_at("127.0.0.1:0").await.unwrap()
}

pub(crate) async fn listen_at(at: &str) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(at).await?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

pub(crate) async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(addr).await
}

/// Both ends of a TCP connection on this loop: client, server.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let (listener, addr) = listen().await;
    pair_at(&listener, addr).await
}

pub(crate) async fn pair_at(listener: &TcpListener, addr: SocketAddr) -> (TcpStream, TcpStream) {
    let client = connect(addr).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    (client, server)
}

/// Somebody on a thread, who waits.
pub(crate) type Peer = std::net::TcpStream;

pub(crate) fn dial_peer(addr: SocketAddr) -> Peer {
    Peer::connect(addr).unwrap()
}

pub(crate) async fn pair_with_peer(listener: &TcpListener, addr: SocketAddr) -> (Peer, TcpStream) {
    let peer = dial_peer(addr);
    (peer, listener.accept().await.unwrap().0)
}

/// Polls a future once and drops it, as `select!` or a timeout would.
pub(crate) async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

/// Lets the kernel and the loop catch up with each other.
pub(crate) async fn settle() {
    for _ in 0..4 {
        reseau::sleep(Duration::from_millis(2)).await;
    }
}

/// What bytes come from, whatever is spoken underneath.
pub(crate) trait Source {
    async fn chunk(&mut self) -> io::Result<Option<Chunk>>;
}

impl<F: Family> Source for Stream<F> {
    async fn chunk(&mut self) -> io::Result<Option<Chunk>> {
        self.recv().await
    }
}

/// Receives exactly `count` bytes.
pub(crate) async fn take(stream: &mut impl Source, count: usize) -> Vec<u8> {
    let mut got = Vec::with_capacity(count);
    while got.len() < count {
        got.extend_from_slice(&stream.chunk().await.unwrap().expect("not the end yet"));
    }
    assert_eq!(got.len(), count, "more came than was sent");
    got
}

/// Receives until the end.
pub(crate) async fn drain(stream: &mut impl Source) -> Vec<u8> {
    let mut got = Vec::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        got.extend_from_slice(&chunk);
    }
    got
}

/// Receives until the end of one that was left without a word.
pub(crate) async fn drain_left(stream: &mut TcpStream) -> Vec<u8> {
    drain(stream).await
}

/// Whether somebody who left, with more to say than anybody takes, is told so.
pub(crate) fn is_left(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset
}

/// Whether that is the end. Some may have `left` without a word.
pub(crate) fn was_the_end(told: &io::Result<Option<Chunk>>, _left: bool) -> bool {
    matches!(told, Ok(None))
}

/// Leaves the loop, and comes back; `None` if that cannot be.
pub(crate) async fn depart(stream: TcpStream) -> Option<TcpStream> {
    Some(stream.detach().await.unwrap().attach().unwrap())
}

/// Bytes of which no two neighbourhoods within a prime number of them are alike.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        bytes.extend_from_slice(&PERIOD[..PERIOD.len().min(count - bytes.len())]);
    }
    bytes
}

pub(crate) fn byte_at(at: usize) -> u8 {
    PERIOD[at % PERIOD.len()]
}

static PERIOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..65_537usize).map(|at| (at.wrapping_mul(31) >> 3) as u8 ^ (at >> 8) as u8).collect()
});

/// How much a test moves: less where every byte is simulated.
pub(crate) fn scaled(kind: Kind, real: usize) -> usize {
    if kind == Kind::Sim { real / 16 } else { real }
}

pub(crate) const BLOCK: usize = 4096;
/// How much comes at once.
pub(crate) const CHUNK_MAX: usize = BLOCK;
/// How many of sixteen calls that wait are given up at most, and in how many runs.
pub(crate) const PENDING_MOST: usize = 13;
pub(crate) const SEEDS: usize = 200;
/// How many connections are many.
pub(crate) const CROWD: usize = 1000;
pub(crate) const THREADS: usize = 200;
pub(crate) const WINDOW: usize = 64 << 10;
