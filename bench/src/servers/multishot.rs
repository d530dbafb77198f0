//! A plain loop on io_uring with all that it offers: multishot accept, multishot receive into
//! buffers that the kernel picks from a ring of lent ones, sent from where they were received.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;
use io_uring::{IoUring, cqueue, opcode, types};

use super::single_shot::{check_accept, push, ring};
use super::{BULK_BYTES, ECHO_BYTES, Task};
use crate::scenario::Mode;

pub(super) fn run(task: Task) -> io::Result<()> {
    let mut server = Server::new(&task)?;
    server.accept()?;
    server.ring.submit()?;
    task.ready()?;
    loop {
        server.ring.submit_and_wait(1)?;
        server.reap();
        for i in 0..server.reaped.len() {
            server.complete(i)?;
        }
        server.feed()?;
    }
}

struct Server {
    ring: IoUring,
    lent: Lent,
    mode: Mode,
    listener: types::Fd,
    connections: Vec<Connection>,
    free: Vec<usize>,
    /// Places whose receive ended for want of buffers.
    starved: VecDeque<usize>,
    reaped: Vec<(u64, i32, u32)>,
    /// What a source sends for ever.
    page: Vec<u8>,
}

struct Connection {
    fd: Option<OwnedFd>,
    receiving: bool,
    sending: bool,
    ended: bool,
    /// Received, not yet sent: buffer, and the part of it that is left. The head is in flight.
    queue: VecDeque<(u16, u32, u32)>,
}

impl Server {
    fn new(task: &Task) -> io::Result<Self> {
        let ring = ring()?;
        let lent = match task.mode {
            Mode::Echo | Mode::Lean => Lent::register(&ring, 4096, ECHO_BYTES)?,
            _ => Lent::register(&ring, 64, BULK_BYTES)?,
        };
        Ok(Self {
            ring,
            lent,
            mode: task.mode,
            listener: types::Fd(task.listener.as_raw_fd()),
            connections: Vec::new(),
            free: Vec::new(),
            starved: VecDeque::new(),
            reaped: Vec::new(),
            page: vec![0; BULK_BYTES],
        })
    }

    fn reap(&mut self) {
        self.reaped.clear();
        let done = self.ring.completion();
        self.reaped.extend(done.map(|entry| (entry.user_data(), entry.result(), entry.flags())));
    }

    fn complete(&mut self, i: usize) -> io::Result<()> {
        let (tag, result, flags) = self.reaped[i];
        let place = (tag >> 1) as usize;
        match tag {
            ACCEPT => self.accepted(result, flags),
            CLOSED => Ok(()),
            _ if tag & 1 == SENT => self.sent(place, result),
            _ => self.received(place, result, flags),
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let accept = opcode::AcceptMulti::new(self.listener).flags(libc::SOCK_CLOEXEC);
        push(&mut self.ring, &accept.build().user_data(ACCEPT))
    }

    fn accepted(&mut self, result: i32, flags: u32) -> io::Result<()> {
        if !cqueue::more(flags) {
            self.accept()?;
        }
        if result < 0 {
            return check_accept(result);
        }
        // SAFETY: the kernel just gave this descriptor to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(result) };
        if self.mode == Mode::Close {
            return self.close(fd);
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.connections.push(Connection::empty());
            self.connections.len() - 1
        });
        self.connections[place].fd = Some(fd);
        if self.mode == Mode::Source { self.send(place) } else { self.receive(place) }
    }

    fn receive(&mut self, place: usize) -> io::Result<()> {
        let connection = &mut self.connections[place];
        connection.receiving = true;
        let entry = opcode::RecvMulti::new(connection.target(), GROUP).build();
        push(&mut self.ring, &entry.user_data((place as u64) << 1 | RECEIVED))
    }

    fn received(&mut self, place: usize, result: i32, flags: u32) -> io::Result<()> {
        let connection = &mut self.connections[place];
        connection.receiving = cqueue::more(flags);
        let buffer = cqueue::buffer_select(flags);
        self.lent.taken += u16::from(buffer.is_some());
        if result > 0 {
            let buffer = buffer.ok_or_else(|| io::Error::other("data without a buffer"))?;
            if self.mode == Mode::Sink || connection.ended {
                self.lent.give(buffer);
            } else {
                connection.queue.push_back((buffer, 0, result as u32));
                if !connection.sending {
                    self.send(place)?;
                }
            }
        } else if result == -libc::ENOBUFS {
            self.starved.push_back(place);
            return Ok(());
        } else {
            connection.ended = true;
            buffer.into_iter().for_each(|buffer| self.lent.give(buffer));
        }
        let connection = &self.connections[place];
        if !connection.receiving && !connection.ended {
            return self.receive(place);
        }
        self.finish(place)
    }

    /// Sends the head of the queue, or the source's page.
    fn send(&mut self, place: usize) -> io::Result<()> {
        let connection = &mut self.connections[place];
        let part = match connection.queue.front() {
            Some(&(buffer, from, to)) => &self.lent.bytes(buffer)[from as usize..to as usize],
            None => &self.page[..],
        };
        connection.sending = true;
        let entry = opcode::Send::new(connection.target(), part.as_ptr(), part.len() as u32);
        let entry = entry.flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL).build();
        push(&mut self.ring, &entry.user_data((place as u64) << 1 | SENT))
    }

    fn sent(&mut self, place: usize, result: i32) -> io::Result<()> {
        let connection = &mut self.connections[place];
        connection.sending = false;
        if result < 0 {
            connection.end(&mut self.lent);
            return self.finish(place);
        }
        if self.mode == Mode::Source {
            return self.send(place);
        }
        if let Some((buffer, from, to)) = connection.queue.front_mut() {
            *from += result as u32;
            if from == to {
                self.lent.give(*buffer);
                connection.queue.pop_front();
            }
        }
        if connection.queue.is_empty() { self.finish(place) } else { self.send(place) }
    }

    /// Rearms those who starved, once buffers are home.
    fn feed(&mut self) -> io::Result<()> {
        for _ in 0..self.starved.len().min(self.lent.home()) {
            let Some(place) = self.starved.pop_front() else { break };
            if self.connections[place].ended {
                self.finish(place)?;
            } else {
                self.receive(place)?;
            }
        }
        Ok(())
    }

    /// Closes a connection that is at its end, once the kernel holds none of it.
    fn finish(&mut self, place: usize) -> io::Result<()> {
        let connection = &mut self.connections[place];
        let busy = connection.receiving || connection.sending || !connection.queue.is_empty();
        if !connection.ended || busy {
            return Ok(());
        }
        let Some(fd) = connection.fd.take() else { return Ok(()) };
        self.connections[place].ended = false;
        self.starved.retain(|&starved| starved != place);
        self.free.push(place);
        self.close(fd)
    }

    fn close(&mut self, fd: OwnedFd) -> io::Result<()> {
        let entry = opcode::Close::new(types::Fd(fd.into_raw_fd())).build();
        push(&mut self.ring, &entry.user_data(CLOSED))
    }
}

impl Connection {
    fn empty() -> Self {
        let queue = VecDeque::new();
        Self { fd: None, receiving: false, sending: false, ended: false, queue }
    }

    /// After a failed send: nothing more goes out, and a receive in flight is made to end.
    fn end(&mut self, lent: &mut Lent) {
        self.ended = true;
        for (buffer, ..) in self.queue.drain(..) {
            lent.give(buffer);
        }
        if let Some(fd) = &self.fd {
            // SAFETY: the descriptor is open; the call has no pointers.
            unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_RDWR) };
        }
    }

    fn target(&self) -> types::Fd {
        types::Fd(self.fd.as_ref().map_or(-1, AsRawFd::as_raw_fd))
    }
}

/// Buffers lent to the kernel, and the ring that says which.
struct Lent {
    ring: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    size: usize,
    count: u16,
    tail: u16,
    /// How many buffers are in use: received, not yet given back.
    taken: u16,
}

impl Lent {
    fn register(ring: &IoUring, count: u16, size: usize) -> io::Result<Self> {
        let base = map(usize::from(count) * size_of::<BufRingEntry>())?.cast::<BufRingEntry>();
        let memory = map(usize::from(count) * size)?;
        // SAFETY: page-aligned, `count` entries long, a power of two, mapped for ever.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(base.as_ptr() as u64, count, GROUP, 0)
        }?;
        let mut lent = Self { ring: base, memory, size, count, tail: 0, taken: count };
        for buffer in 0..count {
            lent.give(buffer);
        }
        Ok(lent)
    }

    fn bytes(&self, buffer: u16) -> &[u8] {
        let start = self.start(buffer);
        // SAFETY: inside the mapping; the kernel writes no buffer that was received and not yet
        // given back, and nobody else asks for the bytes of one.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), self.size) }
    }

    /// Lends a buffer (again).
    fn give(&mut self, buffer: u16) {
        let start = self.start(buffer);
        let place = usize::from(self.tail & (self.count - 1));
        // SAFETY: the place is below `count`, and the kernel reads no entry at or past the tail.
        let mut entry = unsafe { self.ring.add(place) };
        // SAFETY: the same, and nobody else refers to the entry.
        let entry = unsafe { entry.as_mut() };
        entry.set_addr(start.as_ptr() as u64);
        entry.set_len(self.size as u32);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail lies inside the first entry of the mapped ring.
        let tail = unsafe { BufRingEntry::tail(self.ring.as_ptr()) };
        // SAFETY: aligned, mapped for ever; both sides access it as an atomic only.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
        self.taken -= 1;
    }

    fn start(&self, buffer: u16) -> NonNull<u8> {
        assert!(buffer < self.count, "the kernel named a buffer that it was not lent");
        // SAFETY: the assertion keeps the offset inside the mapping.
        unsafe { self.memory.add(usize::from(buffer) * self.size) }
    }

    fn home(&self) -> usize {
        usize::from(self.count - self.taken)
    }
}

/// Zeroed memory that stays for the life of the process.
fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_ANONYMOUS | libc::MAP_PRIVATE;
    // SAFETY: a fresh anonymous mapping, checked below.
    let map = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, kind, -1, 0) };
    if map == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(map.cast()).ok_or_else(|| io::Error::other("mmap returned null"))
}

/// The one group of lent buffers.
const GROUP: u16 = 0;
const RECEIVED: u64 = 0;
const SENT: u64 = 1;
const ACCEPT: u64 = u64::MAX;
const CLOSED: u64 = u64::MAX - 1;
