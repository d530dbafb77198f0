//! The traits of others, for streams that speak TLS: futures-io's and tokio's.
#![cfg_attr(not(any(feature = "futures-io", feature = "tokio")), allow(unused_macros))]
#![cfg_attr(not(any(feature = "futures-io", feature = "tokio")), allow(unused_imports))]
use std::io;
use std::pin::Pin;
#[cfg(feature = "tokio")]
use std::task::ready;
use std::task::{Context, Poll};

use super::maybe::each;
use super::{MaybeTls, OwnedReadHalf, OwnedWriteHalf, TlsStream};
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

#[cfg(feature = "futures-io")]
impl<F: Family> futures_io::AsyncRead for MaybeTls<F> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => futures_io::AsyncRead::poll_read(Pin::new(stream), cx, buf))
    }
}

#[cfg(feature = "tokio")]
impl<F: Family> tokio::io::AsyncRead for MaybeTls<F> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => tokio::io::AsyncRead::poll_read(Pin::new(stream), cx, buf))
    }
}

macro_rules! either {
    ($trait:path, $close:ident) => {
        impl<F: Family> $trait for MaybeTls<F> {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                use $trait as Writes;
                each!(self.get_mut(), stream => Writes::poll_write(Pin::new(stream), cx, buf))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                use $trait as Writes;
                each!(self.get_mut(), stream => Writes::poll_flush(Pin::new(stream), cx))
            }

            /// Says that nothing more will be written, behind all that was.
            fn $close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                use $trait as Writes;
                each!(self.get_mut(), stream => Writes::$close(Pin::new(stream), cx))
            }
        }
    };
}

#[cfg(feature = "futures-io")]
either!(futures_io::AsyncWrite, poll_close);
#[cfg(feature = "tokio")]
either!(tokio::io::AsyncWrite, poll_shutdown);
