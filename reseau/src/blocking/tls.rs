//! TLS for threads: [`TlsStream`].
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::{Stream, TcpStream, UnixStream, VsockStream};
use crate::addr::Addr;
use crate::error::{Error, Operation, Phase};
use crate::tls::engine::{Engine, Plain};
use crate::tls::{Role, Session, Side};

/// A connection that speaks TLS, made by [`Stream::start_tls`].
///
/// It reads and writes as the stream under it does, from two threads at once where that is wanted:
/// `&TlsStream` reads and writes, too. Dropping it closes the connection without a word, which the
/// peer takes for a cut: [`finish`](Self::finish) says that it was all.
///
/// ```no_run
/// use reseau::{blocking, tls};
/// use std::io::{Read, Write};
///
/// let stream = blocking::connect("example.com:443").wait()?;
/// let mut stream = stream.start_tls(tls::Client::new().to("example.com"))?;
/// stream.write_all(b"GET / HTTP/1.0\r\nhost: example.com\r\n\r\n")?;
/// let mut answer = Vec::new();
/// stream.read_to_end(&mut answer)?; // An error if it was cut short.
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TlsStream {
    stream: Stream,
    engine: Mutex<Engine>,
    /// Held while something is read. Nobody who holds it waits for the next.
    incoming: Mutex<Incoming>,
    /// Held while something is sent, so that ciphertext goes out in order.
    outgoing: Mutex<Outgoing>,
}

/// Ciphertext that was read and not fed yet.
struct Incoming {
    space: Vec<u8>,
    start: usize,
    end: usize,
}

#[derive(Default)]
struct Outgoing {
    /// Encrypted and not sent yet.
    sealed: Vec<u8>,
    /// A write has failed after something of it was encrypted: nobody can say how much the peer
    /// gets, and so nothing can come after it.
    spoilt: bool,
}

impl Stream {
    /// Speaks TLS from here on, as a client of a name or as a server, and makes the handshake.
    ///
    /// What was said before stays what it was. Bytes of the other side's TLS that were read already
    /// go in by [`Side::received`].
    ///
    /// ```no_run
    /// use reseau::{blocking::TcpListener, tls};
    /// let server = tls::Server::new(&tls::Identity::from_files("chain.pem", "key.pem")?);
    /// let (stream, _) = TcpListener::bind("127.0.0.1:443")?.accept()?;
    /// let stream = stream.start_tls(&server)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the other side or its certificate ([`tls::Broken`](crate::tls::Broken)),
    /// or with this side's configuration; `TimedOut` once a deadline has passed; else as for
    /// reading and writing.
    pub fn start_tls(self, side: impl Into<Side>) -> io::Result<TlsStream> {
        let (engine, received, deadline) = side.into().start()?;
        let stream = TlsStream::new(self, engine, received);
        let Some(at) = deadline else {
            stream.handshake()?;
            return Ok(stream);
        };
        let (read, write) = stream.stream.deadlines();
        let sooner = |one: Option<Instant>| Some(one.map_or(at, |one| one.min(at)));
        stream.stream.set_deadlines(sooner(read), sooner(write));
        stream.handshake()?;
        stream.stream.set_deadlines(read, write);
        Ok(stream)
    }
}

macro_rules! start_tls {
    ($($stream:ident)*) => {$(
        impl $stream {
            /// As [`Stream::start_tls`].
            ///
            /// # Errors
            /// As there.
            pub fn start_tls(self, side: impl Into<Side>) -> io::Result<TlsStream> {
                Stream::from(self).start_tls(side)
            }
        }
    )*};
}

start_tls!(TcpStream UnixStream VsockStream);

impl TlsStream {
    fn new(stream: Stream, engine: Engine, received: Vec<u8>) -> Self {
        let end = received.len();
        let incoming = Incoming { space: received, start: 0, end };
        Self {
            stream,
            engine: Mutex::new(engine),
            incoming: Mutex::new(incoming),
            outgoing: Mutex::default(),
        }
    }

    fn handshake(&self) -> io::Result<()> {
        let incoming = &mut lock(&self.incoming);
        loop {
            self.send_sealed(&mut lock(&self.outgoing))?;
            if !lock(&self.engine).is_handshaking() {
                return Ok(());
            }
            self.receive(incoming)?;
        }
    }

    /// Feeds what was read, or else reads. Whoever comes here has looked for plaintext, and found
    /// none.
    fn receive(&self, incoming: &mut Incoming) -> io::Result<()> {
        if incoming.start == incoming.end {
            incoming.space.resize(READ_SIZE, 0);
            let count = loop {
                match (&self.stream).read(&mut incoming.space) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result?,
                }
            };
            (incoming.start, incoming.end) = (0, count);
            if count == 0 {
                let mut engine = lock(&self.engine);
                engine.feed_end();
                // The end of a handshake is no plaintext.
                return if engine.is_handshaking() {
                    Ok(engine.plain().map(drop)?)
                } else {
                    Ok(())
                };
            }
        }
        let fed = lock(&self.engine).feed(&incoming.space[incoming.start..incoming.end]);
        match fed {
            Ok(count) => incoming.start += count,
            Err(broken) => {
                incoming.start = incoming.end;
                // The peer is told why, if it still listens; what counts is the first error.
                self.answer();
                // What came before it is to be had first.
                if lock(&self.engine).is_handshaking() {
                    return Err(broken.into());
                }
            }
        }
        Ok(())
    }

    /// Sends what the protocol itself has to say, if nobody sends already: who does will send it
    /// too, or the next.
    fn answer(&self) {
        match self.outgoing.try_lock() {
            // An error comes again, where somebody writes.
            Ok(mut outgoing) => drop(self.send_sealed(&mut outgoing)),
            Err(TryLockError::Poisoned(outgoing)) => {
                drop(self.send_sealed(&mut outgoing.into_inner()));
            }
            Err(TryLockError::WouldBlock) => {}
        }
    }

    fn send_sealed(&self, outgoing: &mut Outgoing) -> io::Result<()> {
        loop {
            {
                let mut engine = lock(&self.engine);
                while engine.wants_to_send() {
                    engine.send_to(&mut outgoing.sealed)?;
                }
            }
            if outgoing.sealed.is_empty() {
                // What waits for hours should not hold what it once needed.
                outgoing.sealed.shrink_to(SEALED_KEPT);
                return Ok(());
            }
            while !outgoing.sealed.is_empty() {
                match (&self.stream).write(&outgoing.sealed) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => drop(outgoing.sealed.drain(..count)),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    fn read_some(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let incoming = &mut lock(&self.incoming);
        loop {
            {
                let mut engine = lock(&self.engine);
                match engine.plain()? {
                    Plain::Bytes(_) => return Ok(engine.take(buf)),
                    Plain::End => return Ok(0),
                    Plain::Starved => {}
                }
            }
            self.receive(incoming)?;
            self.answer();
        }
    }

    fn write_some(&self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let outgoing = &mut self.outgoing()?;
        // What is left of others goes first; nothing of this write is lost if it cannot.
        self.send_sealed(outgoing)?;
        let count = lock(&self.engine).seal(buf);
        if count == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let sent = self.send_sealed(outgoing);
        outgoing.spoilt |= sent.is_err();
        sent.map(|()| count)
    }

    /// Says that nothing more will be written: first by TLS's own word, then by the stream's.
    ///
    /// # Errors
    /// As for writing.
    pub fn finish(&self) -> io::Result<()> {
        let outgoing = &mut self.outgoing()?;
        lock(&self.engine).finish();
        self.send_sealed(outgoing)?;
        self.stream.finish()
    }

    /// Ends the stream so that nothing of it is lost: says that nothing more will be written, and
    /// reads what the peer still has to say, until its end.
    ///
    /// # Errors
    /// `TimedOut` if the peer has not ended by then, `UnexpectedEof` if it ended without a word;
    /// else as for reading and writing. The connection is closed in any case.
    pub fn close_gracefully(self, deadline: Instant) -> io::Result<()> {
        self.set_deadlines(Some(deadline), Some(deadline));
        self.finish()?;
        let mut space = [0; 4096];
        while self.read_some(&mut space)? > 0 {}
        Ok(())
    }

    /// What was agreed upon in the handshake.
    #[must_use]
    pub fn session(&self) -> Session {
        lock(&self.engine).session()
    }

    /// Fills `keys` with what both sides can make from their handshake, and nobody else (RFC 5705).
    ///
    /// # Errors
    /// If none can be made so: for no bytes, or too many.
    pub fn export(&self, label: &[u8], context: Option<&[u8]>, keys: &mut [u8]) -> io::Result<()> {
        Ok(lock(&self.engine).export(label, context, keys)?)
    }

    /// The points in time at which reads and writes are late.
    ///
    /// A read that was late may be made again. A write that was late after something of it was
    /// encrypted is the last one: nobody can say how much of it arrives.
    pub fn set_deadlines(&self, recv: Option<Instant>, send: Option<Instant>) {
        self.stream.set_deadlines(recv, send);
    }

    /// What [`set_deadlines`](Self::set_deadlines) set for reads.
    #[must_use]
    pub fn read_deadline(&self) -> Option<Instant> {
        self.stream.deadlines().0
    }

    /// What [`set_deadlines`](Self::set_deadlines) set for writes.
    #[must_use]
    pub fn write_deadline(&self) -> Option<Instant> {
        self.stream.deadlines().1
    }

    /// How long one read may wait; `None` for as long as it takes.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    /// How long one write may wait; `None` for as long as it takes.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_write_timeout(timeout)
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<Addr> {
        self.stream.local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `NotConnected` if there is none any more.
    pub fn peer_addr(&self) -> io::Result<Addr> {
        self.stream.peer_addr()
    }

    fn outgoing(&self) -> io::Result<MutexGuard<'_, Outgoing>> {
        let outgoing = lock(&self.outgoing);
        if outgoing.spoilt {
            let what = "an earlier write failed within a record of TLS";
            let cause = io::Error::new(io::ErrorKind::BrokenPipe, what);
            return Err(Error::new(Operation::Send, cause).phase_at(Phase::Tls).into());
        }
        Ok(outgoing)
    }
}

/// A server sends tickets behind its handshake, which its client need not read to be done. They
/// are taken out of the socket here: systems reset a connection that is closed with bytes unread.
impl Drop for TlsStream {
    fn drop(&mut self) {
        let engine = self.engine.get_mut().unwrap_or_else(PoisonError::into_inner);
        if engine.role() == Role::Server || self.stream.set_nonblocking(true).is_err() {
            return;
        }
        let mut space = [0; 4096];
        let read = |_| matches!((&self.stream).read(&mut space), Ok(1..));
        (0..TICKETS_MAX / 4096).all(read);
        let _ = self.stream.set_nonblocking(false);
    }
}

/// Nothing that is locked here is left half done by a panic: all of it is arithmetic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsStream").field(&self.stream).finish()
    }
}

impl Read for &TlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_some(buf)
    }
}

impl Write for &TlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_some(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_some(buf)
    }
}

impl Write for TlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_some(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How much space for ciphertext is kept between writes: that of a small one.
const SEALED_KEPT: usize = 1 << 10;

/// How much is taken out of a socket that is closed: a few tickets, each of which may hold a chain
/// of certificates.
const TICKETS_MAX: usize = 64 << 10;

/// A record of the greatest length and its header.
const READ_SIZE: usize = (16 << 10) + 256 + 5;
