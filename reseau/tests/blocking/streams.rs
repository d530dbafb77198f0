//! What every stream does, whatever its family.
use crate::{Leave, is_timeout, on_pairs, pattern};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

on_pairs! {
    fn bytes_go_both_ways(a, b) {
        for round in 0..100_u8 {
            a.write_all(&[round; 10]).unwrap();
            let mut bytes = [0; 10];
            b.read_exact(&mut bytes).unwrap();
            b.write_all(&bytes).unwrap();
            a.read_exact(&mut bytes).unwrap();
            assert_eq!(bytes, [round; 10]);
        }
    }

    fn a_last_answer_arrives_though_the_peer_still_sends(a, b) {
        let sent = pattern(1_000_000);
        thread::scope(|scope| {
            let talker = scope.spawn(|| {
                let mut end = &b;
                end.write_all(&sent).unwrap();
                end.finish().unwrap();
                let mut answer = String::new();
                end.read_to_string(&mut answer).unwrap();
                answer
            });
            a.read_exact(&mut [0; 10]).unwrap();
            a.write_all(b"enough").unwrap();
            let late = std::time::Instant::now() + Duration::from_secs(30);
            a.try_clone().unwrap().close_gracefully(late).unwrap();
            assert_eq!(talker.join().unwrap(), "enough");
        });
    }

    fn a_peer_that_does_not_end_is_left_at_the_deadline(a, b) {
        let late = std::time::Instant::now() + Duration::from_millis(30);
        let error = a.try_clone().unwrap().close_gracefully(late).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(std::time::Instant::now() >= late, "not before");
        assert_eq!(b.read(&mut [0; 4]).unwrap(), 0);
    }

    fn both_ways_at_once_through_shared_references(a, b) {
        let sent = pattern(3_000_000);
        thread::scope(|scope| {
            for end in [&a, &b] {
                let sent = &sent;
                scope.spawn(move || {
                    let mut end = end;
                    end.write_all(sent).unwrap();
                    end.flush().unwrap();
                    end.finish().unwrap();
                });
                scope.spawn(move || {
                    let mut end = end;
                    let mut received = Vec::new();
                    end.read_to_end(&mut received).unwrap();
                    assert!(received == *sent);
                });
            }
        });
    }

    fn the_end_comes_after_the_bytes_and_stays(a, b) {
        a.write_all(b"last").unwrap();
        a.leave();
        let mut bytes = Vec::new();
        assert_eq!(b.read_to_end(&mut bytes).unwrap(), 4);
        for _ in 0..3 {
            assert_eq!(b.read(&mut [0; 8]).unwrap(), 0);
        }
    }

    fn a_finished_side_still_hears(a, b) {
        a.write_all(b"question").unwrap();
        a.finish().unwrap();
        let mut text = String::new();
        b.read_to_string(&mut text).unwrap();
        assert_eq!(text, "question");
        b.write_all(b"answer").unwrap();
        b.leave();
        let mut text = String::new();
        a.read_to_string(&mut text).unwrap();
        assert_eq!(text, "answer");
        assert!(a.write(b"more").is_err());
    }

    fn writing_to_one_who_left_is_an_error_soon(a, b) {
        drop(b);
        let chunk = vec![7; 100_000];
        let error = loop {
            if let Err(error) = a.write(&chunk) {
                break error;
            }
        };
        use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let kinds = [BrokenPipe, ConnectionAborted, ConnectionReset];
        assert!(kinds.contains(&error.kind()), "{error}");
    }

    fn a_read_takes_what_fits_and_leaves_the_rest(a, b) {
        a.write_all(b"abcdef").unwrap();
        for expected in b"abcdef" {
            let mut one = [0];
            assert_eq!(b.read(&mut one).unwrap(), 1);
            assert_eq!(one[0], *expected);
        }
    }

    fn vectored_calls_use_every_part(a, b) {
        let parts = [IoSlice::new(b"one"), IoSlice::new(b""), IoSlice::new(b"twothree")];
        assert_eq!(a.write_vectored(&parts).unwrap(), 11);
        assert_eq!((&a).write_vectored(&[IoSlice::new(b"!")]).unwrap(), 1);
        a.leave();
        // What comes may come in parts of its own, so the first read says how far to look.
        let (mut head, mut tail) = ([0; 2], [0; 20]);
        let count = b
            .read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)])
            .unwrap();
        assert!(count > head.len(), "{count}");
        let mut text = [head.to_vec(), tail[..count - 2].to_vec()].concat();
        b.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"onetwothree!");
    }

    fn peeking_leaves_the_bytes(a, b) {
        a.write_all(b"seen").unwrap();
        let mut bytes = [0; 10];
        for _ in 0..3 {
            assert_eq!(b.peek(&mut bytes).unwrap(), 4);
            assert_eq!(&bytes[..4], b"seen");
        }
        assert_eq!(b.read(&mut bytes).unwrap(), 4);
        b.set_nonblocking(true).unwrap();
        assert_eq!(b.peek(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(b.read(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    fn a_non_blocking_stream_says_so_and_waits_again_when_told(a, b) {
        a.set_nonblocking(true).unwrap();
        assert_eq!(a.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let chunk = vec![1; 100_000];
        let mut sent = 0;
        let full = loop {
            match a.write(&chunk) {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        a.set_nonblocking(false).unwrap();
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            b.read_to_end(&mut bytes).unwrap();
            bytes.len()
        });
        a.write_all(&chunk).unwrap();
        a.leave();
        assert_eq!(reader.join().unwrap(), sent + chunk.len());
    }

    fn a_clone_is_the_same_stream(a, b) {
        let mut copy = a.try_clone().unwrap();
        a.write_all(b"x").unwrap();
        drop(a);
        copy.write_all(b"y").unwrap();
        copy.leave();
        let mut text = String::new();
        b.read_to_string(&mut text).unwrap();
        assert_eq!(text, "xy");
    }

    fn a_clone_writes_while_another_reads(a, b) {
        let mut copy = a.try_clone().unwrap();
        let reader = thread::spawn(move || {
            let mut byte = [0];
            a.read_exact(&mut byte).unwrap();
            byte[0]
        });
        copy.write_all(b"1").unwrap();
        let mut byte = [0];
        b.read_exact(&mut byte).unwrap();
        b.write_all(b"2").unwrap();
        assert_eq!((byte[0], reader.join().unwrap()), (b'1', b'2'));
    }

    fn clones_that_write_and_read_at_once_lose_nothing(a, b) {
        let (a2, b2) = (a.try_clone().unwrap(), b.try_clone().unwrap());
        let writers = [a, a2].map(|mut end| {
            thread::spawn(move || {
                for _ in 0..1_000 {
                    end.write_all(&[1; 100]).unwrap();
                }
                end
            })
        });
        let readers = [b, b2].map(|mut end| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                end.read_to_end(&mut bytes).unwrap();
                assert!(bytes.iter().all(|byte| *byte == 1));
                bytes.len()
            })
        });
        let [one, other] = writers.map(|writer| writer.join().unwrap());
        drop(one);
        other.leave();
        let counts = readers.map(|reader| reader.join().unwrap());
        assert_eq!(counts[0] + counts[1], 200_000);
    }

    fn shutting_down_ends_each_side(a, b) {
        a.shutdown(Shutdown::Write).unwrap();
        assert!(a.write(b"x").is_err());
        assert_eq!(b.read(&mut [0]).unwrap(), 0);
        b.shutdown(Shutdown::Read).unwrap();
        assert_eq!(b.read(&mut [0]).unwrap(), 0);
        b.write_all(b"x").unwrap();
        a.read_exact(&mut [0]).unwrap();
        a.shutdown(Shutdown::Read).unwrap();
        assert_eq!(a.read(&mut [0]).unwrap(), 0);
    }

    fn shutting_down_wakes_a_reader(a, b) {
        let mut reading = a.try_clone().unwrap();
        let reader = thread::spawn(move || reading.read(&mut [0]).unwrap());
        // Asleep or not yet: both must end. A byte back tells that the peer lives on.
        a.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
        a.write_all(b"x").unwrap();
        b.read_exact(&mut [0]).unwrap();
    }

    fn timeouts_are_kept_and_none_is_for_ever(a, _b) {
        let long = Duration::from_secs(15_410);
        assert_eq!((a.read_timeout().unwrap(), a.write_timeout().unwrap()), (None, None));
        a.set_read_timeout(Some(long)).unwrap();
        assert_eq!((a.read_timeout().unwrap(), a.write_timeout().unwrap()), (Some(long), None));
        a.set_write_timeout(Some(long)).unwrap();
        assert_eq!(a.write_timeout().unwrap(), Some(long));
        a.set_read_timeout(None).unwrap();
        assert_eq!((a.read_timeout().unwrap(), a.write_timeout().unwrap()), (None, Some(long)));
        a.set_write_timeout(None).unwrap();
        assert_eq!(a.write_timeout().unwrap(), None);
    }

    fn a_timeout_of_zero_is_refused_and_the_least_is_not_for_ever(a, _b) {
        for result in [
            a.set_read_timeout(Some(Duration::ZERO)),
            a.set_write_timeout(Some(Duration::ZERO)),
        ] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        a.set_read_timeout(Some(Duration::from_nanos(1))).unwrap();
        assert!(a.read_timeout().unwrap().is_some());
        assert!(is_timeout(a.read(&mut [0]).unwrap_err().kind()));
    }

    fn a_read_that_is_late_leaves_the_stream_usable(a, b) {
        a.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        for _ in 0..2 {
            assert!(is_timeout(a.read(&mut [0]).unwrap_err().kind()));
        }
        b.write_all(b"then").unwrap();
        let mut bytes = [0; 4];
        a.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"then");
        assert!(is_timeout(a.read(&mut bytes).unwrap_err().kind()));
    }

    fn a_write_that_is_late_fails(a, _b) {
        a.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
        let chunk = vec![0; 1 << 20];
        let error = loop {
            if let Err(error) = a.write(&chunk) {
                break error;
            }
        };
        assert!(is_timeout(error.kind()), "{error}");
    }

    fn there_is_no_error_to_take(a, b) {
        assert!(a.take_error().unwrap().is_none());
        assert!(b.take_error().unwrap().is_none());
    }

    fn line_by_line_through_std_adapters(a, b) {
        use std::io::{BufRead, BufReader, BufWriter};
        let mut lines = BufWriter::new(&a);
        writeln!(lines, "first").unwrap();
        writeln!(lines, "second").unwrap();
        lines.flush().unwrap();
        a.finish().unwrap();
        let read: Vec<String> = BufReader::new(&mut b).lines().map(Result::unwrap).collect();
        assert_eq!(read, ["first", "second"]);
    }
}
