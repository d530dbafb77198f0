//! Descriptors that go through sockets of the family `AF_UNIX`, and pairs of such sockets.
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::{AF_UNIX, Current, SockPlatform, SockProtocol, SockType, Socket, System, UnixAddr};
use crate::error::Operation;
use crate::sockets::Plain;
use crate::sys::{self, Kind, Side, rights};

/// What only sockets of this machine can do.
impl<T: SockType, P: SockProtocol> Socket<AF_UNIX, T, P, UnixAddr>
where
    Current: SockPlatform<AF_UNIX, T, P, UnixAddr, Socket = System<AF_UNIX, T, P>>,
{
    /// Two sockets that are connected to each other.
    ///
    /// ```
    /// use reseau::sockets::mojo::{AF_UNIX, LOCAL, SOCK_STREAM, Socket, UnixAddr};
    /// type Local = Socket<AF_UNIX, SOCK_STREAM, LOCAL, UnixAddr>;
    /// let (one, other) = Local::socketpair()?;
    /// one.send(b"hello")?;
    /// assert_eq!(other.recv(&mut [0; 16])?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's.
    pub fn socketpair() -> io::Result<(Self, Self)> {
        let kind = if T::NUMBER == super::SOCK_DGRAM::NUMBER { Kind::Dgram } else { Kind::Stream };
        let (one, other) = sys::blocking::pair(kind)?;
        let socket = |socket| Self::fresh(System::new(Plain::adopt(socket)?));
        Ok((socket(one)?, socket(other)?))
    }

    /// Sends descriptors, which stay open here; they go with one byte of their own. False if the
    /// timeout passed first, and nothing was sent.
    ///
    /// ```
    /// use reseau::sockets::mojo::{AF_UNIX, LOCAL, SOCK_STREAM, Socket, UnixAddr};
    /// use std::io::{PipeWriter, Read, Write};
    /// use std::os::fd::AsFd;
    ///
    /// let (one, other) = Socket::<AF_UNIX, SOCK_STREAM, LOCAL, UnixAddr>::socketpair()?;
    /// let (mut reader, writer) = std::io::pipe()?;
    /// assert!(one.send_fds(&[writer.as_fd()])?);
    /// drop(writer);
    /// let writer = other.recv_fds(8)?.pop().unwrap();
    /// PipeWriter::from(writer).write_all(b"hello")?;
    /// let mut text = String::new();
    /// reader.read_to_string(&mut text)?;
    /// assert_eq!(text, "hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for more than 253 descriptors; else the system's.
    pub fn send_fds(&self, fds: &[BorrowedFd<'_>]) -> io::Result<bool> {
        let send = |socket: &_| rights::send_fds(socket, &[0], fds, None, 0);
        match self.plain().on(Side::Send, Operation::Send, send) {
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Receives the descriptors that came with the next byte, which is taken: `maxfds` at most,
    /// the others are closed. They are ours now, and closed on exec.
    ///
    /// # Errors
    /// `UnexpectedEof` if the peer has closed; else the system's.
    pub fn recv_fds(&self, maxfds: usize) -> io::Result<Vec<OwnedFd>> {
        let mut byte = [0];
        let recv = |socket: &_| rights::recv_fds(socket, &mut byte, maxfds, 0);
        let passed = self.plain().on(Side::Recv, Operation::Recv, recv)?;
        if passed.len == 0 && passed.fds.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(passed.fds)
    }
}
