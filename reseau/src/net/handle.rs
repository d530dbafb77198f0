//! The one socket under every typed socket: what the types of this room say, said once.
// Each of the traits in `compat.rs` uses a part of this.
#![cfg_attr(not(all(feature = "futures-io", feature = "tokio")), allow(dead_code))]
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use super::{Interest, Ready};
use crate::addr::{Addr, Family};
use crate::driver::{Home, Item, RecvLane, Side, Socket, State, Who};
use crate::pool::Chunk;
use crate::sys::{Fd, OsSocket};

/// An untyped socket with a home. Its drop closes it.
pub(super) struct Handle {
    socket: Arc<Socket>,
    /// Whether the socket ends with this handle; not so once it has left its loop.
    closes: bool,
}

impl Handle {
    pub(super) fn stream<F: Family>(fd: Fd, home: &Arc<Home>) -> Self {
        let passes = passes::<F>(&fd);
        Self { socket: Socket::stream(fd, home.clone()).passing(passes), closes: true }
    }

    /// A stream that a listener has handed out.
    pub(super) fn accepted<F: Family>(fd: Fd, home: &Arc<Home>) -> Self {
        let passes = passes::<F>(&fd);
        Self { socket: Socket::accepted(fd, home.clone()).passing(passes), closes: true }
    }

    pub(super) fn listener(fd: Fd, home: &Arc<Home>) -> Self {
        Self { socket: Socket::listener(fd, home.clone()), closes: true }
    }

    /// A socket that makes its own calls.
    pub(super) fn polled(fd: Fd, home: &Arc<Home>) -> Self {
        Self { socket: Socket::polled(fd, home.clone()), closes: true }
    }

    /// A stream that begins to connect.
    pub(super) fn start(fd: Fd, home: &Arc<Home>, addr: &Addr) -> io::Result<Self> {
        let handle = Self::unconnected(fd, home, addr);
        handle.socket.start_connect(addr)?;
        Ok(handle)
    }

    /// Waits for the connection; once at least, however quick its home is, so that whoever makes
    /// many of them lets others in.
    pub(super) async fn connect(fd: Fd, home: &Arc<Home>, addr: &Addr) -> io::Result<Self> {
        let handle = Self::unconnected(fd, home, addr);
        handle.socket.plan_connect(addr)?;
        let mut planned = true;
        poll_fn(|cx| {
            let polled = handle.socket.poll_connected(cx);
            if std::mem::take(&mut planned) {
                home.kick(&handle.socket, Side::Send);
            }
            polled
        })
        .await?;
        Ok(handle)
    }

    fn unconnected(fd: Fd, home: &Arc<Home>, addr: &Addr) -> Self {
        let socket = Socket::stream(fd, home.clone()).passing(addr.unix().is_some());
        Self { socket, closes: true }
    }

    pub(super) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    pub(super) fn fd(&self) -> &Fd {
        self.socket.fd()
    }

    pub(super) fn home(&self) -> &Arc<Home> {
        self.socket.home()
    }

    /// For those who borrow the descriptor.
    ///
    /// # Panics
    ///
    /// When the socket is simulated, and so has none.
    pub(super) fn descriptor(&self) -> &OsSocket {
        self.fd().os().expect("a simulated socket has no descriptor")
    }

    // ---- receiving ----------------------------------------------------------------------------

    /// The next chunk as it came; `None` at the end.
    pub(super) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Chunk>>> {
        let polled = self.socket.poll_recv(Who::Owner, cx, RecvLane::pop);
        polled.map_ok(|item| item.and_then(Item::into_bytes))
    }

    /// Hands out what is there, in pieces, up to `room` bytes. 0 is the end (or no room).
    pub(super) fn poll_read(
        &self,
        room: usize,
        put: impl FnMut(&[u8]),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        let first = ready!(self.socket.poll_recv(Who::Owner, cx, |lane| part(lane, room)))?;
        Poll::Ready(Ok(first.map_or(0, |first| self.put_all(first, room, put))))
    }

    /// As [`poll_read`](Self::poll_read) without waiting.
    pub(super) fn try_read(&self, room: usize, put: impl FnMut(&[u8])) -> io::Result<usize> {
        if room == 0 {
            return Ok(0);
        }
        let first = self.socket.try_recv(|lane| part(lane, room))?;
        Ok(first.map_or(0, |first| self.put_all(first, room, put)))
    }

    /// Copies outside the lock, then looks for more: a large read takes all that is there.
    fn put_all(&self, first: Part, room: usize, mut put: impl FnMut(&[u8])) -> usize {
        let mut count = 0;
        let mut next = Some(first);
        while let Some(Part { bytes, more, .. }) = next.take() {
            put(&bytes);
            count += bytes.len();
            if more && count < room {
                // `Some(None)` for an empty lane: to ask further is the next read's business.
                let found = self.socket.try_recv(|lane| Some(part(lane, room - count)));
                next = found.ok().flatten().flatten();
            }
        }
        count
    }

    /// Copies into several places, in order.
    pub(super) fn poll_read_vectored(
        &self,
        bufs: &mut [IoSliceMut<'_>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut scatter = Scatter::new(bufs);
        self.poll_read(scatter.room(), |bytes| scatter.put(bytes), cx)
    }

    pub(super) fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut scatter = Scatter::new(bufs);
        self.try_read(scatter.room(), |bytes| scatter.put(bytes))
    }

    /// A view of the first bytes that are there, which stay; `None` at the end.
    pub(super) fn poll_head(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Chunk>>> {
        self.socket.poll_recv(Who::Owner, cx, |lane| lane.chunks().next().cloned())
    }

    /// Drops the first `count` bytes of what is there.
    pub(super) fn consume(&self, count: usize) {
        let mut spent = Vec::new();
        let mut lane = self.socket.recv_lane();
        lane.consume(count, &mut spent);
        let arm = lane.state == State::Idle && lane.wants();
        drop(lane);
        if arm {
            self.home().kick(&self.socket, Side::Recv);
        }
    }

    /// Copies the first bytes that are there, which stay. 0 is the end.
    pub(super) fn poll_peek(
        &self,
        who: Who<'_>,
        buf: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let peeked = self.socket.poll_recv(who, cx, |lane| {
            let mut count = 0;
            for bytes in lane.chunks() {
                let step = bytes.len().min(buf.len() - count);
                buf[count..count + step].copy_from_slice(&bytes[..step]);
                count += step;
            }
            if count > 0 && count < buf.len() {
                // Nothing is taken, so only this asks for what whoever peeks again hopes to see.
                lane.need(count + 1);
                lane.want();
            }
            (count > 0).then_some(count)
        });
        peeked.map_ok(|count| count.unwrap_or(0))
    }

    pub(super) async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut ticket = Ticket::new(&self.socket, Side::Recv);
        poll_fn(|cx| self.poll_peek(ticket.who(), buf, cx)).await
    }

    /// Ready when there is something to take, or the end. What went wrong, reading will say.
    pub(super) fn poll_readable(&self, who: Who<'_>, cx: &mut Context<'_>) -> Poll<()> {
        let there = |lane: &mut RecvLane| {
            if lane.is_empty() {
                lane.want(); // So that hope becomes knowledge, though nobody reads.
            }
            lane.hopeful().then_some(())
        };
        self.socket.poll_recv(who, cx, there).map(drop)
    }

    pub(super) async fn readable(&self) {
        let mut ticket = Ticket::new(&self.socket, Side::Recv);
        poll_fn(|cx| self.poll_readable(ticket.who(), cx)).await;
    }

    /// Fills `buf`. Within the window nothing is taken before all of it is there.
    pub(super) async fn read_exact(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < buf.len() {
            let left = buf.len() - count;
            let bytes = poll_fn(|cx| self.poll_exact(left, cx)).await?.bytes;
            buf[count..count + bytes.len()].copy_from_slice(&bytes);
            count += bytes.len();
        }
        Ok(count)
    }

    /// The first of `left` bytes, once all of them are there (or more cannot be waited for).
    fn poll_exact(&self, left: usize, cx: &mut Context<'_>) -> Poll<io::Result<Part>> {
        let mut spent = Vec::new();
        let took = ready!(self.socket.poll_recv(Who::Owner, cx, |lane| {
            let queued = lane.queued();
            if queued >= left || (left > lane.window() && queued > 0) {
                return part(lane, left).map(Ok);
            }
            if let Some(end) = lane.ended() {
                return Some(Err(end.map_or_else(|error| error, |()| cut_short())));
            }
            lane.need(left);
            if lane.state == State::Starved && queued > 0 && !lane.has_fds() {
                spill(lane, &mut spent);
            }
            None
        }))?;
        Poll::Ready(took.unwrap_or_else(|| Err(cut_short())))
    }

    // ---- sending ------------------------------------------------------------------------------

    /// Takes the chunk exactly when it says `Ready(Ok)`.
    pub(super) fn poll_send(
        &self,
        chunk: &mut Option<Chunk>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket.poll_send(chunk, cx)
    }

    pub(super) fn poll_write(
        &self,
        bufs: &[IoSlice<'_>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_write(Who::Owner, bufs, cx)
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        let mut ticket = Ticket::new(&self.socket, Side::Send);
        poll_fn(|cx| self.socket.poll_writable(ticket.who(), cx)).await
    }

    pub(super) async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| self.socket.poll_flush(cx)).await
    }

    pub(super) async fn finish(&self) -> io::Result<()> {
        poll_fn(|cx| self.socket.poll_finish(cx)).await
    }

    /// Asks for the end of the stream behind what is queued, and does not wait for it.
    pub(super) fn finish_soon(&self) {
        let _ = self.socket.poll_finish(&mut Context::from_waker(Waker::noop()));
    }

    // ---- both ---------------------------------------------------------------------------------

    pub(super) fn set_deadlines(&self, recv: Option<Instant>, send: Option<Instant>) {
        self.socket.set_deadline(Side::Recv, recv);
        self.socket.set_deadline(Side::Send, send);
    }

    pub(super) fn set_window(&self, side: Side, window: usize) {
        self.socket.set_window(side, window);
    }

    /// Waits for one of `interest`, and says what there is.
    pub(super) async fn ready(&self, interest: Interest) -> Ready {
        let mut recv = Ticket::new(&self.socket, Side::Recv);
        let mut send = Ticket::new(&self.socket, Side::Send);
        poll_fn(|cx| {
            let mut found = Ready::EMPTY;
            if interest.is_readable() && self.poll_readable(recv.who(), cx).is_ready() {
                let ended = self.socket.recv_lane().ended().is_some();
                found |= if ended { Ready::READ_CLOSED } else { Ready::EMPTY } | Ready::READABLE;
            }
            if interest.is_writable() && self.socket.poll_writable(send.who(), cx).is_ready() {
                let lane = self.socket.send_lane();
                let over = lane.failed() || !lane.open();
                found |= if over { Ready::WRITE_CLOSED } else { Ready::EMPTY } | Ready::WRITABLE;
            }
            if found.is_empty() { Poll::Pending } else { Poll::Ready(found) }
        })
        .await
    }

    #[cfg(feature = "bytes")]
    pub(super) fn window(&self) -> usize {
        self.socket.recv_lane().window()
    }

    pub(super) fn queued(&self) -> usize {
        self.socket.recv_lane().queued()
    }

    pub(super) fn unsent(&self) -> usize {
        self.socket.send_lane().queued()
    }

    pub(super) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.fd().take_error()
    }

    /// From now on somebody else has the record, and its end is theirs.
    pub(super) fn into_socket(mut self) -> Arc<Socket> {
        self.closes = false;
        self.socket.clone()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.closes {
            self.socket.close();
            if self.socket.shape().accepts || self.socket.shape().polls {
                self.socket.home().let_go(&self.socket);
            }
        }
    }
}

/// One of many that may wait for a lane. Its drop withdraws it.
pub(crate) struct Ticket<'a> {
    socket: &'a Socket,
    side: Side,
    number: Option<u64>,
}

impl<'a> Ticket<'a> {
    pub(crate) fn new(socket: &'a Socket, side: Side) -> Self {
        Self { socket, side, number: None }
    }

    pub(crate) fn who(&mut self) -> Who<'_> {
        Who::Ticket(&mut self.number)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.socket.withdraw(self.side, self.number);
    }
}

/// What one look into a lane yields.
struct Part {
    bytes: Chunk,
    /// There is more behind it.
    more: bool,
    /// What came along, to be dropped under no lock.
    _spent: Option<Item>,
}

/// Takes the first chunk, or as many of its bytes as `most` allows.
fn part(lane: &mut RecvLane, most: usize) -> Option<Part> {
    let head = lane.chunks().next()?;
    if head.len() > most {
        let mut bytes = head.clone();
        bytes.truncate(most);
        // The chunk is longer than what is dropped of it, so nothing is spent.
        lane.consume(most, &mut Vec::new());
        return Some(Part { bytes, more: true, _spent: None });
    }
    let (bytes, spent) = match lane.pop()? {
        Item::Data(bytes) => (bytes, None),
        Item::Passed(passed) => (passed.chunk.clone(), Some(Item::Passed(passed))),
        Item::Conn(..) => unreachable!("a stream does not accept"),
    };
    Some(Part { bytes, more: !lane.is_empty(), _spent: spent })
}

/// Copies what is queued out of the pool's blocks. Lanes that wait for whole messages while the
/// pool is empty would otherwise hold the very blocks that all of them wait for.
fn spill(lane: &mut RecvLane, spent: &mut Vec<Item>) {
    let mut bytes = Vec::with_capacity(lane.queued());
    lane.chunks().for_each(|chunk| bytes.extend_from_slice(chunk));
    spent.extend(lane.drain());
    lane.unpop(Item::Data(Chunk::from(bytes)));
}

/// Several places to copy to, filled in order.
pub(crate) struct Scatter<'a, 'b> {
    bufs: &'a mut [IoSliceMut<'b>],
    index: usize,
    filled: usize,
}

impl<'a, 'b> Scatter<'a, 'b> {
    pub(crate) fn new(bufs: &'a mut [IoSliceMut<'b>]) -> Self {
        Self { bufs, index: 0, filled: 0 }
    }

    pub(crate) fn room(&self) -> usize {
        self.bufs.iter().fold(0, |sum, buf| sum.saturating_add(buf.len()))
    }

    pub(crate) fn put(&mut self, mut bytes: &[u8]) {
        while let Some(buf) = self.bufs.get_mut(self.index).filter(|_| !bytes.is_empty()) {
            let space = &mut buf[self.filled..];
            let step = space.len().min(bytes.len());
            space[..step].copy_from_slice(&bytes[..step]);
            bytes = &bytes[step..];
            self.filled += step;
            if step == space.len() {
                (self.index, self.filled) = (self.index + 1, 0);
            }
        }
    }
}

fn cut_short() -> io::Error {
    let what = "the stream ended before all the bytes were there";
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}

/// Whether bytes of the socket may bring descriptors along.
fn passes<F: Family>(fd: &Fd) -> bool {
    F::PASSES.unwrap_or_else(|| fd.local_addr().is_ok_and(|addr| addr.unix().is_some()))
}
