//! An option of UDP on a TCP socket.
use reseau::{blocking::TcpStream, opt};

fn main() {
    let stream = TcpStream::connect("127.0.0.1:1").unwrap();
    stream.set(opt::Broadcast(true)).unwrap();
}
