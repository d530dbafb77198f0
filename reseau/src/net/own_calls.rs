//! Calls of the caller's own on the descriptor of a stream.
//!
//! The lanes of a stream move its bytes, and cannot wait for somebody else to do so. Whoever does
//! waits with a descriptor of his own, of the same socket, which is only asked whether it is ready.
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use super::Interest;
use super::handle::{Handle, Ticket};
use crate::driver::Side;
use crate::error::{Error, Operation};
use crate::sys::Fd;

/// Makes the call as soon as it would not block, without a byte of ours before or behind it that
/// should not be there.
pub(super) async fn wait<T>(
    handle: &Handle,
    interest: Interest,
    mut call: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let socket = handle.fd().os()?;
    if interest.is_writable() {
        handle.flush().await?;
    }
    let mut attempt = || {
        let ahead = interest.is_readable() && handle.socket().recv_lane().may_be_ahead();
        if ahead { Err(read_ahead()) } else { call() }
    };
    match attempt() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        answer => return answer,
    }
    let second = Handle::polled(Fd::Os(socket.try_clone()?), handle.home());
    let recv = handle.socket().recv_lane().deadline.at();
    let send = handle.socket().send_lane().deadline.at();
    second.set_deadlines(recv, send);
    let mut sides = [(Side::Recv, interest.is_readable()), (Side::Send, interest.is_writable())]
        .map(|(side, wanted)| (side, wanted, Ticket::new(second.socket(), side)));
    poll_fn(|cx| {
        for (side, wanted, ticket) in &mut sides {
            if *wanted {
                let polled = second.socket().poll_call(*side, ticket.who(), cx, |_| attempt());
                if polled.is_ready() {
                    return polled;
                }
            }
        }
        Poll::Pending
    })
    .await
}

fn read_ahead() -> io::Error {
    let cause = io::Error::other("bytes may have been received ahead, and be read past");
    let error = Error::new(Operation::Recv, cause);
    error.with_hint("let `async_io` be the first that reads").into()
}
