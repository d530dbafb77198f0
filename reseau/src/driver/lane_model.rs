//! A model of the two lanes: random users, a random but legal kernel, and what must always hold.
//!
//! A byte string drives it, so that `cargo fuzz` (`fuzz/fuzz_targets/lane.rs`) and the property
//! test in `lane_tests.rs` run the same function. Bytes and connections are numbered in the order
//! in which they are made, so a lost, doubled or misplaced one is seen where it comes out.
mod recv;
mod send;

use crate::pool::Chunk;

/// Runs one script. Panics when something that must hold does not.
pub(crate) fn run(bytes: &[u8]) {
    let mut script = Script(bytes);
    match script.byte() % 3 {
        0 => recv::run(&mut script, false),
        1 => recv::run(&mut script, true),
        _ => send::run(&mut script),
    }
}

/// Decisions, in order. Where they end, everything is zero.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// From 1 to `most`.
    fn count(&mut self, most: usize) -> usize {
        let number = usize::from(u16::from_le_bytes([self.byte(), self.byte()]));
        1 + number % most.max(1)
    }

    fn chance(&mut self, in_so_many: u8) -> bool {
        self.byte().is_multiple_of(in_so_many)
    }
}

/// The bytes numbered from `start`: what they are tells which they are.
fn numbered(start: u64, count: usize) -> Vec<u8> {
    (start..).take(count).map(|number| (number % PERIOD) as u8).collect()
}

#[track_caller]
fn assert_numbered(bytes: &[u8], start: u64) {
    let right = (start..).zip(bytes).all(|(number, byte)| number % PERIOD == u64::from(*byte));
    assert!(right, "bytes from {start} on: {bytes:?}");
}

/// A chunk whose owner can be counted.
fn counted(owners: &std::sync::Arc<()>, bytes: Vec<u8>) -> Chunk {
    struct Counted(Vec<u8>, #[allow(dead_code)] std::sync::Arc<()>);
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Chunk::from_owner(Counted(bytes, owners.clone()))
}

/// A prime, so that no power of two hides a shift.
const PERIOD: u64 = 251;
/// The blocks of the model's pool.
const BLOCK: usize = 64;
/// The largest window of a receiving lane.
const WINDOW_MAX: usize = 1024;
