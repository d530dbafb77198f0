//! The traits of others, for streams that speak TLS: futures-io's and tokio's.
#![cfg_attr(not(any(feature = "futures-io", feature = "tokio")), allow(unused_macros))]
#![cfg_attr(not(any(feature = "futures-io", feature = "tokio")), allow(unused_imports))]
use std::io;
use std::pin::Pin;
#[cfg(feature = "tokio")]
use std::task::ready;
use std::task::{Context, Poll};

use super::{OwnedReadHalf, OwnedWriteHalf, TlsStream};
use crate::addr::Family;

macro_rules! reading {
    ($type:ident) => {
        #[cfg(feature = "futures-io")]
        impl<F: Family> futures_io::AsyncRead for $type<F> {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Self::poll_read(&mut *self, buf, cx)
            }
        }

        #[cfg(feature = "tokio")]
        impl<F: Family> tokio::io::AsyncRead for $type<F> {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let count = ready!(Self::poll_read(&mut *self, buf.initialize_unfilled(), cx))?;
                buf.advance(count);
                Poll::Ready(Ok(()))
            }
        }
    };
}

macro_rules! writing {
    ($type:ident) => {
        #[cfg(feature = "futures-io")]
        writing!($type, futures_io::AsyncWrite, poll_close);
        #[cfg(feature = "tokio")]
        writing!($type, tokio::io::AsyncWrite, poll_shutdown);
    };
    ($type:ident, $trait:path, $close:ident) => {
        impl<F: Family> $trait for $type<F> {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                let Self { link, outlet, .. } = &mut *self;
                outlet.poll_write(link, buf, cx)
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let Self { link, outlet, .. } = &mut *self;
                outlet.poll_flush(link, cx)
            }

            /// Says that nothing more will be written, behind all that was.
            fn $close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let Self { link, outlet, .. } = &mut *self;
                outlet.poll_finish(link, cx)
            }
        }
    };
}

reading!(TlsStream);
reading!(OwnedReadHalf);
writing!(TlsStream);
writing!(OwnedWriteHalf);
