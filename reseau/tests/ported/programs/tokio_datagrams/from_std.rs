//! Sockets that were made elsewhere, with options that only their maker knows, and go back there.
use super::net::UdpSocket;
use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

/// As a service manager hands it over.
fn inherited() -> io::Result<net::UdpSocket> {
    let socket = net::UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    socket.set_ttl(33)?;
    Ok(socket)
}

/// A thread that waits, and answers one datagram.
fn answer(socket: &net::UdpSocket) -> io::Result<SocketAddr> {
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut buf = [0; 64];
    let (n, from) = socket.recv_from(&mut buf)?;
    socket.send_to(&[b"you said ", &buf[..n]].concat(), from)?;
    Ok(from)
}

pub(super) async fn main() -> io::Result<()> {
    let inherited = inherited()?;
    let addr = inherited.local_addr()?;
    let server = UdpSocket::from_std(inherited)?;
    assert_eq!((server.local_addr()?, server.ttl()?), (addr, 33));
    let client = net::UdpSocket::bind("127.0.0.1:0")?;
    client.set_nonblocking(true)?;
    client.connect(addr)?;
    let client = UdpSocket::try_from(client)?;
    assert_eq!(client.peer_addr()?, addr);

    let mut buf = [0; 64];
    client.send(b"hello").await?;
    assert_eq!(server.recv_from(&mut buf).await?, (5, client.local_addr()?));

    // What is in the socket's queue goes with it.
    client.send(b"to a thread").await?;
    let socket = server.into_std()?;
    assert_eq!(socket.local_addr()?, addr);
    let answering = tokio::task::spawn_blocking(move || answer(&socket).map(|from| (from, socket)));
    let n = client.recv(&mut buf).await?;
    assert_eq!(&buf[..n], b"you said to a thread");
    let (from, socket) = answering.await??;
    assert_eq!(from, client.local_addr()?);

    // And back, to be awaited again. A clone outside stays a blocking caller's own.
    socket.set_nonblocking(true)?;
    let clone = socket.try_clone()?;
    let server = UdpSocket::from_std(socket)?;
    client.send(b"again").await?;
    assert_eq!(server.recv(&mut buf).await?, 5);
    drop(server);
    clone.send_to(b"still here", client.local_addr()?)?;
    assert_eq!(client.recv(&mut buf).await?, 10);
    drop(clone);
    assert_eq!(UdpSocket::bind(addr).await?.local_addr()?, addr, "nobody holds the port");
    Ok(())
}
