//! Memory: equal blocks from one budget per loop, lent to the kernel and then to the user.
//!
//! A block goes out as [`Block`] (one owner, may be written) and becomes a [`Chunk`] (shared, read
//! only). When the last view of it is dropped, on whatever thread, it comes home; if a lane was
//! starving for it, the home loop is told.
mod chunk;

pub use chunk::Chunk;
pub(crate) use chunk::{Block, Buffer};

use chunk::Raw;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A loop's own way to its pool: it keeps the block at hand from which few bytes were copied.
pub(crate) struct Supply {
    pool: Pool,
    spare: Option<Block>,
}

/// A budgeted pool of equal blocks. Any thread may return a block; one loop takes them.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

pub(crate) struct Shared {
    block_size: usize,
    free: Mutex<Free>,
    /// Tells the loop that a block came home while lanes starve.
    notify: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

struct Free {
    blocks: Vec<Raw>,
    /// Blocks that may still be allocated before the budget is spent.
    left: usize,
    /// A lane waits for a block: the next return must be told.
    starving: bool,
}

impl Pool {
    pub(crate) fn new(block_size: usize, blocks_max: usize) -> Self {
        let free = Free { blocks: Vec::new(), left: blocks_max, starving: false };
        Self(Arc::new(Shared { block_size, free: Mutex::new(free), notify: OnceLock::new() }))
    }

    /// Who is told when a block comes home to a starving pool. A pool serves one loop.
    pub(crate) fn set_notify(&self, notify: impl Fn() + Send + Sync + 'static) {
        assert!(self.0.notify.set(Box::new(notify)).is_ok(), "a pool serves one loop");
    }

    pub(crate) fn block_size(&self) -> usize {
        self.0.block_size
    }

    /// A block, or `None` when the budget is spent: the caller must wait for a return.
    pub(crate) fn take(&self) -> Option<Block> {
        let raw = {
            let mut free = self.0.free();
            match free.blocks.pop() {
                Some(raw) => Some(raw),
                None if free.left == 0 => return None,
                None => {
                    free.left -= 1;
                    None
                }
            }
        };
        let raw = raw.unwrap_or_else(|| Raw::allocate(self.0.block_size));
        Some(Block::lend(raw, self.0.clone()))
    }

    /// Whether a block can be had. If not, the next return notifies the home. Both under one lock,
    /// so a return cannot slip between the look and the request.
    pub(crate) fn ready_or_starve(&self) -> bool {
        let mut free = self.0.free();
        let ready = !free.blocks.is_empty() || free.left > 0;
        free.starving |= !ready;
        ready
    }
}

impl Supply {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool, spare: None }
    }

    /// Whether a block is at hand, whatever the pool says.
    pub(crate) fn has_spare(&self) -> bool {
        self.spare.is_some()
    }

    /// Fills a block and makes a chunk of what was filled in. Few bytes are copied out, so that a
    /// held chunk never pins much, and the block stays at hand. `None`: the budget is spent.
    pub(crate) fn receive<E>(
        &mut self,
        fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<usize, E>,
    ) -> Option<Result<Chunk, E>> {
        let mut block = self.spare.take().or_else(|| self.pool.take())?;
        let filled = fill(block.space());
        if let Ok(len) = filled
            && !Block::is_few(len, self.pool.block_size())
        {
            return Some(Ok(block.into_chunk(len)));
        }
        let chunk = filled.map(|len| if len == 0 { Chunk::default() } else { block.copy_out(len) });
        self.spare = Some(block);
        Some(chunk)
    }
}

/// What is boxed in it only wakes.
impl UnwindSafe for Shared {}
impl RefUnwindSafe for Shared {}

impl Shared {
    /// Takes a block home. Only a block of this pool may come.
    fn give(&self, raw: Raw) {
        let starving = {
            let mut free = self.free();
            free.blocks.push(raw);
            std::mem::take(&mut free.starving)
        };
        if starving && let Some(notify) = self.notify.get() {
            notify();
        }
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn filled(pool: &Pool, len: usize) -> Chunk {
        let mut block = pool.take().expect("within the budget");
        block.fill(&vec![7; len]);
        block.into_chunk(len)
    }

    #[test]
    fn the_budget_holds_and_blocks_come_home() {
        let pool = Pool::new(1024, 2);
        let (a, b) = (filled(&pool, 1000), filled(&pool, 1000));
        assert!(pool.take().is_none());
        let view = a.clone();
        drop(a);
        assert!(pool.take().is_none(), "a view keeps the block");
        drop(view);
        let again = pool.take().expect("the block came home");
        drop((b, again));
        assert_eq!(pool.0.free().blocks.len(), 2);
    }

    #[test]
    fn what_is_gone_leaves_its_place_to_the_next_of_its_size() {
        // On a thread of its own: what is at hand is a thread's.
        let at_hand = std::thread::spawn(|| {
            let at = |len: usize| Chunk::copy_from(&vec![7; len]).as_ptr().addr();
            let first = at(5_000);
            assert_eq!(at(4_500), first, "a tenth too large");
            assert_ne!(at(2_000), first, "more than twice as large as is wanted");
            assert_eq!(at(5_000), first, "smaller ones are beside it");
            let held: Vec<_> = (0..8).map(|_| Chunk::copy_from(&[7; 6_000])).collect();
            drop(held);
            drop(Chunk::copy_from(&[7; 20_000]));
            chunk::large_at_hand()
        });
        assert_eq!(at_hand.join().unwrap(), vec![6_000; 4], "a few, and none that is very large");
    }

    #[test]
    fn few_bytes_do_not_pin_a_block() {
        let pool = Pool::new(1024, 1);
        let held = filled(&pool, 64);
        assert_eq!(&*held, &[7; 64]);
        assert!(pool.take().is_some(), "64 of 1024 bytes were copied out");
    }

    #[test]
    fn a_return_tells_the_starving_once() {
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        let pool = Pool::new(64, 1);
        pool.set_notify(|| {
            TOLD.fetch_add(1, Ordering::Relaxed);
        });
        let held = filled(&pool, 64);
        drop(held);
        assert_eq!(TOLD.load(Ordering::Relaxed), 0, "nobody starved");
        let held = filled(&pool, 64);
        assert!(!pool.ready_or_starve());
        std::thread::spawn(move || drop(held)).join().unwrap();
        assert_eq!(TOLD.load(Ordering::Relaxed), 1);
        assert!(pool.ready_or_starve());
    }

    #[test]
    fn an_owner_goes_with_the_last_view() {
        struct Owner([u8; 4], Arc<AtomicUsize>);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        impl Drop for Owner {
            fn drop(&mut self) {
                self.1.fetch_add(1, Ordering::Relaxed);
            }
        }
        let gone = Arc::new(AtomicUsize::new(0));
        let mut chunk = Chunk::from_owner(Owner([1, 2, 3, 4], gone.clone()));
        assert!(chunk.runs_user_code() && !Chunk::copy_from(&[1]).runs_user_code());
        let head = chunk.split_to(1);
        drop(Chunk::copy_from(&[9; 4])); // It would lie where the owner did.
        assert_eq!((&*head, &*chunk), (&[1][..], &[2, 3, 4][..]));
        drop(chunk);
        assert_eq!((gone.load(Ordering::Relaxed), &*head), (0, &[1][..]));
        drop(head);
        assert_eq!(gone.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn blocks_outlive_their_pool() {
        let pool = Pool::new(256, 4);
        let chunk = filled(&pool, 200);
        drop(pool);
        assert_eq!(&*chunk, &[7; 200]);
    }
}
