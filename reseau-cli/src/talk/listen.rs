//! `reseau listen`: for whoever connects.
use std::io;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use reseau::addr::Scheme;

use super::input::Input;
use super::pump::{self, Trouble};
use super::{Orders, datagrams, session};
use crate::failure::Failure;

pub(crate) fn command() -> Command {
    let endpoint = Arg::new("endpoint")
        .value_name("ENDPOINT")
        .required(true)
        .help("Where to listen: :8080, 0.0.0.0:8080, [::]:8080, udp://:8080, unix:/path, fd:3")
        .long_help(
            "Where to listen: 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080 for every interface, \
             udp://HOST:PORT, unix:/path, unix:@name, vsock:4294967295:1024, fd:3, systemd:NAME. A \
             port alone (:8080) is this machine's loopback, port 0 one that the system chooses.",
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
}

pub(crate) fn run(given: &ArgMatches) -> Result<(), Failure> {
    let orders = Orders { keep: given.get_flag("keep"), ..Orders::new(given)? };
    if orders.endpoint.scheme() == Scheme::Tls {
        return Err(Failure::usage(format_args!("{}: TLS is not served yet", orders.endpoint)));
    }
    let aside = Arc::clone(&orders.aside);
    session(&aside, move || async move {
        if orders.datagrams {
            return datagrams::listen(&orders).await;
        }
        streams(&orders).await
    })
}

async fn streams(orders: &Orders) -> Result<(), Failure> {
    let listening = reseau::listen(&orders.endpoint).claim(true).await;
    let mut listener = Some(listening.map_err(refusal)?);
    if let Some(listener) = &listener {
        let addr = listener.local_addr().map_err(Failure::world)?;
        orders.aside.say(format_args!("listening {addr}"));
    }
    let mut input = Input::stdin();
    while let Some(open) = &listener {
        let (stream, peer) = open.accept().await.map_err(Failure::world)?;
        orders.aside.note(format_args!("{peer} has connected"));
        if !orders.keep {
            // Who comes later is to hear at once that nobody waits for them.
            listener = None;
        }
        match pump::stream(stream, &mut input, orders).await {
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
