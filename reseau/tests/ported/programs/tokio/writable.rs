//! Writing no more than the other side takes: try, and wait for room.
use super::net::{TcpListener, TcpStream};
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// Writes until nothing more is taken, however long one waits.
async fn fill(stream: &TcpStream, block: &[u8]) -> io::Result<usize> {
    let mut total = 0;
    while timeout(Duration::from_millis(50), stream.writable()).await.is_ok() {
        match stream.try_write(block) {
            Ok(n) => total += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// Writes all of it, in two slices at a time.
async fn write_all(stream: &TcpStream, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        stream.writable().await?;
        let (head, tail) = data.split_at(data.len() / 3);
        match stream.try_write_vectored(&[IoSlice::new(head), IoSlice::new(tail)]) {
            Ok(n) => data = &data[n..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let writer = Arc::new(TcpStream::connect(listener.local_addr()?).await?);
    let (mut reader, _) = listener.accept().await?;

    // Nobody reads: it ends, long before memory does.
    let mut filled = fill(&writer, &[1; 10_000]).await?;
    let full = loop {
        match writer.try_write(&[1]) {
            Ok(n) => filled += n + fill(&writer, &[1; 10_000]).await?, // A busy machine.
            Err(error) => break error,
        }
    };
    assert!((10_000..64 << 20).contains(&filled), "{filled}");
    assert_eq!(full.kind(), ErrorKind::WouldBlock);

    // Somebody reads: it goes on where it was, byte for byte.
    let writing = tokio::spawn({
        let writer = writer.clone();
        async move { write_all(&writer, &[2; 1_000_000]).await }
    });
    let mut all = vec![0; filled + 1_000_000];
    reader.read_exact(&mut all).await?;
    writing.await??;
    assert!(all[..filled].iter().all(|byte| *byte == 1));
    assert!(all[filled..].iter().all(|byte| *byte == 2));

    // Two tasks may wait for one direction.
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let writer = writer.clone();
            tokio::spawn(async move { writer.writable().await })
        })
        .collect();
    for waiter in waiting {
        waiter.await??;
    }
    drop(reader);
    let gone = loop {
        if let Err(error) = write_all(&writer, b"anybody?").await {
            break error;
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(gone.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{gone}");
    Ok(())
}
