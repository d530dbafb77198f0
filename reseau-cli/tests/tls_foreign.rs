//! `reseau` beside the `openssl` program and Python's ssl, as client and as server. What is not
//! installed is left out, and the test says so.
#![allow(missing_docs)]
#[path = "program/papers.rs"]
mod papers;
mod program;

use std::io::Write;
use std::process::{Command, Stdio};

use papers::Authority;
use program::Program;

/// Another program, with the watchdog of ours.
fn foreign(words: &[&str]) -> Program {
    Program::start_with(&[], |command| {
        *command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    })
}

fn reseau(arguments: &[&str]) -> Program {
    Program::start_with(arguments, |command| {
        command.stdin(Stdio::piped());
    })
}

/// Whether a program is there; if not, the test's name is told.
fn installed(name: &str, test: &str) -> bool {
    let version = if name == "openssl" { "version" } else { "--version" };
    let told = Command::new(name).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = told.is_ok_and(|status| status.success());
    if !there {
        println!("skipped: {test}: {name} is not installed");
    }
    there
}

/// The line of `-v` that begins so.
fn line<'a>(errors: &'a str, start: &str) -> &'a str {
    let found = errors.lines().find_map(|line| line.strip_prefix(start));
    found.unwrap_or_else(|| panic!("no line `{start}` in {errors}"))
}

#[test]
fn openssl_serves_and_says_what_we_say() {
    if !installed("openssl", "openssl_serves_and_says_what_we_say") {
        return;
    }
    let authority = Authority::new();
    authority.issue("server");
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let ca = authority.file("ca.pem");
    for (version, name) in [("-tls1_2", "TLS 1.2, TLS_"), ("-tls1_3", "TLS 1.3, TLS13_")] {
        let words = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev"];
        let more = ["-cert", &cert, "-key", &key, version, "-alpn", "b"];
        let mut server = foreign(&[&words[..], &more].concat());
        let at = server.line("ACCEPT 127.0.0.1:");
        let to = format!("tls://localhost:{at}");
        let mut client = reseau(&["connect", "-v", &to, "--ca", &ca, "--alpn=a,b"]);
        let mut stdin = client.take_stdin();
        stdin.write_all(b"hello\n").unwrap();
        client.line("olleh");
        drop(stdin);
        let (status, _, errors) = client.end();
        assert_eq!(status.code(), Some(0), "{errors}");
        assert!(errors.contains(name) && errors.contains(", ALPN b, "), "{errors}");
    }
}

#[test]
fn openssl_without_1_3_is_refused_where_that_is_the_oldest() {
    if !installed("openssl", "openssl_without_1_3_is_refused_where_that_is_the_oldest") {
        return;
    }
    let authority = Authority::new();
    authority.issue("server");
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let ca = authority.file("ca.pem");
    let words = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-rev"];
    let mut server = foreign(&[&words[..], &["-cert", &cert, "-key", &key]].concat());
    let to = format!("tls://localhost:{}", server.line("ACCEPT 127.0.0.1:"));
    let (status, _, errors) =
        reseau(&["connect", "-d", &to, "--ca", &ca, "--tls-min", "1.3"]).end();
    assert_eq!(status.code(), Some(1), "{errors}");
    assert!(errors.contains("the peer refuses: ProtocolVersion"), "{errors}");

    let own = ["--cert", &cert, "--key", &key, "--tls-min=1.3"];
    let mut server = reseau(&[&["echo", "tls://127.0.0.1:0"], &own[..]].concat());
    let at = server.listening().replace("tls://", "");
    let words = ["openssl", "s_client", "-connect", &at, "-quiet", "-tls1_2"];
    let (status, _, errors) = foreign(&words).end();
    assert!(!status.success() && errors.contains("alert protocol version"), "{errors}");
}

#[test]
fn openssl_reads_in_certificates_what_we_read() {
    if !installed("openssl", "openssl_reads_in_certificates_what_we_read") {
        return;
    }
    let authority = Authority::new();
    for (kind, said) in [
        (&["rsa:2048"][..], "RSA, 2048 bits"),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "EC, P-384"),
        (&["ed25519"], "Ed25519"),
    ] {
        let (cert, key) = (authority.file("made.pem"), authority.file("made.key"));
        let made = ["openssl", "req", "-x509", "-nodes", "-days", "40", "-keyout", &key];
        let subject = ["-subj", "/C=DE/O=B\u{fc}cher & Co/CN=made", "-utf8", "-out", &cert];
        let names = ["-addext", "subjectAltName=DNS:localhost,IP:::1,DNS:x.example", "-newkey"];
        let (status, _, errors) = foreign(&[&made[..], &subject, &names, kind].concat()).end();
        assert!(status.success(), "{errors}");
        let asked = ["openssl", "x509", "-in", &cert, "-noout", "-nameopt", "sep_comma_plus_space"];
        let more = ["-nameopt", "utf8", "-fingerprint", "-sha256", "-subject", "-dates"];
        let (status, lines, errors) = foreign(&[&asked[..], &more].concat()).end();
        assert!(status.success(), "{errors}");
        let foreign_says = lines.join("\n");

        let mut server = reseau(&["echo", "tls://:0", "--cert", &cert, "--key", &key]);
        let to = server.listening().replace("127.0.0.1", "localhost");
        // It is no authority, and so its own root.
        let (status, _, ours) = reseau(&["connect", "-v", "-d", "-w0", &to, "--insecure"]).end();
        assert_eq!(status.code(), Some(0), "{ours}");
        assert_eq!(line(&foreign_says, "sha256 Fingerprint="), line(&ours, "  SHA-256  "));
        assert_eq!(line(&foreign_says, "subject="), line(&ours, "  subject  "));
        assert_eq!(line(&ours, "  issuer   "), "itself");
        assert_eq!(line(&ours, "  names    "), "localhost, ::1, x.example");
        assert_eq!(line(&ours, "  key      "), said);
        let valid = line(&ours, "  valid    ");
        assert!(valid.ends_with("39 days left") || valid.ends_with("40 days left"), "{valid}");
        // `notAfter=Dec 31 10:11:12 2026 GMT`: the time of day and the year.
        for word in line(&foreign_says, "notAfter=").split(' ').skip(2).filter(|w| w.len() > 3) {
            assert!(valid.contains(word), "{word}: {valid}");
        }
    }
}

#[test]
fn openssl_speaks_with_our_echo() {
    if !installed("openssl", "openssl_speaks_with_our_echo") {
        return;
    }
    let authority = Authority::new();
    let saved = authority.file("saved.pem");
    let mut server = reseau(&["echo", "tls://127.0.0.1:0", "--alpn=b", "--save-cert", &saved]);
    let at = server.listening().replace("tls://", "");
    for version in ["-tls1_2", "-tls1_3"] {
        let words = ["openssl", "s_client", "-connect", &at, "-servername", "localhost"];
        let more = ["-CAfile", &saved, "-verify_return_error", "-verify_hostname", "localhost"];
        let mut client = foreign(&[&words[..], &more, &["-quiet", "-alpn=b", version]].concat());
        let mut stdin = client.take_stdin();
        stdin.write_all(b"hello\n").unwrap();
        client.line("hello");
        drop(stdin);
    }
}

/// A server for one connection, which answers in capitals, after a word of SMTP if that is wanted.
const PYTHON_SERVER: &str = "\
import socket, ssl, sys
cert, key, starttls = sys.argv[1:4]
listener = socket.create_server(('127.0.0.1', 0))
print('port', listener.getsockname()[1], flush=True)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
connection, _ = listener.accept()
connection.settimeout(60)
if starttls == 'yes':
    file = connection.makefile('rwb', buffering=0)
    file.write(b'220 python\\r\\n')
    assert file.readline().startswith(b'EHLO ['), 'EHLO'
    file.write(b'250-python\\r\\n250 STARTTLS\\r\\n')
    assert file.readline() == b'STARTTLS\\r\\n', 'STARTTLS'
    file.write(b'220 go\\r\\n')
secure = context.wrap_socket(connection, server_side=True)
said = b''
while piece := secure.recv(4096):
    said += piece
secure.sendall(said.upper())
secure.unwrap()
";

#[test]
fn python_serves_us() {
    if !installed("python3", "python_serves_us") {
        return;
    }
    let authority = Authority::new();
    authority.issue("server");
    let (cert, key) = (authority.file("server.pem"), authority.file("server.key"));
    let ca = authority.file("ca.pem");
    for starttls in ["no", "yes"] {
        let mut server = foreign(&["python3", "-c", PYTHON_SERVER, &cert, &key, starttls]);
        let port = server.line("port");
        let (plain, tls) = (format!("localhost:{port}"), format!("tls://localhost:{port}"));
        let to = if starttls == "yes" { vec!["--starttls=smtp", &plain] } else { vec![&*tls] };
        let mut client = reseau(&[&["connect", "--ca", &ca], &to[..]].concat());
        client.take_stdin().write_all(b"hello\n").unwrap();
        let (status, lines, errors) = client.end();
        assert_eq!((status.code(), lines), (Some(0), vec!["HELLO".to_owned()]), "{errors}");
        let (status, _, errors) = server.end();
        assert!(status.success(), "{errors}");
    }
}

const PYTHON_CLIENT: &str = "\
import socket, ssl, sys
port, ca = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile=ca)
context.set_alpn_protocols(['a', 'b'])
connection = socket.create_connection(('127.0.0.1', port), timeout=60)
secure = context.wrap_socket(connection, server_hostname='localhost')
secure.sendall(b'hello')
back = b''
while len(back) < 5:
    back += secure.recv(5)
print('back', secure.version(), secure.selected_alpn_protocol(), back.decode(), flush=True)
secure.unwrap()
";

#[test]
fn python_speaks_with_our_echo_and_checks_it() {
    if !installed("python3", "python_speaks_with_our_echo_and_checks_it") {
        return;
    }
    let authority = Authority::new();
    let saved = authority.file("saved.pem");
    let mut server = reseau(&["echo", "tls://:0", "--alpn=b", "--save-cert", &saved]);
    let at = server.listening();
    let port = at.rsplit(':').next().unwrap();
    let mut client = foreign(&["python3", "-c", PYTHON_CLIENT, port, &saved]);
    assert_eq!(client.line("back"), "TLSv1.3 b hello");
    let (status, _, errors) = client.end();
    assert!(status.success(), "{errors}");
    let other = authority.file("ca.pem");
    let (status, _, errors) = foreign(&["python3", "-c", PYTHON_CLIENT, port, &other]).end();
    assert!(!status.success() && errors.contains("CERTIFICATE_VERIFY_FAILED"), "{errors}");
}
