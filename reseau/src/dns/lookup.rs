//! Lookups as people write them: a builder to await, or to wait for.
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};
#[cfg(feature = "async")]
use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use super::LookupError;
use super::error::Cause;
use super::query::{Answer, IpFamily, Query};
use super::realm::Realm;
use super::reply::{Outcome, Pending};
use super::resolver::Resolver;
use crate::clock;
#[cfg(feature = "async")]
use crate::rt::{Sleep, sleep_until};

/// A lookup to be: awaited, or, in threads, waited for. Nothing happens before.
///
/// Under any executor (with the feature `async`):
///
/// ```
/// # #[cfg(feature = "async")]
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// let resolver = reseau::Resolver::default();
/// reseau::block_on(async {
///     let addrs = resolver.lookup("127.0.0.1").limit(Duration::from_secs(1)).await?;
///     assert_eq!(addrs.len(), 1);
///     Ok(())
/// })
/// # }
/// # #[cfg(not(feature = "async"))]
/// # fn main() {}
/// ```
///
/// In a thread:
///
/// ```
/// use std::time::Duration;
/// let stuck = reseau::Resolver::from_fn(|_| {
///     std::thread::park();
///     unreachable!()
/// });
/// let error = stuck.lookup("a.example").limit(Duration::from_millis(20)).wait().unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
/// ```
#[must_use = "a lookup starts when it is awaited or waited for"]
pub struct Lookup<T = Vec<IpAddr>> {
    name: Box<str>,
    deadline: Option<Instant>,
    limit: Option<Duration>,
    begin: Box<dyn FnOnce() -> Box<dyn Search<T>> + Send>,
}

/// The future of a [`Lookup`].
#[cfg(feature = "async")]
#[must_use = "futures do nothing unless polled"]
pub struct Looking<T> {
    name: Box<str>,
    search: Box<dyn Search<T>>,
    alarm: Option<Sleep>,
}

/// A lookup under way.
trait Search<T>: Send {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<T>>;

    /// What there is when time is up.
    fn at_last(&mut self) -> Outcome<T> {
        Err(LookupError::new(Cause::Late))
    }
}

impl<T> Lookup<T> {
    fn new<S: Search<T> + 'static>(name: &str, begin: impl FnOnce() -> S + Send + 'static) -> Self {
        let begin = Box::new(|| Box::new(begin()) as Box<dyn Search<T>>);
        Self { name: name.into(), deadline: None, limit: None, begin }
    }

    /// It ends at this point in time at the latest. What has been found by then is the result.
    pub fn deadline(self, at: Instant) -> Self {
        let at = self.deadline.map_or(at, |known| known.min(at));
        Self { deadline: Some(at), ..self }
    }

    /// It takes no longer than this, from when it is awaited.
    pub fn limit(self, limit: Duration) -> Self {
        let limit = self.limit.map_or(limit, |known| known.min(limit));
        Self { limit: Some(limit), ..self }
    }

    /// Waits for it on this thread.
    ///
    /// # Errors
    /// With a [`LookupError`] inside: the name is none, there is no such name or no address of a
    /// family that is allowed, the name servers failed, or it took too long. `Unsupported` in a
    /// simulated loop, which would stand still.
    pub fn wait(self) -> io::Result<T> {
        let late = self.late();
        let mut search = (self.begin)();
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut cx = Context::from_waker(&waker);
        let outcome = loop {
            if let Poll::Ready(outcome) = search.poll(&mut cx) {
                break outcome;
            }
            if Realm::here().is_simulated() {
                let what = "a simulated loop cannot wait: await the lookup";
                break Err(LookupError::because(Cause::Unsupported, what));
            }
            match late.map(|late| late.saturating_duration_since(clock::now())) {
                None => std::thread::park(),
                Some(Duration::ZERO) => break search.at_last(),
                Some(left) => std::thread::park_timeout(left),
            }
        };
        outcome.map_err(|error| error.about(&self.name))
    }

    /// When time is up.
    fn late(&self) -> Option<Instant> {
        // A limit beyond what the clock can say is none.
        let limit = self.limit.and_then(|limit| clock::now().checked_add(limit));
        [self.deadline, limit].into_iter().flatten().min()
    }
}

impl Lookup {
    pub(super) fn of_host(resolver: &Resolver, host: &str) -> Self {
        let (resolver, name) = (resolver.clone(), Box::<str>::from(host));
        Self::new(host, move || Host::start(&resolver, &name))
    }
}

impl Lookup<Answer> {
    pub(super) fn of_query(resolver: &Resolver, query: &Query) -> Self {
        let (resolver, asked) = (resolver.clone(), query.clone());
        Self::new(query.name(), move || resolver.ask(&asked))
    }
}

impl Lookup<String> {
    pub(super) fn of_address(resolver: &Resolver, ip: IpAddr) -> Self {
        let resolver = resolver.clone();
        Self::new(&ip.to_string(), move || resolver.ask_name(ip))
    }

    /// The address as text, where no name is found, also for want of time: it never fails.
    pub fn or_numeric(self) -> Self {
        let (name, begin) = (self.name.clone(), self.begin);
        let begin = Box::new(move || Box::new(OrNumeric(begin(), name)) as Box<dyn Search<String>>);
        Self { begin, ..self }
    }
}

#[cfg(feature = "async")]
impl<T> IntoFuture for Lookup<T> {
    type Output = io::Result<T>;
    type IntoFuture = Looking<T>;

    fn into_future(self) -> Looking<T> {
        let alarm = self.late().map(sleep_until);
        Looking { name: self.name, search: (self.begin)(), alarm }
    }
}

#[cfg(feature = "async")]
impl<T> Future for Looking<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let this = &mut *self;
        let mut late = |cx: &mut Context<'_>| match &mut this.alarm {
            Some(alarm) => Pin::new(alarm).poll(cx).is_ready(),
            None => false,
        };
        let outcome = match this.search.poll(cx) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending if late(cx) => this.search.at_last(),
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(outcome.map_err(|error| error.about(&this.name)))
    }
}

impl<T> fmt::Debug for Lookup<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Lookup");
        shown.field("name", &self.name).field("deadline", &self.deadline);
        shown.field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(feature = "async")]
impl<T> fmt::Debug for Looking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looking").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Search<T> for Pending<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        self.poll_outcome(cx)
    }
}

/// All families of one host.
struct Host {
    /// In the order in which their addresses are wanted.
    families: Vec<Part>,
}

enum Part {
    Pending(Pending),
    Over(Option<Outcome<Answer>>),
}

impl Host {
    fn start(resolver: &Resolver, name: &str) -> Self {
        let ask = |family: IpFamily| match Query::checked(name, family) {
            Ok(query) => Part::Pending(resolver.ask(&query)),
            Err(error) => Part::Over(Some(Err(error))),
        };
        Self { families: resolver.allowed().iter().map(ask).collect() }
    }

    /// The addresses, or the error that says most.
    fn sum(&mut self) -> Outcome<Vec<IpAddr>> {
        let mut addrs = Vec::new();
        let mut worst: Option<LookupError> = None;
        for part in &mut self.families {
            let outcome = match part {
                Part::Pending(_) => Err(LookupError::new(Cause::Late)),
                Part::Over(outcome) => match outcome.take() {
                    Some(outcome) => outcome,
                    None => continue,
                },
            };
            match outcome {
                Ok(answer) => addrs.extend(answer.into_addrs()),
                Err(error) if worst.as_ref().is_none_or(|worst| weight(worst) < weight(&error)) => {
                    worst = Some(error);
                }
                Err(_) => {}
            }
        }
        match worst {
            Some(error) if addrs.is_empty() => Err(error),
            _ => Ok(addrs),
        }
    }
}

impl Search<Vec<IpAddr>> for Host {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<Vec<IpAddr>>> {
        let mut over = true;
        for part in &mut self.families {
            if let Part::Pending(pending) = part {
                match pending.poll_outcome(cx) {
                    Poll::Ready(outcome) => *part = Part::Over(Some(outcome)),
                    Poll::Pending => over = false,
                }
            }
        }
        if over { Poll::Ready(self.sum()) } else { Poll::Pending }
    }

    fn at_last(&mut self) -> Outcome<Vec<IpAddr>> {
        self.sum()
    }
}

/// How much an error says when both families failed: what may pass outweighs what will not, since
/// the addresses may be in the family that was not heard of.
fn weight(error: &LookupError) -> u8 {
    match error.cause() {
        Cause::NotFound => 0,
        Cause::NoFamily => 2,
        Cause::NoData => 1,
        _ => 3,
    }
}

struct OrNumeric(Box<dyn Search<String>>, Box<str>);

impl Search<String> for OrNumeric {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<String>> {
        self.0.poll(cx).map(|outcome| outcome.or_else(|_| self.at_last()))
    }

    fn at_last(&mut self) -> Outcome<String> {
        Ok(self.1.to_string())
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
