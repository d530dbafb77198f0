//! Datagrams with their circumstances, and many at once: the same datagrams in every way.
use crate::stage::{any, pattern, poll_once, run, settle};
use crate::{everywhere, on_kernels};
use reseau::{Batch, Ecn, Kind, Packet, UdpSocket, UnixAddr, UnixDatagram, spawn, timeout};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::{Duration, SystemTime};

everywhere!(
    a_packet_that_does_not_fit_says_so,
    batches_bring_what_loops_bring,
    a_dropped_batch_loses_and_doubles_nothing,
    a_batch_with_a_bad_datagram_sends_those_before_it,
);

mod real {
    use super::*;
    on_kernels!(
        #[cfg(target_os = "linux")]
        circumstances_are_true,
        #[cfg(target_os = "linux")]
        answers_come_from_the_address_that_was_asked,
        #[cfg(target_os = "linux")]
        joined_datagrams_come_apart,
        #[cfg(target_os = "linux")]
        a_full_receiver_is_asked_now_and_then,
    );
}

/// Such a sender is always told that it may send, so it must not believe that.
#[cfg(target_os = "linux")]
fn a_full_receiver_is_asked_now_and_then(kind: Kind) {
    run(kind, async {
        let name = format!("reseau-full-{kind}-{}", std::process::id());
        let addr = UnixAddr::from_abstract_name(name).unwrap();
        let receiver = UnixDatagram::bind_addr(&addr).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        let packet = Packet::to(addr);
        while sender.try_send_packet(b"x", &packet).is_ok() {}
        let mut sending = pin!(sender.send_packet(b"last", &packet));
        let mut polls = 0;
        let counted = poll_fn(|cx| {
            polls += 1;
            sending.as_mut().poll(cx)
        });
        assert!(timeout(Duration::from_millis(100), counted).await.is_err());
        assert!(polls < 100, "{polls} times in 100 ms");
        receiver.recv_packet(&mut [0; 9]).await.unwrap();
        assert_eq!(sending.await.unwrap(), 4);
    });
}

async fn bound() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(any()).await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

fn a_packet_that_does_not_fit_says_so(kind: Kind) {
    run(kind, async {
        let ((a, at_a), (b, at_b)) = (bound().await, bound().await);
        for text in [&b"longer than that"[..], b"just ten b", b""] {
            a.send_to(text, at_b).await.unwrap();
            let mut buf = [0; 10];
            let packet = b.recv_packet(&mut buf).await.unwrap();
            assert_eq!(packet.len, text.len().min(10));
            assert_eq!((packet.truncated, packet.peer), (text.len() > 10, Some(at_a)));
            assert_eq!(buf[..packet.len], text[..packet.len]);
        }
    });
}

#[cfg(target_os = "linux")]
fn circumstances_are_true(kind: Kind) {
    if crate::alone::emulated() && cfg!(target_endian = "big") {
        // Emulators hand on the numbers of control data as they are.
        return crate::stage::say_skipped("control data in the other byte order");
    }
    run(kind, async {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(a) = UdpSocket::bind(host).await else { continue };
            let b = UdpSocket::bind(host).await.unwrap();
            b.tell();
            let mut wish = Packet::to(b.local_addr().unwrap());
            (wish.ecn, wish.ttl) = (Some(Ecn::Ect0), Some(33));
            let before = SystemTime::now() - Duration::from_secs(2);
            a.send_packet(b"hello", &wish).await.unwrap();
            let packet = b.recv_packet(&mut [0; 64]).await.unwrap();
            assert_eq!(packet.peer, Some(a.local_addr().unwrap()));
            assert_eq!(packet.local, Some(b.local_addr().unwrap().ip()));
            assert_eq!((packet.ecn, packet.ttl), (Some(Ecn::Ect0), Some(33)));
            assert!(packet.interface.is_some_and(|index| index > 0));
            match packet.at {
                None => assert!(crate::alone::emulated(), "the time of its arrival is told"),
                Some(at) => {
                    assert!(at >= before && at <= SystemTime::now() + Duration::from_secs(2));
                }
            }
            // A wish is of one datagram, not of the socket.
            a.send_to(b"plain", b.local_addr().unwrap()).await.unwrap();
            let plain = b.recv_packet(&mut [0; 64]).await.unwrap();
            assert_eq!(plain.ecn, Some(Ecn::NotEct));
            assert_ne!(plain.ttl, Some(33));
        }
    });
}

#[cfg(target_os = "linux")]
fn answers_come_from_the_address_that_was_asked(kind: Kind) {
    run(kind, async {
        let server = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        server.tell();
        let port = server.local_addr().unwrap().port();
        for last in [1, 2, 77] {
            let host = IpAddr::from([127, 0, 0, last]);
            let (client, _) = bound().await;
            client.connect((host, port)).await.unwrap();
            client.send(b"who?").await.unwrap();
            let packet = server.recv_packet(&mut [0; 8]).await.unwrap();
            assert_eq!(packet.local, Some(host));
            server.send_packet(b"me", &packet.reply()).await.unwrap();
            // Who is connected hears nobody else.
            assert_eq!(client.recv(&mut [0; 8]).await.unwrap(), 2);
        }
    });
}

/// Sizes that make runs, ends of runs, and datagrams that join with none.
fn sizes() -> Vec<usize> {
    let runs = [(1200, 10), (1200, 1), (64, 5), (0, 2), (1, 3), (1200, 3), (700, 1), (1472, 4)];
    runs.into_iter().flat_map(|(size, count)| std::iter::repeat_n(size, count)).collect()
}

fn batches_bring_what_loops_bring(kind: Kind) {
    run(kind, async {
        for (batched_out, batched_in) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let ((a, at_a), (b, at_b)) = (bound().await, bound().await);
            let sizes = sizes();
            let mut batch = Batch::new(64, 1500);
            for (number, size) in sizes.iter().enumerate() {
                let bytes = numbered(number, *size);
                if batched_out {
                    batch.push(&Packet::to(at_b), &bytes).unwrap();
                } else {
                    a.send_to(&bytes, at_b).await.unwrap();
                }
            }
            while !batch.is_empty() {
                let (before, sent) = (batch.len(), a.send_batch(&mut batch).await.unwrap());
                assert!(sent > 0 && batch.len() == before - sent);
            }
            let mut got = Vec::new();
            let mut incoming = Batch::new(7, 1500);
            while got.len() < sizes.len() {
                if batched_in {
                    let count = b.recv_batch(&mut incoming).await.unwrap();
                    assert_eq!(count, incoming.len());
                    for (packet, bytes) in incoming.iter() {
                        assert_eq!((packet.peer, packet.truncated), (Some(at_a), false));
                        assert_eq!(packet.len, bytes.len());
                        got.push(bytes.to_vec());
                    }
                } else {
                    let mut buf = [0; 1500];
                    let count = b.recv(&mut buf).await.unwrap();
                    got.push(buf[..count].to_vec());
                }
            }
            let mut want: Vec<_> =
                sizes.iter().enumerate().map(|(number, size)| numbered(number, *size)).collect();
            if kind == Kind::Sim {
                // A world delivers each by itself: the order may differ.
                got.sort();
                want.sort();
            }
            assert!(got == want, "out {batched_out}, in {batched_in}");
            assert!(b.try_recv(&mut [0; 4]).is_err(), "more than was sent");
        }
    });
}

/// Bytes that tell which datagram they are of.
fn numbered(number: usize, size: usize) -> Vec<u8> {
    pattern(size + number).split_off(number)
}

fn a_dropped_batch_loses_and_doubles_nothing(kind: Kind) {
    run(kind, async {
        let ((a, _), (b, at_b)) = (bound().await, bound().await);
        let mut incoming = Batch::new(8, 100);
        for round in 0..30u8 {
            assert!(poll_once(b.recv_batch(&mut incoming)).await.is_none());
            assert!(poll_once(b.recv_packet(&mut [0; 8])).await.is_none());
            let mut batch = Batch::new(8, 100);
            (0..5).for_each(|n| batch.push(&Packet::to(at_b), &[round, n]).unwrap());
            while !batch.is_empty() {
                drop(poll_once(a.send_batch(&mut batch)).await); // Whatever becomes of it.
            }
            let mut got = Vec::new();
            while got.len() < 5 {
                b.recv_batch(&mut incoming).await.unwrap();
                got.extend(incoming.iter().map(|(_, bytes)| bytes.to_vec()));
            }
            got.sort();
            assert_eq!(got, (0..5).map(|n| vec![round, n]).collect::<Vec<_>>());
        }
    });
}

fn a_batch_with_a_bad_datagram_sends_those_before_it(kind: Kind) {
    run(kind, async {
        let ((a, _), (b, at_b)) = (bound().await, bound().await);
        let mut batch = Batch::new(8, 66_000);
        let to = Packet::to(at_b);
        batch.push(&to, b"one").unwrap();
        batch.push(&to, b"two").unwrap();
        batch.push(&to, &pattern(65_600)).unwrap(); // No datagram is so long.
        batch.push(&to, b"three").unwrap();
        let mut failed = 0;
        while !batch.is_empty() {
            if a.send_batch(&mut batch).await.is_err() {
                failed += 1;
                assert_eq!(batch.len(), 2, "the bad one is first now");
                batch.skip(1);
            }
        }
        assert_eq!(failed, 1);
        settle().await;
        let mut got = Vec::new();
        for _ in 0..3 {
            let mut buf = [0; 8];
            let count = b.recv(&mut buf).await.unwrap();
            got.push(buf[..count].to_vec());
        }
        got.sort();
        assert_eq!(got, [&b"one"[..], b"three", b"two"]);
    });
}

#[cfg(target_os = "linux")]
fn joined_datagrams_come_apart(kind: Kind) {
    run(kind, async {
        let ((a, at_a), (b, at_b)) = (bound().await, bound().await);
        if b.set_gro(true).is_err() {
            return;
        }
        assert!(b.gro());
        let sender = spawn(async move {
            let mut batch = Batch::new(64, 1200);
            for round in 0..20usize {
                (0..40).for_each(|n| {
                    batch.push(&Packet::to(at_b), &numbered(round + n, 1200)).unwrap();
                });
                while !batch.is_empty() {
                    a.send_batch(&mut batch).await.unwrap();
                }
                settle().await;
            }
            a
        });
        let mut incoming = Batch::new(16, 1500);
        let mut got = 0;
        while got < 800 {
            b.recv_batch(&mut incoming).await.unwrap();
            for (packet, bytes) in incoming.iter() {
                assert_eq!((packet.len, packet.peer), (1200, Some(at_a)));
                assert!(bytes == numbered(got / 40 + got % 40, 1200), "datagram {got}");
                got += 1;
            }
        }
        assert_eq!(got, 800);
        drop(sender.await.unwrap());
    });
}
