use super::*;

/// A server's script: what it says, and then what it must hear.
type Script = &'static [(&'static [u8], &'static [u8])];

const SCRIPTS: [(Protocol, Script); 13] = [
    (
        Protocol::Smtp,
        &[
            (b"220 mail.example ESMTP\r\n", b"EHLO [192.0.2.1]\r\n"),
            (b"250-mail.example\r\n250-SIZE 1000\r\n250-starttls\r\n250 HELP\r\n", b"STARTTLS\r\n"),
            (b"220 2.0.0 go ahead\r\n", b""),
        ],
    ),
    (
        Protocol::Smtp,
        &[
            (b"220-mail.example\r\n220\r\n", b"EHLO [192.0.2.1]\r\n"),
            (b"250 STARTTLS\n", b"STARTTLS\r\n"),
            (b"220\n", b""),
        ],
    ),
    (
        Protocol::Imap,
        &[
            (b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", b"a1 STARTTLS\r\n"),
            (b"* 1 EXISTS\r\na1 ok begin\r\n", b""),
        ],
    ),
    (Protocol::Pop3, &[(b"+OK ready <1.2@x>\r\n", b"STLS\r\n"), (b"+OK\r\n", b"")]),
    (
        Protocol::Ftp,
        &[
            (b"220-Welcome\r\n 220 is no end\r\n221 neither\r\n220 done\r\n", b"AUTH TLS\r\n"),
            (b"234 AUTH TLS successful\r\n", b""),
        ],
    ),
    (
        // It is not ready at once, and says so.
        Protocol::Ftp,
        &[
            (b"120-Wait\r\n220 soon\r\n120 in 1 minute\r\n220 ready\r\n", b"AUTH TLS\r\n"),
            (b"234 go\r\n", b""),
        ],
    ),
    (
        Protocol::Ldap,
        &[
            (b"", b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"),
            (b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", b""),
        ],
    ),
    (
        // Lengths in four bytes, as OpenLDAP and Active Directory have them, and its name again.
        Protocol::Ldap,
        &[
            (b"", b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"),
            (
                b"\x30\x84\x00\x00\x00\x28\x02\x01\x01\x78\x84\x00\x00\x00\x1f\x0a\x01\x00\x04\x00\
                  \x04\x00\x8a\x161.3.6.1.4.1.1466.20037",
                b"",
            ),
        ],
    ),
    (
        Protocol::Xmpp,
        &[
            (
                b"",
                b"<?xml version='1.0'?><stream:stream to='host.example' xmlns='jabber:client' \
                  xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
            ),
            (
                b"<?xml version=\"1.0\"?>\n<stream:stream id='a>b' from=\"x\">\n<stream:features>\
                  <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>\
                  <mechanisms><mechanism>PLAIN</mechanism></mechanisms></stream:features>",
                b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            ),
            (b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", b""),
        ],
    ),
    (
        Protocol::Xmpp,
        &[
            (
                b"",
                b"<?xml version='1.0'?><stream:stream to='host.example' xmlns='jabber:client' \
                  xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
            ),
            (
                b"<stream:stream><stream:features>\
                  <starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/></stream:features>",
                b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
            ),
            (b" <proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'></proceed>", b""),
        ],
    ),
    (Protocol::Postgres, &[(b"", b"\x00\x00\x00\x08\x04\xd2\x16\x2f"), (b"S", b"")]),
    (
        Protocol::Mysql,
        &[(
            b"\x27\x00\x00\x00\x0a8.0.36\x00\x01\x00\x00\x00saltsalt\x00\xff\xff\x2d\x02\x00\
              \xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            b"\x20\x00\x00\x01\x00\x8a\x08\x00\x00\x00\x00\x01\x2d\
              \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        )],
    ),
    (
        // A greeting that ends with the first half of what the server can do.
        Protocol::Mysql,
        &[(
            b"\x18\x00\x00\x00\x0a5.0.0.1\x00\x01\x00\x00\x00saltsalt\x00\x00\x0a",
            b"\x20\x00\x00\x01\x00\x0a\x00\x00\x00\x00\x00\x01\x21\
              \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        )],
    ),
];

fn dialogue(protocol: Protocol) -> Dialogue {
    let own = Some("192.0.2.1".parse().unwrap());
    Dialogue::new(protocol, Names { host: "host.example".to_owned(), own })
}

/// Plays a script in pieces of that many bytes, and says how it ended.
fn play(protocol: Protocol, script: &[(&[u8], &[u8])], piece: usize) -> Result<Dialogue, Refusal> {
    let mut dialogue = dialogue(protocol);
    let mut heard = dialogue.take_output();
    for (says, hears) in script {
        for piece in says.chunks(piece) {
            assert!(!dialogue.is_done(), "{protocol}: done before the server has said {piece:?}");
            assert!(heard.is_empty(), "{protocol}: it speaks out of turn: {heard:?}");
            dialogue.input(piece)?;
            heard = dialogue.take_output();
        }
        assert_eq!(
            String::from_utf8_lossy(&heard),
            String::from_utf8_lossy(hears),
            "{protocol}, pieces of {piece}"
        );
        heard.clear();
    }
    Ok(dialogue)
}

/// The same, if it comes byte by byte: nothing of it is told before all is there.
fn refusal_in_pieces(protocol: Protocol, good: usize, answer: &[u8]) -> Refusal {
    let (_, script) = SCRIPTS.iter().find(|(of, _)| *of == protocol).unwrap();
    let mut dialogue = play(protocol, &script[..good], usize::MAX).unwrap();
    let mut ends = answer.chunks(1).map(|byte| dialogue.input(byte));
    ends.find_map(Result::err).expect("a refusal")
}

/// The refusal that comes of one answer, after what goes before in the first good script.
fn refusal(protocol: Protocol, good: usize, answer: &[u8]) -> Refusal {
    let (_, script) = SCRIPTS.iter().find(|(of, _)| *of == protocol).unwrap();
    let mut dialogue = play(protocol, &script[..good], usize::MAX).unwrap();
    let whole = dialogue.input(answer).expect_err("a refusal");
    assert!(!dialogue.is_done() || matches!(whole, Refusal::Injected(_)), "{protocol}");
    whole
}

#[test]
fn every_protocol_leads_to_tls_in_pieces_of_any_size() {
    for (protocol, script) in SCRIPTS {
        for piece in [1, 2, 3, 7, usize::MAX] {
            let mut dialogue = play(protocol, script, piece).unwrap();
            assert!(dialogue.is_done(), "{protocol}");
            assert!(!dialogue.take_news().is_empty());
        }
    }
    for protocol in Protocol::ALL {
        assert!(SCRIPTS.iter().any(|(of, _)| *of == protocol), "{protocol} has no script");
    }
}

#[test]
fn what_comes_behind_the_go_ahead_is_refused() {
    for (protocol, script) in SCRIPTS {
        let (last, _) = script.last().unwrap();
        for behind in [&b"\n"[..], b"\x16\x03\x01", b"250 HELP\r\n", b" "] {
            let mut dialogue = play(protocol, &script[..script.len() - 1], usize::MAX).unwrap();
            let end = dialogue.input(&[last, behind].concat());
            assert_eq!(end, Err(Refusal::Injected(behind.len())), "{protocol}");
        }
    }
}

fn refused(text: &str) -> Refusal {
    Refusal::Refused(text.to_owned())
}

fn not_offered(text: &str) -> Refusal {
    Refusal::NotOffered(text.to_owned())
}

#[test]
fn servers_that_refuse_are_heard() {
    use Protocol::{Ftp, Imap, Pop3, Smtp, Xmpp};
    for (protocol, good, answer, wanted) in [
        (Smtp, 0, &b"554-no\r\n554 no mail here\r\n"[..], refused("554 no no mail here")),
        (Smtp, 1, b"250-a b\r\n250-XSTARTTLS\r\n250 OK\r\n", not_offered("250 a b, XSTARTTLS, OK")),
        (Smtp, 1, b"502 EHLO is new\r\n", refused("502 EHLO is new")),
        (Smtp, 2, b"454 not\x1b[31m now\r\n", refused(r"454 not\u{1b}[31m now")),
        (Imap, 0, b"* PREAUTH welcome\r\n", refused("* PREAUTH welcome")),
        (Imap, 0, b"* BYE\r\n", refused("* BYE")),
        (Imap, 1, b"* x\r\na1 BAD what?\r\n", refused("a1 BAD what?")),
        (Imap, 1, b"* BYE gone\r\n", refused("* BYE gone")),
        (Pop3, 0, b"-ERR busy\r\n", refused("-ERR busy")),
        (Pop3, 1, b"-ERR what?\r\n", refused("-ERR what?")),
        (Ftp, 0, b"421 too many\r\n", refused("421 too many")),
        (Ftp, 1, b"500 AUTH?\r\n", refused("500 AUTH?")),
        (Xmpp, 1, b"<stream:stream><stream:features/>", not_offered("<stream:features/>")),
        (
            Xmpp,
            1,
            b"<stream:stream> <features><a/></features>",
            not_offered("<features><a/></features>"),
        ),
        (
            // A feature of that name, and of another kind.
            Xmpp,
            1,
            b"<stream:stream><features><starttls xmlns='x'/></features>",
            not_offered("<features><starttls xmlns='x'/></features>"),
        ),
        (
            Xmpp,
            1,
            b"<stream:stream><stream:error><gone/></stream:error></stream:stream>",
            refused("<stream:error><gone/></stream:error>"),
        ),
        (Xmpp, 1, b"<stream:stream><error/>", refused("<error/>")),
        (Xmpp, 2, b"<failure xmlns='x'/>", refused("<failure xmlns='x'/>")),
        (Xmpp, 2, b"<failure><a/></failure></stream>", refused("<failure><a/></failure>")),
    ] {
        assert_eq!(refusal(protocol, good, answer), wanted, "{protocol}");
        assert_eq!(refusal_in_pieces(protocol, good, answer), wanted, "{protocol}");
    }
}

#[test]
fn servers_that_refuse_in_bytes_are_heard() {
    use Protocol::{Ldap, Mysql, Postgres};
    for (protocol, good, answer, wanted) in [
        (
            Ldap,
            1,
            &b"\x30\x0e\x02\x01\x01\x78\x09\x0a\x01\x02\x04\x00\x04\x02no"[..],
            refused("result 2 (protocolError): no"),
        ),
        (
            Ldap,
            1,
            b"\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x50\x04\x00\x04\x00",
            refused("result 80"),
        ),
        (Postgres, 1, b"N", not_offered("it answers N")),
        (Postgres, 1, b"Eno process\n\0", refused("no process")),
        (
            Postgres,
            1,
            b"E\0\0\0\x24SFATAL\0VFATAL\0C53300\0Mtoo many\0\0",
            refused("FATAL 53300 too many"),
        ),
        (Mysql, 0, b"\x07\x00\x00\x00\xff\x10\x04Host", refused("error 1040: Host")),
        (
            Mysql,
            0,
            b"\x16\x00\x00\x00\x0a5.0.0\x00\x01\x00\x00\x00saltsalt\x00\xff\xf7",
            not_offered("MySQL 5.0.0"),
        ),
    ] {
        assert_eq!(refusal(protocol, good, answer), wanted, "{protocol}");
        assert_eq!(refusal_in_pieces(protocol, good, answer), wanted, "{protocol}");
    }
}

/// What real servers say, whose words are in several places of an answer.
#[test]
fn long_answers_are_told_as_a_whole() {
    let broken = b"550-5.7.1 [192.0.2.1] The address is not authorized to\r\n\
        550-5.7.1  send mail directly to us. 5.7.1\r\n550-\r\n550 5.7.10 Bye.\r\n";
    let wanted = "550 5.7.1 [192.0.2.1] The address is not authorized to send mail directly to us. \
        5.7.1 5.7.10 Bye.";
    assert_eq!(refusal(Protocol::Smtp, 0, broken), Refusal::Refused(wanted.to_owned()));
    // Whoever answers `ready.` has said no code.
    let plain = b"421-ready. no\r\n421 ready. never\r\n";
    let wanted = Refusal::Refused("421 ready. no ready. never".to_owned());
    assert_eq!(refusal(Protocol::Ftp, 0, plain), wanted);
    let endless = format!("-ERR {}\r\n", "é".repeat(600));
    let Refusal::Refused(words) = refusal(Protocol::Pop3, 0, endless.as_bytes()) else {
        panic!("no refusal");
    };
    assert_eq!(words, format!("-ERR {}…", "é".repeat(495)));

    let mut news = dialogue(Protocol::Smtp);
    news.input(b"220-one\r\n220 two\r\n").unwrap();
    let many: String = (0..60).map(|at| format!("250-X{at}\r\n")).collect();
    news.input(format!("{many}250 STARTTLS\r\n").as_bytes()).unwrap();
    let news = news.take_news();
    assert_eq!(news[..2], ["smtp: < 220-one", "smtp: < 220 two"]);
    assert_eq!(news[2..5], ["smtp: > EHLO [192.0.2.1]", "smtp: < 250-X0", "smtp: < 250-X1"]);
    assert_eq!(news[52..], ["smtp: < 250-X49", "smtp: < … and 11 lines more", "smtp: > STARTTLS"]);
}

#[test]
fn how_far_it_came_is_known() {
    let mut dialogue = dialogue(Protocol::Smtp);
    assert_eq!(dialogue.so_far(), "the server has said nothing");
    dialogue.input(b"220-a\r\n220").unwrap();
    assert_eq!(dialogue.so_far(), r"the server began to say: 220-a\u{d}\u{a}220");
    dialogue.input(b" b\r\n").unwrap();
    assert_eq!(dialogue.so_far(), "the last that the server said: 220 b");
    dialogue.input(b"2").unwrap();
    assert_eq!(dialogue.so_far(), "the server began to say: 2");
}

#[test]
fn other_protocols_are_told_apart() {
    use Protocol::{Ftp, Imap, Ldap, Mysql, Pop3, Postgres, Smtp, Xmpp};
    for (protocol, good, answer) in [
        (Smtp, 0, &b"* OK IMAP\r\n"[..]),
        (Smtp, 0, b"SSH-2.0"),
        (Smtp, 0, b"220.\r\n"),
        (Smtp, 0, b"\r\n"),
        (Imap, 0, b"220 SMTP\r\n"),
        (Imap, 0, b"+O"),
        (Imap, 0, b"*\r\n"),
        (Imap, 1, b"a2 OK\r\n"),
        (Imap, 1, b"+ go on\r\n"),
        (Pop3, 0, b"220"),
        (Pop3, 0, b"+OKAY\r\n"),
        (Pop3, 0, b"- ERR\r\n"),
        (Ftp, 1, b"\x15\x03\x01"),
        (Ldap, 1, b"N"),
        (Ldap, 1, b"\x30\x80\x02\x01\x01\x78"),
        (Ldap, 1, b"\x30\x03\x02\x01\x01"),
        (Ldap, 1, b"\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00"),
        (Ldap, 1, b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"),
        (Xmpp, 1, b"HTTP/1.1 400"),
        (Xmpp, 1, b"<html>"),
        (Xmpp, 1, b"<!-- -->"),
        (Xmpp, 1, b"<>"),
        (Xmpp, 1, b"<stream:stream><other/>"),
        (Xmpp, 2, b"<success/>"),
        (Xmpp, 2, b"<proceed/>"),
        (Xmpp, 2, b"</proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'>"),
        (Xmpp, 2, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'><x/>"),
        (Postgres, 1, b"\x15\x03\x01"),
        (Mysql, 0, b"220 SMTP\r\n"),
        (Mysql, 0, b"\x05\x00\x00\x00\x09abcd"),
        (Mysql, 0, b"\x05\x00\x00\x00\x0aabcd"),
        (Mysql, 0, b"\x05\x00\x00\x00\x0aabc\x00"),
        (Mysql, 0, b"\x00\x00\x00\x00"),
        (Mysql, 0, b"\x05\x00\x00\x01"),
    ] {
        let refusal = refusal(protocol, good, answer);
        assert!(matches!(refusal, Refusal::Unexpected(_)), "{protocol}: {refusal}: {answer:?}");
    }
}

#[test]
fn answers_without_an_end_are_refused() {
    let endless: [(Protocol, usize, &[u8], &[u8]); 14] = [
        (Protocol::Smtp, 0, b"220 ", b"x"),
        (Protocol::Smtp, 0, b"220-", b"y\r\n220-"),
        (Protocol::Ftp, 0, b"220-", b"\r\n"),
        (Protocol::Imap, 0, b"* OK ", b"x"),
        (Protocol::Imap, 1, b"* x\r\n", b"* y\r\n"),
        (Protocol::Pop3, 0, b"-ERR", b"R"),
        (Protocol::Xmpp, 1, b"<stream:stream a='", b">"),
        (Protocol::Xmpp, 1, b"<stream:stream><features>", b"<a/>"),
        (Protocol::Ldap, 1, b"\x30\x84\x00\x01\x00\x00", b"\0"),
        (Protocol::Ftp, 0, b"", b"120 soon\r\n"),
        (Protocol::Xmpp, 1, b"<stream:stream><error>", b"<a/>"),
        (Protocol::Xmpp, 2, b"<failure>", b"</a>"),
        (Protocol::Postgres, 1, b"E", b"x"),
        (Protocol::Postgres, 1, b"E\x00\x01\x00\x00", b"x"),
    ];
    for (protocol, good, start, more) in endless {
        let (_, script) = SCRIPTS.iter().find(|(of, _)| *of == protocol).unwrap();
        let mut dialogue = play(protocol, &script[..good], usize::MAX).unwrap();
        let mut end = dialogue.input(start);
        let mut taken = start.len();
        let more = more.repeat(50);
        while end.is_ok() && taken < 2 * REPLY_MAX {
            end = dialogue.input(&more);
            taken += more.len();
        }
        assert_eq!(end, Err(Refusal::TooLong), "{protocol}: {start:?}");
    }
    assert_eq!(dialogue(Protocol::Mysql).input(b"\xff\xff\xff\x00"), Err(Refusal::TooLong));
    // A line has its own bound, with its end or without.
    let long = ["220 ", &"x".repeat(5_000), "\r\n"].concat();
    for line in [&long[..], long.trim_end()] {
        assert_eq!(dialogue(Protocol::Smtp).input(line.as_bytes()), Err(Refusal::TooLong));
    }
}

/// Nothing of a server makes it panic, loop, or take garbage for a go-ahead.
#[test]
fn garbage_ends_in_a_refusal_or_waits() {
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice as usize
    };
    for round in 0..4_000 {
        let (protocol, script) = SCRIPTS[round % SCRIPTS.len()];
        let mut changed: Vec<u8> = script.iter().flat_map(|(says, _)| says.to_vec()).collect();
        for _ in 0..roll() % 4 {
            let at = roll() % changed.len();
            changed[at] = roll() as u8;
        }
        let noise: Vec<u8> = (0..roll() % 200).map(|_| roll() as u8).collect();
        for bytes in [changed, noise] {
            let mut dialogue = dialogue(protocol);
            for piece in bytes.chunks(1 + roll() % 40) {
                if dialogue.input(piece).is_err() || dialogue.is_done() {
                    break;
                }
            }
            let text = dialogue.take_news().concat();
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
}
