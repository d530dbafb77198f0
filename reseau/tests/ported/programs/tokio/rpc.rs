//! Calls with a length in front and a limit on how long the answer may take.
use super::net::{TcpListener, TcpStream};
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::timeout;

async fn write_frame<W: AsyncWrite + Unpin>(to: &mut W, body: &[u8]) -> io::Result<()> {
    to.write_u32(u32::try_from(body.len()).map_err(io::Error::other)?).await?;
    to.write_all(body).await?;
    to.flush().await
}

async fn read_frame<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    if length > 1 << 20 {
        return Err(io::Error::new(ErrorKind::InvalidData, "a frame of more than a megabyte"));
    }
    let mut body = vec![0; length as usize];
    from.read_exact(&mut body).await?;
    Ok(body)
}

/// Reverses what it gets. One of them takes a while.
async fn serve(mut stream: TcpStream, go_on: oneshot::Receiver<()>) -> io::Result<()> {
    let mut go_on = Some(go_on);
    loop {
        let mut body = match read_frame(&mut stream).await {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            body => body?,
        };
        if let Some(go_on) = go_on.take_if(|_| body == b"slow") {
            go_on.await.map_err(io::Error::other)?;
        }
        body.reverse();
        write_frame(&mut stream, &body).await?;
    }
}

struct Client(TcpStream);

impl Client {
    async fn call(&mut self, body: &[u8], limit: Duration) -> io::Result<Vec<u8>> {
        let answer = async {
            write_frame(&mut self.0, body).await?;
            read_frame(&mut self.0).await
        };
        timeout(limit, answer).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = Client(TcpStream::connect(listener.local_addr()?).await?);
    let (answer, go_on) = oneshot::channel();
    let server = tokio::spawn(async move { serve(listener.accept().await?.0, go_on).await });

    let long = Duration::from_secs(10);
    for size in [0, 1, 1_000, 1_000_000] {
        let body: Vec<u8> = (0..=255).cycle().take(size).collect();
        let reversed: Vec<u8> = body.iter().rev().copied().collect();
        assert!(client.call(&body, long).await? == reversed, "{size}");
    }
    let late = client.call(b"slow", Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    // The answer to what was given up comes first.
    answer.send(()).unwrap();
    assert_eq!(client.call(b"next", long).await?, b"wols");
    assert_eq!(read_frame(&mut client.0).await?, b"txen");
    drop(client);
    server.await?
}
