//! The proxy of the documentation: `copy_bidirectional`.
use super::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::sync::oneshot;

async fn relay(proxy: TcpListener, upstream: SocketAddr) -> io::Result<(u64, u64)> {
    let (mut inbound, _) = proxy.accept().await?;
    let mut outbound = TcpStream::connect(upstream).await?;
    copy_bidirectional(&mut inbound, &mut outbound).await
}

/// Doubles every byte, and says goodbye.
async fn upstream(listener: TcpListener, seen: oneshot::Sender<SocketAddr>) -> io::Result<()> {
    let (mut stream, peer) = listener.accept().await?;
    let _ = seen.send(peer);
    let (mut reader, mut writer) = stream.split();
    let mut buf = [0; 1_000];
    loop {
        let n = reader.read(&mut buf).await?;
        if n == 0 {
            return writer.write_all(b"bye").await;
        }
        let doubled: Vec<u8> = buf[..n].iter().flat_map(|byte| [*byte, *byte]).collect();
        writer.write_all(&doubled).await?;
    }
}

pub(super) async fn main() -> io::Result<()> {
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let target = server.local_addr()?;
    let (seen, peer) = oneshot::channel();
    let serving = tokio::spawn(upstream(server, seen));
    let proxy = TcpListener::bind("127.0.0.1:0").await?;
    let addr = proxy.local_addr()?;
    let relaying = tokio::spawn(relay(proxy, target));

    let client = TcpStream::connect(addr).await?;
    assert_ne!(peer.await.unwrap(), client.local_addr()?, "it is the proxy that connects");
    let (mut reader, mut writer) = client.into_split();
    let data: Vec<u8> = (0..500_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let doubled: Vec<u8> = data.iter().flat_map(|byte| [*byte, *byte]).chain(*b"bye").collect();
    let writing = tokio::spawn(async move {
        writer.write_all(&data).await?;
        writer.shutdown().await
    });
    let mut got = Vec::new();
    reader.read_to_end(&mut got).await?;
    assert!(got == doubled);
    writing.await??;
    serving.await??;
    assert_eq!(relaying.await??, (500_000, 1_000_003));
    Ok(())
}
