//! What `listen` was asked for, before it is done: the words of the builders of both doors.
use std::net::{IpAddr, SocketAddr};
use std::{fmt, io};

use crate::addr::{Addr, Endpoint, EndpointError, Host, Inherited, Scheme};
use crate::dns::{Resolver, services};
use crate::error::{Error, Operation, Phase};
use crate::sys::listening::{Terms, is_absent};

/// A listener to be.
pub(crate) struct Berth {
    /// Where; or why that is no endpoint.
    at: Result<Endpoint, EndpointError>,
    pub(crate) terms: Terms,
    /// A path is taken over from the dead, and removed at the end.
    pub(crate) claim: bool,
    /// If the port is taken, another one will do.
    pub(crate) walks: bool,
    /// It will speak TLS.
    pub(crate) secures: bool,
    pub(crate) resolver: Resolver,
}

/// What an endpoint means to a listener.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// It listens already.
    Inherited(Inherited),
    /// The first of these that can be had.
    Addrs(Vec<Addr>),
    /// One of the addresses of this name, with that port.
    Name(Box<str>, u16),
}

impl Berth {
    pub(crate) fn new<T>(at: T) -> Self
    where
        T: TryInto<Endpoint, Error: Into<EndpointError>>,
    {
        Self {
            at: at.try_into().map_err(Into::into),
            terms: Terms::default(),
            claim: false,
            walks: false,
            secures: false,
            resolver: Resolver::default(),
        }
    }

    /// At any port of `host`, from `hint` on.
    pub(crate) fn any(host: &str, hint: u16) -> Self {
        let berth = match host {
            "" => Self::new(format!(":{hint}")),
            host => Self::new((host, hint)),
        };
        Self { walks: true, ..berth }
    }

    /// What it means, without asking anybody.
    pub(crate) fn aim(&self) -> io::Result<Aim> {
        let at = match &self.at {
            Ok(at) => at,
            Err(error) => {
                let error = Error::new(Operation::Listen, error.clone().into());
                return Err(error.phase_at(Phase::Name).into());
            }
        };
        aim(at, self.secures).map_err(|cause| self.failed(cause))
    }

    /// The way through `addrs`, and through their ports if this one walks.
    pub(crate) fn search(&self, addrs: Vec<Addr>) -> Search {
        let addrs = addrs.into_iter();
        let ports = Box::new(std::iter::empty());
        Search { walks: self.walks, addrs, ports, hint: None, last: None, tried: 0 }
    }

    /// The addresses that a name turned out to have.
    pub(crate) fn found(&self, ips: Vec<IpAddr>, port: u16) -> Vec<Addr> {
        ips.into_iter().map(|ip| Addr::Inet(SocketAddr::new(ip, port))).collect()
    }

    /// What the caller named, as he wrote it.
    pub(crate) fn name(&self) -> Option<String> {
        self.at.as_ref().ok().map(ToString::to_string)
    }

    /// An error that came before any address was tried.
    pub(crate) fn failed(&self, cause: io::Error) -> io::Error {
        let error = Error::new(Operation::Listen, cause).phase_at(Phase::Name);
        match self.name() {
            Some(name) => error.target(name).into(),
            None => error.into(),
        }
    }

    /// An inherited descriptor that is not to be had, or not what it should be.
    pub(crate) fn orphaned(&self, cause: io::Error) -> io::Error {
        if Error::of(&cause).is_some() {
            return cause;
        }
        Error::new(Operation::Adopt, cause).target(self.name().unwrap_or_default()).into()
    }

    pub(crate) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct(name);
        match &self.at {
            Ok(at) => form.field("at", at),
            Err(error) => form.field("error", error),
        };
        form.field("backlog", &self.terms.backlog).finish_non_exhaustive()
    }
}

/// Looks for the first address that this machine has, and if that is taken perhaps for another port
/// of it: `next` says what to try, and hears by `failed` how it went.
///
/// That an address is taken, or not for us, does not lead on to the next one: what was asked for
/// would be somewhere else without anybody knowing.
pub(crate) struct Search {
    walks: bool,
    addrs: std::vec::IntoIter<Addr>,
    /// The ports of the address at hand that are left.
    ports: Box<dyn Iterator<Item = SocketAddr> + Send>,
    /// Where the walk began.
    hint: Option<SocketAddr>,
    last: Option<Error>,
    tried: u32,
}

impl Search {
    pub(crate) fn next(&mut self) -> Option<Addr> {
        self.tried += 1;
        if let Some(next) = self.ports.next() {
            return Some(next.into());
        }
        let next = self.addrs.next()?;
        if let Some(hint) = next.inet().filter(|_| self.walks) {
            self.ports = Box::new(walk(hint).skip(1));
            self.hint = Some(hint);
        }
        Some(next)
    }

    pub(crate) fn failed(&mut self, error: Error) {
        let taken = self.walks && error.kind() == io::ErrorKind::AddrInUse;
        if taken && self.ports.size_hint().0 > 0 {
            return;
        }
        self.ports = Box::new(std::iter::empty());
        if !is_absent(error.kind(), error.os_code()) {
            self.addrs = Vec::new().into_iter();
        }
        self.last = Some(match self.hint.take() {
            Some(hint) if taken => {
                let none = io::Error::new(io::ErrorKind::AddrInUse, "no ports available");
                Error::new(Operation::Bind, none).local(hint.into())
            }
            _ => error,
        });
    }

    /// All ports together take so long that others should get a turn in between.
    #[cfg(feature = "async")]
    pub(crate) fn is_long(&self) -> bool {
        self.tried.is_multiple_of(TURN)
    }

    pub(crate) fn into_error(self) -> io::Error {
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "there is no address");
        self.last.map_or_else(|| Error::new(Operation::Bind, none()).into(), Into::into)
    }
}

/// How many ports are tried before others get a turn.
#[cfg(feature = "async")]
const TURN: u32 = 64;

fn aim(at: &Endpoint, secures: bool) -> io::Result<Aim> {
    let refuse = |kind, what: &str| Err(io::Error::new(kind, what));
    match at.scheme() {
        Scheme::Udp => {
            let what = "nobody listens for datagrams: bind a UdpSocket";
            return refuse(io::ErrorKind::InvalidInput, what);
        }
        Scheme::Tls if !secures => {
            let what = "that speaks TLS: listen with .tls(), or at tcp://";
            return refuse(io::ErrorKind::Unsupported, what);
        }
        Scheme::Plain | Scheme::Tcp | Scheme::Tls => {}
    }
    if let Some(inherited) = at.inherited() {
        return Ok(Aim::Inherited(inherited.clone()));
    }
    let at = match at.service() {
        None => at.clone(),
        Some(service) => at.clone().with_port(services::port(service, services::Protocol::Tcp)?),
    };
    match (at.host(), at.port()) {
        (Some(Host::Name(name)), Some(port)) if !is_localhost(name) => {
            Ok(Aim::Name(name.clone(), port))
        }
        // Whoever listens without saying where, listens to this machine; so does who says it by
        // name, whatever a resolver may say (RFC 6761, 6.3).
        (None | Some(Host::Name(_)), Some(port)) => {
            let addrs = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
            Ok(Aim::Addrs(addrs.map(|ip| SocketAddr::new(ip, port).into()).into()))
        }
        _ => Ok(Aim::Addrs(vec![at.to_addr()?])),
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
}

/// The addresses to be tried one after the other where only a port that is taken leads on: from
/// that of `addr` up, past the highest one to 1, and around to where it began.
fn walk(addr: SocketAddr) -> impl Iterator<Item = SocketAddr> + Send {
    let hint = addr.port();
    // Port 0 is the system's choice, which is never taken.
    let others = if hint == 0 { 0..0 } else { 0..u32::from(u16::MAX) - 1 };
    let ports = others.map(move |step| ((u32::from(hint) + step) % u32::from(u16::MAX) + 1) as u16);
    std::iter::once(hint).chain(ports).map(move |port| {
        let mut next = addr;
        next.set_port(port);
        next
    })
}

/// The words of both doors' builders, on a type with a field `berth`.
macro_rules! words {
    () => {
        /// How many connections may wait to be accepted: 511, unless told otherwise. Systems cut
        /// the number to their own limit; the listener's `backlog` says what became of it.
        pub fn backlog(mut self, backlog: u32) -> Self {
            self.berth.terms.backlog = backlog;
            self
        }

        /// Lets `[::]` mean IPv6 alone (`true`), and not IPv4 too. It is said to the system in any
        /// case, so that an address means the same everywhere; `covers` of the listener tells.
        /// (OpenBSD knows no sockets for both.)
        pub fn only_v6(mut self, only_v6: bool) -> Self {
            self.berth.terms.only_v6 = only_v6;
            self
        }

        /// Lets nobody else have the port, on Windows: not even for an address of its own, and not
        /// even if he insists (`SO_REUSEADDR`). The price: after a restart the port is taken until
        /// the last connection of before has passed its TIME_WAIT, up to four minutes.
        ///
        /// On other systems a listener's port is his alone anyway, and this changes nothing.
        pub fn exclusive(mut self, exclusive: bool) -> Self {
            self.berth.terms.exclusive = exclusive;
            self
        }

        /// Asks this resolver for the addresses of a name, and not
        /// [`Resolver::default`](crate::Resolver).
        pub fn resolver(mut self, resolver: &$crate::Resolver) -> Self {
            self.berth.resolver = resolver.clone();
            self
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    fn aimed(at: &str) -> Result<Aim, io::ErrorKind> {
        Berth::new(at).aim().map_err(|error| {
            assert!(Error::of(&error).is_some(), "{error}");
            error.kind()
        })
    }

    #[test]
    fn without_a_host_it_is_this_machine() {
        let local = |port| {
            let addrs = [format!("127.0.0.1:{port}"), format!("[::1]:{port}")];
            Ok(Aim::Addrs(addrs.map(|addr| Addr::Inet(addr.parse().unwrap())).into()))
        };
        for at in [":80", ":http", "tcp://:80", "localhost:80", "LOCALHOST.:80"] {
            assert_eq!(aimed(at), local(80), "{at}");
        }
        let one = |addr: &str| Ok(Aim::Addrs(vec![Addr::Inet(addr.parse().unwrap())]));
        for (at, addr) in [("127.0.0.1:80", "127.0.0.1:80"), ("tcp://0.0.0.0:http", "0.0.0.0:80")] {
            assert_eq!(aimed(at), one(addr));
        }
        assert_eq!(aimed("[::1]:https"), one("[::1]:443"));
        assert_eq!(aimed("127.0.0.1:no-such-thing"), Err(io::ErrorKind::NotFound));
        assert_eq!(aimed("db.internal:80"), Ok(Aim::Name("db.internal".into(), 80)));
        assert_eq!(aimed("fd:3"), Ok(Aim::Inherited(Inherited::Fd(3))));
        assert_eq!(aimed("udp://:53"), Err(io::ErrorKind::InvalidInput));
        assert_eq!(aimed("tls://:443"), Err(io::ErrorKind::Unsupported));
        assert_eq!(aimed("80"), Err(io::ErrorKind::InvalidInput));
        assert_eq!(aimed("[::1%no-such-zone]:80"), Err(io::ErrorKind::NotFound));
    }

    #[test]
    fn a_walk_wraps_and_ends_where_it_began() {
        let walked = |port| walk(SocketAddr::from(([127, 0, 0, 1], port))).map(|addr| addr.port());
        assert_eq!(walked(0).collect::<Vec<_>>(), [0]);
        assert_eq!(walked(65534).take(4).collect::<Vec<_>>(), [65534, 65535, 1, 2]);
        for hint in [1, 2, 8000, 65535] {
            let mut all: Vec<_> = walked(hint).collect();
            assert_eq!((all.len(), all[0]), (65535, hint));
            all.sort_unstable();
            all.dedup();
            assert_eq!((all.len(), all[0]), (65535, 1), "every port once, and never 0");
        }
    }

    /// What is tried, and how it ends, when each try ends as `answer` says.
    fn searched(
        berth: &Berth,
        answer: impl Fn(SocketAddr) -> Option<io::ErrorKind>,
    ) -> (Vec<SocketAddr>, io::Result<SocketAddr>) {
        let Ok(Aim::Addrs(addrs)) = berth.aim() else { panic!("these have addresses") };
        let (mut search, mut tried) = (berth.search(addrs), Vec::new());
        while let Some(addr) = search.next() {
            let inet = addr.inet().unwrap();
            tried.push(inet);
            match answer(inet) {
                None => return (tried, Ok(inet)),
                Some(kind) => search.failed(Error::new(Operation::Bind, kind.into()).local(addr)),
            }
        }
        (tried, Err(search.into_error()))
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn where_all_ports_are_taken_it_says_so_at_the_hint() {
        for hint in [1, 8000, 65535] {
            let berth = Berth::any("127.0.0.1", hint);
            let (tried, end) = searched(&berth, |_| Some(io::ErrorKind::AddrInUse));
            assert_eq!(tried.len(), 65535);
            let error = end.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            assert!(error.to_string().contains("no ports available"), "{error}");
            let told = Error::of(&error).unwrap().local_addr().cloned();
            assert_eq!(told, Some(Addr::Inet(addr(&format!("127.0.0.1:{hint}")))));
        }
        let taken = |addr: SocketAddr| (addr.port() != 3).then_some(io::ErrorKind::AddrInUse);
        let (tried, end) = searched(&Berth::any("::1", 65534), taken);
        assert_eq!(tried.len(), 5, "65534, 65535, 1, 2, 3");
        assert_eq!(end.unwrap(), addr("[::1]:3"));
    }

    #[test]
    fn only_what_is_not_there_leads_to_the_next_address() {
        use io::ErrorKind as Kind;
        let v4 = |kind: Kind| move |addr: SocketAddr| addr.is_ipv4().then_some(kind);
        for berth in [Berth::new(":80"), Berth::any("", 80)] {
            let (tried, end) = searched(&berth, v4(Kind::AddrNotAvailable));
            assert_eq!((tried.len(), end.unwrap()), (2, addr("[::1]:80")));
            let (tried, end) = searched(&berth, v4(Kind::PermissionDenied));
            assert_eq!((tried.len(), end.unwrap_err().kind()), (1, Kind::PermissionDenied));
        }
        let (tried, end) = searched(&Berth::new(":80"), v4(Kind::AddrInUse));
        assert_eq!((tried.len(), end.unwrap_err().kind()), (1, Kind::AddrInUse));
        let (tried, end) = searched(&Berth::any("", 80), v4(Kind::AddrInUse));
        assert_eq!((tried.len(), end.unwrap_err().kind()), (65535, Kind::AddrInUse));
    }
}
