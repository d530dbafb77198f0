//! The traits of others, for connections that speak TLS or not, and their halves: those that both
//! have.
#![cfg_attr(not(any(feature = "futures-io", feature = "tokio")), allow(unused_imports))]
#![cfg_attr(not(any(feature = "futures-io", feature = "tokio")), allow(unused_macros))]
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::maybe::each;
use super::{MaybeReadHalf, MaybeTls, MaybeWriteHalf};
use crate::addr::Family;

macro_rules! reading {
    ($type:ident) => {
        #[cfg(feature = "futures-io")]
        impl<F: Family> futures_io::AsyncRead for $type<F> {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                use futures_io::AsyncRead as Reads;
                each!(self.get_mut(), one => Reads::poll_read(Pin::new(one), cx, buf))
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [io::IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                use futures_io::AsyncRead as Reads;
                each!(self.get_mut(), one => Reads::poll_read_vectored(Pin::new(one), cx, bufs))
            }
        }

        #[cfg(feature = "tokio")]
        impl<F: Family> tokio::io::AsyncRead for $type<F> {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                use tokio::io::AsyncRead as Reads;
                each!(self.get_mut(), one => Reads::poll_read(Pin::new(one), cx, buf))
            }
        }

        #[cfg(feature = "hyper")]
        impl<F: Family> hyper::rt::Read for $type<F> {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: hyper::rt::ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                use hyper::rt::Read as Reads;
                each!(self.get_mut(), one => Reads::poll_read(Pin::new(one), cx, buf))
            }
        }
    };
}

/// The three traits of writing differ in their names, and in that of their last call.
macro_rules! writing {
    ($type:ident) => {
        #[cfg(feature = "futures-io")]
        writing!($type, futures_io::AsyncWrite, poll_close;);
        #[cfg(feature = "tokio")]
        writing!(
            $type, tokio::io::AsyncWrite, poll_shutdown;
            fn is_write_vectored(&self) -> bool { true }
        );
        #[cfg(feature = "hyper")]
        writing!(
            $type, hyper::rt::Write, poll_shutdown;
            fn is_write_vectored(&self) -> bool { true }
        );
    };
    ($type:ident, $trait:path, $close:ident; $($more:tt)*) => {
        impl<F: Family> $trait for $type<F> {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                use $trait as Writes;
                each!(self.get_mut(), one => Writes::poll_write(Pin::new(one), cx, buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                use $trait as Writes;
                each!(self.get_mut(), one => Writes::poll_write_vectored(Pin::new(one), cx, bufs))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                use $trait as Writes;
                each!(self.get_mut(), one => Writes::poll_flush(Pin::new(one), cx))
            }

            /// Says that nothing more will be written, behind all that was.
            fn $close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                use $trait as Writes;
                each!(self.get_mut(), one => Writes::$close(Pin::new(one), cx))
            }

            $($more)*
        }
    };
}

reading!(MaybeTls);
reading!(MaybeReadHalf);
writing!(MaybeTls);
writing!(MaybeWriteHalf);
