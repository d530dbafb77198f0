//! Ciphertext on its way to a lane: [`Sealed`].
use std::io::{self, IoSlice, Write};

use super::engine::Engine;
use crate::pool::{Buffer, Chunk};

/// Ciphertext as it is collected: in one piece of a size that mostly fits.
pub(super) struct Sealed {
    buffer: Option<Buffer>,
    over: Vec<u8>,
}

impl Sealed {
    /// For that much plaintext.
    pub(super) fn new(plain: usize) -> Self {
        let records = plain.div_ceil(RECORD);
        let buffer =
            (plain > 0).then(|| Buffer::with_capacity(plain + (records + 1) * RECORD_EXTRA));
        Self { buffer, over: Vec::new() }
    }

    pub(super) fn take_from(&mut self, engine: &mut Engine) {
        while engine.wants_to_send() && engine.send_to(self).is_ok_and(|count| count > 0) {}
    }

    pub(super) fn into_chunk(self) -> Chunk {
        match self.buffer.map(Buffer::freeze) {
            Some(chunk) if self.over.is_empty() => chunk,
            Some(chunk) => Chunk::from([&*chunk, &self.over].concat()),
            None => Chunk::from(self.over),
        }
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = match &mut self.buffer {
            Some(buffer) if self.over.is_empty() => buffer.extend(bytes),
            _ => 0,
        };
        self.over.extend_from_slice(&bytes[fits..]);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        bufs.iter().try_fold(0, |sum, buf| Ok(sum + self.write(buf)?))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The plaintext of a record.
pub(super) const RECORD: usize = 16 << 10;

/// What one record adds to its plaintext, at most: its header, a nonce, its kind, its seal.
const RECORD_EXTRA: usize = 5 + 8 + 1 + 16;
