//! A logger at a path in the file system, as `/dev/log` is: a datagram for each line.
use super::net::Shutdown;
use super::unix::UnixDatagram;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::{env, fs, process, thread};

struct Daemon {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Daemon {
    fn start(path: &Path) -> io::Result<Self> {
        let _ = fs::remove_file(path);
        Ok(Self { socket: UnixDatagram::bind(path)?, path: path.into() })
    }

    /// Keeps what comes until a line says `bye`. A line is at most 40 bytes long.
    fn run(&self) -> io::Result<Vec<String>> {
        let (mut lines, mut buf) = (Vec::new(), [0; 40]);
        loop {
            let (n, from) = self.socket.recv_from(&mut buf)?;
            assert!(from.is_unnamed() && from.as_pathname().is_none());
            match String::from_utf8_lossy(&buf[..n]).into_owned() {
                line if line == "bye" => return Ok(lines),
                line => lines.push(line),
            }
        }
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

pub(super) fn main() -> io::Result<()> {
    let thread = format!("{:?}", thread::current().id()).replace(['(', ')'], "");
    let path = env::temp_dir().join(format!("log-{}-{thread}.sock", process::id()));
    assert_eq!(logger(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let daemon = Daemon::start(&path)?;
    assert_eq!(UnixDatagram::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(daemon.socket.local_addr()?.as_pathname(), Some(&*path));
    let running = thread::spawn(move || daemon.run().map(|lines| (lines, daemon)));

    let programs: Vec<_> = ["cron", "sshd", "kernel"]
        .map(|name| {
            let path = path.clone();
            thread::spawn(move || -> io::Result<()> {
                let log = logger(&path)?;
                assert!(log.local_addr()?.is_unnamed());
                assert_eq!(log.peer_addr()?.as_pathname(), Some(&*path));
                // More than the system queues: a sender waits, and nothing is lost.
                for number in 0..200 {
                    let line = format!("{name}: {number}");
                    assert_eq!(log.send(line.as_bytes())?, line.len());
                }
                Ok(())
            })
        })
        .into();
    for program in programs {
        program.join().unwrap()?;
    }
    let log = logger(&path)?;
    log.send("long ".repeat(20).as_bytes())?;
    log.send(b"")?;
    log.send_to(b"bye", &path)?;
    let (lines, daemon) = running.join().unwrap()?;

    assert_eq!(lines.len(), 3 * 200 + 2);
    for name in ["cron", "sshd", "kernel"] {
        let of = lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        assert!(of.eq((0..200).map(|number| number.to_string())), "{name}'s are in order");
    }
    assert_eq!(lines[600..], ["long ".repeat(8), String::new()], "cut, and empty");

    // A path whose socket is gone is there, and refuses.
    log.shutdown(Shutdown::Write)?;
    assert_eq!(log.send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    drop(daemon);
    assert!(!path.exists());
    let gone = UnixDatagram::bind(&path)?;
    drop(gone);
    let refused = UnixDatagram::unbound()?.send_to(b"x", &path).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    fs::remove_file(&path)
}
