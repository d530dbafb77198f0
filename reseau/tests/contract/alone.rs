//! Tests that need a process to themselves: they run in a child, which is this very program.
//!
//! On Windows, descriptors are not counted, so that there is no need.
use crate::watchdog::say;
use reseau::Kind;
use std::path::Path;
use std::process::{Command, Output};

/// True in the child. In the parent, runs the child and judges it. `descriptors`: its limit.
///
/// `name` is the test's, `test` that of the test's file.
pub(crate) fn is_child(kind: Kind, test: &str, descriptors: Option<u32>) -> bool {
    if cfg!(windows) || std::env::var_os(CHILD).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    // An emulator runs this program, but not what it starts: its name is to be put in front.
    let emulator = std::env::var(RUNNER).unwrap_or_default();
    let mut words = emulator.split_whitespace().map(Path::new).chain([program.as_path()]);
    let first = words.next().expect("at least the program");
    let mut command = match descriptors {
        None => Command::new(first),
        Some(limit) => {
            let mut shell = Command::new("sh");
            let script = format!("ulimit -n {limit} || exit 77; exec \"$0\" \"$@\"");
            shell.args(["-c", &script]).arg(first);
            shell
        }
    };
    command.args(words);
    let (file, test) = test.rsplit_once("::").expect("a path");
    let (_, file) = file.split_once("::").expect("a module of this program");
    let name = format!("{file}::{kind}::{test}");
    command.args(["--exact", "--nocapture", "--test-threads=1", &name]).env(CHILD, "1");
    let output =
        command.output().unwrap_or_else(|error| panic!("the child does not start: {error}"));
    judge(&name, &output);
    false
}

fn judge(name: &str, output: &Output) {
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) {
        return say(&format!("skipped: {name}: the limit of descriptors cannot be set: {err}"));
    }
    assert!(output.status.success(), "the child failed: {}\n{out}\n{err}", output.status);
    assert!(out.contains("1 passed"), "the child ran no test:\n{out}\n{err}");
    for line in err.lines().filter(|line| line.starts_with("skipped")) {
        say(line);
    }
}

const CHILD: &str = "RESEAU_TEST_CHILD";
/// The emulator that runs this program, if one does (`ci/cross.sh`).
const RUNNER: &str = "RESEAU_TEST_RUNNER";

/// Whether an emulator runs this program: not all of the kernel's calls are there then.
#[cfg(target_os = "linux")]
pub(crate) fn emulated() -> bool {
    std::env::var_os(RUNNER).is_some()
}

/// How many descriptors this process has, where that can be known.
pub(crate) fn descriptors() -> usize {
    if cfg!(windows) {
        return 0; // Wine shows its own, and opens more as it likes.
    }
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Begins a test that is to be alone in its process.
macro_rules! alone {
    ($kind:expr, $test:ident $(, descriptors: $limit:expr)?) => {{
        #[allow(unused_mut, unused_assignments)]
        let mut limit = None;
        $(limit = Some($limit);)?
        let name = concat!(module_path!(), "::", stringify!($test));
        if !$crate::alone::is_child($kind, name, limit) {
            return;
        }
    }};
}
pub(crate) use alone;
