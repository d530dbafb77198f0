//! Loops as other threads see them, and the global one.
use super::{Config, Loop};
use crate::driver::{self, DriverReport, Home, Post};
use crate::error::Fault;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Condvar, Mutex, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// A loop, seen from any thread: where sockets can be homed and tasks started.
///
/// ```
/// use reseau::{Group, Config, TcpListener};
/// let group = Group::new(1, &Config::default())?;
/// let home = group.remotes()[0].clone();
/// reseau::block_on(async {
///     // Used here, homed there.
///     let listener = TcpListener::bind_on(&home, "127.0.0.1:0").await?;
///     assert_ne!(listener.local_addr()?.port(), 0);
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Remote(Arc<Home>);

impl Remote {
    pub(super) fn new(home: Arc<Home>) -> Self {
        Self(home)
    }

    /// The loop that this thread runs, or else the global one.
    pub fn current() -> io::Result<Self> {
        driver::here().map_or_else(Self::global, |home| Ok(Self(home)))
    }

    /// The background loop that homes sockets made outside any loop. It is started by its first
    /// use, runs no tasks of yours, and sends what is queued before the process exits.
    pub fn global() -> io::Result<Self> {
        GLOBAL.get_or_init(start_global).clone().map_err(Fault::to_io)
    }

    /// Starts a task on that loop. The future is made there, so it need not be `Send`.
    ///
    /// Says so when the loop has ended.
    pub fn spawn<F>(&self, make: impl FnOnce() -> F + Send + 'static) -> io::Result<()>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let call = Box::new(move || super::spawn_local(make()).detach());
        self.0.post(Post::Call(call)).map_err(|_| driver::gone())
    }

    /// Which driver runs there, and why.
    #[must_use]
    pub fn driver_report(&self) -> DriverReport {
        self.0.report().clone()
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.0
    }

    /// Asks the loop to end: its tasks are dropped, what is queued may be sent for as long as
    /// `grace`, and its sockets answer every later call with an error.
    pub(super) fn stop(&self, grace: Duration) {
        let _ = self.0.post(Post::Stop(grace));
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("driver", &self.0.report().kind).finish()
    }
}

/// Starts a loop on a thread of its own.
pub(super) fn start(name: &str, config: &Config) -> io::Result<(Remote, JoinHandle<()>)> {
    let (tell, told) = mpsc::channel();
    let config = config.clone();
    let thread =
        std::thread::Builder::new().name(name.into()).spawn(move || match Loop::with(&config) {
            Ok(lp) => {
                let _ = tell.send(Ok(lp.remote()));
                if let Err(error) = lp.run() {
                    eprintln!("reseau: a loop ended: {error}");
                }
            }
            Err(error) => drop(tell.send(Err(error))),
        })?;
    let remote = told.recv().unwrap_or_else(|_| Err(io::Error::other("a loop's thread died")))?;
    Ok((remote, thread))
}

static GLOBAL: OnceLock<Result<Remote, Fault>> = OnceLock::new();

fn start_global() -> Result<Remote, Fault> {
    let (remote, _) = start("reseau", &Config::default()).map_err(|error| Fault::from(&error))?;
    crate::sys::at_exit(drain_global);
    Ok(remote)
}

/// Before the process ends, what was queued on the global loop is sent, if the peers take it.
extern "C" fn drain_global() {
    let Some(Ok(remote)) = GLOBAL.get() else { return };
    let drained = Arc::new((Mutex::new(false), Condvar::new()));
    let told = drained.clone();
    let tell = Box::new(move || {
        *crate::sync::lock(&told.0) = true;
        told.1.notify_all();
    });
    if remote.0.post(Post::Drain(tell)).is_ok() {
        let guard = crate::sync::lock(&drained.0);
        let _ = drained.1.wait_timeout_while(guard, DRAIN_MAX, |drained| !*drained);
    }
}

/// How long the end of a process waits for peers that take nothing.
const DRAIN_MAX: Duration = Duration::from_secs(1);
