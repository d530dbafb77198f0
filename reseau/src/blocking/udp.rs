//! UDP: [`UdpSocket`].
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};
use std::{fmt, net};

use super::calls;
use super::handle::{self, Handle, checked_timeout, no_address, resolve};
use crate::addr::InterfaceRef;
use crate::opt;
use crate::packet::{Batch, Packet};
use crate::sys::blocking::PEEK;
use crate::sys::option::On;
use crate::sys::{self, OsSocket, Side, message, multicast};

/// A UDP socket, as [`std::net::UdpSocket`] and more (see [the module](super)).
///
/// All calls go through a shared reference, from any thread. On Windows, datagrams that are longer
/// than the buffer are cut, as everywhere else; and what became of datagrams that were sent
/// (`ConnectionReset`) does not make receiving fail.
///
/// ```
/// use reseau::blocking::UdpSocket;
///
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.send_to(b"hello", server.local_addr()?)?;
/// let mut buf = [0; 1500];
/// let (len, peer) = server.recv_from(&mut buf)?;
/// assert_eq!((&buf[..len], peer), (&b"hello"[..], client.local_addr()?));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UdpSocket(Handle);

impl UdpSocket {
    /// Takes the first address of `addr` that can be had. Port 0: one that the system chooses.
    ///
    /// # Errors
    /// The last address' error; the [`Error`](crate::Error) inside says what was wrong.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        handle::bind(resolve(addr)?).map(Self)
    }

    /// Sends to, and receives from, the first address of `addr` that can be had, and no other.
    ///
    /// # Errors
    /// The last address' error, with all of them as
    /// [`Error::attempts`](crate::Error::attempts).
    ///
    /// ```
    /// use reseau::blocking::UdpSocket;
    ///
    /// let server = UdpSocket::bind("127.0.0.1:0")?;
    /// let client = UdpSocket::bind("127.0.0.1:0")?;
    /// client.connect(server.local_addr()?)?;
    /// client.send(b"ping")?;
    /// let mut buf = [0; 64];
    /// let (len, peer) = server.recv_from(&mut buf)?;
    /// server.send_to(&buf[..len], peer)?;
    /// assert_eq!(client.recv(&mut buf)?, 4);
    /// assert_eq!(client.peer_addr()?, server.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        self.0.reconnect(resolve(addr)?)
    }

    /// Receives the next datagram, and says whose it is. What does not fit is lost.
    ///
    /// # Errors
    /// The system's; of a connected socket also what became of what was sent before
    /// (`ConnectionRefused`).
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let recv = |socket: &_, flags| message::recv_from(socket, buf, flags);
        let (len, addr) = self.0.on(Side::Recv, recv)?;
        Ok((len, handle::inet(&addr)?))
    }

    /// As [`recv_from`](Self::recv_from), without taking the datagram.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// ```
    /// use reseau::blocking::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.send_to(b"a note to myself", socket.local_addr()?)?;
    /// let mut buf = [0; 64];
    /// assert_eq!(socket.peek_from(&mut buf)?, (16, socket.local_addr()?)); // It stays.
    /// assert_eq!(socket.recv_from(&mut buf)?, (16, socket.local_addr()?));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let peek = |socket: &_, flags| message::recv_from(socket, buf, flags | PEEK);
        let (len, addr) = self.0.on(Side::Recv, peek)?;
        Ok((len, handle::inet(&addr)?))
    }

    /// As [`recv_from`](Self::recv_from), for whom the sender does not matter.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// ```
    /// use reseau::blocking::UdpSocket;
    /// use std::io::ErrorKind;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_nonblocking(true)?;
    /// assert_eq!(socket.recv(&mut [0; 64]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.on(Side::Recv, |socket, flags| message::recv(socket, buf, flags))
    }

    /// As [`recv`](Self::recv), without taking the datagram.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// ```
    /// use reseau::blocking::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.connect(socket.local_addr()?)?;
    /// socket.send(b"twice")?;
    /// let mut buf = [0; 64];
    /// assert_eq!((socket.peek(&mut buf)?, socket.recv(&mut buf)?), (5, 5));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.on(Side::Recv, |socket, flags| message::recv(socket, buf, flags | PEEK))
    }

    /// Sends a datagram to the first address of `addr`, whole or not at all, and says its length.
    ///
    /// # Errors
    /// `InvalidInput` if there is no address; else the system's: it is too long, nobody can be
    /// reached.
    pub fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let to = sys::to_sock_addr(&resolve(addr)?.next().ok_or_else(no_address)?)?;
        self.0.on(Side::Send, |socket, flags| message::send_to(socket, buf, Some(&to), flags))
    }

    /// Sends a datagram to the address that the socket is connected with, whole or not at all, and
    /// says its length.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to), and what became of what was sent before
    /// (`ConnectionRefused`).
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.on(Side::Send, |socket, flags| message::send_to(socket, buf, None, flags))
    }
}

/// Datagrams with their circumstances.
impl UdpSocket {
    /// Receives the next datagram with all that the system tells about it: to which of our
    /// addresses it came and by which interface, its ECN, how many hops it had left, when it came,
    /// and whether it was cut.
    ///
    /// The system is asked to tell by the first call. Of a datagram that was there before, some of
    /// it may be missing: [`tell`](Self::tell) asks sooner. What a system does not tell is `None`.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// ```
    /// use reseau::blocking::UdpSocket;
    ///
    /// let server = UdpSocket::bind("127.0.0.1:0")?;
    /// server.tell();
    /// let client = UdpSocket::bind("127.0.0.1:0")?;
    /// client.send_to(b"longer than three", server.local_addr()?)?;
    /// let mut buf = [0; 3];
    /// let packet = server.recv_packet(&mut buf)?;
    /// assert_eq!((packet.len, packet.truncated), (3, true));
    /// assert_eq!(packet.peer, Some(client.local_addr()?));
    /// // The answer leaves from the address that was asked, whichever that is.
    /// server.send_packet(b"yes", &packet.reply())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv_packet(&self, buf: &mut [u8]) -> io::Result<Packet> {
        self.0.tell();
        let packet =
            self.0.on(Side::Recv, |socket, flags| message::recv_packet(socket, buf, flags))?;
        packet.map(message::inet)
    }

    /// Sends a datagram to the peer, from the address, through the interface, with the ECN and the
    /// time to live that `packet` says; what it does not say is as for any datagram.
    ///
    /// The traffic class that is sent along with an ECN is otherwise zero.
    ///
    /// # Errors
    /// `Unsupported` for what this system cannot grant, `InvalidInput` if the address to send from
    /// is of another family; else as [`send_to`](Self::send_to).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::{Ecn, Packet, blocking::UdpSocket};
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// other.tell();
    /// let mut packet = Packet::to(other.local_addr()?);
    /// (packet.ecn, packet.ttl) = (Some(Ecn::Ect1), Some(3));
    /// one.send_packet(b"near", &packet)?;
    /// let packet = other.recv_packet(&mut [0; 9])?;
    /// assert_eq!((packet.ecn, packet.ttl), (Some(Ecn::Ect1), Some(3)));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn send_packet(&self, buf: &[u8], packet: &Packet) -> io::Result<usize> {
        self.0.on(Side::Send, |socket, flags| message::send_packet(socket, buf, packet, flags))
    }

    /// Asks the system to tell about the datagrams that come from now on, as the first
    /// [`recv_packet`](Self::recv_packet) does.
    pub fn tell(&self) {
        self.0.tell();
    }

    /// Waits for a datagram, and takes what else is there, as far as there is room. Says how many
    /// it took, each with what the system was asked to tell ([`tell`](Self::tell)).
    ///
    /// On Linux it is one system call for up to 32 datagrams, and for more where the kernel joins
    /// them ([`set_gro`](Self::set_gro)); elsewhere one each, with the same results.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from); the batch is empty then.
    ///
    /// ```
    /// use reseau::{Batch, Packet, blocking::UdpSocket};
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// let mut batch = Batch::new(64, 1200);
    /// for text in ["a", "few", "datagrams"] {
    ///     batch.push(&Packet::to(other.local_addr()?), text.as_bytes())?;
    /// }
    /// one.send_batch(&mut batch)?;
    /// let mut lens = Vec::new();
    /// while lens.len() < 3 {
    ///     other.recv_batch(&mut batch)?;
    ///     lens.extend(batch.iter().map(|(packet, _)| packet.len));
    /// }
    /// assert_eq!(lens, [1, 3, 9]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        batch.clear(); // Also if it is too late to receive at all.
        self.0.on(Side::Recv, |socket, flags| message::recv_batch(socket, batch, flags))
    }

    /// Sends the batch from its front, each datagram as [`send_packet`](Self::send_packet) would;
    /// what was sent is gone from it. Says how many these were.
    ///
    /// On Linux, one system call sends up to 32 messages, each of which may be cut into up to 64
    /// datagrams by the kernel or the device (GSO); elsewhere one each, with the same results.
    ///
    /// # Errors
    /// As [`send_packet`](Self::send_packet), for the first datagram of the batch, which
    /// [`Batch::skip`] drops. After some were sent there is no error: the next call has it.
    ///
    /// ```
    /// use reseau::{Batch, Packet, blocking::UdpSocket};
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// let to = Packet::to(other.local_addr()?);
    /// let mut batch = Batch::new(64, 1200);
    /// for number in 0..10u8 {
    ///     batch.push(&to, &[number; 1200])?;
    /// }
    /// assert_eq!(one.send_batch(&mut batch)?, 10); // One system call, where there is GSO.
    /// let mut buf = [0; 2000];
    /// for number in 0..10u8 {
    ///     assert_eq!((other.recv(&mut buf)?, buf[0]), (1200, number));
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        let mut count = 0;
        while !batch.is_empty() {
            let send = |socket: &_, flags| message::send_batch(socket, batch, flags);
            match self.0.on(Side::Send, send) {
                Ok(more) => count += more,
                Err(error) if count == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(count)
    }

    /// Lets the kernel join datagrams that come from one sender, for
    /// [`recv_batch`](Self::recv_batch) to take apart again: fewer calls for many small ones.
    ///
    /// From then on **only `recv_batch`** may receive, through any handle: other calls take joined
    /// datagrams for one.
    ///
    /// # Errors
    /// `Unsupported` on other systems than Linux (5.0 and later) and Android.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::{Batch, Packet, blocking::UdpSocket};
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// other.set_gro(true)?;
    /// let mut batch = Batch::new(64, 1200);
    /// for _ in 0..20 {
    ///     batch.push(&Packet::to(other.local_addr()?), &[7; 1200])?;
    /// }
    /// one.send_batch(&mut batch)?;
    /// let mut count = 0;
    /// while count < 20 {
    ///     count += other.recv_batch(&mut batch)?; // Joined on the way, and apart again.
    ///     assert!(batch.iter().all(|(packet, bytes)| packet.len == 1200 && bytes == [7; 1200]));
    /// }
    /// assert!(other.gro());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn set_gro(&self, on: bool) -> io::Result<()> {
        message::set_gro(self.socket(), on)
    }

    /// What [`set_gro`](Self::set_gro) set, through whichever handle.
    #[must_use]
    pub fn gro(&self) -> bool {
        message::gro(self.socket())
    }
}

/// Groups of multicast.
impl UdpSocket {
    /// Joins a group of IPv4, on the interface that has the address `interface` (or any).
    ///
    /// # Errors
    /// The system's: there is no such interface (`NotFound` or the like), it is no group
    /// (`InvalidInput`).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::{blocking::UdpSocket, opt};
    /// use std::net::Ipv4Addr;
    ///
    /// let (group, here) = (Ipv4Addr::new(239, 77, 9, 3), Ipv4Addr::LOCALHOST);
    /// let member = UdpSocket::bind("0.0.0.0:0")?;
    /// member.join_multicast_v4(&group, &here)?;
    /// let sender = UdpSocket::bind("127.0.0.1:0")?;
    /// sender.set(opt::MulticastInterface(here))?;
    /// sender.send_to(b"all", (group, member.local_addr()?.port()))?;
    /// assert_eq!(member.recv(&mut [0; 64])?, 3);
    /// member.leave_multicast_v4(&group, &here)?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn join_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket().join_multicast_v4(multiaddr, interface)
    }

    /// Joins a group of IPv6, on the interface of that number (0: any).
    ///
    /// # Errors
    /// As [`join_multicast_v4`](Self::join_multicast_v4).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::blocking::UdpSocket;
    ///
    /// let Ok(member) = UdpSocket::bind("[::1]:0") else { return Ok(()) }; // No IPv6 here.
    /// let group = "ff02::77:a".parse().unwrap();
    /// member.join_multicast_v6(&group, 1)?;
    /// let again = member.join_multicast_v6(&group, 1).unwrap_err();
    /// assert_eq!(again.kind(), std::io::ErrorKind::AddrInUse);
    /// member.leave_multicast_v6(&group, 1)?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket().join_multicast_v6(multiaddr, interface)
    }

    /// Leaves a group of IPv4.
    ///
    /// # Errors
    /// The system's: it was not joined.
    pub fn leave_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket().leave_multicast_v4(multiaddr, interface)
    }

    /// Leaves a group of IPv6.
    ///
    /// # Errors
    /// The system's: it was not joined.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket().leave_multicast_v6(multiaddr, interface)
    }

    /// Joins a group on an interface, which is told by its number, its name or its address.
    ///
    /// # Errors
    /// `NotFound` if no interface has that name, `Unsupported` for a way of telling that this
    /// system does not have; else the system's.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::{addr::InterfaceRef, blocking::UdpSocket};
    /// use std::net::Ipv4Addr;
    ///
    /// let socket = UdpSocket::bind("0.0.0.0:0")?;
    /// let group = "239.77.9.4".parse().unwrap();
    /// for way in [InterfaceRef::from("lo"), 1.into(), Ipv4Addr::LOCALHOST.into()] {
    ///     socket.join_multicast(group, way.clone())?;
    ///     socket.leave_multicast(group, way)?;
    /// }
    /// let nowhere = socket.join_multicast(group, "no-such-if0").unwrap_err();
    /// assert_eq!(nowhere.kind(), std::io::ErrorKind::NotFound);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn join_multicast(&self, group: IpAddr, on: impl Into<InterfaceRef>) -> io::Result<()> {
        multicast::set_member(self.socket(), group, &on.into(), true)
    }

    /// Leaves a group on an interface.
    ///
    /// # Errors
    /// As [`join_multicast`](Self::join_multicast); the system's if it was not joined.
    pub fn leave_multicast(&self, group: IpAddr, on: impl Into<InterfaceRef>) -> io::Result<()> {
        multicast::set_member(self.socket(), group, &on.into(), false)
    }

    /// Joins a group for what `source` sends to it: source-specific multicast (RFC 4607). More
    /// sources may be added by more calls.
    ///
    /// # Errors
    /// As [`join_multicast`](Self::join_multicast); `InvalidInput` if group and source are of two
    /// families.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::{blocking::UdpSocket, opt};
    /// use std::net::Ipv4Addr;
    ///
    /// let (group, source) = (Ipv4Addr::new(232, 77, 9, 2), Ipv4Addr::LOCALHOST);
    /// let member = UdpSocket::bind("0.0.0.0:0")?;
    /// member.join_ssm(group.into(), source.into(), "lo")?;
    /// let sender = UdpSocket::bind((source, 0))?;
    /// sender.set(opt::MulticastInterface(source))?;
    /// sender.send_to(b"from me", (group, member.local_addr()?.port()))?;
    /// assert_eq!(member.recv(&mut [0; 64])?, 7);
    /// member.leave_ssm(group.into(), source.into(), "lo")?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    pub fn join_ssm(
        &self,
        group: IpAddr,
        source: IpAddr,
        on: impl Into<InterfaceRef>,
    ) -> io::Result<()> {
        multicast::set_member_for(self.socket(), group, source, &on.into(), true)
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
        multicast::set_member_for(self.socket(), group, source, &on.into(), false)
    }
}

opt::named_options! {
    UdpSocket, socket => socket.socket();

    /// Lets datagrams go to broadcast addresses.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::blocking::UdpSocket;
    /// use std::{io::ErrorKind, net::Ipv4Addr};
    ///
    /// let socket = UdpSocket::bind("0.0.0.0:0")?;
    /// let all = (Ipv4Addr::new(127, 255, 255, 255), socket.local_addr()?.port());
    /// let refused = socket.send_to(b"hello", all).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    /// socket.set_broadcast(true)?;
    /// socket.send_to(b"hello", all)?;
    /// assert_eq!(socket.recv(&mut [0; 64])?, 5);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    broadcast, set_broadcast: bool => broadcast, set_broadcast;
    /// Whether what goes to a group of IPv4 comes to this machine's members too.
    multicast_loop_v4, set_multicast_loop_v4: bool => multicast_loop_v4, set_multicast_loop_v4;
    /// How many hops a datagram to a group of IPv4 may take.
    ///
    /// ```
    /// use reseau::blocking::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_ttl(1)?; // It goes to neighbours alone,
    /// socket.set_multicast_ttl_v4(0)?; // and to groups on this machine.
    /// assert_eq!((socket.ttl()?, socket.multicast_ttl_v4()?), (1, 0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    multicast_ttl_v4, set_multicast_ttl_v4: u32 => multicast_ttl_v4, set_multicast_ttl_v4;
    /// Whether what goes to a group of IPv6 comes to this machine's members too.
    multicast_loop_v6, set_multicast_loop_v6: bool => multicast_loop_v6, set_multicast_loop_v6;
}

calls::handle!(
    UdpSocket, SocketAddr, handle::inet,
    /// ```
    /// use reseau::blocking::UdpSocket;
    /// use std::io::ErrorKind;
    /// use std::time::{Duration, Instant};
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_deadlines(Some(Instant::now() + Duration::from_millis(5)), None);
    /// // Nobody sends.
    /// assert_eq!(socket.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::TimedOut);
    /// # Ok::<(), std::io::Error>(())
    /// ```
);
calls::hops!(UdpSocket);
calls::std_twin!(UdpSocket, net::UdpSocket);

opt::has_options!([] UdpSocket, socket => On::Os(socket.socket()));
opt::fits! {
    UdpSocket: Inet Udp Datagram Waiting;
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("UdpSocket");
        if let Ok(addr) = self.local_addr() {
            form.field("addr", &addr);
        }
        let (name, number) = sys::blocking::number(self.socket());
        form.field(name, &number).finish()
    }
}
