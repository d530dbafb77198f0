//! Sockets: TCP, UDP, Unix and vsock, blocking and async with one contract, on the kernel's best
//! interface or in a simulated world, under any executor.
//!
#![cfg_attr(feature = "async", doc = "```")]
#![cfg_attr(not(feature = "async"), doc = "```ignore")]
//! use reseau::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! reseau::block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let addr = listener.local_addr()?;
//!     reseau::spawn(async move {
//!         let (mut stream, _) = listener.accept().await?;
//!         while let Some(chunk) = stream.recv().await? {
//!             stream.send(chunk).await?;
//!         }
//!         std::io::Result::Ok(())
//!     });
//!     let mut stream = TcpStream::connect(addr).await?;
//!     stream.send("hello").await?;
//!     assert_eq!(&*stream.recv().await?.unwrap(), b"hello");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # The idea
//!
//! **Operations belong to sockets; futures are only waiters.** Every socket has two lanes, one for
//! each direction. A lane holds at most one operation in the kernel and a bounded queue of what
//! that operation produced, or has to send. `recv` takes from the queue and, when it is empty, arms
//! the lane and leaves a waker; `send` puts a chunk into the queue and the lane writes it whole, in
//! order. So a future that is dropped, by `select!`, a timeout or a panic, loses nothing and sends
//! nothing twice, on any backend; and memory that you lend is never in the kernel's hands.
//!
//! The price: bytes are read ahead of you, within a [window](Config::window), so a socket that
//! moves elsewhere takes its queue along (`detach`); and reading into your slice costs one copy.
//!
//! # The map
//!
//! - [`TcpStream`], [`TcpListener`], [`UdpSocket`], [`UnixStream`], [`UnixListener`],
//!   [`UnixDatagram`], and in [`net`] vsock and records: async sockets. Names, receivers and
//!   meaning are those of `tokio::net`; what is ours stands beside it. They are `Send` and can be
//!   awaited under any executor: inside a [`Loop`] they live there, elsewhere on a background loop
//!   that starts by itself ([`Remote::global`]). [`Socket`] makes them step by step.
//! - [`Packet`], [`Batch`]: what the system tells of a datagram, and many of them at once.
//! - [`blocking`]: the same for threads, with the names of `std::net`, straight on system calls.
//! - [`sockets`]: the sockets modules of Codon, Mojo and Julia, name for name.
//! - [`listen()`] and [`listen_any()`]: at whatever an endpoint says.
//! - [`Loop`], [`Group`], [`spawn`], [`sleep`], [`timeout`], [`offload`]: a small runtime, for
//!   those who want their own; [`block_on`] for `main`.
//! - [`connect`], [`dial`]: to a host by name, the best of its addresses, proxies on the way.
//! - [`Resolver`], [`dns`]: names into addresses and back, services, interfaces; never blocking.
//! - `tls` (feature `tls`): on streams of tasks and of threads, and at the end of a dial.
//! - [`sim`]: the same program in a deterministic world.
//! - [`opt`]: the options of sockets, as values.
//! - [`Addr`], [`Endpoint`], [`error`]: names of things, and errors that say what they were about.
//! - [`probe`] and [`DriverReport`]: which kernel interface runs here, and why.
//!
//! # Features
//!
//! `async` (default) is everything but [`blocking`], [`sockets`] and the names; `futures-io`
//! (default), `tokio` and `hyper` give streams those crates' traits; `bytes` turns [`Chunk`]s into
//! `Bytes` and back without a copy; `tls` speaks TLS, on rustls; `serde` writes and reads
//! [`Endpoint`]s and [`Addr`]s as text. A feature adds; it never changes what is there.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod addr;
pub mod blocking;
pub mod clock;
mod crew;
pub mod dial;
pub mod dns;
#[cfg(feature = "async")]
mod driver;
pub mod error;
#[cfg(feature = "async")]
pub mod net;
pub mod opt;
pub mod packet;
pub mod platform;
#[cfg(feature = "async")]
mod pool;
#[cfg(feature = "async")]
mod rt;
#[cfg(feature = "async")]
pub mod sim;
pub mod sockets;
mod sync;
mod sys;
#[cfg(feature = "tls")]
pub mod tls;

pub use addr::{
    Addr, Any, Endpoint, Family, Inet, PipeName, Unix, UnixAddr, Vsock, VsockAddr, kind,
};
#[cfg(feature = "async")]
pub use dial::{Connect, connect, listen, listen_any};
pub use dial::{DialReport, Proxy};
pub use dns::Resolver;
#[cfg(feature = "async")]
pub use driver::{DriverReport, Kind, Tried, probe};
pub use error::Error;
#[cfg(feature = "async")]
pub use net::{
    Datagram, Detached, Interest, Listener, Ready, Socket, Stream, TcpListener, TcpSocket,
    TcpStream, ToSocketAddrs, UdpSocket, UnixDatagram, UnixListener, UnixSocket, UnixStream,
    VsockListener, VsockStream,
};
pub use packet::{Batch, Ecn, Packet};
#[cfg(feature = "async")]
pub use pool::Chunk;
#[cfg(feature = "async")]
pub use rt::{
    Config, Elapsed, Group, Interval, JoinError, Loop, Remote, Sleep, Task, block_on, interval,
    offload, sleep, sleep_until, spawn, spawn_local, timeout, timeout_at, yield_now,
};

/// What the fuzzers of `fuzz/` run.
#[cfg(all(fuzzing, feature = "async"))]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::sys::ancillary_told::{Told, ancillary};

    /// What a message of a name server has as addresses and names.
    pub fn name_answer(kind: u8, message: &[u8]) -> Option<(Vec<std::net::IpAddr>, Vec<String>)> {
        crate::dns::fuzz_message(kind, message)
    }

    /// Runs one script on the model of a lane.
    pub fn lane(script: &[u8]) {
        crate::driver::fuzz_lane(script);
    }

    /// Runs one script on the model of two engines of TLS.
    #[cfg(feature = "tls")]
    pub fn tls(script: &[u8]) {
        use crate::tls::engine_model::Model;
        static MODEL: std::sync::LazyLock<Model> = std::sync::LazyLock::new(Model::new);
        MODEL.run(script);
    }
}

/// The README's examples run too.
#[cfg(all(doctest, feature = "async", feature = "tls"))]
#[doc = include_str!("../../README.md")]
struct Readme;

/// And those of the page about TLS.
#[cfg(all(doctest, feature = "async", feature = "tls"))]
#[doc = include_str!("../../docs/tls.md")]
struct TlsPage;
