//! A resolver that asks again when no answer comes, and a server that loses questions.
use super::net::{Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

const FOUND: u8 = 0;
const NO_SUCH_NAME: u8 = 3;

/// A number, then the name with a length before each label.
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend_from_slice(label.as_bytes());
    }
    packet.push(0);
    packet
}

fn name_in(mut labels: &[u8]) -> String {
    let mut name = Vec::new();
    while let [length @ 1..=63, rest @ ..] = labels {
        let (label, rest) = rest.split_at(usize::from(*length));
        name.push(String::from_utf8_lossy(label));
        labels = rest;
    }
    name.join(".")
}

/// Answers until somebody asks for `stop`. Of each question it loses the first, and another's
/// answer comes in its place.
fn serve(socket: UdpSocket, zone: &HashMap<&str, Ipv4Addr>) -> io::Result<UdpSocket> {
    let mut asked: HashMap<(SocketAddr, u16), u32> = HashMap::new();
    let mut buf = [0; 512];
    loop {
        let (n, from) = socket.recv_from(&mut buf)?;
        let (id, name) = (u16::from_be_bytes([buf[0], buf[1]]), name_in(&buf[2..n]));
        if name == "stop" {
            return Ok(socket);
        }
        let times = asked.entry((from, id)).or_default();
        *times += 1;
        let answer = match zone.get(&*name) {
            _ if *times == 1 => [&(!id).to_be_bytes()[..], &[FOUND, 6, 6, 6, 6]].concat(),
            Some(addr) => [&id.to_be_bytes()[..], &[FOUND], &addr.octets()].concat(),
            None => [&id.to_be_bytes()[..], &[NO_SUCH_NAME]].concat(),
        };
        assert_eq!(socket.send_to(&answer, from)?, answer.len());
    }
}

struct Resolver {
    socket: UdpSocket,
    sent: u16,
}

impl Resolver {
    fn new(server: impl ToSocketAddrs) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        Ok(Self { socket, sent: 0 })
    }

    fn resolve(&mut self, id: u16, name: &str) -> io::Result<Option<Ipv4Addr>> {
        let mut buf = [0; 64];
        for _ in 0..1_000 {
            self.socket.send(&question(id, name))?;
            self.sent += 1;
            loop {
                match self.socket.recv(&mut buf) {
                    Ok(n) if buf[..2] == id.to_be_bytes() => {
                        let addr = <[u8; 4]>::try_from(&buf[3..n]).ok().map(Ipv4Addr::from);
                        assert_eq!(buf[2] == FOUND, addr.is_some());
                        return Ok(addr);
                    }
                    Ok(_) => {} // An answer to something else.
                    Err(error) if timed_out(&error) => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Err(ErrorKind::TimedOut.into())
    }
}

fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

pub(super) fn main() -> io::Result<()> {
    let zone = [("one.example", Ipv4Addr::new(10, 0, 0, 1)), ("two.example", [10, 0, 0, 2].into())];
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let addr = socket.local_addr()?;
    let server = thread::spawn(move || serve(socket, &HashMap::from(zone)));

    let mut resolver = Resolver::new(addr)?;
    for (id, (name, addr)) in (1..).zip(zone) {
        assert_eq!(resolver.resolve(id, name)?, Some(addr));
    }
    assert_eq!(resolver.resolve(3, "three.example")?, None);
    assert!(resolver.sent >= 6, "each was asked twice");
    resolver.socket.send(&question(4, "stop"))?;
    let server = server.join().unwrap()?;

    // Connected to itself, it keeps the port, and nobody else reaches it.
    server.connect(addr)?;
    if cfg!(target_os = "linux") {
        let refused = resolver.resolve(5, "one.example").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    Ok(())
}
