//! That `tls::TlsStream` has what `Stream` has, and that it means the same there.
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::time::Duration;

use reseau::net::{Interest, Ready};
use reseau::tls::{Broken, TlsStream};
use reseau::{Any, Inet, Unix};

use crate::backends::{on_each, pair, pair_of, poll_once, tcp_pair};
use crate::stage::{pattern, sides, watched};

/// Long enough for something that is under way, and nothing hangs on it.
async fn a_while() {
    reseau::sleep(Duration::from_millis(1)).await;
}

on_each! {
    async fn a_look_takes_nothing() {
        let (mut a, mut b) = pair().await;
        assert_eq!(b.peek(&mut []).await.unwrap(), 0);
        a.send("hello").await.unwrap();
        let mut seen = [0; 16];
        assert_eq!(b.peek(&mut seen).await.unwrap(), 5);
        assert_eq!((b.peek(&mut seen[..3]).await.unwrap(), &seen[..5]), (3, &b"hello"[..]));
        a.send(" world").await.unwrap();
        // Looking again sees more, once more has come.
        while b.peek(&mut seen).await.unwrap() < 11 {
            a_while().await;
        }
        assert_eq!((&seen[..11], b.queued()), (&b"hello world"[..], 11));
        let mut all = [0; 11];
        b.read_exact(&mut all).await.unwrap();
        assert_eq!((&all, b.queued()), (b"hello world", 0));
        a.finish().await.unwrap();
        assert_eq!(b.peek(&mut seen).await.unwrap(), 0);
    }

    async fn readable_means_plaintext() {
        let (client, server) = sides();
        for tickets in [true, false] {
            let (mut a, mut b) = pair_of(&client, &server.clone().tickets(tickets)).await;
            for _ in 0..5 {
                assert!(poll_once(a.readable()).await.is_none(), "tickets are nothing to read");
                assert_eq!(a.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
                a_while().await;
            }
            b.send("now").await.unwrap();
            // Any number may wait.
            futures_lite::future::zip(a.readable(), a.readable()).await.0.unwrap();
            assert_eq!(a.queued(), 3);
            assert_eq!(a.try_read(&mut [0; 2]).unwrap(), 2);
            assert_eq!(a.try_read(&mut [0; 2]).unwrap(), 1);
            assert_eq!(a.try_read(&mut [0; 2]).unwrap_err().kind(), ErrorKind::WouldBlock);
            b.finish().await.unwrap();
            a.readable().await.unwrap();
            assert_eq!(a.try_read(&mut [0; 2]).unwrap(), 0);
            assert!(a.recv().await.unwrap().is_none());
        }
    }

    async fn what_is_written_without_waiting_arrives() {
        let (a, mut b) = pair().await;
        let text = pattern(200_000);
        let sent = text.clone();
        let writing = reseau::spawn(async move {
            let mut left = &sent[..];
            while !left.is_empty() {
                let (first, second) = left.split_at(left.len().min(100));
                let parts = [IoSlice::new(first), IoSlice::new(&[]), IoSlice::new(second)];
                match a.try_write_vectored(&parts) {
                    Ok(count) => left = &left[count..],
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                        a.writable().await.unwrap();
                    }
                }
            }
            assert_eq!(a.try_write(b"").unwrap(), 0);
            a
        });
        let mut got = Vec::new();
        while got.len() < text.len() {
            let (mut one, mut two) = ([0; 70], [0; 3000]);
            let parts = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
            match b.try_read_vectored(parts) {
                Ok(count) => {
                    got.extend_from_slice(&one[..count.min(70)]);
                    got.extend_from_slice(&two[..count.saturating_sub(70)]);
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                    b.readable().await.unwrap();
                }
            }
        }
        assert!(got == text);
        writing.await.unwrap().close().await.unwrap();
        assert!(b.recv().await.unwrap().is_none());
    }

    async fn halves_are_lent_and_given_back() {
        let (mut a, mut b) = pair().await;
        {
            let (read, mut write) = a.split();
            write.send("to").await.unwrap();
            assert_eq!(&*b.recv().await.unwrap().unwrap(), b"to");
            b.send("and fro").await.unwrap();
            assert_eq!(read.peek(&mut [0; 9]).await.unwrap(), 7);
            write.flush().await.unwrap();
        }
        // What a half has looked at is still there for the stream.
        assert_eq!(a.queued(), 7);
        let (read, write) = a.into_split();
        let (other, unrelated) = b.into_split();
        let told = read.reunite(unrelated).unwrap_err();
        assert_eq!(told.to_string(), "these halves are not of one stream");
        let mut b = other.reunite(told.1).unwrap();
        let mut a = write.reunite(told.0).unwrap();
        let mut got = [0; 7];
        a.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"and fro");
        // A half that is forgotten says nothing; one that is dropped says that it was all.
        let (mut read, write) = a.into_split();
        write.forget();
        b.send("still").await.unwrap();
        assert_eq!(&*read.recv().await.unwrap().unwrap(), b"still");
        assert!(poll_once(b.recv()).await.is_none());
        let (mut other, write) = b.into_split();
        drop(write);
        assert!(read.recv().await.unwrap().is_none());
        drop(read);
        let cut = other.recv().await.unwrap_err();
        assert!(Broken::of(&cut).is_some_and(Broken::is_truncation), "{cut}");
    }

    async fn readiness_tells_ends() {
        let (mut a, mut b) = pair().await;
        let both = Interest::READABLE | Interest::WRITABLE;
        assert_eq!(a.ready(both).await.unwrap(), Ready::WRITABLE);
        b.send("x").await.unwrap();
        assert_eq!(a.ready(Interest::READABLE).await.unwrap(), Ready::READABLE);
        b.finish().await.unwrap();
        a.recv().await.unwrap();
        let ended = a.ready(Interest::READABLE).await.unwrap();
        assert_eq!(ended, Ready::READABLE | Ready::READ_CLOSED);
        a.finish().await.unwrap();
        let (read, write) = a.into_split();
        let over = write.ready(Interest::WRITABLE).await.unwrap();
        assert_eq!(over, Ready::WRITABLE | Ready::WRITE_CLOSED);
        assert!(read.ready(both).await.unwrap().is_read_closed());
    }

    async fn windows_hold_both_sides_back() {
        let (mut a, mut b) = pair().await;
        b.set_recv_window(1 << 10);
        a.set_send_window(1 << 10);
        // Nobody reads: there is an end to it.
        let mut sent = 0;
        while poll_once(a.send(vec![7; 1 << 14])).await.is_some_and(|end| end.is_ok()) {
            sent += 1 << 14;
            a_while().await;
        }
        assert!(a.unsent() >= 1 << 10);
        assert_eq!(a.try_write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
        a.set_window(1 << 20);
        assert_eq!(a.try_write(&vec![7; 1 << 18]).unwrap(), 1 << 16);
        sent += 1 << 16;
        b.set_window(1 << 20);
        let mut all = vec![0; sent];
        b.read_exact(&mut all).await.unwrap();
        assert!(all.iter().all(|byte| *byte == 7) && b.queued() == 0);
        a.flush().await.unwrap();
        assert_eq!(a.unsent(), 0);
    }

    async fn a_write_takes_what_there_is_room_for() {
        let (mut a, mut b) = pair().await;
        let reading = reseau::spawn(async move { while b.recv().await.unwrap().is_some() {} });
        let (text, half) = (pattern(200_000), pattern(10_000));
        let parts = [IoSlice::new(&half), IoSlice::new(&half), IoSlice::new(&text)];
        // A record at least, and four at most.
        for (window, most, pieces) in [
            (1, 1 << 14, 10_000),
            (1 << 10, 1 << 14, 10_000),
            (20_001, 20_001, 20_000),
            (60_000, 60_000, 20_000),
            (1 << 20, 1 << 16, 20_000),
        ] {
            a.set_send_window(window);
            assert_eq!(a.try_write(&text).unwrap(), most, "{window}");
            a.flush().await.unwrap();
            assert_eq!(a.try_write_vectored(&parts).unwrap(), pieces, "{window}");
            a.flush().await.unwrap();
        }
        a.finish().await.unwrap();
        reading.await.unwrap();
    }

    async fn who_closes_gracefully_loses_nothing() {
        let (mut a, mut b) = pair().await;
        a.send(vec![1; 3000]).await.unwrap();
        b.send("go away").await.unwrap();
        let soon = reseau::clock::now() + Duration::from_secs(30);
        let closing = reseau::spawn(b.close_gracefully(soon));
        assert_eq!(&*a.recv().await.unwrap().unwrap(), b"go away");
        assert!(a.recv().await.unwrap().is_none());
        a.close().await.unwrap();
        closing.await.unwrap().unwrap();
        // Who does not end is late; who ends without a word is a cut.
        let (a, b) = pair().await;
        let soon = reseau::clock::now() + Duration::from_millis(5);
        let late = b.close_gracefully(soon).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        drop(a);
    }

    async fn who_aborts_says_nothing() {
        let (a, mut b) = pair().await;
        a.abort().unwrap();
        let told = b.recv().await.unwrap_err();
        // (Wine loses resets.)
        let known = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof];
        assert!(known.contains(&told.kind()), "{told}");
        assert_eq!(b.recv().await.unwrap_err().kind(), told.kind());
    }

    async fn a_family_is_forgotten_and_found_again() {
        let (a, mut b) = pair().await;
        let a = TlsStream::<Any>::from(a);
        let a = TlsStream::<Unix>::try_from(a).unwrap_err();
        let mut a = TlsStream::<Inet>::try_from(a).unwrap();
        assert_eq!(a.peer_addr().unwrap(), b.local_addr().unwrap());
        a.send("there").await.unwrap();
        assert_eq!(&*b.recv().await.unwrap().unwrap(), b"there");
        assert!(a.take_error().unwrap().is_none());
    }

    async fn a_deadline_is_for_what_is_there_too() {
        let (mut a, mut b) = pair().await;
        a.send("early").await.unwrap();
        b.readable().await.unwrap();
        b.set_deadlines(Some(reseau::clock::now()), None);
        assert_eq!(b.recv().await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(b.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(b.read_exact(&mut [0]).await.unwrap_err().kind(), ErrorKind::TimedOut);
        b.set_deadlines(None, Some(reseau::clock::now()));
        assert_eq!(&*b.recv().await.unwrap().unwrap(), b"early");
        assert_eq!(b.send("late").await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(b.try_write(b"late").unwrap_err().kind(), ErrorKind::TimedOut);
        b.set_deadlines(None, None);
        b.send("in time").await.unwrap();
        assert_eq!(&*a.recv().await.unwrap().unwrap(), b"in time");
    }

    async fn more_than_the_window_is_read_as_it_comes() {
        let (mut a, mut b) = pair().await;
        let text = pattern(150_000);
        let sent = text.clone();
        let sending = reseau::spawn(async move {
            a.send(sent).await.unwrap();
            a
        });
        let mut got = vec![0; 100_000];
        assert_eq!(b.read_exact(&mut got).await.unwrap(), got.len());
        let mut rest = vec![0; 50_001];
        drop(sending.await.unwrap());
        let short = b.read_exact(&mut rest[50_000 - 10_000..]).await;
        assert_eq!(short.unwrap(), 10_001);
        got.extend_from_slice(&rest[40_000..]);
        let short = b.read_exact(&mut rest[..40_000]).await.unwrap_err();
        assert_eq!(short.kind(), ErrorKind::UnexpectedEof);
        assert!(got[..110_001] == text[..110_001]);
    }
}

#[test]
fn options_are_those_of_the_socket() {
    watched(|| {
        reseau::block_on(async {
            use reseau::opt;
            let (a, _b) = pair().await;
            a.set_nodelay(true).unwrap();
            assert!(a.nodelay().unwrap());
            assert_eq!(a.get::<opt::Nodelay>().unwrap(), opt::Nodelay(true));
            a.set_ttl(33).unwrap();
            assert_eq!(a.ttl().unwrap(), 33);
            a.set_zero_linger().unwrap();
            assert_eq!(a.linger().unwrap(), Some(Duration::ZERO));
        });
    });
}

#[test]
fn any_stream_is_seen_through() {
    watched(|| {
        reseau::block_on(async {
            let (a, _b) = pair().await;
            let shown = format!("{a:?}");
            assert!(shown.starts_with("TlsStream(") && shown.contains("127.0.0.1"), "{shown}");
            let (read, write) = a.into_split();
            assert!(format!("{read:?} {write:?}").contains("OwnedWriteHalf("));
        });
    });
}

#[cfg(feature = "futures-io")]
#[test]
fn halves_have_the_traits_of_futures() {
    use futures_lite::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt};
    watched(|| {
        smol::block_on(async {
            let (client, server) = sides();
            let (a, b) = tcp_pair().await;
            let accept = async { b.start_tls(&server).await.unwrap() };
            let connect = async { a.start_tls(client.to("localhost")).await.unwrap() };
            let (mut a, mut b) = futures_lite::future::zip(connect, accept).await;
            // (Else it would be that of `AsyncBufReadExt`.)
            let (mut read, mut write) = TlsStream::split(&mut a);
            write.write_all(b"one\ntwo\nth").await.unwrap();
            AsyncWriteExt::flush(&mut write).await.unwrap();
            let parts = [IoSlice::new(b"ree"), IoSlice::new(b"\nfour")];
            assert_eq!(write.write_vectored(&parts).await.unwrap(), 8);
            AsyncWriteExt::close(&mut write).await.unwrap();
            let lines: Vec<String> = (&mut b).lines().map(|line| line.unwrap()).collect().await;
            assert_eq!(lines, ["one", "two", "three", "four"]);
            b.write_all(b"all of it").await.unwrap();
            b.close().await.unwrap();
            let mut rest = Vec::new();
            read.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"all of it");
        });
    });
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn halves_have_the_traits_of_tokio() {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    let work = async {
        let (client, server) = sides();
        let (a, b) = tcp_pair().await;
        let accept = async { b.start_tls(&server).await.unwrap() };
        let connect = async { a.start_tls(client.to("localhost")).await.unwrap() };
        let (a, b) = futures_lite::future::zip(connect, accept).await;
        assert!(a.is_write_vectored());
        let (mut read, mut write) = a.into_split();
        let (mut other, mut back) = b.into_split();
        write.write_all(b"one\ntwo\nth").await.unwrap();
        let parts = [IoSlice::new(b"ree"), IoSlice::new(b"\n")];
        assert_eq!(write.write_vectored(&parts).await.unwrap(), 4);
        write.shutdown().await.unwrap();
        let mut line = String::new();
        assert_eq!(other.read_line(&mut line).await.unwrap(), 4);
        let mut rest = Vec::new();
        other.read_to_end(&mut rest).await.unwrap();
        assert_eq!((&*line, &*rest), ("one\n", &b"two\nthree\n"[..]));
        back.write_all(&[5; 40_000]).await.unwrap();
        back.shutdown().await.unwrap();
        let mut all = bytes::BytesMut::new();
        while read.read_buf(&mut all).await.unwrap() > 0 {}
        assert_eq!(all.len(), 40_000);
    };
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("it hangs");
}
