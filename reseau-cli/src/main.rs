//! `reseau`: sockets at the shell.
//!
//! One file per command. A command takes its arguments from clap, does its work, and ends with
//! nothing or a [`Failure`]: one line on stderr and an exit code.
mod arguments;
mod doctor;
mod echo;
mod failure;
mod figures;
mod interfaces;
mod json;
mod paint;
mod resolve;
mod signals;
mod talk;
mod tls;

use std::process::ExitCode;

use clap::Command;

use crate::failure::Failure;

fn main() -> ExitCode {
    let matches = command().get_matches();
    let end = match matches.subcommand() {
        Some(("doctor", arguments)) => doctor::run(arguments),
        Some(("echo", arguments)) => echo::run(arguments),
        Some(("connect", arguments)) => talk::connect(arguments),
        Some(("listen", arguments)) => talk::listen(arguments),
        Some(("resolve", arguments)) => resolve::run(arguments),
        Some(("interfaces", arguments)) => interfaces::run(arguments),
        _ => Err(Failure::usage("no such command: see reseau --help")),
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn command() -> Command {
    Command::new("reseau")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Sockets at the shell")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(talk::connect_command())
        .subcommand(talk::listen_command())
        .subcommand(resolve::command())
        .subcommand(interfaces::command())
        .subcommand(echo::command())
        .subcommand(doctor::command())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_fault_with_the_commands() {
        command().debug_assert();
    }
}
