//! An option that must be set before binding.
use reseau::{TcpListener, TcpSocket, opt};

fn f(socket: &TcpSocket, listener: &TcpListener) {
    socket.set(opt::OnlyV6(true)).unwrap();
    let opt::OnlyV6(_) = listener.get().unwrap();
    listener.set(opt::OnlyV6(true)).unwrap();
}

fn main() {
    let _ = f;
}
