//! Random interleavings of what two tasks do with the halves of a stream, futures that are dropped
//! half-way among it: the bytes arrive, all of them, once, and in order.
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use reseau::tls::{OwnedReadHalf, OwnedWriteHalf};
use reseau::{Inet, Kind, Loop};

use crate::backends::{config, pair_of, poll_once};
use crate::stage::{pattern, sides, watched};

/// What a writer does next, with so many bytes.
#[derive(Clone, Copy, Debug)]
enum Say {
    Send(usize),
    /// Asks once, and drops the future.
    SendOnce(usize),
    Try(usize),
    TryParts(usize, usize),
    Flush,
    Writable,
    Sleep,
}

/// What a reader does next, with room for so many bytes.
#[derive(Clone, Copy, Debug)]
enum Hear {
    Recv,
    RecvOnce,
    Exact(usize),
    /// Asks once, and drops the future.
    ExactOnce(usize),
    Try(usize),
    Peek(usize),
    ReadableOnce,
    Sleep,
}

fn says() -> impl Strategy<Value = Vec<Say>> {
    let size = || prop_oneof![0..40_usize, 1..6_000_usize, 1..40_000_usize];
    let say = prop_oneof![
        size().prop_map(Say::Send),
        size().prop_map(Say::SendOnce),
        size().prop_map(Say::Try),
        (size(), size()).prop_map(|(one, two)| Say::TryParts(one, two)),
        Just(Say::Flush),
        Just(Say::Writable),
        Just(Say::Sleep),
    ];
    prop::collection::vec(say, 1..25)
}

fn hears() -> impl Strategy<Value = Vec<Hear>> {
    let size = || prop_oneof![0..40_usize, 1..4_000_usize, 1..16_000_usize];
    let hear = prop_oneof![
        Just(Hear::Recv),
        Just(Hear::RecvOnce),
        size().prop_map(Hear::Exact),
        (0..16_000_usize).prop_map(Hear::ExactOnce),
        size().prop_map(Hear::Try),
        size().prop_map(Hear::Peek),
        Just(Hear::ReadableOnce),
        Just(Hear::Sleep),
    ];
    prop::collection::vec(hear, 1..25)
}

async fn a_moment() {
    reseau::sleep(Duration::from_micros(50)).await;
}

/// `None` where there was no room.
fn there<T>(result: io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

/// Says a part of the text, and how much that was; its half says the end when it is dropped.
async fn speak(mut half: OwnedWriteHalf<Inet>, text: Vec<u8>, script: Vec<Say>) -> usize {
    let mut said = 0;
    for say in script {
        let part = |size: usize| &text[said..text.len().min(said + size)];
        said += match say {
            Say::Send(size) => {
                let part = part(size).to_vec();
                let count = part.len();
                half.send(part).await.unwrap();
                count
            }
            Say::SendOnce(size) => {
                let part = part(size).to_vec();
                let count = part.len();
                poll_once(half.send(part)).await.map_or(0, |sent| {
                    sent.unwrap();
                    count
                })
            }
            Say::Try(size) => there(half.try_write(part(size))).unwrap_or(0),
            Say::TryParts(one, two) => {
                let (one, two) = part(one + two).split_at(part(one + two).len().min(one));
                there(half.try_write_vectored(&[IoSlice::new(one), IoSlice::new(two)])).unwrap_or(0)
            }
            Say::Flush => {
                half.flush().await.unwrap();
                0
            }
            Say::Writable => {
                half.writable().await.unwrap();
                0
            }
            Say::Sleep => {
                a_moment().await;
                0
            }
        };
    }
    said
}

/// What was heard, to its end.
async fn listen(mut half: OwnedReadHalf<Inet>, text: Vec<u8>, script: Vec<Hear>) -> Vec<u8> {
    let mut got = Vec::new();
    let mut space = vec![0; 20_000];
    for hear in script {
        match hear {
            Hear::Recv => match half.recv().await.unwrap() {
                Some(chunk) => got.extend_from_slice(&chunk),
                None => break,
            },
            Hear::RecvOnce => match poll_once(half.recv()).await.map(Result::unwrap) {
                Some(Some(chunk)) => got.extend_from_slice(&chunk),
                Some(None) => break,
                None => {}
            },
            Hear::Exact(size) => match half.read_exact(&mut space[..size]).await {
                Ok(count) => got.extend_from_slice(&space[..count]),
                // All within the bound is left for the next.
                Err(error) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}"),
            },
            Hear::ExactOnce(size) => match poll_once(half.read_exact(&mut space[..size])).await {
                Some(Ok(count)) => got.extend_from_slice(&space[..count]),
                Some(Err(error)) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}"),
                None => {}
            },
            Hear::Try(size) => {
                let count = there(half.try_read(&mut space[..size])).unwrap_or(0);
                got.extend_from_slice(&space[..count]);
            }
            Hear::Peek(size) => {
                let count = half.peek(&mut space[..size]).await.unwrap();
                assert!(space[..count] == text[got.len()..got.len() + count], "a look is a look");
            }
            Hear::ReadableOnce => {
                if poll_once(half.readable()).await.is_some() {
                    there(half.try_read(&mut [])).expect("what is readable is there");
                }
            }
            Hear::Sleep => a_moment().await,
        }
    }
    while let Some(chunk) = half.recv().await.unwrap() {
        got.extend_from_slice(&chunk);
    }
    got
}

/// Spawned on the loop, or with another executor, which has a thread of its own.
fn start<T: Send + 'static>(
    elsewhere: bool,
    work: impl Future<Output = T> + Send + 'static,
) -> Pin<Box<dyn Future<Output = T>>> {
    if elsewhere {
        return Box::pin(smol::spawn(work));
    }
    let task = reseau::spawn(work);
    Box::pin(async { task.await.unwrap() })
}

fn hold(kind: Kind, cases: u32, elsewhere: bool) {
    watched(move || {
        let home = match Loop::with(&config(kind)) {
            Ok(home) => home,
            Err(error) if kind == Kind::Uring => return eprintln!("skipped: {error}"),
            Err(error) => panic!("{kind} must work here: {error}"),
        };
        let (client, server) = sides();
        let text = pattern(1 << 20);
        let cases = Cases { cases, failure_persistence: None, ..Cases::default() };
        let scripts = (says(), hears(), says(), hears());
        let held = TestRunner::new(cases).run(&scripts, |(say, hear, reply, listens)| {
            home.block_on(async {
                let (a, b) = pair_of(&client, &server).await;
                let ((ra, wa), (rb, wb)) = (a.into_split(), b.into_split());
                let said = start(false, speak(wa, text.clone(), say));
                let replied = start(elsewhere, speak(wb, text.clone(), reply));
                let heard = start(elsewhere, listen(rb, text.clone(), hear));
                let listened = start(false, listen(ra, text.clone(), listens));
                let heard = heard.await;
                let listened = listened.await;
                assert!(heard == text[..said.await], "not what was said");
                assert!(listened == text[..replied.await], "not what was replied");
            });
            Ok(())
        });
        held.unwrap_or_else(|why| panic!("{why}"));
    });
}

#[test]
fn bytes_arrive_once_and_in_order_uring() {
    hold(Kind::Uring, 12, false);
}

#[test]
fn bytes_arrive_once_and_in_order_ready() {
    hold(Kind::Ready, 12, false);
}

#[test]
fn bytes_arrive_once_and_in_order_sim() {
    hold(Kind::Sim, 24, false);
}

#[test]
fn bytes_arrive_once_and_in_order_from_two_threads() {
    hold(Kind::Ready, 12, true);
    hold(Kind::Uring, 12, true);
}
