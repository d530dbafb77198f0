//! The resolver: layers, and what is asked of them.
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};

use super::cache::CacheConfig;
use super::cached::Cached;
use super::either::Either;
use super::error::Cause;
use super::flight::SingleFlight;
use super::lookup::Lookup;
use super::query::{Answer, Query};
use super::reply::Pending;
use super::servers::Servers;
use super::source::{Fixed, Function, Layer, System};
use super::{Families, LookupError};

/// What names are asked of: a value made of layers, cheap to clone, shared by all clones.
///
/// [`Resolver::default`] is the system's resolver with single flight, one for the process.
///
/// ```
/// use reseau::dns::{Answer, Families};
/// use reseau::Resolver;
///
/// // A function that resolves: it may block, and is called once for all who ask at once.
/// let resolver = Resolver::from_fn(|query| match query.name() {
///     "ahead.example" => Ok(Answer::new(["192.0.2.1".parse().unwrap()])),
///     _ => Err(std::io::ErrorKind::NotFound.into()),
/// });
/// let resolver = resolver.single_flight().families(Families::V4First);
/// assert_eq!(resolver.lookup("ahead.example").wait()?.len(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A table, for tests and for what is known:
///
/// ```
/// use reseau::Resolver;
/// let resolver = Resolver::fixed([("a.example", ["::1".parse().unwrap()])]);
/// assert!(resolver.lookup("A.EXAMPLE").wait().is_ok());
/// assert!(resolver.lookup("b.example").wait().is_err());
/// ```
#[derive(Clone)]
pub struct Resolver {
    layer: Arc<dyn Layer>,
    families: Families,
}

/// What the layers of a resolver have counted since they were made.
///
/// ```
/// let resolver = reseau::Resolver::fixed([("a.example", [])]);
/// assert_eq!(resolver.counters().calls, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Calls of the system's resolver, or of the function.
    pub calls: u64,
    /// Questions that joined a lookup that was under way.
    pub joined: u64,
    /// Questions that a cache had the answer to.
    pub hits: u64,
    /// Questions that a cache had an answer to that was no longer good, and gave it.
    pub stale: u64,
    /// Questions of which a cache knew that there is no answer.
    pub negative: u64,
    /// Questions that a cache had no answer to.
    pub misses: u64,
    /// Hosts that a cache forgot to make room.
    pub evicted: u64,
    /// Answers that a cache asked anew in the background.
    pub refreshed: u64,
    /// Hosts that caches remember now.
    pub hosts: usize,
}

impl Resolver {
    /// The system's resolver: its hosts file, its name servers, whatever it is set up to use. Each
    /// question is one call of `getaddrinfo` for one family, on one of at most 64 threads, which
    /// nobody waits for when the process ends.
    ///
    /// In a simulated loop the world is asked instead.
    ///
    /// ```
    /// let found = reseau::Resolver::system().lookup("localhost").wait()?;
    /// assert!(found[0].is_loopback());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn system() -> Self {
        Self::of(System::new())
    }

    /// A table of names and their addresses. It knows no other names, and what its addresses are
    /// called is the first name that has them.
    ///
    /// ```
    /// use std::net::{IpAddr, SocketAddr};
    /// let here = IpAddr::from([192, 0, 2, 1]);
    /// let resolver = reseau::Resolver::fixed([("a.example", vec![here]), ("b.example", vec![])]);
    /// assert_eq!(resolver.lookup("a.example").wait()?, [here]);
    /// assert!(resolver.lookup("b.example").wait().is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn fixed<N, A>(entries: impl IntoIterator<Item = (N, A)>) -> Self
    where
        N: AsRef<str>,
        A: IntoIterator<Item = IpAddr>,
    {
        Self::of(Fixed::new(entries))
    }

    /// Name servers that are asked directly, at most three, in order; over UDP, and over TCP for
    /// what is too long. Unlike the system's resolver they say how long an answer holds, which a
    /// cache above goes by. The hosts file and the search list are the system's: these servers get
    /// the name as it is.
    ///
    /// A server has two seconds, and each is asked twice.
    ///
    /// ```no_run
    /// use reseau::Resolver;
    /// use reseau::dns::{CacheConfig, IpFamily, Query};
    /// let resolver = Resolver::servers([([192, 0, 2, 53], 53).into()]);
    /// let query = Query::new("example.com", IpFamily::V4)?;
    /// println!("holds for {:?}", resolver.query(&query).wait()?.ttl());
    /// let resolver = resolver.cached(CacheConfig::default());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn servers(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self::of(Servers::new(servers))
    }

    /// A function that resolves. It may block: it runs on threads of its own, at most 16 (in a
    /// simulated loop on the spot). Of its answer counts what is of the family that was asked for.
    ///
    /// ```
    /// use reseau::dns::{Answer, IpFamily};
    /// let resolver = reseau::Resolver::from_fn(|query| {
    ///     Ok(Answer::new(match query.family() {
    ///         IpFamily::V4 => ["192.0.2.1".parse().unwrap()],
    ///         IpFamily::V6 => ["2001:db8::1".parse().unwrap()],
    ///     }))
    /// });
    /// assert_eq!(resolver.lookup("any.example").wait()?.len(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn from_fn<F>(function: F) -> Self
    where
        F: Fn(&Query) -> io::Result<Answer> + Send + Sync + 'static,
    {
        Self::of(Function::new(function))
    }

    /// The same, and what it does not know is asked of another: not that there is no address of
    /// a family, only that there is no such name.
    ///
    /// ```
    /// use reseau::Resolver;
    /// let ours = Resolver::fixed([("db.internal", [[192, 0, 2, 7].into()])]);
    /// let resolver = ours.or(Resolver::default());
    /// assert!(resolver.lookup("db.internal").wait().is_ok());
    /// assert!(resolver.lookup("localhost").wait().is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// Names of addresses too:
    ///
    /// ```
    /// use reseau::Resolver;
    /// let (a, b) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    /// let first = Resolver::fixed([("a.example", [a])]);
    /// let resolver = first.or(Resolver::fixed([("b.example", [b])]));
    /// assert_eq!(resolver.reverse(b).wait()?, "b.example");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.under(|first| Either::new(first, other.layer))
    }

    /// The same, and all who ask the same question at the same time share one lookup.
    ///
    /// ```
    /// use reseau::dns::Answer;
    /// let slow = reseau::Resolver::from_fn(|_| {
    ///     std::thread::sleep(std::time::Duration::from_millis(50));
    ///     Ok(Answer::new(["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]))
    /// });
    /// let resolver = slow.single_flight();
    /// std::thread::scope(|scope| {
    ///     for _ in 0..20 {
    ///         scope.spawn(|| resolver.lookup("one.example").wait().unwrap());
    ///     }
    /// });
    /// assert!(resolver.counters().joined > 0);
    /// ```
    #[must_use]
    pub fn single_flight(self) -> Self {
        self.under(SingleFlight::new)
    }

    /// The same, and answers are remembered for a while. Whoever asks at the same time for what is
    /// not remembered shares one lookup.
    ///
    /// ```
    /// use reseau::dns::{Answer, CacheConfig};
    /// use std::time::Duration;
    /// let resolver = reseau::Resolver::from_fn(|_| {
    ///     let addrs = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    ///     Ok(Answer::new(addrs).with_ttl(Duration::from_secs(20)))
    /// });
    /// let resolver = resolver.cached(CacheConfig::default());
    /// for _ in 0..100 {
    ///     resolver.lookup("a.example").wait()?;
    /// }
    /// let counters = resolver.counters();
    /// assert_eq!((counters.calls, counters.hits), (2, 198)); // For two families.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn cached(self, config: CacheConfig) -> Self {
        self.under(|below| Cached::new(below, config))
    }

    /// The same for these families alone, in this order. It takes the place of an earlier one.
    ///
    /// ```
    /// use reseau::dns::{Cause, Families, LookupError};
    /// let resolver = reseau::Resolver::fixed([("a.example", ["::1".parse().unwrap()])]);
    /// let error = resolver.families(Families::V4Only).lookup("a.example").wait().unwrap_err();
    /// assert_eq!(LookupError::of(&error).unwrap().cause(), Cause::NoData);
    /// ```
    #[must_use]
    pub fn families(self, families: Families) -> Self {
        Self { families, ..self }
    }

    /// Looks up the addresses that a host has, of all families that are allowed, in their order.
    /// A host that is an address is its own answer.
    pub fn lookup(&self, host: &str) -> Lookup {
        Lookup::of_host(self, host)
    }

    /// Asks one question: the addresses of one family.
    ///
    /// ```
    /// use reseau::dns::{IpFamily, Query, Source};
    /// let query = Query::new("192.0.2.1", IpFamily::V4)?;
    /// let answer = reseau::Resolver::default().query(&query).wait()?;
    /// assert_eq!(answer.source(), Source::Literal);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn query(&self, query: &Query) -> Lookup<Answer> {
        Lookup::of_query(self, query)
    }

    /// Looks up what an address is called.
    ///
    /// ```
    /// let here = "192.0.2.1".parse().unwrap();
    /// let resolver = reseau::Resolver::fixed([("a.example", [here])]);
    /// assert_eq!(resolver.reverse(here).wait()?, "a.example");
    /// let other = "192.0.2.2".parse().unwrap();
    /// assert!(resolver.reverse(other).wait().is_err());
    /// assert_eq!(resolver.reverse(other).or_numeric().wait()?, "192.0.2.2");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reverse(&self, ip: IpAddr) -> Lookup<String> {
        Lookup::of_address(self, ip)
    }

    /// Forgets what its caches remember of a host.
    ///
    /// ```
    /// use reseau::dns::CacheConfig;
    /// let table = reseau::Resolver::fixed([("a.example", ["192.0.2.1".parse().unwrap()])]);
    /// let resolver = table.cached(CacheConfig::default());
    /// resolver.lookup("a.example").wait()?;
    /// assert_eq!(resolver.counters().hosts, 1);
    /// resolver.purge("A.example");
    /// assert_eq!(resolver.counters().hosts, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn purge(&self, host: &str) {
        self.layer.purge(Some(host));
    }

    /// Forgets all that its caches remember, as after a change of networks.
    pub fn purge_all(&self) {
        self.layer.purge(None);
    }

    /// Tells its caches that nobody answered at an address of a host: it is given behind the others
    /// of its family, until the host is asked for anew. (A [dial](crate::dial) does so by itself.)
    ///
    /// ```
    /// use reseau::dns::CacheConfig;
    /// let [dead, alive] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
    /// let table = reseau::Resolver::fixed([("a.example", [dead, alive])]);
    /// let resolver = table.cached(CacheConfig::default());
    /// assert_eq!(resolver.lookup("a.example").wait()?, [dead, alive]);
    /// resolver.failed("a.example", dead);
    /// assert_eq!(resolver.lookup("a.example").wait()?, [alive, dead]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn failed(&self, host: &str, ip: IpAddr) {
        self.layer.failed(host, ip);
    }

    /// What its layers have counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        self.layer.count(&mut counters);
        counters
    }

    /// The families that it looks up.
    #[must_use]
    pub fn allowed(&self) -> Families {
        self.families
    }

    /// Starts a lookup. Never blocks.
    pub(crate) fn ask(&self, query: &Query) -> Pending {
        let name = query.name();
        if !self.families.allows(query.family()) {
            return Pending::known(name, Err(LookupError::new(Cause::NoFamily)));
        }
        if let Some(outcome) = query.literal() {
            return Pending::known(name, outcome);
        }
        let (pending, reply) = Pending::new(name);
        self.layer.ask(query, reply);
        pending
    }

    /// Starts to look for the name of an address. Never blocks.
    pub(super) fn ask_name(&self, ip: IpAddr) -> Pending<String> {
        let (pending, reply) = Pending::new(&ip.to_string());
        self.layer.reverse(ip, reply);
        pending
    }

    fn of(layer: impl Layer + 'static) -> Self {
        Self { layer: Arc::new(layer), families: Families::default() }
    }

    fn under<L: Layer + 'static>(self, above: impl FnOnce(Arc<dyn Layer>) -> L) -> Self {
        Self { layer: Arc::new(above(self.layer)), families: self.families }
    }
}

impl Default for Resolver {
    fn default() -> Self {
        static DEFAULT: LazyLock<Resolver> = LazyLock::new(|| Resolver::system().single_flight());
        DEFAULT.clone()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Resolver");
        shown.field("layer", &self.layer.name()).field("families", &self.families);
        shown.finish_non_exhaustive()
    }
}
