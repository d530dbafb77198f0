//! The table of differences: printed into the README, and true where this runs.
//! `UPDATE=1 cargo test -p reseau --test platforms` writes it anew.
use reseau::platform::{self, DIFFERENCES};
use std::path::Path;

const BEGIN: &str = "<!-- platforms:begin -->\n";
const END: &str = "<!-- platforms:end -->";

#[test]
fn the_readme_has_the_table_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let Ok(readme) = std::fs::read_to_string(&path) else {
        return assert!(!path.exists(), "the README cannot be read");
    };
    let readme = readme.replace("\r\n", "\n");
    let start = readme.find(BEGIN).expect("the README marks the table's place") + BEGIN.len();
    let end = start + readme[start..].find(END).expect("and its end");
    let table = platform::markdown();
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{}{table}{}", &readme[..start], &readme[end..]);
        std::fs::write(&path, text).expect("the README can be written");
    } else {
        assert_eq!(&readme[start..end], table, "run this test with UPDATE=1");
    }
}

/// What the table says of the system under this test.
fn claim(what: &str) -> Option<&'static str> {
    let row = DIFFERENCES.iter().find(|row| row.what == what).expect("a row of the table");
    Some(row.on[platform::current()?])
}

#[test]
fn abstract_names_are_where_the_table_says() {
    let Some(claim) = claim("abstract Unix names") else { return };
    let here = reseau::UnixAddr::from_abstract_name("reseau").is_ok();
    assert_eq!(here, claim == "yes", "{claim}");
}

#[cfg(feature = "async")]
#[test]
fn options_and_pairs_are_where_the_table_says() {
    use std::io::ErrorKind::Unsupported;
    let Some(pair) = claim("`UnixStream::pair`") else { return };
    assert_eq!(reseau::UnixStream::pair().is_ok(), pair == "yes");
    let socket = reseau::TcpSocket::new_v4().expect("an IPv4 socket");
    let kind = |result: std::io::Result<()>| result.err().map(|error| error.kind());
    let listener = reseau::blocking::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let addr = listener.local_addr().expect("its address");
    let stream = reseau::blocking::TcpStream::connect(addr).expect("a stream");
    let claims = [
        (kind(socket.set_reuseport(true)), "`set_reuseport`"),
        (kind(stream.set_quickack(true)), "`set_quickack`"),
    ];
    for (here, what) in claims {
        let claim = claim(what).expect("the same system");
        assert_eq!(here == Some(Unsupported), claim != "yes", "{what}: {claim}");
    }
}

#[test]
fn listening_is_what_the_table_says() {
    use reseau::addr::{Covers, Stack};
    use reseau::blocking::listen;
    let Some(both) = claim("`[::]` is for IPv4 too") else { return };
    let claim = |what| claim(what).expect("the same system");
    if let Ok(listener) = listen("[::]:0").wait() {
        let covers = listener.covers().expect("it says what it covers");
        let here = matches!(covers, Covers::Inet { stack: Stack::Both, .. });
        assert_eq!(here, both.starts_with("yes") && !cfg!(target_os = "openbsd"), "{covers}");
    }
    let listener = listen(":0").wait().expect("a listener");
    assert_eq!(listener.backlog().is_some(), claim("`backlog()` tells") == "yes");
    let error = listen("fd:2000000000").wait().expect_err("no program has so many");
    let unknown = error.kind() == std::io::ErrorKind::Unsupported;
    assert_eq!(!unknown, claim("`listen` at `fd:3`, `systemd:web`") == "yes", "{error}");
}

#[test]
fn packets_tell_and_wish_what_the_table_says() {
    if cfg!(target_endian = "big") && std::env::var_os("RESEAU_TEST_RUNNER").is_some() {
        return; // The emulator hands the kernel's numbers on in the wrong byte order.
    }
    let open = || reseau::blocking::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (here, there) = (open(), open());
    there.tell();
    let addr = there.local_addr().expect("its address");
    here.send_to(b"x", addr).expect("a datagram");
    let packet = there.recv_packet(&mut [0; 9]).expect("the datagram");
    let Some(told) = claim("a UDP packet tells") else { return };
    let all = [packet.local.is_some(), packet.interface.is_some(), packet.at.is_some()];
    let all = all.into_iter().chain([packet.ecn.is_some(), packet.ttl.is_some()]);
    assert_eq!(all.fold(true, |all, one| all & one), told == "all", "{told}: {packet:?}");
    let mut packet = reseau::Packet::to(addr);
    (packet.local, packet.ttl) = (Some(addr.ip()), Some(9));
    let wished = here.send_packet(b"x", &packet).is_ok();
    let claim = |what| claim(what).expect("the same system");
    assert_eq!(wished, claim("a UDP packet may wish for") == "all");
    // (Kernels before 5.0 and emulators have none.)
    assert!(there.set_gro(true).is_err() || claim("UDP batches").ends_with("GRO"));
    let datagrams = reseau::blocking::UnixDatagram::unbound().is_ok();
    assert_eq!(datagrams, claim("Unix datagrams") == "yes");
}

#[cfg(feature = "async")]
#[test]
fn the_driver_is_the_one_of_the_table() {
    let Some(claim) = claim("async driver") else { return };
    let report = reseau::probe();
    let rings = report.tried.iter().any(|tried| tried.outcome != "this system has none");
    match report.kind {
        reseau::Kind::Uring => assert!(claim.starts_with("io_uring"), "{claim}"),
        _ => assert!(!claim.is_empty() && rings, "{claim}"),
    }
}
