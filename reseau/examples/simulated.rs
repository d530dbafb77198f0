//! The same program in a simulated world: an hour takes no time, and the same seed gives the same
//! run, down to the order of every event.
//!
//! `cargo run --example simulated`
use reseau::sim::World;
use reseau::{TcpListener, TcpStream};
use std::io;
use std::time::Duration;

fn main() -> io::Result<()> {
    for seed in [1, 2, 1] {
        let world = World::new(seed);
        let pieces = world.run(conversation())?;
        println!("seed {seed}: {pieces:?} (trace {:016x})", world.trace_hash());
    }
    Ok(())
}

/// How many bytes the answers came in, piece by piece: the world's choice.
async fn conversation() -> io::Result<Vec<usize>> {
    let listener = TcpListener::bind("10.0.0.1:7").await?;
    reseau::spawn_local(async move {
        let (mut stream, _) = listener.accept().await?;
        while let Some(chunk) = stream.recv().await? {
            stream.send(chunk).await?;
        }
        stream.close().await
    })
    .detach();

    let mut stream = TcpStream::connect("10.0.0.1:7").await?;
    reseau::sleep(Duration::from_secs(3600)).await;
    stream.send("the quick brown fox jumps over the lazy dog").await?;
    stream.finish().await?;
    let mut pieces = Vec::new();
    while let Some(chunk) = stream.recv().await? {
        pieces.push(chunk.len());
    }
    Ok(pieces)
}
