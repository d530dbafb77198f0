//! The end of the process: what was flushed has arrived, and what was only sent still does.
use crate::stage::{block_on, bytes, tokio_of_many};
use crate::watchdog::watched;
use reseau::TcpStream;
use std::io::Read;
use std::net::{SocketAddr, TcpListener as Peers, TcpStream as Peer};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

const TO: &str = "RESEAU_TEST_SEND_TO";
const TOTAL: usize = 3 << 20;

/// Runs `test` in a child, which connects here and sends; says what came and how it ended.
fn child(test: &str, read: fn(Peer) -> Vec<u8>) -> (Vec<u8>, ExitStatus) {
    let peers = Peers::bind("127.0.0.1:0").unwrap();
    let addr = peers.local_addr().unwrap();
    let reader = thread::spawn(move || read(peers.accept().unwrap().0));
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1", &format!("exit::{test}")])
        .env(TO, addr.to_string())
        .status()
        .unwrap();
    (reader.join().unwrap(), status)
}

/// Where the child sends to; in the parent there is no such place.
fn to() -> Option<SocketAddr> {
    Some(std::env::var(TO).ok()?.parse().unwrap())
}

fn read_slowly(mut peer: Peer) -> Vec<u8> {
    thread::sleep(Duration::from_millis(100));
    let mut got = Vec::new();
    let _ = peer.read_to_end(&mut got);
    got
}

#[test]
fn what_was_flushed_arrives() {
    if let Some(addr) = to() {
        block_on(async {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.send(bytes(0..TOTAL)).await.unwrap();
            stream.flush().await.unwrap();
            std::process::exit(7);
        });
    }
    watched("what_was_flushed_arrives", || {
        let (got, status) = child("what_was_flushed_arrives", read_slowly);
        assert_eq!(status.code(), Some(7));
        assert!(got == bytes(0..TOTAL), "{} bytes", got.len());
    });
}

/// The global loop sends what is queued before the process ends.
#[test]
fn what_was_sent_arrives() {
    if let Some(addr) = to() {
        let mut stream = block_on(TcpStream::connect(addr)).unwrap();
        block_on(stream.send(bytes(0..TOTAL))).unwrap();
        std::mem::forget(stream); // Nobody closes it.
        std::process::exit(7);
    }
    watched("what_was_sent_arrives", || {
        let (got, status) = child("what_was_sent_arrives", read_slowly);
        assert_eq!(status.code(), Some(7));
        assert!(got == bytes(0..TOTAL), "{} bytes", got.len());
    });
}

/// As above, under tokio, by a stream that is dropped just before.
#[test]
fn what_was_sent_under_tokio_arrives() {
    if let Some(addr) = to() {
        tokio_of_many().block_on(async {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.send(bytes(0..TOTAL)).await.unwrap();
        });
        std::process::exit(7);
    }
    watched("what_was_sent_under_tokio_arrives", || {
        let (got, status) = child("what_was_sent_under_tokio_arrives", read_slowly);
        assert_eq!(status.code(), Some(7));
        assert!(got == bytes(0..TOTAL), "{} bytes", got.len());
    });
}

/// A peer that takes nothing does not keep the process.
#[test]
fn the_exit_does_not_wait_for_ever() {
    fn read_nothing(peer: Peer) -> Vec<u8> {
        // Until the child is gone: the parent waits for it.
        thread::sleep(Duration::from_millis(10));
        std::mem::forget(peer);
        Vec::new()
    }
    if let Some(addr) = to() {
        block_on(async {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.send(vec![0; 64 << 20]).await.unwrap();
        });
        std::process::exit(7);
    }
    watched("the_exit_does_not_wait_for_ever", || {
        let (_, status) = child("the_exit_does_not_wait_for_ever", read_nothing);
        assert_eq!(status.code(), Some(7));
    });
}

/// With nothing to send the end of the process is not held up: it is compared with that of one that
/// has no global loop.
#[test]
fn an_idle_global_loop_does_not_hold_up_the_exit() {
    if let Some(addr) = to() {
        drop(block_on(TcpStream::connect(addr)).unwrap());
        std::process::exit(7);
    }
    if std::env::var_os(AT_ONCE).is_some() {
        std::process::exit(7);
    }
    watched("an_idle_global_loop_does_not_hold_up_the_exit", || {
        let name = "exit::an_idle_global_loop_does_not_hold_up_the_exit";
        let start = std::time::Instant::now();
        for _ in 0..3 {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let command = command.args(["--exact", "--test-threads=1", name]).env(AT_ONCE, "1");
            assert_eq!(command.output().unwrap().status.code(), Some(7));
        }
        let without = start.elapsed();
        let start = std::time::Instant::now();
        for _ in 0..3 {
            let test = "an_idle_global_loop_does_not_hold_up_the_exit";
            assert_eq!(child(test, read_slowly).1.code(), Some(7));
        }
        let with = start.elapsed();
        assert!(with < 10 * without + Duration::from_secs(1), "{with:?}, else {without:?}");
    });
}

const AT_ONCE: &str = "RESEAU_TEST_EXIT_AT_ONCE";
