//! `reseau listen` and `reseau echo` with TLS, through the real program.
#![allow(missing_docs)]
#[path = "program/papers.rs"]
mod papers;
mod program;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{ChildStderr, Stdio};
use std::thread;

use papers::Authority;
use program::{LIMIT, Program, drivers};
use reseau::blocking::{self, TlsStream};
use reseau::tls::{Client, Identity, Roots, Version};

/// A `listen` with these arguments, and where it does.
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
        let at = line.trim().strip_prefix("listening tls://127.0.0.1");
        let at = at.unwrap_or_else(|| panic!("{arguments:?} does not listen: {line}"));
        let at = format!("tls://localhost{at}");
        Self { program, stderr, at }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).expect("stderr");
        line.trim_end().to_owned()
    }

    /// The exit code, the rest of stdout and of stderr.
    fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        let (status, lines, _) = self.program.end();
        let mut errors = String::new();
        self.stderr.read_to_string(&mut errors).unwrap();
        (status.code(), lines, errors)
    }
}

fn dial(at: &str, client: &Client) -> std::io::Result<TlsStream> {
    let stream = blocking::connect(at).limit(LIMIT).tls(client).wait()?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

fn trusting(path: &str) -> Client {
    Client::new().trust_only(&Roots::from_file(path).expect("a certificate"))
}

/// Sends from a thread while it reads, so that both directions fill; every byte must come back.
fn exchange(stream: &TlsStream, bytes: usize) {
    let sent: Vec<u8> = (0..bytes).map(|at| (at * 31 % 251) as u8).collect();
    let mut back = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = stream;
            stream.write_all(&sent).expect("the server takes all");
            stream.finish().expect("the end goes out");
        });
        let mut stream = stream;
        stream.read_to_end(&mut back).expect("the server gives all back and ends");
    });
    assert!(back == sent, "{} bytes came back for {}", back.len(), sent.len());
}

#[test]
fn what_is_made_on_the_spot_can_be_checked() {
    let authority = Authority::new();
    let saved = authority.file("saved.pem");
    let arguments = ["tls://:0", "--self-signed", "--save-cert", &saved, "--alpn=a,b", "-v"];
    let mut listening = Listening::start(&arguments);
    let made = listening.line();
    let (names, print) = made.split_once("; SHA-256 ").expect("a fingerprint");
    assert_eq!(names, "self-signed for localhost, 127.0.0.1, ::1");
    let check = format!("to check it: reseau connect {} --ca {saved}", listening.at);
    assert_eq!(listening.line(), check);

    // As it says, with the program itself.
    let arguments = ["connect", "-v", &listening.at, "--ca", &saved, "--alpn=c,b"];
    let mut client = Program::start_with(&arguments, |command| {
        command.stdin(Stdio::piped());
    });
    client.take_stdin().write_all(b"hello\n").unwrap();
    listening.program.line("hello");
    let mut stdin = listening.program.take_stdin();
    stdin.write_all(b"and you\n").unwrap();
    drop(stdin);
    let (status, lines, errors) = client.end();
    assert_eq!((status.code(), lines), (Some(0), vec!["and you".to_owned()]), "{errors}");
    assert!(errors.contains(&format!("  SHA-256  {print}\n")), "{print}: {errors}");
    assert!(errors.contains("  issuer   itself\n"), "{errors}");
    // The second in which it was made may have passed.
    let left = ["89", "90"].map(|days| errors.contains(&format!(" {days} days left\n")));
    assert!(left.contains(&true) && errors.contains(", ALPN b, "), "{errors}");
    let (code, _, errors) = listening.end();
    assert_eq!(code, Some(0), "{errors}");
    // The server's side of it.
    assert!(errors.contains(", ALPN b, not resumed, asked for localhost\n"), "{errors}");
}

#[test]
fn names_are_those_that_are_asked_for() {
    let authority = Authority::new();
    let saved = authority.file("saved.pem");
    let arguments =
        ["tls://127.0.0.1:0", "--self-signed", "--name=x.example", "--name=::7", "--save-cert"];
    let mut listening = Listening::start(&[&arguments[..], &[&saved]].concat());
    assert!(listening.line().starts_with("self-signed for x.example, ::7; SHA-256 "));
    let client = trusting(&saved).server_name("x.example");
    let stream = dial(&listening.at, &client).expect("the name is in it");
    stream.finish().expect("the end goes out");
    drop(listening.program.take_stdin());
    assert_eq!(listening.end().0, Some(0));
}

#[test]
fn clients_that_fail_are_told_of_and_not_served() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.issue("server");
    let ca = authority.file("ca.pem");
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let arguments = ["tls://:0", "--cert", &cert, "--key", &key];
    let mut listening = Listening::start(&arguments);
    // One that does not speak TLS, and one that trusts others.
    let mut stranger = TcpStream::connect(listening.at.replace("tls://localhost", "127.0.0.1"));
    stranger.as_mut().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let said = listening.line();
    assert!(said.starts_with("accept 127.0.0.1:") && said.contains(": tls: "), "{said}");
    dial(&listening.at, &trusting(&other.file("ca.pem"))).expect_err("it does not trust it");
    let said = listening.line();
    assert!(said.starts_with("accept 127.0.0.1:") && said.contains(": tls: "), "{said}");
    // The next is served, for all that.
    let mut stream = dial(&listening.at, &trusting(&ca)).expect("a handshake");
    stream.write_all(b"hello\n").unwrap();
    listening.program.line("hello");
    stream.finish().expect("the end goes out");
    drop(listening.program.take_stdin());
    assert_eq!(listening.end().0, Some(0));
}

#[test]
fn a_client_that_is_cut_is_a_failure() {
    let authority = Authority::new();
    authority.issue("server");
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let mut listening = Listening::start(&["-d", "tls://:0", "--cert", &cert, "--key", &key]);
    let mut stream = dial(&listening.at, &trusting(&authority.file("ca.pem"))).unwrap();
    stream.write_all(b"half of the\n").unwrap();
    listening.program.line("half of the");
    // Without a word, and in order below.
    drop(stream);
    let (code, _, errors) = listening.end();
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("truncated"), "{errors}");
}

#[test]
fn clients_show_certificates_where_that_is_wanted() {
    let authority = Authority::new();
    let ca = authority.file("ca.pem");
    authority.issue("server");
    let identity: Identity = authority.issue("client");
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let arguments =
        ["-v", "--keep", "tls://:0", "--cert", &cert, "--key", &key, "--client-ca", &ca];
    let mut listening = Listening::start(&arguments);
    let stranger = trusting(&ca).oldest(Version::Tls13);
    // In 1.3 a client hears of it only when it reads.
    let _ = dial(&listening.at, &stranger).and_then(|mut stream| stream.read(&mut [0]));
    let said = listening.line();
    assert!(said.starts_with("accept 127.0.0.1:") && said.contains("certificate"), "{said}");
    let mut stream = dial(&listening.at, &trusting(&ca).identity(&identity)).unwrap();
    stream.write_all(b"hello\n").unwrap();
    listening.program.line("hello");
    let told = (0..4).map(|_| listening.line()).collect::<Vec<_>>();
    assert!(told[0].ends_with(" has connected") && told[3] == "  subject  CN=client", "{told:?}");
}

#[test]
fn echo_sends_back_with_tls_on_every_driver() {
    let authority = Authority::new();
    authority.issue("server");
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let client = trusting(&authority.file("ca.pem")).resume(8);
    for driver in drivers() {
        for loops in ["1", "2"] {
            let endpoint = ["tls://127.0.0.1:0", "--cert", &cert, "--key", &key];
            let arguments = [&["echo", "--driver", driver, "--loops", loops], &endpoint[..]];
            let mut server = Program::start(&arguments.concat());
            let at = server.listening().replace("127.0.0.1", "localhost");
            for _ in 0..3 {
                exchange(&dial(&at, &client).expect("a handshake"), 300_000);
            }
        }
    }
}

#[test]
fn echo_makes_a_certificate_of_its_own() {
    let authority = Authority::new();
    let saved = authority.file("saved.pem");
    let mut server = Program::start(&["echo", "tls://:0", "--save-cert", &saved]);
    let at = server.listening();
    let made = server.line("self-signed for ");
    assert!(made.starts_with("localhost, 127.0.0.1, ::1; SHA-256 "), "{made}");
    let check = server.line("to check it: ");
    let port = at.rsplit(':').next().unwrap();
    assert_eq!(check, format!("reseau connect tls://localhost:{port} --ca {saved}"));
    exchange(&dial(&at, &trusting(&saved)).expect("a handshake"), 1_000);
    dial(&at, &trusting(&authority.file("ca.pem"))).expect_err("another issuer");
}

#[cfg(unix)]
#[test]
fn handshakes_are_counted() {
    let authority = Authority::new();
    let saved = authority.file("saved.pem");
    let mut server = Program::start(&["echo", "tls://127.0.0.1:0", "--save-cert", &saved]);
    let at = server.listening();
    let client = trusting(&saved).resume(8);
    for _ in 0..3 {
        exchange(&dial(&at, &client).expect("a handshake"), 1_000);
    }
    dial(&at, &trusting(&authority.file("ca.pem"))).expect_err("another issuer");
    // What has failed there is known here before it is counted.
    while !server.line("0 open, 3 in all").ends_with("tls 3 handshakes, 2 resumed, 1 failed") {}
    let summary = server.stop(rustix::process::Signal::TERM);
    assert!(summary.contains("3 connections, "), "{summary}");
    assert!(summary.ends_with("; tls 3 handshakes, 2 resumed, 1 failed"), "{summary}");
}

#[test]
fn what_makes_no_sense_is_named() {
    let authority = Authority::new();
    authority.issue("server");
    let (cert, missing) = (authority.file("server.pem"), authority.file("missing.pem"));
    let (key, directory) = (authority.file("server.key"), authority.file("none"));
    std::fs::create_dir(&directory).unwrap();
    for (arguments, code, culprit) in [
        (&["listen", "tls://:0"][..], 2, "tls://:0: TLS needs a certificate"),
        (&["listen", "tls://:0", "--name", "x"], 2, "TLS needs a certificate"),
        (&["listen", ":0", "--self-signed"], 2, "--self-signed is for TLS"),
        (&["listen", "unix:/x", "--alpn", "h2"], 2, "--alpn is for TLS"),
        (&["listen", "tls://:0", "--cert", &missing, "--key", &key], 2, "missing.pem: "),
        (&["listen", "tls://:0", "--cert", &cert], 2, "server.pem: "),
        (&["listen", "tls://:0", "--cert", &cert, "--self-signed"], 2, "--self-signed"),
        (&["listen", "tls://:0", "--self-signed", "--client-ca", &directory], 2, "--client-ca "),
        (&["listen", "tls://:0", "--self-signed", "--name", "a b"], 2, "no host's name"),
        (&["listen", "--udp", "tls://:0", "--self-signed"], 2, "--udp is not TLS"),
        (&["listen", "tls://:0", "--self-signed", "--save-cert", &directory], 1, "--save-cert "),
        (&["echo", ":0", "--cert", &cert, "--key", &key], 2, "--cert is for TLS"),
        (&["echo", "tls://:0", "--cert", &cert], 2, "server.pem: "),
    ] {
        let (status, lines, errors) = Program::start(arguments).end();
        assert_eq!((status.code(), lines.len()), (Some(code), 0), "{arguments:?}: {errors}");
        assert!(errors.contains(culprit), "{culprit}: {errors}");
    }
}
