//! Descriptors that go through Unix-domain sockets.
use super::unix::Place;
use crate::watched;
use reseau::blocking::unix::{UnixDatagram, UnixStream};
use reseau::packet::Passed;
use std::fs::File;
#[allow(unused_imports)] // Some tests are Linux' alone.
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::{Duration, Instant};

fn null() -> File {
    File::open("/dev/null").unwrap()
}

/// One body, run on each kind of pair.
macro_rules! on_pairs {
    ($(fn $name:ident($a:ident, $b:ident) $body:block)*) => {
        on_pairs! { stream, UnixStream: $(fn $name($a, $b) $body)* }
        on_pairs! { datagram, UnixDatagram: $(fn $name($a, $b) $body)* }
        #[cfg(not(target_vendor = "apple"))]
        on_pairs! { seqpacket, UnixSeqpacket: $(fn $name($a, $b) $body)* }
    };
    ($kind:ident, $type:ident: $(fn $name:ident($a:ident, $b:ident) $body:block)*) => {
        mod $kind {
            use super::*;
            use reseau::blocking::unix::$type as Socket;
            $(
                #[test]
                fn $name() {
                    watched(|| {
                        let ($a, $b) = Socket::pair().unwrap();
                        $body
                    });
                }
            )*
        }
    };
}

on_pairs! {
    fn a_stream_is_handed_over(a, b) {
        let (mut near, far) = UnixStream::pair().unwrap();
        assert_eq!(a.send_fds(b"take", &[far.as_fd()]).unwrap(), 4);
        drop(far);
        let mut buf = [0; 9];
        let Passed { len, fds, truncated, .. } = b.recv_fds(&mut buf, 3).unwrap();
        assert_eq!((&buf[..len], fds.len(), truncated), (&b"take"[..], 1, false));
        let mut far = UnixStream::from(fds.into_iter().next().unwrap());
        far.write_all(b"through").unwrap();
        drop(far);
        let mut text = String::new();
        near.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    fn without_descriptors_it_is_plain_sending(a, b) {
        a.send_fds(b"plain", &[]).unwrap();
        let passed = b.recv_fds(&mut [0; 9], 3).unwrap();
        assert_eq!((passed.len, passed.fds.len(), passed.truncated), (5, 0, false));
    }

    fn more_than_asked_for_are_closed_and_told(a, b) {
        let (mut near, far) = UnixStream::pair().unwrap();
        let file = null();
        a.send_fds(b"x", &[file.as_fd(), far.as_fd()]).unwrap();
        drop(far);
        let passed = b.recv_fds(&mut [0; 9], 1).unwrap();
        assert_eq!((passed.len, passed.fds.len(), passed.truncated), (1, 1, true));
        // The other was closed: there is an end to read.
        assert_eq!(near.read(&mut [0; 9]).unwrap(), 0);
    }

    fn as_many_as_can_go(a, b) {
        let file = null();
        let many: Vec<BorrowedFd<'_>> = vec![file.as_fd(); 253];
        a.send_fds(b"x", &many).unwrap();
        assert_eq!(b.recv_fds(&mut [0; 9], 300).unwrap().fds.len(), 253);
        let more: Vec<BorrowedFd<'_>> = vec![file.as_fd(); 254];
        assert_eq!(a.send_fds(b"x", &more).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    fn time_ends_it(a, b) {
        b.set_deadlines(Some(Instant::now() + Duration::from_millis(20)), None);
        assert_eq!(b.recv_fds(&mut [0; 9], 1).unwrap_err().kind(), ErrorKind::TimedOut);
        b.set_deadlines(None, None);
        b.set_nonblocking(true).unwrap();
        assert_eq!(b.recv_fds(&mut [0; 9], 1).unwrap_err().kind(), ErrorKind::WouldBlock);
        b.set_nonblocking(false).unwrap();
        let waiting = thread::spawn(move || b.recv_fds(&mut [0; 9], 1).unwrap().fds.len());
        a.send_fds(b"x", &[null().as_fd()]).unwrap();
        assert_eq!(waiting.join().unwrap(), 1);
    }
}

#[test]
fn a_stream_needs_a_byte() {
    watched(|| {
        let (a, b) = UnixStream::pair().unwrap();
        let error = a.send_fds(b"", &[null().as_fd()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        drop(a);
        let passed = b.recv_fds(&mut [0; 9], 1).unwrap();
        assert_eq!((passed.len, passed.fds.len()), (0, 0), "the end");
        let (a, b) = UnixDatagram::pair().unwrap();
        a.send_fds(b"", &[null().as_fd()]).unwrap();
        assert_eq!(b.recv_fds(&mut [], 1).unwrap().fds.len(), 1);
    });
}

#[test]
fn a_datagram_says_whose_it_is_and_what_is_lost() {
    watched(|| {
        let (here, there) = (Place::new(), Place::new());
        let a = UnixDatagram::bind(here.path()).unwrap();
        let b = UnixDatagram::bind(there.path()).unwrap();
        let to = b.local_addr().unwrap();
        a.send_fds_to(b"too long", &[null().as_fd()], &to).unwrap();
        let passed = b.recv_fds(&mut [0; 3], 1).unwrap();
        assert_eq!((passed.len, passed.fds.len(), passed.truncated), (3, 1, true));
        assert_eq!(passed.peer.unwrap().as_pathname(), Some(here.path()));
        UnixDatagram::unbound().unwrap().send_fds_to(b"x", &[], &to).unwrap();
        assert!(b.recv_fds(&mut [0; 3], 1).unwrap().peer.is_none());
        drop(b);
        let gone = a.send_fds_to(b"x", &[], &to).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::ConnectionRefused);
    });
}

/// Runs alone, in a process of its own, because it counts that process' descriptors.
#[cfg(target_os = "linux")]
#[test]
fn no_descriptor_is_left_open() {
    crate::alone("fds::no_descriptor_is_left_open", || {
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let file = null();
        let before = count();
        for _ in 0..50 {
            let (a, b) = UnixDatagram::pair().unwrap();
            let three = [file.as_fd(); 3];
            a.send_fds(b"taken", &three).unwrap();
            a.send_fds(b"some taken", &three).unwrap();
            a.send_fds(b"none taken", &three).unwrap();
            a.send_fds(b"received otherwise", &three).unwrap();
            a.send_fds(b"never received", &three).unwrap();
            a.send_fds(b"refused", &[file.as_fd(); 254]).unwrap_err();
            for max in [3, 2, 0] {
                assert_eq!(b.recv_fds(&mut [0; 4], max).unwrap().fds.len(), max);
            }
            b.recv(&mut [0; 4]).unwrap();
            let (a, b) = UnixStream::pair().unwrap();
            a.send_fds(b"x", &three).unwrap();
            a.send_fds(b"x", &three).unwrap();
            (&b).read_exact(&mut [0]).unwrap();
            b.set_deadlines(Some(Instant::now()), None);
            b.recv_fds(&mut [0], 3).unwrap_err();
        }
        assert_eq!(count(), before);
        // With no number left, what could not be opened is told, and the bytes come.
        let (a, b) = UnixDatagram::pair().unwrap();
        a.send_fds(b"x", &[file.as_fd(); 3]).unwrap();
        let mut all = Vec::new();
        let error: io::Error = loop {
            match null().try_clone() {
                Ok(file) => all.push(file),
                Err(error) => break error,
            }
            assert!(all.len() < 1000, "there is a limit");
        };
        assert_eq!(error.raw_os_error(), Some(24));
        all.truncate(all.len() - 1);
        let passed = b.recv_fds(&mut [0; 9], 9).unwrap();
        assert!(passed.len == 1 && passed.fds.len() < 3 && passed.truncated, "{passed:?}");
    });
}
