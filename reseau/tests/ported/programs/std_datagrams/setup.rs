//! All the knobs of a UDP socket, from a table of settings.
use super::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::io::{self, ErrorKind};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
struct Settings {
    ttl: u32,
    broadcast: bool,
    multicast_ttl: u32,
    multicast_loop: bool,
    patience: Option<Duration>,
    limit: Option<Duration>,
}

impl Settings {
    fn of(socket: &UdpSocket) -> io::Result<Self> {
        Ok(Self {
            ttl: socket.ttl()?,
            broadcast: socket.broadcast()?,
            multicast_ttl: socket.multicast_ttl_v4()?,
            multicast_loop: socket.multicast_loop_v4()?,
            patience: socket.read_timeout()?,
            limit: socket.write_timeout()?,
        })
    }

    fn apply(&self, socket: &UdpSocket) -> io::Result<()> {
        socket.set_ttl(self.ttl)?;
        socket.set_broadcast(self.broadcast)?;
        socket.set_multicast_ttl_v4(self.multicast_ttl)?;
        socket.set_multicast_loop_v4(self.multicast_loop)?;
        socket.set_read_timeout(self.patience)?;
        socket.set_write_timeout(self.limit)
    }
}

fn first_free(host: Ipv4Addr, ports: &[u16]) -> io::Result<UdpSocket> {
    let addrs: Vec<_> = ports.iter().map(|port| SocketAddr::from((host, *port))).collect();
    UdpSocket::bind(&addrs[..])
}

fn six() -> io::Result<()> {
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) else { return Ok(()) };
    assert!(socket.multicast_loop_v6()?);
    socket.set_multicast_loop_v6(false)?;
    assert!(!socket.multicast_loop_v6()?);
    assert!(socket.send_to(b"four from six", "127.0.0.1:9").is_err());
    let not_a_group = socket.join_multicast_v6(&Ipv6Addr::LOCALHOST, 0).unwrap_err();
    assert!(not_a_group.raw_os_error().is_some() || not_a_group.get_ref().is_some());
    Ok(())
}

fn bad_groups(socket: &UdpSocket) {
    let any = Ipv4Addr::UNSPECIFIED;
    assert!(socket.join_multicast_v4(&Ipv4Addr::LOCALHOST, &any).is_err(), "not a group");
    let group = Ipv4Addr::new(239, 255, 77, 2);
    let nobody = Ipv4Addr::new(240, 0, 0, 1);
    assert!(socket.join_multicast_v4(&group, &nobody).is_err(), "no such interface");
    assert!(socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).is_err(), "never joined");
}

pub(super) fn main() -> io::Result<()> {
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = taken.local_addr()?;
    assert_eq!(UdpSocket::bind(addr).unwrap_err().kind(), ErrorKind::AddrInUse);
    let socket = first_free(Ipv4Addr::LOCALHOST, &[addr.port(), 0])?;
    let here = socket.local_addr()?;
    assert_ne!(here, addr);
    assert!(format!("{socket:?}").starts_with(&format!("UdpSocket {{ addr: {here}, ")));
    assert_eq!(UdpSocket::bind("no port").unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(socket.connect("no port").unwrap_err().kind(), ErrorKind::InvalidInput);
    let nobody: &[SocketAddr] = &[];
    assert_eq!(socket.send_to(b"x", nobody).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(UdpSocket::bind(nobody).unwrap_err().kind(), ErrorKind::InvalidInput);

    let as_made = Settings::of(&socket)?;
    assert_eq!((as_made.broadcast, as_made.multicast_ttl), (false, 1));
    assert!(as_made.multicast_loop && as_made.patience.is_none() && as_made.limit.is_none());
    let wanted = Settings {
        ttl: 42,
        broadcast: true,
        multicast_ttl: 7,
        multicast_loop: false,
        patience: Some(Duration::from_millis(3_500)),
        limit: Some(Duration::from_secs(5)),
    };
    wanted.apply(&socket)?;
    assert_eq!(Settings::of(&socket)?, wanted);
    assert_eq!(Settings::of(&socket.try_clone()?)?, wanted, "a clone is the same socket");
    as_made.apply(&socket)?;
    assert_eq!(Settings::of(&socket)?, as_made);
    let zero = socket.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    let zero = socket.set_write_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    assert!(socket.take_error()?.is_none());
    if cfg!(any(target_os = "linux", target_os = "macos")) {
        let denied = socket.send_to(b"all", (Ipv4Addr::BROADCAST, 9)).unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
    }
    bad_groups(&socket);
    six()?;

    // The largest there is, and one more.
    let mut large = vec![5; 65_507];
    if cfg!(target_os = "linux") {
        assert_eq!(socket.send_to(&large, addr)?, large.len());
        let mut buf = vec![0; 70_000];
        assert_eq!(taken.recv_from(&mut buf)?, (large.len(), here));
        assert!(buf[..large.len()] == large);
    }
    large.push(5);
    assert!(socket.send_to(&large, addr).is_err());
    Ok(())
}
