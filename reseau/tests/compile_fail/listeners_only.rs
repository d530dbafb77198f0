//! An option of listeners on a stream.
use reseau::{TcpStream, opt};
use std::time::Duration;

fn f(stream: &TcpStream) {
    stream.set(opt::DeferAccept(Duration::from_secs(1))).unwrap();
}

fn main() {
    let _ = f;
}
