//! What is said early is said once, whatever the server makes of it.
use std::io::{ErrorKind, Read};
use std::sync::Arc;

use rustls::sign::SingleCertAndKey;
use rustls::{Connection, ServerConfig};

use super::tests::authority;
use super::{Engine, Plain};
use crate::clock::tests::watched;
use crate::tls::chance::{Chance, calendar, provider};
use crate::tls::{Client, Identity, Server, Side};

/// Not ours, which takes nothing early: one that takes so many bytes, and keeps state for it.
fn eager(identity: &Identity, most: u32) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_details(provider(), calendar());
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = SingleCertAndKey::from(identity.key());
    let mut config = builder.with_cert_resolver(Arc::new(key));
    config.max_early_data_size = most;
    Arc::new(config)
}

fn begin(side: Side) -> Engine {
    side.start(Chance::default()).unwrap().0
}

/// Carries one flight.
fn carry(from: &mut Engine, to: &mut Engine) {
    let mut sealed = Vec::new();
    while from.wants_to_send() {
        from.send_to(&mut sealed).unwrap();
    }
    assert_eq!(to.feed(&sealed).unwrap(), sealed.len());
}

/// Carries all there is, both ways, and takes nothing out.
fn settle(a: &mut Engine, b: &mut Engine) {
    while a.wants_to_send() || b.wants_to_send() {
        carry(a, b);
        carry(b, a);
    }
}

/// What the server has of the first flight, before it has answered.
fn heard(server: &mut Engine) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Connection::Server(server) = &mut *server.connection
        && let Some(mut early) = server.early_data()
    {
        early.read_to_end(&mut bytes).unwrap();
    }
    bytes
}

fn rest(engine: &mut Engine) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Plain::Bytes(some) = engine.plain().unwrap() {
        bytes.extend_from_slice(some);
        let count = some.len();
        engine.consume(count);
    }
    bytes
}

#[test]
fn what_is_said_early_is_heard_once() {
    watched(|| {
        let (roots, identity) = authority();
        let long = vec![7; super::EARLY_MAX];
        for (most, text) in [(1 << 14, &b"hello"[..]), (3, b"hello"), (0, b"hello"), (99, &long)] {
            let client = Client::new().trust_only(&roots).resume(4);
            let config = eager(&identity, most);
            let server = || Engine::server(Chance::default(), config.clone()).unwrap();
            // There is nothing to take up yet.
            let (mut a, mut b) = (begin(client.to("localhost").early(text)), server());
            carry(&mut a, &mut b);
            assert!(heard(&mut b).is_empty());
            settle(&mut a, &mut b);
            assert_eq!((rest(&mut b).as_slice(), a.session().early()), (text, 0));

            let (mut a, mut b) = (begin(client.to("localhost").early(text)), server());
            carry(&mut a, &mut b);
            let early = heard(&mut b);
            let fits = text.len().min(most as usize);
            assert!(b.is_handshaking() && early == text[..fits], "{most}: {} bytes", early.len());
            settle(&mut a, &mut b);
            assert!(a.session().is_resumed());
            assert_eq!(a.session().early(), fits);
            assert_eq!(a.seal(b", more"), 6);
            settle(&mut a, &mut b);
            assert!(heard(&mut b).is_empty());
            assert_eq!(rest(&mut b), [&text[fits..], b", more"].concat());
        }
    });
}

#[test]
fn a_server_that_takes_nothing_early_hears_it_behind_the_handshake() {
    watched(|| {
        let (roots, identity) = authority();
        let client = Client::new().trust_only(&roots).resume(4);
        let server = Server::new(&identity);
        // Its tickets allow nothing early; those of the other do, and it forgets them.
        let eager = eager(&identity, 100);
        let first = Engine::server(Chance::default(), eager).unwrap();
        for mut b in [first, begin((&server).into()), begin((&server).into())] {
            let mut a = begin(client.to("localhost").early("hello"));
            settle(&mut a, &mut b);
            assert_eq!((rest(&mut b).as_slice(), a.session().early()), (&b"hello"[..], 0));
        }
    });
}

#[test]
fn only_so_much_and_only_clients() {
    let (roots, identity) = authority();
    let client = Client::new().trust_only(&roots);
    let long = vec![0; super::EARLY_MAX + 1];
    for (side, told) in [
        (client.to("localhost").early(long), "more than 16 KiB"),
        (Side::from(&Server::new(&identity)).early("x"), "a server says nothing early"),
    ] {
        let error = side.start(Chance::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with(told), "{error}");
    }
}
