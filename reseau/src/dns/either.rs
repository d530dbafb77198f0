//! Two resolvers, of which the second is asked for what the first does not know.
use std::net::IpAddr;
use std::sync::Arc;

use super::error::Cause;
use super::query::{Answer, Query};
use super::reply::{Asker, Outcome, Reply};
use super::resolver::Counters;
use super::source::Layer;

pub(super) struct Either {
    first: Arc<dyn Layer>,
    second: Arc<dyn Layer>,
}

impl Either {
    pub(super) fn new(first: Arc<dyn Layer>, second: Arc<dyn Layer>) -> Self {
        Self { first, second }
    }
}

impl Layer for Either {
    fn name(&self) -> &'static str {
        "either"
    }

    fn ask(&self, query: &Query, reply: Reply) {
        let (second, again) = (self.second.clone(), query.clone());
        let then = move |reply| second.ask(&again, reply);
        self.first.ask(query, Reply::to(Unless::<Answer, _> { reply, then }));
    }

    fn reverse(&self, ip: IpAddr, reply: Reply<String>) {
        let second = self.second.clone();
        let then = move |reply| second.reverse(ip, reply);
        self.first.reverse(ip, Reply::to(Unless::<String, _> { reply, then }));
    }

    fn count(&self, counters: &mut Counters) {
        self.first.count(counters);
        self.second.count(counters);
    }

    fn purge(&self, host: Option<&str>) {
        self.first.purge(host);
        self.second.purge(host);
    }

    fn failed(&self, host: &str, ip: IpAddr) {
        self.first.failed(host, ip);
        self.second.failed(host, ip);
    }
}

/// Waits for the first answer; goes on to the second if that is none.
struct Unless<T, F> {
    reply: Reply<T>,
    then: F,
}

impl<T: Send, F: FnOnce(Reply<T>) + Send> Asker<T> for Unless<T, F> {
    fn is_waiting(&mut self) -> bool {
        self.reply.is_wanted()
    }

    fn hear(self: Box<Self>, outcome: Outcome<T>) {
        match outcome {
            Err(error) if matches!(error.cause(), Cause::NotFound | Cause::Unsupported) => {
                (self.then)(self.reply);
            }
            outcome => self.reply.answer(outcome),
        }
    }
}
