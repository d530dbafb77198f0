//! `reseau connect`: to wherever an endpoint says, by the best way there.
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use reseau::dial::{DialReport, Proxy};
use reseau::dns::Families;
use reseau::tls::TlsStream;
use reseau::{Addr, Connect, Stream, clock};

use super::input::Input;
use super::pump::{self, Trouble};
use super::secure::{self, Secure};
use super::{Orders, datagrams, session};
use crate::failure::Failure;
use crate::{arguments, tls};

pub(crate) fn command() -> Command {
    let endpoint = Arg::new("endpoint")
        .value_name("ENDPOINT")
        .required(true)
        .help(
            "Where to connect: example.com:80, tls://example.com:https, udp://[::1]:53, unix:/path",
        )
        .long_help(
            "Where to connect: example.com:https, 127.0.0.1:80, [fe80::1%eth0]:80, \
             tls://HOST:PORT, udp://HOST:PORT, unix:/path, unix:@name, vsock:2:1024. A port alone \
             (:80) is this machine's.",
        );
    Command::new("connect")
        .about("Connect: stdin goes to the peer, what the peer sends to stdout")
        .long_about(
            "Connect: stdin goes to the peer, what the peer sends to stdout. Names are looked up \
             and addresses tried as RFC 8305 has it. The end of stdin ends that direction alone; \
             the program ends with both. With tls:// the server has to have a certificate of the \
             name that is dialled, of an issuer that the system trusts; -v shows it.",
        )
        .after_help(EXAMPLES)
        .args(super::arguments(endpoint))
        .arg(
            Arg::new("via")
                .long("via")
                .value_name("PROXY")
                .action(ArgAction::Append)
                .value_parser(|text: &str| text.parse::<Proxy>())
                .help(
                    "Go by way of socks5://[USER:PASSWORD@]HOST:PORT or http://…; repeat to chain",
                )
                .conflicts_with_all(["udp", "unix"]),
        )
        .arg(arguments::limit("Give up when there is no connection after so long"))
        .args(arguments::families())
        .arg(secure::argument())
        .args(tls::client_arguments())
}

pub(crate) fn run(given: &ArgMatches) -> Result<(), Failure> {
    let orders = Orders::new(given)?;
    if orders.endpoint.inherited().is_some() {
        let why = "an inherited socket is connected already, if it is to be";
        return Err(Failure::usage(format_args!("{}: {why}", orders.endpoint)));
    }
    let secure = Secure::new(given, &orders)?;
    let way = Way {
        proxies: given.get_many::<Proxy>("via").into_iter().flatten().cloned().collect(),
        limit: arguments::limit_of(given),
        families: arguments::families_of(given),
    };
    let aside = Arc::clone(&orders.aside);
    session(&aside, move || async move {
        if orders.datagrams {
            if !way.proxies.is_empty() {
                return Err(Failure::usage("datagrams go by no proxy"));
            }
            return datagrams::connect(&orders, way.families, way.limit).await;
        }
        let mut input = Input::stdin();
        let end = match secure {
            None => pump::stream(dial(&orders, way).await?, &mut input, &orders).await,
            Some(secure) => {
                let stream = dial_secure(&orders, way, &secure).await?;
                secure.tell(&stream, &orders.aside);
                pump::stream(stream, &mut input, &orders).await
            }
        };
        end.or_else(Trouble::failure)
    })
}

/// How to get there.
struct Way {
    proxies: Vec<Proxy>,
    limit: Option<Duration>,
    families: Families,
}

impl Way {
    fn connect(self, orders: &Orders) -> Connect {
        let mut connect = reseau::connect(&orders.endpoint).families(self.families);
        if let Some(limit) = self.limit {
            connect = connect.limit(limit);
        }
        for proxy in self.proxies {
            connect = connect.via(proxy);
        }
        let aside = Arc::clone(&orders.aside);
        connect.watch(move |news| aside.note(news))
    }
}

async fn dial(orders: &Orders, way: Way) -> Result<Stream, Failure> {
    let began = clock::now();
    let stream = way.connect(orders).await.map_err(|error| failure(orders, &error))?;
    connected(orders, &stream.peer_addr().map_err(Failure::world)?, began, "");
    Ok(stream)
}

async fn dial_secure(orders: &Orders, way: Way, secure: &Secure) -> Result<TlsStream, Failure> {
    let began = clock::now();
    if let Some(protocol) = secure.starttls {
        let until = way.limit.and_then(|limit| began.checked_add(limit));
        let stream = dial(orders, way).await?;
        return secure.upgrade(stream, protocol, orders, until).await;
    }
    let stream = way.connect(orders).tls(&secure.tls.client).await;
    let stream = stream.map_err(|error| failure(orders, &error))?;
    connected(orders, &stream.peer_addr().map_err(Failure::world)?, began, ", TLS included");
    Ok(stream)
}

fn connected(orders: &Orders, peer: &Addr, began: Instant, more: &str) {
    let took = clock::now().duration_since(began).as_secs_f64() * 1e3;
    orders.aside.note(format_args!("connected to {peer} in {took:.1} ms{more}"));
}

/// The error; before it, all that was tried, if that is more than the error itself says.
fn failure(orders: &Orders, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::InvalidInput {
        return Failure::usage(error);
    }
    match DialReport::of(error) {
        // Those who want to know all have seen it happen.
        Some(report) if steps(report) > 1 && !orders.aside.is_verbose() => {
            orders.aside.say(report.to_string().trim_end());
        }
        _ => {}
    }
    Failure::world(error)
}

fn steps(report: &DialReport) -> usize {
    report.lookups().len() + report.attempts().len() + report.hops().len()
}

const EXAMPLES: &str = "\
Examples:
  reseau connect example.com:80 <request
  reseau connect -v tls://example.com:443 --alpn http/1.1
  reseau connect --starttls smtp mail.example.com:25
  reseau connect tls://10.0.0.1:443 --server-name db.internal --ca roots.pem
  reseau connect tls://example.com:443 --via socks5://127.0.0.1:1080";
