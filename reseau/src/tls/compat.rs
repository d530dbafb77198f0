//! The traits of others, for streams that speak TLS and their halves: futures-io's, tokio's and
//! hyper's. Each says in its own words what [`Link`] has.
#![cfg_attr(not(any(feature = "futures-io", feature = "tokio")), allow(dead_code, unused_imports))]
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::link::Link;
use super::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::stream::TlsStream;
use crate::addr::Family;
use crate::net::Scatter;
use crate::pool::Chunk;

/// What reads: it has a link, and a place for what it lends.
trait Reading {
    fn parts(&mut self) -> (&Link, &mut Chunk);

    /// Lends the first bytes that are there. They stay queued until they are consumed.
    fn lend(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let (link, lent) = self.parts();
        *lent = ready!(link.poll_head(cx))?;
        Poll::Ready(Ok(lent))
    }

    fn take(&mut self, count: usize) {
        let (link, lent) = self.parts();
        *lent = Chunk::default();
        link.consume(count);
    }
}

macro_rules! reading {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> Reading for $type {
            fn parts(&mut self) -> (&Link, &mut Chunk) {
                self.parts()
            }
        }

        #[cfg(feature = "futures-io")]
        impl<$($generics)*> futures_io::AsyncRead for $type {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let bufs = &mut [io::IoSliceMut::new(buf)];
                let mut scatter = Scatter::new(bufs);
                let room = scatter.room();
                let link = Reading::parts(&mut *self).0;
                link.poll_read(room, |bytes| scatter.put(bytes), cx)
            }

            fn poll_read_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [io::IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                let mut scatter = Scatter::new(bufs);
                let room = scatter.room();
                let link = Reading::parts(&mut *self).0;
                link.poll_read(room, |bytes| scatter.put(bytes), cx)
            }
        }

        #[cfg(feature = "futures-io")]
        impl<$($generics)*> futures_io::AsyncBufRead for $type {
            fn poll_fill_buf(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<&[u8]>> {
                self.get_mut().lend(cx)
            }

            fn consume(self: Pin<&mut Self>, count: usize) {
                self.get_mut().take(count);
            }
        }

        #[cfg(feature = "tokio")]
        impl<$($generics)*> tokio::io::AsyncRead for $type {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let link = Reading::parts(&mut *self).0;
                let read = link.poll_read(buf.remaining(), |bytes| buf.put_slice(bytes), cx);
                read.map_ok(drop)
            }
        }

        #[cfg(feature = "hyper")]
        impl<$($generics)*> hyper::rt::Read for $type {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                mut buf: hyper::rt::ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                let link = Reading::parts(&mut *self).0;
                let read = link.poll_read(buf.remaining(), |bytes| buf.put_slice(bytes), cx);
                read.map_ok(drop)
            }
        }
    };
}

/// Not for whole streams: `AsyncBufReadExt::split(self, u8)` takes its receiver by value, and so
/// would hide their own `split(&mut self)` from whoever has that trait in scope for a `BufReader`.
macro_rules! lending {
    ([$($generics:tt)*] $type:ty) => {
        #[cfg(feature = "tokio")]
        impl<$($generics)*> tokio::io::AsyncBufRead for $type {
            fn poll_fill_buf(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<&[u8]>> {
                self.get_mut().lend(cx)
            }

            fn consume(self: Pin<&mut Self>, count: usize) {
                self.get_mut().take(count);
            }
        }
    };
}

/// The three traits of writing differ in their names, and in that of their last call.
macro_rules! writing {
    ([$($generics:tt)*] $type:ty) => {
        #[cfg(feature = "futures-io")]
        writing!([$($generics)*] $type, futures_io::AsyncWrite, poll_close;);
        #[cfg(feature = "tokio")]
        writing!(
            [$($generics)*] $type, tokio::io::AsyncWrite, poll_shutdown;
            fn is_write_vectored(&self) -> bool { true }
        );
        #[cfg(feature = "hyper")]
        writing!(
            [$($generics)*] $type, hyper::rt::Write, poll_shutdown;
            fn is_write_vectored(&self) -> bool { true }
        );
    };
    ([$($generics:tt)*] $type:ty, $trait:path, $close:ident; $($more:tt)*) => {
        impl<$($generics)*> $trait for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.link().poll_write(&[io::IoSlice::new(buf)], cx)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.link().poll_write(bufs, cx)
            }

            /// Waits until the system has taken what was written.
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.link().poll_flush(cx)
            }

            /// Says that nothing more will be written, behind all that was.
            fn $close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.link().poll_finish(cx)
            }

            $($more)*
        }
    };
}

reading!([F: Family] TlsStream<F>);
reading!([F: Family] ReadHalf<'_, F>);
reading!([F: Family] OwnedReadHalf<F>);
lending!([F: Family] ReadHalf<'_, F>);
lending!([F: Family] OwnedReadHalf<F>);
writing!([F: Family] TlsStream<F>);
writing!([F: Family] WriteHalf<'_, F>);
writing!([F: Family] OwnedWriteHalf<F>);
