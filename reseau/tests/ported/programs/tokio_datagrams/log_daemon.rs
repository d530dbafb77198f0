//! A logger at a path in the file system: a datagram for each line, and a task that keeps them.
use super::net::UnixDatagram;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process, thread};
use tokio::time::interval;

struct Daemon {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Daemon {
    fn start(path: &Path) -> io::Result<Self> {
        let _ = fs::remove_file(path);
        Ok(Self { socket: UnixDatagram::bind(path)?, path: path.into() })
    }

    /// Until a line says `bye`. At every beat it has the lines written, the last at one of its own.
    async fn run(self) -> io::Result<Vec<String>> {
        let mut clock = interval(Duration::from_micros(500));
        let (mut lines, mut fresh, mut buf) = (Vec::new(), Vec::new(), [0; 40]);
        loop {
            tokio::select! {
                received = self.socket.recv_from(&mut buf) => {
                    let (n, from) = received?;
                    assert!(from.is_unnamed() && from.as_pathname().is_none());
                    match String::from_utf8_lossy(&buf[..n]).into_owned() {
                        line if line == "bye" => break,
                        line => fresh.push(line),
                    }
                }
                _ = clock.tick() => lines.append(&mut fresh),
            }
        }
        clock.tick().await;
        lines.append(&mut fresh);
        Ok(lines)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn logger(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

async fn program(path: PathBuf, name: &str) -> io::Result<()> {
    let log = logger(&path)?;
    assert!(log.local_addr()?.is_unnamed());
    assert_eq!(log.peer_addr()?.as_pathname(), Some(&*path));
    // More than the system queues: it waits when the daemon is behind.
    for number in 0..200 {
        let line = format!("{name}: {number}");
        assert_eq!(log.send(line.as_bytes()).await?, line.len());
    }
    Ok(())
}

pub(super) async fn main() -> io::Result<()> {
    let thread = format!("{:?}", thread::current().id()).replace(['(', ')'], "");
    let path = env::temp_dir().join(format!("awaited-log-{}-{thread}.sock", process::id()));
    assert_eq!(logger(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let daemon = Daemon::start(&path)?;
    assert_eq!(UnixDatagram::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(daemon.socket.local_addr()?.as_pathname(), Some(&*path));
    let running = tokio::spawn(daemon.run());

    let names = ["cron", "sshd", "kernel"];
    for program in names.map(|name| tokio::spawn(program(path.clone(), name))) {
        program.await??;
    }
    let log = logger(&path)?;
    log.send("long ".repeat(20).as_bytes()).await?;
    log.send_to(b"", &path).await?;
    log.send(b"bye").await?;
    let lines = running.await??;

    assert_eq!(lines.len(), 3 * 200 + 2);
    for name in names {
        let of = lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        assert!(of.eq((0..200).map(|number| number.to_string())), "{name}'s are in order");
    }
    assert_eq!(lines[600..], ["long ".repeat(8), String::new()], "cut, and empty");

    assert!(!path.exists());
    let gone = log.send(b"anybody?").await.unwrap_err();
    if cfg!(target_os = "linux") {
        assert_eq!(gone.kind(), ErrorKind::ConnectionRefused);
    }
    assert_eq!(log.send_to(b"x", &path).await.unwrap_err().kind(), ErrorKind::NotFound);
    Ok(())
}
