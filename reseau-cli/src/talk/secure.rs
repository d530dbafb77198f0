//! TLS for `connect`: from the first byte on, or after a word in the server's own protocol.
use std::io;
use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches};
use reseau::addr::Scheme;
use reseau::tls::{Broken, TlsStream};
use reseau::{Stream, clock, timeout_at};

use super::Orders;
use super::aside::Aside;
use super::starttls::{Dialogue, Names, Protocol};
use crate::failure::Failure;
use crate::tls::{ClientOrders, Told};

/// How a client comes to speak TLS.
pub(super) struct Secure {
    pub(super) tls: ClientOrders,
    pub(super) starttls: Option<Protocol>,
}

/// `--starttls PROTOCOL`.
pub(super) fn argument() -> Arg {
    Arg::new("starttls")
        .long("starttls")
        .value_name("PROTOCOL")
        .value_parser(Protocol::ALL.map(Protocol::name))
        .help_heading("TLS")
        .help("Begin in plaintext, and ask the server for TLS in this protocol")
}

impl Secure {
    /// `None`: all of it is plaintext.
    pub(super) fn new(given: &ArgMatches, orders: &Orders) -> Result<Option<Self>, Failure> {
        let endpoint = &orders.endpoint;
        let refuse = |why| Err(Failure::usage(format_args!("{endpoint}: {why}")));
        let asked = given.get_one::<String>("starttls");
        let starttls = Protocol::ALL.into_iter().find(|one| asked.is_some_and(|a| a == one.name()));
        match (endpoint.scheme(), starttls) {
            (Scheme::Tls, Some(_)) => {
                return refuse("speaks TLS from its first byte on: without tls://, or --starttls");
            }
            (_, Some(_)) if orders.datagrams => return refuse("--starttls is for streams"),
            (Scheme::Tls, None) | (_, Some(_)) => {}
            _ => {
                ClientOrders::refuse(given, endpoint)?;
                return Ok(None);
            }
        }
        Ok(Some(Self { tls: ClientOrders::new(given, endpoint)?, starttls }))
    }

    /// Speaks TLS on a stream that speaks something else, if the server lets it.
    pub(super) async fn upgrade(
        &self,
        stream: Stream,
        protocol: Protocol,
        orders: &Orders,
        until: Option<Instant>,
    ) -> Result<TlsStream, Failure> {
        let until = until.or_else(|| clock::now().checked_add(PATIENCE));
        let own = stream.local_addr().ok().and_then(|addr| addr.inet());
        let names = Names { host: self.tls.name.clone(), own: own.map(|addr| addr.ip()) };
        let mut dialogue = Dialogue::new(protocol, names);
        let talk = self.talk(stream, &mut dialogue, orders);
        let endpoint = &orders.endpoint;
        let end = match until {
            None => talk.await,
            Some(at) => timeout_at(at, talk)
                .await
                .unwrap_or_else(|_| Err(format!("the deadline has passed; {}", dialogue.so_far()))),
        };
        end.map_err(|why| {
            Failure::world(format_args!("connect {endpoint}: starttls {protocol}: {why}"))
        })
    }

    async fn talk(
        &self,
        mut stream: Stream,
        dialogue: &mut Dialogue,
        orders: &Orders,
    ) -> Result<TlsStream, String> {
        let end = converse(&mut stream, dialogue, &orders.aside).await;
        tell(dialogue, &orders.aside);
        end?;
        let secured = stream.start_tls(self.tls.client.to(&self.tls.name)).await;
        secured.map_err(|error| match Broken::of(&error) {
            Some(broken) => format!("tls: {broken}"),
            None => format!("tls: {error}"),
        })
    }

    /// Says what was agreed upon, to those who want to know, and what was not checked, to all.
    pub(super) fn tell(&self, stream: &TlsStream, aside: &Aside) {
        let session = stream.session();
        if aside.is_verbose() {
            aside.say(Told::new(&session));
        }
        if let Some(warning) = self.tls.warning(&session) {
            aside.say(warning);
        }
    }
}

async fn converse(
    stream: &mut Stream,
    dialogue: &mut Dialogue,
    aside: &Aside,
) -> Result<(), String> {
    loop {
        let output = dialogue.take_output();
        tell(dialogue, aside);
        if !output.is_empty() {
            stream.send(output).await.map_err(|error| broken(&error, dialogue))?;
        }
        if dialogue.is_done() {
            return Ok(());
        }
        match stream.recv().await.map_err(|error| broken(&error, dialogue))? {
            Some(chunk) => dialogue.input(&chunk).map_err(|refusal| refusal.to_string())?,
            None => return Err(format!("the server left before TLS began; {}", dialogue.so_far())),
        }
    }
}

fn broken(error: &io::Error, dialogue: &Dialogue) -> String {
    format!("{error}; {}", dialogue.so_far())
}

fn tell(dialogue: &mut Dialogue, aside: &Aside) {
    for news in dialogue.take_news() {
        aside.note(news);
    }
}

/// How long a dialogue and the handshake may take, if nobody says.
const PATIENCE: Duration = Duration::from_secs(30);
