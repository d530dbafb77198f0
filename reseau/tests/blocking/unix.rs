//! What is the Unix domain's own.
use crate::watched;
use reseau::Error;
#[cfg(any(target_os = "linux", target_os = "android"))]
use reseau::UnixAddr;
use reseau::blocking::unix::{SocketAddr, UnixListener, UnixStream};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// A path of its own for each test, whose file goes with it.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("reseau-{}-{number}.sock", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What std's socket prints, with the number of the descriptor and not what it is made of.
#[cfg(unix)]
pub(crate) fn plain(theirs: &impl std::fmt::Debug) -> String {
    format!("{theirs:?}").replace("FileDesc(OwnedFd { fd: ", "").replace(" })", "")
}

/// False, and said so, where the system has no Unix-domain sockets (Wine, old Windows).
fn known() -> bool {
    let place = Place::new();
    match UnixListener::bind(place.path()) {
        Ok(_) => true,
        Err(error) if cfg!(windows) && error.kind() == ErrorKind::Unsupported => {
            eprintln!("skipped: {error}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn echo_over_a_path() {
    watched(|| {
        if !known() {
            return;
        }
        let place = Place::new();
        let listener = UnixListener::bind(place.path()).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(place.path()));
        let server = thread::spawn(move || {
            let (mut stream, peer) = listener.accept().unwrap();
            assert!(peer.is_unnamed());
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).unwrap();
            stream.write_all(&bytes).unwrap();
            stream.local_addr().unwrap()
        });
        let mut client = UnixStream::connect(place.path()).unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(place.path()));
        assert!(client.local_addr().unwrap().is_unnamed());
        client.write_all(b"hello").unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        assert_eq!(server.join().unwrap().as_pathname(), Some(place.path()));
    });
}

#[test]
fn paths_that_do_not_serve_are_told() {
    watched(|| {
        if !known() {
            return;
        }
        let place = Place::new();
        let missing = UnixStream::connect(place.path()).unwrap_err();
        assert!(Error::of(&missing).unwrap().peer_addr().is_some());
        if cfg!(unix) {
            assert_eq!(missing.kind(), ErrorKind::NotFound);
        }
        let listener = UnixListener::bind(place.path()).unwrap();
        let taken = UnixListener::bind(place.path()).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(Error::of(&taken).unwrap().hint().is_some());
        drop(listener);
        // The file is still there, but nobody listens.
        let stale = UnixStream::connect(place.path()).unwrap_err();
        assert_eq!(stale.kind(), ErrorKind::ConnectionRefused);
        std::fs::remove_file(place.path()).unwrap();
        UnixListener::bind(place.path()).unwrap();
    });
}

#[test]
fn names_that_cannot_be_are_invalid_input() {
    let long = "/tmp/".to_owned() + &"x".repeat(200);
    for path in [long.as_str(), "", "a\0b"] {
        for error in [UnixStream::connect(path).unwrap_err(), UnixListener::bind(path).unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}");
        }
    }
}

#[test]
fn connections_come_one_after_the_other() {
    watched(|| {
        if !known() {
            return;
        }
        let place = Place::new();
        let addr = SocketAddr::from_pathname(place.path()).unwrap();
        let listener = UnixListener::with_backlog(&addr, 5).unwrap();
        let clients = [1, 2, 3].map(|number: u8| {
            let addr = addr.clone();
            thread::spawn(move || {
                UnixStream::connect_addr(&addr).unwrap().write_all(&[number]).unwrap();
            })
        });
        let mut sum = 0;
        for stream in listener.incoming().take(2).chain((&listener).into_iter().take(1)) {
            let mut byte = [0];
            stream.unwrap().read_exact(&mut byte).unwrap();
            sum += byte[0];
        }
        assert_eq!(sum, 6);
        for client in clients {
            client.join().unwrap();
        }
        listener.set_nonblocking(true).unwrap();
        let copy = listener.try_clone().unwrap();
        assert_eq!(copy.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(listener.take_error().unwrap().is_none());
    });
}

#[cfg(unix)]
#[test]
fn a_pair_has_no_names() {
    watched(|| {
        let (one, other) = UnixStream::pair().unwrap();
        for end in [&one, &other] {
            assert!(end.local_addr().unwrap().is_unnamed());
            assert!(end.peer_addr().unwrap().is_unnamed());
        }
        let debug = format!("{one:?}");
        let theirs = std::os::unix::net::UnixStream::from(one);
        assert_eq!(debug, plain(&theirs));
    });
}

#[cfg(unix)]
#[test]
fn debug_tells_what_std_tells() {
    watched(|| {
        let place = Place::new();
        let listener = UnixListener::bind(place.path()).unwrap();
        let client = UnixStream::connect(place.path()).unwrap();
        let (ours, ours_client) = (format!("{listener:?}"), format!("{client:?}"));
        assert!(ours_client.contains("local: (unnamed), peer: \""), "{ours_client}");
        let theirs = std::os::unix::net::UnixListener::from(listener);
        let theirs_client = std::os::unix::net::UnixStream::from(client);
        assert_eq!(ours, plain(&theirs));
        assert_eq!(ours_client, plain(&theirs_client));
    });
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn abstract_names_need_no_file() {
    watched(|| {
        let name = format!("reseau blocking {}\0\x01", std::process::id());
        let addr = UnixAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        assert_eq!(listener.local_addr().unwrap(), addr);
        assert_eq!(UnixListener::bind_addr(&addr).unwrap_err().kind(), ErrorKind::AddrInUse);
        let client = UnixStream::connect_addr(&addr).unwrap();
        let (server, peer) = listener.accept().unwrap();
        assert!(peer.is_unnamed() && server.peer_addr().unwrap().is_unnamed());
        assert_eq!(client.peer_addr().unwrap().as_abstract_name(), Some(name.as_bytes()));
        drop(listener);
        let refused = UnixStream::connect_addr(&addr).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        UnixListener::bind_addr(&addr).unwrap();
    });
}

/// Linux gives a socket that is bound to no name an abstract one of its choice.
#[cfg(target_os = "linux")]
#[test]
fn an_unnamed_listener_gets_a_name() {
    watched(|| {
        let listener = UnixListener::bind_addr(&UnixAddr::unnamed()).unwrap();
        let addr = listener.local_addr().unwrap();
        assert_eq!(addr.as_abstract_name().map(<[u8]>::len), Some(5));
        UnixStream::connect_addr(&addr).unwrap();
    });
}

/// A listener whose backlog is full, and those who are in it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn crowded(path: &Path) -> (UnixListener, Vec<socket2::Socket>) {
    let name = UnixAddr::from_pathname(path).unwrap();
    let listener = UnixListener::with_backlog(&name, 1).unwrap();
    let (to, mut crowd) = (socket2::SockAddr::unix(path).unwrap(), Vec::new());
    loop {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&to) {
            Ok(()) => crowd.push(socket),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return (listener, crowd),
            Err(error) => panic!("{error}"),
        }
        assert!(crowd.len() < 100, "the backlog has no end");
    }
}

/// Linux says at once that it is full, to sockets that do not wait.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_dial_waits_for_room_in_a_full_backlog() {
    use reseau::blocking::connect;
    use std::time::Duration;
    watched(|| {
        let place = Place::new();
        let (listener, crowd) = crowded(place.path());
        let to = format!("unix:{}", place.path().display());
        let (tell, told) = std::sync::mpsc::channel();
        let dial = connect(to).watch(move |news| drop(tell.send(news.to_string())));
        let late = thread::spawn(move || dial.wait());
        told.recv().unwrap(); // It is being tried.
        thread::sleep(Duration::from_millis(20));
        assert!(!late.is_finished());
        for _ in 0..crowd.len() {
            listener.accept().unwrap();
        }
        let mut client = late.join().unwrap().unwrap();
        client.write_all(b"late").unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut bytes = [0; 4];
        server.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"late");
        listener.set_nonblocking(true).unwrap();
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::WouldBlock, "no connection was made twice");
    });
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_dial_waits_for_room_no_longer_than_its_limit() {
    use reseau::blocking::connect;
    use std::time::{Duration, Instant};
    watched(|| {
        let place = Place::new();
        let (listener, _crowd) = crowded(place.path());
        let to = format!("unix:{}", place.path().display());
        let (limit, start) = (Duration::from_millis(50), Instant::now());
        let error = connect(&*to).limit(limit).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(start.elapsed() >= limit);
        // Nor for one who has gone.
        drop(listener);
        let error = connect(&*to).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
    });
}

#[cfg(windows)]
#[test]
fn windows_has_no_pairs() {
    assert_eq!(UnixStream::pair().unwrap_err().kind(), ErrorKind::Unsupported);
}
