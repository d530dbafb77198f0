//! Connected streams of any family.
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::task::ready;
use std::task::{Context, Poll};
use std::time::Instant;

use super::calls;
use super::detach::{self, Detached};
use super::handle::Handle;
use super::own_calls;
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::{Any, Family, Inet, Interest, Ready, Unix};
#[cfg(feature = "tls")]
use crate::driver::Socket;
use crate::driver::{Home, Side, Who};
use crate::opt;
use crate::pool::Chunk;
use crate::sys::{Fd, OsSocket};

/// A connected stream of bytes: [`TcpStream`](crate::TcpStream),
/// [`UnixStream`](crate::UnixStream), [`VsockStream`](crate::VsockStream), or one of any family.
///
/// It is `Send` and can be awaited on any thread and under any executor. Its work is done by its
/// home, the loop that it was made on. Dropping it closes it: what was received is gone, what was
/// sent or written goes out still.
///
/// Calls that read take turns, and so do calls that write: to do both at once,
/// [`split`](Self::split) it. [`readable`](Self::readable), [`writable`](Self::writable),
/// [`peek`](Self::peek) and the `try_` calls can be used side by side.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::{TcpListener, TcpStream};
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// let (mut server, _) = listener.accept().await?;
///
/// client.send("what time is it?").await?;
/// client.finish().await?; // No more questions.
/// while let Some(chunk) = server.recv().await? {
///     server.send(chunk).await?;
/// }
/// server.close().await?;
///
/// let mut answer = [0; 16];
/// client.read_exact(&mut answer).await?;
/// assert_eq!(&answer, b"what time is it?");
/// assert!(client.recv().await?.is_none());
/// # Ok(())
/// # })
/// # }
/// ```
pub struct Stream<F: Family = Any> {
    handle: Handle,
    /// What `poll_fill_buf` has lent: a view of what is still queued.
    lent: Chunk,
    family: PhantomData<fn() -> F>,
}

impl<F: Family> Stream<F> {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, lent: Chunk::default(), family: PhantomData }
    }

    /// A connected descriptor of `home`'s kernel.
    pub(super) fn adopt(fd: Fd, home: &Arc<Home>) -> Self {
        Self::new(Handle::stream::<F>(fd, home))
    }

    /// Sends what is queued, says that nothing more will come, and closes.
    ///
    /// To drop a stream does the same, but nobody hears of what goes wrong. Dropping this future
    /// is like dropping the stream.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn close(self) -> io::Result<()> {
        self.handle.finish().await
    }

    /// Takes the stream off its loop, with what was received ahead: to be put on another loop, or
    /// to be used without one. What was sent is sent first, for as long as the loop lingers.
    ///
    /// Deadlines and the window stay behind.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
    /// client.send("hello").await?;
    /// server.peek(&mut [0]).await?;
    ///
    /// let detached = server.detach().await?;
    /// let elsewhere = std::thread::spawn(move || {
    ///     reseau::block_on(async { detached.attach()?.recv().await })
    /// });
    /// assert_eq!(&*elsewhere.join().unwrap()?.unwrap(), b"hello");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// When something could not be sent; the stream is closed then.
    pub async fn detach(self) -> io::Result<Detached<F>> {
        detach::stream(self.handle).await
    }

    /// Two halves, one to read and one to write, which borrow the stream.
    pub fn split(&mut self) -> (ReadHalf<'_, F>, WriteHalf<'_, F>) {
        split::borrowed(self)
    }

    /// Two halves, one to read and one to write, for two tasks or two threads.
    ///
    /// Dropping the writing half says that nothing more will be written, as
    /// [`finish`](Self::finish) does; the stream closes when both are gone.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (mut read, mut write) = client.into_split();
    /// let echo = reseau::spawn(async move {
    ///     let (mut server, _) = listener.accept().await?;
    ///     while let Some(chunk) = server.recv().await? {
    ///         server.send(chunk).await?;
    ///     }
    ///     std::io::Result::Ok(())
    /// });
    /// write.send("there and back").await?;
    /// drop(write);
    /// let mut bytes = [0; 14];
    /// read.read_exact(&mut bytes).await?;
    /// assert!(read.recv().await?.is_none());
    /// # echo.await.unwrap()
    /// # })
    /// # }
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf<F>, OwnedWriteHalf<F>) {
        split::owned(self)
    }

    /// The points in time at which receiving and sending are late; `None`: never.
    ///
    /// From then on, calls of that direction fail with `TimedOut`, those that wait already
    /// included, until a later deadline is set. Nothing is lost by it: what comes in the meantime
    /// is queued, what was sent goes out.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{TcpListener, TcpStream};
    /// use std::time::{Duration, Instant};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// client.set_deadlines(Some(Instant::now() + Duration::from_millis(10)), None);
    /// let late = client.recv().await.unwrap_err();
    /// assert_eq!(late.kind(), std::io::ErrorKind::TimedOut);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_deadlines(&self, recv: Option<Instant>, send: Option<Instant>) {
        self.handle.set_deadlines(recv, send);
    }

    /// How many bytes each direction may hold before it stops asking for more (receiving), or
    /// taking more (sending). One byte at least.
    ///
    /// A receive that is under way may go over it by a burst.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (mut server, _) = listener.accept().await?;
    /// server.set_window(4 << 10); // Before anything comes;
    /// client.send(vec![7; 1 << 20]).await?;
    /// server.peek(&mut [0]).await?;
    /// assert!(server.queued() < 1 << 20, "the rest waits with the peer");
    /// server.set_window(1 << 18); // and at any time after.
    /// let mut all = vec![0; 1 << 20];
    /// server.read_exact(&mut all).await?;
    /// assert_eq!(server.queued(), 0);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_window(&self, bytes: usize) {
        self.set_recv_window(bytes);
        self.set_send_window(bytes);
    }

    /// As [`set_window`](Self::set_window), for receiving alone: how many bytes may be received
    /// ahead of the caller. From there on the peer is held back.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (mut server, _) = listener.accept().await?;
    /// server.set_recv_window(16 << 10);
    /// client.send("hello").await?;
    /// server.readable().await?; // Holds no buffer while it waits.
    /// server.peek(&mut [0; 5]).await?;
    /// assert_eq!(server.queued(), 5);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_recv_window(&self, bytes: usize) {
        self.handle.set_window(Side::Recv, bytes);
    }

    /// As [`set_window`](Self::set_window), for sending alone: how many bytes may wait for the
    /// peer. From there on the caller is held back.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (_server, _) = listener.accept().await?; // It reads nothing.
    /// client.set_send_window(1000);
    /// client.set_recv_window(1000);
    /// while client.try_write(&[0; 300]).is_ok() {}
    /// assert!(client.unsent() >= 1000);
    /// assert_eq!(client.queued(), 0);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_send_window(&self, bytes: usize) {
        self.handle.set_window(Side::Send, bytes);
    }

    /// Makes a call of yours on the descriptor, again and again when it says `WouldBlock`, as soon
    /// as the stream is ready for what `interest` names: for what the system can do with a socket
    /// and this crate does not offer.
    ///
    /// Before a call that writes, it waits until the system has taken all that was written here. A
    /// call that reads has to come before anything else that reads (`recv`, `readable`, `peek`,
    /// `try_read` …): from then on bytes may be received ahead of the caller.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::net::Interest;
    /// use reseau::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (mut server, _) = listener.accept().await?;
    /// client.send("!hello").await?;
    ///
    /// // What is urgent, or for kTLS, for `sendfile`, for `splice`: whatever takes a descriptor.
    /// let mut first = [0; 1];
    /// let socket = socket2::SockRef::from(&server);
    /// let call = || std::io::Read::read(&mut &*socket, &mut first);
    /// server.async_io(Interest::READABLE, call).await?;
    /// assert_eq!(&first, b"!");
    /// assert_eq!(&*server.recv().await?.unwrap(), b"hello");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// The call's; what went wrong with what was written before; `TimedOut` by the deadlines that
    /// are set when it begins; that something may have been received ahead; `Unsupported` for a
    /// simulated stream.
    pub async fn async_io<T>(
        &self,
        interest: Interest,
        call: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        own_calls::wait(&self.handle, interest, call).await
    }

    /// How many bytes were received and not yet taken.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.handle.queued()
    }

    /// How many bytes were sent or written that the system has not taken yet.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.handle.unsent()
    }

    /// Takes the error that the system keeps for this socket. Errors that reading or writing has
    /// met are not among them.
    ///
    /// # Errors
    /// The system's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.handle.take_error()
    }

    /// Ready when there is something to read: bytes, the end, or an error. The last task that
    /// waits for reading by way of a `poll_` call is the one that is woken.
    ///
    /// # Errors
    /// None: what is wrong, reading says.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.handle.poll_readable(Who::Owner, cx).map(Ok)
    }

    /// Ready when there is room to write, or when writing would fail. The last task that waits
    /// for writing by way of a `poll_` call is the one that is woken.
    ///
    /// # Errors
    /// None: what is wrong, writing says.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.handle.socket().poll_writable(Who::Owner, cx)
    }

    /// Looks at the first byte, which stays. `None` is the end.
    #[cfg(feature = "tls")]
    pub(crate) fn poll_first(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<u8>>> {
        let mut first = [0];
        let peeked = self.handle.poll_peek(Who::Owner, &mut first, cx);
        peeked.map_ok(|count| (count > 0).then_some(first[0]))
    }

    /// For TLS: its lanes.
    #[cfg(feature = "tls")]
    pub(crate) fn lane(&self) -> &Arc<Socket> {
        self.handle.socket()
    }

    /// The same stream, said to be of another family.
    pub(crate) fn cast<G: Family>(self) -> Stream<G> {
        Stream { handle: self.handle, lent: self.lent, family: PhantomData }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn into_handle(self) -> Handle {
        self.handle
    }

    pub(super) fn parts(&mut self) -> (&Handle, &mut Chunk) {
        (&self.handle, &mut self.lent)
    }

    pub(super) fn socket(&self) -> &OsSocket {
        self.handle.descriptor()
    }
}

calls::reading!([F: Family] Stream<F>);
calls::writing!([F: Family] Stream<F>);
calls::ends!([F: Family] Stream<F>);

opt::has_options!([F: Family] Stream<F>, stream => stream.handle.fd().on());
opt::fits! {
    Stream<Inet>: Inet Tcp;
    Stream<Unix>: Unix;
}

impl<F: Family> AsRef<Self> for Stream<F> {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<F: Family> fmt::Debug for Stream<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::show::<F>(&self.handle, "Stream", f)
    }
}
