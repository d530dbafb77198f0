//! The traits of futures-io: what programs that know nothing of chunks see.
#![cfg(feature = "futures-io")]
use super::everywhere;
use super::stage::{TcpStream, pair, pattern, run, scaled, settle};
use futures_lite::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter, copy};
use reseau::{Kind, spawn};
use std::io::{ErrorKind, IoSlice, IoSliceMut};

everywhere!(
    copy_echoes,
    lines_are_lines,
    small_writes_are_collected,
    vectored_by_the_traits,
    halves_have_the_traits,
    close_by_the_trait_is_a_half_close,
    nothing_needs_no_room,
    fill_buf_lends_and_consume_takes,
);

fn copy_echoes(kind: Kind) {
    run(kind, async {
        let (client, server) = pair().await;
        let echo = spawn(async move {
            let (read, mut write) = server.into_split();
            let count = copy(read, &mut write).await.unwrap();
            AsyncWriteExt::close(&mut write).await.unwrap();
            count
        });
        let total = scaled(kind, 4 << 20);
        let (mut read, mut write) = client.into_split();
        let writer = spawn(async move {
            write.write_all(&pattern(total)).await.unwrap();
            AsyncWriteExt::close(&mut write).await.unwrap();
        });
        let mut got = Vec::new();
        read.read_to_end(&mut got).await.unwrap();
        writer.await.unwrap();
        assert!(got == pattern(total));
        assert_eq!(echo.await.unwrap(), total as u64);
    });
}

fn lines_are_lines(kind: Kind) {
    run(kind, async {
        let (client, server) = pair().await;
        let writer = spawn(async move {
            let mut client = BufWriter::new(client);
            for i in 0..2000 {
                client.write_all(format!("line {i}\n").as_bytes()).await.unwrap();
            }
            client.flush().await.unwrap();
            client.close().await.unwrap();
        });
        let mut server = BufReader::new(server);
        let (mut line, mut count) = (String::new(), 0);
        while server.read_line(&mut line).await.unwrap() > 0 {
            assert_eq!(line, format!("line {count}\n"));
            line.clear();
            count += 1;
        }
        assert_eq!(count, 2000);
        writer.await.unwrap();
    });
}

fn small_writes_are_collected(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let total = 20_000;
        let writer = spawn(async move {
            for byte in pattern(total) {
                assert_eq!(client.write(&[byte]).await.unwrap(), 1);
            }
            AsyncWriteExt::close(&mut client).await.unwrap();
            client
        });
        let mut got = Vec::new();
        server.read_to_end(&mut got).await.unwrap();
        assert!(got == pattern(total));
        drop(writer.await.unwrap());
    });
}

fn vectored_by_the_traits(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let bytes = pattern(3000);
        let bufs = [IoSlice::new(&bytes[..10]), IoSlice::new(&[]), IoSlice::new(&bytes[10..])];
        let sent = client.write_vectored(&bufs).await.unwrap();
        assert_eq!(sent, 3000, "an empty lane has room for it");
        client.close().await.unwrap();
        let mut got = Vec::new();
        loop {
            let (mut a, mut b) = ([0; 100], [0; 1000]);
            let mut bufs = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
            match server.read_vectored(&mut bufs).await.unwrap() {
                0 => break,
                count => got.extend_from_slice(&[&a[..], &b[..]].concat()[..count]),
            }
        }
        assert!(got == bytes);
        // The trait's call; ours hides it.
        let short = AsyncReadExt::read_exact(&mut server, &mut [0; 4]).await.unwrap_err();
        assert_eq!(short.kind(), ErrorKind::UnexpectedEof);
    });
}

fn halves_have_the_traits(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        {
            let (mut read, mut write) = TcpStream::split(&mut client);
            write.write_all(b"question").await.unwrap();
            AsyncWriteExt::flush(&mut write).await.unwrap();
            let mut question = [0; 8];
            AsyncReadExt::read_exact(&mut server, &mut question).await.unwrap();
            assert_eq!(&question, b"question");
            server.write_all(b"answer\n").await.unwrap();
            let mut answer = String::new();
            BufReader::new(&mut read).read_line(&mut answer).await.unwrap();
            assert_eq!(answer, "answer\n");
        }
        client.close().await.unwrap();
        assert_eq!(server.read(&mut [0; 4]).await.unwrap(), 0);
    });
}

fn close_by_the_trait_is_a_half_close(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        client.write_all(&pattern(50_000)).await.unwrap();
        assert_eq!(client.write(b"").await.unwrap(), 0);
        AsyncWriteExt::close(&mut client).await.unwrap();
        for late in [&b"more"[..], b""] {
            let told = client.write(late).await.unwrap_err();
            assert_eq!(told.kind(), ErrorKind::BrokenPipe, "{late:?}");
        }
        let mut got = Vec::new();
        server.read_to_end(&mut got).await.unwrap();
        assert!(got == pattern(50_000));
        server.write_all(b"and back").await.unwrap();
        server.close().await.unwrap();
        got.clear();
        client.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"and back");
    });
}

fn nothing_needs_no_room(kind: Kind) {
    run(kind, async {
        let (mut client, _server) = pair().await;
        while client.try_write(&[7; 1 << 16]).is_ok() {
            settle().await;
        }
        assert_eq!(client.try_write(b"").unwrap(), 0);
        assert_eq!(client.write(b"").await.unwrap(), 0);
    });
}

fn fill_buf_lends_and_consume_takes(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        client.send(pattern(9000)).await.unwrap();
        client.finish().await.unwrap();
        settle().await;
        let mut got = Vec::new();
        loop {
            let lent = server.fill_buf().await.unwrap();
            let count = lent.len().min(777);
            if count == 0 {
                break;
            }
            got.extend_from_slice(&lent[..count]);
            // What was lent and not consumed is lent again.
            let again = server.fill_buf().await.unwrap();
            assert!(again[..count] == got[got.len() - count..]);
            server.consume(count);
        }
        assert!(got == pattern(9000));
    });
}
