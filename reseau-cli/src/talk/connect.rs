//! `reseau connect`: to wherever an endpoint says, by the best way there.
use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use reseau::dial::{DialReport, Proxy};
use reseau::dns::Families;
use reseau::{Stream, clock};

use super::input::Input;
use super::pump::{self, Trouble};
use super::{Orders, datagrams, session};
use crate::arguments;
use crate::failure::Failure;

pub(crate) fn command() -> Command {
    let endpoint = Arg::new("endpoint")
        .value_name("ENDPOINT")
        .required(true)
        .help("Where to connect: example.com:https, [::1]:80, :80, udp://HOST:PORT, unix:/path")
        .long_help(
            "Where to connect: example.com:https, 127.0.0.1:80, [fe80::1%eth0]:80, \
             udp://HOST:PORT, unix:/path, unix:@name, vsock:2:1024. A port alone (:80) is this \
             machine's.",
        );
    Command::new("connect")
        .about("Connect: stdin goes to the peer, what the peer sends to stdout")
        .long_about(
            "Connect: stdin goes to the peer, what the peer sends to stdout. Names are looked up \
             and addresses tried as RFC 8305 has it. The end of stdin ends that direction alone; \
             the program ends with both.",
        )
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
}

pub(crate) fn run(given: &ArgMatches) -> Result<(), Failure> {
    let orders = Orders::new(given)?;
    if orders.endpoint.inherited().is_some() {
        let why = "an inherited socket is connected already, if it is to be";
        return Err(Failure::usage(format_args!("{}: {why}", orders.endpoint)));
    }
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
        let stream = dial(&orders, way).await?;
        let end = pump::stream(stream, &mut Input::stdin(), &orders).await;
        end.or_else(Trouble::failure)
    })
}

/// How to get there.
struct Way {
    proxies: Vec<Proxy>,
    limit: Option<Duration>,
    families: Families,
}

async fn dial(orders: &Orders, way: Way) -> Result<Stream, Failure> {
    let mut connect = reseau::connect(&orders.endpoint).families(way.families);
    if let Some(limit) = way.limit {
        connect = connect.limit(limit);
    }
    for proxy in way.proxies {
        connect = connect.via(proxy);
    }
    let (aside, began) = (Arc::clone(&orders.aside), clock::now());
    let connected = connect.watch(move |news| aside.note(news)).await;
    let stream = connected.map_err(|error| failure(orders, &error))?;
    let took = clock::now().duration_since(began).as_secs_f64() * 1e3;
    let peer = stream.peer_addr().map_err(Failure::world)?;
    orders.aside.note(format_args!("connected to {peer} in {took:.1} ms"));
    Ok(stream)
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
