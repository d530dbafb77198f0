//! A plain loop on epoll: what a careful C program would do.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

use super::{BULK_BYTES, ECHO_BYTES, Task};
use crate::scenario::Mode;
use crate::sys::{self, Interest, Poller};

pub(super) fn run(task: Task) -> io::Result<()> {
    let mut server = Server::new(&task)?;
    task.ready()?;
    loop {
        let n = server.poller.wait(None)?;
        for i in 0..n {
            let token = server.poller.event(i).token;
            if token == LISTENER {
                server.accept(&task.listener)?;
            } else {
                server.turn(token as usize)?;
            }
        }
    }
}

struct Server {
    poller: Poller,
    mode: Mode,
    /// Indexed by descriptor.
    connections: Vec<Option<Connection>>,
    /// One for all: nothing stays in it between events.
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// What the socket had no room for; empty nearly always.
    rest: Vec<u8>,
}

impl Server {
    fn new(task: &Task) -> io::Result<Self> {
        task.listener.set_nonblocking(true)?;
        let poller = Poller::new()?;
        poller.add(task.listener.as_raw_fd(), LISTENER, Interest::Read)?;
        let echoes = matches!(task.mode, Mode::Echo | Mode::Lean);
        let buffer = vec![0; if echoes { ECHO_BYTES } else { BULK_BYTES }];
        Ok(Self { poller, mode: task.mode, connections: Vec::new(), buffer })
    }

    /// Accepts until nobody waits.
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let stream = match sys::accept(listener) {
                Ok(stream) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            if self.mode == Mode::Close {
                continue;
            }
            let source = self.mode == Mode::Source;
            let interest = if source { Interest::Write } else { Interest::Read };
            let fd = stream.as_raw_fd();
            self.poller.add(fd, fd as u64, interest)?;
            let place = fd as usize;
            if self.connections.len() <= place {
                self.connections.resize_with(place + 1, || None);
            }
            self.connections[place] = Some(Connection { stream, rest: Vec::new() });
        }
    }

    fn turn(&mut self, place: usize) -> io::Result<()> {
        let Some(connection) = &mut self.connections[place] else { return Ok(()) };
        let outcome = match self.mode {
            Mode::Sink => connection.stream.read(&mut self.buffer).map(|n| n > 0),
            Mode::Source => connection.stream.write(&self.buffer).map(|n| n > 0),
            _ => connection.echo(&self.poller, &mut self.buffer),
        };
        match outcome {
            Ok(true) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The end, or an error that is the end: closing takes it out of the poller too.
            Ok(false) | Err(_) => self.connections[place] = None,
        }
        Ok(())
    }
}

impl Connection {
    /// One read and one write; false at the end of the stream.
    fn echo(&mut self, poller: &Poller, buffer: &mut [u8]) -> io::Result<bool> {
        let fd: RawFd = self.stream.as_raw_fd();
        if !self.rest.is_empty() {
            let sent = self.stream.write(&self.rest)?;
            self.rest.drain(..sent);
            if self.rest.is_empty() {
                poller.modify(fd, fd as u64, Interest::Read)?;
            }
            return Ok(true);
        }
        let n = self.stream.read(buffer)?;
        let sent = match self.stream.write(&buffer[..n]) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if sent < n {
            self.rest.extend_from_slice(&buffer[sent..n]);
            poller.modify(fd, fd as u64, Interest::Write)?;
        }
        Ok(n > 0)
    }
}

const LISTENER: u64 = u64::MAX;
