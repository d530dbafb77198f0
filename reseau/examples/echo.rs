//! An echo server on a loop of its own, and a client that talks to it.
//!
//! `cargo run --example echo` serves one connection of its own and ends;
//! `cargo run --example echo -- 127.0.0.1:7000` serves everybody until it is stopped.
use reseau::{TcpListener, TcpStream};
use std::io;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1);
    reseau::block_on(async {
        let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:0")).await?;
        let here = listener.local_addr()?;
        println!("listening on {here}");
        if addr.is_some() {
            return serve(listener).await;
        }
        reseau::spawn_local(serve(listener)).detach();
        say(here, "hello").await
    })
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        reseau::spawn_local(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("{peer}: {error}");
            }
        })
        .detach();
    }
}

/// What comes goes back: the very same memory, without a copy.
async fn echo(mut stream: TcpStream) -> io::Result<()> {
    while let Some(chunk) = stream.recv().await? {
        stream.send(chunk).await?;
    }
    stream.close().await
}

async fn say(addr: std::net::SocketAddr, text: &'static str) -> io::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.send(text).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    println!("{}", String::from_utf8_lossy(&answer));
    Ok(())
}
