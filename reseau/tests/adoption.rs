//! Descriptors from elsewhere: taken for what they are, or refused with a reason; and builders.
#![cfg(feature = "async")]

#[path = "watchdog/mod.rs"]
mod watchdog;

use reseau::{Datagram, Error, Inet, Socket, Stream, TcpListener, TcpStream, UdpSocket, kind, opt};
use std::fmt::Debug;
use std::io::{self, ErrorKind};
use watchdog::watched;

#[cfg(unix)]
use std::os::fd::OwnedFd as Owned;
#[cfg(windows)]
use std::os::windows::io::OwnedSocket as Owned;

#[track_caller]
fn refused<T: Debug>(adopted: io::Result<T>, why: &str) {
    let error = adopted.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains(why), "{error}");
    assert!(error.to_string().starts_with("adopt"), "{error}");
}

fn listener() -> std::net::TcpListener {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap()
}

fn stream() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = listener();
    let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn udp() -> std::net::UdpSocket {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap()
}

#[test]
fn what_fits_is_taken_and_given_back() {
    watched("what_fits_is_taken_and_given_back", || {
        reseau::block_on(async {
            let (one, other) = stream();
            let mut one = TcpStream::try_from(Owned::from(one)).unwrap();
            let mut other = Stream::<Inet>::try_from(Owned::from(other)).unwrap();
            one.send("hello").await.unwrap();
            assert_eq!(&*other.recv().await.unwrap().unwrap(), b"hello");
            let back = std::net::TcpStream::from(Owned::try_from(one).unwrap());
            assert_eq!(back.peer_addr().unwrap(), other.local_addr().unwrap());

            let listening = TcpListener::try_from(Owned::from(listener())).unwrap();
            let client = TcpStream::connect(listening.local_addr().unwrap()).await.unwrap();
            listening.accept().await.unwrap();
            drop(client);

            let datagrams = UdpSocket::try_from(Owned::from(udp())).unwrap();
            datagrams.send_to(b"x", datagrams.local_addr().unwrap()).await.unwrap();
            assert_eq!(datagrams.recv(&mut [0; 4]).await.unwrap(), 1);
            let back = std::net::UdpSocket::from(Owned::try_from(datagrams).unwrap());
            back.local_addr().unwrap();
        });
    });
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    watched("what_does_not_fit_is_refused_by_name", || {
        refused(TcpStream::try_from(Owned::from(udp())), "a Dgram socket, not a Stream");
        refused(TcpStream::try_from(Owned::from(listener())), "listens");
        refused(TcpListener::try_from(Owned::from(stream().0)), "does not listen");
        refused(Datagram::<Inet>::try_from(Owned::from(stream().0)), "not a Dgram");
        refused(Socket::<Inet, kind::Dgram>::try_from(Owned::from(listener())), "not a Dgram");
    });
}

#[cfg(unix)]
#[test]
fn families_are_told_apart() {
    use reseau::{Listener, Unix, UnixDatagram, UnixStream};
    watched("families_are_told_apart", || {
        let (unix, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        refused(TcpStream::try_from(Owned::from(unix)), "family");
        refused(UnixStream::try_from(Owned::from(stream().0)), "family");
        let (unix, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
        refused(UdpSocket::try_from(Owned::from(unix)), "family");
        refused(UnixDatagram::try_from(Owned::from(udp())), "family");
        refused(Listener::<Unix>::try_from(Owned::from(listener())), "family");
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = TcpStream::try_from(Owned::from(file)).unwrap_err();
        assert!(error.to_string().contains("socket"), "{error}");
    });
}

/// Whatever is refused is closed.
#[cfg(target_os = "linux")]
#[test]
fn nothing_refused_stays_open() {
    watched("nothing_refused_stays_open", || {
        use std::os::fd::AsRawFd;
        let owned = Owned::from(udp());
        let number = owned.as_raw_fd();
        let inode = |number| std::fs::read_link(format!("/proc/self/fd/{number}")).ok();
        let before = inode(number).unwrap();
        refused(TcpStream::try_from(owned), "Dgram");
        assert_ne!(inode(number), Some(before));
    });
}

#[test]
fn builders_lead_to_every_socket() {
    watched("builders_lead_to_every_socket", || {
        reseau::block_on(async {
            let any = || "127.0.0.1:0".parse().unwrap();
            let socket = Socket::<Inet>::new().unwrap();
            socket.set(opt::RecvBuffer(100_000)).unwrap();
            socket.bind(any()).unwrap();
            let listener: TcpListener = socket.listen(16).unwrap();
            let to = listener.local_addr().unwrap();
            let client = Socket::<Inet, kind::Stream>::for_addr(&to).unwrap();
            client.bind(any()).unwrap();
            let from = client.local_addr().unwrap();
            let client: TcpStream = client.connect(to).await.unwrap();
            assert_eq!(listener.accept().await.unwrap().1, from);
            drop(client);

            let one = Socket::<Inet, kind::Dgram>::new().unwrap();
            one.bind(any()).unwrap();
            let one = one.into_datagram().unwrap();
            let other = Socket::<Inet, kind::Dgram>::new().unwrap();
            let other: UdpSocket = other.connect(one.local_addr().unwrap()).unwrap();
            other.send(b"hello").await.unwrap();
            assert_eq!(one.recv(&mut [0; 8]).await.unwrap(), 5);

            // What is bound twice says where.
            let taken = Socket::<Inet, kind::Dgram>::new().unwrap();
            let error = taken.bind(one.local_addr().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            let told = Error::of(&error).unwrap();
            assert_eq!(told.local_addr(), Some(&one.local_addr().unwrap().into()));
        });
    });
}

#[cfg(target_os = "linux")]
#[test]
fn records_and_protocols_too() {
    use reseau::{Unix, UnixAddr};
    watched("records_and_protocols_too", || {
        reseau::block_on(async {
            let name = format!("reseau-adoption-{}", std::process::id());
            let addr = UnixAddr::from_abstract_name(name.as_bytes()).unwrap();
            let socket = Socket::<Unix, kind::Seqpacket>::new().unwrap();
            socket.bind(addr.clone()).unwrap();
            let listener = socket.listen(4).unwrap();
            let client = Socket::<Unix, kind::Seqpacket>::new().unwrap();
            let client = client.connect(addr).await.unwrap();
            let (server, _) = listener.accept().await.unwrap();
            client.send(b"record").await.unwrap();
            assert_eq!(server.recv(&mut [0; 16]).await.unwrap(), 6);

            // 262: MPTCP, if this kernel has it.
            match Socket::<Inet>::with_protocol(262) {
                Ok(socket) => {
                    let opt::SocketProtocol(protocol) = socket.get().unwrap();
                    assert_eq!(protocol, 262);
                }
                Err(error) => assert!(error.to_string().starts_with("open"), "{error}"),
            }
            let error = Socket::<Inet, kind::Dgram>::with_protocol(6).unwrap_err();
            assert!(error.to_string().starts_with("open"), "no datagrams over TCP: {error}");
        });
    });
}
