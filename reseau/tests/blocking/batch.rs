//! Many datagrams at once: the same as one after the other.
use crate::{tells_true, watched};
use proptest::prelude::*;
use reseau::blocking::UdpSocket;
use reseau::{Batch, Packet};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

fn open(ip: IpAddr) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

fn loopbacks() -> Vec<IpAddr> {
    let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    let mut all = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    all.extend(std::net::UdpSocket::bind((v6, 0)).is_ok().then_some(v6));
    all
}

/// What was received: each datagram, and whether it was cut.
type Got = Vec<(Vec<u8>, bool)>;

/// Receives `count` datagrams, in batches or one by one.
fn receive(socket: &UdpSocket, count: usize, room: usize, batched: bool) -> Got {
    let (mut got, mut batch, mut buf) = (Got::new(), Batch::new(7, room), vec![0; room]);
    while got.len() < count {
        if batched {
            assert_eq!(socket.recv_batch(&mut batch).unwrap(), batch.len());
            got.extend(batch.iter().map(|(packet, bytes)| (bytes.to_vec(), packet.truncated)));
        } else {
            let packet = socket.recv_packet(&mut buf).unwrap();
            got.push((buf[..packet.len].to_vec(), packet.truncated));
        }
    }
    got
}

/// Sends datagrams, in a batch or one by one.
fn send(socket: &UdpSocket, to: SocketAddr, datagrams: &[Vec<u8>], how: Option<bool>) {
    let Some(offload) = how else {
        for bytes in datagrams {
            assert_eq!(socket.send_to(bytes, to).unwrap(), bytes.len());
        }
        return;
    };
    let mut batch = Batch::new(datagrams.len(), 2000);
    batch.set_offload(offload);
    for bytes in datagrams {
        batch.push(&Packet::to(to), bytes).unwrap();
    }
    assert_eq!(socket.send_batch(&mut batch).unwrap(), datagrams.len());
    assert!(batch.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn however_they_are_sent_and_received_they_are_the_same(
        runs in prop::collection::vec((0_usize..1400, 1_usize..30), 1..4),
        room in 1_usize..1400,
    ) {
        let mut datagrams = Vec::new();
        for (nth, (len, count)) in runs.into_iter().enumerate() {
            for at in 0..count {
                // One of a run is shorter: with it a joined message ends.
                let len = if at % 11 == 10 { len / 2 } else { len };
                datagrams.push((0..len).map(|byte| (byte + at * 3 + nth) as u8).collect());
            }
        }
        let expected: Got = datagrams
            .iter()
            .map(|bytes: &Vec<u8>| (bytes[..bytes.len().min(room)].to_vec(), bytes.len() > room))
            .collect();
        let differing = watched(move || {
            let mut differing = Vec::new();
            for ip in loopbacks() {
                for how in [None, Some(false), Some(true)] {
                    for (batched, gro) in [(false, false), (true, false), (true, true)] {
                        let ((a, _), (b, addr)) = (open(ip), open(ip));
                        if gro && (!tells_true() || b.set_gro(true).is_err()) {
                            continue;
                        }
                        send(&a, addr, &datagrams, how);
                        if receive(&b, datagrams.len(), room, batched) != expected {
                            differing.push((ip, how, batched, gro));
                        }
                    }
                }
            }
            differing
        });
        prop_assert!(differing.is_empty(), "{differing:?}");
    }
}

#[test]
fn one_batch_goes_to_many_and_comes_from_many() {
    watched(|| {
        for ip in loopbacks() {
            let (hub, addr) = open(ip);
            let ends: Vec<_> = (0..5).map(|_| open(ip)).collect();
            let mut batch = Batch::new(50, 100);
            for nth in 0..50_u8 {
                let peer = Packet::to(ends[usize::from(nth / 2) % 5].1);
                batch.push(&peer, &[nth; 60]).unwrap();
            }
            hub.send_batch(&mut batch).unwrap();
            for nth in 0..50_u8 {
                let mut buf = [0; 99];
                let (end, _) = &ends[usize::from(nth / 2) % 5];
                assert_eq!(end.recv_from(&mut buf).unwrap(), (60, addr));
                assert_eq!(buf[0], nth);
                end.send_to(&buf[..30], addr).unwrap();
            }
            let mut left = 50;
            while left > 0 {
                left -= hub.recv_batch(&mut batch).unwrap();
                for (packet, bytes) in &batch {
                    let (_, from) = ends[usize::from(bytes[0] / 2) % 5];
                    assert_eq!((packet.peer, bytes.len()), (Some(from), 30));
                }
            }
        }
    });
}

#[test]
fn an_echo_is_two_calls() {
    watched(|| {
        for ip in loopbacks() {
            let ((server, addr), (client, _)) = (open(ip), open(ip));
            let gro = tells_true() && server.set_gro(true).is_ok();
            assert_eq!(server.gro(), gro);
            client.connect(addr).unwrap();
            let mut batch = Batch::new(40, 500);
            for nth in 0..40 {
                batch.push(&Packet::connected(), &[nth; 500]).unwrap();
            }
            client.send_batch(&mut batch).unwrap();
            let mut left = 40;
            while left > 0 {
                left -= server.recv_batch(&mut batch).unwrap();
                batch.reply();
                server.send_batch(&mut batch).unwrap();
            }
            for nth in 0..40 {
                let mut buf = [0; 600];
                assert_eq!(client.recv(&mut buf).unwrap(), 500);
                assert_eq!(buf[..500], [nth; 500]);
            }
        }
    });
}

/// It waits for the first datagram, and not for more.
#[test]
fn receiving_waits_for_one() {
    watched(|| {
        let ((a, _), (b, addr)) = (open(loopbacks()[0]), open(loopbacks()[0]));
        let waiting = thread::spawn(move || {
            let mut batch = Batch::new(10, 10);
            (b.recv_batch(&mut batch).unwrap(), b)
        });
        a.send_to(b"one", addr).unwrap();
        let (count, b) = waiting.join().unwrap();
        assert_eq!(count, 1);
        let mut batch = Batch::new(10, 10);
        b.set_deadlines(Some(Instant::now() + Duration::from_secs(600)), None);
        a.send_to(b"two", addr).unwrap();
        assert_eq!(b.recv_batch(&mut batch).unwrap(), 1);
        b.set_deadlines(Some(Instant::now()), None);
        assert_eq!(b.recv_batch(&mut batch).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(batch.is_empty(), "what was there is gone");
        b.set_deadlines(None, None);
        b.set_nonblocking(true).unwrap();
        assert_eq!(b.recv_batch(&mut batch).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(b.send_batch(&mut batch).unwrap(), 0, "nothing is easily sent");
    });
}

/// What cannot go is the first of what is left.
#[test]
fn what_cannot_go_can_be_skipped() {
    watched(|| {
        let ((a, _), (b, addr)) = (open(loopbacks()[0]), open(loopbacks()[0]));
        let mut batch = Batch::new(10, 70_000);
        for len in [3, 70_000, 4] {
            batch.push(&Packet::to(addr), &vec![1; len]).unwrap();
        }
        assert_eq!(a.send_batch(&mut batch).unwrap(), 1);
        let error = a.send_batch(&mut batch).unwrap_err();
        assert_eq!(reseau::error::class_of(&error), reseau::error::Class::Fatal, "{error}");
        assert_eq!(batch.len(), 2);
        batch.skip(1);
        assert_eq!(a.send_batch(&mut batch).unwrap(), 1);
        let lens = [b.recv(&mut [0; 9]).unwrap(), b.recv(&mut [0; 9]).unwrap()];
        assert_eq!(lens, [3, 4]);
    });
}
