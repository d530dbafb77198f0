//! Opening at whatever an endpoint says, for async programs.
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;

use super::berth::{Aim, Berth, words};
use crate::addr::{Any, Endpoint, EndpointError};
use crate::net::Listener;
use crate::rt::{Remote, yield_now};
use crate::sys;

/// Listens at an endpoint: `:80`, `[::]:80`, `localhost:8080`, `unix:/run/echo.sock`,
/// `vsock:4294967295:80`, `fd:3`, `systemd:web`. (For threads:
/// [`blocking::listen`](crate::blocking::listen()).)
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
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// let listener = reseau::listen(":0").backlog(64).await?;
/// assert!(listener.covers()?.is_local());
/// let at = listener.local_addr()?.inet().unwrap();
/// let mut client = reseau::TcpStream::connect(at).await?;
/// let (mut server, _peer) = listener.accept().await?;
/// client.send("hello").await?;
/// assert_eq!(&*server.recv().await?.unwrap(), b"hello");
/// # Ok(())
/// # })
/// # }
/// ```
///
/// A server's own path, taken over from one that died there:
///
/// ```
/// # #[cfg(windows)]
/// # fn main() {}
/// # #[cfg(unix)]
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::{UnixAddr, UnixStream};
/// let path = std::env::temp_dir().join(format!("listen-{}", std::process::id()));
/// drop(std::os::unix::net::UnixListener::bind(&path)?); // It leaves its file.
/// let at = format!("unix:{}", path.display());
/// let listener = reseau::listen(&at).claim(true).await?;
/// let _client = UnixStream::connect_addr(&UnixAddr::from_pathname(&path)?).await?;
/// let (_server, _peer) = listener.accept().await?;
/// drop(listener);
/// assert!(!path.exists());
/// # Ok(())
/// # })
/// # }
/// ```
///
/// # Errors
/// Of the future: `InvalidInput` if it is no endpoint; what was wrong with the last address; or
/// with what was inherited. The [`Error`](crate::Error) inside has all of it.
pub fn listen<T>(at: T) -> Listen
where
    T: TryInto<Endpoint, Error: Into<EndpointError>>,
{
    Listen { berth: Berth::new(at), home: None }
}

/// Listens at a port of `host` that is free: `hint` or, if that is taken, the next one that is not;
/// above the highest it goes on at 1. With a hint of 0 the system chooses. Without a host (`""`) it
/// is this machine alone that can connect.
///
/// Only that a port is taken leads on to the next: whatever else goes wrong is the result.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// let (hint, _taken) = reseau::listen_any("127.0.0.1", 0).await?;
/// let (port, listener) = reseau::listen_any("127.0.0.1", hint).await?;
/// assert_ne!(port, hint);
/// assert_eq!(listener.local_addr()?.inet().map(|addr| addr.port()), Some(port));
/// # Ok(())
/// # })
/// # }
/// ```
///
/// # Errors
/// Of the future: `AddrInUse`, "no ports available", when it has come around to the hint; else as
/// [`listen`].
pub fn listen_any(host: &str, hint: u16) -> ListenAny {
    ListenAny { berth: Berth::any(host, hint), home: None }
}

/// A listener to be: see [`listen`].
#[must_use = "it listens when it is awaited"]
pub struct Listen {
    pub(super) berth: Berth,
    home: Option<Remote>,
}

/// A listener to be, at any port: see [`listen_any`].
#[must_use = "it listens when it is awaited"]
pub struct ListenAny {
    pub(super) berth: Berth,
    home: Option<Remote>,
}

/// The future of a [`Listen`] or a [`ListenAny`].
#[must_use = "futures do nothing unless polled"]
pub struct Opening<T>(Pin<Box<dyn Future<Output = io::Result<T>> + Send>>);

impl Listen {
    words!();

    /// Puts it on that loop, and not on this thread's or the global one.
    pub fn on(self, home: &Remote) -> Self {
        Self { home: Some(home.clone()), ..self }
    }

    /// On Unix, takes the path of a Unix-domain socket for the program's own: the file that a dead
    /// listener has left gives way, and the listener's is removed when it is dropped. See
    /// [`UnixListener::claim`](crate::UnixListener), which does the same. Whatever has no path is
    /// not changed by it.
    pub fn claim(mut self, claim: bool) -> Self {
        self.berth.claim = claim;
        self
    }
}

impl ListenAny {
    words!();

    /// Puts it on that loop, and not on this thread's or the global one.
    pub fn on(self, home: &Remote) -> Self {
        Self { home: Some(home.clone()), ..self }
    }
}

impl IntoFuture for Listen {
    type Output = io::Result<Listener<Any>>;
    type IntoFuture = Opening<Listener<Any>>;

    fn into_future(self) -> Self::IntoFuture {
        Opening::new(opened(self.berth, self.home))
    }
}

impl IntoFuture for ListenAny {
    type Output = io::Result<(u16, Listener<Any>)>;
    type IntoFuture = Opening<(u16, Listener<Any>)>;

    fn into_future(self) -> Self::IntoFuture {
        Opening::new(async {
            let listener = opened(self.berth, self.home).await?;
            let port = listener.local_addr()?.inet().map_or(0, |addr| addr.port());
            Ok((port, listener))
        })
    }
}

impl<T> Opening<T> {
    pub(super) fn new(opening: impl Future<Output = io::Result<T>> + Send + 'static) -> Self {
        Self(Box::pin(opening))
    }
}

impl<T> Future for Opening<T> {
    type Output = io::Result<T>;

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<T>> {
        self.0.as_mut().poll(cx)
    }
}

async fn opened(berth: Berth, home: Option<Remote>) -> io::Result<Listener<Any>> {
    let home = home.map_or_else(Remote::current, Ok)?;
    let home = home.home();
    let addrs = match berth.aim()? {
        Aim::Addrs(addrs) => addrs,
        Aim::Inherited(which) => {
            // A world has no environment, and to look must not take anything away.
            let taken = if home.world().is_some() {
                let what = "a simulated loop inherits nothing";
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            } else {
                sys::take_inherited(&which)
            };
            let listener = taken.and_then(|socket| Listener::inherit(socket, home));
            return listener.map_err(|error| berth.orphaned(error));
        }
        Aim::Name(name, port) => {
            let found = berth.resolver.lookup(&name).await;
            berth.found(found.map_err(|error| berth.failed(error))?, port)
        }
    };
    let mut search = berth.search(addrs);
    while let Some(addr) = search.next() {
        match Listener::at(&addr, &berth.terms, berth.claim, home) {
            Ok(listener) => return Ok(listener),
            Err(error) => search.failed(error),
        }
        if search.is_long() {
            yield_now().await;
        }
    }
    Err(search.into_error())
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

impl<T> fmt::Debug for Opening<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}
