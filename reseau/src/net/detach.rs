//! Sockets between two loops, or on their way to a life without one.
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::handle::Handle;
use super::{Family, Inet, Listener, Stream, open};
use crate::driver::{End, Item, Socket};
use crate::error::{Error, Fault, Operation};
use crate::pool::Chunk;
use crate::rt::Remote;
use crate::sys::{Fd, OsSocket};

/// A stream without a loop, and what was received ahead of its user: see [`Stream::detach`].
///
/// [`attach`](Self::attach) puts it on a loop again, `into_parts` takes it apart for a life
/// without one; dropping it closes the stream.
pub struct Detached<F: Family> {
    parts: Parts,
    family: PhantomData<fn() -> F>,
}

/// A listener without a loop, and what was accepted ahead of its user: see [`Listener::detach`].
///
/// [`attach`](Self::attach) puts it on a loop again, `into_parts` takes it apart for a life
/// without one; dropping it closes the listener and its connections.
pub struct DetachedListener<F: Family> {
    parts: Parts,
    family: PhantomData<fn() -> F>,
}

/// What was in a record.
struct Parts {
    fd: Fd,
    items: VecDeque<Item>,
    /// What ended the receiving.
    fault: Option<Fault>,
}

impl<F: Family> Detached<F> {
    /// The stream on the loop of this thread, or else on the global one. What was received comes
    /// first.
    ///
    /// # Errors
    /// When the global loop cannot be started, or the socket is of another kernel (simulated, or
    /// not) than the loop.
    pub fn attach(self) -> io::Result<Stream<F>> {
        self.attach_on(&Remote::current()?)
    }

    /// The stream on another loop. What was received comes first.
    ///
    /// # Errors
    /// When the socket is of another kernel (simulated, or not) than the loop.
    pub fn attach_on(self, home: &Remote) -> io::Result<Stream<F>> {
        open::fits(&self.parts.fd, home.home())?;
        Ok(Stream::new(self.parts.settle(|fd| Handle::stream::<F>(fd, home.home()))))
    }

    /// What was received ahead of the user, first to last.
    pub fn received(&self) -> impl Iterator<Item = &Chunk> {
        self.parts.items.iter().filter_map(Item::bytes)
    }

    /// The system's socket, non-blocking, and what was received ahead.
    pub(super) fn take_apart(self) -> io::Result<(OsSocket, Vec<Chunk>)> {
        let chunks = self.parts.items.into_iter().filter_map(Item::into_bytes);
        Ok((self.parts.fd.into_os()?, chunks.collect()))
    }
}

impl<F: Family> DetachedListener<F> {
    /// The listener on the loop of this thread, or else on the global one.
    ///
    /// # Errors
    /// As [`Detached::attach`].
    pub fn attach(self) -> io::Result<Listener<F>> {
        self.attach_on(&Remote::current()?)
    }

    /// The listener on another loop.
    ///
    /// # Errors
    /// As [`Detached::attach_on`].
    pub fn attach_on(self, home: &Remote) -> io::Result<Listener<F>> {
        open::fits(&self.parts.fd, home.home())?;
        Ok(Listener::new(self.parts.settle(|fd| Handle::listener(fd, home.home()))))
    }

    /// How many connections were accepted ahead of the user.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.parts.items.len()
    }

    /// The system's listener and the connections, non-blocking all of them.
    pub(super) fn take_apart(self) -> io::Result<(OsSocket, Vec<OsSocket>)> {
        let connections = self.parts.items.into_iter().filter_map(|item| match item {
            Item::Conn(fd, _) => fd.into_os().ok(),
            Item::Data(_) | Item::Passed(_) => None,
        });
        let connections = connections.collect();
        Ok((self.parts.fd.into_os()?, connections))
    }
}

impl Detached<Inet> {
    /// The system's socket, still non-blocking, and what was received ahead: bytes that it will
    /// not give again.
    ///
    /// # Errors
    /// `Unsupported` for a simulated stream.
    pub fn into_parts(self) -> io::Result<(std::net::TcpStream, Vec<Chunk>)> {
        let (socket, chunks) = self.take_apart()?;
        Ok((socket.into(), chunks))
    }
}

impl DetachedListener<Inet> {
    /// The system's listener and the connections that were accepted ahead, still non-blocking all
    /// of them.
    ///
    /// # Errors
    /// `Unsupported` for a simulated listener.
    pub fn into_parts(self) -> io::Result<(std::net::TcpListener, Vec<std::net::TcpStream>)> {
        let (socket, connections) = self.take_apart()?;
        Ok((socket.into(), connections.into_iter().map(Into::into).collect()))
    }
}

pub(super) async fn stream<F: Family>(handle: Handle) -> io::Result<Detached<F>> {
    Ok(Detached { parts: leave(handle).await?, family: PhantomData })
}

pub(super) async fn listener<F: Family>(handle: Handle) -> io::Result<DetachedListener<F>> {
    Ok(DetachedListener { parts: leave(handle).await?, family: PhantomData })
}

/// The system's socket at once, for those who cannot wait and want nothing but the socket.
pub(super) fn into_os(handle: Handle) -> io::Result<OsSocket> {
    handle.fd().os()?;
    let (home, accepts) = (handle.home().clone(), handle.socket().shape().accepts);
    if !handle.socket().recv_lane().is_empty() {
        return Err(ahead(accepts));
    }
    let mut leaving = Leaving { handle: Some(handle), record: None, tries: 0 };
    let mut left = None;
    home.block_here(&mut |cx| {
        left = Some(ready!(leaving.poll(cx))?);
        Poll::Ready(Ok(()))
    })?;
    match left {
        Some(parts) if parts.items.is_empty() => parts.fd.into_os(),
        _ => Err(ahead(accepts)),
    }
}

fn ahead(accepts: bool) -> io::Error {
    let what = if accepts {
        "connections were accepted ahead of the caller, and would be lost"
    } else {
        "bytes were received ahead of the caller, and would be lost"
    };
    let error = Error::new(Operation::Detach, io::Error::other(what));
    error.with_hint("`detach` hands them over").into()
}

async fn leave(handle: Handle) -> io::Result<Parts> {
    let mut leaving = Leaving { handle: Some(handle), record: None, tries: 0 };
    poll_fn(|cx| leaving.poll(cx)).await
}

/// A socket on its way off its loop.
struct Leaving {
    /// Until the loop has let it go. Dropped before, it closes.
    handle: Option<Handle>,
    /// From then on.
    record: Option<Arc<Socket>>,
    tries: u32,
}

impl Leaving {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Parts>> {
        if let Some(handle) = &self.handle {
            ready!(handle.socket().poll_leave(cx))?;
            self.record = self.handle.take().map(Handle::into_socket);
        }
        let record = self.record.take().expect("polled after it was done");
        let fault = fault(&record);
        let items = record.recv_lane().drain();
        let fd = match record.into_fd() {
            Ok(fd) => fd,
            Err(record) => match self.second_descriptor(&record) {
                Some(fd) => fd,
                None => {
                    items.into_iter().rev().for_each(|item| record.recv_lane().unpop(item));
                    self.record = Some(record);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            },
        };
        Poll::Ready(Ok(Parts { fd, items, fault }))
    }

    /// The loop has let go of the socket, but perhaps not yet dropped its last reference: that is
    /// a matter of moments, in which to take a second descriptor is the last resort.
    fn second_descriptor(&mut self, record: &Socket) -> Option<Fd> {
        self.tries += 1;
        if self.tries < TRIES_MAX {
            return None;
        }
        record.fd().os().ok()?.try_clone().ok().map(Fd::Os)
    }
}

impl Parts {
    /// A new record, with the contents of the old one.
    fn settle(self, open: impl FnOnce(Fd) -> Handle) -> Handle {
        let handle = open(self.fd);
        let mut lane = handle.socket().recv_lane();
        self.items.into_iter().rev().for_each(|item| lane.unpop(item));
        if let Some(fault) = self.fault {
            lane.finish(End::Failed(fault));
        }
        drop(lane);
        handle
    }
}

/// What the kernel said at the end, and will not say again. That the loop is gone is of no
/// interest elsewhere: it is the one end with a text of its own.
fn fault(record: &Socket) -> Option<Fault> {
    let end = record.recv_lane().ended()?;
    end.err().filter(|error| error.get_ref().is_none()).map(|error| Fault::from(&error))
}

impl<F: Family> fmt::Debug for Detached<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: usize = self.received().map(|chunk| chunk.len()).sum();
        f.debug_struct("Detached").field("fd", &self.parts.fd).field("received", &bytes).finish()
    }
}

impl<F: Family> fmt::Debug for DetachedListener<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DetachedListener")
            .field("fd", &self.parts.fd)
            .field("accepted", &self.accepted())
            .finish()
    }
}

/// How often to look whether the loop has dropped its last reference.
const TRIES_MAX: u32 = 16;
