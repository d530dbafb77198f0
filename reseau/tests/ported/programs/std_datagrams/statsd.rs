//! Counters and gauges of many clients, added up by two threads on one socket.
use super::net::{SocketAddr, UdpSocket};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[derive(Default, Debug, PartialEq)]
struct Totals {
    counters: BTreeMap<String, i64>,
    gauges: BTreeMap<String, i64>,
    bad: u32,
}

impl Totals {
    fn line(&mut self, line: &str) -> Option<()> {
        let (name, rest) = line.split_once(':')?;
        let (value, kind) = rest.split_once('|')?;
        let value: i64 = value.parse().ok()?;
        match kind {
            "c" => *self.counters.entry(name.into()).or_default() += value,
            "g" => drop(self.gauges.insert(name.into(), value)),
            _ => return None,
        }
        Some(())
    }

    fn datagram(&mut self, text: &str) {
        for line in text.lines() {
            self.bad += u32::from(self.line(line).is_none());
        }
    }

    fn add(&mut self, other: Self) {
        for (name, value) in other.counters {
            *self.counters.entry(name).or_default() += value;
        }
        self.gauges.extend(other.gauges);
        self.bad += other.bad;
    }
}

/// Until it is told to stop and nothing is left.
fn collect(socket: &UdpSocket, stop: &AtomicBool) -> io::Result<Totals> {
    let (mut totals, mut buf) = (Totals::default(), vec![0; 1_432]);
    loop {
        let stopping = stop.load(Ordering::SeqCst);
        match socket.recv(&mut buf) {
            Ok(n) => totals.datagram(&String::from_utf8_lossy(&buf[..n])),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                if stopping {
                    return Ok(totals);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn report(server: SocketAddr, client: i64) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for round in 0..20 {
        let batch = format!("hits:1|c\nbytes:{}|c\nlevel.{client}:{round}|g", client * round);
        socket.send_to(batch.as_bytes(), server)?;
        if round % 5 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    socket.send_to(b"hits:many|c\nnothing\nhits:1|x", server).map(drop)
}

pub(super) fn main() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let server = socket.local_addr()?;
    let clone = socket.try_clone()?;
    assert_eq!(clone.local_addr()?, server);
    assert_eq!(clone.read_timeout()?, Some(Duration::from_millis(20)), "it is one socket");

    let stop = Arc::new(AtomicBool::new(false));
    let collectors = [socket, clone].map(|socket| {
        let stop = stop.clone();
        thread::spawn(move || collect(&socket, &stop))
    });
    let clients: Vec<_> = (1..=4).map(|c| thread::spawn(move || report(server, c))).collect();
    for client in clients {
        client.join().unwrap()?;
    }
    stop.store(true, Ordering::SeqCst);
    let mut totals = Totals::default();
    for collector in collectors {
        totals.add(collector.join().unwrap()?);
    }
    assert_eq!(totals.counters["hits"], 4 * 20);
    assert_eq!(totals.counters["bytes"], (1 + 2 + 3 + 4) * (0..20).sum::<i64>());
    assert_eq!(totals.counters.len(), 2);
    assert_eq!(totals.gauges.len(), 4);
    assert_eq!(totals.bad, 4 * 3);
    Ok(())
}
