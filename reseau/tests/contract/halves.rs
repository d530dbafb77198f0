//! Streams in two halves: borrowed, owned, and put together again.
use super::everywhere;
use super::stage::{byte_at, drain, drain_left, pair, pattern, run, scaled, settle, take};
use futures_lite::future::zip;
use reseau::{Kind, spawn};

everywhere!(
    borrowed_halves_work_at_once,
    owned_halves_work_in_two_tasks,
    dropping_the_writing_half_ends_the_stream,
    dropping_the_reading_half_ends_nothing,
    forgetting_the_writing_half_keeps_the_stream,
    halves_of_one_stream_are_one_again,
    halves_of_two_streams_are_not,
);

fn borrowed_halves_work_at_once(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let total = scaled(kind, 4 << 20);
        let echo = spawn(async move {
            while let Some(chunk) = server.recv().await.unwrap() {
                server.send(chunk).await.unwrap();
            }
            server.finish().await.unwrap();
        });
        for _ in 0..2 {
            let (mut read, mut write) = client.split();
            let writes = async {
                for frame in pattern(total).chunks(9001) {
                    write.send(frame.to_vec()).await.unwrap();
                }
                write.flush().await.unwrap();
            };
            let reads = async {
                let mut at = 0;
                while at < total {
                    for byte in &*read.recv().await.unwrap().unwrap() {
                        assert_eq!(*byte, byte_at(at), "at {at}");
                        at += 1;
                    }
                }
            };
            zip(writes, reads).await;
        }
        client.finish().await.unwrap();
        assert!(client.recv().await.unwrap().is_none());
        echo.await.unwrap();
    });
}

fn owned_halves_work_in_two_tasks(kind: Kind) {
    run(kind, async {
        let (client, server) = pair().await;
        let total = scaled(kind, 2 << 20);
        let mut tasks = Vec::new();
        for stream in [client, server] {
            let (mut read, mut write) = stream.into_split();
            tasks.push(spawn(async move {
                for frame in pattern(total).chunks(7001) {
                    write.send(frame.to_vec()).await.unwrap();
                }
            }));
            tasks.push(spawn(async move {
                let mut got = Vec::new();
                while let Some(chunk) = read.recv().await.unwrap() {
                    got.extend_from_slice(&chunk);
                }
                assert!(got == pattern(total));
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

fn dropping_the_writing_half_ends_the_stream(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let (mut read, mut write) = client.into_split();
        let size = scaled(kind, 1 << 20);
        write.send(pattern(size)).await.unwrap();
        drop(write); // With most of it still queued.
        assert!(drain(&mut server).await == pattern(size));
        server.send("answer").await.unwrap();
        server.close().await.unwrap();
        let mut answer = [0; 6];
        read.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        assert!(read.recv().await.unwrap().is_none());
    });
}

fn dropping_the_reading_half_ends_nothing(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let (read, mut write) = client.into_split();
        drop(read);
        settle().await;
        server.send("nobody reads it").await.unwrap();
        server.flush().await.unwrap();
        write.send(pattern(5000)).await.unwrap();
        assert!(take(&mut server, 5000).await == pattern(5000));
        write.finish().await.unwrap();
        assert!(server.recv().await.unwrap().is_none());
    });
}

fn forgetting_the_writing_half_keeps_the_stream(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let (mut read, write) = client.into_split();
        write.forget();
        let mut head = [0; 16];
        let waited = reseau::timeout(std::time::Duration::from_millis(20), server.peek(&mut head));
        assert!(waited.await.is_err(), "not the end");
        server.send("x").await.unwrap();
        assert_eq!(&*read.recv().await.unwrap().unwrap(), b"x");
        drop(read);
        assert!(drain_left(&mut server).await.is_empty());
    });
}

fn halves_of_one_stream_are_one_again(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let (read, mut write) = client.into_split();
        write.send("one").await.unwrap();
        server.send("two").await.unwrap();
        read.peek(&mut [0]).await.unwrap();
        let mut client = read.reunite(write).unwrap();
        assert_eq!(take(&mut client, 3).await, b"two");
        client.send(" more").await.unwrap();
        client.close().await.unwrap();
        assert_eq!(drain(&mut server).await, b"one more");
    });
}

fn halves_of_two_streams_are_not(kind: Kind) {
    run(kind, async {
        let (one, mut other) = pair().await;
        let (third, _fourth) = pair().await;
        let (read, write) = one.into_split();
        let (read_of_third, write_of_third) = third.into_split();
        let error = read_of_third.reunite(write).unwrap_err();
        let error = error.1.reunite(error.0).unwrap_err();
        drop(error.0);
        drop(write_of_third);
        let mut one = read.reunite(error.1).unwrap();
        one.send("still whole").await.unwrap();
        assert_eq!(take(&mut other, 11).await, b"still whole");
    });
}
