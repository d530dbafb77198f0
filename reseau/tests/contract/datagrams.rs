//! Datagrams: each whole or not at all, whoever waits, whatever is dropped.
use crate::alone::descriptors;
use crate::stage::{any, corner, pattern, poll_once, run, scaled, settle};
use crate::{everywhere, on_kernels};
use reseau::{Interest, Kind, UdpSocket, clock, spawn, timeout};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

everywhere!(
    every_size_arrives_whole,
    what_does_not_fit_is_lost_and_nothing_else,
    a_receiver_that_waits_is_woken,
    each_datagram_comes_to_one_of_many,
    dropped_receives_take_nothing,
    forgotten_futures_hurt_nobody,
    peeking_takes_nothing,
    readiness_is_true,
    what_is_tried_does_not_wait,
    deadlines_end_waiting_and_nothing_else,
    a_connected_socket_hears_its_peer_alone,
    nobody_there_is_an_error_of_the_next_call,
    too_long_is_an_error_of_this_call,
    both_ways_at_once,
    who_never_has_to_wait_lets_others_in,
    a_closed_socket_leaves_nothing,
    v6_is_no_other,
    #[cfg(target_os = "linux")]
    bad_groups_and_interfaces_are_refused,
    #[cfg(target_os = "linux")]
    members_of_a_group_hear_it,
    #[cfg(target_os = "linux")]
    members_may_choose_whom_they_hear,
);

mod real {
    use super::*;
    on_kernels!(options_keep_what_was_set, waiters_elsewhere_hear_of_the_end,);
}

async fn bound() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(any()).await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Two sockets, each connected to the other.
async fn pair() -> (UdpSocket, UdpSocket) {
    let ((a, at_a), (b, at_b)) = (bound().await, bound().await);
    a.connect(at_b).await.unwrap();
    b.connect(at_a).await.unwrap();
    (a, b)
}

fn would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
}

fn every_size_arrives_whole(kind: Kind) {
    run(kind, async {
        let ((a, at_a), (b, at_b)) = (bound().await, bound().await);
        let mut buf = vec![0; 70_000];
        for size in [0, 1, 2, 63, 64, 1200, 1472, 1473, 4096, 9000, 20_000, 65_507] {
            let bytes = pattern(size);
            assert_eq!(a.send_to(&bytes, at_b).await.unwrap(), size);
            let (count, peer) = b.recv_from(&mut buf).await.unwrap();
            assert_eq!((count, peer), (size, at_a));
            assert!(buf[..count] == bytes);
        }
    });
}

fn what_does_not_fit_is_lost_and_nothing_else(kind: Kind) {
    run(kind, async {
        let (a, b) = pair().await;
        for text in ["first and long", "second"] {
            a.send(text.as_bytes()).await.unwrap();
            settle().await; // So that they come in order.
        }
        let mut buf = [0; 5];
        assert_eq!(b.recv(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf, b"first");
        let mut buf = [0; 64];
        let count = b.recv(&mut buf).await.unwrap();
        assert_eq!(&buf[..count], b"second");
        would_block(b.try_recv(&mut buf));
    });
}

fn a_receiver_that_waits_is_woken(kind: Kind) {
    run(kind, async {
        let ((a, _), (b, at_b)) = (bound().await, bound().await);
        let receiver = spawn(async move {
            let mut buf = [0; 64];
            let mut got = Vec::new();
            for _ in 0..50 {
                let (count, _) = b.recv_from(&mut buf).await.unwrap();
                got.push(buf[..count].to_vec());
            }
            got
        });
        for number in 0..50u8 {
            settle().await; // So long that the receiver waits.
            a.send_to(&[number], at_b).await.unwrap();
        }
        let got = receiver.await.unwrap();
        assert_eq!(got, (0..50).map(|number| vec![number]).collect::<Vec<_>>());
    });
}

fn each_datagram_comes_to_one_of_many(kind: Kind) {
    run(kind, async {
        let ((a, _), (b, at_b)) = (bound().await, bound().await);
        let b = Arc::new(b);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let b = b.clone();
                spawn(async move {
                    let mut got = Vec::new();
                    let mut buf = [0; 8];
                    loop {
                        let (count, _) = b.recv_from(&mut buf).await.unwrap();
                        match count {
                            0 => break got,
                            _ => got.push(u32::from_le_bytes(buf[..4].try_into().unwrap())),
                        }
                    }
                })
            })
            .collect();
        for number in 0..scaled(kind, 800) as u32 {
            a.send_to(&number.to_le_bytes(), at_b).await.unwrap();
            if number % 16 == 0 {
                settle().await;
            }
        }
        settle().await;
        for _ in 0..8 {
            a.send_to(&[], at_b).await.unwrap();
        }
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        assert_eq!(all.len(), scaled(kind, 800), "each once");
        assert_eq!(BTreeSet::from_iter(all.iter()).len(), all.len());
    });
}

fn dropped_receives_take_nothing(kind: Kind) {
    run(kind, async {
        let ((a, at_a), (b, at_b)) = (bound().await, bound().await);
        let mut buf = [0; 16];
        for number in 0..100u8 {
            assert!(poll_once(b.recv_from(&mut buf)).await.is_none());
            assert!(poll_once(b.peek(&mut buf)).await.is_none());
            assert!(poll_once(b.readable()).await.is_none());
            let late = timeout(Duration::from_micros(50), b.recv(&mut buf)).await;
            assert!(late.is_err());
            a.send_to(&[number], at_b).await.unwrap();
            let (count, peer) = b.recv_from(&mut buf).await.unwrap();
            assert_eq!((&buf[..count], peer), (&[number][..], at_a));
        }
    });
}

fn forgotten_futures_hurt_nobody(kind: Kind) {
    run(kind, async {
        let ((a, _), (b, at_b)) = (bound().await, bound().await);
        // What is leaked holds the socket, so that the loop ends with it open.
        let b = Box::leak(Box::new(b));
        let mut forgotten = Box::pin(b.readable());
        assert!(poll_once(forgotten.as_mut()).await.is_none());
        std::mem::forget(forgotten);
        a.send_to(b"x", at_b).await.unwrap();
        assert_eq!(b.recv(&mut [0; 4]).await.unwrap(), 1);
    });
}

fn peeking_takes_nothing(kind: Kind) {
    run(kind, async {
        let ((a, at_a), (b, at_b)) = (bound().await, bound().await);
        a.send_to(b"hello", at_b).await.unwrap();
        let mut buf = [0; 16];
        assert_eq!(b.peek_sender().await.unwrap(), at_a);
        assert_eq!(b.peek_from(&mut buf).await.unwrap(), (5, at_a));
        assert_eq!(b.peek(&mut buf[..2]).await.unwrap(), 2);
        assert_eq!(b.try_peek(&mut buf).unwrap(), 5);
        assert_eq!(b.try_peek_from(&mut buf).unwrap(), (5, at_a));
        assert_eq!(b.try_peek_sender().unwrap(), at_a);
        assert_eq!(b.recv_from(&mut buf).await.unwrap(), (5, at_a));
        would_block(b.try_peek(&mut buf));
        would_block(b.try_peek_sender());
    });
}

fn readiness_is_true(kind: Kind) {
    run(kind, async {
        let ((a, _), (b, at_b)) = (bound().await, bound().await);
        let both = Interest::READABLE | Interest::WRITABLE;
        assert!(b.ready(both).await.unwrap().is_writable());
        assert!(!b.ready(both).await.unwrap().is_readable());
        b.writable().await.unwrap();
        assert!(poll_once(b.readable()).await.is_none());
        assert!(poll_once(b.ready(Interest::READABLE)).await.is_none());
        a.send_to(b"x", at_b).await.unwrap();
        b.readable().await.unwrap();
        b.readable().await.unwrap(); // It stays.
        assert!(b.ready(both).await.unwrap().is_readable());
        b.recv(&mut [0; 4]).await.unwrap();
        assert!(poll_once(b.readable()).await.is_none());
    });
}

fn what_is_tried_does_not_wait(kind: Kind) {
    run(kind, async {
        let ((a, at_a), (b, at_b)) = (bound().await, bound().await);
        let mut buf = [0; 16];
        would_block(b.try_recv(&mut buf));
        would_block(b.try_recv_from(&mut buf));
        assert_eq!(a.try_send_to(b"hello", at_b).unwrap(), 5);
        b.readable().await.unwrap();
        assert_eq!(b.try_recv_from(&mut buf).unwrap(), (5, at_a));
        b.connect(at_a).await.unwrap();
        assert_eq!(b.try_send(b"you").unwrap(), 3);
        let read = a.async_io(Interest::READABLE, || a.try_recv(&mut buf)).await;
        assert_eq!(read.unwrap(), 3);
        assert_eq!(a.try_io(Interest::WRITABLE, || Ok(7)).unwrap(), 7);
    });
}

fn deadlines_end_waiting_and_nothing_else(kind: Kind) {
    run(kind, async {
        let (a, b) = pair().await;
        let mut buf = [0; 16];
        for _ in 0..3 {
            let start = clock::now();
            b.set_deadlines(Some(start + Duration::from_millis(10)), None);
            assert_eq!(b.recv(&mut buf).await.unwrap_err().kind(), ErrorKind::TimedOut);
            assert!(clock::now() - start >= Duration::from_millis(10), "not before");
            // Sending has its own.
            b.send(b"x").await.unwrap();
            a.recv(&mut buf).await.unwrap();
        }
        a.send(b"late").await.unwrap();
        settle().await;
        assert_eq!(b.recv(&mut buf).await.unwrap_err().kind(), ErrorKind::TimedOut);
        b.set_deadlines(None, Some(clock::now()));
        assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(b.send(b"x").await.unwrap_err().kind(), ErrorKind::TimedOut);
        b.set_deadlines(None, None);
        b.send(b"x").await.unwrap();
    });
}

fn a_connected_socket_hears_its_peer_alone(kind: Kind) {
    run(kind, async {
        let (a, b) = pair().await;
        let (c, at_c) = bound().await;
        let mut buf = [0; 16];
        assert_eq!(a.peer_addr().unwrap(), b.local_addr().unwrap());
        c.send_to(b"stranger", b.local_addr().unwrap()).await.unwrap();
        a.send(b"friend").await.unwrap();
        assert_eq!(b.recv(&mut buf).await.unwrap(), 6);
        would_block(b.try_recv(&mut buf));
        assert_eq!(c.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        // Another address may be named all the same.
        b.send_to(b"you", at_c).await.unwrap();
        assert_eq!(c.recv_from(&mut buf).await.unwrap(), (3, b.local_addr().unwrap()));
    });
}

fn nobody_there_is_an_error_of_the_next_call(kind: Kind) {
    run(kind, async {
        let (a, _) = bound().await;
        let gone = {
            let other = UdpSocket::bind(corner(77)).await.unwrap();
            other.local_addr().unwrap()
        };
        a.connect(gone).await.unwrap();
        a.send(b"anybody?").await.unwrap();
        // On Windows this news is switched off: it would also come to those who send to many.
        if kind == Kind::Sim || cfg!(unix) {
            let error = a.recv(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
        would_block(a.try_recv(&mut [0; 8])); // Told once.
        // Who sends to many does not hear what became of one.
        let ((b, at_b), (c, at_c)) = (bound().await, bound().await);
        b.send_to(b"anybody?", gone).await.unwrap();
        settle().await;
        c.send_to(b"me", at_b).await.unwrap();
        assert_eq!(b.recv_from(&mut [0; 8]).await.unwrap(), (2, at_c));
    });
}

fn too_long_is_an_error_of_this_call(kind: Kind) {
    run(kind, async {
        let (a, b) = pair().await;
        let long = vec![0; 65_508];
        for _ in 0..2 {
            a.send(&long).await.unwrap_err();
            a.try_send(&long).unwrap_err();
            a.send_to(&long, b.local_addr().unwrap()).await.unwrap_err();
        }
        a.send(b"short").await.unwrap();
        assert_eq!(b.recv(&mut [0; 8]).await.unwrap(), 5);
    });
}

fn both_ways_at_once(kind: Kind) {
    run(kind, async {
        let (a, b) = pair().await;
        let rounds = scaled(kind, 2000);
        let echo = spawn(async move {
            let mut buf = [0; 64];
            loop {
                match b.recv(&mut buf).await.unwrap() {
                    0 => break,
                    count => b.send(&buf[..count]).await.unwrap(),
                };
            }
        });
        let a = Arc::new(a);
        let mut buf = [0; 64];
        for round in 0..rounds as u64 {
            a.send(&round.to_le_bytes()).await.unwrap();
            assert_eq!(a.recv(&mut buf).await.unwrap(), 8);
            assert_eq!(buf[..8], round.to_le_bytes());
        }
        a.send(&[]).await.unwrap();
        echo.await.unwrap();
    });
}

fn who_never_has_to_wait_lets_others_in(kind: Kind) {
    run(kind, async {
        let ((a, _), (_b, at_b)) = (bound().await, bound().await);
        let done = std::rc::Rc::new(std::cell::Cell::new(false));
        let seen = done.clone();
        let other = reseau::spawn_local(async move {
            reseau::sleep(Duration::from_millis(5)).await;
            seen.set(true);
        });
        // There is always room: what does not fit at the other end is lost.
        while !done.get() {
            a.send_to(b"again", at_b).await.unwrap();
        }
        other.await.unwrap();
    });
}

fn options_keep_what_was_set(kind: Kind) {
    run(kind, async {
        let (a, _) = bound().await;
        assert!(!a.broadcast().unwrap());
        a.set_broadcast(true).unwrap();
        assert!(a.broadcast().unwrap());
        a.set_ttl(7).unwrap();
        assert_eq!(a.ttl().unwrap(), 7);
        a.set_multicast_loop_v4(false).unwrap();
        assert!(!a.multicast_loop_v4().unwrap());
        a.set_multicast_ttl_v4(3).unwrap();
        assert_eq!(a.multicast_ttl_v4().unwrap(), 3);
        assert!(a.take_error().unwrap().is_none());
    });
}

fn a_closed_socket_leaves_nothing(kind: Kind) {
    crate::alone::alone!(kind, a_closed_socket_leaves_nothing);
    run(kind, async {
        // The first of everything may stay: pools, pollers, blocks.
        let once = || async {
            let (a, b) = pair().await;
            assert!(poll_once(b.recv(&mut [0; 4])).await.is_none());
            assert!(poll_once(b.readable()).await.is_none());
            settle().await; // The kernel has the poll.
            drop(b);
            drop(a);
            settle().await;
        };
        once().await;
        let before = descriptors();
        for _ in 0..50 {
            once().await;
        }
        assert_eq!(descriptors(), before);
    });
}

fn waiters_elsewhere_hear_of_the_end(kind: Kind) {
    let lp = reseau::Loop::with(&crate::stage::config(kind)).unwrap();
    let socket = Arc::new(lp.block_on(async { bound().await.0 }));
    let waiter = {
        let socket = socket.clone();
        std::thread::spawn(move || reseau::block_on(async move { socket.recv(&mut [0; 4]).await }))
    };
    lp.block_on(settle());
    drop(lp);
    waiter.join().unwrap().unwrap_err();
    // It lives on, as far as nothing has to wait.
    would_block(socket.try_recv(&mut [0; 4]));
    reseau::block_on(socket.recv(&mut [0; 4])).unwrap_err();
}

fn v6_is_no_other(kind: Kind) {
    run(kind, async {
        let Ok(a) = UdpSocket::bind("[::1]:0").await else { return };
        let b = UdpSocket::bind("[::1]:0").await.unwrap();
        a.send_to(b"six", b.local_addr().unwrap()).await.unwrap();
        let (count, peer) = b.recv_from(&mut [0; 8]).await.unwrap();
        assert_eq!((count, peer), (3, a.local_addr().unwrap()));
        assert!(a.send_to(b"four", any()).await.is_err(), "another family");
    });
}

#[cfg(target_os = "linux")]
fn bad_groups_and_interfaces_are_refused(kind: Kind) {
    run(kind, async {
        let (a, _) = bound().await;
        let group = "239.1.2.3".parse().unwrap();
        let nowhere = a.join_multicast(group, "no-such-if0").unwrap_err();
        assert!(
            matches!(nowhere.kind(), ErrorKind::NotFound | ErrorKind::Unsupported),
            "{nowhere}"
        );
        a.join_multicast("192.0.2.1".parse().unwrap(), 1).unwrap_err(); // No group.
        a.leave_multicast(group, 1).unwrap_err(); // Not joined.
        a.join_multicast(group, 99_999).unwrap_err(); // No such interface.
        let mixed = a.join_ssm(group, "::1".parse().unwrap(), 1).unwrap_err();
        assert_eq!(mixed.kind(), ErrorKind::InvalidInput);
    });
}

/// A socket that may hear groups, if this place has them on its loopback: there, by its name.
#[cfg(target_os = "linux")]
async fn member_of(kind: Kind, group: std::net::Ipv4Addr) -> Option<(UdpSocket, u16)> {
    let member = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    let port = member.local_addr().unwrap().port();
    let (probe, at) = bound().await;
    if let Err(error) = by_loopback(kind, &probe) {
        // Linux always lets one choose; qemu's emulation of its calls knows no such option.
        assert!(crate::alone::emulated() && error.kind() == ErrorKind::Unsupported, "{error}");
        crate::stage::say_skipped(&format!("groups on the loopback: {error}"));
        return None;
    }
    let joins = probe.join_multicast(group.into(), "lo").is_ok();
    let sends = joins && probe.send_to(b"probe", (group, at.port())).await.is_ok();
    assert!(sends || kind != Kind::Sim, "a world has groups");
    if !sends {
        crate::stage::say_skipped("no multicast on the loopback here");
    }
    sends.then_some((member, port))
}

/// Sends what is for groups there. (A world has no other way.)
#[cfg(target_os = "linux")]
fn by_loopback(kind: Kind, sender: &UdpSocket) -> io::Result<()> {
    match kind {
        Kind::Sim => Ok(()),
        _ => sender.set(reseau::opt::MulticastInterface(std::net::Ipv4Addr::LOCALHOST)),
    }
}

#[cfg(target_os = "linux")]
fn members_of_a_group_hear_it(kind: Kind) {
    run(kind, async move {
        let group = "239.7.7.7".parse().unwrap();
        let Some((member, port)) = member_of(kind, group).await else { return };
        let lo = "127.0.0.1".parse().unwrap();
        for round in 0..2 {
            match round {
                0 => member.join_multicast(group.into(), "lo").unwrap(),
                _ => member.join_multicast_v4(group, lo).unwrap(),
            }
            member.join_multicast(group.into(), 1).unwrap_err(); // Once is enough.
            let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            by_loopback(kind, &sender).unwrap();
            sender.send_to(b"all", (group, port)).await.unwrap();
            let (count, from) = member.recv_from(&mut [0; 8]).await.unwrap();
            assert_eq!((count, from), (3, sender.local_addr().unwrap()));
            match round {
                0 => member.leave_multicast(group.into(), "lo").unwrap(),
                _ => member.leave_multicast_v4(group, lo).unwrap(),
            }
            member.leave_multicast(group.into(), "lo").unwrap_err();
        }
        let six: std::net::Ipv6Addr = "ff02::7:7".parse().unwrap();
        let Ok(member) = UdpSocket::bind("[::1]:0").await else { return };
        member.join_multicast_v6(&six, 1).unwrap();
        member.join_multicast(six.into(), "lo").unwrap_err();
        member.leave_multicast(six.into(), "lo").unwrap();
        member.leave_multicast_v6(&six, 1).unwrap_err();
    });
}

#[cfg(target_os = "linux")]
fn members_may_choose_whom_they_hear(kind: Kind) {
    run(kind, async move {
        let group = "232.7.7.7".parse().unwrap();
        let Some((member, port)) = member_of(kind, group).await else { return };
        let [friend, other] = ["127.0.0.1:0", "127.0.0.2:0"].map(UdpSocket::bind);
        let senders = [other.await.unwrap(), friend.await.unwrap()];
        let friend = senders[1].local_addr().unwrap();
        let never = member.leave_ssm(group.into(), friend.ip(), "lo").unwrap_err();
        assert_eq!(never.kind(), ErrorKind::InvalidInput);
        member.join_ssm(group.into(), friend.ip(), "lo").unwrap();
        let twice = member.join_ssm(group.into(), friend.ip(), "lo").unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::AddrNotAvailable);
        for sender in &senders {
            by_loopback(kind, sender).unwrap();
            sender.send_to(b"mine", (group, port)).await.unwrap();
        }
        assert_eq!(member.recv_from(&mut [0; 8]).await.unwrap(), (4, friend));
        settle().await;
        would_block(member.try_recv(&mut [0; 8]));
        member.leave_ssm(group.into(), friend.ip(), "lo").unwrap();
        member.leave_multicast(group.into(), "lo").unwrap_err();
    });
}
