//! A daemon's control socket, beside the work that it controls.
use super::net::unix::SocketAddr;
use super::net::{UnixListener, UnixStream};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process, thread};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::time::interval;

struct Bound(UnixListener, PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.1);
    }
}

/// True when the daemon shall stop.
async fn answer(stream: UnixStream, beats: u32) -> io::Result<bool> {
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        match line.trim_end() {
            "status" => stream.write_all(format!("{beats} beats\n").as_bytes()).await?,
            "stop" => {
                stream.write_all(b"bye\n").await?;
                stream.flush().await?;
                return Ok(true);
            }
            _ => stream.write_all(b"what?\n").await?,
        }
        stream.flush().await?;
        line.clear();
    }
    Ok(false)
}

async fn run(bound: Bound) -> io::Result<u32> {
    let mut clock = interval(Duration::from_millis(1));
    let mut beats = 0;
    loop {
        tokio::select! {
            _ = clock.tick() => beats += 1,
            accepted = bound.0.accept() => {
                let (stream, peer): (UnixStream, SocketAddr) = accepted?;
                assert!(peer.is_unnamed() && peer.as_pathname().is_none());
                if answer(stream, beats).await? {
                    return Ok(beats);
                }
            }
        }
    }
}

async fn ask(path: &Path, question: &str) -> io::Result<String> {
    let mut stream = BufStream::new(UnixStream::connect(path).await?);
    stream.write_all(question.as_bytes()).await?;
    stream.write_all(b"\n").await?;
    stream.flush().await?;
    stream.lines().next_line().await.map(Option::unwrap_or_default)
}

pub(super) async fn main() -> io::Result<()> {
    let thread = format!("{:?}", thread::current().id()).replace(['(', ')'], "");
    let path = env::temp_dir().join(format!("awaited-{}-{thread}.sock", process::id()));
    let _ = fs::remove_file(&path);
    assert_eq!(UnixStream::connect(&path).await.unwrap_err().kind(), ErrorKind::NotFound);
    let listener = UnixListener::bind(&path)?;
    assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(listener.local_addr()?.as_pathname(), Some(&*path));
    let daemon = tokio::spawn(run(Bound(listener, path.clone())));
    while ask(&path, "status").await? == "0 beats" {}
    assert_eq!(ask(&path, "sing").await?, "what?");
    assert_eq!(ask(&path, "stop").await?, "bye");
    assert!(daemon.await?? > 0);
    assert!(!path.exists());
    Ok(())
}
