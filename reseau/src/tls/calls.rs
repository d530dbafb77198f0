//! The calls of streams that speak TLS and of their halves, written once for each direction: those
//! of `net/calls.rs`, with their meaning. Each type has `fn link(&self) -> &Link`.

/// The calls of what reads.
macro_rules! reading {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $type {
            /// The next bytes of plaintext, a record's at most; `None` once the peer has said that
            /// it was all (close_notify).
            ///
            /// They are copied once, out of where they were decrypted. Dropping the future loses
            /// nothing: what has come stays queued.
            ///
            /// # Errors
            /// What ended the stream, again and again, once all that came before it was taken:
            /// [`tls::Broken`](crate::tls::Broken) for what is wrong with what came, of kind
            /// `UnexpectedEof` if the connection ended without a close_notify. `TimedOut` once
            /// the deadline has passed, until another is set.
            pub async fn recv(&mut self) -> io::Result<Option<Chunk>> {
                poll_fn(|cx| self.link().poll_recv(cx)).await
            }

            /// Fills `buf`, and says its length.
            ///
            /// Up to the window (128 KiB unless told otherwise; 16 KiB at least) it is all or
            /// nothing: bytes are taken when enough of them have come, so that dropping the future
            /// loses none. A longer `buf` is filled as bytes come, but for its last window.
            ///
            /// # Errors
            /// `UnexpectedEof` if the stream ends before (the bytes that came stay queued); else
            /// as [`recv`](Self::recv).
            pub async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.link().read_exact(buf).await
            }

            /// Waits until there are bytes, and copies the first of them without taking them; 0
            /// is the end of the stream.
            ///
            /// # Errors
            /// As for reading.
            pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                let mut ticket = Ticket::new(self.link().lane(), Side::Recv);
                poll_fn(|cx| self.link().poll_peek(ticket.who(), buf, cx)).await
            }

            /// As [`peek`](Self::peek), for hand-written futures. The last task that waits for
            /// reading by way of a `poll_` call is the one that is woken.
            ///
            /// # Errors
            /// As for reading.
            #[cfg(feature = "tokio")]
            pub fn poll_peek(
                &self,
                cx: &mut Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                let space = buf.initialize_unfilled();
                let count = ready!(self.link().poll_peek(Who::Owner, space, cx))?;
                buf.advance(count);
                Poll::Ready(Ok(count))
            }

            /// Waits until there is something to read: bytes, the end, or an error. What the
            /// protocol says of itself does not count. No buffer is held meanwhile.
            ///
            /// # Errors
            /// None: what is wrong, reading says.
            pub async fn readable(&self) -> io::Result<()> {
                let mut ticket = Ticket::new(self.link().lane(), Side::Recv);
                poll_fn(|cx| self.link().poll_readable(ticket.who(), cx)).await;
                Ok(())
            }

            /// Reads what is there, and does not wait; 0 is the end of the stream.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; else as for reading.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.try_read_vectored(&mut [io::IoSliceMut::new(buf)])
            }

            /// As [`try_read`](Self::try_read), into several buffers in order.
            ///
            /// # Errors
            /// As [`try_read`](Self::try_read).
            pub fn try_read_vectored(
                &self,
                bufs: &mut [io::IoSliceMut<'_>],
            ) -> io::Result<usize> {
                let mut scatter = Scatter::new(bufs);
                self.link().try_read(scatter.room(), |bytes| scatter.put(bytes))
            }

            /// As [`try_read`](Self::try_read), into a buffer that grows or fills.
            ///
            /// # Errors
            /// As [`try_read`](Self::try_read).
            #[cfg(feature = "bytes")]
            pub fn try_read_buf<B: bytes::BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                // No more than one window at a time: some buffers say that they have no bounds.
                let room = buf.remaining_mut().min(self.link().window());
                self.link().try_read(room, |bytes| buf.put_slice(bytes))
            }
        }
    };
}

/// The calls of what writes.
macro_rules! writing {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $type {
            /// Waits for room, encrypts the whole chunk, and gives it to the socket's loop, which
            /// sends it in order, whatever happens to the caller.
            ///
            /// Dropping the future before it is done sends nothing of the chunk.
            ///
            /// # Errors
            /// What went wrong with this chunk or one before it, again and again, the peer's
            /// refusals among it ([`tls::Broken`](crate::tls::Broken)); `TimedOut` once the
            /// deadline has passed, until another is set.
            pub async fn send(&mut self, chunk: impl Into<Chunk>) -> io::Result<()> {
                let mut chunk = Some(chunk.into());
                poll_fn(|cx| self.link().poll_send(&mut chunk, cx)).await
            }

            /// Waits until the system has taken all that was sent or written.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            pub async fn flush(&mut self) -> io::Result<()> {
                poll_fn(|cx| self.link().poll_flush(cx)).await
            }

            /// Says that nothing more will be sent, behind all that was, by TLS's own word
            /// (close_notify) and then by the stream's: the peer reads to the end, and may answer.
            /// Waits until the system has taken it.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            pub async fn finish(&mut self) -> io::Result<()> {
                poll_fn(|cx| self.link().poll_finish(cx)).await
            }

            /// Waits until there is room to write, or until writing would fail.
            ///
            /// # Errors
            /// None: what is wrong, writing says.
            pub async fn writable(&self) -> io::Result<()> {
                let mut ticket = Ticket::new(self.link().lane(), Side::Send);
                poll_fn(|cx| self.link().lane().poll_writable(ticket.who(), cx)).await
            }

            /// Writes as much as there is room for, a record at least, and does not wait.
            ///
            /// # Errors
            /// `WouldBlock` if there is no room; else as [`send`](Self::send).
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.try_write_vectored(&[io::IoSlice::new(buf)])
            }

            /// As [`try_write`](Self::try_write), from several buffers in order.
            ///
            /// # Errors
            /// As [`try_write`](Self::try_write).
            pub fn try_write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
                self.link().try_write(bufs)
            }
        }
    };
}

/// The calls of streams and of both kinds of halves.
macro_rules! ends {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $type {
            /// Waits until one of the wanted things is ready, and says which are.
            ///
            /// # Errors
            /// None: what is wrong, reading and writing say.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                Ok(self.link().ready(interest).await)
            }

            /// What was agreed upon in the handshake.
            #[must_use]
            pub fn session(&self) -> Session {
                self.link().session()
            }

            /// The address of this end.
            ///
            /// # Errors
            /// The system's.
            pub fn local_addr(&self) -> io::Result<F::Addr> {
                F::named(self.link().stream.local_addr()?)
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// `NotConnected` once the connection is gone, on systems that forget it then.
            pub fn peer_addr(&self) -> io::Result<F::Addr> {
                F::named(self.link().stream.peer_addr()?)
            }
        }
    };
}

pub(super) use {ends, reading, writing};
