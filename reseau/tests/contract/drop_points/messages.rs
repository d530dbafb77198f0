//! The same for messages: two sockets that answer each other, in every way that there is.
use super::axe::Axe;
use crate::stage::{any, pattern};
use reseau::{Batch, Packet, UdpSocket, spawn_local};
use std::rc::Rc;

/// Requests and answers, each of which is waited for, so that none is lost for want of room.
pub(super) async fn play(axe: Rc<Axe>, simulated: bool) {
    let (client, server) =
        (UdpSocket::bind(any()).await.unwrap(), UdpSocket::bind(any()).await.unwrap());
    client.connect(server.local_addr().unwrap()).await.unwrap();
    server.tell();
    let answers = spawn_local(serve(axe.clone(), server));
    ask(&axe, client).await;
    answers.await.map_err(reseau::JoinError::resume).unwrap();
    #[cfg(unix)]
    {
        unix::play(axe.clone()).await;
        if !simulated {
            unix::pass(axe).await;
        }
    }
    #[cfg(not(unix))]
    let _ = simulated;
}

async fn ask(axe: &Axe, client: UdpSocket) {
    let mut buf = vec![0; 4096];
    for number in 0..ROUNDS {
        let question = pattern(number * 97);
        axe.over(async || assert_eq!(client.send(&question).await.unwrap(), question.len())).await;
        axe.over(async || client.readable().await.unwrap()).await;
        assert_eq!(axe.over(async || client.peek(&mut buf).await.unwrap()).await, question.len());
        let count = axe.over(async || client.recv(&mut buf).await.unwrap()).await;
        assert!(buf[..count] == question, "answer {number}");
    }
    // Many at once.
    let mut batch = Batch::new(MANY, 100);
    let to = Packet::connected();
    (0..MANY).for_each(|number| batch.push(&to, &pattern(number)).unwrap());
    while !batch.is_empty() {
        axe.over(async || client.send_batch(&mut batch).await.unwrap()).await;
    }
    let mut sizes = Vec::new();
    while sizes.len() < MANY {
        axe.over(async || client.recv_batch(&mut batch).await.unwrap()).await;
        for (packet, bytes) in batch.iter() {
            assert_eq!((packet.truncated, bytes), (false, &pattern(bytes.len())[..]));
            sizes.push(bytes.len());
        }
    }
    sizes.sort_unstable();
    assert_eq!(sizes, (0..MANY).collect::<Vec<_>>(), "each once");
    assert!(client.try_recv(&mut buf).is_err(), "more answers than questions");
}

async fn serve(axe: Rc<Axe>, server: UdpSocket) {
    let mut buf = vec![0; 4096];
    for number in 0..ROUNDS + MANY {
        let packet = match number % 3 {
            0 => axe.over(async || server.recv_packet(&mut buf).await.unwrap()).await,
            1 => {
                let (len, peer) =
                    axe.over(async || server.recv_from(&mut buf).await.unwrap()).await;
                let mut packet = Packet::to(peer);
                packet.len = len;
                packet
            }
            _ => {
                let peer = axe.over(async || server.peek_sender().await.unwrap()).await;
                let len = axe.over(async || server.recv(&mut buf).await.unwrap()).await;
                let mut packet = Packet::to(peer);
                packet.len = len;
                packet
            }
        };
        assert!(!packet.truncated);
        let (bytes, reply) = (&buf[..packet.len], packet.reply());
        match number % 2 {
            0 => axe.over(async || server.send_packet(bytes, &reply).await.unwrap()).await,
            _ => axe.over(async || server.send_to(bytes, reply.peer.unwrap()).await.unwrap()).await,
        };
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use reseau::UnixStream;
    use reseau::net::UnixDatagram;
    use std::os::fd::AsFd;

    /// A flood over a socket that holds few.
    pub(super) async fn play(axe: Rc<Axe>) {
        let (from, to) = UnixDatagram::pair().unwrap();
        let sender = {
            let axe = axe.clone();
            spawn_local(async move {
                for number in 0..FLOOD {
                    let bytes = pattern(number);
                    axe.over(async || from.send(&bytes).await.unwrap()).await;
                }
            })
        };
        let mut buf = vec![0; FLOOD];
        for number in 0..FLOOD {
            let count = axe.over(async || to.recv(&mut buf).await.unwrap()).await;
            assert!(count == number && buf[..count] == pattern(number), "in order and once");
        }
        sender.await.map_err(reseau::JoinError::resume).unwrap();
        assert!(to.try_recv(&mut buf).is_err(), "more than was sent");
    }

    /// Descriptors, each with its message, over a stream and as datagrams.
    pub(super) async fn pass(axe: Rc<Axe>) {
        let file = std::fs::File::open("/dev/null").unwrap();
        let (mut from, mut to) = UnixStream::pair().unwrap();
        let (by, at) = UnixDatagram::pair().unwrap();
        let sender = {
            let (axe, file) = (axe.clone(), file.try_clone().unwrap());
            spawn_local(async move {
                for number in 1..PASSED {
                    let (bytes, fds) = (pattern(number), vec![file.as_fd(); number % 4]);
                    let count = axe.over(async || from.send_fds(&bytes, &fds).await.unwrap()).await;
                    assert_eq!(count, number, "so few fit");
                    axe.over(async || by.send_fds(&bytes, &fds).await.unwrap()).await;
                    reseau::yield_now().await;
                }
                axe.over(async || from.finish().await.unwrap()).await;
                from
            })
        };
        let mut buf = vec![0; PASSED];
        let (mut bytes, mut fds) = (Vec::new(), 0);
        loop {
            let passed = axe.over(async || to.recv_fds(&mut buf, 9).await.unwrap()).await;
            if passed.len == 0 {
                break;
            }
            assert!(!passed.truncated);
            bytes.extend_from_slice(&buf[..passed.len]);
            fds += passed.fds.len();
        }
        let all: Vec<u8> = (1..PASSED).flat_map(pattern).collect();
        assert!(bytes == all, "bytes in order and once");
        assert_eq!(fds, (1..PASSED).map(|number| number % 4).sum::<usize>(), "each once");
        for number in 1..PASSED {
            let passed = axe.over(async || at.recv_fds(&mut buf, 9).await.unwrap()).await;
            assert_eq!((passed.len, passed.fds.len()), (number, number % 4));
        }
        drop(sender.await.map_err(reseau::JoinError::resume).unwrap());
    }

    const FLOOD: usize = 40;
    const PASSED: usize = 9;
}

const ROUNDS: usize = 18;
const MANY: usize = 9;
