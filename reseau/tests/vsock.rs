//! vsock: what can be shown on a machine that has the device and, it may be, nobody at its other
//! end. Where there is no device, each test says so and ends.
#![cfg(all(feature = "async", any(target_os = "linux", target_os = "android")))]

use reseau::error::Operation;
use reseau::{
    Addr, Config, Error, Family, Kind, Loop, Vsock, VsockAddr, VsockListener, VsockStream,
    blocking, clock, sim,
};
use std::io::{self, ErrorKind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[path = "watchdog/mod.rs"]
mod watchdog;
use watchdog::{say, watched};

/// Runs `test` where there are such sockets, or says why not.
fn with_device(name: &'static str, test: fn()) {
    match blocking::VsockListener::bind(VsockAddr::ANY, VsockAddr::PORT_ANY) {
        Ok(_) => watched(name, move || {
            // One after the other: they count the descriptors of the whole process.
            let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            test();
        }),
        Err(error) => say(&format!("skipped: {name}: {error}")),
    }
}

/// Runs `test` on each driver that works here.
fn on_each(test: impl AsyncFn()) {
    for kind in [Kind::Uring, Kind::Ready] {
        let config = Config { kind: Some(kind), ..Config::default() };
        if let Ok(lp) = Loop::with(&config) {
            lp.block_on(test());
        }
    }
}

/// How many sockets this process has.
fn sockets() -> usize {
    let table = std::fs::read_dir("/proc/self/fd").expect("Linux shows a process its descriptors");
    let links = table.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// Waits until what was given up has been closed: some drivers need a turn for it.
async fn settled(before: usize) -> usize {
    for _ in 0..500 {
        if sockets() <= before {
            break;
        }
        reseau::sleep(Duration::from_millis(10)).await;
    }
    sockets()
}

/// A machine that nobody has.
fn nobody() -> VsockAddr {
    VsockAddr::new(4_000_000_000, 1024)
}

#[track_caller]
fn late(error: &io::Error) {
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let told = Error::of(error).expect("an error of this crate");
    assert_eq!(told.operation(), Operation::Connect);
    assert_eq!(told.peer_addr(), Some(&Addr::from(nobody())));
    assert!(error.to_string().contains("vsock:4000000000:1024"), "{error}");
}

#[test]
fn a_listener_gets_its_port() {
    with_device("a_listener_gets_its_port", || {
        on_each(async || {
            let any = VsockListener::bind(VsockAddr::ANY, VsockAddr::PORT_ANY).unwrap();
            let addr = any.local_addr().unwrap();
            assert_eq!(addr.cid(), VsockAddr::ANY);
            assert!(addr.port() > 1023 && addr.port() != VsockAddr::PORT_ANY);
            let shown = format!("{any:?}");
            assert!(shown.starts_with("VsockListener {") && shown.contains("vsock:"), "{shown}");
            let taken = VsockListener::bind_addr(addr).unwrap_err();
            assert_eq!(taken.kind(), ErrorKind::AddrInUse, "{taken}");
            let told = Error::of(&taken).unwrap();
            assert_eq!(told.local_addr(), Some(&Addr::from(addr)));
            let elsewhere = VsockListener::bind(nobody().cid(), addr.port()).unwrap_err();
            assert_eq!(elsewhere.kind(), ErrorKind::AddrNotAvailable, "{elsewhere}");
            let nothing = reseau::timeout(Duration::from_millis(10), any.accept()).await;
            assert!(nothing.is_err(), "nobody connects");
            drop(any);
            // A listener that nobody waits for any more is closed by its loop, soon.
            let again = loop {
                match VsockListener::bind_addr(addr) {
                    Err(error) if error.kind() == ErrorKind::AddrInUse => {
                        reseau::sleep(Duration::from_millis(1)).await;
                    }
                    result => break result,
                }
            };
            assert_eq!(again.unwrap().local_addr().unwrap(), addr);
        });
    });
}

#[test]
fn a_connect_to_nobody_ends_by_its_deadline_and_leaves_nothing() {
    with_device("a_connect_to_nobody_ends_by_its_deadline_and_leaves_nothing", || {
        on_each(async || {
            drop(VsockListener::bind(VsockAddr::ANY, VsockAddr::PORT_ANY).unwrap());
            reseau::sleep(Duration::from_millis(50)).await;
            let before = sockets();
            for _ in 0..10 {
                let deadline = clock::now() + Duration::from_millis(20);
                late(&VsockStream::connect_by(nobody(), deadline).await.unwrap_err());
                assert!(clock::now() >= deadline, "not before its time");
            }
            // Beside each other, and dropped half-way.
            let one = || VsockStream::connect_by(nobody(), clock::now() + SHORT);
            let many = (0..10).map(|_| reseau::spawn(one()));
            for connecting in many.collect::<Vec<_>>() {
                late(&connecting.await.unwrap().unwrap_err());
            }
            let cut = reseau::timeout(SHORT, VsockStream::connect_addr(nobody())).await;
            assert!(cut.is_err(), "ten seconds are longer");
            assert!(settled(before).await <= before, "descriptors");
        });
    });
}

#[test]
fn a_deadline_that_has_passed_connects_nobody() {
    with_device("a_deadline_that_has_passed_connects_nobody", || {
        on_each(async || {
            late(&VsockStream::connect_by(nobody(), clock::now()).await.unwrap_err());
        });
        let passed = clock::now();
        late(&blocking::VsockStream::connect_by(nobody(), passed).unwrap_err());
    });
}

#[test]
fn the_blocking_door_gives_up_too() {
    with_device("the_blocking_door_gives_up_too", || {
        let listener = blocking::VsockListener::bind(VsockAddr::ANY, VsockAddr::PORT_ANY).unwrap();
        let addr = listener.local_addr().unwrap();
        assert_eq!(addr.cid(), VsockAddr::ANY);
        let taken = blocking::VsockListener::bind_addr(addr).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse, "{taken}");
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(listener);
        blocking::VsockListener::with_backlog(addr, 1).expect("the port is free again");
        let before = sockets();
        for _ in 0..10 {
            let deadline = clock::now() + SHORT;
            late(&blocking::VsockStream::connect_by(nobody(), deadline).unwrap_err());
            assert!(clock::now() >= deadline, "not before its time");
        }
        assert!(sockets() <= before, "descriptors");
    });
}

/// A host that has no service at this port refuses; one that has no such machine is silent.
#[test]
fn a_host_without_a_service_is_an_error_and_no_stream() {
    with_device("a_host_without_a_service_is_an_error_and_no_stream", || {
        on_each(async || {
            let host = VsockAddr::new(VsockAddr::HOST, 4_000_000_000);
            for place in [host, nobody()] {
                // Long enough for the kernel's own answer.
                let deadline = clock::now() + Duration::from_secs(60);
                let error = VsockStream::connect_by(place, deadline).await.unwrap_err();
                let told = Error::of(&error).unwrap();
                assert_eq!(told.peer_addr(), Some(&Addr::from(place)));
                let code = told.os_code().expect("the kernel's answer, not our deadline's");
                assert_ne!(code, libc::EALREADY, "{error}");
            }
        });
    });
}

#[test]
fn worlds_have_no_vsock() {
    sim::World::new(7).run(async {
        let error = VsockStream::connect_addr(nobody()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        let error = VsockListener::bind(VsockAddr::ANY, 1024).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    });
}

#[test]
fn the_family_is_one_of_the_three() {
    assert_eq!(Vsock::named(Addr::from(nobody())).unwrap(), nobody());
    let inet = Addr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
    assert_eq!(Vsock::named(inet).unwrap_err().kind(), ErrorKind::InvalidInput);
}

static TURN: Mutex<()> = Mutex::new(());

/// Shorter than Linux' own two seconds, long enough for a loop to notice.
const SHORT: Duration = Duration::from_millis(50);
