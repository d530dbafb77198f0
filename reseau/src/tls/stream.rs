//! TLS for tasks: [`TlsStream`].
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Instant;
use std::{fmt, io, mem};

use super::chance::Chance;
use super::engine::{Engine, Plain};
use super::split::{self, OwnedReadHalf, OwnedWriteHalf};
use super::{Session, Side};
use crate::addr::{Any, Family};
use crate::net::Stream;
use crate::pool::Chunk;
use crate::rt::timeout_at;
use crate::sync::lock;

/// A connection that speaks TLS, made by [`Stream::start_tls`].
///
/// Its calls are those of [`Stream`], and mean the same: every future may be dropped at any time,
/// and nothing is lost or sent twice. Dropping the stream sends what was sent, and closes it
/// without a word, which the peer takes for a cut: [`finish`](Self::finish) says that it was all.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::tls::Client;
/// let stream = reseau::connect("example.com:443").await?;
/// let mut stream = stream.start_tls(Client::new().to("example.com")).await?;
/// stream.send("GET / HTTP/1.0\r\nhost: example.com\r\n\r\n").await?;
/// while let Some(chunk) = stream.recv().await? {
///     println!("{} bytes", chunk.len());
/// }
/// # Ok(())
/// # })
/// # }
/// ```
pub struct TlsStream<F: Family = Any> {
    pub(super) link: Link<F>,
    pub(super) inlet: Inlet,
    pub(super) outlet: Outlet,
}

/// What both directions have in common. The engine's lock is held for arithmetic alone: never
/// while something is received, sent, or woken.
pub(super) struct Link<F: Family> {
    pub(super) stream: Stream<F>,
    pub(super) engine: Mutex<Engine>,
}

/// What is only the reader's.
#[derive(Default)]
pub(super) struct Inlet {
    feed: Feed,
    /// Plaintext of which somebody wanted more than there was. It comes first.
    kept: Vec<u8>,
}

/// Ciphertext that was received and not fed yet.
#[derive(Default)]
struct Feed(Chunk);

/// What is only the writer's. So nobody else sends, and ciphertext goes out in order.
#[derive(Default)]
pub(super) struct Outlet {
    /// Ciphertext that its lane has not taken yet.
    sealed: Option<Chunk>,
}

impl<F: Family> Stream<F> {
    /// Speaks TLS from here on, as a client of a name or as a server, and makes the handshake.
    ///
    /// What was said before stays what it was. What this stream has received ahead belongs to TLS;
    /// bytes that were taken from it already go in by [`Side::received`]. Dropping the future
    /// closes the connection.
    ///
    /// # Errors
    /// What is wrong with the other side or its certificate ([`tls::Broken`](super::Broken)), or
    /// with this side's configuration; `TimedOut` once a deadline has passed; else as for reading
    /// and writing.
    pub async fn start_tls(self, side: impl Into<Side>) -> io::Result<TlsStream<F>> {
        let (mut stream, deadline) = TlsStream::begin(self, side.into())?;
        let handshake = poll_fn(|cx| stream.poll_handshake(cx));
        match deadline {
            None => handshake.await?,
            Some(at) => timeout_at(at, handshake).await.unwrap_or_else(|_| {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the handshake is late"))
            })?,
        }
        Ok(stream)
    }
}

impl<F: Family> TlsStream<F> {
    /// Before its handshake, and when that is late.
    pub(super) fn begin(stream: Stream<F>, side: Side) -> io::Result<(Self, Option<Instant>)> {
        let (engine, received, deadline) = side.start(Chance::of(stream.lane().fd()))?;
        let link = Link { stream, engine: Mutex::new(engine) };
        let inlet = Inlet { feed: Feed(Chunk::from(received)), kept: Vec::new() };
        Ok((Self { link, inlet, outlet: Outlet::default() }, deadline))
    }

    /// Makes the handshake: ready when it is done, or has failed.
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.outlet.poll_push(&self.link, cx))?;
            if !lock(&self.link.engine).is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            let fed = ready!(self.inlet.feed.poll(&self.link, cx));
            if fed.is_err() {
                // The peer is told why, if there is room.
                self.outlet.push(&self.link);
                return Poll::Ready(fed);
            }
        }
    }

    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Chunk>>> {
        let polled = self.inlet.poll_recv(&self.link, cx);
        self.outlet.push(&self.link);
        polled
    }

    pub(super) fn poll_read(
        &mut self,
        space: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let polled = self.inlet.poll_read(&self.link, space, cx);
        self.outlet.push(&self.link);
        polled
    }

    /// Sends what is sealed, says that nothing more will come, and closes.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn close(mut self) -> io::Result<()> {
        self.finish().await
    }

    /// Fills `keys` with what both sides can make from their handshake, and nobody else (RFC 5705).
    ///
    /// # Errors
    /// If none can be made so: for no bytes, or too many.
    pub fn export(&self, label: &[u8], context: Option<&[u8]>, keys: &mut [u8]) -> io::Result<()> {
        lock(&self.link.engine).export(label, context, keys)
    }

    /// Two halves, one to read and one to write, for two tasks or two threads.
    ///
    /// Dropping the writing half says that nothing more will be written, as
    /// [`finish`](Self::finish) does; the connection closes when both are gone. What the protocol
    /// itself has to answer goes out with the next write.
    pub fn into_split(self) -> (OwnedReadHalf<F>, OwnedWriteHalf<F>) {
        split::owned(self)
    }
}

impl Feed {
    /// Feeds what was received, or receives. Ready when either was done.
    fn poll<F: Family>(&mut self, link: &Link<F>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            match ready!(link.stream.poll_recv(cx))? {
                Some(chunk) => self.0 = chunk,
                None => {
                    let mut engine = lock(&link.engine);
                    engine.feed_end();
                    let handshaking = engine.is_handshaking();
                    return Poll::Ready(if handshaking {
                        Ok(engine.plain().map(drop)?)
                    } else {
                        Ok(())
                    });
                }
            }
        }
        let mut engine = lock(&link.engine);
        let (fed, handshaking) = (engine.feed(&self.0), engine.is_handshaking());
        drop(engine);
        match fed {
            Ok(count) if count < self.0.len() => self.0.advance(count),
            // A view that is kept would keep a block of the pool.
            Ok(_) => self.0 = Chunk::default(),
            Err(broken) => {
                self.0 = Chunk::default();
                if handshaking {
                    return Poll::Ready(Err(broken.into()));
                } // Else reading says so, behind what came before.
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Shows `take` the plaintext that is there; it says how much it took. `None` is the end.
    fn poll_plain<F: Family, T>(
        &mut self,
        link: &Link<F>,
        mut take: impl FnMut(&[u8]) -> (usize, T),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<T>>> {
        loop {
            {
                let mut engine = lock(&link.engine);
                match engine.plain()? {
                    Plain::Bytes(bytes) => {
                        let (count, value) = take(bytes);
                        engine.consume(count);
                        return Poll::Ready(Ok(Some(value)));
                    }
                    Plain::End => return Poll::Ready(Ok(None)),
                    Plain::Starved => {}
                }
            }
            ready!(self.poll(link, cx))?;
        }
    }
}

impl Inlet {
    pub(super) fn poll_recv<F: Family>(
        &mut self,
        link: &Link<F>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Chunk>>> {
        if !self.kept.is_empty() {
            return Poll::Ready(Ok(Some(Chunk::from(mem::take(&mut self.kept)))));
        }
        self.feed.poll_plain(link, |bytes| (bytes.len(), Chunk::copy_from(bytes)), cx)
    }

    pub(super) fn poll_read<F: Family>(
        &mut self,
        link: &Link<F>,
        space: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if space.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut copy = |bytes: &[u8]| {
            let count = bytes.len().min(space.len());
            space[..count].copy_from_slice(&bytes[..count]);
            (count, count)
        };
        if !self.kept.is_empty() {
            let (count, _) = copy(&self.kept);
            self.kept.drain(..count);
            return Poll::Ready(Ok(count));
        }
        self.feed.poll_plain(link, copy, cx).map_ok(Option::unwrap_or_default)
    }

    /// Fills `space` once enough has come for all of it.
    pub(super) fn poll_exact<F: Family>(
        &mut self,
        link: &Link<F>,
        space: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Self { feed, kept } = self;
        while kept.len() < space.len() {
            let keep = |bytes: &[u8]| {
                kept.extend_from_slice(bytes);
                (bytes.len(), ())
            };
            if ready!(feed.poll_plain(link, keep, cx))?.is_none() {
                let what = "the stream ended before all the bytes were there";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, what)));
            }
        }
        space.copy_from_slice(&kept[..space.len()]);
        kept.drain(..space.len());
        Poll::Ready(Ok(space.len()))
    }
}

impl Outlet {
    /// Gives its lane what is sealed, if there is room. What goes wrong, the next write says.
    pub(super) fn push<F: Family>(&mut self, link: &Link<F>) {
        self.drain(link);
        if self.sealed.is_some() {
            let _ = link.stream.lane().try_send(&mut self.sealed);
        }
    }

    /// Gives its lane all that is sealed.
    pub(super) fn poll_push<F: Family>(
        &mut self,
        link: &Link<F>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            self.drain(link);
            if self.sealed.is_none() {
                return Poll::Ready(Ok(()));
            }
            ready!(link.stream.lane().poll_room(cx))?;
            link.stream.lane().try_send(&mut self.sealed)?;
        }
    }

    /// Encrypts the whole chunk as soon as there is room for it, and none of it before.
    pub(super) fn poll_send<F: Family>(
        &mut self,
        link: &Link<F>,
        chunk: &mut Option<Chunk>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_push(link, cx))?;
        ready!(link.stream.lane().poll_room(cx))?;
        let chunk = chunk.take().unwrap_or_default();
        let mut sealed = Vec::with_capacity(chunk.len() + RECORD_EXTRA);
        {
            let (mut engine, mut left) = (lock(&link.engine), &chunk[..]);
            while !left.is_empty() {
                let count = engine.seal(left);
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                }
                left = &left[count..];
                while engine.wants_to_send() {
                    engine.send_to(&mut sealed)?;
                }
            }
        }
        self.sealed = (!sealed.is_empty()).then(|| Chunk::from(sealed));
        self.push(link);
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write<F: Family>(
        &mut self,
        link: &Link<F>,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let part = &bytes[..bytes.len().min(WRITE_MAX)];
        // Nothing is copied before there is room.
        ready!(self.poll_push(link, cx))?;
        ready!(link.stream.lane().poll_room(cx))?;
        self.poll_send(link, &mut Some(Chunk::copy_from(part)), cx).map_ok(|()| part.len())
    }

    pub(super) fn poll_flush<F: Family>(
        &mut self,
        link: &Link<F>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_push(link, cx))?;
        link.stream.lane().poll_flush(cx)
    }

    pub(super) fn poll_finish<F: Family>(
        &mut self,
        link: &Link<F>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        lock(&link.engine).finish();
        ready!(self.poll_push(link, cx))?;
        link.stream.lane().poll_finish(cx)
    }

    /// Says that nothing more will be sent, and waits for nothing.
    pub(super) fn finish_soon<F: Family>(&mut self, link: &Link<F>) {
        self.push(link);
        lock(&link.engine).finish();
        let waiting = self.sealed.take();
        self.drain(link);
        let lane = link.stream.lane();
        match waiting {
            None => lane.send_last(self.sealed.take()),
            Some(first) => {
                let last = self.sealed.take().unwrap_or_default();
                lane.send_last(Some(Chunk::from([&*first, &*last].concat())));
            }
        }
    }

    /// What the engine has to send, behind what there is already.
    fn drain<F: Family>(&mut self, link: &Link<F>) {
        if self.sealed.is_some() {
            return;
        }
        let mut sealed = Vec::new();
        let mut engine = lock(&link.engine);
        while engine.wants_to_send() && engine.send_to(&mut sealed).is_ok() {}
        drop(engine);
        self.sealed = (!sealed.is_empty()).then(|| Chunk::from(sealed));
    }
}

impl<F: Family> Link<F> {
    pub(super) fn session(&self) -> Session {
        lock(&self.engine).session()
    }
}

/// The calls of what reads: it has a `link` and an `inlet`.
macro_rules! reading {
    ($type:ident) => {
        impl<F: Family> $type<F> {
            /// The next bytes of plaintext; `None` once the peer has said that it was all.
            ///
            /// Dropping the future loses nothing.
            ///
            /// # Errors
            /// `UnexpectedEof` if the connection ended without that word; what is wrong with what
            /// came, again and again; else as the stream's.
            pub async fn recv(&mut self) -> io::Result<Option<Chunk>> {
                poll_fn(|cx| self.poll_recv(cx)).await
            }

            /// Fills `buf`, all or nothing, and says its length. Dropping the future loses nothing.
            ///
            /// # Errors
            /// `UnexpectedEof` if the connection ends before; else as [`recv`](Self::recv).
            pub async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                poll_fn(|cx| self.inlet.poll_exact(&self.link, buf, cx)).await
            }
        }
    };
}

/// The calls of what writes: it has a `link` and an `outlet`.
macro_rules! writing {
    ($type:ident) => {
        impl<F: Family> $type<F> {
            /// Waits for room, encrypts the whole chunk, and gives it to the socket's loop, which
            /// sends it in order, whatever happens to the caller.
            ///
            /// Dropping the future before it is done sends nothing of the chunk.
            ///
            /// # Errors
            /// As the stream's.
            pub async fn send(&mut self, chunk: impl Into<Chunk>) -> io::Result<()> {
                let mut chunk = Some(chunk.into());
                poll_fn(|cx| self.outlet.poll_send(&self.link, &mut chunk, cx)).await
            }

            /// Waits until the system has taken all that was sent or written.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            pub async fn flush(&mut self) -> io::Result<()> {
                poll_fn(|cx| self.outlet.poll_flush(&self.link, cx)).await
            }

            /// Says that nothing more will be sent, behind all that was: first by TLS's own word,
            /// then by the stream's. Waits until the system has taken it.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            pub async fn finish(&mut self) -> io::Result<()> {
                poll_fn(|cx| self.outlet.poll_finish(&self.link, cx)).await
            }
        }
    };
}

/// The calls of streams and of both halves: they have a `link`.
macro_rules! ends {
    ($type:ident) => {
        impl<F: Family> $type<F> {
            /// What was agreed upon in the handshake.
            #[must_use]
            pub fn session(&self) -> Session {
                self.link.session()
            }

            /// The points in time at which receiving and sending are late; `None`: never. Nothing
            /// is lost by it.
            pub fn set_deadlines(&self, recv: Option<Instant>, send: Option<Instant>) {
                self.link.stream.set_deadlines(recv, send);
            }

            /// The address of this end.
            ///
            /// # Errors
            /// The system's.
            pub fn local_addr(&self) -> io::Result<F::Addr> {
                self.link.stream.local_addr()
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// `NotConnected` once the connection is gone, on systems that forget it then.
            pub fn peer_addr(&self) -> io::Result<F::Addr> {
                self.link.stream.peer_addr()
            }
        }

        impl<F: Family> fmt::Debug for $type<F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($type)).field(&self.link.stream).finish()
            }
        }
    };
}

pub(super) use {ends, reading, writing};
reading!(TlsStream);
writing!(TlsStream);
ends!(TlsStream);

/// What a half has of its link.
pub(super) type Shared<F> = Arc<Link<F>>;

/// What one record adds to its plaintext, and a little more.
const RECORD_EXTRA: usize = 64;

/// How much one write takes: the plaintext of a record.
const WRITE_MAX: usize = 16 << 10;
