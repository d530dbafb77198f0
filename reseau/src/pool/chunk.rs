//! Views of memory: [`Chunk`] to read, [`Block`] and [`Buffer`] to fill.
//!
//! # Safety
//!
//! A [`Raw`] is one heap allocation: a header with a count, then bytes. Whoever holds a `Raw`, a
//! `Block` or a `Buffer` is its only owner and may write; `freeze` gives the writing up, and from
//! then on the bytes are only read, until the last `Chunk` hands the `Raw` back or frees it.
//! A chunk's `start` and `len` are set at creation and only ever narrowed, so they stay inside
//! initialised bytes of an allocation that its `owner` keeps alive and does not move.
#![allow(unsafe_code)]

use super::Shared;
use std::alloc::{self, Layout};
use std::cell::RefCell;
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// Bytes, received or to be sent: a view that is cheap to clone, to split and to send across
/// threads. Received chunks lie in blocks of a loop's pool, which get them back when the last view
/// is dropped; chunks of yours lie wherever you had them.
///
/// ```
/// let mut chunk = reseau::Chunk::from(b"hello world".to_vec());
/// let hello = chunk.split_to(5);
/// chunk.advance(1);
/// assert_eq!((&*hello, &*chunk), (&b"hello"[..], &b"world"[..]));
/// ```
pub struct Chunk {
    start: NonNull<u8>,
    len: usize,
    /// What keeps the bytes alive, counted; `None`: they live for ever. (One word: chunks are
    /// moved a lot.)
    owner: Option<NonNull<Header>>,
}

/// An owner whose destructor may panic: it must not end a loop that others share.
struct Guarded<T>(Option<T>);

impl<T: AsRef<[u8]>> AsRef<[u8]> for Guarded<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], T::as_ref)
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let owner = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(owner)));
    }
}

/// Sole ownership of one allocation: a header, then `capacity` bytes.
pub(super) struct Raw(NonNull<Header>);

struct Header {
    views: AtomicUsize,
    capacity: usize,
    last: Last,
}

/// What happens when the last view is dropped.
enum Last {
    /// The allocation goes back to the heap.
    Free,
    /// The allocation goes home to its pool.
    Return(Arc<Shared>),
    /// The bytes lie elsewhere, and their owner is dropped.
    Drop(Arc<dyn AsRef<[u8]> + Send + Sync>),
}

/// One exclusively owned block of a pool.
pub(crate) struct Block(Option<Raw>);

/// A growing piece of the heap that ends as a [`Chunk`]: where small writes are collected.
pub(crate) struct Buffer {
    raw: Raw,
    len: usize,
}

// SAFETY: the bytes are read-only while shared, and the owner's count is atomic.
unsafe impl Send for Chunk {}
// SAFETY: as above: `&Chunk` only reads.
unsafe impl Sync for Chunk {}
// SAFETY: a raw allocation has one owner at a time and no tie to a thread.
unsafe impl Send for Raw {}
// SAFETY: `&Raw` gives no access to the bytes.
unsafe impl Sync for Raw {}

impl Chunk {
    /// A view of bytes that any owner keeps alive. The owner's `as_ref` is called once, here, and
    /// must go on returning the same bytes. Its destructor runs where no lock is held, on whatever
    /// thread (often a loop's, which others share), so a panic in it goes no further.
    pub fn from_owner(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let owner = Arc::new(Guarded(Some(owner)));
        let bytes = (*owner).as_ref();
        let (start, len) = (NonNull::from(bytes).cast(), bytes.len());
        let mut raw = Raw::at_least(0);
        raw.header().last = Last::Drop(owner);
        // None of the allocation's own bytes is shown; it is there for the count.
        let mut chunk = raw.freeze(0);
        (chunk.start, chunk.len) = (start, len);
        chunk
    }

    /// A chunk with its own copy of `bytes`.
    #[must_use]
    pub fn copy_from(bytes: &[u8]) -> Self {
        let mut buffer = Buffer::with_capacity(bytes.len());
        buffer.extend(bytes);
        buffer.freeze()
    }

    /// Whether dropping this view may run code of its owner's.
    #[cfg_attr(not(feature = "async"), allow(dead_code))]
    pub(crate) fn runs_user_code(&self) -> bool {
        // SAFETY: this view keeps the allocation alive, and `last` changes with the last view only.
        self.owner.is_some_and(|header| matches!(unsafe { &header.as_ref().last }, Last::Drop(_)))
    }

    /// Drops the first `count` bytes of the view.
    ///
    /// # Panics
    ///
    /// When the view is shorter than `count`.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.len, "advance by {count} in a chunk of {}", self.len);
        // SAFETY: `count` is within the view.
        self.start = unsafe { self.start.add(count) };
        self.len -= count;
    }

    /// Keeps the first `len` bytes of the view; a longer `len` changes nothing.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Takes the first `count` bytes off into a view of their own; both share the memory.
    ///
    /// # Panics
    ///
    /// When the view is shorter than `count`.
    #[must_use]
    pub fn split_to(&mut self, count: usize) -> Self {
        let mut head = self.clone();
        self.advance(count);
        head.truncate(count);
        head
    }
}

impl Clone for Chunk {
    fn clone(&self) -> Self {
        if let Some(header) = self.owner {
            // SAFETY: this view keeps the allocation alive.
            let views = unsafe { &header.as_ref().views };
            let before = views.fetch_add(1, Ordering::Relaxed);
            assert!(before < isize::MAX as usize, "a chunk has too many views");
        }
        Self { start: self.start, len: self.len, owner: self.owner }
    }
}

/// Whoever owns its bytes elsewhere only lends them.
impl UnwindSafe for Chunk {}
impl RefUnwindSafe for Chunk {}

impl Drop for Chunk {
    fn drop(&mut self) {
        let Some(header) = self.owner else { return };
        // SAFETY: this view keeps the allocation alive until the count says otherwise.
        let views = &unsafe { header.as_ref() }.views;
        // The only view needs no locked instruction to know it: nobody is left to make another.
        if views.load(Ordering::Acquire) == 1 {
            return Raw(header).retire();
        }
        if views.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            Raw(header).retire();
        }
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` and `len` lie within initialised bytes that `owner` keeps alive.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Default for Chunk {
    fn default() -> Self {
        Self { start: NonNull::dangling(), len: 0, owner: None }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

impl PartialEq for Chunk {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Chunk {}

impl PartialEq<[u8]> for Chunk {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Chunk {
    fn eq(&self, other: &[u8; N]) -> bool {
        **self == *other
    }
}

impl From<Vec<u8>> for Chunk {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from_owner(bytes)
    }
}

impl From<String> for Chunk {
    fn from(text: String) -> Self {
        Self::from_owner(text)
    }
}

impl From<&'static [u8]> for Chunk {
    fn from(bytes: &'static [u8]) -> Self {
        Self { start: NonNull::from(bytes).cast(), len: bytes.len(), owner: None }
    }
}

impl<const N: usize> From<&'static [u8; N]> for Chunk {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<&'static str> for Chunk {
    fn from(text: &'static str) -> Self {
        Self::from(text.as_bytes())
    }
}

/// Without a copy: the chunk keeps the bytes alive.
#[cfg(feature = "bytes")]
impl From<bytes::Bytes> for Chunk {
    fn from(bytes: bytes::Bytes) -> Self {
        Self::from_owner(bytes)
    }
}

/// Without a copy: the bytes keep the chunk, and so its block, alive.
#[cfg(feature = "bytes")]
impl From<Chunk> for bytes::Bytes {
    fn from(chunk: Chunk) -> Self {
        Self::from_owner(chunk)
    }
}

impl Block {
    pub(super) fn lend(mut raw: Raw, pool: Arc<Shared>) -> Self {
        raw.header().last = Last::Return(pool);
        Self(Some(raw))
    }

    /// The block's bytes, to be written by a system call or by the kernel.
    pub(crate) fn space(&mut self) -> &mut [MaybeUninit<u8>] {
        self.0.as_mut().expect("owned until consumed").space()
    }

    #[cfg(test)]
    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        self.space()[..bytes.len()].copy_from_slice(as_uninit(bytes));
    }

    /// Whether so few bytes are better copied than to pin the block.
    pub(crate) fn is_few(len: usize, block_size: usize) -> bool {
        len <= block_size / FEW
    }

    /// The first `len` bytes, which whoever calls has had written, as a chunk. Few bytes are
    /// copied out and the block goes home at once, so that a held chunk never pins much.
    pub(crate) fn into_chunk(mut self, len: usize) -> Chunk {
        if Self::is_few(len, self.space().len()) {
            return self.copy_out(len);
        }
        self.0.take().expect("owned until consumed").freeze(len)
    }

    /// A copy of the first `len` bytes, which whoever calls has had written.
    pub(crate) fn copy_out(&mut self, len: usize) -> Chunk {
        let space = &self.space()[..len];
        // SAFETY: the caller had `len` bytes written (by a receive call that said so).
        Chunk::copy_from(unsafe { &*(std::ptr::from_ref(space) as *const [u8]) })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(raw) = self.0.take() {
            raw.retire();
        }
    }
}

impl Buffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { raw: Raw::at_least(capacity), len: 0 }
    }

    /// Appends as many of `bytes` as there is room for, and says how many.
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> usize {
        let room = &mut self.raw.space()[self.len..];
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(as_uninit(&bytes[..count]));
        self.len += count;
        count
    }

    pub(crate) fn freeze(self) -> Chunk {
        self.raw.freeze(self.len)
    }
}

impl Raw {
    /// At least so many bytes, of the heap's.
    fn at_least(capacity: usize) -> Self {
        if capacity > SMALL {
            return Self::large(capacity);
        }
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
        spare.unwrap_or_else(|| Self::allocate(SMALL))
    }

    fn large(capacity: usize) -> Self {
        let fits = capacity..=capacity + capacity / 4;
        let spare = LARGE_SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            let at = spare.iter_mut().rposition(|raw| fits.contains(&raw.header().capacity))?;
            Some(spare.swap_remove(at))
        });
        spare.ok().flatten().unwrap_or_else(|| Self::allocate(capacity))
    }

    pub(super) fn allocate(capacity: usize) -> Self {
        let layout = layout(capacity);
        // SAFETY: a header has a non-zero size.
        let memory = unsafe { alloc::alloc(layout) }.cast::<Header>();
        let Some(header) = NonNull::new(memory) else { alloc::handle_alloc_error(layout) };
        // SAFETY: freshly allocated with the header's layout.
        unsafe { header.write(Header { views: AtomicUsize::new(0), capacity, last: Last::Free }) };
        Self(header)
    }

    /// Gives up writing: the first `len` bytes, all of them written, as a chunk.
    fn freeze(mut self, len: usize) -> Chunk {
        *self.header().views.get_mut() = 1;
        let start = NonNull::from(&mut self.space()[..len]).cast();
        let header = self.0;
        std::mem::forget(self);
        Chunk { start, len, owner: Some(header) }
    }

    /// Goes home to the pool, or to those at hand, or back to the heap.
    fn retire(mut self) {
        let header = self.header();
        match std::mem::replace(&mut header.last, Last::Free) {
            Last::Free => {}
            Last::Return(pool) => return pool.give(self),
            Last::Drop(owner) => drop(owner),
        }
        if self.header().capacity == SMALL {
            let mut small = Some(self);
            let _ = SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < SPARE_MAX {
                    spare.extend(small.take());
                }
            });
        } else if self.header().capacity <= LARGE_MAX {
            // The last few stay.
            let _ = LARGE_SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() == LARGE_SPARE_MAX {
                    spare.remove(0);
                }
                spare.push(self);
            });
        }
    }

    fn header(&mut self) -> &mut Header {
        // SAFETY: the allocation is ours alone, and lives until our drop.
        unsafe { self.0.as_mut() }
    }

    fn space(&mut self) -> &mut [MaybeUninit<u8>] {
        let capacity = self.header().capacity;
        // SAFETY: the bytes lie right behind the header, in the same allocation.
        let bytes = unsafe { self.0.add(1) }.cast();
        // SAFETY: there are `capacity` of them, and they are ours alone.
        unsafe { std::slice::from_raw_parts_mut(bytes.as_ptr(), capacity) }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let layout = layout(self.header().capacity);
        // SAFETY: the header was written in `allocate` and is dropped once, here.
        unsafe { self.0.drop_in_place() };
        // SAFETY: allocated with this very layout; the owner is gone.
        unsafe { alloc::dealloc(self.0.as_ptr().cast(), layout) };
    }
}

fn layout(capacity: usize) -> Layout {
    let bytes = Layout::array::<u8>(capacity).expect("a capacity that fits in memory");
    Layout::new::<Header>().extend(bytes).expect("a capacity that fits in memory").0
}

fn as_uninit(bytes: &[u8]) -> &[MaybeUninit<u8>] {
    // SAFETY: initialised bytes may always be seen as perhaps uninitialised ones.
    unsafe { &*(std::ptr::from_ref(bytes) as *const [MaybeUninit<u8>]) }
}

thread_local! {
    /// Small allocations at hand: a message that was copied out of a block, was echoed, and is
    /// gone, leaves its place to the next.
    static SPARE: RefCell<Vec<Raw>> = const { RefCell::new(Vec::new()) };
    /// Others, of any size: heaps take their time with those. One that is not much greater than
    /// is wanted serves.
    static LARGE_SPARE: RefCell<Vec<Raw>> = const { RefCell::new(Vec::new()) };
}

/// What a small allocation holds: with its header, a quarter of a KiB.
const SMALL: usize = 256 - size_of::<Header>();
/// How many of them a thread keeps: as many as tasks run between two looks at the kernel.
const SPARE_MAX: usize = 64;
/// What is kept of the others: what holds a sealed record of TLS.
const LARGE_MAX: usize = 17 << 10;
/// How many of them a thread keeps: a few, for the task that runs.
const LARGE_SPARE_MAX: usize = 4;
/// A block is copied rather than pinned when at most one part in so many of it is used.
const FEW: usize = 16;

/// How large those are that this thread has at hand.
#[cfg(test)]
pub(super) fn large_at_hand() -> Vec<usize> {
    LARGE_SPARE.with_borrow_mut(|spare| spare.iter_mut().map(|raw| raw.header().capacity).collect())
}
