//! All the knobs of a UDP socket, from a table of settings.
use super::net::UdpSocket;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

#[derive(Debug, Clone, PartialEq)]
struct Settings {
    ttl: u32,
    broadcast: bool,
    multicast_ttl: u32,
    multicast_loop: bool,
}

impl Settings {
    fn of(socket: &UdpSocket) -> io::Result<Self> {
        Ok(Self {
            ttl: socket.ttl()?,
            broadcast: socket.broadcast()?,
            multicast_ttl: socket.multicast_ttl_v4()?,
            multicast_loop: socket.multicast_loop_v4()?,
        })
    }

    fn apply(&self, socket: &UdpSocket) -> io::Result<()> {
        socket.set_ttl(self.ttl)?;
        socket.set_broadcast(self.broadcast)?;
        socket.set_multicast_ttl_v4(self.multicast_ttl)?;
        socket.set_multicast_loop_v4(self.multicast_loop)
    }
}

async fn first_free(host: Ipv4Addr, ports: &[u16]) -> io::Result<UdpSocket> {
    let addrs: Vec<_> = ports.iter().map(|port| SocketAddr::from((host, *port))).collect();
    UdpSocket::bind(&addrs[..]).await
}

async fn six() -> io::Result<()> {
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await else { return Ok(()) };
    assert!(socket.multicast_loop_v6()?);
    socket.set_multicast_loop_v6(false)?;
    assert!(!socket.multicast_loop_v6()?);
    assert!(socket.send_to(b"four from six", "127.0.0.1:9").await.is_err());
    assert!(socket.join_multicast_v6(&Ipv6Addr::LOCALHOST, 0).is_err(), "not a group");
    socket.send_to(b"self", socket.local_addr()?).await?;
    assert_eq!(socket.recv_from(&mut [0; 8]).await?, (4, socket.local_addr()?));
    Ok(())
}

fn groups(socket: &UdpSocket) -> io::Result<()> {
    let any = Ipv4Addr::UNSPECIFIED;
    assert!(socket.join_multicast_v4(Ipv4Addr::LOCALHOST, any).is_err(), "not a group");
    let group = Ipv4Addr::new(239, 255, 77, 4);
    let nobody = Ipv4Addr::new(240, 0, 0, 1);
    assert!(socket.join_multicast_v4(group, nobody).is_err(), "no such interface");
    assert!(socket.leave_multicast_v4(group, Ipv4Addr::LOCALHOST).is_err(), "never joined");
    if cfg!(target_os = "linux") {
        socket.join_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
        assert!(socket.join_multicast_v4(group, Ipv4Addr::LOCALHOST).is_err(), "a second time");
        socket.leave_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
    }
    Ok(())
}

pub(super) async fn main() -> io::Result<()> {
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = taken.local_addr()?;
    assert_eq!(UdpSocket::bind(addr).await.unwrap_err().kind(), ErrorKind::AddrInUse);
    let socket = first_free(Ipv4Addr::LOCALHOST, &[addr.port(), 0]).await?;
    let here = socket.local_addr()?;
    assert_ne!(here, addr);
    assert_eq!(UdpSocket::bind("no port").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(socket.connect("no port").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let nobody: &[SocketAddr] = &[];
    let error = socket.send_to(b"x", nobody).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(UdpSocket::bind(nobody).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(socket.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    assert!(socket.send(b"to whom?").await.is_err());

    let as_made = Settings::of(&socket)?;
    assert_eq!(
        (as_made.broadcast, as_made.multicast_ttl, as_made.multicast_loop),
        (false, 1, true)
    );
    let wanted = Settings { ttl: 42, broadcast: true, multicast_ttl: 7, multicast_loop: false };
    wanted.apply(&socket)?;
    assert_eq!(Settings::of(&socket)?, wanted);
    as_made.apply(&socket)?;
    assert_eq!(Settings::of(&socket)?, as_made);
    if cfg!(target_os = "linux") {
        socket.set_tos_v4(0x10)?;
        assert_eq!(socket.tos_v4()?, 0x10);
    }
    assert!(socket.take_error()?.is_none());
    if cfg!(any(target_os = "linux", target_os = "macos")) {
        let denied = socket.send_to(b"all", (Ipv4Addr::BROADCAST, 9)).await.unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
    }
    groups(&socket)?;
    six().await?;

    // The largest there is, and one more.
    let mut large = vec![5; 65_507];
    if cfg!(target_os = "linux") {
        assert_eq!(socket.send_to(&large, addr).await?, large.len());
        let mut buf = vec![0; 70_000];
        assert_eq!(taken.recv_from(&mut buf).await?, (large.len(), here));
        assert!(buf[..large.len()] == large);
    }
    large.push(5);
    assert!(socket.send_to(&large, addr).await.is_err());
    Ok(())
}
