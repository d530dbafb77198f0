//! Questions and answers between paths: each client has one, so that the server can answer.
use super::unix::{SocketAddr, UnixDatagram};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process, thread};

/// A directory for all of it, which goes in the end.
struct Place(PathBuf);

impl Place {
    fn new() -> io::Result<Self> {
        let thread = format!("{:?}", thread::current().id()).replace(['(', ')'], "");
        let path = env::temp_dir().join(format!("questions-{}-{thread}", process::id()));
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

/// Adds up the numbers of a question. Whoever has no path gets no answer.
fn serve(socket: &UnixDatagram) -> io::Result<(BTreeSet<PathBuf>, u32)> {
    let (mut clients, mut nameless, mut buf) = (BTreeSet::new(), 0, [0; 256]);
    loop {
        let (n, from): (usize, SocketAddr) = socket.recv_from(&mut buf)?;
        if n == 0 {
            return Ok((clients, nameless));
        }
        let Some(client) = from.as_pathname() else {
            nameless += 1;
            continue;
        };
        let numbers = str::from_utf8(&buf[..n]).unwrap().split('+').map(str::parse::<i64>);
        let answer =
            numbers.sum::<Result<i64, _>>().map_or_else(|_| "what?".into(), |sum| sum.to_string());
        match socket.send_to(answer.as_bytes(), client) {
            Ok(_) => drop(clients.insert(client.to_path_buf())),
            // Gone in the meantime.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error),
        }
    }
}

struct Client(UnixDatagram);

impl Client {
    fn new(path: &Path, server: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self(socket))
    }

    fn ask(&self, question: &str) -> io::Result<String> {
        self.0.send(question.as_bytes())?;
        let mut answer = [0; 32];
        let n = self.0.recv(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..n]).into_owned())
    }
}

pub(super) fn main() -> io::Result<()> {
    let place = Place::new()?;
    let server = &place.0.join("server");
    let socket = UnixDatagram::bind(server)?;
    thread::scope(|scope| {
        let serving = scope.spawn(|| serve(&socket));
        let clients = ["ann", "bob", "cid"].map(|name| {
            let path = place.0.join(name);
            scope.spawn(move || -> io::Result<PathBuf> {
                let client = Client::new(&path, server)?;
                for number in 0..50_i64 {
                    let sum = client.ask(&format!("{number}+1+-20"))?;
                    assert_eq!(sum, (number - 19).to_string());
                }
                assert_eq!(client.ask("three")?, "what?");
                Ok(path)
            })
        });
        let mut expected = BTreeSet::new();
        for client in clients {
            expected.insert(client.join().unwrap()?);
        }
        // One that does not wait for its answer, and one that has no path.
        let hasty = UnixDatagram::bind(place.0.join("hasty"))?;
        hasty.connect(server)?;
        let nameless = UnixDatagram::unbound()?;
        nameless.send_to(b"1+1", server)?;
        drop(hasty);
        nameless.send_to(b"", server)?;
        assert_eq!(serving.join().unwrap()?, (expected, 1));
        io::Result::Ok(())
    })?;

    // Who is connected hears only its partner; others may not even send.
    let (one, other) = (place.0.join("one"), place.0.join("other"));
    let one = UnixDatagram::bind(one)?;
    one.connect(server)?;
    if cfg!(target_os = "linux") {
        let stranger = UnixDatagram::bind(other)?;
        let denied = stranger.send_to(b"psst", place.0.join("one")).unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
    }
    socket.send_to(b"hello", place.0.join("one"))?;
    let mut buf = [0; 8];
    let (n, from) = one.recv_from(&mut buf)?;
    assert_eq!((&buf[..n], from.as_pathname()), (&b"hello"[..], Some(&**server)));
    Ok(())
}
