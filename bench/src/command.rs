//! The program: parse, measure, report.

use std::process::ExitCode;
use std::time::Duration;

use crate::options::{Options, Request};
use crate::{facts, report, rounds, servers, sys};

pub(crate) fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("server", rest)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return servers::main(rest);
    }
    match Options::parse(&args) {
        Ok(Request::Print(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Request::Run(options)) => match measure(&options) {
            Ok(0) => ExitCode::SUCCESS,
            Ok(failures) => {
                eprintln!("bench: {failures} failed");
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("bench: {error}");
                ExitCode::FAILURE
            }
        },
        Err(text) => {
            eprintln!("bench: {text}");
            ExitCode::from(2)
        }
    }
}

/// How many server and scenario pairs failed.
fn measure(options: &Options) -> std::io::Result<usize> {
    watch(options.limit());
    let mut facts = facts::facts(options);
    sys::pin(options.load_core)?;
    sys::raise_descriptor_limit()?;
    if cfg!(debug_assertions) {
        eprintln!("bench: built without --release: the numbers mean nothing");
    }
    let findings = rounds::run(options);
    facts.extend(findings.distance().map(facts::distance));
    let report = report::Report { facts, versions: facts::versions(&options.servers), findings };
    report.print();
    report.write(&options.out)?;
    Ok(report.findings.failures())
}

/// Ends the program, and with it its servers, should it run for ever.
fn watch(limit: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        eprintln!("bench: not done after {} s; giving up", limit.as_secs());
        std::process::exit(1);
    });
}
