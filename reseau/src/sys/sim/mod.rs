//! The simulated kernel: sockets as values, time as a number, every choice from one seed.
//!
//! A [`World`] is one machine without hardware. Its sockets answer the calls of [`Fd`] as those of
//! Linux do (measured there, not remembered), always without blocking. **The contract:**
//!
//! - Nothing happens by itself. A call changes its own socket and schedules what must *arrive*
//!   elsewhere; [`World::advance_to`] moves the time and delivers. A connection that is opened,
//!   bytes, the end of a stream, a reset, and the news that there is room again are all arrivals.
//! - The same seed and the same calls give the same run and the same [`World::trace`], on every
//!   machine: tables are ordered, numbers are integers, and no address of memory decides anything.
//!   A call that only finds out that it would block draws no chance and leaves no trace.
//! - Every address belongs to the world. IPv4 and IPv6 have separate ports; a wildcard listener
//!   hears every address of its family, and one of IPv6 those of IPv4 too unless it is `only_v6`:
//!   such a socket has the port of both, and sees addresses of IPv4 as mapped ones. There is no
//!   TIME_WAIT, so `reuse_address` changes nothing.
//! - TCP connects in a round trip, in the background. A full backlog drops the attempt, which is
//!   repeated after 1, 2, 4 and so on seconds, and times out in the end. Unix streams connect at
//!   once.
//! - A path is as its [`Route`] says, which is found by the addresses of both ends, the same both
//!   ways. Connects into one that does not deliver are repeated as for a full backlog. What is
//!   under way on a connection is repeated, in order, for a quarter of an hour, and then its sender
//!   gets an error; resets and datagrams are just lost.
//! - Names are looked up by whoever asks: the world says what the answer is and how long it takes.
//! - Bytes arrive in order. What a socket sends and its peer has not read is bounded by the peer's
//!   `recv_buffer_size`; beyond it, `send` would block.
//! - Closing with bytes unread, or with a linger of zero, resets the connection: what arrived
//!   before the reset can still be read, what was under way may be lost. Sending to a socket that
//!   was closed is answered by a reset.
//! - UDP datagrams arrive each by itself, so that a later one may be the first; with faults they
//!   may be lost, or doubled. What a socket has sent and is under way is bounded by its
//!   `send_buffer_size` (beyond it, `send_to` would block); what arrives where there is no room in
//!   the `recv_buffer_size` is lost. A datagram counts for its bytes and 256 more. If nobody hears
//!   it, a sender that is connected gets `ConnectionRefused` from his next call. `reuse_address`
//!   shares a port as `reuse_port` does, but the latest socket gets everything.
//! - A multicast group is heard by those who joined it and no others, from the sources that they
//!   asked for; broadcasts by every socket of the port that has no address. There is one interface:
//!   `lo`, number 1, with every address.
//! - Unix datagrams arrive at once, in order, and all of them. Beyond what a sender's
//!   `send_buffer_size` or the receiver's queue of 11 holds, `send_to` would block; two sockets
//!   that are connected with each other know no such queue. Records (`Seqpacket`) flow as bytes
//!   do, each as a whole.
//! - A datagram socket shut down for reading gives an empty datagram instead of blocking: Linux
//!   does so when the call may wait, and else says that it would block, though poll denies it.
//! - A path stays taken after its socket was closed, as a file does, until [`World::unlink`].
//!
//! [`Fd`]: super::Fd
#![deny(unsafe_code)]

mod connect;
mod datagram;
mod faults;
mod groups;
mod hosts;
mod kernel;
mod local;
mod names;
mod packet;
mod record;
mod routes;
mod socket;
mod stalled;
mod stream;
#[cfg(test)]
mod tests;

use self::kernel::Kernel;
use super::{Accepted, Domain, Fd, Kind, Side, unsupported};
use crate::addr::{Addr, InterfaceRef};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Shutdown};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

pub(crate) use self::connect::BACKLOG_MAX;
pub(crate) use self::faults::Faults;
pub use self::hosts::{Answer, Name};
pub use self::routes::{BadPrefix, Prefix, Route};

/// A simulated machine, shared by everything that runs on it.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<Kernel>>);

/// A socket of a [`World`]. Dropping it closes the socket.
pub(crate) struct Port {
    world: World,
    index: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Kernel::new(seed))))
    }

    /// A fresh stream socket of IPv4, IPv6 or the Unix domain.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn open(&self, domain: Domain) -> Port {
        self.open_as(domain, Kind::Stream).expect("worlds have streams")
    }

    /// A fresh socket. `Unsupported` for what the world does not have.
    pub(crate) fn open_as(&self, domain: Domain, kind: Kind) -> io::Result<Port> {
        let index = self.kernel().open(domain, kind);
        index.map(|index| self.port(index)).ok_or_else(|| unsupported("no such sockets in a world"))
    }

    /// Two connected Unix streams without names.
    #[cfg(test)]
    pub(crate) fn pair(&self) -> (Port, Port) {
        self.both(Kind::Stream)
    }

    /// Two connected Unix-domain sockets without names.
    pub(crate) fn pair_as(&self, kind: Kind) -> io::Result<(Port, Port)> {
        Ok(self.both(kind))
    }

    /// Removes a socket's path, as removing its file does. `NotFound` if there is none.
    pub(crate) fn unlink(&self, path: &Path) -> io::Result<()> {
        self.kernel().unlink(path)
    }

    /// The virtual time since the world's start.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_nanos(self.kernel().now())
    }

    /// When the next scheduled thing arrives.
    pub(crate) fn next_arrival(&self) -> Option<Duration> {
        self.kernel().next_arrival().map(Duration::from_nanos)
    }

    /// Moves the time and delivers everything that is due. `true` if something was.
    pub(crate) fn advance_to(&self, at: Duration) -> bool {
        self.kernel().advance_to(faults::nanos(at))
    }

    /// Appends to `into`, in ascending order and once each, the sockets ([`Port::index`]) on which
    /// a call that would have blocked may succeed now, since this was last asked.
    pub(crate) fn stirred(&self, into: &mut Vec<u64>) {
        self.kernel().stirred(into);
    }

    /// A number below `limit` (at least 1): the only source of chance.
    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.kernel().chance.below(limit)
    }

    /// Fills the space with what is to be secret, were it not a world.
    #[cfg(feature = "tls")]
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        self.kernel().secrets.fill(bytes);
    }

    /// What the calendar shows, since 1970.
    #[cfg(feature = "tls")]
    pub(crate) fn date(&self) -> Duration {
        let kernel = self.kernel();
        kernel.born.saturating_add(Duration::from_nanos(kernel.now()))
    }

    /// Says what the calendar showed in the beginning, since 1970.
    #[cfg(feature = "tls")]
    pub(crate) fn set_born(&self, born: Duration) {
        self.kernel().born = born;
    }

    /// The hash of everything that happened so far.
    pub(crate) fn trace(&self) -> u64 {
        self.kernel().trace()
    }

    /// Sets the hardships from now on.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.kernel().faults = faults;
    }

    /// Says what a host's name means from now on.
    pub(crate) fn name(&self, host: &str, name: Name) {
        self.kernel().name(host, name);
    }

    /// Asks for the addresses of one family of a host. How long after the question the answer
    /// comes (`Duration::MAX`: never), and what it is; without an address of that family it is
    /// empty, and `NotFound` for names that the world does not know.
    pub(crate) fn lookup(&self, host: &str, v6: bool) -> (Duration, io::Result<Vec<IpAddr>>) {
        let (after, said) = self.kernel().lookup(host, v6);
        (after, said.map_err(|kind| self::hosts::unanswered(host, kind)))
    }

    /// Says what the network to and from some addresses is like from now on.
    pub(crate) fn route(&self, to: Prefix, route: Route) {
        self.kernel().set_route(to, route);
    }

    fn both(&self, kind: Kind) -> (Port, Port) {
        let (a, b) = self.kernel().pair(kind);
        (self.port(a), self.port(b))
    }

    fn port(&self, index: u64) -> Port {
        Port { world: self.clone(), index }
    }

    fn kernel(&self) -> MutexGuard<'_, Kernel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Port {
    /// The socket's number: never used twice in one world.
    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    /// The world that it belongs to.
    #[cfg(feature = "tls")]
    pub(crate) fn world(&self) -> World {
        self.world.clone()
    }

    pub(crate) fn bind(&self, addr: &Addr) -> io::Result<()> {
        self.world.kernel().bind(self.index, addr)
    }

    pub(crate) fn listen(&self, backlog: u32) -> io::Result<()> {
        self.world.kernel().listen(self.index, backlog)
    }

    /// Starts to connect. `true`: connected at once; `false`: [`connected`](Self::connected) tells.
    /// `WouldBlock`: the backlog of a Unix listener is full, and nothing was started.
    pub(crate) fn connect(&self, addr: &Addr) -> io::Result<bool> {
        self.world.kernel().connect(self.index, addr)
    }

    /// How the connect goes: `false` while it is under way, `true` from when it has succeeded
    /// (whatever became of the connection since), an error if it failed.
    ///
    /// The error is taken: after that, and on a socket that was never connected, it is
    /// `NotConnected`. The socket is stirred ([`World::stirred`]) when the answer changes.
    #[cfg(test)]
    pub(crate) fn connected(&self) -> io::Result<bool> {
        self.world.kernel().connected(self.index)
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.world.kernel().take_error(self.index).map(io::Error::from))
    }

    pub(crate) fn accept(&self) -> io::Result<Accepted> {
        let (index, peer) = self.world.kernel().accept(self.index)?;
        Ok(Accepted { fd: Fd::Sim(self.world.port(index)), peer: Some(peer) })
    }

    pub(crate) fn recv(&self, space: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        self.world.kernel().recv(self.index, space)
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.world.kernel().send(self.index, bytes)
    }

    /// Receives one datagram (`peek`: which stays): how much of it fitted, how long it is, and
    /// whose it is, if the sender has a name.
    pub(crate) fn recv_from(
        &self,
        space: &mut [MaybeUninit<u8>],
        peek: bool,
    ) -> io::Result<(usize, usize, Option<Addr>)> {
        self.world.kernel().recv_from(self.index, space, peek)
    }

    /// Sends one datagram, whole; without `to`: to the peer that it is connected with.
    pub(crate) fn send_to(&self, bytes: &[u8], to: Option<&Addr>) -> io::Result<usize> {
        self.world.kernel().send_to(self.index, bytes, to)
    }

    /// Begins, or ceases, to hear what is sent to the multicast address `group`: by `source`, or
    /// by anybody.
    pub(crate) fn set_member(
        &self,
        group: IpAddr,
        source: Option<IpAddr>,
        on: &InterfaceRef,
        member: bool,
    ) -> io::Result<()> {
        self::groups::on_interface(on, group)?;
        let mut kernel = self.world.kernel();
        match member {
            true => kernel.join(self.index, group, source),
            false => kernel.leave(self.index, group, source),
        }
    }

    /// Whether a call on that side would not block now, be it that it fails. The socket is stirred
    /// ([`World::stirred`]) when that becomes true.
    pub(crate) fn is_ready(&self, side: Side) -> bool {
        self.world.kernel().is_ready(self.index, side)
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.world.kernel().shutdown(self.index, how)
    }

    pub(crate) fn local_addr(&self) -> io::Result<Addr> {
        Ok(self.world.kernel().local_addr(self.index))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<Addr> {
        self.world.kernel().peer_addr(self.index)
    }

    /// The value of the option `name`: what was set, or its default. `Unsupported` if this kind
    /// of socket has none of that name.
    pub(crate) fn option(&self, name: &'static str) -> io::Result<u64> {
        self.world.kernel().socket(self.index).option(name)
    }

    /// Sets the option `name`; `InvalidInput` if its values do not reach `value`.
    pub(crate) fn set_option(&self, name: &'static str, value: u64) -> io::Result<()> {
        self.world.kernel().set_option(self.index, name, value)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.world.kernel().close(self.index);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the kernel: whoever prints a world may hold its lock.
        f.write_str("World")
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Port").field(&self.index).finish()
    }
}
