//! Datagrams into the buffers of bytes and of tokio.
use std::io;
#[cfg(feature = "tokio")]
use std::task::{Context, Poll, ready};

use super::Datagram;
#[cfg(feature = "tokio")]
use super::sender;
use crate::addr::Family;
#[cfg(feature = "tokio")]
use crate::driver::Side;
#[cfg(feature = "tokio")]
use crate::sys::Fd;

/// Into buffers that grow, or that know how much of them is filled.
impl<F: Family> Datagram<F> {
    /// As [`recv`](Self::recv), into a buffer that grows or fills.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_buf<B: bytes::BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.receive(|fd| append(buf, |space| Self::take(fd, space, false))).await.map(|(n, _)| n)
    }

    /// As [`recv_from`](Self::recv_from), into a buffer that grows or fills.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_buf_from<B: bytes::BufMut>(
        &self,
        buf: &mut B,
    ) -> io::Result<(usize, F::Addr)> {
        self.receive(|fd| append(buf, |space| Self::from(fd, space, false))).await
    }

    /// As [`recv_buf`](Self::recv_buf), without waiting.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_buf<B: bytes::BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        append(buf, |space| Self::take(self.fd(), space, false)).map(|(count, _)| count)
    }

    /// As [`recv_buf_from`](Self::recv_buf_from), without waiting.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_buf_from<B: bytes::BufMut>(&self, buf: &mut B) -> io::Result<(usize, F::Addr)> {
        append(buf, |space| self.try_recv_from(space))
    }
}

/// For hand-written futures, with tokio's buffers.
#[cfg(feature = "tokio")]
impl<F: Family> Datagram<F> {
    /// As [`recv`](Self::recv). The last task that waits for receiving by way of a `poll_` call is
    /// the one that is woken.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_into(cx, buf, |fd, space| Self::take(fd, space, false)).map_ok(drop)
    }

    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<F::Addr>> {
        self.poll_into(cx, buf, |fd, space| Self::from(fd, space, false))
    }

    /// As [`peek`](Self::peek).
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_into(cx, buf, |fd, space| Self::take(fd, space, true)).map_ok(drop)
    }

    /// As [`peek_from`](Self::peek_from).
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<F::Addr>> {
        self.poll_into(cx, buf, |fd, space| Self::from(fd, space, true))
    }

    /// As [`peek_sender`](Self::peek_sender).
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<F::Addr>> {
        self.poll(Side::Recv, cx, sender::<F>)
    }

    /// Lends the space of `buf` to a call that receives.
    fn poll_into<T>(
        &self,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
        call: impl FnOnce(&Fd, &mut [u8]) -> io::Result<(usize, T)>,
    ) -> Poll<io::Result<T>> {
        let space = buf.initialize_unfilled();
        let (count, of) = ready!(self.poll(Side::Recv, cx, |fd| call(fd, space)))?;
        buf.advance(count);
        Poll::Ready(Ok(of))
    }
}

/// Lends the space of `buf` to a call that receives.
fn append<B: bytes::BufMut, T>(
    buf: &mut B,
    call: impl FnOnce(&mut [u8]) -> io::Result<(usize, T)>,
) -> io::Result<(usize, T)> {
    // What is spare now, as tokio has it: a buffer that grows does so between datagrams.
    let mut space = vec![0; buf.chunk_mut().len().min(LONGEST)];
    let (count, of) = call(&mut space)?;
    buf.put_slice(&space[..count]);
    Ok((count, of))
}

/// No system's datagram is longer.
const LONGEST: usize = 64 << 10;
