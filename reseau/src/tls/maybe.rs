//! Connections that speak TLS, or not: [`MaybeTls`], and listeners for both.
use std::task::{Context, Poll};
use std::time::Instant;
use std::{fmt, io};

use super::listener::inside;
use super::listening::words;
use super::room::Room;
use super::{OwnedReadHalf, OwnedWriteHalf, Server, Session, TlsStream};
use crate::addr::{Any, Covers, Family};
use crate::net::{self, Listener, Stream};
use crate::pool::Chunk;

/// A connection that speaks TLS, or not: what [`MaybeTlsListener`] accepts.
///
/// Its calls are those that both have, and its reading and writing traits too.
/// [`session`](Self::session) says which it is; so does a `match`.
#[derive(Debug)]
pub enum MaybeTls<F: Family = Any> {
    /// It does not.
    Plain(Stream<F>),
    /// It does.
    Tls(TlsStream<F>),
}

/// The half that reads: see [`MaybeTls::into_split`].
#[derive(Debug)]
pub enum MaybeReadHalf<F: Family = Any> {
    /// Of one that does not speak TLS.
    Plain(net::OwnedReadHalf<F>),
    /// Of one that does.
    Tls(OwnedReadHalf<F>),
}

/// The half that writes: see [`MaybeTls::into_split`]. Its drop says that nothing more will come.
#[derive(Debug)]
pub enum MaybeWriteHalf<F: Family = Any> {
    /// Of one that does not speak TLS.
    Plain(net::OwnedWriteHalf<F>),
    /// Of one that does.
    Tls(OwnedWriteHalf<F>),
}

/// The same call on whichever it is.
macro_rules! each {
    ($self:expr, $one:ident => $call:expr) => {
        match $self {
            Self::Plain($one) => $call,
            Self::Tls($one) => $call,
        }
    };
}

impl<F: Family> MaybeTls<F> {
    /// Sends what is left, says that nothing more will come, and closes.
    ///
    /// # Errors
    /// As the stream's that it is.
    pub async fn close(self) -> io::Result<()> {
        each!(self, stream => stream.close().await)
    }

    /// Two halves, one to read and one to write, for two tasks or two threads.
    ///
    /// Dropping the writing half says that nothing more will be written, as
    /// [`finish`](Self::finish) does; the stream closes when both are gone.
    pub fn into_split(self) -> (MaybeReadHalf<F>, MaybeWriteHalf<F>) {
        match self {
            Self::Plain(stream) => {
                let (read, write) = stream.into_split();
                (MaybeReadHalf::Plain(read), MaybeWriteHalf::Plain(write))
            }
            Self::Tls(stream) => {
                let (read, write) = stream.into_split();
                (MaybeReadHalf::Tls(read), MaybeWriteHalf::Tls(write))
            }
        }
    }

    /// The points in time at which receiving and sending are late; `None`: never.
    pub fn set_deadlines(&self, recv: Option<Instant>, send: Option<Instant>) {
        each!(self, stream => stream.set_deadlines(recv, send));
    }

    /// How many bytes each direction may hold before it stops asking for more (receiving), or
    /// taking more (sending).
    pub fn set_window(&self, bytes: usize) {
        each!(self, stream => stream.set_window(bytes));
    }
}

/// The calls of what reads.
macro_rules! reading {
    ($type:ident) => {
        impl<F: Family> $type<F> {
            /// The next bytes; `None` once the peer has said that it was all.
            ///
            /// # Errors
            /// As the stream's that it is.
            pub async fn recv(&mut self) -> io::Result<Option<Chunk>> {
                each!(self, stream => stream.recv().await)
            }

            /// Fills `buf`, all or nothing, and says its length. Dropping the future loses nothing.
            ///
            /// # Errors
            /// As the stream's that it is.
            pub async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                each!(self, stream => stream.read_exact(buf).await)
            }

            /// Copies the first bytes that are there, which stay. 0 is the end.
            ///
            /// # Errors
            /// As the stream's that it is.
            pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                each!(self, stream => stream.peek(buf).await)
            }

            /// Waits until there is something to read: bytes, the end, or an error.
            ///
            /// # Errors
            /// As the stream's that it is.
            pub async fn readable(&self) -> io::Result<()> {
                each!(self, stream => stream.readable().await)
            }

            /// Reads what is there.
            ///
            /// # Errors
            /// `WouldBlock` if there is nothing yet; else as the stream's that it is.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                each!(self, stream => stream.try_read(buf))
            }
        }
    };
}

/// The calls of what writes.
macro_rules! writing {
    ($type:ident) => {
        impl<F: Family> $type<F> {
            /// Waits for room, and sends the whole chunk; none of it if the future is dropped
            /// before.
            ///
            /// # Errors
            /// As the stream's that it is.
            pub async fn send(&mut self, chunk: impl Into<Chunk>) -> io::Result<()> {
                each!(self, stream => stream.send(chunk).await)
            }

            /// Waits until the system has taken all that was sent or written.
            ///
            /// # Errors
            /// As the stream's that it is.
            pub async fn flush(&mut self) -> io::Result<()> {
                each!(self, stream => stream.flush().await)
            }

            /// Says that nothing more will be sent, behind all that was.
            ///
            /// # Errors
            /// As the stream's that it is.
            pub async fn finish(&mut self) -> io::Result<()> {
                each!(self, stream => stream.finish().await)
            }

            /// Waits until there is room to write, or until writing would fail.
            ///
            /// # Errors
            /// As the stream's that it is.
            pub async fn writable(&self) -> io::Result<()> {
                each!(self, stream => stream.writable().await)
            }

            /// Writes as much as there is room for.
            ///
            /// # Errors
            /// `WouldBlock` if there is none; else as the stream's that it is.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                each!(self, stream => stream.try_write(buf))
            }
        }
    };
}

/// The calls of streams and of both halves.
macro_rules! ends {
    ($type:ident) => {
        impl<F: Family> $type<F> {
            /// What was agreed upon, if it speaks TLS.
            #[must_use]
            pub fn session(&self) -> Option<Session> {
                match self {
                    Self::Plain(_) => None,
                    Self::Tls(stream) => Some(stream.session()),
                }
            }

            /// Whether it speaks TLS.
            #[must_use]
            pub fn is_tls(&self) -> bool {
                matches!(self, Self::Tls(_))
            }

            /// The address of this end.
            ///
            /// # Errors
            /// The system's.
            pub fn local_addr(&self) -> io::Result<F::Addr> {
                each!(self, stream => stream.local_addr())
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// `NotConnected` once the connection is gone, on systems that forget it then.
            pub fn peer_addr(&self) -> io::Result<F::Addr> {
                each!(self, stream => stream.peer_addr())
            }
        }
    };
}

reading!(MaybeTls);
reading!(MaybeReadHalf);
writing!(MaybeTls);
writing!(MaybeWriteHalf);
ends!(MaybeTls);
ends!(MaybeReadHalf);
ends!(MaybeWriteHalf);

impl<F: Family> From<Stream<F>> for MaybeTls<F> {
    fn from(stream: Stream<F>) -> Self {
        Self::Plain(stream)
    }
}

impl<F: Family> From<TlsStream<F>> for MaybeTls<F> {
    fn from(stream: TlsStream<F>) -> Self {
        Self::Tls(stream)
    }
}

pub(super) use each;

/// A source of connections that speak TLS or do not, at one port: made by
/// [`TlsListener::plain_too`](super::TlsListener::plain_too).
///
/// They are told apart by their first byte, which is not lost: no protocol of text begins with that
/// of TLS. So a client has to speak first. Who says nothing is late as if it made a handshake, and
/// holds up nobody.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::tls::{Client, Identity, Roots, Server};
/// # let rcgen::CertifiedKey { cert, signing_key } =
/// #     rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (chain, key) = (cert.pem(), signing_key.serialize_pem());
/// let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
/// let listener = reseau::listen(":0").tls(&server).await?.plain_too();
/// let at = listener.local_addr()?;
/// let serving = reseau::spawn(async move {
///     for _ in 0..2 {
///         let (mut stream, _peer) = listener.accept().await?;
///         assert_eq!(&*stream.recv().await?.unwrap(), b"hello");
///         let safe = stream.session().is_some();
///         stream.send(if safe { "safe" } else { "everybody hears you" }).await?;
///         stream.close().await?;
///     }
///     std::io::Result::Ok(())
/// });
///
/// let mut plain = reseau::connect(at.to_string()).await?;
/// plain.send("hello").await?;
/// assert_eq!(&*plain.recv().await?.unwrap(), b"everybody hears you");
///
/// let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
/// let stream = reseau::connect(at.to_string()).await?;
/// let mut stream = stream.start_tls(client.to("localhost")).await?;
/// stream.send("hello").await?;
/// assert_eq!(&*stream.recv().await?.unwrap(), b"safe");
/// # serving.await.unwrap()
/// # })
/// # }
/// ```
pub struct MaybeTlsListener<F: Family = Any> {
    room: Room<F>,
}

impl<F: Family> MaybeTlsListener<F> {
    /// What `room` lets in, with or without TLS.
    pub(super) fn new(mut room: Room<F>) -> Self {
        room.plain = true;
        Self { room }
    }

    words!();

    /// Waits for the next connection that speaks, and whose handshake is done if it makes one; and
    /// says who it is.
    ///
    /// Any number of tasks may wait at the same time; each connection comes to one of them.
    /// Dropping the future loses none.
    ///
    /// # Errors
    /// As [`TlsListener::accept`](super::TlsListener::accept).
    pub async fn accept(&self) -> io::Result<(MaybeTls<F>, F::Addr)> {
        self.room.accept().await
    }

    /// As [`accept`](Self::accept), for hand-written futures. The last task that waits by this
    /// call is the one that is woken.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(MaybeTls<F>, F::Addr)>> {
        self.room.poll_accept(cx)
    }
}

inside!(MaybeTlsListener);
