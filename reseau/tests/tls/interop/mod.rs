//! Other people's programs, as clients and as servers: `openssl` and Python's module `ssl`. What is
//! tried with them, and what comes of it, is one table ([`rows`]), which `docs/tls.md` shows.
//!
//! Where a program is missing its tests are skipped, and say so; `RESEAU_REQUIRE="openssl python3"`
//! makes that a failure.
mod case;
mod openssl;
mod ours;
mod page;
pub(crate) mod papers;
mod program;
mod python;
mod rows;

use std::any::Any;
use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};

use reseau::tls::{Broken, Session, Version};

use self::case::{Cell, Run};
use self::openssl::Openssl;
use self::ours::Door;
use self::program::Program;
use self::python::Python;
use self::rows::PARTS;
use crate::stage::watched;

macro_rules! columns {
    ($($column:ident: $program:ident, $cell:expr, $serves:expr;)*) => {$(
        mod $column {
            use super::*;

            #[test]
            fn threads() { tries($program::find(), $cell, $serves, Door::Threads); }

            #[cfg(feature = "async")]
            #[test]
            fn tasks() { tries($program::find(), $cell, $serves, Door::Tasks(None)); }

            #[cfg(feature = "async")]
            #[test]
            fn tasks_on_readiness() {
                if std::env::var("RESEAU_DRIVER").is_ok_and(|kind| kind == "ready") {
                    return; // That is the one above.
                }
                tries($program::find(), $cell, $serves, Door::Tasks(Some(reseau::Kind::Ready)));
            }
        }
    )*};
}

columns! {
    our_client_and_s_server: Openssl, 0, true;
    our_client_and_python: Python, 1, true;
    our_server_and_s_client: Openssl, 2, false;
    our_server_and_python: Python, 3, false;
}

/// Tries each row of a column, where the program is the server or the client.
fn tries<P: Program + Send + 'static>(program: Option<P>, column: usize, serves: bool, door: Door) {
    let Some(mut program) = program else { return };
    let mut failed = Vec::new();
    for part in PARTS {
        for row in part.rows.iter().filter(|row| !matches!(row.cells[column], Cell::Cannot)) {
            for run in row.case.runs() {
                let name = format!("{}: {} ({run})", part.title, row.what);
                let cell = row.cells[column];
                let tried;
                (program, tried) = watched_as(&name, move || {
                    let mut program = program;
                    let tried = catch_unwind(AssertUnwindSafe(|| {
                        attempt(&mut program, &run, cell, serves, door);
                    }));
                    let failed = tried.err().map(|cause| (why(&*cause), program.stop()));
                    (program, failed)
                });
                let said =
                    |(why, said): (String, String)| format!("{name}: {why}\n{}", tail(&said));
                failed.extend(tried.map(said));
            }
        }
    }
    assert!(failed.is_empty(), "with {door:?}:\n{}", failed.join("\n"));
}

/// A hang is a failure under the row's name.
fn watched_as<T: Send + 'static>(name: &str, test: impl FnOnce() -> T + Send + 'static) -> T {
    let caught = catch_unwind(AssertUnwindSafe(|| watched(test)));
    caught.unwrap_or_else(|_| panic!("{name}: it hangs"))
}

fn why(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or_default().to_owned()
}

/// The end of what a program has said.
fn tail(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

fn attempt(program: &mut impl Program, run: &Run, cell: Cell, serves: bool, door: Door) {
    let case = run.case;
    let (client, server) = (case.client(), case.server());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut at = listener.local_addr().unwrap();
    if serves {
        at.set_port(program.serve(run));
    }
    for connection in 0..case.connections() {
        let ours = if serves {
            ours::call(door, at, &client, case.asked, &program.steps_of_client(run))
        } else {
            program.dial(run, at.port(), connection);
            ours::answer(door, &listener, &server, &case.steps_of_server())
        };
        judge(ours, run, connection, cell, serves);
        program.over(run, connection, cell, serves);
        if !matches!(cell, Cell::Yes) {
            break;
        }
    }
}

/// Compares what came of it with what is to be.
fn judge(ours: io::Result<Session>, run: &Run, connection: usize, cell: Cell, serves: bool) {
    let refuses = "the peer refuses: ";
    match (ours, cell) {
        (Ok(session), Cell::Yes) => agreed(&session, run, connection, serves),
        (Err(error), Cell::We(told)) => {
            let text = error.to_string();
            assert!(text.contains(told) && !text.contains(refuses), "{text}");
            assert!(Broken::of(&error).is_some_and(Broken::in_handshake), "{text}");
        }
        (Err(error), Cell::They(..)) => {
            let alert = cell.alert(run.version).unwrap();
            // A dial adds the address.
            let text = error.to_string();
            let told = text.split(" (").next().unwrap();
            assert!(told.ends_with(&format!("{refuses}{alert}")), "{text}");
        }
        (Ok(session), _) => panic!("they speak, and should not: {session:?}"),
        (Err(error), _) => panic!("{error}"),
    }
}

fn agreed(session: &Session, run: &Run, connection: usize, serves: bool) {
    let case = run.case;
    assert_eq!(session.version(), run.version);
    assert_eq!(session.alpn(), case.alpn.2.map(str::as_bytes));
    assert_eq!(session.is_resumed(), case.resumes(connection));
    assert!(session.cipher().is_some());
    let sent = case.sni().filter(|_| !serves);
    assert_eq!(session.server_name(), sent);
    let shown: Vec<_> = session.peer_chain().collect();
    let papers = match serves {
        true => Some(case.seen().papers()),
        false => case.guest.filter(|_| case.introduces()).map(papers::Guest::papers),
    };
    match papers {
        Some(papers) => assert!(papers.der == shown, "another chain is seen"),
        None => assert!(shown.is_empty(), "nobody was asked"),
    }
    let is_new = run.version == Some(Version::Tls13) || !session.is_resumed();
    assert_eq!(session.group().is_some(), is_new);
}
