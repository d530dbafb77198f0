//! What a platform has to provide, and what this one does.
use std::io;
use std::marker::PhantomData;
use std::net::Shutdown;
use std::time::Duration;

use super::addr::{IPv4Addr, IPv6Addr, SockAddr};
use super::family::{
    AF_INET, AF_INET6, AF_UNIX, LOCAL, SOCK_DGRAM, SOCK_STREAM, SockFamily, SockProtocol, SockType,
    TCP, UDP,
};
use crate::addr::UnixAddr;
use crate::error::Operation;
use crate::sockets::Plain;
use crate::sys::OsSocket;
use crate::sys::option::{On, Place};

/// A platform: which sockets it has. What it does not have does not compile.
///
/// ```compile_fail,E0277
/// use reseau::sockets::mojo::{AF_INET, SOCK_STREAM, Socket, UDP};
/// let socket = Socket::<AF_INET, SOCK_STREAM, UDP>::new(); // A stream of UDP.
/// ```
///
/// Who needs one that is missing implements this trait for a type of his own and gives that as the
/// fifth parameter of [`Socket`](super::Socket); everything that stands on sockets works with it,
/// [`Pool`](super::Pool) too.
pub trait SockPlatform<F, T, P, A>: 'static {
    /// The sockets of that kind.
    type Socket: SocketInterface<A>;
}

/// What every implementation of sockets does, with addresses `A`.
///
/// All calls wait, through a shared reference, from any thread. Dropping it closes it.
pub trait SocketInterface<A>: Sized + Send + Sync + 'static {
    /// A new socket.
    ///
    /// # Errors
    /// The system's.
    fn open() -> io::Result<Self>;

    /// Sets an option by the system's numbers.
    ///
    /// # Errors
    /// The system's.
    fn setsockopt(&self, level: i32, option_name: i32, option_value: i32) -> io::Result<()>;

    /// Takes an address. The socket must not have one yet.
    ///
    /// # Errors
    /// The system's.
    fn bind(&self, address: &A) -> io::Result<()>;

    /// Starts to listen. `backlog` is never 0.
    ///
    /// # Errors
    /// The system's.
    fn listen(&self, backlog: u32) -> io::Result<()>;

    /// Connects.
    ///
    /// # Errors
    /// The system's.
    fn connect(&self, address: &A) -> io::Result<()>;

    /// The next connection, and whose it is.
    ///
    /// # Errors
    /// The system's.
    fn accept(&self) -> io::Result<(Self, A)>;

    /// Sends bytes, and says how many.
    ///
    /// # Errors
    /// The system's.
    fn send(&self, buf: &[u8]) -> io::Result<usize>;

    /// Receives bytes, and says how many: 0 at the end.
    ///
    /// # Errors
    /// The system's.
    fn recv(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// How long a call may wait from now on; `None` for as long as it takes.
    ///
    /// # Errors
    /// The system's.
    fn settimeout(&self, limit: Option<Duration>) -> io::Result<()>;

    /// The address that the socket has.
    ///
    /// # Errors
    /// The system's.
    fn getsockname(&self) -> io::Result<A>;

    /// Ends one direction or both. What listens ends whole, and so do calls that wait.
    ///
    /// # Errors
    /// The system's.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// Whether it was not shut while it listened.
    fn is_open(&self) -> bool {
        true
    }
}

/// The platform that this program was built for.
#[derive(Clone, Copy, Debug)]
pub struct Current;

/// A socket of the system's.
pub struct System<F, T, P>(Plain, PhantomData<(F, T, P)>);

impl<F, T, P> System<F, T, P> {
    pub(super) fn new(plain: Plain) -> Self {
        Self(plain, PhantomData)
    }

    pub(super) fn plain(&self) -> &Plain {
        &self.0
    }

    pub(super) fn into_plain(self) -> Plain {
        self.0
    }
}

impl<F, T, P> System<F, T, P>
where
    F: SockFamily,
    T: SockType,
{
    /// Takes in a socket, if it is of this family and type.
    pub(super) fn adopt(socket: OsSocket) -> io::Result<Self> {
        let plain = Plain::adopt(socket)?;
        let found = (i32::from(plain.domain()), i32::from(plain.transfer()));
        if found != (F::NUMBER, T::NUMBER) {
            let what =
                format!("the socket is of another kind than {:?}", (F::default(), T::default()));
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(Self::new(plain))
    }
}

impl<F, T, P> SocketInterface<F::Addr> for System<F, T, P>
where
    F: SockFamily,
    T: SockType,
    P: SockProtocol,
{
    fn open() -> io::Result<Self> {
        Plain::open(F::NUMBER, T::NUMBER, 0).map(Self::new)
    }

    fn setsockopt(&self, level: i32, option_name: i32, option_value: i32) -> io::Result<()> {
        let place = Place { keys: Some((level, option_name)), simulated: None, systems: &[] };
        let set = On::Os(self.0.socket()).set_number(&place, option_value);
        set.map_err(|error| self.0.failed(Operation::SetOption, error))
    }

    fn bind(&self, address: &F::Addr) -> io::Result<()> {
        self.0.bind(&address.to_addr())
    }

    fn listen(&self, backlog: u32) -> io::Result<()> {
        self.0.listen(backlog)
    }

    fn connect(&self, address: &F::Addr) -> io::Result<()> {
        self.0.connect(&address.to_addr())
    }

    fn accept(&self) -> io::Result<(Self, F::Addr)> {
        let (plain, addr) = self.0.accept()?;
        let addr = addr.and_then(F::Addr::from_addr).ok_or_else(other_family)?;
        Ok((Self::new(plain), addr))
    }

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.send(buf)
    }

    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buf)
    }

    fn settimeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.0.set_limit(limit)
    }

    fn getsockname(&self) -> io::Result<F::Addr> {
        F::Addr::from_addr(self.0.local_addr()?).ok_or_else(other_family)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how != Shutdown::Write && self.0.listens() {
            self.0.end();
            return Ok(());
        }
        self.0.shutdown(how)
    }

    fn is_open(&self) -> bool {
        !self.0.is_ended()
    }
}

fn other_family() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the address is of another family")
}

/// The kinds of sockets that the platform has.
macro_rules! has {
    ($($family:ident $type:ident $protocol:ident $addr:ident;)+) => {$(
        impl SockPlatform<$family, $type, $protocol, $addr> for Current {
            type Socket = System<$family, $type, $protocol>;
        }

        crate::sys::adopts_descriptor!(
            [] super::Socket<$family, $type, $protocol, $addr>,
            super::Socket::adopt,
            super::Socket::<$family, $type, $protocol, $addr>::into_socket
        );
    )+};
}

has! {
    AF_INET SOCK_STREAM TCP IPv4Addr;
    AF_INET SOCK_DGRAM UDP IPv4Addr;
    AF_INET6 SOCK_STREAM TCP IPv6Addr;
    AF_INET6 SOCK_DGRAM UDP IPv6Addr;
    AF_UNIX SOCK_STREAM LOCAL UnixAddr;
    AF_UNIX SOCK_DGRAM LOCAL UnixAddr;
}
