//! TLS for tasks: [`TlsStream`].
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
#[cfg(feature = "tokio")]
use std::task::ready;
use std::task::{Context, Poll};
use std::time::Instant;

use super::calls;
use super::chance::Chance;
use super::link::Link;
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::{Session, Side as Speaker};
use crate::addr::{Any, Family};
use crate::driver::{Side, Who};
use crate::net::{Interest, Ready, Scatter, Stream, Ticket};
use crate::pool::Chunk;
use crate::rt::timeout_at;

/// A connection that speaks TLS, made by [`Stream::start_tls`], by a dial
/// ([`Connect::tls`](crate::dial::Connect::tls)) or by a listener.
///
/// Its calls are those of [`Stream`], and mean the same: every future may be dropped at any time,
/// and nothing is lost or sent twice. Bytes are plaintext; windows and
/// [`unsent`](Self::unsent) count what is on the wire.
///
/// Dropping it closes the connection without a word: what was sent goes out still, and then the
/// peer sees a cut. [`finish`](Self::finish) or [`close`](Self::close) say that it was all.
/// Whatever ends it stays its end: an error is said again and again, behind all that came before
/// it, and [`tls::Broken`](super::Broken) tells which side found it, when, and what it was.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
/// # use reseau::tls::{Client, Identity, Roots, Server};
/// # let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
/// # let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
/// # let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
/// # let addr = listener.local_addr()?;
/// # let accepting = reseau::spawn(async move {
/// #     listener.accept().await?.0.start_tls(&server).await
/// # });
/// # let stream = reseau::TcpStream::connect(addr).await?;
/// # let mut client = stream.start_tls(client.to("localhost")).await?;
/// # let mut server = accepting.await.unwrap()?;
/// client.send("what time is it?").await?;
/// client.finish().await?; // No more questions.
/// while let Some(chunk) = server.recv().await? {
///     server.send(chunk).await?;
/// }
/// server.close().await?;
///
/// let mut answer = [0; 16];
/// client.read_exact(&mut answer).await?;
/// assert_eq!(&answer, b"what time is it?");
/// assert!(client.recv().await?.is_none()); // The server has said so: nothing was cut off.
/// # Ok(())
/// # })
/// # }
/// ```
///
/// **What is not there**, because there is no TLS in the kernel: `detach`, `into_std` and
/// `from_std`, which would part the connection from its keys; `recv_fds` and `send_fds`, whose
/// bytes would be plaintext; and no view of the [`Stream`] itself, whose calls would take or add
/// bytes behind TLS's back. What one may want to know of it is here: addresses, options
/// ([`get`](Self::get), [`set`](Self::set)), the borrowed descriptor.
pub struct TlsStream<F: Family = Any> {
    /// On the heap, so that futures that hold a stream are small.
    link: Box<Link>,
    /// What `poll_fill_buf` has lent: a view of what is still queued.
    lent: Chunk,
    family: PhantomData<fn() -> F>,
}

impl<F: Family> Stream<F> {
    /// Speaks TLS from here on, as a client of a name or as a server, and makes the handshake.
    ///
    /// What was said before stays what it was. What this stream has received ahead belongs to TLS;
    /// bytes that were taken from it already go in by [`Side::received`](super::Side::received).
    /// Dropping the future closes the connection.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// use reseau::tls::{Client, Identity, Roots, Server};
    /// use reseau::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let addr = listener.local_addr()?;
    /// let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
    /// let accepting = reseau::spawn(async move {
    ///     let (mut stream, _) = listener.accept().await?;
    ///     assert_eq!(&*stream.recv().await?.unwrap(), b"STARTTLS\r\n");
    ///     stream.send("go ahead\r\n").await?;
    ///     stream.start_tls(&server).await
    /// });
    ///
    /// let mut stream = TcpStream::connect(addr).await?;
    /// stream.send("STARTTLS\r\n").await?;
    /// assert_eq!(&*stream.recv().await?.unwrap(), b"go ahead\r\n");
    /// let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
    /// let stream = stream.start_tls(client.to("localhost")).await?;
    /// assert_eq!(stream.session().peer_chain().len(), 1);
    /// # accepting.await.unwrap()?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// What is wrong with the other side or its certificate ([`tls::Broken`](super::Broken)), or
    /// with this side's configuration; `TimedOut` once a deadline has passed; else as for reading
    /// and writing.
    pub async fn start_tls(self, side: impl Into<Speaker>) -> io::Result<TlsStream<F>> {
        let (stream, deadline) = TlsStream::begin(self, side.into())?;
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
    pub(super) fn new(link: Box<Link>) -> Self {
        Self { link, lent: Chunk::default(), family: PhantomData }
    }

    /// Before its handshake, and when that is late.
    pub(super) fn begin(stream: Stream<F>, side: Speaker) -> io::Result<(Self, Option<Instant>)> {
        let (engine, received, deadline) = side.start(Chance::of(stream.lane().fd()))?;
        Ok((Self::new(Box::new(Link::new(stream, engine, received))), deadline))
    }

    /// Makes the handshake: ready when it is done, or has failed.
    pub(super) fn poll_handshake(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.poll_handshake(cx)
    }

    /// Sends what is queued, says that nothing more will come, and closes.
    ///
    /// To drop a stream says nothing, and the peer takes it for a cut.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn close(mut self) -> io::Result<()> {
        self.finish().await
    }

    /// Two halves, one to read and one to write, which borrow the stream.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// # use reseau::tls::{Client, Identity, Roots, Server};
    /// # let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
    /// # let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
    /// # let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
    /// # let addr = listener.local_addr()?;
    /// # let accepting = reseau::spawn(async move {
    /// #     listener.accept().await?.0.start_tls(&server).await
    /// # });
    /// # let stream = reseau::TcpStream::connect(addr).await?;
    /// # let mut client = stream.start_tls(client.to("localhost")).await?;
    /// # let mut server = accepting.await.unwrap()?;
    /// let (mut read, mut write) = client.split();
    /// let echo = reseau::spawn(async move {
    ///     while let Some(chunk) = server.recv().await? {
    ///         server.send(chunk).await?;
    ///     }
    ///     server.close().await
    /// });
    /// write.send("there and back").await?;
    /// write.finish().await?;
    /// assert_eq!(&*read.recv().await?.unwrap(), b"there and back");
    /// echo.await.unwrap()?;
    /// assert!(client.recv().await?.is_none()); // The stream is whole again.
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn split(&mut self) -> (ReadHalf<'_, F>, WriteHalf<'_, F>) {
        split::borrowed(&self.link)
    }

    /// Two halves, one to read and one to write, for two tasks or two threads.
    ///
    /// Dropping the writing half says that nothing more will be written, as
    /// [`finish`](Self::finish) does; the connection closes when both are gone.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// # use reseau::tls::{Client, Identity, Roots, Server};
    /// # let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
    /// # let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
    /// # let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
    /// # let addr = listener.local_addr()?;
    /// # let accepting = reseau::spawn(async move {
    /// #     listener.accept().await?.0.start_tls(&server).await
    /// # });
    /// # let stream = reseau::TcpStream::connect(addr).await?;
    /// # let mut client = stream.start_tls(client.to("localhost")).await?;
    /// # let mut server = accepting.await.unwrap()?;
    /// let (mut read, mut write) = client.into_split();
    /// let echo = reseau::spawn(async move {
    ///     while let Some(chunk) = server.recv().await? {
    ///         server.send(chunk).await?;
    ///     }
    ///     server.close().await
    /// });
    /// write.send("there and back").await?;
    /// let mut bytes = [0; 14];
    /// read.read_exact(&mut bytes).await?;
    /// let mut client = read.reunite(write).expect("two halves of one stream");
    /// client.finish().await?;
    /// echo.await.unwrap()?;
    /// assert!(client.recv().await?.is_none());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf<F>, OwnedWriteHalf<F>) {
        split::owned(*self.link)
    }

    /// The points in time at which receiving and sending are late; `None`: never.
    ///
    /// From then on, calls of that direction fail with `TimedOut`, those that wait already
    /// included, until a later deadline is set. Nothing is lost by it: what comes in the meantime
    /// is queued, what was sent goes out.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// # use reseau::tls::{Client, Identity, Roots, Server};
    /// # let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
    /// # let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
    /// # let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
    /// # let addr = listener.local_addr()?;
    /// # let accepting = reseau::spawn(async move {
    /// #     listener.accept().await?.0.start_tls(&server).await
    /// # });
    /// # let stream = reseau::TcpStream::connect(addr).await?;
    /// # let mut client = stream.start_tls(client.to("localhost")).await?;
    /// # let mut server = accepting.await.unwrap()?;
    /// use std::time::{Duration, Instant};
    /// client.set_deadlines(Some(Instant::now() + Duration::from_millis(10)), None);
    /// let late = client.recv().await.unwrap_err();
    /// assert_eq!(late.kind(), std::io::ErrorKind::TimedOut);
    /// client.set_deadlines(None, None);
    /// server.send("sorry").await?;
    /// assert_eq!(&*client.recv().await?.unwrap(), b"sorry");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_deadlines(&self, recv: Option<Instant>, send: Option<Instant>) {
        self.link.stream.set_deadlines(recv, send);
    }

    /// How many bytes each direction may hold before it stops asking for more (receiving), or
    /// taking more (sending). One byte at least. It is ciphertext that counts.
    ///
    /// A receive that is under way may go over it by a burst, and a write by a record.
    pub fn set_window(&self, bytes: usize) {
        self.link.stream.set_window(bytes);
    }

    /// As [`set_window`](Self::set_window), for receiving alone: how many bytes may be received
    /// ahead of the caller. From there on the peer is held back.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// # use reseau::tls::{Client, Identity, Roots, Server};
    /// # let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
    /// # let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
    /// # let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
    /// # let addr = listener.local_addr()?;
    /// # let accepting = reseau::spawn(async move {
    /// #     listener.accept().await?.0.start_tls(&server).await
    /// # });
    /// # let stream = reseau::TcpStream::connect(addr).await?;
    /// # let mut client = stream.start_tls(client.to("localhost")).await?;
    /// # let mut server = accepting.await.unwrap()?;
    /// server.set_recv_window(16 << 10);
    /// client.send("hello").await?;
    /// server.readable().await?; // Holds no buffer while it waits.
    /// assert_eq!(server.queued(), 5);
    /// assert_eq!(server.peek(&mut [0; 9]).await?, 5);
    /// assert_eq!(server.try_read(&mut [0; 9])?, 5);
    /// let nothing = server.try_read(&mut [0; 9]).unwrap_err();
    /// assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_recv_window(&self, bytes: usize) {
        self.link.stream.set_recv_window(bytes);
    }

    /// As [`set_window`](Self::set_window), for sending alone: how many bytes may wait for the
    /// peer. From there on the caller is held back.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// # use reseau::tls::{Client, Identity, Roots, Server};
    /// # let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
    /// # let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
    /// # let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
    /// # let addr = listener.local_addr()?;
    /// # let accepting = reseau::spawn(async move {
    /// #     listener.accept().await?.0.start_tls(&server).await
    /// # });
    /// # let stream = reseau::TcpStream::connect(addr).await?;
    /// # let mut client = stream.start_tls(client.to("localhost")).await?;
    /// # let mut server = accepting.await.unwrap()?;
    /// client.set_send_window(1000);
    /// while client.try_write(&[0; 300]).is_ok() {} // The server reads nothing.
    /// assert!(client.unsent() >= 1000);
    /// client.abort()?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_send_window(&self, bytes: usize) {
        self.link.stream.set_send_window(bytes);
    }

    /// How many bytes were received and not yet taken: plaintext, and what is still sealed, in the
    /// size that it has so. What the protocol says of itself (a server's tickets) counts until it
    /// is looked at.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.link.queued()
    }

    /// How many bytes, sealed ones, the system has not taken yet.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.link.stream.unsent()
    }

    /// Takes the error that the system keeps for this socket. Errors that reading or writing has
    /// met are not among them.
    ///
    /// # Errors
    /// The system's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.link.stream.take_error()
    }

    /// Ready when there is something to read: bytes, the end, or an error. The last task that
    /// waits for reading by way of a `poll_` call is the one that is woken.
    ///
    /// # Errors
    /// None: what is wrong, reading says.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.poll_readable(Who::Owner, cx).map(Ok)
    }

    /// Ready when there is room to write, or when writing would fail. The last task that waits
    /// for writing by way of a `poll_` call is the one that is woken.
    ///
    /// # Errors
    /// None: what is wrong, writing says.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.lane().poll_writable(Who::Owner, cx)
    }

    /// Fills `keys` with what both sides can make from their handshake, and nobody else (RFC 5705).
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// # use reseau::tls::{Client, Identity, Roots, Server};
    /// # let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
    /// # let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
    /// # let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
    /// # let addr = listener.local_addr()?;
    /// # let accepting = reseau::spawn(async move {
    /// #     listener.accept().await?.0.start_tls(&server).await
    /// # });
    /// # let stream = reseau::TcpStream::connect(addr).await?;
    /// # let mut client = stream.start_tls(client.to("localhost")).await?;
    /// # let mut server = accepting.await.unwrap()?;
    /// let (mut one, mut other) = ([0; 32], [1; 32]);
    /// client.export(b"EXPORTER-example", None, &mut one)?;
    /// server.export(b"EXPORTER-example", None, &mut other)?;
    /// assert_eq!(one, other);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if none can be made so: for no bytes, or too many.
    pub fn export(&self, label: &[u8], context: Option<&[u8]>, keys: &mut [u8]) -> io::Result<()> {
        self.link.core().engine.export(label, context, keys)
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn into_link(self) -> Box<Link> {
        self.link
    }

    pub(super) fn parts(&mut self) -> (&Link, &mut Chunk) {
        (&self.link, &mut self.lent)
    }
}

calls::reading!([F: Family] TlsStream<F>);
calls::writing!([F: Family] TlsStream<F>);
calls::ends!([F: Family] TlsStream<F>);

impl<F: Family> fmt::Debug for TlsStream<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsStream").field(&self.link.stream).finish()
    }
}
