//! std::net, one thread that waits in its calls.

use std::io;

use super::{Numbers, PACKET_BYTES, TALLY, Task};
use crate::scenario::Post;

pub(in crate::servers) fn run(task: Task) -> io::Result<()> {
    task.ready()?;
    let socket = task.socket;
    let mut buffer = vec![0; PACKET_BYTES];
    match task.post {
        Post::Sink => loop {
            let (n, _) = socket.recv_from(&mut buffer)?;
            TALLY.add(1, n);
        },
        Post::Source => {
            let (n, peer) = socket.recv_from(&mut buffer)?;
            let mut numbers = Numbers::default();
            loop {
                numbers.write(&mut buffer[..n]);
                socket.send_to(&buffer[..n], peer)?;
                TALLY.add(1, n);
            }
        }
        _ => loop {
            let (n, peer) = socket.recv_from(&mut buffer)?;
            socket.send_to(&buffer[..n], peer)?;
        },
    }
}
