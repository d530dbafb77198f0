//! Closing well: nothing of the last answer is lost; and closing at once: nothing stays behind.
use super::everywhere;
use super::stage::{config, pair, pattern, poll_once, resets_are_lost, run, scaled, settle};
use crate::alone::{alone, descriptors};
use reseau::{Kind, Loop, clock, spawn};
use std::io::ErrorKind;
use std::time::Duration;

everywhere!(
    a_last_answer_arrives_though_the_peer_still_sends,
    a_peer_that_does_not_end_is_left_at_the_deadline,
    an_aborted_stream_resets_its_peer,
    an_aborted_stream_holds_up_nobody,
    each_direction_has_its_window,
);

fn a_last_answer_arrives_though_the_peer_still_sends(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let total = scaled(kind, 1 << 20);
        let talker = spawn(async move {
            // It sends all it has before it listens.
            for part in pattern(total).chunks(10_000) {
                client.send(part.to_vec()).await.unwrap();
            }
            client.finish().await.unwrap();
            let mut answer = Vec::new();
            while let Some(chunk) = client.recv().await.unwrap() {
                answer.extend_from_slice(&chunk);
            }
            answer
        });
        server.recv().await.unwrap().unwrap(); // A little of it, which is enough.
        server.send("enough").await.unwrap();
        server.close_gracefully(clock::now() + Duration::from_secs(30)).await.unwrap();
        assert_eq!(talker.await.unwrap(), b"enough");
    });
}

fn a_peer_that_does_not_end_is_left_at_the_deadline(kind: Kind) {
    run(kind, async {
        let (mut client, server) = pair().await;
        let start = clock::now();
        let limit = Duration::from_millis(50);
        let error = server.close_gracefully(start + limit).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(clock::now() - start >= limit, "not before");
        assert!(client.recv().await.unwrap().is_none());
    });
}

fn an_aborted_stream_resets_its_peer(kind: Kind) {
    if resets_are_lost("an_aborted_stream_resets_its_peer") {
        return;
    }
    run(kind, async {
        let (mut client, server) = pair().await;
        server.abort().unwrap();
        assert_eq!(client.recv().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

fn an_aborted_stream_holds_up_nobody(kind: Kind) {
    alone!(kind, an_aborted_stream_holds_up_nobody);
    // A linger that the test would not live to see: what is left behind is seen at the end.
    let lp = Loop::with(&reseau::Config { linger: Duration::from_secs(3600), ..config(kind) });
    let lp = lp.unwrap();
    lp.block_on(async {
        let (mut client, server) = pair().await;
        while poll_once(client.send(vec![7; 10_000])).await.is_some() {
            settle().await;
        }
        assert!(client.unsent() > 0, "the peer takes nothing any more");
        let before = descriptors();
        client.abort().unwrap();
        for _ in 0..100 {
            settle().await;
            if descriptors() < before {
                break;
            }
        }
        if kind != Kind::Sim && cfg!(unix) {
            assert_eq!(descriptors(), before - 1, "closed, though the peer takes nothing");
        }
        drop(server);
    });
    drop(lp);
}

fn each_direction_has_its_window(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let (step, window) = (40_000, 50_000);
        client.set_send_window(window);
        let mut fitted = 0;
        loop {
            match client.try_write(&pattern(step)) {
                Ok(count) => fitted += count,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            assert!(fitted < 64 << 20, "there is no end to it");
            settle().await;
            if client.unsent() >= window {
                break;
            }
        }
        assert!(client.unsent() < window + step, "{}", client.unsent());
        assert_eq!(client.queued(), 0);
        server.set_recv_window(1);
        let mut taken = 0;
        while taken < fitted {
            taken += server.recv().await.unwrap().unwrap().len();
        }
        assert_eq!(taken, fitted);
        assert_eq!((client.unsent(), server.queued()), (0, 0));
    });
}
