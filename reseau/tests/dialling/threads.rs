//! The door for threads: the same course of a dial, with one `poll` over all sockets.
use crate::watchdog::watched;
use reseau::blocking::{Stream, TcpListener, connect};
use reseau::dial::{DialReport, Outcome};
use reseau::dns::{Answer, Families, IpFamily};
use reseau::{Error, Inet, Resolver, Socket, kind, opt};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((V4, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

fn knows(addrs: &[IpAddr]) -> Resolver {
    Resolver::fixed([("db.internal", addrs.to_vec())])
}

#[test]
fn a_thread_reaches_who_listens() {
    watched("a_thread_reaches_who_listens", || {
        let (listener, addr) = listen();
        let resolver = knows(&[V4, V6]);
        let dial = || connect(("db.internal", addr.port())).resolver(&resolver);
        let (mut client, report) = dial().set(opt::Nodelay(true)).wait_with_report().unwrap();
        assert_eq!(report.won().unwrap().addr().inet(), Some(addr), "{report}");
        let (mut server, peer) = listener.accept().unwrap();
        assert_eq!(client.local_addr().unwrap().inet(), Some(peer));
        // It waits, as sockets of this door do, and keeps deadlines.
        let soon = Instant::now() + Duration::from_millis(20);
        client.set_deadlines(Some(soon), None);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        client.set_deadlines(None, None);
        client.write_all(b"hello").unwrap();
        client.finish().unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        server.write_all(b"bye").unwrap();
        drop(server);
        let mut seen = [0; 1];
        assert_eq!(client.peek(&mut seen).unwrap(), 1);
        client.try_clone().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hellobye");
        let Stream::Tcp(tcp) = client else { panic!("not TCP") };
        assert!(tcp.nodelay().unwrap());

        let named = dial().families(Families::V4Only).bind((V4, 0)).wait().unwrap();
        assert_eq!(named.peer_addr().unwrap().inet(), Some(addr));
    });
}

/// Answers come from other threads, while attempts are under way: the bell is heard.
#[test]
fn answers_wake_a_thread_that_waits_for_sockets() {
    watched("answers_wake_a_thread_that_waits_for_sockets", || {
        let (listener, addr) = listen();
        let resolver = Resolver::from_fn(move |query| match query.family() {
            IpFamily::V4 => {
                std::thread::sleep(Duration::from_millis(60));
                Ok(Answer::new([V4]))
            }
            IpFamily::V6 => Err(ErrorKind::NotFound.into()),
        });
        let far = Duration::from_secs(3600);
        for _ in 0..5 {
            let dial = connect(("db.internal", addr.port())).resolver(&resolver);
            // Nothing but the bell could wake it.
            let (_, report) = dial.attempt_delay(far).wait_with_report().unwrap();
            assert!(report.lookups()[1].duration() >= Duration::from_millis(59), "{report}");
            listener.accept().unwrap();
        }
    });
}

#[test]
fn a_thread_hears_why_not() {
    watched("a_thread_hears_why_not", || {
        // Bound and deaf, so that nobody else can listen there meanwhile.
        let deaf = Socket::<Inet, kind::Stream>::new().unwrap();
        deaf.bind((V4, 0).into()).unwrap();
        let addr = deaf.local_addr().unwrap();
        let resolver = knows(&[V4, V6]);
        let dial = || connect(("db.internal", addr.port())).resolver(&resolver);
        let error = dial().wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(Error::of(&error).unwrap().attempts().len(), 2);
        assert_eq!(DialReport::of(&error).unwrap().lookups().len(), 2);
        let error = connect("example.com").wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = connect("tls://example.com:443").wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    });
}

/// A resolver that never returns holds nobody longer than he wants.
#[test]
fn a_deadline_ends_a_lookup() {
    watched("a_deadline_ends_a_lookup", || {
        let stuck = Resolver::from_fn(|_| {
            std::thread::park();
            unreachable!("nobody unparks it")
        });
        let limit = Duration::from_millis(50);
        let began = Instant::now();
        let dial = connect("db.internal:80").resolver(&stuck).limit(limit);
        let error = dial.wait().unwrap_err();
        assert!(began.elapsed() >= limit);
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let said = "connect db.internal:80: name: the deadline has passed";
        assert!(error.to_string().starts_with(said), "{error}");
        let report = DialReport::of(&error).unwrap();
        assert!(report.lookups().iter().all(|it| matches!(it.outcome(), Outcome::Running)));
    });
}

#[cfg(unix)]
#[test]
fn a_thread_dials_a_path() {
    watched("a_thread_dials_a_path", || {
        let dir = std::env::temp_dir().join(format!("reseau-dial-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("socket");
        let listener = reseau::blocking::UnixListener::bind(&path).unwrap();
        let mut client = connect(format!("unix:{}", path.display())).wait().unwrap();
        assert!(matches!(client, Stream::Unix(_)));
        client.write_all(b"x").unwrap();
        client.finish().unwrap();
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        std::fs::remove_dir_all(&dir).unwrap();
    });
}

/// However it ends, no descriptor stays behind.
#[cfg(target_os = "linux")]
#[test]
fn threads_leave_no_descriptors_behind() {
    use std::os::fd::AsRawFd;
    watched("threads_leave_no_descriptors_behind", || {
        let (listener, addr) = listen();
        let resolver = knows(&[V4, V6]);
        let next = || std::fs::File::open("/dev/null").unwrap().as_raw_fd();
        // Other tests open and close in this process: what counts is that it does not grow.
        let before = next();
        for _ in 0..300 {
            let port = addr.port();
            let dial = connect(("db.internal", port)).resolver(&resolver);
            let stream = dial.wait().unwrap();
            listener.accept().unwrap();
            drop(stream);
            connect(("nobody.internal", port)).resolver(&resolver).wait().unwrap_err();
            let refused = connect(("db.internal", port)).families(Families::V6Only);
            refused.resolver(&resolver).wait().unwrap_err();
        }
        assert!(next() < before + 200, "descriptors were {before} and are {}", next());
    });
}
