//! Descriptors: lent, given away, taken over, and all closed in the end.
#[cfg(target_os = "linux")]
use crate::Closed;
use crate::{listen, tcp_pair, watched};
use reseau::blocking::{TcpListener, TcpStream, UnixListener, UnixStream};
use std::io::{Read, Write};
use std::net;

#[test]
fn sockets_go_to_any_thread_and_are_shared() {
    fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe + 'static>() {}
    shared::<TcpStream>();
    shared::<TcpListener>();
    shared::<UnixStream>();
    shared::<UnixListener>();
}

#[test]
fn std_sockets_become_ours_and_back() {
    watched(|| {
        let theirs = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = theirs.local_addr().unwrap();
        let ours = TcpListener::from(theirs);
        assert_eq!(ours.local_addr().unwrap(), addr);
        let client = TcpStream::from(net::TcpStream::connect(addr).unwrap());
        let mut server = net::TcpStream::from(ours.accept().unwrap().0);
        (&client).write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        let theirs = net::TcpListener::from(ours);
        assert_eq!(theirs.local_addr().unwrap(), addr);
    });
}

#[cfg(unix)]
#[test]
fn descriptors_are_lent_and_given() {
    use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
    fn complete<T: AsFd + AsRawFd + IntoRawFd + FromRawFd + From<OwnedFd> + Into<OwnedFd>>() {}
    complete::<TcpStream>();
    complete::<TcpListener>();
    complete::<UnixStream>();
    complete::<UnixListener>();
    watched(|| {
        let (client, mut server) = tcp_pair().unwrap();
        let number = client.as_raw_fd();
        assert_eq!(client.as_fd().as_raw_fd(), number);
        let owned = OwnedFd::from(client);
        assert_eq!(owned.as_raw_fd(), number);
        let mut client = TcpStream::from(owned);
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();

        let (one, mut other) = UnixStream::pair().unwrap();
        let mut one = std::os::unix::net::UnixStream::from(one);
        one.write_all(b"y").unwrap();
        other.read_exact(&mut [0]).unwrap();
        assert!(UnixStream::from(OwnedFd::from(one)).peer_addr().unwrap().is_unnamed());
    });
}

#[cfg(windows)]
#[test]
fn sockets_are_lent_and_given() {
    use std::os::windows::io::{AsRawSocket, AsSocket, FromRawSocket, IntoRawSocket, OwnedSocket};
    trait Complete: AsSocket + AsRawSocket + IntoRawSocket + FromRawSocket {}
    impl<T: AsSocket + AsRawSocket + IntoRawSocket + FromRawSocket> Complete for T {}
    fn complete<T: Complete + From<OwnedSocket> + Into<OwnedSocket>>() {}
    complete::<TcpStream>();
    complete::<TcpListener>();
    complete::<UnixStream>();
    complete::<UnixListener>();
    watched(|| {
        let (client, mut server) = tcp_pair().unwrap();
        let number = client.as_raw_socket();
        let owned = OwnedSocket::from(client);
        assert_eq!(owned.as_raw_socket(), number);
        let mut client = TcpStream::from(owned);
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
    });
}

#[test]
fn debug_tells_what_std_tells() {
    watched(|| {
        let name = if cfg!(windows) { "socket" } else { "fd" };
        let listener = listen();
        let addr = listener.local_addr().unwrap();
        let theirs = format!("{:?}", net::TcpListener::from(listener.try_clone().unwrap()));
        let number = theirs.rsplit(&[' ', '}']).nth(2).unwrap();
        assert_eq!(theirs, format!("TcpListener {{ addr: {addr}, {name}: {number} }}"));
        assert!(
            format!("{listener:?}").starts_with(&format!("TcpListener {{ addr: {addr}, {name}: "))
        );
        let client = TcpStream::connect(addr).unwrap();
        let here = client.local_addr().unwrap();
        let ours = format!("{client:?}");
        assert!(
            ours.starts_with(&format!("TcpStream {{ addr: {here}, peer: {addr}, {name}: ")),
            "{ours}"
        );
        // Not a copy: the very socket, so the number is the same too.
        assert_eq!(ours, format!("{:?}", net::TcpStream::from(client)));
    });
}

/// Runs alone, in a process of its own, because it counts that process' descriptors.
#[cfg(target_os = "linux")]
#[test]
fn no_descriptor_is_left_open() {
    crate::alone("descriptors::no_descriptor_is_left_open", || {
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let held = Closed::new();
        let closed = held.addr();
        let before = count();
        for _ in 0..50 {
            let (client, server) = tcp_pair().unwrap();
            drop((client.try_clone().unwrap(), client, server));
            drop(tcp_pair().unwrap().0.abort());
            TcpStream::connect(closed).unwrap_err();
            TcpStream::connect_timeout(&closed, std::time::Duration::from_secs(5)).unwrap_err();
            TcpListener::bind("192.0.2.1:0").unwrap_err();
            let taken = listen();
            TcpListener::bind(taken.local_addr().unwrap()).unwrap_err();
            UnixListener::bind("/nowhere/at/all").unwrap_err();
            UnixStream::connect("/nowhere/at/all").unwrap_err();
            drop(UnixStream::pair().unwrap());
        }
        assert_eq!(count(), before);
    });
}
