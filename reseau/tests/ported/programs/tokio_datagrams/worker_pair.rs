//! Workers at the other ends of pairs of datagram sockets, which keep messages apart.
use super::net::UnixDatagram;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::time::timeout;

/// Adds up each message until an empty one comes.
async fn work(socket: UnixDatagram) -> io::Result<usize> {
    let (mut buf, mut jobs) = (vec![0; 10_000], 0);
    loop {
        match socket.recv(&mut buf).await? {
            0 => return Ok(jobs),
            n => {
                let sum: u64 = buf[..n].iter().map(|byte| u64::from(*byte)).sum();
                assert_eq!(socket.send(&sum.to_be_bytes()).await?, 8);
                jobs += 1;
            }
        }
    }
}

/// Both directions at once, so that neither waits for the other for ever.
async fn run(socket: &UnixDatagram, jobs: &[Vec<u8>]) -> io::Result<Vec<u64>> {
    let sending = async {
        for job in jobs {
            assert_eq!(socket.send(job).await?, job.len());
        }
        io::Result::Ok(())
    };
    let receiving = async {
        let mut sums = Vec::new();
        for _ in jobs {
            let mut sum = [0; 9];
            assert_eq!(socket.recv(&mut sum).await?, 8);
            sums.push(u64::from_be_bytes(sum[..8].try_into().unwrap()));
        }
        Ok(sums)
    };
    tokio::try_join!(sending, receiving).map(|((), sums)| sums)
}

pub(super) async fn main() -> io::Result<()> {
    let jobs: Vec<Vec<u8>> = (1..200).map(|n| vec![n; usize::from(n) * 40]).collect();
    let sums: Vec<u64> = (1..200).map(|n| n * n * 40).collect();
    let mut running = Vec::new();
    for _ in 0..3 {
        let (socket, child) = UnixDatagram::pair()?;
        assert!(socket.local_addr()?.is_unnamed() && child.local_addr()?.is_unnamed());
        assert_ne!(socket.as_raw_fd(), child.as_raw_fd());
        let (jobs, sums) = (jobs.clone(), sums.clone());
        running.push(tokio::spawn(async move {
            let working = tokio::spawn(work(child));
            assert_eq!(run(&socket, &jobs).await?, sums);
            socket.send(b"").await?;
            assert_eq!(working.await??, jobs.len());
            io::Result::Ok(())
        }));
    }
    for task in running {
        task.await??;
    }

    let (one, other) = UnixDatagram::pair()?;
    assert!(timeout(Duration::from_millis(2), other.recv(&mut [0; 1])).await.is_err());
    one.send(b"to be cut").await?;
    one.send(b"next").await?;
    let mut buf = [0; 5];
    assert_eq!(other.recv(&mut buf).await?, 5);
    assert_eq!(&buf, b"to be");
    let (n, from) = other.recv_from(&mut buf).await?;
    assert_eq!((&buf[..n], from.is_unnamed()), (&b"next"[..], true));
    if cfg!(target_os = "linux") {
        one.shutdown(Shutdown::Write)?;
        assert_eq!(one.send(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        other.send(b"the other way").await?;
        assert_eq!(one.recv(&mut [0; 16]).await?, 13);
        one.shutdown(Shutdown::Read)?;
        assert_eq!(other.send(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        let (one, other) = UnixDatagram::pair()?;
        drop(other);
        assert_eq!(one.send(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    Ok(())
}
