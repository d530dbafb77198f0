//! reseau: on its own loops and blocking, one call for each datagram or for many.

use std::io;

use reseau::{Batch, Config, Kind, Loop, Packet, UdpSocket, blocking as door};

use super::{BATCH, Numbers, PACKET_BYTES, TALLY, Task};
use crate::scenario::Post;
use crate::servers::reseau::unsupported;
use crate::sys::mail;

pub(in crate::servers) fn uring(task: Task) -> io::Result<()> {
    own_loop(Kind::Uring)?.block_on(each(task))
}

pub(in crate::servers) fn ready(task: Task) -> io::Result<()> {
    own_loop(Kind::Ready)?.block_on(each(task))
}

pub(in crate::servers) fn uring_batch(task: Task) -> io::Result<()> {
    own_loop(Kind::Uring)?.block_on(many(task))
}

pub(in crate::servers) fn ready_batch(task: Task) -> io::Result<()> {
    own_loop(Kind::Ready)?.block_on(many(task))
}

fn own_loop(kind: Kind) -> io::Result<Loop> {
    Loop::with(&Config { kind: Some(kind), ..Config::default() }).map_err(unsupported)
}

async fn each(task: Task) -> io::Result<()> {
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

async fn many(task: Task) -> io::Result<()> {
    task.ready()?;
    let socket = UdpSocket::from_std(task.socket)?;
    socket.set_gro(true)?;
    let mut batch = Batch::new(BATCH, PACKET_BYTES);
    match task.post {
        Post::Sink => loop {
            socket.recv_batch(&mut batch).await?;
            count(&batch);
        },
        Post::Source => {
            socket.recv_batch(&mut batch).await?;
            let mut source = Source::new(&batch)?;
            loop {
                source.fill(&mut batch)?;
                while !batch.is_empty() {
                    socket.send_batch(&mut batch).await?;
                }
                source.count();
            }
        }
        _ => loop {
            socket.recv_batch(&mut batch).await?;
            batch.reply();
            while !batch.is_empty() {
                socket.send_batch(&mut batch).await?;
            }
        },
    }
}

pub(in crate::servers) fn blocking(task: Task) -> io::Result<()> {
    task.ready()?;
    let socket = door::UdpSocket::from(task.socket);
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

pub(in crate::servers) fn blocking_batch(task: Task) -> io::Result<()> {
    task.ready()?;
    let socket = door::UdpSocket::from(task.socket);
    socket.set_gro(true)?;
    let mut batch = Batch::new(BATCH, PACKET_BYTES);
    match task.post {
        Post::Sink => loop {
            socket.recv_batch(&mut batch)?;
            count(&batch);
        },
        Post::Source => {
            socket.recv_batch(&mut batch)?;
            let mut source = Source::new(&batch)?;
            loop {
                source.fill(&mut batch)?;
                while !batch.is_empty() {
                    socket.send_batch(&mut batch)?;
                }
                source.count();
            }
        }
        _ => loop {
            socket.recv_batch(&mut batch)?;
            batch.reply();
            while !batch.is_empty() {
                socket.send_batch(&mut batch)?;
            }
        },
    }
}

fn count(batch: &Batch) {
    TALLY.add(batch.len(), batch.iter().map(|(_, bytes)| bytes.len()).sum());
}

/// What a source sends.
struct Source {
    to: Packet,
    len: usize,
    numbers: Numbers,
}

impl Source {
    /// Who asked for it is first in the batch.
    fn new(batch: &Batch) -> io::Result<Self> {
        let first = batch.iter().next();
        let (packet, bytes) = first.ok_or_else(|| io::Error::other("an empty batch came"))?;
        let peer = packet.peer.ok_or_else(|| io::Error::other("a sender without a name"))?;
        Ok(Self { to: Packet::to(peer), len: bytes.len(), numbers: Numbers::default() })
    }

    /// As many as make one train.
    fn fill(&mut self, batch: &mut Batch) -> io::Result<()> {
        batch.clear();
        for _ in 0..mail::train_max(self.len) {
            batch.push_with(&self.to, self.len, |bytes| self.numbers.write(bytes))?;
        }
        Ok(())
    }

    /// What was filled went out.
    fn count(&self) {
        let count = mail::train_max(self.len);
        TALLY.add(count, count * self.len);
    }
}
