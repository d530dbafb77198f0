//! Halves that part for a while and come together again.
use super::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
use super::net::{TcpListener, TcpStream};
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Sends and receives at the same time, whatever the sizes.
async fn exchange(stream: TcpStream, out: Vec<u8>, expect: usize) -> io::Result<TcpStream> {
    let (mut reader, mut writer): (OwnedReadHalf, OwnedWriteHalf) = stream.into_split();
    let writing = tokio::spawn(async move { writer.write_all(&out).await.map(|()| writer) });
    let mut total = 0;
    let mut buf = vec![0; 10_000];
    while total < expect {
        match reader.read(&mut buf).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => total += n,
        }
    }
    let writer = writing.await??;
    reader.reunite(writer).map_err(io::Error::other)
}

async fn pair(listener: &TcpListener) -> io::Result<(TcpStream, TcpStream)> {
    let addr: SocketAddr = listener.local_addr()?;
    let (client, accepted) = tokio::try_join!(TcpStream::connect(addr), listener.accept())?;
    Ok((client, accepted.0))
}

pub(super) async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, server) = pair(&listener).await?;
    let peer = client.peer_addr()?;
    let (mut client, mut server) = tokio::try_join!(
        exchange(client, vec![1; 2_000_000], 3_000_000),
        exchange(server, vec![2; 3_000_000], 2_000_000),
    )?;
    // Whole again, and open in both directions.
    assert_eq!(client.peer_addr()?, peer);
    client.write_all(b"still there?").await?;
    let mut question = [0; 12];
    server.read_exact(&mut question).await?;
    server.write_all(b"yes").await?;
    let mut answer = [0; 3];
    client.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"yes");

    // Strangers are given back.
    let (one_read, one_write) = client.into_split();
    let (two_read, two_write) = server.into_split();
    let ReuniteError(one_read, two_write) = one_read.reunite(two_write).unwrap_err();
    let error: ReuniteError = one_write.reunite(two_read).unwrap_err();
    assert!(error.to_string().contains("halves"), "{error}");
    let ReuniteError(mut two_read, one_write) = error;
    assert_eq!(one_read.local_addr()?, one_write.local_addr()?);
    assert_eq!(two_write.peer_addr()?, one_read.local_addr()?);

    // To forget a half is not to end it; to drop it is.
    one_write.forget();
    drop(two_write);
    let mut one = one_read;
    assert_eq!(one.read(&mut [0; 1]).await?, 0);
    drop(one);
    assert_eq!(two_read.read(&mut [0; 1]).await?, 0);
    Ok(())
}
