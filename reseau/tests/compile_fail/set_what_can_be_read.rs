//! An option that can only be read.
use reseau::{blocking::TcpListener, opt};

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set(opt::Accepting(false)).unwrap();
}
