//! How connections carry bytes, and how they end.
use super::kernel::{Arrival, Kernel, Mark, fail};
use super::routes::ends;
use super::socket::{Role, Socket, Stream};
use crate::sys::Kind;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::Shutdown;

impl Kernel {
    pub(super) fn send(&mut self, index: u64, bytes: &[u8]) -> io::Result<usize> {
        let socket = self.socket(index);
        let tcp = socket.is_tcp();
        match socket.kind {
            Kind::Stream => {}
            Kind::Dgram => return self.send_to(index, bytes, None),
            Kind::Seqpacket => return self.send_record(index, bytes),
        }
        let Role::Stream(stream) = &socket.role else {
            return fail(match socket.role {
                Role::Connecting(_) => ErrorKind::WouldBlock,
                _ if tcp => socket.error.take().unwrap_or(ErrorKind::BrokenPipe),
                _ => ErrorKind::NotConnected,
            });
        };
        if let Some(kind) = socket.error.take_if(|_| tcp) {
            return fail(kind);
        }
        if stream.write_shut || stream.down {
            return fail(ErrorKind::BrokenPipe);
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        let peer = stream.peer;
        let room = self.room_of(index).min(bytes.len());
        if room == 0 {
            return fail(ErrorKind::WouldBlock);
        }
        let count = self.chance.portion(room, self.faults.whole_sends);
        self.stream(index).held += count;
        let at = self.in_order(index);
        let bytes = bytes[..count].to_vec();
        self.schedule(at, Arrival::Bytes { from: index, to: peer, bytes });
        self.mark(Mark::Send, index, count as u64);
        if tcp && self.chance.strikes(self.faults.reset) {
            let at = self.soon_from(index);
            self.schedule(at, Arrival::Reset { from: index, to: peer });
            self.schedule(at, Arrival::Reset { from: peer, to: index });
        }
        Ok(count)
    }

    pub(super) fn recv(&mut self, index: u64, space: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let whole = self.faults.whole_recvs;
        let socket = self.sockets.get_mut(&index).expect("a port's socket is in the table");
        let tcp = socket.is_tcp();
        if socket.kind != Kind::Stream {
            return self.recv_from(index, space, false).map(|(fitted, ..)| fitted);
        }
        let Role::Stream(stream) = &mut socket.role else {
            return match socket.role {
                Role::Connecting(_) => fail(ErrorKind::WouldBlock),
                Role::Failed => socket.error.take().map_or(Ok(0), fail),
                _ if tcp => fail(ErrorKind::NotConnected),
                _ => fail(ErrorKind::InvalidInput),
            };
        };
        if space.is_empty() {
            return Ok(0);
        }
        if stream.inbox.is_empty() {
            // An end that has arrived hides the reset that came after it, on TCP.
            if !(tcp && stream.ended)
                && let Some(kind) = socket.error.take()
            {
                return fail(kind);
            }
            let over = stream.ended || stream.down || stream.read_shut;
            return if over { Ok(0) } else { fail(ErrorKind::WouldBlock) };
        }
        let most = stream.inbox.len().min(space.len());
        let count = self.chance.portion(most, whole);
        take(&mut stream.inbox, &mut space[..count]);
        self.free(index, count);
        self.mark(Mark::Recv, index, count as u64);
        Ok(count)
    }

    /// Of the stream `index`, `count` was read here: its peer will hear of it.
    pub(super) fn free(&mut self, index: u64, count: usize) {
        let stream = self.stream(index);
        stream.freed += count;
        let (peer, tell) = (stream.peer, !stream.telling && !stream.down);
        stream.telling |= tell;
        if tell {
            let at = self.soon_from(index);
            self.schedule(at, Arrival::Room { from: index, to: peer });
        }
    }

    pub(super) fn shutdown(&mut self, index: u64, how: Shutdown) -> io::Result<()> {
        let (reads, writes) = (how != Shutdown::Write, how != Shutdown::Read);
        let socket = self.socket(index);
        let tcp = socket.is_tcp();
        match &mut socket.role {
            Role::Dgram(_) => self.shutdown_dgram(index, reads, writes)?,
            Role::Fresh | Role::Failed if tcp => return fail(ErrorKind::NotConnected),
            Role::Fresh | Role::Failed => {}
            Role::Connecting(_) => self.give_up(index, None),
            Role::Listening(queue) => {
                if reads {
                    let queue = std::mem::take(queue);
                    socket.role = Role::Fresh;
                    self.turn_away(&queue);
                }
            }
            Role::Stream(stream) => {
                if tcp && stream.is_over() {
                    return fail(ErrorKind::NotConnected);
                }
                let ends = writes && !stream.write_shut && !stream.down;
                stream.read_shut |= reads;
                stream.write_shut |= writes;
                let peer = stream.peer;
                if ends {
                    let at = self.in_order(index);
                    self.schedule(at, Arrival::End { from: index, to: peer, gone: false });
                }
                if reads
                    && !tcp
                    && let Some(other) = self.stream_to(index, peer)
                {
                    // Unix streams know at once that nobody listens.
                    other.write_shut = true;
                    self.stir(peer);
                }
                self.stir(index);
            }
        }
        self.mark(Mark::Shutdown, index, u64::from(reads) + 2 * u64::from(writes));
        Ok(())
    }

    /// What the closing of `index`, which is out of the table already, means for its peer.
    pub(super) fn part(&mut self, index: u64, socket: &Socket) {
        let Role::Stream(stream) = &socket.role else { return };
        if stream.down {
            return;
        }
        let (from, to, tcp) = (index, stream.peer, socket.is_tcp());
        let window = socket.window;
        if self.stream_to(index, to).is_some_and(|peer| peer.held >= window) {
            // A closed socket bounds nobody.
            self.stir(to);
        }
        // A Unix socket holds what was sent to it from the moment of the send.
        let harmless = stream.harmless_unread();
        let flying = |peer: &mut Stream| peer.held > stream.freed + harmless;
        let unread = stream.has_unread() && harmless == 0
            || (!tcp && self.stream_to(index, to).is_some_and(flying));
        if tcp && (unread || socket.is_abrupt()) {
            // A reset may overtake bytes: what the closed socket had not sent is lost.
            let at = self.soon_between(ends(socket));
            self.schedule(at, Arrival::Reset { from, to });
        } else if !tcp || !stream.write_shut {
            let at = self.soon_between(ends(socket)).max(stream.last);
            let reset = Arrival::Reset { from, to };
            let end = Arrival::End { from, to, gone: !tcp };
            self.schedule(at, if unread { reset } else { end });
        }
    }

    /// Resets a connection that nobody has accepted.
    pub(super) fn abort(&mut self, server: u64) {
        let Some(socket) = self.remove(server) else { return };
        if let Role::Stream(stream) = &socket.role
            && !stream.down
        {
            let at = self.soon_between(ends(&socket));
            self.schedule(at, Arrival::Reset { from: server, to: stream.peer });
        }
    }

    pub(super) fn bytes(&mut self, from: u64, to: u64, bytes: &[u8]) {
        if let Some(stream) = self.stream_to(from, to).filter(|stream| !stream.down) {
            stream.inbox.extend(bytes);
            if let Some(records) = &mut stream.records {
                records.push_back(bytes.len());
            }
            self.stir(to);
        } else if self.stream_to(to, from).is_some_and(|sender| sender.tcp) {
            // Nobody is there to read them. The sender of a Unix socket learns it otherwise.
            let at = self.soon_from(from);
            self.schedule(at, Arrival::Reset { from: to, to: from });
        }
    }

    pub(super) fn end(&mut self, from: u64, to: u64, gone: bool) {
        if let Some(stream) = self.stream_to(from, to).filter(|stream| !stream.down) {
            stream.ended = true;
            stream.down = gone;
            self.stir(to);
        }
        if let Some(stream) = self.stream_to(to, from) {
            stream.finished = true;
        }
    }

    pub(super) fn room(&mut self, from: u64, to: u64) {
        let freed = self.stream_to(to, from).map(|reader| {
            reader.telling = false;
            std::mem::take(&mut reader.freed)
        });
        if let Some(stream) = self.stream_to(from, to) {
            // A reader that is gone had read everything, or else a reset is under way.
            stream.held = freed.map_or(0, |freed| stream.held - freed);
            self.stir(to);
        }
    }

    pub(super) fn reset(&mut self, from: u64, to: u64) {
        let Some(socket) = self.sockets.get_mut(&to) else { return };
        let Role::Stream(stream) = &mut socket.role else { return };
        if stream.peer != from || stream.down || (stream.tcp && stream.is_over()) {
            return;
        }
        if let Some(listener) = stream.listener {
            // Nobody has heard of this connection yet, and nobody will.
            self.remove(to);
            let listener = self.sockets.get_mut(&listener);
            if let Some(Socket { role: Role::Listening(queue), .. }) = listener {
                queue.half.remove(&to);
            }
            return;
        }
        stream.down = true;
        let late = stream.tcp && stream.ended;
        socket.error = Some(if late { ErrorKind::BrokenPipe } else { ErrorKind::ConnectionReset });
        self.stir(to);
    }

    /// How much more the stream `index` may send.
    pub(super) fn room_of(&mut self, index: u64) -> usize {
        let own = self.socket(index).window;
        let stream = self.stream(index);
        let (peer, held) = (stream.peer, stream.held);
        // A peer that is gone has no say any more: its answer will be a reset.
        let window = self.sockets.get(&peer).map_or(own, |socket| socket.window);
        window.saturating_sub(held)
    }

    /// The stream of a port that is known to be one.
    pub(super) fn stream(&mut self, index: u64) -> &mut Stream {
        match &mut self.socket(index).role {
            Role::Stream(stream) => stream,
            _ => unreachable!("a stream stays a stream"),
        }
    }

    /// The end at `to` of the connection with `from`, if it is still there.
    pub(super) fn stream_to(&mut self, from: u64, to: u64) -> Option<&mut Stream> {
        match &mut self.sockets.get_mut(&to)?.role {
            Role::Stream(stream) => Some(stream).filter(|stream| stream.peer == from),
            _ => None,
        }
    }

    /// When what `index` sends now arrives: not before what it has sent.
    pub(super) fn in_order(&mut self, index: u64) -> u64 {
        let soon = self.soon_from(index);
        let stream = self.stream(index);
        stream.last = stream.last.max(soon);
        stream.last
    }
}

/// Moves the oldest bytes of `inbox`, which holds as many, into `space`.
pub(super) fn take(inbox: &mut VecDeque<u8>, space: &mut [MaybeUninit<u8>]) {
    let count = space.len();
    let (older, newer) = inbox.as_slices();
    let (first, rest) = space.split_at_mut(count.min(older.len()));
    for (slot, byte) in first.iter_mut().zip(older) {
        slot.write(*byte);
    }
    for (slot, byte) in rest.iter_mut().zip(newer) {
        slot.write(*byte);
    }
    inbox.drain(..count);
}
