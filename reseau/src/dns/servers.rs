//! Name servers, asked directly: their answers say how long they hold.
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::LookupError;
use super::error::Cause;
use super::message::{DATAGRAM_MAX, Question, Records, Said};
use super::query::{Query, Source, check};
use super::realm::Realm;
use super::reply::{Outcome, Reply};
use super::resolver::Counters;
use super::source::{Layer, on_crew};
use crate::clock;
use crate::crew::Crew;

/// Servers, in the order in which they are asked.
pub(super) struct Servers {
    addrs: Arc<[SocketAddr]>,
    crew: Arc<Crew>,
    calls: Arc<AtomicU64>,
}

impl Servers {
    pub(super) fn new(addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        let addrs = addrs.into_iter().take(SERVERS_MAX).collect();
        Self {
            addrs,
            crew: Arc::new(Crew::new("reseau-names", THREADS_MAX)),
            calls: Arc::default(),
        }
    }

    /// Answers with what the servers say, on a thread that may block.
    fn start<T: Send + 'static>(
        &self,
        question: Result<Question, LookupError>,
        reply: Reply<T>,
        take: impl FnOnce(Records) -> Outcome<T> + Send + 'static,
    ) {
        if Realm::here().is_simulated() {
            let what = "a simulated world has no name servers, but `Resolver::system`";
            return reply.answer(Err(LookupError::because(Cause::Unsupported, what)));
        }
        let question = match question {
            Ok(question) => question,
            Err(error) => return reply.answer(Err(error)),
        };
        let addrs = self.addrs.clone();
        on_crew(&self.crew, &self.calls, reply, move || take(ask_all(&addrs, &question)?));
    }
}

impl Layer for Servers {
    fn name(&self) -> &'static str {
        "servers"
    }

    fn ask(&self, query: &Query, reply: Reply) {
        let asked = query.clone();
        self.start(Question::of(query), reply, move |records| {
            asked.fit(records.into_answer().found_by(Source::Server))
        });
    }

    fn reverse(&self, ip: IpAddr, reply: Reply<String>) {
        self.start(Question::about(ip), reply, |records| {
            let name = records.names.into_iter().find(|name| check(name).is_ok());
            name.ok_or_else(|| LookupError::new(Cause::NotFound))
        });
    }

    fn count(&self, counters: &mut Counters) {
        counters.calls += self.calls.load(Ordering::Relaxed);
    }
}

/// Asks one server after the other, and all once more, until one knows.
fn ask_all(servers: &[SocketAddr], question: &Question) -> Outcome<Records> {
    let mut last = LookupError::because(Cause::Failed, "there is no name server to ask");
    for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
        match ask(*server, question) {
            Ok(Ok(records)) => return Ok(records),
            // What this server does not know another may.
            Ok(Err(error)) if error.is_passing() => last = error,
            Ok(Err(error)) => return Err(error),
            // Whatever went wrong on the way may be better later.
            Err(_) => last = LookupError::new(Cause::Temporary),
        }
    }
    Err(last)
}

fn ask(server: SocketAddr, question: &Question) -> io::Result<Outcome<Records>> {
    let late = clock::real() + TRY_MAX;
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    // Connected: what comes from elsewhere is not for us, and a refusal is heard of.
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    let id = number();
    socket.send(&question.message(id))?;
    let mut space = [0; DATAGRAM_MAX];
    loop {
        socket.set_read_timeout(Some(left(late)?))?;
        let len = match socket.recv(&mut space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        match question.read(&space[..len], id) {
            Said::Stray => {}
            Said::Records(records) => return Ok(Ok(records)),
            Said::Refused(error) => return Ok(Err(error)),
            Said::Truncated => return ask_by_stream(server, question, late),
        }
    }
}

/// Asks again where an answer may be longer: each message after its length.
fn ask_by_stream(
    server: SocketAddr,
    question: &Question,
    late: Instant,
) -> io::Result<Outcome<Records>> {
    let mut stream = TcpStream::connect_timeout(&server, left(late)?)?;
    let id = number();
    let message = question.message(id);
    let mut framed = (message.len() as u16).to_be_bytes().to_vec();
    framed.extend(message);
    stream.set_write_timeout(Some(left(late)?))?;
    stream.write_all(&framed)?;
    let mut len = [0; 2];
    read_all(&mut stream, &mut len, late)?;
    let mut answer = vec![0; u16::from_be_bytes(len).into()];
    read_all(&mut stream, &mut answer, late)?;
    Ok(match question.read(&answer, id) {
        Said::Records(records) => Ok(records),
        Said::Refused(error) => Err(error),
        Said::Truncated | Said::Stray => Err(LookupError::new(Cause::Failed)),
    })
}

/// Fills `space`, however small the parts in which it comes, or is late.
fn read_all(stream: &mut TcpStream, mut space: &mut [u8], late: Instant) -> io::Result<()> {
    while !space.is_empty() {
        stream.set_read_timeout(Some(left(late)?))?;
        match stream.read(space) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => space = &mut space[len..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How long there is until then; nothing is an error.
fn left(late: Instant) -> io::Result<Duration> {
    let left = late.saturating_duration_since(clock::real());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A number that a stranger cannot guess: std's hashers are seeded by the system.
fn number() -> u16 {
    (RandomState::new().build_hasher().finish() >> 24) as u16
}

/// How long one server has for its answer, by datagram and stream together.
const TRY_MAX: Duration = Duration::from_secs(2);
/// How often each server is asked.
const ROUNDS: usize = 2;
/// As many as the system's resolver takes: with these, nobody waits for more than 12 seconds.
const SERVERS_MAX: usize = 3;
const THREADS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    /// Such as a profiler's, every few milliseconds.
    #[cfg(unix)]
    #[test]
    fn signals_do_not_end_a_try() {
        use super::*;
        use crate::sys::tests::interrupting;

        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let at = server.local_addr().unwrap();
        let question = Question::about(at.ip()).unwrap();
        let answer = || {
            let mut space = [0; DATAGRAM_MAX];
            let (len, from) = server.recv_from(&mut space).unwrap();
            space[2..4].copy_from_slice(&[0x81, 0x83]); // There is no such name.
            server.send_to(&space[..len], from).unwrap();
        };
        let said = interrupting(move || ask(at, &question), answer);
        assert_eq!(said.unwrap().err().unwrap().cause(), Cause::NotFound);
    }
}
