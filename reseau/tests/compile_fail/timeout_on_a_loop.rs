//! Sockets of a loop do not wait in their calls: they have deadlines.
use reseau::{UdpSocket, opt};

fn f(socket: &UdpSocket) {
    socket.set(opt::RecvTimeout(None)).unwrap();
}

fn main() {
    let _ = f;
}
