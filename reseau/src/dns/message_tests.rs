use proptest::prelude::*;

use super::*;

fn question(name: &str, family: IpFamily) -> Question {
    Question::of(&Query::new(name, family).unwrap()).unwrap()
}

/// An answer to a question, with these records after it.
fn answer(question: &Question, flags: u16, records: &[(&[u8], u16, u32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [ID, 0x8180 | flags, 1, records.len() as u16, 0, 0] {
        bytes.extend(u16::to_be_bytes(word));
    }
    bytes.extend(&question.name);
    bytes.extend(question.kind.to_be_bytes());
    bytes.extend(INTERNET.to_be_bytes());
    for (name, kind, ttl, data) in records {
        bytes.extend(*name);
        bytes.extend(kind.to_be_bytes());
        bytes.extend(INTERNET.to_be_bytes());
        bytes.extend(ttl.to_be_bytes());
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
    }
    bytes
}

const ID: u16 = 0x1234;
/// A pointer to the name of the question.
const ASKED: &[u8] = &[0xc0, 12];

fn addrs(said: Said) -> (Vec<String>, u32) {
    match said {
        Said::Records(records) => {
            (records.addrs.iter().map(ToString::to_string).collect(), records.ttl)
        }
        other => panic!("{other:?}"),
    }
}

fn cause(said: Said) -> Cause {
    match said {
        Said::Refused(error) => error.cause(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_is_what_the_standard_says() {
    let asked = question("a.Example", IpFamily::V6);
    let bytes = asked.message(ID);
    assert_eq!(bytes[..12], [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    assert_eq!(bytes[12..27], *b"\x01a\x07example\0\x00\x1c\x00\x01");
    assert_eq!(bytes[27..], [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    assert_eq!(question("a.example.", IpFamily::V6), asked);
    let names = ["b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"];
    let about = Question::about("4321:0:1:2:3:4:567:89ab".parse().unwrap()).unwrap();
    assert_eq!(text(&about.name).as_deref(), Some(names[0]));
    let about = Question::about([192, 0, 2, 1].into()).unwrap();
    assert_eq!((text(&about.name).unwrap().as_str(), about.kind), ("1.2.0.192.in-addr.arpa", PTR));
    let error = Question::of(&Query::new("bücher.example", IpFamily::V4).unwrap()).unwrap_err();
    assert_eq!(error.cause(), Cause::BadName);
}

#[test]
fn addresses_are_read_with_the_least_of_their_times() {
    let asked = question("a.example", IpFamily::V4);
    let records = [(ASKED, A, 300, vec![192, 0, 2, 1]), (ASKED, A, 60, vec![192, 0, 2, 2])];
    let said = asked.read(&answer(&asked, 0, &records), ID);
    assert_eq!(addrs(said), (vec!["192.0.2.1".into(), "192.0.2.2".into()], 60));
    // RFC 2181: too large a time is none.
    let records = Records { addrs: vec![[192, 0, 2, 1].into()], ttl: 1 << 31, names: vec![] };
    assert_eq!(records.into_answer().ttl(), Some(Duration::ZERO));
}

#[test]
fn aliases_are_followed_in_whatever_order_they_come() {
    let asked = question("a.example", IpFamily::V6);
    let name = |text| wire(text).unwrap();
    let (b, c) = (name("b.example"), name("c.example"));
    let mut ip = vec![0; 16];
    ip[15] = 1;
    let mut records = vec![
        (ASKED, CNAME, 9, b.clone()),
        (&b[..], CNAME, 5, c.clone()),
        (&c[..], AAAA, 7, ip),
        // Not of this name, not of this kind.
        (&[0][..], AAAA, 1, vec![0; 16]),
        (&c[..], A, 1, vec![192, 0, 2, 1]),
    ];
    for _ in 0..records.len() {
        records.rotate_left(1);
        let said = asked.read(&answer(&asked, 0, &records), ID);
        assert_eq!(addrs(said), (vec!["::1".into()], 5));
    }
    // An alias of itself ends too.
    let circle = [(ASKED, CNAME, 9, b.clone()), (&b[..], CNAME, 9, ASKED.to_vec())];
    assert_eq!(cause(asked.read(&answer(&asked, 0, &circle), ID)), Cause::Failed);
    let dangling = [(ASKED, CNAME, 9, b.clone())];
    assert_eq!(cause(asked.read(&answer(&asked, 0, &dangling), ID)), Cause::NoData);
}

#[test]
fn names_of_addresses_are_read() {
    let asked = Question::about([192, 0, 2, 1].into()).unwrap();
    let records = [(ASKED, PTR, 60, wire("host.example").unwrap())];
    match asked.read(&answer(&asked, 0, &records), ID) {
        Said::Records(records) => assert_eq!(records.names, ["host.example"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn refusals_have_a_cause() {
    let asked = question("a.example", IpFamily::V4);
    for (code, wanted) in [
        (0, Cause::NoData),
        (1, Cause::Failed),
        (2, Cause::Temporary),
        (3, Cause::NotFound),
        (5, Cause::Failed),
    ] {
        assert_eq!(cause(asked.read(&answer(&asked, code, &[]), ID)), wanted, "code {code}");
    }
    assert!(matches!(asked.read(&answer(&asked, 0x0200, &[]), ID), Said::Truncated));
}

#[test]
fn what_was_not_asked_is_not_an_answer() {
    let asked = question("a.example", IpFamily::V4);
    let good = answer(&asked, 0, &[(ASKED, A, 1, vec![192, 0, 2, 1])]);
    let stray = |message: &[u8], id| matches!(asked.read(message, id), Said::Stray);
    assert!(!stray(&good, ID) && stray(&good, ID + 1) && stray(&[], ID) && stray(&good[..11], ID));
    assert!(stray(&asked.message(ID), ID), "our own question");
    for other in [question("b.example", IpFamily::V4), question("a.example", IpFamily::V6)] {
        assert!(stray(&answer(&other, 0, &[]), ID));
    }
}

#[test]
fn what_does_not_hold_together_is_an_error() {
    let asked = question("a.example", IpFamily::V4);
    let bad = |record: (&[u8], u16, u32, Vec<u8>)| {
        cause(asked.read(&answer(&asked, 0, &[record]), ID)) == Cause::Failed
    };
    assert!(bad((ASKED, A, 1, vec![192, 0, 2])), "an address of three bytes");
    assert!(bad((&[0xc0, 27], A, 1, vec![192, 0, 2, 1])), "a pointer to itself");
    assert!(bad((&[0xc0, 99], A, 1, vec![192, 0, 2, 1])), "a pointer forward");
    assert!(bad((&[0x40], A, 1, vec![192, 0, 2, 1])), "a label of no kind");
    assert!(bad((ASKED, CNAME, 1, vec![1])), "a name without its end");
    let long: Vec<u8> = (0..5).flat_map(|_| [&[63; 1][..], &[b'a'; 63]].concat()).collect();
    assert!(bad((&[&long[..], &[0]].concat(), A, 1, vec![192, 0, 2, 1])), "too long a name");
    let good = answer(&asked, 0, &[(ASKED, A, 1, vec![192, 0, 2, 1])]);
    for len in 27..good.len() {
        assert_eq!(cause(asked.read(&good[..len], ID)), Cause::Failed, "{len} bytes");
    }
}

proptest! {
    #[test]
    fn no_message_is_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let asked = question("a.example", IpFamily::V4);
        asked.read(&bytes, ID);
        // Nearly right ones go deeper.
        let b = wire("b.a.example").unwrap();
        let records = [
            (ASKED, CNAME, 9, vec![1, b'b', 0xc0, 12]),
            (&b[..], A, 7, vec![192, 0, 2, 1]),
        ];
        let mut near = answer(&asked, 0, &records);
        prop_assert!(matches!(asked.read(&near, ID), Said::Records(_)));
        for (at, byte) in flips {
            *at.get_mut(&mut near) = byte;
        }
        asked.read(&near, ID);
        near.extend(bytes);
        asked.read(&near, ID);
    }

    #[test]
    fn names_go_there_and_back(labels in proptest::collection::vec("[a-z0-9_-]{1,20}", 1..8)) {
        let name = labels.join(".");
        let there = wire(&name).unwrap();
        prop_assert_eq!(text(&there), Some(name));
        let read = Reader { message: &there, at: 0 }.name();
        prop_assert_eq!(read, Some(there));
    }
}
