//! What knows names: the system, a table, a function.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
#[cfg(feature = "async")]
use std::time::Duration;

use super::LookupError;
use super::error::Cause;
use super::query::{Answer, IpFamily, Query, Source, check};
use super::realm::Realm;
use super::reply::{Outcome, Reply};
use super::resolver::Counters;
use crate::crew::Crew;
#[cfg(feature = "async")]
use crate::driver;
#[cfg(feature = "async")]
use crate::rt::{sleep, spawn_local};
use crate::sys::names;

/// One layer of a resolver. Questions are answered on any thread, at once or later; no call waits.
pub(super) trait Layer: Send + Sync {
    fn name(&self) -> &'static str;
    fn ask(&self, query: &Query, reply: Reply);
    /// The name that an address has.
    fn reverse(&self, ip: IpAddr, reply: Reply<String>);
    /// Adds what this layer and those below have counted.
    fn count(&self, counters: &mut Counters);
    /// Forgets what is remembered of a host, or of all.
    fn purge(&self, _host: Option<&str>) {}
    /// Nobody answered at an address of a host.
    fn failed(&self, _host: &str, _ip: IpAddr) {}
}

/// The system's resolver, one for the process.
pub(super) struct System {
    calls: Arc<AtomicU64>,
}

/// A table.
pub(super) struct Fixed {
    names: HashMap<Box<str>, Vec<IpAddr>>,
    /// In the order of the entries.
    addrs: Vec<(IpAddr, Box<str>)>,
}

/// A function that may block.
pub(super) struct Function<F> {
    call: Arc<F>,
    crew: Arc<Crew>,
    calls: Arc<AtomicU64>,
}

impl System {
    pub(super) fn new() -> Self {
        Self { calls: Arc::default() }
    }
}

impl Layer for System {
    fn name(&self) -> &'static str {
        "system"
    }

    fn ask(&self, query: &Query, reply: Reply) {
        #[cfg(feature = "async")]
        if Realm::here().is_simulated() {
            return in_world(query, reply);
        }
        let query = query.clone();
        let call = move || {
            let found = names::addrs(query.name(), query.family() == IpFamily::V6)?;
            query.fit(Answer::new(found).found_by(Source::System))
        };
        on_crew(&NAMES, &self.calls, reply, call);
    }

    fn reverse(&self, ip: IpAddr, reply: Reply<String>) {
        if Realm::here().is_simulated() {
            return reply.answer(Err(LookupError::because(Cause::Unsupported, NO_WORLD)));
        }
        on_crew(&ADDRESSES, &self.calls, reply, move || {
            let name = names::name_of(ip)?;
            // Whoever owns the address wrote it: it is looked at before it is believed to be one.
            check(&name).map_err(|_| LookupError::because(Cause::Failed, NO_NAME))?;
            Ok(name)
        });
    }

    fn count(&self, counters: &mut Counters) {
        counters.calls += self.calls.load(Ordering::Relaxed);
    }
}

impl Fixed {
    pub(super) fn new<N, A>(entries: impl IntoIterator<Item = (N, A)>) -> Self
    where
        N: AsRef<str>,
        A: IntoIterator<Item = IpAddr>,
    {
        let mut fixed = Self { names: HashMap::new(), addrs: Vec::new() };
        for (name, addrs) in entries {
            let name = absolute(&name.as_ref().to_ascii_lowercase());
            for ip in addrs {
                fixed.names.entry(name.clone()).or_default().push(ip);
                fixed.addrs.push((ip, name.clone()));
            }
            // A name without addresses exists all the same.
            fixed.names.entry(name).or_default();
        }
        fixed
    }
}

impl Layer for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn ask(&self, query: &Query, reply: Reply) {
        let Some(addrs) = self.names.get(&absolute(query.name())) else {
            return reply.answer(Err(LookupError::new(Cause::NotFound)));
        };
        let fitting = addrs.iter().copied().filter(|ip| IpFamily::of(*ip) == query.family());
        reply.answer(query.fit(Answer::new(fitting).found_by(Source::Fixed)));
    }

    fn reverse(&self, ip: IpAddr, reply: Reply<String>) {
        let found = self.addrs.iter().find(|(known, _)| *known == ip);
        let name = found.map(|(_, name)| name.to_string());
        reply.answer(name.ok_or_else(|| LookupError::new(Cause::NotFound)));
    }

    fn count(&self, _counters: &mut Counters) {}
}

impl<F> Function<F> {
    pub(super) fn new(call: F) -> Self {
        let crew = Arc::new(Crew::new("reseau-resolver", FUNCTION_THREADS_MAX));
        Self { call: Arc::new(call), crew, calls: Arc::default() }
    }
}

impl<F> Layer for Function<F>
where
    F: Fn(&Query) -> std::io::Result<Answer> + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        "function"
    }

    fn ask(&self, query: &Query, reply: Reply) {
        let (call, query) = (self.call.clone(), query.clone());
        let work = move || query.fit(call(&query)?.found_by(Source::Function));
        if Realm::here().is_simulated() {
            // No other threads there: what two of them do could not be repeated.
            self.calls.fetch_add(1, Ordering::Relaxed);
            return reply.answer(work());
        }
        on_crew(&self.crew, &self.calls, reply, work);
    }

    fn reverse(&self, _ip: IpAddr, reply: Reply<String>) {
        reply.answer(Err(LookupError::because(Cause::Unsupported, NO_REVERSE)));
    }

    fn count(&self, counters: &mut Counters) {
        counters.calls += self.calls.load(Ordering::Relaxed);
    }
}

/// Answers with what `work` finds on a thread that may block, if that is still wanted by then.
pub(super) fn on_crew<T: Send + 'static>(
    crew: &Arc<Crew>,
    calls: &Arc<AtomicU64>,
    mut reply: Reply<T>,
    work: impl FnOnce() -> Outcome<T> + Send + 'static,
) {
    let calls = calls.clone();
    crew.run(Box::new(move || {
        if reply.is_wanted() {
            calls.fetch_add(1, Ordering::Relaxed);
            reply.answer(work());
        }
    }));
}

/// What the simulated world says, when it says it.
#[cfg(feature = "async")]
fn in_world(query: &Query, reply: Reply) {
    let Some(home) = driver::here() else { return };
    let Some(world) = home.world() else { return };
    let (after, said) = world.lookup(query.name(), query.family() == IpFamily::V6);
    let query = query.clone();
    let answered = async move {
        if after == Duration::MAX {
            // Held until the world ends, like a server that never answers.
            std::future::pending::<()>().await;
        }
        sleep(after).await;
        let answer = said.map(|addrs| Answer::new(addrs).found_by(Source::World));
        reply.answer(answer.map_err(LookupError::from).and_then(|answer| query.fit(answer)));
    };
    spawn_local(answered).detach();
}

/// A name of a table without the dot at its end: a table knows no search list.
fn absolute(name: &str) -> Box<str> {
    name.strip_suffix('.').unwrap_or(name).into()
}

const NO_WORLD: &str = "a simulated world knows no names of addresses";
const NO_REVERSE: &str = "a function knows no names of addresses";
const NO_NAME: &str = "what the address is called is no name";

/// The threads of the system's resolver. A name that hangs holds two of them, one for each family,
/// however many ask for it: so 32 names may hang before others have to wait.
static NAMES: LazyLock<Arc<Crew>> = LazyLock::new(|| Arc::new(Crew::new("reseau-names", 64)));
/// The threads that look for names of addresses, which nobody waits for as for addresses: whoever
/// asks for thousands of them must not hold up those.
static ADDRESSES: LazyLock<Arc<Crew>> =
    LazyLock::new(|| Arc::new(Crew::new("reseau-addresses", 16)));
/// Each function has threads of its own, so that one that hangs holds up no other resolver.
const FUNCTION_THREADS_MAX: usize = 16;
