//! The program lets nobody in whose certificate is wrong, however it gets there: the table is the
//! library's.
#![allow(missing_docs)]
#[path = "../../reseau/tests/tls/interop/papers.rs"]
#[allow(dead_code, reason = "each test uses its own part")]
mod papers;
mod program;
#[path = "program/servers.rs"]
mod servers;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::Stdio;
use std::thread::{self, JoinHandle};

use papers::{Desk, Guest, Shown, Trusted, WRONG};
use program::{LIMIT, Program};
use reseau::blocking::{self, TcpListener};
use reseau::tls::{Client, Server};

/// How the program gets to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Dial,
    Around,
    Upgrade,
}

impl Way {
    /// What it is told, to get to that port.
    fn arguments(self, port: u16, proxy: &str) -> Vec<String> {
        let arguments = match self {
            Self::Dial => vec![format!("tls://localhost:{port}")],
            Self::Around => {
                let to = format!("tls://{}:{port}", servers::NAME);
                vec![to, "--via".into(), proxy.into(), "--sni=localhost".into()]
            }
            Self::Upgrade => vec![format!("localhost:{port}"), "--starttls=postgres".into()],
        };
        ["connect".to_owned()].into_iter().chain(arguments).collect()
    }
}

/// A server for one connection: what came of its handshake, and of what it heard.
fn serve(shown: Shown, way: Way) -> (SocketAddr, JoinHandle<io::Result<String>>) {
    let server = Server::new(&shown.papers().identity());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        if way == Way::Upgrade {
            stream.read_exact(&mut [0; 8])?;
            stream.write_all(b"S")?;
        }
        let mut stream = stream.start_tls(&server)?;
        let mut heard = String::new();
        stream.read_to_string(&mut heard)?;
        stream.finish()?;
        Ok(heard)
    });
    (addr, serving)
}

fn run(arguments: &[String]) -> (Option<i32>, Vec<String>, String) {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut program = Program::start_with(&arguments, |command| {
        command.stdin(Stdio::piped());
    });
    let _ = program.take_stdin().write_all(b"secret");
    let (status, lines, errors) = program.end();
    (status.code(), lines, errors)
}

#[test]
fn wrong_servers_are_refused_however_the_program_gets_there() {
    let desk = Desk::new();
    let proxy = format!("http://{}", servers::Proxies::start().connect);
    for (shown, trusted, told) in WRONG {
        for way in [Way::Dial, Way::Around, Way::Upgrade] {
            let ours = format!("--ca={}", desk.path(trusted, "pem"));
            // The system's own roots know none of these; what it says is its own. (Wine has none.)
            let both = [(Some(ours), told), (None, "tls: ")];
            for (roots, told) in both.into_iter().take(if cfg!(windows) { 1 } else { 2 }) {
                let (addr, serving) = serve(shown, way);
                let mut arguments = way.arguments(addr.port(), &proxy);
                arguments.extend(roots);
                let (code, lines, errors) = run(&arguments);
                assert_eq!((code, lines.len()), (Some(1), 0), "{arguments:?}: {errors}");
                let why = errors.lines().last().unwrap_or_default();
                assert!(why.contains(told), "{shown:?}, {arguments:?}: {errors}");
                assert!(serving.join().unwrap().is_err(), "{shown:?}, {arguments:?}");
            }
        }
    }
}

/// What was wrong above was the certificate: nothing else was.
#[test]
fn right_servers_are_not_and_wrong_ones_only_by_a_dangerous_word() {
    let desk = Desk::new();
    let proxy = format!("http://{}", servers::Proxies::start().connect);
    let right = (Shown::P256, format!("--ca={}", desk.path(Trusted::Issuer, "pem")));
    let wrong = WRONG.map(|(shown, ..)| (shown, "--insecure".to_owned()));
    for (shown, roots) in [right].into_iter().chain(wrong) {
        for way in [Way::Dial, Way::Around, Way::Upgrade] {
            let (addr, serving) = serve(shown, way);
            let mut arguments = way.arguments(addr.port(), &proxy);
            arguments.push(roots.clone());
            let (code, _, errors) = run(&arguments);
            assert_eq!(code, Some(0), "{shown:?}, {arguments:?}: {errors}");
            assert_eq!(serving.join().unwrap().unwrap(), "secret", "{shown:?}, {arguments:?}");
        }
    }
}

#[test]
fn wrong_clients_are_not_served() {
    let desk = Desk::new();
    let [cert, key] = ["pem", "key"].map(|kind| desk.path(Shown::P256, kind));
    let ca = desk.path(Trusted::OfGuests, "pem");
    let arguments =
        ["listen", "--keep", "tls://:0", "--cert", &cert, "--key", &key, "--client-ca", &ca];
    let mut program = Program::start(&arguments);
    let mut errors = BufReader::new(program.take_stderr());
    let mut line = || {
        let mut line = String::new();
        errors.read_line(&mut line).expect("stderr");
        line
    };
    let at = line();
    let port = at.trim().rsplit(':').next().expect("a port").to_owned();
    let call = |guest: Option<Guest>| {
        let client = Client::new().trust_only(&Trusted::Issuer.roots());
        let client = match guest {
            Some(guest) => client.identity(&guest.papers().identity()),
            None => client,
        };
        let to = format!("tls://localhost:{port}");
        let mut stream = blocking::connect(to).limit(LIMIT).tls(&client).wait()?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(b"hello\n")?;
        stream.finish()?;
        stream.read_to_end(&mut Vec::new())
    };
    for (guest, told) in [
        (None, "peer sent no certificates"),
        (Some(Guest::Foreign), "issuer is not among"),
        (Some(Guest::Old), "certificate expired"),
        (Some(Guest::ForServers), "is not for client authentication"),
    ] {
        assert!(call(guest).is_err(), "{guest:?}");
        let line = line();
        assert!(line.contains(told), "{guest:?}: {line}");
    }
    call(Some(Guest::Known)).expect("it is let in");
    program.line("hello");
}
