//! The only source of time: the real clock, or a simulated world's.
//!
//! A simulated loop sets its world's time on the thread that runs it; everybody else reads the
//! monotonic clock. Nothing else in the crate may ask what time it is (`clippy.toml` checks).
use std::cell::Cell;
#[cfg(feature = "async")]
use std::sync::OnceLock;
#[cfg(feature = "async")]
use std::time::Duration;
use std::time::Instant;

thread_local! {
    // (Clippy of 1.96 asks for the `const` that is there, on some targets.)
    #[allow(clippy::missing_const_for_thread_local)]
    static VIRTUAL: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The present, as this thread's world has it.
#[must_use]
pub fn now() -> Instant {
    VIRTUAL.try_with(Cell::get).ok().flatten().unwrap_or_else(real)
}

/// Sets this thread's virtual time, or gives it back to the real clock. Returns what was set.
#[cfg_attr(not(feature = "async"), allow(dead_code))]
pub(crate) fn set_virtual(at: Option<Instant>) -> Option<Instant> {
    VIRTUAL.with(|cell| cell.replace(at))
}

/// The monotonic clock, whatever this thread's world says.
#[allow(clippy::disallowed_methods)]
pub(crate) fn real() -> Instant {
    Instant::now()
}

/// Lets others have the processor for a moment, in real time whatever this thread's world says.
/// `round` counts the moments: the first ones are short.
#[cfg(feature = "async")]
#[allow(clippy::disallowed_methods)]
pub(crate) fn stand_aside(round: u32) {
    if round < 100 {
        std::thread::yield_now();
    } else {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A point in time that is over, whatever clock one goes by: a deadline that means "do not wait",
/// and that a driver knows without asking what time it is.
#[cfg(feature = "async")]
pub(crate) fn past() -> Instant {
    static PAST: OnceLock<Instant> = OnceLock::new();
    *PAST.get_or_init(real)
}

/// How long it is until `at`: nothing if it is over.
#[cfg(feature = "async")]
pub(crate) fn until(at: Instant) -> Duration {
    if at <= past() { Duration::ZERO } else { at.saturating_duration_since(now()) }
}

/// A point so far away that it means "never": for spans that overflow the clock.
#[cfg(feature = "async")]
pub(crate) fn after(span: Duration) -> Instant {
    let now = now();
    now.checked_add(span).unwrap_or_else(|| now + Duration::from_secs(60 * 60 * 24 * 365 * 30))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::panic::resume_unwind;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread;
    use std::time::Duration;

    /// Runs `test` on a thread of its own: a hang becomes a failure.
    pub(crate) fn watched<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = channel();
        let running = thread::spawn(move || {
            let _ = tell.send(test());
        });
        let end = told.recv_timeout(Duration::from_secs(60));
        assert!(end.as_ref().err() != Some(&RecvTimeoutError::Timeout), "it hangs");
        running.join().unwrap_or_else(|cause| resume_unwind(cause));
        end.expect("it came to its end")
    }
}
