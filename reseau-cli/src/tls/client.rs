//! What `connect` takes for TLS.
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use reseau::Endpoint;
use reseau::addr::Host;
use reseau::tls::{Client, Session};

use super::{alpn_of, both_sides, fingerprint, first_given, identity_of, oldest_of, roots};
use crate::failure::Failure;

/// The arguments of a client.
pub(crate) fn arguments() -> Vec<Arg> {
    let mut all = vec![
        Arg::new("ca")
            .long("ca")
            .value_name("FILE|DIR")
            .value_parser(value_parser!(PathBuf))
            .help("Trust the issuers in there, PEM or DER, and no others"),
        Arg::new("insecure")
            .long("insecure")
            .action(ArgAction::SetTrue)
            .conflicts_with("ca")
            .help("Do not check who the server is: anybody on the way can read and change all"),
        Arg::new("server-name")
            .long("server-name")
            .visible_alias("sni")
            .value_name("NAME")
            .value_parser(name)
            .help("The name to ask for and to check, if not the one that is dialled"),
    ];
    all.extend(both_sides());
    all.into_iter().map(|argument| argument.help_heading("TLS")).collect()
}

/// What a client of TLS is told.
pub(crate) struct ClientOrders {
    pub(crate) client: Client,
    /// The name that is checked, for those who have to give it.
    pub(crate) name: String,
    insecure: bool,
}

impl ClientOrders {
    /// For a connection to that endpoint.
    pub(crate) fn new(given: &ArgMatches, endpoint: &Endpoint) -> Result<Self, Failure> {
        let mut client = Client::new().alpn(alpn_of(given));
        if let Some(path) = given.get_one::<PathBuf>("ca") {
            client = client.trust_only(&roots("--ca", path)?);
        }
        let insecure = given.get_flag("insecure");
        if insecure {
            client = client.danger_accept_any_certificate();
        }
        if let Some(identity) = identity_of(given)? {
            client = client.identity(&identity);
        }
        if let Some(oldest) = oldest_of(given) {
            client = client.oldest(oldest);
        }
        let asked = given.get_one::<String>("server-name").cloned();
        let name = match (asked, endpoint.host()) {
            (Some(name), _) => name,
            (None, Some(Host::Name(name))) => name.to_string(),
            (None, Some(Host::V4(ip))) => ip.to_string(),
            (None, Some(Host::V6(ip, _))) => ip.to_string(),
            // A port alone is this machine's.
            (None, None) if endpoint.loopback_addrs().is_some() => "localhost".to_owned(),
            (None, _) => {
                let why = "has no name to check: say --server-name";
                return Err(Failure::usage(format_args!("{endpoint}: {why}")));
            }
        };
        let client = client.server_name(&name);
        Ok(Self { client, name, insecure })
    }

    /// Refuses what is only for TLS, where there is none.
    pub(crate) fn refuse(given: &ArgMatches, endpoint: &Endpoint) -> Result<(), Failure> {
        let names = ["ca", "insecure", "server-name", "alpn", "tls-min", "cert", "key"];
        match first_given(given, &names) {
            None => Ok(()),
            Some(name) => Err(Failure::usage(format_args!(
                "{endpoint}: --{name} is for TLS: dial tls://, or say --starttls"
            ))),
        }
    }

    /// What whoever wants nothing checked has to know.
    pub(crate) fn warning(&self, session: &Session) -> Option<String> {
        let shown = session.peer_chain().next().map(fingerprint);
        let shown = shown.as_deref().unwrap_or("(none)");
        self.insecure.then(|| {
            format!(
                "warning: --insecure: who this is was not checked, not the name {}, nor the \
                 issuer, nor the dates; the certificate's SHA-256 is {shown}",
                self.name,
            )
        })
    }
}

/// What can be asked for: an address, or a host's name.
pub(super) fn name(text: &str) -> Result<String, String> {
    let host = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(fit)
    };
    if text.parse::<IpAddr>().is_ok() || (host.len() <= 253 && host.split('.').all(label)) {
        return Ok(text.to_owned());
    }
    Err("no host's name, and no address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hosts_or_addresses() {
        for text in ["example.com", "example.com.", "localhost", "_x.y-z", "127.0.0.1", "::1"] {
            assert_eq!(name(text).as_deref(), Ok(text));
        }
        for text in ["", ".", "a..b", "a b", "é", "[::1]", "*.example.com", "a:1"] {
            assert!(name(text).is_err(), "{text}");
        }
        assert!(name(&"a".repeat(64)).is_err() && name(&"a.".repeat(200)).is_err());
    }
}
