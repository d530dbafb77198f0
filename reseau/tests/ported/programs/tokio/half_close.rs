//! A proxy made of two tasks per connection; either side may stop talking and still listen.
use super::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use super::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<u64> {
    let count = tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await?;
    Ok(count)
}

async fn relay(client: TcpStream, upstream: SocketAddr) -> io::Result<(u64, u64)> {
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = TcpStream::connect(upstream).await?.into_split();
    let up = tokio::spawn(pump(client_read, server_write));
    let down = tokio::spawn(pump(server_read, client_write));
    Ok((up.await??, down.await??))
}

/// Reads a document to its end, and only then answers.
async fn count_words(mut stream: TcpStream) -> io::Result<()> {
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    stream.write_all(format!("{} words", text.split_whitespace().count()).as_bytes()).await
}

/// Speaks first, stops by dropping its half, and listens then.
async fn greet(stream: TcpStream) -> io::Result<String> {
    let (mut reader, mut writer) = stream.into_split();
    writer.write_all(b"who are you?").await?;
    drop(writer);
    let mut name = String::new();
    reader.read_to_string(&mut name).await?;
    Ok(name)
}

pub(super) async fn main() -> io::Result<()> {
    let upstream = TcpListener::bind("127.0.0.1:0").await?;
    let target = upstream.local_addr()?;
    let proxy = TcpListener::bind("127.0.0.1:0").await?;
    let addr = proxy.local_addr()?;
    let relaying = tokio::spawn(async move {
        let one = relay(proxy.accept().await?.0, target).await?;
        let two = relay(proxy.accept().await?.0, target).await?;
        io::Result::Ok([one, two])
    });

    let mut client = TcpStream::connect(addr).await?;
    let counting = tokio::spawn(count_words(upstream.accept().await?.0));
    let text = "to be or not to be ".repeat(20_000);
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    assert_eq!(answer, "120000 words");
    counting.await??;

    let mut client = TcpStream::connect(addr).await?;
    let greeting = tokio::spawn(greet(upstream.accept().await?.0));
    let mut question = String::new();
    client.read_to_string(&mut question).await?;
    assert_eq!(question, "who are you?");
    client.write_all(b"ann").await?;
    drop(client);
    assert_eq!(greeting.await??, "ann");
    assert_eq!(relaying.await??, [(text.len() as u64, 12), (3, 12)]);
    Ok(())
}
