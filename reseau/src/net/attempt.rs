//! A connection that is not there yet: what the dialer races.
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::handle::Handle;
use super::{Family, Stream};
use crate::addr::Addr;
use crate::driver::{Home, Socket};
use crate::pool::Chunk;
use crate::sys::Fd;

/// A socket that connects. Dropping it gives up, and closes it.
pub(crate) struct Attempt(Handle);

impl Attempt {
    /// Starts to connect a fresh socket of that home's kernel.
    pub(crate) fn start(fd: Fd, addr: &Addr, home: &Arc<Home>) -> io::Result<Self> {
        Handle::start(fd, home, addr).map(Self)
    }

    pub(crate) fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_connected(cx)
    }

    /// Sends before anybody has the stream.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut chunk = Some(Chunk::from(bytes.to_vec()));
        poll_fn(|cx| self.0.poll_send(&mut chunk, cx)).await
    }

    /// Receives at most so many bytes, and leaves the others to the stream. 0 is the end.
    pub(crate) async fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| {
            let (room, mut filled) = (buf.len(), 0);
            let put = |bytes: &[u8]| {
                buf[filled..filled + bytes.len()].copy_from_slice(bytes);
                filled += bytes.len();
            };
            self.0.poll_read(room, put, cx)
        })
        .await
    }

    pub(crate) fn into_stream<F: Family>(self) -> Stream<F> {
        Stream::new(self.0)
    }

    fn socket(&self) -> &Arc<Socket> {
        self.0.socket()
    }
}
