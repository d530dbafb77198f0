//! Sockets that were open when the program began: a child is started with two listeners, as systemd
//! does it, and takes them by name and by number.
#![cfg(all(unix, feature = "async"))]
#![allow(clippy::disallowed_methods)]

#[path = "watchdog/mod.rs"]
mod watchdog;

use reseau::addr::Addr;
use reseau::{block_on, blocking, listen};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use watchdog::watched;

/// What the child is told, and what makes it one.
const CHILD: &str = "RESEAU_INHERITS";

/// A directory of the test's own.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("reseau-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Starts the test of that name in a process of its own, with descriptors 3 and 4.
fn child(test: &str, third: OwnedFd, fourth: OwnedFd, environment: &str) -> Child {
    // An emulator runs this program, but not what it starts: its name is to be put in front.
    let emulator = std::env::var("RESEAU_TEST_RUNNER").unwrap_or_default();
    let program = std::env::current_exe().unwrap();
    let words = emulator.split_whitespace().map(Path::new).chain([&*program]);
    let script = format!("{environment} exec \"$0\" \"$@\" 3<&0 4<&1 0</dev/null 1>&2");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).args(words).args(["--exact", test, "--nocapture"]);
    command.env(CHILD, "1").env_remove("LISTEN_PID").env_remove("LISTEN_FDS");
    command.stdin(Stdio::from(third)).stdout(Stdio::from(fourth)).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// That the child did what it had to.
fn done(child: Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// What a client hears.
fn heard(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn client(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

#[test]
fn systemd_passes_listeners_by_name() {
    if is_child() {
        return taken_by_name();
    }
    watched("systemd_passes_listeners_by_name", || {
        let place = Place::new("named");
        let path = place.0.join("socket");
        let web = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = web.local_addr().unwrap();
        let control = UnixListener::bind(&path).unwrap();
        let environment = "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:control";
        let test = "systemd_passes_listeners_by_name";
        let child = child(test, web.into(), control.into(), environment);
        assert_eq!(heard(client(addr)), "web");
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert_eq!(heard(stream), "control");
        done(child);
    });
}

fn taken_by_name() {
    watched("taken_by_name", || {
        block_on(async {
            let error = listen("systemd:other").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(error.to_string().starts_with("adopt systemd:other"), "{error}");

            let web = listen("systemd:web").await.unwrap();
            assert!(web.covers().unwrap().is_local());
            let error = listen("systemd:web").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
            let error = blocking::listen("fd:3").wait().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "whatever it is called: {error}");
            let (mut stream, _) = web.accept().await.unwrap();
            stream.send("web").await.unwrap();
            stream.close().await.unwrap();

            // Of what is taken, nothing goes on to a program that is started; of the other it does.
            let open = |number: u8| {
                let script = format!(": <&{number}");
                let mut sh = Command::new("sh");
                sh.args(["-c", &script]).stderr(Stdio::null()).status().unwrap().success()
            };
            assert!(!open(3), "it is not closed on exec");
            assert!(open(4), "it was not taken yet");
        });
        let control = blocking::listen("systemd:control").wait().unwrap();
        assert!(matches!(control, blocking::Listener::Unix(_)), "{control:?}");
        let (mut stream, _) = control.accept().unwrap();
        stream.write_all(b"control").unwrap();
        drop(stream);
        // Once is once, also when its number is free again.
        drop(control);
        let error = blocking::listen("fd:4").wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    });
}

#[test]
fn descriptors_are_taken_by_number() {
    if is_child() {
        return taken_by_number();
    }
    watched("descriptors_are_taken_by_number", || {
        let web = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = web.local_addr().unwrap();
        // Not one that listens.
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        // What systemd passed was for a process before.
        let environment = "LISTEN_PID=1 LISTEN_FDS=2";
        let test = "descriptors_are_taken_by_number";
        let child = child(test, web.into(), peer.into(), environment);
        assert_eq!(heard(client(addr)), "by number");
        done(child);
    });
}

fn taken_by_number() {
    watched("taken_by_number", || {
        block_on(async {
            for (at, why) in [("fd:4", "no stream"), ("fd:2", "no socket"), ("fd:77", "number")] {
                let error = listen(at).await.unwrap_err();
                assert!(error.to_string().contains(why), "{at}: {error}");
            }
            let error = listen("systemd:unknown").await.unwrap_err();
            assert!(error.to_string().contains("for another process"), "{error}");
            // What was refused is still there, and what it was.
            eprintln!("the errors still go to descriptor 2");

            let listener = listen("fd:3").await.unwrap();
            let own = listener.local_addr().unwrap();
            assert!(matches!(own, Addr::Inet(_)), "{own}");
            if cfg!(target_os = "linux") {
                assert_eq!(listener.backlog(), Some(128), "as std's listener was told");
            }
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.send("by number").await.unwrap();
            stream.close().await.unwrap();
        });
    });
}

#[test]
fn what_does_not_listen_is_not_taken() {
    if is_child() {
        return left_alone();
    }
    watched("what_does_not_listen_is_not_taken", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = client(listener.local_addr().unwrap());
        let (connection, _) = listener.accept().unwrap();
        let (mut other, file) = UnixStream::pair().unwrap();
        other.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let test = "what_does_not_listen_is_not_taken";
        let child = child(test, connection.into(), file.into(), "LISTEN_PID=$$ LISTEN_FDS=2");
        // They are as they were: the child says something through each by other means.
        let mut byte = [0];
        peer.read_exact(&mut byte).unwrap();
        other.read_exact(&mut byte).unwrap();
        done(child);
    });
}

fn left_alone() {
    watched("left_alone", || {
        for at in ["fd:3", "fd:4", "systemd:unknown"] {
            let errors = [
                blocking::listen(at).wait().unwrap_err(),
                block_on(async { listen(at).await }).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{at}: {error}");
                assert!(error.to_string().contains("does not listen"), "{at}: {error}");
            }
        }
        let mut sh = Command::new("sh");
        assert!(sh.args(["-c", "printf x >&3; printf x >&4"]).status().unwrap().success());
    });
}

/// Nobody's descriptor can be had by guessing its number.
#[test]
fn what_this_program_opened_is_not_taken() {
    use std::os::fd::AsRawFd;
    watched("what_this_program_opened_is_not_taken", || {
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("fd:{}", own.as_raw_fd());
        for error in [
            blocking::listen(&at).wait().unwrap_err(),
            block_on(async { listen(&at).await }).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains("opened by this program"), "{error}");
        }
        let _client = TcpStream::connect(own.local_addr().unwrap()).unwrap();
        own.accept().expect("it is open still");
    });
}
