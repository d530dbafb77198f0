//! The house's floors as a test: a room uses lower floors only, and asks what system it is on
//! only where that is its business (`docs/architecture.md`).
mod source;

use std::collections::BTreeMap;

use source::{Source, assert_none, words};

#[test]
fn rooms_use_lower_floors_only() {
    let all = Source::all();
    let lib = all.iter().find(|source| source.path == "reseau/src/lib.rs").expect("lib.rs");
    let shown = reexports(lib);
    let findings: Vec<_> = all.iter().flat_map(|source| uses(source, &shown)).collect();
    assert_none(&findings);
}

#[test]
fn platforms_are_told_apart_at_the_bottom() {
    let findings: Vec<_> = Source::all().iter().flat_map(platforms).collect();
    assert_none(&findings);
}

/// The rooms and their floors.
const FLOORS: &[(&str, usize)] = &[
    ("addr", 0),
    ("clock", 0),
    ("error", 0),
    ("packet", 0),
    ("platform", 0), // A table.
    ("sync", 0),     // The locks and counters of std, or loom's; waking.
    ("crew", 1),     // Threads.
    ("sys", 1),
    ("pool", 1),
    ("opt", 2),
    ("driver", 2),
    ("rt", 3),
    ("net", 4),
    ("dns", 5),
    ("dial", 5),
    ("tls", 5),
    ("serve", 6),
];

/// The doors, and the rooms that each opens on. No room uses a door.
const DOORS: &[(&str, &[&str])] = &[
    // Straight on system calls: never a driver, a loop or an async socket.
    ("blocking", &["addr", "clock", "error", "packet", "sys", "pool", "opt", "dns", "dial", "tls"]),
    // On `sys` too, because its sockets are made step by step.
    (
        "sockets",
        &["addr", "clock", "error", "packet", "sys", "opt", "dns", "dial", "blocking", "tls"],
    ),
    ("sim", &["addr", "clock", "error", "sync", "sys", "pool", "opt", "driver", "rt", "net"]),
];

/// Uses between rooms of one floor, with the reason.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    ("error", "addr", "an error names addresses"),
    ("packet", "addr", "a message names its sender"),
    ("dial", "dns", "a dialer asks for names"),
    ("dial", "tls", "a dialer ends in TLS where that is asked for"),
];

/// Files outside `sys` and `driver` that may ask which system they are on, with the reason.
const PLATFORM_FILES: &[(&str, &str)] = &[
    ("reseau/src/error/codes.rs", "the systems number their errors differently"),
    ("reseau/src/addr/unix.rs", "limits of a path, and std's address, which only Unix has"),
    ("reseau/src/blocking/unix.rs", "std's Unix sockets, to convert from and to"),
    ("reseau/src/opt/foreign.rs", "std's Unix sockets, whose options can be had"),
    ("reseau/src/packet/passed.rs", "descriptors, which only Unix passes"),
    ("reseau/src/rt/found.rs", "tests of what only Unix lets one stage"),
    ("reseau/src/net/mod.rs", "descriptors go through the Unix sockets of Unix alone"),
    ("reseau/src/net/unix.rs", "std's Unix sockets, to convert from and to"),
    ("reseau/src/net/unix_datagram.rs", "std's Unix sockets, to convert from and to"),
    ("reseau/src/tls/system.rs", "what Android's verifier cannot do"),
    ("reseau/src/sockets/mojo/mod.rs", "descriptors go through the Unix sockets of Unix alone"),
];

/// What asks for the system in a `cfg`.
const PLATFORM_WORDS: &[&str] =
    &["target_os", "target_family", "target_vendor", "target_env", "unix", "windows", "uring"];

/// The room or door of a file, if it is the library's and not its root.
fn room(source: &Source) -> Option<&str> {
    let path = source.path.strip_prefix("reseau/src/")?;
    let room = path.split('/').next()?.trim_end_matches(".rs");
    (room != "lib").then_some(room)
}

/// What is wrong with the paths that start with `crate::`, or that leave the room by `super::`.
fn uses(source: &Source, shown: &BTreeMap<String, String>) -> Vec<String> {
    let Some(room) = room(source) else { return Vec::new() };
    let mut findings = Vec::new();
    for (at, name) in used(source) {
        let target = match shown.get(name) {
            _ if is_known(name) => name,
            Some(target) => target,
            None => {
                let what = format_args!("crate::{name} is neither a room nor shown by lib.rs");
                findings.push(source.finding(at, what));
                continue;
            }
        };
        if !may_use(room, target) {
            let what = format_args!("{room} must not use {target}: it is not on a lower floor");
            findings.push(source.finding(at, what));
        }
    }
    if !is_known(room) {
        findings.push(format!("{}: the room {room} has no floor", source.path));
    }
    let left = leaves(source).into_iter();
    findings.extend(left.map(|at| source.finding(at, "super leaves the room: say crate::room")));
    findings
}

fn is_known(name: &str) -> bool {
    floor(name).is_some() || opens_on(name).is_some()
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn opens_on(door: &str) -> Option<&'static [&'static str]> {
    DOORS.iter().find(|(name, _)| *name == door).map(|(_, rooms)| *rooms)
}

fn may_use(room: &str, target: &str) -> bool {
    if room == target {
        return true;
    }
    if let Some(rooms) = opens_on(room) {
        return rooms.contains(&target);
    }
    let neighbours = NEIGHBOURS.iter().any(|(from, to, _)| (*from, *to) == (room, target));
    neighbours || floor(target).zip(floor(room)).is_some_and(|(below, own)| below < own)
}

/// The first names of the paths that start with `crate::`, with their places.
fn used(source: &Source) -> Vec<(usize, &str)> {
    let paths = source.words().filter(|(_, word)| *word == "crate");
    let after =
        paths.filter(|(at, _)| source.code[at + 5..].starts_with("::")).map(|(at, _)| at + 7);
    after.flat_map(|at| heads(source, at)).collect()
}

/// The first names of the paths in a use tree: one, or those between braces.
fn heads(source: &Source, at: usize) -> Vec<(usize, &str)> {
    let first = |from: usize| words(&source.code[from..]).next().map(|(n, word)| (from + n, word));
    let Some((open, b'{')) = source.next_byte(at) else { return first(at).into_iter().collect() };
    let end = source.closing(open);
    let (mut found, mut place) = (Vec::new(), open + 1);
    while let Some((start, word)) = first(place).filter(|(start, _)| *start < end) {
        found.push((start, word));
        // On to the next comma of this tree, over the trees inside.
        place = start + word.len();
        while place < end && source.code.as_bytes()[place] != b',' {
            let inside = source.code.as_bytes()[place] == b'{';
            place = if inside { source.closing(place) + 1 } else { place + 1 };
        }
    }
    found
}

/// Where a chain of `super::` reaches the root of the crate.
fn leaves(source: &Source) -> Vec<usize> {
    let path = source.path.trim_start_matches("reseau/src/");
    let depth = path.trim_end_matches("/mod.rs").split('/').count();
    let (mut found, mut end, mut count) = (Vec::new(), 0, 0);
    for (at, _) in source.words().filter(|(_, word)| *word == "super") {
        if !source.code[at + 5..].starts_with("::") {
            continue; // pub(super)
        }
        count = if at == end { count + 1 } else { 1 };
        end = at + 7;
        if count == depth + modules_around(source, at) {
            found.push(at);
        }
    }
    found
}

/// How many `mod name { … }` are around a place.
fn modules_around(source: &Source, at: usize) -> usize {
    modules(source).iter().filter(|(_, open, close)| (*open..*close).contains(&at)).count()
}

/// The modules that are written out in this file: where they start, open and close.
fn modules(source: &Source) -> Vec<(usize, usize, usize)> {
    let mut found = Vec::new();
    let mut words = source.words();
    while let Some((at, word)) = words.next() {
        if word != "mod" {
            continue;
        }
        let Some((name_at, name)) = words.next() else { break };
        if let Some((open, b'{')) = source.next_byte(name_at + name.len()) {
            found.push((at, open, source.closing(open)));
        }
    }
    found
}

/// The names that lib.rs shows at the root, with the rooms that they come from.
fn reexports(lib: &Source) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut all = lib.words();
    while let Some((_, word)) = all.next() {
        if word != "use" {
            continue;
        }
        let Some((at, room)) = all.next().filter(|(_, room)| is_known(room)) else { continue };
        let end = at + lib.code[at..].find(';').unwrap_or(lib.code.len() - at);
        for (_, name) in words(&lib.code[at..end]).skip(1) {
            found.insert(name.to_owned(), room.to_owned());
        }
    }
    found
}

/// Where a file of the library asks for the system without being one that may.
fn platforms(source: &Source) -> Vec<String> {
    let bottom = matches!(room(source), Some("sys" | "driver"));
    let excused = PLATFORM_FILES.iter().any(|(path, _)| *path == source.path);
    if bottom || excused || !source.path.starts_with("reseau/src/") {
        return Vec::new();
    }
    let tests = tests(source);
    let mut findings = Vec::new();
    for (at, word) in source.words() {
        let open = match word {
            "cfg" | "cfg_attr" => at + word.len(),
            _ => continue,
        };
        let open = if source.code[open..].starts_with('!') { open + 1 } else { open };
        let tested = tests.iter().any(|(start, end)| (*start..*end).contains(&at));
        if tested || !source.code[open..].starts_with('(') {
            continue;
        }
        let said = &source.code[open..source.closing(open)];
        let asks = words(said).find(|(_, word)| PLATFORM_WORDS.contains(word));
        if let Some((_, word)) = asks {
            findings.push(
                source.finding(at, format_args!("{word} is asked for outside sys and driver")),
            );
        }
    }
    findings
}

/// The modules under `#[cfg(test)]`: tests may know where they run.
fn tests(source: &Source) -> Vec<(usize, usize)> {
    let marked = |at: usize| source.code[..at].trim_end().ends_with("#[cfg(test)]");
    modules(source)
        .into_iter()
        .filter(|(at, ..)| marked(*at))
        .map(|(at, _, end)| (at, end))
        .collect()
}

/// The checks themselves, on text that breaks the rules and on text that nearly does.
mod bite {
    use super::*;

    const LIB: &str =
        "mod pool;\npub use pool::{Chunk, Other as Another};\npub use net::TcpStream;";

    fn of(path: &str, text: &str) -> Vec<String> {
        uses(&Source::new(path, text), &reexports(&Source::new("reseau/src/lib.rs", LIB)))
    }

    #[test]
    fn uses_upwards_are_found() {
        for (path, text, count) in [
            ("driver/lane.rs", "use crate::rt::Loop;", 1),
            ("driver/lane.rs", "use crate::sys::Fd;", 0),
            ("driver/lane.rs", "use crate::{addr::{Addr, Endpoint}, net::{rt, sys}, pool};", 1),
            ("driver/lane.rs", "use crate::{\n    net,\n    serve::Server,\n};", 2),
            ("driver/lane.rs", "fn f(a: crate::net::Stream) {}", 1),
            ("driver/lane.rs", "fn f(a: crate::TcpStream, b: crate::Another) {}", 1),
            ("driver/lane.rs", "use crate::Nothing;", 1),
            (
                "driver/lane.rs",
                "// use crate::net;\npub(in crate::driver) const A: &str = \"crate::net\";",
                0,
            ),
            ("driver/mod.rs", "use crate::driver::lane;\npub(crate) use lane::Lane;", 0),
            ("sys/unix.rs", "use crate::pool::Block;", 1),
            ("sys/unix.rs", "use crate::blocking::TcpStream;", 1),
            ("addr/mod.rs", "use crate::error::Error;", 1),
            ("error.rs", "use crate::addr::Addr;", 0),
            ("blocking/mod.rs", "use crate::{Chunk, sys::Fd, clock};", 0),
            ("blocking/tcp.rs", "use crate::driver::Op;\nuse crate::rt;\nuse crate::net;", 3),
            ("blocking/tcp.rs", "use crate::TcpStream;", 1),
            ("sim/world.rs", "use crate::net::Stream;\nuse crate::dial::Race;", 1),
            ("attic/mod.rs", "", 1),
            ("lib.rs", "use crate::serve::Server;", 0),
        ] {
            let found = of(&format!("reseau/src/{path}"), text);
            assert_eq!(found.len(), count, "{path}: {text}: {found:?}");
        }
        assert_eq!(of("reseau/tests/api.rs", "use crate::whatever;"), [""; 0]);
        let found = of("reseau/src/rt/mod.rs", "\n\nuse crate::net::Stream;");
        assert_eq!(
            found,
            ["reseau/src/rt/mod.rs:3: rt must not use net: it is not on a lower floor"]
        );
    }

    #[test]
    fn leaving_by_the_back_is_found() {
        for (path, text, count) in [
            ("error.rs", "use super::rt;", 1),
            ("error.rs", "mod tests {\n    use super::*;\n}", 0),
            ("error.rs", "mod tests {\n    use super::super::rt;\n}", 1),
            ("rt/mod.rs", "use super::net;", 1),
            ("rt/turn.rs", "use super::task;", 0),
            ("rt/turn.rs", "use super::super::net;", 1),
            ("rt/turn.rs", "mod a { mod b { use super::super::super::task; } }", 0),
            ("rt/turn/wait.rs", "pub(super) use super::super::task;", 0),
        ] {
            let found = of(&format!("reseau/src/{path}"), text);
            assert_eq!(found.len(), count, "{path}: {text}: {found:?}");
        }
    }

    #[test]
    fn platforms_are_found() {
        for (path, text, count) in [
            ("reseau/src/net/stream.rs", "#[cfg(unix)]\nimpl AsFd for A {}", 1),
            (
                "reseau/src/net/stream.rs",
                "#[cfg(all(feature = \"x\",\n not(target_os = \"linux\")))]",
                1,
            ),
            ("reseau/src/rt/mod.rs", "if cfg!(windows) {}", 1),
            ("reseau/src/rt/mod.rs", "#![cfg_attr(not(uring), allow(dead_code))]", 1),
            ("reseau/src/rt/mod.rs", "#[cfg(feature = \"unix\")]\n#[cfg(loom)]\nfn cfg() {}", 0),
            (
                "reseau/src/rt/mod.rs",
                "#[cfg(test)]\nmod tests {\n    #[cfg(unix)]\n    fn f() {}\n}",
                0,
            ),
            ("reseau/src/rt/mod.rs", "mod open {\n    #[cfg(unix)]\n    fn f() {}\n}", 1),
            ("reseau/src/lib.rs", "#[cfg(unix)]\npub use net::UnixStream;", 1),
            ("reseau/src/sys/mod.rs", "#[cfg(unix)]\nmod unix;", 0),
            ("reseau/src/driver/mod.rs", "#[cfg(uring)]\nmod uring;", 0),
            ("reseau/src/error/codes.rs", "#[cfg(windows)]\nmod system {}", 0),
            ("reseau/tests/api.rs", "#[cfg(unix)]", 0),
        ] {
            let found = platforms(&Source::new(path, text));
            assert_eq!(found.len(), count, "{path}: {text}: {found:?}");
        }
    }
}
