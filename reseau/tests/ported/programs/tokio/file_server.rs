//! A little HTTP server: files by name, and connections that stay open.
use super::net::{TcpListener, TcpStream};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};

type Files = HashMap<&'static str, Vec<u8>>;

async fn serve(stream: TcpStream, files: Arc<Files>) -> io::Result<u32> {
    let (reader, writer) = stream.into_split();
    let (mut lines, mut out) = (BufReader::new(reader).lines(), BufWriter::new(writer));
    let mut requests = 0;
    while let Some(request) = lines.next_line().await? {
        requests += 1;
        let mut keep = false;
        while let Some(header) = lines.next_line().await?.filter(|header| !header.is_empty()) {
            keep |= header.eq_ignore_ascii_case("connection: keep-alive");
        }
        let path = request.split_whitespace().nth(1).unwrap_or("/");
        let (status, body) = match files.get(path) {
            Some(body) => ("200 OK", body.as_slice()),
            None => ("404 Not Found", &b"no such file"[..]),
        };
        let head = format!("HTTP/1.0 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        out.write_all(head.as_bytes()).await?;
        out.write_all(body).await?;
        out.flush().await?;
        if !keep {
            break;
        }
    }
    Ok(requests)
}

async fn get(stream: &mut BufReader<TcpStream>, path: &str, keep: bool) -> io::Result<Vec<u8>> {
    let connection = if keep { "Keep-Alive" } else { "Close" };
    let request = format!("GET {path} HTTP/1.0\r\nConnection: {connection}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut length, mut line) = (0, String::new());
    while stream.read_line(&mut line).await? > 2 {
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim_end().parse().map_err(io::Error::other)?;
        }
        line.clear();
    }
    let mut body = Vec::new();
    stream.take(length).read_to_end(&mut body).await?;
    Ok(body)
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = BufReader::new(TcpStream::connect(listener.local_addr()?).await?);
    let big: Vec<u8> = (0..300_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let files = Files::from([("/", b"<p>hello".to_vec()), ("/big", big.clone())]);
    let (stream, _) = listener.accept().await?;
    let server = tokio::spawn(serve(stream, Arc::new(files)));

    assert_eq!(get(&mut client, "/", true).await?, b"<p>hello");
    assert!(get(&mut client, "/big", true).await? == big);
    assert_eq!(get(&mut client, "/nothing", false).await?, b"no such file");
    assert_eq!(client.read(&mut [0; 1]).await?, 0, "that was the last request");
    assert_eq!(server.await??, 3);
    Ok(())
}
