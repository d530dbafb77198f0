//! Whatever a SOCKS5 proxy answers: it does not matter how it is cut, nothing of the tunnel is
//! taken, and what is taken is what the RFC says, by a second reading.
#![no_main]

mod hop;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let proxies = ["socks5://127.0.0.1", "socks5://anna:secret@127.0.0.1"];
    let Some(end) = hop::play(proxies, input) else { return };
    let answer = read(&input[2..], input[0] & 1 == 1);
    assert_eq!(end.ok(), answer, "{:02x?}", &input[2..]);
});

/// How long the whole answer is, if it is one that leads on: RFC 1928, 3 and 6; RFC 1929, 2.
fn read(answer: &[u8], login: bool) -> Option<usize> {
    let (head, reply) = match answer {
        [5, 0, reply @ ..] => (2, reply),
        [5, 2, 1, 0, reply @ ..] if login => (4, reply),
        _ => return None,
    };
    let address = match reply {
        [5, 0, _, 1, ..] => 4,
        [5, 0, _, 4, ..] => 16,
        [5, 0, _, 3, len, ..] => 1 + usize::from(*len),
        _ => return None,
    };
    let whole = 4 + address + 2;
    (reply.len() >= whole).then_some(head + whole)
}
