//! An option that can only be set: what came of it is in `RecvBuffer`.
use reseau::{blocking::TcpListener, opt};

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let opt::RecvBufferForce(_) = listener.get().unwrap();
}
