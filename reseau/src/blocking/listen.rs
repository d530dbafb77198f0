//! Listening at whatever an endpoint says, for threads.
use std::fmt;
use std::io;

use super::calls;
use super::handle::listen_on;
use super::place::Place;
use super::{Stream, TcpListener, UnixListener, VsockListener};
use crate::addr::{Addr, Covers, Endpoint, EndpointError};
use crate::dial::{Aim, Berth, berth_words};
use crate::error::{Error, Operation};
use crate::sys::listening::Terms;
use crate::sys::{self, Kind, OsSocket};

/// Listens at an endpoint: `:80`, `[::]:80`, `localhost:8080`, `unix:/run/echo.sock`,
/// `vsock:4294967295:80`, `fd:3`, `systemd:web`. (For async programs:
#[cfg_attr(feature = "async", doc = "[`reseau::listen`](crate::listen()).)")]
#[cfg_attr(not(feature = "async"), doc = "`reseau::listen`.)")]
///
/// - **Without a host it is this machine alone that can connect**: `:80` and `localhost:80` are
///   `127.0.0.1:80` (`[::1]:80` where there is no IPv4). All interfaces are `0.0.0.0:80`, or
///   `[::]:80` for IPv4 and IPv6 both, on every system. [`Listener::covers`] says what it came to.
/// - A port is free again as soon as the program before has ended. (On Windows without the option
///   that would let others share it.)
/// - The backlog is 511; [`Listener::backlog`] says what the system made of it.
/// - What was inherited is looked at before it is taken: whether it is open, came from outside, and
///   listens. Each descriptor is given out once, and closed on exec from then on. `systemd:` names
///   are those of `LISTEN_FDNAMES`; of several of one name each call takes the next.
///
/// ```
/// use reseau::blocking;
/// let listener = blocking::listen(":0").backlog(64).wait()?;
/// assert!(listener.covers()?.is_local());
/// let refused = blocking::listen(listener.local_addr()?.to_string()).wait().unwrap_err();
/// assert_eq!(refused.kind(), std::io::ErrorKind::AddrInUse);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A server for IPv4 and IPv6, with a thread for each connection:
///
/// ```no_run
/// let listener = reseau::blocking::listen("[::]:7").wait()?;
/// println!("listening for {}", listener.covers()?);
/// loop {
///     let (stream, peer) = listener.accept()?;
///     std::thread::spawn(move || match std::io::copy(&mut &stream, &mut &stream) {
///         Ok(count) => println!("{count} bytes of {peer}"),
///         Err(error) => println!("{peer}: {error}"),
///     });
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn listen<T>(at: T) -> Listen
where
    T: TryInto<Endpoint, Error: Into<EndpointError>>,
{
    Listen { berth: Berth::new(at) }
}

/// Listens at a port of `host` that is free: `hint` or, if that is taken, the next one that is not;
/// above the highest it goes on at 1. With a hint of 0 the system chooses. Without a host (`""`) it
/// is this machine alone that can connect.
///
/// Only that a port is taken leads on to the next: whatever else goes wrong is the result.
///
/// ```
/// use reseau::blocking;
/// let (hint, _taken) = blocking::listen_any("127.0.0.1", 0).wait()?;
/// let (port, listener) = blocking::listen_any("127.0.0.1", hint).wait()?;
/// assert_ne!(port, hint);
/// assert_eq!(listener.local_addr()?.inet().map(|addr| addr.port()), Some(port));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Any address of the machine, and any port:
///
/// ```
/// let (port, listener) = reseau::blocking::listen_any("0.0.0.0", 0).wait()?;
/// assert!(!listener.covers()?.is_local());
/// assert_ne!(port, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn listen_any(host: &str, hint: u16) -> ListenAny {
    ListenAny { berth: Berth::any(host, hint) }
}

/// A listener to be: see [`listen`].
#[must_use = "it listens when it is waited for"]
pub struct Listen {
    pub(super) berth: Berth,
}

/// A listener to be, at any port: see [`listen_any`].
#[must_use = "it listens when it is waited for"]
pub struct ListenAny {
    pub(super) berth: Berth,
}

/// A listener whose family is known only when the program runs: what [`listen`] makes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listener {
    /// For TCP.
    Tcp(TcpListener),
    /// In the Unix domain.
    Unix(UnixListener),
    /// Between virtual machines and their host.
    Vsock(VsockListener),
}

impl Listen {
    berth_words!();

    /// On Unix, takes the path of a Unix-domain socket for the program's own: the file that a dead
    /// listener has left gives way, and the listener's is removed when it is dropped. See
    /// [`UnixListener::claim`](crate::blocking::UnixListener), which does the same. Whatever has no
    /// path is not changed by it.
    pub fn claim(mut self, claim: bool) -> Self {
        self.berth.claim = claim;
        self
    }

    /// Listens.
    ///
    /// # Errors
    /// `InvalidInput` if it is no endpoint; what was wrong with the last address; or with what was
    /// inherited. The [`Error`](crate::Error) inside has all of it.
    pub fn wait(self) -> io::Result<Listener> {
        opened(&self.berth)
    }
}

impl ListenAny {
    berth_words!();

    /// Listens, and says at which port.
    ///
    /// # Errors
    /// `AddrInUse`, "no ports available", when it has come around to the hint; else as
    /// [`Listen::wait`].
    pub fn wait(self) -> io::Result<(u16, Listener)> {
        let listener = opened(&self.berth)?;
        let port = listener.local_addr()?.inet().map_or(0, |addr| addr.port());
        Ok((port, listener))
    }
}

/// The same call on whichever it is.
macro_rules! each {
    ($self:expr, $listener:ident => $call:expr) => {
        match $self {
            Listener::Tcp($listener) => $call,
            Listener::Unix($listener) => $call,
            Listener::Vsock($listener) => $call,
        }
    };
}

impl Listener {
    /// Waits for the next connection, and says who it is.
    ///
    /// # Errors
    /// The system's, of the connection (`ConnectionAborted`) or of the process (no descriptor
    /// left): the listener stays usable.
    pub fn accept(&self) -> io::Result<(Stream, Addr)> {
        each!(self, listener => {
            listener.accept().map(|(stream, addr)| (stream.into(), addr.into()))
        })
    }

    /// Where it listens: with the port that the system chose, if it was asked to.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<Addr> {
        each!(self, listener => listener.local_addr().map(Addr::from))
    }

    /// Whom it takes connections from, which the address alone does not tell.
    ///
    /// # Errors
    /// The system's.
    pub fn covers(&self) -> io::Result<Covers> {
        each!(self, listener => listener.covers())
    }

    /// How many connections may wait to be accepted, after what the system cut from the number that
    /// was asked for. None where it does not tell: on other systems than Linux, and of what came
    /// from elsewhere, but for TCP.
    #[must_use]
    pub fn backlog(&self) -> Option<u32> {
        each!(self, listener => listener.backlog())
    }

    /// A second handle to the same listener: a connection comes to one of them.
    ///
    /// # Errors
    /// When the process or the system has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
            Self::Vsock(listener) => listener.try_clone().map(Self::Vsock),
        }
    }

    /// Makes calls that would wait fail with `WouldBlock` instead, or lets them wait again.
    ///
    /// # Errors
    /// The system's.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        each!(self, listener => listener.set_nonblocking(nonblocking))
    }

    /// Takes the error that the system keeps for this socket.
    ///
    /// # Errors
    /// The system's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        each!(self, listener => listener.take_error())
    }

    /// Listens at `addr`; if it is a path and is to be claimed, after the dead have given way.
    fn at(addr: &Addr, terms: &Terms, claim: bool) -> io::Result<Self> {
        if let Some(addr) = addr.unix().filter(|_| claim) {
            return UnixListener::claim_on(addr, terms).map(Self::Unix);
        }
        let place = listen_on([addr.clone()], Kind::Stream, terms)?;
        Ok(Self::of(addr, place))
    }

    /// Takes in a stream socket that listens.
    fn inherit(socket: OsSocket) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        let addr = sys::from_sock_addr(&socket.local_addr()?)?;
        Ok(Self::of(&addr, socket.into()))
    }

    /// The listener of that address.
    fn of(addr: &Addr, place: Place) -> Self {
        match addr {
            Addr::Unix(_) => Self::Unix(UnixListener::at(place)),
            Addr::Vsock(_) => Self::Vsock(VsockListener::at(place)),
            _ => Self::Tcp(TcpListener::at(place)),
        }
    }

    pub(super) fn socket(&self) -> &OsSocket {
        each!(self, listener => listener.socket())
    }
}

sys::borrows_descriptor!(Listener);

calls::variants!(Listener, Tcp: TcpListener, Unix: UnixListener, Vsock: VsockListener);

fn opened(berth: &Berth) -> io::Result<Listener> {
    let addrs = match berth.aim()? {
        Aim::Addrs(addrs) => addrs,
        Aim::Inherited(which) => {
            let listener = sys::take_inherited(&which).and_then(Listener::inherit);
            return listener.map_err(|error| berth.orphaned(error));
        }
        Aim::Name(name, port) => {
            let found = berth.resolver.lookup(&name).wait();
            berth.found(found.map_err(|error| berth.failed(error))?, port)
        }
    };
    let mut search = berth.search(addrs);
    while let Some(addr) = search.next() {
        match Listener::at(&addr, &berth.terms, berth.claim) {
            Ok(listener) => return Ok(listener),
            Err(error) => search.failed(told(error, &addr)),
        }
    }
    Err(search.into_error())
}

/// Claims of paths fail by other calls than binding, too.
fn told(error: io::Error, addr: &Addr) -> Error {
    match Error::of(&error) {
        Some(_) => error.into(),
        None => Error::new(Operation::Bind, error).local(addr.clone()),
    }
}

impl fmt::Debug for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.berth.show("Listen", f)
    }
}

impl fmt::Debug for ListenAny {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.berth.show("ListenAny", f)
    }
}
