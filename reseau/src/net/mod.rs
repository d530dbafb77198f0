//! Sockets for async programs: [`TcpStream`], [`TcpListener`], [`UdpSocket`], [`UnixStream`],
//! [`UnixListener`], [`UnixDatagram`], [`UnixSeqpacket`], and those of vsock.
//!
//! They have the names, the receivers and the meaning of tokio's, so that a program moves here by
//! changing its `use` lines, and they run under any executor: tokio, smol, none at all, or a
//! [`Loop`](crate::Loop) of this crate. Every socket has a *home*, the loop that works for it: the
//! one that runs where it is made, else the global one in the background. From there on it may go
//! to any thread.
//!
//! ```
//! use reseau::net::{TcpListener, TcpStream}; // was: use tokio::net::{TcpListener, TcpStream};
//! # fn main() -> std::io::Result<()> {
//! # reseau::block_on(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let mut client = TcpStream::connect(listener.local_addr()?).await?;
//! let (mut server, _peer) = listener.accept().await?;
//! client.send("hello").await?;
//! assert_eq!(&*server.recv().await?.unwrap(), b"hello");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! Bytes go in and out by the traits (futures-io's; tokio's and hyper's behind features), and
//! beside them by calls of our own: `recv` gives the next [`Chunk`](crate::Chunk) without a copy,
//! `send` takes one, `flush`, `finish` and `close` end it, `set_deadlines` bounds it all. Datagrams
//! come and go by `recv_from` and `send_to`, with all that the system tells of them by
//! `recv_packet` and `send_packet`, many at once by `recv_batch` and `send_batch`.
//!
//! **Every future may be dropped at any time**, and nothing is lost: bytes and connections that
//! were received stay queued for the next call, and a chunk is sent whole or not at all.
//!
//! What differs from tokio:
//! - A write is done when the socket's loop has taken the bytes, and never waits for the network
//!   below its window (128 KiB unless told otherwise). `flush` waits until the system has taken
//!   them, and dropping the stream still sends them.
//! - Bytes are received ahead of the caller, up to the window. A call of the caller's own would
//!   read past them: so streams have [`async_io`](Stream::async_io), which sees to it that it does
//!   not, and no `try_io`, which could not; `into_std` says so if there are any, and
//!   [`detach`](Stream::detach) hands them over.
//! - Datagrams are not received ahead: each call is one of the system's. `readable` is true when it
//!   says so, and also when there is an error to hear of; `recv` of a Unix datagram socket that was
//!   shut for receiving gives 0 instead of waiting for ever.
//! - [`Interest`] and [`Ready`] are here, not in an `io` module.
//! - Errors of `connect` and `bind` hold a [`reseau::Error`](crate::Error) with all the addresses.
//!   They keep their [`kind`](std::io::Error::kind); the system's number is
//!   [`Error::os_code`](crate::Error::os_code), no longer `raw_os_error`.
//! - A listener's backlog is 511.
mod any;
mod attempt;
mod builder;
mod calls;
mod closing;
mod compat;
mod datagram;
mod detach;
#[cfg(unix)]
mod fds;
mod handle;
mod listener;
mod listening;
mod open;
mod own_calls;
mod packets;
mod ready;
mod seqpacket;
mod socket;
mod split;
mod stream;
pub mod tcp;
mod to_addrs;
mod udp;
pub mod unix;
mod unix_datagram;
pub mod vsock;

pub(crate) use attempt::Attempt;
pub use builder::Socket;
pub use datagram::Datagram;
pub use detach::{Detached, DetachedListener};
#[cfg(feature = "tls")]
pub(crate) use handle::{Scatter, Ticket};
pub use listener::Listener;
pub use ready::{Interest, Ready};
pub use seqpacket::{UnixSeqpacket, UnixSeqpacketListener};
pub use socket::{TcpSocket, UnixSocket};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::Stream;
pub use tcp::{TcpListener, TcpStream};
pub use to_addrs::{ToSocketAddrs, lookup_host};
pub use udp::UdpSocket;
pub use unix::{UnixListener, UnixStream};
pub use unix_datagram::UnixDatagram;
pub use vsock::{VsockListener, VsockStream};

pub use crate::addr::{Any, Family, Inet, Unix, Vsock};

use crate::sys::listening::BACKLOG;
use handle::Handle;
use std::fmt;

fn show<F: Family>(handle: &Handle, kind: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    show_as::<F>(handle, &format!("{}{kind}", F::STREAM), f)
}

fn show_as<F: Family>(handle: &Handle, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fd = handle.fd();
    let mut form = f.debug_struct(name);
    let descriptor = |form: &mut fmt::DebugStruct<'_, '_>| {
        if let Ok(socket) = fd.os() {
            let (name, number) = crate::sys::blocking::number(socket);
            form.field(name, &number);
        }
    };
    if F::DESCRIPTOR_FIRST {
        descriptor(&mut form);
    }
    for (name, addr) in [(F::LOCAL, fd.local_addr()), ("peer", fd.peer_addr())] {
        if let Ok(addr) = addr.and_then(F::named) {
            form.field(name, &addr);
        }
    }
    if !F::DESCRIPTOR_FIRST {
        descriptor(&mut form);
    }
    form.finish()
}

#[cfg(test)]
mod tests;
