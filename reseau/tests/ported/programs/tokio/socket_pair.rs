//! Two tasks and a socket pair between them, one of them with its ends split.
use super::net::UnixStream;
use super::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use std::io;
use std::os::fd::AsRawFd;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

/// What is to be written comes through a channel; its end is the end of the stream.
async fn write(mut half: OwnedWriteHalf, mut lines: mpsc::Receiver<String>) -> io::Result<()> {
    while let Some(line) = lines.recv().await {
        half.write_all(line.as_bytes()).await?;
    }
    half.shutdown().await
}

async fn read(half: OwnedReadHalf, sums: mpsc::Sender<i64>) -> io::Result<()> {
    let mut lines = BufReader::new(half).lines();
    while let Some(line) = lines.next_line().await? {
        let sum = line.parse().map_err(io::Error::other)?;
        sums.send(sum).await.map_err(io::Error::other)?;
    }
    Ok(())
}

async fn work(mut stream: UnixStream) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    let mut sum = 0;
    while let Some(line) = lines.next_line().await? {
        let number: i64 = line.parse().map_err(io::Error::other)?;
        sum += number;
        writer.write_all(format!("{sum}\n").as_bytes()).await?;
    }
    Ok(())
}

pub(super) async fn main() -> io::Result<()> {
    let (parent, child) = UnixStream::pair()?;
    assert!(parent.peer_addr()?.is_unnamed());
    assert_eq!(parent.peer_cred()?.uid(), child.peer_cred()?.uid());
    assert_ne!(parent.as_raw_fd(), child.as_raw_fd());
    let worker = tokio::spawn(work(child));
    let (reader, writer) = parent.into_split();
    let ((numbers, to_write), (to_read, mut sums)) = (mpsc::channel(4), mpsc::channel(4));
    let writing = tokio::spawn(write(writer, to_write));
    let reading = tokio::spawn(read(reader, to_read));
    for (number, sum) in [(1, 1), (20, 21), (-30, -9)] {
        numbers.send(format!("{number}\n")).await.unwrap();
        assert_eq!(sums.recv().await, Some(sum));
    }
    drop(numbers);
    writing.await??;
    worker.await??;
    reading.await??;
    assert_eq!(sums.recv().await, None);

    // A pair goes out to std and comes back.
    let (one, mut other) = UnixStream::pair()?;
    let mut one = UnixStream::from_std(one.into_std()?)?;
    one.write_all(b"across").await?;
    let mut text = [0; 6];
    other.read_exact(&mut text).await?;
    assert_eq!(&text, b"across");
    drop(other);
    assert_eq!(one.read(&mut text).await?, 0);
    Ok(())
}
