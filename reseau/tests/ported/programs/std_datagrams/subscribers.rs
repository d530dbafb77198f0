//! Orders come by a stream, events go out as datagrams to the path that the subscriber named.
use super::unix::{UnixDatagram, UnixListener, UnixStream};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process, thread};

struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Publisher {
    orders: UnixListener,
    events: UnixDatagram,
    subscribers: Vec<PathBuf>,
    lost: usize,
}

impl Publisher {
    fn new(path: &Path) -> io::Result<Self> {
        let events = UnixDatagram::unbound()?;
        // It does not wait for slow ones.
        events.set_nonblocking(true)?;
        Ok(Self { orders: UnixListener::bind(path)?, events, subscribers: Vec::new(), lost: 0 })
    }

    fn publish(&mut self, text: &str) -> usize {
        let (events, lost) = (&self.events, &mut self.lost);
        self.subscribers.retain(|path| match events.send_to(text.as_bytes(), path) {
            Ok(n) => n == text.len(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                *lost += 1;
                true
            }
            Err(_) => false,
        });
        self.subscribers.len()
    }

    fn run(mut self) -> io::Result<Self> {
        loop {
            let (stream, _) = self.orders.accept()?;
            for line in BufReader::new(&stream).lines() {
                let line = line?;
                match line.split_once(' ') {
                    Some(("subscribe", path)) => {
                        self.subscribers.push(path.into());
                        writeln!(&stream, "you are {}", self.subscribers.len())?;
                    }
                    Some(("publish", text)) => writeln!(&stream, "{}", self.publish(text))?,
                    _ => {
                        writeln!(&stream, "bye")?;
                        return Ok(self);
                    }
                }
            }
        }
    }
}

/// A connection for orders.
struct Orders(BufReader<UnixStream>);

impl Orders {
    fn give(&mut self, order: &str) -> io::Result<String> {
        writeln!(self.0.get_mut(), "{order}")?;
        let mut answer = String::new();
        self.0.read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }

    fn subscribe(&mut self, path: &Path) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::bind(path)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        assert!(self.give(&format!("subscribe {}", path.display()))?.starts_with("you are"));
        Ok(socket)
    }
}

fn next(socket: &UnixDatagram) -> io::Result<String> {
    let mut buf = [0; 64];
    let (n, from) = socket.recv_from(&mut buf)?;
    assert!(from.is_unnamed());
    Ok(String::from_utf8_lossy(&buf[..n]).into_owned())
}

pub(super) fn main() -> io::Result<()> {
    let thread = format!("{:?}", thread::current().id()).replace(['(', ')'], "");
    let place = Place(env::temp_dir().join(format!("events-{}-{thread}", process::id())));
    let _ = fs::remove_dir_all(&place.0);
    fs::create_dir(&place.0)?;
    let path = place.0.join("orders");
    let publisher = Publisher::new(&path)?;
    let running = thread::spawn(move || publisher.run());

    let mut orders = Orders(BufReader::new(UnixStream::connect(&path)?));
    let diligent = orders.subscribe(&place.0.join("diligent"))?;
    let lazy = orders.subscribe(&place.0.join("lazy"))?;
    let gone = orders.subscribe(&place.0.join("gone"))?;
    assert_eq!(orders.give("publish first")?, "3");
    for socket in [&diligent, &lazy, &gone] {
        assert_eq!(next(socket)?, "first");
    }
    drop(gone);
    assert_eq!(orders.give("publish second")?, "2", "one has gone");
    assert_eq!(next(&diligent)?, "second");

    // The lazy one's queue fills, and the other gets it all.
    for number in 0..2_000 {
        assert_eq!(orders.give(&format!("publish {number}"))?, "2");
        assert_eq!(next(&diligent)?, number.to_string());
    }
    assert_eq!(orders.give("stop")?, "bye");
    let publisher = running.join().unwrap()?;
    lazy.set_nonblocking(true)?;
    let mut kept = vec![next(&lazy)?];
    while let Ok(event) = next(&lazy) {
        assert_eq!(event, (kept.len() - 1).to_string(), "the oldest are kept");
        kept.push(event);
    }
    assert_eq!(kept[0], "second");
    if cfg!(target_os = "linux") {
        assert_eq!(kept.len() + publisher.lost, 2_001);
        assert!(publisher.lost > 0);
    }
    Ok(())
}
