//! The table of the documentation.
use crate::rows::TESTED;
use reseau::opt::{self, Row};
use std::fmt::Write;
use std::path::Path;

#[test]
fn every_option_has_its_test() {
    let names: Vec<_> = opt::table().map(Row::name).collect();
    let tested: Vec<_> = TESTED.iter().map(|(option, _)| *option).collect();
    let untested: Vec<_> = names.iter().filter(|name| !tested.contains(name)).collect();
    assert!(untested.is_empty(), "without a test: {untested:?}");
    assert_eq!(names.len(), tested.len(), "one row and one test for each");
    assert!(names.len() > 70, "{} options", names.len());
}

#[test]
fn the_documentation_has_the_table_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/options.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(&path, page).expect("docs/options.md can be written");
    }
    let Ok(there) = std::fs::read_to_string(&path) else {
        // A package does not have it.
        return assert!(!path.exists(), "docs/options.md cannot be read");
    };
    assert_eq!(there.replace("\r\n", "\n"), page, "run this test with UPDATE=1");
}

fn page() -> String {
    let mut page = String::from(HEAD);
    for row in opt::table() {
        let test = TESTED.iter().find(|(option, _)| *option == row.name());
        let test = test.expect("every option has its test").1;
        let _ = writeln!(
            page,
            "| `{}` | `{}` | {} | {} | {} | {} | `{test}` |",
            row.name(),
            row.value(),
            group(row.get()),
            group(row.set()),
            systems(row),
            if row.is_simulated() { "yes" } else { "" },
        );
    }
    page.push_str("\n## What they do\n");
    for row in opt::table() {
        let _ = writeln!(page, "\n- **`{}`**: {}", row.name(), unlinked(row.doc()));
    }
    page
}

/// A group of `opt::fits`, in words.
fn group(name: &str) -> &str {
    match name {
        "" => "—",
        "Socket" => "all",
        "Inet" => "TCP, UDP",
        "Tcp" => "TCP",
        "Listening" => "TCP listeners, new TCP",
        "Udp" => "UDP",
        "Unix" => "Unix",
        "Datagram" => "UDP, Unix datagrams",
        "Fresh" => "new TCP, UDP",
        "FreshTcp" => "new TCP",
        "Waiting" => "blocking",
        "WaitingTcp" => "blocking TCP",
        other => panic!("no words for {other}"),
    }
}

fn systems(row: &Row) -> String {
    let word = |name: &&str| match *name {
        "everywhere" => "all",
        "unix" => "Unix",
        "linux" => "Linux",
        "android" => "Android",
        "apple" => "Apple",
        "freebsd" => "FreeBSD",
        "netbsd" => "NetBSD",
        "openbsd" => "OpenBSD",
        "dragonfly" => "DragonFly",
        "illumos" => "illumos",
        "windows" => "Windows",
        other => panic!("no word for {other}"),
    };
    let words: Vec<_> = row.systems().iter().map(word).collect();
    words.join(", ")
}

/// The text without what links it to other pages of the crate's own documentation.
fn unlinked(doc: &str) -> String {
    doc.replace("[`", "`").replace("`]", "`").split_whitespace().collect::<Vec<_>>().join(" ")
}

const HEAD: &str = "\
# Options of sockets

Printed from `reseau::opt::table()` by `UPDATE=1 cargo test -p reseau --test options`: do not edit.

`socket.set(opt::Nodelay(true))?`, `let opt::Nodelay(on) = socket.get()?`: an option that does not
fit the socket does not compile (`reseau/tests/compile_fail/`). On a system that is not named here
it is an error of kind `Unsupported`, and so it is on a simulated socket unless that column says
yes. *New TCP* is a `TcpSocket`: one that neither connects nor listens yet. *Blocking* are the
sockets of `reseau::blocking`, and those of std, lent by `opt::of`.

The test of each option is in `reseau/tests/options/rows.rs`: it sets the option and reads it back
on all kinds of sockets that it fits, before binding and after, on io_uring, on readiness, in the
simulator, and on sockets that wait. What only a privileged program may do is tried, and
`PermissionDenied` taken for an answer.

| option | value | read on | set on | systems | simulated | test |
|---|---|---|---|---|---|---|
";
