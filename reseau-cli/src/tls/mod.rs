//! TLS at the shell: its arguments, and what is said of it.
pub(crate) mod certificate;
mod client;
pub(crate) mod der;
mod own;
mod server;
mod told;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, value_parser};
use reseau::tls::{Identity, Roots, Version};

use crate::failure::Failure;

pub(crate) use client::{ClientOrders, arguments as client_arguments};
pub(crate) use server::{ServerOrders, arguments as server_arguments};
pub(crate) use told::{Told, fingerprint};

/// `--alpn`, `--tls-min`, `--cert` and `--key`, which both sides take.
fn both_sides() -> [Arg; 4] {
    let file = |name: &'static str| {
        Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf))
    };
    [
        Arg::new("alpn")
            .long("alpn")
            .value_name("NAMES")
            .value_delimiter(',')
            .value_parser(protocol)
            .help("The protocols to choose from, the best first: h2,http/1.1"),
        Arg::new("tls-min")
            .long("tls-min")
            .value_name("VERSION")
            .value_parser(["1.2", "1.3"])
            .help("Speak no older TLS than this (1.2 by itself)"),
        file("cert").help("The certificate to show, PEM or DER, with those that lead to its root"),
        file("key").help("The certificate's key, if it is not in the same file").requires("cert"),
    ]
}

fn protocol(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("a protocol has a name".to_owned()),
        1..=255 => Ok(text.to_owned()),
        _ => Err("a protocol's name has 255 bytes at most".to_owned()),
    }
}

fn alpn_of(given: &ArgMatches) -> Vec<String> {
    given.get_many::<String>("alpn").into_iter().flatten().cloned().collect()
}

fn oldest_of(given: &ArgMatches) -> Option<Version> {
    match given.get_one::<String>("tls-min").map(String::as_str) {
        Some("1.3") => Some(Version::Tls13),
        Some(_) => Some(Version::Tls12),
        None => None,
    }
}

/// What `--cert` and `--key` say, if they are there.
fn identity_of(given: &ArgMatches) -> Result<Option<Identity>, Failure> {
    let Some(cert) = given.get_one::<PathBuf>("cert") else { return Ok(None) };
    let key = given.get_one::<PathBuf>("key");
    let identity = Identity::from_files(cert, key.unwrap_or(cert));
    identity.map(Some).map_err(|error| {
        // It begins with the file that is at fault.
        let of_key = |key: &PathBuf| error.to_string().starts_with(&key.display().to_string());
        unfit(if key.is_some_and(of_key) { "--key" } else { "--cert" }, &error)
    })
}

/// Those in a file, or in the files of a directory.
fn roots(flag: &str, path: &Path) -> Result<Roots, Failure> {
    let found = if path.is_dir() { Roots::from_dir(path) } else { Roots::from_file(path) };
    found.map_err(|error| unfit(flag, &error))
}

/// The library's error names the file.
fn unfit(flag: &str, error: &io::Error) -> Failure {
    Failure::usage(format_args!("{flag} {error}"))
}

/// The first of these arguments that was given.
fn first_given<'a>(given: &ArgMatches, names: &[&'a str]) -> Option<&'a str> {
    names
        .iter()
        .copied()
        .find(|name| given.value_source(name) == Some(clap::parser::ValueSource::CommandLine))
}
