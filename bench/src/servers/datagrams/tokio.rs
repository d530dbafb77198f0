//! tokio, one call for each datagram.

use std::io;

use tokio::net::UdpSocket;
use tokio::runtime::Builder;

use super::{Task, one_by_one};

pub(in crate::servers) fn run(task: Task) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(serve(task))
}

async fn serve(task: Task) -> io::Result<()> {
    task.socket.set_nonblocking(true)?;
    task.ready()?;
    let socket = UdpSocket::from_std(task.socket)?;
    one_by_one!(socket, task.post, [.await])
}
