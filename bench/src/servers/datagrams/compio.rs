//! compio, one operation for each datagram; io_uring or nothing.

use std::io;

use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use compio::net::UdpSocket;

use super::{Numbers, PACKET_BYTES, TALLY, Task};
use crate::scenario::Post;
use crate::servers::compio::runtime;

pub(in crate::servers) fn run(task: Task) -> io::Result<()> {
    runtime()?.block_on(serve(task))
}

async fn serve(task: Task) -> io::Result<()> {
    task.ready()?;
    let post = task.post;
    let socket = UdpSocket::from_std(task.socket)?;
    let mut buffer = Vec::with_capacity(PACKET_BYTES);
    match post {
        Post::Sink => loop {
            let BufResult(came, full) = socket.recv_from(buffer).await;
            TALLY.add(1, came?.0);
            buffer = full;
        },
        Post::Source => {
            let BufResult(came, mut full) = socket.recv_from(buffer).await;
            let (n, peer) = came?;
            let mut numbers = Numbers::default();
            loop {
                numbers.write(&mut full[..n]);
                let BufResult(sent, slice) = socket.send_to(full.slice(..n), peer).await;
                sent?;
                full = slice.into_inner();
                TALLY.add(1, n);
            }
        }
        _ => loop {
            let BufResult(came, full) = socket.recv_from(buffer).await;
            let (n, peer) = came?;
            let BufResult(sent, slice) = socket.send_to(full.slice(..n), peer).await;
            sent?;
            buffer = slice.into_inner();
        },
    }
}
