//! Connections that speak TLS, or not, for threads: [`MaybeTls`], and listeners for both.
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::iter::FusedIterator;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::tls_listener::inside;
use super::tls_room::Room;
use super::{Stream, TlsStream};
use crate::addr::{Addr, Covers};
use crate::tls::listening::words;
use crate::tls::{Server, Session};

/// A connection that speaks TLS, or not: what [`MaybeTlsListener`] accepts.
///
/// Its calls are those that both have; reads and writes go through a shared reference, too.
/// [`session`](Self::session) says which it is; so does a `match`.
#[derive(Debug)]
pub enum MaybeTls {
    /// It does not.
    Plain(Stream),
    /// It does.
    Tls(TlsStream),
}

/// The same call on whichever it is.
macro_rules! each {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            MaybeTls::Plain($stream) => $call,
            MaybeTls::Tls($stream) => $call,
        }
    };
}

impl MaybeTls {
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

    /// Says that nothing more will be written, behind all that was.
    ///
    /// # Errors
    /// As the stream's that it is.
    pub fn finish(&self) -> io::Result<()> {
        each!(self, stream => stream.finish())
    }

    /// Ends the stream so that nothing of it is lost, as
    /// [`TcpStream::close_gracefully`](super::TcpStream::close_gracefully) does.
    ///
    /// # Errors
    /// As the stream's that it is. The connection is closed in any case.
    pub fn close_gracefully(self, deadline: Instant) -> io::Result<()> {
        each!(self, stream => stream.close_gracefully(deadline))
    }

    /// Sets the points in time at which reads and writes are late. `None`: never.
    pub fn set_deadlines(&self, recv: Option<Instant>, send: Option<Instant>) {
        each!(self, stream => stream.set_deadlines(recv, send));
    }

    /// How long one read may wait; `None` for as long as it takes.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        each!(self, stream => stream.set_read_timeout(timeout))
    }

    /// How long one write may wait; `None` for as long as it takes.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        each!(self, stream => stream.set_write_timeout(timeout))
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<Addr> {
        each!(self, stream => stream.local_addr())
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// The system's; `NotConnected` when the connection has ended.
    pub fn peer_addr(&self) -> io::Result<Addr> {
        each!(self, stream => stream.peer_addr())
    }
}

impl From<Stream> for MaybeTls {
    fn from(stream: Stream) -> Self {
        Self::Plain(stream)
    }
}

impl From<TlsStream> for MaybeTls {
    fn from(stream: TlsStream) -> Self {
        Self::Tls(stream)
    }
}

impl Read for &MaybeTls {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        each!(self, stream => { let mut stream = stream; stream.read(buf) })
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        each!(self, stream => { let mut stream = stream; stream.read_vectored(bufs) })
    }
}

impl Write for &MaybeTls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, stream => { let mut stream = stream; stream.write(bytes) })
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, stream => { let mut stream = stream; stream.write_vectored(parts) })
    }

    fn flush(&mut self) -> io::Result<()> {
        each!(self, stream => { let mut stream = stream; stream.flush() })
    }
}

impl Read for MaybeTls {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for MaybeTls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

/// A source of connections that speak TLS or do not, at one port: made by
/// [`TlsListener::plain_too`](super::TlsListener::plain_too).
///
/// They are told apart by their first byte, which is not lost: no protocol of text begins with that
/// of TLS. So a client has to speak first. Who says nothing is late as if it made a handshake, and
/// holds up nobody.
///
/// ```
/// use reseau::blocking::{self, MaybeTls};
/// use reseau::tls::{Client, Identity, Roots, Server};
/// use std::io::{Read, Write};
/// # let rcgen::CertifiedKey { cert, signing_key } =
/// #     rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (chain, key) = (cert.pem(), signing_key.serialize_pem());
/// let server = Server::new(&Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
/// let listener = blocking::listen(":0").tls(&server).wait()?.plain_too();
/// let at = listener.local_addr()?;
/// let serving = std::thread::spawn(move || {
///     for stream in listener.incoming().take(2) {
///         let (mut stream, mut text) = (stream?, String::new());
///         stream.read_to_string(&mut text)?;
///         assert_eq!(text, "hello");
///         let safe = stream.session().is_some();
///         stream.write_all(if safe { b"safe" } else { b"everybody hears you" })?;
///         stream.finish()?;
///     }
///     std::io::Result::Ok(())
/// });
///
/// let client = Client::new().trust_only(&Roots::from_pem(chain.as_bytes())?);
/// for (client, expected) in [(None, "everybody hears you"), (Some(client), "safe")] {
///     let stream = blocking::connect(at.to_string()).wait()?;
///     let mut stream = match client {
///         None => MaybeTls::from(stream),
///         Some(client) => stream.start_tls(client.to("localhost"))?.into(),
///     };
///     stream.write_all(b"hello")?;
///     stream.finish()?;
///     let mut answer = String::new();
///     stream.read_to_string(&mut answer)?;
///     assert_eq!(answer, expected);
/// }
/// # serving.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct MaybeTlsListener {
    room: Room,
}

impl MaybeTlsListener {
    /// What `room` lets in, with or without TLS.
    pub(super) fn new(mut room: Room) -> Self {
        room.plain = true;
        Self { room }
    }

    words!();

    /// Waits for the next connection that speaks, and whose handshake is done if it makes one; and
    /// says who it is.
    ///
    /// # Errors
    /// As [`TlsListener::accept`](super::TlsListener::accept).
    pub fn accept(&self) -> io::Result<(MaybeTls, Addr)> {
        self.room.accept()
    }

    /// The connections, one after the other, without end: `next` is [`accept`](Self::accept)
    /// without the address.
    pub fn incoming(&self) -> impl FusedIterator<Item = io::Result<MaybeTls>> + '_ {
        std::iter::repeat_with(|| self.accept().map(|(stream, _)| stream))
    }

    fn socket(&self) -> &crate::sys::OsSocket {
        self.room.listener.socket()
    }
}

inside!(MaybeTlsListener);
