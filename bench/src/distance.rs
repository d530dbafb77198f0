//! How far apart the two cores are: the round trip of a cache line between them.
//!
//! A virtual machine's cores are threads of its host, which moves them: together onto one chip, or
//! apart. A message costs up to three times as much when they are apart (measured: 1.7 µs and 4.6
//! µs, at 110 ns and 300 ns), whatever the server does. So this is measured before every visit, and
//! servers are compared within a round.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys;

/// Nanoseconds for a round trip from the calling thread's core to `other`; `None` if the cores were
/// too busy with others to tell, or are one.
pub(crate) fn measure(own: usize, other: usize) -> Option<f64> {
    if own == other {
        return None;
    }
    let ball = Arc::new(Ball::default());
    let far = Arc::clone(&ball);
    let partner = thread::spawn(move || {
        if sys::pin(other).is_ok() {
            far.ready.store(true, Ordering::Release);
            far.answer();
        }
    });
    let best = ball.ask(Instant::now() + LIMIT);
    ball.over.store(true, Ordering::Release);
    // A partner that panicked has already said so.
    let _ = partner.join();
    best
}

#[derive(Default)]
struct Ball {
    /// Odd on the way there, even on the way back.
    place: AtomicU32,
    ready: AtomicBool,
    over: AtomicBool,
}

impl Ball {
    /// The best of some short batches: whoever else runs on a core spoils only a few.
    fn ask(&self, deadline: Instant) -> Option<f64> {
        while !self.ready.load(Ordering::Acquire) {
            if Instant::now() > deadline {
                return None;
            }
            thread::yield_now();
        }
        let mut best: Option<f64> = None;
        for batch in 0..BATCHES {
            let start = Instant::now();
            for i in batch * BATCH..(batch + 1) * BATCH {
                self.place.store(2 * i + 1, Ordering::Release);
                let mut looks = 0_u32;
                while self.place.load(Ordering::Acquire) != 2 * i + 2 {
                    looks += 1;
                    if looks.is_multiple_of(4096) && Instant::now() > deadline {
                        return best;
                    }
                    std::hint::spin_loop();
                }
            }
            let ns = start.elapsed().as_nanos() as f64 / f64::from(BATCH);
            best = Some(best.map_or(ns, |best| best.min(ns)));
        }
        best
    }

    fn answer(&self) {
        while !self.over.load(Ordering::Acquire) {
            let place = self.place.load(Ordering::Acquire);
            if place % 2 == 1 {
                self.place.store(place + 1, Ordering::Release);
            }
        }
    }
}

const BATCHES: u32 = 40;
const BATCH: u32 = 200;
const LIMIT: Duration = Duration::from_millis(60);
