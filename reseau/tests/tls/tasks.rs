//! `tls::TlsStream`, on every backend and under a foreign executor.
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use reseau::tls::{Broken, Side};

use crate::backends::{on_each, pair, pair_of, poll_once, tcp_pair};
use crate::stage::{pattern, sides, watched};

on_each! {
    async fn both_directions_flow_at_once() {
        let (a, b) = pair().await;
        let mut tasks = Vec::new();
        for stream in [a, b] {
            let (mut read, mut write) = stream.into_split();
            tasks.push(reseau::spawn(async move {
                for piece in pattern(300_000).chunks(7_001) {
                    write.send(piece.to_vec()).await.unwrap();
                }
                drop(write); // Says the end.
            }));
            tasks.push(reseau::spawn(async move {
                let mut got = Vec::new();
                while let Some(chunk) = read.recv().await.unwrap() {
                    got.extend_from_slice(&chunk);
                }
                assert!(got == pattern(300_000));
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    }

    async fn an_end_is_told_from_a_cut() {
        for finishes in [true, false] {
            let (client, server) = sides();
            let (mut a, mut b) = pair_of(&client, &server.tickets(false)).await;
            a.send("all there is").await.unwrap();
            if finishes {
                a.finish().await.unwrap();
            }
            drop(a);
            assert_eq!(&*b.recv().await.unwrap().unwrap(), b"all there is");
            for _ in 0..2 {
                match b.recv().await {
                    Ok(end) => assert!(finishes && end.is_none()),
                    Err(error) => {
                        assert!(!finishes && error.kind() == ErrorKind::UnexpectedEof, "{error}");
                        assert!(Broken::of(&error).is_some_and(Broken::is_truncation));
                    }
                }
            }
        }
    }

    async fn a_finished_side_still_receives() {
        let (mut a, mut b) = pair().await;
        a.finish().await.unwrap();
        assert!(a.send("x").await.is_err());
        assert!(b.recv().await.unwrap().is_none());
        b.send("answer").await.unwrap();
        b.close().await.unwrap();
        let mut got = [0; 6];
        a.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"answer");
        assert!(a.recv().await.unwrap().is_none());
    }

    async fn dropped_futures_lose_nothing_and_send_nothing_twice() {
        let (mut a, mut b) = pair().await;
        let text = pattern(120_000);
        let sent = text.clone();
        let sending = reseau::spawn(async move {
            for piece in sent.chunks(3_333) {
                loop {
                    if let Some(end) = poll_once(a.send(piece.to_vec())).await {
                        break end.unwrap();
                    }
                    reseau::sleep(Duration::from_micros(200)).await;
                }
            }
            while poll_once(a.finish()).await.is_none() {
                reseau::sleep(Duration::from_micros(200)).await;
            }
            a
        });
        let mut got = Vec::new();
        let mut space = vec![0; 9_000];
        let mut turn = 0;
        loop {
            turn += 1;
            // In turns: a chunk, or all or nothing of a space.
            if turn % 2 == 0 && text.len() - got.len() >= space.len() {
                if let Some(end) = poll_once(b.read_exact(&mut space)).await {
                    end.unwrap();
                    got.extend_from_slice(&space);
                }
            } else if let Some(end) = poll_once(b.recv()).await {
                match end.unwrap() {
                    Some(chunk) => got.extend_from_slice(&chunk),
                    None => break,
                }
            }
            reseau::sleep(Duration::from_micros(200)).await;
        }
        assert!(got == text);
        sending.await.unwrap();
    }

    async fn tls_begins_where_plaintext_ends() {
        let (client, server) = sides();
        let (mut a, mut b) = tcp_pair().await;
        let serving = reseau::spawn(async move {
            // It takes what came, and so some of the client's hello.
            let mut got = Vec::new();
            while got.len() < 10 {
                got.extend_from_slice(&b.recv().await.unwrap().unwrap());
            }
            assert!(got.starts_with(b"STARTTLS\r\n"));
            let side = Side::from(&server).received(&got[10..]);
            let mut b = b.start_tls(side).await.unwrap();
            b.send("secret").await.unwrap();
            b
        });
        a.send("STARTTLS\r\n").await.unwrap();
        let mut a = a.start_tls(client.to("localhost")).await.unwrap();
        assert_eq!(&*a.recv().await.unwrap().unwrap(), b"secret");
        serving.await.unwrap();
    }

    async fn what_is_late_goes_on() {
        let (mut a, mut b) = pair().await;
        let soon = || Some(reseau::clock::now() + Duration::from_millis(20));
        a.set_deadlines(soon(), None);
        assert_eq!(a.recv().await.unwrap_err().kind(), ErrorKind::TimedOut);
        a.set_deadlines(None, soon());
        // Nobody receives: from some point on there is no room.
        let mut sent = Vec::new();
        let late = loop {
            let piece = pattern(1 << 14);
            match a.send(piece.clone()).await {
                Ok(()) => sent.extend_from_slice(&piece),
                Err(error) => break error,
            }
        };
        assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
        a.set_deadlines(None, None);
        let sending = reseau::spawn(async move {
            a.finish().await.unwrap();
            a
        });
        let mut got = Vec::new();
        while let Some(chunk) = b.recv().await.unwrap() {
            got.extend_from_slice(&chunk);
        }
        // What was refused was not sent, and what was taken was.
        assert!(got == sent);
        sending.await.unwrap();
    }

    async fn a_silent_peer_is_late() {
        let (client, server) = sides();
        let (a, b) = tcp_pair().await;
        let soon = || reseau::clock::now() + Duration::from_millis(20);
        let late = a.start_tls(client.to("localhost").deadline(soon())).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
        let gone = b.start_tls(&server).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::UnexpectedEof, "{gone}");
        assert!(Broken::of(&gone).is_some_and(Broken::in_handshake));
    }

    async fn both_sides_hear_why_it_failed() {
        let (client, server) = sides();
        let (a, b) = tcp_pair().await;
        let accepting = reseau::spawn(async move { b.start_tls(&server).await.unwrap_err() });
        let refused = a.start_tls(client.to("example.com")).await.unwrap_err();
        let told = "connect: tls: certificate is not for example.com, but for ";
        assert!(refused.to_string().starts_with(told), "{refused}");
        let heard = accepting.await.unwrap();
        assert!(heard.to_string().starts_with("accept: tls: the peer refuses"), "{heard}");
    }
}

#[test]
fn any_executor_will_do() {
    watched(|| {
        smol::block_on(async {
            use futures_lite::{AsyncReadExt, AsyncWriteExt};
            let (client, server) = sides();
            let (a, b) = tcp_pair().await;
            let accept = async { b.start_tls(&server).await.unwrap() };
            let connect = async { a.start_tls(client.to("localhost")).await.unwrap() };
            let (mut a, mut b) = futures_lite::future::zip(connect, accept).await;
            a.set_deadlines(Some(Instant::now() + Duration::from_secs(30)), None);
            a.write_all(b"there").await.unwrap();
            AsyncWriteExt::close(&mut a).await.unwrap();
            let mut got = String::new();
            b.read_to_string(&mut got).await.unwrap();
            assert_eq!(got, "there");
        });
    });
}
