//! Unix-domain datagrams and records.
use super::unix::{Place, plain};
use crate::{is_timeout, watched};
use reseau::blocking::unix::{SocketAddr, UnixDatagram};
#[allow(unused_imports)] // Some tests are Linux' alone.
use reseau::{Error, UnixAddr};
use std::io::ErrorKind;
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(30);

#[test]
fn datagrams_go_by_name() {
    watched(|| {
        let (here, there) = (Place::new(), Place::new());
        let a = UnixDatagram::bind(here.path()).unwrap();
        let addr = SocketAddr::from_pathname(there.path()).unwrap();
        let b = UnixDatagram::bind_addr(&addr).unwrap();
        assert_eq!(a.send_to(b"by path", there.path()).unwrap(), 7);
        assert_eq!(a.send_to_addr(b"", &addr).unwrap(), 0);
        let mut buf = [0; 9];
        let own = a.local_addr().unwrap();
        assert_eq!(own.as_pathname(), Some(here.path()));
        assert_eq!(b.peek_from(&mut buf).unwrap(), (7, own.clone()));
        assert_eq!(b.recv_from(&mut buf).unwrap(), (7, own.clone()));
        assert_eq!(b.recv_from(&mut buf).unwrap(), (0, own.clone()));
        // Who has no name cannot be answered.
        let nobody = UnixDatagram::unbound().unwrap();
        nobody.send_to(b"hello", there.path()).unwrap();
        let (len, peer) = b.recv_from(&mut buf).unwrap();
        assert!(len == 5 && peer.is_unnamed());
        assert!(b.send_to_addr(b"x", &peer).is_err());
        nobody.connect(here.path()).unwrap();
        assert_eq!(nobody.peer_addr().unwrap(), own);
        nobody.connect_addr(&addr).unwrap();
        nobody.send(b"again").unwrap();
        assert_eq!(b.peek(&mut buf).unwrap(), 5);
        assert_eq!(b.recv(&mut buf[..2]).unwrap(), 2, "the rest is lost");
        b.set_nonblocking(true).unwrap();
        assert_eq!(b.recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(b.take_error().unwrap().is_none());
    });
}

#[test]
fn names_that_cannot_be_and_places_that_are_not_there() {
    watched(|| {
        let socket = UnixDatagram::unbound().unwrap();
        let long = "/tmp/".to_owned() + &"x".repeat(200);
        for path in [long.as_str(), "", "a\0b"] {
            for error in [
                UnixDatagram::bind(path).unwrap_err(),
                socket.connect(path).unwrap_err(),
                socket.send_to(b"x", path).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}");
            }
        }
        let place = Place::new();
        let missing = socket.connect(place.path()).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(Error::of(&missing).unwrap().peer_addr().is_some());
        assert_eq!(socket.send_to(b"x", place.path()).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(socket.send(b"x").unwrap_err().kind(), ErrorKind::NotConnected);
        let bound = UnixDatagram::bind(place.path()).unwrap();
        let taken = UnixDatagram::bind(place.path()).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        socket.connect(place.path()).unwrap();
        drop(bound);
        assert_eq!(socket.send(b"x").unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let (one, _other) = UnixDatagram::pair().unwrap();
        let error = one.send(&vec![0; 64 << 20]).unwrap_err();
        assert_eq!(reseau::error::class_of(&error), reseau::error::Class::Fatal, "{error}");
    });
}

#[test]
fn a_pair_talks_both_ways() {
    watched(|| {
        let (one, other) = UnixDatagram::pair().unwrap();
        assert!(one.local_addr().unwrap().is_unnamed());
        let copy = one.try_clone().unwrap();
        copy.send(b"ping").unwrap();
        let mut buf = [0; 9];
        assert_eq!(other.recv(&mut buf).unwrap(), 4);
        other.send(b"pong!").unwrap();
        assert_eq!(one.recv(&mut buf).unwrap(), 5);
        let shown = format!("{one:?}");
        let theirs = std::os::unix::net::UnixDatagram::from(one);
        assert_eq!(shown, plain(&theirs));
        theirs.send(b"std").unwrap();
        assert_eq!(other.recv(&mut buf).unwrap(), 3);
        let ours = UnixDatagram::from(theirs);
        drop((ours, copy));
        assert!(other.send(b"x").is_err());
    });
}

#[test]
fn time_ends_a_call_and_so_does_a_shutdown() {
    watched(|| {
        let (one, other) = UnixDatagram::pair().unwrap();
        one.set_read_timeout(Some(SOON)).unwrap();
        assert_eq!(one.read_timeout().unwrap().map(|span| span >= SOON), Some(true));
        assert!(is_timeout(one.recv(&mut [0; 9]).unwrap_err().kind()));
        one.set_read_timeout(None).unwrap();
        one.set_deadlines(Some(Instant::now() + SOON), None);
        assert_eq!(one.recv_from(&mut [0; 9]).unwrap_err().kind(), ErrorKind::TimedOut);
        // A full peer.
        one.set_write_timeout(Some(SOON)).unwrap();
        let error = loop {
            if let Err(error) = one.send(&[0; 1000]) {
                break error;
            }
        };
        assert!(is_timeout(error.kind()), "{error}");
        one.set_write_timeout(None).unwrap();
        one.set_deadlines(None, Some(Instant::now() + SOON));
        assert_eq!(one.send(&[0; 1000]).unwrap_err().kind(), ErrorKind::TimedOut);
        // Shut, it has come to an end, also for calls with a deadline, which do not wait for it.
        let far = Instant::now() + Duration::from_secs(600);
        one.set_deadlines(Some(far), None);
        let copy = one.try_clone().unwrap();
        let waiting = thread::spawn(move || copy.recv(&mut [0; 9]).unwrap());
        one.shutdown(Shutdown::Read).unwrap();
        assert_eq!(waiting.join().unwrap(), 0);
        let (len, peer) = one.recv_from(&mut [0; 9]).unwrap();
        assert!(len == 0 && peer.is_unnamed());
        assert_eq!(one.peek(&mut [0; 9]).unwrap(), 0);
        one.set_deadlines(None, None);
        assert_eq!(one.recv(&mut [0; 9]).unwrap(), 0);
        assert!(other.send(b"x").is_err());
    });
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn abstract_names_need_no_file() {
    watched(|| {
        let name = format!("reseau datagrams {}\0\x01", std::process::id());
        let addr = UnixAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&addr).unwrap();
        assert_eq!(socket.local_addr().unwrap(), addr);
        let unnamed = UnixDatagram::bind_addr(&UnixAddr::unnamed()).unwrap();
        let own = unnamed.local_addr().unwrap();
        assert_eq!(own.as_abstract_name().map(<[u8]>::len), Some(5), "one of Linux' choice");
        unnamed.send_to_addr(b"x", &addr).unwrap();
        assert_eq!(socket.recv_from(&mut [0; 9]).unwrap(), (1, own));
    });
}

#[cfg(not(target_vendor = "apple"))]
mod records {
    use super::*;
    use reseau::blocking::unix::{UnixSeqpacket, UnixSeqpacketListener};
    use std::os::fd::AsRawFd;

    #[test]
    fn records_are_kept_apart_until_the_end() {
        watched(|| {
            let place = Place::new();
            let listener = UnixSeqpacketListener::bind(place.path()).unwrap();
            assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(place.path()));
            let client = UnixSeqpacket::connect(place.path()).unwrap();
            let (server, peer) = listener.accept().unwrap();
            assert!(peer.is_unnamed());
            assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
            for text in ["first", "second", "3"] {
                assert_eq!(client.send(text.as_bytes()).unwrap(), text.len());
            }
            client.shutdown(Shutdown::Write).unwrap();
            let mut buf = [0; 9];
            assert_eq!(server.peek(&mut buf).unwrap(), 5);
            assert_eq!(server.recv(&mut buf[..2]).unwrap(), 2, "the rest is lost");
            assert_eq!(server.recv(&mut buf).unwrap(), 6);
            assert_eq!(server.recv(&mut buf).unwrap(), 1);
            server.set_deadlines(Some(Instant::now() + Duration::from_secs(600)), None);
            assert_eq!(server.recv(&mut buf).unwrap(), 0);
            server.send(b"back").unwrap();
            assert_eq!(client.try_clone().unwrap().recv(&mut buf).unwrap(), 4);
            drop(client);
            assert_eq!(server.send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert!(format!("{server:?}").starts_with("UnixSeqpacket { fd: "));
            assert!(format!("{listener:?}").starts_with("UnixSeqpacketListener { fd: "));
        });
    }

    #[test]
    fn a_pair_knows_who_is_there_and_when_it_is_late() {
        watched(|| {
            let (one, _other) = UnixSeqpacket::pair().unwrap();
            if cfg!(any(target_os = "linux", target_os = "android")) {
                let cred = one.peer_cred().unwrap();
                assert_eq!(cred.pid, i32::try_from(std::process::id()).ok());
            }
            match one.peer_pidfd() {
                Ok(process) => {
                    let told = format!("/proc/self/fdinfo/{}", process.as_raw_fd());
                    let told = std::fs::read_to_string(told).unwrap();
                    let pid = told.lines().find_map(|line| line.strip_prefix("Pid:"));
                    assert_eq!(pid.unwrap().trim(), std::process::id().to_string());
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}"),
            }
            one.set_deadlines(Some(Instant::now() + SOON), None);
            assert_eq!(one.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::TimedOut);
            one.set_nonblocking(true).unwrap();
            one.set_deadlines(None, None);
            assert_eq!(one.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        });
    }

    #[test]
    fn connections_come_one_after_the_other() {
        watched(|| {
            let place = Place::new();
            let addr = SocketAddr::from_pathname(place.path()).unwrap();
            let listener = UnixSeqpacketListener::with_backlog(&addr, 4).unwrap();
            let clients = [1, 2, 3].map(|number: u8| {
                let addr = addr.clone();
                thread::spawn(move || {
                    UnixSeqpacket::connect_addr(&addr).unwrap().send(&[number]).unwrap()
                })
            });
            let mut sum = 0;
            for record in listener.incoming().take(3) {
                let mut byte = [0];
                record.unwrap().recv(&mut byte).unwrap();
                sum += byte[0];
            }
            assert_eq!(sum, 6);
            for client in clients {
                client.join().unwrap();
            }
            let taken = UnixSeqpacketListener::bind(place.path()).unwrap_err();
            assert_eq!(taken.kind(), ErrorKind::AddrInUse);
            drop(listener);
            let refused = UnixSeqpacket::connect(place.path()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        });
    }
}
