//! One dial through every door: threads, loops on each kernel interface, and a simulated world.
use crate::network::{Network, Path, listeners};
use reseau::dial::{DialReport, Outcome};
use reseau::sim::{Route, World};
use reseau::{Any, Config, Connect, Kind, Loop, Resolver, TcpListener, blocking, connect};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
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
                Path::Refuses => world.route(*ip, Route::Refused),
                Path::Silent => world.route(*ip, Route::Blackhole),
                Path::Unreachable => world.route(*ip, Route::Unreachable),
                Path::NoRoute => world.route(*ip, Route::NoRoute),
            }
        }
        by_future(scene).await
    })
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
