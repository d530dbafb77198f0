//! The calls of a stream, as [`Stream`] and [`TcpStream`](crate::blocking::TcpStream) have them.
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::turn::lock;
use super::{Plain, Stream, TlsStream, Wait};
use crate::addr::Addr;
use crate::error::{Error, Operation};
use crate::sys::{self, OsSocket};
use crate::tls::Session;
use crate::tls::engine::Engine;

impl TlsStream {
    /// What was agreed upon in the handshake.
    ///
    /// ```
    #[doc = include_str!("../../tls/pair.txt")]
    /// let (one, other) = pair();
    /// assert_eq!(one.session().version(), Some(reseau::tls::Version::Tls13));
    /// assert_eq!(other.session().server_name(), Some("localhost"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn session(&self) -> Session {
        lock(&self.link.engine).session()
    }

    /// Fills `keys` with what both sides can make from their handshake, and nobody else (RFC 5705).
    ///
    /// ```
    #[doc = include_str!("../../tls/pair.txt")]
    /// let (one, other) = pair();
    /// let (mut mine, mut theirs) = ([0; 16], [0; 16]);
    /// one.export(b"EXPORTER-of-ours", Some(b"round 1"), &mut mine)?;
    /// other.export(b"EXPORTER-of-ours", Some(b"round 1"), &mut theirs)?;
    /// assert_eq!(mine, theirs);
    /// one.export(b"EXPORTER-of-ours", Some(b"round 2"), &mut mine)?;
    /// assert_ne!(mine, theirs);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If none can be made so: for no bytes, or too many.
    pub fn export(&self, label: &[u8], context: Option<&[u8]>, keys: &mut [u8]) -> io::Result<()> {
        lock(&self.link.engine).export(label, context, keys)
    }

    /// A second handle to the same connection, with deadlines of its own.
    ///
    /// What is read or written through one is the other's too, as are options and modes; deadlines
    /// are copied, and from then on each handle has its own. The connection is closed with the last
    /// of them.
    ///
    /// ```
    #[doc = include_str!("../../tls/pair.txt")]
    /// let (mut one, mut other) = pair();
    /// let mut too = other.try_clone()?;
    /// one.write_all(b"ab")?;
    /// let (mut a, mut b) = ([0], [0]);
    /// other.read_exact(&mut a)?;
    /// too.read_exact(&mut b)?;
    /// assert_eq!((&a, &b), (b"a", b"b"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the process or the system has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.try_clone()?;
        self.link.handles.fetch_add(1, Ordering::Relaxed);
        Ok(Self { stream, link: Arc::clone(&self.link) })
    }

    /// Reads what has come already; `WouldBlock` if that is nothing, or if somebody else reads.
    pub(crate) fn read_at_once(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_by(Wait::Never, 0, |engine| engine.take(buf))
    }

    /// Reads without taking: the next read gives the same bytes again.
    ///
    /// ```
    #[doc = include_str!("../../tls/pair.txt")]
    /// let (mut one, mut other) = pair();
    /// one.write_all(b"\x05hello")?;
    /// let mut length = [0];
    /// assert_eq!(other.peek(&mut length)?, 1);
    /// let mut message = vec![0; 1 + usize::from(length[0])];
    /// other.read_exact(&mut message)?;
    /// assert_eq!(&message, b"\x05hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for reading.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.read_by(Wait::Asked, 0, |engine| match engine.plain() {
            Ok(Plain::Bytes(bytes)) => {
                let count = bytes.len().min(buf.len());
                buf[..count].copy_from_slice(&bytes[..count]);
                count
            }
            _ => 0,
        })
    }

    /// Says that nothing more will be written: first by TLS's own word, then by the stream's.
    ///
    /// ```
    #[doc = include_str!("../../tls/pair.txt")]
    /// let (one, mut other) = pair();
    /// one.finish()?;
    /// assert_eq!((&one).write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    /// assert_eq!(other.read(&mut [0])?, 0); // The end, and no cut.
    /// other.write_all(b"answer")?;
    /// (&one).read_exact(&mut [0; 6])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for writing.
    pub fn finish(&self) -> io::Result<()> {
        let outgoing = &mut self.outgoing()?;
        lock(&self.link.engine).finish();
        self.push(outgoing, Wait::Asked)?;
        self.stream.finish()
    }

    /// Ends reading, writing, or both: calls that wait for it return.
    ///
    /// To end writing is to [`finish`](Self::finish). To end both never waits: the peer is told so
    /// if there is room at once and nobody is writing, and else sees a cut.
    ///
    /// ```
    #[doc = include_str!("../../tls/pair.txt")]
    /// let (one, mut other) = pair();
    /// one.shutdown(std::net::Shutdown::Both)?;
    /// assert_eq!(other.read(&mut [0])?, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotConnected` if the connection is gone already (but not on every system); else as for
    /// writing.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how == Shutdown::Write {
            return self.finish();
        }
        self.link.deaf.store(true, Ordering::Relaxed);
        if how == Shutdown::Both {
            self.part();
        }
        self.stream.shutdown(how)
    }

    /// Says that nothing more will be written, if that needs no waiting.
    fn part(&self) {
        if let Some(mut outgoing) = self.link.outgoing.soon()
            && !outgoing.spoilt
        {
            lock(&self.link.engine).finish();
            let _ = self.push(&mut outgoing, Wait::Never);
        }
    }

    /// Ends the stream so that nothing of it is lost: says that nothing more will be written, and
    /// reads what the peer still has to say, until its end.
    ///
    /// ```
    #[doc = include_str!("../../tls/pair.txt")]
    /// use std::time::{Duration, Instant};
    /// let (mut one, mut other) = pair();
    /// let late = Instant::now() + Duration::from_secs(5);
    /// other.write_all(b"much that nobody reads")?;
    /// other.finish()?;
    /// one.write_all(b"go away")?;
    /// one.close_gracefully(late)?;
    /// let mut text = String::new();
    /// other.read_to_string(&mut text)?;
    /// assert_eq!(text, "go away");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `TimedOut` if the peer has not ended by then, `UnexpectedEof` if it ended without a word;
    /// else as for reading and writing. This handle is closed in any case.
    pub fn close_gracefully(self, deadline: Instant) -> io::Result<()> {
        self.set_deadlines(Some(deadline), Some(deadline));
        self.finish()?;
        let mut space = [0; 4096];
        while (&self).read(&mut space)? > 0 {}
        Ok(())
    }

    /// Ends the connection at once: what is not yet sent is dropped, and the peer of a TCP
    /// connection sees a reset, any other a cut.
    ///
    /// It happens when the last handle is closed, so clones put it off.
    ///
    /// ```
    #[doc = include_str!("../../tls/pair.txt")]
    /// let (one, mut other) = pair();
    /// one.abort()?;
    /// assert!(other.read(&mut [0]).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the system does not take the option; the handle is closed all the same.
    pub fn abort(self) -> io::Result<()> {
        match &self.stream {
            Stream::Tcp(stream) => stream.set_linger(Some(Duration::ZERO)),
            _ => Ok(()),
        }
    }

    /// The points in time at which reads and writes through this handle are late.
    ///
    /// A read that was late may be made again. A write that was late after something of it was
    /// encrypted is the last one: nobody can say how much of it arrives.
    ///
    /// ```
    #[doc = include_str!("../../tls/pair.txt")]
    /// use std::time::{Duration, Instant};
    /// let (mut one, _other) = pair();
    /// one.set_deadlines(Some(Instant::now() + Duration::from_millis(10)), None);
    /// assert_eq!(one.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_deadlines(&self, read: Option<Instant>, write: Option<Instant>) {
        self.stream.set_deadlines(read, write);
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

    /// How long one wait for ciphertext may take; `None` for as long as it takes. A record may come
    /// in several pieces: what counts from one point in time is a
    /// [deadline](Self::set_deadlines).
    ///
    /// A read that is late fails with `WouldBlock` (Unix) or `TimedOut` (Windows).
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    /// How long one wait for room may take; `None` for as long as it takes.
    ///
    /// A write that is late fails with `WouldBlock` (Unix) or `TimedOut` (Windows), and is the last
    /// one if something of it was encrypted, as with [deadlines](Self::set_deadlines).
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_write_timeout(timeout)
    }

    /// What [`set_read_timeout`](Self::set_read_timeout) set.
    ///
    /// # Errors
    /// The system's.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.socket().read_timeout()
    }

    /// What [`set_write_timeout`](Self::set_write_timeout) set.
    ///
    /// # Errors
    /// The system's.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.socket().write_timeout()
    }

    /// Makes calls that would wait fail with `WouldBlock` instead, or lets them wait again.
    ///
    /// A read that would wait has lost nothing. A write takes as much as it can encrypt, and keeps
    /// what the system has no room for: it goes with the next write, or with
    /// [`flush`](Write::flush), which says `WouldBlock` while something is left.
    ///
    /// Who waits for the descriptor to be readable reads until `WouldBlock` first: plaintext may be
    /// here already.
    ///
    /// ```
    #[doc = include_str!("../../tls/pair.txt")]
    /// let (mut one, other) = pair();
    /// one.set_nonblocking(true)?;
    /// assert_eq!(one.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// let much = [0; 1 << 16];
    /// let full = loop {
    ///     if let Err(error) = one.write(&much) {
    ///         break error; // Nobody reads.
    ///     }
    /// };
    /// assert_eq!(full.kind(), ErrorKind::WouldBlock);
    /// assert_eq!(one.flush().unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # drop(other);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The system's.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)?;
        self.link.nonblocking.store(nonblocking, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the error that the system keeps for this socket.
    ///
    /// # Errors
    /// The system's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.stream.take_error()
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

    /// Small writes go out at once (`true`), or wait for each other (Nagle's algorithm).
    ///
    /// # Errors
    /// `Unsupported` of what is not TCP; the system's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.tcp(Operation::SetOption)?.set_tcp_nodelay(nodelay)
    }

    /// What [`set_nodelay`](Self::set_nodelay) set.
    ///
    /// # Errors
    /// As there.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.tcp(Operation::GetOption)?.tcp_nodelay()
    }

    /// How many hops a packet may take (IPv4's time to live).
    ///
    /// # Errors
    /// `Unsupported` of what is not TCP; the system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.tcp(Operation::SetOption)?.set_ttl_v4(ttl)
    }

    /// What [`set_ttl`](Self::set_ttl) set.
    ///
    /// # Errors
    /// As there.
    pub fn ttl(&self) -> io::Result<u32> {
        self.tcp(Operation::GetOption)?.ttl_v4()
    }

    fn tcp(&self, operation: Operation) -> io::Result<&OsSocket> {
        match &self.stream {
            Stream::Tcp(stream) => Ok(stream.socket()),
            _ => {
                let cause = io::Error::new(io::ErrorKind::Unsupported, "TCP alone has this option");
                Err(Error::new(operation, cause).into())
            }
        }
    }

    fn socket(&self) -> &OsSocket {
        self.stream.socket()
    }
}

// The descriptor under it, to wait for it or to set options. Whoever reads or writes there tears
// the records.
sys::borrows_descriptor!(TlsStream);

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsStream").field(&self.stream).finish()
    }
}

/// Fills one after the other with what is there.
fn scatter(engine: &mut Engine, bufs: &mut [IoSliceMut<'_>]) -> usize {
    let mut count = 0;
    for buf in bufs {
        let mut filled = 0;
        while filled < buf.len() {
            match engine.take(&mut buf[filled..]) {
                0 => return count + filled,
                more => filled += more,
            }
        }
        count += filled;
    }
    count
}

impl Read for &TlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.read_by(Wait::Asked, 0, |engine| engine.take(buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Ok(0);
        }
        self.read_by(Wait::Asked, 0, |engine| scatter(engine, bufs))
    }
}

impl Write for &TlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.write_by(|engine| engine.seal(buf))
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if parts.iter().all(|part| part.is_empty()) {
            return Ok(0);
        }
        self.write_by(|engine| engine.seal_parts(parts))
    }

    /// Sends what an earlier write has kept.
    fn flush(&mut self) -> io::Result<()> {
        let outgoing = &mut self.outgoing()?;
        self.push(outgoing, Wait::Asked)
    }
}

impl Read for TlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for TlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}
