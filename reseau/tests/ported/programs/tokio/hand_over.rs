//! A server that is replaced without a refused connection: the next one gets its descriptor.
use super::net::{TcpListener, TcpStream};
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn serve_one(listener: &TcpListener, version: u8) -> io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    stream.write_u8(version).await?;
    stream.shutdown().await
}

async fn ask(addr: SocketAddr) -> io::Result<u8> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.read_u8().await
}

/// What the next process would find at the descriptor that it inherits.
fn inherit(fd: OwnedFd) -> io::Result<TcpListener> {
    let listener = net::TcpListener::from(fd);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

pub(super) async fn main() -> io::Result<()> {
    let mut listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    for version in 0..10 {
        let (served, answer) = tokio::join!(serve_one(&listener, version), ask(addr));
        served?;
        assert_eq!(answer?, version);
        let heir = listener.as_fd().try_clone_to_owned()?;
        // The old one ends first, and the socket goes on listening.
        drop(listener);
        let early = TcpStream::connect(addr).await?;
        listener = inherit(heir)?;
        let (accepted, peer) = listener.accept().await?;
        assert_eq!(peer, early.local_addr()?);
        drop((accepted, early));
    }
    Ok(())
}
