//! TLS for threads: [`TlsStream`].
mod calls;
mod turn;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::{Stream, TcpStream, UnixStream, VsockStream, handle};
use crate::clock;
use crate::sys::{Side, blocking as system};
use crate::tls::chance::Chance;
use crate::tls::engine::{Engine, Plain};
use crate::tls::{self, Broken, Role};
use turn::{Taken, Turn, lock};

/// A connection that speaks TLS, made by [`Stream::start_tls`].
///
/// It reads and writes as the stream under it does, through the value or a shared reference to it,
/// from any thread: one may read while another writes. [`try_clone`](Self::try_clone) makes a
/// second handle. Dropping the last closes the connection without a word, which the peer takes for
/// a cut: [`finish`](Self::finish) says that it was all.
///
/// A write that was late within a record is the last one: nobody can say how much of it arrives.
/// Whatever is written then fails with `BrokenPipe` ([`Broken::is_spoilt`]); reading goes on.
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
    link: Arc<Link>,
}

/// What all handles of a connection share.
struct Link {
    /// How many handles there are.
    handles: AtomicUsize,
    /// Locked for arithmetic alone: never while something is received or sent.
    engine: Mutex<Engine>,
    /// Had while something is read.
    incoming: Turn<Incoming>,
    /// Had while something is sent, so that ciphertext goes out in order. Who has it never waits
    /// for the other.
    outgoing: Turn<Outgoing>,
    /// Something that was encrypted could not be sent, and waits for the next who can.
    left: AtomicBool,
    /// Calls do not wait.
    nonblocking: AtomicBool,
    /// Reading was ended on this side: the end of the transport is no surprise.
    deaf: AtomicBool,
}

/// Ciphertext that was read and not fed yet.
struct Incoming {
    space: Vec<u8>,
    start: usize,
    end: usize,
    /// The last read left no room: there is more, perhaps.
    full: bool,
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
    /// go in by [`Side::received`](tls::Side::received). The handshake waits for the other side
    /// even where reads and writes do not ([`set_nonblocking`](Self::set_nonblocking)).
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
    /// What is wrong with the other side or its certificate ([`tls::Broken`]), or with this side's
    /// configuration; `TimedOut` once a deadline has passed; else as for reading and writing.
    pub fn start_tls(self, side: impl Into<tls::Side>) -> io::Result<TlsStream> {
        let (engine, received, deadline) = side.into().start(Chance::default())?;
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
            pub fn start_tls(self, side: impl Into<tls::Side>) -> io::Result<TlsStream> {
                Stream::from(self).start_tls(side)
            }
        }
    )*};
}

start_tls!(TcpStream UnixStream VsockStream);

impl TlsStream {
    pub(super) fn new(stream: Stream, engine: Engine, received: Vec<u8>) -> Self {
        let end = received.len();
        let incoming = Incoming { space: received, start: 0, end, full: false };
        let nonblocking = system::is_nonblocking(stream.socket()).unwrap_or(false);
        let link = Link {
            handles: AtomicUsize::new(1),
            engine: Mutex::new(engine),
            incoming: Turn::new(incoming),
            outgoing: Turn::new(Outgoing::default()),
            left: AtomicBool::new(false),
            nonblocking: AtomicBool::new(nonblocking),
            deaf: AtomicBool::new(false),
        };
        Self { stream, link: Arc::new(link) }
    }

    fn handshake(&self) -> io::Result<()> {
        let incoming = &mut self.incoming(Wait::Asked)?;
        let outgoing = &mut self.outgoing()?;
        loop {
            while let Err(error) = self.push(outgoing, Wait::Asked) {
                self.wait_after(error, Side::Send)?;
            }
            if !lock(&self.link.engine).is_handshaking() {
                return Ok(());
            }
            if let Err(error) = self.receive(incoming, Wait::Asked) {
                // The peer is told why, if it still listens; what counts is the first error.
                let _ = self.push(outgoing, Wait::Never);
                self.wait_after(error, Side::Recv)?;
            }
        }
    }

    /// Waits, if the error says that a call of the system does not.
    fn wait_after(&self, error: io::Error, side: Side) -> io::Result<()> {
        if !self.is_unready(&error) {
            return Err(error);
        }
        // Not every system can be asked.
        self.link.nonblocking.store(true, Ordering::Relaxed);
        let limit = self.deadline(side).map(|at| at.saturating_duration_since(clock::real()));
        if limit.is_some_and(|left| left.is_zero()) {
            return Err(handle::late(side));
        }
        system::wait(self.stream.socket(), side, limit).map(drop)
    }

    /// Feeds what was read, or else reads; says whether the protocol has something to say then.
    /// Whoever comes here has looked for plaintext, and found none.
    fn receive(&self, incoming: &mut Incoming, wait: Wait) -> io::Result<bool> {
        if incoming.start == incoming.end {
            let asked = {
                let mut engine = lock(&self.link.engine);
                engine.relax();
                engine.is_asked()
            };
            if asked {
                self.answer();
            }
            let count = incoming.fill(|space| self.receive_into(space, wait))?;
            if count == 0 {
                let mut engine = lock(&self.link.engine);
                engine.feed_end();
                // The end of a handshake is no plaintext.
                if engine.is_handshaking() {
                    engine.plain()?;
                }
                return Ok(engine.wants_to_send());
            }
        }
        let mut engine = lock(&self.link.engine);
        match engine.feed(&incoming.space[incoming.start..incoming.end]) {
            Ok(count) => incoming.start += count,
            Err(broken) => {
                incoming.start = incoming.end;
                // What came before it is to be had first.
                if engine.is_handshaking() {
                    return Err(broken.into());
                }
            }
        }
        Ok(engine.wants_to_send())
    }

    fn receive_into(&self, space: &mut [u8], wait: Wait) -> io::Result<usize> {
        let socket = self.stream.socket();
        match wait {
            Wait::Asked => io::Read::read(&mut &self.stream, space),
            Wait::Never => {
                system::at_once(socket, Side::Recv, |flags| system::recv(socket, space, flags))
            }
        }
    }

    /// Sends what the protocol itself has to say, if nobody sends already: who does will send it
    /// too, or the next. It never waits: who reads must not wait for a peer that does not.
    fn answer(&self) {
        if let Some(mut outgoing) = self.link.outgoing.briefly()
            && !outgoing.spoilt
        {
            if outgoing.sealed.is_empty() {
                // A peer that asks and does not read gets one answer, not many.
                lock(&self.link.engine).answer();
            }
            // An error comes again, where somebody writes.
            let _ = self.push(&mut outgoing, Wait::Never);
        }
    }

    /// Sends what is encrypted.
    fn push(&self, outgoing: &mut Outgoing, wait: Wait) -> io::Result<()> {
        let pushed = self.push_all(outgoing, wait);
        self.link.left.store(pushed.is_err(), Ordering::Relaxed);
        pushed
    }

    fn push_all(&self, outgoing: &mut Outgoing, wait: Wait) -> io::Result<()> {
        loop {
            {
                let mut engine = lock(&self.link.engine);
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
                match self.send(&outgoing.sealed, wait) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => drop(outgoing.sealed.drain(..count)),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    fn send(&self, bytes: &[u8], wait: Wait) -> io::Result<usize> {
        let socket = self.stream.socket();
        match wait {
            Wait::Asked => (&self.stream).write(bytes),
            Wait::Never => {
                let part = &bytes[..bytes.len().min(system::AT_ONCE_MAX)];
                system::at_once(socket, Side::Send, |flags| system::send(socket, part, flags))
            }
        }
    }

    /// Takes plaintext by `take` as soon as there is some; `end` at the end.
    fn read_by<T>(&self, wait: Wait, end: T, take: impl FnOnce(&mut Engine) -> T) -> io::Result<T> {
        self.in_time(Side::Recv)?;
        let incoming = &mut self.incoming(wait)?;
        loop {
            {
                let mut engine = lock(&self.link.engine);
                match engine.plain() {
                    Ok(Plain::Bytes(_)) => return Ok(take(&mut engine)),
                    Ok(Plain::End) => return Ok(end),
                    Ok(Plain::Starved) => {}
                    Err(cut) if cut.is_truncation() && self.is_deaf() => return Ok(end),
                    Err(broken) => return Err(broken.into()),
                }
            }
            if self.receive(incoming, wait)? || self.link.left.load(Ordering::Relaxed) {
                self.answer();
            }
        }
    }

    /// Encrypts what `seal` says, which tells how much that was, and sends it.
    fn write_by(&self, seal: impl FnOnce(&mut Engine) -> usize) -> io::Result<usize> {
        self.in_time(Side::Send)?;
        let outgoing = &mut self.outgoing()?;
        let mut engine = lock(&self.link.engine);
        if engine.wants_to_send() || !outgoing.sealed.is_empty() {
            drop(engine);
            // What is left of others goes first; nothing of this write is lost if it cannot.
            self.push(outgoing, Wait::Asked)?;
            engine = lock(&self.link.engine);
        }
        let count = seal(&mut engine);
        drop(engine);
        if count == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        match self.push(outgoing, Wait::Asked) {
            // It is kept, and goes first the next time.
            Err(error) if self.is_unready(&error) => Ok(count),
            Err(error) => {
                outgoing.spoilt = true;
                Err(error)
            }
            Ok(()) => Ok(count),
        }
    }

    /// What was late already does not begin.
    fn in_time(&self, side: Side) -> io::Result<()> {
        match self.deadline(side) {
            Some(at) if at <= clock::real() => Err(handle::late(side)),
            _ => Ok(()),
        }
    }

    fn deadline(&self, side: Side) -> Option<Instant> {
        let (read, write) = self.stream.deadlines();
        match side {
            Side::Recv => read,
            Side::Send => write,
        }
    }

    /// Whether it is by the stream's mode that a call of the system has not waited. (Some systems
    /// say the same when a timeout has passed.)
    fn is_unready(&self, error: &io::Error) -> bool {
        let timed_out = io::Error::from_raw_os_error(system::TIMED_OUT).kind();
        error.kind() == io::ErrorKind::WouldBlock
            && (timed_out != io::ErrorKind::WouldBlock
                || system::is_nonblocking(self.stream.socket()).unwrap_or(false))
    }

    fn is_deaf(&self) -> bool {
        self.link.deaf.load(Ordering::Relaxed)
    }

    fn incoming(&self, wait: Wait) -> io::Result<Taken<'_, Incoming>> {
        self.link.incoming.take(|| self.limit(Side::Recv, wait))
    }

    fn outgoing(&self) -> io::Result<Taken<'_, Outgoing>> {
        let outgoing = self.link.outgoing.take(|| self.limit(Side::Send, Wait::Asked))?;
        if outgoing.spoilt {
            return Err(Broken::spoilt(lock(&self.link.engine).role()).into());
        }
        Ok(outgoing)
    }

    /// Until when one waits for another thread of this side, and what is wrong then.
    fn limit(&self, side: Side, wait: Wait) -> io::Result<Option<(Instant, io::Error)>> {
        if matches!(wait, Wait::Never) || self.link.nonblocking.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let deadline = self.deadline(side).map(|at| (at, handle::late(side)));
        let timeout = handle::timeout(self.stream.socket(), side)?;
        let timeout = timeout.and_then(|span| clock::real().checked_add(span));
        let timeout = timeout.map(|at| (at, io::Error::from_raw_os_error(system::TIMED_OUT)));
        Ok(deadline.into_iter().chain(timeout).min_by_key(|(at, _)| *at))
    }
}

/// Whether calls of the system wait.
#[derive(Clone, Copy)]
enum Wait {
    /// As the stream was asked to: by its mode, its deadlines and its timeouts.
    Asked,
    Never,
}

impl Incoming {
    /// Reads anew. What waits holds little; where more comes at once, more is read at once.
    fn fill(&mut self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        let size = if self.full { READ_SIZE } else { READ_SIZE_IDLE };
        if self.space.len() > size {
            self.space.truncate(size);
            self.space.shrink_to_fit();
        }
        self.space.resize(size, 0);
        let count = loop {
            match read(&mut self.space) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        (self.start, self.end, self.full) = (0, count, count == size);
        Ok(count)
    }
}

/// A server sends tickets behind its handshake, which its client need not read to be done. They
/// are taken out of the socket here: systems reset a connection that is closed with bytes unread.
impl Drop for TlsStream {
    fn drop(&mut self) {
        if self.link.handles.fetch_sub(1, Ordering::AcqRel) > 1 {
            return; // Of several that go at once, one is the last.
        }
        let role = lock(&self.link.engine).role();
        if let Some(mut outgoing) = self.link.outgoing.soon()
            && !outgoing.spoilt
            && !outgoing.sealed.is_empty()
        {
            let _ = self.send(&std::mem::take(&mut outgoing.sealed), Wait::Never);
        }
        if role == Role::Client {
            let mut space = [0; 4096];
            let read = |_| matches!(self.receive_into(&mut space, Wait::Never), Ok(1..));
            (0..TICKETS_MAX / 4096).all(read);
        }
    }
}

/// How much space for ciphertext is kept between writes: that of a small one.
const SEALED_KEPT: usize = 1 << 10;

/// How much is taken out of a socket that is closed: a few tickets, each of which may hold a chain
/// of certificates.
const TICKETS_MAX: usize = 64 << 10;

/// A record of the greatest length and its header.
const READ_SIZE: usize = (16 << 10) + 256 + 5;

/// What a stream holds that waits.
const READ_SIZE_IDLE: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_holds_little() {
        let mut incoming = Incoming { space: Vec::new(), start: 0, end: 0, full: false };
        let mut sizes = Vec::new();
        // Small messages; a large one that comes in pieces; a small one again.
        for left in [40, 40, usize::MAX, usize::MAX, 9000, 40] {
            let read = |space: &mut [u8]| {
                sizes.push(space.len());
                Ok(left.min(space.len()))
            };
            incoming.fill(read).unwrap();
        }
        assert_eq!(sizes, [1024, 1024, 1024, READ_SIZE, READ_SIZE, 1024]);
        assert!(incoming.space.capacity() <= READ_SIZE_IDLE);
    }
}
