//! The seeds' own surfaces, row by row of `docs/seeds.md`: each test is named after its row. What
//! was wrong in the originals' code (part A.11) has a test each that it is not so here.
#![allow(clippy::disallowed_methods)] // Tests may look at the clock.
// Where tests are left out, what they use stays.
#![cfg_attr(not(unix), allow(unused_imports, dead_code))]

mod codon;
mod defects;
mod julia;
mod mojo;

use std::net::TcpListener;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Runs `test` on a thread of its own: a hang becomes a failure, under the test's name.
#[track_caller]
fn watched<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = channel();
    let running = thread::spawn(move || {
        let result = test();
        let _ = done.send(());
        result
    });
    if finished.recv_timeout(limit()) == Err(RecvTimeoutError::Timeout) {
        panic!("{} hangs", thread::current().name().unwrap_or("a test"));
    }
    running.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))
}

/// No test takes a tenth of it on an idle machine. Emulated ones ask for more.
fn limit() -> Duration {
    let wish = std::env::var("RESEAU_TEST_LIMIT").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(wish.unwrap_or(30))
}

/// A port of the loopback that somebody listens on, while this lives.
struct Taken(TcpListener);

impl Taken {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }
}

/// Runs `test`, of that name, in a process of its own, which may have 256 descriptors: because it
/// counts them, uses them up, or changes what belongs to the process.
#[cfg(target_os = "linux")]
fn alone(name: &str, test: impl FnOnce() + Send + 'static) {
    use std::process::Command;
    const CHILD: &str = "RESEAU_ALONE";
    if std::env::var_os(CHILD).is_some() {
        return test();
    }
    // An emulator runs this program, but not what it starts: its name is to be put in front.
    let emulator = std::env::var("RESEAU_TEST_RUNNER").unwrap_or_default();
    let program = std::env::current_exe().unwrap();
    let words = emulator.split_whitespace().map(std::path::Path::new).chain([&*program]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 256 && exec \"$0\" \"$@\""]).args(words);
    command.args(["--exact", name, "--nocapture"]).env(CHILD, "1");
    let output = watched(move || command.output().unwrap());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// How many descriptors this process has open.
#[cfg(target_os = "linux")]
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
