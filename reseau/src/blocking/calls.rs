//! What TCP and Unix-domain sockets have in common, written once.
//!
//! The types are two and not one generic, as in std: an error message says `TcpStream`, and a
//! program may implement its own traits for each.

/// What a newtype of `Handle` has, whose addresses `$addr_of` reads: connected, or with datagrams.
/// `example` shows its deadlines.
macro_rules! handle {
    ($type:ident, $addr:ty, $addr_of:path, $(#[$example:meta])*) => {
        impl $type {
            pub(super) fn from_socket(socket: OsSocket) -> Self {
                Self(Handle::new(socket))
            }

            pub(super) fn into_socket(self) -> OsSocket {
                self.0.into_socket()
            }

            pub(super) fn socket(&self) -> &OsSocket {
                self.0.socket()
            }

            /// A second handle to the same socket.
            ///
            /// What is received or sent through one, and the options set through one, are the
            /// other's too; deadlines are copied, and from then on each handle has its own.
            ///
            /// # Errors
            /// When the process or the system has no descriptor left.
            pub fn try_clone(&self) -> io::Result<Self> {
                self.0.try_clone().map(Self)
            }

            /// The address of this end.
            ///
            /// # Errors
            /// The system's.
            pub fn local_addr(&self) -> io::Result<$addr> {
                $addr_of(&self.socket().local_addr()?)
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// `NotConnected` if there is none, or none any more.
            pub fn peer_addr(&self) -> io::Result<$addr> {
                $addr_of(&self.socket().peer_addr()?)
            }

            /// The points in time at which reads and writes through this handle are late.
            ///
            /// From then on they fail with `TimedOut`, at once and without touching the socket,
            /// whose data can be had after a later deadline is set. A call that waits already
            /// keeps the deadline it began with. Beside a deadline, a timeout works as ever:
            /// what comes first ends the call. `connect` and `accept` have none.
            ///
            /// Without deadlines, a read or a write is one system call; with them, one more call
            /// when it has to wait.
            $(#[$example])*
            pub fn set_deadlines(&self, read: Option<Instant>, write: Option<Instant>) {
                self.0.deadlines().set(read, write);
            }

            /// What [`set_deadlines`](Self::set_deadlines) set for reads.
            #[must_use]
            pub fn read_deadline(&self) -> Option<Instant> {
                self.0.deadlines().recv()
            }

            /// What [`set_deadlines`](Self::set_deadlines) set for writes.
            #[must_use]
            pub fn write_deadline(&self) -> Option<Instant> {
                self.0.deadlines().send()
            }

            /// How long one read may wait; `None` for as long as it takes.
            ///
            /// A read that is late fails with `WouldBlock` (Unix) or `TimedOut` (Windows).
            ///
            /// # Errors
            /// `InvalidInput` for a timeout of zero.
            pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.socket().set_read_timeout(checked_timeout(timeout)?)
            }

            /// How long one write may wait; `None` for as long as it takes.
            ///
            /// A write that is late fails with `WouldBlock` (Unix) or `TimedOut` (Windows).
            ///
            /// # Errors
            /// `InvalidInput` for a timeout of zero.
            pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.socket().set_write_timeout(checked_timeout(timeout)?)
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
        }

        $crate::blocking::calls::socket!($type);
    };
}

/// The calls and traits of a stream, beside those of a `handle!`.
macro_rules! stream {
    ($stream:ident, $addr:ty, $addr_of:path) => {
        $crate::blocking::calls::handle!($stream, $addr, $addr_of,
            ///
            /// ```
            #[doc = concat!("use reseau::blocking::", stringify!($stream), ";")]
            /// use std::io::{ErrorKind, Read};
            /// use std::time::{Duration, Instant};
            ///
            /// fn line(
            #[doc = concat!("    stream: &mut ", stringify!($stream), ",")]
            /// ) -> std::io::Result<Vec<u8>> {
            ///     stream.set_deadlines(Some(Instant::now() + Duration::from_secs(5)), None);
            ///     let mut line = Vec::new();
            ///     let mut byte = [0];
            ///     // However slowly they come, the whole line has five seconds.
            ///     while line.last() != Some(&b'\n') && stream.read(&mut byte)? == 1 {
            ///         line.push(byte[0]);
            ///     }
            ///     Ok(line)
            /// }
            /// ```
        );

        impl $stream {
            /// Reads without taking: the next read gives the same bytes again.
            ///
            /// # Errors
            /// As for reading.
            pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.0.peek(buf)
            }

            /// Ends reading, writing, or both: calls that wait for it return.
            ///
            /// # Errors
            /// `NotConnected` if the connection is gone already (but not on every system).
            pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.socket().shutdown(how)
            }

            /// Says that nothing more will be written: the peer reads to the end, and may answer.
            ///
            /// # Errors
            /// As [`shutdown`](Self::shutdown).
            pub fn finish(&self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }

            /// Ends the stream so that nothing of it is lost: says that nothing more will be
            /// written, and reads what the peer still has to say, until its end.
            ///
            /// A server that answers and closes at once, while its client still sends, makes the
            /// system reset the connection, and the answer is lost on its way. This waits for the
            /// client instead, until `deadline` at most.
            ///
            /// # Errors
            /// `TimedOut` if the peer has not ended by then; else the system's. This handle is
            /// closed in any case.
            pub fn close_gracefully(self, deadline: Instant) -> io::Result<()> {
                self.set_deadlines(Some(deadline), Some(deadline));
                self.finish()?;
                let mut space = [0; 4096];
                while self.0.read(&mut space)? > 0 {}
                Ok(())
            }
        }

        impl Read for $stream {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0.read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.0.read_vectored(bufs)
            }
        }

        impl Read for &$stream {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0.read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.0.read_vectored(bufs)
            }
        }

        impl Write for $stream {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.0.write(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.0.write_vectored(bufs)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Write for &$stream {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.0.write(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.0.write_vectored(bufs)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

/// The calls and traits of a listener: a newtype of `Place`.
macro_rules! listener {
    ($listener:ident, $stream:ident, $addr:ty, $addr_of:path) => {
        impl $listener {
            fn from_socket(socket: OsSocket) -> Self {
                Self(socket.into())
            }

            #[allow(dead_code)] // Of some kinds nobody asks for it.
            pub(super) fn at(place: Place) -> Self {
                Self(place)
            }

            fn into_socket(self) -> OsSocket {
                self.0.into()
            }

            pub(super) fn socket(&self) -> &OsSocket {
                &self.0
            }

            /// Waits for the next connection, and says who it is.
            ///
            /// # Errors
            /// The system's, of the connection (`ConnectionAborted`) or of the process (no
            /// descriptor left): the listener stays usable.
            pub fn accept(&self) -> io::Result<($stream, $addr)> {
                let (handle, addr) = Handle::accept(&self.0)?;
                Ok(($stream(handle), $addr_of(&addr)?))
            }

            /// The connections, one after the other, without end: `next` is
            /// [`accept`](Self::accept) without the address.
            pub fn incoming(&self) -> Incoming<'_> {
                Incoming(self)
            }

            /// A second handle to the same listener: a connection comes to one of them.
            ///
            /// # Errors
            /// When the process or the system has no descriptor left.
            pub fn try_clone(&self) -> io::Result<Self> {
                self.0.try_clone().map(Self)
            }

            /// Where it listens: with the port that the system chose, if it was asked to.
            ///
            /// # Errors
            /// The system's.
            pub fn local_addr(&self) -> io::Result<$addr> {
                $addr_of(&self.0.local_addr()?)
            }

            /// Whom it takes connections from, which the address alone does not tell.
            ///
            /// # Errors
            /// The system's.
            pub fn covers(&self) -> io::Result<$crate::addr::Covers> {
                self.0.covers()
            }

            /// How many connections may wait to be accepted, after what the system cut from the
            /// number that was asked for. None where it does not tell: on other systems than
            /// Linux, and of what came from elsewhere, but for TCP.
            #[must_use]
            pub fn backlog(&self) -> Option<u32> {
                self.0.backlog()
            }
        }

        $crate::blocking::calls::socket!($listener);

        /// The connections of a listener, without end.
        #[derive(Debug)]
        #[must_use = "it accepts when it is iterated"]
        pub struct Incoming<'a>(&'a $listener);

        impl Iterator for Incoming<'_> {
            type Item = io::Result<$stream>;

            fn next(&mut self) -> Option<Self::Item> {
                Some(self.0.accept().map(|(stream, _)| stream))
            }
        }

        impl FusedIterator for Incoming<'_> {}
    };
}

/// What streams and listeners have in common.
macro_rules! socket {
    ($type:ident) => {
        impl $type {
            /// Makes calls that would wait fail with `WouldBlock` instead, or lets them wait again.
            ///
            /// The mode belongs to the socket: all its handles share it.
            ///
            /// # Errors
            /// The system's.
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.socket().set_nonblocking(nonblocking)
            }

            /// Takes the error that the system keeps for this socket.
            ///
            /// # Errors
            /// The system's.
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.socket().take_error()
            }
        }

        $crate::sys::borrows_descriptor!($type);
        $crate::sys::owns_descriptor!($type);
    };
}

/// The time to live, which TCP sockets have.
macro_rules! hops {
    ($type:ident) => {
        impl $type {
            /// How many hops a packet may take (IPv4's time to live).
            ///
            /// # Errors
            /// The system's.
            pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
                self.socket().set_ttl_v4(ttl)
            }

            /// What [`set_ttl`](Self::set_ttl) set.
            ///
            /// # Errors
            /// The system's.
            pub fn ttl(&self) -> io::Result<u32> {
                self.socket().ttl_v4()
            }
        }
    };
}

/// To std's type and back: the same descriptor.
macro_rules! std_twin {
    ($type:ident, $twin:path) => {
        impl From<$twin> for $type {
            fn from(twin: $twin) -> Self {
                Self::from_socket(twin.into())
            }
        }

        /// A deadline stays behind; timeouts and other options go along.
        impl From<$type> for $twin {
            fn from(value: $type) -> Self {
                value.into_socket().into()
            }
        }
    };
}

/// What is of any family: from those of one, and back if it is one.
macro_rules! variants {
    ($any:ident, $($variant:ident: $type:ident),*) => {$(
        impl From<$type> for $any {
            fn from(one: $type) -> Self {
                Self::$variant(one)
            }
        }

        impl TryFrom<$any> for $type {
            type Error = $any;

            /// Gives back what is of another family.
            fn try_from(any: $any) -> Result<Self, $any> {
                match any {
                    $any::$variant(one) => Ok(one),
                    other => Err(other),
                }
            }
        }
    )*};
}

pub(super) use {handle, hops, listener, socket, std_twin, stream, variants};
