//! What `listen` and `echo` take for TLS.
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use reseau::Endpoint;
use reseau::addr::Host;
use reseau::tls::{ClientCerts, Server};

use super::own::Own;
use super::{alpn_of, both_sides, client, first_given, identity_of, oldest_of, roots};
use crate::failure::Failure;

/// The arguments of a server.
pub(crate) fn arguments() -> Vec<Arg> {
    let path = |name: &'static str| Arg::new(name).long(name).value_parser(value_parser!(PathBuf));
    let mut all = vec![
        Arg::new("self-signed")
            .long("self-signed")
            .action(ArgAction::SetTrue)
            .conflicts_with("cert")
            .help("Make a key and a certificate on the spot, and say how to check it"),
        Arg::new("name")
            .long("name")
            .value_name("NAME")
            .action(ArgAction::Append)
            .value_parser(client::name)
            .conflicts_with("cert")
            .help("A name or address that the self-signed certificate is for; repeat for more"),
        path("save-cert")
            .value_name("FILE")
            .conflicts_with("cert")
            .help("Write the self-signed certificate there, for --ca of clients"),
        path("client-ca")
            .value_name("FILE|DIR")
            .help("Take only clients with a certificate of the issuers in there"),
    ];
    all.extend(both_sides());
    all.into_iter().map(|argument| argument.help_heading("TLS")).collect()
}

/// What a server of TLS is told.
pub(crate) struct ServerOrders {
    pub(crate) server: Server,
    /// What was made on the spot.
    own: Option<Own>,
}

impl ServerOrders {
    /// For listening at these endpoints. `None`: no certificate is given, nor one to be made.
    pub(crate) fn new(given: &ArgMatches, at: &[&Endpoint]) -> Result<Option<Self>, Failure> {
        match identity_of(given)? {
            Some(identity) => {
                let server = configured(given, Server::new(&identity))?;
                Ok(Some(Self { server, own: None }))
            }
            None if given.get_flag("self-signed") => Self::own(given, at).map(Some),
            None => Ok(None),
        }
    }

    /// With a certificate that is made on the spot.
    pub(crate) fn own(given: &ArgMatches, at: &[&Endpoint]) -> Result<Self, Failure> {
        let mut names: Vec<_> =
            given.get_many::<String>("name").into_iter().flatten().cloned().collect();
        if names.is_empty() {
            for name in at.iter().flat_map(|at| names_of(at)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        if names.is_empty() {
            names = here();
        }
        let own = Own::make(names, given.get_one::<PathBuf>("save-cert").cloned());
        let own = own.map_err(Failure::world)?;
        let server = configured(given, Server::new(&own.identity))?;
        Ok(Self { server, own: Some(own) })
    }

    /// Refuses what is only for TLS, where there is none.
    pub(crate) fn refuse(given: &ArgMatches, at: &str) -> Result<(), Failure> {
        match first_given(given, &NAMES) {
            None => Ok(()),
            Some(name) => {
                Err(Failure::usage(format_args!("{at}: --{name} is for TLS: listen at tls://")))
            }
        }
    }

    /// What clients at that port have to know of a certificate that was made here.
    pub(crate) fn told(&self, port: Option<u16>) -> Option<String> {
        self.own.as_ref().map(|own| own.told(port))
    }
}

fn configured(given: &ArgMatches, server: Server) -> Result<Server, Failure> {
    let mut server = server.alpn(alpn_of(given));
    if let Some(oldest) = oldest_of(given) {
        server = server.oldest(oldest);
    }
    if let Some(path) = given.get_one::<PathBuf>("client-ca") {
        server = server.client_certs(ClientCerts::RequireAndVerify(roots("--client-ca", path)?));
    }
    Ok(server)
}

/// The names by which clients come to an endpoint.
fn names_of(at: &Endpoint) -> Vec<String> {
    let here = here();
    match at.host() {
        Some(Host::Name(name)) if **name != *"localhost" => vec![name.to_string()],
        Some(Host::V4(ip)) if !ip.is_unspecified() && !ip.is_loopback() => vec![ip.to_string()],
        Some(Host::V6(ip, _)) if !ip.is_unspecified() && !ip.is_loopback() => {
            vec![ip.to_string()]
        }
        Some(Host::V4(ip)) if ip.is_loopback() && ip.octets() != [127, 0, 0, 1] => {
            [here, vec![ip.to_string()]].concat()
        }
        Some(Host::V4(_) | Host::V6(..)) if is_everywhere(at) => {
            let own = reseau::dns::host_name().ok().and_then(|name| client::name(&name).ok());
            own.into_iter().chain(here).collect()
        }
        _ => here,
    }
}

/// The names of this machine for itself.
fn here() -> Vec<String> {
    ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
}

fn is_everywhere(at: &Endpoint) -> bool {
    match at.host() {
        Some(Host::V4(ip)) => ip.is_unspecified(),
        Some(Host::V6(ip, _)) => ip.is_unspecified(),
        _ => false,
    }
}

const NAMES: [&str; 8] =
    ["cert", "key", "self-signed", "name", "save-cert", "client-ca", "alpn", "tls-min"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_by_which_clients_come() {
        let here = ["localhost", "127.0.0.1", "::1"];
        let names = |text: &str| names_of(&text.parse().unwrap());
        for text in ["tls://:0", "tls://localhost:0", "tls://127.0.0.1:0", "tls://[::1]:0"] {
            assert_eq!(names(text), here, "{text}");
        }
        assert_eq!(names("tls://127.0.0.2:0"), [&here[..], &["127.0.0.2"]].concat());
        assert_eq!(names("tls://192.0.2.1:0"), ["192.0.2.1"]);
        assert_eq!(names("tls://db.example:0"), ["db.example"]);
        for text in ["tls://0.0.0.0:0", "tls://[::]:0"] {
            assert!(names(text).ends_with(&here.map(str::to_owned)), "{text}");
        }
    }
}
