use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::clock::tests::watched;
use crate::tls::{Client, Identity, Roots, Server, Side, Version};

/// An authority of its own, and an identity for `localhost` that it issued.
pub(in crate::tls) fn authority() -> (Roots, Identity) {
    issued(|_| ())
}

fn issued(change: impl FnOnce(&mut rcgen::CertificateParams)) -> (Roots, Identity) {
    let root_key = rcgen::KeyPair::generate().unwrap();
    let mut root = rcgen::CertificateParams::new([]).unwrap();
    // Who is told from others by name, as in life.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
    root.distinguished_name.push(rcgen::DnType::CommonName, name);
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root_cert = root.self_signed(&root_key).unwrap();
    let issuer = rcgen::Issuer::new(root, root_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut own = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    change(&mut own);
    let cert = own.signed_by(&key, &issuer).unwrap();
    let roots = Roots::from_pem(root_cert.pem().as_bytes()).unwrap();
    let identity = Identity::from_pem(cert.pem().as_bytes(), key.serialize_pem().as_bytes());
    (roots, identity.unwrap())
}

pub(in crate::tls) fn engines(client: &Client, server: &Server) -> (Engine, Engine) {
    let (client, ..) = client.to("localhost").start(Chance::default()).unwrap();
    let (server, ..) = Side::from(server).start(Chance::default()).unwrap();
    (client, server)
}

fn sides() -> (Client, Server) {
    let (roots, identity) = authority();
    (Client::new().trust_only(&roots), Server::new(&identity))
}

fn pair() -> (Engine, Engine) {
    let (client, server) = sides();
    engines(&client, &server)
}

/// Moves what `from` has to send into `to`, in pieces of these lengths, again and again; collects
/// what `to` decrypts.
fn carry(
    from: &mut Engine,
    to: &mut Engine,
    pieces: &mut impl Iterator<Item = usize>,
    got: &mut Vec<u8>,
) -> Result<bool, Broken> {
    let mut sealed = Vec::new();
    while from.wants_to_send() {
        from.send_to(&mut sealed).unwrap();
    }
    let mut left = &sealed[..];
    while !left.is_empty() {
        let piece = pieces.next().unwrap().clamp(1, left.len());
        let fed = to.feed(&left[..piece])?;
        left = &left[fed..];
        while let Plain::Bytes(bytes) = to.plain()? {
            let count = bytes.len();
            got.extend_from_slice(bytes);
            to.consume(count);
        }
    }
    Ok(!sealed.is_empty())
}

/// Runs both until neither has anything to say.
pub(in crate::tls) fn settle(a: &mut Engine, b: &mut Engine) -> Result<(), Broken> {
    let whole = &mut std::iter::repeat(usize::MAX);
    while carry(a, b, whole, &mut Vec::new())? | carry(b, a, whole, &mut Vec::new())? {}
    Ok(())
}

/// Changes its keys, and asks the other side to change its own.
pub(in crate::tls) fn ask_for_keys(engine: &mut Engine) {
    engine.connection.refresh_traffic_keys().unwrap();
}

#[test]
fn any_split_gives_the_same_plaintext() {
    watched(|| {
        let (roots, identity) = authority();
        let (client, server) = (Client::new().trust_only(&roots), Server::new(&identity));
        let config = ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() };
        let pieces = prop::collection::vec(prop_oneof![1..40_usize, 1..5_000_usize], 1..12);
        let texts = prop::collection::vec(0..40_000_usize, 1..4);
        proptest!(config, |(pieces in pieces, texts in texts)| {
            let (mut a, mut b) = engines(&client, &server);
            let pieces = &mut pieces.iter().copied().cycle();
            let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
            while carry(&mut a, &mut b, pieces, &mut at_b)?
                | carry(&mut b, &mut a, pieces, &mut at_a)?
            {}
            let mut sent = Vec::new();
            for length in texts {
                let text: Vec<u8> = (0..length).map(|at| (at * 7 + length) as u8).collect();
                let mut left = &text[..];
                while !left.is_empty() {
                    left = &left[b.seal(left)..];
                    carry(&mut b, &mut a, pieces, &mut at_a)?;
                }
                sent.extend_from_slice(&text);
            }
            b.finish();
            carry(&mut b, &mut a, pieces, &mut at_a)?;
            prop_assert!(at_a == sent && at_b.is_empty());
            prop_assert_eq!(a.plain()?, Plain::End);
        });
    });
}

#[test]
fn a_full_engine_takes_no_more_until_it_is_read() {
    watched(|| {
        let (mut a, mut b) = pair();
        settle(&mut a, &mut b).unwrap();
        let text: Vec<u8> = (0..50_000_u32).map(|at| (at / 7) as u8).collect();
        assert_eq!(a.seal(&text), text.len());
        let mut sealed = Vec::new();
        while a.wants_to_send() {
            a.send_to(&mut sealed).unwrap();
        }
        let (mut left, mut got) = (&sealed[..], Vec::new());
        let first = b.feed(left).unwrap();
        assert!(first < left.len(), "what nobody reads is bounded");
        left = &left[first..];
        while let Plain::Bytes(bytes) = b.plain().unwrap() {
            let count = bytes.len();
            got.extend_from_slice(bytes);
            b.consume(count);
            left = &left[b.feed(left).unwrap()..];
        }
        assert!(got == text && left.is_empty());
    });
}

#[test]
fn an_end_is_told_from_a_cut() {
    watched(|| {
        let (mut a, mut b) = pair();
        settle(&mut a, &mut b).unwrap();
        assert_eq!(a.seal(b"all"), 3);
        settle_until_sent(&mut a, &mut b);
        b.feed_end();
        // What came before the cut is there; then it is told, again and again.
        assert_eq!(b.plain().unwrap(), Plain::Bytes(b"all"));
        b.consume(3);
        for _ in 0..2 {
            let broken = b.plain().unwrap_err();
            assert!(broken.is_truncation() && !broken.in_handshake());
        }

        let (mut a, mut b) = pair();
        settle(&mut a, &mut b).unwrap();
        a.finish();
        assert_eq!(a.seal(b"late"), 0);
        settle_until_sent(&mut a, &mut b);
        a.finish();
        assert!(!a.wants_to_send(), "it is said once");
        b.feed_end();
        assert_eq!(b.plain().unwrap(), Plain::End);
        // The other direction is open still.
        assert_eq!(b.seal(b"more"), 4);
        settle_until_sent(&mut b, &mut a);
        assert_eq!(a.plain().unwrap(), Plain::Bytes(b"more"));

        let (mut a, _) = pair();
        a.feed_end();
        assert!(a.plain().unwrap_err().in_handshake());
    });
}

/// Moves ciphertext, and leaves plaintext where it is.
fn settle_until_sent(from: &mut Engine, to: &mut Engine) {
    let mut sealed = Vec::new();
    while from.wants_to_send() {
        from.send_to(&mut sealed).unwrap();
    }
    assert_eq!(to.feed(&sealed).unwrap(), sealed.len());
}

#[test]
fn a_session_says_what_was_agreed() {
    watched(|| {
        let (roots, identity) = authority();
        let client = Client::new().trust_only(&roots).alpn(["no", "yes"]).resume(4);
        let server = Server::new(&identity).alpn(["yes"]);
        for resumed in [false, true] {
            let (mut a, mut b) = engines(&client, &server);
            assert!(a.is_handshaking() && a.seal(b"early") == 0);
            settle(&mut a, &mut b).unwrap();
            let (at_client, at_server) = (a.session(), b.session());
            assert_eq!(at_client.version(), Some(Version::Tls13));
            assert_eq!(at_client.alpn(), Some(&b"yes"[..]));
            assert_eq!(at_server.server_name(), Some("localhost"));
            assert_eq!(at_client.is_resumed(), resumed);
            assert_eq!(at_client.peer_chain().len(), 1);
            assert!(at_client.cipher().unwrap().starts_with("TLS13_"));
            let (mut one, mut two) = ([0; 32], [1; 32]);
            a.export(b"EXPORTER-test", None, &mut one).unwrap();
            b.export(b"EXPORTER-test", None, &mut two).unwrap();
            assert_eq!(one, two);
        }
    });
}

#[test]
fn wrong_certificates_are_refused_and_the_server_hears_of_it() {
    watched(|| {
        let (roots, identity) = authority();
        let (strange, _) = authority();
        let (old_roots, old) = issued(|own| {
            own.not_before = rcgen::date_time_ymd(2020, 1, 1);
            own.not_after = rcgen::date_time_ymd(2020, 2, 1);
        });
        let (other_roots, other) = issued(|own| {
            let name = "elsewhere.example".try_into().unwrap();
            own.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
        });
        let cases = [
            (&strange, &identity, "issuer is not among"),
            (&old_roots, &old, "(on 2020-02-01)"),
            (&other_roots, &other, "not for localhost, but for"),
        ];
        for (roots, identity, told) in cases {
            let client = Client::new().trust_only(roots);
            let (mut a, mut b) = engines(&client, &Server::new(identity));
            let broken = settle(&mut a, &mut b).unwrap_err();
            assert!(broken.to_string().contains(told), "{broken}");
            assert!(broken.is_certificate() && broken.in_handshake());
            let refused = settle(&mut a, &mut b).unwrap_err();
            assert!(refused.to_string().contains("the peer refuses"), "{refused}");
            // By name only.
            let client = Client::new().danger_accept_any_certificate();
            let (mut a, mut b) = engines(&client, &Server::new(identity));
            settle(&mut a, &mut b).unwrap();
        }
        let (mut a, mut b) = engines(&Client::new(), &Server::new(&identity));
        assert!(settle(&mut a, &mut b).unwrap_err().is_certificate());
        let client = Client::new().trust(&roots);
        if std::env::consts::OS == "windows" && std::env::var_os("WINEPREFIX").is_some() {
            println!("skipped: Wine's store takes no roots beside its own");
            return;
        }
        let (mut a, mut b) = engines(&client, &Server::new(&identity));
        settle(&mut a, &mut b).unwrap();
    });
}

#[test]
fn clients_are_asked_in_five_ways() {
    use crate::tls::ClientCerts as Ask;
    watched(|| {
        let (roots, server) = authority();
        let (mine, me) = authority();
        let (_, stranger) = authority();
        let (none, known, any) = (None, Some(&me), Some(&stranger));
        // Who is let in: nobody in particular, one that is known, one that is not.
        let modes = [
            (Ask::None, [true, true, true]),
            (Ask::Request, [true, true, true]),
            (Ask::RequireAny, [false, true, true]),
            (Ask::VerifyIfGiven(mine.clone()), [true, true, false]),
            (Ask::RequireAndVerify(mine), [false, true, false]),
        ];
        for (ask, expected) in modes {
            let asks = !matches!(ask, Ask::None);
            let server = Server::new(&server).client_certs(ask.clone());
            for (who, lets_in) in [none, known, any].into_iter().zip(expected) {
                let client = Client::new().trust_only(&roots);
                let client = who.map_or_else(|| client.clone(), |who| client.clone().identity(who));
                let (mut a, mut b) = engines(&client, &server);
                assert_eq!(settle(&mut a, &mut b).is_ok(), lets_in, "{ask:?} {who:?}");
                let shown = b.session().peer_chain().len();
                assert!(!lets_in || shown == usize::from(asks && who.is_some()), "{ask:?}");
            }
        }
    });
}

#[test]
fn an_identity_is_changed_for_those_who_come_later() {
    watched(|| {
        let (roots, first) = authority();
        let (new_roots, second) = authority();
        let server = Server::new(&first);
        let (old, new) = (Client::new().trust_only(&roots), Client::new().trust_only(&new_roots));
        let (mut a, mut b) = engines(&old, &server);
        settle(&mut a, &mut b).unwrap();
        server.reload(&second);
        let (mut c, mut d) = engines(&new, &server);
        settle(&mut c, &mut d).unwrap();
        assert_eq!(a.seal(b"still here"), 10);
        settle_until_sent(&mut a, &mut b);
        assert_eq!(b.plain().unwrap(), Plain::Bytes(b"still here"));
        server.reload_name("LOCALHOST", &first);
        let (mut e, mut f) = engines(&old, &server);
        settle(&mut e, &mut f).unwrap();
    });
}

#[test]
fn wrong_bytes_for_who_has_finished_are_an_error() {
    watched(|| {
        let (mut a, mut b) = pair();
        settle(&mut a, &mut b).unwrap();
        a.finish();
        settle(&mut a, &mut b).unwrap();
        for _ in 0..2 {
            let broken = a
                .feed(&[
                    23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
                    19, 20,
                ])
                .unwrap_err();
            assert!(!broken.is_truncation() && !broken.in_handshake(), "{broken}");
        }
    });
}

/// RFC 8446, 6.1: "Any data received after a closure alert has been received MUST be ignored."
#[test]
fn what_comes_behind_the_end_does_not_count() {
    watched(|| {
        let (mut a, mut b) = pair();
        settle(&mut a, &mut b).unwrap();
        assert_eq!(a.seal(b"all"), 3);
        a.finish();
        settle_until_sent(&mut a, &mut b);
        let more = &[0; 50_000];
        assert_eq!(b.feed(more).unwrap(), more.len());
        assert_eq!(b.plain().unwrap(), Plain::Bytes(b"all"));
        b.consume(3);
        assert_eq!(b.feed(more).unwrap(), more.len());
        assert_eq!(b.plain().unwrap(), Plain::End);
        // The other direction is open still.
        assert_eq!(b.seal(b"more"), 4);
        settle_until_sent(&mut b, &mut a);
        assert_eq!(a.plain().unwrap(), Plain::Bytes(b"more"));
    });
}

/// Whatever is fed first, in whatever pieces: what is no record says what it is, what is one does
/// not.
#[test]
fn who_speaks_no_tls_is_told_by_what_comes_first() {
    watched(|| {
        let (client, server) = sides();
        let texts =
            [&b"GET / HTTP/1.0\r\nhost: x\r\n\r\n"[..], b"SSH-2.0-x\r\n", b"\0\xff\x80\x01 x"];
        for text in texts {
            for piece in [1, 5, 1000] {
                let (mut a, mut b) = engines(&client, &server);
                for engine in [&mut a, &mut b] {
                    let broken = text.chunks(piece).find_map(|part| engine.feed(part).err());
                    let broken = broken.expect("it is no TLS");
                    assert!(broken.is_not_tls() && broken.in_handshake(), "{broken}");
                    assert_eq!(engine.plain().unwrap_err().to_string(), broken.to_string());
                    let shown = broken.to_string().contains("but says");
                    assert_eq!(shown, text[0] != 0, "{broken}");
                    let line = text.split(|byte| *byte == b'\r').next().unwrap();
                    let said = format!("says \"{}\"", line.escape_ascii());
                    assert!(!shown || piece < 1000 || broken.to_string().ends_with(&said));
                }
            }
        }
        // An alert is TLS, and so is a record that is cut, or wrong further on.
        for (text, cut) in [
            (&b"\x15\x03\x03\0\x02\x02\x28"[..], false),
            (b"\x16\x03", true),
            (b"\x16\x03\x03\0\x04GET ", false),
        ] {
            let (mut a, _) = engines(&client, &server);
            let told = a.feed(text);
            a.feed_end();
            let broken = a.plain().unwrap_err();
            assert_eq!((told.is_ok(), broken.is_truncation()), (cut, cut), "{broken}");
            assert!(!broken.is_not_tls(), "{broken}");
        }
        for (kind, foreign) in [(19, true), (20, false), (24, false), (25, true)] {
            let (mut a, _) = engines(&client, &server);
            let _ = a.feed(&[kind, 3, 3, 0, 1, 1]);
            a.feed_end();
            assert_eq!(a.plain().unwrap_err().is_not_tls(), foreign, "{kind}");
        }
        // And so is what comes behind a handshake.
        let (mut a, mut b) = engines(&client, &server);
        settle(&mut a, &mut b).unwrap();
        let broken = a.feed(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
        assert!(!broken.is_not_tls() && !broken.in_handshake(), "{broken}");
    });
}
