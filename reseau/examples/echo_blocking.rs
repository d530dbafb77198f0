//! Echo without async: a thread for each connection, straight on system calls.
//!
//! `cargo run --example echo_blocking`
use reseau::blocking::{TcpListener, TcpStream}; // was: use std::net::{TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::thread;

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || io::copy(&mut &stream, &mut &stream));
        }
    });

    let mut stream = TcpStream::connect(addr)?;
    stream.write_all(b"hello")?;
    stream.finish()?; // No more to come: the server reads to the end.
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    println!("{answer}");
    Ok(())
}
