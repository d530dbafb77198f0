//! What a dial was asked to do, before it is done: the words of the builders of both doors.
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::{fmt, io};

use super::Proxy;
use super::race::Pace;
use super::report::Watch;
use crate::addr::{Addr, Endpoint, EndpointError};
use crate::dns::{Families, IpFamily, Resolver};
use crate::error::{Error, Operation};
use crate::opt;
use crate::sys::Fd;
#[cfg(feature = "tls")]
use crate::tls::Client;

/// A dial to be.
pub(crate) struct Plan {
    /// Where to; or why that is no endpoint.
    pub(super) to: Result<Endpoint, io::Error>,
    pub(super) deadline: Option<Instant>,
    pub(super) limit: Option<Duration>,
    pub(super) resolver: Resolver,
    /// As the resolver has it, unless told otherwise.
    pub(super) families: Option<Families>,
    pub(super) pace: Pace,
    pub(super) via: Vec<Proxy>,
    /// Why one of them is none.
    pub(super) flaw: Option<io::Error>,
    pub(super) watch: Option<Watch>,
    pub(super) preparation: Preparation,
    /// What speaks TLS once it is connected.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Client>,
}

/// What is done to each socket before it connects.
#[derive(Default)]
pub(super) struct Preparation {
    pub(super) locals: Vec<SocketAddr>,
    options: Vec<Setting>,
    fast_open: bool,
}

type Setting = Box<dyn Fn(&Unconnected) -> io::Result<()> + Send + Sync>;

/// A socket of TCP that is about to connect: the one that [`Connect::set`](super::Connect::set)
/// takes options for.
///
/// ```
/// use reseau::opt;
/// /// Options that every dial gets here.
/// fn usual(socket: &reseau::dial::Unconnected) -> std::io::Result<()> {
///     socket.set(opt::Nodelay(true))?;
///     socket.set(opt::KeepAlive(true))
/// }
/// ```
#[derive(Debug)]
pub struct Unconnected(Fd);

impl Plan {
    pub(crate) fn new<T>(to: T) -> Self
    where
        T: TryInto<Endpoint, Error: Into<EndpointError>>,
    {
        let failed = |error: T::Error| Error::new(Operation::Connect, error.into().into()).into();
        Self {
            to: to.try_into().map_err(failed),
            deadline: None,
            limit: None,
            resolver: Resolver::default(),
            families: None,
            pace: Pace::default(),
            via: Vec::new(),
            flaw: None,
            watch: None,
            preparation: Preparation::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(&mut self, client: &Client) {
        self.tls = Some(client.clone());
    }

    /// Whether it ends in TLS.
    pub(super) fn secures(&self) -> bool {
        #[cfg(feature = "tls")]
        let secures = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let secures = false;
        secures
    }

    /// The same, for hosts alone.
    #[cfg(feature = "async")]
    pub(super) fn of_inet(mut self) -> Self {
        if let Ok(to) = &self.to
            && (to.port().is_none() && to.service().is_none())
        {
            let what = "this is no host and port, which TCP connects to";
            let cause = io::Error::new(io::ErrorKind::InvalidInput, what);
            self.to = Err(Error::new(Operation::Connect, cause).target(to).into());
        }
        self
    }

    pub(crate) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct(name);
        match &self.to {
            Ok(to) => form.field("to", to),
            Err(error) => form.field("error", error),
        };
        form.field("via", &self.via).finish_non_exhaustive()
    }

    pub(crate) fn deadline(&mut self, at: Instant) {
        self.deadline = Some(self.deadline.map_or(at, |known| known.min(at)));
    }

    pub(crate) fn limit(&mut self, limit: Duration) {
        self.limit = Some(self.limit.map_or(limit, |known| known.min(limit)));
    }

    pub(crate) fn bind(&mut self, local: SocketAddr) {
        self.preparation.locals.retain(|known| known.is_ipv4() != local.is_ipv4());
        self.preparation.locals.push(local);
    }

    pub(crate) fn set<O>(&mut self, option: O)
    where
        O: opt::Set<Unconnected> + Clone + Send + Sync + 'static,
    {
        let set = move |socket: &Unconnected| socket.set(option.clone());
        self.preparation.options.push(Box::new(set));
    }

    pub(crate) fn resolver(&mut self, resolver: &Resolver) {
        self.resolver = resolver.clone();
    }

    pub(crate) fn families(&mut self, families: Families) {
        self.families = Some(families);
    }

    pub(crate) fn attempt_delay(&mut self, delay: Duration) {
        self.pace = self.pace.attempt_delay(delay);
    }

    pub(crate) fn resolution_delay(&mut self, delay: Duration) {
        self.pace = self.pace.resolution_delay(delay);
    }

    pub(crate) fn fast_open(&mut self, on: bool) {
        self.preparation.fast_open = on;
    }

    pub(crate) fn via<P>(&mut self, proxy: P)
    where
        P: TryInto<Proxy, Error: Into<super::ProxyError>>,
    {
        match proxy.try_into() {
            Ok(proxy) => self.via.push(proxy),
            Err(error) => {
                let flaw = io::Error::from(error.into());
                self.flaw.get_or_insert_with(|| Error::new(Operation::Connect, flaw).into());
            }
        }
    }

    pub(crate) fn watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// Where to; or what was wrong with anything that was said.
    pub(super) fn take(&mut self) -> io::Result<Endpoint> {
        let taken = || Err(io::ErrorKind::InvalidInput.into());
        let to = std::mem::replace(&mut self.to, taken())?;
        self.flaw.take().map_or(Ok(to), Err)
    }

    /// When time is up, if it begins now.
    pub(super) fn late(&self, now: Instant) -> Option<Instant> {
        // A limit beyond what the clock can say is none.
        let limit = self.limit.and_then(|limit| now.checked_add(limit));
        [self.deadline, limit].into_iter().flatten().min()
    }
}

impl Preparation {
    /// A socket for `addr`, made by `open`, with all that was asked for.
    pub(super) fn prepare(
        &self,
        addr: &Addr,
        open: impl FnOnce() -> io::Result<Fd>,
    ) -> io::Result<Fd> {
        let fd = open().map_err(|error| failed(Operation::Open, error))?;
        let socket = Unconnected(fd);
        for set in &self.options {
            set(&socket)?;
        }
        let Some(inet) = addr.inet() else { return Ok(socket.0) };
        if self.fast_open {
            // A wish: where there is no such thing the connection is as any other.
            match socket.set(opt::FastOpenConnect(true)) {
                Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
                _ => {}
            }
        }
        if let Some(local) = self.locals.iter().find(|local| local.is_ipv4() == inet.is_ipv4()) {
            let bound = socket.0.bind(&Addr::Inet(*local));
            bound.map_err(|error| {
                io::Error::from(Error::new(Operation::Bind, error).local(Addr::Inet(*local)))
            })?;
        }
        Ok(socket.0)
    }

    /// Whether a connection may begin at an address of that family.
    pub(super) fn allows(&self, family: IpFamily) -> bool {
        self.locals.is_empty() || self.locals.iter().any(|ip| IpFamily::of(ip.ip()) == family)
    }
}

fn failed(operation: Operation, error: io::Error) -> io::Error {
    Error::new(operation, error).into()
}

opt::has_options!([] Unconnected, socket => socket.0.on());
opt::fits! {
    Unconnected: Inet Tcp Fresh FreshTcp;
}

/// The words of both doors' builders, on a type with a field `plan`.
macro_rules! words {
    () => {
        /// It ends at this point in time at the latest: names, attempts and proxies together.
        pub fn deadline(mut self, at: std::time::Instant) -> Self {
            self.plan.deadline(at);
            self
        }

        /// It takes no longer than this, from when it begins: names, attempts and proxies
        /// together.
        pub fn limit(mut self, limit: std::time::Duration) -> Self {
            self.plan.limit(limit);
            self
        }

        /// Connects from this address. Addresses of the other family are left out, unless it is
        /// given an address, too, by a second call. A port other than 0 is for one attempt at a
        /// time: further ones find it taken.
        pub fn bind(mut self, local: impl Into<std::net::SocketAddr>) -> Self {
            self.plan.bind(local.into());
            self
        }

        /// Sets an option on the socket of each attempt, before it connects. What the system
        /// refuses ends the attempt.
        pub fn set<O>(mut self, option: O) -> Self
        where
            O: $crate::opt::Set<$crate::dial::Unconnected> + Clone + Send + Sync + 'static,
        {
            self.plan.set(option);
            self
        }

        /// Asks this resolver for names, and not [`Resolver::default`](crate::Resolver).
        pub fn resolver(mut self, resolver: &$crate::Resolver) -> Self {
            self.plan.resolver(resolver);
            self
        }

        /// Which families of addresses may be used, and which of them first: IPv6, unless told
        /// otherwise.
        pub fn families(mut self, families: $crate::dns::Families) -> Self {
            self.plan.families(families);
            self
        }

        /// How long after one attempt the next one starts: 250 ms, unless told otherwise, and
        /// never less than 10.
        pub fn attempt_delay(mut self, delay: std::time::Duration) -> Self {
            self.plan.attempt_delay(delay);
            self
        }

        /// How long the preferred family is waited for when the other one is known first: 50 ms,
        /// unless told otherwise.
        pub fn resolution_delay(mut self, delay: std::time::Duration) -> Self {
            self.plan.resolution_delay(delay);
            self
        }

        /// Lets the first bytes go with the connection's first packet, to a server that is known
        /// to take them (TCP fast open). Such a connection is there at once, and fails at the
        /// first read or write. Where the system has no such thing this changes nothing.
        pub fn fast_open(mut self, on: bool) -> Self {
            self.plan.fast_open(on);
            self
        }

        /// Goes by way of a proxy, which resolves the name and connects. Called again: by way of
        /// the first proxy to the second, and so on.
        pub fn via<P>(mut self, proxy: P) -> Self
        where
            P: TryInto<$crate::dial::Proxy, Error: Into<$crate::dial::ProxyError>>,
        {
            self.plan.via(proxy);
            self
        }

        /// Is called with every step as it happens. It must not wait.
        pub fn watch(mut self, watch: impl FnMut(&$crate::dial::News) + Send + 'static) -> Self {
            self.plan.watch(Box::new(watch));
            self
        }
    };
}

pub(crate) use words;
