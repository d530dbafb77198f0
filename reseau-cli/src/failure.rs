//! How a command fails: one line on stderr, and an exit code that scripts can tell apart.
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::paint;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// The user asked for something that makes no sense: exit code 2, as clap's own.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 2 }
    }

    /// The world refused: exit code 1.
    pub(crate) fn world(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 1 }
    }

    /// The user wants no more of it: what shells report for a program that SIGINT killed.
    pub(crate) fn interrupted() -> Self {
        Self { message: "interrupted".to_owned(), code: 130 }
    }

    /// The failure of writing to stdout. A reader that has gone (`reseau doctor | head -1`) has
    /// what it wanted: no failure.
    pub(crate) fn output(error: &io::Error) -> Result<(), Self> {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Ok(());
        }
        Err(Self::world(format_args!("cannot write to stdout: {error}")))
    }

    /// Says it and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let style = paint::BAD;
        let line = self.message.replace('\n', " ");
        // Nobody is left to be told when stderr is gone as well.
        let _ = writeln!(anstream::stderr(), "{style}reseau:{style:#} {line}");
        ExitCode::from(self.code)
    }
}
