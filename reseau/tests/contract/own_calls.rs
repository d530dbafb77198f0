//! Calls of the caller's own on the descriptor of a stream: in order with what is written here, and
//! never past what was received ahead.
use super::on_kernels;
use super::stage::{on, pair, pattern, poll_once, run, settle};
use crate::alone::{alone, descriptors};
use futures_lite::future::zip;
use reseau::net::Interest;
use reseau::{Kind, TcpStream, clock, spawn};
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

on_kernels!(
    a_call_waits_until_there_is_something,
    a_call_follows_what_was_written,
    a_call_waits_until_there_is_room,
    what_may_have_come_ahead_is_not_read_past,
    a_call_is_late_as_other_calls_are,
    a_call_that_is_dropped_leaves_nothing,
);

fn a_call_waits_until_there_is_something(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let mut calls = 0;
        let mut first = [0; 2];
        let read = || {
            calls += 1;
            raw_read(&server, &mut first)
        };
        let call = server.async_io(Interest::READABLE, read);
        let answer = async {
            settle().await;
            client.send("hello").await
        };
        let (read, sent) = zip(call, answer).await;
        sent.unwrap();
        assert_eq!((read.unwrap(), &first), (2, b"he"));
        assert!((2..100).contains(&calls), "it waited, and not by asking: {calls}");
        // Whatever reads here goes on behind it.
        assert_eq!(&*server.recv().await.unwrap().unwrap(), b"llo");
    });
}

fn a_call_follows_what_was_written(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let bytes = pattern(16 << 20);
        let expected = bytes.len() + 4;
        let reading = spawn(async move {
            let mut all = vec![0; expected];
            server.read_exact(&mut all).await.unwrap();
            all
        });
        client.send(bytes.clone()).await.unwrap();
        assert_ne!(client.unsent(), 0);
        let last = || raw_write(&client, b"last");
        assert_eq!(client.async_io(Interest::WRITABLE, last).await.unwrap(), 4);
        let all = reading.await.unwrap();
        assert!(all.starts_with(&bytes) && all.ends_with(b"last"));
    });
}

fn a_call_waits_until_there_is_room(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let page = [7; 1 << 16];
        let mut sent = 0;
        while let Ok(count) = raw_write(&client, &page) {
            sent += count;
        }
        let reading = spawn(async move {
            let mut count = 0;
            while let Some(chunk) = server.recv().await.unwrap() {
                count += chunk.len();
            }
            count
        });
        let both = Interest::WRITABLE.add(Interest::READABLE);
        sent += client.async_io(both, || raw_write(&client, &page)).await.unwrap();
        client.close().await.unwrap();
        assert_eq!(reading.await.unwrap(), sent);
    });
}

fn what_may_have_come_ahead_is_not_read_past(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        assert!(poll_once(server.recv()).await.is_none());
        for _ in 0..2 {
            let never = || -> io::Result<()> { panic!("it would read past what was received") };
            let error = server.async_io(Interest::READABLE, never).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Other);
            assert!(error.to_string().contains("received ahead"), "{error}");
            client.send("hello").await.unwrap();
            settle().await;
        }
        assert_eq!(raw_write(&server, b"!").unwrap(), 1);
        let written = server.async_io(Interest::WRITABLE, || raw_write(&server, b"!")).await;
        assert_eq!(written.unwrap(), 1, "writing is another matter");
        let mut all = [0; 10];
        server.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"hellohello");
    });
}

fn a_call_is_late_as_other_calls_are(kind: Kind) {
    run(kind, async {
        let (_client, server) = pair().await;
        let start = clock::now();
        let limit = Duration::from_millis(10);
        server.set_deadlines(Some(start + limit), None);
        let read = || raw_read(&server, &mut [0; 4]);
        let error = server.async_io(Interest::READABLE, read).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(clock::now() - start >= limit, "not before");
    });
}

fn a_call_that_is_dropped_leaves_nothing(kind: Kind) {
    alone!(kind, a_call_that_is_dropped_leaves_nothing);
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let before = descriptors();
        for _ in 0..3 {
            let call = server.async_io(Interest::READABLE, || raw_read(&server, &mut [0; 4]));
            assert!(poll_once(call).await.is_none());
        }
        client.send("hello").await.unwrap();
        assert_eq!(&*server.recv().await.unwrap().unwrap(), b"hello");
        settle().await;
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn a_simulated_stream_has_no_descriptor_to_call_on() {
    on(Kind::Sim, "a_simulated_stream_has_no_descriptor_to_call_on", |kind| {
        run(kind, async {
            let (_client, server) = pair().await;
            let never = || -> io::Result<()> { panic!("on what?") };
            let error = server.async_io(Interest::READABLE, never).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
        });
    });
}

fn raw_read(stream: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    (&*socket2::SockRef::from(stream)).read(buf)
}

fn raw_write(stream: &TcpStream, buf: &[u8]) -> io::Result<usize> {
    (&*socket2::SockRef::from(stream)).write(buf)
}
