//! What a dial did, step by step: for people who ask why it took so long, or why it failed.
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::addr::Addr;
use crate::dns::{Answer, IpFamily, Source};
use crate::error::Error;

/// Every lookup, every attempt and every proxy of one dial, with their times and how they ended.
///
/// A connection brings it along on request (`with_report`), an error always has it. It prints as
/// a small table, in which times are milliseconds since the dial began:
///
/// ```
/// use reseau::{blocking, dial::DialReport};
/// let closed = blocking::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
/// let error = blocking::connect(closed).wait().unwrap_err();
///
/// let report = DialReport::of(&error).unwrap();
/// assert_eq!(report.attempts().len(), 1);
/// assert!(report.attempts()[0].error().is_some());
/// println!("{report}");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// might print
///
/// ```text
/// connect example.com:443: connected to 192.0.2.7:443 in 301.0 ms
///      start       took
///        0.0       12.1  AAAA example.com    2001:db8::1 (system)
///        0.0       20.0  A example.com       192.0.2.7 (system)
///       12.1      288.9  [2001:db8::1]:443   given up
///      262.1       38.9  192.0.2.7:443       connected
/// ```
#[derive(Clone, Debug)]
pub struct DialReport {
    target: Box<str>,
    total: Duration,
    lookups: Vec<LookupRecord>,
    attempts: Vec<AttemptRecord>,
    hops: Vec<HopRecord>,
}

/// One question to the resolver: the addresses of one family.
#[derive(Clone, Debug)]
pub struct LookupRecord {
    name: Box<str>,
    family: IpFamily,
    addrs: Vec<IpAddr>,
    source: Option<Source>,
    span: Span,
}

/// One attempt to connect to one address.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    addr: Addr,
    span: Span,
}

/// One conversation with a proxy.
#[derive(Clone, Debug)]
pub struct HopRecord {
    proxy: Box<str>,
    target: Box<str>,
    span: Span,
}

/// How something ended, or that it did not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It is under way; in the report of a dial that is over: it was given up, because another
    /// attempt had won, or time was up.
    Running,
    /// It succeeded.
    Done,
    /// It failed.
    Failed(Arc<io::Error>),
}

/// What has just happened in a dial: one step, when it begins and when it ends. Which of the two it
/// is, its outcome says. It prints as one line.
///
#[cfg_attr(feature = "async", doc = "```")]
#[cfg_attr(not(feature = "async"), doc = "```ignore")]
/// # fn main() -> std::io::Result<()> {
/// # reseau::block_on(async {
/// let listener = reseau::TcpListener::bind("127.0.0.1:0").await?;
/// let (tell, told) = std::sync::mpsc::channel();
/// let dial = reseau::connect(listener.local_addr()?);
/// dial.watch(move |news| tell.send(news.to_string()).unwrap()).await?;
/// let told: Vec<_> = told.iter().collect();
/// assert!(told[0].ends_with("connecting"), "{told:?}");
/// assert!(told[1].ends_with("connected"), "{told:?}");
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum News {
    /// A question to the resolver.
    Lookup(LookupRecord),
    /// An attempt to connect.
    Attempt(AttemptRecord),
    /// A conversation with a proxy.
    Hop(HopRecord),
}

/// When something was, since the dial began, and what came of it.
#[derive(Clone, Debug)]
struct Span {
    start: Duration,
    took: Duration,
    outcome: Outcome,
}

impl DialReport {
    /// The report of a dial that failed, in its error.
    ///
    /// ```
    /// use reseau::{blocking, dial::DialReport};
    /// let error = blocking::connect("a..b:80").wait().unwrap_err();
    /// assert!(DialReport::of(&error).is_none(), "it never began");
    /// ```
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        Error::of(error)?.attachment()?.downcast_ref()
    }

    /// What was to be reached, as it was named.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// How long all of it took.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.total
    }

    /// The questions to the resolver.
    #[must_use]
    pub fn lookups(&self) -> &[LookupRecord] {
        &self.lookups
    }

    /// The attempts to connect, in the order in which they began.
    #[must_use]
    pub fn attempts(&self) -> &[AttemptRecord] {
        &self.attempts
    }

    /// The proxies, in their order.
    #[must_use]
    pub fn hops(&self) -> &[HopRecord] {
        &self.hops
    }

    /// The attempt that connected.
    #[must_use]
    pub fn won(&self) -> Option<&AttemptRecord> {
        self.attempts.iter().find(|attempt| attempt.span.is_done())
    }

    /// The lines of the table, in order of time.
    fn lines(&self) -> Vec<Line> {
        let lookups = self.lookups.iter().map(|it| Line::new(&it.span, it.subject(), it.result()));
        let attempts =
            self.attempts.iter().map(|it| Line::new(&it.span, it.subject(), it.result()));
        let hops = self.hops.iter().map(|it| Line::new(&it.span, it.subject(), it.result()));
        let mut lines: Vec<_> = lookups.chain(attempts).chain(hops).collect();
        lines.sort_by_key(|line| line.start);
        lines
    }
}

impl LookupRecord {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which addresses were asked for.
    #[must_use]
    pub fn family(&self) -> IpFamily {
        self.family
    }

    /// The addresses that were found.
    #[must_use]
    pub fn addrs(&self) -> &[IpAddr] {
        &self.addrs
    }

    /// Where they were found.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        self.source
    }

    fn subject(&self) -> String {
        let kind = if self.family == IpFamily::V4 { "A" } else { "AAAA" };
        format!("{kind} {}", self.name)
    }

    fn result(&self) -> String {
        match (&self.span.outcome, self.source) {
            (Outcome::Done, Some(source)) => {
                let shown = self.addrs.iter().take(SHOWN_MAX).map(IpAddr::to_string);
                let shown = shown.collect::<Vec<_>>().join(", ");
                match self.addrs.len().saturating_sub(SHOWN_MAX) {
                    0 => format!("{shown} ({source})"),
                    more => format!("{shown} and {more} more ({source})"),
                }
            }
            _ => self.span.result("found", "not waited for"),
        }
    }
}

impl AttemptRecord {
    /// The address.
    #[must_use]
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    fn subject(&self) -> String {
        self.addr.to_string()
    }

    fn result(&self) -> String {
        self.span.result("connected", "given up")
    }
}

impl HopRecord {
    /// The proxy, without its password.
    #[must_use]
    pub fn proxy(&self) -> &str {
        &self.proxy
    }

    /// Where it was asked to lead.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    fn subject(&self) -> String {
        format!("{} to {}", self.proxy, self.target)
    }

    fn result(&self) -> String {
        self.span.result("open", "given up")
    }
}

/// What all records have.
macro_rules! records {
    ($($record:ident),*) => {$(
        impl $record {
            /// When it began: the time since the dial began.
            #[must_use]
            pub fn start(&self) -> Duration {
                self.span.start
            }

            /// How long it took; or had taken, when it was given up.
            #[must_use]
            pub fn duration(&self) -> Duration {
                self.span.took
            }

            /// How it ended.
            #[must_use]
            pub fn outcome(&self) -> &Outcome {
                &self.span.outcome
            }

            /// Why it failed, if it did.
            #[must_use]
            pub fn error(&self) -> Option<&io::Error> {
                match &self.span.outcome {
                    Outcome::Failed(error) => Some(error),
                    _ => None,
                }
            }
        }
    )*};
}

records!(LookupRecord, AttemptRecord, HopRecord);

impl Span {
    fn is_done(&self) -> bool {
        matches!(self.outcome, Outcome::Done)
    }

    fn result(&self, done: &str, running: &str) -> String {
        match &self.outcome {
            Outcome::Running => running.to_owned(),
            Outcome::Done => done.to_owned(),
            Outcome::Failed(error) => cause(error),
        }
    }
}

/// An error without what the line says already.
fn cause(error: &io::Error) -> String {
    match Error::of(error) {
        Some(error) => error.cause().to_string(),
        None => error.to_string(),
    }
}

impl fmt::Display for DialReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connect {}: ", self.target)?;
        match self.won() {
            Some(won) if self.hops.iter().all(|hop| hop.span.is_done()) => {
                write!(f, "connected to {}", won.addr)?;
            }
            _ => f.write_str("failed")?,
        }
        write!(f, " in {} ms", Millis(self.total))?;
        let lines = self.lines();
        if lines.is_empty() {
            return Ok(());
        }
        let width = lines.iter().map(|line| line.subject.chars().count()).max().unwrap_or(0);
        write!(f, "\n{:>10} {:>10}", "start", "took")?;
        for Line { start, took, subject, result } in lines {
            let (start, took) = (Millis(start).to_string(), Millis(took).to_string());
            write!(f, "\n{start:>10} {took:>10}  {subject:width$}  {result}")?;
        }
        Ok(())
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (span, subject, result, running) = match self {
            Self::Lookup(it) => (&it.span, it.subject(), it.result(), "asking"),
            Self::Attempt(it) => (&it.span, it.subject(), it.result(), "connecting"),
            Self::Hop(it) => (&it.span, it.subject(), it.result(), "asking"),
        };
        let begins = matches!(span.outcome, Outcome::Running);
        let (at, said) =
            if begins { (span.start, running) } else { (span.start + span.took, &*result) };
        write!(f, "{:>8} ms  {subject}: {said}", Millis(at).to_string())
    }
}

/// Milliseconds with one digit behind the point.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0.as_micros() + 50) / 100;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

struct Line {
    start: Duration,
    took: Duration,
    subject: String,
    result: String,
}

impl Line {
    fn new(span: &Span, subject: String, result: String) -> Self {
        Self { start: span.start, took: span.took, subject, result }
    }
}

/// The hand that writes a report while things happen.
pub(crate) struct Clerk {
    begun: Instant,
    report: DialReport,
    watch: Option<Watch>,
}

/// Who wants to hear of every step.
pub(crate) type Watch = Box<dyn FnMut(&News) + Send>;

impl Clerk {
    pub(crate) fn new(target: &dyn fmt::Display, watch: Option<Watch>, now: Instant) -> Self {
        let report = DialReport {
            target: target.to_string().into(),
            total: Duration::ZERO,
            lookups: Vec::new(),
            attempts: Vec::new(),
            hops: Vec::new(),
        };
        Self { begun: now, report, watch }
    }

    /// A question is asked. The number is the record's.
    pub(crate) fn asks(&mut self, name: &str, family: IpFamily, now: Instant) -> usize {
        let (span, name) = (self.begins(now), name.into());
        let record = LookupRecord { name, family, addrs: Vec::new(), source: None, span };
        self.report.lookups.push(record.clone());
        self.tell(News::Lookup(record));
        self.report.lookups.len() - 1
    }

    pub(crate) fn answered(
        &mut self,
        number: usize,
        answer: Result<&Answer, Arc<io::Error>>,
        now: Instant,
    ) {
        let took = self.since(now);
        let Some(record) = self.report.lookups.get_mut(number) else { return };
        if let Ok(answer) = answer {
            record.addrs = answer.addrs().to_vec();
            record.source = Some(answer.source());
        }
        record.span.ends(took, answer.map(drop));
        let news = News::Lookup(record.clone());
        self.tell(news);
    }

    pub(crate) fn tries(&mut self, addr: &Addr, now: Instant) -> usize {
        let record = AttemptRecord { addr: addr.clone(), span: self.begins(now) };
        self.report.attempts.push(record.clone());
        self.tell(News::Attempt(record));
        self.report.attempts.len() - 1
    }

    pub(crate) fn tried(&mut self, number: usize, end: Result<(), Arc<io::Error>>, now: Instant) {
        let took = self.since(now);
        let Some(record) = self.report.attempts.get_mut(number) else { return };
        record.span.ends(took, end);
        let news = News::Attempt(record.clone());
        self.tell(news);
    }

    pub(crate) fn hops(&mut self, proxy: String, target: String, now: Instant) -> usize {
        let (proxy, target) = (proxy.into(), target.into());
        let record = HopRecord { proxy, target, span: self.begins(now) };
        self.report.hops.push(record.clone());
        self.tell(News::Hop(record));
        self.report.hops.len() - 1
    }

    pub(crate) fn hopped(&mut self, number: usize, end: Result<(), Arc<io::Error>>, now: Instant) {
        let took = self.since(now);
        let Some(record) = self.report.hops.get_mut(number) else { return };
        record.span.ends(took, end);
        let news = News::Hop(record.clone());
        self.tell(news);
    }

    /// The dial is over.
    pub(crate) fn close(mut self, now: Instant) -> DialReport {
        let total = self.since(now);
        self.report.total = total;
        let lookups = self.report.lookups.iter_mut().map(|record| &mut record.span);
        let attempts = self.report.attempts.iter_mut().map(|record| &mut record.span);
        let hops = self.report.hops.iter_mut().map(|record| &mut record.span);
        for span in lookups.chain(attempts).chain(hops) {
            if matches!(span.outcome, Outcome::Running) {
                span.took = total.saturating_sub(span.start);
            }
        }
        self.report
    }

    fn begins(&self, now: Instant) -> Span {
        Span { start: self.since(now), took: Duration::ZERO, outcome: Outcome::Running }
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun)
    }

    fn tell(&mut self, news: News) {
        if let Some(watch) = &mut self.watch {
            watch(&news);
        }
    }
}

impl Span {
    fn ends(&mut self, now: Duration, end: Result<(), Arc<io::Error>>) {
        self.took = now.saturating_sub(self.start);
        self.outcome = end.map_or_else(Outcome::Failed, |()| Outcome::Done);
    }
}

/// Addresses of an answer that the table shows.
const SHOWN_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Operation;

    fn addr(text: &str) -> Addr {
        Addr::Inet(text.parse().unwrap())
    }

    #[test]
    fn a_report_is_a_table_in_order_of_time() {
        let zero = crate::clock::real();
        let at = |micros| zero + Duration::from_micros(micros);
        let mut clerk = Clerk::new(&"example.com:443", None, zero);
        let v6 = clerk.asks("example.com", IpFamily::V6, at(0));
        let v4 = clerk.asks("example.com", IpFamily::V4, at(40));
        clerk.answered(v6, Ok(&Answer::new(["2001:db8::1".parse().unwrap()])), at(12_100));
        let slow = clerk.tries(&addr("[2001:db8::1]:443"), at(12_100));
        clerk.answered(v4, Err(Arc::new(io::Error::other("no luck"))), at(20_000));
        let quick = clerk.tries(&addr("192.0.2.7:443"), at(262_149));
        clerk.tried(quick, Ok(()), at(301_000));
        let hop = clerk.hops("socks5://p:1".into(), "x:1".into(), at(301_000));
        clerk.hopped(hop, Ok(()), at(302_000));
        let report = clerk.close(at(302_000));
        assert_eq!((slow, quick, hop), (0, 1, 0));
        let table = [
            "connect example.com:443: connected to 192.0.2.7:443 in 302.0 ms",
            "     start       took",
            "       0.0       12.1  AAAA example.com     2001:db8::1 (function)",
            "       0.0       20.0  A example.com        no luck",
            "      12.1      289.9  [2001:db8::1]:443    given up",
            "     262.1       38.9  192.0.2.7:443        connected",
            "     301.0        1.0  socks5://p:1 to x:1  open",
        ];
        assert_eq!(report.to_string(), table.join("\n"));
        assert_eq!(report.won().unwrap().addr(), &addr("192.0.2.7:443"));
        assert!(report.lookups()[1].error().is_some() && report.lookups()[0].error().is_none());
        assert_eq!(report.attempts()[0].duration(), Duration::from_micros(289_900));
        assert!(matches!(report.attempts()[0].outcome(), Outcome::Running));
    }

    #[test]
    fn an_error_in_a_table_says_nothing_twice() {
        let zero = crate::clock::real();
        let mut clerk = Clerk::new(&"x:1", None, zero);
        let number = clerk.tries(&addr("192.0.2.7:1"), zero);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = Error::new(Operation::Connect, refused).peer(addr("192.0.2.7:1"));
        clerk.tried(number, Err(Arc::new(error.into())), zero);
        let report = clerk.close(zero);
        let text = report.to_string();
        assert!(text.starts_with("connect x:1: failed in 0.0 ms\n"), "{text}");
        assert!(text.ends_with("  192.0.2.7:1  connection refused"), "{text}");
        assert!(report.won().is_none());
    }

    #[test]
    fn long_answers_are_cut() {
        let zero = crate::clock::real();
        let mut clerk = Clerk::new(&"x:1", None, zero);
        let number = clerk.asks("x", IpFamily::V4, zero);
        let many = (0..7).map(|last| IpAddr::from([192, 0, 2, last]));
        clerk.answered(number, Ok(&Answer::new(many)), zero);
        let text = clerk.close(zero).to_string();
        assert!(text.ends_with("192.0.2.3 and 3 more (function)"), "{text}");
    }

    #[test]
    fn news_are_told_as_they_come() {
        let (tell, told) = std::sync::mpsc::channel();
        let zero = crate::clock::real();
        let watch: Watch = Box::new(move |news| tell.send(news.to_string()).unwrap());
        let mut clerk = Clerk::new(&"x:1", Some(watch), zero);
        let number = clerk.tries(&addr("192.0.2.7:1"), zero + Duration::from_millis(3));
        assert_eq!(told.try_recv().unwrap(), "     3.0 ms  192.0.2.7:1: connecting");
        clerk.tried(number, Ok(()), zero + Duration::from_millis(21));
        assert_eq!(told.try_recv().unwrap(), "    21.0 ms  192.0.2.7:1: connected");
        let number = clerk.asks("x", IpFamily::V6, zero);
        assert_eq!(told.try_recv().unwrap(), "     0.0 ms  AAAA x: asking");
        clerk.answered(number, Err(Arc::new(io::ErrorKind::NotFound.into())), zero);
        assert_eq!(told.try_recv().unwrap(), "     0.0 ms  AAAA x: entity not found");
    }
}
