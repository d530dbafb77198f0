//! Descriptors that are passed through Unix-domain sockets, and that of the peer's process.
use std::future::poll_fn;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::handle::Ticket;
use super::{Interest, Stream, Unix, UnixDatagram, UnixSeqpacket, own_calls};
use crate::addr::{Addr, Family, UnixAddr};
use crate::driver::{Item, RecvLane, Side};
use crate::packet::Passed;
use crate::pool::Chunk;

impl Stream<Unix> {
    /// Receives what is there, as far as there is room, and at most `fds_max` of the descriptors
    /// that came with it; 0 bytes are the end of the stream.
    ///
    /// They are closed on exec. If there were more, the first ones are given, the others closed,
    /// and the result says that it is truncated. Bytes for which there is no room stay queued, and
    /// bytes behind descriptors wait for the next call. Dropping the future loses nothing. (Other
    /// calls that receive close all descriptors that came with the bytes that they take.)
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UnixStream;
    /// use std::os::fd::AsFd;
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// let file = std::fs::File::open("/dev/null")?;
    /// one.send_fds(b"take it", &[file.as_fd(), file.as_fd()]).await?;
    /// let mut buf = [0; 64];
    /// let passed = other.recv_fds(&mut buf, 1).await?;
    /// assert_eq!(&buf[..passed.len], b"take it");
    /// assert_eq!(passed.fds.len(), 1);
    /// assert!(passed.truncated, "there were two");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_fds(&mut self, buf: &mut [u8], fds_max: usize) -> io::Result<Passed> {
        let socket = self.handle().socket();
        let mut ticket = Ticket::new(socket, Side::Recv);
        let took = poll_fn(|cx| {
            let room = buf.len();
            socket.poll_recv(ticket.who(), cx, |lane| take(lane, room))
        });
        let Some(took) = took.await? else { return Ok(Passed::new(0, None, Vec::new())) };
        buf[..took.bytes.len()].copy_from_slice(&took.bytes);
        let mut passed = Passed::new(took.bytes.len(), None, took.fds);
        passed.truncated = passed.fds.len() > fds_max;
        passed.fds.truncate(fds_max);
        Ok(passed)
    }

    /// Sends bytes and descriptors, which stay open here, behind all that was sent before. Says
    /// how many of the bytes have gone; the descriptors went with the first.
    ///
    /// Dropping the future has sent none of them.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UnixStream;
    /// use std::io::{PipeWriter, Read, Write};
    /// use std::os::fd::AsFd;
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// let (mut reader, writer) = std::io::pipe()?;
    /// one.send_fds(b"write here", &[writer.as_fd()]).await?;
    /// drop(writer);
    /// let passed = other.recv_fds(&mut [0; 64], 8).await?;
    /// let writer = passed.fds.into_iter().next().unwrap();
    /// PipeWriter::from(writer).write_all(b"hello")?;
    /// reader.read_exact(&mut [0; 5])?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for more than 253 descriptors, or without a byte to go with; else as
    /// [`send`](Self::send).
    pub async fn send_fds(&mut self, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        let fd = self.handle().fd();
        own_calls::wait(self.handle(), Interest::WRITABLE, || fd.send_fds(buf, fds, None)).await
    }
}

/// The process at the other end.
macro_rules! process {
    ($type:ty, $pair:literal, $self:ident => $fd:expr) => {
        impl $type {
            /// A descriptor of the process at the other end (Linux' pidfd), which stays that
            /// process' when it has ended and its number is another's. It is closed on exec.
            ///
            /// ```
            /// # #[cfg(target_os = "linux")]
            /// # fn main() -> std::io::Result<()> {
            /// # reseau::block_on(async {
            #[doc = concat!("let (one, _other) = reseau::net::", $pair, "::pair()?;")]
            /// match one.peer_pidfd() {
            ///     Ok(process) => println!("{process:?} is readable when it has ended"),
            ///     Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::Unsupported),
            /// }
            /// # Ok(())
            /// # })
            /// # }
            /// # #[cfg(not(target_os = "linux"))]
            /// # fn main() {}
            /// ```
            ///
            /// # Errors
            /// `Unsupported` on other systems than Linux (6.5 and later), and for simulated
            /// sockets; else the system's: the process ended before.
            pub fn peer_pidfd(&$self) -> io::Result<OwnedFd> {
                $fd.peer_process()
            }
        }
    };
}

process!(Stream<Unix>, "UnixStream", self => self.handle().fd());
process!(UnixSeqpacket, "UnixSeqpacket", self => self.records().fd());

/// The two calls of sockets that keep messages apart.
macro_rules! passes {
    ($type:ident, $message:literal, $self:ident => $datagram:expr) => {
        impl $type {
            #[doc = concat!("Receives ", $message, " with at most `fds_max` descriptors.")]
            ///
            /// They are closed on exec. If there were more, the first ones are given, the others
            /// closed, and the result says that it is truncated. (Other calls that receive close
            /// all descriptors that come.)
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            pub async fn recv_fds(&$self, buf: &mut [u8], fds_max: usize) -> io::Result<Passed> {
                let passed = $datagram.receive(|fd| {
                    let end = || Passed::new(0, None, Vec::new());
                    UnixDatagram::or_end(fd, fd.recv_fds(buf, fds_max), end)
                });
                passed.await?.map(Unix::named)
            }

            #[doc = concat!("Sends ", $message, " and descriptors, which stay open here.")]
            ///
            /// # Errors
            /// `InvalidInput` for more than 253 descriptors; else as [`send`](Self::send).
            pub async fn send_fds(
                &$self,
                buf: &[u8],
                fds: &[BorrowedFd<'_>],
            ) -> io::Result<usize> {
                $datagram.transmit(|fd| fd.send_fds(buf, fds, None)).await
            }
        }
    };
}

passes!(UnixDatagram, "a datagram", self => self);
passes!(UnixSeqpacket, "a record", self => self.records());

impl UnixDatagram {
    /// As [`send_fds`](Self::send_fds), to an address.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UnixDatagram;
    /// use std::os::fd::AsFd;
    /// let path = std::env::temp_dir().join(format!("passed-{}", std::process::id()));
    /// let other = UnixDatagram::bind(&path)?;
    /// let file = std::fs::File::open("/dev/null")?;
    /// let to = other.local_addr()?;
    /// UnixDatagram::unbound()?.send_fds_to(b"take it", &[file.as_fd()], &to).await?;
    /// let passed = other.recv_fds(&mut [0; 64], 4).await?;
    /// assert_eq!((passed.len, passed.fds.len(), passed.truncated), (7, 1, false));
    /// std::fs::remove_file(&path)
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send_fds`](Self::send_fds) and [`send_to_addr`](Self::send_to_addr).
    pub async fn send_fds_to(
        &self,
        buf: &[u8],
        fds: &[BorrowedFd<'_>],
        to: &UnixAddr,
    ) -> io::Result<usize> {
        let to = Addr::from(to.clone());
        self.transmit_by(|fd| fd.send_fds(buf, fds, Some(&to))).await
    }
}

/// Bytes, and what came with the first of them.
struct Took {
    bytes: Chunk,
    fds: Vec<OwnedFd>,
}

/// Takes as much of the first item as there is room for, and all its descriptors.
fn take(lane: &mut RecvLane, room: usize) -> Option<Took> {
    let len = lane.chunks().next()?.len();
    if len <= room {
        return match lane.pop()? {
            Item::Passed(passed) => Some(Took { bytes: passed.chunk, fds: passed.fds }),
            item => Some(Took { bytes: item.into_bytes()?, fds: Vec::new() }),
        };
    }
    let fds = lane.take_fds();
    let mut bytes = lane.chunks().next()?.clone();
    bytes.truncate(room);
    lane.consume(room, &mut Vec::new()); // Less than the chunk: nothing is spent.
    Some(Took { bytes, fds })
}
