//! Sockets that send messages: each whole or not at all.
//!
//! A message needs no queue of ours: it is received and sent by one call of whoever asks, on his
//! own thread, so that its errors, its length and its order are the system's. What waits is the
//! socket's lane, for the news that a call would not block. Nothing is received ahead.
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::handle::{Handle, Ticket};
use super::{Family, Inet, Interest, Ready, Unix};
use crate::addr::Addr;
use crate::driver::{Home, Side, Who};
use crate::opt;
use crate::rt::sleep;
use crate::sys::{self, Fd, OsSocket};

#[cfg(feature = "bytes")] // And so with tokio.
mod buffers;

/// A socket that sends and receives datagrams: [`UdpSocket`](crate::UdpSocket) or
/// [`UnixDatagram`](crate::net::UnixDatagram).
///
/// All its calls take `&self`: any number of tasks may wait at the same time, and each datagram
/// comes to one of them. Dropping a future that receives takes nothing; dropping one that sends
/// has sent nothing.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::UdpSocket;
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.send_to(b"hello", server.local_addr()?).await?;
/// let mut buf = [0; 2048];
/// let (len, peer) = server.recv_from(&mut buf).await?;
/// assert_eq!((&buf[..len], peer), (&b"hello"[..], client.local_addr()?));
/// # Ok(())
/// # })
/// # }
/// ```
pub struct Datagram<F: Family> {
    handle: Handle,
    /// The system was asked to tell all that it can.
    pub(super) told: AtomicBool,
    family: PhantomData<fn() -> F>,
}

impl<F: Family> Datagram<F> {
    /// A descriptor of `home`'s kernel.
    pub(super) fn adopt(fd: Fd, home: &Arc<Home>) -> Self {
        let handle = Handle::polled(fd, home);
        Self { handle, told: AtomicBool::new(false), family: PhantomData }
    }

    /// Receives the next datagram, into `buf`; what does not fit is lost.
    ///
    /// # Errors
    /// The system's: on a connected socket, also what became of what was sent before
    /// (`ConnectionRefused`); `TimedOut` once the deadline has passed, until another is set.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(|fd| Self::take(fd, buf, false)).await.map(|(count, _)| count)
    }

    /// As [`recv`](Self::recv), and says whose it is.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, F::Addr)> {
        self.receive(|fd| Self::from(fd, buf, false)).await
    }

    /// As [`recv`](Self::recv), without taking the datagram.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// socket.connect(socket.local_addr()?).await?;
    /// socket.send(b"twice").await?;
    /// let mut buf = [0; 64];
    /// assert_eq!(socket.peek(&mut buf).await?, 5);
    /// assert_eq!(socket.recv(&mut buf).await?, 5);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(|fd| Self::take(fd, buf, true)).await.map(|(count, _)| count)
    }

    /// As [`recv_from`](Self::recv_from), without taking the datagram.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// let one = UdpSocket::bind("127.0.0.1:0").await?;
    /// let other = UdpSocket::bind("127.0.0.1:0").await?;
    /// one.send_to(b"who is there?", other.local_addr()?).await?;
    /// let (_, peer) = other.peek_from(&mut [0; 64]).await?; // It stays.
    /// assert_eq!(other.recv_from(&mut [0; 64]).await?, (13, peer));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, F::Addr)> {
        self.receive(|fd| Self::from(fd, buf, true)).await
    }

    /// As [`recv`](Self::recv), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; else as [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Self::take(self.fd(), buf, false).map(|(count, _)| count)
    }

    /// As [`recv_from`](Self::recv_from), without waiting.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// let mut buf = [0; 64];
    /// let nothing = socket.try_recv_from(&mut buf).unwrap_err();
    /// assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    /// socket.try_send_to(b"a note to myself", socket.local_addr()?)?;
    /// socket.readable().await?;
    /// assert_eq!(socket.try_recv_from(&mut buf)?.0, 16);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, F::Addr)> {
        Self::from(self.fd(), buf, false)
    }

    /// As [`peek`](Self::peek), without waiting.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Self::take(self.fd(), buf, true).map(|(count, _)| count)
    }

    /// As [`peek_from`](Self::peek_from), without waiting.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, F::Addr)> {
        Self::from(self.fd(), buf, true)
    }

    /// Who sent the next datagram, which stays.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn peek_sender(&self) -> io::Result<F::Addr> {
        self.receive(sender::<F>).await
    }

    /// As [`peek_sender`](Self::peek_sender), without waiting.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_peek_sender(&self) -> io::Result<F::Addr> {
        sender::<F>(self.fd())
    }

    /// Sends a datagram to the address that the socket is connected to, and says its length.
    ///
    /// # Errors
    /// The system's: it is too long, there is nobody (`NotConnected`, `ConnectionRefused`);
    /// `TimedOut` once the deadline has passed, until another is set.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.transmit(|fd| fd.send_to(buf, None)).await
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else as [`send`](Self::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_transmit(|fd| fd.send_to(buf, None))
    }

    /// Waits until there is a datagram, or an error to hear of.
    ///
    /// # Errors
    /// The system's.
    pub async fn readable(&self) -> io::Result<()> {
        self.receive(|fd| there(fd, Side::Recv)).await
    }

    /// Waits until there may be room for a datagram, or an error to hear of. As tokio's, it waits
    /// only once a `try_` call has found that there is none.
    ///
    /// # Errors
    /// The system's.
    pub async fn writable(&self) -> io::Result<()> {
        self.transmit(|fd| self.room(fd)).await
    }

    /// Waits until one of the wanted things is ready, and says which are.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{Interest, UdpSocket};
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// let both = Interest::READABLE | Interest::WRITABLE;
    /// let ready = socket.ready(both).await?; // Nothing is there, but there is room.
    /// assert!(ready.is_writable() && !ready.is_readable());
    /// socket.try_send_to(b"there", socket.local_addr()?)?;
    /// assert!(socket.ready(Interest::READABLE).await?.is_readable());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// The system's.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let socket = self.handle.socket();
        let mut recv = Ticket::new(socket, Side::Recv);
        let mut send = Ticket::new(socket, Side::Send);
        poll_fn(|cx| {
            let mut found = Ready::EMPTY;
            let sides = [
                (interest.is_readable(), Side::Recv, recv.who(), Ready::READABLE),
                (interest.is_writable(), Side::Send, send.who(), Ready::WRITABLE),
            ];
            for (wanted, side, who, what) in sides {
                let call = |fd: &Fd| match side {
                    Side::Recv => there(fd, side),
                    Side::Send => self.room(fd),
                };
                if wanted && socket.poll_call(side, who, cx, call)?.is_ready() {
                    found |= what;
                }
            }
            if found.is_empty() { Poll::Pending } else { Poll::Ready(Ok(found)) }
        })
        .await
    }

    /// Ready when there is a datagram, or an error to hear of. The last task that waits for
    /// receiving by way of a `poll_` call is the one that is woken.
    ///
    /// # Errors
    /// The system's.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Side::Recv, cx, |fd| there(fd, Side::Recv))
    }

    /// Ready when there is room for a datagram, or an error to hear of. The last task that waits
    /// for sending by way of a `poll_` call is the one that is woken.
    ///
    /// # Errors
    /// The system's.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Side::Send, cx, |fd| self.room(fd))
    }

    /// As [`send`](Self::send), for hand-written futures.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(Side::Send, cx, |fd| fd.send_to(buf, None))
    }

    /// Makes a call of yours on the descriptor, which may say `WouldBlock`.
    ///
    /// # Errors
    /// The call's.
    pub fn try_io<T>(
        &self,
        interest: Interest,
        call: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        if interest.is_writable() { self.try_transmit(|_| call()) } else { call() }
    }

    /// Makes a call of yours on the descriptor, again and again when it says `WouldBlock`, as soon
    /// as the socket is ready for what `interest` names.
    ///
    /// # Errors
    /// The call's.
    pub async fn async_io<T>(
        &self,
        interest: Interest,
        mut call: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match self.try_io(interest, &mut call) {
                Err(error) if would_block(&error) => {}
                answer => return answer,
            }
            self.ready(interest).await?;
        }
    }

    /// The points in time at which receiving and sending are late; `None`: never.
    ///
    /// From then on, calls of that direction that wait fail with `TimedOut`, those that wait
    /// already included, until a later deadline is set.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// use std::time::{Duration, Instant};
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// socket.set_deadlines(Some(Instant::now() + Duration::from_millis(10)), None);
    /// let late = socket.recv(&mut [0; 16]).await.unwrap_err();
    /// assert_eq!(late.kind(), std::io::ErrorKind::TimedOut);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_deadlines(&self, recv: Option<Instant>, send: Option<Instant>) {
        self.handle.set_deadlines(recv, send);
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<F::Addr> {
        F::named(self.fd().local_addr()?)
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    /// `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<F::Addr> {
        F::named(self.fd().peer_addr()?)
    }

    /// Takes the error that the system keeps for this socket.
    ///
    /// # Errors
    /// The system's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.fd().take_error()
    }

    pub(super) async fn transmit_to(&self, buf: &[u8], to: &Addr) -> io::Result<usize> {
        self.transmit_by(|fd| fd.send_to(buf, Some(to))).await
    }

    /// Makes a call that sends to an address.
    pub(super) async fn transmit_by(
        &self,
        mut call: impl FnMut(&Fd) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut pause = PAUSE_MIN;
        loop {
            let call = |fd: &Fd| match call(fd) {
                // A Unix socket that is connected to nobody is always writable, however full the
                // receiver is, and no system tells when he has room: so he is asked again.
                Err(error) if F::ENDS && would_block(&error) && there(fd, Side::Send).is_ok() => {
                    Ok(None)
                }
                answer => answer.map(Some),
            };
            if let Some(count) = self.transmit(call).await? {
                return Ok(count);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    pub(super) async fn receive<T>(
        &self,
        mut call: impl FnMut(&Fd) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut ticket = Ticket::new(self.handle.socket(), Side::Recv);
        let socket = self.handle.socket();
        poll_fn(|cx| socket.poll_call(Side::Recv, ticket.who(), cx, &mut call)).await
    }

    pub(super) async fn transmit<T>(
        &self,
        mut call: impl FnMut(&Fd) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut ticket = Ticket::new(self.handle.socket(), Side::Send);
        let socket = self.handle.socket();
        poll_fn(|cx| socket.poll_call(Side::Send, ticket.who(), cx, &mut call)).await
    }

    /// A call that sends and does not wait: that there was no room is remembered.
    pub(super) fn try_transmit<T>(&self, call: impl FnOnce(&Fd) -> io::Result<T>) -> io::Result<T> {
        let sent = call(self.fd());
        if sent.as_ref().is_err_and(would_block) {
            self.handle.socket().send_lane().blocked = true;
        }
        sent
    }

    /// Whether there may be room: as far as is known, or else by asking.
    fn room(&self, fd: &Fd) -> io::Result<()> {
        if self.handle.socket().send_lane().blocked {
            there(fd, Side::Send)?;
            self.handle.socket().send_lane().blocked = false;
        }
        Ok(())
    }

    pub(super) fn poll<T>(
        &self,
        side: Side,
        cx: &mut Context<'_>,
        call: impl FnOnce(&Fd) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        self.handle.socket().poll_call(side, Who::Owner, cx, call)
    }

    pub(super) fn fd(&self) -> &Fd {
        self.handle.fd()
    }

    pub(super) fn home(&self) -> &Arc<Home> {
        self.handle.home()
    }

    pub(super) fn into_handle(self) -> Handle {
        self.handle
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn descriptor(&self) -> &OsSocket {
        self.handle.descriptor()
    }

    fn socket(&self) -> &OsSocket {
        self.handle.descriptor()
    }

    fn from(fd: &Fd, buf: &mut [u8], peek: bool) -> io::Result<(usize, F::Addr)> {
        let (count, peer) = Self::take(fd, buf, peek)?;
        Ok((count, F::sender(peer)?))
    }

    fn take(fd: &Fd, buf: &mut [u8], peek: bool) -> io::Result<(usize, Option<Addr>)> {
        Self::or_end(fd, fd.recv_from(buf, peek), || (0, None))
    }

    /// An answer, or that there will be none: as an empty datagram of nobody.
    pub(super) fn or_end<T>(
        fd: &Fd,
        answer: io::Result<T>,
        end: impl FnOnce() -> T,
    ) -> io::Result<T> {
        match answer {
            Err(error) if F::ENDS && would_block(&error) && fd.is_shut() => Ok(end()),
            answer => answer,
        }
    }
}

sys::borrows_descriptor!(Datagram<Inet>);
sys::borrows_descriptor!(Datagram<Unix>);

opt::has_options!([F: Family] Datagram<F>, socket => socket.fd().on());
opt::fits! {
    Datagram<Inet>: Inet Udp Datagram;
    Datagram<Unix>: Unix Datagram;
}

impl<F: Family> AsRef<Self> for Datagram<F> {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<F: Family> fmt::Debug for Datagram<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::show_as::<F>(&self.handle, F::DATAGRAM, f)
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Whether a call on that side would not block, as a call that may say `WouldBlock`.
fn there(fd: &Fd, side: Side) -> io::Result<()> {
    if fd.is_ready(side.into())? { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

fn sender<F: Family>(fd: &Fd) -> io::Result<F::Addr> {
    F::sender(fd.recv_from(&mut [0], true)?.1)
}

/// When to ask a full receiver again that does not tell.
const PAUSE_MIN: Duration = Duration::from_micros(500);
const PAUSE_MAX: Duration = Duration::from_millis(20);
