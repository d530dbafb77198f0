//! Timeouts, names, and the words that a type of socket is made of.
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::Mutex;
use std::time::Duration;

use reseau::sockets::mojo::{
    AF_INET, AF_INET6, AF_UNIX, AI_CANONNAME, AI_NUMERICHOST, AI_PASSIVE, Connection, Current,
    IPv4Addr, IPv6Addr, LOCAL, SOCK_DGRAM, SOCK_STREAM, SockFamily, SockPlatform, SockProtocol,
    SockType, Socket, SocketInterface, TCP, UDP, UnixAddr,
};

use crate::watched;

#[test]
fn a60_gethostname() {
    let name = Socket::gethostname().unwrap();
    assert!(!name.is_empty() && !name.contains('\0'), "{name:?}");
    #[cfg(target_os = "linux")]
    if let Ok(kernels) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        assert_eq!(name, kernels.trim_end());
    }
}

#[test]
fn a62_gethostbyaddr() {
    watched(|| {
        let nobody = IPv4Addr::new([192, 0, 2, 1], 0); // RFC 5737
        assert_eq!(Socket::gethostbyaddr(nobody), None);
        if let Some(name) = Socket::gethostbyaddr(IPv4Addr::new([127, 0, 0, 1], 80)) {
            assert!(Socket::gethostbyname(&name).is_some(), "{name}");
        }
    });
}

#[test]
fn a63_getservbyname() {
    assert_eq!(Socket::getservbyname("http", TCP), Some(80));
    assert_eq!(Socket::getservbyname("HTTPS", TCP), Some(443));
    assert_eq!(Socket::getservbyname("syslog", UDP), Some(514));
    assert_eq!(Socket::getservbyname("shell", TCP), Some(514), "the protocol decides");
    for nobody in ["", "no-such-thing", "80", "a\0b"] {
        assert_eq!(Socket::getservbyname(nobody, TCP), None, "{nobody:?}");
    }
}

#[test]
fn a61_gethostbyname() {
    watched(|| {
        assert_eq!(Socket::gethostbyname("127.0.0.1").unwrap().to_string(), "127.0.0.1:0");
        assert!(Socket::gethostbyname("localhost").unwrap().host.is_loopback());
        let long = "a".repeat(300);
        for nobody in ["", "no\0body", &long] {
            assert_eq!(Socket::gethostbyname(nobody), None, "{nobody:?}");
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a64_the_default_timeout_is_the_process_own() {
    crate::alone("mojo::words::a64_the_default_timeout_is_the_process_own", || {
        assert_eq!(Socket::getdefaulttimeout(), None);
        let before = Socket::create_server(("127.0.0.1", 0)).unwrap();
        assert!(Socket::setdefaulttimeout(Some(0.02)));
        for wrong in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(!Socket::setdefaulttimeout(Some(wrong)));
        }
        assert_eq!(Socket::getdefaulttimeout(), Some(0.02));
        let server = Socket::create_server(("127.0.0.1", 0)).unwrap();
        assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::TimedOut);
        // Accepted ones have it too; one that was there before does not.
        let _client = Socket::create_connection(before.getsockname().unwrap()).unwrap();
        let (conn, _) = before.accept().unwrap();
        assert_eq!(conn.recv(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(Socket::setdefaulttimeout(None));
        assert_eq!(Socket::getdefaulttimeout(), None);
    });
}

#[test]
fn a65_a_timeout_is_for_every_call() {
    watched(|| {
        let server = Socket::create_server(("127.0.0.1", 0)).unwrap();
        assert!(server.settimeout(Some(0.02)));
        assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::TimedOut);
        let client = Socket::create_connection(server.getsockname().unwrap()).unwrap();
        let (conn, _) = server.accept().unwrap();
        assert!(conn.settimeout(Some(0.02)));
        assert_eq!(conn.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
        client.send(b"x").unwrap();
        assert_eq!(conn.recv(&mut [0; 8]).unwrap(), 1, "it can be used on");
        let error = loop {
            if let Err(error) = conn.send(&[0; 65536]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(conn.settimeout(Some(0.0)));
        assert_eq!(conn.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        for wrong in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(!conn.settimeout(Some(wrong)));
        }
        let connection = Connection { timeout: Some(0.02), ..Connection::default() };
        let address = server.getsockname().unwrap();
        let late = Socket::create_connection_with(address, connection).unwrap();
        let error = late.recv(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "it holds after connecting, too");
        assert!(conn.settimeout(None));
        drop(client);
        assert!(matches!(conn.recv(&mut [0; 8]), Ok(0) | Err(_)), "it waits again, for the end");
    });
}

#[test]
fn a66_getaddrinfo() {
    watched(|| {
        let found = Socket::getaddrinfo(("localhost", 80), AI_CANONNAME).unwrap();
        let (family, kind, protocol, name, addr) = &found[0];
        assert_eq!((*family, *kind, *protocol), (AF_INET, SOCK_STREAM, TCP));
        assert_eq!((name.as_str(), addr.port, addr.host.is_loopback()), ("localhost", 80, true));
        let addr_of = |address, flags| Socket::getaddrinfo(address, flags).map(|all| all[0].4);
        assert!(addr_of(("", 1), AI_PASSIVE).unwrap().host.is_unspecified());
        assert!(addr_of(("", 1), 0).unwrap().host.is_loopback());
        assert_eq!(
            addr_of(("192.0.2.1", 9), AI_NUMERICHOST).unwrap(),
            IPv4Addr::new([192, 0, 2, 1], 9)
        );
        for (host, flags) in [("localhost", AI_NUMERICHOST), ("127.0.0.1", 1 << 20), ("::1", 0)] {
            let error = addr_of((host, 1), flags).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{host}: {error}");
        }
    });
}

#[test]
fn a72_families_types_protocols_and_addresses_are_types() {
    assert_eq!((AF_INET::NUMBER, SOCK_STREAM::NUMBER, TCP::NUMBER), (2, 1, 6));
    assert_eq!((format!("{AF_INET:?}"), TCP::NAME), ("AF_INET".to_owned(), "tcp"));
    assert_eq!(IPv4Addr::new([127, 0, 0, 1], 80).to_string(), "127.0.0.1:80");
    let scoped = IPv6Addr { host: "fe80::1".parse().unwrap(), port: 80, scope: 3 };
    assert_eq!(scoped.to_string(), "[fe80::1%3]:80");
}

/// A platform of our own: everybody who connects is answered in upper case.
struct Shouting;

struct Shout {
    came: Mutex<Vec<u8>>,
    left: Mutex<u32>,
}

impl SockPlatform<AF_INET, SOCK_STREAM, TCP, IPv4Addr> for Shouting {
    type Socket = Shout;
}

impl SocketInterface<IPv4Addr> for Shout {
    fn open() -> io::Result<Self> {
        Ok(Self { came: Mutex::default(), left: Mutex::new(2) })
    }

    fn setsockopt(&self, _: i32, _: i32, _: i32) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn bind(&self, _: &IPv4Addr) -> io::Result<()> {
        Ok(())
    }

    fn listen(&self, backlog: u32) -> io::Result<()> {
        assert_ne!(backlog, 0);
        Ok(())
    }

    fn connect(&self, _: &IPv4Addr) -> io::Result<()> {
        Ok(())
    }

    fn accept(&self) -> io::Result<(Self, IPv4Addr)> {
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(1).ok_or(ErrorKind::NotConnected)?;
        Ok((Self::open()?, IPv4Addr::new([192, 0, 2, 1], 7)))
    }

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.came.lock().unwrap().extend(buf.to_ascii_uppercase());
        Ok(buf.len())
    }

    fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut came = self.came.lock().unwrap();
        let count = buf.len().min(came.len());
        buf[..count].copy_from_slice(&came[..count]);
        came.drain(..count);
        Ok(count)
    }

    fn settimeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn getsockname(&self) -> io::Result<IPv4Addr> {
        Ok(IPv4Addr::new([192, 0, 2, 2], 1))
    }

    fn shutdown(&self, _: Shutdown) -> io::Result<()> {
        Ok(())
    }

    fn is_open(&self) -> bool {
        *self.left.lock().unwrap() > 0
    }
}

#[test]
fn a43_a_platform_of_ones_own_can_be_injected() {
    watched(|| {
        type Mine = Socket<AF_INET, SOCK_STREAM, TCP, IPv4Addr, Shouting>;
        let socket = Mine::new().unwrap();
        socket.send_all(b"hello").unwrap();
        let mut buf = [0; 8];
        assert_eq!(socket.recv(&mut buf).unwrap(), 5);
        assert_eq!(&buf[..5], b"HELLO");
        socket.listen(0).unwrap();
        let handler = |conn: Mine, addr: IPv4Addr| {
            assert_eq!(addr.port, 7);
            conn.send_all(b"x").unwrap();
        };
        let served = reseau::sockets::mojo::Pool::with_workers(2).starmap(handler, socket);
        assert_eq!(served.unwrap(), 2);
    });
}

/// A constant of one's own wins over one of a trait, but only where its bounds hold.
struct Asked<T>(std::marker::PhantomData<T>);

trait Lacking {
    const HAS: bool = false;
}

impl<T> Lacking for Asked<T> {}

macro_rules! has {
    ($family:ty, $kind:ty, $protocol:ty, $addr:ty) => {{
        struct Here;
        impl<T: SockPlatform<$family, $kind, $protocol, $addr>> Asked<(T, Here)> {
            #[allow(dead_code)] // Where the bounds do not hold.
            const HAS: bool = true;
        }
        <Asked<(Current, Here)>>::HAS
    }};
}

#[test]
fn a42_what_a_platform_lacks_does_not_compile() {
    assert!(has!(AF_INET, SOCK_STREAM, TCP, IPv4Addr));
    assert!(has!(AF_INET6, SOCK_DGRAM, UDP, IPv6Addr));
    assert!(has!(AF_UNIX, SOCK_STREAM, LOCAL, UnixAddr));
    assert!(!has!(AF_INET, SOCK_STREAM, UDP, IPv4Addr), "a stream of UDP");
    assert!(!has!(AF_INET, SOCK_STREAM, TCP, IPv6Addr), "an address of another family");
    assert!(!has!(AF_UNIX, SOCK_STREAM, TCP, UnixAddr), "TCP over paths");
}
