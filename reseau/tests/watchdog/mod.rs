//! Tests that hang are failures with a name; tests that need a process to themselves get one.
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Runs a test on a thread of its own, and ends the process when it does not end.
pub(crate) fn watched(name: &str, body: impl FnOnce() + Send + 'static) {
    let (done, over) = channel::<()>();
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        let _done = done;
        body();
    });
    let thread = thread.unwrap();
    if over.recv_timeout(limit()) == Err(RecvTimeoutError::Timeout) {
        say(&format!("{name} hangs"));
        std::process::abort();
    }
    if let Err(cause) = thread.join() {
        std::panic::resume_unwind(cause);
    }
}

/// Says something past the capture of tests that pass.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// No test takes a tenth of it on an idle machine. Emulated ones ask for more.
fn limit() -> Duration {
    let wish = std::env::var("RESEAU_TEST_LIMIT").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(wish.unwrap_or(90))
}
