//! Sockets that were made elsewhere, and go back there.
use super::net::{TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::net;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// As a service manager hands it over.
fn inherited() -> io::Result<net::TcpListener> {
    let listener = net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The rest of the conversation is for a thread that waits.
fn finish(mut stream: net::TcpStream) -> io::Result<String> {
    stream.set_nonblocking(false)?;
    stream.write_all(b"go on")?;
    let mut rest = String::new();
    stream.read_to_string(&mut rest)?;
    Ok(rest)
}

pub(super) async fn main() -> io::Result<()> {
    let inherited = inherited()?;
    let addr = inherited.local_addr()?;
    let listener = TcpListener::from_std(inherited)?;
    assert_eq!(listener.local_addr()?, addr);

    let client = net::TcpStream::connect(addr)?;
    client.set_nonblocking(true)?;
    let mut client = TcpStream::try_from(client)?;
    let (mut server, peer) = listener.accept().await?;
    assert_eq!(peer, client.local_addr()?);
    client.write_all(b"login ann").await?;
    let mut login = [0; 9];
    server.read_exact(&mut login).await?;
    assert_eq!(&login, b"login ann");

    let finishing = tokio::task::spawn_blocking({
        let server = server.into_std()?;
        move || finish(server)
    });
    let mut answer = [0; 5];
    client.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"go on");
    client.write_all(b"and on, and on").await?;
    client.shutdown().await?;
    assert_eq!(finishing.await??, "and on, and on");

    // The listener goes back too, and still listens.
    let listener = listener.into_std()?;
    listener.set_nonblocking(false)?;
    let accepting = tokio::task::spawn_blocking(move || listener.accept());
    let last = TcpStream::connect(addr).await?;
    assert_eq!(accepting.await??.1, last.local_addr()?);
    Ok(())
}
