//! Our side, in both doors: what it says and hears is a list of steps.
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};

use reseau::tls::{Broken, Client, Server, Session};
#[cfg(feature = "async")]
use reseau::{Config, Kind, Loop};
use reseau::{Resolver, blocking};

use super::case::{Case, Ending};
use super::papers::{Guest, OTHER, Shown};

/// Whose calls are made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    Threads,
    /// The driver that a loop chooses by itself, or one that is named.
    #[cfg(feature = "async")]
    Tasks(Option<Kind>),
}

/// One thing that is done on a connection.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Say(&'static str),
    Hear(&'static str),
    /// Hears this, and more, until the other side says that it was all.
    Rest(&'static str),
    /// Says that it was all, if the other side still wants to know.
    Finish,
    /// The other side says that it was all.
    Ends,
    /// The transport ends without a word.
    Breaks,
}

impl Case {
    pub(crate) fn client(&self) -> Client {
        let client = Client::new().trust_only(&self.trusted.roots()).oldest(self.oldest);
        let client = client.alpn(self.alpn.0.iter().copied());
        let client = self
            .guest
            .map(Guest::papers)
            .iter()
            .fold(client, |client, papers| client.identity(&papers.identity()));
        if self.again == Some(true) { client.resume(8) } else { client }
    }

    pub(crate) fn server(&self) -> Server {
        let server = Server::new(&self.shown.papers().identity()).oldest(self.oldest);
        let server = server.alpn(self.alpn.1.iter().copied()).client_certs(self.ask.of_ours());
        let server = server.tickets(self.again != Some(false));
        if self.also {
            server.reload_name(OTHER, &Shown::Other.papers().identity());
        }
        server
    }

    /// What the client does once there is TLS. The server speaks first, so that a client that was
    /// refused reads why, and has written nothing that would make the system reset the connection.
    pub(crate) fn steps_of_client(&self) -> Vec<Step> {
        use Step::{Breaks, Ends, Finish, Hear, Say};
        let mut steps = vec![Hear(WELCOME), Say(THANKS), Hear(BYE)];
        steps.extend_from_slice(match self.ending {
            Ending::ClientFirst => &[Say(READY), Finish, Ends],
            Ending::ServerFirst => &[Say(READY), Ends, Finish],
            Ending::ClientCuts => &[],
            Ending::ServerCuts => &[Say(READY), Breaks],
        });
        steps
    }

    pub(crate) fn steps_of_server(&self) -> Vec<Step> {
        use Step::{Breaks, Ends, Finish, Hear, Say};
        let mut steps = vec![Say(WELCOME), Hear(THANKS), Say(BYE)];
        steps.extend_from_slice(match self.ending {
            Ending::ClientFirst => &[Hear(READY), Ends, Finish],
            Ending::ServerFirst => &[Hear(READY), Finish, Ends],
            Ending::ClientCuts => &[Breaks],
            Ending::ServerCuts => &[Hear(READY)],
        });
        steps
    }
}

/// A connection of ours to a server of others.
pub(crate) fn call(
    door: Door,
    at: SocketAddr,
    client: &Client,
    name: &str,
    steps: &[Step],
) -> io::Result<Session> {
    let resolver = Resolver::fixed([("localhost", [at.ip()]), (OTHER, [at.ip()])]);
    let to = format!("tls://{name}:{}", at.port());
    match door {
        Door::Threads => {
            let dial = blocking::connect(to).resolver(&resolver);
            by_threads(dial.tls(client).wait()?, steps)
        }
        #[cfg(feature = "async")]
        Door::Tasks(kind) => home(kind).block_on(async {
            by_tasks(reseau::connect(to).resolver(&resolver).tls(client).await?, steps).await
        }),
    }
}

/// The next connection of others to a server of ours.
pub(crate) fn answer(
    door: Door,
    listener: &TcpListener,
    server: &Server,
    steps: &[Step],
) -> io::Result<Session> {
    let listener = listener.try_clone()?;
    match door {
        Door::Threads => {
            let (stream, _) = blocking::TcpListener::from(listener).accept()?;
            by_threads(stream.start_tls(server)?, steps)
        }
        #[cfg(feature = "async")]
        Door::Tasks(kind) => home(kind).block_on(async {
            let (stream, _) = reseau::TcpListener::from_std(listener)?.accept().await?;
            by_tasks(stream.start_tls(server).await?, steps).await
        }),
    }
}

#[cfg(feature = "async")]
fn home(kind: Option<Kind>) -> Loop {
    Loop::with(&Config { kind, ..Config::default() }).unwrap()
}

fn by_threads(mut stream: blocking::TlsStream, steps: &[Step]) -> io::Result<Session> {
    for step in steps {
        match step {
            Step::Say(text) => stream.write_all(text.as_bytes())?,
            Step::Hear(text) => {
                let mut got = vec![0; text.len()];
                stream.read_exact(&mut got)?;
                assert_eq!(got, text.as_bytes());
            }
            Step::Rest(start) => {
                let mut text = String::new();
                stream.read_to_string(&mut text)?;
                assert!(text.starts_with(start), "{text}");
            }
            Step::Finish => may_be_gone(stream.finish())?,
            Step::Ends => assert_eq!(stream.read(&mut [0; 9])?, 0),
            Step::Breaks => {
                for _ in 0..2 {
                    is_a_cut(&stream.read(&mut [0; 9]).unwrap_err());
                }
            }
        }
    }
    Ok(stream.session())
}

#[cfg(feature = "async")]
async fn by_tasks<F: reseau::addr::Family>(
    mut stream: reseau::tls::TlsStream<F>,
    steps: &[Step],
) -> io::Result<Session> {
    for step in steps {
        match step {
            Step::Say(text) => stream.send(*text).await?,
            Step::Hear(text) => {
                let mut got = vec![0; text.len()];
                stream.read_exact(&mut got).await?;
                assert_eq!(got, text.as_bytes());
            }
            Step::Rest(start) => {
                let mut text = Vec::new();
                while let Some(chunk) = stream.recv().await? {
                    text.extend_from_slice(&chunk);
                }
                assert!(text.starts_with(start.as_bytes()));
            }
            Step::Finish => may_be_gone(stream.finish().await)?,
            Step::Ends => assert!(stream.recv().await?.is_none()),
            Step::Breaks => {
                for _ in 0..2 {
                    is_a_cut(&stream.recv().await.unwrap_err());
                }
            }
        }
    }
    Ok(stream.session())
}

/// Who has heard that it was all need not wait for more.
fn may_be_gone(finished: io::Result<()>) -> io::Result<()> {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    finished.or_else(|error| match error.kind() {
        BrokenPipe | ConnectionReset | NotConnected => Ok(()),
        _ => Err(error),
    })
}

#[track_caller]
fn is_a_cut(error: &io::Error) {
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
    assert!(Broken::of(error).is_some_and(Broken::is_truncation), "{error}");
}

pub(crate) const WELCOME: &str = "welcome\n";
pub(crate) const THANKS: &str = "thanks\n";
pub(crate) const BYE: &str = "bye\n";
pub(crate) const READY: &str = "ready\n";
