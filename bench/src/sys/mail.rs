//! Datagrams, many in one call: `recvmmsg` and `sendmmsg`, trains that the kernel cuts into
//! datagrams (GSO) and trains to which it joined them (GRO).

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, Socket, Type};

use super::check;

/// Slots for trains of datagrams, received or to be sent. A train of one is a datagram.
pub(crate) struct Mail {
    bytes: Vec<u8>,
    each: usize,
    names: Vec<libc::sockaddr_in>,
    controls: Vec<Control>,
    parts: Vec<libc::iovec>,
    /// Point into the other fields, whose memory is never moved or resized.
    calls: Vec<libc::mmsghdr>,
}

/// Room for one number of the kernel's, with its head, as long as it is kept.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control {
    len: usize,
    level: i32,
    kind: i32,
    value: [u8; 8],
}

impl Mail {
    /// So many slots of so many bytes each.
    pub(crate) fn new(slots: usize, each: usize) -> Self {
        // SAFETY: a structure of integers, for which zeros will do.
        let name: libc::sockaddr_in = unsafe { mem::zeroed() };
        // SAFETY: a structure of integers and pointers, for which zeros will do.
        let call: libc::mmsghdr = unsafe { mem::zeroed() };
        let part = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        let mut mail = Self {
            bytes: vec![0; slots * each],
            each,
            names: vec![name; slots],
            controls: vec![Control { len: 0, level: 0, kind: 0, value: [0; 8] }; slots],
            parts: vec![part; slots],
            calls: vec![call; slots],
        };
        for (nth, slot) in mail.bytes.chunks_exact_mut(each).enumerate() {
            mail.parts[nth].iov_base = slot.as_mut_ptr().cast();
        }
        for (nth, call) in mail.calls.iter_mut().enumerate() {
            call.msg_hdr.msg_iov = &raw mut mail.parts[nth];
            call.msg_hdr.msg_iovlen = 1;
        }
        mail
    }

    pub(crate) fn slots(&self) -> usize {
        self.calls.len()
    }

    /// Receives trains into the first slots, and says how many; does not wait.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        for (nth, call) in self.calls.iter_mut().enumerate() {
            self.parts[nth].iov_len = self.each;
            let head = &mut call.msg_hdr;
            head.msg_name = (&raw mut self.names[nth]).cast();
            head.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            head.msg_control = (&raw mut self.controls[nth]).cast();
            head.msg_controllen = size_of::<Control>();
        }
        let (calls, count) = (self.calls.as_mut_ptr(), self.calls.len() as u32);
        let (fd, none) = (socket.as_raw_fd(), std::ptr::null_mut());
        // SAFETY: `count` calls, whose names, slots and control data are as long as they say and
        // belong to `self`.
        let n = unsafe { libc::recvmmsg(fd, calls, count, libc::MSG_DONTWAIT, none) };
        Ok(check(n)? as usize)
    }

    /// The bytes of the train received into a slot, and the length of its datagrams, of which the
    /// last may be shorter.
    pub(crate) fn train(&self, slot: usize) -> (&[u8], usize) {
        let len = self.calls[slot].msg_len as usize;
        (&self.bytes[slot * self.each..][..len.min(self.each)], self.segment(slot).unwrap_or(len))
    }

    /// Who sent what was received into a slot.
    pub(crate) fn sender(&self, slot: usize) -> SocketAddr {
        let name = &self.names[slot];
        let addr = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
        (addr, u16::from_be(name.sin_port)).into()
    }

    /// The memory of a slot, to be filled and then [addressed](Self::address).
    pub(crate) fn slot(&mut self, slot: usize) -> &mut [u8] {
        &mut self.bytes[slot * self.each..][..self.each]
    }

    /// Has a slot sent as datagrams of `segment` bytes, `len` bytes in all, to `peer` or to whom
    /// the socket is connected with.
    pub(crate) fn address(
        &mut self,
        slot: usize,
        len: usize,
        segment: usize,
        peer: Option<SocketAddr>,
    ) {
        if let Some(SocketAddr::V4(peer)) = peer {
            let name = &mut self.names[slot];
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_port = peer.port().to_be();
            name.sin_addr.s_addr = u32::from(*peer.ip()).to_be();
        }
        self.aim(slot, len, segment, peer.is_some());
    }

    /// Has what was received into a slot sent back.
    pub(crate) fn answer(&mut self, slot: usize) {
        let (bytes, segment) = self.train(slot);
        let len = bytes.len();
        self.aim(slot, len, segment, true);
    }

    /// Sends slots from `start` to `end`, and says how many; does not wait.
    pub(crate) fn send(
        &mut self,
        socket: &UdpSocket,
        start: usize,
        end: usize,
    ) -> io::Result<usize> {
        let calls = &mut self.calls[start..end];
        let (calls, count) = (calls.as_mut_ptr(), calls.len() as u32);
        let fd = socket.as_raw_fd();
        // SAFETY: `count` calls, whose names, slots and control data are as long as they say,
        // belong to `self` and are only read.
        let n = unsafe { libc::sendmmsg(fd, calls, count, libc::MSG_DONTWAIT) };
        Ok(check(n)? as usize)
    }

    fn aim(&mut self, slot: usize, len: usize, segment: usize, named: bool) {
        self.parts[slot].iov_len = len;
        let head = &mut self.calls[slot].msg_hdr;
        (head.msg_name, head.msg_namelen) = match named {
            true => ((&raw mut self.names[slot]).cast(), size_of::<libc::sockaddr_in>() as u32),
            false => (std::ptr::null_mut(), 0),
        };
        (head.msg_control, head.msg_controllen) = (std::ptr::null_mut(), 0);
        if segment < len {
            let control = &mut self.controls[slot];
            let [low, high] = (segment as u16).to_ne_bytes();
            *control = Control {
                len: HEAD + size_of::<u16>(),
                level: libc::SOL_UDP,
                kind: libc::UDP_SEGMENT,
                value: [low, high, 0, 0, 0, 0, 0, 0],
            };
            head.msg_control = (&raw mut *control).cast();
            head.msg_controllen = size_of::<Control>();
        }
    }

    /// What the kernel said about the length of joined datagrams.
    fn segment(&self, slot: usize) -> Option<usize> {
        let told = self.calls[slot].msg_hdr.msg_controllen >= HEAD + size_of::<i32>();
        let control = &self.controls[slot];
        let joined = control.level == libc::SOL_UDP && control.kind == libc::UDP_GRO;
        let [a, b, c, d, ..] = control.value;
        (told && joined).then(|| i32::from_ne_bytes([a, b, c, d]).max(1) as usize)
    }
}

/// A socket on a free loopback port, with all the room for datagrams that the kernel grants.
pub(crate) fn bind() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM.cloexec(), Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(ROOM)?;
    socket.set_send_buffer_size(ROOM)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    Ok(socket.into())
}

/// Lets the kernel join datagrams of one sender.
pub(crate) fn join(socket: &UdpSocket) -> io::Result<()> {
    let (on, len) = (1_i32, size_of::<i32>() as libc::socklen_t);
    let (fd, value) = (socket.as_raw_fd(), (&raw const on).cast());
    // SAFETY: the pointer and the length describe an integer that outlives the call.
    check(unsafe { libc::setsockopt(fd, libc::SOL_UDP, libc::UDP_GRO, value, len) })?;
    Ok(())
}

/// How many datagrams of a size make the longest train.
pub(crate) fn train_max(size: usize) -> usize {
    (TRAIN_BYTES / size.max(1)).clamp(1, 64)
}

/// What IP's length field leaves for a train: the kernel cuts it only behind that check.
const TRAIN_BYTES: usize = 65_535 - 20 - 8;
/// Bytes for any train.
pub(crate) const TRAIN_ROOM: usize = 1 << 16;
/// As much as the kernel allows; it takes less without a word.
const ROOM: usize = 4 << 20;
const HEAD: usize = size_of::<libc::cmsghdr>();
