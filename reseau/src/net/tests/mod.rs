//! The calls of this room, each on every kernel that is here: real ones and the simulated one.
mod ends;
mod moving;
mod reading;

use super::*;
use crate::driver::Kind;
use crate::rt::{Config, Loop, sleep};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

/// Runs one body on each kernel.
fn everywhere<F: Future<Output = io::Result<()>> + 'static>(body: fn() -> F) {
    everywhere_with(&Config::default(), body);
}

fn everywhere_with<F: Future<Output = io::Result<()>> + 'static>(config: &Config, body: fn() -> F) {
    for kind in kinds() {
        let config = Config { kind: Some(kind), seed: 7, ..config.clone() };
        watched(kind, move || Loop::with(&config)?.block_on(body()));
    }
}

/// Runs one body on the real kernels, whose sockets have descriptors.
fn for_real<F: Future<Output = io::Result<()>> + 'static>(body: fn() -> F) {
    for kind in kinds().filter(|kind| *kind != Kind::Sim) {
        let config = Config { kind: Some(kind), ..Config::default() };
        watched(kind, move || Loop::with(&config)?.block_on(body()));
    }
}

fn kinds() -> impl Iterator<Item = Kind> {
    let ring = crate::driver::probe().kind == Kind::Uring;
    [Kind::Ready, Kind::Sim].into_iter().chain(ring.then_some(Kind::Uring))
}

/// A test that hangs is a test that fails.
fn watched(kind: Kind, body: impl FnOnce() -> io::Result<()> + Send + 'static) {
    let (tell, told) = mpsc::channel();
    let thread = std::thread::Builder::new().name(format!("{kind}"));
    let thread = thread.spawn(move || tell.send(body())).unwrap();
    match told.recv_timeout(Duration::from_secs(20)) {
        Ok(result) => result.unwrap_or_else(|error| panic!("on {kind}: {error}")),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("on {kind}: it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let _ = thread.join();
            panic!("on {kind}: the body panicked");
        }
    }
}

/// Two ends of one connection.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, peer) = listener.accept().await?;
    assert_eq!(peer, client.local_addr()?);
    Ok((client, server))
}

/// Gives the kernel time to deliver.
async fn a_while() {
    sleep(Duration::from_millis(20)).await;
}

/// Polls once, as a task would, and drops what is not done.
async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

/// What comes next, in however many pieces (a simulated kernel likes to cut).
async fn gets(stream: &mut TcpStream, wanted: &[u8]) -> io::Result<()> {
    let mut buf = vec![0; wanted.len()];
    stream.read_exact(&mut buf).await?;
    assert_eq!(buf, wanted);
    Ok(())
}

/// Waits until so many bytes are queued.
async fn holds(stream: &TcpStream, bytes: usize) -> io::Result<()> {
    stream.peek(&mut [0]).await?;
    while stream.queued() < bytes {
        a_while().await;
    }
    Ok(())
}
