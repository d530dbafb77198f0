//! A TCP proxy in which either side may stop talking and still listen.
use super::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::thread;

fn pump(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<u64> {
    let count = io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)?;
    Ok(count)
}

fn relay(client: &TcpStream, upstream: SocketAddr) -> io::Result<(u64, u64)> {
    let server = &TcpStream::connect(upstream)?;
    thread::scope(|scope| {
        let up = scope.spawn(move || pump(client, server));
        let down = pump(server, client)?;
        Ok((up.join().unwrap()?, down))
    })
}

/// Reads a document to its end, and only then answers.
fn count_words(listener: &TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    write!(stream, "{} words", text.split_whitespace().count())
}

/// Speaks first, stops, and listens then.
fn greet(listener: &TcpListener) -> io::Result<String> {
    let (mut stream, _) = listener.accept()?;
    stream.write_all(b"who are you?")?;
    stream.shutdown(Shutdown::Write)?;
    let mut name = String::new();
    stream.read_to_string(&mut name)?;
    Ok(name)
}

pub(super) fn main() -> io::Result<()> {
    let upstream = TcpListener::bind("127.0.0.1:0")?;
    let target = upstream.local_addr()?;
    let proxy = TcpListener::bind("127.0.0.1:0")?;
    let addr = proxy.local_addr()?;
    let relaying = thread::spawn(move || {
        let relays = proxy.incoming().take(2).map(|client| relay(&client?, target));
        relays.collect::<io::Result<Vec<_>>>()
    });

    let counting = thread::spawn(move || count_words(&upstream).map(|()| upstream));
    let text = "to be or not to be ".repeat(20_000);
    let mut client = TcpStream::connect(addr)?;
    client.write_all(text.as_bytes())?;
    client.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    assert_eq!(answer, "120000 words");

    let upstream = counting.join().unwrap()?;
    let greeting = thread::spawn(move || greet(&upstream));
    let mut client = TcpStream::connect(addr)?;
    let mut question = String::new();
    client.read_to_string(&mut question)?;
    client.write_all(b"ann")?;
    drop(client);
    assert_eq!(question, "who are you?");
    assert_eq!(greeting.join().unwrap()?, "ann");

    let counts = relaying.join().unwrap()?;
    assert_eq!(counts, [(text.len() as u64, 12), (3, 12)]);
    Ok(())
}
