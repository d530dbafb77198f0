//! A forwarder: every client gets a socket of its own towards the server, and loses it when idle.
use super::net::UdpSocket;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

type Sessions = Arc<Mutex<HashMap<SocketAddr, Arc<UdpSocket>>>>;

struct Forwarder {
    front: Arc<UdpSocket>,
    server: SocketAddr,
    sessions: Sessions,
    ended: mpsc::UnboundedSender<SocketAddr>,
}

impl Forwarder {
    async fn run(self) -> io::Result<()> {
        let mut buf = vec![0; 65_536];
        loop {
            let (n, client) = self.front.recv_from(&mut buf).await?;
            let known = self.sessions.lock().unwrap().get(&client).cloned();
            let back = match known {
                Some(back) => back,
                None => self.open(client).await?,
            };
            back.send(&buf[..n]).await?;
        }
    }

    async fn open(&self, client: SocketAddr) -> io::Result<Arc<UdpSocket>> {
        let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        back.connect(self.server).await?;
        self.sessions.lock().unwrap().insert(client, back.clone());
        let (front, sessions) = (self.front.clone(), self.sessions.clone());
        let (ended, socket) = (self.ended.clone(), back.clone());
        tokio::spawn(async move {
            let mut buf = vec![0; 65_536];
            // The server says an empty word when it is done with a client.
            while let Ok(n @ 1..) = socket.recv(&mut buf).await {
                if front.send_to(&buf[..n], client).await.is_err() {
                    break;
                }
            }
            sessions.lock().unwrap().remove(&client);
            let _ = ended.send(client);
        });
        Ok(back)
    }
}

/// Counts for each client that it sees.
async fn count(socket: UdpSocket) -> io::Result<usize> {
    let (mut counts, mut buf) = (HashMap::<_, u32>::new(), [0; 64]);
    loop {
        let (n, client) = socket.recv_from(&mut buf).await?;
        match &buf[..n] {
            b"done" => drop(socket.send_to(b"", client).await?),
            b"stop" => return Ok(counts.len()),
            word => {
                let count = counts.entry(client).or_default();
                *count += 1;
                let answer = [word, b" ", count.to_string().as_bytes()].concat();
                socket.send_to(&answer, client).await?;
            }
        }
    }
}

async fn client(front: SocketAddr, name: &str) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(front).await?;
    for number in 1..=20 {
        socket.send(name.as_bytes()).await?;
        let mut buf = [0; 64];
        let n = socket.recv(&mut buf).await?;
        assert_eq!(str::from_utf8(&buf[..n]).unwrap(), format!("{name} {number}"));
    }
    Ok(socket)
}

pub(super) async fn main() -> io::Result<()> {
    let server = UdpSocket::bind("127.0.0.1:0").await?;
    let addr = server.local_addr()?;
    let counting = tokio::spawn(count(server));
    let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    let front_addr = front.local_addr()?;
    let (ended, mut ends) = mpsc::unbounded_channel();
    let sessions = Sessions::default();
    let forwarder = Forwarder { front, server: addr, sessions: sessions.clone(), ended };
    let forwarding = tokio::spawn(forwarder.run());

    let clients = ["ann", "bob", "cid", "dan"].map(|name| tokio::spawn(client(front_addr, name)));
    let mut sockets = Vec::new();
    for client in clients {
        sockets.push(client.await??);
    }
    assert_eq!(sessions.lock().unwrap().len(), 4);
    for socket in &sockets[1..] {
        socket.send(b"done").await?;
        assert_eq!(ends.recv().await, Some(socket.local_addr()?));
    }
    let kept: Vec<_> = sessions.lock().unwrap().keys().copied().collect();
    assert_eq!(kept, [sockets[0].local_addr()?]);
    assert!(timeout(Duration::from_millis(2), sockets[1].recv(&mut [0; 8])).await.is_err());

    // Who comes back is a new client for the server.
    sockets[1].send(b"back").await?;
    let mut buf = [0; 8];
    let n = sockets[1].recv(&mut buf).await?;
    assert_eq!(&buf[..n], b"back 1");
    sockets[0].send(b"stop").await?;
    assert_eq!(counting.await??, 5);
    forwarding.abort();
    assert!(forwarding.await.unwrap_err().is_cancelled());
    Ok(())
}
