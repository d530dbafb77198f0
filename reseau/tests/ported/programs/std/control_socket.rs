//! A daemon's control socket: a path in the file system, a word per line.
use super::unix::{SocketAddr, UnixListener, UnixStream};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::{env, fs, process, thread};

struct Daemon {
    listener: UnixListener,
    path: PathBuf,
}

impl Daemon {
    fn start(path: &Path) -> io::Result<Self> {
        let _ = fs::remove_file(path);
        Ok(Self { listener: UnixListener::bind(path)?, path: path.into() })
    }

    fn run(&self) -> io::Result<u32> {
        let mut asked = 0;
        for stream in &self.listener {
            let stream = stream?;
            for line in BufReader::new(&stream).lines() {
                asked += 1;
                match line?.as_str() {
                    "status" => writeln!(&stream, "asked {asked} times")?,
                    "stop" => {
                        writeln!(&stream, "bye")?;
                        return Ok(asked);
                    }
                    other => writeln!(&stream, "what is {other:?}?")?,
                }
            }
        }
        Ok(asked)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn ask(path: &Path, question: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    writeln!(stream, "{question}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer.trim_end().to_owned())
}

fn path_of(addr: &SocketAddr) -> Option<PathBuf> {
    addr.as_pathname().map(Path::to_path_buf)
}

pub(super) fn main() -> io::Result<()> {
    let thread = format!("{:?}", thread::current().id()).replace(['(', ')'], "");
    let path = env::temp_dir().join(format!("daemon-{}-{thread}.sock", process::id()));
    assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
    let daemon = Daemon::start(&path)?;
    assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(path_of(&daemon.listener.local_addr()?).as_ref(), Some(&path));
    let running = thread::spawn(move || daemon.run());

    let stream = UnixStream::connect(&path)?;
    assert_eq!(path_of(&stream.peer_addr()?).as_ref(), Some(&path));
    assert!(stream.local_addr()?.is_unnamed());
    drop(stream);
    assert_eq!(ask(&path, "status")?, "asked 1 times");
    assert_eq!(ask(&path, "weather")?, "what is \"weather\"?");
    assert_eq!(ask(&path, "stop")?, "bye");
    assert_eq!(running.join().unwrap()?, 3);
    assert!(!path.exists());
    Ok(())
}
