//! Reading without a buffer per connection: wait for readiness, then try.
use super::io::{Interest, Ready};
use super::net::{TcpListener, TcpStream};
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

async fn collect(stream: &TcpStream) -> io::Result<(Vec<u8>, usize)> {
    let (mut all, mut turns) = (Vec::new(), 0);
    loop {
        stream.readable().await?;
        turns += 1;
        let mut buf = [0; 4096];
        match stream.try_read(&mut buf) {
            Ok(0) => return Ok((all, turns)),
            Ok(n) => all.extend_from_slice(&buf[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
    }
}

async fn trickle(mut stream: TcpStream) -> io::Result<()> {
    for piece in ["one ", "two ", "three"] {
        stream.write_all(piece.as_bytes()).await?;
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let stream = TcpStream::connect(addr).await?;
    let (peer, _) = listener.accept().await?;
    assert_eq!(stream.try_read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(timeout(Duration::from_millis(2), stream.readable()).await.is_err());
    let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
    assert!(ready.is_writable() && !ready.is_readable());

    let trickling = tokio::spawn(trickle(peer));
    let (all, turns) = collect(&stream).await?;
    assert_eq!(all, b"one two three");
    assert!(turns > 1);
    trickling.await??;
    let ready: Ready = stream.ready(Interest::READABLE).await?;
    assert!(ready.is_read_closed());

    // Both directions of one socket in one task, echoing until its peer has enough.
    let (mut client, server) = (TcpStream::connect(addr).await?, listener.accept().await?.0);
    let echo = tokio::spawn(async move {
        let (mut kept, mut buf) = (Vec::new(), [0; 512]);
        loop {
            let interest = if kept.is_empty() { Interest::READABLE } else { Interest::WRITABLE };
            let ready = server.ready(interest).await?;
            let done = match interest {
                Interest::READABLE if ready.is_readable() => server.try_read(&mut buf),
                _ => server.try_write(&kept),
            };
            match done {
                Ok(0) => return io::Result::Ok(()),
                Ok(n) if kept.is_empty() => kept.extend_from_slice(&buf[..n]),
                Ok(n) => drop(kept.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    });
    client.write_all(&[7; 2_000]).await?;
    client.shutdown().await?;
    assert_eq!(collect(&client).await?.0, [7; 2_000]);
    echo.await?
}
