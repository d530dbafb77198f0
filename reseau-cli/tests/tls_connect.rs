//! `reseau connect` with TLS, through the real program.
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
use reseau::blocking::TlsStream;
use reseau::tls::{ClientCerts, Roots, Server, Version};

/// `connect` with these arguments and stdin.
fn connect(arguments: &[&str], stdin: &[u8]) -> (Option<i32>, Vec<String>, String) {
    let arguments = [&["connect"], arguments].concat();
    let mut program = Program::start_with(&arguments, |command| {
        command.stdin(Stdio::piped());
    });
    // Whoever ends without reading it has a reason, which the test looks at.
    let _ = program.take_stdin().write_all(stdin);
    let (status, lines, errors) = program.end();
    (status.code(), lines, errors)
}

/// Reads to the end, which has to be one, and says how much it was.
fn count(mut stream: TlsStream) {
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("an end, and no cut");
    writeln!(stream, "{} bytes", said.len()).expect("the other direction is open");
    stream.finish().expect("the end goes out");
    // Until the client has gone.
    let _ = stream.read(&mut [0]);
}

fn counting(server: Server) -> SocketAddr {
    serve(server, |_| {}, count)
}

/// The last line, which says why it failed.
fn why(errors: &str) -> &str {
    errors.lines().last().unwrap_or_default()
}

#[test]
fn both_directions_end_by_themselves() {
    let authority = Authority::new();
    let server = Server::new(&authority.issue("server"));
    for host in ["localhost", "127.0.0.1", ""] {
        let addr = counting(server.clone());
        let to = format!("tls://{host}:{}", addr.port());
        let (code, lines, errors) = connect(&[&to, "--ca", &authority.file("ca.pem")], b"hello");
        assert_eq!((code, lines), (Some(0), vec!["5 bytes".to_owned()]), "{errors}");
        assert_eq!(errors, "");
    }
    // Much, in both directions at once.
    let addr = serve(
        server,
        |_| {},
        |mut stream| {
            let mut space = vec![0; 100_000];
            loop {
                match stream.read(&mut space).expect("no cut") {
                    0 => break,
                    count => stream.write_all(&space[..count]).expect("it is taken"),
                }
            }
            stream.finish().expect("the end goes out");
            let _ = stream.read(&mut [0]);
        },
    );
    let text: String = (0..200_000).map(|number| format!("{number}\n")).collect();
    let to = format!("tls://localhost:{}", addr.port());
    let directory = authority.directory().display().to_string();
    let (code, lines, errors) = connect(&[&to, "--ca", &directory], text.as_bytes());
    assert_eq!(code, Some(0), "{errors}");
    assert!(lines.iter().map(String::as_str).eq(text.lines()), "another text came back");
}

#[test]
#[cfg(unix)]
fn what_is_broken_off_is_a_cut_and_no_end() {
    use reseau::tls::Broken;
    use std::process::Command;

    let authority = Authority::new();
    let start = |set: &dyn Fn(&mut Command)| {
        let (tell, told) = mpsc::channel();
        let (came, first) = mpsc::channel();
        let reading = move |mut stream: TlsStream| {
            let mut said = [0];
            while let Ok(1) = stream.read(&mut said) {
                came.send(said).unwrap();
            }
            let end = stream.read(&mut said);
            tell.send(end.map_err(|error| Broken::of(&error).is_some_and(Broken::is_truncation)))
                .unwrap();
        };
        let addr = serve(Server::new(&authority.issue("server")), |_| {}, reading);
        let to = format!("tls://localhost:{}", addr.port());
        let program =
            Program::start_with(&["connect", &to, "--ca", &authority.file("ca.pem")], set);
        (program, first, told)
    };
    // A signal in the middle.
    let (mut program, first, told) = start(&|command| {
        command.stdin(Stdio::piped());
    });
    let mut stdin = program.take_stdin();
    stdin.write_all(b"a").unwrap();
    assert_eq!(first.recv_timeout(LIMIT), Ok(*b"a"));
    program.signal(rustix::process::Signal::INT);
    assert_eq!(program.end().0.code(), Some(130));
    assert_eq!(told.recv_timeout(LIMIT), Ok(Err(true)), "an end for a part");
    // A stdin that cannot be read.
    let (program, _first, told) = start(&|command| {
        command.stdin(std::fs::File::open("/").unwrap());
    });
    assert_eq!(program.end().0.code(), Some(1));
    assert_eq!(told.recv_timeout(LIMIT), Ok(Err(true)), "an end for what was not read");
}

#[test]
fn all_is_told_to_those_who_want_to_know() {
    let authority = Authority::new();
    let server = Server::new(&authority.issue("server")).alpn(["b", "c"]);
    let addr = counting(server);
    let to = format!("tls://localhost:{}", addr.port());
    let ca = authority.file("ca.pem");
    let (code, _, errors) = connect(&["-v", &to, "--ca", &ca, "--alpn", "a,b"], b"hello");
    assert_eq!(code, Some(0), "{errors}");
    let at = |what: &str| {
        let found = errors.lines().position(|line| line.contains(what));
        found.unwrap_or_else(|| panic!("{what:?} is not in {errors}"))
    };
    let order = [
        at("localhost: asking"),
        at(&format!("{addr}: connecting")),
        at(&format!("connected to {addr} in ")),
        at("TLS 1.3, TLS13_"),
        at("certificate 1 of 1"),
        at("  subject  CN=server"),
        at("  issuer   CN=authority "),
        at("  names    localhost, 127.0.0.1"),
        at(" days left"),
        at("  key      EC, P-256"),
        at("  SHA-256  "),
        at("stdin has ended"),
        at("sent 5 B, received 8 B in "),
    ];
    assert!(order.is_sorted(), "{order:?}: {errors}");
    assert!(errors.contains(", ALPN b, not resumed\n"), "{errors}");
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_in_a_line() {
    let (authority, other) = (Authority::new(), Authority::new());
    let elsewhere = authority.issue_with("elsewhere", |params| {
        params.subject_alt_names.clear();
        params
            .subject_alt_names
            .push(rcgen::SanType::DnsName("elsewhere.example".try_into().unwrap()));
    });
    let old = authority.issue_with("old", |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 2, 3);
    });
    let early = authority.issue_with("early", |params| {
        params.not_before = rcgen::date_time_ymd(2999, 1, 2);
        params.not_after = rcgen::date_time_ymd(3000, 1, 1);
    });
    let good = authority.issue("good");
    let (ours, theirs) = (authority.file("ca.pem"), other.file("ca.pem"));
    let trusted = ["--ca", &ours];
    for (identity, arguments, said) in [
        (&elsewhere, &trusted[..], "certificate is not for localhost, but for "),
        (&elsewhere, &trusted, "elsewhere.example"),
        (&old, &trusted, "certificate expired "),
        (&old, &trusted, "2021-02-03"),
        (&early, &trusted, "2999-01-02"),
        (&good, &["--ca", &theirs], "issuer is not among those that are trusted"),
        (&good, &["--ca", &ours, "--sni", "x.example"], "not for x.example, but for "),
    ] {
        let addr = serve(
            Server::new(identity),
            |_| {},
            |stream| {
                let _ = (&stream).read(&mut [0]);
            },
        );
        let to = format!("tls://localhost:{}", addr.port());
        let (code, lines, errors) = connect(&[&[to.as_str()], arguments].concat(), b"secret");
        assert_eq!((code, lines.len()), (Some(1), 0), "{errors}");
        assert!(why(&errors).starts_with(&format!("reseau: connect {to}: ")), "{errors}");
        assert!(why(&errors).contains(said), "{said}: {errors}");
    }
    // Another name that is in it, and nothing that is checked.
    for arguments in [&["--ca", &ours, "--server-name=elsewhere.example"][..], &["--insecure"]] {
        let addr = counting(Server::new(&elsewhere));
        let to = format!("tls://localhost:{}", addr.port());
        let (code, lines, errors) = connect(&[&[to.as_str()], arguments].concat(), b"hello");
        assert_eq!((code, lines), (Some(0), vec!["5 bytes".to_owned()]), "{errors}");
        let warned = errors.contains("warning: --insecure: who this is was not checked");
        assert_eq!(warned, arguments == ["--insecure"], "{errors}");
        if warned {
            assert!(errors.contains("not the name localhost, nor the issuer, nor the dates"));
            assert_eq!(
                errors.trim().rsplit(' ').next().map(str::len),
                Some(32 * 3 - 1),
                "{errors}"
            );
        }
    }
}

#[test]
fn the_systems_roots_do_not_know_ours() {
    let authority = Authority::new();
    let addr = counting(Server::new(&authority.issue("server")));
    let to = format!("tls://localhost:{}", addr.port());
    let (code, _, errors) = connect(&[&to], b"secret");
    assert_eq!(code, Some(1), "{errors}");
    assert!(why(&errors).starts_with("reseau: connect tls://localhost:"), "{errors}");
}

#[cfg(target_os = "linux")] // Others judge by themselves.
#[test]
fn the_systems_roots_may_be_ours() {
    let authority = Authority::new();
    let server = Server::new(&authority.issue("server"));
    let empty = authority.file("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (file, code, said) in [(authority.file("ca.pem"), 0, ""), (empty, 1, "trust")] {
        let addr = counting(server.clone());
        let to = format!("tls://localhost:{}", addr.port());
        let program = Program::start_with(&["connect", &to], |command| {
            command.env_remove("SSL_CERT_DIR").env("SSL_CERT_FILE", file);
        });
        let (status, _, errors) = program.end();
        assert_eq!(status.code(), Some(code), "{errors}");
        assert!(errors.contains(said), "{errors}");
    }
}

#[cfg(target_os = "linux")] // Where the system's roots can be ours.
#[test]
fn roots_that_are_given_are_the_only_ones() {
    let (authority, other) = (Authority::new(), Authority::new());
    let to = counting(Server::new(&authority.issue("server"))).port();
    let to = format!("tls://localhost:{to}");
    let theirs = other.file("ca.pem");
    let program = Program::start_with(&["connect", &to, "--ca", &theirs], |command| {
        command.env_remove("SSL_CERT_DIR").env("SSL_CERT_FILE", authority.file("ca.pem"));
    });
    let (status, _, errors) = program.end();
    assert_eq!(status.code(), Some(1), "{errors}");
    assert!(errors.contains("issuer is not among those that are trusted"), "{errors}");
}

#[test]
fn a_cut_is_a_failure_and_what_came_before_is_printed() {
    let authority = Authority::new();
    // By itself a dropped stream says nothing.
    let addr = serve(
        Server::new(&authority.issue("server")),
        |_| {},
        |mut stream| {
            let mut said = Vec::new();
            stream.read_to_end(&mut said).expect("an end");
            stream.write_all(b"half of the\n").expect("it is taken");
        },
    );
    let to = format!("tls://localhost:{}", addr.port());
    let (code, lines, errors) = connect(&[&to, "--ca", &authority.file("ca.pem")], b"hello");
    assert_eq!((code, lines), (Some(1), vec!["half of the".to_owned()]), "{errors}");
    assert!(why(&errors).contains("ended without close_notify: truncated"), "{errors}");
}

#[test]
fn who_is_asked_shows_a_certificate() {
    let authority = Authority::new();
    let roots = Roots::from_file(authority.file("ca.pem")).unwrap();
    authority.issue("client");
    let server = Server::new(&authority.issue("server"))
        .client_certs(ClientCerts::RequireAndVerify(roots))
        .oldest(Version::Tls13);
    let ca = authority.file("ca.pem");
    let (cert, key) = (authority.file("client.pem"), authority.file("client.key"));
    // The key may be in the same file.
    let both = authority.file("both.pem");
    let text = [&cert, &key].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    std::fs::write(&both, text).unwrap();
    for own in [&["--cert", &cert, "--key", &key][..], &["--cert", &both]] {
        let (tell, told) = mpsc::channel();
        let addr = serve(
            server.clone(),
            |_| {},
            move |stream| {
                tell.send(stream.session().peer_chain().len()).expect("the test waits");
                count(stream);
            },
        );
        let to = format!("tls://localhost:{}", addr.port());
        let (code, lines, errors) = connect(&[&[&to, "--ca", &ca], own].concat(), b"hello");
        assert_eq!((code, lines), (Some(0), vec!["5 bytes".to_owned()]), "{errors}");
        assert_eq!(told.recv_timeout(LIMIT), Ok(1));
    }
    if cfg!(windows) && std::env::var_os("WINEPREFIX").is_some() {
        println!("skipped: without a certificate: Wine may lose the alert with the connection");
        return;
    }
    let addr = counting(server);
    let to = format!("tls://localhost:{}", addr.port());
    let (code, lines, errors) = connect(&[&to, "--ca", &ca], b"");
    assert_eq!((code, lines.len()), (Some(1), 0), "{errors}");
    assert!(why(&errors).contains("CertificateRequired"), "{errors}");
}

#[test]
fn versions_and_protocols_that_do_not_meet_are_refused() {
    let authority = Authority::new();
    let ca = authority.file("ca.pem");
    let identity = authority.issue("server");
    let addr = counting(Server::new(&identity).alpn(["h2"]));
    let to = format!("tls://localhost:{}", addr.port());
    let (code, _, errors) = connect(&[&to, "--ca", &ca, "--alpn", "irc"], b"");
    assert_eq!(code, Some(1), "{errors}");
    assert!(why(&errors).contains("NoApplicationProtocol"), "{errors}");
    let addr = counting(Server::new(&identity).oldest(Version::Tls13));
    let to = format!("tls://localhost:{}", addr.port());
    let (code, _, errors) = connect(&[&to, "--ca", &ca, "--tls-min=1.3", "-v"], b"hello");
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("TLS 1.3, "), "{errors}");
}

#[test]
fn proxies_lead_to_tls_and_do_not_speak_it() {
    let authority = Authority::new();
    let identity = authority.issue_with("server", |params| {
        let name = servers::NAME.try_into().unwrap();
        params.subject_alt_names.push(rcgen::SanType::DnsName(name));
    });
    let ca = authority.file("ca.pem");
    let proxies = servers::Proxies::start();
    let ways = [format!("socks5://{}", proxies.socks5), format!("http://{}", proxies.connect)];
    for (number, way) in ways.iter().enumerate() {
        let addr = counting(Server::new(&identity));
        let to = format!("tls://{}:{}", servers::NAME, addr.port());
        let arguments = [to.as_str(), "--via", way, "--ca", &ca];
        let (code, lines, errors) = connect(&arguments, b"hello");
        assert_eq!((code, lines), (Some(0), vec!["5 bytes".to_owned()]), "{errors}");
        assert_eq!(proxies.served(), number + 1);
    }
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let authority = Authority::new();
    let (go, gone) = mpsc::channel::<()>();
    let addr = serve(
        Server::new(&authority.issue("server")),
        move |_| {
            let _ = gone.recv_timeout(LIMIT);
        },
        drop,
    );
    let to = format!("tls://localhost:{}", addr.port());
    let (code, _, errors) = connect(&[&to, "--limit", "0.1"], b"");
    assert_eq!(code, Some(1), "{errors}");
    assert!(why(&errors).starts_with(&format!("reseau: connect {to}: ")), "{errors}");
    drop(go);
}

#[test]
fn plaintext_is_no_tls() {
    let authority = Authority::new();
    let addr = serve(
        Server::new(&authority.issue("server")),
        |stream| {
            stream.write_all(b"220 mail.example ESMTP\r\n").unwrap();
            let _ = stream.read(&mut [0; 2000]);
        },
        drop,
    );
    let to = format!("tls://localhost:{}", addr.port());
    let (code, lines, errors) = connect(&[&to], b"");
    assert_eq!((code, lines.len()), (Some(1), 0), "{errors}");
    assert!(why(&errors).starts_with(&format!("reseau: connect {to}: ")), "{errors}");
}

#[test]
fn what_makes_no_sense_is_named() {
    let authority = Authority::new();
    authority.issue("client");
    let (cert, ca) = (authority.file("client.pem"), authority.file("ca.pem"));
    let (missing, empty) = (authority.file("missing.pem"), authority.file("empty.pem"));
    std::fs::write(&empty, "nothing").unwrap();
    let to = "tls://localhost:1";
    for (arguments, culprit) in [
        (&["127.0.0.1:1", "--ca", &ca][..], "--ca is for TLS"),
        (&["127.0.0.1:1", "--insecure"], "--insecure is for TLS"),
        (&["unix:/x", "--sni", "x"], "--server-name is for TLS"),
        (&["udp://127.0.0.1:1", "--alpn", "h2"], "--alpn is for TLS"),
        (&["--udp", to], "--udp is not TLS"),
        (&[to, "--starttls", "smtp"], "speaks TLS from its first byte on"),
        (&[to, "--starttls", "gopher"], "gopher"),
        (&["udp://127.0.0.1:1", "--starttls", "smtp"], "--starttls is for streams"),
        (&["unix:/x", "--starttls", "smtp"], "say --server-name"),
        (&[to, "--ca", &missing], "missing.pem: "),
        (&[to, "--ca", &empty], "empty.pem: "),
        (&[to, "--cert", &missing], "--cert "),
        (&[to, "--cert", &cert], "client.pem: "),
        (&[to, "--cert", &cert, "--key", &missing], "--key "),
        (&[to, "--cert", &cert, "--key", &ca], "--key "),
        (&[to, "--key", &ca], "--cert"),
        (&[to, "--ca", &ca, "--insecure"], "--insecure"),
        (&[to, "--alpn", "h2,,x"], "a protocol has a name"),
        (&[to, "--sni", "a b"], "no host's name"),
        (&[to, "--tls-min", "1.1"], "1.1"),
    ] {
        let (code, lines, errors) = connect(arguments, b"");
        assert_eq!((code, lines.len()), (Some(2), 0), "{arguments:?}: {errors}");
        assert!(errors.contains(culprit), "{culprit}: {errors}");
    }
}
