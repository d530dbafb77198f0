//! Waiting for readiness, then trying until nothing is left: one buffer for any number of sockets.
use super::io::Interest;
use super::net::UdpSocket;
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// All that is there now.
async fn drain(socket: &UdpSocket, into: &mut Vec<String>) -> io::Result<()> {
    let mut buf = [0; 128];
    socket.readable().await?;
    loop {
        match socket.try_recv_from(&mut buf) {
            Ok((n, from)) => {
                assert!(from.ip().is_loopback());
                into.push(String::from_utf8_lossy(&buf[..n]).into_owned());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

async fn send_all(socket: &UdpSocket, name: &str, count: u32) -> io::Result<()> {
    for number in 0..count {
        let line = format!("{name} {number}");
        loop {
            socket.writable().await?;
            match socket.try_send(line.as_bytes()) {
                Ok(n) => break assert_eq!(n, line.len()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
        }
        if number % 10 == 9 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

async fn to(receiver: &UdpSocket) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(receiver.local_addr()?).await?;
    Ok(socket)
}

pub(super) async fn main() -> io::Result<()> {
    let one = UdpSocket::bind("127.0.0.1:0").await?;
    let other = UdpSocket::bind("127.0.0.1:0").await?;
    assert_eq!(one.try_recv_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(one.try_recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(timeout(Duration::from_millis(2), one.readable()).await.is_err());
    let ready = one.ready(Interest::READABLE | Interest::WRITABLE).await?;
    assert!(ready.is_writable() && !ready.is_readable());

    let (ann, bob) = (to(&one).await?, to(&other).await?);
    let sending = tokio::spawn(async move {
        tokio::try_join!(send_all(&ann, "ann", 60), send_all(&bob, "bob", 60))?;
        io::Result::Ok((ann, bob))
    });
    let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
    while of_one.len() < 60 || of_other.len() < 60 {
        tokio::select! {
            drained = drain(&one, &mut of_one), if of_one.len() < 60 => drained?,
            drained = drain(&other, &mut of_other), if of_other.len() < 60 => drained?,
        }
    }
    for (name, lines) in [("ann", of_one), ("bob", of_other)] {
        assert!(lines.into_iter().eq((0..60).map(|number| format!("{name} {number}"))));
    }
    let (ann, _bob) = sending.await??;

    // It is readable until somebody has read, however often one asks.
    ann.send(b"last").await?;
    for _ in 0..3 {
        timeout(Duration::from_secs(20), one.readable()).await??;
        assert!(one.ready(Interest::READABLE).await?.is_readable());
    }
    let from = ann.local_addr()?;
    assert_eq!(one.try_peek_from(&mut [0; 8])?, (4, from));
    assert_eq!(one.try_recv_from(&mut [0; 8])?, (4, from));
    assert_eq!(one.try_recv_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(timeout(Duration::from_millis(2), one.readable()).await.is_err());

    // An empty one makes it readable too.
    ann.send(b"").await?;
    one.readable().await?;
    assert_eq!(one.try_recv(&mut [0; 8])?, 0);
    Ok(())
}
