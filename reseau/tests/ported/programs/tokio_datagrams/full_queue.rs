//! A producer that must not wait, and one that may: what happens when nobody reads.
use super::io::Interest;
use super::net::UnixDatagram;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, process, thread};
use tokio::time::timeout;

/// Sends numbered messages until it would have to wait.
async fn fill(socket: &UnixDatagram, mut next: u32) -> io::Result<u32> {
    socket.writable().await?;
    loop {
        match socket.try_send(&next.to_be_bytes()) {
            Ok(n) => assert_eq!(n, 4),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(next),
            Err(error) => return Err(error),
        }
        next += 1;
    }
}

/// Takes all that is there now.
async fn drain(socket: &UnixDatagram) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    socket.readable().await?;
    loop {
        let mut buf = [0; 8];
        match socket.try_recv(&mut buf) {
            Ok(n) => {
                assert_eq!(n, 4);
                numbers.push(u32::from_be_bytes([buf[0], buf[1], buf[2], buf[3]]));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(numbers),
            Err(error) => return Err(error),
        }
    }
}

pub(super) async fn main() -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    assert_eq!(other.try_recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let ready = other.ready(Interest::READABLE | Interest::WRITABLE).await?;
    assert!(ready.is_writable() && !ready.is_readable());

    let mut next = 0;
    for _ in 0..3 {
        let until = fill(&one, next).await?;
        assert!(until > next);
        if cfg!(target_os = "linux") {
            assert!(timeout(Duration::from_millis(2), one.writable()).await.is_err());
            assert!(timeout(Duration::from_millis(2), one.send(b"late")).await.is_err());
        }
        assert_eq!(drain(&other).await?, (next..until).collect::<Vec<_>>(), "no more, no less");
        next = until;
    }

    // One that waits is let on by each that is read, and all come in order.
    let one = Arc::new(one);
    let sending = tokio::spawn({
        let one = one.clone();
        async move {
            for number in 0..500_u32 {
                one.send(&number.to_be_bytes()).await?;
            }
            io::Result::Ok(())
        }
    });
    let mut wanted = 0_u32..;
    while wanted.start < 500 {
        for number in drain(&other).await? {
            assert_eq!(Some(number), wanted.next());
        }
    }
    sending.await??;

    // By path, and with addresses.
    let thread = format!("{:?}", thread::current().id()).replace(['(', ')'], "");
    let path = env::temp_dir().join(format!("full-{}-{thread}.sock", process::id()));
    let _ = fs::remove_file(&path);
    let (receiver, sender) = (UnixDatagram::bind(&path)?, UnixDatagram::unbound()?);
    sender.writable().await?;
    assert_eq!(sender.try_send_to(b"by path", &path)?, 7);
    receiver.readable().await?;
    let mut buf = [0; 16];
    let (n, from) = receiver.try_recv_from(&mut buf)?;
    assert_eq!((&buf[..n], from.is_unnamed()), (&b"by path"[..], true));
    let error = receiver.try_recv_from(&mut buf).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    fs::remove_file(&path)?;
    let gone = sender.try_send_to(b"x", &path).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    Ok(())
}
