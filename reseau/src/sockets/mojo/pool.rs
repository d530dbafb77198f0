//! Workers that connections are fanned out to.
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::{Class, Operation};

/// A number of workers, each of which serves one connection at a time.
///
/// Nobody waits for a worker without bound: there are at most as many connections in line as there
/// are workers, and then no more are accepted, so that the others wait with the system, which
/// refuses them when its backlog is full.
///
/// ```
/// use reseau::sockets::mojo::{IPv4Addr, Pool, Socket};
/// use std::thread;
///
/// let server = Socket::create_server(("127.0.0.1", 0))?;
/// let addr = server.getsockname()?;
/// let clients = thread::spawn(move || {
///     let clients: std::io::Result<Vec<Socket>> =
///         (0..3).map(|_| Socket::create_connection(addr)).collect();
///     clients?.iter().try_for_each(|client| client.recv(&mut [0; 5]).map(|_| ()))
/// });
///
/// fn handler(conn: Socket, _addr: IPv4Addr) {
///     let _ = conn.send_all(b"hello");
/// }
/// let served = Pool::with_workers(2).starmap(handler, server.incoming().take(3))?;
/// assert_eq!(served, 3);
/// clients.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    workers: usize,
}

impl Pool {
    /// As many workers as the machine has processors.
    #[must_use]
    pub fn new() -> Self {
        Self::with_workers(thread::available_parallelism().map_or(1, usize::from))
    }

    /// So many workers: 1 at least, 4096 at most.
    #[must_use]
    pub fn with_workers(workers: usize) -> Self {
        Self { workers: workers.clamp(1, WORKERS_MAX) }
    }

    /// Gives each of the connections, with its address, to a worker, until there are no more, and
    /// says how many there were. It returns when all workers are done, and leaves nothing running.
    ///
    /// A connection that went wrong before it was accepted is passed over; while there are no
    /// descriptors it pauses. A handler that panics ends its own connection; the others go on, and
    /// the panic goes on here in the end.
    ///
    /// # Errors
    /// That of the listener, if it will have no more connections (`TimedOut` if it has a timeout
    /// and none came); or that the system has no thread for even one worker.
    pub fn starmap<C: Send, A: Send>(
        &self,
        handler: impl Fn(C, A) + Sync,
        connections: impl IntoIterator<Item = io::Result<(C, A)>>,
    ) -> io::Result<u64> {
        let (line, waiting) = sync_channel(self.workers);
        let crew = Crew { waiting: Mutex::new(waiting), ..Crew::default() };
        let outcome = thread::scope(|scope| {
            let line = line; // Dropped before the scope waits for the workers.
            for number in 0..self.workers {
                let worker = thread::Builder::new().name(format!("worker {number}"));
                match worker.spawn_scoped(scope, || crew.work(&handler)) {
                    Ok(_) => {}
                    Err(error) if number == 0 => return Err(error),
                    Err(_) => break, // Fewer will do.
                }
            }
            let mut served = 0;
            for connection in connections {
                match connection {
                    Ok(connection) => match line.send(connection) {
                        Ok(()) => served += 1,
                        Err(_) => break, // There are no workers: that cannot be.
                    },
                    Err(error) => match Operation::Accept.class_of(&error) {
                        Class::Retry => {}
                        Class::Wait => crew.pause(),
                        _ => return Err(error),
                    },
                }
            }
            Ok(served)
        });
        match lock(&crew.panic).take() {
            Some(cause) => resume_unwind(cause),
            None => outcome,
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

/// What the workers share.
struct Crew<J> {
    waiting: Mutex<Receiver<J>>,
    /// How many connections are done.
    done: Mutex<u64>,
    news: Condvar,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl<J> Default for Crew<J> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(sync_channel(0).1),
            done: Mutex::default(),
            news: Condvar::new(),
            panic: Mutex::default(),
        }
    }
}

impl<C, A> Crew<(C, A)> {
    /// Serves one connection after the other, until there will be no more.
    fn work(&self, handler: &impl Fn(C, A)) {
        loop {
            let next = lock(&self.waiting).recv();
            let Ok((connection, addr)) = next else { return };
            if let Err(cause) = catch_unwind(AssertUnwindSafe(|| handler(connection, addr))) {
                lock(&self.panic).get_or_insert(cause);
            }
            *lock(&self.done) += 1;
            self.news.notify_all();
        }
    }
}

impl<J> Crew<J> {
    /// Waits until a connection is done, and so perhaps a descriptor free; but not for long.
    fn pause(&self) {
        let done = lock(&self.done);
        let before = *done;
        let _ = self.news.wait_timeout_while(done, PAUSE_MAX, |done| *done == before);
    }
}

/// More threads than that are no help to anybody.
const WORKERS_MAX: usize = 4096;

/// How long to wait for a descriptor, which somebody else may give back too.
const PAUSE_MAX: Duration = Duration::from_millis(50);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
