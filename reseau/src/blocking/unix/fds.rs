//! Descriptors that are passed through Unix-domain sockets, and that of the peer's process.
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::{UnixDatagram, UnixSeqpacket, UnixStream};
use crate::addr::{Addr, UnixAddr};
use crate::blocking::handle::{Handle, other_family};
use crate::packet::Passed;
use crate::sys::{Side, process_of_peer, rights};

/// The two calls, for a newtype of `Handle` whose messages are called `$message`; `bytes` says
/// what goes for how many there must be.
macro_rules! passes {
    ($type:ident, $message:literal, $(#[$bytes:meta])*) => {
        impl $type {
            #[doc = concat!("Receives ", $message, " with at most `fds_max` descriptors.")]
            ///
            /// They are closed on exec. If there were more, the first ones are given, the others
            /// closed, and the result says that it is truncated. (Other calls that receive close
            /// all descriptors that come.)
            ///
            /// # Errors
            /// As for receiving without.
            ///
            /// ```
            /// # #[cfg(target_os = "linux")]
            /// # fn main() -> std::io::Result<()> {
            #[doc = concat!("use reseau::blocking::unix::", stringify!($type), ";")]
            /// use std::os::fd::AsFd;
            ///
            #[doc = concat!("let (one, other) = ", stringify!($type), "::pair()?;")]
            /// let file = std::fs::File::open("/dev/null")?;
            /// one.send_fds(b"take it", &[file.as_fd(), file.as_fd()])?;
            /// let mut buf = [0; 64];
            /// let passed = other.recv_fds(&mut buf, 1)?;
            /// assert_eq!(&buf[..passed.len], b"take it");
            /// assert_eq!(passed.fds.len(), 1);
            /// assert!(passed.truncated, "there were two");
            /// # Ok(())
            /// # }
            /// # #[cfg(not(target_os = "linux"))]
            /// # fn main() {}
            /// ```
            pub fn recv_fds(&self, buf: &mut [u8], fds_max: usize) -> io::Result<Passed> {
                receive(&self.0, buf, fds_max)
            }

            #[doc = concat!("Sends ", $message, " and descriptors, which stay open here.")]
            ///
            $(#[$bytes])*
            ///
            /// # Errors
            /// `InvalidInput` for more than 253 descriptors; else as for sending without.
            ///
            /// ```
            /// # #[cfg(target_os = "linux")]
            /// # fn main() -> std::io::Result<()> {
            #[doc = concat!("use reseau::blocking::unix::", stringify!($type), ";")]
            /// use std::io::{PipeWriter, Read, Write};
            /// use std::os::fd::AsFd;
            ///
            #[doc = concat!("let (one, other) = ", stringify!($type), "::pair()?;")]
            /// let (mut reader, writer) = std::io::pipe()?;
            /// one.send_fds(b"write here", &[writer.as_fd()])?;
            /// drop(writer);
            /// let passed = other.recv_fds(&mut [0; 64], 8)?;
            /// let writer = passed.fds.into_iter().next().unwrap();
            /// PipeWriter::from(writer).write_all(b"hello")?;
            /// reader.read_exact(&mut [0; 5])?;
            /// # Ok(())
            /// # }
            /// # #[cfg(not(target_os = "linux"))]
            /// # fn main() {}
            /// ```
            pub fn send_fds(&self, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
                transmit(&self.0, buf, fds, None)
            }
        }
    };
}

/// The process at the other end.
macro_rules! process {
    ($type:ident) => {
        impl $type {
            /// A descriptor of the process at the other end (Linux' pidfd), which stays that
            /// process' when it has ended and its number is another's. It is closed on exec.
            ///
            /// # Errors
            /// `Unsupported` on other systems than Linux (6.5 and later); else the system's: the
            /// process ended before.
            ///
            /// ```
            /// # #[cfg(target_os = "linux")]
            /// # fn main() -> std::io::Result<()> {
            #[doc = concat!("use reseau::blocking::unix::", stringify!($type), ";")]
            #[doc = concat!("let (one, _other) = ", stringify!($type), "::pair()?;")]
            /// match one.peer_pidfd() {
            ///     Ok(process) => println!("{process:?} is readable when it has ended"),
            ///     Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::Unsupported),
            /// }
            /// # Ok(())
            /// # }
            /// # #[cfg(not(target_os = "linux"))]
            /// # fn main() {}
            /// ```
            pub fn peer_pidfd(&self) -> io::Result<OwnedFd> {
                process_of_peer(self.0.socket())
            }
        }
    };
}

process!(UnixStream);
process!(UnixSeqpacket);

passes!(
    UnixStream, "bytes",
    /// There must be a byte: an empty `buf` is `InvalidInput`. The descriptors come with the first
    /// byte; if fewer are sent than there are in `buf`, they have gone all the same.
);
passes!(
    UnixDatagram, "a datagram",
    /// It may be empty.
);
passes!(
    UnixSeqpacket, "a record",
    /// It may be empty, but then looks like the end.
);

impl UnixDatagram {
    /// As [`send_fds`](Self::send_fds), to an address.
    ///
    /// # Errors
    /// As [`send_fds`](Self::send_fds) and [`send_to`](Self::send_to).
    pub fn send_fds_to(
        &self,
        buf: &[u8],
        fds: &[BorrowedFd<'_>],
        to: &UnixAddr,
    ) -> io::Result<usize> {
        transmit(&self.0, buf, fds, Some(&Addr::from(to.clone())))
    }
}

fn receive(handle: &Handle, buf: &mut [u8], fds_max: usize) -> io::Result<Passed> {
    let end = || Passed::new(0, None, Vec::new());
    let recv = |socket: &_, flags| rights::recv_fds(socket, buf, fds_max, flags);
    let passed = handle.receive(end, recv)?;
    passed.map(|addr| addr.unix().cloned().ok_or_else(other_family))
}

fn transmit(
    handle: &Handle,
    buf: &[u8],
    fds: &[BorrowedFd<'_>],
    to: Option<&Addr>,
) -> io::Result<usize> {
    handle.on(Side::Send, |socket, flags| rights::send_fds(socket, buf, fds, to, flags))
}
