//! reseau: on its own loops and blocking, one call for each datagram or for many.

use std::io;

use reseau::{Batch, Config, Kind, Loop, Packet, UdpSocket, blocking as door};

use super::{BATCH, Numbers, PACKET_BYTES, TALLY, Task, one_by_one};
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

/// The posts, many datagrams at once; behind each call comes `$wait`.
macro_rules! in_batches {
    ($socket:ident, $post:expr, [$($wait:tt)*]) => {{
        let mut batch = Batch::new(BATCH, PACKET_BYTES);
        match $post {
            Post::Sink => loop {
                $socket.recv_batch(&mut batch)$($wait)*?;
                count(&batch);
            },
            Post::Source => {
                $socket.recv_batch(&mut batch)$($wait)*?;
                let mut source = Source::new(&batch)?;
                loop {
                    source.fill(&mut batch)?;
                    while !batch.is_empty() {
                        $socket.send_batch(&mut batch)$($wait)*?;
                    }
                    source.count();
                }
            }
            _ => loop {
                $socket.recv_batch(&mut batch)$($wait)*?;
                batch.reply();
                while !batch.is_empty() {
                    $socket.send_batch(&mut batch)$($wait)*?;
                }
            },
        }
    }};
}

async fn each(task: Task) -> io::Result<()> {
    task.ready()?;
    let socket = UdpSocket::from_std(task.socket)?;
    one_by_one!(socket, task.post, [.await])
}

async fn many(task: Task) -> io::Result<()> {
    task.ready()?;
    let socket = UdpSocket::from_std(task.socket)?;
    socket.set_gro(true)?;
    in_batches!(socket, task.post, [.await])
}

pub(in crate::servers) fn blocking(task: Task) -> io::Result<()> {
    task.ready()?;
    let socket = door::UdpSocket::from(task.socket);
    one_by_one!(socket, task.post, [])
}

pub(in crate::servers) fn blocking_batch(task: Task) -> io::Result<()> {
    task.ready()?;
    let socket = door::UdpSocket::from(task.socket);
    socket.set_gro(true)?;
    in_batches!(socket, task.post, [])
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
