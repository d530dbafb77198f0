//! Whatever an HTTP proxy answers: it does not matter how it is cut, nothing of the tunnel is
//! taken, and what leads on ends in a blank line within the limit.
#![no_main]

mod hop;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let proxies = ["http://127.0.0.1", "http://anna:secret@127.0.0.1"];
    check(proxies, input);
    // And with a good start, which random bytes seldom make.
    if let [choice, cut, rest @ ..] = input {
        check(proxies, &[&[*choice, *cut][..], b"HTTP/1.1 200 OK\r\n", rest].concat());
    }
});

fn check(proxies: [&str; 2], input: &[u8]) {
    let Some(Ok(taken)) = hop::play(proxies, input) else { return };
    let head = &input[2..][..taken];
    assert!(taken <= 16 * 1024, "{taken} bytes of header");
    assert!(head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n"), "{head:02x?}");
    // The last of its parts is the answer; the others came before it.
    let lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').collect();
    let lines = lines.iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines: Vec<&[u8]> = lines.collect();
    let parts: Vec<&[&[u8]]> = lines.split(|line| line.is_empty()).collect();
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let (last, before) = parts.split_last().expect("a status line");
    let status = |part: &[&[u8]]| part[0].starts_with(b"HTTP/1.").then(|| part[0].get(9).copied());
    assert_eq!(status(last), Some(Some(b'2')), "{head:02x?}");
    assert!(before.iter().all(|part| status(part) == Some(Some(b'1'))), "{head:02x?}");
}
