//! The list of the seeds' items as a test: every item has its line in `docs/seeds.md`, every test
//! that a line names exists, and every test that is named after an item stands in its line.
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use source::{Source, assert_none};

#[test]
fn every_item_has_its_line_and_every_line_its_test() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/seeds.md");
    let page = fs::read_to_string(page).expect("docs/seeds.md");
    assert_none(&flaws(&page, &ITEMS, &tests(&Source::all())));
}

/// How many items each letter has.
const ITEMS: [(char, u32); 3] = [('A', 143), ('N', 20), ('D', 9)];

/// What a line may have in the place of a test: where the item will come, or what shows it.
const EXCUSES: [&str; 4] = ["issue 5: ", "later: ", "docs/", "`bench/`"];

/// The names of the tests, with their files.
fn tests(sources: &[Source]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for source in sources {
        // Bodies that a macro makes tests of have no attribute; they stand in files of tests.
        let all = source.path.contains("/tests/") || source.path.ends_with("_tests.rs");
        let mut words = source.words();
        while let Some((at, word)) = words.next() {
            if word == "fn"
                && let Some((_, name)) = words.next()
                && (all || is_marked(source, at))
            {
                found.insert(name.to_owned(), source.path.clone());
            }
            if word == "mod" && source.path.contains("/programs/") {
                // A ported program is a module, and its test has that name.
                found.extend(words.next().map(|(_, name)| (name.to_owned(), source.path.clone())));
            }
        }
    }
    found
}

/// Whether the function at a place is a test by its attribute, or one of proptest's.
fn is_marked(source: &Source, at: usize) -> bool {
    let before = source.code[..at].trim_end();
    before.ends_with("#[test]")
        || before.ends_with(']')
            && before[..].rfind("#[test]").is_some_and(|mark| {
                before[mark..].bytes().filter(|byte| *byte == b'\n').count() < 4
            })
}

/// What is wrong with the page.
fn flaws(page: &str, items: &[(char, u32)], tests: &BTreeMap<String, String>) -> Vec<String> {
    let mut flaws = Vec::new();
    let mut lines = BTreeMap::new();
    let mut named = BTreeSet::new();
    for (id, cells) in page.lines().filter_map(line) {
        if lines.insert(id, ()).is_some() {
            flaws.push(format!("{id} has two lines"));
        }
        let [_, here, shown] = cells[..] else {
            flaws.push(format!("{id} has {} cells", cells.len() + 1));
            continue;
        };
        let quoted: Vec<_> = shown.split('`').skip(1).step_by(2).collect();
        let excused = EXCUSES.iter().any(|excuse| shown.starts_with(excuse));
        if here.is_empty() || quoted.is_empty() && !excused {
            flaws.push(format!("{id} says neither a test nor where it will come: {shown:?}"));
        }
        for test in quoted.iter().filter(|_| !excused) {
            if !tests.contains_key(*test) {
                flaws.push(format!("{id}: there is no test {test}"));
            }
            named.insert(((*id).to_lowercase(), (*test).to_owned()));
        }
    }
    for id in
        items.iter().flat_map(|(letter, count)| (1..=*count).map(move |n| format!("{letter}{n}")))
    {
        if !lines.contains_key(id.as_str()) {
            flaws.push(format!("{id} has no line"));
        }
    }
    let own = tests.iter().filter(|(_, path)| path.starts_with("reseau/tests/sockets/"));
    for (test, _) in own {
        let id = match test.strip_prefix("defect_") {
            Some(rest) => format!("d{}", rest.split('_').next().unwrap_or_default()),
            None => test.split('_').next().unwrap_or_default().to_owned(),
        };
        if is_id(&id) && !named.contains(&(id.clone(), test.clone())) {
            flaws.push(format!("{test} is not named in the line of its item"));
        }
    }
    flaws
}

/// A line of the tables: its id, and the other cells.
fn line(line: &str) -> Option<(&str, Vec<&str>)> {
    let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
    let id = cells.next()?;
    is_id(&id.to_lowercase()).then(|| (id, cells.collect()))
}

fn is_id(word: &str) -> bool {
    let digits = word.strip_prefix(['a', 'n', 'd']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The check itself, on pages with a flaw each.
#[test]
fn flaws_are_found() {
    let source = |path: &str, text: &str| Source::new(path, text);
    let tests = tests(&[
        source("reseau/tests/sockets/codon.rs", "fn a1_x() {}\nfn defect_2_y() {}\nfn stage() {}"),
        source("reseau/src/dns/mod.rs", "fn plain() {}\n#[test]\nfn real() {}"),
        source("reseau/tests/ported/programs/std/mod.rs", "mod chat;"),
    ]);
    let names: Vec<_> = tests.keys().map(String::as_str).collect();
    assert_eq!(names, ["a1_x", "chat", "defect_2_y", "real", "stage"]);
    let items = [('A', 2), ('D', 2)];
    let whole = "| A1 | what | here | `a1_x`, `real` |\n| A2 | what | here | later: files |\n\
                 | D1 | w | h | issue 5: TLS |\n| D2 | w | h | `defect_2_y` |\n| id | a | b | c |";
    assert_eq!(flaws(whole, &items, &tests), [""; 0]);
    for (from, to, flaw) in [
        ("| A2 |", "| A1 |", "A1 has two lines"),
        ("| A2 |", "| X2 |", "A2 has no line"),
        ("`real`", "`plain`", "A1: there is no test plain"),
        ("`a1_x`, ", "", "a1_x is not named in the line of its item"),
        ("`defect_2_y`", "`real`", "defect_2_y is not named in the line of its item"),
        (
            "later: files",
            "of course",
            "A2 says neither a test nor where it will come: \"of course\"",
        ),
        ("| here | later", "| later", "A2 has 3 cells"),
    ] {
        let found = flaws(&whole.replacen(from, to, 1), &items, &tests);
        assert!(found.iter().any(|found| found == flaw), "{flaw}: {found:?}");
    }
}
