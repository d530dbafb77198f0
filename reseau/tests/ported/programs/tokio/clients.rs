//! A load test: many clients at once, counted as they finish.
use super::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const CLIENTS: usize = 64;
const ROUNDS: usize = 20;

async fn serve(listener: TcpListener, messages: Arc<AtomicUsize>) -> io::Result<()> {
    // No more than this many at a time.
    let places = Arc::new(Semaphore::new(16));
    loop {
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (mut stream, _) = listener.accept().await?;
        let messages = messages.clone();
        tokio::spawn(async move {
            let mut message = [0; 32];
            while stream.read_exact(&mut message).await.is_ok() {
                messages.fetch_add(1, Ordering::Relaxed);
                message.reverse();
                stream.write_all(&message).await?;
            }
            drop(place);
            io::Result::Ok(())
        });
    }
}

async fn client(addr: SocketAddr, number: u8) -> io::Result<usize> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut message: Vec<u8> = (number..).take(32).collect();
    for round in 0..ROUNDS {
        stream.write_all(&message).await?;
        let expected: Vec<u8> = message.iter().rev().copied().collect();
        stream.read_exact(&mut message).await?;
        assert_eq!(message, expected, "client {number}, round {round}");
    }
    stream.shutdown().await?;
    assert_eq!(stream.read(&mut message).await?, 0);
    Ok(ROUNDS)
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let addr = listener.local_addr()?;
    let messages = Arc::new(AtomicUsize::new(0));
    let mut set = JoinSet::new();
    for number in 0..CLIENTS {
        set.spawn(client(addr, u8::try_from(number).unwrap()));
    }
    let server = tokio::spawn(serve(listener, messages.clone()));
    let mut rounds = 0;
    while let Some(finished) = set.join_next().await {
        rounds += finished??;
    }
    assert_eq!(rounds, CLIENTS * ROUNDS);
    assert_eq!(messages.load(Ordering::Relaxed), rounds);
    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    Ok(())
}
