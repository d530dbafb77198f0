//! A connection of the load, plain or under TLS, with the calls of a nonblocking socket.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, HandshakeKind};

use super::{STALL, stalled};
use crate::sys;
use crate::tls::{self, Habit};

/// Whom the load calls, and how.
#[derive(Clone)]
pub(crate) struct Dial {
    addr: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// One connection.
pub(super) enum Wire {
    Plain(TcpStream),
    Secure(Box<Secure>),
}

pub(super) struct Secure {
    stream: TcpStream,
    tls: ClientConnection,
}

impl Dial {
    pub(crate) fn plain(addr: SocketAddr) -> Self {
        Self { addr, tls: None }
    }

    pub(crate) fn secure(addr: SocketAddr, habit: Habit) -> io::Result<Self> {
        Ok(Self { addr, tls: Some(tls::client(habit)?) })
    }

    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// A connection on its way. Under TLS it introduces itself as the one at that place.
    pub(super) fn begin(&self, place: usize) -> io::Result<Wire> {
        let stream = sys::connect(self.addr)?;
        let Some(config) = &self.tls else { return Ok(Wire::Plain(stream)) };
        stream.set_nodelay(true)?;
        let tls = ClientConnection::new(config.clone(), tls::name(place)).map_err(broken)?;
        Ok(Wire::Secure(Box::new(Secure { stream, tls })))
    }

    /// So many; those under TLS are done with their handshakes. The servers' backlogs hold 4,096.
    pub(super) fn connect_all(&self, count: usize) -> io::Result<Vec<Wire>> {
        let mut wires = Vec::with_capacity(count);
        for place in 0..count {
            let mut wire = self.begin(place)?;
            wire.settle()?;
            wires.push(wire);
        }
        Ok(wires)
    }
}

impl Wire {
    /// Waits until the handshake is done, if there is one.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let Self::Secure(secure) = self else { return Ok(()) };
        if !sys::wait_writable(secure.stream.as_fd(), STALL)? {
            return Err(stalled("no connection"));
        }
        loop {
            secure.push()?;
            if !secure.tls.is_handshaking() {
                return Ok(());
            }
            if !sys::wait_readable(secure.stream.as_fd(), STALL)? {
                return Err(stalled("no handshake"));
            }
            match secure.pull() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                pulled => pulled?,
            }
        }
    }

    pub(super) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.stream().set_nodelay(nodelay)
    }

    /// Says that nothing more will be written.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let Self::Secure(secure) = self {
            secure.tls.send_close_notify();
            secure.push()?;
        }
        self.stream().shutdown(Shutdown::Write)
    }

    /// Whether a session was taken up again, as far as the handshake has come; `None` where there
    /// is none.
    pub(super) fn is_resumed(&self) -> Option<bool> {
        let Self::Secure(secure) = self else { return None };
        Some(secure.tls.handshake_kind()? == HandshakeKind::Resumed)
    }

    fn stream(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secure(secure) => &secure.stream,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secure(secure) => secure.read(buffer),
        }
    }
}

/// What is written is on its way, or waits until somebody reads, writes or flushes again.
impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secure(secure) => secure.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Secure(secure) => secure.push(),
        }
    }
}

impl AsRawFd for Wire {
    fn as_raw_fd(&self) -> RawFd {
        self.stream().as_raw_fd()
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream().as_fd()
    }
}

impl Secure {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.push()?;
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.pull()?,
                read => return read,
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push()?;
        if self.tls.wants_write() || self.tls.is_handshaking() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.tls.writer().write(bytes)?;
        self.push()?;
        Ok(count)
    }

    /// Takes what the socket has. An end is for the reader to tell.
    fn pull(&mut self) -> io::Result<()> {
        self.tls.read_tls(&mut self.stream)?;
        self.tls.process_new_packets().map(drop).map_err(broken)
    }

    /// Gives the socket what it has room for.
    fn push(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::other(error)
}
