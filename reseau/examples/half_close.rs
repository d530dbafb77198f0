//! A request that ends with the end of the stream, and an answer that does: two directions, each
//! with an end of its own.
//!
//! `cargo run --example half_close`
use reseau::{TcpListener, TcpStream};
use std::io;

fn main() -> io::Result<()> {
    reseau::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let server = reseau::spawn_local(count(listener));

        let mut client = TcpStream::connect(addr).await?;
        for word in ["how ", "many ", "bytes ", "are ", "these?"] {
            client.send(word).await?;
        }
        client.finish().await?; // The last of the request; reading goes on.
        let mut answer = Vec::new();
        while let Some(chunk) = client.recv().await? {
            answer.extend_from_slice(&chunk);
        }
        println!("{} bytes", String::from_utf8_lossy(&answer));
        server.await.expect("the server does not panic")
    })
}

async fn count(listener: TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let mut count = 0;
    while let Some(chunk) = stream.recv().await? {
        count += chunk.len();
    }
    stream.send(count.to_string()).await?;
    stream.close().await
}
