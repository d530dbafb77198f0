//! One point in time for a whole conversation, however many reads and writes it takes: a peer that
//! sends a byte now and then cannot hold it open.
//!
//! `cargo run --example deadlines`
use reseau::{TcpListener, TcpStream};
use std::io;
use std::time::{Duration, Instant};

fn main() -> io::Result<()> {
    reseau::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        reseau::spawn_local(async move {
            let Ok(mut stream) = TcpStream::connect(addr).await else { return };
            while stream.send(".").await.is_ok() {
                reseau::sleep(Duration::from_millis(20)).await;
            }
        })
        .detach();

        let (mut stream, _) = listener.accept().await?;
        #[allow(clippy::disallowed_methods)] // A program may ask what time it is.
        let deadline = Instant::now() + Duration::from_millis(200);
        stream.set_deadlines(Some(deadline), Some(deadline));
        match line(&mut stream).await {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => println!("too slow: {error}"),
            other => println!("{other:?}"),
        }
        Ok(())
    })
}

async fn line(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let Some(chunk) = stream.recv().await? else { break };
        line.extend_from_slice(&chunk);
    }
    Ok(line)
}
