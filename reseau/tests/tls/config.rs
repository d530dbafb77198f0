//! What clients and servers are asked for, and what files are read for it.
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use reseau::blocking::TlsStream;
use reseau::tls::{Broken, Client, ClientCerts, Identity, Roots, Server, Session, Unfit, Version};

use crate::stage::{Authority, sides, tcp_pair, watched};
use crate::threads::pair_of;

/// A directory of one's own, gone at the end.
struct Desk(PathBuf);

impl Desk {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("reseau-config-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What one more connection agrees upon. Both sides have spoken, so that tickets have come.
fn session(client: &Client, server: &Server) -> Session {
    let (a, b) = pair_of(client, server);
    talk(&a, &b);
    let (mine, theirs) = (a.session(), b.session());
    assert_eq!(mine.is_resumed(), theirs.is_resumed());
    mine
}

fn talk(mut a: &TlsStream, mut b: &TlsStream) {
    b.write_all(b"x").unwrap();
    a.read_exact(&mut [0]).unwrap();
}

#[test]
fn sessions_are_taken_up_again_if_asked_for() {
    watched(|| {
        for version in [Version::Tls12, Version::Tls13] {
            let (client, server) = sides();
            let server = server.oldest(version).newest(version);
            let resuming = client.clone().resume(Client::SESSIONS);
            assert!(!session(&resuming, &server).is_resumed(), "the first");
            assert!(session(&resuming, &server).is_resumed(), "{version}");
            assert!(session(&resuming.clone(), &server).is_resumed(), "clones share them");
            for _ in 0..2 {
                assert!(!session(&client, &server).is_resumed(), "unless asked for");
            }
            // Whoever gives no tickets takes none up.
            let without = server.tickets(false);
            let resuming = client.resume(Client::SESSIONS);
            for _ in 0..2 {
                assert!(!session(&resuming, &without).is_resumed(), "{version}");
            }
        }
    });
}

#[test]
fn sessions_outlive_new_certificates() {
    watched(|| {
        let authority = Authority::new();
        let server = Server::new(&authority.identity());
        let client = Client::new().trust_only(&authority.roots).resume(1);
        session(&client, &server);
        server.reload(&authority.identity());
        assert!(session(&client, &server).is_resumed());
    });
}

/// Who runs a server anew has new keys, which do not open the tickets of old.
#[test]
fn the_newest_session_is_taken_up_first() {
    watched(|| {
        let (client, old) = sides();
        let client = client.resume(1);
        assert!(!session(&client, &old).is_resumed());
        let new = old.tickets(true);
        assert!(!session(&client, &new).is_resumed(), "these keys are others");
        for _ in 0..3 {
            assert!(session(&client, &new).is_resumed());
        }
    });
}

/// A server that has learnt 1.3 is not offered what it gave before: who stands between would like
/// to have 1.2 again.
#[test]
fn sessions_of_1_2_end_where_1_3_is_spoken() {
    watched(|| {
        let (client, server) = sides();
        let client = client.resume(1);
        let old = server.clone().newest(Version::Tls12);
        assert!(!session(&client, &old).is_resumed());
        assert!(session(&client, &old).is_resumed());
        let new = server.tickets(false);
        assert_eq!(session(&client, &new).version(), Some(Version::Tls13));
        assert!(!session(&client, &old).is_resumed());
    });
}

#[test]
fn versions_have_bounds_on_both_sides() {
    watched(|| {
        use Version::{Tls12, Tls13};
        let (client, server) = sides();
        let old = client.clone().newest(Tls12);
        assert_eq!(session(&old, &server).version(), Some(Tls12));
        assert_eq!(session(&client, &server.clone().newest(Tls12)).version(), Some(Tls12));
        assert_eq!(session(&client, &server).version(), Some(Tls13));
        let (a, b) = tcp_pair();
        let server = server.oldest(Tls13);
        let accepting = thread::spawn(move || b.start_tls(&server).unwrap_err());
        let told = a.start_tls(old.to("localhost")).unwrap_err();
        assert!(Broken::of(&told).is_some_and(Broken::in_handshake), "{told}");
        assert!(Broken::of(&accepting.join().unwrap()).is_some());
        // Bounds that leave nothing are told before anything is sent.
        let (a, _b) = tcp_pair();
        let none = client.oldest(Tls13).newest(Tls12);
        let error = a.start_tls(none.to("localhost")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("no version from TLS 1.3 to TLS 1.2"), "{error}");
    });
}

#[test]
fn suites_and_groups_can_be_chosen() {
    watched(|| {
        let (client, server) = sides();
        let mine = client.clone().ciphers(["TLS_CHACHA20_POLY1305_SHA256"]).groups(["secp384r1"]);
        let agreed = session(&mine, &server);
        assert_eq!(agreed.cipher(), Some("TLS13_CHACHA20_POLY1305_SHA256"));
        assert_eq!(agreed.group(), Some("secp384r1"));
        let theirs = server.ciphers(["TLS13_AES_128_GCM_SHA256"]).groups(["secp256r1"]);
        let agreed = session(&client, &theirs);
        assert_eq!(agreed.cipher(), Some("TLS13_AES_128_GCM_SHA256"));
        assert_eq!(agreed.group(), Some("secp256r1"));
        assert!(agreed.was_retried(), "the client had guessed another group");
        let (a, _b) = tcp_pair();
        let error = a.start_tls(client.ciphers(["RC4"]).to("localhost")).unwrap_err();
        assert!(error.to_string().contains("no cipher suite is called \"RC4\""), "{error}");
    });
}

#[test]
fn names_have_identities_of_their_own() {
    watched(|| {
        let (one, two, three) = (Authority::new(), Authority::new(), Authority::new());
        let server = Server::new(&one.identity_of(&["first.example"]))
            .named("Second.example", &two.identity_of(&["second.example"]))
            .named("*.third.example", &three.identity_of(&["*.third.example"]));
        let known = [
            ("first.example", &one),
            ("second.example", &two),
            ("SECOND.example", &two),
            ("a.third.example", &three),
        ];
        for (name, authority) in known {
            let client = Client::new().trust_only(&authority.roots).server_name(name);
            let (a, b) = pair_of(&client, &server);
            assert_eq!(a.session().peer_chain().len(), 1);
            assert_eq!(b.session().server_name().map(str::to_lowercase), Some(name.to_lowercase()));
        }
        // One word longer, and not two; and not none.
        for name in ["a.b.third.example", "third.example", "other.example"] {
            let client = Client::new().trust_only(&one.roots).server_name(name);
            let (a, b) = tcp_pair();
            let server = server.clone();
            let accepting = thread::spawn(move || b.start_tls(&server).unwrap_err());
            let told = a.start_tls(client.to("localhost")).unwrap_err().to_string();
            assert!(
                told.contains("but for first.example") || told.contains("first.example"),
                "{told}"
            );
            accepting.join().unwrap();
        }
    });
}

#[test]
fn clients_are_asked_in_five_ways() {
    watched(|| {
        let (ours, strange) = (Authority::new(), Authority::new());
        let roots = || ours.roots.clone();
        // Who shows nothing, what we issued, what somebody else issued: whether each is let in.
        let modes = [
            (ClientCerts::None, [true, true, true]),
            (ClientCerts::Request, [true, true, true]),
            (ClientCerts::RequireAny, [false, true, true]),
            (ClientCerts::VerifyIfGiven(roots()), [true, true, false]),
            (ClientCerts::RequireAndVerify(roots()), [false, true, false]),
        ];
        for version in [Version::Tls12, Version::Tls13] {
            for (mode, expected) in &modes {
                let server = Server::new(&ours.identity()).client_certs(mode.clone());
                let client = Client::new().trust_only(&roots()).oldest(version).newest(version);
                let shown = [
                    client.clone(),
                    client.clone().identity(&ours.identity()),
                    client.identity(&strange.identity()),
                ];
                let let_in = shown.map(|client| {
                    let (a, b) = tcp_pair();
                    let server = server.clone();
                    let accepting = thread::spawn(move || b.start_tls(&server));
                    let mine = a.start_tls(client.to("localhost"));
                    let theirs = accepting.join().unwrap();
                    if let Ok(b) = &theirs {
                        let asked = !matches!(mode, ClientCerts::None);
                        assert!(asked || b.session().peer_chain().len() == 0);
                    }
                    drop(mine);
                    theirs.is_ok()
                });
                assert_eq!(let_in, *expected, "{mode:?} {version}");
            }
        }
    });
}

/// Whoever it is, the system does not know our authority.
#[test]
fn by_default_it_is_the_system_that_is_asked() {
    watched(|| {
        let authority = Authority::new();
        let server = Server::new(&authority.identity());
        let refused = |client: Client| {
            let (a, b) = tcp_pair();
            let server = server.clone();
            let accepting = thread::spawn(move || b.start_tls(&server).is_err());
            let told = a.start_tls(client.to("localhost")).map(drop);
            accepting.join().unwrap();
            told
        };
        let told = refused(Client::new()).unwrap_err();
        assert!(Broken::of(&told).is_some_and(Broken::is_certificate), "{told}");
        if cfg!(not(windows)) {
            // Beside the system's roots, and without them. (Wine's store takes none beside.)
            refused(Client::new().trust(&authority.roots)).unwrap();
        }
        refused(Client::new().trust_only(&authority.roots)).unwrap();
        refused(Client::new().trust_only(&Authority::new().roots)).unwrap_err();
        refused(Client::new().danger_accept_any_certificate()).unwrap();
    });
}

/// The first certificate that a new connection sees.
fn seen(roots: &Roots, server: &Server) -> Vec<u8> {
    let (a, _b) = pair_of(&Client::new().trust_only(roots), server);
    let session = a.session();
    session.peer_chain().next().unwrap().to_vec()
}

#[test]
fn files_are_read_anew_all_or_none() {
    watched(|| {
        let (authority, desk) = (Authority::new(), Desk::new());
        let write = || {
            let papers = authority.papers(&rcgen::PKCS_ECDSA_P256_SHA256);
            (desk.put("chain.pem", &papers.chain), desk.put("key.pem", &papers.key))
        };
        let (chain, key) = write();
        let named = authority.papers(&rcgen::PKCS_ECDSA_P256_SHA256);
        let both = desk.put("both.pem", named.chain.clone() + &named.key);
        let server = Server::new(&Identity::from_files(&chain, &key).unwrap())
            .named("other.example", &Identity::from_files(&both, &both).unwrap())
            .named("memory.example", &authority.identity());
        let first = seen(&authority.roots, &server);
        let (standing, other) = pair_of(&Client::new().trust_only(&authority.roots), &server);
        assert_eq!(server.reload_files().unwrap(), 2);
        assert_eq!(seen(&authority.roots, &server), first, "nothing is new");
        write();
        assert_eq!(server.reload_files().unwrap(), 2);
        let second = seen(&authority.roots, &server);
        assert_ne!(second, first);
        talk(&standing, &other); // What is there stays.

        // The first pair is new and good, the second is not: neither is taken.
        write();
        desk.put("both.pem", &named.chain);
        let error = server.reload_files().unwrap_err();
        let unfit = Unfit::of(&error).unwrap();
        assert_eq!(unfit.path(), Some(&*both));
        assert!(error.to_string().ends_with("there is no key, but CERTIFICATE"), "{error}");
        assert_eq!(seen(&authority.roots, &server), second);
        // A chain whose key has not come yet.
        desk.put("both.pem", named.chain.clone() + &named.key);
        let papers = authority.papers(&rcgen::PKCS_ECDSA_P256_SHA256);
        desk.put("chain.pem", &papers.chain);
        let error = server.reload_files().unwrap_err();
        assert_eq!(Unfit::of(&error).and_then(Unfit::path), Some(&*key), "{error}");
        assert!(error.to_string().contains("not that of the certificate"), "{error}");
        assert_eq!(seen(&authority.roots, &server), second);
        desk.put("key.pem", &papers.key);
        server.reload_files().unwrap();
        assert_ne!(seen(&authority.roots, &server), second);
        fs::remove_file(&key).unwrap();
        assert_eq!(server.reload_files().unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn what_is_wrong_in_a_file_is_told() {
    watched(|| {
        let (authority, desk) = (Authority::new(), Desk::new());
        let papers = authority.papers(&rcgen::PKCS_ECDSA_P256_SHA256);
        let key = desk.put("key.pem", &papers.key);
        let told = |chain: &Path, key: &Path| Identity::from_files(chain, key).unwrap_err();
        // The second of two is broken, and begins on that line.
        let lines = papers.chain.lines().count();
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let chain = desk.put("chain.pem", papers.chain.clone() + broken);
        let error = told(&chain, &key);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let unfit = Unfit::of(&error).unwrap();
        assert_eq!((unfit.path(), unfit.line()), (Some(&*chain), Some(lines + 1)));
        let start = format!("{}:{}: CERTIFICATE: ", chain.display(), lines + 1);
        assert!(error.to_string().starts_with(&start), "{error}");
        // Another's key; a file that is the other; none at all.
        let good = desk.put("good.pem", &papers.chain);
        let other = authority.papers(&rcgen::PKCS_ECDSA_P256_SHA256);
        let strange = desk.put("strange.pem", other.key);
        let error = told(&good, &strange);
        assert_eq!(Unfit::of(&error).and_then(Unfit::path), Some(&*strange));
        assert!(error.to_string().contains("the key is not that of the certificate"), "{error}");
        let error = told(&key, &key).to_string();
        assert!(error.ends_with("there is no certificate, but PRIVATE KEY"), "{error}");
        let nowhere = desk.0.join("nowhere.pem");
        assert_eq!(told(&good, &nowhere).kind(), ErrorKind::NotFound);
        assert!(told(&good, &nowhere).to_string().contains("nowhere.pem: "));
        let mixed =
            Identity::from_pem(papers.chain.as_bytes(), fs::read(&strange).unwrap().as_slice());
        assert_eq!(mixed.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(Roots::from_file(&key).unwrap_err().to_string().contains("key.pem: there is no"));
    });
}

#[test]
fn files_may_be_der() {
    watched(|| {
        let (authority, desk) = (Authority::new(), Desk::new());
        for algorithm in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P256_SHA256] {
            let papers = authority.papers(algorithm);
            let chain = desk.put("chain.der", der(&papers.chain));
            let key = desk.put("key.der", der(&papers.key));
            let server = Server::new(&Identity::from_files(&chain, &key).unwrap());
            let roots = Roots::from_file(desk.put("roots.der", der(&authority.pem))).unwrap();
            assert_eq!(seen(&roots, &server), der(&papers.chain));
            let again = Identity::from_der([der(&papers.chain)], &der(&papers.key)).unwrap();
            assert_eq!(again.chain().next(), Some(&*der(&papers.chain)));
            assert!(Identity::from_der([der(&authority.pem)], &der(&papers.key)).is_err());
        }
        let short = desk.put("short.der", [0x30, 0x03, 0x02, 0x01, 0x07]);
        assert!(Unfit::of(&Roots::from_file(&short).unwrap_err()).is_some());
    });
}

/// The bytes of a text's only section.
fn der(pem: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let body = pem.lines().filter(|line| !line.starts_with("-----"));
    let digits: Vec<u8> = body.flat_map(str::bytes).filter_map(digit).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let number = four.iter().fold(0_u32, |sum, digit| sum << 6 | u32::from(*digit));
        let number = number << (6 * (4 - four.len()));
        number.to_be_bytes()[1..four.len()].to_vec()
    });
    bytes.collect()
}

#[test]
fn roots_are_found_in_directories() {
    watched(|| {
        let (one, two, desk) = (Authority::new(), Authority::new(), Desk::new());
        let first = desk.put("one.pem", &one.pem);
        desk.put("two.crt", &two.pem);
        desk.put("README", "none in here");
        fs::create_dir(desk.0.join("more")).unwrap();
        // As `openssl rehash` names them; copies where there are no links.
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&first, desk.0.join("0a1b2c3d.0")).unwrap();
            std::os::unix::fs::symlink("nowhere", desk.0.join("0a1b2c3d.1")).unwrap();
        }
        fs::copy(&first, desk.0.join("4e5f6a7b.0")).unwrap();
        let roots = Roots::from_dir(&desk.0).unwrap();
        assert_eq!(roots.count(), 2);
        for authority in [&one, &two] {
            let server = Server::new(&authority.identity());
            pair_of(&Client::new().trust_only(&roots), &server);
        }
        let none = Roots::from_dir(desk.0.join("more")).unwrap_err();
        assert!(none.to_string().contains("more: there is no certificate"), "{none}");
        let nowhere = Roots::from_dir(desk.0.join("nowhere")).unwrap_err();
        assert_eq!(nowhere.kind(), ErrorKind::NotFound);
    });
}

/// The variable is the process's, so there is one for each case.
#[test]
#[cfg(unix)]
fn keys_are_logged_if_that_is_asked_for() {
    watched(|| {
        let desk = Desk::new();
        for (asks, lines) in [("none", 0), ("client", 5), ("server", 5)] {
            let log = desk.0.join(asks);
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "config::a_process_that_may_log_keys", "--ignored", "--quiet"])
                .env("SSLKEYLOGFILE", &log)
                .env("RESEAU_ASKS", asks)
                .output()
                .unwrap();
            assert!(child.status.success(), "{child:?}");
            let logged = fs::read_to_string(&log).unwrap_or_default();
            assert_eq!(logged.lines().count(), lines, "{asks}: {logged}");
        }
    });
}

#[test]
#[ignore = "a part of another test"]
fn a_process_that_may_log_keys() {
    watched(|| {
        let (client, server) = sides();
        let asks = std::env::var("RESEAU_ASKS").unwrap_or_default();
        let client = if asks == "client" { client.key_log_from_env() } else { client };
        let server = if asks == "server" { server.key_log_from_env() } else { server };
        session(&client, &server);
    });
}
