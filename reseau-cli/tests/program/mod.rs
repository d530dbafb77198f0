//! The real program, with a watchdog: whatever it does not do in time fails the test by name.
#![allow(dead_code, reason = "each test file uses its own part")]
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// A running `reseau`. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    errors: Option<ChildStderr>,
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    pub(crate) fn start_with(arguments: &[&str], set: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reseau"));
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        set(&mut command);
        let child = command.spawn().expect("the program starts");
        let mut program = Self::new(child);
        if let Some(stdout) = program.child.stdout.take() {
            let (tell, lines) = mpsc::channel();
            program.lines = lines;
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if tell.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        program
    }

    /// With a stdout that the test itself reads.
    pub(crate) fn start_raw(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reseau"));
        command.args(arguments).stdin(Stdio::null());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::new(command.spawn().expect("the program starts"))
    }

    fn new(mut child: Child) -> Self {
        let errors = child.stderr.take();
        let (_, lines) = mpsc::channel();
        Self { child, lines, seen: Vec::new(), errors }
    }

    /// The rest of the first line from here on that starts with `start`.
    pub(crate) fn line(&mut self, start: &str) -> String {
        let deadline = now() + LIMIT;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(now())) {
            self.seen.push(line.clone());
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
        }
        let errors = self.kill();
        panic!("no line `{start}…` within {LIMIT:?}; stdout: {:#?}; stderr: {errors}", self.seen);
    }

    /// Its stdin, if it was started with a pipe. Dropping it ends it.
    pub(crate) fn take_stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("a pipe")
    }

    /// Its stderr, for tests that cannot wait for its end.
    pub(crate) fn take_stderr(&mut self) -> ChildStderr {
        self.errors.take().expect("taken once")
    }

    /// The next line on stderr that has `part` in it; what comes later is for [`end`](Self::end).
    #[cfg(unix)]
    pub(crate) fn news(&mut self, part: &'static str) -> String {
        let mut errors = self.errors.take().expect("taken by nobody");
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let mut seen = Vec::new();
            // Byte by byte: what comes later is for others.
            while !(seen.ends_with(b"\n") && last_line(&seen).contains(part)) {
                let mut byte = [0];
                if !matches!(errors.read(&mut byte), Ok(1)) {
                    break;
                }
                seen.extend(byte);
            }
            let found = last_line(&seen).contains(part);
            let _ = tell.send((found, String::from_utf8_lossy(&seen).into_owned(), errors));
        });
        let Ok((found, seen, errors)) = told.recv_timeout(LIMIT) else {
            let _ = self.child.kill();
            panic!("no news of {part:?} within {LIMIT:?}");
        };
        assert!(found, "it ended without news of {part:?}; stderr: {seen}");
        self.errors = Some(errors);
        last_line(seen.as_bytes()).into_owned()
    }

    /// Its stdout, if it was started raw.
    pub(crate) fn take_stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("a pipe")
    }

    /// Where it listens: the word after `listening`.
    pub(crate) fn listening(&mut self) -> String {
        let line = self.line("listening");
        line.split_whitespace().next().expect("an address").to_owned()
    }

    /// Waits until `done`.
    pub(crate) fn wait_for(&self, what: &str, done: impl Fn() -> bool) {
        wait_for(what, done);
    }

    /// Kills it, and waits until nobody answers any more at its socket's path: a ring's sockets
    /// may outlive its process for a moment.
    #[cfg(unix)]
    pub(crate) fn kill_at(mut self, path: &std::path::Path) {
        self.kill();
        let connect = || std::os::unix::net::UnixStream::connect(path);
        let refused =
            |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
        wait_for("the end of its socket", || connect().is_err_and(|error| refused(&error)));
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("a process"), signal).expect("the signal is sent");
    }

    /// Stops it until SIGCONT. When this returns, none of its threads runs.
    #[cfg(unix)]
    pub(crate) fn freeze(&self) {
        use rustix::process::{Pid, Signal, WaitOptions, waitpid};
        self.signal(Signal::STOP);
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        let (_, status) =
            waitpid(id, WaitOptions::UNTRACED).expect("a child").expect("some news of it");
        assert!(status.stopped(), "it ended: {status:?}");
    }

    /// Ends a server, which must agree; returns its last line.
    #[cfg(unix)]
    pub(crate) fn stop(self, signal: rustix::process::Signal) -> String {
        self.signal(signal);
        let (status, mut lines, errors) = self.end();
        assert_eq!(status.code(), Some(0), "{status}: {errors}");
        assert_eq!(errors, "");
        lines.pop().expect("a summary")
    }

    /// How it ended, and all that there was to read from its stdout meanwhile.
    #[cfg(unix)]
    pub(crate) fn end_read(self, mut stdout: std::io::PipeReader) -> (ExitStatus, Vec<u8>, String) {
        let reading = thread::spawn(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).map(|_| bytes)
        });
        let (status, _, errors) = self.end();
        (status, reading.join().expect("no panic").expect("a stdout"), errors)
    }

    /// How it ended, what it had left to say on stdout, and all of stderr.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>, String) {
        let deadline = now() + LIMIT;
        let status = loop {
            match self.child.try_wait().expect("the child can be waited for") {
                Some(status) => break status,
                None if now() > deadline => {
                    let errors = self.kill();
                    panic!("still running after {LIMIT:?}; stderr: {errors}");
                }
                None => pause(),
            }
        };
        let lines = self.lines.iter().collect();
        (status, lines, self.stderr())
    }

    fn kill(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stderr()
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut errors) = self.errors.take() {
            let _ = errors.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The drivers that run here, by the names that `--driver` takes.
pub(crate) fn drivers() -> Vec<&'static str> {
    let (_, lines, _) = Program::start(&["doctor", "--json"]).end();
    let report: serde_json::Value = serde_json::from_str(&lines.join("\n")).expect("JSON");
    if report["driver"]["kind"] == "uring" { vec!["uring", "ready"] } else { vec!["ready"] }
}

/// A directory of the test's own, removed at its end.
pub(crate) struct Directory(std::path::PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("reseau-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A pipe for a stdout into which nothing fits until somebody reads, and what it is full of.
#[cfg(unix)]
pub(crate) fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter, Vec<u8>) {
    use std::io::{ErrorKind, Write};
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&writer, true).expect("a pipe need not block");
    let mut full = Vec::new();
    // What is too long for the rest of it leaves room for less.
    for piece in [&[b'.'; 512][..], b"."] {
        loop {
            match writer.write(piece) {
                Ok(count) => full.extend(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("the pipe does not fill: {error}"),
            }
        }
    }
    rustix::io::ioctl_fionbio(&writer, false).expect("a pipe may block");
    (reader, writer, full)
}

#[cfg(unix)]
fn last_line(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    String::from_utf8_lossy(bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default())
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let deadline = now() + LIMIT;
    while !done() {
        assert!(now() < deadline, "{what}: not within {LIMIT:?}");
        pause();
    }
}

#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}

#[allow(clippy::disallowed_methods)]
fn pause() {
    thread::sleep(Duration::from_millis(5));
}

/// Wine gives the end of a connection where Windows gives the reset, as luck will have it.
#[allow(dead_code, reason = "each test uses its own part")]
pub(crate) fn resets_are_lost(test: &str) -> bool {
    let wine = cfg!(windows) && std::env::var_os("WINEPREFIX").is_some();
    if wine {
        println!("skipped: {test}: Wine does not pass resets on");
    }
    wine
}

/// Far more than anything here takes, emulation included.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
