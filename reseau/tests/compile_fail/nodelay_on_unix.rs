//! An option of TCP on a Unix socket.
use reseau::{UnixStream, opt};

fn main() {
    let (stream, _other) = UnixStream::pair().unwrap();
    stream.set(opt::Nodelay(true)).unwrap();
}
