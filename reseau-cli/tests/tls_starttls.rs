//! `reseau connect --starttls`, through the real program: the whole way from plaintext to TLS. The
//! dialogues themselves are tested beside their source.
#![allow(missing_docs)]
#[path = "program/papers.rs"]
mod papers;
mod program;
#[path = "program/servers.rs"]
mod servers;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::mpsc;

use papers::{Authority, serve};
use program::{LIMIT, Program};
use reseau::blocking::{TcpStream, TlsStream};
use reseau::tls::Server;

fn connect(arguments: &[&str], stdin: &[u8]) -> (Option<i32>, Vec<String>, String) {
    let arguments = [&["connect"], arguments].concat();
    let mut program = Program::start_with(&arguments, |command| {
        command.stdin(Stdio::piped());
    });
    let _ = program.take_stdin().write_all(stdin);
    let (status, lines, errors) = program.end();
    (status.code(), lines, errors)
}

/// What a server says, byte by byte, and how long the question is that it waits for behind it.
type Script = &'static [(&'static [u8], usize)];

const SCRIPTS: [(&str, Script); 8] = [
    (
        "smtp",
        &[
            (b"220 mail.example ESMTP\r\n", b"EHLO [127.0.0.1]\r\n".len()),
            (b"250-mail.example\r\n250 STARTTLS\r\n", b"STARTTLS\r\n".len()),
            (b"220 go ahead\r\n", 0),
        ],
    ),
    ("imap", &[(b"* OK ready\r\n", b"a1 STARTTLS\r\n".len()), (b"a1 OK begin\r\n", 0)]),
    ("pop3", &[(b"+OK ready\r\n", b"STLS\r\n".len()), (b"+OK begin\r\n", 0)]),
    ("ftp", &[(b"220 ready\r\n", b"AUTH TLS\r\n".len()), (b"234 begin\r\n", 0)]),
    ("ldap", &[(b"", 31), (b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", 0)]),
    (
        "xmpp",
        &[
            (b"", 135),
            (
                b"<stream:stream><stream:features><starttls \
                  xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
                b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".len(),
            ),
            (b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", 0),
        ],
    ),
    ("postgres", &[(b"", 8), (b"S", 0)]),
    (
        "mysql",
        &[(
            b"\x27\x00\x00\x00\x0a8.0.36\x00\x01\x00\x00\x00saltsalt\x00\xff\xff\x2d\x02\x00\
              \xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            36,
        )],
    ),
];

/// Speaks a script. Each question is read to its last byte, and no further: what comes next is TLS.
fn speak(stream: &mut TcpStream, script: Script) {
    for (says, question) in script {
        for byte in *says {
            stream.write_all(&[*byte]).expect("it is taken");
        }
        stream.read_exact(&mut vec![0; *question]).expect("a question");
    }
}

fn count(mut stream: TlsStream) {
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("an end, and no cut");
    writeln!(stream, "{} bytes", said.len()).expect("the other direction is open");
    stream.finish().expect("the end goes out");
    let _ = stream.read(&mut [0]);
}

/// A server that says this and then waits until the client has gone, and tells what it was told.
fn rude(says: &'static [u8]) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let server = Server::new(&Authority::new().issue("server"));
    let (tell, told) = mpsc::channel();
    let talk = move |stream: &mut TcpStream| {
        stream.write_all(says).expect("it is taken");
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        let _ = tell.send(heard);
    };
    (serve(server, talk, drop), told)
}

#[test]
fn every_protocol_leads_to_tls() {
    let authority = Authority::new();
    let server = Server::new(&authority.issue("server"));
    let ca = authority.file("ca.pem");
    for (name, script) in SCRIPTS {
        let addr = serve(server.clone(), move |stream| speak(stream, script), count);
        let to = addr.to_string();
        let arguments = ["-v", "--starttls", name, &to, "--ca", &ca];
        let (code, lines, errors) = connect(&arguments, b"hello");
        assert_eq!((code, lines), (Some(0), vec!["5 bytes".to_owned()]), "{name}: {errors}");
        assert!(errors.contains(&format!("{name}: > ")), "{errors}");
        assert!(errors.contains("TLS 1.3, TLS13_"), "{errors}");
        assert!(errors.contains("  subject  CN=server"), "{errors}");
    }
}

#[test]
fn a_refusal_is_a_failure_in_the_servers_words() {
    for (name, says, said) in [
        (
            "smtp",
            &b"554-5.7.1 no mail\r\n554 5.7.1 for you\r\n"[..],
            "the server refuses TLS: 554 5.7.1 no mail for you",
        ),
        (
            "smtp",
            b"220 a\r\n250-a b\r\n250 HELP\r\n",
            "the server does not offer TLS: 250 a b, HELP",
        ),
        ("imap", b"* PREAUTH welcome\r\n", "the server refuses TLS: * PREAUTH welcome"),
        ("postgres", b"N", "the server does not offer TLS: it answers N"),
        ("postgres", b"Eno process\n\0", "the server refuses TLS: no process"),
        ("pop3", b"HTTP/1.1 400 what?\r\n", "the server answers out of turn: HTTP/1.1 400 what?"),
        ("postgres", b"S\x16\x03", "2 bytes came in plaintext behind the go-ahead"),
    ] {
        let (to, told) = rude(says);
        let to = to.to_string();
        let (code, lines, errors) = connect(&["--starttls", name, &to, "--insecure"], b"secret");
        assert_eq!((code, lines.len()), (Some(1), 0), "{errors}");
        let wanted = format!("reseau: connect {to}: starttls {name}: {said}");
        assert!(errors.starts_with(&wanted), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        let heard = told.recv_timeout(LIMIT).expect("it is gone");
        assert!(!heard.windows(6).any(|part| part == b"secret"), "{heard:?}");
    }
}

#[test]
fn a_server_that_leaves_or_says_nothing_is_not_waited_for() {
    let (tell, told) = mpsc::channel::<()>();
    let server = Server::new(&Authority::new().issue("server"));
    let silent = move |_: &mut TcpStream| {
        let _ = told.recv_timeout(LIMIT);
    };
    let to = serve(server.clone(), silent, drop).to_string();
    let (code, _, errors) = connect(&["--starttls=smtp", "--limit=0.5", &to], b"");
    assert_eq!(code, Some(1), "{errors}");
    // On a busy machine it may be late before it is connected.
    assert!(errors.contains(&format!("reseau: connect {to}: ")), "{errors}");
    assert!(errors.contains("the deadline has passed"), "{errors}");
    if errors.contains("starttls smtp") {
        assert!(errors.ends_with("; the server has said nothing\n"), "{errors}");
    }
    drop(tell);

    let leaves = |stream: &mut TcpStream| {
        // All is read, so that what the client sees is an end.
        stream.read_exact(&mut [0; 8]).expect("a question");
        stream.shutdown(std::net::Shutdown::Write).expect("an end");
        let _ = stream.read(&mut [0]);
    };
    let to = serve(server, leaves, drop).to_string();
    let (code, _, errors) = connect(&["--starttls=postgres", &to], b"");
    assert_eq!(code, Some(1), "{errors}");
    let why = "the server left before TLS began; the server has said nothing\n";
    assert_eq!(errors, format!("reseau: connect {to}: starttls postgres: {why}"));
}

/// Words without their end are words.
#[test]
fn what_was_heard_last_is_told() {
    for (says, said) in [
        (&b"220 mail"[..], "the server began to say: 220 mail"),
        (b"220-mail\r\n220 wait\r\n", "the last that the server said: 220 wait"),
    ] {
        let server = Server::new(&Authority::new().issue("server"));
        let leaves = move |stream: &mut TcpStream| {
            stream.write_all(says).expect("it is taken");
            stream.shutdown(std::net::Shutdown::Write).expect("an end");
            let _ = stream.read_to_end(&mut Vec::new());
        };
        let to = serve(server, leaves, drop).to_string();
        let (code, _, errors) = connect(&["--starttls=smtp", &to], b"");
        assert_eq!(code, Some(1), "{errors}");
        let wanted = format!("starttls smtp: the server left before TLS began; {said}\n");
        assert!(errors.ends_with(&wanted), "{errors}");

        // On a busy machine it may not be connected, or not have heard it, after a second.
        let wanted = format!("starttls smtp: the deadline has passed; {said}\n");
        let mut ends = ["--limit=1", "--limit=4", "--limit=16"].into_iter().map(|limit| {
            let (to, _told) = rude(says);
            let (code, _, errors) = connect(&["--starttls=smtp", limit, &to.to_string()], b"");
            assert_eq!(code, Some(1), "{errors}");
            errors
        });
        assert!(ends.any(|errors| errors.ends_with(&wanted)), "never: {wanted}");
    }
}

#[test]
fn a_reset_is_told_with_what_was_heard() {
    if program::resets_are_lost("a_reset_is_told_with_what_was_heard") {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = listener.local_addr().expect("an address").to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"220 go away\r\n")?;
        // What is left unread when it closes makes the end a reset.
        stream.read_exact(&mut [0])
    });
    let (code, _, errors) = connect(&["--starttls=smtp", &to], b"");
    server.join().expect("no panic").expect("a question");
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.ends_with("; the last that the server said: 220 go away\n"), "{errors}");
    assert!(!errors.contains("the server left"), "{errors}");
}

/// A server that changes its mind behind its go-ahead says so in plaintext.
#[test]
fn plaintext_where_tls_should_begin_is_no_tls() {
    let changes_its_mind = |stream: &mut TcpStream| {
        let (_, script) = SCRIPTS[0];
        speak(stream, script);
        stream.read_exact(&mut [0]).expect("it begins");
        stream.write_all(b"454 no TLS today\r\n").expect("it is taken");
        let _ = stream.read_to_end(&mut Vec::new());
    };
    let server = Server::new(&Authority::new().issue("server"));
    let to = serve(server, changes_its_mind, drop).to_string();
    let (code, _, errors) = connect(&["--starttls=smtp", "--insecure", &to], b"secret");
    assert_eq!(code, Some(1), "{errors}");
    let told = r#"tls: the peer does not speak TLS, but says "454 no TLS today""#;
    assert_eq!(errors, format!("reseau: connect {to}: starttls smtp: {told}\n"));
}

#[test]
fn proxies_lead_to_the_dialogue() {
    let authority = Authority::new();
    let identity = authority.issue_with("server", |params| {
        let name = servers::NAME.try_into().unwrap();
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
    });
    let ca = authority.file("ca.pem");
    let proxies = servers::Proxies::start();
    let (_, script) = SCRIPTS[6];
    let addr = serve(Server::new(&identity), move |stream| speak(stream, script), count);
    let to = format!("{}:{}", servers::NAME, addr.port());
    let way = format!("socks5://{}", proxies.socks5);
    let arguments = ["--starttls=postgres", &to, "--via", &way, "--ca", &ca];
    let (code, lines, errors) = connect(&arguments, b"hello");
    assert_eq!((code, lines), (Some(0), vec!["5 bytes".to_owned()]), "{errors}");
    assert_eq!(proxies.served(), 1);
}

#[test]
fn certificates_are_checked_as_without_it() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::new(&authority.issue("server"));
    let (ours, theirs) = (authority.file("ca.pem"), other.file("ca.pem"));
    for (arguments, said) in [
        (&["--ca", &theirs][..], "tls: certificate's issuer is not among those"),
        (&["--ca", &ours, "--sni=x.example"], "tls: certificate is not for x.example, but for "),
    ] {
        let (_, script) = SCRIPTS[0];
        let addr = serve(
            server.clone(),
            move |stream| speak(stream, script),
            |stream| {
                let _ = (&stream).read(&mut [0]);
            },
        );
        let to = addr.to_string();
        let arguments = [&["--starttls", "smtp", &to], arguments].concat();
        let (code, lines, errors) = connect(&arguments, b"secret");
        assert_eq!((code, lines.len()), (Some(1), 0), "{errors}");
        let wanted = format!("reseau: connect {to}: starttls smtp: {said}");
        assert!(errors.starts_with(&wanted), "{errors}");
    }
}
