//! Connecting, for threads: [`connect`] and [`Connect`].
use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::bell::Bell;
use super::stream::Stream;
use crate::addr::{Addr, Endpoint, EndpointError};
use crate::clock;
use crate::dial::{self, Course, DialReport, Door, Hop, HopError, Plan, words};
use crate::dns;
use crate::error::{Error, Operation};
use crate::sys::{self, Fd, OsSocket, Side, blocking as calls};

/// Connects to what an [`Endpoint`] says: a host by name or address, a Unix socket, a vsock.
///
/// Nothing happens before [`wait`](Connect::wait). [`dial`](crate::dial) says how the best of many
/// addresses is found, and [`Connect`] what else can be asked for.
///
/// ```
/// use reseau::blocking::{TcpListener, connect};
/// use std::io::Write;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let port = listener.local_addr()?.port();
/// let mut stream = connect(("localhost", port)).wait()?;
/// stream.write_all(b"hello")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A Unix socket, and no longer than a second:
///
/// ```
/// use std::time::Duration;
/// let to = "unix:/nowhere/at/all";
/// let error = reseau::blocking::connect(to).limit(Duration::from_secs(1)).wait().unwrap_err();
/// # if cfg!(unix) { // Windows may have no such sockets.
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// # }
/// assert!(error.to_string().starts_with("connect unix:/nowhere/at/all: "), "{error}");
/// ```
pub fn connect<T>(to: T) -> Connect
where
    T: TryInto<Endpoint, Error: Into<EndpointError>>,
{
    Connect { plan: Plan::new(to) }
}

/// A connection to be, made by [`connect`]. The words are those of the async
/// [`Connect`](crate::dial), and mean the same.
///
/// ```
/// use reseau::blocking::{TcpListener, connect};
/// use reseau::{Resolver, opt};
/// use std::time::Duration;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let addr = listener.local_addr()?;
/// let resolver = Resolver::fixed([("db.internal", [addr.ip()])]);
/// let stream = connect(("db.internal", addr.port()))
///     .resolver(&resolver)
///     .limit(Duration::from_secs(5))
///     .set(opt::Nodelay(true))
///     .wait()?;
/// assert_eq!(stream.peer_addr()?.inet(), Some(addr));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Every step as it happens:
///
/// ```
/// use reseau::blocking::{TcpListener, connect};
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// connect(listener.local_addr()?).watch(|news| eprintln!("{news}")).wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "it connects in `wait`"]
pub struct Connect {
    pub(super) plan: Plan,
}

impl Connect {
    words!();

    /// Connects, and waits for it on this thread.
    ///
    /// # Errors
    /// What is wrong with the name, the addresses or the proxies, within the deadline. The
    /// [`Error`](crate::Error) inside holds what was tried; [`DialReport::of`] all of it.
    pub fn wait(self) -> io::Result<Stream> {
        self.wait_with_report().map(|(stream, _)| stream)
    }

    /// Connects, and says how: the connection and the report.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_with_report(self) -> io::Result<(Stream, DialReport)> {
        let (stream, course) = reach(self.plan)?;
        Ok((stream, course.finish()))
    }
}

/// Connects, and leaves the record open.
pub(super) fn reach(plan: Plan) -> io::Result<(Stream, Course<Attempt>)> {
    if dns::in_world() {
        let what = "a simulated loop cannot wait: await reseau::connect";
        let cause = io::Error::new(io::ErrorKind::Unsupported, what);
        return Err(Error::new(Operation::Connect, cause).into());
    }
    let mut course = Course::new(plan)?;
    let won = match race(&mut course) {
        Ok(won) => won,
        Err(failure) => return Err(course.fail(failure)),
    };
    let Attempt { fd, addr, .. } = won?;
    while let Some(mut leg) = course.leg() {
        let end = talk(&fd, &mut leg.hop, course.late());
        if let Err(failure) = course.led(&leg, end) {
            return Err(course.fail(failure));
        }
    }
    let socket = fd.into_os()?;
    socket.set_nonblocking(false)?;
    Ok((Stream::new(socket, &addr), course))
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.show("Connect", f)
    }
}

/// A socket that connects while others do.
pub(super) struct Attempt {
    fd: Fd,
    addr: Addr,
    /// The system is at it. If not, there was no room for it yet, and it is asked again.
    begun: bool,
}

/// Sockets of the system, which do not wait.
struct Here;

impl Door for Here {
    type Attempt = Attempt;

    fn open(&mut self, addr: &Addr) -> io::Result<Fd> {
        Fd::open(sys::domain(addr)?)
    }

    fn start(&mut self, fd: Fd, addr: &Addr) -> io::Result<Attempt> {
        let begun = begin(&fd, addr)?;
        Ok(Attempt { fd, addr: addr.clone(), begun })
    }
}

impl dial::Attempt for Attempt {
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.begun {
            match begin(&self.fd, &self.addr) {
                Ok(begun) => self.begun = begun,
                Err(error) => return Poll::Ready(Err(error)),
            }
            if !self.begun {
                return Poll::Pending;
            }
        }
        match self.fd.is_connected() {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

/// Asks the system to connect; false if the backlog of a Unix listener is full, which Linux says at
/// once.
fn begin(fd: &Fd, addr: &Addr) -> io::Result<bool> {
    let may_be_full = sys::ROOM_PAUSE.is_some() && addr.unix().is_some();
    match fd.connect(addr) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && may_be_full => Ok(false),
        asked => asked.map(|_| true),
    }
}

/// The first connection there is.
fn race(course: &mut Course<Attempt>) -> Result<io::Result<Attempt>, dial::Failure> {
    // Only who asks for names is rung for.
    let bell = match course.asks().then(Bell::new).transpose() {
        Ok(bell) => bell,
        Err(error) => return Ok(Err(error)),
    };
    let waker =
        bell.as_ref().map_or_else(|| Waker::noop().clone(), |bell| Waker::from(bell.clone()));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Some(bell) = &bell {
            bell.hush();
        }
        if let Poll::Ready(end) = course.poll(&mut Here, &mut cx) {
            return end.map(Ok);
        }
        if let Err(error) = wait(course, bell.as_ref()) {
            return Ok(Err(error));
        }
    }
}

/// Sleeps until there is something to see.
fn wait(course: &Course<Attempt>, bell: Option<&Arc<Bell>>) -> io::Result<()> {
    let ears: Vec<&OsSocket> = bell.map(|bell| bell.ear()).transpose()?.into_iter().collect();
    // (One that has not begun would look ready.)
    let begun = course.attempts().filter(|attempt| attempt.begun);
    let sockets = begun.map(|attempt| attempt.fd.os());
    let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
    let limit = course.again().map(|at| at.saturating_duration_since(clock::now()));
    let crowded = course.attempts().any(|attempt| !attempt.begun);
    let pause = sys::ROOM_PAUSE.filter(|_| crowded);
    let limit = limit.into_iter().chain(pause).min();
    calls::wait_any(&ears, &sockets, limit)
}

/// Speaks with a proxy, until it leads on or time is up.
fn talk(fd: &Fd, hop: &mut Hop, late: Option<Instant>) -> io::Result<()> {
    let mut bytes = [0; 512];
    loop {
        let mut output = hop.output();
        while !output.is_empty() {
            let sent = by(fd, Side::Send, late, |socket, flags| calls::send(socket, output, flags));
            output = &output[sent?..];
        }
        if hop.is_done() {
            return Ok(());
        }
        let space = hop.wanted().min(bytes.len());
        let space = &mut bytes[..space];
        match by(fd, Side::Recv, late, |socket, flags| calls::recv(socket, space, flags))? {
            0 => return Err(HopError::Ended.into()),
            count => hop.input(&bytes[..count])?,
        };
    }
}

/// Makes a call of a socket that does not wait, as soon as it need not.
fn by<T>(
    fd: &Fd,
    side: Side,
    late: Option<Instant>,
    mut call: impl FnMut(&OsSocket, i32) -> io::Result<T>,
) -> io::Result<T> {
    let socket = fd.os()?;
    loop {
        match call(socket, 0) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => return result,
        }
        let left = late.map(|late| late.saturating_duration_since(clock::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(dial::late());
        }
        calls::wait(socket, side, left)?;
    }
}
