//! A linger would make the loop wait.
use reseau::{TcpStream, opt};
use std::time::Duration;

fn f(stream: &TcpStream) {
    stream.set(opt::Linger(Some(Duration::from_secs(5)))).unwrap();
}

fn main() {
    let _ = f;
}
