//! Other people's programs: found or passed over, and what a run asks of them.
use std::io::Write;
use std::process::{Command, Stdio};

use super::case::{Cell, Run};
use super::ours::Step;

/// A program that speaks TLS, on one side of a connection.
pub(crate) trait Program {
    /// Starts its server, for the connections of a run, and says its port.
    fn serve(&mut self, run: &Run) -> u16;

    /// Starts its client, for one connection.
    fn dial(&mut self, run: &Run, port: u16, connection: usize);

    /// What a client of ours does with its server.
    fn steps_of_client(&self, run: &Run) -> Vec<Step> {
        run.case.steps_of_client()
    }

    /// Says what it has seen of a connection, once ours is over.
    fn over(&mut self, run: &Run, connection: usize, cell: Cell, serves: bool);

    /// Ends it, and says what it has said.
    fn stop(&mut self) -> String;
}

/// Whether it can be run. It is an error if it has to be: `RESEAU_REQUIRE` names what has to be
/// there.
pub(crate) fn is_there(program: &str, words: &[&str], fits: fn(&str) -> bool) -> bool {
    let told = Command::new(program).args(words).stdin(Stdio::null()).output();
    let there = told
        .is_ok_and(|told| told.status.success() && fits(&String::from_utf8_lossy(&told.stdout)));
    if !there {
        let required = std::env::var("RESEAU_REQUIRE").is_ok_and(|list| list.contains(program));
        assert!(!required, "there is no {program} that will do, and RESEAU_REQUIRE wants it");
        // Past the capture of tests that pass.
        let _ = writeln!(std::io::stderr(), "skipped: no {program}");
    }
    there
}
