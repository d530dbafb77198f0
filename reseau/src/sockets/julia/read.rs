//! Reading from a connection.
use std::io::{self, Read, Write};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError, TryLockError};

use super::buffer::Buffer;
use super::{Error, TCPSocket};

/// Reading. What ends early is [`Error::EOFError`]; the end itself is none.
impl TCPSocket {
    /// Waits until there is something to read, and says whether it is the end.
    ///
    /// # Errors
    /// [`Error::IOError`] if the connection broke.
    pub fn eof(&self) -> Result<bool, Error> {
        let mut buffer = self.lock();
        Ok(!self.await_some(&mut buffer)?)
    }

    /// How many bytes can be read without waiting.
    ///
    /// ```
    /// use reseau::sockets::julia::{accept, connect, getsockname, listen};
    /// let server = listen(0)?;
    /// let client = connect(getsockname(&server)?.1)?;
    /// let conn = accept(&server)?;
    /// assert_eq!(conn.bytes_available(), 0);
    /// client.write(b"abc")?;
    /// assert_eq!(conn.peek()?, b'a'); // It has come.
    /// assert_eq!(conn.bytes_available(), 3);
    /// # Ok::<(), reseau::sockets::julia::Error>(())
    /// ```
    #[doc(alias = "bytesavailable")]
    #[must_use]
    pub fn bytes_available(&self) -> usize {
        let mut buffer = match self.buffer.try_lock() {
            Ok(buffer) => buffer,
            Err(TryLockError::Poisoned(buffer)) => buffer.into_inner(),
            // Somebody reads, and waits for more perhaps.
            Err(TryLockError::WouldBlock) => return self.buffered.load(Ordering::Relaxed),
        };
        self.take_what_came(&mut buffer);
        buffer.unread().len()
    }

    /// The next byte, which stays.
    ///
    /// # Errors
    /// [`Error::EOFError`] at the end; [`Error::IOError`] if the connection broke.
    pub fn peek(&self) -> Result<u8, Error> {
        let mut buffer = self.lock();
        match self.await_some(&mut buffer)? {
            true => Ok(buffer.unread()[0]),
            false => Err(Error::EOFError),
        }
    }

    /// The next byte.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    #[doc(alias = "read(UInt8)")]
    pub fn read_byte(&self) -> Result<u8, Error> {
        let mut byte = [0];
        self.read_into(&mut byte)?;
        Ok(byte[0])
    }

    /// Waits for bytes and gives all that there are, at most 64 KiB: none at the end.
    ///
    /// # Errors
    /// [`Error::IOError`] if the connection broke.
    #[doc(alias = "readavailable")]
    pub fn read_available(&self) -> Result<Vec<u8>, Error> {
        let mut buffer = self.lock();
        self.await_some(&mut buffer)?;
        self.take_what_came(&mut buffer);
        let bytes = buffer.unread().to_vec();
        self.consume(&mut buffer, bytes.len());
        Ok(bytes)
    }

    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`Error::EOFError`] if the end comes first: what had come by then is read.
    #[doc(alias = "read!")]
    #[doc(alias = "unsafe_read")]
    pub fn read_into(&self, bytes: &mut [u8]) -> Result<(), Error> {
        let mut buffer = self.lock();
        let mut filled = 0;
        while filled < bytes.len() {
            match self.some(&mut buffer, &mut bytes[filled..])? {
                0 => return Err(Error::EOFError),
                count => filled += count,
            }
        }
        Ok(())
    }

    /// Waits for `count` bytes and gives them; fewer only at the end.
    ///
    /// # Errors
    /// [`Error::IOError`] if the connection broke.
    #[doc(alias = "readbytes!")]
    pub fn read_bytes(&self, count: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut buffer = self.lock();
        while bytes.len() < count && self.await_some(&mut buffer)? {
            let unread = buffer.unread();
            let part = unread.len().min(count - bytes.len());
            bytes.extend_from_slice(&unread[..part]);
            self.consume(&mut buffer, part);
        }
        Ok(bytes)
    }

    /// Everything up to the end.
    ///
    /// # Errors
    /// [`Error::IOError`] if the connection broke.
    pub fn read_to_end(&self) -> Result<Vec<u8>, Error> {
        self.read_bytes(usize::MAX)
    }

    /// Everything up to the end, as text.
    ///
    /// # Errors
    /// As [`read_to_end`](Self::read_to_end), and [`Error::IOError`] if it is not UTF-8.
    #[doc(alias = "read(String)")]
    pub fn read_string(&self) -> Result<String, Error> {
        text(self.read_to_end()?)
    }

    /// Everything up to the next `delim`, and that too if it is kept; what is left at the end.
    ///
    /// ```
    /// use reseau::sockets::julia::{accept, connect, getsockname, listen};
    /// let server = listen(0)?;
    /// let client = connect(getsockname(&server)?.1)?;
    /// client.write(b"GET /;rest")?;
    /// client.close();
    /// let conn = accept(&server)?;
    /// assert_eq!(conn.readuntil(b';', true)?, b"GET /;");
    /// assert_eq!(conn.readuntil(b';', true)?, b"rest");
    /// # Ok::<(), reseau::sockets::julia::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::IOError`] if the connection broke.
    pub fn readuntil(&self, delim: u8, keep: bool) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut buffer = self.lock();
        while self.await_some(&mut buffer)? {
            let unread = buffer.unread();
            let place = unread.iter().position(|byte| *byte == delim);
            let part = place.map_or(unread.len(), |place| place + 1);
            bytes.extend_from_slice(&unread[..part]);
            self.consume(&mut buffer, part);
            if place.is_some() {
                if !keep {
                    bytes.pop();
                }
                break;
            }
        }
        Ok(bytes)
    }

    /// The next line, without its `\n` or `\r\n`; what is left at the end, and then nothing.
    ///
    /// # Errors
    /// [`Error::IOError`] if the connection broke, or the line is not UTF-8
    /// ([`readuntil`](Self::readuntil) takes any bytes).
    pub fn readline(&self) -> Result<String, Error> {
        let mut line = self.readuntil(b'\n', true)?;
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        text(line)
    }

    /// Reads `count` bytes for nobody.
    ///
    /// # Errors
    /// [`Error::EOFError`] if the end comes first; [`Error::IOError`] if the connection broke.
    pub fn skip(&self, count: u64) -> Result<(), Error> {
        let (mut buffer, mut left) = (self.lock(), count);
        while left > 0 {
            if !self.await_some(&mut buffer)? {
                return Err(Error::EOFError);
            }
            let unread = buffer.unread().len();
            let part = usize::try_from(left).map_or(unread, |left| left.min(unread));
            self.consume(&mut buffer, part);
            left -= part as u64;
        }
        Ok(())
    }

    /// Reads what there is, as [`Read`] wants it: straight into long slices.
    fn some(&self, buffer: &mut Buffer, bytes: &mut [u8]) -> Result<usize, Error> {
        if bytes.is_empty() {
            return Ok(0); // Nothing is not worth waiting for.
        }
        if buffer.unread().is_empty() {
            if bytes.len() >= Buffer::MAX {
                return self.receive(bytes);
            }
            self.await_some(buffer)?;
        }
        let unread = buffer.unread();
        let count = unread.len().min(bytes.len());
        bytes[..count].copy_from_slice(&unread[..count]);
        self.consume(buffer, count);
        Ok(count)
    }

    /// Waits until there is something in the buffer; false at the end.
    fn await_some(&self, buffer: &mut Buffer) -> Result<bool, Error> {
        if buffer.unread().is_empty() {
            let count = self.receive(buffer.space())?;
            self.fill(buffer, count);
        }
        Ok(!buffer.unread().is_empty())
    }

    /// What has come already goes into the buffer, as far as there is room.
    fn take_what_came(&self, buffer: &mut Buffer) {
        let Some(way) = self.way_at_once() else { return };
        let space = buffer.space();
        if space.is_empty() {
            return;
        }
        // What failed will fail again for whoever reads.
        let count = way.recv_at_once(space).unwrap_or(0);
        self.fill(buffer, count);
    }

    /// From the system: 0 at the end, and of a socket that is closed here.
    fn receive(&self, space: &mut [u8]) -> Result<usize, Error> {
        let way = match self.way() {
            Err(_) if self.is_closed() => return Ok(0),
            way => way?,
        };
        match way.recv(space) {
            Err(_) if way.is_ended() || self.is_closed() => Ok(0),
            came => Ok(came?),
        }
    }

    fn fill(&self, buffer: &mut Buffer, count: usize) {
        buffer.fill(count);
        self.buffered.store(buffer.unread().len(), Ordering::Relaxed);
    }

    pub(super) fn consume(&self, buffer: &mut Buffer, count: usize) {
        buffer.consume(count);
        self.buffered.store(buffer.unread().len(), Ordering::Relaxed);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for &TCPSocket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buffer = self.lock();
        Ok(self.some(&mut buffer, bytes)?)
    }
}

impl Read for TCPSocket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        (&*self).read(bytes)
    }
}

impl Write for &TCPSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(TCPSocket::write(self, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(TCPSocket::flush(self)?)
    }
}

impl Write for TCPSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(Self::write(self, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(Self::flush(self)?)
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error).into())
}
