//! Workers at the other ends of pairs of datagram sockets, which keep messages apart.
use super::net::Shutdown;
use super::unix::UnixDatagram;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

/// What a child process would do with the descriptor that it inherits.
fn work(fd: OwnedFd) -> io::Result<usize> {
    let socket = UnixDatagram::from(fd);
    let (mut buf, mut jobs) = (vec![0; 10_000], 0);
    loop {
        match socket.recv(&mut buf)? {
            0 => return Ok(jobs),
            n => {
                buf[..n].reverse();
                assert_eq!(socket.send(&buf[..n])?, n);
                jobs += 1;
            }
        }
    }
}

struct Worker {
    socket: UnixDatagram,
    running: thread::JoinHandle<io::Result<usize>>,
}

impl Worker {
    fn start() -> io::Result<Self> {
        let (socket, child) = UnixDatagram::pair()?;
        assert!(socket.local_addr()?.is_unnamed() && socket.peer_addr()?.is_unnamed());
        assert_ne!(socket.as_raw_fd(), child.as_raw_fd());
        let running = thread::spawn(move || work(OwnedFd::from(child)));
        Ok(Self { socket, running })
    }

    /// Sends it all from another thread, since the worker waits when its answers stay unread.
    fn run(&self, jobs: &[Vec<u8>]) -> io::Result<Vec<Vec<u8>>> {
        let sender = self.socket.try_clone()?;
        thread::scope(|scope| {
            scope.spawn(move || jobs.iter().try_for_each(|job| sender.send(job).map(drop)));
            let answer = |_| {
                let mut buf = vec![0; 10_000];
                let n = self.socket.recv(&mut buf)?;
                buf.truncate(n);
                Ok(buf)
            };
            jobs.iter().map(answer).collect()
        })
    }
}

pub(super) fn main() -> io::Result<()> {
    let jobs: Vec<Vec<u8>> =
        (1..60_u8).map(|n| (0..n).cycle().take(n as usize * 33).collect()).collect();
    let mut reversed = jobs.clone();
    reversed.iter_mut().for_each(|job| job.reverse());
    for worker in [Worker::start()?, Worker::start()?] {
        assert_eq!(worker.run(&jobs)?, reversed);
        worker.socket.send(b"")?;
        assert_eq!(worker.running.join().unwrap()?, jobs.len());
    }

    let (one, other) = UnixDatagram::pair()?;
    other.set_nonblocking(true)?;
    assert_eq!(other.recv(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    other.set_nonblocking(false)?;
    other.set_read_timeout(Some(Duration::from_millis(2)))?;
    let late = other.recv(&mut [0; 1]).unwrap_err();
    assert!(matches!(late.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    let again = UnixDatagram::from(one.as_fd().try_clone_to_owned()?);
    again.send(b"a")?;
    one.send(b"bc")?;
    drop(again);
    assert_eq!([other.recv(&mut [0; 8])?, other.recv(&mut [0; 8])?], [1, 2]);

    // The sender waits no longer than it was told to.
    one.set_write_timeout(Some(Duration::from_millis(5)))?;
    let mut sent = 0_usize;
    let full = loop {
        match one.send(&[3; 1_000]) {
            Ok(_) => sent += 1,
            Err(error) => break error,
        }
    };
    let full = full.kind();
    if cfg!(target_os = "linux") {
        assert!(matches!(full, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{full:?}");
    }
    assert!(sent > 0);
    for _ in 0..sent {
        assert_eq!(other.recv(&mut [0; 2_000])?, 1_000);
    }
    assert!(other.recv(&mut [0; 1]).is_err(), "what did not fit was not sent");

    other.shutdown(Shutdown::Read)?;
    assert_eq!(one.send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    if cfg!(target_os = "linux") {
        assert_eq!(other.recv(&mut [0; 1])?, 0);
        let (one, other) = UnixDatagram::pair()?;
        drop(other);
        assert_eq!(one.send(b"x").unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    Ok(())
}
