//! Sockets that are set up before they connect or listen.
use super::net::{TcpListener, TcpSocket, TcpStream};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(64 << 10)?;
    socket.bind(addr)?;
    socket.listen(16)
}

/// A client that comes from a port of its own choice.
async fn connect(from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.set_send_buffer_size(32 << 10)?;
    assert!(socket.nodelay()? && socket.keepalive()?);
    assert!(socket.send_buffer_size()? >= 32 << 10);
    socket.bind(from)?;
    assert_ne!(socket.local_addr()?.port(), 0);
    socket.connect(to).await
}

pub(super) async fn main() -> io::Result<()> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = listener(any)?;
    let addr = listener.local_addr()?;
    let taken = TcpSocket::new_v4()?.bind(addr).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    listener.set_ttl(33)?;
    assert_eq!(listener.ttl()?, 33);

    let mut client = connect(any, addr).await?;
    assert!(client.nodelay()?);
    client.set_ttl(44)?;
    assert_eq!(client.ttl()?, 44);
    assert_eq!(client.linger()?, None);
    let (mut server, peer) = listener.accept().await?;
    assert_eq!(peer, client.local_addr()?);
    assert!(server.take_error()?.is_none());
    server.write_all(b"set").await?;
    server.shutdown().await?;
    let mut text = String::new();
    client.read_to_string(&mut text).await?;
    assert_eq!(text, "set");

    let shown = format!("{client:?}");
    assert!(shown.contains(&peer.to_string()) && shown.contains(&addr.to_string()), "{shown}");
    // Who resets lets the other know.
    server.set_zero_linger()?;
    drop(server);
    let reset = loop {
        match client.write(b"x").await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    assert!(kinds.contains(&reset.kind()), "{reset:?}");
    Ok(())
}
