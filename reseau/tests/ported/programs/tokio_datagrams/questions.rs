//! Questions and answers between paths: each client has one, so that the server can answer.
use super::net::UnixDatagram;
use super::net::unix::SocketAddr;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, process, thread};

/// A directory for all of it, which goes in the end.
struct Place(PathBuf);

impl Place {
    fn new() -> io::Result<Self> {
        let thread = format!("{:?}", thread::current().id()).replace(['(', ')'], "");
        let path = env::temp_dir().join(format!("awaited-questions-{}-{thread}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Adds up the numbers of a question, in several tasks. Whoever has no path gets no answer.
async fn serve(socket: Arc<UnixDatagram>) -> io::Result<BTreeSet<PathBuf>> {
    let (mut clients, mut buf) = (BTreeSet::new(), [0; 256]);
    loop {
        let (n, from): (usize, SocketAddr) = socket.recv_from(&mut buf).await?;
        if n == 0 {
            return Ok(clients);
        }
        let Some(client) = from.as_pathname() else { continue };
        let numbers = str::from_utf8(&buf[..n]).unwrap().split('+').map(str::parse::<i64>);
        let answer =
            numbers.sum::<Result<i64, _>>().map_or_else(|_| "what?".into(), |sum| sum.to_string());
        assert_eq!(socket.send_to(answer.as_bytes(), client).await?, answer.len());
        clients.insert(client.to_path_buf());
    }
}

async fn client(path: PathBuf, server: PathBuf) -> io::Result<PathBuf> {
    let socket = UnixDatagram::bind(&path)?;
    let ask = async |question: &str| -> io::Result<String> {
        socket.send_to(question.as_bytes(), &server).await?;
        let mut answer = [0; 32];
        let (n, from) = socket.recv_from(&mut answer).await?;
        assert_eq!(from.as_pathname(), Some(&*server));
        Ok(String::from_utf8_lossy(&answer[..n]).into_owned())
    };
    for number in 0..50_i64 {
        assert_eq!(ask(&format!("{number}+1+-20")).await?, (number - 19).to_string());
    }
    assert_eq!(ask("three").await?, "what?");
    Ok(path)
}

/// Who is connected hears only its partner.
async fn private(place: &Path) -> io::Result<()> {
    let (one, other) = (place.join("one"), place.join("other"));
    let (first, second) = (UnixDatagram::bind(&one)?, UnixDatagram::bind(&other)?);
    first.connect(&other)?;
    second.connect(&one)?;
    assert_eq!(first.peer_addr()?.as_pathname(), Some(&*other));
    let stranger = UnixDatagram::unbound()?;
    if cfg!(target_os = "linux") {
        assert!(stranger.send_to(b"psst", &one).await.is_err());
    }
    first.send(b"ping").await?;
    let mut buf = [0; 8];
    assert_eq!(second.recv(&mut buf).await?, 4);
    second.send(b"pong!").await?;
    assert_eq!(first.recv(&mut buf).await?, 5);
    assert!(first.take_error()?.is_none());
    Ok(())
}

pub(super) async fn main() -> io::Result<()> {
    let place = Place::new()?;
    let server = place.0.join("server");
    let socket = Arc::new(UnixDatagram::bind(&server)?);
    let serving = [(); 2].map(|()| tokio::spawn(serve(socket.clone())));
    let clients =
        ["ann", "bob", "cid"].map(|name| tokio::spawn(client(place.0.join(name), server.clone())));
    let mut expected = BTreeSet::new();
    for client in clients {
        expected.insert(client.await??);
    }
    let nameless = UnixDatagram::unbound()?;
    nameless.send_to(b"1+1", &server).await?;
    for _ in &serving {
        // Whichever task it is that gets it.
        nameless.send_to(b"", &server).await?;
    }
    let mut served = BTreeSet::new();
    for task in serving {
        served.extend(task.await??);
    }
    assert_eq!(served, expected);
    private(&place.0).await
}
