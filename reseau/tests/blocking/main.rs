//! The blocking door: what std's sockets do, and what they do not.
#![allow(clippy::disallowed_methods)] // Tests may look at the clock.

mod batch;
mod deadlines;
mod descriptors;
#[cfg(unix)]
mod fds;
mod listening;
mod streams;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod udp;
mod unix;
#[cfg(unix)]
mod unix_datagram;

use reseau::blocking::{SocketAddr, TcpListener, TcpStream};
use std::io;
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

/// Runs `test`, of that name, in a process of its own, which may have 256 descriptors: because it
/// counts them, or uses them up.
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

/// Whether numbers that the kernel tells of datagrams are true. (Emulators for machines of the
/// other byte order hand them on as they are.)
fn tells_true() -> bool {
    cfg!(target_endian = "little") || std::env::var_os("RESEAU_TEST_RUNNER").is_none()
}

/// A listener on a free port of the loopback.
fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// Two connected TCP streams.
fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = listen();
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    Ok((client, server))
}

/// A stream that ends well when it is left.
trait Leave {
    fn leave(self);
}

macro_rules! leave {
    ($($stream:ty)*) => {$(
        impl Leave for $stream {
            fn leave(self) {}
        }
    )*};
}

leave!(TcpStream reseau::blocking::UnixStream);

/// An address at which nobody listens, and nobody else can while this lives: a connection has it.
/// It is the accepted end's, whose port was bound: Linux may give the other end's to a socket that
/// connects to it, which then talks to itself.
struct Closed(#[allow(dead_code)] TcpStream, TcpStream);

impl Closed {
    fn new() -> Self {
        let (client, server) = tcp_pair().unwrap();
        Self(client, server)
    }

    fn addr(&self) -> SocketAddr {
        self.1.local_addr().unwrap()
    }
}

/// What a timeout of the system ends with.
fn is_timeout(kind: io::ErrorKind) -> bool {
    kind == if cfg!(windows) { io::ErrorKind::TimedOut } else { io::ErrorKind::WouldBlock }
}

/// Bytes of which no two neighbourhoods are alike.
fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at.wrapping_mul(31) >> 3) as u8 ^ (at >> 8) as u8).collect()
}

/// One body, run on TCP streams, on Unix-domain streams, and on TCP streams that speak TLS. What is
/// `plain` makes no sense there, for a reason.
macro_rules! on_pairs {
    (
        $(fn $name:ident($a:ident, $b:ident) $body:block)*
        $(plain $why:literal fn $plain:ident($c:ident, $d:ident) $rest:block)*
    ) => {
        $crate::on_each! {
            tcp: reseau::blocking::TcpStream, $crate::tcp_pair().unwrap();
            $(fn $name($a, $b) $body)* $(fn $plain($c, $d) $rest)*
        }
        #[cfg(unix)] // Windows has no pairs of Unix-domain sockets.
        $crate::on_each! {
            unix: reseau::blocking::UnixStream, Stream::pair().unwrap();
            $(fn $name($a, $b) $body)* $(fn $plain($c, $d) $rest)*
        }
        #[cfg(feature = "tls")]
        $crate::on_each! {
            tls: reseau::blocking::TlsStream, $crate::tls::pair();
            $(fn $name($a, $b) $body)*
        }
    };
}

macro_rules! on_each {
    (
        $module:ident: $stream:ty, $pair:expr;
        $(fn $name:ident($a:ident, $b:ident) $body:block)*
    ) => {
        mod $module {
            #[allow(unused_imports)]
            use super::*;
            type Stream = $stream;
            $(
                #[test]
                fn $name() {
                    $crate::watched(|| {
                        #[allow(unused_mut)]
                        let (mut $a, mut $b): (Stream, Stream) = $pair;
                        $body
                    });
                }
            )*
        }
    };
}
use on_each;
use on_pairs;
