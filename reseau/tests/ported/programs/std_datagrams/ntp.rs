//! How far is my clock from the server's? Four timestamps in 48 bytes, and the best of several.
use super::net::{SocketAddr, UdpSocket};
use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

/// A clock that is wrong, and goes a little further with every look.
struct Clock(u64);

impl Clock {
    fn now(&mut self) -> u64 {
        self.0 += 10;
        self.0
    }
}

fn stamp(packet: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(packet[at..at + 8].try_into().unwrap())
}

fn serve(socket: &UdpSocket, mut clock: Clock, stratum: u8, questions: u32) -> io::Result<()> {
    for _ in 0..questions {
        let mut packet = [0; 48];
        let (n, from) = socket.recv_from(&mut packet)?;
        assert_eq!((n, packet[0]), (48, 0x23), "version 4, from a client");
        let received = clock.now();
        let sent = stamp(&packet, 40);
        packet[..2].copy_from_slice(&[0x24, stratum]);
        packet[24..32].copy_from_slice(&sent.to_be_bytes());
        packet[32..40].copy_from_slice(&received.to_be_bytes());
        packet[40..].copy_from_slice(&clock.now().to_be_bytes());
        socket.send_to(&packet, from)?;
    }
    Ok(())
}

/// The server's stratum and what is to be added to our clock.
fn ask(socket: &UdpSocket, clock: &mut Clock) -> io::Result<(u8, i64)> {
    let mut packet = [0; 48];
    packet[0] = 0x23;
    let asked = clock.now();
    packet[40..].copy_from_slice(&asked.to_be_bytes());
    socket.send(&packet)?;
    // A byte more, to notice when the answer is longer.
    let mut answer = [0; 49];
    assert_eq!(socket.recv(&mut answer)?, 48);
    let answered = clock.now();
    assert_eq!((answer[0], stamp(&answer, 24)), (0x24, asked), "an answer to this question");
    let there = stamp(&answer, 32).cast_signed() - asked.cast_signed();
    let back = stamp(&answer, 40).cast_signed() - answered.cast_signed();
    Ok((answer[1], i64::midpoint(there, back)))
}

fn start(
    clock: Clock,
    stratum: u8,
) -> io::Result<(SocketAddr, thread::JoinHandle<io::Result<()>>)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let addr = socket.local_addr()?;
    Ok((addr, thread::spawn(move || serve(&socket, clock, stratum, 3))))
}

pub(super) fn main() -> io::Result<()> {
    let (one, first) = start(Clock(5_000), 1)?;
    let (other, second) = start(Clock(90_000), 2)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    assert_eq!(socket.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    assert!(socket.send(b"to whom?").is_err());

    let mut clock = Clock(1_000);
    let stranger = UdpSocket::bind("127.0.0.1:0")?;
    for (server, stratum, offset) in [(one, 1, 4_000), (other, 2, 89_000 - 60)] {
        socket.connect(server)?;
        assert_eq!(socket.peer_addr()?, server);
        for _ in 0..3 {
            // Only the server is heard.
            stranger.send_to(&[0; 48], socket.local_addr()?)?;
            assert_eq!(ask(&socket, &mut clock)?, (stratum, offset));
        }
    }
    first.join().unwrap()?;
    second.join().unwrap()?;
    Ok(())
}
