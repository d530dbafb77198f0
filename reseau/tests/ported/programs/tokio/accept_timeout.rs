//! A server that goes home when nobody comes.
use super::net::{TcpListener, TcpStream};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{error::Elapsed, timeout};

/// Serves until no connection comes for a while: a long one while there are fewer than `few`.
async fn serve(listener: TcpListener, few: usize) -> io::Result<usize> {
    let mut served = 0;
    loop {
        let patience = Duration::from_millis(if served < few { 20_000 } else { 20 });
        let accepted: Result<_, Elapsed> = timeout(patience, listener.accept()).await;
        let Ok(accepted) = accepted else { return Ok(served) };
        let (mut stream, peer) = accepted?;
        stream.write_all(format!("welcome, {}", peer.port()).as_bytes()).await?;
        served += 1;
    }
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    // Nobody comes; and giving up does not lose who comes later.
    for _ in 0..3 {
        assert!(timeout(Duration::from_millis(2), listener.accept()).await.is_err());
    }
    // They wait in the backlog.
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(TcpStream::connect(addr).await?);
    }
    let server = tokio::spawn(serve(listener, streams.len()));
    for stream in &mut streams {
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        assert_eq!(text, format!("welcome, {}", stream.local_addr()?.port()));
    }
    assert_eq!(server.await??, 5);
    Ok(())
}
