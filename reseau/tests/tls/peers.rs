//! Peers that are not ours: another's TLS, on a plain stream, which may say what it likes.
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use reseau::TcpStream;
use reseau::tls::{Broken, Client, ClientCerts, Server, TlsStream};
use reseau::{Inet, net::Interest};
use rustls::ClientConnection;

use crate::backends::{on, pair_of, tcp_pair};
use crate::stage::{Authority, sides};

/// A client that says what it likes.
struct Peer {
    stream: TcpStream,
    tls: ClientConnection,
}

impl Peer {
    /// Connected to a stream of ours.
    async fn connect(server: impl FnOnce(Server) -> Server) -> (Self, TlsStream<Inet>) {
        let authority = Authority::new();
        let config = authority.other_client();
        let tls = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap());
        let (stream, b) = tcp_pair().await;
        let server = server(Server::new(&authority.identity()));
        let accepting = reseau::spawn(async move { b.start_tls(&server).await.unwrap() });
        let mut peer = Self { stream, tls: tls.unwrap() };
        while peer.tls.is_handshaking() {
            peer.push().await;
            if peer.tls.is_handshaking() {
                peer.pull().await;
            }
        }
        peer.push().await;
        (peer, accepting.await.unwrap())
    }

    /// Sends what it has to say.
    async fn push(&mut self) {
        let mut sealed = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut sealed).unwrap();
        }
        self.stream.send(sealed).await.unwrap();
    }

    /// Hears what there is; 0 is the end. It does not wait for ever.
    async fn pull(&mut self) -> usize {
        let heard = reseau::timeout(PATIENCE, self.stream.recv()).await;
        let Some(chunk) = heard.expect("it was told nothing").unwrap() else { return 0 };
        let mut left = &chunk[..];
        while !left.is_empty() {
            self.tls.read_tls(&mut left).unwrap();
            let _ = self.tls.process_new_packets();
        }
        chunk.len()
    }

    async fn say(&mut self, text: &[u8]) {
        self.tls.writer().write_all(text).unwrap();
        self.push().await;
    }
}

/// Not in simulated worlds: they exchange keys in name only, which no other TLS does.
macro_rules! on_real {
    ($(async fn $name:ident() $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn body() $body

            #[test]
            fn uring() { on(reseau::Kind::Uring, body); }
            #[test]
            fn ready() { on(reseau::Kind::Ready, body); }
        }
    )*};
}

on_real! {
    async fn new_keys_are_answered_by_who_only_reads() {
        let (mut peer, b) = Peer::connect(|server| server.tickets(false)).await;
        let (mut read, _write) = b.into_split();
        peer.tls.refresh_traffic_keys().unwrap();
        peer.push().await;
        let mut buf = [0; 4];
        let reading = reseau::spawn(async move {
            read.read_exact(&mut buf).await.unwrap();
            (read, buf)
        });
        // The answer comes before anything is written here.
        assert!(peer.pull().await > 0);
        peer.say(b"news").await;
        let (mut read, buf) = reading.await.unwrap();
        assert_eq!(&buf, b"news");
        // Again and again, and in both directions at once.
        for _ in 0..20 {
            peer.tls.refresh_traffic_keys().unwrap();
            peer.say(b"more").await;
            assert_eq!(&*read.recv().await.unwrap().unwrap(), b"more");
        }
    }

    async fn what_is_sent_goes_under_the_new_keys() {
        let (mut peer, mut b) = Peer::connect(|server| server.tickets(false)).await;
        for _ in 0..5 {
            peer.tls.refresh_traffic_keys().unwrap();
            peer.say(b"ping").await;
            assert_eq!(&*b.recv().await.unwrap().unwrap(), b"ping");
            b.send("pong").await.unwrap();
            let mut got = Vec::new();
            while got.len() < 4 {
                peer.pull().await;
                let mut space = [0; 16];
                let count = peer.tls.reader().read(&mut space).unwrap_or(0);
                got.extend_from_slice(&space[..count]);
            }
            assert_eq!(got, b"pong");
        }
    }

    async fn what_is_wrong_is_told_behind_what_came_before() {
        let (mut peer, mut b) = Peer::connect(|server| server.tickets(false)).await;
        peer.say(b"good").await;
        let mut wrong = vec![23, 3, 3, 0, 40];
        wrong.extend_from_slice(&[9; 40]);
        peer.stream.send(wrong).await.unwrap();
        assert_eq!(&*b.recv().await.unwrap().unwrap(), b"good");
        for _ in 0..2 {
            let told = b.recv().await.unwrap_err();
            assert_eq!(told.to_string(), "recv: tls: cannot decrypt peer's message");
            assert_eq!(told.kind(), ErrorKind::InvalidData);
            assert!(Broken::of(&told).is_some_and(|broken| !broken.in_handshake()));
            let told = b.send("x").await.unwrap_err();
            assert_eq!(told.to_string(), "send: tls: cannot decrypt peer's message");
            let told = b.try_read(&mut [0; 4]).unwrap_err();
            assert_eq!(told.to_string(), "recv: tls: cannot decrypt peer's message");
        }
        assert!(b.ready(Interest::WRITABLE).await.unwrap().is_write_closed());
        // The peer hears why.
        peer.pull().await;
        let heard = peer.tls.process_new_packets().unwrap_err();
        assert_eq!(heard.to_string(), "received fatal alert: BadRecordMac");
    }

    async fn plaintext_is_heard_after_our_own_end() {
        let (mut peer, mut b) = Peer::connect(|server| server).await;
        b.finish().await.unwrap();
        let told = b.send("x").await.unwrap_err();
        assert_eq!(told.kind(), ErrorKind::BrokenPipe, "{told}");
        while peer.pull().await > 0 {}
        peer.say(&[5; 50_000]).await;
        let mut got = vec![0; 50_000];
        b.read_exact(&mut got).await.unwrap();
        peer.tls.send_close_notify();
        peer.push().await;
        assert!(b.recv().await.unwrap().is_none());
    }

    async fn a_refusal_that_comes_late_is_told_with_its_name() {
        let authority = Authority::new();
        let server = Server::new(&authority.identity());
        let server = server.client_certs(ClientCerts::RequireAndVerify(authority.roots.clone()));
        let (a, b) = tcp_pair().await;
        let accepting = reseau::spawn(async move { b.start_tls(&server).await.unwrap_err() });
        // The client's handshake is done before the server has looked at what it shows.
        let client = Client::new().trust_only(&authority.roots);
        let mut a = a.start_tls(client.to("localhost")).await.unwrap();
        let told = accepting.await.unwrap();
        assert_eq!(told.to_string(), "accept: tls: peer sent no certificates");
        for _ in 0..2 {
            let told = a.recv().await.unwrap_err();
            assert_eq!(told.to_string(), "recv: tls: the peer refuses: CertificateRequired");
        }
        let told = a.send("x").await.unwrap_err();
        assert_eq!(told.to_string(), "send: tls: the peer refuses: CertificateRequired");
    }

    async fn a_client_that_reads_nothing_resets_nobody() {
        let (client, server) = sides();
        for _ in 0..5 {
            let (mut a, mut b) = pair_of(&client, &server).await;
            a.send("that is all").await.unwrap();
            // The tickets are there by now: the server has sent them before this.
            assert_eq!(&*b.recv().await.unwrap().unwrap(), b"that is all");
            a.close().await.unwrap();
            assert!(b.recv().await.unwrap().is_none(), "and no reset");
            b.close().await.unwrap();
        }
    }
}

/// How long somebody waits to be told what became of him.
const PATIENCE: Duration = Duration::from_secs(10);
