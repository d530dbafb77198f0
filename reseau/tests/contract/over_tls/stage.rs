//! The stage next door, where streams speak TLS.
pub(crate) use crate::stage::{
    BLOCK, Source, WINDOW, byte_at, config, drain, pattern, poll_once, resets_are_lost, run,
    scaled, settle, take,
};
use reseau::opt::Nodelay;
use reseau::tls::{Broken, Client, Identity, Roots, Server, TlsListener, TlsStream};
use reseau::{Chunk, Family, Inet};
use std::io;
use std::net::SocketAddr;
use std::sync::LazyLock;

pub(crate) type TcpStream = TlsStream<Inet>;
pub(crate) type TcpListener = TlsListener<Inet>;

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    listen_at("127.0.0.1:0").await.unwrap()
}

pub(crate) async fn listen_at(at: &str) -> io::Result<(TcpListener, SocketAddr)> {
    let (listener, addr) = crate::stage::listen_at(at).await?;
    // After a handshake, acknowledgements are delayed, and small writes with them.
    listener.set(Nodelay(true))?;
    Ok((listener.tls(&SIDES.1), addr))
}

pub(crate) async fn listen_in(number: u8) -> (TcpListener, SocketAddr) {
    let (listener, addr) = crate::stage::listen_in(number).await;
    (listener.tls(&SIDES.1), addr)
}

pub(crate) async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = reseau::TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    stream.start_tls(SIDES.0.to("localhost")).await
}

/// Both ends of a connection on this loop: client, server.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let (listener, addr) = listen().await;
    pair_at(&listener, addr).await
}

pub(crate) async fn pair_at(listener: &TcpListener, addr: SocketAddr) -> (TcpStream, TcpStream) {
    let (client, accepted) = futures_lite::future::zip(connect(addr), listener.accept()).await;
    let (client, (server, peer)) = (client.unwrap(), accepted.unwrap());
    assert_eq!(peer, client.local_addr().unwrap());
    (client, server)
}

/// Somebody on a thread, who waits.
pub(crate) type Peer = reseau::blocking::TlsStream;

pub(crate) fn dial_peer(addr: SocketAddr) -> Peer {
    let stream = reseau::blocking::TcpStream::connect(addr).unwrap();
    stream.start_tls(SIDES.0.to("localhost")).unwrap()
}

pub(crate) async fn pair_with_peer(listener: &TcpListener, addr: SocketAddr) -> (Peer, TcpStream) {
    let calling = reseau::offload(move || dial_peer(addr));
    let (peer, accepted) = futures_lite::future::zip(calling, listener.accept()).await;
    (peer.unwrap(), accepted.unwrap().0)
}

impl<F: Family> Source for TlsStream<F> {
    async fn chunk(&mut self) -> io::Result<Option<Chunk>> {
        self.recv().await
    }
}

/// Receives until the end of one that was left without a word: here that is a cut, unless the
/// half that writes was dropped by itself.
pub(crate) async fn drain_left(stream: &mut TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    loop {
        match stream.recv().await {
            Ok(Some(chunk)) => got.extend_from_slice(&chunk),
            Ok(None) => return got,
            Err(error) => {
                let broken = Broken::of(&error).is_some_and(Broken::is_truncation);
                assert!(broken, "{error}");
                return got;
            }
        }
    }
}

/// Whether somebody who left, with more to say than anybody takes, is told so.
pub(crate) fn is_left(error: &io::Error) -> bool {
    crate::stage::is_left(error) || Broken::of(error).is_some_and(Broken::is_truncation)
}

/// Whether that is the end. Who has `left` without a word, has cut.
pub(crate) fn was_the_end(told: &io::Result<Option<Chunk>>, left: bool) -> bool {
    match told {
        Ok(chunk) => chunk.is_none(),
        Err(error) => left && Broken::of(error).is_some_and(Broken::is_truncation),
    }
}

/// There is no leaving a loop with TLS: it closes.
pub(crate) async fn depart(stream: TcpStream) -> Option<TcpStream> {
    stream.close().await.unwrap();
    None
}

/// A record.
pub(crate) const CHUNK_MAX: usize = 16 << 10;
/// A handshake waits for so much that hardly any would be made.
pub(crate) const PENDING_MOST: usize = 4;
pub(crate) const SEEDS: usize = 40;
pub(crate) const CROWD: usize = 100;
pub(crate) const THREADS: usize = 60;

/// Two who trust each other: made once, since keys take time. Without tickets: those come when the
/// server likes, and who closes without having read them resets the connection.
pub(crate) static SIDES: LazyLock<(Client, Server)> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let roots = Roots::from_pem(chain.as_bytes()).unwrap();
    (Client::new().trust_only(&roots), Server::new(&identity).tickets(false))
});
