//! tokio, one call for each datagram.

use std::io;

use tokio::net::UdpSocket;
use tokio::runtime::Builder;

use super::{Numbers, PACKET_BYTES, TALLY, Task};
use crate::scenario::Post;

pub(in crate::servers) fn run(task: Task) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(serve(task))
}

async fn serve(task: Task) -> io::Result<()> {
    task.socket.set_nonblocking(true)?;
    task.ready()?;
    let socket = UdpSocket::from_std(task.socket)?;
    let mut buffer = vec![0; PACKET_BYTES];
    match task.post {
        Post::Sink => loop {
            let (n, _) = socket.recv_from(&mut buffer).await?;
            TALLY.add(1, n);
        },
        Post::Source => {
            let (n, peer) = socket.recv_from(&mut buffer).await?;
            let mut numbers = Numbers::default();
            loop {
                numbers.write(&mut buffer[..n]);
                socket.send_to(&buffer[..n], peer).await?;
                TALLY.add(1, n);
            }
        }
        _ => loop {
            let (n, peer) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..n], peer).await?;
        },
    }
}
