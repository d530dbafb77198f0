//! The house's style as a test: what a reader should be able to rely on in every file.
mod source;

use source::{Source, assert_none};

#[test]
fn files_and_lines_and_functions_are_short() {
    assert_none(&over_all(sizes));
}

#[test]
fn unsafe_code_stays_in_its_rooms() {
    assert_none(&over_all(unsafe_places));
}

#[test]
fn unsafe_code_says_why_it_is_sound() {
    assert_none(&over_all(safety_lines));
}

#[test]
fn names_say_something() {
    assert_none(&over_all(names));
}

#[test]
fn nothing_is_left_to_do() {
    assert_none(&over_all(leftovers));
}

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Where memory is handled by hand. Each entry is the start of a path.
const UNSAFE_ROOMS: &[&str] = &[
    "reseau/src/sys",
    "reseau/src/pool",
    "reseau/src/driver/uring",
    "reseau-ffi/",
    "bench/",
    "reseau/tests/tls_costs.rs", // It has an allocator that counts.
];

/// What is published and so must say why its unsafe code is sound.
const LIBRARIES: &[&str] = &["reseau/src/", "reseau-ffi/src/"];

/// Words that could be part of any name and so say nothing.
const EMPTY_WORDS: &[&str] = &[
    "manager", "managers", "helper", "helpers", "context", "contexts", "inner", "util", "utils",
    "common", "misc", "types",
];

fn over_all(check: fn(&Source) -> Vec<String>) -> Vec<String> {
    Source::all().iter().flat_map(check).collect()
}

fn sizes(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    let count = source.text.lines().count();
    if count > FILE_LINES_MAX {
        findings.push(format!("{}: {count} lines", source.path));
    }
    for (index, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            findings.push(format!("{}:{}: {columns} columns", source.path, index + 1));
        }
    }
    for (at, name, end) in functions(source) {
        let lines = source.line_of(end) - source.line_of(at) + 1;
        if lines > FUNCTION_LINES_MAX {
            findings.push(source.finding(at, format_args!("fn {name} has {lines} lines")));
        }
    }
    findings
}

/// The functions that have a body: where they start, their name, where they end.
fn functions(source: &Source) -> Vec<(usize, &str, usize)> {
    let mut found = Vec::new();
    let mut words = source.words();
    while let Some((at, word)) = words.next() {
        if word != "fn" || source.next_byte(at + 2).is_none_or(|(_, byte)| byte == b'(') {
            continue; // `fn(u8)` is a type.
        }
        let Some((name_at, name)) = words.next() else { break };
        let mut place = name_at + name.len();
        while let Some((next, byte)) = source.next_byte(place) {
            place = match byte {
                b'{' => {
                    found.push((at, name, source.closing(next)));
                    break;
                }
                b';' => break,
                b'(' | b'[' => source.closing(next) + 1,
                _ => next + 1,
            };
        }
    }
    found
}

fn unsafe_places(source: &Source) -> Vec<String> {
    if UNSAFE_ROOMS.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut before = "";
    for (at, word) in source.words() {
        if word == "unsafe" || (word == "unsafe_code" && matches!(before, "allow" | "expect")) {
            findings.push(source.finding(at, "unsafe code has no business here"));
        }
        before = word;
    }
    findings
}

fn safety_lines(source: &Source) -> Vec<String> {
    if !LIBRARIES.iter().any(|library| source.path.starts_with(library)) {
        return Vec::new();
    }
    let lines: Vec<&str> = source.text.lines().collect();
    let mut findings = Vec::new();
    let mut words = source.words().peekable();
    while let Some((at, word)) = words.next() {
        if word != "unsafe" {
            continue;
        }
        let mut end = at + word.len();
        while let Some((start, word)) = words.next_if(|(_, word)| *word == "extern") {
            end = start + word.len();
        }
        let starts = match (source.next_byte(end), words.peek()) {
            // A block; but one after `extern` holds declarations.
            (Some((open, b'{')), _) => source.code[at..open].trim() == "unsafe",
            (Some((_, b'(')), _) => false, // An attribute.
            (_, Some((at, "fn"))) => source.next_byte(at + 2).is_some_and(|(_, byte)| byte != b'('),
            (_, Some((_, word))) => matches!(*word, "impl" | "trait"),
            _ => false,
        };
        if starts && !explained(&lines[..source.line_of(at)]) {
            findings.push(source.finding(at, "unsafe without a SAFETY line above"));
        }
    }
    findings
}

/// True if one of the last lines, or the comment that they end, speaks of safety.
fn explained(lines: &[&str]) -> bool {
    const REACH: usize = 3;
    let said = |line: &str| line.contains("SAFETY:") || line.contains("# Safety");
    let Some((own, above)) = lines.split_last() else { return false };
    let near = above.iter().rev().take(REACH).any(|line| said(line));
    let part = |line: &&&str| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with("#[") || line.starts_with("*")
    };
    said(own) || near || above.iter().rev().take_while(part).any(|line| said(line))
}

fn names(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for part in source.path.trim_end_matches(".rs").split('/') {
        if empty(part) {
            findings.push(format!("{}: the name {part:?} says nothing", source.path));
        }
    }
    let mut before = "";
    for (at, word) in source.words() {
        let declared = matches!(
            before,
            "struct" | "enum" | "union" | "trait" | "type" | "mod" | "macro_rules"
        );
        if declared && empty(word) {
            findings.push(source.finding(at, format_args!("the name {word} says nothing")));
        }
        before = word;
    }
    findings
}

/// True if a part of a name, in either case, is a word that says nothing.
fn empty(name: &str) -> bool {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake.split(['_', '-', '.']).any(|part| EMPTY_WORDS.contains(&part))
}

fn leftovers(source: &Source) -> Vec<String> {
    let marked = |at: usize, word: &str| source.code[at + word.len()..].starts_with('!');
    source
        .words()
        .filter(|(at, word)| matches!(*word, "todo" | "unimplemented" | "dbg") && marked(*at, word))
        .map(|(at, word)| source.finding(at, format_args!("{word}! is left")))
        .collect()
}

/// The checks themselves, on text that breaks the rules and on text that nearly does.
mod bite {
    use super::*;

    fn of(check: fn(&Source) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text))
    }

    #[test]
    fn sizes_are_counted() {
        let body = |count: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(count));
        assert_eq!(of(sizes, "a.rs", &body(68)), [""; 0]);
        assert_eq!(of(sizes, "a.rs", &body(69)), ["a.rs:1: fn f has 71 lines"]);
        let text = format!(
            "{}{}",
            "// fn\n",
            body(99).replace("fn f()", "fn f<const N: [u8; 1]>()\nwhere {}")
        );
        assert_eq!(of(sizes, "a.rs", &text), [""; 0], "the body is the first block");
        let long =
            "struct A(fn(u8));\nimpl A {\n    const fn longer()\n    where\n        A: B,\n    {\n";
        let text = format!("{long}{}    }}\n}}", "g();\n".repeat(70));
        assert_eq!(of(sizes, "a.rs", &text), ["a.rs:3: fn longer has 75 lines"]);
        assert_eq!(of(sizes, "a.rs", &"\n".repeat(601)), ["a.rs: 601 lines"]);
        assert_eq!(of(sizes, "a.rs", &"é".repeat(100)), [""; 0]);
        assert_eq!(of(sizes, "a.rs", &"é".repeat(101)), ["a.rs:1: 101 columns"]);
    }

    #[test]
    fn unsafe_places_are_found() {
        let text = "#![allow(unsafe_code)]\nfn f() {\n    unsafe { g() }\n}\n";
        let found = of(unsafe_places, "reseau/src/net/stream.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].starts_with("reseau/src/net/stream.rs:3: "), "{found:?}");
        for path in ["reseau/src/sys/unix.rs", "reseau/src/driver/uring.rs", "reseau/src/pool.rs"] {
            assert_eq!(of(unsafe_places, path, text), [""; 0]);
        }
        let text = "#![deny(unsafe_code)] // unsafe {\nconst A: &str = r#\"\" unsafe { \"#;\n\
                    const B: (char, &str) = ('\"', \"unsafe \\\" unsafe\"); /* /* */ unsafe */";
        assert_eq!(of(unsafe_places, "reseau/src/lib.rs", text), [""; 0]);
    }

    #[test]
    fn unsafe_code_without_a_reason_is_found() {
        let path = "reseau/src/sys/unix.rs";
        for (text, count) in [
            ("fn f() {\n    unsafe { g() }\n}", 1),
            ("unsafe impl Send for A {}", 1),
            ("unsafe extern \"C\" fn f() {}", 1),
            ("unsafe trait A {}", 1),
            ("// SAFETY: too far\n\n\n\nunsafe impl Send for A {}", 1),
            ("// SAFETY: near\n\n\nunsafe impl Send for A {}", 0),
            ("// SAFETY: 1\n// 2\n// 3\n// 4\n#[x]\nunsafe impl Send for A {}", 0),
            ("/// # Safety\n/// Give it a good one.\npub unsafe fn f() {}", 0),
            ("const F: unsafe fn(u8) = f;\n#[unsafe(no_mangle)]\nfn g() {}", 0),
            ("const F: unsafe extern \"C\" fn(u8) = f;", 0),
            ("unsafe extern \"C\" {\n    fn atexit(f: extern \"C\" fn()) -> i32;\n}", 0),
            ("let a = \"SAFETY\";\n// \"unsafe { }\"", 0),
        ] {
            assert_eq!(of(safety_lines, path, text).len(), count, "{text}");
        }
        assert_eq!(of(safety_lines, "bench/src/raw.rs", "unsafe impl Send for A {}"), [""; 0]);
    }

    #[test]
    fn empty_names_are_found() {
        let text =
            "struct PoolInner;\nenum Context {}\ntrait IoHelper {}\nmod types {}\ntype T = Utils;";
        assert_eq!(of(names, "a.rs", text).len(), 4);
        for path in ["reseau/src/utils.rs", "reseau/tests/common/mod.rs", "reseau/src/conn_misc.rs"]
        {
            assert_eq!(of(names, path, "").len(), 1, "{path}");
        }
        let text =
            "use std::task::Context;\nfn f(inner: u8) {}\nstruct Contextual; // struct Inner";
        assert_eq!(of(names, "reseau/src/dinner.rs", text), [""; 0]);
    }

    #[test]
    fn leftovers_are_found() {
        let text = "fn f() { todo!() }\nfn g() { dbg!(1); unimplemented!(\"x\") }";
        assert_eq!(of(leftovers, "a.rs", text).len(), 3);
        assert_eq!(of(leftovers, "a.rs", "// todo!()\nfn todo() { \"dbg!()\"; }"), [""; 0]);
    }
}
