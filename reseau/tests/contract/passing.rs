//! Descriptors that go along: each comes once, with its byte, or is closed; none is left over.
use crate::alone::{alone, descriptors};
use crate::on_kernels;
use crate::stage::{BLOCK, WINDOW, config, pair, pattern, poll_once, run, settle, take};
use reseau::net::{UnixDatagram, UnixSeqpacket};
use reseau::packet::Passed;
use reseau::{Config, Family, Kind, Loop, Stream, UnixStream, spawn};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream as Std;
use std::time::{Duration, Instant};

on_kernels!(
    they_come_with_their_bytes,
    reading_ahead_loses_none,
    what_is_not_asked_for_is_closed,
    dropped_calls_lose_and_double_none,
    a_full_socket_is_waited_for,
    one_full_of_what_it_has_not_queued_is_waited_for,
    a_flood_of_them_is_bounded,
    bad_ones_are_refused,
    the_first_read_of_an_accepted_stream_takes_them_too,
    buffered_readers_give_the_window_back,
    messages_bring_them_too,
    one_block_serves_streams_of_both_kinds,
);

fn null() -> File {
    File::open("/dev/null").unwrap()
}

/// A descriptor that can be told from others: what is written to it comes out here.
fn told() -> (Std, Std) {
    Std::pair().unwrap()
}

fn check(passed: Passed, bytes: &[u8], buf: &[u8], ends: &mut [&mut Std]) {
    assert_eq!(&buf[..passed.len], bytes);
    assert_eq!(passed.fds.len(), ends.len(), "with {bytes:?}");
    for (fd, end) in passed.fds.into_iter().zip(ends) {
        Std::from(fd).write_all(b"me").unwrap();
        let mut told = [0; 2];
        end.read_exact(&mut told).unwrap();
        assert_eq!(&told, b"me");
    }
}

fn they_come_with_their_bytes(kind: Kind) {
    run(kind, async {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let ((one, mut at_one), (two, mut at_two), (three, mut at_three)) =
            (told(), told(), told());
        a.send_fds(b"first", &[one.as_fd()]).await.unwrap();
        a.send("plain").await.unwrap();
        a.send_fds(b"last", &[two.as_fd(), three.as_fd()]).await.unwrap();
        drop((one, two, three));
        let mut buf = [0; 64];
        let passed = b.recv_fds(&mut buf, 8).await.unwrap();
        check(passed, b"first", &buf, &mut [&mut at_one]);
        // What came plain may come with what came before the next descriptor, but not after.
        let mut plain = Vec::new();
        let passed = loop {
            let passed = b.recv_fds(&mut buf, 8).await.unwrap();
            if passed.fds.is_empty() {
                plain.extend_from_slice(&buf[..passed.len]);
            } else {
                break passed;
            }
        };
        plain.extend_from_slice(&buf[..passed.len]);
        assert_eq!(plain, b"plainlast");
        let len = passed.len;
        check(passed, &buf[..len], &buf, &mut [&mut at_two, &mut at_three]);
        drop(a);
        assert_eq!(b.recv_fds(&mut buf, 8).await.unwrap().len, 0);
    });
}

fn reading_ahead_loses_none(kind: Kind) {
    run(kind, async {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let mut ends = Vec::new();
        for number in 0..10u8 {
            let (one, at_one) = told();
            // A header, which is read by other calls, and a descriptor behind it.
            a.send(vec![number; 3]).await.unwrap();
            a.send_fds(b"!", &[one.as_fd()]).await.unwrap();
            ends.push(at_one);
        }
        for (number, end) in ends.iter_mut().enumerate() {
            let mut header = [0; 3];
            b.read_exact(&mut header).await.unwrap();
            assert_eq!(header, [number as u8; 3]);
            settle().await; // The loop reads ahead.
            let mut buf = [0; 1];
            let passed = b.recv_fds(&mut buf, 1).await.unwrap();
            assert!(!passed.truncated);
            check(passed, b"!", &buf, &mut [end]);
        }
    });
}

fn what_is_not_asked_for_is_closed(kind: Kind) {
    alone!(kind, what_is_not_asked_for_is_closed);
    run(kind, async {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let file = null();
        let many: Vec<BorrowedFd<'_>> = (0..50).map(|_| file.as_fd()).collect();
        b.readable_soon().await;
        let before = descriptors();
        let mut buf = [0; 64];
        for round in 0..20 {
            a.send_fds(b"x", &many).await.unwrap();
            match round % 4 {
                0 => drop(b.recv().await.unwrap()),
                1 => drop(b.read_exact(&mut buf[..1]).await.unwrap()),
                2 => loop {
                    b.readable().await.unwrap();
                    match b.try_read(&mut buf) {
                        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                        Ok(count) => break assert_eq!(count, 1),
                    }
                },
                _ => {
                    let passed = b.recv_fds(&mut buf, 3).await.unwrap();
                    assert_eq!((passed.fds.len(), passed.truncated), (3, true));
                }
            }
            assert_eq!(descriptors(), before, "in round {round}");
        }
        // And what nobody takes goes with the socket.
        a.send_fds(b"x", &many).await.unwrap();
        b.peek(&mut buf).await.unwrap();
        assert!(descriptors() > before);
        drop(b);
        settle().await;
        assert_eq!(descriptors(), before - 1);
    });
}

trait Soon {
    async fn readable_soon(&self);
}

impl Soon for UnixStream {
    /// Whatever the first wait makes is made.
    async fn readable_soon(&self) {
        assert!(poll_once(self.readable()).await.is_none());
        settle().await;
    }
}

fn dropped_calls_lose_and_double_none(kind: Kind) {
    alone!(kind, dropped_calls_lose_and_double_none);
    run(kind, async {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        b.readable_soon().await;
        let before = descriptors();
        let mut buf = [0; 64];
        for _ in 0..50 {
            let (one, mut at_one) = told();
            assert!(poll_once(b.recv_fds(&mut buf, 4)).await.is_none());
            a.send_fds(b"here", &[one.as_fd()]).await.unwrap();
            drop(one);
            let passed = match poll_once(b.recv_fds(&mut buf, 4)).await {
                Some(passed) => passed,
                None => b.recv_fds(&mut buf, 4).await,
            };
            check(passed.unwrap(), b"here", &buf, &mut [&mut at_one]);
        }
        assert_eq!(descriptors(), before);
    });
}

fn a_full_socket_is_waited_for(kind: Kind) {
    alone!(kind, a_full_socket_is_waited_for);
    run(kind, async {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let total = 3 << 20;
        let (one, mut at_one) = told();
        let sender = spawn(async move {
            for part in pattern(total).chunks(50_000) {
                a.send(part.to_vec()).await.unwrap();
            }
            // Given up while it waits: it has sent nothing.
            for _ in 0..3 {
                assert!(poll_once(a.send_fds(b"never", &[one.as_fd()])).await.is_none());
            }
            assert_eq!(a.send_fds(b"at last", &[one.as_fd()]).await.unwrap(), 7);
            a.close().await.unwrap();
        });
        settle().await;
        let mut got = Vec::new();
        while got.len() < total {
            got.extend_from_slice(&b.recv_some(total - got.len()).await);
        }
        assert!(got == pattern(total));
        let mut buf = [0; 64];
        let passed = b.recv_fds(&mut buf, 4).await.unwrap();
        check(passed, b"at last", &buf, &mut [&mut at_one]);
        assert_eq!(b.recv_fds(&mut buf, 4).await.unwrap().len, 0);
        sender.await.unwrap();
    });
}

/// There is nothing to flush, and no room either.
fn one_full_of_what_it_has_not_queued_is_waited_for(kind: Kind) {
    run(kind, async {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let (mut sent, mut waited) = (0, 0);
        while waited < 3 {
            match poll_once(a.send_fds(&[7; 4096], &[])).await {
                Some(count) => sent += count.unwrap(),
                None => {
                    waited += 1;
                    settle().await;
                }
            }
        }
        a.set_deadlines(None, Some(Instant::now() + Duration::from_millis(10)));
        let late = a.send_fds(b"late", &[]).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        a.set_deadlines(None, None);
        let sender = spawn(async move { a.send_fds(b"at last", &[]).await.unwrap() });
        settle().await;
        let mut got = Vec::new();
        while got.len() < sent + 7 {
            got.extend(b.recv_some(10_000).await);
        }
        assert_eq!(got[sent..], *b"at last");
        assert_eq!(sender.await.unwrap(), 7);
    });
}

trait Some_ {
    async fn recv_some(&mut self, most: usize) -> Vec<u8>;
}

impl Some_ for UnixStream {
    async fn recv_some(&mut self, most: usize) -> Vec<u8> {
        let mut part = vec![0; most.min(10_000)];
        let passed = self.recv_fds(&mut part, 0).await.unwrap();
        part.truncate(passed.len);
        part
    }
}

fn a_flood_of_them_is_bounded(kind: Kind) {
    alone!(kind, a_flood_of_them_is_bounded);
    let lp = Loop::with(&config(kind)).unwrap();
    lp.block_on(async {
        let (mut a, b) = UnixStream::pair().unwrap();
        b.readable_soon().await;
        let file = null();
        let many: Vec<BorrowedFd<'_>> = (0..20).map(|_| file.as_fd()).collect();
        let before = descriptors();
        b.peek(&mut [0])
            .await_or(async {
                for _ in 0..200 {
                    if reseau::timeout(
                        std::time::Duration::from_millis(20),
                        a.send_fds(b"x", &many),
                    )
                    .await
                    .is_err()
                    {
                        break;
                    }
                    drop(poll_once(b.peek(&mut [0; 4000])).await);
                }
            })
            .await;
        settle().await;
        let held = descriptors() - before;
        // A descriptor counts 1 KiB of the window; a burst may go over it.
        assert!(held <= WINDOW / 1024 + 4 * 20 + 8, "{held} descriptors are held");
    });
}

trait AwaitOr: Future + Sized {
    /// This is started, and then the other awaited.
    async fn await_or(self, other: impl Future<Output = ()>) {
        let mut this = std::pin::pin!(self);
        drop(poll_once(this.as_mut()).await);
        other.await;
    }
}

impl<F: Future> AwaitOr for F {}

fn bad_ones_are_refused(kind: Kind) {
    run(kind, async {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let file = null();
        let error = a.send_fds(b"", &[file.as_fd()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let many: Vec<BorrowedFd<'_>> = (0..254).map(|_| file.as_fd()).collect();
        let error = a.send_fds(b"x", &many).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("254"), "{error}");
        a.send_fds(b"x", &many[..253]).await.unwrap();
        assert_eq!(b.recv_fds(&mut [0; 4], 300).await.unwrap().fds.len(), 253);
        a.set_deadlines(None, Some(reseau::clock::now()));
        let late = a.send_fds(b"x", &many[..1]).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        drop(b);
        settle().await;
        a.set_deadlines(None, None);
        let gone = a.send_fds(b"x", &many[..1]).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::BrokenPipe);
    });
}

fn the_first_read_of_an_accepted_stream_takes_them_too(kind: Kind) {
    run(kind, async {
        let name = format!("reseau-passing-{}-{kind}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = reseau::UnixListener::bind(&path).unwrap();
        for by_trial in [false, true] {
            let mut client = UnixStream::connect(&path).await.unwrap();
            let (one, mut at_one) = told();
            client.send_fds(b"first", &[one.as_fd()]).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            if by_trial {
                drop(server.try_read(&mut []));
                server.peek(&mut [0]).await.unwrap();
            }
            let mut buf = [0; 8];
            let passed = server.recv_fds(&mut buf, 8).await.unwrap();
            check(passed, b"first", &buf, &mut [&mut at_one]);
        }
        std::fs::remove_file(&path).unwrap();
    });
}

fn buffered_readers_give_the_window_back(kind: Kind) {
    use futures_lite::{AsyncBufRead, AsyncBufReadExt};
    run(kind, async {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let file = null();
        let many: Vec<BorrowedFd<'_>> = (0..50).map(|_| file.as_fd()).collect();
        for round in 0..20u8 {
            a.send_fds(&[round; 5], &many).await.unwrap();
            let mut taken = 0;
            while taken < 5 {
                let count = b.fill_buf().await.unwrap().len();
                AsyncBufRead::consume(std::pin::Pin::new(&mut b), count);
                taken += count;
            }
            assert_eq!(b.queued(), 0, "in round {round}");
        }
    });
}

fn messages_bring_them_too(kind: Kind) {
    run(kind, async {
        let mut buf = [0; 64];
        let (a, b) = UnixDatagram::pair().unwrap();
        let (one, mut at_one) = told();
        assert!(poll_once(b.recv_fds(&mut buf, 1)).await.is_none());
        a.send_fds(b"", &[one.as_fd()]).await.unwrap();
        check(b.recv_fds(&mut buf, 1).await.unwrap(), b"", &buf, &mut [&mut at_one]);
        a.send_fds(b"two", &[one.as_fd(), one.as_fd()]).await.unwrap();
        let passed = b.recv_fds(&mut buf, 1).await.unwrap();
        assert!(passed.truncated);
        check(passed, b"two", &buf, &mut [&mut at_one]);
        if cfg!(target_os = "linux") {
            let (a, b) = UnixSeqpacket::pair().unwrap();
            a.send_fds(b"record", &[one.as_fd()]).await.unwrap();
            a.send(b"another").await.unwrap();
            check(b.recv_fds(&mut buf, 9).await.unwrap(), b"record", &buf, &mut [&mut at_one]);
            check(b.recv_fds(&mut buf, 9).await.unwrap(), b"another", &buf, &mut []);
            drop(a);
            assert_eq!(b.recv_fds(&mut buf, 9).await.unwrap().len, 0);
        }
    });
}

/// Those that may bring descriptors and those that may not take turns with it.
fn one_block_serves_streams_of_both_kinds(kind: Kind) {
    async fn echo(stream: &mut Stream<impl Family>) {
        while let Some(chunk) = stream.recv().await.unwrap() {
            stream.send(chunk).await.unwrap();
        }
    }
    let lp = Loop::with(&Config { blocks_max: 1, ..config(kind) }).unwrap();
    lp.block_on(async {
        let (mut tcp, mut tcp_end) = pair().await;
        let (mut unix, mut unix_end) = UnixStream::pair().unwrap();
        let echoes = [
            spawn(async move { echo(&mut tcp_end).await }),
            spawn(async move { echo(&mut unix_end).await }),
        ];
        for len in [4 * BLOCK, 10, BLOCK] {
            unix.send(pattern(len)).await.unwrap();
            tcp.send(pattern(len)).await.unwrap();
            assert!(take(&mut unix, len).await == pattern(len));
            assert!(take(&mut tcp, len).await == pattern(len));
        }
        drop((unix, tcp));
        for echo in echoes {
            echo.await.unwrap();
        }
    });
}
