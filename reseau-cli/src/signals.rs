//! The wishes of whoever started us: SIGINT, SIGTERM, SIGHUP; on Windows Ctrl-C, Ctrl-Break and
//! the closing of the console.
use std::io;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use reseau::clock;

/// Sends one `wish` when the program is asked to end. Who asks again after a while has lost
/// patience: that ends it on the spot.
pub(crate) fn on_end<T: Send + 'static>(to: Sender<T>, wish: T) -> io::Result<()> {
    let mut wish = Some(wish);
    let mut first: Option<Instant> = None;
    system::each(move || {
        let now = clock::now();
        let first = *first.get_or_insert(now);
        if let Some(wish) = wish.take() {
            // Nobody listens any more: the program is ending already.
            let _ = to.send(wish);
        } else if now.duration_since(first) > ECHO {
            std::process::exit(IMPATIENT);
        }
    })
}

/// One wish may come as several signals: `timeout` sends one to the program and one to its group,
/// shells and `cargo run` pass on what the terminal has sent already.
const ECHO: Duration = Duration::from_millis(500);
/// What shells report for a program that SIGINT killed.
const IMPATIENT: i32 = 130;

#[cfg(unix)]
mod system {
    use std::{io, thread};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    /// Calls `heard` for each request, on a thread of its own.
    pub(super) fn each(mut heard: impl FnMut() + Send + 'static) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || signals.forever().for_each(|_| heard()))?;
        Ok(())
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    /// Calls `heard` for each request, on a thread of its own.
    pub(super) fn each(heard: impl FnMut() + Send + 'static) -> io::Result<()> {
        ctrlc::set_handler(heard).map_err(io::Error::other)
    }
}
