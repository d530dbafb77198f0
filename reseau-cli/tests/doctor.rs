//! `reseau doctor`, through the real program.
#![allow(missing_docs)]
mod program;

use program::Program;
use serde_json::Value;

fn json() -> Value {
    let (status, lines, errors) = Program::start(&["doctor", "--json"]).end();
    assert!(status.success(), "{status}: {errors}");
    serde_json::from_str(&lines.join("\n")).expect("a foreign parser reads it")
}

#[test]
fn the_json_report_is_json_and_names_this_machine() {
    let report = json();
    assert_eq!(report["system"]["reseau"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["system"]["os"], std::env::consts::OS);
    assert_eq!(report["system"]["arch"], std::env::consts::ARCH);
    assert!(["uring", "ready"].contains(&report["driver"]["kind"].as_str().unwrap()));
    assert!(!report["driver"]["reason"].as_str().unwrap().is_empty());
    assert_eq!(report["sockets"]["ipv4"]["available"], true);
    for advice in report["advice"].as_array().unwrap() {
        assert!(!advice["what"].as_str().unwrap().is_empty());
        assert!(!advice["remedy"].as_str().unwrap().is_empty());
    }
}

#[test]
fn what_is_not_available_says_why() {
    let report = json();
    for (name, socket) in report["sockets"].as_object().unwrap() {
        let available = socket["available"].as_bool().unwrap();
        assert_eq!(available, socket.get("why").is_none(), "{name}: {socket}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn limits_on_linux_are_those_of_the_kernel() {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/{name}")).ok();
    let report = json();
    for (fact, file) in [("somaxconn", "net/core/somaxconn"), ("rmem_max", "net/core/rmem_max")] {
        let wanted = read(file).map(|text| text.trim().parse::<u64>().unwrap());
        assert_eq!(report["limits"][fact].as_u64(), wanted, "{fact}");
    }
}

#[cfg(unix)]
#[test]
fn a_low_limit_of_open_files_is_noticed() {
    // The shell lowers the limit for itself and what it becomes.
    let script = format!("ulimit -n 256 && exec {} doctor --json", env!("CARGO_BIN_EXE_reseau"));
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["limits"]["nofile_soft"], 256);
    let advice = report["advice"].as_array().unwrap();
    let found = advice.iter().any(|one| one["what"].as_str().unwrap().contains("256 open files"));
    assert!(found, "{advice:?}");
}

#[test]
fn the_text_has_every_section_and_no_colour_in_a_pipe() {
    let (status, lines, errors) = Program::start(&["doctor"]).end();
    assert!(status.success(), "{status}: {errors}");
    for section in ["system", "driver", "limits", "sockets", "what to change"] {
        assert!(lines.iter().any(|line| line == section), "no `{section}` in {lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.contains('\x1b')), "{lines:#?}");
}
