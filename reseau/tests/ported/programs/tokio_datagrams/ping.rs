//! Pings at the beat of a clock, and what became of them: `select!` between socket and timer.
use super::net::UdpSocket;
use std::io;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

#[derive(Debug, Default, PartialEq)]
struct Tally {
    sent: u32,
    answered: Vec<u32>,
    doubled: u32,
}

/// Answers even numbers, multiples of ten twice.
async fn reflect(socket: &UdpSocket, mut stop: oneshot::Receiver<()>) -> io::Result<u32> {
    let (mut buf, mut got) = ([0; 16], 0);
    loop {
        tokio::select! {
            biased; // What is there is answered before it stops.
            received = socket.recv_from(&mut buf) => {
                let (n, from) = received?;
                got += 1;
                assert_eq!(n, 4);
                let number = u32::from_be_bytes([buf[0], buf[1], buf[2], buf[3]]);
                for _ in 0..[0, 1][usize::from(number % 2 == 0)] + u32::from(number % 10 == 0) {
                    socket.send_to(&buf[..n], from).await?;
                }
            }
            _ = &mut stop => return Ok(got),
        }
    }
}

/// Sends `count` of them, and listens for a while after the last answer that is to come.
async fn ping(socket: &UdpSocket, count: u32, wanted: usize) -> io::Result<Tally> {
    let mut clock = interval(Duration::from_micros(300));
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut tally = Tally::default();
    let mut end = Instant::now() + Duration::from_secs(20);
    let mut buf = [0; 16];
    loop {
        tokio::select! {
            // Dropped at every tick, and loses nothing by it.
            received = socket.recv(&mut buf) => {
                assert_eq!(received?, 4);
                let number = u32::from_be_bytes([buf[0], buf[1], buf[2], buf[3]]);
                if tally.answered.contains(&number) {
                    tally.doubled += 1;
                } else {
                    tally.answered.push(number);
                }
            }
            _ = clock.tick(), if tally.sent < count => {
                socket.send(&tally.sent.to_be_bytes()).await?;
                tally.sent += 1;
            }
            () = sleep_until(end) => return Ok(tally),
        }
        if tally.sent == count && tally.answered.len() + tally.doubled as usize == wanted {
            end = end.min(Instant::now() + Duration::from_millis(5));
        }
    }
}

pub(super) async fn main() -> io::Result<()> {
    let reflector = UdpSocket::bind("127.0.0.1:0").await?;
    let addr = reflector.local_addr()?;
    let (stop, stopping) = oneshot::channel();
    let reflecting = tokio::spawn(async move { reflect(&reflector, stopping).await });
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(addr).await?;
    let tally = ping(&socket, 100, 60).await?;
    stop.send(()).unwrap();
    assert_eq!(reflecting.await??, 100);
    assert_eq!(tally.answered, (0..100).step_by(2).collect::<Vec<_>>());
    assert_eq!((tally.sent, tally.doubled), (100, 10));
    Ok(())
}
