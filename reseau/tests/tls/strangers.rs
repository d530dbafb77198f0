//! Peers that do not speak TLS: whoever meets them says so, and what they say instead.
use std::io::{self, Write};

use reseau::tls::{Broken, Client, Server, Side};

use crate::stage::{sides, tcp_pair, watched};

/// What is said, and how much of it is told.
const SAYINGS: [(&[u8], &str); 4] = [
    (b"GET / HTTP/1.0\r\nhost: a\r\n\r\n", ", but says \"GET / HTTP/1.0\""),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", ", but says \"HTTP/1.1 400 Bad Request\""),
    (b"SSH-2.0-OpenSSH_10.0\r\n", ", but says \"SSH-2.0-OpenSSH_10.0\""),
    (b"J\0\0\0\x0a8.0.36\0", ""),
];

/// In both roles.
fn roles(client: &Client, server: &Server) -> [(Side, &'static str); 2] {
    [(client.to("localhost"), "connect"), (server.into(), "accept")]
}

#[track_caller]
fn is_told(error: &io::Error, operation: &str, said: &str) {
    assert_eq!(error.to_string(), told(operation, said));
    is_foreign(error);
}

fn told(operation: &str, said: &str) -> String {
    format!("{operation}: tls: the peer does not speak TLS{said}")
}

#[track_caller]
fn is_foreign(error: &io::Error) {
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let broken = Broken::of(error).expect("it is about TLS");
    assert!(broken.is_not_tls() && broken.in_handshake() && !broken.is_truncation());
}

#[test]
fn threads_say_what_they_hear_instead() {
    watched(|| {
        let (client, server) = sides();
        for (text, said) in SAYINGS {
            for (side, operation) in roles(&client, &server) {
                let (mut stranger, stream) = tcp_pair();
                stranger.write_all(text).unwrap();
                is_told(&stream.start_tls(side).unwrap_err(), operation, said);
            }
        }
    });
}

#[test]
fn a_listener_says_what_it_hears_instead() {
    watched(|| {
        let (_, server) = sides();
        let listener = reseau::blocking::listen("127.0.0.1:0").tls(&server).wait().unwrap();
        let at = listener.local_addr().unwrap().inet().unwrap();
        listener.set_nonblocking(true);
        for (text, said) in SAYINGS {
            let mut stranger = std::net::TcpStream::connect(at).unwrap();
            stranger.write_all(text).unwrap();
            let failure = loop {
                assert!(listener.accept().is_err());
                if let Some(failure) = listener.take_failures().pop() {
                    break failure;
                }
            };
            let operation = format!("accept {}", stranger.local_addr().unwrap());
            is_told(failure.error(), &operation, said);
        }
    });
}

#[cfg(feature = "async")]
mod tasks {
    use super::*;
    use crate::backends::{on_each, tcp_pair};

    on_each! {
        async fn they_say_what_they_hear_instead() {
            let (client, server) = sides();
            for (text, said) in SAYINGS {
                for (side, operation) in roles(&client, &server) {
                    let (mut stranger, stream) = tcp_pair().await;
                    stranger.send(text).await.unwrap();
                    stranger.flush().await.unwrap();
                    let error = stream.start_tls(side).await.unwrap_err();
                    is_foreign(&error);
                    // In a simulated world it may have come in pieces, the first of them short.
                    let (heard, all) = (error.to_string(), told(operation, said));
                    assert!(all.starts_with(heard.trim_end_matches('"')), "{heard}");
                }
            }
        }
    }
}
