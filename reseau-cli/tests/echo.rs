//! `reseau echo`, through the real program.
#![allow(missing_docs)]
mod program;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use program::{LIMIT, Program, drivers};

fn connect(addr: &str) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("the server accepts");
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Sends from a thread while it reads, so that both directions fill; every byte must come back.
fn exchange<S>(stream: &S, bytes: usize, finish: impl FnOnce(&S) + Send)
where
    S: Sync,
    for<'a> &'a S: Read + Write,
{
    let sent: Vec<u8> = (0..bytes).map(|at| (at * 31 % 251) as u8).collect();
    let mut back = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = stream;
            stream.write_all(&sent).expect("the server takes all");
            finish(stream);
        });
        let mut stream = stream;
        stream.read_to_end(&mut back).expect("the server gives all back and ends");
    });
    assert_eq!(back.len(), sent.len());
    assert!(back == sent, "the bytes came back changed");
}

#[test]
fn tcp_comes_back_whole_on_every_driver() {
    for driver in drivers() {
        let mut server = Program::start(&["echo", "--driver", driver, "127.0.0.1:0"]);
        let addr = server.listening();
        let runs = server.line("driver");
        assert!(runs.contains(driver), "asked for {driver}, runs {runs}");
        exchange(&connect(&addr), 3_000_000, |stream| stream.shutdown(Shutdown::Write).unwrap());
    }
}

#[test]
fn several_loops_share_an_address() {
    let mut server = Program::start(&["echo", "--loops", "2", "127.0.0.1:0"]);
    let addr = server.listening();
    for _ in 0..16 {
        exchange(&connect(&addr), 10_000, |stream| stream.shutdown(Shutdown::Write).unwrap());
    }
}

#[test]
fn messages_come_back_while_the_connection_stays_open() {
    let mut server = Program::start(&["echo", "127.0.0.1:0"]);
    let mut stream = connect(&server.listening());
    for message in [&b"one"[..], b"two, longer", b"3"] {
        stream.write_all(message).unwrap();
        let mut back = vec![0; message.len()];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, message);
    }
}

#[test]
fn a_port_alone_is_loopback() {
    let mut server = Program::start(&["echo", ":0"]);
    let addr = server.listening();
    assert!(addr.starts_with("127.0.0.1:"), "{addr}");
    exchange(&connect(&addr), 1, |stream| stream.shutdown(Shutdown::Write).unwrap());
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::UnixStream;

    use rustix::process::Signal;

    use super::*;
    use program::Directory;

    fn connect_unix(path: &str) -> UnixStream {
        let stream = UnixStream::connect(path).expect("the server accepts");
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream
    }

    #[test]
    fn unix_sockets_come_back_whole_and_their_file_goes() {
        let directory = Directory::new("echo");
        let path = directory.path().join("echo.sock");
        let path = path.to_str().unwrap();
        for driver in drivers() {
            let endpoint = format!("unix:{path}");
            let mut server = Program::start(&["echo", "--driver", driver, &endpoint]);
            assert_eq!(server.listening(), endpoint);
            let stream = connect_unix(path);
            exchange(&stream, 1_000_000, |stream| stream.shutdown(Shutdown::Write).unwrap());
            server.stop(Signal::INT);
            assert!(!std::path::Path::new(path).exists(), "the socket's file was left behind");
        }
    }

    #[test]
    fn both_signals_end_it_with_a_summary() {
        for signal in [Signal::TERM, Signal::INT] {
            let mut server = Program::start(&["echo", "127.0.0.1:0"]);
            let addr = server.listening();
            let stream = connect(&addr);
            exchange(&stream, 5_000, |stream| stream.shutdown(Shutdown::Write).unwrap());
            let summary = server.stop(signal);
            assert!(summary.starts_with("stopped"), "{summary}");
            assert!(summary.contains("1 connection,"), "{summary}");
            assert!(summary.contains("4.9 KiB in, 4.9 KiB out"), "{summary}");
        }
    }

    #[test]
    fn a_wish_that_comes_as_several_signals_is_one_wish() {
        for _ in 0..10 {
            let mut server = Program::start(&["echo", "127.0.0.1:0"]);
            server.listening();
            server.signal(Signal::INT);
            server.signal(Signal::TERM);
            assert!(server.stop(Signal::HUP).starts_with("stopped"));
        }
    }

    #[test]
    fn an_idle_client_does_not_hold_up_the_end() {
        let mut server = Program::start(&["echo", "127.0.0.1:0"]);
        let mut stream = connect(&server.listening());
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        let summary = server.stop(Signal::TERM);
        assert!(summary.contains("1 cut off by the end"), "{summary}");
        // The client is told, one way or the other.
        assert!(!matches!(stream.read(&mut [0]), Ok(1..)));
    }

    #[test]
    fn without_endpoints_it_listens_to_all_kinds() {
        let directory = Directory::new("defaults");
        let start = || {
            Program::start_with(&["echo"], |command| {
                command.env("XDG_RUNTIME_DIR", directory.path());
            })
        };
        // The second finds at least the first's places taken, and takes others.
        let (mut first, mut second) = (start(), start());
        let mut places = Vec::new();
        for server in [&mut first, &mut second] {
            let tcp = server.listening();
            let udp = server.line("listening");
            let own = format!("udp://{tcp}");
            assert!(udp == own || udp.contains(&format!("({own} is taken)")), "{udp}");
            let unix = server.listening();
            exchange(&connect(&tcp), 10, |stream| stream.shutdown(Shutdown::Write).unwrap());
            let stream = connect_unix(unix.strip_prefix("unix:").expect("a Unix endpoint"));
            exchange(&stream, 10, |stream| stream.shutdown(Shutdown::Write).unwrap());
            let unixgram = server.listening();
            let path = unixgram.strip_prefix("unixgram:").expect("a Unix endpoint");
            assert!(std::path::Path::new(path).exists());
            let tls = server.listening();
            assert!(tls.starts_with("tls://127.0.0.1:"), "{tls}");
            let made = server.line("self-signed for ");
            assert!(made.starts_with("localhost, 127.0.0.1, ::1; SHA-256 "), "{made}");
            places.extend([tcp, udp, unix, unixgram, tls]);
        }
        places.sort();
        places.dedup();
        assert_eq!(places.len(), 10, "{places:?}");
        first.stop(Signal::TERM);
        second.stop(Signal::TERM);
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    #[test]
    fn the_file_of_a_killed_server_is_taken_over() {
        let directory = Directory::new("killed");
        let path = directory.path().join("echo.sock");
        let endpoint = format!("unix:{}", path.display());
        let mut first = Program::start(&["echo", &endpoint]);
        first.listening();
        first.kill_at(&path);
        assert!(path.exists());
        let mut second = Program::start(&["echo", &endpoint]);
        let told = format!("{endpoint}  (the file of a dead server was in the way)");
        assert_eq!(second.line("listening"), told);
        second.stop(Signal::TERM);
    }

    /// Elsewhere a full backlog looks as if nobody listened.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_path_of_a_server_that_is_stuck_is_in_use() {
        use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
        let directory = Directory::new("stuck");
        let path = directory.path().join("echo.sock");
        let stuck = std::os::unix::net::UnixListener::bind(&path).unwrap();
        net::listen(&stuck, 0).unwrap();
        let addr = SocketAddrUnix::new(&path).unwrap();
        // Whoever connects now waits until the server accepts.
        let mut waiting = Vec::new();
        loop {
            let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
            let client = net::socket_with(family, kind, SocketFlags::NONBLOCK, None).unwrap();
            match net::connect(&client, &addr) {
                Ok(()) => waiting.push(client),
                Err(error) => break assert_eq!(error, rustix::io::Errno::AGAIN),
            }
        }
        for (scheme, why) in [("unix", "somebody listens at this path"), ("unixgram", "in use")] {
            let endpoint = format!("{scheme}:{}", path.display());
            let (status, lines, errors) = Program::start(&["echo", &endpoint]).end();
            assert_eq!((status.code(), lines.len()), (Some(1), 0), "{errors}");
            assert!(errors.contains(why) && errors.contains("echo.sock"), "{errors}");
            assert!(path.exists());
        }
    }

    #[test]
    fn counters_are_printed_when_piped() {
        let mut server = Program::start(&["echo", "127.0.0.1:0"]);
        let mut stream = connect(&server.listening());
        stream.write_all(b"hello").unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        let line = server.line("1 open, 1 in all");
        assert!(line.contains("1 message,") && line.contains("in 5 B, out 5 B"), "{line}");
    }

    #[test]
    fn a_lost_stdout_does_not_end_the_server() {
        let directory = Directory::new("deaf");
        let path = directory.path().join("echo.sock");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let server =
            Program::start_with(&["echo", &format!("unix:{}", path.display())], |command| {
                command.stdout(writer);
            });
        server.wait_for("the socket", || path.exists());
        // Twice: the announcement is lost before the first, perhaps, and surely before the second.
        for _ in 0..2 {
            let stream = connect_unix(path.to_str().unwrap());
            exchange(&stream, 10, |stream| stream.shutdown(Shutdown::Write).unwrap());
        }
        server.signal(Signal::TERM);
        let (status, _, errors) = server.end();
        assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
    }
}
