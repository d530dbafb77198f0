#![allow(clippy::disallowed_methods)] // Tests may sleep.
use super::*;
#[cfg(unix)]
use crate::addr::UnixAddr;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::mpsc;
use std::thread;

/// Runs `test` on a thread of its own, so that a hang becomes a failure.
fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let running = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match finished.recv_timeout(Duration::from_secs(20)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test hangs"),
        _ => running.join().unwrap(),
    }
}

/// Repeats a non-blocking call until it has something to say.
fn patiently<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
            result => return result,
        }
    }
}

fn loopback() -> (Fd, Addr) {
    let addr = Addr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let listener = Fd::open(domain(&addr).unwrap()).unwrap();
    listener.bind(&addr).unwrap();
    listener.listen(u32::MAX).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

fn read(fd: &Fd) -> io::Result<Vec<u8>> {
    let mut space = [MaybeUninit::uninit(); 64];
    let count = fd.recv(&mut space)?;
    // SAFETY: `recv` wrote to the first `count` bytes.
    let bytes = space[..count].iter().map(|byte| unsafe { byte.assume_init() });
    Ok(bytes.collect())
}

#[test]
fn everything_is_non_blocking_and_connected_ends_speak() {
    watched(|| {
        let (listener, addr) = loopback();
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let client = Fd::open(domain(&addr).unwrap()).unwrap();
        client.connect(&addr).unwrap();
        let accepted = patiently(|| listener.accept()).unwrap();
        let server = accepted.fd;
        assert_eq!(accepted.peer, client.local_addr().ok());
        assert_eq!(server.peer_addr().unwrap(), client.local_addr().unwrap());
        assert_eq!(read(&server).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(patiently(|| client.send(b"hello")).unwrap(), 5);
        assert_eq!(patiently(|| read(&server)).unwrap(), b"hello");
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(patiently(|| read(&server)).unwrap(), b"");
        assert!(client.take_error().unwrap().is_none());
    });
}

#[test]
fn options_keep_what_was_set() {
    watched(|| {
        let fd = Fd::open(Domain::IPV4).unwrap();
        for on in [true, false] {
            fd.set_nodelay(on).unwrap();
            assert_eq!(fd.nodelay().unwrap(), on);
            fd.set_keepalive(on).unwrap();
            assert_eq!(fd.keepalive().unwrap(), on);
            fd.set_reuse_address(on).unwrap();
            assert_eq!(fd.reuse_address().unwrap(), on);
        }
        fd.set_ttl(7).unwrap();
        assert_eq!(fd.ttl().unwrap(), 7);
        for linger in [Some(Duration::from_secs(3)), Some(Duration::ZERO), None] {
            fd.set_linger(linger).unwrap();
            assert_eq!(fd.linger().unwrap(), linger);
        }
        fd.set_recv_buffer_size(20_000).unwrap();
        assert!(fd.recv_buffer_size().unwrap() >= 20_000);
        fd.set_send_buffer_size(20_000).unwrap();
        assert!(fd.send_buffer_size().unwrap() >= 20_000);
        match Fd::open(Domain::IPV6).and_then(|fd| Ok((fd.set_only_v6(true)?, fd.only_v6()?))) {
            Ok(((), only)) => assert!(only),
            Err(error) => assert!(error.raw_os_error().is_some(), "{error}"),
        }
    });
}

#[test]
fn options_that_a_system_lacks_are_unsupported() {
    let fd = Fd::open(Domain::IPV4).unwrap();
    let here = |result: io::Result<()>, known: bool| match result {
        Ok(()) => assert!(known),
        Err(error) => assert!(!known && error.kind() == io::ErrorKind::Unsupported, "{error}"),
    };
    here(fd.set_reuse_port(true), cfg!(not(any(windows, target_os = "illumos"))));
    here(fd.set_quickack(true), cfg!(any(target_os = "linux", target_os = "android")));
    if cfg!(target_os = "linux") {
        assert!(fd.reuse_port().unwrap() && fd.quickack().unwrap());
        fd.set_tos(0x10).unwrap();
        assert_eq!(fd.tos().unwrap(), 0x10);
    }
}

#[test]
fn inet_addresses_survive_the_kernels_form() {
    let scoped = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 65535, 0, 9);
    for addr in [SocketAddr::from(([1, 2, 3, 4], 80)), SocketAddr::V6(scoped)] {
        let addr = Addr::from(addr);
        assert_eq!(from_sock_addr(&to_sock_addr(&addr).unwrap()).unwrap(), addr);
    }
}

#[cfg(unix)]
#[test]
fn unix_addresses_survive_the_kernels_form() {
    let mut addrs = vec![
        UnixAddr::unnamed(),
        UnixAddr::from_pathname("/tmp/a").unwrap(),
        UnixAddr::from_pathname("p".repeat(100)).unwrap(),
    ];
    if cfg!(target_os = "linux") {
        for name in [&b""[..], b"name", b"a\0b\0", &[7; 107]] {
            addrs.push(UnixAddr::from_abstract_name(name).unwrap());
        }
    }
    for addr in addrs {
        let raw = to_sock_addr(&Addr::Unix(addr.clone())).unwrap();
        assert_eq!(raw.domain(), Domain::UNIX);
        assert_eq!(from_sock_addr(&raw).unwrap(), Addr::Unix(addr));
    }
}

#[test]
fn what_is_not_served_says_so() {
    let pipe = Addr::from(crate::addr::PipeName::new("x").unwrap());
    let vsock = Addr::from(crate::addr::VsockAddr::new(2, 1024));
    let refusals = [to_sock_addr(&pipe).map(drop), domain(&pipe).map(drop)];
    for error in refusals.map(Result::unwrap_err) {
        assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("pipes"), "{error}");
    }
    if cfg!(any(target_os = "linux", target_os = "android")) {
        assert_eq!(from_sock_addr(&to_sock_addr(&vsock).unwrap()).unwrap(), vsock);
        assert!(domain(&vsock).is_ok());
    } else {
        let refusals = [to_sock_addr(&vsock).map(drop), domain(&vsock).map(drop)];
        for error in refusals.map(Result::unwrap_err) {
            assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
        }
    }
}

#[cfg(unix)]
#[test]
fn odd_lengths_of_unix_addresses_are_understood() {
    let addr = Addr::Unix(UnixAddr::from_pathname("/tmp/odd").unwrap());
    let mut raw = to_sock_addr(&addr).unwrap();
    let exact = raw.len();
    // Without the final NUL, and with the unused zeros behind it.
    for len in [exact - 1, exact, 110] {
        // SAFETY: the storage is zeroed beyond the path.
        unsafe { raw.set_length(len) };
        assert_eq!(from_sock_addr(&raw).unwrap(), addr, "{len}");
    }
    for len in [0, 1, 2] {
        // SAFETY: shorter than what is there.
        unsafe { raw.set_length(len) };
        assert_eq!(from_sock_addr(&raw).unwrap(), Addr::Unix(UnixAddr::unnamed()), "{len}");
    }
}

#[cfg(unix)]
#[test]
fn descriptors_are_closed_on_exec() {
    use std::os::fd::{AsRawFd, RawFd};
    let closes = |fd: RawFd| {
        // SAFETY: F_GETFD only reads a flag.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        flags & libc::FD_CLOEXEC != 0
    };
    watched(move || {
        let (a, b) = Fd::pair(Kind::Stream).unwrap();
        let (listener, addr) = loopback();
        let client = Fd::open(domain(&addr).unwrap()).unwrap();
        client.connect(&addr).unwrap();
        let server = patiently(|| listener.accept()).unwrap().fd;
        for fd in [a, b, listener, client, server] {
            let socket = fd.into_os().unwrap();
            assert!(closes(socket.as_raw_fd()));
            assert!(socket.nonblocking().unwrap());
        }
    });
}

#[test]
fn a_reserve_sheds_one_connection() {
    watched(|| {
        let (listener, addr) = loopback();
        let mut reserve = Reserve::new().unwrap();
        assert!(!reserve.shed(&listener));
        let client = Fd::open(domain(&addr).unwrap()).unwrap();
        client.connect(&addr).unwrap();
        while !reserve.shed(&listener) {
            thread::yield_now();
        }
        let end = patiently(|| read(&client));
        assert!(matches!(&end, Ok(bytes) if bytes.is_empty()) || end.is_err());
    });
}

#[cfg(unix)]
#[test]
fn a_closed_peer_gives_an_error_and_no_signal() {
    watched(|| {
        // SAFETY: the default action would kill the test, which is the point.
        let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let (a, b) = Fd::pair(Kind::Stream).unwrap();
        drop(b);
        assert_eq!(a.send(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let (a, b) = blocking::pair(Kind::Stream).unwrap();
        drop(b);
        let parts = [io::IoSlice::new(b"x")];
        for result in [blocking::send(&a, b"x", 0), blocking::send_vectored(&a, &parts, 0)] {
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
        // SAFETY: gives back what was there.
        unsafe { libc::signal(libc::SIGPIPE, before) };
    });
}

/// Interrupts a thread that runs `call`, again and again, until it is through.
#[cfg(unix)]
pub(crate) fn interrupting<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
    meanwhile: impl FnOnce(),
) -> T {
    extern "C" fn nothing(_signal: libc::c_int) {}
    // SAFETY: all zeros is a valid action: the default, without SA_RESTART.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing; no old action is asked for.
    let set = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    let (named, name) = mpsc::channel();
    let running = thread::spawn(move || {
        // SAFETY: it has no conditions. (musl's is a pointer, which channels do not take.)
        named.send(unsafe { libc::pthread_self() } as usize).unwrap();
        call()
    });
    let name = name.recv().unwrap();
    let interrupt = || {
        for _ in 0..20 {
            // SAFETY: the thread is not joined yet, so its name is good.
            unsafe { libc::pthread_kill(name as libc::pthread_t, libc::SIGUSR1) };
            thread::sleep(Duration::from_millis(2));
        }
    };
    interrupt();
    assert!(!running.is_finished(), "it did not wait");
    meanwhile();
    while !running.is_finished() {
        interrupt();
    }
    running.join().unwrap()
}

#[cfg(unix)]
#[test]
fn signals_do_not_end_waiting_calls() {
    watched(|| {
        let addr = Addr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listener = blocking::open(domain(&addr).unwrap(), Kind::Stream).unwrap();
        listener.bind(&to_sock_addr(&addr).unwrap()).unwrap();
        listener.listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        let connected = blocking::open(addr.domain(), Kind::Stream).unwrap();
        let copy = listener.try_clone().unwrap();
        let accepted = interrupting(
            move || blocking::accept(&copy).map(drop),
            || blocking::connect(&connected, &addr).unwrap(),
        );
        accepted.unwrap();
        if !cfg!(target_os = "linux") {
            return; // Others refuse those for whom the backlog has no room.
        }
        let unix = blocking::open(Domain::UNIX, Kind::Stream).unwrap();
        let name = format!("signals-{}", std::process::id());
        let name = UnixAddr::from_abstract_name(name).unwrap();
        unix.bind(&to_sock_addr(&Addr::from(name)).unwrap()).unwrap();
        unix.listen(0).unwrap();
        for listener in [listener, unix] {
            let addr = listener.local_addr().unwrap();
            let filler = blocking::open(addr.domain(), Kind::Stream).unwrap();
            filler.connect(&addr).unwrap();
            let late = interrupting(
                move || {
                    let socket = blocking::open(addr.domain(), Kind::Stream)?;
                    blocking::connect(&socket, &addr)?;
                    socket.peer_addr()
                },
                || drop(listener.accept().unwrap()),
            );
            late.expect("it is connected");
        }
    });
}
