//! Options of sockets, as values: each is a type, and says which sockets it is for.
//!
//! ```
//! use reseau::blocking::{TcpListener, TcpStream};
//! use reseau::opt;
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let stream = TcpStream::connect(listener.local_addr()?)?;
//! stream.set(opt::Nodelay(true))?;
//! let opt::Nodelay(on) = stream.get()?;
//! assert!(on);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! An option that does not fit the socket does not compile: see [`fits`] for the groups of
//! sockets. So a [`Broadcast`] on a TCP stream, or setting what can only be read, is found before
//! the program runs:
//!
//! ```compile_fail
//! # use reseau::{blocking::TcpStream, opt};
//! # fn f(stream: TcpStream) -> std::io::Result<()> {
//! stream.set(opt::Broadcast(true))
//! # }
//! ```
//!
//! What the types cannot know is an error with the option's name in it, and never a silent
//! success: `Unsupported` if the system (or the simulated kernel) has no such option,
//! `InvalidInput` for a value out of range, which the kernel does not get to see,
//! `PermissionDenied` for what only a privileged program may do. The systems that have an option,
//! and the test that sets it and reads it back, are in the table of `docs/options.md`, which is
//! printed from [`table`].
//!
//! ```
//! use reseau::{blocking::TcpListener, opt};
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let error = listener.set(opt::Ttl(0)).unwrap_err();
//! assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
//! assert_eq!(error.to_string(), "set option Ttl: 0 is out of range: 1 to 255");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Notes
//!
//! - Systems round what they are given (buffers, times), and may change it later. Read it back.
//! - A span of time is rounded *up* to what the option counts in: one that is short never becomes
//!   none.
//! - Options are not kept by us: `set` and `get` are one system call each.
//! - Sockets of std's have them too: [`of`].
//! - Not here, because they are no values that a socket has: joining groups (calls of UDP
//!   sockets); Multipath TCP, which is a protocol and so chosen when the socket is made (whether
//!   a stream still is one: [`Multipath`]); SIGPIPE, which our sockets never raise.
#![doc = include_str!("examples.md")]
#![cfg_attr(feature = "async", doc = include_str!("before_bind.md"))]

mod codec;
pub mod fits;
mod foreign;
mod ip;
mod socket;
mod table;
mod tcp;
mod tcp_info;
mod udp;
mod values;

pub use foreign::{Foreign, Of, of};
pub use ip::*;
pub use socket::*;
pub use table::{Row, table};
pub use tcp::*;
pub use tcp_info::{TcpSnapshot, TcpState};
pub use udp::*;
pub use values::{AddressFamily, MtuDiscovery, Ports, Transfer};

pub(crate) use table::{fits, has_options, named_options};

use std::io;

/// A socket that has options. All sockets of this crate do, those of std by way of [`of`].
///
/// The two calls are there without this trait, too: it is for functions over any socket.
///
/// ```
/// use reseau::opt;
/// /// Asks for a buffer of that size, and says what came of it.
/// fn widened<S: opt::Socket>(socket: &S, size: usize) -> std::io::Result<usize> {
///     socket.set(opt::RecvBuffer(size))?;
///     let opt::RecvBuffer(size) = socket.get()?;
///     Ok(size)
/// }
/// let socket = reseau::blocking::TcpListener::bind("127.0.0.1:0")?;
/// assert!(widened(&socket, 100_000)? >= 100_000);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Socket: sealed::Lends {
    /// Sets an option.
    ///
    /// # Errors
    /// `Unsupported`, `InvalidInput`, `PermissionDenied`; else the system's.
    fn set<O: Set<Self>>(&self, option: O) -> io::Result<()> {
        option.write(self.lend())
    }

    /// Reads an option.
    ///
    /// # Errors
    /// `Unsupported`; else the system's.
    fn get<O: Get<Self>>(&self) -> io::Result<O> {
        O::read(self.lend())
    }
}

/// An option that can be set on sockets `S`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be set on `{S}`",
    note = "options that can only be read, and those for other sockets, do not compile"
)]
pub trait Set<S: ?Sized>: sealed::Write {}

/// An option that can be read on sockets `S`.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be read on `{S}`")]
pub trait Get<S: ?Sized>: sealed::Read {}

/// What stays inside: nobody else can make sockets or options.
#[allow(unnameable_types)] // That is what seals it.
pub(crate) mod sealed {
    use crate::sys::option::On;
    use std::io;

    /// A socket, lent to an option.
    pub struct Lent<'a>(pub(crate) On<'a>);

    pub trait Lends {
        fn lend(&self) -> Lent<'_>;
    }

    pub trait Read: Sized {
        fn read(socket: Lent<'_>) -> io::Result<Self>;
    }

    pub trait Write {
        fn write(self, socket: Lent<'_>) -> io::Result<()>;
    }
}
