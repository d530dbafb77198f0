//! What the listeners of both doors have in common: their bounds, and each [`Failure`].
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;
use std::{fmt, io};

use super::Broken;
use crate::addr::Addr;
use crate::error::{Error, Fault, Operation, Phase};
use crate::sync::lock;

/// A connection whose handshake failed at a listener: whose it was, and why.
///
/// ```
/// use reseau::{blocking, tls};
/// use std::io::Write;
/// # let rcgen::CertifiedKey { cert, signing_key } =
/// #     rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (chain, key) = (cert.pem(), signing_key.serialize_pem());
/// # let identity = tls::Identity::from_pem(chain.as_bytes(), key.as_bytes())?;
/// let listener = blocking::listen(":0").tls(&tls::Server::new(&identity)).wait()?;
/// listener.set_nonblocking(true);
/// let mut stranger = blocking::connect(listener.local_addr()?.to_string()).wait()?;
/// stranger.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
/// while listener.failed() == 0 {
///     assert!(listener.accept().is_err()); // Nobody is there who speaks TLS.
/// }
/// for failure in listener.take_failures() {
///     // accept 127.0.0.1:4321: tls: the peer does not speak TLS, but says "GET / HTTP/1.0"
///     println!("{failure}");
///     assert!(tls::Broken::of(failure.error()).is_some_and(tls::Broken::is_not_tls));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Failure {
    peer: Addr,
    error: io::Error,
}

/// What a listener knows of its failures.
#[derive(Default)]
pub(crate) struct Failures {
    pub(crate) watch: Option<Watch>,
    told: Mutex<Told>,
}

/// Who is told of each failure.
pub(crate) type Watch = Box<dyn Fn(&Failure) + Send + Sync>;

#[derive(Default)]
struct Told {
    count: u64,
    recent: VecDeque<Failure>,
}

impl Failure {
    pub(crate) fn new(peer: Addr, error: io::Error) -> Self {
        // What was said of it already is said better here.
        let cause = match (Broken::of(&error), Error::of(&error)) {
            (None, Some(_)) => Fault::from(&error).to_io(),
            _ => Broken::alone(error),
        };
        let error = Error::new(Operation::Accept, cause).phase_at(Phase::Tls).peer(peer.clone());
        Self { peer, error: error.into() }
    }

    /// Who it was.
    #[must_use]
    pub fn peer(&self) -> &Addr {
        &self.peer
    }

    /// Why it failed: [`Broken::of`] finds what was wrong with its TLS; `TimedOut` says that it
    /// was late.
    #[must_use]
    pub fn error(&self) -> &io::Error {
        &self.error
    }
}

/// A line for a log.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Failures {
    pub(crate) fn add(&self, failure: Failure) {
        if let Some(watch) = &self.watch {
            watch(&failure);
        }
        let forgotten = {
            let told = &mut *lock(&self.told);
            told.count += 1;
            told.recent.push_back(failure);
            (told.recent.len() > RECENT_MAX).then(|| told.recent.pop_front())
        };
        drop(forgotten);
    }

    pub(crate) fn count(&self) -> u64 {
        lock(&self.told).count
    }

    pub(crate) fn take(&self) -> Vec<Failure> {
        lock(&self.told).recent.drain(..).collect()
    }
}

/// The words of all listeners that speak TLS, on a type with a field `room` that has `limit`,
/// `most` and `failures`, and a `handshakes()`.
macro_rules! words {
    () => {
        /// How long a handshake may take: 10 s, unless told otherwise. Who is late is sent away,
        /// and is one of the [failures](Self::take_failures).
        ///
        /// A handshake that is late because nobody accepted is given that time once more.
        #[must_use]
        pub fn handshake_limit(mut self, limit: std::time::Duration) -> Self {
            self.room.limit = limit;
            self
        }

        /// How many handshakes may be under way at the same time: 64, unless told otherwise. One at
        /// least. Who comes when there is no place waits as in the backlog of a listener.
        #[must_use]
        pub fn handshakes_max(mut self, most: usize) -> Self {
            self.room.most = most.max(1);
            self
        }

        /// Tells `watch` of each failure, when it happens.
        #[must_use]
        pub fn watch(
            mut self,
            watch: impl Fn(&$crate::tls::Failure) + Send + Sync + 'static,
        ) -> Self {
            self.room.failures.watch = Some(Box::new(watch));
            self
        }

        /// How many handshakes are under way.
        #[must_use]
        pub fn handshakes(&self) -> usize {
            self.room.handshakes()
        }

        /// How many handshakes have failed so far.
        #[must_use]
        pub fn failed(&self) -> u64 {
            self.room.failures.count()
        }

        /// Takes the failures that are remembered: the latest 64, the oldest first.
        #[must_use]
        pub fn take_failures(&self) -> Vec<$crate::tls::Failure> {
            self.room.failures.take()
        }
    };
}

pub(crate) use words;

/// How long a handshake may take, unless told otherwise.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// How many handshakes may be under way at the same time, unless told otherwise.
pub(crate) const MOST: usize = 64;

/// What the first record of TLS begins with.
pub(crate) const HANDSHAKE: u8 = 0x16;

/// How many failures are remembered.
const RECENT_MAX: usize = 64;

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failures").field("count", &self.count()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn only_so_many_are_remembered_and_all_are_counted() {
        let failures = Failures::default();
        for port in 1..=200 {
            let peer = SocketAddr::from(([127, 0, 0, 1], port)).into();
            failures.add(Failure::new(peer, io::ErrorKind::TimedOut.into()));
        }
        let taken = failures.take();
        let ports: Vec<_> = taken.iter().map(|one| one.peer().inet().unwrap().port()).collect();
        assert_eq!(ports, (137..=200).collect::<Vec<_>>());
        assert_eq!((failures.count(), failures.take().len()), (200, 0));
        let told = taken[0].to_string();
        assert!(told.starts_with("accept 127.0.0.1:137: tls: "), "{told}");
    }
}
