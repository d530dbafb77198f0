//! A look at the datagram, and at who sent it, tells which task is to have it.
use super::net::UdpSocket;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

/// Receives the next datagram whenever it is told that it is the one meant.
async fn collect(socket: Arc<UdpSocket>, mut turns: Receiver<()>, done: Sender<()>) -> Vec<u8> {
    let mut all = Vec::new();
    while turns.recv().await.is_some() {
        let mut buf = [0; 64];
        let (n, _) = socket.recv_from(&mut buf).await.unwrap();
        all.extend_from_slice(&buf[1..n]);
        done.send(()).await.unwrap();
    }
    all
}

struct Dispatcher {
    socket: Arc<UdpSocket>,
    trusted: SocketAddr,
    letters: Sender<()>,
    digits: Sender<()>,
    done: Receiver<()>,
}

impl Dispatcher {
    /// How many came from strangers, and were thrown away?
    async fn run(mut self) -> io::Result<u32> {
        let mut strangers = 0;
        loop {
            if self.socket.peek_sender().await? != self.trusted {
                strangers += 1;
                // Even an empty buffer is enough to be rid of it.
                let thrown = self.socket.recv_from(&mut [0; 64]).await?;
                assert_ne!(thrown.1, self.trusted);
                continue;
            }
            let mut head = [0; 64];
            let (n, from) = self.socket.peek_from(&mut head).await?;
            assert_eq!(from, self.trusted);
            assert_eq!(self.socket.peek(&mut head).await?, n, "it is still there");
            match head[0] {
                _ if n == 0 => return Ok(strangers),
                b'a' => self.letters.send(()).await.unwrap(),
                b'0' => self.digits.send(()).await.unwrap(),
                other => panic!("{other} of {n}"),
            }
            self.done.recv().await.unwrap();
        }
    }
}

pub(super) async fn main() -> io::Result<()> {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    let client = UdpSocket::bind("127.0.0.1:0").await?;
    client.connect(socket.local_addr()?).await?;
    let stranger = UdpSocket::bind("127.0.0.1:0").await?;

    let ((letters, l), (digits, d), (sender, done)) = (channel(1), channel(1), channel(1));
    let of_letters = tokio::spawn(collect(socket.clone(), l, sender.clone()));
    let of_digits = tokio::spawn(collect(socket.clone(), d, sender));
    let trusted = client.local_addr()?;
    let dispatcher = Dispatcher { socket: socket.clone(), trusted, letters, digits, done };
    let dispatching = tokio::spawn(dispatcher.run());

    for word in ["aone", "012", "atwo", "0", "034", "athree"] {
        stranger.send_to(word.as_bytes(), socket.local_addr()?).await?;
        client.send(word.as_bytes()).await?;
    }
    client.send(b"").await?;
    assert_eq!(dispatching.await??, 6);
    assert_eq!(of_letters.await?, b"onetwothree");
    assert_eq!(of_digits.await?, b"1234");

    // The last was looked at and is still there, for whoever asks.
    socket.readable().await?;
    assert_eq!(socket.try_peek_sender()?, trusted);
    assert_eq!(socket.try_peek(&mut [0; 8])?, 0);
    assert_eq!(socket.recv_from(&mut [0; 8]).await?, (0, trusted));
    assert_eq!(socket.try_peek_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(timeout(Duration::from_millis(2), socket.peek(&mut [0; 8])).await.is_err());
    Ok(())
}
