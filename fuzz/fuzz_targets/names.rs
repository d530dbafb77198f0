//! Whatever a name server answers, reading it ends, and what is found stands in the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reseau::fuzzing::name_answer;
use std::net::IpAddr;

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    check(*kind, rest);
    // One that begins as an answer to the question must, so that the fuzzer need not find that.
    let mut drafted = vec![0x12, 0x34, 0x81, kind & 0x80, 0, 1, 0, 9, 0, 0, 0, 0];
    drafted.extend(b"\x01a\x07example\0\0");
    drafted.extend([[1, 28, 12][usize::from(kind % 3)], 0, 1]);
    drafted.extend(records(rest));
    drafted[7] = rest.first().map_or(0, |count| count % 8);
    check(*kind, &drafted);
});

fn check(kind: u8, message: &[u8]) {
    let Some((addrs, names)) = name_answer(kind, message) else { return };
    assert!(!addrs.is_empty() || !names.is_empty(), "an answer of nothing");
    for addr in addrs {
        let found = match addr {
            IpAddr::V4(ip) => holds(message, &[&[0, 4][..], &ip.octets()].concat()),
            IpAddr::V6(ip) => holds(message, &[&[0, 16][..], &ip.octets()].concat()),
        };
        assert!(found, "{addr} is not in {message:02x?}");
    }
    for name in names {
        assert!(name.len() < 255 && name.split('.').all(|label| (1..64).contains(&label.len())));
    }
}

fn holds(message: &[u8], part: &[u8]) -> bool {
    message.windows(part.len()).any(|window| window == part)
}

/// Records that make more sense than the input: of the name that was asked for, an alias of it, or
/// what the input says.
fn records(script: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut left = script.iter().copied();
    while let (Some(name), Some(kind), Some(len)) = (left.next(), left.next(), left.next()) {
        match name % 4 {
            0 | 1 => bytes.extend([0xc0, 12]),
            2 => bytes.extend([1, b'b', 0xc0, 12]),
            _ => bytes.extend([0xc0, name]),
        }
        let kind = [1, 28, 5, 12, kind][usize::from(kind % 5)];
        let len = match kind {
            1 => 4,
            28 => 16,
            _ => len % 32,
        };
        bytes.extend([0, kind, 0, 1, 0, 0, name, len, 0, len]);
        bytes.extend(left.by_ref().take(len.into()));
    }
    bytes
}
