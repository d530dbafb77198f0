//! `reseau echo`: sends back whatever it is sent, and says how much that was.
//!
//! [`spec`] reads what users write, [`place`] decides where to listen, [`serve`] runs on the loops,
//! with [`datagrams`] and what is [`owed`] of them, [`tally`] counts, [`meter`] shows the counts.
mod datagrams;
mod meter;
mod owed;
mod place;
mod serve;
mod spec;
mod tally;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use reseau::blocking::{TcpListener, UdpSocket};
use reseau::{Addr, Config, Group, Kind, clock};

use crate::failure::Failure;
use crate::tls::ServerOrders;
use crate::{paint, signals};
use meter::Meter;
use place::{Place, SocketFile};
use spec::{Spec, Spot, Traffic};
use tally::{Tally, Totals};

/// A server that listens.
struct Server {
    group: Group,
    tallies: Vec<Arc<Tally>>,
    listening: Vec<Listening>,
    /// Who it is where it speaks TLS.
    secure: Option<ServerOrders>,
    /// Where it does not listen, although it would by itself, and why.
    skipped: Vec<String>,
    /// Removed at the end.
    files: Vec<SocketFile>,
}

/// An address that is listened on, and what is to be said about it.
struct Listening {
    spot: Spot,
    note: Option<String>,
}

pub(crate) fn command() -> Command {
    let spec = |text: &str| text.parse::<Spec>();
    Command::new("echo")
        .about("Send back whatever is sent, over TCP, TLS, UDP and Unix sockets")
        .arg(
            Arg::new("endpoint")
                .value_name("ENDPOINT")
                .action(ArgAction::Append)
                .value_parser(spec)
                .help(
                    "Where to listen: 127.0.0.1:7007, :7007, tls://:7008, udp://[::1]:7007, \
                     unix:/path, unixgram:/path",
                )
                .long_help(
                    "Where to listen: 127.0.0.1:7007 or tcp://127.0.0.1:7007, tls://:7008 with a \
                     certificate that is made on the spot unless --cert says which, \
                     udp://[::1]:7007, unix:/path, unix:@name, unixgram:/path for datagrams, \
                     vsock:1:7007. A port alone (:7007, udp://:7007) is this machine's loopback. \
                     Without any: port 7007 of 127.0.0.1 for TCP and UDP, 7008 for TLS, and Unix \
                     sockets of both kinds; what is taken is replaced by another.",
                ),
        )
        .arg(
            Arg::new("driver")
                .long("driver")
                .value_parser(["auto", "uring", "ready"])
                .default_value("auto")
                .help("What talks to the kernel"),
        )
        .arg(
            Arg::new("loops")
                .long("loops")
                .value_name("N")
                .value_parser(value_parser!(u16).range(1..=LOOPS_MAX))
                .default_value("1")
                .help("How many loops serve, each on a thread of its own")
                .long_help(
                    "How many loops serve, each on a thread of its own. They share the \
                     connections of TCP and the senders of UDP; each other socket is served by \
                     one of them.",
                ),
        )
        .args(crate::tls::server_arguments())
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let specs: Vec<_> = arguments.get_many::<Spec>("endpoint").into_iter().flatten().collect();
    let mut places = Vec::new();
    for spec in &specs {
        places.extend(Place::asked(spec)?);
    }
    if places.is_empty() {
        places = Place::defaults();
    }
    let secure = secure(arguments, &specs)?;
    let kind = match arguments.get_one::<String>("driver").map(String::as_str) {
        Some("uring") => Some(Kind::Uring),
        Some("ready") => Some(Kind::Ready),
        _ => None,
    };
    let loops = arguments.get_one::<u16>("loops").copied().unwrap_or(1);
    let (tell, told) = mpsc::channel();
    signals::on_end(tell, ()).map_err(|error| Failure::world(format_args!("signals: {error}")))?;

    let server = Server::start(places, secure, kind, usize::from(loops))?;
    let mut stdout = anstream::stdout();
    server.announce(&mut stdout).or_else(|error| Failure::output(&error))?;
    let mut meter = Meter::new(io::stdout().is_terminal(), clock::now());
    watch(&server, &mut meter, &told, &mut stdout);
    let totals = server.stop();
    meter.end(totals, clock::now(), &mut stdout);
    Ok(())
}

/// Who the server is where it speaks TLS, if it does.
fn secure(given: &ArgMatches, specs: &[&Spec]) -> Result<Option<ServerOrders>, Failure> {
    let tls = specs.iter().filter(|spec| spec.traffic == Traffic::Tls);
    let ends: Vec<_> = tls.map(|spec| &spec.endpoint).collect();
    if ends.is_empty() && !specs.is_empty() {
        return ServerOrders::refuse(given, "echo").map(|()| None);
    }
    match ServerOrders::new(given, &ends)? {
        None => ServerOrders::own(given, &ends).map(Some),
        secure => Ok(secure),
    }
}

/// Shows the counters until somebody wants the server to end.
fn watch(server: &Server, meter: &mut Meter, told: &Receiver<()>, stdout: &mut impl Write) {
    loop {
        match told.recv_timeout(meter.pause()) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        if !meter.is_silent() {
            meter.show(server.totals(), clock::now(), stdout);
        }
    }
}

impl Server {
    fn start(
        places: Vec<Place>,
        secure: Option<ServerOrders>,
        kind: Option<Kind>,
        loops: usize,
    ) -> Result<Self, Failure> {
        let config = Config { kind, ..Config::default() };
        let group = Group::new(loops, &config).map_err(Failure::world)?;
        let tallies = (0..loops).map(|_| Arc::default()).collect();
        let (listening, skipped, files) = (Vec::new(), Vec::new(), Vec::new());
        let mut server = Self { group, tallies, listening, secure, skipped, files };
        for place in places {
            match server.take(&place) {
                Ok(()) => {}
                Err(_) if place.optional => {}
                // Nobody asked for it, and this system has none.
                Err(error) if place.otherwise.is_some() && is_unsupported(&error) => {
                    server.skipped.push(format!("{}  ({error})", place.wanted));
                }
                Err(error) => {
                    server.stop();
                    return Err(Failure::world(error));
                }
            }
        }
        Ok(server)
    }

    /// Listens at a place, or where else it allows.
    fn take(&mut self, place: &Place) -> io::Result<()> {
        let mut wanted = place.wanted.clone();
        if let (true, Some(port), Addr::Inet(addr)) =
            (place.beside, self.tcp_port(), &mut wanted.addr)
        {
            addr.set_port(port);
        }
        let error = match self.listen(&wanted, None) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => error,
            Err(error) if place.otherwise.is_some() && wanted.addr.unix().is_some() => error,
            done => return done,
        };
        let Some(otherwise) = &place.otherwise else { return Err(error) };
        let note = format!("{wanted} is taken");
        self.listen(&Spot { addr: otherwise.clone(), ..wanted }, Some(note))
    }

    fn listen(&mut self, spot: &Spot, note: Option<String>) -> io::Result<()> {
        let Addr::Inet(inet) = spot.addr else { return self.listen_once(spot, note) };
        if self.tallies.len() == 1 {
            return self.listen_once(spot, note);
        }
        match self.listen_shared(spot.traffic, inet, note) {
            Err(error) if is_unsupported(&error) => {
                self.listen_once(spot, Some("this system lets only one loop have it".to_owned()))
            }
            done => done,
        }
    }

    /// One listener, or one socket for datagrams, on the loop that has the fewest.
    fn listen_once(&mut self, spot: &Spot, mut note: Option<String>) -> io::Result<()> {
        let path = spot.addr.unix().and_then(|unix| unix.as_pathname());
        // A listener for streams takes over the file of a dead one, and removes its own, where it
        // can; for the rest it is done here.
        let (streams, path) = match spot.traffic {
            Traffic::Streams if cfg!(unix) => (path, None),
            _ => (None, path),
        };
        let cleared = path.map_or(Ok(false), SocketFile::clear_stale)?;
        if cleared || streams.is_some_and(SocketFile::is_at) {
            note = Some("the file of a dead server was in the way".to_owned());
        }
        let home = self.listening.len() % self.tallies.len();
        let tally = Arc::clone(&self.tallies[home]);
        let remote = &self.group.remotes()[home];
        let addr = serve::start(remote, spot.clone(), false, self.server(), tally)?;
        if let Some(path) = path {
            self.files.push(SocketFile::new(path));
        }
        self.listening.push(Listening { spot: Spot { addr, ..*spot }, note });
        Ok(())
    }

    /// A socket on every loop, all on one address; the kernel shares out connections, and those
    /// who send datagrams.
    fn listen_shared(
        &mut self,
        traffic: Traffic,
        inet: SocketAddr,
        note: Option<String>,
    ) -> io::Result<()> {
        // Those that share would share with a stranger of ours, too: ask for it alone first.
        let alone = match traffic {
            Traffic::Streams | Traffic::Tls => TcpListener::bind(inet)?.local_addr()?,
            Traffic::Datagrams => UdpSocket::bind(inet)?.local_addr()?,
        };
        let spot = Spot { traffic, addr: alone.into() };
        for (remote, tally) in self.group.remotes().iter().zip(&self.tallies) {
            serve::start(remote, spot.clone(), true, self.server(), Arc::clone(tally))?;
        }
        self.listening.push(Listening { spot, note });
        Ok(())
    }

    fn announce(&self, to: &mut impl Write) -> io::Result<()> {
        let (title, good, faint) = (paint::TITLE, paint::GOOD, paint::FAINT);
        for Listening { spot, note } in &self.listening {
            let note = note.as_ref().map(|note| format!("  ({note})")).unwrap_or_default();
            writeln!(to, "{title}listening{title:#} {good}{spot}{good:#}{faint}{note}{faint:#}")?;
        }
        let port = |traffic| {
            let found = self.listening.iter().find(|one| one.spot.traffic == traffic);
            found.and_then(|one| one.spot.addr.inet()).map(|addr| addr.port())
        };
        if let (Some(secure), Some(port)) = (&self.secure, port(Traffic::Tls)) {
            for line in secure.told(Some(port)).iter().flat_map(|told| told.lines()) {
                writeln!(to, "{faint}{line}{faint:#}")?;
            }
        }
        for skipped in &self.skipped {
            writeln!(to, "{title}skipped{title:#} {faint}{skipped}{faint:#}")?;
        }
        let report = self.group.driver_report();
        writeln!(to, "{title}driver{title:#} {report}")?;
        if self.tallies.len() > 1 {
            writeln!(to, "{title}loops{title:#} {}", self.tallies.len())?;
        }
        writeln!(to, "{faint}Ctrl-C ends it{faint:#}")?;
        to.flush()
    }

    /// The port of the last listener for TCP.
    fn tcp_port(&self) -> Option<u16> {
        let streams = |spot: &Spot| spot.traffic == Traffic::Streams;
        let spots = self.listening.iter().rev().map(|listening| &listening.spot);
        Some(spots.filter(|spot| streams(spot)).find_map(|spot| spot.addr.inet())?.port())
    }

    fn server(&self) -> Option<reseau::tls::Server> {
        self.secure.as_ref().map(|secure| secure.server.clone())
    }

    fn totals(&self) -> Totals {
        Totals::of(self.tallies.iter().map(|tally| &**tally))
    }

    /// Gives connections a moment to end; counts what was done.
    fn stop(self) -> Totals {
        let Self { group, tallies, files, .. } = self;
        drop(files);
        group.stop(GRACE);
        Totals::of(tallies.iter().map(|tally| &**tally))
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported
}

/// More loops than any machine has use for.
const LOOPS_MAX: i64 = 1024;
/// What is under way may finish; clients that stay connected are cut off.
const GRACE: Duration = Duration::from_millis(250);
