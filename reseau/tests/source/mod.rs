//! Reading the project's own source, for the tests that check its habits.
#![allow(dead_code)] // Each of those tests uses a part.
use std::fs;
use std::path::Path;

/// A file of Rust.
pub(crate) struct Source {
    /// From the project's root, with `/` on every system.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments, strings and characters blanked: every place stays what it was.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into(), code: blanked(text) }
    }

    /// Every Rust file of the project.
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project's root");
        let mut found = Vec::new();
        collect(root, "", &mut found);
        found.sort_by(|one, other| one.path.cmp(&other.path));
        let paths: Vec<_> = found.iter().map(|source| source.path.as_str()).collect();
        for known in ["reseau/src/lib.rs", "reseau/src/addr/unix.rs", "reseau/tests/tidy.rs"] {
            assert!(paths.contains(&known), "{known} was not found among {paths:?}");
        }
        found
    }

    /// What is wrong, at a place in the text.
    pub(crate) fn finding(&self, at: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.path, self.line_of(at))
    }

    /// The line of a place, from 1.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        self.code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// The words of the code with their places.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        words(&self.code)
    }

    /// Where a bracket that opens at `open` closes, or the end of a text that is cut off.
    pub(crate) fn closing(&self, open: usize) -> usize {
        let mut depth = 0;
        for (at, byte) in self.code.bytes().enumerate().skip(open) {
            match byte {
                b'{' | b'(' | b'[' => depth += 1,
                b'}' | b')' | b']' => depth -= 1,
                _ => continue,
            }
            if depth == 0 {
                return at;
            }
        }
        self.code.len()
    }

    /// The next byte that is not white space, and its place, from `at`.
    pub(crate) fn next_byte(&self, at: usize) -> Option<(usize, u8)> {
        let rest = self.code.as_bytes().iter().enumerate().skip(at);
        rest.map(|(at, byte)| (at, *byte)).find(|(_, byte)| !byte.is_ascii_whitespace())
    }
}

/// The words of `code` with their places.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let inside = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + code[at..].find(inside)?;
        let length = code[start..].find(|c| !inside(c)).unwrap_or(code.len() - start);
        at = start + length;
        Some((start, &code[start..at]))
    })
}

/// Fails with every finding.
pub(crate) fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<Source>) {
    const SKIPPED: &[&str] = &["target", "corpus", "artifacts"];
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let name = entry.file_name().into_string().expect("names are Unicode");
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        if entry.file_type().expect("a known type").is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                collect(&entry.path(), &path, found);
            }
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("sources are Unicode");
            found.push(Source::new(&path, &text));
        }
    }
}

/// `text` with spaces in the place of comments, strings and characters.
fn blanked(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let mut at = 0;
    while at < text.len() {
        let end = at + skipped(text, at);
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// How long the comment, string or character is that starts at `at`; 0 if none does.
fn skipped(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    let until = |end: &str, from: usize| {
        text.get(at + from..).and_then(|tail| tail.find(end)).map_or(rest.len(), |n| from + n)
    };
    match rest {
        [b'/', b'/', ..] => until("\n", 2),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'r', b'"' | b'#', ..] if !follows_word(text, at) => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') {
                return 0; // A raw name, such as r#fn.
            }
            let end = format!("\"{}", "#".repeat(hashes));
            (until(&end, 2 + hashes) + end.len()).min(rest.len())
        }
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', ..] => {
            let letter = text[at + 1..].chars().next().map_or(1, char::len_utf8);
            // A lifetime has no second quote behind its first letter.
            if rest.get(1 + letter) == Some(&b'\'') { letter + 2 } else { 0 }
        }
        _ => 0,
    }
}

/// True if the letter at `at` belongs to a longer word: `br"` and `cr"` start strings as well.
fn follows_word(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
    !matches!(&text[before.len()..at], "" | "b" | "c")
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}
