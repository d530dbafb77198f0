//! The course of one dial, for both doors: names are asked for, attempts started, and all of it
//! written down. Who waits, and how, is theirs: they poll until it is over.
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::Hop;
use super::plan::{Plan, Preparation};
use super::race::{Pace, Race, Step};
use super::report::{Clerk, DialReport};
use crate::addr::{Addr, Endpoint, Host, Scheme};
use crate::clock;
use crate::dns::services::{self, Protocol};
use crate::dns::{Cause, Families, IpFamily, LookupError, Pending, Query, Resolver};
use crate::error::{Error, Operation, Phase};
use crate::sys::Fd;

/// A dial under way; `A` is a door's way to connect. Dropping it gives everything up.
pub(crate) struct Course<A> {
    target: Endpoint,
    preparation: Preparation,
    track: Track,
    /// The port of what is looked up.
    port: u16,
    lookups: Vec<Asked>,
    /// Who is told which addresses of the host did not do.
    teller: Option<(Resolver, Box<str>)>,
    running: Vec<Running<A>>,
    /// What was tried and is over, with why.
    tried: Vec<(Addr, io::Error)>,
    /// Lookups that failed.
    unknown: Vec<io::Error>,
    legs: VecDeque<Leg>,
    clerk: Clerk,
    late: Option<Instant>,
    /// When to look again, though nothing happens.
    again: Option<Instant>,
    won: Option<Addr>,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::Client>,
}

/// An attempt to connect, as a door makes it.
pub(crate) trait Attempt: Sized {
    /// How it goes.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// How a door makes sockets and connects them.
pub(crate) trait Door {
    type Attempt: Attempt;

    fn open(&mut self, addr: &Addr) -> io::Result<Fd>;
    fn start(&mut self, fd: Fd, addr: &Addr) -> io::Result<Self::Attempt>;
}

/// A proxy on the way.
pub(crate) struct Leg {
    pub(crate) hop: Hop,
    proxy: String,
    target: String,
    record: usize,
}

/// Why there is no connection.
pub(crate) struct Failure {
    phase: Phase,
    cause: io::Error,
    peer: Option<Addr>,
}

/// What is to be tried.
enum Track {
    Race(Race),
    /// One address that is no IP address.
    Straight(Option<Addr>),
}

struct Asked {
    pending: Pending,
    family: IpFamily,
    record: usize,
}

struct Running<A> {
    attempt: A,
    addr: Addr,
    number: usize,
    record: usize,
}

/// Where the first connection goes.
enum Goal {
    Straight(Addr),
    Literal(SocketAddr),
    Loopback([SocketAddr; 2]),
    Name(Box<str>, u16),
}

impl<A: Attempt> Course<A> {
    /// Begins. Names are asked for at once.
    pub(crate) fn new(mut plan: Plan) -> io::Result<Self> {
        let target = plan.take()?;
        let failed = |phase| {
            let target = target.to_string();
            move |cause| {
                let error = Error::new(Operation::Connect, cause).target(target);
                io::Error::from(error.phase_at(phase))
            }
        };
        for proxy in &plan.via {
            may_dial(proxy.endpoint(), false).map_err(failed(Phase::Name))?;
        }
        may_dial(&target, plan.secures()).map_err(failed(Phase::Name))?;
        let legs = legs(&plan, &target).map_err(failed(Phase::Proxy))?;
        let first = plan.via.first().map_or(&target, |proxy| proxy.endpoint());
        let goal = goal(first).map_err(failed(Phase::Name))?;
        let now = clock::now();
        let mut course = Self {
            late: plan.late(now),
            #[cfg(feature = "tls")]
            tls: plan.tls.take(),
            clerk: Clerk::new(&target, None, now),
            target: target.clone(),
            track: Track::Straight(None),
            port: 0,
            lookups: Vec::new(),
            teller: None,
            running: Vec::new(),
            tried: Vec::new(),
            unknown: Vec::new(),
            legs,
            again: None,
            won: None,
            preparation: Preparation::default(),
        };
        course.set_out(plan, goal, now).map_err(failed(Phase::Name))?;
        Ok(course)
    }

    fn set_out(&mut self, plan: Plan, goal: Goal, now: Instant) -> io::Result<()> {
        let asked = plan.usable();
        let Plan { preparation, pace, resolver, watch, .. } = plan;
        self.clerk = Clerk::new(&self.target, watch, now);
        let only = |family: IpFamily| asked.filter(|families| families.allows(family));
        self.track = match goal {
            Goal::Straight(addr) => Track::Straight(Some(addr)),
            Goal::Literal(addr) => {
                let family = IpFamily::of(addr.ip());
                only(family).ok_or_else(no_family)?;
                Track::Race(known(alone(family), pace, [addr], now))
            }
            Goal::Loopback(addrs) => {
                let families = Families::V4First.and(asked.ok_or_else(no_family)?);
                Track::Race(known(families.ok_or_else(no_family)?, pace, addrs, now))
            }
            Goal::Name(name, port) => {
                let families = asked.and_then(|families| families.and(resolver.allowed()));
                let families = families.ok_or_else(no_family)?;
                self.port = port;
                self.teller = Some((resolver.clone(), name.clone()));
                for family in families.iter() {
                    let query = Query::new(&name, family).map_err(|error| bare(&error))?;
                    let record = self.clerk.asks(&name, family, now);
                    let pending = resolver.ask(&query);
                    self.lookups.push(Asked { pending, family, record });
                }
                Track::Race(Race::new(families, pace))
            }
        };
        self.preparation = preparation;
        Ok(())
    }

    /// Goes on as far as it goes without waiting.
    pub(crate) fn poll<D: Door<Attempt = A>>(
        &mut self,
        door: &mut D,
        cx: &mut Context<'_>,
    ) -> Poll<Result<A, Failure>> {
        loop {
            self.hear(cx);
            if let Some(attempt) = self.look(cx) {
                return Poll::Ready(Ok(attempt));
            }
            let now = clock::now();
            if self.late.is_some_and(|late| late <= now) {
                return Poll::Ready(Err(self.too_late(now)));
            }
            let step = match &mut self.track {
                Track::Race(race) => race.step(now),
                Track::Straight(addr) => match addr.take() {
                    Some(addr) => {
                        self.start(door, 0, addr, now);
                        continue;
                    }
                    None if self.running.is_empty() => Step::Lost,
                    None => Step::Wait(None),
                },
            };
            match step {
                Step::Connect { attempt, addr } => self.start(door, attempt, addr.into(), now),
                Step::Lost => return Poll::Ready(Err(self.lost())),
                Step::Wait(until) => {
                    self.again = until.into_iter().chain(self.late).min();
                    return Poll::Pending;
                }
            }
        }
    }

    /// When to poll again, though nothing has happened.
    pub(crate) fn again(&self) -> Option<Instant> {
        self.again
    }

    /// When time is up.
    pub(crate) fn late(&self) -> Option<Instant> {
        self.late
    }

    /// This side of TLS to that host, if it was asked for.
    #[cfg(feature = "tls")]
    pub(crate) fn side(&mut self) -> Option<crate::tls::Side> {
        let client = self.tls.take()?;
        let side = client.to(&match self.target.host() {
            Some(Host::Name(name)) => name.to_string(),
            Some(Host::V4(ip)) => ip.to_string(),
            Some(Host::V6(ip, _)) => ip.to_string(),
            None => String::new(),
        });
        Some(match self.late {
            Some(at) => side.deadline(at),
            None => side,
        })
    }

    /// There is a connection, and the handshake failed: the error that says why, with the report.
    #[cfg(feature = "tls")]
    pub(crate) fn refused(self, error: io::Error) -> io::Error {
        let cause = crate::tls::Broken::alone(error);
        let peer = self.won.clone();
        self.fail(Failure { phase: Phase::Tls, cause, peer })
    }

    /// The attempts under way.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = &A> {
        self.running.iter().map(|running| &running.attempt)
    }

    /// Whether somebody else may wake whoever polls.
    pub(crate) fn asks(&self) -> bool {
        !self.lookups.is_empty()
    }

    /// The next proxy to speak to.
    pub(crate) fn leg(&mut self) -> Option<Leg> {
        let mut leg = self.legs.pop_front()?;
        leg.record = self.clerk.hops(leg.proxy.clone(), leg.target.clone(), clock::now());
        Some(leg)
    }

    /// What came of it.
    pub(crate) fn led(&mut self, leg: &Leg, end: io::Result<()>) -> Result<(), Failure> {
        let told = end.as_ref().map(drop).map_err(|error| Arc::new(again(error)));
        self.clerk.hopped(leg.record, told, clock::now());
        end.map_err(|cause| Failure { phase: Phase::Proxy, cause, peer: self.won.clone() })
    }

    /// It is over, and well.
    pub(crate) fn finish(self) -> DialReport {
        self.clerk.close(clock::now())
    }

    /// It is over: the error that says why, with the report.
    pub(crate) fn fail(self, failure: Failure) -> io::Error {
        drop(self.running);
        let Failure { phase, cause, peer } = failure;
        let mut error = Error::new(Operation::Connect, cause).target(&self.target).phase_at(phase);
        if let Some(peer) = peer {
            error = error.peer(peer);
        }
        for (addr, cause) in self.tried {
            error = error.attempt(addr, cause);
        }
        error.attach(self.clerk.close(clock::now())).into()
    }

    /// What the resolver has answered.
    fn hear(&mut self, cx: &mut Context<'_>) {
        let (clerk, unknown, port) = (&mut self.clerk, &mut self.unknown, self.port);
        let Track::Race(race) = &mut self.track else { return };
        self.lookups.retain_mut(|asked| {
            let Poll::Ready(answer) = asked.pending.poll(cx) else { return true };
            let now = clock::now();
            match answer {
                Ok(answer) => {
                    clerk.answered(asked.record, Ok(&answer), now);
                    let addrs = answer.into_addrs().into_iter();
                    race.answered(asked.family, addrs.map(|ip| (ip, port).into()), now);
                }
                Err(error) => {
                    clerk.answered(asked.record, Err(Arc::new(bare(&error))), now);
                    unknown.push(bare(&error));
                    race.answered(asked.family, [], now);
                }
            }
            false
        });
    }

    /// How the attempts go. The first that has connected is taken; all others end.
    fn look(&mut self, cx: &mut Context<'_>) -> Option<A> {
        let mut at = 0;
        while let Some(running) = self.running.get_mut(at) {
            match running.attempt.poll(cx) {
                Poll::Pending => at += 1,
                Poll::Ready(Ok(())) => {
                    let Running { attempt, addr, record, .. } = self.running.remove(at);
                    self.clerk.tried(record, Ok(()), clock::now());
                    self.won = Some(addr);
                    self.running.clear();
                    self.lookups.clear();
                    return Some(attempt);
                }
                Poll::Ready(Err(error)) => {
                    let Running { addr, number, record, .. } = self.running.remove(at);
                    self.warn(&addr);
                    self.failed(number, record, addr, error);
                }
            }
        }
        None
    }

    fn start<D: Door<Attempt = A>>(
        &mut self,
        door: &mut D,
        number: usize,
        addr: Addr,
        now: Instant,
    ) {
        let record = self.clerk.tries(&addr, now);
        let fd = match self.preparation.prepare(&addr, || door.open(&addr)) {
            Ok(fd) => fd,
            Err(error) => return self.failed(number, record, addr, error),
        };
        match door.start(fd, &addr) {
            Ok(attempt) => self.running.push(Running { attempt, addr, number, record }),
            Err(error) => {
                self.warn(&addr);
                self.failed(number, record, addr, error);
            }
        }
    }

    fn failed(&mut self, number: usize, record: usize, addr: Addr, error: io::Error) {
        self.clerk.tried(record, Err(Arc::new(again(&error))), clock::now());
        self.tried.push((addr, error));
        if let Track::Race(race) = &mut self.track {
            race.failed(number);
        }
    }

    /// The next dial of this host is to try that address last.
    fn warn(&self, addr: &Addr) {
        if let (Some((resolver, host)), Some(addr)) = (&self.teller, addr.inet()) {
            resolver.failed(host, addr.ip());
        }
    }

    /// Everything has failed. The cause is the last one that says more than that there is no way.
    fn lost(&mut self) -> Failure {
        let telling = self.tried.iter().rposition(|(_, error)| !is_no_way(error));
        let last = self.tried.len().checked_sub(1);
        if let Some((addr, error)) = telling.or(last).and_then(|at| self.tried.get_mut(at)) {
            let copy = again(error);
            let cause = std::mem::replace(error, copy);
            return Failure { phase: Phase::Connect, cause, peer: Some(addr.clone()) };
        }
        let weightiest = (0..self.unknown.len()).max_by_key(|at| weight(&self.unknown[*at]));
        let cause = weightiest.map(|at| self.unknown.swap_remove(at));
        let cause = cause.unwrap_or_else(|| LookupError::new(Cause::NoData).into());
        Failure { phase: Phase::Name, cause, peer: None }
    }

    fn too_late(&mut self, now: Instant) -> Failure {
        let cause = late();
        for Running { addr, .. } in std::mem::take(&mut self.running) {
            self.warn(&addr);
            self.tried.push((addr, again(&cause)));
        }
        let peer = self.tried.last().map(|(addr, _)| addr.clone());
        let phase = if peer.is_some() { Phase::Connect } else { Phase::Name };
        self.again = Some(now);
        Failure { phase, cause, peer }
    }
}

/// What ends what took too long.
pub(crate) fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the deadline has passed")
}

impl Plan {
    /// The families that may be used; `None` if none may.
    fn usable(&self) -> Option<Families> {
        let wanted = self.families.unwrap_or_else(|| self.resolver.allowed());
        let from = |family| self.preparation.allows(family);
        let here = match (from(IpFamily::V4), from(IpFamily::V6)) {
            (true, true) => return Some(wanted),
            (true, false) => alone(IpFamily::V4),
            (false, true) => alone(IpFamily::V6),
            (false, false) => return None,
        };
        wanted.and(here)
    }
}

/// Whether such an endpoint is what this dial is for: what is behind a proxy is looked at by
/// nobody else.
fn may_dial(to: &Endpoint, secures: bool) -> io::Result<()> {
    let refuse = |what| Err(io::Error::new(io::ErrorKind::Unsupported, what));
    match to.scheme() {
        Scheme::Plain | Scheme::Tcp => Ok(()),
        Scheme::Tls if secures => Ok(()),
        Scheme::Tls => refuse("that speaks TLS: dial it with .tls(), or dial tcp://"),
        Scheme::Udp => refuse("UDP has no connections: see UdpSocket"),
    }
}

/// Where the first connection goes.
fn goal(to: &Endpoint) -> io::Result<Goal> {
    let refuse = |kind, what| Err(io::Error::new(kind, what));
    let unsupported = io::ErrorKind::Unsupported;
    if to.inherited().is_some() {
        return refuse(unsupported, "an inherited socket is there already, and not dialled");
    }
    match to.host() {
        Some(Host::Name(name)) => Ok(Goal::Name(name.clone(), port(to)?)),
        _ => match to.clone().with_port(port(to)?) {
            to if to.host().is_some() || to.port().is_none() => {
                match to.to_addr_with(crate::sys::zone::index_of)? {
                    Addr::Inet(addr) => Ok(Goal::Literal(addr)),
                    addr => Ok(Goal::Straight(addr)),
                }
            }
            to => match to.loopback_addrs() {
                Some(addrs) => Ok(Goal::Loopback(addrs)),
                None => refuse(io::ErrorKind::InvalidInput, "there is no place to connect to"),
            },
        },
    }
}

/// The port of TCP, also where it is a service's name; 0 where there are none.
fn port(to: &Endpoint) -> io::Result<u16> {
    match to.service() {
        Some(service) => services::port(service, Protocol::Tcp).map_err(|error| bare(&error)),
        None => Ok(to.port().unwrap_or(0)),
    }
}

/// The proxies on the way, each with where it is to lead.
fn legs(plan: &Plan, target: &Endpoint) -> io::Result<VecDeque<Leg>> {
    let proxies = plan.via.iter();
    let targets = plan.via.iter().skip(1).map(|proxy| proxy.endpoint()).chain([target]);
    let leg = |(proxy, to): (&super::Proxy, &Endpoint)| {
        let Some(host) = to.host() else {
            let what = "a proxy leads to a host and a port";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        };
        let hop = Hop::new(proxy, host, port(to)?)?;
        Ok(Leg { hop, proxy: proxy.to_string(), target: to.to_string(), record: 0 })
    };
    proxies.zip(targets).map(leg).collect()
}

fn alone(family: IpFamily) -> Families {
    match family {
        IpFamily::V4 => Families::V4Only,
        IpFamily::V6 => Families::V6Only,
    }
}

/// A race whose addresses are known.
fn known(
    families: Families,
    pace: Pace,
    addrs: impl IntoIterator<Item = SocketAddr> + Clone,
    now: Instant,
) -> Race {
    let mut race = Race::new(families, pace);
    for family in families.iter() {
        let of = addrs.clone().into_iter().filter(|addr| IpFamily::of(addr.ip()) == family);
        race.answered(family, of, now);
    }
    race
}

/// The error once more: of the same number, or of the same kind and text.
fn again(error: &io::Error) -> io::Error {
    match (error.raw_os_error(), LookupError::of(error), super::HopError::of(error)) {
        (Some(code), ..) => io::Error::from_raw_os_error(code),
        (_, Some(lookup), _) => lookup.clone().into(),
        (_, _, Some(hop)) => hop.clone().into(),
        _ => io::Error::new(error.kind(), error.to_string()),
    }
}

/// What a lookup failed with, without the name: that is in the target.
fn bare(error: &io::Error) -> io::Error {
    LookupError::of(error).map_or_else(|| again(error), |error| error.clone().into())
}

/// What is said where a network is not there at all: of little interest if another is.
fn is_no_way(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable)
}

/// How much an error says, of two lookups: what may pass, more than what will not.
fn weight(error: &io::Error) -> u8 {
    match LookupError::of(error) {
        Some(error) if error.is_passing() => 3,
        Some(error) if error.cause() == Cause::NotFound => 0,
        Some(error) if error.cause() == Cause::NoData => 1,
        _ => 2,
    }
}

fn no_family() -> io::Error {
    LookupError::new(Cause::NoFamily).into()
}
