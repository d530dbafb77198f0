//! One proxy on the way: the conversation with it, without any socket.
use std::{error, fmt, io};

use super::http_connect::HttpConnect;
use super::proxy::{Proxy, ProxyKind};
use super::socks5::Socks5;
use crate::addr::Host;

/// The conversation that turns a connection with a [`Proxy`] into a tunnel to somewhere else.
///
/// It does no input or output of its own: whoever has the connection writes what
/// [`output`](Self::output) gives, hands over what arrives to [`input`](Self::input), and is
/// through when [`is_done`](Self::is_done). What arrives may be cut anywhere, and bytes of the
/// tunnel that came along are never taken.
///
/// ```
/// use reseau::addr::Host;
/// use reseau::dial::{Hop, Proxy};
/// let proxy: Proxy = "socks5://127.0.0.1:1080".parse()?;
/// let mut hop = Hop::new(&proxy, &Host::Name("example.com".into()), 443)?;
/// assert_eq!(hop.output(), [5, 1, 0]); // Version 5, one method: no login.
/// assert_eq!(hop.input(&[5, 0])?, 2);
/// assert_eq!(hop.output(), b"\x05\x01\0\x03\x0bexample.com\x01\xbb");
/// // It is connected, from 0.0.0.0:0; and the first byte of the other end came along.
/// assert_eq!(hop.input(b"\x05\0\0\x01\0\0\0\0\0\0S")?, 10);
/// assert!(hop.is_done());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Over a connection of std's, which cannot give back what was read: it reads no more than is
/// [`wanted`](Self::wanted).
///
/// ```
/// use reseau::addr::Host;
/// use reseau::dial::{Hop, HopError, Proxy};
/// use std::io::{self, Read, Write};
///
/// fn lead(stream: &mut (impl Read + Write), hop: &mut Hop) -> io::Result<()> {
///     while !hop.is_done() {
///         stream.write_all(hop.output())?;
///         let mut bytes = [0; 32];
///         let wanted = hop.wanted().min(bytes.len());
///         match stream.read(&mut bytes[..wanted])? {
///             0 => return Err(HopError::Ended.into()),
///             count => assert_eq!(hop.input(&bytes[..count])?, count),
///         }
///     }
///     Ok(())
/// }
///
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let addr = listener.local_addr()?;
/// # std::thread::spawn(move || {
/// #     listener.accept().unwrap().0.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").unwrap()
/// # });
/// let mut stream = std::net::TcpStream::connect(addr)?;
/// let proxy: Proxy = format!("http://{addr}").parse()?;
/// lead(&mut stream, &mut Hop::new(&proxy, &Host::Name("example.com".into()), 443)?)?;
/// let mut greeting = [0; 5];
/// stream.read_exact(&mut greeting)?;
/// assert_eq!(&greeting, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Hop(Speech);

#[derive(Debug)]
enum Speech {
    Socks5(Socks5),
    Http(HttpConnect),
}

/// Why a proxy does not lead on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HopError {
    /// This kind of proxy cannot be told where to go: what is wrong with the place.
    Target(&'static str),
    /// It wants a user name and a password, and there are none.
    LoginWanted,
    /// It refused the user name or the password.
    LoginRefused,
    /// It takes none of the ways to log in that we know.
    NoMethod,
    /// A SOCKS proxy says why it does not connect.
    Socks(SocksReply),
    /// An HTTP proxy says why it does not connect: the status, and its own words.
    Http(u16, Box<str>),
    /// It does not speak what it should: what should have come.
    Garbage(&'static str),
    /// Its answer is longer than any answer may be.
    TooLong,
    /// It closed the connection in the middle of the conversation.
    Ended,
}

/// What a SOCKS5 proxy answers instead of connecting (RFC 1928, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocksReply {
    /// 1: general failure.
    Failure,
    /// 2: its rules do not allow it.
    NotAllowed,
    /// 3: the network cannot be reached.
    NetworkUnreachable,
    /// 4: the host cannot be reached, or its name not be resolved.
    HostUnreachable,
    /// 5: the other end refused the connection.
    Refused,
    /// 6: too many routers on the way; many proxies say it when time is up.
    TtlExpired,
    /// 7: it does not do that for anybody.
    CommandUnsupported,
    /// 8: it does not know addresses of this kind.
    AddressUnsupported,
    /// A number that no standard knows.
    Other(u8),
}

impl Hop {
    /// Prepares the conversation with `proxy` about going on to `host` and `port`.
    ///
    /// # Errors
    /// [`HopError::Target`]: an IPv6 address with a zone, which means nothing elsewhere, or a name
    /// that is none.
    pub fn new(proxy: &Proxy, host: &Host, port: u16) -> Result<Self, HopError> {
        check(host)?;
        let login = proxy.secrets();
        Ok(Self(match proxy.kind() {
            ProxyKind::Socks5 => Speech::Socks5(Socks5::new(login, host, port)),
            ProxyKind::Http => Speech::Http(HttpConnect::new(login, host, port)),
        }))
    }

    /// What is to be written now, each byte once: what one call gave, the next does not.
    pub fn output(&mut self) -> &[u8] {
        match &mut self.0 {
            Speech::Socks5(hop) => hop.output(),
            Speech::Http(hop) => hop.output(),
        }
    }

    /// Takes what arrived, and says how much of it: all, but for what follows the end of the
    /// conversation, which belongs to the tunnel.
    ///
    /// # Errors
    /// Why there will be no tunnel, as early as that is certain. Nothing can follow then.
    pub fn input(&mut self, bytes: &[u8]) -> Result<usize, HopError> {
        let (mut taken, mut rest) = (0, bytes.iter());
        while !self.is_over() {
            let Some(byte) = rest.next() else { break };
            taken += 1;
            match &mut self.0 {
                Speech::Socks5(hop) => hop.take(*byte)?,
                Speech::Http(hop) => hop.take(*byte)?,
            }
        }
        Ok(taken)
    }

    /// How many bytes must still arrive at least: 0 when all have. Whoever never reads more than
    /// that reads nothing of the tunnel.
    #[must_use]
    pub fn wanted(&self) -> usize {
        match &self.0 {
            Speech::Socks5(hop) => hop.wanted(),
            Speech::Http(hop) => hop.wanted(),
        }
    }

    /// Whether all was said: what follows belongs to the tunnel.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let silent = match &self.0 {
            Speech::Socks5(hop) => hop.is_silent(),
            Speech::Http(hop) => hop.is_silent(),
        };
        silent && self.is_over()
    }

    fn is_over(&self) -> bool {
        self.wanted() == 0
    }
}

impl HopError {
    /// The kind of the [`io::Error`] that this becomes.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Target(_) => io::ErrorKind::InvalidInput,
            Self::LoginWanted | Self::LoginRefused | Self::NoMethod => {
                io::ErrorKind::PermissionDenied
            }
            Self::Socks(reply) => reply.kind(),
            Self::Http(403, _) => io::ErrorKind::PermissionDenied,
            Self::Http(405 | 501, _) => io::ErrorKind::Unsupported,
            Self::Http(504, _) => io::ErrorKind::TimedOut,
            Self::Http(..) => io::ErrorKind::ConnectionRefused,
            Self::Garbage(_) | Self::TooLong => io::ErrorKind::InvalidData,
            Self::Ended => io::ErrorKind::UnexpectedEof,
        }
    }

    /// The error inside an [`io::Error`], if it is one of a proxy.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        let mut cause: &(dyn error::Error + 'static) = error.get_ref()?;
        loop {
            if let Some(found) = cause.downcast_ref() {
                return Some(found);
            }
            // An `io::Error` shows the source of what it holds, and not that itself.
            cause = match cause.downcast_ref::<io::Error>() {
                Some(error) => error.get_ref()?,
                None => cause.source()?,
            };
        }
    }
}

impl fmt::Display for HopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(why) => write!(f, "a proxy cannot be told this place: {why}"),
            Self::LoginWanted => f.write_str("the proxy wants a user name and a password"),
            Self::LoginRefused => f.write_str("the proxy refused the user name or the password"),
            Self::NoMethod => f.write_str("the proxy knows no way to log in that we know"),
            Self::Socks(reply) => write!(f, "the proxy says: {reply}"),
            Self::Http(status, words) if words.is_empty() => {
                write!(f, "the proxy says: {status}")
            }
            Self::Http(status, words) => write!(f, "the proxy says: {status} {words}"),
            Self::Garbage(expected) => {
                write!(f, "the proxy does not speak its language: {expected} should have come")
            }
            Self::TooLong => f.write_str("the proxy's answer does not end"),
            Self::Ended => f.write_str("the proxy closed the connection before it answered"),
        }
    }
}

impl error::Error for HopError {}

impl From<HopError> for io::Error {
    fn from(error: HopError) -> Self {
        Self::new(error.kind(), error)
    }
}

impl SocksReply {
    /// What a number means; 0 is no failure.
    pub(super) fn of(code: u8) -> Option<Self> {
        Some(match code {
            0 => return None,
            1 => Self::Failure,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::Refused,
            6 => Self::TtlExpired,
            7 => Self::CommandUnsupported,
            8 => Self::AddressUnsupported,
            code => Self::Other(code),
        })
    }

    fn kind(self) -> io::ErrorKind {
        match self {
            Self::NotAllowed => io::ErrorKind::PermissionDenied,
            Self::NetworkUnreachable => io::ErrorKind::NetworkUnreachable,
            Self::HostUnreachable => io::ErrorKind::HostUnreachable,
            Self::Refused => io::ErrorKind::ConnectionRefused,
            Self::TtlExpired => io::ErrorKind::TimedOut,
            Self::CommandUnsupported | Self::AddressUnsupported => io::ErrorKind::Unsupported,
            Self::Failure | Self::Other(_) => io::ErrorKind::ConnectionRefused,
        }
    }
}

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failure => "general failure",
            Self::NotAllowed => "not allowed by its rules",
            Self::NetworkUnreachable => "network unreachable",
            Self::HostUnreachable => "host unreachable",
            Self::Refused => "connection refused",
            Self::TtlExpired => "time to live expired",
            Self::CommandUnsupported => "command not supported",
            Self::AddressUnsupported => "kind of address not supported",
            Self::Other(code) => return write!(f, "unknown reply {code}"),
        })
    }
}

/// A name goes into a header, so it is looked at even though [`crate::Endpoint`] did.
fn check(host: &Host) -> Result<(), HopError> {
    match host {
        Host::V6(_, Some(_)) => Err(HopError::Target("a zone means something here alone")),
        Host::Name(name) if name.is_empty() || name.len() > NAME_MAX => {
            Err(HopError::Target("a name has 1 to 255 bytes"))
        }
        Host::Name(name) => {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            let fits = name.bytes().all(fits);
            fits.then_some(()).ok_or(HopError::Target("a name has letters, digits, '-', '_', '.'"))
        }
        Host::V4(_) | Host::V6(_, None) => Ok(()),
    }
}

/// What the length byte of SOCKS can say.
const NAME_MAX: usize = 255;

#[cfg(test)]
mod tests;
