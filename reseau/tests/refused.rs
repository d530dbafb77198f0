//! io_uring refused, as container profiles do it: fall back and say why, or, where it was asked
//! for, one clear error. The refusal is real: a child process with a seccomp filter.
#![cfg(all(target_os = "linux", feature = "async"))]
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use reseau::{Config, Kind, Loop};
use seccompiler::{SeccompAction, SeccompFilter};
use std::process::{Command, Output};

/// `io_uring_setup`, the same number on every architecture.
const IO_URING_SETUP: i64 = 425;

/// Runs one test of this file again, in a process that may not make rings.
fn in_a_cage(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut child = Command::new(std::env::current_exe().expect("this test's own program"));
    child.args([test, "--exact", "--nocapture", "--test-threads=1"]).env("RESEAU_CAGE", "1");
    child.envs(environment.iter().copied());
    child.output().expect("the child runs")
}

fn caged() -> bool {
    if std::env::var_os("RESEAU_CAGE").is_none() {
        return false;
    }
    let deny = SeccompFilter::new(
        [(IO_URING_SETUP, vec![])].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(1), // EPERM, as Docker's profile says it.
        std::env::consts::ARCH.try_into().expect("a known architecture"),
    );
    let program: seccompiler::BpfProgram = deny.expect("a filter").try_into().expect("a program");
    seccompiler::apply_filter(&program).expect("the kernel takes the filter");
    true
}

fn assert_ran(child: &Output) {
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && text.contains("1 passed"), "{text}\n{child:?}");
}

#[test]
fn without_rings_a_loop_falls_back_and_says_why() {
    if !caged() {
        let name = "without_rings_a_loop_falls_back_and_says_why";
        return assert_ran(&in_a_cage(name, &[("RESEAU_DRIVER", "auto")]));
    }
    let report = Loop::new().expect("a loop all the same").driver_report();
    assert_eq!(report.kind, Kind::Ready);
    assert!(report.reason.contains("io_uring cannot be used"), "{report}");
    assert!(report.reason.contains("forbid"), "{report}");
    let tried: Vec<_> = report.tried.iter().map(|tried| (tried.kind, tried.usable)).collect();
    assert_eq!(tried, [(Kind::Uring, false), (Kind::Ready, true)]);
}

#[test]
fn rings_that_are_asked_for_and_refused_are_one_clear_error() {
    if !caged() {
        let name = "rings_that_are_asked_for_and_refused_are_one_clear_error";
        return assert_ran(&in_a_cage(name, &[]));
    }
    let config = Config { kind: Some(Kind::Uring), ..Config::default() };
    let error = Loop::with(&config).err().expect("there are no rings");
    let text = error.to_string();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    assert!(text.contains("the program asked for the driver `uring`"), "{text}");
    assert!(text.contains("forbid"), "{text}");
}

#[test]
fn the_environment_can_ask_and_is_refused_as_clearly() {
    if !caged() {
        let name = "the_environment_can_ask_and_is_refused_as_clearly";
        return assert_ran(&in_a_cage(name, &[("RESEAU_DRIVER", "uring")]));
    }
    let text = Loop::new().err().expect("there are no rings").to_string();
    assert!(text.contains("RESEAU_DRIVER asked for the driver `uring`"), "{text}");
}

#[test]
fn an_unknown_wish_is_named() {
    if !caged() {
        let name = "an_unknown_wish_is_named";
        return assert_ran(&in_a_cage(name, &[("RESEAU_DRIVER", "turbo")]));
    }
    let error = Loop::new().err().expect("no such driver");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("\"turbo\""), "{error}");
}
