//! Halves of a stream that speaks TLS.
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use std::{fmt, io};

use super::Session;
use super::stream::{Inlet, Outlet, Shared, TlsStream, ends, reading, writing};
use crate::addr::Family;
use crate::pool::Chunk;

/// The half that reads: see [`TlsStream::into_split`].
pub struct OwnedReadHalf<F: Family> {
    pub(super) link: Shared<F>,
    pub(super) inlet: Inlet,
}

/// The half that writes: see [`TlsStream::into_split`]. Its drop says that nothing more will come.
pub struct OwnedWriteHalf<F: Family> {
    pub(super) link: Shared<F>,
    pub(super) outlet: Outlet,
}

pub(super) fn owned<F: Family>(stream: TlsStream<F>) -> (OwnedReadHalf<F>, OwnedWriteHalf<F>) {
    let TlsStream { link, inlet, outlet } = stream;
    let link = Arc::new(link);
    (OwnedReadHalf { link: link.clone(), inlet }, OwnedWriteHalf { link, outlet })
}

impl<F: Family> OwnedReadHalf<F> {
    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Chunk>>> {
        self.inlet.poll_recv(&self.link, cx)
    }

    pub(super) fn poll_read(
        &mut self,
        space: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.inlet.poll_read(&self.link, space, cx)
    }
}

impl<F: Family> Drop for OwnedWriteHalf<F> {
    fn drop(&mut self) {
        self.outlet.finish_soon(&self.link);
    }
}

reading!(OwnedReadHalf);
ends!(OwnedReadHalf);
writing!(OwnedWriteHalf);
ends!(OwnedWriteHalf);
