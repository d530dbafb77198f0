//! A simulated world: the same program on another kernel, with every choice from one seed.
//!
//! Sockets, time and their hardships are values here. The same seed and the same program give the
//! same run, down to the order of every event, on every machine; another seed gives another order,
//! other partial reads and writes, other delays. A failing seed is a test case.
//!
//! ```
//! use reseau::sim::World;
//! use reseau::{TcpListener, TcpStream};
//! use std::time::Duration;
//!
//! async fn hour_long_echo() -> std::io::Result<Vec<u8>> {
//!     let listener = TcpListener::bind("127.0.0.1:7").await?;
//!     reseau::spawn_local(async move {
//!         let (mut stream, _) = listener.accept().await?;
//!         while let Some(chunk) = stream.recv().await? {
//!             stream.send(chunk).await?;
//!         }
//!         stream.finish().await
//!     });
//!     let mut client = TcpStream::connect("127.0.0.1:7").await?;
//!     reseau::sleep(Duration::from_secs(3600)).await; // Takes no time at all.
//!     client.send("hello").await?;
//!     client.finish().await?;
//!     let mut heard = Vec::new();
//!     while let Some(chunk) = client.recv().await? {
//!         heard.extend_from_slice(&chunk);
//!     }
//!     Ok(heard)
//! }
//!
//! let hash = |seed| {
//!     let world = World::new(seed);
//!     assert_eq!(world.run(hour_long_echo()).unwrap(), b"hello");
//!     world.trace_hash()
//! };
//! assert_eq!(hash(7), hash(7));
//! assert_ne!(hash(7), hash(8));
//! ```
use crate::driver::Kind;
use crate::rt::{Config, Loop};
use crate::sys::sim::{Faults, World as Kernel};
use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

/// One simulated machine and the loop that runs on it.
///
/// A world belongs to its thread: using one of its sockets from another panics, because what two
/// threads do could not be repeated.
pub struct World {
    lp: Loop,
    kernel: Kernel,
    faults: Faults,
}

impl World {
    /// A world without hardships: what is sent arrives, after 10 µs to 1 ms.
    ///
    /// # Panics
    ///
    /// Never on account of the operating system: nothing of it is used.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(&Config { seed, ..Config::default() })
    }

    /// A world whose loop has bounds of your own.
    ///
    /// # Panics
    ///
    /// When the bounds are out of range.
    #[must_use]
    pub fn with(config: &Config) -> Self {
        let config = Config { kind: Some(Kind::Sim), ..config.clone() };
        let lp = Loop::with(&config).unwrap_or_else(|error| panic!("{error}"));
        let Some(kernel) = lp.world() else { unreachable!("a simulated loop has a world") };
        Self { lp, kernel, faults: Faults::default() }
    }

    /// Everything takes from `least` to `most` to arrive.
    #[must_use]
    pub fn latency(self, least: Duration, most: Duration) -> Self {
        self.change(|faults| faults.latency = (least, most.max(least)))
    }

    /// So many of a thousand arrivals take up to a hundred times longer than the longest.
    #[must_use]
    pub fn slow(self, per_mille: u16) -> Self {
        self.change(|faults| faults.slow = per_mille)
    }

    /// So many of a thousand connects are refused although somebody listens.
    #[must_use]
    pub fn refuse(self, per_mille: u16) -> Self {
        self.change(|faults| faults.refused = per_mille)
    }

    /// So many of a thousand sends break their TCP connection.
    #[must_use]
    pub fn reset(self, per_mille: u16) -> Self {
        self.change(|faults| faults.reset = per_mille)
    }

    /// So many of a thousand accepts find no descriptor left.
    #[must_use]
    pub fn exhaust(self, per_mille: u16) -> Self {
        self.change(|faults| faults.accept_exhausted = per_mille)
    }

    /// So many of a thousand accepts find that their connection was aborted.
    #[must_use]
    pub fn abort(self, per_mille: u16) -> Self {
        self.change(|faults| faults.accept_aborted = per_mille)
    }

    /// So many of a thousand UDP datagrams never arrive.
    #[must_use]
    pub fn lose(self, per_mille: u16) -> Self {
        self.change(|faults| faults.lost = per_mille)
    }

    /// So many of a thousand UDP datagrams arrive twice.
    #[must_use]
    pub fn double(self, per_mille: u16) -> Self {
        self.change(|faults| faults.doubled = per_mille)
    }

    /// So many of a thousand reads and writes take all they can, instead of any part of it.
    #[must_use]
    pub fn whole(self, per_mille: u16) -> Self {
        self.change(|faults| (faults.whole_sends, faults.whole_recvs) = (per_mille, per_mille))
    }

    /// Runs a program in the world until it is done.
    ///
    /// # Panics
    ///
    /// When the world stands still: everybody waits, and nothing will ever happen.
    pub fn run<F: Future>(&self, program: F) -> F::Output {
        self.lp.block_on(program)
    }

    /// Removes the path of a Unix socket, as removing its file does.
    pub fn unlink(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.kernel.unlink(path.as_ref())
    }

    /// How long the world has been going on, by its own clock.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.kernel.now()
    }

    /// The hash of everything that happened so far.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.kernel.trace()
    }

    fn change(mut self, change: impl FnOnce(&mut Faults)) -> Self {
        change(&mut self.faults);
        self.kernel.set_faults(self.faults.clone());
        self
    }
}
