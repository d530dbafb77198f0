//! Measures reseau beside its peers: one program that is the load generator and every server.
//!
//! `cargo run --release -p bench -- --help` lists the flags; `bench/README.md` says what is
//! measured and how.

// Everything here measures the real world: real clocks are the point.
#![allow(clippy::disallowed_methods)]

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod distance;
#[cfg(target_os = "linux")]
mod facts;
#[cfg(target_os = "linux")]
mod figures;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod meter;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod rounds;
#[cfg(target_os = "linux")]
mod scenario;
#[cfg(target_os = "linux")]
mod servers;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod tls;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    command::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("bench: runs on Linux only (it pins cores and reads /proc)");
    std::process::ExitCode::FAILURE
}
