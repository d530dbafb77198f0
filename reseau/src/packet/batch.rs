//! Many datagrams in one piece of memory.
use std::collections::VecDeque;
use std::{error, fmt, io};

use super::Packet;

mod groups;

/// Memory for many datagrams, which are received or sent with few system calls.
///
/// A batch that is sent loses its datagrams from the front as they go out: what is left was not
/// sent, whatever became of the call. A batch that is received into holds what came, and nothing
/// of before.
///
/// ```
/// use reseau::{Batch, Packet};
/// let mut batch = Batch::new(2, 1200);
/// let peer = Packet::to("127.0.0.1:9".parse::<std::net::SocketAddr>()?);
/// batch.push(&peer, b"one")?;
/// batch.push(&peer, b"two")?;
/// assert!(batch.push(&peer, b"three").is_err());
/// let bytes: Vec<_> = batch.iter().map(|(_, bytes)| bytes).collect();
/// assert_eq!(bytes, [b"one", b"two"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Batch {
    /// Datagrams lie in it one behind the other (pushed), or each in its slot (received).
    bytes: Vec<u8>,
    runs: VecDeque<Run>,
    len: usize,
    /// Where the next pushed datagram goes.
    end: usize,
    packets_max: usize,
    bytes_each: usize,
    /// The longest datagrams that the system may be asked to cut from a long one.
    segment_max: usize,
}

/// Datagrams that differ in nothing but their bytes.
struct Run {
    packet: Packet,
    at: usize,
    /// From the start of one to the start of the next: more than `packet.len` if cut to size.
    stride: usize,
    count: usize,
}

impl Batch {
    /// Room for `packets_max` datagrams of up to `bytes_each` bytes.
    ///
    /// The memory is the product. For a socket that lets the system join datagrams
    /// (`set_gro`), receiving takes 64 KiB for each of up to 32 messages instead, of which only
    /// what comes is touched; a message then holds up to 64 datagrams, so that the batch may hold
    /// more than `packets_max`.
    ///
    /// # Panics
    /// When one of them is zero, or the product is more than `isize::MAX`.
    #[must_use]
    pub fn new(packets_max: usize, bytes_each: usize) -> Self {
        assert!(packets_max > 0 && bytes_each > 0, "a batch needs room for something");
        let bytes = packets_max.checked_mul(bytes_each).filter(|all| isize::try_from(*all).is_ok());
        Self {
            bytes: vec![0; bytes.expect("a batch of more memory than there can be")],
            runs: VecDeque::new(),
            len: 0,
            end: 0,
            packets_max,
            bytes_each,
            segment_max: usize::MAX,
        }
    }

    /// Adds a datagram to be sent: its peer and its wishes are those of `packet`.
    ///
    /// # Errors
    /// [`Full`] when `packets_max` datagrams are in the batch, or `bytes` are more than
    /// `bytes_each`; it is as it was then.
    pub fn push(&mut self, packet: &Packet, bytes: &[u8]) -> Result<(), Full> {
        self.push_with(packet, bytes.len(), |space| space.copy_from_slice(bytes))
    }

    /// As [`push`](Self::push), with `len` bytes that `write` puts where they go out from, which
    /// spares a copy. It finds there what was left by others.
    ///
    /// ```
    /// use reseau::{Batch, Packet};
    /// let mut batch = Batch::new(8, 1200);
    /// batch.push_with(&Packet::connected(), 1200, |space| space.fill(7))?;
    /// assert!(batch.iter().all(|(_, bytes)| bytes == [7; 1200]));
    /// # Ok::<(), reseau::packet::Full>(())
    /// ```
    ///
    /// # Errors
    /// As [`push`](Self::push); `write` is not called then.
    pub fn push_with(
        &mut self,
        packet: &Packet,
        len: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> Result<(), Full> {
        if self.len >= self.packets_max || len > self.bytes_each {
            return Err(Full(()));
        }
        if self.bytes.len() - self.end < len {
            self.pack();
        }
        let at = self.end;
        write(&mut self.bytes[at..at + len]);
        self.end += len;
        self.len += 1;
        let joins = |run: &&mut Run| {
            run.stride == len
                && run.packet.len == len
                && run.at + run.stride * run.count == at
                && run.packet.goes_like(packet)
        };
        if let Some(run) = self.runs.back_mut().filter(joins) {
            run.count += 1;
        } else {
            let mut packet = packet.clone();
            packet.len = len;
            self.runs.push_back(Run { packet, at, stride: len, count: 1 });
        }
        Ok(())
    }

    /// Drops the first `count` datagrams, or all: those that cannot be sent, say.
    pub fn skip(&mut self, count: usize) {
        let mut left = count.min(self.len);
        self.len -= left;
        while left > 0 {
            let Some(run) = self.runs.front_mut() else { break };
            if run.count > left {
                run.count -= left;
                run.at += left * run.stride;
                break;
            }
            left -= run.count;
            self.runs.pop_front();
        }
        if self.len == 0 {
            self.end = 0;
        }
    }

    /// Turns what was received into its answers: each to its sender, as [`Packet::reply`] says,
    /// with the bytes that it has. From the address that it came to, if the socket was asked to
    /// tell that (`tell`); else the system chooses.
    pub fn reply(&mut self) {
        for run in &mut self.runs {
            let len = run.packet.len;
            run.packet = run.packet.reply();
            run.packet.len = len;
        }
    }

    /// Drops all datagrams.
    pub fn clear(&mut self) {
        self.skip(self.len);
    }

    /// Whether the system may be asked to cut many datagrams from a long one (GSO on Linux), which
    /// it is unless switched off here.
    ///
    /// What goes out is the same. A batch remembers when the system or a device refused, and sends
    /// one by one from then on; switching it on makes it forget.
    pub fn set_offload(&mut self, on: bool) {
        self.segment_max = if on { usize::MAX } else { 0 };
    }

    /// How many datagrams there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The datagrams, in the order in which they came or were pushed.
    pub fn iter(&self) -> Iter<'_> {
        Iter { batch: self, run: 0, nth: 0 }
    }

    /// Moves what is left to the start, one behind the other.
    fn pack(&mut self) {
        let mut end = 0;
        for run in &mut self.runs {
            let at = end;
            for nth in 0..run.count {
                let from = run.at + nth * run.stride;
                // Never upwards over what follows: `end` is at most where the run begins, since
                // runs lie in order.
                self.bytes.copy_within(from..from + run.packet.len, end);
                end += run.packet.len;
            }
            (run.at, run.stride) = (at, run.packet.len);
        }
        self.end = end;
    }
}

/// For the calls that receive and send.
impl Batch {
    pub(crate) fn packets_max(&self) -> usize {
        self.packets_max
    }

    pub(crate) fn bytes_each(&self) -> usize {
        self.bytes_each
    }

    /// Makes room for `all` bytes; what was there is gone.
    pub(crate) fn empty(&mut self, all: usize) {
        self.clear();
        if self.bytes.len() < all {
            // Not `resize`: fresh zeros are not touched until something comes.
            self.bytes = vec![0; all];
        }
    }

    /// The room for datagrams to come: `len` bytes from `at`.
    pub(crate) fn room(&mut self, at: usize, len: usize) -> &mut [u8] {
        &mut self.bytes[at..at + len]
    }

    /// Adds what came into the memory at `at`: `packet.len` bytes, which are datagrams of `segment`
    /// bytes (the last may be shorter) if it says so.
    pub(crate) fn received(&mut self, at: usize, packet: Packet, segment: Option<usize>) {
        let whole = packet.len;
        if let Some(stride) = segment.filter(|segment| (1..whole).contains(segment)) {
            let (full, rest) = (whole / stride, whole % stride);
            self.add(at, packet.clone(), stride, stride, full);
            if rest > 0 {
                self.add(at + full * stride, packet, rest, stride, 1);
            }
        } else {
            self.add(at, packet, whole, whole, 1);
        }
        self.end = self.bytes.len(); // Pushing more packs first.
    }

    fn add(&mut self, at: usize, mut packet: Packet, len: usize, stride: usize, count: usize) {
        packet.truncated |= len > self.bytes_each;
        packet.len = len.min(self.bytes_each);
        self.runs.push_back(Run { packet, at, stride, count });
        self.len += count;
    }
}

/// The datagrams of a [`Batch`].
#[derive(Clone)]
pub struct Iter<'a> {
    batch: &'a Batch,
    run: usize,
    nth: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Packet, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let run = self.batch.runs.get(self.run)?;
        let at = run.at + self.nth * run.stride;
        self.nth += 1;
        if self.nth == run.count {
            (self.run, self.nth) = (self.run + 1, 0);
        }
        Some((&run.packet, &self.batch.bytes[at..at + run.packet.len]))
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = (&'a Packet, &'a [u8]);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { len, packets_max, bytes_each, .. } = self;
        let mut form = f.debug_struct("Batch");
        form.field("len", len).field("packets_max", packets_max).field("bytes_each", bytes_each);
        form.finish_non_exhaustive()
    }
}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// A [`Batch`] has no room for a datagram: it has as many as it can hold, or this one is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full(());

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the batch has no room for this datagram")
    }
}

impl error::Error for Full {}

impl From<Full> for io::Error {
    fn from(full: Full) -> Self {
        Self::new(io::ErrorKind::InvalidInput, full)
    }
}

#[cfg(test)]
mod tests;
