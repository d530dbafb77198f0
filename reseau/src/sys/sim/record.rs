//! Records (`SOCK_SEQPACKET`): a connection's bytes, with borders between them.
use super::datagram::cost;
use super::kernel::{Arrival, Kernel, Mark, fail};
use super::local::record_max;
use super::socket::Role;
use super::stream::take;
use crate::addr::{Addr, UnixAddr};
use crate::sys::Kind;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;

#[cfg(unix)]
use libc::EMSGSIZE;
#[cfg(windows)]
use windows_sys::Win32::Networking::WinSock::WSAEMSGSIZE as EMSGSIZE;

impl Kernel {
    pub(super) fn send_record(&mut self, index: u64, bytes: &[u8]) -> io::Result<usize> {
        let limit = self.send_limit(index);
        let socket = self.socket(index);
        let Role::Stream(stream) = &socket.role else { return fail(ErrorKind::NotConnected) };
        let (peer, over) = (stream.peer, stream.write_shut || stream.down);
        if bytes.len() > record_max(limit) {
            return Err(io::Error::from_raw_os_error(EMSGSIZE));
        }
        if let Some(kind) = socket.error.take() {
            return fail(kind);
        }
        if over {
            return fail(ErrorKind::BrokenPipe);
        }
        if self.room_of(index) == 0 {
            return fail(ErrorKind::WouldBlock);
        }
        self.stream(index).held += cost(bytes.len());
        let at = self.in_order(index);
        self.schedule(at, Arrival::Bytes { from: index, to: peer, bytes: bytes.to_vec() });
        self.mark(Mark::Send, index, bytes.len() as u64);
        Ok(bytes.len())
    }

    /// How much of the next record fitted, and how long it is. (Streams may be peeked at too.)
    pub(super) fn recv_record(
        &mut self,
        index: u64,
        space: &mut [MaybeUninit<u8>],
        peek: bool,
    ) -> io::Result<(usize, usize, Option<Addr>)> {
        let socket = self.socket(index);
        let records = socket.kind == Kind::Seqpacket;
        if !records && !peek {
            return self.recv(index, space).map(|count| (count, count, None));
        }
        let Role::Stream(stream) = &mut socket.role else { return fail(ErrorKind::NotConnected) };
        if let Some(kind) = socket.error.take_if(|_| records) {
            return fail(kind);
        }
        if !stream.has_unread() {
            if let Some(kind) = socket.error.take() {
                return fail(kind);
            }
            return if stream.is_readable() {
                Ok((0, 0, None))
            } else {
                fail(ErrorKind::WouldBlock)
            };
        }
        let front = stream.records.as_ref().and_then(|records| records.front().copied());
        let full = front.unwrap_or(stream.inbox.len());
        let fitted = full.min(space.len());
        let named = |name: &&Addr| !name.unix().is_none_or(UnixAddr::is_unnamed);
        let name = Some(&stream.peer_addr).filter(named).cloned();
        if peek {
            for (slot, byte) in space[..fitted].iter_mut().zip(&stream.inbox) {
                slot.write(*byte);
            }
            return Ok((fitted, full, name));
        }
        take(&mut stream.inbox, &mut space[..fitted]);
        stream.inbox.drain(..full - fitted);
        if let Some(records) = &mut stream.records {
            records.pop_front();
        }
        self.free(index, cost(full));
        self.mark(Mark::Recv, index, full as u64);
        Ok((fitted, full, name))
    }
}
