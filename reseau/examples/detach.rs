//! A stream that changes its loop in the middle of a conversation, and then leaves loops
//! altogether: what was received ahead goes along each time.
//!
//! `cargo run --example detach`
use reseau::{TcpListener, TcpStream};
use std::io::{self, Read};
use std::thread;

fn main() -> io::Result<()> {
    reseau::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut client = TcpStream::connect(listener.local_addr()?).await?;
        let (server, _) = listener.accept().await?;
        client.send("one two three").await?;
        client.finish().await?;
        server.peek(&mut [0]).await?; // Something has come, and waits in the stream.

        let detached = server.detach().await?;
        let elsewhere = thread::spawn(move || {
            // Another thread, another loop.
            reseau::block_on(async {
                let mut server = detached.attach()?;
                let mut word = [0; 4];
                server.read_exact(&mut word).await?;
                println!("on a loop: {:?}", String::from_utf8_lossy(&word));
                server.detach().await
            })
        });
        let detached = elsewhere.join().expect("it does not panic")?;

        // No loop any more: std's socket, and the bytes that it will not give again.
        let (mut socket, ahead) = detached.into_parts()?;
        socket.set_nonblocking(false)?;
        let mut rest: Vec<u8> = ahead.iter().flat_map(|chunk| chunk.to_vec()).collect();
        socket.read_to_end(&mut rest)?;
        println!("without one: {:?}", String::from_utf8_lossy(&rest));
        Ok(())
    })
}
