//! The page about TLS shows the table.
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::rows::PARTS;

#[test]
fn the_documentation_has_the_table_of_the_code() {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tls.md");
    if !path.parent().is_some_and(Path::exists) {
        return; // A package does not have it.
    }
    let there = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let (head, rest) = there.split_once(BEGIN).expect("the table's place");
    let (_, tail) = rest.split_once(END).expect("the table's end");
    let page = format!("{head}{BEGIN}{}{END}{tail}", table());
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(&path, page).unwrap();
    }
    assert!(there == page, "docs/tls.md is not what the code makes: run this test with UPDATE=1");
}

#[test]
fn rows_have_names_of_their_own() {
    let names: Vec<_> = PARTS.iter().flat_map(|part| part.rows).map(|row| row.what).collect();
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name), "{name} is there twice");
    }
}

fn table() -> String {
    let mut table = String::from(
        "\n| | our client, `s_server` | our client, Python | our server, `s_client` | \
         our server, Python |\n|---|---|---|---|---|\n",
    );
    for part in PARTS {
        let _ = writeln!(table, "| **{}** | | | | |", part.title);
        for row in part.rows {
            let cells = row.cells.map(|cell| cell.to_string()).join(" | ");
            let _ = writeln!(table, "| {} | {cells} |", row.what);
        }
    }
    table
}

const BEGIN: &str = "<!-- made by tests/tls/interop/page.rs -->\n";
const END: &str = "\n<!-- end -->";
