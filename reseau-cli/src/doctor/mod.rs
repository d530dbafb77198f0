//! `reseau doctor`: what this machine offers to sockets, and what to change.
//!
//! [`host::Host`] asks the machine, [`trust::Trust`] whom it trusts; [`advice`] judges what they
//! answered, [`report`] prints both.
mod advice;
mod host;
mod machine;
mod report;
mod trust;

use std::io::Write;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::failure::Failure;
use host::Host;
use report::Report;

pub(crate) fn command() -> Command {
    Command::new("doctor")
        .about("Report what this machine offers to sockets, and what to change")
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let host = Host::examine();
    let report = Report::new(&host, advice::of(&host));
    let mut stdout = anstream::stdout().lock();
    let printed = if arguments.get_flag("json") {
        writeln!(stdout, "{}", report.json())
    } else {
        write!(stdout, "{report}")
    };
    printed.and_then(|()| stdout.flush()).or_else(|error| Failure::output(&error))
}
