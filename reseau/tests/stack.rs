//! `[::]` means the same where the system takes something else for granted: in a network namespace
//! whose sockets of IPv6 are for IPv6 alone unless they are told, as on Windows.
//!
//! Where namespaces may not be made the test is skipped, and says so; `RESEAU_REQUIRE=spaces` makes
//! that a failure.
#![cfg(all(target_os = "linux", feature = "async"))]
#![allow(clippy::disallowed_methods)]

#[path = "watchdog/mod.rs"]
mod watchdog;

use reseau::addr::{Covers, Stack};
use reseau::blocking::{self, UdpSocket};
use reseau::{Inet, Kind, Loop, Socket, TcpListener, TcpSocket, kind, listen, opt, sockets};
use std::net::SocketAddr;
use std::process::Command;
use watchdog::{say, watched};

const CHILD: &str = "RESEAU_STACK";
const NAME: &str = "what_the_system_takes_for_granted_does_not_matter";

#[test]
fn what_the_system_takes_for_granted_does_not_matter() {
    if std::env::var_os(CHILD).is_some() {
        return watched(NAME, inside);
    }
    watched(NAME, || {
        let mut why = String::new();
        // Who is root needs no namespace of users, which some machines forbid to all.
        for flags in ["-n", "-Urn"] {
            match entered(flags) {
                Ok(()) => return,
                Err(error) => why = error,
            }
        }
        let required = std::env::var("RESEAU_REQUIRE").is_ok_and(|list| list.contains("spaces"));
        assert!(!required, "no namespaces: {why}");
        say(&format!("skipped: {NAME}: {why}"));
    });
}

/// Runs this test in a namespace of its own; an error if there is none to be had.
fn entered(flags: &str) -> Result<(), String> {
    let script = "echo 1 >/proc/sys/net/ipv6/bindv6only || exit 1; exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args([flags, "sh", "-c", script]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture"]).env(CHILD, "1");
    let output = command.output().map_err(|error| format!("unshare: {error}"))?;
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    if !out.contains("running 1 test") {
        return Err(err.trim().to_owned());
    }
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
    Ok(())
}

fn stack(covers: std::io::Result<Covers>) -> Stack {
    match covers.unwrap() {
        Covers::Inet { stack, .. } => stack,
        other => panic!("{other}"),
    }
}

fn inside() {
    let any: SocketAddr = "[::]:0".parse().unwrap();
    let std = blocking::TcpListener::from(std::net::TcpListener::bind(any).unwrap());
    assert_eq!(stack(std.covers()), Stack::V6, "what is not told is for IPv6 alone here");

    assert_eq!(stack(blocking::TcpListener::bind(any).unwrap().covers()), Stack::Both);
    assert_eq!(stack(blocking::listen("[::]:0").wait().unwrap().covers()), Stack::Both);
    let (_, walked) = blocking::listen_any("::", 0).wait().unwrap();
    assert_eq!(stack(walked.covers()), Stack::Both);
    let alone = blocking::listen("[::]:0").only_v6(true).wait().unwrap();
    assert_eq!(stack(alone.covers()), Stack::V6);
    let opt::OnlyV6(only) = UdpSocket::bind(any).unwrap().get().unwrap();
    assert!(!only, "datagrams of the blocking door");
    let julia = sockets::julia::listen((sockets::julia::IPAddr::from(any.ip()), 0)).unwrap();
    let (_, port) = sockets::julia::getsockname(&julia).unwrap();
    assert!(std::net::TcpListener::bind(("0.0.0.0", port)).is_err(), "it has the port of both");

    for kind in [Kind::Uring, Kind::Ready] {
        let config = reseau::Config { kind: Some(kind), ..Default::default() };
        let Ok(lp) = Loop::with(&config) else { continue };
        lp.block_on(async {
            assert_eq!(stack(TcpListener::bind(any).await.unwrap().covers()), Stack::Both);
            assert_eq!(stack(listen("[::]:0").await.unwrap().covers()), Stack::Both);
            let socket = TcpSocket::new_v6().unwrap();
            socket.bind(any).unwrap();
            assert_eq!(stack(socket.listen(8).unwrap().covers()), Stack::Both);
            let socket = TcpSocket::new_v6().unwrap();
            socket.set_only_v6(true).unwrap();
            socket.bind(any).unwrap();
            assert_eq!(stack(socket.listen(8).unwrap().covers()), Stack::V6);
            let socket = Socket::<Inet>::new_v6().unwrap();
            socket.bind(any).unwrap();
            assert_eq!(stack(socket.listen(8).unwrap().covers()), Stack::Both);
            let socket = Socket::<Inet, kind::Dgram>::for_addr(&any).unwrap();
            assert_eq!(socket.get::<opt::OnlyV6>().unwrap(), opt::OnlyV6(false));
            let udp = reseau::UdpSocket::bind(any).await.unwrap();
            assert_eq!(udp.get::<opt::OnlyV6>().unwrap(), opt::OnlyV6(false));
        });
    }
}
