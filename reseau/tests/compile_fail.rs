//! What must not compile, and what the compiler says of it: `TRYBUILD=overwrite` writes the answers
//! anew. They are those of one compiler, so others leave this out; the examples of `reseau::opt`
//! that must not compile are tried everywhere.
use std::process::Command;

#[test]
fn options_that_do_not_fit_do_not_compile() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("-vV").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let said = said.unwrap_or_default();
    let native = cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"));
    let known = KNOWN.iter().all(|line| said.contains(line));
    if !known || !native || cfg!(not(feature = "async")) {
        return eprintln!("skipped: the answers are those of {KNOWN:?}, this is {said:?}");
    }
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

/// The compiler whose answers are written down.
const KNOWN: [&str; 2] = ["release: 1.95.", "host: x86_64-unknown-linux-gnu"];
