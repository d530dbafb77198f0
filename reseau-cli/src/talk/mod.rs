//! `reseau connect` and `reseau listen`: stdin and stdout at one end of a connection.
//!
//! A session runs on a loop of its own ([`session`]) and moves bytes ([`pump`] for streams,
//! [`datagrams`]); this thread meanwhile shows how it goes ([`Aside`]) and hears signals.
mod aside;
mod connect;
mod datagrams;
mod input;
mod listen;
mod output;
mod pump;
mod secure;
mod starttls;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};
use reseau::addr::Scheme;
use reseau::{Config, Endpoint, Group, UnixAddr};

use crate::arguments::seconds;
use crate::failure::Failure;
use crate::signals;
use aside::{Aside, When};

pub(crate) use connect::{command as connect_command, run as connect};
pub(crate) use listen::{command as listen_command, run as listen};

/// What both commands are told.
struct Orders {
    endpoint: Endpoint,
    datagrams: bool,
    /// How long to wait for more when stdin has ended and nothing comes.
    wait: Option<Duration>,
    aside: Arc<Aside>,
    /// Whether stdin is not read at all, and its end not passed on.
    deaf: bool,
    /// Whether there is another peer after this one.
    keep: bool,
}

/// The arguments of both commands.
fn arguments(endpoint: Arg) -> Vec<Arg> {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    vec![
        endpoint,
        flag("udp").short('u').help("Datagrams, not a stream").conflicts_with("unix"),
        flag("unix").short('U').help("ENDPOINT is the path of a Unix socket, or @NAME"),
        flag("no-stdin").short('d').help("Send nothing: do not read stdin"),
        Arg::new("wait")
            .long("wait")
            .short('w')
            .value_name("SECONDS")
            .value_parser(seconds)
            .help("End when stdin has ended and nothing has come for so long")
            .long_help(
                "End when stdin has ended and nothing has come for so long. Without it a stream is \
                 waited for until its end; datagrams, which have none, for a second.",
            ),
        flag("verbose").short('v').help("Say on stderr what happens, as it happens"),
        Arg::new("progress")
            .long("progress")
            .value_name("WHEN")
            .value_parser(["auto", "always", "never"])
            .default_value("auto")
            .help("Show rate and total on stderr: auto is on terminals, when nobody types"),
    ]
}

impl Orders {
    fn new(given: &ArgMatches) -> Result<Self, Failure> {
        let text = given.get_one::<String>("endpoint").map_or("", String::as_str);
        let unix = given.get_flag("unix");
        let endpoint = if unix { of_path(text)? } else { text.parse().map_err(Failure::usage)? };
        let datagrams = given.get_flag("udp") || endpoint.scheme() == Scheme::Udp;
        let refuse = |why| Err(Failure::usage(format_args!("{text}: {why}")));
        if datagrams && endpoint.port().is_none() && endpoint.service().is_none() {
            return refuse("--udp needs a host and a port");
        }
        if given.get_flag("udp") && endpoint.scheme() == Scheme::Tcp {
            return refuse("--udp is not TCP");
        }
        if given.get_flag("udp") && endpoint.scheme() == Scheme::Tls {
            return refuse("--udp is not TLS");
        }
        let when = match given.get_one::<String>("progress").map(String::as_str) {
            Some("always") => When::Always,
            Some("never") => When::Never,
            _ => When::Auto,
        };
        let aside = Arc::new(Aside::new(given.get_flag("verbose"), when));
        let wait = given.get_one("wait").copied();
        let deaf = given.get_flag("no-stdin");
        Ok(Self { endpoint, datagrams, wait, aside, deaf, keep: false })
    }

    /// Whether a conversation is over with the end of the peer, though stdin has not ended: a
    /// person who types has nobody to talk to then, or there is another peer to serve.
    fn ends_with_peer(&self) -> bool {
        self.keep || self.deaf || io::stdin().is_terminal()
    }
}

fn of_path(text: &str) -> Result<Endpoint, Failure> {
    let addr = match text.strip_prefix('@') {
        Some(name) => UnixAddr::from_abstract_name(name),
        None => UnixAddr::from_pathname(text),
    };
    addr.map_err(Failure::usage)?.try_into().map_err(Failure::usage)
}

/// Runs what `make` makes on a loop of its own, until it ends or somebody wants it to.
fn session<F>(aside: &Arc<Aside>, make: impl FnOnce() -> F + Send + 'static) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + 'static,
{
    let (tell, told) = mpsc::channel();
    let signals = |error: io::Error| Failure::world(format_args!("signals: {error}"));
    signals::on_end(tell.clone(), End::Wished).map_err(signals)?;
    let group = Group::new(1, &Config::default()).map_err(Failure::world)?;
    let session = move || async move {
        // If nobody listens, the program is ending already.
        let _ = tell.send(End::Session(make().await));
    };
    group.pick().spawn(session).map_err(Failure::world)?;
    let end = loop {
        match told.recv_timeout(aside.pause()) {
            Err(RecvTimeoutError::Timeout) => aside.show(),
            Ok(end) => break end,
            Err(RecvTimeoutError::Disconnected) => {
                break End::Session(Err(Failure::world("the session died")));
            }
        }
    };
    // What was sent already still goes out, if it can at once.
    group.stop(GRACE);
    aside.end();
    match end {
        End::Session(end) => end,
        End::Wished => Err(Failure::interrupted()),
    }
}

/// Why a session is over.
enum End {
    Session(Result<(), Failure>),
    Wished,
}

/// How long the rest of what was sent may take, when it is all over.
const GRACE: Duration = Duration::from_millis(200);
