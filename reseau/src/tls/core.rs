//! The state of TLS between two lanes: [`Core`].
//!
//! It says what there is to read, and seals what is to be sent; whoever has its lock moves the
//! bytes. It calls nobody, and waits for nothing.
use std::io::{self, IoSlice};
use std::sync::Arc;

use super::engine::{Engine, NoSeal, Plain};
use super::sealed::{RECORD, Sealed};
use crate::driver::{Errands, Socket};
use crate::error::Operation;
use crate::pool::Chunk;

/// The state of TLS, and what was received and not taken.
pub(super) struct Core {
    pub(super) engine: Engine,
    /// Ciphertext that was received and not fed yet.
    feed: Chunk,
    kept: Kept,
    /// Something was fed since the protocol had a chance to answer.
    fed: bool,
}

/// Plaintext of which somebody wanted more than there was, or a look only. It comes before what
/// the engine has.
#[derive(Default)]
struct Kept {
    head: Chunk,
    tail: Vec<u8>,
}

impl Core {
    pub(super) fn new(engine: Engine, received: Vec<u8>) -> Self {
        let feed = if received.is_empty() { Chunk::default() } else { Chunk::from(received) };
        Self { engine, feed, kept: Kept::default(), fed: false }
    }

    /// How many bytes were received and not taken, decrypted or not.
    pub(super) fn queued(&self) -> usize {
        self.engine.ready() + self.feed.len() + self.kept.len()
    }

    /// Drops the first `count` bytes of what [`head`](Self::head) has shown.
    pub(super) fn consume(&mut self, count: usize) {
        self.kept.drop_front(count);
    }

    /// Has the engine take the next ciphertext that has come; `false` if there is none.
    pub(super) fn feed(&mut self, lane: &Arc<Socket>, errands: &mut Errands) -> bool {
        if self.feed.is_empty() {
            let Some(chunk) = lane.take_chunk(errands) else { return false };
            self.feed = chunk;
        }
        // What is wrong, the engine says from now on, behind what came before.
        match self.engine.feed(&self.feed) {
            Ok(0) => return false, // What is there is to be taken first.
            Ok(count) if count < self.feed.len() => self.feed.advance(count),
            // A view that is kept would keep a block of the pool.
            _ => errands.drop_later(std::mem::take(&mut self.feed)),
        }
        self.fed = true;
        self.say(lane, errands);
        true
    }

    /// Gives its lane what the protocol itself has sealed, whether there is room or not: there is
    /// little of it, however much the peer sends.
    pub(super) fn say(&mut self, lane: &Arc<Socket>, errands: &mut Errands) {
        if self.engine.wants_to_send() {
            let mut sealed = Sealed::new(0);
            sealed.take_from(&mut self.engine);
            lane.post(sealed.into_chunk(), errands);
        }
    }

    /// Before something is waited for. Lets the protocol answer what it would otherwise with the
    /// next plaintext. If there is no room it does: a peer that asks and does not read gets one
    /// answer, not many.
    pub(super) fn rest(&mut self, lane: &Arc<Socket>, errands: &mut Errands) {
        if !std::mem::take(&mut self.fed) {
            return;
        }
        self.engine.relax();
        if lane.send_lane().room() {
            self.engine.answer();
            self.say(lane, errands);
        }
    }

    /// Whether the handshake is over, well or not.
    pub(super) fn handshake(&mut self) -> Option<io::Result<()>> {
        if !self.engine.is_handshaking() {
            return Some(Ok(()));
        }
        self.engine.plain().err().map(|broken| Err(broken.into()))
    }

    pub(super) fn there(&mut self) -> Option<io::Result<()>> {
        if self.kept.len() > 0 {
            return Some(Ok(()));
        }
        match self.engine.plain() {
            Ok(Plain::Starved) => None,
            Ok(_) => Some(Ok(())),
            Err(broken) => Some(Err(broken.into())),
        }
    }

    /// The next bytes, as they were decrypted.
    pub(super) fn next(&mut self) -> Option<io::Result<Option<Chunk>>> {
        if let Some(kept) = self.kept.take() {
            return Some(Ok(Some(kept)));
        }
        match self.engine.plain() {
            Ok(Plain::Bytes(bytes)) => {
                let chunk = Chunk::copy_from(bytes);
                self.engine.consume(chunk.len());
                Some(Ok(Some(chunk)))
            }
            Ok(Plain::End) => Some(Ok(None)),
            Ok(Plain::Starved) => None,
            Err(broken) => Some(Err(broken.into())),
        }
    }

    /// Puts up to `room` bytes, and says how many, and whether more ciphertext is at hand.
    pub(super) fn read(
        &mut self,
        room: usize,
        put: &mut impl FnMut(&[u8]),
    ) -> Option<io::Result<(usize, bool)>> {
        let mut count = 0;
        while count < room {
            if let Some(bytes) = self.kept.front() {
                let step = bytes.len().min(room - count);
                put(&bytes[..step]);
                self.kept.drop_front(step);
                count += step;
                continue;
            }
            match self.engine.plain() {
                Ok(Plain::Bytes(bytes)) => {
                    let step = bytes.len().min(room - count);
                    put(&bytes[..step]);
                    self.engine.consume(step);
                    count += step;
                }
                Ok(Plain::Starved) if count == 0 => return None,
                Err(broken) if count == 0 => return Some(Err(broken.into())),
                _ => break,
            }
        }
        Some(Ok((count, !self.feed.is_empty())))
    }

    /// A view of the first bytes that are there, which stay; empty at the end.
    pub(super) fn head(&mut self) -> Option<io::Result<Chunk>> {
        if self.kept.len() == 0 {
            let next = self.next()?;
            match next {
                Ok(Some(chunk)) => self.kept.head = chunk,
                Ok(None) => return Some(Ok(Chunk::default())),
                Err(error) => return Some(Err(error)),
            }
        }
        self.kept.front();
        Some(Ok(self.kept.head.clone()))
    }

    /// Copies the first bytes that are there, which stay. `None` if there are none, or if `all`
    /// are wanted and there are too few yet.
    pub(super) fn show(&mut self, buf: &mut [u8], all: bool) -> Option<io::Result<usize>> {
        let found = self.keep(buf.len());
        let count = self.kept.copy_to(buf);
        match found {
            _ if count == buf.len() => Some(Ok(count)),
            None if count == 0 || all => None,
            _ if count > 0 => Some(Ok(count)),
            None | Some(Ok(())) => Some(Ok(0)),
            Some(Err(error)) => Some(Err(error)),
        }
    }

    /// Fills `space` from its front once all of it is there, or as much as the window allows, and
    /// says how much that was.
    pub(super) fn exact(&mut self, space: &mut [u8], window: usize) -> Option<io::Result<usize>> {
        if self.kept.len() == 0
            && let Ok(Plain::Bytes(bytes)) = self.engine.plain()
            && (bytes.len() >= space.len() || space.len() > window)
        {
            let count = bytes.len().min(space.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.engine.consume(count);
            return Some(Ok(count));
        }
        // More than the window is taken as it comes, and then one byte is enough to go on.
        let enough = if space.len() > window { 1 } else { space.len() };
        let found = self.keep(enough);
        if self.kept.len() >= enough {
            let count = self.kept.copy_to(space);
            self.kept.drop_front(count);
            return Some(Ok(count));
        }
        found.map(|end| end.and_then(|()| Err(cut_short())))
    }

    /// Keeps plaintext until there are `count` bytes of it; `None` if there is not enough yet, and
    /// else that there is, or what has ended it.
    fn keep(&mut self, count: usize) -> Option<io::Result<()>> {
        while self.kept.len() < count {
            match self.engine.plain() {
                Ok(Plain::Bytes(bytes)) => {
                    let step = bytes.len().min(count - self.kept.len());
                    self.kept.tail.extend_from_slice(&bytes[..step]);
                    self.engine.consume(step);
                }
                Ok(Plain::Starved) => return None,
                Ok(Plain::End) => break,
                Err(broken) => return Some(Err(broken.into())),
            }
        }
        Some(Ok(()))
    }

    pub(super) fn seal_whole(&mut self, bytes: &[u8]) -> io::Result<((), Chunk)> {
        self.sealing()?;
        let (mut sealed, mut left) = (Sealed::new(bytes.len()), bytes);
        while !left.is_empty() {
            let count = self.engine.seal(left);
            if count == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            left = &left[count..];
            sealed.take_from(&mut self.engine);
        }
        Ok(((), sealed.into_chunk()))
    }

    pub(super) fn seal_some(
        &mut self,
        bufs: &[IoSlice<'_>],
        room: usize,
    ) -> io::Result<(usize, Chunk)> {
        self.sealing()?;
        let most = room.clamp(RECORD, WRITE_MAX);
        let all = bufs.iter().fold(0_usize, |sum, buf| sum.saturating_add(buf.len()));
        let count = if all <= most {
            self.engine.seal_parts(bufs)
        } else {
            // Whole pieces as far as they go, or else a part of the first.
            let mut sum = 0_usize;
            let fits = |buf: &&IoSlice<'_>| {
                sum = sum.saturating_add(buf.len());
                sum <= most
            };
            let whole = bufs.iter().take_while(fits).count();
            match bufs[..whole].iter().any(|buf| !buf.is_empty()) {
                true => self.engine.seal_parts(&bufs[..whole]),
                false => self.engine.seal(&bufs[whole][..most]),
            }
        };
        if count == 0 && all > 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut sealed = Sealed::new(count);
        sealed.take_from(&mut self.engine);
        Ok((count, sealed.into_chunk()))
    }

    /// What is wrong with sealing, if anything.
    pub(super) fn sealing(&self) -> io::Result<()> {
        self.engine.sealing().map_err(|why| match why {
            NoSeal::Broken(broken) => broken.met_by(Operation::Send),
            NoSeal::Finished => {
                let what = "the stream was finished: nothing more can be sent";
                io::Error::new(io::ErrorKind::BrokenPipe, what)
            }
        })
    }
}

impl Kept {
    fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// The first bytes, if there are any.
    fn front(&mut self) -> Option<&[u8]> {
        if self.head.is_empty() && !self.tail.is_empty() {
            self.head = Chunk::from(std::mem::take(&mut self.tail));
        }
        (!self.head.is_empty()).then_some(&*self.head)
    }

    fn take(&mut self) -> Option<Chunk> {
        self.front()?;
        Some(std::mem::take(&mut self.head))
    }

    fn copy_to(&self, buf: &mut [u8]) -> usize {
        let first = self.head.len().min(buf.len());
        buf[..first].copy_from_slice(&self.head[..first]);
        let second = self.tail.len().min(buf.len() - first);
        buf[first..first + second].copy_from_slice(&self.tail[..second]);
        first + second
    }

    fn drop_front(&mut self, count: usize) {
        let first = count.min(self.head.len());
        if first == self.head.len() {
            self.head = Chunk::default();
        } else {
            self.head.advance(first);
        }
        let second = (count - first).min(self.tail.len());
        if second == self.tail.len() {
            self.tail = Vec::new(); // Nothing is held while one waits.
        } else if second > 0 {
            self.head = Chunk::from(std::mem::take(&mut self.tail));
            self.head.advance(second);
        }
    }
}

fn cut_short() -> io::Error {
    let what = "the stream ended before all the bytes were there";
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}

/// How much one write takes: four records.
const WRITE_MAX: usize = 4 * RECORD;
