//! A worker at the other end of a socket pair, whose descriptors travel as descriptors.
use super::net::Shutdown;
use super::unix::UnixStream;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread;

/// What a child process would do with the descriptor it inherits.
fn work(fd: OwnedFd) -> io::Result<()> {
    let mut stream = UnixStream::from(fd);
    let mut sum = 0;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let number: i64 = line?.parse().map_err(io::Error::other)?;
        sum += number;
        writeln!(stream, "{sum}")?;
    }
    stream.write_all(b"done\n")
}

pub(super) fn main() -> io::Result<()> {
    let (parent, child) = UnixStream::pair()?;
    assert!(parent.local_addr()?.is_unnamed() && parent.peer_addr()?.is_unnamed());
    assert_ne!(parent.as_raw_fd(), child.as_raw_fd());
    let worker = thread::spawn(move || work(OwnedFd::from(child)));

    let mut answers = BufReader::new(&parent);
    let mut line = String::new();
    for (number, sum) in [(1, "1\n"), (20, "21\n"), (-30, "-9\n")] {
        writeln!(&parent, "{number}")?;
        line.clear();
        answers.read_line(&mut line)?;
        assert_eq!(line, sum);
    }
    // A second descriptor for the same socket.
    let again = UnixStream::from(parent.as_fd().try_clone_to_owned()?);
    again.shutdown(Shutdown::Write)?;
    let mut rest = String::new();
    answers.read_to_string(&mut rest)?;
    assert_eq!(rest, "done\n");
    worker.join().unwrap()?;

    let (mut one, other) = UnixStream::pair()?;
    other.set_nonblocking(true)?;
    assert_eq!((&other).read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(other);
    assert_eq!(one.read(&mut [0; 1])?, 0);
    assert_eq!(one.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    Ok(())
}
