//! `reseau listen`: for whoever connects.
use std::fmt::Display;
use std::io;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use reseau::addr::Scheme;
use reseau::tls::{TlsListener, TlsStream};
use reseau::{Addr, Any, Listener, Stream};

use super::input::Input;
use super::pump::{self, Conversation, Trouble};
use super::{Orders, datagrams, session};
use crate::failure::Failure;
use crate::tls::{self, ServerOrders, Told};

pub(crate) fn command() -> Command {
    let endpoint = Arg::new("endpoint")
        .value_name("ENDPOINT")
        .required(true)
        .help("Where to listen: :8080, [::]:8080, tls://:8443, udp://:8080, unix:/path, fd:3")
        .long_help(
            "Where to listen: 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080 for every interface, \
             tls://HOST:PORT, udp://HOST:PORT, unix:/path, unix:@name, vsock:4294967295:1024, \
             fd:3, systemd:NAME. A port alone (:8080) is this machine's loopback, port 0 one \
             that the system chooses.",
        );
    Command::new("listen")
        .about("Wait for a connection: stdin goes to the peer, what the peer sends to stdout")
        .long_about(
            "Wait for a connection: stdin goes to the peer, what the peer sends to stdout. Where \
             it listens is said on stderr. The end of stdin ends that direction alone; the program \
             ends with both.",
        )
        .args(super::arguments(endpoint))
        .arg(
            Arg::new("keep")
                .long("keep")
                .short('k')
                .action(ArgAction::SetTrue)
                .help("Go on with the next connection when one has ended"),
        )
        .args(tls::server_arguments())
        .after_help(EXAMPLES)
}

pub(crate) fn run(given: &ArgMatches) -> Result<(), Failure> {
    let orders = Orders { keep: given.get_flag("keep"), ..Orders::new(given)? };
    let secure = secure(given, &orders)?;
    let aside = Arc::clone(&orders.aside);
    session(&aside, move || async move {
        if orders.datagrams {
            return datagrams::listen(&orders).await;
        }
        match secure {
            None => plain(&orders).await,
            Some(secure) => encrypted(&orders, &secure).await,
        }
    })
}

fn secure(given: &ArgMatches, orders: &Orders) -> Result<Option<ServerOrders>, Failure> {
    let at = &orders.endpoint;
    if at.scheme() != Scheme::Tls {
        return ServerOrders::refuse(given, &at.to_string()).map(|()| None);
    }
    match ServerOrders::new(given, &[at])? {
        Some(secure) => Ok(Some(secure)),
        None => {
            let why = "TLS needs a certificate: --cert FILE --key FILE, or --self-signed";
            Err(Failure::usage(format_args!("{at}: {why}")))
        }
    }
}

async fn plain(orders: &Orders) -> Result<(), Failure> {
    let listener = reseau::listen(&orders.endpoint).claim(true).await.map_err(refusal)?;
    orders.aside.say(format_args!("listening {}", listener.local_addr().map_err(Failure::world)?));
    serve(listener, orders).await
}

async fn encrypted(orders: &Orders, secure: &ServerOrders) -> Result<(), Failure> {
    let listening = reseau::listen(&orders.endpoint).claim(true).tls(&secure.server);
    let listener = listening.await.map_err(refusal)?;
    let addr = listener.local_addr().map_err(Failure::world)?;
    orders.aside.say(format_args!("listening tls://{addr}"));
    if let Some(told) = secure.told(addr.inet().map(|addr| addr.port())) {
        orders.aside.say(told);
    }
    let aside = Arc::clone(&orders.aside);
    serve(listener.watch(move |failure| aside.say(failure)), orders).await
}

/// Where conversations come from.
trait Door {
    type Guest: Conversation;

    async fn next(&self) -> io::Result<(Self::Guest, Addr)>;

    /// What there is to know of a guest.
    fn told(guest: &Self::Guest) -> Option<impl Display>;
}

impl Door for Listener<Any> {
    type Guest = Stream;

    async fn next(&self) -> io::Result<(Stream, Addr)> {
        self.accept().await
    }

    fn told(_: &Stream) -> Option<impl Display> {
        None::<String>
    }
}

impl Door for TlsListener<Any> {
    type Guest = TlsStream;

    async fn next(&self) -> io::Result<(TlsStream, Addr)> {
        self.accept().await
    }

    fn told(guest: &TlsStream) -> Option<impl Display> {
        Some(Told::new(&guest.session()).to_string())
    }
}

async fn serve<D: Door>(listener: D, orders: &Orders) -> Result<(), Failure> {
    let mut listener = Some(listener);
    let mut input = Input::stdin();
    while let Some(open) = &listener {
        let (guest, peer) = open.next().await.map_err(Failure::world)?;
        orders.aside.note(format_args!("{peer} has connected"));
        if let Some(told) = D::told(&guest).filter(|_| orders.aside.is_verbose()) {
            orders.aside.say(told);
        }
        if !orders.keep {
            // Who comes later is to hear at once that nobody waits for them.
            listener = None;
        }
        match pump::stream(guest, &mut input, orders).await {
            // One peer that failed is no reason to refuse the next.
            Err(Trouble::Peer(error)) if orders.keep => orders.aside.say(error),
            Ok(()) if orders.keep => {}
            end => return end.or_else(Trouble::failure),
        }
    }
    Ok(())
}

fn refusal(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidInput => Failure::usage(error),
        _ => Failure::world(error),
    }
}

const EXAMPLES: &str = "\
Examples:
  reseau listen :8080 >received
  reseau listen tls://:8443 --self-signed --save-cert cert.pem
  reseau listen tls://[::]:8443 --cert chain.pem --key key.pem --alpn h2,http/1.1
  reseau listen tls://:8443 --cert chain.pem --key key.pem --client-ca clients.pem";
