//! The blocks lent to io_uring, and the ring that names them to the kernel.
//!
//! # Safety
//!
//! A buffer id names a *slot* of `lent`, never a block, so a block may come home by any way and to
//! any slot. While a block lies in `lent` the kernel may write into it: nobody else touches it.
//! The ring's memory is freed only after the ring that it was registered with is closed.
#![allow(unsafe_code)]

use crate::pool::{Block, Chunk, Pool};
use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use std::alloc::{self, Layout};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// Blocks that the kernel may fill, in the order in which it will.
pub(super) struct Blocks {
    entries: NonNull<BufRingEntry>,
    tail: u16,
    published: u16,
    lent: Vec<Option<Block>>,
    empty: Vec<u16>,
    /// How many blocks to lend, at most half of them: grows when a burst finds too few.
    target: usize,
}

impl Blocks {
    pub(super) fn new(ring: &IoUring, blocks_max: usize) -> io::Result<Self> {
        // SAFETY: the layout has a non-zero size. Zeroed entries are valid entries.
        let memory = unsafe { alloc::alloc_zeroed(layout()) }.cast::<BufRingEntry>();
        let entries = NonNull::new(memory).ok_or(io::ErrorKind::OutOfMemory)?;
        let blocks = Self {
            entries,
            tail: 0,
            published: 0,
            lent: (0..SLOTS).map(|_| None).collect(),
            empty: (0..SLOTS).rev().collect(),
            target: (blocks_max / 2).min(TARGET_MIN),
        };
        let memory = memory as u64;
        // SAFETY: page-aligned, large enough, and freed only after the ring closed.
        unsafe { ring.submitter().register_buf_ring_with_flags(memory, SLOTS, GROUP, 0)? };
        Ok(blocks)
    }

    /// Lends blocks until the target is reached or the pool's budget spent.
    pub(super) fn refill(&mut self, pool: &Pool) {
        while self.lent() < self.target {
            let Some(block) = pool.take() else { break };
            let Some(slot) = self.empty.pop() else { break };
            self.lend(slot, block);
        }
        self.publish();
    }

    /// A burst found no block: more are lent from now on.
    pub(super) fn grow(&mut self, blocks_max: usize) {
        self.target = (self.target * 2).min(usize::from(SLOTS)).min(blocks_max / 2);
    }

    pub(super) fn lent(&self) -> usize {
        self.lent.len() - self.empty.len()
    }

    /// What the kernel has put into the block of `slot`. Few bytes are copied out, and the block
    /// is lent again at once; else the chunk takes the block along.
    pub(super) fn take(&mut self, slot: u16, len: usize, block_size: usize) -> Option<Chunk> {
        let mut block = self.lent[usize::from(slot)].take()?;
        if Block::is_few(len, block_size) {
            let chunk = (len > 0).then(|| block.copy_out(len));
            self.lend(slot, block);
            return chunk;
        }
        self.empty.push(slot);
        Some(block.into_chunk(len))
    }

    fn lend(&mut self, slot: u16, mut block: Block) {
        let space = block.space();
        let (address, len) = (space.as_mut_ptr() as u64, space.len() as u32);
        let index = usize::from(self.tail & (SLOTS - 1));
        // SAFETY: `index` is within the ring.
        let entry = unsafe { self.entries.add(index) };
        // SAFETY: the kernel reads entries before the published tail only, and this one is not.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(address);
        entry.set_len(len);
        entry.set_bid(slot);
        self.lent[usize::from(slot)] = Some(block);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what was lent since the last time.
    pub(super) fn publish(&mut self) {
        if self.published == self.tail {
            return;
        }
        // SAFETY: the ring's tail lies in the first entry's reserved field.
        let tail = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: aligned, and shared with the kernel as a 16-bit atomic.
        let tail = unsafe { &*tail.cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
        self.published = self.tail;
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout; `Uring` drops its ring first.
        unsafe { alloc::dealloc(self.entries.as_ptr().cast(), layout()) };
    }
}

fn layout() -> Layout {
    let size = size_of::<BufRingEntry>() * usize::from(SLOTS);
    Layout::from_size_align(size, 4096).expect("a constant")
}

pub(super) const GROUP: u16 = 0;
/// Places in the ring, a power of two: what one burst may fill.
const SLOTS: u16 = 1024;
/// Blocks lent at first: few, so that they stay in the cache.
const TARGET_MIN: usize = 32;
