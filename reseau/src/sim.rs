//! A simulated world: the same program on another kernel, with every choice from one seed.
//!
//! Sockets, time and their hardships are values here. The same seed and the same program give the
//! same run, down to the order of every event, on every machine; another seed gives another order,
//! other partial reads and writes, other delays. A failing seed is a test case.
//!
//! ```
//! use reseau::sim::World;
//! use reseau::{TcpListener, TcpStream};
//! use std::time::Duration;
//!
//! async fn hour_long_echo() -> std::io::Result<Vec<u8>> {
//!     let listener = TcpListener::bind("127.0.0.1:7").await?;
//!     reseau::spawn_local(async move {
//!         let (mut stream, _) = listener.accept().await?;
//!         while let Some(chunk) = stream.recv().await? {
//!             stream.send(chunk).await?;
//!         }
//!         stream.finish().await
//!     });
//!     let mut client = TcpStream::connect("127.0.0.1:7").await?;
//!     reseau::sleep(Duration::from_secs(3600)).await; // Takes no time at all.
//!     client.send("hello").await?;
//!     client.finish().await?;
//!     let mut heard = Vec::new();
//!     while let Some(chunk) = client.recv().await? {
//!         heard.extend_from_slice(&chunk);
//!     }
//!     Ok(heard)
//! }
//!
//! let hash = |seed| {
//!     let world = World::new(seed);
//!     assert_eq!(world.run(hour_long_echo()).unwrap(), b"hello");
//!     world.trace_hash()
//! };
//! assert_eq!(hash(7), hash(7));
//! assert_ne!(hash(7), hash(8));
//! ```
use crate::driver::Kind;
use crate::rt::{Config, Loop};
pub use crate::sys::sim::{Answer, BadPrefix, Name, Prefix, Route};
use crate::sys::sim::{Faults, World as Kernel};
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;
#[cfg(feature = "tls")]
use std::time::SystemTime;

/// One simulated machine and the loop that runs on it.
///
/// A world belongs to its thread: using one of its sockets from another panics, because what two
/// threads do could not be repeated.
pub struct World {
    lp: Loop,
    kernel: Kernel,
    faults: Faults,
}

impl World {
    /// A world without hardships: what is sent arrives, after 10 µs to 1 ms.
    ///
    /// # Panics
    ///
    /// Never on account of the operating system: nothing of it is used.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(&Config { seed, ..Config::default() })
    }

    /// A world whose loop has bounds of your own.
    ///
    /// # Panics
    ///
    /// When the bounds are out of range.
    #[must_use]
    pub fn with(config: &Config) -> Self {
        let config = Config { kind: Some(Kind::Sim), ..config.clone() };
        let lp = Loop::with(&config).unwrap_or_else(|error| panic!("{error}"));
        let Some(kernel) = lp.world() else { unreachable!("a simulated loop has a world") };
        Self { lp, kernel, faults: Faults::default() }
    }

    /// Everything takes from `least` to `most` to arrive.
    #[must_use]
    pub fn latency(self, least: Duration, most: Duration) -> Self {
        self.change(|faults| faults.latency = (least, most.max(least)))
    }

    /// So many of a thousand arrivals take up to a hundred times longer than the longest.
    #[must_use]
    pub fn slow(self, per_mille: u16) -> Self {
        self.change(|faults| faults.slow = per_mille)
    }

    /// So many of a thousand connects are refused although somebody listens.
    #[must_use]
    pub fn refuse(self, per_mille: u16) -> Self {
        self.change(|faults| faults.refused = per_mille)
    }

    /// So many of a thousand sends break their TCP connection.
    #[must_use]
    pub fn reset(self, per_mille: u16) -> Self {
        self.change(|faults| faults.reset = per_mille)
    }

    /// So many of a thousand accepts find no descriptor left.
    #[must_use]
    pub fn exhaust(self, per_mille: u16) -> Self {
        self.change(|faults| faults.accept_exhausted = per_mille)
    }

    /// So many of a thousand accepts find that their connection was aborted.
    #[must_use]
    pub fn abort(self, per_mille: u16) -> Self {
        self.change(|faults| faults.accept_aborted = per_mille)
    }

    /// So many of a thousand UDP datagrams never arrive.
    #[must_use]
    pub fn lose(self, per_mille: u16) -> Self {
        self.change(|faults| faults.lost = per_mille)
    }

    /// So many of a thousand UDP datagrams arrive twice.
    #[must_use]
    pub fn double(self, per_mille: u16) -> Self {
        self.change(|faults| faults.doubled = per_mille)
    }

    /// So many of a thousand reads and writes take all they can, instead of any part of it.
    #[must_use]
    pub fn whole(self, per_mille: u16) -> Self {
        self.change(|faults| (faults.whole_sends, faults.whole_recvs) = (per_mille, per_mille))
    }

    /// What the world's calendar shows in the beginning; else the first of January 2026. From there
    /// it goes on with the world's time. Certificates are valid by it: so one that was made today
    /// may be refused as not valid yet, unless the world is told that it begins today.
    ///
    /// ```
    /// use reseau::{TcpListener, TcpStream, sim::World, tls};
    /// use std::time::{Duration, SystemTime};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let key = rcgen::KeyPair::generate()?;
    /// # let mut params = rcgen::CertificateParams::new(["localhost".to_owned()])?;
    /// # params.not_after = rcgen::date_time_ymd(2026, 7, 1);
    /// # let chain = params.self_signed(&key)?.pem();
    /// # let key = key.serialize_pem();
    /// // A chain of certificates that ends in July 2026, and its key.
    /// let server = tls::Server::new(&tls::Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
    /// let client = tls::Client::new().trust_only(&tls::Roots::from_pem(chain.as_bytes())?);
    ///
    /// let summer = SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_000_000); // The end of May.
    /// let world = World::new(7).born(summer);
    /// let told = world.run(async {
    ///     reseau::sleep(Duration::from_secs(60 * 24 * 60 * 60)).await; // Takes no time at all.
    ///     let listener = TcpListener::bind("127.0.0.1:443").await?;
    ///     reseau::spawn_local(async move {
    ///         let (stream, _) = listener.accept().await?;
    ///         stream.start_tls(&server).await
    ///     })
    ///     .detach();
    ///     let stream = TcpStream::connect("127.0.0.1:443").await?;
    ///     stream.start_tls(client.to("localhost")).await
    /// });
    /// assert!(told.unwrap_err().to_string().contains("certificate expired"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When that is before 1970.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn born(self, date: SystemTime) -> Self {
        match date.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(born) => self.kernel.set_born(born),
            Err(_) => panic!("no world is so old"),
        }
        self
    }

    /// What the world's calendar shows.
    ///
    /// ```
    /// use reseau::sim::World;
    /// use std::time::{Duration, SystemTime};
    ///
    /// let born = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30); // In January 2004.
    /// let world = World::new(7).born(born);
    /// let year = Duration::from_secs(365 * 24 * 60 * 60);
    /// world.run(async { reseau::sleep(year).await });
    /// assert_eq!(world.date(), born + year);
    /// ```
    ///
    /// TLS takes its calendar from the world, and its keys from the seed: the same seed is the same
    /// run. (Bytes of signatures that need a random number are others, but never more or fewer:
    /// those of ECDSA and of RSA under TLS 1.3. With Ed25519 it is the same to the last byte.)
    /// Nothing is secret in a world; and nothing of it reaches a real connection, wherever that is
    /// used.
    ///
    /// ```
    /// use reseau::{TcpListener, TcpStream, sim::World, tls};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// # let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    /// let server = tls::Server::new(&tls::Identity::from_pem(chain.as_bytes(), key.as_bytes())?);
    /// let client = tls::Client::new().trust_only(&tls::Roots::from_pem(chain.as_bytes())?);
    ///
    /// let hello = async |world: &World| -> std::io::Result<u64> {
    ///     let listener = TcpListener::bind("127.0.0.1:443").await?;
    ///     let server = server.clone();
    ///     reseau::spawn_local(async move {
    ///         let (stream, _) = listener.accept().await?;
    ///         let mut stream = stream.start_tls(&server).await?;
    ///         stream.send("hello").await?;
    ///         stream.close().await
    ///     })
    ///     .detach();
    ///     let stream = TcpStream::connect("127.0.0.1:443").await?;
    ///     let mut stream = stream.start_tls(client.to("localhost")).await?;
    ///     assert_eq!(&*stream.recv().await?.unwrap(), b"hello");
    ///     Ok(world.trace_hash())
    /// };
    /// let hash = |seed| {
    ///     let world = World::new(seed);
    ///     world.run(hello(&world)).unwrap()
    /// };
    /// assert_eq!(hash(7), hash(7));
    /// assert_ne!(hash(7), hash(8));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn date(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.kernel.date()
    }

    /// Runs a program in the world until it is done.
    ///
    /// # Panics
    ///
    /// When the world stands still: everybody waits, and nothing will ever happen.
    pub fn run<F: Future>(&self, program: F) -> F::Output {
        self.lp.block_on(program)
    }

    /// Says what the name of a host means from now on: which addresses it has, how long the answer
    /// takes, or what goes wrong with it.
    ///
    /// Names are alike in upper and lower case, with and without a dot at the end. In the
    /// beginning a world knows `localhost` alone; whoever asks for another hears `NotFound`, after
    /// the world's latency. See [`Name`] for examples.
    pub fn name(&self, host: &str, name: Name) {
        self.kernel.name(host, name);
    }

    /// Says what the network to and from an address, or all that begin alike, is like from now on.
    ///
    /// It holds for TCP and UDP, for what goes to the address and for what comes from it. Of
    /// several routes the one with the longest prefix holds; what was said before about the same
    /// prefix is forgotten. Routes for all addresses (`::/0`) do not hold for the loopback, those
    /// for parts of it do.
    ///
    /// ```
    /// use reseau::sim::{Route, World};
    /// use reseau::{TcpListener, TcpStream};
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    ///
    /// let ms = Duration::from_millis;
    /// let world = World::new(7).latency(ms(5), ms(5));
    /// world.route("192.0.2.0/24", Route::Delay(ms(40)));
    /// world.route("192.0.2.66", Route::Unreachable);
    /// world.run(async {
    ///     let _listener = TcpListener::bind("192.0.2.1:80").await.unwrap();
    ///     TcpStream::connect("192.0.2.1:80").await.unwrap();
    ///     assert_eq!(world.elapsed(), 2 * ms(5 + 40));
    ///     let error = TcpStream::connect("192.0.2.66:80").await.unwrap_err();
    ///     assert_eq!(error.kind(), ErrorKind::HostUnreachable);
    /// });
    /// ```
    ///
    /// A path may break while it is used, and heal:
    ///
    /// ```
    /// use reseau::sim::{Route, World};
    /// use reseau::{TcpListener, TcpStream};
    /// use std::time::Duration;
    ///
    /// let world = World::new(7);
    /// world.run(async {
    ///     let listener = TcpListener::bind("[2001:db8::1]:80").await.unwrap();
    ///     let mut client = TcpStream::connect("[2001:db8::1]:80").await.unwrap();
    ///     let (mut server, _) = listener.accept().await.unwrap();
    ///     world.route("2001:db8::/32", Route::Blackhole);
    ///     client.send("hello").await.unwrap();
    ///     let mut buf = [0; 5];
    ///     let wait = Duration::from_secs(60);
    ///     assert!(reseau::timeout(wait, server.read_exact(&mut buf)).await.is_err());
    ///     world.route("2001:db8::/32", Route::Delay(Duration::ZERO));
    ///     server.read_exact(&mut buf).await.unwrap();
    ///     assert_eq!(&buf, b"hello");
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// When `to` is text that is no [`Prefix`].
    pub fn route<P>(&self, to: P, route: Route)
    where
        P: TryInto<Prefix, Error: Debug>,
    {
        match to.try_into() {
            Ok(to) => self.kernel.route(to, route),
            Err(error) => panic!("no route to that: {error:?}"),
        }
    }

    /// Removes the path of a Unix socket, as removing its file does.
    pub fn unlink(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.kernel.unlink(path.as_ref())
    }

    /// How long the world has been going on, by its own clock.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.kernel.now()
    }

    /// The hash of everything that happened so far.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.kernel.trace()
    }

    fn change(mut self, change: impl FnOnce(&mut Faults)) -> Self {
        change(&mut self.faults);
        self.kernel.set_faults(self.faults.clone());
        self
    }
}
