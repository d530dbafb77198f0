//! `reseau listen`, through the real program.
#![allow(missing_docs)]
mod program;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::process::{ChildStderr, Stdio};

use program::{LIMIT, Program};

/// A `listen` with these arguments, and stderr from the line on that says where.
struct Listening {
    program: Program,
    stderr: BufReader<ChildStderr>,
    at: String,
}

impl Listening {
    fn start(arguments: &[&str]) -> Self {
        let arguments = [&["listen"], arguments].concat();
        let mut program = Program::start_with(&arguments, |command| {
            command.stdin(Stdio::piped());
        });
        let mut stderr = BufReader::new(program.take_stderr());
        let mut line = String::new();
        stderr.read_line(&mut line).expect("stderr");
        let at = line.trim().strip_prefix("listening ");
        let at = at.unwrap_or_else(|| panic!("{arguments:?} does not listen: {line}")).to_owned();
        Self { program, stderr, at }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.at).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// The exit code, the rest of stdout and of stderr.
    fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        let (status, lines, _) = self.program.end();
        let mut errors = String::new();
        self.stderr.read_to_string(&mut errors).unwrap();
        (status.code(), lines, errors)
    }
}

#[test]
fn one_connection_is_served_both_ways() {
    for endpoint in ["127.0.0.1:0", ":0", "tcp://localhost:0"] {
        let mut listening = Listening::start(&[endpoint]);
        assert!(listening.at.starts_with("127.0.0.1:"), "{}", listening.at);
        let mut stream = listening.connect();
        stream.write_all(b"hello\n").unwrap();
        listening.program.line("hello");
        let mut stdin = listening.program.take_stdin();
        stdin.write_all(b"and you").unwrap();
        drop(stdin);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "and you");
        // Its end has come, ours has not.
        stream.write_all(b"bye\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let (code, lines, errors) = listening.end();
        assert_eq!((code, lines), (Some(0), vec!["bye".to_owned()]), "{errors}");
        assert_eq!(errors, "");
    }
}

#[test]
fn who_comes_second_is_refused_at_once() {
    let mut listening = Listening::start(&["127.0.0.1:0"]);
    let mut first = listening.connect();
    first.write_all(b"first\n").unwrap();
    listening.program.line("first");
    let at = &listening.at;
    listening.program.wait_for("a refusal", || TcpStream::connect(at).is_err());
    drop(first);
    drop(listening.program.take_stdin());
    let (code, _, errors) = listening.end();
    assert_eq!(code, Some(0), "{errors}");
}

#[cfg(unix)]
#[test]
fn with_keep_one_follows_another_until_a_signal() {
    let mut listening = Listening::start(&["--keep", "-v", "127.0.0.1:0"]);
    let mut stdin = listening.program.take_stdin();
    for round in 0..3 {
        let mut stream = listening.connect();
        writeln!(stream, "round {round}").unwrap();
        listening.program.line(&format!("round {round}"));
        // What is typed between two peers would be for the next: here there is one.
        stdin.write_all(&[b'0' + round]).unwrap();
        let mut said = [0];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(said, [b'0' + round]);
    }
    listening.program.signal(rustix::process::Signal::INT);
    let (code, _, errors) = listening.end();
    assert_eq!(code, Some(130), "{errors}");
    assert_eq!(errors.matches("has connected").count(), 3, "{errors}");
}

#[cfg(unix)]
#[test]
fn with_keep_a_peer_that_breaks_off_is_not_the_end() {
    let mut listening = Listening::start(&["--keep", "--no-stdin", "127.0.0.1:0"]);
    let stream = reseau::blocking::TcpStream::connect(&*listening.at).unwrap();
    stream.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(stream);
    let mut stream = listening.connect();
    writeln!(stream, "still there").unwrap();
    listening.program.line("still there");
}

#[cfg(unix)]
#[test]
fn a_path_is_free_again_whatever_the_end() {
    use std::os::unix::net::UnixStream;
    let directory = program::Directory::new("listen-unix");
    let path = directory.path().join("socket");
    let path = path.display().to_string();
    for end in ["signal", "kill", "peer"] {
        let mut listening = Listening::start(&["--unix", "--no-stdin", &path]);
        assert_eq!(listening.at, format!("unix:{path}"));
        match end {
            "signal" => {
                listening.program.signal(rustix::process::Signal::TERM);
                assert_eq!(listening.end().0, Some(130));
                assert!(!std::path::Path::new(&path).exists());
            }
            // The next one takes over what this one leaves.
            "kill" => listening.program.kill_at(path.as_ref()),
            _ => {
                let mut stream = UnixStream::connect(&path).unwrap();
                writeln!(stream, "hello").unwrap();
                listening.program.line("hello");
                drop(stream);
                assert_eq!(listening.end().0, Some(0));
                assert!(!std::path::Path::new(&path).exists());
            }
        }
    }
}

#[test]
fn datagrams_go_back_to_whoever_was_first() {
    let mut listening = Listening::start(&["--udp", ":0", "--wait", "0.3"]);
    let at = listening.at.strip_prefix("udp://").expect("a scheme").to_owned();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(LIMIT)).unwrap();
    peer.send_to(b"hello\n", &at).unwrap();
    listening.program.line("hello");
    let mut stdin = listening.program.take_stdin();
    stdin.write_all(b"and you").unwrap();
    let mut bytes = [0; 100];
    let (count, from) = peer.recv_from(&mut bytes).unwrap();
    assert_eq!((&bytes[..count], from.to_string()), (&b"and you"[..], at));
    drop(stdin);
    let (code, _, errors) = listening.end();
    assert_eq!(code, Some(0), "{errors}");
}

/// The second of the three is there before the listener can tell the system whom it talks to.
#[cfg(unix)]
#[test]
fn datagrams_of_others_are_not_printed() {
    let (reader, writer, full) = program::full_pipe();
    let arguments = ["listen", "-v", "udp://127.0.0.1:0"];
    let mut program = Program::start_with(&arguments, |command| {
        command.stdout(writer);
    });
    let at = program.news("listening udp://");
    let at = at.trim().strip_prefix("listening udp://").expect("a line of its own");
    let send = |socket: &UdpSocket, text: &str| {
        socket.send_to(text.as_bytes(), at).unwrap();
    };
    let [peer, stranger] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    send(&peer, "first");
    program.news("5 bytes from ");
    send(&stranger, " and a stranger");
    send(&peer, " and second");
    let (status, bytes, errors) = program.end_read(reader);
    assert_eq!(status.code(), Some(0), "{errors}");
    let printed = bytes.strip_prefix(&full[..]).expect("what was there before");
    assert_eq!(String::from_utf8_lossy(printed), "first and second");
}

#[cfg(unix)]
#[test]
fn with_keep_datagrams_of_everybody_are_printed() {
    let mut listening = Listening::start(&["-k", "udp://127.0.0.1:0"]);
    let at = listening.at.strip_prefix("udp://").expect("a scheme").to_owned();
    for word in ["one", "two", "three"] {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.send_to(format!("{word}\n").as_bytes(), &at).unwrap();
        listening.program.line(word);
    }
    listening.program.signal(rustix::process::Signal::INT);
    assert_eq!(listening.end().0, Some(130));
}

#[test]
fn what_is_taken_is_a_failure_and_what_makes_no_sense_a_usage_error() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for (arguments, code, culprit) in [
        (&[taken.as_str()][..], 1, taken.as_str()),
        (&["192.0.2.77:0"], 1, "192.0.2.77"),
        (&["fd:99"], 1, "fd:99"),
        (&["127.0.0.1:99999"], 2, "column 11"),
        (&["tls://:1"], 2, "TLS"),
        (&["--udp", "fd:3"], 2, "--udp"),
        (&["--via", "socks5://x:1", ":1"], 2, "--via"),
    ] {
        let (status, lines, errors) = Program::start(&[&["listen"], arguments].concat()).end();
        assert_eq!(status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(lines.is_empty() && errors.contains(culprit), "{arguments:?}: {errors}");
    }
}
