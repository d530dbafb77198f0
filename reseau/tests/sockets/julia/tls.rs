//! TLS: rows A135 to A138, and N13.
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use reseau::sockets::julia::{
    Connect, Error, Listen, TCPServer, TCPSocket, accept, accept_with, connect, connect_with,
    getpeername, getsockname, handshake, listen, listen_with, tls_session, tlsupgrade,
    tlsupgrade_with,
};
use reseau::tls::{Broken, Client, ClientCerts, Identity, Roots, Server, Version};

use crate::watched;

/// A certificate of `localhost` in files, gone at the end.
struct Papers {
    dir: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

impl Papers {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = format!("reseau-julia-tls-{}-{count}", std::process::id());
        let dir = std::env::temp_dir().join(dir);
        std::fs::create_dir_all(&dir).unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Self { dir, cert, key }
    }

    /// What a server listens with. Nothing comes behind its handshake: who closes early resets
    /// nothing.
    fn listen(&self) -> Listen {
        let server = Server::new(&self.identity()).tickets(false);
        Listen { tls: true, tls_options: Some(server), ..Listen::default() }
    }

    fn connect(&self) -> Connect {
        Connect { tls: true, ssl_cacert: Some(self.cert.clone()), ..Connect::default() }
    }

    fn identity(&self) -> Identity {
        Identity::from_files(&self.cert, &self.key).unwrap()
    }
}

impl Drop for Papers {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Both ends of a connection that is negotiated.
fn connected(papers: &Papers) -> (TCPSocket, TCPSocket) {
    let server = listen_with(0, papers.listen()).unwrap();
    both(&server, papers.connect()).unwrap()
}

fn both(server: &TCPServer, how: Connect) -> Result<(TCPSocket, TCPSocket), Error> {
    let (_, port) = getsockname(server).unwrap();
    let server = server.clone();
    let accepting = thread::spawn(move || {
        let conn = accept(&server).unwrap();
        handshake(&conn).map(|()| conn)
    });
    let client = connect_with(("localhost", port), how);
    let conn = accepting.join().unwrap();
    Ok((client?, conn?))
}

fn broken(error: Error) -> Broken {
    let error = std::io::Error::from(error);
    Broken::of(&error).unwrap_or_else(|| panic!("{error}")).clone()
}

#[test]
fn a135_connect_has_its_keywords() {
    watched(|| {
        let papers = Papers::new();
        let alpn_list = Some("h2; http/1.1".to_owned());
        let listening = Listen {
            tls: true,
            ssl_cert: Some(papers.cert.clone()),
            ssl_key: Some(papers.key.clone()),
            alpn_list: Some("http/1.1".to_owned()),
            ..Listen::default()
        };
        let server = listen_with(0, listening).unwrap();
        let by_file = Connect { alpn_list, ..papers.connect() };
        let by_dir = Connect {
            tls: true,
            ssl_capath: Some(papers.dir.clone()),
            server_name: Some("localhost".into()),
            ..Connect::default()
        };
        let by_value = Connect {
            tls_options: Some(Client::new().trust_only(&Roots::from_file(&papers.cert).unwrap())),
            ..by_dir.clone()
        };
        let anyhow = Connect { tls: true, ssl_insecure: true, ..Connect::default() };
        for how in [by_file.clone(), by_dir, by_value, anyhow] {
            let (client, conn) = both(&server, how).unwrap();
            client.write(b"a line\n").unwrap();
            assert_eq!(conn.readline().unwrap(), "a line");
            assert_eq!(tls_session(&client).unwrap().version(), Some(Version::Tls13));
        }
        let (client, _conn) = both(&server, by_file).unwrap();
        assert_eq!(tls_session(&client).unwrap().alpn(), Some(&b"http/1.1"[..]));
        assert_eq!(getpeername(&client).unwrap().1, getsockname(&server).unwrap().1);
        // By default everything is checked: whose it is, and whom it is for.
        let stranger = Connect { tls: true, ..Connect::default() };
        assert!(broken(both(&server, stranger).unwrap_err()).is_certificate());
        let other = Connect { server_name: Some("other.example".into()), ..papers.connect() };
        assert!(broken(both(&server, other).unwrap_err()).is_certificate());
    });
}

#[test]
fn a135_a_client_shows_its_certificate() {
    watched(|| {
        let papers = Papers::new();
        let roots = Roots::from_file(&papers.cert).unwrap();
        let server = Server::new(&papers.identity()).client_certs(ClientCerts::RequireAny);
        let listening = Listen { tls: true, tls_options: Some(server), ..Listen::default() };
        let server = listen_with(0, listening).unwrap();
        let ssl_cert = Some(papers.cert.clone());
        let ssl_key = Some(papers.key.clone());
        let how = Connect { ssl_cert, ssl_key, ..papers.connect() };
        let (_client, conn) = both(&server, how).unwrap();
        assert_eq!(tls_session(&conn).unwrap().peer_chain().len(), 1);
        assert!(both(&server, papers.connect()).is_err(), "it shows none");
        drop(roots);
    });
}

#[test]
fn a135_what_cannot_be_meant_is_an_argument_error() {
    watched(|| {
        let papers = Papers::new();
        let silent = listen(0).unwrap();
        let (_, port) = getsockname(&silent).unwrap();
        let wrong = [
            Connect { ssl_key: Some(papers.key.clone()), ..papers.connect() },
            Connect { ssl_cacert: Some(papers.key.clone()), ..papers.connect() },
            Connect { ssl_cert: Some(papers.cert.clone()), ..papers.connect() },
        ];
        for how in wrong {
            let error = connect_with(("localhost", port), how).unwrap_err();
            assert!(matches!(error, Error::ArgumentError(_)), "{error}");
        }
        let nowhere = Some(papers.dir.join("nowhere.pem"));
        let how = Connect { ssl_cacert: nowhere.clone(), ..papers.connect() };
        let error = connect_with(("localhost", port), how).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let how = Listen { tls: true, ..Listen::default() };
        assert!(matches!(listen_with(0, how).unwrap_err(), Error::ArgumentError(_)));
        let how = Listen { tls: true, ssl_cert: nowhere, ..Listen::default() };
        assert_eq!(listen_with(0, how).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a135_a_silent_server_is_late() {
    watched(|| {
        let silent = listen(0).unwrap();
        let (_, port) = getsockname(&silent).unwrap();
        let papers = Papers::new();
        let how = Connect { timeout_ms: 50, ..papers.connect() };
        let late = connect_with(("localhost", port), how).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
    });
}

#[test]
fn a136_a_server_speaks_tls() {
    watched(|| {
        let papers = Papers::new();
        let both_in_one = papers.dir.join("both.pem");
        let text = [&papers.cert, &papers.key].map(|path| std::fs::read_to_string(path).unwrap());
        std::fs::write(&both_in_one, text.concat()).unwrap();
        let how = Listen {
            tls: true,
            ssl_cert: Some(both_in_one),
            ssl_insecure: true,
            backlog: 16,
            ..Listen::default()
        };
        let server = listen_with(0, how).unwrap();
        let (_, port) = getsockname(&server).unwrap();
        let task = accept_with(
            |conn| {
                while let Ok(line) = conn.readline()
                    && !line.is_empty()
                {
                    conn.write(line.to_uppercase().as_bytes()).unwrap();
                }
            },
            &server,
        )
        .unwrap();
        let client = connect_with(("localhost", port), papers.connect()).unwrap();
        client.write(b"hello\n").unwrap();
        assert_eq!(client.read_bytes(5).unwrap(), b"HELLO");
        client.closewrite().unwrap();
        assert!(client.eof().unwrap());
        server.close();
        task.wait().unwrap();
    });
}

/// A server of TLS at a path whose certificate is long in coming, and somebody who wants the path
/// meanwhile: one of them has it.
#[cfg(unix)]
#[test]
fn a_path_is_taken_once() {
    use reseau::blocking::unix::{UnixListener, UnixStream};
    use std::os::unix::fs::OpenOptionsExt;
    watched(|| {
        let papers = Papers::new();
        let (pipe, path) = (papers.dir.join("pipe"), papers.dir.join("socket"));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let (ssl_cert, ssl_key) = (Some(pipe.clone()), Some(papers.key.clone()));
        let how = Listen { tls: true, ssl_cert, ssl_key, ..Listen::default() };
        let at = path.clone();
        let listening = thread::spawn(move || listen_with(at, how));
        let mut writer = std::fs::OpenOptions::new();
        writer.write(true).custom_flags(libc::O_NONBLOCK);
        let mut writer = loop {
            match writer.open(&pipe) {
                Ok(writer) => break writer, // It is being read.
                Err(error) if error.raw_os_error() == Some(libc::ENXIO) => thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        let claimed = UnixListener::claim(&path);
        writer.write_all(&std::fs::read(&papers.cert).unwrap()).unwrap();
        drop(writer);
        let listening = listening.join().unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        match (&claimed, &listening) {
            (Ok(claimed), Err(Error::IOError(error))) => {
                assert_eq!(error.kind(), ErrorKind::AddrInUse);
                claimed.accept().unwrap();
            }
            (Err(error), Ok(listening)) => {
                assert_eq!(error.kind(), ErrorKind::AddrInUse);
                accept(listening).unwrap();
            }
            both => panic!("{both:?}"),
        }
    });
}

#[test]
fn a137_tls_is_negotiated_when_connect_returns() {
    watched(|| {
        let (client, conn) = connected(&Papers::new());
        assert!(tls_session(&client).is_some());
        for _ in 0..2 {
            handshake(&client).unwrap();
            handshake(&conn).unwrap();
        }
        // Everything that reads does so as ever.
        conn.write(b"one\ntwo;rest").unwrap();
        assert_eq!(client.peek().unwrap(), b'o');
        assert_eq!(client.bytes_available(), 12);
        assert_eq!(client.readline().unwrap(), "one");
        assert_eq!(client.readuntil(b';', false).unwrap(), b"two");
        conn.closewrite().unwrap();
        assert_eq!(client.read_string().unwrap(), "rest");
        assert!(client.eof().unwrap());
        client.write(b"still").unwrap();
        assert_eq!(conn.read_bytes(5).unwrap(), b"still");
    });
}

#[test]
fn a137_closing_says_so_and_ends_who_waits() {
    watched(|| {
        let (client, conn) = connected(&Papers::new());
        let (begins, begun) = channel();
        let client = std::sync::Arc::new(client);
        let reader = client.clone();
        let reading = thread::spawn(move || {
            begins.send(()).unwrap();
            reader.read_to_end()
        });
        begun.recv().unwrap();
        client.close();
        assert_eq!(reading.join().unwrap().unwrap(), b"");
        assert!(client.write(b"x").is_err());
        assert!(conn.eof().unwrap(), "it was told, and is no cut");
        // Who is dropped says so, too.
        let (client, conn) = connected(&Papers::new());
        client.write(b"last").unwrap();
        drop(client);
        assert_eq!(conn.read_to_end().unwrap(), b"last");
    });
}

#[test]
fn a138_a_connection_is_upgraded_in_place() {
    watched(|| {
        let papers = Papers::new();
        let server = reseau::blocking::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let identity = papers.identity();
        let serving = thread::spawn(move || {
            use std::io::{Read, Write};
            let mut plain = server.accept().unwrap().0;
            plain.write_all(b"220 go ahead\n").unwrap();
            let mut word = [0; 9];
            plain.read_exact(&mut word).unwrap();
            assert_eq!(&word, b"STARTTLS\n");
            let mut tls = plain.start_tls(&Server::new(&identity).tickets(false)).unwrap();
            assert_eq!(tls.session().server_name(), Some("localhost"));
            tls.write_all(b"secret\n").unwrap();
            tls.finish().unwrap();
            let _ = tls.read(&mut [0]);
        });
        let client = connect(("localhost", port)).unwrap();
        assert_eq!(client.readline().unwrap(), "220 go ahead");
        client.write(b"STARTTLS\n").unwrap();
        assert!(tls_session(&client).is_none());
        let how = Connect { tls: false, ..papers.connect() };
        tlsupgrade_with(&client, how).unwrap();
        let session = tls_session(&client).unwrap();
        // What speaks it already goes on.
        tlsupgrade(&client).unwrap();
        assert_eq!(tls_session(&client).unwrap(), session);
        assert_eq!(client.readline().unwrap(), "secret");
        assert!(client.eof().unwrap());
        client.close();
        serving.join().unwrap();
    });
}

#[test]
fn a138_an_upgrade_checks_and_fails_as_connect_does() {
    watched(|| {
        let papers = Papers::new();
        let server = listen_with(0, papers.listen()).unwrap();
        let (_, port) = getsockname(&server).unwrap();
        let task = accept_with(|conn| drop(handshake(&conn)), &server).unwrap();
        // The name is that of the host that was dialled, which here is an address.
        let client = connect(port).unwrap();
        assert!(broken(tlsupgrade_with(&client, papers.connect()).unwrap_err()).is_certificate());
        assert!(client.write(b"x").is_err(), "it is of no use then");
        let client = connect(port).unwrap();
        let name = Some("localhost".to_owned());
        tlsupgrade_with(&client, Connect { server_name: name, ..papers.connect() }).unwrap();
        server.close();
        task.wait().unwrap();
    });
}

#[test]
fn n13_a_silent_client_holds_nobody_up() {
    watched(|| {
        let papers = Papers::new();
        let server = listen_with(0, papers.listen()).unwrap();
        let (_, port) = getsockname(&server).unwrap();
        let silent = connect(port).unwrap();
        let first = accept(&server).unwrap();
        let (client, conn) = both(&server, papers.connect()).unwrap();
        client.write(b"x").unwrap();
        assert_eq!(conn.read_byte().unwrap(), b'x');
        assert_eq!(first.bytes_available(), 0, "and that waits for nobody");
        // Who waits for the silent one is woken by closing.
        let first = std::sync::Arc::new(first);
        let other = first.clone();
        let waiting = thread::spawn(move || handshake(&other));
        thread::sleep(Duration::from_millis(20));
        silent.close();
        assert!(waiting.join().unwrap().is_err());
        assert!(handshake(&first).is_err());
    });
}
