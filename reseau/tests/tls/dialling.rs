//! Dials that end in TLS, in both doors.
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use reseau::blocking::{self, TcpListener};
use reseau::tls::{Broken, Client, Server};
use reseau::{DialReport, Resolver, connect};

use crate::stage::{sides, watched};

/// A server that greets those who speak TLS, one after the other, and its address.
fn greeter(server: Server, count: usize) -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        for _ in 0..count {
            if let Ok(mut stream) = listener.accept().unwrap().0.start_tls(&server) {
                let _ = stream.write_all(b"welcome");
                let _ = stream.finish();
            }
        }
    });
    (addr, serving)
}

fn names(addr: SocketAddr) -> Resolver {
    Resolver::fixed([("localhost", [addr.ip()]), ("other.example", [addr.ip()])])
}

#[test]
fn threads_dial() {
    watched(|| {
        let (client, server) = sides();
        let (addr, serving) = greeter(server, 2);
        let dial = |name| {
            let to = format!("tls://{name}:{}", addr.port());
            blocking::connect(to).resolver(&names(addr)).tls(&client).wait()
        };
        let mut text = String::new();
        dial("localhost").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "welcome");
        refused(&dial("other.example").unwrap_err(), addr);
        serving.join().unwrap();
    });
}

#[test]
fn tasks_dial() {
    watched(|| {
        let (client, server) = sides();
        let (addr, serving) = greeter(server, 2);
        reseau::block_on(async move {
            let resolver = names(addr);
            // With the scheme or without: what counts is that TLS was asked for.
            let to = format!("localhost:{}", addr.port());
            let dial = connect(to).resolver(&resolver).tls(&client);
            let (mut stream, report) = dial.with_report().await.unwrap();
            assert_eq!(report.won().unwrap().addr(), &addr.into());
            assert_eq!(&*stream.recv().await.unwrap().unwrap(), b"welcome");
            let to = format!("tls://other.example:{}", addr.port());
            refused(&connect(to).resolver(&resolver).tls(&client).await.unwrap_err(), addr);
        });
        serving.join().unwrap();
    });
}

/// The dial of `other.example` failed for its name, and says all of it once.
fn refused(error: &std::io::Error, addr: SocketAddr) {
    let told = error.to_string();
    let start = format!("connect tls://other.example:{}: tls: certificate is not for", addr.port());
    assert!(told.starts_with(&start) && told.contains(&format!("({addr})")), "{told}");
    assert!(Broken::of(error).is_some_and(Broken::is_certificate));
    assert!(DialReport::of(error).is_some());
}

#[test]
fn a_dial_is_as_late_as_its_handshake() {
    watched(|| {
        // It accepts, and says nothing.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = format!("tls://{}", listener.local_addr().unwrap());
        let client = Client::new();
        let soon = Duration::from_millis(50);
        let late = blocking::connect(to.clone()).limit(soon).tls(&client).wait().unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
        let dial = async { connect(to).limit(soon).tls(&client).await };
        let late = reseau::block_on(dial).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
    });
}

#[test]
fn what_is_to_be_safe_is_not_dialled_without() {
    watched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap();
        let plain = format!("tls://{at}");
        let direct = blocking::connect(plain.clone()).wait().unwrap_err();
        assert_eq!(direct.kind(), ErrorKind::Unsupported);
        let proxy = format!("http://{at}");
        let around = blocking::connect(plain.clone()).via(&*proxy).wait().unwrap_err();
        assert_eq!(around.kind(), ErrorKind::Unsupported);
        let awaited = reseau::block_on(async { connect(plain).via(&*proxy).await.unwrap_err() });
        assert_eq!(awaited.kind(), ErrorKind::Unsupported);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}
