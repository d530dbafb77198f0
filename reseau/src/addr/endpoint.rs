//! What people write to say where: text in, text out.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;
use std::{fmt, io};

use super::draft::{Draft, PREFIXES};
use super::refusal::{EndpointError, EndpointPart};
use super::{Addr, Inherited, PipeName, Scheme, UnixAddr, VsockAddr};

/// A place to connect to or to listen at, as text: it parses and prints.
///
/// | text | meaning |
/// |---|---|
/// | `127.0.0.1:80`, `[::1]:80` | an IP address and a port |
/// | `[fe80::1%eth0]:80`, `[fe80::1%3]:80` | with the zone (interface) by name or by number |
/// | `example.com:80` | a name, for a resolver, and a port |
/// | `example.com:https` | the port by the name of its service, whatever the host |
/// | `:80`, `:http` | no host: to listen on loopback only, to connect to this machine |
/// | `tcp://example.com:80`, `udp://[::1]:domain` | any of these, saying what is spoken |
/// | `tls://example.com:https` | TLS: `.tls(..)` says with what |
/// | `unix:/run/echo.sock` | a Unix-domain socket, by its path |
/// | `unix:@echo` | a Unix-domain socket, by its abstract name (Linux) |
/// | `vsock:2:1024` | a vsock: a machine's context id and a port (Linux) |
/// | `npipe:echo`, `\\.\pipe\echo` | a named pipe (Windows; not served yet) |
/// | `fd:3` | a descriptor that was open when the program began |
/// | `systemd:web` | the same, by its name in the unit of systemd |
///
/// In a path or an abstract name, `%41` stands for a byte and `%25` for the percent sign. A host
/// that is called `unix`, `vsock`, `npipe`, `fd` or `systemd` needs a scheme: `tcp://fd:3`. What an
/// endpoint prints parses to an equal endpoint.
///
/// ```
/// use reseau::Endpoint;
/// let endpoint: Endpoint = "[::1%lo]:80".parse()?;
/// assert_eq!(endpoint.port(), Some(80));
/// assert_eq!(endpoint.to_string(), "[::1%lo]:80");
///
/// let error = "[::1]:99999".parse::<Endpoint>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"endpoint "[::1]:99999": port "99999" at column 7 is larger than 65535"#
/// );
/// # Ok::<(), reseau::addr::EndpointError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Place);

/// What an endpoint says. Private, so that there will be room for more.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Net { scheme: Scheme, host: Option<Host>, gate: Gate },
    Unix(UnixAddr),
    Vsock(VsockAddr),
    Pipe(PipeName),
    Inherited(Inherited),
}

/// What stands after the last colon.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Gate {
    Port(u16),
    Service(Box<str>),
}

/// The part of an [`Endpoint`] before the port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, and the text of its zone: an interface's name or number.
    V6(Ipv6Addr, Option<Box<str>>),
    /// A name, for a resolver.
    Name(Box<str>),
}

impl Endpoint {
    /// The part before the port. None for `:80`, and for what has no IP address.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        match &self.0 {
            Place::Net { host, .. } => host.as_ref(),
            _ => None,
        }
    }

    /// The port of TCP or UDP. None for what has no IP address, and for a port that is written as
    /// the name of a [`service`](Self::service).
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match &self.0 {
            Place::Net { gate: Gate::Port(port), .. } => Some(*port),
            _ => None,
        }
    }

    /// The name of the service that stands where a port could, such as `https`: letters, digits and
    /// hyphens, with at least one letter, 15 of them at most.
    ///
    /// ```
    /// let endpoint: reseau::Endpoint = "example.com:https".parse()?;
    /// assert_eq!((endpoint.service(), endpoint.port()), (Some("https"), None));
    /// assert_eq!(endpoint.with_port(443).to_string(), "example.com:443");
    /// # Ok::<(), reseau::addr::EndpointError>(())
    /// ```
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        match &self.0 {
            Place::Net { gate: Gate::Service(name), .. } => Some(name),
            _ => None,
        }
    }

    /// What is said to be spoken there. [`Plain`](Scheme::Plain) if the text says nothing of it.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        match &self.0 {
            Place::Net { scheme, .. } => *scheme,
            _ => Scheme::Plain,
        }
    }

    /// The same with `port` instead of its port or service; unchanged if it has neither.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        if let Place::Net { gate, .. } = &mut self.0 {
            *gate = Gate::Port(port);
        }
        self
    }

    /// The address of a Unix-domain socket, if this is one.
    #[must_use]
    pub fn unix(&self) -> Option<&UnixAddr> {
        match &self.0 {
            Place::Unix(addr) => Some(addr),
            _ => None,
        }
    }

    /// The address of a vsock socket, if this is one.
    #[must_use]
    pub fn vsock(&self) -> Option<VsockAddr> {
        match &self.0 {
            Place::Vsock(addr) => Some(*addr),
            _ => None,
        }
    }

    /// The name of a pipe, if this is one.
    #[must_use]
    pub fn pipe(&self) -> Option<&PipeName> {
        match &self.0 {
            Place::Pipe(name) => Some(name),
            _ => None,
        }
    }

    /// The socket that was open when the program began, if this is one.
    #[must_use]
    pub fn inherited(&self) -> Option<&Inherited> {
        match &self.0 {
            Place::Inherited(socket) => Some(socket),
            _ => None,
        }
    }

    /// For an endpoint without a host, such as `:80`: the addresses that it means, best first.
    ///
    /// Whoever listens without saying where, listens to this machine only. None where the port is
    /// the name of a service.
    ///
    /// ```
    /// let endpoint: reseau::Endpoint = ":80".parse()?;
    /// let addrs = endpoint.loopback_addrs().unwrap();
    /// assert_eq!(addrs.map(|addr| addr.to_string()), ["127.0.0.1:80", "[::1]:80"]);
    /// # Ok::<(), reseau::addr::EndpointError>(())
    /// ```
    #[must_use]
    pub fn loopback_addrs(&self) -> Option<[SocketAddr; 2]> {
        match self.0 {
            Place::Net { host: None, gate: Gate::Port(port), .. } => Some([
                SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
            ]),
            _ => None,
        }
    }

    /// The address, if the text says it whole; `index_of` turns the name of a zone (an interface)
    /// into its index.
    ///
    /// # Errors
    /// As [`to_addr`](Self::to_addr), and those of `index_of` in place of `NotFound`.
    pub fn to_addr_with(&self, index_of: impl FnOnce(&str) -> io::Result<u32>) -> io::Result<Addr> {
        let refuse = |kind, why| Err(io::Error::new(kind, format!("{self}: {why}")));
        let (host, gate) = match &self.0 {
            Place::Unix(addr) => return Ok(Addr::Unix(addr.clone())),
            Place::Vsock(addr) => return Ok(Addr::Vsock(*addr)),
            Place::Pipe(name) => return Ok(Addr::Pipe(name.clone())),
            Place::Inherited(_) => {
                return refuse(io::ErrorKind::Unsupported, "its address is known to itself alone");
            }
            Place::Net { host, gate, .. } => (host, gate),
        };
        let Gate::Port(port) = *gate else {
            return refuse(io::ErrorKind::Unsupported, "a service needs a table of ports");
        };
        match host {
            Some(Host::V4(ip)) => Ok(Addr::Inet((*ip, port).into())),
            Some(Host::V6(ip, zone)) => {
                let index = match zone.as_deref() {
                    None => 0,
                    Some(zone) => zone.parse().or_else(|_| index_of(zone))?,
                };
                Ok(Addr::Inet(SocketAddrV6::new(*ip, port, 0, index).into()))
            }
            Some(Host::Name(_)) => refuse(io::ErrorKind::Unsupported, "a name needs a resolver"),
            None => refuse(io::ErrorKind::InvalidInput, "there is no host"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Draft(text).place().map(Self)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Net { scheme, host: Some(host), gate } => write!(f, "{scheme}{host}:{gate}"),
            Place::Net { scheme, host: None, gate } => write!(f, "{scheme}:{gate}"),
            Place::Unix(addr) => addr.fmt(f),
            Place::Vsock(addr) => addr.fmt(f),
            Place::Pipe(name) => name.fmt(f),
            Place::Inherited(socket) => socket.fmt(f),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => port.fmt(f),
            Self::Service(name) => f.write_str(name),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => ip.fmt(f),
            Self::V6(ip, None) => write!(f, "[{ip}]"),
            Self::V6(ip, Some(zone)) => write!(f, "[{ip}%{zone}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &str) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<&String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

/// The host is a name or an IP address; IPv6 with or without brackets, with or without a zone.
///
/// ```
/// use reseau::Endpoint;
/// assert_eq!(Endpoint::try_from(("::1", 80))?.to_string(), "[::1]:80");
/// assert_eq!(Endpoint::try_from(("example.com", 80))?.to_string(), "example.com:80");
/// # Ok::<(), reseau::addr::EndpointError>(())
/// ```
impl TryFrom<(&str, u16)> for Endpoint {
    type Error = EndpointError;

    fn try_from((host, port): (&str, u16)) -> Result<Self, EndpointError> {
        let open = host.contains(':') && !host.starts_with('[');
        let text = if open { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let draft = Draft(&text);
        if host.is_empty() {
            return Err(draft.fail(EndpointPart::Host, 0, "", "is missing"));
        }
        if PREFIXES.iter().any(|prefix| prefix.strip_suffix(':') == Some(host)) {
            let why = "is ambiguous: write it with a scheme, as in tcp://unix:80";
            return Err(draft.fail(EndpointPart::Host, 0, host, why));
        }
        draft.net(Scheme::Plain, 0).map(Self)
    }
}

impl From<&Self> for Endpoint {
    fn from(endpoint: &Self) -> Self {
        endpoint.clone()
    }
}

impl From<SocketAddrV4> for Endpoint {
    fn from(addr: SocketAddrV4) -> Self {
        SocketAddr::V4(addr).into()
    }
}

impl From<SocketAddrV6> for Endpoint {
    fn from(addr: SocketAddrV6) -> Self {
        SocketAddr::V6(addr).into()
    }
}

impl From<(IpAddr, u16)> for Endpoint {
    fn from(addr: (IpAddr, u16)) -> Self {
        SocketAddr::from(addr).into()
    }
}

/// An IPv6 address keeps its scope as a zone and loses its flow information, which has no text.
impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        let host = match addr.ip() {
            IpAddr::V4(ip) => Host::V4(ip),
            IpAddr::V6(ip) => {
                let scope = if let SocketAddr::V6(v6) = addr { v6.scope_id() } else { 0 };
                Host::V6(ip, (scope != 0).then(|| scope.to_string().into()))
            }
        };
        Self(Place::Net { scheme: Scheme::Plain, host: Some(host), gate: Gate::Port(addr.port()) })
    }
}

/// Fails for the unnamed address alone: it has no text, and nobody can be found there.
impl TryFrom<UnixAddr> for Endpoint {
    type Error = EndpointError;

    fn try_from(addr: UnixAddr) -> Result<Self, EndpointError> {
        if addr.is_unnamed() {
            return Err(Draft("unix:").fail(EndpointPart::Path, 5, "", "is missing"));
        }
        Ok(Self(Place::Unix(addr)))
    }
}

impl From<VsockAddr> for Endpoint {
    fn from(addr: VsockAddr) -> Self {
        Self(Place::Vsock(addr))
    }
}

impl From<PipeName> for Endpoint {
    fn from(name: PipeName) -> Self {
        Self(Place::Pipe(name))
    }
}

/// Fails for an unnamed Unix-domain address alone.
impl TryFrom<Addr> for Endpoint {
    type Error = EndpointError;

    fn try_from(addr: Addr) -> Result<Self, EndpointError> {
        match addr {
            Addr::Inet(addr) => Ok(addr.into()),
            Addr::Unix(addr) => addr.try_into(),
            Addr::Vsock(addr) => Ok(addr.into()),
            Addr::Pipe(name) => Ok(name.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Endpoint {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_form_parses_and_prints_as_written() {
        for text in [
            "127.0.0.1:80",
            "[::1]:80",
            "[::1%lo]:80",
            "[fe80::1%3]:80",
            "[::ffff:192.0.2.1]:0",
            ":80",
            "example.com:80",
            "example.com.:80",
            "_srv.x-1:65535",
            "localhost:0",
            "unix:/run/x",
            "unix:relative path",
            "unix:%40x",
            "unix:/a%25b%0A",
            "vsock:2:1024",
            "vsock:4294967295:0",
            "npipe:echo",
            r"npipe:LOCAL\a b:80",
            "vsock.:80",
            "example.com:https",
            "[fe80::1%eth0]:9pfs",
            ":http",
            "tcp://:80",
            "tcp://fd:3",
            "tcp://systemd:x",
            "udp://[::1%lo]:domain",
            "tls://example.com:443",
            "fd:0",
            "fd:2147483647",
            "systemd:web front/~",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_eq!(parse("[0:0::1]:080").to_string(), "[::1]:80");
        assert_eq!(parse(r"\\.\PIPE\Echo").to_string(), "npipe:Echo");
        assert_eq!(format!("{:?}", parse(":1")), "Endpoint(:1)");
    }

    #[test]
    fn parts_can_be_asked_for() {
        let v4 = parse("127.0.0.1:80");
        assert_eq!(v4.host(), Some(&Host::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!((v4.port(), v4.unix(), v4.loopback_addrs()), (Some(80), None, None));
        let v6 = parse("[::1%lo]:80");
        assert_eq!(v6.host(), Some(&Host::V6(Ipv6Addr::LOCALHOST, Some("lo".into()))));
        assert_eq!(parse("a.b:80").host(), Some(&Host::Name("a.b".into())));
        let any = parse(":80");
        assert_eq!((any.host(), any.port()), (None, Some(80)));
        assert!(any.loopback_addrs().unwrap().iter().all(|addr| addr.ip().is_loopback()));
        let unix = parse("unix:/x%0a");
        assert_eq!(unix.unix().unwrap(), &UnixAddr::from_pathname("/x\n").unwrap());
        assert_eq!((unix.host(), unix.port(), unix.loopback_addrs()), (None, None, None));
        let vsock = parse("vsock:2:80");
        assert_eq!((vsock.vsock(), vsock.port()), (Some(VsockAddr::new(2, 80)), None));
        let pipe = parse("npipe:x");
        assert_eq!((pipe.pipe().map(PipeName::name), pipe.host()), (Some("x"), None));
        assert_eq!((pipe.vsock(), vsock.pipe(), vsock.unix()), (None, None, None));
        let named = parse("udp://a.b:domain");
        assert_eq!((named.service(), named.port()), (Some("domain"), None));
        assert_eq!((named.scheme(), v6.scheme()), (Scheme::Udp, Scheme::Plain));
        assert_eq!(named.with_port(53).to_string(), "udp://a.b:53");
        assert_eq!((parse(":http").loopback_addrs(), v6.service()), (None, None));
        assert_eq!(unix.clone().with_port(1), unix);
        assert_eq!(parse("fd:03").inherited(), Some(&Inherited::Fd(3)));
        assert_eq!(parse("systemd:80").inherited(), Some(&Inherited::Systemd("80".into())));
        assert_eq!((parse("tcp://fd:3").port(), v4.inherited()), (Some(3), None));
    }

    #[test]
    fn hosts_and_ports_become_endpoints() {
        for (host, text) in [
            ("127.0.0.1", "127.0.0.1:7"),
            ("::1", "[::1]:7"),
            ("[::1]", "[::1]:7"),
            ("fe80::1%lo", "[fe80::1%lo]:7"),
            ("a.b", "a.b:7"),
        ] {
            let endpoint = Endpoint::try_from((host, 7)).unwrap();
            assert_eq!(endpoint, parse(text));
        }
        for host in ["", "unix", "fd", "tcp://x", "x:1", "[::1]:5", "unix:/x", "[::1", "a/b"] {
            let error = Endpoint::try_from((host, 7)).expect_err(host);
            assert_eq!(error.part() == EndpointPart::Port, host == "[::1]:5", "{error}");
        }
        let v6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 0, 0);
        assert_eq!(Endpoint::from(v6), Endpoint::from((IpAddr::from(*v6.ip()), 1)));
        assert_eq!(Endpoint::from(&parse(":1")), Endpoint::try_from(":1".to_owned()).unwrap());
    }

    #[test]
    fn literals_become_addresses() {
        let addr = |text| parse(text).to_addr();
        assert_eq!(addr("127.0.0.1:80").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(addr("[fe80::1%3]:80").unwrap().to_string(), "[fe80::1%3]:80");
        assert_eq!(addr("unix:/x").unwrap().to_string(), "unix:/x");
        assert_eq!(addr("vsock:3:9").unwrap(), VsockAddr::new(3, 9).into());
        assert_eq!(addr("npipe:x").unwrap(), PipeName::new("x").unwrap().into());
        for (text, kind) in [
            (":80", io::ErrorKind::InvalidInput),
            ("localhost:80", io::ErrorKind::Unsupported),
            ("[::1%no-such-zone]:80", io::ErrorKind::NotFound),
            ("127.0.0.1:http", io::ErrorKind::Unsupported),
            ("fd:3", io::ErrorKind::Unsupported),
            ("systemd:x", io::ErrorKind::Unsupported),
        ] {
            let error = addr(text).unwrap_err();
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.to_string().starts_with(text), "{error}");
        }
        let zoned = parse("[::1%lo]:80").to_addr_with(|zone| {
            assert_eq!(zone, "lo");
            Ok(7)
        });
        assert_eq!(zoned.unwrap().to_string(), "[::1%7]:80");
        let error = parse("[::1%lo]:80").to_addr_with(|_| Err(io::ErrorKind::NotFound.into()));
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn addresses_become_endpoints() {
        let v6 = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 5, 3));
        assert_eq!(Endpoint::from(v6).to_string(), "[::1%3]:80");
        let v4 = SocketAddr::from(([192, 0, 2, 1], 80));
        assert_eq!(Endpoint::from(v4).to_addr().unwrap(), Addr::Inet(v4));
        let error = Endpoint::try_from(Addr::Unix(UnixAddr::unnamed())).unwrap_err();
        assert_eq!((error.part(), error.column()), (EndpointPart::Path, 6));
    }

    fn same_again(endpoint: &Endpoint) {
        let text = endpoint.to_string();
        assert_eq!(&parse(&text), endpoint, "{text:?}");
        assert!(!text.contains(char::is_control), "{text:?} is not one line");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn socket_addresses_survive(addr: SocketAddr) {
            let endpoint = Endpoint::from(addr);
            same_again(&endpoint);
            let Addr::Inet(back) = endpoint.to_addr().unwrap() else { unreachable!() };
            prop_assert_eq!((back.ip(), back.port()), (addr.ip(), addr.port()));
            if let (SocketAddr::V6(back), SocketAddr::V6(addr)) = (back, addr) {
                prop_assert_eq!(back.scope_id(), addr.scope_id());
            }
        }

        #[test]
        fn unix_addresses_survive(bytes in prop::collection::vec(any::<u8>(), 1..104)) {
            let path = String::from_utf8_lossy(&bytes).into_owned();
            #[cfg(unix)]
            let path: std::ffi::OsString =
                if bytes[0] % 2 == 0 { path.into() } else {
                    std::os::unix::ffi::OsStringExt::from_vec(bytes.clone())
                };
            let addrs = [UnixAddr::from_pathname(path), UnixAddr::from_abstract_name(&bytes)];
            for addr in addrs.into_iter().flatten() {
                let endpoint = Endpoint::try_from(addr.clone()).unwrap();
                same_again(&endpoint);
                prop_assert_eq!(endpoint.to_addr().unwrap(), Addr::Unix(addr));
            }
        }
    }
}
