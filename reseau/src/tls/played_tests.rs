use std::panic::{AssertUnwindSafe, catch_unwind};

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use super::*;
use crate::sys::Fd;
use crate::tls::chance::{Chance, calendar};
use crate::tls::engine::{Engine, Plain};
use crate::tls::unchecked::Anybody;

fn chance(world: &World) -> Chance {
    Chance::of(&Fd::Sim(world.open(socket2::Domain::IPV4)))
}

/// A server's chain and key, whose signatures are the same for the same words.
fn identity() -> &'static crate::tls::Identity {
    static IDENTITY: LazyLock<crate::tls::Identity> = LazyLock::new(|| {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let chain = params.self_signed(&key).unwrap().pem();
        let key = key.serialize_pem();
        crate::tls::Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
    });
    &IDENTITY
}

/// A client and a server of one version; the client offers one group, or all of them.
fn engines(
    chances: [Chance; 2],
    version: &'static SupportedProtocolVersion,
    group: Option<usize>,
) -> [Engine; 2] {
    let mut narrow = provider();
    if let Some(at) = group {
        narrow.kx_groups = vec![narrow.kx_groups[at]];
    }
    let narrow = Arc::new(narrow);
    let anybody = Arc::new(Anybody { provider: narrow.clone(), mandatory: true });
    let client = ClientConfig::builder_with_details(narrow, calendar())
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(anybody)
        .with_no_client_auth();
    let shown = rustls::sign::SingleCertAndKey::from(identity().key());
    let mut server = ServerConfig::builder_with_details(Arc::new(provider()), calendar())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    server.send_tls13_tickets = 0;
    let [one, other] = chances;
    let name = "localhost".try_into().unwrap();
    [
        Engine::client(one, Arc::new(client), name).unwrap(),
        Engine::server(other, Arc::new(server)).unwrap(),
    ]
}

/// All bytes that go to and fro until both have said a word and the end.
fn transcript(mut ends: [Engine; 2]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut heard = [false; 2];
    while heard != [true; 2] {
        for from in 0..2 {
            let mut sealed = Vec::new();
            if !ends[from].is_handshaking() && ends[from].seal(b"word") > 0 {
                ends[from].finish();
            }
            while ends[from].wants_to_send() {
                ends[from].send_to(&mut sealed).unwrap();
            }
            all.extend_from_slice(&sealed);
            let to = &mut ends[1 - from];
            to.feed(&sealed).unwrap();
            if matches!(to.plain(), Ok(Plain::Bytes(b"word"))) {
                heard[1 - from] = true;
            }
        }
    }
    all
}

#[test]
fn the_same_seed_is_the_same_to_the_last_byte() {
    let played = |seed, version, group| {
        let world = World::new(seed);
        transcript(engines([chance(&world), chance(&world)], version, group))
    };
    for version in [&TLS12, &TLS13] {
        for group in (0..provider().kx_groups.len()).map(Some).chain([None]) {
            let hybrid = group == Some(0);
            if hybrid && std::ptr::eq(version, &TLS12) {
                continue; // It is of TLS 1.3 alone.
            }
            let first = played(7, version, group);
            assert!(played(7, version, group) == first, "{version:?}, {group:?}");
            assert!(played(8, version, group) != first, "{version:?}, {group:?}");
            let real = || transcript(engines(Default::default(), version, group));
            assert!(real() != real(), "nobody foresees a real one");
            assert_eq!(real().len(), first.len(), "as long as a real one: {version:?}, {group:?}");
        }
    }
}

/// A world is the engine's alone, and only while it computes.
#[test]
fn a_world_is_left_whatever_happens() {
    let world_now = world;
    let world = World::new(7);
    assert!(world_now().is_none());
    within(&world, || assert!(world_now().is_some()));
    assert!(world_now().is_none());
    let panicked = catch_unwind(AssertUnwindSafe(|| within(&world, || panic!("on purpose"))));
    assert!(panicked.is_err() && world_now().is_none());
    within(&world, || std::thread::spawn(move || assert!(world_now().is_none())).join().unwrap());
}

/// Real numbers and real keys, on a thread on which a world's engines have just computed.
#[test]
fn what_is_not_of_a_world_is_random() {
    let numbers = || {
        let [_client, _server] = {
            let world = World::new(7);
            engines([chance(&world), chance(&world)], &TLS13, None)
        };
        let mut bytes = [0; 32];
        provider().secure_random.fill(&mut bytes).unwrap();
        let shares = provider().kx_groups.into_iter().map(|group| {
            let share = group.start().unwrap();
            share.pub_key().to_vec()
        });
        (bytes, shares.collect::<Vec<_>>())
    };
    let (first, again) = (numbers(), numbers());
    assert_ne!(first.0, again.0);
    for (one, other) in first.1.iter().zip(&again.1) {
        assert_ne!(one, other);
    }
}

#[test]
fn the_calendar_is_the_machines_but_for_a_world() {
    let world = World::new(7);
    let at = |secs| Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(secs)));
    world.set_born(std::time::Duration::from_secs(1000));
    world.advance_to(std::time::Duration::from_secs(50));
    assert_eq!(within(&world, || Calendar.current_time()), at(1050));
    assert!(Calendar.current_time() >= at(1_700_000_000), "this was written later than that");
}
