//! Sockets for programs that wait: one thread, one call, no loop and no driver.
//!
//! The types have the names, the calls and the meaning of [`std::net`] and (in [`unix`]) of
//! `std::os::unix::net`, so that a program moves here by changing its `use` lines:
//!
//! ```
//! use reseau::blocking::{TcpListener, TcpStream}; // was: use std::net::{TcpListener, TcpStream};
//! use std::io::{Read, Write};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let mut client = TcpStream::connect(listener.local_addr()?)?;
//! let (mut server, peer) = listener.accept()?;
//! client.write_all(b"hello")?;
//! let mut bytes = [0; 5];
//! server.read_exact(&mut bytes)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Beside what std has:
//! - **absolute deadlines** (`set_deadlines`): however many reads a message takes, it is late at
//!   one point in time;
//! - **errors that explain**: those of `connect` and `bind` hold a [`reseau::Error`](crate::Error)
//!   with the addresses and what to do. They keep their [`kind`](std::io::Error::kind); the
//!   system's number is [`Error::os_code`](crate::Error::os_code), no longer `raw_os_error`;
//! - **datagrams with their circumstances** (`recv_packet`, `send_packet`) and many at once
//!   (`recv_batch`, `send_batch`); descriptors (`send_fds`, `recv_fds`);
//! - `finish` (half-close), `abort` (reset), `with_backlog`, `linger`;
//! - sockets that never raise SIGPIPE, also in programs whose `main` is not Rust's.
//!
//! Descriptors come and go as they do with std's sockets:
//!
//! ```
//! # #[cfg(unix)]
//! # fn main() -> std::io::Result<()> {
//! use reseau::blocking::UdpSocket;
//! use std::os::fd::{AsRawFd, OwnedFd};
//!
//! let inherited = OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0")?);
//! let number = inherited.as_raw_fd();
//! let socket = UdpSocket::from(inherited);
//! socket.send_to(b"still the same", socket.local_addr()?)?;
//! assert_eq!(socket.recv(&mut [0; 64])?, 14);
//! assert_eq!(OwnedFd::from(socket).as_raw_fd(), number);
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! What differs: the backlog of a listener is 511 (std: 128); what UDP does on Windows
//! ([`UdpSocket`]).
mod bell;
mod calls;
mod connect;
#[cfg(feature = "tls")]
mod connect_tls;
mod deadline;
mod handle;
mod listen;
#[cfg(feature = "tls")]
mod maybe_tls;
mod place;
mod stream;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_listener;
#[cfg(feature = "tls")]
mod tls_room;
mod udp;
pub mod unix;
pub mod vsock;

pub use connect::{Connect, connect};
#[cfg(feature = "tls")]
pub use connect_tls::ConnectTls;
pub use listen::{Listen, ListenAny, Listener, listen, listen_any};
#[cfg(feature = "tls")]
pub use maybe_tls::{MaybeTls, MaybeTlsListener};
pub use std::net::{
    AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6,
    ToSocketAddrs,
};
pub use stream::Stream;
pub use tcp::{Incoming, IntoIncoming, TcpListener, TcpStream};
#[cfg(feature = "tls")]
pub use tls::TlsStream;
#[cfg(feature = "tls")]
pub use tls_listener::{ListenTls, TlsListener};
pub use udp::UdpSocket;
pub use unix::{UnixDatagram, UnixListener, UnixStream};
pub use vsock::{VsockListener, VsockStream};
