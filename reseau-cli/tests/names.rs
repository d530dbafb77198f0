//! `reseau resolve` and `reseau interfaces`, through the real program.
#![allow(missing_docs)]
mod program;

use std::net::IpAddr;

use program::Program;
use serde_json::Value;

/// The exit code, and stdout as JSON.
fn json(arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let (status, lines, errors) = Program::start(arguments).end();
    let read = serde_json::from_str(&lines.join("\n"));
    (status.code(), read.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {errors}")))
}

#[test]
fn localhost_is_this_machine() {
    let (code, entries) = json(&["resolve", "--json", "localhost"]);
    assert_eq!((code, entries.len()), (Some(0), 2), "one entry for each family: {entries:?}");
    let mut found = 0;
    for entry in &entries {
        assert_eq!(entry["name"], "localhost");
        assert!(entry["microseconds"].is_u64());
        for ip in entry["found"].as_array().into_iter().flatten() {
            let ip: IpAddr = ip.as_str().unwrap().parse().unwrap();
            assert!(ip.is_loopback(), "{entry}");
            assert_eq!(entry["kind"], if ip.is_ipv4() { "IPv4" } else { "IPv6" });
            assert_eq!(entry["source"], "system");
            found += 1;
        }
        assert_eq!(entry["ok"] == true, entry.get("error").is_none(), "{entry}");
    }
    assert!(found > 0, "{entries:?}");
}

#[test]
fn families_can_be_chosen_and_names_keep_their_order() {
    let (code, entries) = json(&["resolve", "--json", "-4", "localhost", "127.0.0.1", "localhost"]);
    assert_eq!(code, Some(0));
    let kinds: Vec<_> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["IPv4", "name", "IPv4"]);
    assert_eq!(entries[1]["name"], "127.0.0.1");
    assert!(!entries[1]["found"][0].as_str().unwrap().is_empty());
}

#[test]
fn what_is_no_name_is_said_beside_what_was_found() {
    let (status, lines, errors) = Program::start(&["resolve", "-4", "localhost", "a..b"]).end();
    assert_eq!(status.code(), Some(1));
    assert!(lines[0].starts_with("NAME"), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("127.")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("a..b") && line.contains("empty")));
    assert!(errors.contains("nothing found for a..b"), "{errors}");
    let (code, entries) = json(&["resolve", "--json", "-6", "a..b"]);
    assert_eq!((code, &entries[0]["ok"]), (Some(1), &Value::Bool(false)));
    assert!(entries[0]["error"].as_str().unwrap().contains("empty"));
}

#[test]
fn a_limit_is_a_number_of_seconds() {
    for wrong in ["-1", "soon", ""] {
        let (status, _, errors) = Program::start(&["resolve", "--limit", wrong, "localhost"]).end();
        assert_eq!(status.code(), Some(2), "{errors}");
    }
    let (code, _) = json(&["resolve", "--json", "-4", "--limit", "59.5", "localhost"]);
    assert_eq!(code, Some(0));
}

#[test]
fn loopback_is_among_the_interfaces() {
    let (code, list) = json(&["interfaces", "--json"]);
    assert_eq!(code, Some(0));
    let loopback = list.iter().find(|one| one["loopback"] == true).expect("loopback");
    let addrs = loopback["addresses"].as_array().unwrap();
    let home = addrs.iter().find(|addr| addr["address"] == "127.0.0.1").expect("127.0.0.1");
    assert_eq!((&home["family"], home["prefix"].as_u64()), (&"IPv4".into(), Some(8)));
    assert_eq!(loopback["up"], true);

    let (status, lines, errors) = Program::start(&["interfaces"]).end();
    assert!(status.success(), "{errors}");
    let name = loopback["name"].as_str().unwrap();
    // Its first address stands beside its name, the others below.
    let at = lines.iter().position(|line| line.contains("127.0.0.1/8")).expect("a line for it");
    let row = lines[..=at].iter().rfind(|line| line.contains(name)).expect("its row");
    assert!(row.contains("loopback"), "{lines:#?}");
    for one in &list {
        assert!(lines.iter().any(|line| line.contains(one["name"].as_str().unwrap())), "{one}");
    }
}
