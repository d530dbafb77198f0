//! `tls::MaybeTls` and its listener, on every backend.
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use reseau::tls::{Broken, Client, MaybeTls, MaybeTlsListener, Server};
use reseau::{Inet, TcpListener, TcpStream};

use crate::backends::{on_each, poll_once};
use crate::stage::{pattern, sides};

async fn listener(server: &Server) -> (MaybeTlsListener<Inet>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap().tls(server).plain_too();
    let addr = listener.local_addr().unwrap();
    // So long that nobody is late.
    (listener.handshake_limit(Duration::from_secs(1_000)), addr)
}

async fn dial(client: Option<&Client>, at: SocketAddr) -> MaybeTls<Inet> {
    let stream = TcpStream::connect(at).await.unwrap();
    match client {
        None => stream.into(),
        Some(client) => stream.start_tls(client.to("localhost")).await.unwrap().into(),
    }
}

/// Sends it all and ends, while it reads what comes back until the end.
fn told(client: Option<&Client>, at: SocketAddr, bytes: Vec<u8>) -> reseau::Task<Vec<u8>> {
    let client = client.cloned();
    reseau::spawn(async move {
        let (mut read, mut write) = dial(client.as_ref(), at).await.into_split();
        let sending = reseau::spawn(async move {
            for part in bytes.chunks(3_000) {
                write.send(part.to_vec()).await.unwrap();
            }
            write.finish().await.unwrap();
            write
        });
        let mut got = Vec::new();
        while let Some(chunk) = read.recv().await.unwrap() {
            got.extend_from_slice(&chunk);
        }
        sending.await.unwrap();
        got
    })
}

/// Sends back what comes until the end.
async fn echo(mut stream: MaybeTls<Inet>) {
    while let Some(chunk) = stream.recv().await.unwrap() {
        stream.send(chunk).await.unwrap();
    }
    stream.close().await.unwrap();
}

on_each! {
    async fn both_come_to_one_port_and_lose_no_byte() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        let silent = TcpStream::connect(addr).await.unwrap();
        for client in [None, Some(&client), None, Some(&client)] {
            let telling = told(client, addr, pattern(50_000));
            let (stream, _) = listener.accept().await.unwrap();
            assert_eq!(stream.is_tls(), client.is_some());
            assert_eq!(stream.session().is_some(), client.is_some());
            assert_eq!(stream.local_addr().unwrap(), addr);
            echo(stream).await;
            assert!(telling.await.unwrap() == pattern(50_000));
        }
        // Nobody waits for who is silent.
        assert_eq!((listener.handshakes(), listener.failed()), (1, 0));
        drop(silent);
    }

    async fn one_byte_tells_them_apart() {
        let (_, server) = sides();
        let (listener, addr) = listener(&server).await;
        for byte in [0, b'\r', b'G', 0x15, 0x17, 0x80, 0xff] {
            let mut plain = TcpStream::connect(addr).await.unwrap();
            plain.send(vec![byte]).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(!stream.is_tls(), "{byte}");
            let mut got = [0];
            assert_eq!(stream.read_exact(&mut got).await.unwrap(), 1);
            assert_eq!(got, [byte]);
        }
        // This is what TLS begins with, and so no other is served: it fails.
        let mut other = TcpStream::connect(addr).await.unwrap();
        other.send(vec![0x16; 100]).await.unwrap();
        while listener.failed() == 0 {
            assert!(poll_once(listener.accept()).await.is_none());
            reseau::sleep(Duration::from_millis(1)).await;
        }
        let failures = listener.take_failures();
        assert!(Broken::of(failures[0].error()).is_some(), "{}", failures[0]);
    }

    async fn who_leaves_without_a_word_comes_to_an_end() {
        let (_, server) = sides();
        let (listener, addr) = listener(&server).await;
        let mut leaving = TcpStream::connect(addr).await.unwrap();
        leaving.finish().await.unwrap();
        let (mut stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, leaving.local_addr().unwrap());
        assert!(stream.recv().await.unwrap().is_none());
        // It may be answered still.
        stream.send("bye").await.unwrap();
        stream.close().await.unwrap();
        let mut got = [0; 3];
        leaving.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"bye");
    }

    async fn halves_do_what_both_do() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        for client in [None, Some(&client)] {
            let telling = told(client, addr, pattern(100_000));
            let (stream, peer) = listener.accept().await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), peer);
            stream.set_window(4 << 10);
            let (mut read, mut write) = stream.into_split();
            assert_eq!((read.is_tls(), write.is_tls()), (client.is_some(), client.is_some()));
            let mut first = [0];
            assert_eq!(read.peek(&mut first).await.unwrap(), 1);
            read.readable().await.unwrap();
            let mut start = [0; 100];
            let count = read.try_read(&mut start).unwrap();
            assert_eq!(start[..count], pattern(100_000)[..count]);
            assert_eq!(first, start[..1]);
            write.writable().await.unwrap();
            assert_eq!(write.try_write(&start[..1]).unwrap(), 1);
            write.send(start[1..count].to_vec()).await.unwrap();
            let echoing = reseau::spawn(async move {
                while let Some(chunk) = read.recv().await.unwrap() {
                    write.send(chunk).await.unwrap();
                }
                write.flush().await.unwrap();
                drop(write); // Says the end.
                read
            });
            assert!(telling.await.unwrap() == pattern(100_000));
            echoing.await.unwrap();
        }
    }

    async fn deadlines_are_those_of_both() {
        let (client, server) = sides();
        let (listener, addr) = listener(&server).await;
        for client in [None, Some(client)] {
            let dialling = reseau::spawn(async move {
                let mut stream = dial(client.as_ref(), addr).await;
                stream.send("hello").await.unwrap();
                stream.flush().await.unwrap();
                stream
            });
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = [0; 5];
            stream.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"hello");
            stream.set_deadlines(Some(reseau::clock::now() + Duration::from_millis(10)), None);
            assert_eq!(stream.recv().await.unwrap_err().kind(), ErrorKind::TimedOut);
            dialling.await.unwrap();
        }
    }
}

#[cfg(feature = "futures-io")]
#[test]
fn the_traits_of_others_are_there() {
    use futures_lite::{AsyncReadExt, AsyncWriteExt};
    crate::stage::watched(|| {
        smol::block_on(async {
            let (client, server) = sides();
            let (listener, addr) = listener(&server).await;
            for client in [None, Some(client)] {
                let dialling = async {
                    let mut stream = dial(client.as_ref(), addr).await;
                    stream.write_all(b"there and back").await.unwrap();
                    AsyncWriteExt::close(&mut stream).await.unwrap();
                    let mut got = String::new();
                    stream.read_to_string(&mut got).await.unwrap();
                    got
                };
                let serving = async {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut got = Vec::new();
                    stream.read_to_end(&mut got).await.unwrap();
                    stream.write_all(&got).await.unwrap();
                    AsyncWriteExt::close(&mut stream).await.unwrap();
                };
                let (got, ()) = futures_lite::future::zip(dialling, serving).await;
                assert_eq!(got, "there and back");
            }
        });
    });
}
