//! Absolute deadlines.
use crate::{Leave, is_timeout, on_pairs, pattern};
use reseau::Error;
use reseau::error::{Class, Operation};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(40);
const FAR: Duration = Duration::from_secs(600);

/// The error of a passed deadline, and of nothing else.
fn is_late(error: &io::Error, operation: Operation) -> bool {
    let told = Error::of(error);
    error.kind() == ErrorKind::TimedOut
        && told.is_some_and(|told| (told.operation(), told.class()) == (operation, Class::Timeout))
}

on_pairs! {
    fn a_silent_peer_is_late(a, b) {
        let at = Instant::now() + SOON;
        a.set_deadlines(Some(at), None);
        assert!(is_late(&a.read(&mut [0]).unwrap_err(), Operation::Recv));
        assert!(Instant::now() >= at);
        // The stream is as it was.
        a.set_deadlines(None, None);
        b.write_all(b"x").unwrap();
        a.read_exact(&mut [0]).unwrap();
    }

    fn a_full_peer_is_late(a, _b) {
        // Time enough to fill it.
        let at = Instant::now() + 10 * SOON;
        a.set_deadlines(None, Some(at));
        for size in [1 << 20, 16 << 10, 5000, 1] {
            let text = pattern(size);
            let error = std::iter::repeat_with(|| a.write(&text)).find_map(Result::err).unwrap();
            assert!(is_late(&error, Operation::Send), "{error}");
        }
    }

    fn a_past_deadline_fails_at_once_and_takes_nothing(a, b) {
        b.write_all(b"here").unwrap();
        let mut bytes = [0; 4];
        assert_eq!(a.peek(&mut bytes).unwrap(), 4);
        let past = Instant::now();
        a.set_deadlines(Some(past), Some(past));
        assert!(is_late(&a.read(&mut bytes).unwrap_err(), Operation::Recv));
        assert!(is_late(&a.peek(&mut bytes).unwrap_err(), Operation::Recv));
        assert!(is_late(&a.write(b"x").unwrap_err(), Operation::Send));
        let slices = &mut [IoSliceMut::new(&mut bytes)];
        assert!(is_late(&a.read_vectored(slices).unwrap_err(), Operation::Recv));
        let slices = &[IoSlice::new(b"x")];
        assert!(is_late(&a.write_vectored(slices).unwrap_err(), Operation::Send));
        a.set_deadlines(None, None);
        a.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"here");
        a.write_all(b"y").unwrap();
        a.leave();
        let mut all = Vec::new();
        b.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"y");
    }

    fn a_slow_peer_is_late_however_often_it_sends(a, b) {
        let stop = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    b.write_all(b".").unwrap();
                    thread::sleep(Duration::from_millis(1));
                }
            });
            a.set_read_timeout(Some(FAR)).unwrap();
            a.set_deadlines(Some(Instant::now() + SOON), None);
            let error = a.read_exact(&mut vec![0; 1_000_000]).unwrap_err();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(is_late(&error, Operation::Recv), "{error}");
        });
    }

    fn what_comes_in_time_is_read(a, b) {
        a.set_deadlines(Some(Instant::now() + FAR), Some(Instant::now() + FAR));
        let sent = pattern(500_000);
        let copy = sent.clone();
        let echo = thread::spawn(move || {
            let mut bytes = vec![0; copy.len()];
            b.read_exact(&mut bytes).unwrap();
            assert!(bytes == copy);
            b.set_deadlines(None, Some(Instant::now() + FAR));
            b.write_all(&bytes).unwrap();
            b.leave();
        });
        a.write_all(&sent).unwrap();
        let mut back = Vec::new();
        a.read_to_end(&mut back).unwrap();
        assert!(back == sent);
        echo.join().unwrap();
    }

    fn a_reader_that_does_not_read_is_late_and_gets_everything_in_the_end(a, b) {
        a.set_deadlines(None, Some(Instant::now() + SOON));
        let sent = pattern(64 << 20);
        let mut count = 0;
        let error = loop {
            match a.write(&sent[count..]) {
                Ok(more) => count += more,
                Err(error) => break error,
            }
        };
        assert!(is_late(&error, Operation::Send), "{error}");
        a.set_deadlines(None, None);
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            b.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let end = (count + 300_000).min(sent.len());
        a.write_all(&sent[count..end]).unwrap();
        a.leave();
        assert!(reader.join().unwrap() == sent[..end]);
    }

    fn vectored_calls_have_it_too(a, b) {
        a.set_deadlines(None, Some(Instant::now() + FAR));
        b.set_deadlines(Some(Instant::now() + FAR), None);
        let big = pattern(100_000);
        let mut count = a.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"c")]).unwrap();
        assert_eq!(count, 3);
        count += a.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&big)]).unwrap();
        a.leave();
        let (mut one, mut two) = ([0], [0]);
        let slices = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(b.read_vectored(slices).unwrap(), 2);
        let mut rest = Vec::new();
        b.read_to_end(&mut rest).unwrap();
        assert_eq!((one, two, rest[0]), ([b'a'], [b'b'], b'c'));
        assert!(rest[1..] == big[..count - 3]);
    }

    fn the_nearer_of_timeout_and_deadline_ends_the_call(a, _b) {
        a.set_read_timeout(Some(SOON)).unwrap();
        a.set_deadlines(Some(Instant::now() + FAR), None);
        let error = a.read(&mut [0]).unwrap_err();
        assert!(is_timeout(error.kind()) && Error::of(&error).is_none(), "{error}");
        a.set_read_timeout(Some(FAR)).unwrap();
        a.set_deadlines(Some(Instant::now() + SOON), None);
        assert!(is_late(&a.read(&mut [0]).unwrap_err(), Operation::Recv));
    }

    fn the_end_is_no_timeout(a, b) {
        a.set_deadlines(Some(Instant::now() + FAR), None);
        let reader = thread::spawn(move || a.read(&mut [0]).unwrap());
        b.leave();
        assert_eq!(reader.join().unwrap(), 0);
    }

    fn each_clone_has_its_own(a, b) {
        let at = Instant::now() + FAR;
        a.set_deadlines(Some(at), None);
        let mut copy = a.try_clone().unwrap();
        assert_eq!((copy.read_deadline(), copy.write_deadline()), (Some(at), None));
        copy.set_deadlines(Some(Instant::now()), Some(at));
        assert_eq!((a.read_deadline(), a.write_deadline()), (Some(at), None));
        b.write_all(b"x").unwrap();
        assert!(is_late(&copy.read(&mut [0]).unwrap_err(), Operation::Recv));
        a.read_exact(&mut [0]).unwrap();
    }

    fn a_non_blocking_stream_does_not_wait_for_it(a, _b) {
        if cfg!(windows) {
            return; // Windows does not tell the mode, so there a read waits: documented.
        }
        a.set_nonblocking(true).unwrap();
        a.set_deadlines(Some(Instant::now() + FAR), None);
        assert_eq!(a.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
