//! Dialling: by name and address, with everything that can be asked for, dropped at every point.
use crate::alone::{alone, descriptors};
use crate::drop_points::axe::{Axe, Habit};
use crate::everywhere;
use crate::stage::{config, has_v6, listen, listen_in, poll_once, run, settle, take};
use reseau::dial::{DialReport, News, Outcome};
use reseau::dns::{Answer, Families};
use reseau::error::{Class, Operation, Phase};
use reseau::{
    Endpoint, Error, Inet, Kind, Loop, Resolver, Socket, TcpListener, TcpStream, connect, kind, opt,
};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

everywhere!(
    a_dial_reaches_who_listens,
    options_are_set_and_the_socket_is_bound_before,
    what_cannot_be_dialled_says_why,
    all_refused_is_an_error_with_a_report,
    a_watcher_hears_every_step,
    #[cfg(target_os = "linux")]
    who_does_not_answer_is_overtaken,
    #[cfg(target_os = "linux")]
    one_deadline_holds_for_all,
    #[cfg(unix)]
    paths_are_dialled,
    #[cfg(target_os = "linux")]
    dropping_a_race_closes_every_socket,
    each_point_of_a_dial,
    each_point_of_a_dial_and_then_a_pause,
);

mod of_kernels {
    use super::*;
    crate::on_kernels!(a_stuck_resolver_holds_nobody);

    /// What never returns is forgotten: by who waited for it, by the loop, and by its end.
    fn a_stuck_resolver_holds_nobody(kind: Kind) {
        let stuck = Resolver::from_fn(|query| match query.name() {
            "stuck.internal" => loop {
                std::thread::park();
            },
            _ => Ok(Answer::new([V4])),
        });
        run(kind, async {
            let (_listener, addr) = listen().await;
            let limit = Duration::from_millis(40);
            let to = ("stuck.internal", addr.port());
            let error = connect(to).resolver(&stuck).limit(limit).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert_eq!(Error::of(&error).unwrap().phase(), Some(Phase::Name));
            let report = DialReport::of(&error).unwrap();
            assert!(report.total() >= limit && report.attempts().is_empty(), "{report}");
            // Others are not held up.
            connect(("db.internal", addr.port())).resolver(&stuck).await.unwrap();
        });
    }
}

const V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

fn knows(name: &str, addrs: &[IpAddr]) -> Resolver {
    Resolver::fixed([(name, addrs.to_vec())])
}

fn a_dial_reaches_who_listens(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let port = addr.port();
        let named = knows("db.internal", &[V4]);
        let (one, report) =
            connect(("db.internal", port)).resolver(&named).with_report().await.unwrap();
        let two = TcpStream::dial(format!("tcp://localhost:{port}")).await.unwrap();
        let three = connect(Endpoint::from(addr)).await.unwrap();
        let four = connect(format!(":{port}").as_str()).await.unwrap();
        let five = connect(addr).via_nobody().await.unwrap();
        for (number, mut client) in [one, two.into(), three, four, five].into_iter().enumerate() {
            let (mut server, peer) = listener.accept().await.unwrap();
            assert_eq!(client.local_addr().unwrap().inet(), Some(peer), "in order");
            client.send(vec![number as u8]).await.unwrap();
            assert_eq!(take(&mut server, 1).await, [number as u8]);
        }
        assert_eq!(report.target(), format!("db.internal:{port}"));
        assert_eq!(report.won().unwrap().addr().inet(), Some(addr));
        let families: Vec<_> = report.lookups().iter().map(|it| it.addrs().len()).collect();
        assert_eq!(families, [0, 1], "AAAA, then A");
        let text = report.to_string();
        assert!(text.contains(&format!("connected to {addr} in ")), "{text}");
    });
}

/// A word that changes nothing, so that every kind of call is made on every kind of target.
trait Nobody {
    fn via_nobody(self) -> Self;
}

impl Nobody for reseau::Connect {
    fn via_nobody(self) -> Self {
        let far = std::time::Instant::now() + Duration::from_secs(1 << 20);
        self.limit(Duration::from_secs(600)).deadline(far).fast_open(false)
    }
}

fn options_are_set_and_the_socket_is_bound_before(kind: Kind) {
    run(kind, async {
        let (listener, addr) = listen().await;
        let to = ("db.internal", addr.port());
        let both = knows("db.internal", &[V6, V4]);
        let dial = || connect(to).resolver(&both);
        let here = SocketAddr::new(V4, 0);
        let (stream, report) = dial()
            .bind(here)
            .set(opt::Nodelay(true))
            .set(opt::KeepAlive(true))
            .with_report()
            .await
            .unwrap();
        let stream: TcpStream = stream.try_into().unwrap();
        assert!(stream.nodelay().unwrap());
        let opt::KeepAlive(on) = stream.get().unwrap();
        assert!(on);
        let (_server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.ip(), V4);
        // IPv6 was not even asked for: nobody can connect there from here.
        assert_eq!(report.lookups().len(), 1);
        // An address that is not ours.
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], addr.port()));
        let error = dial().bind(elsewhere).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
        assert!(error.to_string().contains(&format!("bind {elsewhere}: ")), "{error}");
        // An option that the kernel refuses ends the attempt, and says which it was.
        let error = dial().bind(here).set(opt::Ttl(0)).await.unwrap_err();
        assert!(error.to_string().contains("Ttl"), "{error}");
        let error = dial().bind(here).families(Families::V6Only).await.unwrap_err();
        assert!(error.to_string().contains("family"), "{error}");
        // Whether the system has fast open or not, there is a connection in the end.
        let mut stream = dial().bind(here).fast_open(true).await.unwrap();
        stream.send("x").await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        assert_eq!(take(&mut server, 1).await, *b"x");
    });
}

fn what_cannot_be_dialled_says_why(kind: Kind) {
    run(kind, async {
        for (to, kind, said) in [
            ("tls://example.com:443", ErrorKind::Unsupported, "connect tls://example.com:443: "),
            ("udp://127.0.0.1:53", ErrorKind::Unsupported, "UdpSocket"),
            ("fd:3", ErrorKind::Unsupported, "connect fd:3: "),
            ("npipe:x", ErrorKind::Unsupported, "named pipes"),
            ("example.com:99999", ErrorKind::InvalidInput, "65535"),
            ("example.com", ErrorKind::InvalidInput, "connect: endpoint \"example.com\": "),
            ("[::1%no-such-zone]:80", ErrorKind::NotFound, "no-such-zone"),
            (
                "127.0.0.1:no-such-thing",
                ErrorKind::NotFound,
                "no-such-thing: name: no such service",
            ),
        ] {
            let error = connect(to).await.unwrap_err();
            assert!(error.to_string().contains(said), "{to}: {error}");
            assert_eq!(error.kind(), kind, "{to}: {error}");
            assert_eq!(Error::of(&error).unwrap().operation(), Operation::Connect);
        }
        // Names that are none, or not there.
        let nobody = knows("a.example", &[]);
        for (to, said) in [
            ("b.example:80", "connect b.example:80: name: no such name"),
            ("a.example:80", "connect a.example:80: name: the name has no address"),
        ] {
            let error = connect(to).resolver(&nobody).await.unwrap_err();
            assert!(error.to_string().starts_with(said), "{error}");
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert_eq!(Error::of(&error).unwrap().phase(), Some(Phase::Name));
            let report = DialReport::of(&error).unwrap();
            assert_eq!((report.lookups().len(), report.attempts().len()), (2, 0));
            assert!(report.lookups().iter().all(|lookup| lookup.error().is_some()));
        }
        let error = TcpStream::dial("unix:/run/x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

fn all_refused_is_an_error_with_a_report(kind: Kind) {
    run(kind, async {
        // Bound and deaf, so that nobody else can listen there meanwhile.
        let deaf = Socket::<Inet, kind::Stream>::new().unwrap();
        deaf.bind(SocketAddr::new(V4, 0)).unwrap();
        let addr = deaf.local_addr().unwrap();
        let both = knows("db.internal", &[V4, V6]);
        let error = connect(("db.internal", addr.port())).resolver(&both).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let told = Error::of(&error).unwrap();
        assert_eq!(told.attempts().len(), 2);
        assert_eq!(told.attempts()[0].addr().inet().unwrap().ip(), V6, "IPv6 first");
        assert_eq!(told.peer_addr().unwrap().inet(), Some(addr), "the last of them");
        let text = error.to_string();
        let start = format!("connect db.internal:{}: connection refused", addr.port());
        assert!(text.starts_with(&start), "{text}");
        assert!(text.contains(&format!("({addr}; 2 addresses tried)")), "{text}");
        let report = DialReport::of(&error).unwrap();
        assert!(report.won().is_none());
        assert!(report.attempts().iter().all(|attempt| attempt.error().is_some()));
    });
}

fn a_watcher_hears_every_step(kind: Kind) {
    run(kind, async {
        let (_listener, addr) = listen().await;
        let both = knows("db.internal", &[V4, V6]);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = heard.clone();
        let dial = connect(("db.internal", addr.port())).resolver(&both);
        dial.watch(move |news| told.lock().unwrap().push(news.clone())).await.unwrap();
        let heard = heard.lock().unwrap();
        let running = |outcome: &Outcome| matches!(outcome, Outcome::Running);
        let steps = heard.iter().map(|news| match news {
            News::Lookup(it) => (0, running(it.outcome())),
            News::Attempt(it) => (1, running(it.outcome())),
            _ => (2, false),
        });
        let steps: Vec<_> = steps.collect();
        let (begins, ends) = (true, false);
        assert_eq!(steps[..2], [(0, begins), (0, begins)], "{heard:?}");
        assert_eq!(steps[2..4], [(0, ends), (0, ends)]);
        // IPv6 is refused, so IPv4 follows.
        assert_eq!(steps[4..], [(1, begins), (1, ends), (1, begins), (1, ends)]);
        let (why, refused) = (heard[5].to_string(), ["refused", "assign requested address"]);
        assert!(refused.iter().any(|how| why.contains(how)), "{why}");
        assert!(heard[7].to_string().ends_with("connected"), "{}", heard[7]);
    });
}

/// Somebody who listens, but does not answer: whose queue is full.
pub(crate) async fn busy(ip: IpAddr, port: u16) -> (TcpListener, Vec<TcpStream>) {
    let addr = SocketAddr::new(ip, port);
    let socket = Socket::<Inet, kind::Stream>::for_addr(&addr).unwrap();
    socket.bind(addr).unwrap();
    let listener = socket.listen(1).unwrap();
    let mut guests = Vec::new();
    while guests.len() < 8 {
        let dial = TcpStream::connect(addr);
        // Linux takes one more than it was told, however busy it is.
        let sure = cfg!(target_os = "linux") && guests.len() < 2;
        let limit = if sure { 30_000 } else { 60 };
        match reseau::timeout(Duration::from_millis(limit), dial).await {
            Ok(guest) => guests.push(guest.unwrap()),
            Err(_) => return (listener, guests),
        }
    }
    panic!("the queue takes everybody");
}

#[cfg(target_os = "linux")]
fn who_does_not_answer_is_overtaken(kind: Kind) {
    run(kind, async {
        if !has_v6().await {
            return;
        }
        let (listener, addr) = listen().await;
        let _busy = busy(V6, addr.port()).await;
        let both = knows("db.internal", &[V4, V6]);
        let dial = connect(("db.internal", addr.port())).resolver(&both);
        let delay = Duration::from_millis(80);
        let (mut stream, report) = dial.attempt_delay(delay).with_report().await.unwrap();
        let [first, second] = report.attempts() else { panic!("{report}") };
        assert_eq!(first.addr().inet().unwrap().ip(), V6);
        assert!(matches!(first.outcome(), Outcome::Running), "{report}");
        assert!(first.duration() >= delay && second.start() - first.start() >= delay, "{report}");
        assert!(matches!(second.outcome(), Outcome::Done));
        let (mut server, _) = listener.accept().await.unwrap();
        stream.send("x").await.unwrap();
        assert_eq!(take(&mut server, 1).await, *b"x");
    });
}

/// Two attempts are under way, to people who do not answer, when the dial is given up; or one has
/// won while the other still is.
#[cfg(target_os = "linux")]
fn dropping_a_race_closes_every_socket(kind: Kind) {
    alone!(kind, dropping_a_race_closes_every_socket);
    run(kind, async move {
        let (listener, addr) = listen_in(31).await;
        let port = addr.port();
        let (one, other) = ([127, 0, 0, 32].into(), [127, 0, 0, 33].into());
        let _busy = (busy(one, port).await, busy(other, port).await);
        settle().await;
        let before = descriptors();
        let delay = Duration::from_millis(10);
        for _ in 0..4 {
            let dead = knows("db.internal", &[one, other]);
            let dial = connect(("db.internal", port)).resolver(&dead).attempt_delay(delay);
            let begun = Arc::new(Mutex::new(0));
            let told = begun.clone();
            let dial = dial.watch(move |news| {
                *told.lock().unwrap() += usize::from(matches!(news, News::Attempt(_)));
            });
            let dial = reseau::timeout(Duration::from_millis(40), dial.into_future());
            assert!(dial.await.is_err(), "nobody answers");
            assert_eq!(*begun.lock().unwrap(), 2, "attempts");
            let alive = knows("db.internal", &[one, addr.ip()]);
            let dial = connect(("db.internal", port)).resolver(&alive).attempt_delay(delay);
            let (stream, report) = dial.with_report().await.unwrap();
            assert_eq!(report.attempts().len(), 2, "{report}");
            drop((stream, listener.accept().await.unwrap()));
        }
        for _ in 0..100 {
            settle().await; // A ring closes when the kernel has let go.
            if descriptors() <= before {
                return;
            }
        }
        panic!("{} descriptors were {before}", descriptors());
    });
}

#[cfg(target_os = "linux")]
fn one_deadline_holds_for_all(kind: Kind) {
    run(kind, async {
        let (_listener, addr) = listen().await;
        let port = addr.port();
        let ip = IpAddr::from([127, 0, 0, 77]);
        let _busy = busy(ip, port).await;
        let named = knows("db.internal", &[ip]);
        let limit = Duration::from_millis(50);
        let began = reseau::clock::now();
        let dial = connect(("db.internal", port)).resolver(&named).limit(limit);
        let error = dial.await.unwrap_err();
        let took = reseau::clock::now() - began;
        assert!(took >= limit, "{took:?}");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert_eq!(reseau::error::class_of(&error), Class::Timeout);
        let start = format!("connect db.internal:{port}: the deadline has passed ({ip}:{port})");
        assert!(error.to_string().starts_with(&start), "{error}");
        let report = DialReport::of(&error).unwrap();
        assert!(matches!(report.attempts()[0].outcome(), Outcome::Running), "{report}");
        // A deadline that is over is over for all; who is there at once is never late.
        let past = reseau::clock::now();
        settle().await;
        let error = connect(("db.internal", port)).resolver(&named).deadline(past).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

#[cfg(unix)]
fn paths_are_dialled(kind: Kind) {
    run(kind, async {
        let dir = std::env::temp_dir().join(format!("reseau-dial-{kind}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("socket");
        let listener = reseau::UnixListener::bind(&path).unwrap();
        let to = format!("unix:{}", path.display());
        let (mut stream, report) = connect(to.as_str()).with_report().await.unwrap();
        assert_eq!(report.won().unwrap().addr().to_string(), to);
        let (mut server, _) = listener.accept().await.unwrap();
        stream.send("x").await.unwrap();
        assert_eq!(take(&mut server, 1).await, *b"x");
        // What only TCP has.
        let error = connect(to.as_str()).set(opt::Nodelay(true)).await;
        if kind != Kind::Sim {
            assert!(error.unwrap_err().to_string().contains("Nodelay"));
        }
        let error = connect("unix:/nowhere/at/all").await.unwrap_err();
        assert!(DialReport::of(&error).is_some_and(|report| report.attempts().len() == 1));
        drop((listener, stream, server));
        std::fs::remove_dir_all(&dir).unwrap();
    });
}

/// A name whose answers take a while, in every kind of world.
fn slow() -> Resolver {
    Resolver::from_fn(|query| {
        std::thread::sleep(Duration::from_micros(300));
        let ips = [V4, V6].into_iter().filter(|ip| ip.is_ipv4() == (query.family() == FOUR));
        Ok(Answer::new(ips))
    })
}

const FOUR: reseau::dns::IpFamily = reseau::dns::IpFamily::V4;

async fn play(axe: &Axe, resolver: &Resolver) {
    let (listener, addr) = listen().await;
    for number in 0..3u8 {
        let mut client = axe
            .over(async || {
                let dial = connect(("db.internal", addr.port())).resolver(resolver);
                dial.limit(Duration::from_secs(60)).await.unwrap()
            })
            .await;
        client.send(vec![number]).await.unwrap();
        let from = client.local_addr().unwrap().inet().unwrap();
        loop {
            let (mut server, peer) = listener.accept().await.unwrap();
            if peer == from {
                assert_eq!(take(&mut server, 1).await, [number]);
                break;
            }
            // One that was given up: it has ended, one way or the other.
            assert!(!matches!(server.recv().await, Ok(Some(_))));
        }
    }
}

fn each_point(kind: Kind, habit: Habit) {
    let resolver = slow();
    let play = |axe: Axe| {
        let lp = Loop::with(&config(kind)).unwrap();
        let axe = Rc::new(axe);
        lp.block_on(play(&axe, &resolver));
        drop(lp);
        Rc::into_inner(axe).unwrap()
    };
    run(kind, settle()); // Whatever is made once and kept.
    let before = descriptors();
    let whole = play(Axe::never());
    assert!(whole.points() >= 6, "it waits {} times only", whole.points());
    let mut number = 0;
    loop {
        let axe = play(Axe::at(number, habit));
        assert_eq!(at_rest(before), before, "after point {number}");
        if axe.falls() == 0 && number >= whole.points() {
            break;
        }
        number += 1;
    }
    // A dial that was begun, and is dropped in the middle of everything.
    run(kind, async {
        let (_listener, addr) = listen().await;
        for _ in 0..20 {
            let dial = connect(("db.internal", addr.port())).resolver(&resolver);
            assert!(poll_once(dial.into_future()).await.is_none());
            settle().await;
        }
    });
    assert_eq!(at_rest(before), before);
}

/// How many descriptors there are, once those who answer have let go: whoever is just waking us
/// from another thread still holds the loop, and what that is woken by.
fn at_rest(before: usize) -> usize {
    for _ in 0..500 {
        if descriptors() == before {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    descriptors()
}

fn each_point_of_a_dial(kind: Kind) {
    alone!(kind, each_point_of_a_dial);
    each_point(kind, Habit::AtOnce);
}

fn each_point_of_a_dial_and_then_a_pause(kind: Kind) {
    alone!(kind, each_point_of_a_dial_and_then_a_pause);
    each_point(kind, Habit::AfterAPause);
}
