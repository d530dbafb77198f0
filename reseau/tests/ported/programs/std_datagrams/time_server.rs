//! The time protocol: an empty datagram is the question, four bytes are the answer.
use super::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

struct TimeServer {
    addr: SocketAddr,
    running: JoinHandle<io::Result<u32>>,
}

impl TimeServer {
    /// Each question takes the clock a second further; a word ends it.
    fn start(host: impl Into<IpAddr>, mut clock: u32) -> io::Result<Self> {
        let socket = UdpSocket::bind((host.into(), 0))?;
        let addr = socket.local_addr()?;
        let running = thread::spawn(move || {
            let mut word = [0; 16];
            loop {
                match socket.recv_from(&mut word)? {
                    (0, from) => {
                        clock += 1;
                        assert_eq!(socket.send_to(&clock.to_be_bytes(), from)?, 4);
                    }
                    (n, from) => {
                        assert_eq!(&word[..n], b"stop");
                        socket.send_to(&[], from)?;
                        return Ok(clock);
                    }
                }
            }
        });
        Ok(Self { addr, running })
    }
}

fn ask(socket: &UdpSocket, server: impl ToSocketAddrs) -> io::Result<u32> {
    assert_eq!(socket.send_to(b"", server)?, 0);
    let mut answer = [0; 4];
    let (n, _) = socket.recv_from(&mut answer)?;
    assert_eq!(n, 4);
    Ok(u32::from_be_bytes(answer))
}

fn run(host: impl Into<IpAddr> + Copy, name: &str) -> io::Result<()> {
    let server = TimeServer::start(host, 0x7000_0000)?;
    let socket = UdpSocket::bind((host.into(), 0))?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    assert_eq!(ask(&socket, server.addr)?, 0x7000_0001);
    assert_eq!(ask(&socket, (name, server.addr.port()))?, 0x7000_0002);
    assert_eq!(ask(&socket, server.addr.to_string())?, 0x7000_0003);

    // From somewhere else, and both wait for an answer at once.
    let other = UdpSocket::bind((host.into(), 0))?;
    other.send_to(&[], server.addr)?;
    assert_eq!(ask(&socket, server.addr)?, 0x7000_0005);
    let mut answer = [0; 16];
    assert_eq!(other.recv_from(&mut answer)?, (4, server.addr));
    assert_eq!(answer[..4], 0x7000_0004_u32.to_be_bytes());

    socket.send_to(b"stop", server.addr)?;
    assert_eq!(socket.recv_from(&mut answer)?, (0, server.addr));
    assert_eq!(server.running.join().unwrap()?, 0x7000_0005);
    Ok(())
}

pub(super) fn main() -> io::Result<()> {
    run(Ipv4Addr::LOCALHOST, "127.0.0.1")?;
    match UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(_) => run(Ipv6Addr::LOCALHOST, "::1"),
        Err(_) => Ok(()), // A machine without IPv6.
    }
}
