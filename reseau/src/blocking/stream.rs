//! A connection of whatever family: [`Stream`].
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::{TcpStream, UnixStream, VsockStream, calls};
use crate::addr::Addr;
use crate::sys::{self, OsSocket};

/// A connection of whatever family, as [`connect`](super::connect()) gives it, and what
/// [`listen`](super::listen()) accepts.
///
/// What only one family has is had by taking it out:
///
/// ```
/// use reseau::blocking::{Stream, TcpListener, connect};
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let Stream::Tcp(stream) = connect(listener.local_addr()?).wait()? else { unreachable!() };
/// stream.set_nodelay(true)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// What all have is had by itself; reads and writes go through a shared reference, too:
///
/// ```
/// use reseau::blocking::{TcpListener, connect};
/// use std::io::{Read, Write};
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = connect(listener.local_addr()?).wait()?;
/// (&stream).write_all(b"over")?;
/// stream.finish()?;
/// let mut text = String::new();
/// listener.accept()?.0.read_to_string(&mut text)?;
/// assert_eq!(text, "over");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// Of TCP.
    Tcp(TcpStream),
    /// Of a Unix-domain socket.
    Unix(UnixStream),
    /// Between a virtual machine and its host.
    Vsock(VsockStream),
}

/// One call, on whichever it is.
macro_rules! each {
    ($stream:expr, $one:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($one) => $call,
            Stream::Unix($one) => $call,
            Stream::Vsock($one) => $call,
        }
    };
}

impl Stream {
    /// A socket that is connected to `addr`.
    pub(crate) fn new(socket: OsSocket, addr: &Addr) -> Self {
        match addr {
            Addr::Inet(_) => Self::Tcp(TcpStream::from_socket(socket)),
            Addr::Vsock(_) => Self::Vsock(VsockStream::from_socket(socket)),
            Addr::Unix(_) | Addr::Pipe(_) => Self::Unix(UnixStream::from_socket(socket)),
        }
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<Addr> {
        each!(self, stream => stream.local_addr().map(Addr::from))
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// The system's; `NotConnected` when the connection has ended.
    pub fn peer_addr(&self) -> io::Result<Addr> {
        each!(self, stream => stream.peer_addr().map(Addr::from))
    }

    /// Sets the points in time at which reads and writes are late. `None`: never.
    pub fn set_deadlines(&self, recv: Option<Instant>, send: Option<Instant>) {
        each!(self, stream => stream.set_deadlines(recv, send));
    }

    /// Says that nothing more will be written: the other end reads to the end.
    ///
    /// # Errors
    /// The system's.
    pub fn finish(&self) -> io::Result<()> {
        each!(self, stream => stream.finish())
    }

    /// Ends reading, writing or both.
    ///
    /// # Errors
    /// The system's.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        each!(self, stream => stream.shutdown(how))
    }

    /// Reads without taking: the next read gives the same bytes again.
    ///
    /// # Errors
    /// As for reading.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        each!(self, stream => stream.peek(buf))
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

    /// Makes calls that would wait fail with `WouldBlock` instead, or lets them wait again.
    ///
    /// # Errors
    /// The system's.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        each!(self, stream => stream.set_nonblocking(nonblocking))
    }

    /// Takes the error that the system keeps for this socket.
    ///
    /// # Errors
    /// The system's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        each!(self, stream => stream.take_error())
    }

    /// Ends the stream so that nothing of it is lost, as
    /// [`TcpStream::close_gracefully`] does.
    ///
    /// # Errors
    /// `TimedOut` if the peer has not ended by then; else the system's. This handle is closed in
    /// any case.
    pub fn close_gracefully(self, deadline: Instant) -> io::Result<()> {
        each!(self, stream => stream.close_gracefully(deadline))
    }

    /// A second handle to the same connection, with deadlines of its own.
    ///
    /// # Errors
    /// When the process or the system has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
            Self::Vsock(stream) => Self::Vsock(stream.try_clone()?),
        })
    }

    #[cfg(feature = "tls")]
    pub(super) fn deadlines(&self) -> (Option<Instant>, Option<Instant>) {
        each!(self, stream => (stream.read_deadline(), stream.write_deadline()))
    }

    pub(super) fn socket(&self) -> &OsSocket {
        each!(self, stream => stream.socket())
    }
}

sys::borrows_descriptor!(Stream);

impl Read for &Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        each!(self, stream => { let mut stream = stream; stream.read(buf) })
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        each!(self, stream => { let mut stream = stream; stream.read_vectored(bufs) })
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, stream => { let mut stream = stream; stream.write(bytes) })
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(self, stream => { let mut stream = stream; stream.write_vectored(parts) })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

calls::variants!(Stream, Tcp: TcpStream, Unix: UnixStream, Vsock: VsockStream);
