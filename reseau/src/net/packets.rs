//! Datagrams with their circumstances, one by one and many at once.
use std::io;
use std::sync::atomic::Ordering;

use super::{Datagram, Family, Inet};
use crate::addr::Addr;
use crate::packet::{Batch, Packet};
use crate::sys::Fd;

impl<F: Family> Datagram<F> {
    /// Receives the next datagram, and all that the system tells about it: the sender, the address
    /// that it was sent to and the interface it came by, ECN, hops left, the time of its arrival,
    /// and whether `buf` was too short.
    ///
    /// The first of these calls asks the system to tell; of datagrams that had arrived before, it
    /// knows less. What a system never tells is `None`.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// let server = UdpSocket::bind("127.0.0.1:0").await?;
    /// server.tell();
    /// let client = UdpSocket::bind("127.0.0.1:0").await?;
    /// client.send_to(b"hello", server.local_addr()?).await?;
    /// let mut buf = [0; 4];
    /// let packet = server.recv_packet(&mut buf).await?;
    /// assert_eq!((packet.len, packet.truncated), (4, true));
    /// assert_eq!(packet.peer, Some(client.local_addr()?));
    /// if cfg!(target_os = "linux") {
    ///     assert_eq!(packet.local, Some([127, 0, 0, 1].into()));
    /// }
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_packet(&self, buf: &mut [u8]) -> io::Result<Packet<F::Addr>> {
        self.tell();
        self.receive(|fd| Self::packet(fd, buf)).await
    }

    /// As [`recv_packet`](Self::recv_packet), without waiting.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_packet(&self, buf: &mut [u8]) -> io::Result<Packet<F::Addr>> {
        self.tell();
        Self::packet(self.fd(), buf)
    }

    fn packet(fd: &Fd, buf: &mut [u8]) -> io::Result<Packet<F::Addr>> {
        Self::or_end(fd, fd.recv_packet(buf), Packet::connected)?.map(F::named)
    }

    /// Asks the system to tell all that it can about the datagrams that arrive from now on, as the
    /// first call for packets does. Batches are told only what was asked for: on Linux, telling
    /// costs about as much again as receiving.
    pub fn tell(&self) {
        if !self.told.swap(true, Ordering::Relaxed) {
            self.fd().tell();
        }
    }

    /// Sends a datagram as `packet` wishes: to its peer, from its local address or by its
    /// interface, with its ECN and its hops. `packet.len` and `packet.at` mean nothing here.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::UdpSocket;
    /// // A server on all addresses answers from the one that was asked.
    /// let server = UdpSocket::bind("0.0.0.0:0").await?;
    /// server.tell();
    /// let client = UdpSocket::bind("127.0.0.1:0").await?;
    /// let port = server.local_addr()?.port();
    /// client.connect(("127.0.0.1", port)).await?;
    /// client.send(b"who are you?").await?;
    /// let mut buf = [0; 64];
    /// let packet = server.recv_packet(&mut buf).await?;
    /// server.send_packet(b"it is me", &packet.reply()).await?;
    /// assert_eq!(client.recv(&mut buf).await?, 8); // Who is connected hears no other.
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Unsupported` if the system cannot grant a wish; else as [`send`](Self::send).
    pub async fn send_packet(&self, buf: &[u8], packet: &Packet<F::Addr>) -> io::Result<usize> {
        let packet = named(packet);
        self.transmit_by(|fd| fd.send_packet(buf, &packet)).await
    }

    /// As [`send_packet`](Self::send_packet), without waiting.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{Ecn, Packet, UdpSocket};
    /// let one = UdpSocket::bind("127.0.0.1:0").await?;
    /// let other = UdpSocket::bind("127.0.0.1:0").await?;
    /// other.tell();
    /// let mut packet = Packet::to(other.local_addr()?);
    /// (packet.ecn, packet.ttl) = (Some(Ecn::Ect0), Some(9));
    /// one.try_send_packet(b"marked", &packet)?;
    /// let packet = other.recv_packet(&mut [0; 64]).await?;
    /// assert_eq!((packet.ecn, packet.ttl), (Some(Ecn::Ect0), Some(9)));
    /// assert!(packet.at.is_some(), "when it came");
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else as [`send_packet`](Self::send_packet).
    pub fn try_send_packet(&self, buf: &[u8], packet: &Packet<F::Addr>) -> io::Result<usize> {
        self.try_transmit(|fd| fd.send_packet(buf, &named(packet)))
    }
}

impl Datagram<Inet> {
    /// Receives what is there, as far as the batch has room: at least one datagram, each with what
    /// the system was asked to tell ([`tell`](Self::tell)). What was in the batch is gone.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{Batch, UdpSocket};
    /// let server = UdpSocket::bind("127.0.0.1:0").await?;
    /// let client = UdpSocket::bind("127.0.0.1:0").await?;
    /// for text in ["one", "two", "three"] {
    ///     client.send_to(text.as_bytes(), server.local_addr()?).await?;
    /// }
    /// let mut batch = Batch::new(16, 1500);
    /// let mut heard = Vec::new();
    /// while heard.len() < 3 {
    ///     server.recv_batch(&mut batch).await?;
    ///     heard.extend(batch.iter().map(|(_, bytes)| bytes.to_vec()));
    /// }
    /// assert_eq!(heard, [&b"one"[..], b"two", b"three"]);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        self.receive(|fd| fd.recv_batch(batch)).await
    }

    /// As [`recv_batch`](Self::recv_batch), without waiting.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        self.fd().recv_batch(batch)
    }

    /// Sends datagrams from the front of the batch, which loses them: at least one, and all unless
    /// there is no room. Says how many.
    ///
    /// Dropping the future loses nothing: what is left in the batch was not sent, and what is gone
    /// from it was.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{Batch, Packet, UdpSocket};
    /// let server = UdpSocket::bind("127.0.0.1:0").await?;
    /// let client = UdpSocket::bind("127.0.0.1:0").await?;
    /// let to = Packet::to(server.local_addr()?);
    /// let mut batch = Batch::new(64, 1200);
    /// for number in 0..10u8 {
    ///     batch.push(&to, &[number; 1200]).unwrap();
    /// }
    /// while !batch.is_empty() {
    ///     client.send_batch(&mut batch).await?; // One system call, where there is GSO.
    /// }
    /// let mut buf = [0; 2000];
    /// for number in 0..10u8 {
    ///     assert_eq!(server.recv(&mut buf).await?, 1200);
    ///     assert_eq!(buf[0], number);
    /// }
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// What is wrong with the first datagram that is left, once those before it are out; else as
    /// [`send`](Self::send).
    pub async fn send_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        self.transmit(|fd| fd.send_batch(batch)).await
    }

    /// As [`send_batch`](Self::send_batch), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room; else as [`send_batch`](Self::send_batch).
    pub fn try_send_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        self.try_transmit(|fd| fd.send_batch(batch))
    }

    /// Lets the system join datagrams of one sender (GRO), so that one call receives many. From
    /// then on receive with [`recv_batch`](Self::recv_batch) alone: it takes them apart again,
    /// and other calls do not.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{Batch, Packet, UdpSocket};
    /// let one = UdpSocket::bind("127.0.0.1:0").await?;
    /// let other = UdpSocket::bind("127.0.0.1:0").await?;
    /// other.set_gro(true)?;
    /// let mut batch = Batch::new(64, 1200);
    /// for _ in 0..20 {
    ///     batch.push(&Packet::to(other.local_addr()?), &[7; 1200])?;
    /// }
    /// while !batch.is_empty() {
    ///     one.send_batch(&mut batch).await?; // Cut from one long one (GSO),
    /// }
    /// let mut count = 0;
    /// while count < 20 {
    ///     count += other.recv_batch(&mut batch).await?; // and taken apart again.
    ///     assert!(batch.iter().all(|(packet, bytes)| packet.len == 1200 && bytes == [7; 1200]));
    /// }
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(target_os = "linux"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// `Unsupported` where there is no such thing.
    pub fn set_gro(&self, on: bool) -> io::Result<()> {
        self.fd().set_gro(on)
    }

    /// What [`set_gro`](Self::set_gro) set.
    #[must_use]
    pub fn gro(&self) -> bool {
        self.fd().gro()
    }
}

fn named<A: Clone + Into<Addr>>(packet: &Packet<A>) -> Packet<Addr> {
    let named: Result<_, std::convert::Infallible> = packet.clone().map(|peer| Ok(peer.into()));
    named.unwrap_or_else(|never| match never {})
}
