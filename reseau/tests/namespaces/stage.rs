//! One dial through every door: threads, loops on each kernel interface, and a simulated world.
use crate::network::{Network, Path, listeners};
use reseau::dial::{DialReport, Outcome};
use reseau::sim::{Route, World};
use reseau::{Any, Config, Connect, Kind, Loop, Resolver, TcpListener, UdpSocket};
use reseau::{blocking, connect, timeout};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// What a dial meets.
pub(crate) struct Scene {
    /// The addresses of the name, each family in its order, and what is at each.
    pub(crate) paths: Vec<(IpAddr, Path)>,
    pub(crate) attempt_delay: Duration,
    pub(crate) limit: Option<Duration>,
}

/// The report of a dial, and the kind of its error.
type Dialled = Result<DialReport, (DialReport, ErrorKind)>;

/// Dials by threads, on each driver that works here, and in a world; all must tell the same.
pub(crate) fn dials_everywhere(network: &Network, scene: Scene) -> Vec<Dialled> {
    network.lay(&scene.paths);
    let _listeners = listeners(&scene.paths, PORT);
    let mut all = vec![("threads".to_owned(), by_thread(&scene))];
    for kind in [Kind::Ready, Kind::Uring] {
        let config = Config { kind: Some(kind), ..Config::default() };
        if let Ok(lp) = Loop::with(&config) {
            all.push((kind.to_string(), lp.block_on(by_future(&scene))));
        }
    }
    all.push(("a world".to_owned(), in_a_world(&scene)));
    let story = |dialled: &Dialled| match dialled {
        Ok(report) => (told(report), None),
        Err((report, kind)) => (told(report), Some(*kind)),
    };
    let first = story(&all[0].1);
    for (who, dialled) in &all {
        assert_eq!(story(dialled), first, "{who} and threads differ");
    }
    all.into_iter().map(|(_, dialled)| dialled).collect()
}

/// The addresses that were tried, in order, and how each attempt ended.
pub(crate) fn told(report: &DialReport) -> Vec<(IpAddr, &'static str)> {
    let attempts = report.attempts().iter().map(|attempt| {
        let ip = attempt.addr().inet().expect("an address of TCP").ip();
        let end = match attempt.outcome() {
            Outcome::Running => "given up",
            Outcome::Done => "connected",
            Outcome::Failed(error) => match error.kind() {
                ErrorKind::HostUnreachable => "HostUnreachable",
                ErrorKind::NetworkUnreachable => "NetworkUnreachable",
                ErrorKind::ConnectionRefused => "ConnectionRefused",
                _ => panic!("{ip}: {error}"),
            },
            other => panic!("{ip}: {other:?}"),
        };
        (ip, end)
    });
    attempts.collect()
}

fn by_thread(scene: &Scene) -> Dialled {
    let mut dial = blocking::connect((NAME, PORT))
        .resolver(&resolver(scene))
        .attempt_delay(scene.attempt_delay);
    if let Some(limit) = scene.limit {
        dial = dial.limit(limit);
    }
    dialled(dial.wait_with_report().map(|(_, report)| report))
}

async fn by_future(scene: &Scene) -> Dialled {
    let mut dial: Connect<Any> =
        connect((NAME, PORT)).resolver(&resolver(scene)).attempt_delay(scene.attempt_delay);
    if let Some(limit) = scene.limit {
        dial = dial.limit(limit);
    }
    dialled(dial.with_report().await.map(|(_, report)| report))
}

fn in_a_world(scene: &Scene) -> Dialled {
    let world = World::new(7);
    world.run(async {
        let mut listeners = Vec::new();
        for (ip, path) in &scene.paths {
            match path {
                Path::Listens => listeners.push(TcpListener::bind((*ip, PORT)).await.unwrap()),
                path => lay(&world, *ip, *path),
            }
        }
        by_future(scene).await
    })
}

fn lay(world: &World, ip: IpAddr, path: Path) {
    let route = match path {
        Path::Listens => Route::Delay(Duration::ZERO),
        Path::Refuses => Route::Refused,
        Path::Silent => Route::Blackhole,
        Path::Unreachable => Route::Unreachable,
        Path::NoRoute => Route::NoRoute,
    };
    world.route(ip, route);
}

/// What UDP meets on each path: the kinds of the errors of connecting, of sending and of waiting
/// for an answer. The system and a world must say the same.
pub(crate) fn datagrams_everywhere(network: &Network, paths: &[(IpAddr, Path)]) -> Vec<Met> {
    network.lay(paths);
    let ips = || paths.iter().map(|(ip, _)| *ip);
    let real = Loop::new().unwrap().block_on(datagrams(ips()));
    let world = World::new(7);
    paths.iter().for_each(|(ip, path)| lay(&world, *ip, *path));
    assert_eq!(real, world.run(datagrams(ips())), "the system, and a world");
    real
}

/// The kinds of errors, in order of the calls.
type Met = [Option<ErrorKind>; 3];

async fn datagrams(to: impl Iterator<Item = IpAddr>) -> Vec<Met> {
    let mut all = Vec::new();
    for ip in to {
        let any: IpAddr = match ip {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).await.unwrap();
        let connected = socket.connect((ip, PORT)).await;
        let sent = if connected.is_ok() {
            socket.send(b"anybody?").await
        } else {
            socket.send_to(b"anybody?", (ip, PORT)).await
        };
        let waited = timeout(Duration::from_millis(50), socket.recv(&mut [0; 8])).await;
        let waited = waited.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
        let kind = |error: io::Error| error.kind();
        all.push([connected.err().map(kind), sent.err().map(kind), waited.err().map(kind)]);
    }
    all
}

fn resolver(scene: &Scene) -> Resolver {
    Resolver::fixed([(NAME, scene.paths.iter().map(|(ip, _)| *ip).collect::<Vec<_>>())])
}

fn dialled(result: io::Result<DialReport>) -> Dialled {
    result.map_err(|error| {
        let report = DialReport::of(&error).unwrap_or_else(|| panic!("without a report: {error}"));
        (report.clone(), error.kind())
    })
}

const NAME: &str = "many.example";
/// Where the network is the test's own, any port is free.
pub(crate) const PORT: u16 = 7000;
