//! Certificates that are wrong are refused by default in whatever way one becomes a client or a
//! server; each way lets in those that are right.
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use reseau::Resolver;
use reseau::blocking;
use reseau::tls::{Broken, Client, ClientCerts, Server};
#[cfg(feature = "async")]
use reseau::{Config, Kind, Loop};

use crate::interop::papers::{Desk, Guest, Shown, Trusted, WRONG};
use crate::stage::watched;

/// In which way one becomes a client.
#[derive(Clone, Copy, Debug)]
enum Way {
    Dial,
    /// By way of a proxy.
    Around,
    /// A connection that was there without TLS.
    Upgrade,
}

const WAYS: [Way; 3] = [Way::Dial, Way::Around, Way::Upgrade];

/// Where the system's own verifier is asked, what it says is its own, and under Wine it has none
/// that knows roots beside its own.
const ASKS_SYSTEM: bool = !cfg!(windows);

#[test]
fn wrong_servers_are_refused_however_one_calls() {
    let ways = WAYS.len() * DOORS.len();
    for (shown, trusted, told) in WRONG {
        watched(move || {
            let roots = trusted.roots();
            let mut clients = vec![Client::new().trust_only(&roots)];
            if ASKS_SYSTEM {
                clients.extend([Client::new().trust(&roots), Client::new()]);
            }
            for listens in [false, true] {
                let (at, serving) = greeter(shown, clients.len() * ways, listens);
                for (number, client) in clients.iter().enumerate() {
                    each(|door, way| {
                        let error = door.call(way, at, client).unwrap_err();
                        is_refusal(&error, if number == 0 { told } else { "" }, (shown, door, way));
                    });
                }
                let served = serving.join().unwrap();
                assert!(served.iter().all(Result::is_err), "{shown:?}: {served:?}");
            }
        });
    }
}

/// What was wrong above was the certificate: nothing else was.
#[test]
fn right_servers_are_not_and_wrong_ones_only_by_a_dangerous_word() {
    watched(|| {
        let right = [(Shown::P256, Client::new().trust_only(&Trusted::Issuer.roots()))];
        let anybody = Client::new().danger_accept_any_certificate();
        let wrong = WRONG.map(|(shown, ..)| (shown, anybody.clone()));
        for (shown, client) in right.into_iter().chain(wrong) {
            for listens in [false, true] {
                let (at, serving) = greeter(shown, WAYS.len() * DOORS.len(), listens);
                each(|door, way| {
                    let called = door.call(way, at, &client);
                    called.unwrap_or_else(|error| panic!("{shown:?}, {door:?}, {way:?}: {error}"));
                });
                assert!(serving.join().unwrap().iter().all(Result::is_ok));
            }
        }
    });
}

fn each(mut test: impl FnMut(Door, Way)) {
    for door in DOORS {
        for way in WAYS {
            test(door, way);
        }
    }
}

#[track_caller]
fn is_refusal(error: &io::Error, told: &str, case: impl std::fmt::Debug) {
    let broken = Broken::of(error).unwrap_or_else(|| panic!("{case:?}: {error}"));
    assert!(broken.is_certificate() && broken.in_handshake(), "{case:?}: {error}");
    assert!(error.to_string().contains(told), "{case:?}: {error}");
}

/// Whose calls are made.
#[derive(Clone, Copy, Debug)]
enum Door {
    Threads,
    #[cfg(feature = "async")]
    Tasks(Kind),
}

#[cfg(feature = "async")]
const DOORS: [Door; 2] = [Door::Threads, Door::Tasks(Kind::Ready)];
#[cfg(not(feature = "async"))]
const DOORS: [Door; 1] = [Door::Threads];

impl Door {
    /// Calls a server, and hears its greeting.
    fn call(self, way: Way, at: SocketAddr, client: &Client) -> io::Result<()> {
        let resolver = Resolver::fixed([("localhost", [at.ip()])]);
        let to = format!("tls://localhost:{}", at.port());
        let proxy = || format!("http://{}", proxy(at));
        let mut text = String::new();
        match self {
            Self::Threads => {
                let dial = blocking::connect(to).resolver(&resolver);
                let mut stream = match way {
                    Way::Dial => dial.tls(client).wait()?,
                    Way::Around => dial.via(&*proxy()).tls(client).wait()?,
                    Way::Upgrade => {
                        blocking::TcpStream::connect(at)?.start_tls(client.to("localhost"))?
                    }
                };
                stream.read_to_string(&mut text)?;
            }
            #[cfg(feature = "async")]
            Self::Tasks(kind) => home(kind).block_on(async {
                let dial = reseau::connect(to).resolver(&resolver);
                let mut stream = match way {
                    Way::Dial => dial.tls(client).await?,
                    Way::Around => dial.via(&*proxy()).tls(client).await?,
                    Way::Upgrade => {
                        let stream = reseau::connect(at.to_string()).await?;
                        stream.start_tls(client.to("localhost")).await?
                    }
                };
                while let Some(chunk) = stream.recv().await? {
                    text += std::str::from_utf8(&chunk).unwrap();
                }
                io::Result::Ok(())
            })?,
        }
        assert_eq!(text, "welcome");
        Ok(())
    }
}

#[cfg(feature = "async")]
fn home(kind: Kind) -> Loop {
    Loop::with(&Config { kind: Some(kind), ..Config::default() }).unwrap()
}

/// The door of Julia's sockets, by its keywords and in the middle of a connection.
#[test]
fn wrong_servers_are_refused_by_the_sockets_of_julia() {
    use reseau::sockets::julia::{Connect, connect, connect_with, tlsupgrade_with};
    watched(|| {
        let desk = Desk::new();
        for (shown, trusted, told) in WRONG {
            let (at, serving) = greeter(shown, 2, false);
            let how = Connect {
                tls: true,
                ssl_cacert: Some(desk.path(trusted, "pem").into()),
                server_name: Some("localhost".into()),
                ..Connect::default()
            };
            let error = connect_with(("127.0.0.1", at.port()), how.clone()).map(drop).unwrap_err();
            assert!(error.to_string().contains(told), "{shown:?}: {error}");
            let socket = connect(("127.0.0.1", at.port())).unwrap();
            let error = tlsupgrade_with(&socket, how).unwrap_err();
            assert!(error.to_string().contains(told), "{shown:?}: {error}");
            drop(socket);
            assert!(serving.join().unwrap().iter().all(Result::is_err));
        }
    });
}

/// A server that greets so many clients, and what came of each handshake: one after the other, or
/// those who come to a listener, which makes handshakes by itself.
fn greeter(shown: Shown, count: usize, listens: bool) -> (SocketAddr, JoinHandle<Outcomes>) {
    let server = Server::new(&shown.papers().identity());
    let listener = blocking::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    fn greet(stream: io::Result<blocking::TlsStream>) -> io::Result<()> {
        let mut stream = stream?;
        stream.write_all(b"welcome")?;
        stream.finish()
    }
    let serving = thread::spawn(move || {
        if !listens {
            let accept = |_| greet(listener.accept().unwrap().0.start_tls(&server));
            return (0..count).map(accept).collect();
        }
        let (listener, mut outcomes) = (listener.tls(&server), Outcomes::new());
        listener.set_nonblocking(true);
        while outcomes.len() < count {
            match listener.accept() {
                Ok((stream, _)) => outcomes.push(greet(Ok(stream))),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
                    thread::sleep(Duration::from_micros(200));
                }
            }
            let failures = listener.take_failures();
            outcomes.extend(failures.iter().map(|one| Err(io::Error::other(one.to_string()))));
        }
        outcomes
    });
    (at, serving)
}

type Outcomes = Vec<io::Result<()>>;

/// A proxy for one client, who gets to that address wherever it wants to go.
fn proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || -> io::Result<()> {
        let client = listener.accept()?.0;
        let mut asked = BufReader::new(client.try_clone()?);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if asked.read_line(&mut line)? == 0 {
                return Ok(()); // Nobody wants to be led anywhere.
            }
        }
        let target = TcpStream::connect(to)?;
        (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let (mut from, mut onward) = (client.try_clone()?, target.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut onward);
            let _ = onward.shutdown(std::net::Shutdown::Write);
        });
        io::copy(&mut &target, &mut &client)?;
        client.shutdown(std::net::Shutdown::Write)
    });
    at
}

/// What a client shows, how the server asks, and what the server's error says.
fn unwelcome() -> [(Option<Guest>, ClientCerts, &'static str); 7] {
    let required = || ClientCerts::RequireAndVerify(Trusted::OfGuests.roots());
    let if_given = || ClientCerts::VerifyIfGiven(Trusted::OfGuests.roots());
    [
        (None, required(), "peer sent no certificates"),
        (None, ClientCerts::RequireAny, "peer sent no certificates"),
        (Some(Guest::Foreign), required(), "issuer is not among"),
        (Some(Guest::Foreign), if_given(), "issuer is not among"),
        (Some(Guest::Old), required(), "certificate expired"),
        (Some(Guest::Old), if_given(), "certificate expired"),
        (Some(Guest::ForServers), required(), "is not for client authentication"),
    ]
}

/// A client that is greeted if it is let in. It does not wait for ever to hear what became of it.
fn guest(at: SocketAddr, guest: Option<Guest>) -> JoinHandle<io::Result<()>> {
    let client = Client::new().trust_only(&Trusted::Issuer.roots());
    let client = match guest {
        Some(guest) => client.identity(&guest.papers().identity()),
        None => client,
    };
    thread::spawn(move || {
        let stream = blocking::TcpStream::connect(at)?;
        let late = Instant::now() + PATIENCE;
        stream.set_deadlines(Some(late), Some(late));
        let stream = stream.start_tls(client.to("localhost"))?;
        // In 1.3 it hears only now whether it was let in.
        (&stream).read_exact(&mut [0; 7])
    })
}

/// Whoever is refused is told so.
#[track_caller]
fn was_told(guest: JoinHandle<io::Result<()>>, case: impl std::fmt::Debug) {
    let error = guest.join().unwrap().unwrap_err();
    assert!(error.to_string().contains("tls: the peer refuses: "), "{case:?}: {error}");
}

fn asking(ask: ClientCerts) -> Server {
    Server::new(&Shown::P256.papers().identity()).client_certs(ask)
}

#[test]
fn wrong_clients_are_refused_by_threads() {
    watched(|| {
        let listener = blocking::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        for (who, ask, told) in unwelcome() {
            let calling = guest(at, who);
            let accepted = listener.accept().unwrap().0.start_tls(&asking(ask.clone()));
            is_refusal(&accepted.unwrap_err(), told, (who, &ask));
            was_told(calling, (who, &ask));
        }
        let calling = guest(at, Some(Guest::Known));
        let known = asking(ClientCerts::RequireAndVerify(Trusted::OfGuests.roots()));
        let mut stream = listener.accept().unwrap().0.start_tls(&known).unwrap();
        stream.write_all(b"welcome").unwrap();
        calling.join().unwrap().unwrap();
    });
}

#[cfg(feature = "async")]
#[test]
fn wrong_clients_are_refused_by_tasks() {
    watched(|| {
        home(Kind::Ready).block_on(async {
            let listener = reseau::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = listener.local_addr().unwrap();
            for (who, ask, told) in unwelcome() {
                let calling = guest(at, who);
                let (stream, _) = listener.accept().await.unwrap();
                let accepted = stream.start_tls(&asking(ask.clone())).await;
                is_refusal(&accepted.unwrap_err(), told, (who, &ask));
                was_told(calling, (who, &ask));
            }
        });
    });
}

/// A listener lets in who is right, and remembers who was not.
#[test]
fn wrong_clients_do_not_get_past_a_listener_for_threads() {
    for plain_too in [false, true] {
        watched(move || {
            for (who, ask, told) in unwelcome() {
                let listen = blocking::listen("tls://127.0.0.1:0").tls(&asking(ask.clone()));
                let listener = listen.wait().unwrap();
                let at = listener.local_addr().unwrap().inet().unwrap();
                let calling = call_listener(at, who);
                let failures = if plain_too {
                    let listener = listener.plain_too();
                    let (mut stream, _) = listener.accept().unwrap();
                    assert!(matches!(stream, blocking::MaybeTls::Tls(_)), "{who:?}, {ask:?}");
                    stream.write_all(b"welcome").unwrap();
                    listener.take_failures()
                } else {
                    let (mut stream, _) = listener.accept().unwrap();
                    stream.write_all(b"welcome").unwrap();
                    listener.take_failures()
                };
                assert_eq!(failures.len(), 1);
                is_refusal(failures[0].error(), told, (who, &ask));
                calling.join().unwrap().unwrap();
            }
        });
    }
}

/// Somebody who is refused, and then somebody who is not.
fn call_listener(at: SocketAddr, wrong: Option<Guest>) -> JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        was_told(guest(at, wrong), wrong);
        guest(at, Some(Guest::Known)).join().unwrap()
    })
}

/// The same for tasks.
#[cfg(feature = "async")]
#[test]
fn wrong_clients_do_not_get_past_a_listener() {
    for plain_too in [false, true] {
        watched(move || {
            home(Kind::Ready).block_on(async {
                for (who, ask, told) in unwelcome() {
                    let server = asking(ask.clone());
                    let listener = reseau::listen("tls://127.0.0.1:0").tls(&server).await.unwrap();
                    let at = listener.local_addr().unwrap().inet().unwrap();
                    let calling = call_listener(at, who);
                    let failures = if plain_too {
                        let listener = listener.plain_too();
                        let reseau::tls::MaybeTls::Tls(mut stream) =
                            listener.accept().await.unwrap().0
                        else {
                            panic!("{who:?}, {ask:?}: without TLS");
                        };
                        stream.send("welcome").await.unwrap();
                        stream.flush().await.unwrap();
                        listener.take_failures()
                    } else {
                        let (mut stream, _) = listener.accept().await.unwrap();
                        stream.send("welcome").await.unwrap();
                        stream.flush().await.unwrap();
                        listener.take_failures()
                    };
                    assert_eq!(failures.len(), 1);
                    is_refusal(failures[0].error(), told, (who, &ask));
                    calling.join().unwrap().unwrap();
                }
            });
        });
    }
}

/// Both sides in a simulated world, whose calendar shows 2026.
#[cfg(feature = "async")]
#[test]
fn simulated_ones_are_refused_alike() {
    watched(|| {
        home(Kind::Sim).block_on(async {
            for (shown, trusted, told) in WRONG {
                let server = Server::new(&shown.papers().identity());
                let client = Client::new().trust_only(&trusted.roots());
                let (called, answered) = meet(&client, &server).await;
                is_refusal(&called.unwrap_err(), told, shown);
                assert!(answered.is_err());
            }
            for (who, ask, told) in unwelcome() {
                let client = Client::new().trust_only(&Trusted::Issuer.roots());
                let client = match who {
                    Some(who) => client.identity(&who.papers().identity()),
                    None => client,
                };
                let (_, answered) = meet(&client, &asking(ask.clone())).await;
                is_refusal(&answered.unwrap_err(), told, (who, &ask));
            }
            let client = Client::new().trust_only(&Trusted::Issuer.roots());
            let (called, answered) = meet(&client, &asking(ClientCerts::None)).await;
            assert!(called.is_ok() && answered.is_ok());
        });
    });
}

/// What came of a handshake on either side.
#[cfg(feature = "async")]
async fn meet(client: &Client, server: &Server) -> (io::Result<()>, io::Result<()>) {
    let listener = reseau::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = reseau::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = server.clone();
    let answering = reseau::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.start_tls(&server).await.map(drop)
    });
    let called = stream.start_tls(client.to("localhost")).await.map(drop);
    (called, answering.await.unwrap())
}

/// Somebody says that it was all, and leaves, instead of a handshake: in either role that is no
/// session, and nobody waits for more.
#[test]
fn an_end_instead_of_a_handshake_is_no_session() {
    const CLOSE_NOTIFY: [u8; 7] = [0x15, 3, 3, 0, 2, 1, 0];
    for serves in [false, true] {
        watched(move || {
            let (one, mut other) = crate::stage::tcp_pair();
            other.write_all(&CLOSE_NOTIFY).unwrap();
            other.shutdown(std::net::Shutdown::Write).unwrap();
            let side = match serves {
                true => (&asking(ClientCerts::None)).into(),
                false => Client::new().to("localhost"),
            };
            let error = one.start_tls(side).unwrap_err();
            assert!(Broken::of(&error).is_some_and(Broken::in_handshake), "{error}");
        });
    }
}

/// Nothing in the library decides about certificates but rustls and the system, save where a word
/// asks for it: `danger_accept_any_certificate`, and the two modes in which nobody checks whose a
/// client's certificate is.
#[test]
fn no_check_of_ours_takes_the_place_of_theirs() {
    // Where each word is used, in how many lines that are no imports.
    let expected = [
        // (A witness asks the one behind it, and gives its answer.)
        ("ServerCertVerifier for ", vec![("unchecked.rs", 1), ("witness.rs", 1)]),
        ("ClientCertVerifier for ", vec![("unchecked.rs", 1), ("witness.rs", 1)]),
        ("ServerCertVerified::assertion", vec![("unchecked.rs", 1)]),
        ("ClientCertVerified::assertion", vec![("unchecked.rs", 1)]),
        ("HandshakeSignatureValid::assertion", vec![]),
        ("with_custom_certificate_verifier(", vec![("client.rs", 1)]),
        ("with_client_cert_verifier(", vec![("server.rs", 1)]),
        ("Anybody {", vec![("client.rs", 1), ("server.rs", 2), ("unchecked.rs", 3)]),
    ];
    let sources = sources();
    for (word, places) in expected {
        let count = |text: &str| text.lines().filter(|line| line.contains(word)).count();
        let found = sources.iter().map(|(name, text)| (name.as_str(), count(text)));
        let found: Vec<_> = found.filter(|(_, count)| *count > 0).collect();
        assert_eq!(found, places, "{word}");
    }
}

/// The library's files without their tests: names and texts.
fn sources() -> Vec<(String, String)> {
    fn walk(dir: &std::path::Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                walk(&path, found);
            } else if name.ends_with(".rs") && !name.ends_with("_tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((name, text.split("\nmod tests {").next().unwrap().to_owned()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    found
}

/// How long somebody waits to be told what became of him.
const PATIENCE: Duration = Duration::from_secs(10);
