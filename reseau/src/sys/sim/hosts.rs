//! The names of hosts that a world knows, and what it says about each.
use super::faults::{mix, nanos};
use super::kernel::{Kernel, Mark};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// What a world says about the name of a host: an [`Answer`] for each family.
///
/// A name that is there without an address of a family has an empty answer for it.
///
/// ```
/// use reseau::sim::{Answer, Name, World};
/// use std::time::Duration;
///
/// let world = World::new(7);
/// let (six, four) = ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
/// world.name("example.com", Name::at([six, four]));
/// // The servers of this one are slow with what has IPv4, and say nothing of IPv6.
/// let late = Answer::addrs([four]).after(Duration::from_secs(2));
/// world.name("slow.example", Name::new().v4(late).v6(Answer::silence()));
/// let found: Vec<_> = world.run(async {
///     reseau::net::lookup_host("Example.COM.:80").await.unwrap().collect()
/// });
/// assert_eq!(found, [(six, 80).into(), (four, 80).into()]);
/// ```
///
/// Names may change while the world runs:
///
/// ```
/// use reseau::sim::{Name, World};
///
/// let world = World::new(7);
/// world.run(async {
///     assert!(reseau::net::lookup_host("example.com:80").await.is_err());
///     world.name("example.com", Name::at(["192.0.2.1".parse().unwrap()]));
///     assert!(reseau::net::lookup_host("example.com:80").await.is_ok());
/// });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    v6: Answer,
    v4: Answer,
}

impl Name {
    /// A name without addresses.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A name that has these addresses, in this order within each family.
    #[must_use]
    pub fn at(addrs: impl IntoIterator<Item = IpAddr>) -> Self {
        let (v6, v4): (Vec<_>, Vec<_>) = addrs.into_iter().partition(IpAddr::is_ipv6);
        Self { v6: Answer::addrs(v6), v4: Answer::addrs(v4) }
    }

    /// What is said to those who ask for addresses of IPv6.
    ///
    /// # Panics
    ///
    /// When there is one of IPv4 among them.
    #[must_use]
    pub fn v6(self, answer: Answer) -> Self {
        assert!(answer.all(IpAddr::is_ipv6), "{answer:?} is not of IPv6");
        Self { v6: answer, ..self }
    }

    /// What is said to those who ask for addresses of IPv4.
    ///
    /// # Panics
    ///
    /// When there is one of IPv6 among them.
    #[must_use]
    pub fn v4(self, answer: Answer) -> Self {
        assert!(answer.all(IpAddr::is_ipv4), "{answer:?} is not of IPv4");
        Self { v4: answer, ..self }
    }
}

/// What is said about the addresses of one family: which they are, or an error, or nothing for
/// ever. It comes after the world's latency, or else [`after`](Self::after) just so long.
///
/// ```
/// use reseau::sim::{Answer, Name, World};
/// use std::io::{self, ErrorKind};
/// use std::time::Duration;
///
/// let world = World::new(7);
/// let answer = Answer::error(ErrorKind::TimedOut).after(Duration::from_secs(5));
/// world.name("broken.example", Name::new().v6(answer.clone()).v4(answer));
/// let error = world.run(reseau::net::lookup_host("broken.example:80")).err().unwrap();
/// assert_eq!(error.kind(), ErrorKind::TimedOut);
/// assert_eq!(world.elapsed(), Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `None`: nothing, for ever.
    said: Option<Result<Vec<IpAddr>, ErrorKind>>,
    after: Option<Duration>,
}

impl Answer {
    /// The addresses are these.
    #[must_use]
    pub fn addrs(addrs: impl IntoIterator<Item = impl Into<IpAddr>>) -> Self {
        let addrs = addrs.into_iter().map(Into::into).collect();
        Self { said: Some(Ok(addrs)), after: None }
    }

    /// The question fails.
    #[must_use]
    pub fn error(kind: ErrorKind) -> Self {
        Self { said: Some(Err(kind)), after: None }
    }

    /// There is no answer, however long one waits.
    #[must_use]
    pub fn silence() -> Self {
        Self { said: None, after: None }
    }

    /// The answer comes so long after the question.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { after: Some(delay), ..self }
    }

    fn all(&self, holds: impl Fn(&IpAddr) -> bool) -> bool {
        let Some(Ok(addrs)) = &self.said else { return true };
        addrs.iter().all(holds)
    }
}

impl Default for Answer {
    /// No addresses.
    fn default() -> Self {
        Self::addrs([] as [IpAddr; 0])
    }
}

/// The names of a world, in lower case and without a dot at the end.
pub(super) struct Hosts(BTreeMap<String, Name>);

impl Hosts {
    pub(super) fn new() -> Self {
        let here = Name::at([Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        let at_once = |answer: Answer| answer.after(Duration::ZERO);
        let here = Name { v6: at_once(here.v6), v4: at_once(here.v4) };
        Self(BTreeMap::from([("localhost".to_owned(), here)]))
    }
}

impl Kernel {
    pub(super) fn name(&mut self, host: &str, name: Name) {
        let host = plain(host);
        self.mark(Mark::Name, hash(&host), 0);
        self.hosts.0.insert(host, name);
    }

    /// How long the answer takes (for ever: `Duration::MAX`), and what it is.
    pub(super) fn lookup(
        &mut self,
        host: &str,
        v6: bool,
    ) -> (Duration, Result<Vec<IpAddr>, ErrorKind>) {
        if let Ok(ip) = host.parse::<IpAddr>() {
            let addrs = if ip.is_ipv6() == v6 { vec![ip] } else { Vec::new() };
            return (Duration::ZERO, Ok(addrs));
        }
        let host = plain(host);
        let name = self.hosts.0.get(&host);
        let answer = name.map(|name| if v6 { &name.v6 } else { &name.v4 });
        let Answer { said, after } =
            answer.cloned().unwrap_or_else(|| Answer::error(ErrorKind::NotFound));
        let (after, said) = match said {
            None => (Duration::MAX, Err(ErrorKind::TimedOut)),
            Some(said) => {
                let latency = || Duration::from_nanos(self.chance.latency(&self.faults));
                (after.unwrap_or_else(latency), said)
            }
        };
        self.mark(Mark::Lookup, hash(&host) ^ u64::from(v6), nanos(after));
        (after, said)
    }
}

/// The error of a question, in the words of a resolver.
pub(super) fn unanswered(host: &str, kind: ErrorKind) -> io::Error {
    match kind {
        ErrorKind::NotFound => io::Error::new(kind, format!("the world knows no host {host:?}")),
        _ => kind.into(),
    }
}

/// A name as it is compared.
fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// A name as the trace knows it.
fn hash(host: &str) -> u64 {
    host.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}
