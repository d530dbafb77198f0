//! Plain loops on epoll: the floor for any library.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use super::{BATCH, Numbers, PACKET_BYTES, TALLY, Task, count};
use crate::scenario::Post;
use crate::sys::mail::{self, Mail};
use crate::sys::{Interest, Poller};

/// One call for each datagram.
pub(in crate::servers) fn single(task: Task) -> io::Result<()> {
    let mut waits = Waits::new(&task)?;
    let (socket, post) = (task.socket, task.post);
    let mut buffer = vec![0; PACKET_BYTES];
    let mut numbers = Numbers::default();
    loop {
        let (n, peer) = waits.read(|| socket.recv_from(&mut buffer))?;
        match post {
            Post::Sink => TALLY.add(1, n),
            Post::Source => loop {
                numbers.write(&mut buffer[..n]);
                waits.write(|| socket.send_to(&buffer[..n], peer))?;
                TALLY.add(1, n);
            },
            _ => _ = waits.write(|| socket.send_to(&buffer[..n], peer))?,
        }
    }
}

/// One call for many datagrams.
pub(in crate::servers) fn mmsg(task: Task) -> io::Result<()> {
    many(task, Mail::new(BATCH, PACKET_BYTES), |_| 1)
}

/// One call for many trains of datagrams.
pub(in crate::servers) fn gso(task: Task) -> io::Result<()> {
    mail::join(&task.socket)?;
    many(task, Mail::new(BATCH / 2, mail::TRAIN_ROOM), mail::train_max)
}

fn many(task: Task, mut mail: Mail, train_max: fn(usize) -> usize) -> io::Result<()> {
    let mut waits = Waits::new(&task)?;
    let (socket, post) = (task.socket, task.post);
    loop {
        let trains = waits.read(|| mail.receive(&socket))?;
        match post {
            Post::Sink => {
                for slot in 0..trains {
                    let (bytes, segment) = mail.train(slot);
                    count(bytes, segment);
                }
            }
            Post::Source => {
                let (peer, size) = (mail.sender(0), mail.train(0).0.len());
                flood(&socket, &mut waits, mail, peer, size, train_max(size))?;
                return Ok(());
            }
            _ => {
                (0..trains).for_each(|slot| mail.answer(slot));
                let mut sent = 0;
                while sent < trains {
                    sent += waits.write(|| mail.send(&socket, sent, trains))?;
                }
            }
        }
    }
}

/// Sends trains of `count` datagrams: one in a call where they are long, many where each is one.
fn flood(
    socket: &UdpSocket,
    waits: &mut Waits,
    mut mail: Mail,
    peer: SocketAddr,
    size: usize,
    count: usize,
) -> io::Result<()> {
    let slots = (BATCH / count).clamp(1, mail.slots());
    let len = count * size;
    (0..slots).for_each(|slot| mail.address(slot, len, size, Some(peer)));
    let mut numbers = Numbers::default();
    loop {
        for slot in 0..slots {
            for datagram in mail.slot(slot)[..len].chunks_exact_mut(size) {
                numbers.write(datagram);
            }
        }
        let mut sent = 0;
        while sent < slots {
            sent += waits.write(|| mail.send(socket, sent, slots))?;
        }
        TALLY.add(slots * count, slots * len);
    }
}

/// Tries first, and waits if it must.
struct Waits {
    reads: Poller,
    writes: Poller,
}

impl Waits {
    /// Says that the server is ready, once it is.
    fn new(task: &Task) -> io::Result<Self> {
        task.socket.set_nonblocking(true)?;
        let waits = Self { reads: Poller::new()?, writes: Poller::new()? };
        waits.reads.add(task.socket.as_raw_fd(), 0, Interest::Read)?;
        waits.writes.add(task.socket.as_raw_fd(), 0, Interest::Write)?;
        task.ready()?;
        Ok(waits)
    }

    fn read<T>(&mut self, call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        until(&mut self.reads, call)
    }

    fn write<T>(&mut self, call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        until(&mut self.writes, call)
    }
}

fn until<T>(poller: &mut Poller, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => poller.wait(None)?,
            answer => return answer,
        };
    }
}
