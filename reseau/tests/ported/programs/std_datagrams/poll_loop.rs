//! One thread, many sockets: a token goes around a ring of players, who are asked in turn.
use super::net::{SocketAddr, UdpSocket};
use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

struct Player {
    socket: UdpSocket,
    next: SocketAddr,
    passed: u32,
}

enum Turn {
    Idle,
    Busy,
    Over,
}

impl Player {
    /// Passes on all that came: a token with how often it still goes on, and whose it was.
    fn turn(&mut self) -> io::Result<Turn> {
        let mut turn = Turn::Idle;
        loop {
            let mut token = [0; 8];
            match self.socket.recv_from(&mut token) {
                Ok((4, _)) => {}
                Ok((n, from)) => panic!("{n} bytes from {from}"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(turn),
                Err(error) => return Err(error),
            }
            let left = u32::from_be_bytes([token[0], token[1], token[2], token[3]]);
            self.passed += 1;
            if left == 0 {
                return Ok(Turn::Over);
            }
            let token = (left - 1).to_be_bytes();
            match self.socket.send_to(&token, self.next) {
                Ok(n) => assert_eq!(n, 4),
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("one token fits"),
                Err(error) => return Err(error),
            }
            turn = Turn::Busy;
        }
    }
}

fn ring(size: usize) -> io::Result<Vec<Player>> {
    let sockets: io::Result<Vec<_>> = (0..size).map(|_| UdpSocket::bind("127.0.0.1:0")).collect();
    let sockets = sockets?;
    let mut addrs = Vec::new();
    for socket in &sockets {
        socket.set_nonblocking(true)?;
        assert_eq!(socket.recv(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
        addrs.push(socket.local_addr()?);
    }
    addrs.rotate_left(1);
    let player = |(socket, next)| Player { socket, next, passed: 0 };
    Ok(sockets.into_iter().zip(addrs).map(player).collect())
}

pub(super) fn main() -> io::Result<()> {
    let mut players = ring(5)?;
    let first = players[0].socket.local_addr()?;
    let starting = thread::spawn(move || -> io::Result<()> {
        let starter = UdpSocket::bind("127.0.0.1:0")?;
        for rounds in [999_u32, 503] {
            thread::sleep(Duration::from_millis(1));
            starter.send_to(&rounds.to_be_bytes(), first)?;
        }
        Ok(())
    });
    let mut over = 0;
    while over < 2 {
        let mut busy = false;
        for player in &mut players {
            match player.turn()? {
                Turn::Idle => {}
                Turn::Busy => busy = true,
                Turn::Over => over += 1,
            }
        }
        if !busy {
            thread::sleep(Duration::from_millis(1));
        }
    }
    starting.join().unwrap()?;
    assert_eq!(players.iter().map(|player| player.passed).sum::<u32>(), 1_000 + 504);
    assert_eq!([0, 4].map(|at: usize| players[at].passed), [200 + 101, 200 + 100]);

    // Its clone is the same socket; and it waits again when it is told to.
    let clone = players[1].socket.try_clone()?;
    clone.set_nonblocking(false)?;
    clone.set_read_timeout(Some(Duration::from_millis(2)))?;
    let late = clone.recv_from(&mut [0; 4]).unwrap_err();
    assert!(matches!(late.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{late}");
    clone.send_to(b"self", clone.local_addr()?)?;
    drop(clone);
    assert_eq!(players[1].socket.recv(&mut [0; 8])?, 4);
    Ok(())
}
