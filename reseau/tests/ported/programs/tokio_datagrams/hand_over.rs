//! Unix datagram sockets between tasks and threads, and futures written by hand on them.
use super::net::UnixDatagram;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::ReadBuf;

/// A thread that waits for messages, and sends each back twice.
fn double(socket: &net::UnixDatagram) -> io::Result<u32> {
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let (mut buf, mut count) = ([0; 64], 0);
    loop {
        match socket.recv(&mut buf)? {
            0 => return Ok(count),
            n => {
                socket.send(&[&buf[..n], &buf[..n]].concat())?;
                count += 1;
            }
        }
    }
}

/// Sends and receives in one future, by hand.
async fn ask(socket: &UnixDatagram, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut sent = false;
    poll_fn(|cx| {
        if !sent {
            ready!(socket.poll_send_ready(cx))?;
            assert_eq!(ready!(socket.poll_send(cx, question))?, question.len());
            sent = true;
        }
        let mut space = [0; 64];
        let mut buf = ReadBuf::new(&mut space);
        let from = ready!(socket.poll_recv_from(cx, &mut buf))?;
        assert!(from.is_unnamed());
        Poll::Ready(Ok(buf.filled().to_vec()))
    })
    .await
}

pub(super) async fn main() -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    // What is on its way when it goes is still there afterwards.
    one.send(b"early").await?;
    let other = other.into_std()?;
    let doubling = tokio::task::spawn_blocking(move || double(&other).map(|count| (count, other)));
    let mut buf = [0; 64];
    let n = one.recv(&mut buf).await?;
    assert_eq!(&buf[..n], b"earlyearly");
    for word in ["a", "bc", "def"] {
        assert_eq!(ask(&one, word.as_bytes()).await?, word.repeat(2).as_bytes());
    }
    one.send(b"").await?;
    let (count, other) = doubling.await??;
    assert_eq!(count, 4);

    // And back. Buffers that grow take what comes behind what they have.
    other.set_nonblocking(true)?;
    let other = UnixDatagram::from_std(other)?;
    let mut text = Vec::with_capacity(64);
    text.extend_from_slice(b"heard: ");
    one.send(b"hello").await?;
    assert_eq!(other.recv_buf(&mut text).await?, 5);
    one.send(b" again").await?;
    let (n, from) = other.recv_buf_from(&mut text).await?;
    assert!(n == 6 && from.is_unnamed());
    assert_eq!(text, b"heard: hello again");
    poll_fn(|cx| other.poll_send_ready(cx)).await?;
    assert_eq!(other.try_send(b"poll")?, 4);
    poll_fn(|cx| one.poll_recv_ready(cx)).await?;
    let mut read = ReadBuf::new(&mut buf);
    poll_fn(|cx| one.poll_recv(cx, &mut read)).await?;
    assert_eq!(read.filled(), b"poll");

    // A second descriptor keeps it open.
    let clone = net::UnixDatagram::from(one.as_fd().try_clone_to_owned()?);
    assert_ne!(clone.as_raw_fd(), one.as_raw_fd());
    let one = UnixDatagram::try_from(clone).map(|clone| (drop(one), clone).1)?;
    other.send(b"clone").await?;
    assert_eq!(one.recv(&mut buf).await?, 5);
    Ok(())
}
