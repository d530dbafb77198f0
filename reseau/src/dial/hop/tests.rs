use super::*;
use proptest::prelude::*;

/// What a proxy is asked for, in the kinds there are.
fn hop(proxy: &str, host: Host) -> Hop {
    let proxy: Proxy = proxy.parse().unwrap();
    Hop::new(&proxy, &host, 443).unwrap()
}

fn name() -> Host {
    Host::Name("example.com".into())
}

/// Plays what arrives in pieces of those lengths, over and over: what was written, and how it
/// ended, with the number of bytes that were taken of what arrived.
fn play(mut hop: Hop, arriving: &[u8], pieces: &[usize]) -> (Vec<u8>, Result<usize, HopError>) {
    let (mut written, mut taken, mut ahead) = (hop.output().to_vec(), 0, 0);
    for length in pieces.iter().cycle() {
        // What was not taken is shown again with what comes next, as a peeking reader does.
        ahead = (ahead + length).min(arriving.len());
        match hop.input(&arriving[taken..ahead]) {
            Ok(count) => taken += count,
            Err(error) => return (written, Err(error)),
        }
        written.extend(hop.output());
        if hop.is_done() {
            assert_eq!((hop.wanted(), hop.input(b"tunnel")), (0, Ok(0)));
            return (written, Ok(taken));
        }
        assert_eq!(taken, ahead, "only the end leaves bytes behind");
        if ahead == arriving.len() {
            return (written, Err(HopError::Ended));
        }
    }
    unreachable!("pieces are endless")
}

fn whole(hop: Hop, arriving: &[u8]) -> (Vec<u8>, Result<usize, HopError>) {
    play(hop, arriving, &[arriving.len().max(1)])
}

#[test]
fn socks_says_where_in_the_form_of_the_host() {
    let v4 = Host::V4([192, 0, 2, 1].into());
    let v6 = Host::V6("2001:db8::1".parse().unwrap(), None);
    let cases: [(Host, &[u8]); 3] = [
        (v4, &[1, 192, 0, 2, 1]),
        (v6, &[4, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        (name(), b"\x03\x0bexample.com"),
    ];
    for (host, place) in cases {
        let answer = [5, 0, 5, 0, 0, 1, 127, 0, 0, 1, 0, 80, b'S'];
        let (written, end) = whole(hop("socks5://p", host), &answer);
        let said = [&[5, 1, 0, 5, 1, 0][..], place, &[0x01, 0xbb]].concat();
        assert_eq!((written, end), (said, Ok(12)));
    }
}

#[test]
fn socks_logs_in_where_the_proxy_wants_it() {
    let anna = || hop("socks5://anna:pw@p", name());
    let request = b"\x05\x01\0\x03\x0bexample.com\x01\xbb";
    let greeting = [5, 2, 0, 2];
    let login = b"\x01\x04anna\x02pw";
    let (written, end) = whole(anna(), &[5, 2, 1, 0, 5, 0, 0, 3, 2, b'x', b'y', 0, 80]);
    assert_eq!((written, end), ([&greeting[..], login, request].concat(), Ok(13)));
    // A proxy that wants none is told none.
    let (written, end) = whole(anna(), &[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!((written, end), ([&greeting[..], request].concat(), Ok(12)));
    assert_eq!(whole(anna(), &[5, 2, 1, 1]).1, Err(HopError::LoginRefused));
    assert_eq!(whole(anna(), &[5, 255]).1, Err(HopError::NoMethod));
    assert_eq!(whole(hop("socks5://p", name()), &[5, 255]).1, Err(HopError::LoginWanted));
    // Without a password, one of no length is said.
    let mut empty = hop("socks5://anna@p", name());
    empty.output();
    assert_eq!(empty.input(&[5, 2]), Ok(2));
    assert_eq!(empty.output(), b"\x01\x04anna\0");
    for proxy in ["socks5://a:h0rse@p", "http://a:h0rse@p"] {
        let shown = format!("{:?}", hop(proxy, name()));
        assert!(!shown.contains("h0rse") && !shown.contains("YTpoMHJzZQ"), "{shown}");
    }
}

#[test]
fn every_reply_of_socks_has_a_word() {
    for (code, word, kind) in [
        (1, "general failure", io::ErrorKind::ConnectionRefused),
        (2, "not allowed by its rules", io::ErrorKind::PermissionDenied),
        (3, "network unreachable", io::ErrorKind::NetworkUnreachable),
        (4, "host unreachable", io::ErrorKind::HostUnreachable),
        (5, "connection refused", io::ErrorKind::ConnectionRefused),
        (6, "time to live expired", io::ErrorKind::TimedOut),
        (7, "command not supported", io::ErrorKind::Unsupported),
        (8, "kind of address not supported", io::ErrorKind::Unsupported),
        (9, "unknown reply 9", io::ErrorKind::ConnectionRefused),
        (255, "unknown reply 255", io::ErrorKind::ConnectionRefused),
    ] {
        // As early as that: the rest of the answer need not come.
        let error = whole(hop("socks5://p", name()), &[5, 0, 5, code]).1.unwrap_err();
        assert!(matches!(error, HopError::Socks(_)), "{error:?}");
        assert_eq!(error.to_string(), format!("the proxy says: {word}"));
        let error = io::Error::from(error);
        assert_eq!(error.kind(), kind, "{word}");
        assert!(matches!(HopError::of(&error), Some(HopError::Socks(_))));
        let wrapped = crate::Error::from(error);
        assert!(matches!(HopError::of(&wrapped.into()), Some(HopError::Socks(_))));
    }
    assert!(HopError::of(&io::ErrorKind::NotFound.into()).is_none());
}

#[test]
fn garbage_is_refused_at_its_first_byte() {
    let cases: [(&str, &[u8], usize); 16] = [
        ("socks5://p", b"HTTP/1.1 400 Bad", 1),
        ("socks5://p", &[4], 1),
        ("socks5://p", &[5, 2, 0], 2), // Not offered.
        ("socks5://p", &[5, 1, 0], 2), // GSSAPI.
        ("socks5://p", &[5, 0, 4, 0], 3),
        ("socks5://p", &[5, 0, 5, 0, 0, 2, 0], 6),
        ("socks5://a:b@p", &[5, 2, 5, 0], 3),
        ("http://p", &[5, 0], 1),
        ("http://p", b"HTTP/2 200", 6),
        ("http://p", b"HTTP/1.1 2x0", 11),
        ("http://p", b"HTTP/1.1 600 x", 10),
        ("http://p", b"HTTP/1.1 200x", 13),
        ("http://p", b"HTTP/1.1 200 OK\rX", 17),
        ("http://p", b"HTTP/1.1 200 OK\r\n: x", 18),
        ("http://p", b"HTTP/1.1 200 OK\r\nA: \0", 21),
        ("http://p", b"HTTP/1.1 200 OK\r\n x", 18),
    ];
    for (proxy, arriving, at) in cases {
        let mut hop = hop(proxy, name());
        let found = (1..).zip(arriving).find_map(|(seen, byte)| {
            let error = hop.input(&[*byte]).err()?;
            Some((seen, error))
        });
        let (seen, error) = found.unwrap_or_else(|| panic!("{arriving:?} was taken"));
        assert!(matches!(error, HopError::Garbage(_)), "{arriving:?}: {error:?}");
        assert_eq!(seen, at, "{arriving:?}");
    }
}

#[test]
fn http_asks_in_authority_form() {
    let ok = b"HTTP/1.1 200 OK\r\n\r\n";
    for (host, authority) in [
        (name(), "example.com:443"),
        (Host::V4([192, 0, 2, 1].into()), "192.0.2.1:443"),
        (Host::V6("2001:db8::1".parse().unwrap(), None), "[2001:db8::1]:443"),
    ] {
        let (written, end) = whole(hop("http://p", host), ok);
        let said = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        assert_eq!((String::from_utf8(written).unwrap(), end), (said, Ok(ok.len())));
    }
    let (written, _) = whole(hop("http://Aladdin:open%20sesame@p", name()), ok);
    let login = "\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
    assert!(String::from_utf8(written).unwrap().ends_with(login));
}

#[test]
fn http_takes_any_success_and_not_a_byte_more() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n",
        "HTTP/1.1 204\r\n\r\n",
        "HTTP/1.1 299 \n\n",
        "HTTP/1.1 200 OK\nab:c\n\n",
        "HTTP/1.1 200\na:\n\n",
        // Neither length means anything here (RFC 9110, 9.3.6).
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nFolded: a\r\n b\r\n\tc\r\nEmpty:\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        // The tunnel starts with what looks like more of the header.
        for tunnel in ["", "\r\n\r\n", "HTTP/1.1 407 x\r\n\r\n", "\n"] {
            let arriving = format!("{head}{tunnel}");
            for pieces in [&[1][..], &[1000], &[3, 1, 4]] {
                let (_, end) = play(hop("http://p", name()), arriving.as_bytes(), pieces);
                assert_eq!(end, Ok(head.len()), "{arriving:?}");
            }
            // Who reads what is wanted comes to just there, too.
            let (mut hop, mut read) = (hop("http://p", name()), 0);
            while hop.wanted() > 0 {
                let piece = &arriving.as_bytes()[read..][..hop.wanted()];
                assert_eq!(hop.input(piece), Ok(piece.len()), "{arriving:?}");
                read += piece.len();
            }
            assert_eq!(read, head.len(), "{arriving:?}");
        }
    }
}

#[test]
fn http_says_why_not() {
    let refused = |status, words: &str| HopError::Http(status, words.into());
    for (proxy, line, error, kind) in [
        ("http://p", "407 x", HopError::LoginWanted, io::ErrorKind::PermissionDenied),
        ("http://a:b@p", "407 x", HopError::LoginRefused, io::ErrorKind::PermissionDenied),
        ("http://p", "403 No", refused(403, "No"), io::ErrorKind::PermissionDenied),
        ("http://p", "405", refused(405, ""), io::ErrorKind::Unsupported),
        ("http://p", "502 B\u{e4}d ", refused(502, "B?d"), io::ErrorKind::ConnectionRefused),
        ("http://p", "504 Slow", refused(504, "Slow"), io::ErrorKind::TimedOut),
        ("http://p", "302 Found", refused(302, "Found"), io::ErrorKind::ConnectionRefused),
    ] {
        let found = whole(hop(proxy, name()), format!("HTTP/1.1 {line}\r\n").as_bytes()).1;
        assert_eq!(found, Err(error.clone()), "{line}");
        assert_eq!(error.kind(), kind, "{line}");
    }
    for odd in ["101 Switching", "502 Bad \x1b[2J", "502 \x7f"] {
        let found = whole(hop("http://p", name()), format!("HTTP/1.1 {odd}\r\n").as_bytes()).1;
        assert!(matches!(found, Err(HopError::Garbage(_))), "{odd:?}: {found:?}");
    }
    let text = HopError::Http(502, "Bad Gateway".into()).to_string();
    assert_eq!(text, "the proxy says: 502 Bad Gateway");
}

#[test]
fn headers_without_end_are_ended() {
    const MAX: usize = 16 * 1024;
    for (start, more) in [
        ("HTTP/1.1 200 ", "x"),
        ("HTTP/1.1 200 OK\r\n", "a: b\r\n"),
        ("HTTP/1.1 200 OK\r\na:", "x"),
        // Answers before the answer are no way round it.
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        let mut hop = hop("http://p", name());
        hop.input(start.as_bytes()).unwrap();
        let mut size = start.len();
        let error = loop {
            assert!(size <= MAX, "{start:?}: it takes whatever comes");
            size += more.len();
            if let Err(error) = hop.input(more.as_bytes()) {
                break error;
            }
        };
        assert_eq!(error, HopError::TooLong);
        assert!(size > MAX, "{start:?}: given up after {size} bytes");
    }
}

#[test]
fn places_that_no_proxy_knows_are_refused() {
    for host in [
        Host::V6("fe80::1".parse().unwrap(), Some("eth0".into())),
        Host::Name("".into()),
        Host::Name("a".repeat(256).into()),
        Host::Name("a\r\nX: y".into()),
        Host::Name("a:1".into()),
        Host::Name("a\0".into()),
        Host::Name("m\u{fc}nchen.de".into()),
    ] {
        for proxy in ["socks5://p", "http://p"] {
            let proxy: Proxy = proxy.parse().unwrap();
            let error = Hop::new(&proxy, &host, 1).unwrap_err();
            assert!(matches!(error, HopError::Target(_)), "{host:?}");
        }
    }
    assert!(
        Hop::new(&"socks5://p".parse().unwrap(), &Host::Name("a".repeat(255).into()), 1).is_ok()
    );
}

#[test]
fn nothing_is_done_before_it_was_said() {
    // All answers come before the request was taken to be written.
    let mut hop = hop("socks5://p", name());
    hop.output();
    assert_eq!(hop.input(&[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0, b'S']), Ok(12));
    assert!(!hop.is_done() && !hop.output().is_empty() && hop.is_done());
    assert!(hop.output().is_empty());
}

/// Answers that are right, nearly right, and not at all.
fn answers() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let socks = prop_oneof![
        Just(b"\x05\0".to_vec()),
        Just(b"\x05\x02\x01\0".to_vec()),
        Just(b"\x05\0\0\x01\0\0\0\0\0\0".to_vec()),
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(len, rest)| [
            b"\x05\0\0\x03",
            &[len][..],
            &rest
        ]
        .concat()),
        Just(b"\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    let http = prop_oneof![
        "HTTP/1\\.[0-9] [1-5][0-9][0-9]( [ -~]{0,9})?\r?\n".prop_map(String::into_bytes),
        "HTTP/1\\.1 (200|100) OK\r\n(X: y\r\n){0,2}\r\n".prop_map(String::into_bytes),
        "[a-zA-Z]{1,5}: ?[ -~]{0,9}\r?\n".prop_map(String::into_bytes),
        Just(b"\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    let socks = prop::collection::vec(socks, 0..5).prop_map(|pieces| pieces.concat());
    let http = prop::collection::vec(http, 0..6).prop_map(|pieces| pieces.concat());
    prop_oneof![
        (prop::sample::select(vec!["socks5://p", "socks5://anna:secret@p"]), socks),
        (prop::sample::select(vec!["http://p", "http://anna:secret@p"]), http),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn it_does_not_matter_how_it_is_cut(
        (proxy, arriving) in answers(),
        pieces in prop::collection::vec(1..9_usize, 1..5),
    ) {
        // What was written before an error depends on when it was asked for; how it ends does not.
        let (said, end) = whole(hop(proxy, name()), &arriving);
        for pieces in [&[1][..], &pieces] {
            let cut = play(hop(proxy, name()), &arriving, pieces);
            prop_assert_eq!(&cut.1, &end);
            prop_assert!(end.is_err() || cut.0 == said);
        }
    }

    #[test]
    fn what_is_wanted_is_never_too_much((proxy, arriving) in answers()) {
        let mut hop = hop(proxy, name());
        let mut rest = &arriving[..];
        while hop.wanted() > 0 && hop.wanted() <= rest.len() {
            let (now, later) = rest.split_at(hop.wanted());
            match hop.input(now) {
                Ok(count) => prop_assert_eq!(count, now.len(), "a byte of the tunnel was read"),
                Err(_) => return Ok(()),
            }
            rest = later;
        }
    }
}
