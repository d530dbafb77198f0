//! An echo server of several tasks that share one socket.
use super::net::UdpSocket;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;
use tokio::task::JoinSet;

async fn serve(
    socket: Arc<UdpSocket>,
    served: Arc<AtomicUsize>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buf = [0; 1024];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buf) => {
                let (n, from) = received?;
                assert_eq!(socket.send_to(&buf[..n], from).await?, n);
                served.fetch_add(1, Ordering::Relaxed);
            }
            _ = stop.changed() => return Ok(()),
        }
    }
}

/// A few on their way at once, and each comes back once.
async fn call(server: SocketAddr, client: u8) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    for round in 0..25_u8 {
        let mut missing = BTreeSet::new();
        for number in 0..4 {
            let size = usize::from(round) * 11;
            let message = [&[client, round, number][..], &vec![number; size]].concat();
            assert_eq!(socket.send_to(&message, server).await?, message.len());
            missing.insert(message);
        }
        let mut buf = [0; 1024];
        while !missing.is_empty() {
            let (n, from) = socket.recv_from(&mut buf).await?;
            assert_eq!(from, server);
            assert!(missing.remove(&buf[..n]), "not sent, or come twice");
        }
    }
    Ok(())
}

pub(super) async fn main() -> io::Result<()> {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    let server = socket.local_addr()?;
    let (stop, stopping) = watch::channel(false);
    let served = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        tasks.spawn(serve(socket.clone(), served.clone(), stopping.clone()));
    }
    let mut clients = JoinSet::new();
    for client in 0..5 {
        clients.spawn(call(server, client));
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    stop.send_replace(true);
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    assert_eq!(served.load(Ordering::Relaxed), 5 * 25 * 4);
    assert_eq!(Arc::strong_count(&socket), 1);
    drop(socket);
    // The port is free again.
    UdpSocket::bind(server).await.map(drop)
}
