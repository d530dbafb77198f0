//! Connecting, for async programs: [`connect`] and [`Connect`].
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::course::{self, Course, Door};
use super::plan::{Plan, words};
use super::{Hop, HopError, report::DialReport};
use crate::addr::{Addr, Any, Endpoint, EndpointError, Family, Inet};
use crate::driver::Home;
use crate::net::{Attempt, Stream};
use crate::rt::{Remote, Sleep, sleep_until, timeout_at};
use crate::sys::{self, Fd};

/// Connects to what an [`Endpoint`] says: a host by name or address, a Unix socket, a vsock.
///
/// Nothing happens before it is awaited. [`dial`](crate::dial) says how the best of many addresses
/// is found, and [`Connect`] what else can be asked for.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
/// let port = listener.local_addr()?.port();
/// let mut stream = reseau::connect(format!("localhost:{port}")).await?;
/// stream.send("hello").await?;
/// # Ok(())
/// # })
/// # }
/// ```
///
/// A Unix socket, and no longer than a second:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use std::time::Duration;
/// let to = "unix:/nowhere/at/all";
/// let error = reseau::connect(to).limit(Duration::from_secs(1)).await.unwrap_err();
/// # if cfg!(unix) { // Windows may have no such sockets.
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// # }
/// # Ok(())
/// # })
/// # }
/// ```
pub fn connect<T>(to: T) -> Connect<Any>
where
    T: TryInto<Endpoint, Error: Into<EndpointError>>,
{
    Connect::new(Plan::new(to))
}

/// A connection to be, made by [`connect`] or [`TcpStream::dial`](Stream::dial): await it.
///
/// Dropped while it is awaited, it gives everything up: lookups are forgotten, sockets closed.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// use reseau::{Resolver, TcpListener, connect, opt};
/// use std::time::Duration;
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let addr = listener.local_addr()?;
/// let resolver = Resolver::fixed([("db.internal", [addr.ip()])]);
/// let (stream, report) = connect(("db.internal", addr.port()))
///     .resolver(&resolver)
///     .limit(Duration::from_secs(5))
///     .set(opt::Nodelay(true))
///     .with_report()
///     .await?;
/// assert_eq!(stream.peer_addr()?.inet(), Some(addr));
/// assert_eq!(report.won().unwrap().addr(), &addr.into());
/// # Ok(())
/// # })
/// # }
/// ```
#[must_use = "it connects when it is awaited"]
pub struct Connect<F: Family = Any> {
    pub(super) plan: Plan,
    family: PhantomData<fn() -> F>,
}

/// The future of a [`Connect`].
#[must_use = "futures do nothing unless polled"]
pub struct Connecting<F: Family = Any>(Pin<Box<dyn Future<Output = io::Result<Stream<F>>> + Send>>);

impl Stream<Inet> {
    /// Connects to a host by name or address, in the best way there is: see [`Connect`].
    ///
    /// [`connect`](Self::connect) does what tokio's does: one address after the other.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # reseau::block_on(async {
    /// use reseau::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::dial(listener.local_addr()?).await?;
    /// assert!(stream.peer_addr()?.ip().is_loopback());
    ///
    /// let error = TcpStream::dial("unix:/run/x").await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn dial<T>(to: T) -> Connect<Inet>
    where
        T: TryInto<Endpoint, Error: Into<EndpointError>>,
    {
        Connect::new(Plan::new(to).of_inet())
    }
}

impl<F: Family> Connect<F> {
    fn new(plan: Plan) -> Self {
        Self { plan, family: PhantomData }
    }

    words!();

    /// Connects, and says how: the connection and the report.
    ///
    /// # Errors
    /// As without; the report is in the error, too ([`DialReport::of`]).
    pub async fn with_report(self) -> io::Result<(Stream<F>, DialReport)> {
        let (attempt, report) = run(self.plan).await?;
        Ok((attempt.into_stream(), report))
    }
}

impl<F: Family> IntoFuture for Connect<F> {
    type Output = io::Result<Stream<F>>;
    type IntoFuture = Connecting<F>;

    fn into_future(self) -> Connecting<F> {
        Connecting(Box::pin(async { Ok(run(self.plan).await?.0.into_stream()) }))
    }
}

impl<F: Family> Future for Connecting<F> {
    type Output = io::Result<Stream<F>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<F: Family> fmt::Debug for Connect<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.show("Connect", f)
    }
}

impl<F: Family> fmt::Debug for Connecting<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}

/// Sockets of the loop that runs here, or else of the global one.
struct Here(Arc<Home>);

impl Door for Here {
    type Attempt = Attempt;

    fn open(&mut self, addr: &Addr) -> io::Result<Fd> {
        self.0.open(sys::domain(addr)?)
    }

    fn start(&mut self, fd: Fd, addr: &Addr) -> io::Result<Attempt> {
        Attempt::start(fd, addr, &self.0)
    }
}

impl course::Attempt for Attempt {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_connected(cx)
    }
}

async fn run(plan: Plan) -> io::Result<(Attempt, DialReport)> {
    let (attempt, course) = reach(plan).await?;
    Ok((attempt, course.finish()))
}

/// Connects, and leaves the record open.
pub(super) async fn reach(plan: Plan) -> io::Result<(Attempt, Course<Attempt>)> {
    let mut here = Here(Remote::current()?.home().clone());
    let mut course = Course::new(plan)?;
    let mut alarm: Option<Sleep> = None;
    let raced = poll_fn(|cx| {
        loop {
            if let Poll::Ready(end) = course.poll(&mut here, cx) {
                return Poll::Ready(end);
            }
            let Some(at) = course.again() else { return Poll::Pending };
            if alarm.as_ref().is_none_or(|alarm| alarm.deadline() != at) {
                alarm = Some(sleep_until(at));
            }
            match alarm.as_mut().map(|alarm| Pin::new(alarm).poll(cx)) {
                Some(Poll::Ready(())) => alarm = None,
                _ => return Poll::Pending,
            }
        }
    });
    let mut attempt = match raced.await {
        Ok(attempt) => attempt,
        Err(failure) => return Err(course.fail(failure)),
    };
    while let Some(mut leg) = course.leg() {
        let talk = talk(&mut attempt, &mut leg.hop);
        let end = match course.late() {
            None => talk.await,
            Some(at) => timeout_at(at, talk).await.unwrap_or_else(|_| Err(course::late())),
        };
        if let Err(failure) = course.led(&leg, end) {
            return Err(course.fail(failure));
        }
    }
    Ok((attempt, course))
}

/// Speaks with a proxy, until it leads on.
async fn talk(stream: &mut Attempt, hop: &mut Hop) -> io::Result<()> {
    let mut bytes = [0; 512];
    loop {
        let output = hop.output();
        if !output.is_empty() {
            stream.send(output).await?;
        }
        if hop.is_done() {
            return Ok(());
        }
        let room = hop.wanted().min(bytes.len());
        match stream.recv(&mut bytes[..room]).await? {
            0 => return Err(HopError::Ended.into()),
            count => hop.input(&bytes[..count])?,
        };
    }
}
