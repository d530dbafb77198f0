//! `blocking::TlsStream`.
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use reseau::blocking::TlsStream;
use reseau::tls::{Broken, Client, Role, Server, Version};

use rustls::ClientConnection;

use crate::stage::{Authority, pattern, sides, tcp_pair, watched};

pub(crate) fn pair_of(client: &Client, server: &Server) -> (TlsStream, TlsStream) {
    let (a, b) = tcp_pair();
    let server = server.clone();
    let accepting = thread::spawn(move || b.start_tls(&server).unwrap());
    let a = a.start_tls(client.to("localhost")).unwrap();
    (a, accepting.join().unwrap())
}

pub(crate) fn pair() -> (TlsStream, TlsStream) {
    let (client, server) = sides();
    pair_of(&client, &server)
}

#[test]
fn both_directions_flow_at_once() {
    watched(|| {
        let (a, b) = pair();
        let text = &pattern(3 << 20);
        thread::scope(|scope| {
            for stream in [&a, &b] {
                scope.spawn(move || {
                    let mut stream = stream;
                    stream.write_all(text).unwrap();
                    stream.finish().unwrap();
                });
                scope.spawn(move || {
                    let (mut stream, mut got) = (stream, Vec::new());
                    stream.read_to_end(&mut got).unwrap();
                    assert!(got == *text);
                });
            }
        });
    });
}

#[test]
fn an_end_is_told_from_a_cut() {
    watched(|| {
        for finishes in [true, false] {
            let (client, server) = sides();
            // Tickets that are still on their way when one end is closed would reset the other.
            let (mut a, mut b) = pair_of(&client, &server.tickets(false));
            a.write_all(b"all there is").unwrap();
            if finishes {
                a.finish().unwrap();
                a.finish().unwrap(); // Once more changes nothing.
            }
            drop(a);
            let mut got = Vec::new();
            let end = b.read_to_end(&mut got);
            assert_eq!(got, b"all there is");
            match end {
                Ok(count) => assert!(finishes && count == 12),
                Err(error) => {
                    assert!(!finishes && error.kind() == ErrorKind::UnexpectedEof, "{error}");
                    assert!(Broken::of(&error).is_some_and(Broken::is_truncation));
                }
            }
        }
    });
}

#[test]
fn what_a_write_has_kept_goes_when_something_is_read() {
    watched(|| {
        let (mut a, mut b) = pair();
        for stream in [&a, &b] {
            stream.set_nonblocking(true).unwrap();
        }
        let (text, mut said, mut heard) = (pattern(1 << 16), 0, 0);
        let full = loop {
            match a.write(&text) {
                Ok(count) => said += count,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        // Nothing is written there any more.
        let mut space = [0; 1 << 14];
        while heard < said {
            heard += b.read(&mut space).unwrap_or(0);
            b.write_all(b"go on").unwrap();
            let _ = a.read(&mut space);
        }
    });
}

#[test]
fn both_ends_end_gracefully() {
    watched(|| {
        let (mut a, b) = pair();
        let soon = Instant::now() + Duration::from_secs(20);
        a.write_all(b"unread").unwrap();
        let other = thread::spawn(move || b.close_gracefully(soon));
        a.close_gracefully(soon).unwrap();
        other.join().unwrap().unwrap();
        let (a, _b) = pair();
        let late = a.close_gracefully(Instant::now() + Duration::from_millis(50)).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn a_finished_side_still_reads() {
    watched(|| {
        let (mut a, mut b) = pair();
        a.finish().unwrap();
        assert_eq!(a.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(b.read(&mut [0]).unwrap(), 0);
        b.write_all(b"answer").unwrap();
        let mut got = [0; 6];
        a.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"answer");
    });
}

#[test]
fn tls_begins_where_plaintext_ends() {
    watched(|| {
        let (client, server) = sides();
        let (mut a, mut b) = tcp_pair();
        let serving = thread::spawn(move || {
            // It reads ahead, and so has some of the client's hello already.
            let mut space = [0; 64];
            let mut count = 0;
            while count < 10 {
                count += b.read(&mut space[count..]).unwrap();
            }
            assert!(space.starts_with(b"STARTTLS\r\n"));
            let side = reseau::tls::Side::from(&server).received(&space[10..count]);
            let mut b = b.start_tls(side).unwrap();
            b.write_all(b"secret").unwrap();
            b
        });
        a.write_all(b"STARTTLS\r\n").unwrap();
        let mut a = a.start_tls(client.to("localhost")).unwrap();
        let mut got = [0; 6];
        a.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"secret");
        serving.join().unwrap();
    });
}

#[test]
fn a_silent_peer_is_late() {
    watched(|| {
        let (client, server) = sides();
        let (a, b) = tcp_pair();
        let soon = || Instant::now() + Duration::from_millis(50);
        let late = a.start_tls(client.to("localhost").deadline(soon())).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
        let (_a, c) = tcp_pair();
        let side = reseau::tls::Side::from(&server).deadline(soon());
        assert_eq!(c.start_tls(side).unwrap_err().kind(), ErrorKind::TimedOut);
        // The other one left: its hello, and then nothing.
        let gone = b.start_tls(&server).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::UnexpectedEof, "{gone}");
        assert_eq!(Broken::of(&gone).map(Broken::role), Some(Role::Server));
    });
}

#[test]
fn a_handshakes_deadline_ends_with_it() {
    watched(|| {
        let (client, server) = sides();
        let (a, b) = tcp_pair();
        let accepting = thread::spawn(move || b.start_tls(&server).unwrap());
        let at = Instant::now() + Duration::from_secs(20);
        let mine = at + Duration::from_secs(10);
        a.set_deadlines(Some(mine), None);
        let mut a = a.start_tls(client.to("localhost").deadline(at)).unwrap();
        assert_eq!((a.read_deadline(), a.write_deadline()), (Some(mine), None));
        let mut b = accepting.join().unwrap();
        a.set_deadlines(Some(Instant::now()), None);
        assert_eq!(a.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        // A read that was late is made again.
        a.set_deadlines(None, None);
        b.write_all(b"x").unwrap();
        assert_eq!(a.read(&mut [0]).unwrap(), 1);
    });
}

#[test]
fn a_write_that_was_late_is_the_last() {
    watched(|| {
        let (mut a, mut b) = pair();
        // Before anything is encrypted, nothing is spoilt.
        a.set_deadlines(None, Some(Instant::now()));
        assert_eq!(a.write(b"never").unwrap_err().kind(), ErrorKind::TimedOut);
        a.set_deadlines(None, Some(Instant::now() + Duration::from_millis(200)));
        let text = pattern(1 << 16);
        let late = std::iter::repeat_with(|| a.write(&text)).find_map(Result::err).unwrap();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        a.set_deadlines(None, None);
        let spoilt = a.write(b"more").unwrap_err();
        assert_eq!(spoilt.kind(), ErrorKind::BrokenPipe);
        assert_eq!(spoilt.to_string(), "send: tls: an earlier write failed within a record");
        assert!(Broken::of(&spoilt).is_some_and(Broken::is_spoilt), "{spoilt}");
        assert!(a.finish().is_err());
        // The other direction goes on.
        b.write_all(b"still").unwrap();
        let mut got = [0; 5];
        a.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"still");
    });
}

#[test]
fn a_session_is_told() {
    watched(|| {
        let (client, server) = sides();
        for (oldest, version) in
            [(Version::Tls12, Version::Tls13), (Version::Tls13, Version::Tls13)]
        {
            let client = client.clone().oldest(oldest).alpn(["h2"]);
            let (a, b) = pair_of(&client, &server.clone().alpn(["h2"]));
            assert_eq!(a.session().version(), Some(version));
            assert_eq!(b.session().alpn(), Some(&b"h2"[..]));
            let (mut one, mut two) = ([0; 16], [1; 16]);
            a.export(b"EXPORTER-x", Some(b"y"), &mut one).unwrap();
            b.export(b"EXPORTER-x", Some(b"y"), &mut two).unwrap();
            assert_eq!(one, two);
        }
    });
}

#[test]
fn both_sides_hear_why_it_failed() {
    watched(|| {
        let (_, server) = sides();
        let stranger = Client::new().trust_only(&Authority::new().roots);
        let (a, b) = tcp_pair();
        let accepting = thread::spawn(move || b.start_tls(&server).unwrap_err());
        let refused = a.start_tls(stranger.to("localhost")).unwrap_err();
        assert!(refused.to_string().starts_with("connect: tls: certificate's issuer"), "{refused}");
        let told = accepting.join().unwrap();
        assert!(told.to_string().starts_with("accept: tls: the peer refuses"), "{told}");
        // And a peer that speaks something else.
        let (mut a, b) = tcp_pair();
        a.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let (_, server) = sides();
        let odd = b.start_tls(&server).unwrap_err();
        assert_eq!(odd.kind(), ErrorKind::InvalidData, "{odd}");
    });
}

#[test]
fn a_name_that_is_none_is_told_at_once() {
    watched(|| {
        let (a, _b) = tcp_pair();
        let error = a.start_tls(Client::new().to("not a name")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

/// Another's TLS, on a plain stream, and a stream of ours that somebody only reads.
fn other_and_reader() -> (ClientConnection, TcpStream, JoinHandle<io::Result<String>>) {
    let authority = Authority::new();
    let config = Arc::new(authority.other_client());
    let name = "localhost".try_into().unwrap();
    let mut peer = ClientConnection::new(config, name).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wire = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    wire.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let stream = reseau::blocking::TcpStream::from(listener.accept().unwrap().0);
    let server = Server::new(&authority.identity()).tickets(false);
    let reading = thread::spawn(move || {
        let mut got = String::new();
        stream.start_tls(&server)?.read_to_string(&mut got).map(|_| got)
    });
    peer.complete_io(&mut wire).unwrap();
    (peer, wire, reading)
}

/// Somebody asks for new keys, and waits for the answer before it says more.
#[test]
fn new_keys_are_answered_by_who_only_reads() {
    watched(|| {
        let (mut peer, mut wire, reading) = other_and_reader();
        for _ in 0..3 {
            peer.refresh_traffic_keys().unwrap();
            while peer.wants_write() {
                peer.write_tls(&mut wire).unwrap();
            }
            let heard = peer.read_tls(&mut wire).expect("an answer");
            assert!(heard > 0, "it is no end");
            peer.process_new_packets().unwrap();
            peer.writer().write_all(b"more ").unwrap();
        }
        peer.send_close_notify();
        peer.complete_io(&mut wire).unwrap();
        assert_eq!(reading.join().unwrap().unwrap(), "more more more ");
    });
}

#[test]
fn what_is_wrong_is_told_by_who_only_reads() {
    watched(|| {
        let (mut peer, mut wire, reading) = other_and_reader();
        let wrong = [&[23, 3, 3, 0, 40][..], &[9; 40]].concat();
        wire.write_all(&wrong).unwrap();
        let told = reading.join().unwrap().unwrap_err();
        assert_eq!(told.to_string(), "recv: tls: cannot decrypt peer's message");
        peer.read_tls(&mut wire).expect("an alert");
        let heard = peer.process_new_packets().unwrap_err();
        assert_eq!(heard.to_string(), "received fatal alert: BadRecordMac");
    });
}
