//! What users get wrong: one clear line, exit code 2; what the world refuses: exit code 1.
#![allow(missing_docs)]
mod program;

use std::net::{TcpListener, UdpSocket};

use program::Program;

/// The exit code and stderr of a run that ends by itself.
fn fail(arguments: &[&str]) -> (i32, String) {
    let (status, lines, errors) = Program::start(arguments).end();
    assert!(lines.is_empty(), "{arguments:?} wrote to stdout: {lines:?}");
    (status.code().expect("no signal"), errors)
}

#[test]
fn what_makes_no_sense_exits_with_2_and_names_the_culprit() {
    for (arguments, culprit) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["echo", "--driver", "steam"], "steam"),
        (&["echo", "--loops", "0"], "0"),
        (&["echo", "--loops", "many"], "many"),
        (&["echo", "--loops", "70000"], "70000"),
        (&["echo", "127.0.0.1:99999"], "99999"),
        (&["echo", "127.0.0.1"], "127.0.0.1"),
        (&["echo", "unix:"], "unix:"),
        (&["echo", ""], ""),
        (&["echo", "example.com:80"], "example.com"),
        (&["echo", "udp://127.0.0.1:99999"], "\"99999\" at column 17"),
        (&["echo", "udp://unix:/x"], "column 7"),
        (&["echo", "unixgram:"], "column 10"),
        (&["echo", "quic://127.0.0.1:1"], "udp://"),
        (&["doctor", "--yaml"], "--yaml"),
        (&["doctor", "extra"], "extra"),
    ] {
        let (code, errors) = fail(arguments);
        assert_eq!(code, 2, "{arguments:?}: {errors}");
        assert!(errors.contains(culprit), "{arguments:?}: {errors}");
    }
}

#[test]
fn an_address_that_was_asked_for_and_is_taken_is_a_failure() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = holder.local_addr().unwrap().to_string();
    for loops in ["1", "2"] {
        let (code, errors) = fail(&["echo", "--loops", loops, &addr]);
        assert_eq!(code, 1, "{errors}");
        assert_eq!(errors.trim().lines().count(), 1, "{errors}");
        assert!(errors.contains(&addr), "{errors}");
    }
}

#[test]
fn a_port_of_udp_that_was_asked_for_and_is_taken_is_a_failure() {
    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = holder.local_addr().unwrap().to_string();
    let (code, errors) = fail(&["echo", &format!("udp://{addr}")]);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains(&addr), "{errors}");
}

#[test]
fn an_address_of_another_machine_is_a_failure() {
    // 192.0.2.0/24 is for documentation: no machine has it.
    let (code, errors) = fail(&["echo", "192.0.2.1:0"]);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("192.0.2.1"), "{errors}");
}

#[cfg(unix)]
#[test]
fn a_path_that_cannot_be_made_is_a_failure_that_leaves_nothing() {
    let directory = program::Directory::new("usage");
    let taken = directory.path().join("file");
    std::fs::write(&taken, "not a socket").unwrap();
    let first = directory.path().join("first.sock");
    let endpoint = |path: &std::path::Path| format!("unix:{}", path.display());
    for second in [taken.clone(), directory.path().join("no/such/directory.sock")] {
        let (code, errors) = fail(&["echo", &endpoint(&first), &endpoint(&second)]);
        assert_eq!(code, 1, "{errors}");
        assert!(errors.contains(second.to_str().unwrap()), "{errors}");
        assert!(!first.exists(), "the first socket's file was left behind");
    }
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "not a socket");
}

#[test]
fn help_and_version_are_no_failures() {
    for arguments in [&["--help"][..], &["--version"], &["echo", "--help"], &["help", "doctor"]] {
        let (status, lines, errors) = Program::start(arguments).end();
        assert!(status.success() && !lines.is_empty(), "{arguments:?}: {errors}");
    }
}
