//! The echo server of tokio's tutorial.
use super::net::{TcpListener, TcpStream};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn process(mut socket: TcpStream) -> io::Result<()> {
    let mut buf = vec![0; 1024];
    loop {
        match socket.read(&mut buf).await? {
            0 => return Ok(()),
            n => socket.write_all(&buf[..n]).await?,
        }
    }
}

/// The same, with the halves.
async fn copy(mut socket: TcpStream) -> io::Result<u64> {
    let (mut rd, mut wr) = socket.split();
    tokio::io::copy(&mut rd, &mut wr).await
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let first = tokio::spawn(process(listener.accept().await?.0));
        let second = tokio::spawn(copy(listener.accept().await?.0));
        first.await??;
        second.await?
    });

    let mut socket = TcpStream::connect(addr).await?;
    socket.write_all(b"hello\r\n").await?;
    socket.write_all(b"world\r\n").await?;
    let mut echo = [0; 14];
    socket.read_exact(&mut echo).await?;
    assert_eq!(&echo, b"hello\r\nworld\r\n");
    socket.shutdown().await?;
    assert_eq!(socket.read(&mut echo).await?, 0);

    // Writing is a task of its own, so that more can be on its way than fits anywhere.
    let (mut rd, mut wr) = tokio::io::split(TcpStream::connect(addr).await?);
    let data: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let sent = data.clone();
    let writer = tokio::spawn(async move {
        wr.write_all(&sent).await?;
        wr.shutdown().await
    });
    let mut back = Vec::new();
    rd.read_to_end(&mut back).await?;
    assert!(back == data);
    writer.await??;
    assert_eq!(server.await??, data.len() as u64);
    Ok(())
}
