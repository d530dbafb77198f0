//! The same sockets under tokio: its runtime, its tasks, its `select!`. The loop that works for
//! them runs in the background, started by the first socket.
//!
//! `cargo run --example echo_tokio`
//!
//! (With the feature `tokio`, streams have its `AsyncRead` and `AsyncWrite` as well.)
use reseau::net::{TcpListener, TcpStream}; // was: use tokio::net::{TcpListener, TcpStream};
use std::io;
use std::time::Duration;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });

    let mut stream = TcpStream::connect(addr).await?;
    stream.send("hello").await?;
    let mut answer = [0; 5];
    tokio::select! {
        read = stream.read_exact(&mut answer) => read?,
        // Whoever loses the race is dropped, and loses no byte.
        () = tokio::time::sleep(Duration::from_secs(5)) => {
            return Err(io::ErrorKind::TimedOut.into());
        }
    };
    println!("{}", String::from_utf8_lossy(&answer));
    stream.close().await
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let (mut read, mut write) = stream.into_split();
    while let Some(chunk) = read.recv().await? {
        write.send(chunk).await?;
    }
    write.finish().await
}
