//! A ticker: every subscriber gets every line, and one that has gone is forgotten.
use super::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::io::{self, BufRead, BufReader, Write};
use std::thread;

#[derive(Default)]
struct Ticker {
    subscribers: Vec<TcpStream>,
}

impl Ticker {
    fn subscribe(&mut self, stream: &TcpStream) -> io::Result<()> {
        self.subscribers.push(stream.try_clone()?);
        Ok(())
    }

    fn publish(&mut self, line: &str) -> usize {
        self.subscribers.retain_mut(|stream| writeln!(stream, "{line}").is_ok());
        self.subscribers.len()
    }

    fn close(&self) -> io::Result<()> {
        self.subscribers.iter().try_for_each(|stream| stream.shutdown(Shutdown::Both))
    }
}

fn follow(addr: SocketAddr) -> io::Result<Vec<String>> {
    BufReader::new(TcpStream::connect(addr)?).lines().collect()
}

pub(super) fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let mut ticker = Ticker::default();

    let followers: Vec<_> = (0..3).map(|_| thread::spawn(move || follow(addr))).collect();
    for stream in listener.incoming().take(followers.len()) {
        // The clone in the list keeps the connection; this handle goes.
        ticker.subscribe(&stream?)?;
    }
    let quitter = TcpStream::connect(addr)?;
    let (stream, from) = listener.accept()?;
    assert_eq!(from, quitter.local_addr()?);
    ticker.subscribe(&stream)?;
    drop(stream);

    assert_eq!(ticker.publish("0"), 4);
    drop(quitter);
    let mut told = 1;
    while ticker.publish(&told.to_string()) > 3 {
        told += 1;
    }
    ticker.close()?;
    let expected: Vec<String> = (0..=told).map(|number| number.to_string()).collect();
    for follower in followers {
        assert_eq!(follower.join().unwrap()?, expected);
    }
    Ok(())
}
