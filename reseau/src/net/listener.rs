//! Listeners of any family.
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::detach::{self, DetachedListener};
use super::handle::{Handle, Ticket};
use super::{Any, Family, Inet, Stream, Unix, open};
use crate::addr::{Addr, Covers};
use crate::driver::{self, Home, Side, Who, connection};
use crate::error::{Error, Operation};
use crate::opt;
use crate::rt::Remote;
use crate::sys::{Claim, Fd, OsSocket, listening};

/// A source of connections: [`TcpListener`](crate::TcpListener) or
/// [`UnixListener`](crate::UnixListener).
///
/// Once asked, its loop may accept connections ahead of the caller (no more than fit into its
/// window, 64 or so), and closes them if the listener is dropped, as the kernel does with its
/// backlog. When the process runs out of descriptors, it turns away those that wait
/// ([`shed`](Self::shed) counts them), pauses, and goes on.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::{TcpListener, TcpStream};
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (_server, peer) = listener.accept().await?;
/// assert_eq!(peer, client.local_addr()?);
/// # Ok(())
/// # })
/// # }
/// ```
pub struct Listener<F: Family = Any> {
    /// Goes first, so that nobody finds the file of a listener that is gone.
    claim: Option<Claim>,
    handle: Handle,
    /// How many connections it was told to let wait, where that is known.
    asked: Option<u32>,
    family: PhantomData<fn() -> F>,
}

impl<F: Family> Listener<F> {
    pub(super) fn new(handle: Handle) -> Self {
        Self { claim: None, handle, asked: None, family: PhantomData }
    }

    /// A listening descriptor of `home`'s kernel.
    pub(super) fn adopt(fd: Fd, home: &Arc<Home>) -> Self {
        Self::new(Handle::listener(fd, home))
    }

    /// Waits for the next connection, and says who it is. The connection's home is this
    /// listener's.
    ///
    /// Any number of tasks may wait at the same time; each connection comes to one of them.
    /// Dropping the future loses none.
    ///
    /// # Errors
    /// What ended the listener. A connection that breaks before it is accepted, or a lack of
    /// descriptors, does not.
    pub async fn accept(&self) -> io::Result<(Stream<F>, F::Addr)> {
        self.next(self.handle.home()).await
    }

    /// As [`accept`](Self::accept), but the connection's home is another loop. It has not been
    /// with any before, so the move costs nothing.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use reseau::{Config, Group, TcpListener, TcpStream};
    /// let group = Group::new(2, &Config::default())?;
    /// reseau::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut server, _) = listener.accept_on(&group.remotes()[0]).await?;
    ///     server.send("from elsewhere").await?;
    ///     assert_eq!(&*client.recv().await?.unwrap(), b"from elsewhere");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub async fn accept_on(&self, home: &Remote) -> io::Result<(Stream<F>, F::Addr)> {
        self.next(home.home()).await
    }

    /// As [`accept`](Self::accept), for hand-written futures. The last task that waits by this
    /// call is the one that is woken.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream<F>, F::Addr)>> {
        loop {
            let found = ready!(self.handle.socket().poll_recv(Who::Owner, cx, connection));
            if let Some(accepted) = self.admit(found, self.handle.home()).transpose() {
                return Poll::Ready(accepted);
            }
        }
    }

    /// Takes the listener off its loop, with the connections that were accepted ahead: to be put
    /// on another loop, or to be used without one.
    ///
    /// # Errors
    /// None so far.
    pub async fn detach(self) -> io::Result<DetachedListener<F>> {
        detach::listener(self.handle).await
    }

    /// How many connections were turned away for want of descriptors.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.handle.socket().recv_lane().shed
    }

    /// Where it listens: with the port that the system chose, if it was asked to.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<F::Addr> {
        F::named(self.handle.fd().local_addr()?)
    }

    /// Whom it takes connections from, which the address alone does not tell.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::addr::{Covers, Reach, Stack};
    /// let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
    /// let port = listener.local_addr()?.port();
    /// let covers = Covers::Inet { stack: Stack::V4, reach: Reach::Loopback, port };
    /// assert_eq!(listener.covers()?, covers);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// # Errors
    /// The system's.
    pub fn covers(&self) -> io::Result<Covers> {
        let fd = self.handle.fd();
        let addr = fd.local_addr()?;
        let only_v6 = listening::is_only_v6(fd.on());
        Covers::of(&addr, only_v6).ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// How many connections may wait to be accepted, after what the system cut from the number
    /// that was asked for. None where it does not tell: on other systems than Linux, and for a
    /// listener of the Unix domain that came from elsewhere.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// let listener = reseau::listen("127.0.0.1:0").backlog(16).await?;
    /// assert!(matches!(listener.backlog(), None | Some(16)));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    #[must_use]
    pub fn backlog(&self) -> Option<u32> {
        listening::backlog(self.handle.fd().on(), self.asked)
    }

    /// Takes the error that the system keeps for this socket.
    ///
    /// # Errors
    /// The system's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.handle.take_error()
    }

    async fn next(&self, home: &Arc<Home>) -> io::Result<(Stream<F>, F::Addr)> {
        let socket = self.handle.socket();
        open::fits(socket.fd(), home)?;
        let mut ticket = Ticket::new(socket, Side::Recv);
        loop {
            let found = poll_fn(|cx| socket.poll_recv(ticket.who(), cx, connection)).await;
            if let Some(accepted) = self.admit(found, home)? {
                return Ok(accepted);
            }
        }
    }

    /// Makes a stream of what was found. `None`: it has broken since, so look for the next.
    fn admit(
        &self,
        found: io::Result<Option<(Fd, Option<Addr>)>>,
        home: &Arc<Home>,
    ) -> io::Result<Option<(Stream<F>, F::Addr)>> {
        let (fd, peer) = match found {
            Ok(Some(found)) => found,
            Ok(None) => return Err(driver::gone()),
            Err(error) => return Err(self.failed(error)),
        };
        // A peer that has reset the connection has no address any more.
        let Some(peer) = peer.or_else(|| fd.peer_addr().ok()) else { return Ok(None) };
        let peer = F::named(peer)?;
        Ok(Some((Stream::new(Handle::accepted::<F>(fd, home)), peer)))
    }

    fn failed(&self, error: io::Error) -> io::Error {
        let error = Error::new(Operation::Accept, error);
        match self.handle.fd().local_addr() {
            Ok(addr) => error.local(addr).into(),
            Err(_) => error.into(),
        }
    }

    /// The same listener, said to be of another family.
    pub(super) fn cast<G: Family>(self) -> Listener<G> {
        let Self { claim, handle, asked, .. } = self;
        Listener { claim, handle, asked, family: PhantomData }
    }

    /// It was told to let so many connections wait.
    pub(super) fn told(mut self, backlog: u32) -> Self {
        self.asked = Some(backlog);
        self
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// It keeps its file, whoever closes it in the end.
    pub(super) fn into_handle(self) -> Handle {
        if let Some(claim) = self.claim {
            claim.release();
        }
        self.handle
    }

    pub(super) fn claimed(self, claim: Option<Claim>) -> Self {
        Self { claim, ..self }
    }

    pub(super) fn socket(&self) -> &OsSocket {
        self.handle.descriptor()
    }
}

opt::has_options!([F: Family] Listener<F>, listener => listener.handle.fd().on());
opt::fits! {
    Listener<Inet>: Inet Tcp Listening;
    Listener<Unix>: Unix;
}

impl<F: Family> AsRef<Self> for Listener<F> {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<F: Family> fmt::Debug for Listener<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::show::<F>(&self.handle, "Listener", f)
    }
}
