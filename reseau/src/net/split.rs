//! Halves of a stream: two lanes, two locks, and so no contention.
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::task::{Context, Poll, ready};
use std::{error, fmt};

use super::calls;
use super::handle::Handle;
use super::{Family, Inet, Interest, Ready, Stream};
#[cfg(feature = "tokio")]
use crate::driver::Who;
use crate::pool::Chunk;

/// The half that reads, borrowed: see [`Stream::split`].
pub struct ReadHalf<'a, F: Family> {
    stream: &'a Stream<F>,
    lent: Chunk,
}

/// The half that writes, borrowed: see [`Stream::split`].
pub struct WriteHalf<'a, F: Family> {
    stream: &'a Stream<F>,
}

/// The half that reads: see [`Stream::into_split`].
pub struct OwnedReadHalf<F: Family> {
    stream: Arc<Stream<F>>,
    lent: Chunk,
}

/// The half that writes: see [`Stream::into_split`]. Its drop says that nothing more will come.
pub struct OwnedWriteHalf<F: Family> {
    stream: Arc<Stream<F>>,
    finishes: bool,
}

/// Two halves that are not of one stream, given back.
pub struct ReuniteError<F: Family = Inet>(pub OwnedReadHalf<F>, pub OwnedWriteHalf<F>);

pub(super) fn borrowed<F: Family>(stream: &mut Stream<F>) -> (ReadHalf<'_, F>, WriteHalf<'_, F>) {
    (ReadHalf { stream, lent: Chunk::default() }, WriteHalf { stream })
}

pub(super) fn owned<F: Family>(stream: Stream<F>) -> (OwnedReadHalf<F>, OwnedWriteHalf<F>) {
    let stream = Arc::new(stream);
    let read = OwnedReadHalf { stream: stream.clone(), lent: Chunk::default() };
    (read, OwnedWriteHalf { stream, finishes: true })
}

fn reunite<F: Family>(
    read: OwnedReadHalf<F>,
    write: OwnedWriteHalf<F>,
) -> Result<Stream<F>, ReuniteError<F>> {
    if !Arc::ptr_eq(&read.stream, &write.stream) {
        return Err(ReuniteError(read, write));
    }
    write.forget();
    let stream = Arc::into_inner(read.stream);
    Ok(stream.expect("a stream has two halves, and here both are gone"))
}

impl<F: Family> OwnedReadHalf<F> {
    /// The stream again, if both halves are of one.
    ///
    /// # Errors
    /// Both halves, if they are not.
    pub fn reunite(self, other: OwnedWriteHalf<F>) -> Result<Stream<F>, ReuniteError<F>> {
        reunite(self, other)
    }

    pub(super) fn handle(&self) -> &Handle {
        self.stream.handle()
    }

    pub(super) fn parts(&mut self) -> (&Handle, &mut Chunk) {
        (self.stream.handle(), &mut self.lent)
    }
}

impl<F: Family> OwnedWriteHalf<F> {
    /// The stream again, if both halves are of one.
    ///
    /// # Errors
    /// Both halves, if they are not.
    pub fn reunite(self, other: OwnedReadHalf<F>) -> Result<Stream<F>, ReuniteError<F>> {
        reunite(other, self)
    }

    /// Drops this half and leaves the stream open for writing, until the other half is gone too.
    pub fn forget(mut self) {
        self.finishes = false;
    }

    pub(super) fn handle(&self) -> &Handle {
        self.stream.handle()
    }
}

impl<F: Family> Drop for OwnedWriteHalf<F> {
    fn drop(&mut self) {
        if self.finishes {
            self.handle().finish_soon();
        }
    }
}

impl<F: Family> ReadHalf<'_, F> {
    pub(super) fn handle(&self) -> &Handle {
        self.stream.handle()
    }

    pub(super) fn parts(&mut self) -> (&Handle, &mut Chunk) {
        (self.stream.handle(), &mut self.lent)
    }
}

impl<F: Family> WriteHalf<'_, F> {
    pub(super) fn handle(&self) -> &Handle {
        self.stream.handle()
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

/// A half shows its stream, and lends it.
macro_rules! parts {
    ($([$($generics:tt)*] $name:literal $type:ty;)*) => {$(
        impl<$($generics)*> AsRef<Stream<F>> for $type {
            fn as_ref(&self) -> &Stream<F> {
                &self.stream
            }
        }

        impl<$($generics)*> fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple($name).field(&*self.stream).finish()
            }
        }
    )*};
}

parts! {
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
