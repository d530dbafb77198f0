//! quinn-udp on tokio: trains received and sent, as quinn does.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::runtime::Builder;

use super::{Numbers, TALLY, Task, count};
use crate::scenario::Post;
use crate::sys::mail;

pub(in crate::servers) fn run(task: Task) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(serve(task))
}

async fn serve(task: Task) -> io::Result<()> {
    let state = UdpSocketState::new(UdpSockRef::from(&task.socket))?;
    task.ready()?;
    let mut server = Server {
        each: mail::TRAIN_ROOM,
        bytes: vec![0; BATCH_SIZE * mail::TRAIN_ROOM],
        metas: [RecvMeta::default(); BATCH_SIZE],
        socket: UdpSocket::from_std(task.socket)?,
        state,
    };
    match task.post {
        Post::Sink => loop {
            for train in 0..server.receive().await? {
                let RecvMeta { len, stride, .. } = server.metas[train];
                count(&server.bytes[train * server.each..][..len], stride);
            }
        },
        Post::Source => {
            server.receive().await?;
            server.flood(server.metas[0].addr, server.metas[0].len).await
        }
        _ => loop {
            for train in 0..server.receive().await? {
                let RecvMeta { addr, len, stride, dst_ip, .. } = server.metas[train];
                let answer = Transmit {
                    destination: addr,
                    ecn: None,
                    contents: &server.bytes[train * server.each..][..len],
                    segment_size: Some(stride),
                    src_ip: dst_ip,
                };
                server.send(&answer).await?;
            }
        },
    }
}

struct Server {
    socket: UdpSocket,
    state: UdpSocketState,
    bytes: Vec<u8>,
    /// Of the bytes, for one train.
    each: usize,
    metas: [RecvMeta; BATCH_SIZE],
}

impl Server {
    /// How many trains came.
    async fn receive(&mut self) -> io::Result<usize> {
        let Self { socket, state, bytes, each, metas } = self;
        let mut slots = bytes.chunks_exact_mut(*each).map(IoSliceMut::new);
        let mut slots: [_; BATCH_SIZE] =
            std::array::from_fn(|_| slots.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        let call = || state.recv(UdpSockRef::from(&*socket), &mut slots, metas);
        socket.async_io(Interest::READABLE, call).await
    }

    async fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let call = || self.state.try_send(UdpSockRef::from(&self.socket), transmit);
        self.socket.async_io(Interest::WRITABLE, call).await
    }

    async fn flood(&mut self, peer: SocketAddr, size: usize) -> io::Result<()> {
        let count = self.state.max_gso_segments().min(mail::train_max(size));
        let mut numbers = Numbers::default();
        loop {
            for datagram in self.bytes[..count * size].chunks_exact_mut(size) {
                numbers.write(datagram);
            }
            let train = Transmit {
                destination: peer,
                ecn: None,
                contents: &self.bytes[..count * size],
                segment_size: Some(size),
                src_ip: None,
            };
            self.send(&train).await?;
            TALLY.add(count, count * size);
        }
    }
}
