//! A server that is started again and again at one address.
use super::net::{TcpListener, TcpStream};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

struct Server {
    addr: SocketAddr,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    async fn start(addr: SocketAddr, version: u8) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await?;
                stream.write_u8(version).await?;
            }
        });
        Ok(Self { addr, task })
    }

    /// Once it returns, the address is free.
    async fn stop(self) -> SocketAddr {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.addr
    }
}

pub(super) async fn main() -> io::Result<()> {
    let mut addr = SocketAddr::from(([127, 0, 0, 1], 0));
    for version in 0..20 {
        let server = Server::start(addr, version).await?;
        let mut stream = TcpStream::connect(server.addr).await?;
        assert_eq!(stream.read_u8().await?, version);
        // The server's end closes first, and stays in TIME_WAIT.
        assert_eq!(stream.read(&mut [0; 1]).await?, 0);
        addr = server.stop().await;
    }

    let refused = TcpStream::connect(addr).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    // Without a task, the same.
    for _ in 0..20 {
        let listener = TcpListener::bind(addr).await?;
        drop(listener);
    }
    Ok(())
}
