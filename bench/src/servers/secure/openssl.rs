//! The system's OpenSSL in a plain loop on epoll: what a careful C program would do.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::rc::Rc;

use super::{ECHO_BYTES, Mode, RECORD_BYTES, SINK_BYTES, Task, tls};
use crate::sys::openssl::{Ssl, Terms};
use crate::sys::{self, Interest, Poller};

pub(in crate::servers) fn run(task: Task) -> io::Result<()> {
    let mut server = Server::new(&task)?;
    task.ready()?;
    loop {
        let n = server.poller.wait(None)?;
        for i in 0..n {
            let token = server.poller.event(i).token;
            if token == LISTENER {
                server.accept(&task.listener)?;
            } else {
                server.turn(token as usize);
            }
        }
    }
}

struct Server {
    poller: Poller,
    context: Rc<Terms>,
    mode: Mode,
    /// Indexed by descriptor.
    connections: Vec<Option<Connection>>,
    /// One for all: nothing stays in it between events.
    buffer: Vec<u8>,
}

struct Connection {
    // Before its stream, whose descriptor it uses.
    ssl: Ssl,
    stream: TcpStream,
    shaken: bool,
    /// What the socket had no room for; empty nearly always.
    rest: Vec<u8>,
}

impl Server {
    fn new(task: &Task) -> io::Result<Self> {
        let own = tls::Credentials::of_this_run()?;
        let context = Terms::server(&own.certificate, &own.key, task.mode == Mode::Lean)?;
        task.listener.set_nonblocking(true)?;
        let poller = Poller::new()?;
        poller.add(task.listener.as_raw_fd(), LISTENER, Interest::Read)?;
        let size = match task.mode {
            Mode::Echo | Mode::Lean | Mode::Close => ECHO_BYTES,
            Mode::Sink => SINK_BYTES,
            Mode::Source => RECORD_BYTES,
        };
        let (mode, buffer) = (task.mode, vec![0; size]);
        Ok(Self { poller, context, mode, connections: Vec::new(), buffer })
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
            let place = stream.as_raw_fd() as usize;
            self.poller.add(stream.as_raw_fd(), place as u64, Interest::Read)?;
            if self.connections.len() <= place {
                self.connections.resize_with(place + 1, || None);
            }
            let ssl = Ssl::new(&self.context, &stream)?;
            self.connections[place] =
                Some(Connection { ssl, stream, shaken: false, rest: Vec::new() });
        }
    }

    fn turn(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else { return };
        let outcome = connection.turn(self.mode, &self.poller, &mut self.buffer);
        match outcome {
            Ok(true) => return,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(false) => connection.ssl.finish(),
            // An error is the end, too.
            Err(_) => {}
        }
        // Closing takes it out of the poller.
        self.connections[place] = None;
    }
}

impl Connection {
    /// What an event gives to do; false at the end of the stream.
    fn turn(&mut self, mode: Mode, poller: &Poller, buffer: &mut [u8]) -> io::Result<bool> {
        if !self.shaken {
            self.ssl.accept()?;
            self.shaken = true;
            if mode == Mode::Source {
                self.wait_for(poller, Interest::Write)?;
            }
        }
        loop {
            let going = match mode {
                Mode::Sink => self.ssl.read(buffer)? > 0,
                Mode::Source => self.ssl.write(buffer)? > 0,
                Mode::Close => false,
                Mode::Echo | Mode::Lean => self.echo(poller, buffer)?,
            };
            if !going || !self.ssl.has_pending() {
                return Ok(going);
            }
        }
    }

    /// One read and one write; false at the end of the stream.
    fn echo(&mut self, poller: &Poller, buffer: &mut [u8]) -> io::Result<bool> {
        if !self.rest.is_empty() {
            let sent = self.ssl.write(&self.rest)?;
            self.rest.drain(..sent);
            if self.rest.is_empty() {
                self.wait_for(poller, Interest::Read)?;
            }
            return Ok(true);
        }
        let n = self.ssl.read(buffer)?;
        if n == 0 {
            return Ok(false);
        }
        let sent = match self.ssl.write(&buffer[..n]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            sent => sent?,
        };
        if sent < n {
            self.rest.extend_from_slice(&buffer[sent..n]);
            self.wait_for(poller, Interest::Write)?;
        }
        Ok(true)
    }

    fn wait_for(&self, poller: &Poller, interest: Interest) -> io::Result<()> {
        let fd = self.stream.as_raw_fd();
        poller.modify(fd, fd as u64, interest)
    }
}

const LISTENER: u64 = u64::MAX;
