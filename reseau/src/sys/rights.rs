//! Descriptors that go from process to process through Unix-domain sockets.
#![allow(unsafe_code)]

use super::ancillary::{self, Draft};
use super::blocking::uninit;
use super::messages::{self, CLOEXEC};
use super::{Fd, OsSocket, system, uninterrupted};
use crate::addr::Addr;
use crate::packet::Passed;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

impl Fd {
    /// Receives one message (or what is there of a stream) with at most `fds_max` descriptors.
    pub(crate) fn recv_fds(&self, space: &mut [u8], fds_max: usize) -> io::Result<Passed<Addr>> {
        let socket = self.os()?;
        uninterrupted(|| recv_fds(socket, space, fds_max, 0))
    }

    /// Receives what is there of a stream, and all the descriptors that came along.
    pub(crate) fn recv_passing(
        &self,
        space: &mut [MaybeUninit<u8>],
        fds: &mut Vec<OwnedFd>,
    ) -> io::Result<usize> {
        let Ok(socket) = self.os() else { return self.recv(space) };
        let passed = uninterrupted(|| receive(socket, space, FDS_MAX, 0))?;
        *fds = passed.fds;
        Ok(passed.len)
    }

    /// Sends one message (or bytes of a stream) with descriptors.
    pub(crate) fn send_fds(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        to: Option<&Addr>,
    ) -> io::Result<usize> {
        let socket = self.os()?;
        uninterrupted(|| send_fds(socket, bytes, fds, to, 0))
    }
}

/// [`Fd::recv_fds`] on a socket of either mode.
pub(crate) fn recv_fds(
    socket: &OsSocket,
    space: &mut [u8],
    fds_max: usize,
    flags: i32,
) -> io::Result<Passed<Addr>> {
    receive(socket, uninit(space), fds_max, flags)
}

fn receive(
    socket: &OsSocket,
    space: &mut [MaybeUninit<u8>],
    fds_max: usize,
    flags: i32,
) -> io::Result<Passed<Addr>> {
    // There is always room for as many as can be sent: systems differ in what becomes of those for
    // which there is none, and some leave them open without saying so.
    let mut control = [MaybeUninit::<u64>::uninit(); CONTROL_WORDS];
    let came = messages::receive(socket, space, &mut control, flags)?;
    let count = came.control.min(size_of_val(&control));
    // SAFETY: the kernel has written so many bytes of the words.
    let told = unsafe { std::slice::from_raw_parts(control.as_ptr().cast::<u8>(), count) };
    let (mut fds, mut more) = (Vec::new(), false);
    let take = |fd| {
        if fds.len() < fds_max {
            fds.push(fd);
        } else {
            more = true; // Closed here.
        }
    };
    // SAFETY: the kernel has just written it, and nobody has read it yet.
    unsafe { ancillary::adopt(told, take) };
    if CLOEXEC == 0 {
        fds.iter().try_for_each(close_on_exec)?;
    }
    let cut = came.flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
    let mut passed = Passed::new(came.len, came.peer(), fds);
    passed.truncated = more || cut;
    Ok(passed)
}

/// [`Fd::send_fds`] on a socket of either mode.
pub(crate) fn send_fds(
    socket: &OsSocket,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    to: Option<&Addr>,
    flags: i32,
) -> io::Result<usize> {
    if fds.len() > FDS_MAX {
        let what = format!("{} descriptors in one message: at most {FDS_MAX} go", fds.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    if bytes.is_empty() && !fds.is_empty() && socket.r#type()? == socket2::Type::STREAM {
        let what = "descriptors in a stream need a byte to go with";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let mut draft = Draft::<CONTROL_WORDS>::new();
    if !fds.is_empty() {
        let mut numbers = [0; FDS_MAX];
        for (number, fd) in numbers.iter_mut().zip(fds) {
            *number = fd.as_raw_fd();
        }
        draft.push(libc::SOL_SOCKET, libc::SCM_RIGHTS, &numbers[..fds.len()]);
    }
    let to = to.map(super::to_sock_addr).transpose()?;
    messages::transmit(socket, bytes, to.as_ref(), draft.bytes(), flags | system::NOSIGNAL)
}

fn close_on_exec(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: an open descriptor, and no memory.
    match unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// What Linux takes at most (`SCM_MAX_FD`); other systems take about as many or more.
pub(crate) const FDS_MAX: usize = 253;

/// Room for so many descriptors, and for credentials, a process' descriptor and the time, which a
/// socket may tell too.
const CONTROL_WORDS: usize = (FDS_MAX * 4).div_ceil(8) + 32;

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    fn pairs() -> impl Iterator<Item = (Fd, Fd)> {
        let kinds = [Kind::Stream, Kind::Dgram, Kind::Seqpacket];
        kinds.into_iter().filter_map(|kind| Fd::pair(kind).ok())
    }

    fn is_closed_on_exec(fd: &OwnedFd) -> bool {
        // SAFETY: an open descriptor, and no memory.
        let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) };
        flags & libc::FD_CLOEXEC != 0
    }

    #[test]
    fn descriptors_arrive_open_and_closed_on_exec() {
        let file = File::open("/dev/null").unwrap();
        for (a, b) in pairs() {
            let three = [file.as_fd(), file.as_fd(), file.as_fd()];
            assert_eq!(a.send_fds(b"xy", &three, None).unwrap(), 2);
            let came = b.recv_fds(&mut [0; 9], 9).unwrap();
            assert_eq!((came.len, came.fds.len(), came.truncated), (2, 3, false));
            assert!(came.fds.iter().all(is_closed_on_exec));
            a.send_fds(b"xyz", &[], None).unwrap();
            let came = b.recv_fds(&mut [0; 9], 9).unwrap();
            assert_eq!((came.len, came.fds.len(), came.truncated), (3, 0, false));
            let error = b.recv_fds(&mut [0; 9], 9).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn more_than_asked_for_are_closed_and_told() {
        let file = File::open("/dev/null").unwrap();
        for (a, b) in pairs() {
            let many = [file.as_fd(); FDS_MAX];
            a.send_fds(b"x", &many, None).unwrap();
            a.send_fds(b"x", &many, None).unwrap();
            for max in [0, 7] {
                let came = b.recv_fds(&mut [0; 9], max).unwrap();
                assert_eq!((came.len, came.fds.len(), came.truncated), (1, max, true));
            }
        }
    }

    #[test]
    fn what_cannot_be_passed_is_refused() {
        let file = File::open("/dev/null").unwrap();
        for (a, b) in pairs() {
            let many = [file.as_fd(); FDS_MAX + 1];
            let error = a.send_fds(b"x", &many, None).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            // A number beyond all that can be open.
            // SAFETY: not so: what it promises is broken on purpose, and the kernel refuses it.
            let closed = unsafe { BorrowedFd::borrow_raw(i32::MAX) };
            let error = a.send_fds(b"x", &[file.as_fd(), closed], None).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
            let error = b.recv_fds(&mut [0; 9], 9).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "nothing of it was sent");
        }
        let (a, _b) = Fd::pair(Kind::Stream).unwrap();
        let error = a.send_fds(b"", &[file.as_fd()], None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let (a, b) = Fd::pair(Kind::Dgram).unwrap();
        a.send_fds(b"", &[file.as_fd()], None).unwrap();
        let came = b.recv_fds(&mut [], 1).unwrap();
        assert_eq!((came.len, came.fds.len(), came.truncated), (0, 1, false));
    }

    /// Calls that know nothing of descriptors do not keep those that come.
    #[test]
    fn a_packet_closes_what_it_brings() {
        let (a, b) = Fd::pair(Kind::Dgram).unwrap();
        let (one, other) = Fd::pair(Kind::Stream).unwrap();
        a.send_fds(b"x", &[one.os().unwrap().as_fd()], None).unwrap();
        drop(one);
        assert!(!other.is_ready(super::super::Side::Recv).unwrap(), "on its way it is open");
        assert_eq!(b.recv_packet(&mut [0; 9]).unwrap().len, 1);
        // The last end is closed, so there is an end to read.
        assert_eq!(other.recv(&mut [std::mem::MaybeUninit::uninit(); 9]).unwrap(), 0);
    }
}
