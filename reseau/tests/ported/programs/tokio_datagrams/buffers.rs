//! Datagrams into buffers that grow: a collector of records, and how buffers are filled.
use super::net::UdpSocket;
use bytes::{Buf, BufMut, BytesMut};
use std::io::{self, ErrorKind};

/// A record in front of each datagram: how long, and from which port.
#[derive(Default)]
struct Journal {
    bytes: BytesMut,
    spare: BytesMut,
}

impl Journal {
    async fn record(&mut self, socket: &UdpSocket) -> io::Result<()> {
        self.spare.reserve(2_000);
        let (n, from) = socket.recv_buf_from(&mut self.spare).await?;
        assert_eq!(n, self.spare.len());
        self.bytes.put_u32(u32::try_from(n).unwrap());
        self.bytes.put_u16(from.port());
        self.bytes.extend_from_slice(&self.spare.split());
        Ok(())
    }

    fn next(&mut self) -> Option<(u16, BytesMut)> {
        if self.bytes.is_empty() {
            return None;
        }
        let n = self.bytes.get_u32() as usize;
        let port = self.bytes.get_u16();
        Some((port, self.bytes.split_to(n)))
    }
}

pub(super) async fn main() -> io::Result<()> {
    let server = UdpSocket::bind("127.0.0.1:0").await?;
    let (one, other) =
        (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    let ports = [one.local_addr()?.port(), other.local_addr()?.port()];
    one.connect(server.local_addr()?).await?;
    other.connect(server.local_addr()?).await?;

    let mut journal = Journal::default();
    for size in [0, 1, 700, 1_400, 3] {
        one.send(&vec![1; size]).await?;
        journal.record(&server).await?;
        other.send(&vec![2; size + 1]).await?;
        journal.record(&server).await?;
    }
    for size in [0, 1, 700, 1_400, 3] {
        assert_eq!(journal.next(), Some((ports[0], BytesMut::from(&*vec![1; size]))));
        assert_eq!(journal.next(), Some((ports[1], BytesMut::from(&*vec![2; size + 1]))));
    }
    assert!(journal.next().is_none());

    // Behind what is there already, and no further than the buffer may go.
    let mut text = Vec::with_capacity(64);
    text.extend_from_slice(b"heard: ");
    one.send(b"hello").await?;
    assert_eq!(server.recv_buf(&mut text).await?, 5);
    one.send(b", and more").await?;
    server.readable().await?;
    let from = one.local_addr()?;
    assert_eq!(server.try_recv_buf_from(&mut text)?, (10, from));
    assert_eq!(text, b"heard: hello, and more");
    assert_eq!(server.try_recv_buf(&mut text).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(text.len(), 22);
    if cfg!(unix) {
        let mut short = [0; 9];
        one.send(b"a long story").await?;
        let mut limited = (&mut short[..]).limit(6);
        assert_eq!(server.recv_buf_from(&mut limited).await?, (6, from));
        assert_eq!(limited.remaining_mut(), 0);
        assert_eq!(&short, b"a long\0\0\0");
    }
    one.send(b"next").await?;
    server.readable().await?;
    let mut last = BytesMut::with_capacity(16);
    assert_eq!(server.try_recv_buf(&mut last)?, 4);
    assert_eq!(last, "next");
    Ok(())
}
