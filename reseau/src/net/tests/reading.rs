//! What comes in.
use super::*;

#[test]
fn exact_reads_take_all_or_nothing() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await?;
        client.send("abc").await?;
        let mut buf = [0; 6];
        for _ in 0..3 {
            assert!(once(server.read_exact(&mut buf)).await.is_none());
            a_while().await;
        }
        assert_eq!((buf, server.queued()), ([0; 6], 3), "nothing was taken");
        client.send("defg").await?;
        assert_eq!(server.read_exact(&mut buf).await?, 6);
        assert_eq!(&buf, b"abcdef");
        client.finish().await?;
        let error = server.read_exact(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        gets(&mut server, b"g").await?;
        assert!(server.recv().await?.is_none());
        assert_eq!(server.read_exact(&mut []).await?, 0);
        Ok(())
    });
}

/// A lane that has overflown receives by single shots, up to half its window without being asked:
/// an exact read must ask.
#[test]
fn exact_reads_get_through_a_flood() {
    let config = Config { block_size: 256, blocks_max: 64, window: 4096, ..Config::default() };
    everywhere_with(&config, || async {
        let (client, mut server) = pair().await?;
        let (reader, mut writer) = client.into_split();
        let sent = crate::rt::spawn_local(async move {
            for round in 0..64_u8 {
                writer.send(vec![round; 3000]).await?;
            }
            writer.finish().await?;
            Ok::<_, io::Error>(writer)
        });
        let mut buf = vec![0; 3000];
        for round in 0..64_u8 {
            if round % 8 == 0 {
                a_while().await;
            }
            assert_eq!(server.read_exact(&mut buf).await?, 3000);
            assert!(buf.iter().all(|byte| *byte == round), "round {round}");
        }
        assert!(server.recv().await?.is_none());
        let writer = sent.await.unwrap()?;
        reader.reunite(writer).unwrap().close().await
    });
}

/// Longer than the window: bytes are taken as they come.
#[test]
fn exact_reads_may_be_longer_than_the_window() {
    let config = Config { block_size: 512, window: 2048, ..Config::default() };
    everywhere_with(&config, || async {
        let (mut client, mut server) = pair().await?;
        let bytes: Vec<u8> = (0..50_000_u32).map(|n| n as u8).collect();
        let wanted = bytes.clone();
        let sent = crate::rt::spawn_local(async move {
            client.send(bytes).await?;
            client.close().await
        });
        let mut buf = vec![0; 50_000];
        assert_eq!(server.read_exact(&mut buf).await?, 50_000);
        assert!(buf == wanted);
        sent.await.unwrap()
    });
}

/// Many connections that each have a part of a message, and a pool that has no block left for the
/// rest of any.
#[test]
fn exact_reads_do_not_starve_each_other() {
    let config = Config { block_size: 256, blocks_max: 16, window: 2048, ..Config::default() };
    everywhere_with(&config, || async {
        let mut ends = Vec::new();
        for _ in 0..8 {
            let (mut client, server) = pair().await?;
            client.send(vec![1; 700]).await?;
            client.flush().await?;
            ends.push((client, server));
        }
        let tasks = ends.into_iter().map(|(mut client, mut server)| {
            crate::rt::spawn_local(async move {
                let mut buf = [0; 1400];
                assert!(once(server.read_exact(&mut buf)).await.is_none());
                a_while().await;
                client.send(vec![1; 700]).await?;
                let count = server.read_exact(&mut buf).await?;
                assert!(buf == [1; 1400]);
                Ok::<_, io::Error>((count, client))
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap()?.0, 1400);
        }
        Ok(())
    });
}

#[test]
fn looking_takes_nothing() {
    everywhere(|| async {
        let (mut client, server) = pair().await?;
        let mut buf = [0; 8];
        let would_block = server.try_read(&mut buf).unwrap_err();
        assert_eq!(would_block.kind(), io::ErrorKind::WouldBlock);
        assert!(would_block.get_ref().is_none(), "a cheap error");
        assert!(once(server.peek(&mut [0])).await.is_none());
        client.send("hello").await?;
        holds(&server, 5).await?;
        assert_eq!(server.peek(&mut buf[..3]).await?, 3);
        assert_eq!(server.peek(&mut buf).await?, 5);
        assert_eq!(&buf[..5], b"hello");
        let mut halves = [[0; 2], [0; 2]];
        let [one, other] = &mut halves;
        let bufs = &mut [io::IoSliceMut::new(one), io::IoSliceMut::new(other)];
        assert_eq!(server.try_read_vectored(bufs)?, 4);
        assert_eq!(&halves.concat(), b"hell");
        assert_eq!(server.try_read(&mut buf)?, 1);
        drop(client);
        server.peek(&mut [0]).await?;
        assert_eq!(server.peek(&mut buf).await?, 0);
        assert_eq!(server.try_read(&mut buf)?, 0);
        Ok(())
    });
}

/// `readable`, `peek` and `ready` may be waited for side by side.
#[test]
fn many_may_wait_for_one_stream() {
    everywhere(|| async {
        let (mut client, server) = pair().await?;
        let server = std::rc::Rc::new(server);
        let waiting = |number: u8| {
            let server = server.clone();
            crate::rt::spawn_local(async move {
                let mut buf = [0; 4];
                match number % 3 {
                    0 => server.readable().await.map(|()| 2),
                    1 => server.peek(&mut buf).await.map(|count| 2.min(count + 1)),
                    _ => server.ready(Interest::READABLE).await.map(|ready| {
                        assert!(ready.is_readable() && !ready.is_writable());
                        2
                    }),
                }
            })
        };
        let tasks: Vec<_> = (0..9).map(waiting).collect();
        a_while().await;
        client.send("ab").await?;
        for task in tasks {
            assert_eq!(task.await.unwrap()?, 2);
        }
        Ok(())
    });
}

#[cfg(feature = "futures-io")]
#[test]
fn lent_bytes_stay_until_they_are_consumed() {
    use futures_io::AsyncBufRead;
    use std::future::poll_fn;
    use std::pin::Pin;
    async fn filled(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
        poll_fn(|cx| Pin::new(&mut *stream).poll_fill_buf(cx).map_ok(<[u8]>::to_vec)).await
    }
    everywhere(|| async {
        let (mut client, mut server) = pair().await?;
        client.send("hello").await?;
        holds(&server, 5).await?;
        let lent = filled(&mut server).await?;
        assert!(!lent.is_empty() && b"hello".starts_with(&lent));
        assert_eq!(filled(&mut server).await?, lent);
        assert_eq!(server.queued(), 5);
        // A deadline ends the waiting, not the taking.
        server.set_deadlines(Some(crate::clock::now()), None);
        Pin::new(&mut server).consume(1);
        let late = filled(&mut server).await.unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        server.set_deadlines(None, None);
        assert_eq!(server.queued(), 4);
        assert!(b"ello".starts_with(&filled(&mut server).await?));
        gets(&mut server, b"ello").await?;
        drop(client);
        assert_eq!(filled(&mut server).await?, b"");
        Ok(())
    });
}

#[test]
fn deadlines_are_points_in_time() {
    everywhere(|| async {
        let (mut client, mut server) = pair().await?;
        server.set_deadlines(Some(crate::clock::now() + Duration::from_millis(10)), None);
        let late = |error: io::Error| assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        late(server.recv().await.unwrap_err());
        client.send("in the meantime").await?;
        a_while().await;
        late(server.recv().await.unwrap_err());
        late(server.try_read(&mut [0; 4]).unwrap_err());
        server.set_deadlines(None, Some(crate::clock::now()));
        gets(&mut server, b"in the meantime").await?;
        late(server.send("too late").await.unwrap_err());
        late(server.try_write(b"too late").unwrap_err());
        server.set_deadlines(None, None);
        server.send("in time").await?;
        gets(&mut client, b"in time").await?;
        Ok(())
    });
}
