//! `reseau doctor`, through the real program.
#![allow(missing_docs)]
#[cfg(target_os = "linux")]
#[path = "program/papers.rs"]
mod papers;
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

#[cfg(target_os = "linux")] // Others judge by themselves, or keep their roots elsewhere.
#[test]
fn trusted_issuers_are_those_that_would_be_used() {
    let authority = papers::Authority::new();
    let empty = authority.file("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let report = |variable: &str, path: &str| -> Value {
        let program = Program::start_with(&["doctor", "--json"], |command| {
            command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").env(variable, path);
        });
        let (status, lines, errors) = program.end();
        assert!(status.success(), "{status}: {errors}");
        serde_json::from_str(&lines.join("\n")).unwrap()
    };
    let ca = authority.file("ca.pem");
    let found = &report("SSL_CERT_FILE", &ca)["trust"];
    assert_eq!((&found["roots"], &found["told_by"]), (&1.into(), &"SSL_CERT_FILE".into()));
    assert_eq!((&found["file"], &found["directories"]), (&ca.as_str().into(), &Value::Null));
    let directory = authority.directory().to_str().unwrap();
    let found = &report("SSL_CERT_DIR", directory)["trust"];
    assert_eq!((&found["roots"], &found["told_by"]), (&1.into(), &"SSL_CERT_DIR".into()));
    assert_eq!(found["directories"], Value::from(vec![directory]));
    let missing = authority.file("missing.pem");
    for path in [&empty, &missing] {
        let report = report("SSL_CERT_FILE", path);
        assert_eq!(report["trust"]["roots"], 0);
        let advice = report["advice"].as_array().unwrap();
        let found = advice.iter().find(|one| one["weight"] == "should" && one["remedy"] == REMEDY);
        assert!(found.is_some(), "{advice:?}");
    }
    assert!(report("SSL_CERT_FILE", &missing)["trust"]["faults"][0].is_string());
}

#[cfg(target_os = "linux")]
const REMEDY: &str = "unset SSL_CERT_FILE, or let it name certificates in PEM";

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
    for section in ["system", "driver", "limits", "sockets", "trust", "what to change"] {
        assert!(lines.iter().any(|line| line == section), "no `{section}` in {lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.contains('\x1b')), "{lines:#?}");
}
