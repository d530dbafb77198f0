//! Halves of a stream that speaks TLS. Each may be used by a task or a thread of its own; what both
//! need is guarded by one lock, which is held for arithmetic alone.
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::task::{Context, Poll, ready};
use std::{error, fmt};

use super::Session;
use super::calls;
use super::link::Link;
use super::stream::TlsStream;
use crate::addr::{Any, Family};
use crate::driver::Side;
#[cfg(feature = "tokio")]
use crate::driver::Who;
use crate::net::{Interest, Ready, Scatter, Ticket};
use crate::pool::Chunk;

/// The half that reads, borrowed: see [`TlsStream::split`].
pub struct ReadHalf<'a, F: Family> {
    link: &'a Link,
    lent: Chunk,
    family: PhantomData<fn() -> F>,
}

/// The half that writes, borrowed: see [`TlsStream::split`].
pub struct WriteHalf<'a, F: Family> {
    link: &'a Link,
    family: PhantomData<fn() -> F>,
}

/// The half that reads: see [`TlsStream::into_split`].
pub struct OwnedReadHalf<F: Family> {
    link: Arc<Link>,
    lent: Chunk,
    family: PhantomData<fn() -> F>,
}

/// The half that writes: see [`TlsStream::into_split`]. Its drop says that nothing more will come.
pub struct OwnedWriteHalf<F: Family> {
    link: Arc<Link>,
    finishes: bool,
    family: PhantomData<fn() -> F>,
}

/// Two halves that are not of one stream, given back.
pub struct ReuniteError<F: Family = Any>(pub OwnedReadHalf<F>, pub OwnedWriteHalf<F>);

pub(super) fn borrowed<F: Family>(link: &Link) -> (ReadHalf<'_, F>, WriteHalf<'_, F>) {
    let read = ReadHalf { link, lent: Chunk::default(), family: PhantomData };
    (read, WriteHalf { link, family: PhantomData })
}

pub(super) fn owned<F: Family>(link: Link) -> (OwnedReadHalf<F>, OwnedWriteHalf<F>) {
    let link = Arc::new(link);
    let (family, lent) = (PhantomData, Chunk::default());
    let read = OwnedReadHalf { link: link.clone(), lent, family };
    (read, OwnedWriteHalf { link, finishes: true, family })
}

fn reunite<F: Family>(
    read: OwnedReadHalf<F>,
    write: OwnedWriteHalf<F>,
) -> Result<TlsStream<F>, ReuniteError<F>> {
    if !Arc::ptr_eq(&read.link, &write.link) {
        return Err(ReuniteError(read, write));
    }
    write.forget();
    let link = Arc::into_inner(read.link);
    let link = link.expect("a stream has two halves, and here both are gone");
    Ok(TlsStream::new(Box::new(link)))
}

impl<F: Family> OwnedReadHalf<F> {
    /// The stream again, if both halves are of one.
    ///
    /// # Errors
    /// Both halves, if they are not.
    pub fn reunite(self, other: OwnedWriteHalf<F>) -> Result<TlsStream<F>, ReuniteError<F>> {
        reunite(self, other)
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn parts(&mut self) -> (&Link, &mut Chunk) {
        (&self.link, &mut self.lent)
    }
}

impl<F: Family> OwnedWriteHalf<F> {
    /// The stream again, if both halves are of one.
    ///
    /// # Errors
    /// Both halves, if they are not.
    pub fn reunite(self, other: OwnedReadHalf<F>) -> Result<TlsStream<F>, ReuniteError<F>> {
        reunite(other, self)
    }

    /// Drops this half and leaves the stream open for writing, until the other half is gone too.
    pub fn forget(mut self) {
        self.finishes = false;
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }
}

impl<F: Family> Drop for OwnedWriteHalf<F> {
    fn drop(&mut self) {
        if self.finishes {
            self.link.finish_soon();
        }
    }
}

impl<F: Family> ReadHalf<'_, F> {
    pub(super) fn link(&self) -> &Link {
        self.link
    }

    pub(super) fn parts(&mut self) -> (&Link, &mut Chunk) {
        (self.link, &mut self.lent)
    }
}

impl<F: Family> WriteHalf<'_, F> {
    pub(super) fn link(&self) -> &Link {
        self.link
    }
}

calls::reading!([F: Family] ReadHalf<'_, F>);
calls::ends!([F: Family] ReadHalf<'_, F>);
calls::reading!([F: Family] OwnedReadHalf<F>);
calls::ends!([F: Family] OwnedReadHalf<F>);
calls::writing!([F: Family] WriteHalf<'_, F>);
calls::ends!([F: Family] WriteHalf<'_, F>);
calls::writing!([F: Family] OwnedWriteHalf<F>);
calls::ends!([F: Family] OwnedWriteHalf<F>);

/// A half shows its stream.
macro_rules! shown {
    ($([$($generics:tt)*] $name:literal $type:ty;)*) => {$(
        impl<$($generics)*> fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple($name).field(&self.link.stream).finish()
            }
        }
    )*};
}

shown! {
    [F: Family] "ReadHalf" ReadHalf<'_, F>;
    [F: Family] "WriteHalf" WriteHalf<'_, F>;
    [F: Family] "OwnedReadHalf" OwnedReadHalf<F>;
    [F: Family] "OwnedWriteHalf" OwnedWriteHalf<F>;
}

impl<F: Family> fmt::Debug for ReuniteError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReuniteError").field(&self.0).field(&self.1).finish()
    }
}

impl<F: Family> fmt::Display for ReuniteError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these halves are not of one stream")
    }
}

impl<F: Family> error::Error for ReuniteError<F> {}
