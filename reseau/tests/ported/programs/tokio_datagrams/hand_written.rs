//! Futures written by hand on the `poll_` calls, as protocol libraries have them.
use super::net::UdpSocket;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;

/// Answers what comes, backwards, until an empty datagram; holds answers while it cannot send.
struct Mirror<'a> {
    socket: &'a UdpSocket,
    queue: VecDeque<(Vec<u8>, SocketAddr)>,
    mirrored: u32,
    closing: bool,
}

impl Future for Mirror<'_> {
    type Output = io::Result<u32>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            while let Some((answer, to)) = this.queue.front() {
                let sent = ready!(this.socket.poll_send_to(cx, answer, *to))?;
                assert_eq!(sent, answer.len());
                this.mirrored += 1;
                this.queue.pop_front();
            }
            if this.closing {
                return Poll::Ready(Ok(this.mirrored));
            }
            let mut space = [0; 512];
            let mut buf = ReadBuf::new(&mut space);
            let from = ready!(this.socket.poll_recv_from(cx, &mut buf))?;
            let mut answer = buf.filled().to_vec();
            this.closing = answer.is_empty();
            answer.reverse();
            this.queue.push_back((answer, from));
        }
    }
}

/// A question and its answer, in one future.
async fn ask(socket: &UdpSocket, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut sent = false;
    poll_fn(|cx| {
        if !sent {
            ready!(socket.poll_send_ready(cx))?;
            assert_eq!(ready!(socket.poll_send(cx, question))?, question.len());
            sent = true;
        }
        let mut space = [0; 512];
        let mut buf = ReadBuf::new(&mut space);
        // What is in the buffer already stays in front.
        buf.put_slice(b"> ");
        ready!(socket.poll_recv(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().to_vec()))
    })
    .await
}

pub(super) async fn main() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let addr = socket.local_addr()?;
    let mirroring = tokio::spawn(async move {
        let mirror =
            Mirror { socket: &socket, queue: VecDeque::new(), mirrored: 0, closing: false };
        mirror.await
    });
    let client = UdpSocket::bind("127.0.0.1:0").await?;
    client.connect(addr).await?;
    assert_eq!(ask(&client, b"hello").await?, b"> olleh");
    assert_eq!(ask(&client, b"x").await?, b"> x");

    // Readiness and looks, without taking anything.
    client.send(b"look").await?;
    poll_fn(|cx| client.poll_recv_ready(cx)).await?;
    let mut space = [0; 8];
    let mut head = ReadBuf::new(&mut space);
    assert_eq!(poll_fn(|cx| client.poll_peek_from(cx, &mut head)).await?, addr);
    assert_eq!(head.filled(), b"kool");
    assert_eq!(poll_fn(|cx| client.poll_peek_sender(cx)).await?, addr);
    head.clear();
    poll_fn(|cx| client.poll_peek(cx, &mut head)).await?;
    assert_eq!(head.filled(), b"kool");
    head.clear();
    poll_fn(|cx| client.poll_recv(cx, &mut head)).await?;
    assert_eq!(head.filled(), b"kool");

    // With nothing there, it waits, and is woken.
    let mut polls = 0;
    let waiting = poll_fn(|cx| {
        polls += 1;
        let mut buf = ReadBuf::new(&mut space);
        let polled = client.poll_recv(cx, &mut buf);
        if polls == 1 {
            assert!(polled.is_pending() && buf.filled().is_empty());
            assert_eq!(client.try_send(b"late").ok(), Some(4));
        }
        polled.map_ok(|()| buf.filled().to_vec())
    });
    assert_eq!(waiting.await?, b"etal");
    assert!(polls >= 2);
    assert_eq!(ask(&client, b"").await?, b"> ");
    assert_eq!(mirroring.await??, 5);
    Ok(())
}
