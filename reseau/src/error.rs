//! What went wrong, in full: the operation, the addresses, the cause, and what to do about it.
//!
//! Calls return [`std::io::Error`], so that they fit in wherever sockets are used; its payload is
//! an [`Error`], which [`Error::of`] finds again. Hot paths return bare system errors;
//! [`class_of`] judges both.
use std::any::Any;
use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::io;

use crate::addr::Addr;

mod codes;
mod told;

/// An operation on a socket that failed, and all that is known about it.
///
/// It prints as one line: operation, place, phase, cause, addresses tried, hint.
///
/// ```
/// use reseau::error::{Class, Error, Operation};
/// let error = Error::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
/// assert_eq!(error.operation(), Operation::Other);
/// assert_eq!(error.class(), Class::Closed);
/// assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::BrokenPipe);
/// ```
pub struct Error(Box<Detail>);

struct Detail {
    operation: Operation,
    phase: Option<Phase>,
    target: Option<Box<str>>,
    local: Option<Addr>,
    peer: Option<Addr>,
    attempts: Vec<Attempt>,
    hint: Option<&'static str>,
    /// What a room above has to say of it, in a type of its own.
    attachment: Option<Box<dyn Any + Send + Sync>>,
    source: io::Error,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opening a socket.
    Open,
    /// Giving a socket its address.
    Bind,
    /// Starting to listen.
    Listen,
    /// Taking a connection from a listener.
    Accept,
    /// Connecting to a peer.
    Connect,
    /// Receiving or reading.
    Recv,
    /// Sending or writing.
    Send,
    /// Waiting until all that was sent is in the kernel's hands.
    Flush,
    /// Ending one direction or both.
    Shutdown,
    /// Closing the socket.
    Close,
    /// Changing an option.
    SetOption,
    /// Reading an option or an address.
    GetOption,
    /// Turning a name into addresses.
    Resolve,
    /// Starting a loop or a driver.
    Start,
    /// Giving the socket away.
    Detach,
    /// Taking in a descriptor from elsewhere.
    Adopt,
    /// Something else: the error came from outside.
    Other,
}

/// How far an operation of several steps had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Understanding or resolving the name.
    Name,
    /// Making and preparing the socket.
    Socket,
    /// Reaching the peer.
    Connect,
    /// Being led on by a proxy.
    Proxy,
    /// The handshake of TLS.
    Tls,
    /// Moving data.
    Transfer,
}

/// What a program can do about an error.
///
/// Decided on the system's error number and the operation, because many numbers have no
/// [`std::io::ErrorKind`] of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nothing is wrong here: the same call may succeed. An `accept` goes on at once; a `connect`
    /// tries the next address, or this one after a pause.
    Retry,
    /// Something has run out or is not ready: the same call may succeed once it is.
    Wait,
    /// The same call will fail again.
    Fatal,
    /// Time ran out.
    Timeout,
    /// The connection has ended.
    Closed,
}

/// One address that a [`Operation::Connect`] tried, and how that ended.
#[derive(Debug)]
pub struct Attempt {
    addr: Addr,
    error: io::Error,
}

impl Error {
    pub(crate) fn new(operation: Operation, source: io::Error) -> Self {
        Self(Box::new(Detail {
            operation,
            phase: None,
            target: None,
            local: None,
            peer: None,
            attempts: Vec::new(),
            hint: None,
            attachment: None,
            source,
        }))
    }

    /// The [`Error`] inside an [`std::io::Error`], if it came from this crate with one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// What was asked for.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// How far it had come, where that says more than the operation.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// The address of this side, where it was known.
    #[must_use]
    pub fn local_addr(&self) -> Option<&Addr> {
        self.0.local.as_ref()
    }

    /// The address of the other side, where it was known.
    #[must_use]
    pub fn peer_addr(&self) -> Option<&Addr> {
        self.0.peer.as_ref()
    }

    /// The addresses that were tried, in order.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// What a program can do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.operation.class_of(&self.0.source)
    }

    /// The system's error number, if the cause has one.
    #[must_use]
    pub fn os_code(&self) -> Option<i32> {
        os_code(&self.0.source)
    }

    /// The kind of the cause.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.0.source.kind()
    }

    /// What a person can do about it, where the cause is well known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.or_else(|| codes::hint(&self.0.source, self.0.operation, self.place()))
    }

    fn place(&self) -> Option<&Addr> {
        self.0.peer.as_ref().or(self.0.local.as_ref())
    }
}

impl Attempt {
    /// The address.
    #[must_use]
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// Why it did not do.
    #[must_use]
    pub fn error(&self) -> &io::Error {
        &self.error
    }
}

impl Operation {
    /// What a program can do about `error`, which this operation gave.
    ///
    /// The operation matters: ECONNABORTED ends a connection, but not a listener.
    #[must_use]
    pub fn class_of(self, error: &io::Error) -> Class {
        if let Some(inner) = Error::of(error) {
            return inner.class();
        }
        let accept = self == Self::Accept;
        let coded = error.raw_os_error().and_then(|code| codes::class(code, accept));
        coded.unwrap_or_else(|| class_of_kind(error.kind(), accept))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Bind => "bind",
            Self::Listen => "listen",
            Self::Accept => "accept",
            Self::Connect => "connect",
            Self::Recv => "recv",
            Self::Send => "send",
            Self::Flush => "flush",
            Self::Shutdown => "shutdown",
            Self::Close => "close",
            Self::SetOption => "set option",
            Self::GetOption => "get option",
            Self::Resolve => "resolve",
            Self::Start => "start",
            Self::Detach => "detach",
            Self::Adopt => "adopt",
            Self::Other => "operation",
        }
    }
}

/// What a program can do about `error`, of this crate or the system's own.
///
/// Where the operation is known, [`Operation::class_of`] knows better.
#[must_use]
pub fn class_of(error: &io::Error) -> Class {
    Operation::Other.class_of(error)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = &*self.0;
        f.write_str(detail.operation.name())?;
        if let Some(target) = &detail.target {
            write!(f, " {target}")?;
        } else if let Some(place) = self.place() {
            write!(f, " {place}")?;
        }
        if let Some(phase) = detail.phase
            && phase.name() != detail.operation.name()
        {
            write!(f, ": {phase}")?;
        }
        write!(f, ": {}", Lowered(&detail.source))?;
        self.fmt_addrs(f)?;
        self.hint().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl Error {
    /// In parentheses: the peer if the target does not say it, and how many addresses were tried.
    fn fmt_addrs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = &*self.0;
        let peer = detail.peer.as_ref().map(Addr::to_string);
        let peer = peer.filter(|peer| detail.target.as_deref().is_some_and(|text| text != peer));
        let tried = match detail.attempts.len() {
            0 | 1 => None,
            count => Some(format!("{count} addresses tried")),
        };
        match (peer, tried) {
            (None, None) => Ok(()),
            (Some(peer), Some(tried)) => write!(f, " ({peer}; {tried})"),
            (Some(one), None) | (None, Some(one)) => write!(f, " ({one})"),
        }
    }
}

/// The line that `Display` prints, in brackets: what `unwrap` shows is to be read by people.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0.source)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}

/// Gives back the [`Error`] that is inside, else makes one whose operation is
/// [`Operation::Other`].
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(|source| Self::new(Operation::Other, source))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Socket => "socket",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Transfer => "transfer",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error that can be kept and given out again and again: what a lane ended with.
///
/// An [`std::io::Error`] cannot be cloned; this one is as small as its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "async"), allow(dead_code))]
pub(crate) enum Fault {
    Os(i32),
    Kind(io::ErrorKind),
}

impl Fault {
    #[cfg_attr(not(feature = "async"), allow(dead_code))]
    pub(crate) fn to_io(self) -> io::Error {
        match self {
            Self::Os(code) => io::Error::from_raw_os_error(code),
            Self::Kind(kind) => kind.into(),
        }
    }
}

impl From<&io::Error> for Fault {
    fn from(error: &io::Error) -> Self {
        os_code(error).map_or_else(|| Self::Kind(error.kind()), Self::Os)
    }
}

/// The number, of the error itself or of the one that it wraps.
fn os_code(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or_else(|| Error::of(error)?.os_code())
}

/// For errors without a number: a simulated world's, a deadline's, a user's own.
fn class_of_kind(kind: io::ErrorKind, accept: bool) -> Class {
    use io::ErrorKind as Kind;
    match kind {
        Kind::ConnectionReset | Kind::ConnectionAborted if accept => Class::Retry,
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::NotConnected
        | Kind::UnexpectedEof
        | Kind::WriteZero => Class::Closed,
        Kind::Interrupted
        | Kind::ConnectionRefused
        | Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown => Class::Retry,
        Kind::WouldBlock | Kind::OutOfMemory | Kind::QuotaExceeded | Kind::ResourceBusy => {
            Class::Wait
        }
        Kind::TimedOut => Class::Timeout,
        _ => Class::Fatal,
    }
}

/// Prints a cause as a part of a line: its first letter small, unless it is an abbreviation's.
struct Lowered<'a>(&'a io::Error);

impl fmt::Display for Lowered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        // Systems' texts begin with a letter of ASCII: no tables of all letters are needed.
        match text.as_bytes() {
            [first, second, ..] if first.is_ascii_uppercase() && second.is_ascii_lowercase() => {
                f.write_char(first.to_ascii_lowercase().into())?;
                f.write_str(&text[1..])
            }
            _ => f.write_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::addr::UnixAddr;

    fn inet(port: u16) -> Addr {
        SocketAddr::from(([127, 0, 0, 1], port)).into()
    }

    fn cause(kind: io::ErrorKind) -> io::Error {
        io::Error::new(kind, "Because of it")
    }

    #[test]
    fn an_error_is_one_line() {
        let refused = || cause(io::ErrorKind::ConnectionRefused);
        let show = |error: Error| error.to_string();
        assert_eq!(show(Error::new(Operation::Recv, refused())), "recv: because of it");
        let error = Error::new(Operation::Connect, refused()).peer(inet(1)).local(inet(2));
        assert_eq!(show(error), "connect 127.0.0.1:1: because of it");
        let error = Error::new(Operation::Listen, refused()).local(inet(2)).phase_at(Phase::Socket);
        assert_eq!(show(error), "listen 127.0.0.1:2: socket: because of it");
        let error = Error::new(Operation::Connect, refused())
            .target("example.com:443")
            .phase_at(Phase::Tls)
            .peer(inet(443))
            .attempt(inet(443), refused())
            .attempt(inet(444), refused())
            .with_hint("try harder");
        assert_eq!(
            show(error),
            "connect example.com:443: tls: because of it (127.0.0.1:443; 2 addresses tried); \
             try harder"
        );
        // The phase and the peer are left out where they say nothing new.
        let error = Error::new(Operation::Connect, io::Error::other("TLS broke"))
            .target(inet(1))
            .peer(inet(1))
            .phase_at(Phase::Connect)
            .attempt(inet(1), refused());
        assert_eq!(show(error), "connect 127.0.0.1:1: TLS broke");
    }

    #[test]
    fn an_error_goes_into_io_and_comes_back() {
        let error = Error::new(Operation::Accept, cause(io::ErrorKind::TimedOut)).local(inet(1));
        let io = io::Error::from(error);
        assert_eq!(io.kind(), io::ErrorKind::TimedOut);
        let found = Error::of(&io).expect("the payload is an Error");
        assert_eq!(found.operation(), Operation::Accept);
        assert_eq!(io.to_string(), found.to_string());
        assert_eq!(class_of(&io), Class::Timeout);
        assert_eq!(StdError::source(&io).unwrap().to_string(), "Because of it");
        let back = Error::from(io);
        assert_eq!((back.operation(), back.local_addr()), (Operation::Accept, Some(&inet(1))));
        assert!(Error::of(&cause(io::ErrorKind::TimedOut)).is_none());
        assert_eq!(Error::from(cause(io::ErrorKind::Other)).operation(), Operation::Other);
    }

    #[test]
    fn parts_can_be_asked_for() {
        let error = Error::new(Operation::Connect, io::ErrorKind::NotFound.into())
            .phase_at(Phase::Connect)
            .peer(Addr::Unix(UnixAddr::from_pathname("/x").unwrap()))
            .attempt(inet(1), cause(io::ErrorKind::ConnectionRefused));
        assert_eq!(error.phase(), Some(Phase::Connect));
        assert_eq!(error.peer_addr().unwrap().to_string(), "unix:/x");
        assert_eq!((error.local_addr(), error.os_code()), (None, None));
        let attempt = &error.attempts()[0];
        assert_eq!(
            (attempt.addr(), attempt.error().kind()),
            (&inet(1), io::ErrorKind::ConnectionRefused)
        );
        assert_eq!(error.hint(), Some("no socket is there: does the server run?"));
        assert_eq!(format!("{error:?}"), format!("Error({error})"));
    }

    #[test]
    fn kinds_have_a_class_where_there_is_no_number() {
        use io::ErrorKind as Kind;
        for (kind, class) in [
            (Kind::Interrupted, Class::Retry),
            (Kind::ConnectionRefused, Class::Retry),
            (Kind::WouldBlock, Class::Wait),
            (Kind::TimedOut, Class::Timeout),
            (Kind::UnexpectedEof, Class::Closed),
            (Kind::ConnectionReset, Class::Closed),
            (Kind::InvalidInput, Class::Fatal),
            (Kind::Other, Class::Fatal),
        ] {
            assert_eq!(class_of(&cause(kind)), class, "{kind}");
        }
        let aborted = cause(Kind::ConnectionAborted);
        assert_eq!(Operation::Accept.class_of(&aborted), Class::Retry);
        assert_eq!(Operation::Recv.class_of(&aborted), Class::Closed);
        // What a wrapped error knows of its operation wins.
        let wrapped = io::Error::from(Error::new(Operation::Accept, aborted));
        assert_eq!(class_of(&wrapped), Class::Retry);
    }

    #[test]
    fn a_fault_is_small_and_keeps_the_number() {
        assert_eq!(size_of::<Fault>(), 8);
        let kind = Fault::from(&cause(io::ErrorKind::BrokenPipe));
        assert_eq!(kind, Fault::Kind(io::ErrorKind::BrokenPipe));
        assert_eq!(kind.to_io().kind(), io::ErrorKind::BrokenPipe);
        let os = io::Error::from_raw_os_error(2);
        assert_eq!(Fault::from(&os), Fault::Os(2));
        assert_eq!(Fault::Os(2).to_io().raw_os_error(), Some(2));
        let wrapped = io::Error::from(Error::new(Operation::Send, os));
        assert_eq!(Fault::from(&wrapped), Fault::Os(2));
    }

    #[test]
    fn errors_cross_threads_and_are_one_pointer() {
        fn crosses<T: Send + Sync + 'static>() -> usize {
            size_of::<T>()
        }
        assert_eq!(crosses::<Error>(), size_of::<usize>());
    }
}
