//! Futures and adapters written by hand, on the traits and the `poll_` calls.
use super::net::{TcpListener, TcpStream};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Counts what goes through.
struct Counted<S> {
    stream: S,
    read: usize,
    written: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.read += buf.filled().len() - before;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.written += count;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let mut connecting = pin!(TcpStream::connect(addr));
    let mut connected = None;
    let accepting = poll_fn(|cx| {
        // Both at once, and by hand.
        if connected.is_none() {
            connected = Some(ready!(connecting.as_mut().poll(cx)));
        }
        listener.poll_accept(cx)
    });
    let (accepted, _) = accepting.await?;
    let Some(stream) = connected.transpose()? else { unreachable!("it was there") };
    let mut counted = Counted { stream, read: 0, written: 0 };
    poll_fn(|cx| counted.stream.poll_write_ready(cx)).await?;
    counted.write_all(b"hello").await?;

    let mut space = [0; 8];
    let mut head = ReadBuf::new(&mut space);
    assert_eq!(poll_fn(|cx| accepted.poll_peek(cx, &mut head)).await?, 5);
    assert_eq!(head.filled(), b"hello");
    poll_fn(|cx| accepted.poll_read_ready(cx)).await?;
    assert_eq!(accepted.try_read(&mut [0; 8])?, 5);
    accepted.try_write(b"and you")?;
    drop(accepted);
    let mut rest = String::new();
    counted.read_to_string(&mut rest).await?;
    assert_eq!((rest.as_str(), counted.read, counted.written), ("and you", 7, 5));
    Ok(())
}
