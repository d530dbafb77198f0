//! `blocking::TlsStream` has what `blocking::TcpStream` has, and it means the same.
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use reseau::blocking::TlsStream;
use reseau::tls::Broken;

use crate::stage::{pattern, sides, tcp_pair, watched};
use crate::threads::{pair, pair_of};

const AGE: Duration = Duration::from_secs(40);

/// Writes so much that there is no room for it, and says how much was taken.
fn fill(stream: &mut TlsStream) -> Vec<u8> {
    let text = pattern(1 << 16);
    let mut taken = Vec::new();
    loop {
        match stream.write(&text) {
            Ok(count) => taken.extend_from_slice(&text[..count]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                return taken;
            }
        }
    }
}

#[test]
fn who_looks_takes_nothing() {
    watched(|| {
        let (mut a, mut b) = pair();
        a.write_all(b"one and two").unwrap();
        let mut got = [0; 3];
        for _ in 0..3 {
            assert_eq!(b.peek(&mut got).unwrap(), 3);
            assert_eq!(&got, b"one");
        }
        assert_eq!(b.peek(&mut []).unwrap(), 0);
        let mut all = [0; 11];
        b.read_exact(&mut all).unwrap();
        assert_eq!(&all, b"one and two");
        a.finish().unwrap();
        assert_eq!(b.peek(&mut got).unwrap(), 0, "the end");
    });
}

#[test]
fn two_handles_are_one_connection() {
    watched(|| {
        let (a, b) = pair();
        let text = &pattern(1 << 20);
        let (mut a_too, mut b_too) = (a.try_clone().unwrap(), b.try_clone().unwrap());
        thread::scope(|scope| {
            for (mut one, other) in [(&a, &mut a_too), (&b, &mut b_too)] {
                scope.spawn(move || one.write_all(text).unwrap());
                scope.spawn(move || {
                    let mut got = vec![0; text.len()];
                    other.read_exact(&mut got).unwrap();
                    assert!(got == *text);
                });
            }
        });
        // Each has deadlines of its own.
        a.set_deadlines(Some(Instant::now()), None);
        assert_eq!(a_too.read_deadline(), None);
        assert_eq!(a.try_clone().unwrap().read_deadline(), a.read_deadline());
        // With the last of them the connection ends.
        drop(a);
        a_too.write_all(b"x").unwrap();
        let mut one = [0];
        b_too.read_exact(&mut one).unwrap();
        a_too.finish().unwrap();
        drop(a_too);
        assert_eq!(b_too.read(&mut one).unwrap(), 0);
    });
}

#[test]
fn a_thread_does_not_wait_for_another_longer_than_it_wants_to() {
    watched(|| {
        let (a, mut b) = pair();
        let one = a.try_clone().unwrap();
        let (begins, begun) = channel();
        let reading = thread::spawn(move || {
            let (mut got, mut count) = ([0; 5], 0);
            begins.send(()).unwrap();
            while count < got.len() {
                // The timeout is the socket's, and so this thread's too if it comes late.
                match (&one).read(&mut got[count..]) {
                    Ok(more) => count += more,
                    Err(error) => assert!(is_late(error.kind()), "{error}"),
                }
            }
            got
        });
        // Nothing tells when the other waits; were it late, less would be tried, and no harm done.
        begun.recv().unwrap();
        thread::sleep(Duration::from_millis(100));
        a.set_deadlines(Some(Instant::now() + Duration::from_millis(100)), None);
        assert_eq!((&a).read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        a.set_deadlines(None, None);
        a.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(is_late((&a).read(&mut [0]).unwrap_err().kind()));
        a.set_read_timeout(None).unwrap();
        b.write_all(b"there").unwrap();
        assert_eq!(&reading.join().unwrap(), b"there");
    });
}

#[test]
fn parts_are_read_and_written_at_once() {
    watched(|| {
        let (mut a, mut b) = pair();
        let parts = [IoSlice::new(b"one"), IoSlice::new(b""), IoSlice::new(b" and two")];
        assert_eq!(a.write_vectored(&parts).unwrap(), 11);
        assert_eq!(b.peek(&mut [0; 32]).unwrap(), 11, "one record");
        let (mut one, mut two) = ([0; 4], [0; 16]);
        let mut spaces = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(b.read_vectored(&mut spaces).unwrap(), 11);
        assert_eq!((&one, &two[..7]), (b"one ", &b"and two"[..]));
        assert_eq!(b.read_vectored(&mut [IoSliceMut::new(&mut [])]).unwrap(), 0);
        assert_eq!(a.write_vectored(&[]).unwrap(), 0);
        a.finish().unwrap();
        assert_eq!(a.write_vectored(&parts).unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn what_does_not_wait_loses_nothing() {
    watched(|| {
        let (mut a, mut b) = pair();
        for stream in [&a, &b] {
            stream.set_nonblocking(true).unwrap();
        }
        assert_eq!(b.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(b.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let taken = fill(&mut a);
        assert_eq!(a.flush().unwrap_err().kind(), ErrorKind::WouldBlock);
        let (mut got, mut space) = (Vec::new(), vec![0; 1 << 16]);
        while got.len() < taken.len() {
            match b.read(&mut space) {
                Ok(count) => got.extend_from_slice(&space[..count]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
            if let Err(error) = a.flush() {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
            }
        }
        assert!(got == taken);
        a.flush().unwrap();
        // And it can wait again.
        for stream in [&a, &b] {
            stream.set_nonblocking(false).unwrap();
        }
        a.write_all(b"more").unwrap();
        let mut more = [0; 4];
        b.read_exact(&mut more).unwrap();
        assert_eq!(&more, b"more");
    });
}

#[test]
fn who_reads_does_not_wait_for_room() {
    watched(|| {
        let (mut a, mut b) = pair();
        a.set_nonblocking(true).unwrap();
        for _ in 0..5 {
            fill(&mut a);
            thread::sleep(Duration::from_millis(20)); // Systems find a little more room.
        }
        fill(&mut a);
        a.set_nonblocking(false).unwrap();
        // What is left would go along, if there were room; and its reader is there for others.
        b.write_all(b"x").unwrap();
        assert_eq!(a.read(&mut [0; 8]).unwrap(), 1);
    });
}

#[test]
fn a_handshake_waits_where_reads_do_not() {
    watched(|| {
        let (client, server) = sides();
        let (a, b) = tcp_pair();
        for stream in [&a, &b] {
            stream.set_nonblocking(true).unwrap();
        }
        let accepting = thread::spawn(move || b.start_tls(&server).unwrap());
        let mut a = a.start_tls(client.to("localhost")).unwrap();
        let b = accepting.join().unwrap();
        assert_eq!((&b).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        a.write_all(b"x").unwrap();
        // And a deadline counts there, too.
        let (client, _) = sides();
        let (a, _b) = tcp_pair();
        a.set_nonblocking(true).unwrap();
        let soon = Instant::now() + Duration::from_millis(50);
        let late = a.start_tls(client.to("localhost").deadline(soon)).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
    });
}

#[test]
fn ending_one_direction_leaves_the_other() {
    watched(|| {
        let (client, server) = sides();
        let (a, b) = pair_of(&client, &server.tickets(false));
        a.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&b).read(&mut [0]).unwrap(), 0);
        (&b).write_all(b"answer").unwrap();
        let mut got = [0; 6];
        (&a).read_exact(&mut got).unwrap();
        assert_eq!(&got, b"answer");
        a.shutdown(Shutdown::Read).unwrap();
        if cfg!(unix) {
            assert_eq!((&a).read(&mut [0]).unwrap(), 0, "it was ended here: that is no cut");
        }
    });
}

/// Also if the reader was about to wait: it looks whether there is something to answer then, and
/// that is no writing.
#[test]
fn to_end_both_says_so_and_wakes_who_waits() {
    watched(|| {
        let (client, server) = sides();
        let server = server.tickets(false);
        (0..20).for_each(|_| end_both(pair_of(&client, &server)));
    });
}

fn end_both((a, b): (TlsStream, TlsStream)) {
    let other = a.try_clone().unwrap();
    let (begins, begun) = channel();
    let reading = thread::spawn(move || {
        begins.send(()).unwrap();
        (&other).read(&mut [0])
    });
    begun.recv().unwrap();
    if cfg!(windows) {
        // Wine wakes nobody; and nobody needs to be woken where the peer ends, too.
        drop(b);
        let _ = reading.join().unwrap();
        return;
    }
    a.shutdown(Shutdown::Both).unwrap();
    assert_eq!(reading.join().unwrap().unwrap(), 0);
    assert_eq!((&b).read(&mut [0]).unwrap(), 0, "it was told, and is no cut");
    assert_eq!((&a).write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

/// With a writer in the middle of a record there is no way to say so.
#[test]
#[cfg(unix)]
fn to_end_both_does_not_wait_for_who_writes() {
    watched(|| {
        let (a, b) = pair();
        let mut other = a.try_clone().unwrap();
        let (begins, begun) = channel();
        let writing = thread::spawn(move || {
            let text = pattern(1 << 16);
            loop {
                if let Err(error) = other.write_all(&text) {
                    return error;
                }
                let _ = begins.send(());
            }
        });
        begun.recv().unwrap();
        a.shutdown(Shutdown::Both).unwrap();
        assert_eq!(writing.join().unwrap().kind(), ErrorKind::BrokenPipe);
        drop(b);
    });
}

#[test]
fn a_timed_out_write_is_the_last() {
    watched(|| {
        let (mut a, b) = pair();
        a.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(a.write_timeout().unwrap().is_some());
        let text = pattern(1 << 16);
        let late = loop {
            if let Err(error) = a.write(&text) {
                break error.kind();
            }
        };
        assert!(is_late(late), "{late}");
        a.set_write_timeout(None).unwrap();
        let spoilt = a.write(b"more").unwrap_err();
        assert_eq!(spoilt.kind(), ErrorKind::BrokenPipe);
        assert!(Broken::of(&spoilt).is_some_and(Broken::is_spoilt), "{spoilt}");
        assert_eq!(a.flush().unwrap_err().kind(), ErrorKind::BrokenPipe);
        drop(b);
    });
}

#[test]
fn options_are_those_of_tcp() {
    watched(|| {
        let (a, _b) = pair();
        a.set_nodelay(true).unwrap();
        assert!(a.nodelay().unwrap());
        a.set_ttl(42).unwrap();
        assert_eq!(a.ttl().unwrap(), 42);
        a.set_read_timeout(Some(AGE)).unwrap();
        assert_eq!(a.read_timeout().unwrap(), Some(AGE));
        assert_eq!(a.set_read_timeout(Some(Duration::ZERO)).unwrap_err().kind(), INVALID);
        assert!(a.take_error().unwrap().is_none());
        assert_ne!(a.local_addr().unwrap(), a.peer_addr().unwrap());
        assert!(format!("{a:?}").starts_with("TlsStream("), "{a:?}");
    });
}

/// What a timeout of the system ends with.
fn is_late(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

const INVALID: ErrorKind = ErrorKind::InvalidInput;

#[test]
#[cfg(unix)]
fn what_is_not_tcp_has_no_such_options() {
    watched(|| {
        let (client, server) = sides();
        let (a, b) = reseau::blocking::UnixStream::pair().unwrap();
        let accepting = thread::spawn(move || b.start_tls(&server).unwrap());
        let a = a.start_tls(client.to("localhost")).unwrap();
        assert_eq!(a.nodelay().unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(a.set_ttl(1).unwrap_err().kind(), ErrorKind::Unsupported);
        let mut b = accepting.join().unwrap();
        a.abort().unwrap();
        assert_eq!(b.read(&mut [0]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
#[cfg(unix)] // Wine passes no resets on.
fn an_abort_is_a_reset() {
    watched(|| {
        let (client, server) = sides();
        let (a, mut b) = pair_of(&client, &server.tickets(false));
        a.abort().unwrap();
        assert_eq!(b.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn keys_for_another_use_have_their_bounds() {
    watched(|| {
        let (a, _b) = pair();
        let none = a.export(b"EXPORTER-x", None, &mut []).unwrap_err();
        assert_eq!(none.kind(), INVALID, "{none}");
        assert!(none.to_string().starts_with("get option: tls: "), "{none}");
    });
}
