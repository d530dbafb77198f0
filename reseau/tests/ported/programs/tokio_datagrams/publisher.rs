//! A publisher: who subscribes gets every item, at the beat of a clock, until it leaves.
use super::net::UdpSocket;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{interval, timeout};

/// Publishes while there is somebody, and ends when the last has left.
async fn publish(socket: UdpSocket, least: usize) -> io::Result<(u32, usize)> {
    let mut subscribers: BTreeSet<SocketAddr> = BTreeSet::new();
    let mut clock = interval(Duration::from_millis(1));
    let (mut item, mut most, mut buf) = (0_u32, 0, [0; 16]);
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buf) => {
                let (n, from) = received?;
                match &buf[..n] {
                    b"join" => drop(subscribers.insert(from)),
                    b"leave" => {
                        assert!(subscribers.remove(&from));
                        socket.send_to(b"", from).await?;
                    }
                    other => panic!("{other:?}"),
                }
                most = most.max(subscribers.len());
                if most == least && subscribers.is_empty() {
                    return Ok((item, most));
                }
            }
            _ = clock.tick(), if most == least => {
                for subscriber in &subscribers {
                    socket.send_to(&item.to_be_bytes(), subscriber).await?;
                }
                item += 1;
            }
        }
    }
}

/// Takes `count` items, then leaves. What is the last item that it saw?
async fn subscribe(publisher: SocketAddr, count: usize) -> io::Result<u32> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(publisher).await?;
    socket.send(b"join").await?;
    let (mut items, mut buf) = (Vec::new(), [0; 16]);
    loop {
        let n = timeout(Duration::from_secs(20), socket.recv(&mut buf)).await??;
        let Some((item, _)) = buf[..n].split_first_chunk() else { break };
        items.push(u32::from_be_bytes(*item));
        if items.len() == count {
            socket.send(b"leave").await?;
        }
    }
    // Those that were on the way came as well; after the farewell comes nothing.
    assert!(items.len() >= count);
    assert!(items.iter().copied().eq(0..u32::try_from(items.len()).unwrap()));
    assert!(timeout(Duration::from_millis(5), socket.recv(&mut buf)).await.is_err());
    Ok(items.last().copied().unwrap_or_default())
}

pub(super) async fn main() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let addr = socket.local_addr()?;
    let publishing = tokio::spawn(publish(socket, 12));
    let subscribers: Vec<_> = (1..=12).map(|count| tokio::spawn(subscribe(addr, count))).collect();
    let mut last = 0;
    for subscriber in subscribers {
        last = last.max(subscriber.await??);
    }
    let (items, most) = publishing.await??;
    assert_eq!(most, 12);
    assert!(items > last && last >= 11, "{items} {last}");
    Ok(())
}
