//! What resolvers are asked, and what they answer.
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::LookupError;
use super::error::Cause;

/// One question: the addresses of one family that a name has.
///
/// ```
/// use reseau::dns::{IpFamily, Query};
/// let query = Query::new("Example.COM", IpFamily::V6)?;
/// assert_eq!((query.name(), query.family()), ("example.com", IpFamily::V6));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// What is no name is not asked:
///
/// ```
/// use reseau::dns::{IpFamily, Query};
/// for name in ["", "a..b", "with space", "nul\0", "::1%lo", &"long.".repeat(60)] {
///     assert!(Query::new(name, IpFamily::V4).is_err(), "{name}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    name: Box<str>,
    family: IpFamily,
}

/// A family of internet addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpFamily {
    /// IPv4, the records of type A.
    V4,
    /// IPv6, the records of type AAAA.
    V6,
}

/// The addresses that a name has, and where they were found.
///
/// ```
/// use reseau::dns::Answer;
/// use std::time::Duration;
/// let answer = Answer::new(["192.0.2.1".parse().unwrap()]).with_ttl(Duration::from_secs(60));
/// assert_eq!(answer.addrs().len(), 1);
/// assert_eq!(answer.ttl(), Some(Duration::from_secs(60)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    addrs: Vec<IpAddr>,
    ttl: Option<Duration>,
    source: Source,
}

/// Where an answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The name is an address.
    Literal,
    /// The system's resolver: its files, its caches, its name servers.
    System,
    /// A table that the program brought.
    Fixed,
    /// A function that the program brought.
    Function,
    /// A name server that was asked directly.
    Server,
    /// A simulated world.
    World,
    /// A cache of this library, not older than it may be.
    Cache,
    /// A cache of this library, which meanwhile asks anew.
    StaleCache,
}

impl Query {
    /// A question about `name`, which is taken in small letters.
    ///
    /// # Errors
    /// `InvalidInput` with [`Cause::BadName`]: the name is empty or longer than 253 bytes, a part
    /// of it is empty or longer than 63, or it has a NUL, a space or another byte that no name has.
    pub fn new(name: &str, family: IpFamily) -> io::Result<Self> {
        Self::checked(name, family).map_err(|error| error.about(name))
    }

    pub(super) fn checked(name: &str, family: IpFamily) -> Result<Self, LookupError> {
        if name.parse::<IpAddr>().is_err() {
            check(name).map_err(|flaw| LookupError::because(Cause::BadName, flaw))?;
        }
        Ok(Self { name: name.to_ascii_lowercase().into(), family })
    }

    /// The name, in small letters.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which addresses are asked for.
    #[must_use]
    pub fn family(&self) -> IpFamily {
        self.family
    }

    /// The answer, if the name is an address: nobody has to be asked.
    pub(super) fn literal(&self) -> Option<Result<Answer, LookupError>> {
        let ip = self.name.parse::<IpAddr>().ok()?;
        let fits = IpFamily::of(ip) == self.family;
        let answer = || Answer::new([ip]).found_by(Source::Literal);
        Some(if fits { Ok(answer()) } else { Err(LookupError::new(Cause::NoData)) })
    }

    /// What of `answer` answers this: addresses of the family, each once.
    pub(super) fn fit(&self, mut answer: Answer) -> Result<Answer, LookupError> {
        let given = !answer.addrs.is_empty();
        let mut fitting = Vec::new();
        for ip in answer.addrs {
            if IpFamily::of(ip) == self.family && !fitting.contains(&ip) {
                fitting.push(ip);
            }
            if fitting.len() == ADDRS_MAX {
                break;
            }
        }
        if fitting.is_empty() {
            let cause = if given { Cause::NoFamily } else { Cause::NoData };
            return Err(LookupError::new(cause));
        }
        answer.addrs = fitting;
        Ok(answer)
    }
}

impl Answer {
    /// An answer of a function, which does not say for how long it holds.
    #[must_use]
    pub fn new(addrs: impl IntoIterator<Item = IpAddr>) -> Self {
        let addrs = addrs.into_iter().collect();
        Self { addrs, ttl: None, source: Source::Function }
    }

    /// The same, and it holds that long.
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    pub(super) fn found_by(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// The first of its addresses.
    pub(super) fn cut(mut self, addrs_max: usize) -> Self {
        self.addrs.truncate(addrs_max.max(1));
        self
    }

    /// Puts an address behind all others.
    pub(super) fn demote(&mut self, ip: IpAddr) {
        if let Some(at) = self.addrs.iter().position(|known| *known == ip) {
            self.addrs[at..].rotate_left(1);
        }
    }

    /// The addresses, in the order in which they are to be tried.
    #[must_use]
    pub fn addrs(&self) -> &[IpAddr] {
        &self.addrs
    }

    /// For how long it holds, if that is known. The system's resolver does not say.
    #[must_use]
    pub fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    /// Where it was found.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// The addresses alone.
    #[must_use]
    pub fn into_addrs(self) -> Vec<IpAddr> {
        self.addrs
    }
}

impl IpFamily {
    /// The family of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for IpFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Literal => "literal",
            Self::System => "system",
            Self::Fixed => "fixed",
            Self::Function => "function",
            Self::Server => "server",
            Self::World => "world",
            Self::Cache => "cache",
            Self::StaleCache => "stale cache",
        })
    }
}

/// What is wrong with a name, if something is. Which names exist is the resolver's business: this
/// refuses what no resolver could be asked.
pub(super) fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("the name is empty");
    }
    if name.contains('\0') {
        return Err("there is a NUL in the name");
    }
    if name.contains('%') {
        return Err("a zone belongs to an address of an endpoint, not to a name");
    }
    // What URLs and lists set apart names with is in none.
    if name.chars().any(|c| c.is_control() || c.is_whitespace() || "/\\:[]@#?,;\"'<>".contains(c)) {
        return Err("there is a letter in the name that no name has");
    }
    let relative = name.strip_suffix('.').unwrap_or(name);
    if relative.len() > NAME_MAX {
        return Err("the name is longer than 253 bytes");
    }
    if relative.split('.').any(str::is_empty) {
        return Err("a part of the name is empty");
    }
    if relative.split('.').any(|label| label.len() > LABEL_MAX) {
        return Err("a part of the name is longer than 63 bytes");
    }
    Ok(())
}

/// RFC 1035: 255 bytes on the wire are 253 as text, without the dot at the end.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;
/// Addresses of one family that are kept of an answer: more than anybody would try, and a bound.
const ADDRS_MAX: usize = 256;
