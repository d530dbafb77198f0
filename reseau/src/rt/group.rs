//! Several loops on threads of their own.
use super::{Config, Remote, remote};
use crate::driver::DriverReport;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A group of loops, each on a thread of its own. Dropping it ends them.
///
/// ```
/// use reseau::{Config, Group};
/// use std::time::Duration;
/// let group = Group::new(2, &Config::default())?;
/// let (tell, told) = std::sync::mpsc::channel();
/// for remote in group.remotes() {
///     let tell = tell.clone();
///     remote.spawn(move || async move { tell.send(std::thread::current().id()) })?;
/// }
/// assert_ne!(told.recv().unwrap(), told.recv().unwrap());
/// group.stop(Duration::from_secs(1));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Group {
    remotes: Vec<Remote>,
    threads: Vec<JoinHandle<()>>,
    turn: AtomicUsize,
}

impl Group {
    /// Starts `loops` loops (at least one), each within the same bounds.
    pub fn new(loops: usize, config: &Config) -> io::Result<Self> {
        let mut group =
            Self { remotes: Vec::new(), threads: Vec::new(), turn: AtomicUsize::new(0) };
        for index in 0..loops.max(1) {
            let (remote, thread) = remote::start(&format!("reseau-{index}"), config)?;
            group.remotes.push(remote);
            group.threads.push(thread);
        }
        Ok(group)
    }

    /// The loops.
    #[must_use]
    pub fn remotes(&self) -> &[Remote] {
        &self.remotes
    }

    /// The loops in turn: where the next thing may live.
    pub fn pick(&self) -> &Remote {
        &self.remotes[self.turn.fetch_add(1, Ordering::Relaxed) % self.remotes.len()]
    }

    /// Which driver the loops run on, and why.
    #[must_use]
    pub fn driver_report(&self) -> DriverReport {
        self.remotes[0].driver_report()
    }

    /// Ends the loops and waits for them. Their tasks are dropped; what those had queued may be
    /// sent for as long as `grace`.
    ///
    /// A task of the group may do this too: its own loop is not waited for, and ends when the task
    /// lets it.
    pub fn stop(mut self, grace: Duration) {
        self.end(grace);
    }

    fn end(&mut self, grace: Duration) {
        self.remotes.iter().for_each(|remote| remote.stop(grace));
        let here = std::thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != here) {
            let _ = thread.join();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end(GRACE);
    }
}

/// How long dropped groups go on sending.
const GRACE: Duration = Duration::from_secs(1);
