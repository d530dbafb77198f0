//! One port, two protocols: the first bytes tell which, and stay for who speaks it.
use super::net::tcp::{ReadHalf, WriteHalf};
use super::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

async fn is_http(stream: &TcpStream) -> io::Result<bool> {
    let mut head = [0; 4];
    loop {
        // The head may come in pieces.
        match stream.peek(&mut head).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            4 => return Ok(&head == b"GET "),
            n if !b"GET ".starts_with(&head[..n]) => return Ok(false),
            _ => tokio::task::yield_now().await,
        }
    }
}

async fn http(mut reader: BufReader<ReadHalf<'_>>, mut writer: WriteHalf<'_>) -> io::Result<()> {
    let mut request = String::new();
    reader.read_line(&mut request).await?;
    assert_eq!(request, "GET / HTTP/1.0\r\n", "nothing is missing");
    writer.write_all(b"HTTP/1.0 204 No Content\r\n\r\n").await
}

async fn binary(mut reader: BufReader<ReadHalf<'_>>, mut writer: WriteHalf<'_>) -> io::Result<()> {
    let count = reader.read_u16().await?;
    let mut sum = 0;
    for _ in 0..count {
        sum += reader.read_i32_le().await?;
    }
    writer.write_i32_le(sum).await
}

async fn serve(mut stream: TcpStream) -> io::Result<bool> {
    let http_spoken = is_http(&stream).await?;
    let (reader, writer) = stream.split();
    let reader = BufReader::new(reader);
    match http_spoken {
        true => http(reader, writer).await?,
        false => binary(reader, writer).await?,
    }
    Ok(http_spoken)
}

async fn call(addr: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    // In two pieces, with a pause for the first to arrive alone.
    stream.write_all(&request[..2]).await?;
    tokio::task::yield_now().await;
    stream.write_all(&request[2..]).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let first = serve(listener.accept().await?.0).await?;
        let second = serve(listener.accept().await?.0).await?;
        io::Result::Ok([first, second])
    });
    let answer = call(addr, b"GET / HTTP/1.0\r\n").await?;
    assert_eq!(answer, b"HTTP/1.0 204 No Content\r\n\r\n");
    let answer = call(addr, &[0, 2, 5, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff]).await?;
    assert_eq!(answer, [3, 0, 0, 0]);
    assert_eq!(server.await??, [true, false]);
    Ok(())
}
