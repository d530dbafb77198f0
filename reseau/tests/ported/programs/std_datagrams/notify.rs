//! A service tells its manager that it is ready, how it does, and that it is alive.
use super::unix::UnixDatagram;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{env, fs, process, thread};

#[derive(Debug, Default, PartialEq)]
struct State {
    ready: bool,
    stopping: bool,
    status: String,
    beats: u32,
}

impl State {
    fn update(&mut self, message: &str) {
        for line in message.lines() {
            match line.split_once('=') {
                Some(("READY", "1")) => self.ready = true,
                Some(("STOPPING", "1")) => self.stopping = true,
                Some(("STATUS", text)) => self.status = text.to_owned(),
                Some(("WATCHDOG", "1")) => self.beats += 1,
                _ => {}
            }
        }
    }
}

struct Supervisor {
    socket: UnixDatagram,
    path: PathBuf,
    state: State,
}

impl Supervisor {
    fn new(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        Ok(Self { socket, path: path.to_path_buf(), state: State::default() })
    }

    /// Hears the service out. False if it says nothing for as long as that.
    fn hear(&mut self, limit: Duration, until: impl Fn(&State) -> bool) -> io::Result<bool> {
        self.socket.set_read_timeout(Some(limit))?;
        let mut buf = [0; 4096];
        while !until(&self.state) {
            match self.socket.recv(&mut buf) {
                Ok(n) => self.state.update(&String::from_utf8_lossy(&buf[..n])),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// What a library for services offers: each call finds the socket anew.
fn notify(path: &Path, message: &str) -> io::Result<()> {
    let sent = UnixDatagram::unbound()?.send_to(message.as_bytes(), path)?;
    assert_eq!(sent, message.len());
    Ok(())
}

fn service(path: &Path, go_on: &Receiver<()>) -> io::Result<()> {
    notify(path, "STATUS=reading the configuration")?;
    notify(path, "READY=1\nSTATUS=at work")?;
    for _ in 0..30 {
        notify(path, "WATCHDOG=1")?;
    }
    // Here it hangs for a while.
    go_on.recv().unwrap();
    notify(path, "STOPPING=1\nSTATUS=\nMAINPID=1")
}

pub(super) fn main() -> io::Result<()> {
    let thread = format!("{:?}", thread::current().id()).replace(['(', ')'], "");
    let path = env::temp_dir().join(format!("notify-{}-{thread}.sock", process::id()));
    let _ = fs::remove_file(&path);
    assert_eq!(notify(&path, "READY=1").unwrap_err().kind(), ErrorKind::NotFound);
    let mut supervisor = Supervisor::new(&path)?;
    assert!(!supervisor.hear(Duration::from_millis(2), |_| false)?, "nothing runs yet");

    let (waker, go_on) = channel();
    let running = {
        let path = path.clone();
        thread::spawn(move || service(&path, &go_on))
    };
    let long = Duration::from_secs(20);
    assert!(supervisor.hear(long, |state| !state.status.is_empty())?);
    assert_eq!(supervisor.state.status, "reading the configuration");
    assert!(supervisor.hear(long, |state| state.ready)?);
    assert_eq!(supervisor.state.status, "at work");
    assert!(supervisor.hear(long, |state| state.beats == 30)?);
    assert!(!supervisor.hear(Duration::from_millis(20), |state| state.beats > 30)?, "it hangs");
    assert_eq!(supervisor.socket.read_timeout()?, Some(Duration::from_millis(20)));
    waker.send(()).unwrap();
    assert!(supervisor.hear(long, |state| state.stopping)?);
    let last = State { ready: true, stopping: true, status: String::new(), beats: 30 };
    assert_eq!(supervisor.state, last);
    running.join().unwrap()
}
