//! One test body on each backend.
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use reseau::tls::{Client, Server, TlsStream};
use reseau::{Config, Inet, Kind, Loop, TcpListener, TcpStream};

use crate::stage::{sides, watched};

/// Small bounds, so that tests run into them.
pub(crate) fn config(kind: Kind) -> Config {
    Config {
        kind: Some(kind),
        block_size: 1 << 10,
        blocks_max: 1 << 10,
        window: 4 << 10,
        seed: 7,
        ..Config::default()
    }
}

/// Runs a test's body on one backend, if it is there.
#[track_caller]
pub(crate) fn on<T, B>(kind: Kind, body: impl FnOnce() -> B + Send + 'static)
where
    B: Future<Output = T>,
{
    watched(move || match Loop::with(&config(kind)) {
        Ok(home) => drop(home.block_on(body())),
        Err(error) if kind == Kind::Uring => eprintln!("skipped: {error}"),
        Err(error) => panic!("{kind} must work here: {error}"),
    });
}

/// One body on each backend.
macro_rules! on_each {
    ($(async fn $name:ident() $body:block)*) => {$(
        mod $name {
            use super::*;
            use $crate::backends::on;


            async fn body() $body

            #[test]
            fn uring() { on(reseau::Kind::Uring, body); }
            #[test]
            fn ready() { on(reseau::Kind::Ready, body); }
            #[test]
            fn sim() { on(reseau::Kind::Sim, body); }
        }
    )*};
}

pub(crate) use on_each;

pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

pub(crate) async fn pair_of(
    client: &Client,
    server: &Server,
) -> (TlsStream<Inet>, TlsStream<Inet>) {
    let (a, b) = tcp_pair().await;
    let server = server.clone();
    let accepting = reseau::spawn(async move { b.start_tls(&server).await.unwrap() });
    let a = a.start_tls(client.to("localhost")).await.unwrap();
    (a, accepting.await.unwrap())
}

/// A client and a server, connected.
pub(crate) async fn pair() -> (TlsStream<Inet>, TlsStream<Inet>) {
    let (client, server) = sides();
    pair_of(&client, &server).await
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
