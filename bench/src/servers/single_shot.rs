//! A plain loop on io_uring, one operation at a time for each connection.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use io_uring::squeue::Entry;
use io_uring::{IoUring, opcode, types};

use super::{BULK_BYTES, ECHO_BYTES, Task};
use crate::scenario::Mode;

pub(super) fn run(task: Task) -> io::Result<()> {
    let mut server = Server {
        ring: ring()?,
        mode: task.mode,
        connections: Vec::new(),
        free: Vec::new(),
        reaped: Vec::new(),
    };
    let accept = opcode::Accept::new(
        types::Fd(task.listener.as_raw_fd()),
        std::ptr::null_mut(),
        std::ptr::null_mut(),
    );
    let accept = accept.flags(libc::SOCK_CLOEXEC).build().user_data(ACCEPT);
    server.push(&accept)?;
    server.ring.submit()?;
    task.ready()?;
    loop {
        server.ring.submit_and_wait(1)?;
        server.reap();
        for i in 0..server.reaped.len() {
            let (tag, result) = server.reaped[i];
            if tag == ACCEPT {
                server.push(&accept)?;
                server.accepted(result)?;
            } else if tag != CLOSED {
                server.done((tag >> 1) as usize, tag & 1 == SENT, result)?;
            }
        }
    }
}

/// A ring with the flags that suit one thread, or without where the kernel knows none.
pub(super) fn ring() -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_cqsize(16 * 1024);
    builder.build(4096).or_else(|_| IoUring::builder().setup_cqsize(16 * 1024).build(4096))
}

struct Server {
    ring: IoUring,
    mode: Mode,
    connections: Vec<Connection>,
    free: Vec<usize>,
    reaped: Vec<(u64, i32)>,
}

struct Connection {
    /// None: the place is free.
    fd: Option<OwnedFd>,
    /// Its address stays while an operation uses it: the vector is never resized.
    buffer: Vec<u8>,
    /// The part of the buffer that still has to be sent.
    from: usize,
    to: usize,
}

impl Server {
    fn reap(&mut self) {
        self.reaped.clear();
        let done = self.ring.completion().map(|entry| (entry.user_data(), entry.result()));
        self.reaped.extend(done);
    }

    fn accepted(&mut self, result: i32) -> io::Result<()> {
        if result < 0 {
            return check_accept(result);
        }
        // SAFETY: the kernel just gave this descriptor to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(result) };
        if self.mode == Mode::Close {
            return self.close(fd);
        }
        let place = self.free.pop().unwrap_or_else(|| {
            let size = match self.mode {
                Mode::Echo | Mode::Lean | Mode::Close => ECHO_BYTES,
                Mode::Sink | Mode::Source => BULK_BYTES,
            };
            let buffer = vec![0; size];
            self.connections.push(Connection { fd: None, buffer, from: 0, to: 0 });
            self.connections.len() - 1
        });
        let connection = &mut self.connections[place];
        connection.fd = Some(fd);
        let entry = match self.mode {
            Mode::Source => connection.send_all(place),
            _ => connection.receive(place),
        };
        self.push(&entry)
    }

    fn done(&mut self, place: usize, sent: bool, result: i32) -> io::Result<()> {
        let connection = &mut self.connections[place];
        if result <= 0 {
            self.free.push(place);
            return match connection.fd.take() {
                Some(fd) => self.close(fd),
                None => Ok(()),
            };
        }
        let n = result as usize;
        let entry = match (sent, self.mode) {
            (false, Mode::Sink) => connection.receive(place),
            (false, _) => connection.send(place, 0, n),
            (true, Mode::Source) => connection.send_all(place),
            (true, _) if connection.from + n < connection.to => {
                connection.send(place, connection.from + n, connection.to)
            }
            (true, _) => connection.receive(place),
        };
        self.push(&entry)
    }

    /// Closes by the ring: one entry in the next batch, where close(2) is a system call.
    fn close(&mut self, fd: OwnedFd) -> io::Result<()> {
        use std::os::fd::IntoRawFd;
        let fd = types::Fd(fd.into_raw_fd());
        self.push(&opcode::Close::new(fd).build().user_data(CLOSED))
    }

    fn push(&mut self, entry: &Entry) -> io::Result<()> {
        push(&mut self.ring, entry)
    }
}

impl Connection {
    fn receive(&mut self, place: usize) -> Entry {
        let (start, room) = (self.buffer.as_mut_ptr(), self.buffer.len() as u32);
        let entry = opcode::Recv::new(self.target(), start, room).build();
        entry.user_data((place as u64) << 1 | RECEIVED)
    }

    fn send_all(&mut self, place: usize) -> Entry {
        self.send(place, 0, self.buffer.len())
    }

    fn send(&mut self, place: usize, from: usize, to: usize) -> Entry {
        (self.from, self.to) = (from, to);
        let part = &self.buffer[from..to];
        let entry = opcode::Send::new(self.target(), part.as_ptr(), part.len() as u32);
        let entry = entry.flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL).build();
        entry.user_data((place as u64) << 1 | SENT)
    }

    fn target(&self) -> types::Fd {
        types::Fd(self.fd.as_ref().map_or(-1, AsRawFd::as_raw_fd))
    }
}

/// Puts an entry into the submission queue, flushing it first where it is full.
///
/// Whoever made the entry keeps what it points to where it is until its last completion: buffers
/// of connections are never moved, and connections never freed while the process lives.
pub(super) fn push(ring: &mut IoUring, entry: &Entry) -> io::Result<()> {
    loop {
        // SAFETY: see above.
        if unsafe { ring.submission().push(entry) }.is_ok() {
            return Ok(());
        }
        ring.submit()?;
    }
}

/// Passes the errors of accept that are not about one connection.
pub(super) fn check_accept(result: i32) -> io::Result<()> {
    match -result {
        libc::ECONNABORTED | libc::EINTR | libc::EAGAIN => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

const RECEIVED: u64 = 0;
const SENT: u64 = 1;
const ACCEPT: u64 = u64::MAX;
const CLOSED: u64 = u64::MAX - 1;
