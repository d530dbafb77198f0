//! UDP: [`UdpSocket`], under the name of `tokio::net`.
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use super::open::Tried;
use super::to_addrs::Found;
use super::{Datagram, Inet, ToSocketAddrs, detach, open};
use crate::addr::{Addr, InterfaceRef};
use crate::driver::Side;
use crate::error::Operation;
use crate::opt;
use crate::rt::Remote;
use crate::sys::{self, Kind, listening};

/// A UDP socket. What it has beside its own calls is [`Datagram`]'s.
pub type UdpSocket = Datagram<Inet>;

impl Datagram<Inet> {
    /// Takes the first address of `addr` that can be had, on the loop of this thread or else on
    /// the global one. Port 0: one that the system chooses.
    ///
    /// `[::]` is for IPv4 too, on every system that has such sockets. No other option is set. On
    /// Windows, the news that a port was unreachable (10054) is switched off: it would make
    /// receiving fail on account of others.
    ///
    /// # Errors
    /// The last address' error, with all of them as
    /// [`Error::attempts`](crate::Error::attempts).
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        Self::bind_on(&Remote::current()?, addr).await
    }

    /// As [`bind`](Self::bind), on another loop.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn bind_on<A: ToSocketAddrs>(home: &Remote, addr: A) -> io::Result<Self> {
        let home = home.home();
        let found = Found::of(&addr, Operation::Bind, home).await?;
        let mut tried = Tried::new(found.name.as_deref());
        for inet in found.addrs {
            let addr = Addr::from(inet);
            let opened = sys::domain(&addr).and_then(|domain| home.open_as(domain, Kind::Dgram));
            let bound = opened.and_then(|fd| {
                listening::choose_stack(fd.on(), inet, false)?;
                fd.bind(&addr).map(|()| fd)
            });
            match bound {
                Ok(fd) => return Ok(Self::adopt(fd, home)),
                Err(error) => tried.push(Operation::Bind, addr, error),
            }
        }
        Err(tried.into_error(Operation::Bind))
    }

    /// Takes in a socket of std's, on the loop of this thread or else on the global one. It
    /// becomes non-blocking.
    ///
    /// # Errors
    /// The system's; `Unsupported` in a simulated loop.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        let (fd, home) = open::adopt(socket.into())?;
        Ok(Self::adopt(fd, &home))
    }

    /// The socket as std's, which stays non-blocking.
    ///
    /// # Errors
    /// `Unsupported` for a simulated socket.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        detach::into_os(self.into_handle()).map(Into::into)
    }

    /// Sends to, and receives from, the first address of `addr` that can be had, and no other.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// let server = UdpSocket::bind("127.0.0.1:0").await?;
    /// let client = UdpSocket::bind("127.0.0.1:0").await?;
    /// client.connect(server.local_addr()?).await?;
    /// client.send(b"ping").await?;
    /// let mut buf = [0; 16];
    /// let (len, peer) = server.recv_from(&mut buf).await?;
    /// server.send_to(&buf[..len], peer).await?;
    /// assert_eq!(client.recv(&mut buf).await?, 4);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// The last address' error, with all of them as
    /// [`Error::attempts`](crate::Error::attempts).
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let found = Found::of(&addr, Operation::Connect, self.home()).await?;
        let mut tried = Tried::new(found.name.as_deref());
        for addr in found.addrs {
            let addr = Addr::from(addr);
            match self.fd().connect(&addr) {
                Ok(_) => return Ok(()),
                Err(error) => tried.push(Operation::Connect, addr, error),
            }
        }
        Err(tried.into_error(Operation::Connect))
    }

    /// Sends a datagram to the first address of `target`, and says its length.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// let port = socket.local_addr()?.port();
    /// socket.send_to(b"", ("127.0.0.1", port)).await?; // Empty ones count.
    /// let mut buf = [0; 64];
    /// let (len, peer) = socket.recv_from(&mut buf).await?;
    /// assert_eq!((len, peer.port()), (0, port));
    /// let long = socket.send_to(&[0; 70_000], peer).await;
    /// assert!(long.is_err(), "no datagram is that long");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if there is no address; else as [`send`](Self::send).
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], target: A) -> io::Result<usize> {
        let found = Found::of(&target, Operation::Send, self.home()).await?;
        let Some(to) = found.addrs.first() else {
            return Err(Tried::new(found.name.as_deref()).into_error(Operation::Send));
        };
        self.transmit_to(buf, &Addr::from(*to)).await
    }

    /// As [`send_to`](Self::send_to), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else as [`send`](Self::send).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.try_transmit(|fd| fd.send_to(buf, Some(&target.into())))
    }

    /// As [`send_to`](Self::send_to), for hand-written futures.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.poll(Side::Send, cx, |fd| fd.send_to(buf, Some(&target.into())))
    }

    /// Joins a group of IPv4, on the interface that has the address `interface` (or any).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{UdpSocket, opt};
    /// use std::net::Ipv4Addr;
    /// let (group, here) = (Ipv4Addr::new(239, 77, 9, 1), Ipv4Addr::LOCALHOST);
    /// let member = UdpSocket::bind("0.0.0.0:0").await?;
    /// member.join_multicast_v4(group, here)?;
    /// let sender = UdpSocket::bind("127.0.0.1:0").await?;
    /// sender.set(opt::MulticastInterface(here))?;
    /// sender.send_to(b"all", (group, member.local_addr()?.port())).await?;
    /// assert_eq!(member.recv(&mut [0; 64]).await?, 3);
    /// member.leave_multicast_v4(group, here)?;
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// `NotFound` or the like if there is no such interface, `InvalidInput` if it is no group.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.fd().set_member(group.into(), &interface.into(), true)
    }

    /// Leaves a group of IPv4.
    ///
    /// # Errors
    /// The system's: it was not joined.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.fd().set_member(group.into(), &interface.into(), false)
    }

    /// Joins a group of IPv6, on the interface of that number (0: any).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// let Ok(member) = UdpSocket::bind("[::1]:0").await else { return Ok(()) }; // No IPv6 here.
    /// let group = "ff02::77:9".parse().unwrap();
    /// member.join_multicast_v6(&group, 1)?;
    /// let again = member.join_multicast_v6(&group, 1).unwrap_err();
    /// assert_eq!(again.kind(), std::io::ErrorKind::AddrInUse);
    /// member.leave_multicast_v6(&group, 1)?;
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// As [`join_multicast_v4`](Self::join_multicast_v4).
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.fd().set_member((*group).into(), &interface.into(), true)
    }

    /// Leaves a group of IPv6.
    ///
    /// # Errors
    /// The system's: it was not joined.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.fd().set_member((*group).into(), &interface.into(), false)
    }
}

/// Groups, by whatever tells the interface.
impl Datagram<Inet> {
    /// Joins a group on an interface, which is told by its number, its name or its address.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// use reseau::addr::InterfaceRef;
    /// use std::net::Ipv4Addr;
    /// let socket = UdpSocket::bind("0.0.0.0:0").await?;
    /// let group = "239.77.9.2".parse().unwrap();
    /// for way in [InterfaceRef::from("lo"), 1.into(), Ipv4Addr::LOCALHOST.into()] {
    ///     socket.join_multicast(group, way.clone())?;
    ///     socket.leave_multicast(group, way)?;
    /// }
    /// let nowhere = socket.join_multicast(group, "no-such-if0").unwrap_err();
    /// assert_eq!(nowhere.kind(), std::io::ErrorKind::NotFound);
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// `NotFound` if no interface has that name, `Unsupported` for a way of telling that this
    /// system does not have; else the system's.
    pub fn join_multicast(&self, group: IpAddr, on: impl Into<InterfaceRef>) -> io::Result<()> {
        self.fd().set_member(group, &on.into(), true)
    }

    /// Leaves a group on an interface.
    ///
    /// # Errors
    /// As [`join_multicast`](Self::join_multicast); the system's if it was not joined.
    pub fn leave_multicast(&self, group: IpAddr, on: impl Into<InterfaceRef>) -> io::Result<()> {
        self.fd().set_member(group, &on.into(), false)
    }

    /// Joins a group for what `source` sends to it: source-specific multicast (RFC 4607). More
    /// sources may be added by more calls.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{UdpSocket, opt};
    /// use std::net::Ipv4Addr;
    /// let (group, source) = (Ipv4Addr::new(232, 77, 9, 1), Ipv4Addr::LOCALHOST);
    /// let member = UdpSocket::bind("0.0.0.0:0").await?;
    /// member.join_ssm(group.into(), source.into(), "lo")?;
    /// let sender = UdpSocket::bind((source, 0)).await?;
    /// sender.set(opt::MulticastInterface(source))?;
    /// sender.send_to(b"from me", (group, member.local_addr()?.port())).await?;
    /// assert_eq!(member.recv(&mut [0; 64]).await?, 7);
    /// member.leave_ssm(group.into(), source.into(), "lo")?;
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// As [`join_multicast`](Self::join_multicast); `InvalidInput` if group and source are of two
    /// families.
    pub fn join_ssm(
        &self,
        group: IpAddr,
        source: IpAddr,
        on: impl Into<InterfaceRef>,
    ) -> io::Result<()> {
        self.fd().set_member_for(group, source, &on.into(), true)
    }

    /// Leaves a group as for `source`.
    ///
    /// # Errors
    /// As [`join_ssm`](Self::join_ssm); the system's if it was not joined so.
    pub fn leave_ssm(
        &self,
        group: IpAddr,
        source: IpAddr,
        on: impl Into<InterfaceRef>,
    ) -> io::Result<()> {
        self.fd().set_member_for(group, source, &on.into(), false)
    }
}

/// The interface that a socket is bound to.
impl Datagram<Inet> {
    /// The name of the interface that the socket is bound to, if any.
    ///
    /// # Errors
    /// The system's; `Unsupported` where it has no such option.
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        self.get::<opt::BindDevice>().map(|device| device.0.map(String::into_bytes))
    }

    /// Sends by, and receives from, the interface of that name alone (`None`: all).
    ///
    /// # Errors
    /// `InvalidInput` if it cannot be a name; else the system's; `Unsupported` where it has no such
    /// option.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        let name = interface.map(|name| String::from_utf8(name.to_vec())).transpose();
        let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.set(opt::BindDevice(name))
    }
}

opt::named_options! {
    Datagram<Inet>, socket => socket.fd();

    /// Lets datagrams go to broadcast addresses.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// let socket = UdpSocket::bind("0.0.0.0:0").await?;
    /// let all = (std::net::Ipv4Addr::new(127, 255, 255, 255), socket.local_addr()?.port());
    /// let refused = socket.send_to(b"hello", all).await.unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    /// socket.set_broadcast(true)?;
    /// socket.send_to(b"hello", all).await?;
    /// assert_eq!(socket.recv(&mut [0; 64]).await?, 5);
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    broadcast, set_broadcast: bool => broadcast, set_broadcast;
    /// Whether what goes to a group of IPv4 comes to this machine's members too.
    multicast_loop_v4, set_multicast_loop_v4: bool => multicast_loop_v4, set_multicast_loop_v4;
    /// How many hops a datagram to a group of IPv4 may take.
    multicast_ttl_v4, set_multicast_ttl_v4: u32 => multicast_ttl_v4, set_multicast_ttl_v4;
    /// Whether what goes to a group of IPv6 comes to this machine's members too.
    multicast_loop_v6, set_multicast_loop_v6: bool => multicast_loop_v6, set_multicast_loop_v6;
    /// How many hops a datagram may take (IPv4's time to live).
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// socket.set_ttl(1)?; // It goes to neighbours alone,
    /// socket.set_multicast_ttl_v4(0)?; // and to groups on this machine.
    /// assert_eq!((socket.ttl()?, socket.multicast_ttl_v4()?), (1, 0));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ttl, set_ttl: u32 => ttl, set_ttl;
    /// The type-of-service field of IPv4 datagrams.
    tos_v4, set_tos_v4: u32 => tos, set_tos;
    /// The traffic class of IPv6 datagrams.
    tclass_v6, set_tclass_v6: u32 => tclass, set_tclass;
}

impl TryFrom<std::net::UdpSocket> for UdpSocket {
    type Error = io::Error;

    fn try_from(socket: std::net::UdpSocket) -> io::Result<Self> {
        Self::from_std(socket)
    }
}
