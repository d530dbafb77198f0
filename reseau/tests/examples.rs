//! The list of examples as a test: what `docs/examples.md` names is shown, twice at least, by code
//! that runs.
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use source::{assert_none, words};

#[test]
fn each_capability_is_shown_twice() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("../docs/examples.md")).expect("docs/examples.md");
    let mut files = BTreeMap::new();
    let mut read = |file: &str| {
        let text = files.entry(file.to_owned()).or_insert_with(|| {
            let text = fs::read_to_string(root.join("src").join(file));
            text.map(|text| examples(&text)).unwrap_or_default()
        });
        text.clone()
    };
    let rows: Vec<_> = list.lines().filter_map(cells).collect();
    assert!(rows.len() > 70, "the list was not found: {} rows", rows.len());
    assert_none(&rows.iter().flat_map(|row| flaws(row, &mut read)).collect::<Vec<_>>());
}

/// How many examples a capability has at least.
const SHOWN_MIN: usize = 2;

/// A row of a table that names places, as its cells.
fn cells(line: &str) -> Option<Vec<&str>> {
    let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    (cells[0] != "capability").then_some(cells)
}

/// What is wrong with a row, if `read` gives the examples of a file.
fn flaws(row: &[&str], read: &mut impl FnMut(&str) -> Vec<String>) -> Vec<String> {
    let [what, doors @ ..] = row else { return Vec::new() };
    let mut flaws = Vec::new();
    let mut shown = BTreeSet::new();
    for place in doors.iter().filter(|cell| **cell != "—").flat_map(|cell| cell.split("; ")) {
        let mut quoted = place.split('`').skip(1).step_by(2);
        let file = quoted.next().unwrap_or_default();
        let wanted: Vec<_> = quoted.collect();
        let uses =
            |code: &String| wanted.iter().all(|word| words(code).any(|(_, found)| found == *word));
        let found: Vec<_> = read(file).into_iter().filter(uses).collect();
        if found.is_empty() || wanted.is_empty() {
            flaws.push(format!("{what}: no example in {file} uses {wanted:?}"));
        }
        shown.extend(found.into_iter().map(|code| (file.to_owned(), code)));
    }
    if shown.len() < SHOWN_MIN {
        flaws.push(format!("{what}: shown {} times", shown.len()));
    }
    flaws
}

/// The examples in a file of Rust, or of Markdown, that run: what a reader sees of each.
fn examples(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(bool, String)> = None;
    for line in text.lines() {
        let line = line.trim_start();
        let line = ["/// ", "//! "].iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line);
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((matches!(info, "" | "rust"), String::new())),
            (Some(_), Some(_)) => {
                found.extend(open.take().filter(|(runs, _)| *runs).map(|(_, code)| code));
            }
            (None, Some((_, code))) if !line.starts_with("# ") => {
                code.push_str(line);
                code.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

/// The check itself, on lists that say too much.
mod bite {
    use super::*;

    const TEXT: &str = "/// ```\n/// # hidden();\n/// one.shown();\n/// ```\npub fn one() {}\n\
        //! ```no_run\n//! compiled();\n//! ```\n```\nshown(other);\n```\n    /// ```\n    \
        #[doc = concat!(\"use \", stringify!(made))]\n    /// shown_not();\n    /// ```\n";

    fn of(row: &str) -> Vec<String> {
        let mut read = |file: &str| if file == "a.rs" { examples(TEXT) } else { Vec::new() };
        flaws(&cells(row).expect("a row"), &mut read)
    }

    #[test]
    fn examples_are_found() {
        let found = examples(TEXT);
        assert_eq!(found[..2], ["one.shown();\n", "shown(other);\n"]);
        assert!(found.len() == 3 && found[2].contains("made"), "{found:?}");
    }

    #[test]
    fn rows_that_hold_have_no_flaws() {
        assert_eq!(of("| it | `a.rs`: `shown` | — |"), [""; 0]);
        assert_eq!(of("| it | `a.rs`: `shown`, `one`; `a.rs`: `other` | — |"), [""; 0]);
        assert_eq!(of("| it | `a.rs`: `one` | `a.rs`: `stringify` |"), [""; 0]);
    }

    #[test]
    fn rows_that_do_not_are_found() {
        let once = "it: shown 1 times";
        assert_eq!(of("| it | `a.rs`: `one` | — |"), [once]);
        assert_eq!(of("| it | `a.rs`: `one` | `a.rs`: `one`, `shown` |"), [once], "the same one");
        for word in ["hidden", "compiled", "missing"] {
            let flaws = of(&format!("| it | `a.rs`: `shown`; `a.rs`: `{word}` | — |"));
            assert_eq!(flaws, [format!("it: no example in a.rs uses [\"{word}\"]")]);
        }
        assert_eq!(of("| it | `a.rs`: `shown` | `b.rs`: `shown` |").len(), 1);
        assert_eq!(of("| it | — | — |"), ["it: shown 0 times"]);
        assert_eq!(of("| it | `a.rs`; `a.rs`: `shown` | — |").len(), 1, "a file alone");
    }
}
