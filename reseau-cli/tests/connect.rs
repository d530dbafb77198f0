//! `reseau connect`, through the real program.
#![allow(missing_docs)]
mod program;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Stdio;
use std::thread;

use program::{Directory, LIMIT, Program};

/// A server for one connection, on a thread: the watchdog of its peer ends it.
fn serve(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        serve(stream);
    });
    addr
}

/// `connect` with these arguments and stdin.
fn connect(arguments: &[&str], stdin: &[u8]) -> (Option<i32>, Vec<String>, String) {
    let mut program = start(arguments);
    // Whoever ends without reading it has a reason, which the test looks at.
    let _ = program.take_stdin().write_all(stdin);
    let (status, lines, errors) = program.end();
    (status.code(), lines, errors)
}

fn start(arguments: &[&str]) -> Program {
    let arguments = [&["connect"], arguments].concat();
    Program::start_with(&arguments, |command| {
        command.stdin(Stdio::piped());
    })
}

#[test]
fn the_end_of_stdin_ends_that_direction_alone() {
    for host in ["127.0.0.1", "localhost", ""] {
        let addr = serve(|mut stream| {
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            writeln!(stream, "{} bytes", said.len()).unwrap();
        });
        let (code, lines, errors) = connect(&[&format!("{host}:{}", addr.port())], b"hello");
        assert_eq!((code, lines), (Some(0), vec!["5 bytes".to_owned()]), "{errors}");
        assert_eq!(errors, "");
    }
}

#[test]
fn the_end_of_the_peer_ends_that_direction_alone() {
    let (tell, told) = std::sync::mpsc::channel();
    let addr = serve(move |mut stream| {
        writeln!(stream, "enough").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        tell.send(said).unwrap();
    });
    let mut program = start(&[&addr.to_string()]);
    let mut stdin = program.take_stdin();
    program.line("enough");
    stdin.write_all(b"not for me").unwrap();
    drop(stdin);
    assert_eq!(told.recv_timeout(LIMIT).as_deref(), Ok("not for me"));
    let (status, _, errors) = program.end();
    assert_eq!(status.code(), Some(0), "{errors}");
}

#[test]
fn files_arrive_as_they_were_and_progress_is_told() {
    let addr = serve(|mut stream| {
        let mut copy = stream.try_clone().unwrap();
        std::io::copy(&mut stream, &mut copy).unwrap();
        copy.shutdown(Shutdown::Write).unwrap();
    });
    let directory = Directory::new("connect-files");
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    // Every byte, no pattern of the length of a buffer.
    let bytes: Vec<u8> =
        (0..5_000_011_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(&from, &bytes).unwrap();
    let program =
        Program::start_with(&["connect", "--progress=always", &addr.to_string()], |command| {
            command.stdin(File::open(&from).unwrap()).stdout(File::create(&to).unwrap());
        });
    let (status, _, errors) = program.end();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert!(std::fs::read(&to).unwrap() == bytes, "the file is another");
    let last = errors.lines().last().unwrap();
    assert!(last.starts_with("sent 4.8 MiB, received 4.8 MiB in "), "{errors}");
}

#[test]
fn progress_has_the_rate_and_the_share_of_a_file() {
    let (tell, told) = std::sync::mpsc::channel();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let addr = serve(move |stream| {
        // Until the test has seen the line.
        tell.send(()).unwrap();
        let _ = gone.recv_timeout(LIMIT);
        drop(stream);
    });
    let directory = Directory::new("connect-progress");
    let file = directory.path().join("file");
    std::fs::write(&file, [7; 4096]).unwrap();
    let arguments = ["connect", "--progress=always", &addr.to_string()];
    let mut program = Program::start_with(&arguments, |command| {
        command.stdin(File::open(&file).unwrap());
    });
    told.recv_timeout(LIMIT).unwrap();
    let mut stderr = BufReader::new(program.take_stderr());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("sent 4.0 KiB of 4.0 KiB (100 %), "), "{line}");
    assert!(line.contains("/s | received 0 B, 0 B/s"), "{line}");
    drop(go);
    let (status, _, _) = program.end();
    assert!(status.code().is_some());
}

#[test]
fn news_are_told_as_they_happen() {
    let addr = serve(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let (code, _, errors) = connect(&["-v", &format!("localhost:{}", addr.port())], b"hello");
    assert_eq!(code, Some(0), "{errors}");
    let at = |what: &str| {
        let found = errors.lines().position(|line| line.contains(what));
        found.unwrap_or_else(|| panic!("{what:?} is not in {errors}"))
    };
    let order = [
        at("localhost: asking"),
        at("127.0.0.1 (system)"),
        at(&format!("{addr}: connecting")),
        at(&format!("connected to {addr} in ")),
        at("stdin has ended"),
        at("sent 5 B, received 0 B in "),
    ];
    assert!(order.is_sorted(), "{order:?}: {errors}");
}

#[test]
fn failures_say_what_was_tried() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, lines, errors) = connect(&[&format!("localhost:{}", closed.port())], b"");
    assert_eq!((code, lines.len()), (Some(1), 0), "{errors}");
    // Lookups and attempts, and the line that every failure has.
    assert!(errors.contains("A localhost") && errors.contains(&closed.to_string()), "{errors}");
    let last = errors.lines().last().unwrap();
    assert!(last.starts_with("reseau: connect localhost:") && last.contains("refused"), "{errors}");

    for (endpoint, culprit) in [
        ("no-such-name.invalid:http", "no-such-name.invalid"),
        ("127.0.0.1:no-such-service", "no such service"),
        ("[fe80::1%no-such-zone]:1", "no-such-zone"),
    ] {
        let (code, _, errors) = connect(&[endpoint], b"");
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains(culprit), "{errors}");
    }
}

#[test]
fn a_connection_that_breaks_is_a_failure() {
    if program::resets_are_lost("a_connection_that_breaks_is_a_failure") {
        return;
    }
    let addr = serve(|stream| {
        // What nobody has read when it is closed, resets it.
        let mut first = [0];
        stream.peek(&mut first).unwrap();
        drop(stream);
    });
    let (code, _, errors) = connect(&[&addr.to_string()], &[1; 100_000]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("reset") || errors.contains("roken pipe"), "{errors}");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let addr = serve(|mut stream| while stream.write_all(&[b'y'; 4096]).is_ok() {});
    let mut program = Program::start_raw(&["connect", &addr.to_string()]);
    let mut stdout = program.take_stdout();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    let (status, _, errors) = program.end();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn silence_ends_it_where_that_is_wanted() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let addr = serve(move |stream| {
        let _ = gone.recv_timeout(LIMIT);
        drop(stream);
    });
    let (code, _, errors) = connect(&["-v", "--wait", "0.05", &addr.to_string()], b"hello");
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("nothing came any more"), "{errors}");
    drop(go);
}

/// A `connect` that waits in vain for room in its stdout, with the first of two answers, while the
/// second is there for it and stdin has ended: what it prints before its end when there is room.
#[cfg(unix)]
#[allow(clippy::disallowed_methods)]
fn what_a_slow_reader_gets(endpoint: &str, second: impl FnOnce()) -> Vec<u8> {
    let (reader, writer, full) = program::full_pipe();
    let arguments = ["connect", "-v", "--progress=always", "--wait", "0.1", endpoint];
    let mut program = Program::start_with(&arguments, |command| {
        command.stdin(Stdio::piped()).stdout(writer);
    });
    let mut stdin = program.take_stdin();
    stdin.write_all(b"asked").unwrap();
    program.news("| received 5 B, ");
    second();
    drop(stdin);
    program.news("stdin has ended");
    // Some times what it waits for: none is silence. Where it has not seen so many, it has not
    // ended either.
    thread::sleep(std::time::Duration::from_secs(1));
    let (status, bytes, errors) = program.end_read(reader);
    assert_eq!(status.code(), Some(0), "{errors}");
    bytes.strip_prefix(&full[..]).expect("what was there before").to_vec()
}

#[cfg(unix)]
#[test]
fn a_reader_that_is_slow_is_no_silence() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let addr = serve(move |mut stream| {
        stream.read_exact(&mut [0; 5]).unwrap();
        stream.write_all(b"first").unwrap();
        gone.recv_timeout(LIMIT).unwrap();
        stream.write_all(&[b'2'; 30_000]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        tell.send(()).unwrap();
    });
    let bytes = what_a_slow_reader_gets(&addr.to_string(), || {
        go.send(()).unwrap();
        told.recv_timeout(LIMIT).unwrap();
    });
    assert!(bytes == [&b"first"[..], &[b'2'; 30_000]].concat(), "only {} bytes", bytes.len());
}

#[cfg(unix)]
#[test]
fn a_reader_that_is_slow_is_no_silence_of_datagrams() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let addr = socket.local_addr().unwrap();
    let answer = socket.try_clone().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let (_, peer) = socket.recv_from(&mut [0; 100]).unwrap();
        socket.send_to(b"first", peer).unwrap();
        tell.send(peer).unwrap();
    });
    let bytes = what_a_slow_reader_gets(&format!("udp://{addr}"), || {
        let peer = told.recv_timeout(LIMIT).unwrap();
        answer.send_to(b" and second", peer).unwrap();
    });
    assert_eq!(String::from_utf8_lossy(&bytes), "first and second");
}

#[test]
fn without_stdin_nothing_is_sent_and_nothing_ended() {
    let (tell, told) = std::sync::mpsc::channel();
    let addr = serve(move |mut stream| {
        stream.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        tell.send(stream.read(&mut [0]).is_err()).unwrap();
        writeln!(stream, "bye").unwrap();
    });
    let (code, lines, errors) = connect(&["--no-stdin", &addr.to_string()], b"");
    assert_eq!((code, lines), (Some(0), vec!["bye".to_owned()]), "{errors}");
    assert_eq!(told.recv_timeout(LIMIT), Ok(true), "bytes or the end of them");
}

#[cfg(unix)]
#[test]
fn interrupted_it_closes_and_says_so() {
    let (tell, told) = std::sync::mpsc::channel();
    let addr = serve(move |mut stream| {
        writeln!(stream, "there").unwrap();
        tell.send(stream.read_to_end(&mut Vec::new()).is_ok()).unwrap();
    });
    let mut program = start(&[&addr.to_string()]);
    let stdin = program.take_stdin();
    program.line("there");
    program.signal(rustix::process::Signal::INT);
    let (status, _, errors) = program.end();
    assert_eq!(status.code(), Some(130), "{status}: {errors}");
    assert_eq!(errors, "reseau: interrupted\n");
    assert_eq!(told.recv_timeout(LIMIT), Ok(true), "the connection was not closed in order");
    drop(stdin);
}

#[test]
fn a_proxy_that_says_nothing_is_not_waited_for() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let addr = serve(move |stream| {
        let _ = gone.recv_timeout(LIMIT);
        drop(stream);
    });
    let proxy = format!("socks5://{addr}");
    let arguments = ["--via", &proxy, "--limit", "0.1", "example.com:80"];
    let (code, _, errors) = connect(&arguments, b"");
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("the deadline has passed"), "{errors}");
    drop(go);
}

#[cfg(unix)]
#[test]
fn interrupted_it_gives_up_dialling() {
    let (tell, told) = std::sync::mpsc::channel();
    let addr = serve(move |mut stream| {
        stream.read_exact(&mut [0; 3]).unwrap();
        tell.send(()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let program = start(&["--via", &format!("socks5://{addr}"), "example.com:80"]);
    told.recv_timeout(LIMIT).expect("a greeting");
    program.signal(rustix::process::Signal::INT);
    let (status, _, errors) = program.end();
    assert_eq!((status.code(), errors.as_str()), (Some(130), "reseau: interrupted\n"));
}

#[cfg(unix)]
#[test]
fn unix_sockets_are_reached_by_endpoint_and_by_path() {
    use std::os::unix::net::UnixListener;
    let directory = Directory::new("connect-unix");
    let path = directory.path().join("socket %41").display().to_string();
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            stream.write_all(said.to_uppercase().as_bytes()).unwrap();
        }
    });
    let endpoint = format!("unix:{}", path.replace('%', "%25"));
    for arguments in [&[endpoint.as_str()][..], &["--unix", &path], &["-U", &path]] {
        let (code, lines, errors) = connect(arguments, b"hello");
        assert_eq!((code, lines), (Some(0), vec!["HELLO".to_owned()]), "{errors}");
    }
}

#[test]
fn datagrams_are_answered_and_end_with_silence() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((count, peer)) = socket.recv_from(&mut bytes) {
            socket.send_to(&[b"to ", &bytes[..count]].concat(), peer).unwrap();
        }
    });
    for arguments in [
        [format!("udp://127.0.0.1:{port}"), "--wait=0.3".to_owned()],
        ["--udp".to_owned(), format!("localhost:{port}")],
        ["-u".to_owned(), format!(":{port}")],
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let mut program = start(&[&["-4"], &arguments[..]].concat());
        let mut stdin = program.take_stdin();
        for word in ["you", "me"] {
            writeln!(stdin, "{word}").unwrap();
            program.line(&format!("to {word}"));
        }
        drop(stdin);
        let (status, lines, errors) = program.end();
        assert_eq!((status.code(), lines.len()), (Some(0), 0), "{errors}");
    }
}

#[cfg(target_os = "linux")] // Others do not tell, or not at once.
#[test]
fn a_port_without_anybody_is_a_failure_of_datagrams() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, _, errors) = connect(&["--udp", "--wait=30", &closed.to_string()], b"hello");
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("refused"), "{errors}");
}

#[test]
fn what_makes_no_sense_exits_with_2() {
    for (arguments, culprit) in [
        (&["127.0.0.1:99999"][..], "column 11"),
        (&["127.0.0.1"], "127.0.0.1"),
        (&["fd:3"], "inherited"),
        (&["--udp", "unix:/x"], "--udp"),
        (&["--udp", "tcp://127.0.0.1:1"], "--udp"),
        (&["--udp", "--unix", "/x"], "--unix"),
        (&["--unix", ""], "missing"),
        (&["--wait", "soon", ":1"], "soon"),
        (&["--via", "ftp://x:1", ":1"], "ftp"),
        (&["--via", "socks5://127.0.0.1:1", "--udp", ":1"], "--via"),
        (&["-4", "-6", ":1"], "-6"),
        (&[], "ENDPOINT"),
    ] {
        let (code, _, errors) = connect(arguments, b"");
        assert_eq!(code, Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(culprit), "{arguments:?}: {errors}");
    }
}
