//! Who is there? A question to a multicast group on the loopback interface, answered by each.
use super::net::{Ipv4Addr, SocketAddr, UdpSocket};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;
use std::{collections::BTreeMap, process};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 1);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 3);

/// A port that may have several sockets, which std alone cannot ask for.
fn shared(port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_reuse_address(port != 0)?;
    socket.bind(&SocketAddr::from((GROUP, port)).into())?;
    socket.set_reuse_address(true)?;
    Ok(UdpSocket::from(OwnedFd::from(socket)))
}

struct Service {
    group: UdpSocket,
    answers: UdpSocket,
    name: &'static str,
}

impl Service {
    fn join(group: UdpSocket, name: &'static str) -> io::Result<Self> {
        group.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST)?;
        let again = group.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AddrInUse, "it has joined");
        Ok(Self { group, answers: UdpSocket::bind("127.0.0.1:0")?, name })
    }

    /// Answers until the realm is closed.
    fn run(&self, realm: &str) -> io::Result<u32> {
        let (mut buf, mut questions) = ([0; 64], 0);
        loop {
            let (n, from) = self.group.recv_from(&mut buf)?;
            match str::from_utf8(&buf[..n]).ok().and_then(|text| text.strip_prefix(realm)) {
                Some("?") => {
                    questions += 1;
                    self.answers.send_to(self.name.as_bytes(), from)?;
                }
                Some("!") => break,
                _ => {} // Somebody else's.
            }
        }
        self.group.leave_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST)?;
        Ok(questions)
    }
}

struct Seeker(UdpSocket);

impl Seeker {
    fn find(&self, to: SocketAddr, realm: &str, count: usize) -> io::Result<BTreeMap<String, u16>> {
        self.0.send_to(format!("{realm}?").as_bytes(), to)?;
        let (mut found, mut buf) = (BTreeMap::new(), [0; 64]);
        while found.len() < count {
            let (n, from) = self.0.recv_from(&mut buf)?;
            assert!(from.ip().is_loopback());
            found.insert(String::from_utf8_lossy(&buf[..n]).into_owned(), from.port());
        }
        Ok(found)
    }

    fn silence(&self) -> io::Result<()> {
        self.0.set_nonblocking(true)?;
        assert_eq!(self.0.recv(&mut [0; 64]).unwrap_err().kind(), ErrorKind::WouldBlock);
        self.0.set_nonblocking(false)
    }
}

pub(super) fn main() -> io::Result<()> {
    let realm = &*format!("{}-{:?}", process::id(), thread::current().id());
    // Bound to the loopback address, it sends there.
    let seeker = Seeker(UdpSocket::bind("127.0.0.1:0")?);
    seeker.0.set_read_timeout(Some(Duration::from_secs(20)))?;
    seeker.0.set_multicast_ttl_v4(0)?;
    assert_eq!(seeker.0.multicast_ttl_v4()?, 0, "never leaves this machine");
    assert!(seeker.0.multicast_loop_v4()?);

    let first = shared(0)?;
    let to = first.local_addr()?;
    let (printer, scanner) = (Service::join(first, "printer")?, shared(to.port())?);
    let scanner = Service::join(scanner, "scanner")?;
    thread::scope(|scope| {
        let running = [&printer, &scanner].map(|service| scope.spawn(|| service.run(realm)));
        let found = seeker.find(to, realm, 2)?;
        assert_eq!(found.keys().collect::<Vec<_>>(), ["printer", "scanner"]);
        assert_eq!(found["printer"], printer.answers.local_addr()?.port());
        assert_eq!(seeker.find(to, realm, 2)?, found);

        // Nobody is in that group.
        seeker.find(SocketAddr::from((ELSEWHERE, to.port())), realm, 0)?;
        seeker.0.send_to(format!("{realm}!").as_bytes(), to)?;
        for service in running {
            assert_eq!(service.join().unwrap()?, 2);
        }
        seeker.silence()
    })?;
    let gone = printer.group.leave_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::AddrNotAvailable);
    Ok(())
}
