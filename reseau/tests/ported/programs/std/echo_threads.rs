//! The echo server of every tutorial: a thread per connection.
use super::net::{TcpListener, TcpStream};
use std::io::{Read, Result, Write};
use std::thread::{self, JoinHandle};

fn handle(mut stream: TcpStream) -> Result<usize> {
    stream.set_nodelay(true)?;
    let mut buf = [0; 512];
    let mut total = 0;
    loop {
        let n = stream.read(&mut buf)?;
        if n == 0 {
            return Ok(total);
        }
        stream.write_all(&buf[..n])?;
        total += n;
    }
}

fn call(stream: &mut TcpStream, message: &[u8]) -> Result<()> {
    stream.write_all(message)?;
    stream.flush()?;
    let mut echo = vec![0; message.len()];
    stream.read_exact(&mut echo)?;
    assert_eq!(echo, message);
    Ok(())
}

pub(super) fn main() -> Result<()> {
    let listener = TcpListener::bind("localhost:0")?;
    let port = listener.local_addr()?.port();
    let server = thread::spawn(move || {
        let serve = |stream: Result<TcpStream>| {
            let stream = stream?;
            Ok(thread::spawn(move || handle(stream)))
        };
        listener.incoming().take(4).map(serve).collect::<Result<Vec<JoinHandle<_>>>>()
    });

    let clients: Vec<_> = (0..4_u8)
        .map(|client| {
            thread::spawn(move || {
                let mut stream = TcpStream::connect(("localhost", port))?;
                stream.set_nodelay(true)?;
                for round in 1..=20 {
                    call(&mut stream, &vec![client; round * 97])?;
                }
                Result::Ok(())
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap()?;
    }
    for connection in server.join().unwrap()? {
        assert_eq!(connection.join().unwrap()?, 97 * (1..=20).sum::<usize>());
    }
    Ok(())
}
