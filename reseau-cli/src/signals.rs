//! The wishes of whoever started us: SIGINT, SIGTERM, SIGHUP; on Windows Ctrl-C, Ctrl-Break and
//! the closing of the console.
use std::io;
use std::sync::mpsc::Sender;

/// Sends one `wish` when the program is asked to end. The second request ends it on the spot.
pub(crate) fn on_end<T: Clone + Send + 'static>(to: Sender<T>, wish: T) -> io::Result<()> {
    system::each(move |times| {
        if times > 1 {
            std::process::exit(ENDED_TWICE);
        }
        // Nobody listens any more: the program is ending already.
        let _ = to.send(wish.clone());
    })
}

/// What shells report for a program that SIGINT killed.
const ENDED_TWICE: i32 = 130;

#[cfg(unix)]
mod system {
    use std::{io, thread};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    /// Calls `heard` on a thread of its own with 1, 2, 3, … as requests come.
    pub(super) fn each(heard: impl Fn(u32) + Send + 'static) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for (times, _) in (1..).zip(signals.forever()) {
                heard(times);
            }
        })?;
        Ok(())
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    /// Calls `heard` on a thread of its own with 1, 2, 3, … as requests come.
    pub(super) fn each(heard: impl Fn(u32) + Send + 'static) -> io::Result<()> {
        let mut times = 0;
        ctrlc::set_handler(move || {
            times += 1;
            heard(times);
        })
        .map_err(io::Error::other)
    }
}
