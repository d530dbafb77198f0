//! Many questions at once on one connected socket; answers find who asked, and losses are asked
//! again.
use super::net::UdpSocket;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

struct Resolver {
    socket: UdpSocket,
    waiting: Mutex<HashMap<u16, oneshot::Sender<Ipv4Addr>>>,
    next: AtomicU16,
    lost: AtomicU32,
}

impl Resolver {
    async fn new(server: SocketAddr) -> io::Result<Arc<Self>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect(server).await?;
        assert_eq!(socket.peer_addr()?, server);
        let (next, lost) = (AtomicU16::new(0), AtomicU32::new(0));
        let resolver = Arc::new(Self { socket, waiting: Mutex::default(), next, lost });
        let weak = Arc::downgrade(&resolver);
        tokio::spawn(async move {
            while let Some(resolver) = weak.upgrade() {
                // Not for ever: the resolver may be dropped.
                if let Ok(Err(_)) = timeout(Duration::from_millis(5), resolver.answer()).await {
                    break;
                }
            }
        });
        Ok(resolver)
    }

    async fn answer(&self) -> io::Result<()> {
        let mut buf = [0; 64];
        let n = self.socket.recv(&mut buf).await?;
        if let [id @ .., a, b, c, d] = &buf[..n]
            && let Ok(id) = id.try_into().map(u16::from_be_bytes)
            && let Some(asker) = self.waiting.lock().unwrap().remove(&id)
        {
            let _ = asker.send(Ipv4Addr::new(*a, *b, *c, *d));
        }
        Ok(())
    }

    async fn resolve(&self, name: &str) -> io::Result<Ipv4Addr> {
        for _ in 0..1_000 {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            let (sender, answer) = oneshot::channel();
            self.waiting.lock().unwrap().insert(id, sender);
            self.socket.send(&[&id.to_be_bytes(), name.as_bytes()].concat()).await?;
            match timeout(Duration::from_millis(50), answer).await {
                Ok(Ok(addr)) => return Ok(addr),
                _ => self.lost.fetch_add(1, Ordering::Relaxed),
            };
            self.waiting.lock().unwrap().remove(&id);
        }
        Err(ErrorKind::TimedOut.into())
    }
}

fn addr_of(name: &str) -> Ipv4Addr {
    let sum = name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    Ipv4Addr::from(sum)
}

/// Loses every fifth question, and answers two at a time in the wrong order.
async fn serve(socket: UdpSocket) -> io::Result<()> {
    let (mut held, mut asked) = (Vec::new(), 0);
    let mut buf = [0; 64];
    loop {
        match timeout(Duration::from_millis(1), socket.recv_from(&mut buf)).await {
            Ok(received) => {
                let (n, from) = received?;
                asked += 1;
                if asked % 5 != 0 {
                    let name = str::from_utf8(&buf[2..n]).unwrap();
                    held.push(([&buf[..2], &addr_of(name).octets()].concat(), from));
                }
            }
            Err(_) => held.reverse(),
        }
        while held.len() > 1 || asked % 2 == 1 && !held.is_empty() {
            let (answer, from) = held.pop().unwrap();
            socket.send_to(&answer, from).await?;
        }
    }
}

pub(super) async fn main() -> io::Result<()> {
    let server = UdpSocket::bind("localhost:0").await?;
    let addr = server.local_addr()?;
    let serving = tokio::spawn(serve(server));
    let resolver = Resolver::new(addr).await?;
    let mut tasks = JoinSet::new();
    for number in 0..40 {
        let resolver = resolver.clone();
        tasks.spawn(async move {
            let name = format!("host{number}.example");
            assert_eq!(resolver.resolve(&name).await?, addr_of(&name));
            io::Result::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    assert!(resolver.lost.load(Ordering::Relaxed) > 0);
    assert!(resolver.waiting.lock().unwrap().is_empty());
    serving.abort();
    let _ = serving.await;

    // Nobody is there any more: a connected socket hears of it.
    if cfg!(target_os = "linux") {
        let keeper = loop {
            match UdpSocket::bind(addr).await {
                // A socket that is dropped is closed by its loop, soon.
                Err(error) if error.kind() == ErrorKind::AddrInUse => yield_now().await,
                keeper => break keeper?,
            }
        };
        keeper.connect(addr).await?;
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(addr).await?;
        socket.send(b"hello?").await?;
        let refused = socket.recv(&mut [0; 8]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    Ok(())
}
