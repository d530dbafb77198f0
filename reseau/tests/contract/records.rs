//! Unix-domain datagrams and records: nothing is lost, everything in order, who floods waits.
use crate::alone::{alone, descriptors};
use crate::stage::{pattern, poll_once, run, settle};
use crate::{everywhere, on_kernels};
use futures_lite::future::zip;
use reseau::net::{Interest, UnixDatagram, UnixSeqpacket, UnixSeqpacketListener};
use reseau::{Kind, UnixAddr, spawn};
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

everywhere!(
    a_pair_keeps_datagrams_apart,
    names_and_the_lack_of_them,
    a_flooded_receiver_holds_the_sender_back,
    a_sender_of_many_is_held_back_too,
    connecting_chooses_the_receiver,
    nobody_there_is_an_error,
    dropped_sends_send_nothing,
    shutdown_ends_receiving,
    a_sender_that_gives_up_leaves_nothing,
    #[cfg(target_os = "linux")]
    records_come_one_by_one,
    #[cfg(target_os = "linux")]
    records_of_any_size,
    #[cfg(target_os = "linux")]
    dropped_accepts_lose_no_connection,
    #[cfg(target_os = "linux")]
    a_full_backlog_is_waited_for,
);

#[cfg(target_os = "linux")]
mod real {
    use super::*;
    on_kernels!(peers_have_credentials, calls_of_ones_own_wait_for_room);
}

/// A path that no other test has, and that is gone when this is dropped.
struct Place(PathBuf);

impl Place {
    fn new(kind: Kind) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("reseau-records-{}-{kind}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn a_pair_keeps_datagrams_apart(kind: Kind) {
    run(kind, async {
        let (a, b) = UnixDatagram::pair().unwrap();
        let mut buf = vec![0; 20_000];
        for sizes in [[0, 1], [5, 0], [9000, 20_000]] {
            for size in sizes {
                assert_eq!(a.send(&pattern(size)).await.unwrap(), size);
            }
            for size in sizes {
                assert_eq!(b.recv(&mut buf).await.unwrap(), size);
                assert!(buf[..size] == pattern(size));
            }
        }
        a.send(b"long").await.unwrap();
        assert_eq!(b.recv(&mut buf[..2]).await.unwrap(), 2);
        assert_eq!(b.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

fn names_and_the_lack_of_them(kind: Kind) {
    run(kind, async {
        let (place, other) = (Place::new(kind), Place::new(kind));
        let server = UnixDatagram::bind(&place.0).unwrap();
        assert_eq!(UnixDatagram::bind(&place.0).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert_eq!(server.local_addr().unwrap().as_pathname(), Some(&*place.0));
        let nameless = UnixDatagram::unbound().unwrap();
        assert!(nameless.local_addr().unwrap().is_unnamed());
        let mut buf = [0; 16];
        nameless.send_to(b"who", &place.0).await.unwrap();
        let (count, peer) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!((count, peer.is_unnamed()), (3, true));
        let named = UnixDatagram::bind(&other.0).unwrap();
        named.send_to(b"me", &place.0).await.unwrap();
        let (count, peer) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!((count, peer.as_pathname()), (2, Some(&*other.0)));
        server.send_to_addr(b"answer", &peer).await.unwrap();
        assert_eq!(named.recv(&mut buf).await.unwrap(), 6);
        if cfg!(target_os = "linux") {
            let name = format!("reseau-{}-{kind}", std::process::id());
            let addr = UnixAddr::from_abstract_name(name.as_bytes()).unwrap();
            let hidden = UnixDatagram::bind_addr(&addr).unwrap();
            nameless.send_to_addr(b"there", &addr).await.unwrap();
            assert_eq!(hidden.recv(&mut buf).await.unwrap(), 5);
        }
    });
}

fn a_flooded_receiver_holds_the_sender_back(kind: Kind) {
    run(kind, async {
        let (a, b) = UnixDatagram::pair().unwrap();
        let total = 500u32;
        let mut early = 0u32;
        while a.try_send(&early.to_le_bytes()).is_ok() {
            early += 1;
        }
        assert!(early > 0 && early < total, "{early} fitted");
        assert!(poll_once(a.writable()).await.is_none());
        let sender = spawn(async move {
            for number in early..total {
                a.send(&number.to_le_bytes()).await.unwrap();
            }
        });
        settle().await; // The sender waits.
        for number in 0..total {
            let mut buf = [0; 8];
            assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
            assert_eq!(buf[..4], number.to_le_bytes(), "in order");
        }
        sender.await.unwrap();
    });
}

/// An unconnected socket is always called writable: whoever believed it would turn in circles.
fn a_sender_of_many_is_held_back_too(kind: Kind) {
    run(kind, async {
        let place = Place::new(kind);
        let receiver = UnixDatagram::bind(&place.0).unwrap();
        let path = place.0.clone();
        let polls = Arc::new(AtomicU32::new(0));
        let counted = polls.clone();
        let sender = spawn(async move {
            let sender = UnixDatagram::unbound().unwrap();
            for number in 0..200u32 {
                let bytes = number.to_le_bytes();
                let mut send = std::pin::pin!(sender.send_to(&bytes, &path));
                std::future::poll_fn(|cx| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    send.as_mut().poll(cx)
                })
                .await
                .unwrap();
            }
        });
        reseau::sleep(Duration::from_millis(100)).await;
        let before = polls.load(Ordering::Relaxed);
        assert!(before < 300, "asked {before} times");
        for number in 0..200u32 {
            let mut buf = [0; 8];
            assert_eq!(receiver.recv(&mut buf).await.unwrap(), 4);
            assert_eq!(buf[..4], number.to_le_bytes(), "in order");
        }
        sender.await.unwrap();
    });
}

fn connecting_chooses_the_receiver(kind: Kind) {
    run(kind, async {
        let place = Place::new(kind);
        let server = UnixDatagram::bind(&place.0).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        assert_eq!(client.send(b"x").await.unwrap_err().kind(), ErrorKind::NotConnected);
        client.connect(&place.0).unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*place.0));
        client.send(b"hello").await.unwrap();
        assert_eq!(server.recv(&mut [0; 8]).await.unwrap(), 5);
    });
}

fn nobody_there_is_an_error(kind: Kind) {
    run(kind, async {
        let place = Place::new(kind);
        let socket = UnixDatagram::unbound().unwrap();
        let error = socket.connect(&place.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(place.0.to_str().unwrap()), "{error}");
        assert_eq!(socket.send_to(b"x", &place.0).await.unwrap_err().kind(), ErrorKind::NotFound);
        drop(UnixDatagram::bind(&place.0).unwrap());
        let error = socket.send_to(b"x", &place.0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let long = "x".repeat(200);
        assert_eq!(socket.connect(&long).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(UnixDatagram::bind("a\0b").unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

fn dropped_sends_send_nothing(kind: Kind) {
    run(kind, async {
        let (a, b) = UnixDatagram::pair().unwrap();
        let mut sent = 0u32;
        while a.try_send(&sent.to_le_bytes()).is_ok() {
            sent += 1;
        }
        for _ in 0..20 {
            assert!(poll_once(a.send(b"never")).await.is_none());
        }
        let mut buf = [0; 8];
        for number in 0..sent {
            b.recv(&mut buf).await.unwrap();
            assert_eq!(buf[..4], number.to_le_bytes());
        }
        a.send(b"last").await.unwrap();
        assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"last");
    });
}

/// The kernel was asked for room that does not come: who closes does not wait for it.
fn a_sender_that_gives_up_leaves_nothing(kind: Kind) {
    alone!(kind, a_sender_that_gives_up_leaves_nothing);
    run(kind, async {
        let (a, b) = UnixDatagram::pair().unwrap();
        while a.try_send(b"full").is_ok() {}
        assert!(poll_once(a.send(b"more")).await.is_none());
        settle().await;
        let before = descriptors();
        drop(a);
        settle().await;
        if kind != Kind::Sim {
            assert_eq!(descriptors(), before - 1);
        }
        drop(b);
    });
}

fn shutdown_ends_receiving(kind: Kind) {
    run(kind, async {
        let (a, b) = UnixDatagram::pair().unwrap();
        let b = Arc::new(b);
        let waiting = {
            let b = b.clone();
            spawn(async move { b.recv(&mut [0; 8]).await })
        };
        settle().await;
        b.shutdown(Shutdown::Read).unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), 0);
        assert_eq!(a.send(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[cfg(target_os = "linux")]
fn records_come_one_by_one(kind: Kind) {
    run(kind, async {
        let (a, b) = UnixSeqpacket::pair().unwrap();
        for text in ["one", "and two", "!"] {
            a.send(text.as_bytes()).await.unwrap();
        }
        let mut buf = [0; 64];
        assert_eq!(b.peek(&mut buf).await.unwrap(), 3);
        for text in ["one", "and two", "!"] {
            let count = b.recv(&mut buf).await.unwrap();
            assert_eq!(&buf[..count], text.as_bytes());
        }
        assert!(poll_once(b.recv(&mut buf)).await.is_none());
        drop(a);
        assert_eq!(b.recv(&mut buf).await.unwrap(), 0);
        assert_eq!(b.send(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[cfg(target_os = "linux")]
fn records_of_any_size(kind: Kind) {
    run(kind, async {
        let (a, b) = UnixSeqpacket::pair().unwrap();
        let sender = spawn(async move {
            for size in (1..60_000).step_by(1777) {
                a.send(&pattern(size)).await.unwrap();
            }
        });
        let mut buf = vec![0; 70_000];
        for size in (1..60_000).step_by(1777) {
            assert_eq!(b.recv(&mut buf).await.unwrap(), size);
            assert!(buf[..size] == pattern(size));
        }
        sender.await.unwrap();
    });
}

#[cfg(target_os = "linux")]
fn dropped_accepts_lose_no_connection(kind: Kind) {
    run(kind, async {
        let place = Place::new(kind);
        let listener = UnixSeqpacketListener::bind(&place.0).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*place.0));
        for number in 0..20u8 {
            assert!(poll_once(listener.accept()).await.is_none());
            let client = UnixSeqpacket::connect(&place.0).await.unwrap();
            client.send(&[number]).await.unwrap();
            let (server, peer) = listener.accept().await.unwrap();
            assert!(peer.is_unnamed());
            let mut buf = [0; 4];
            assert_eq!(server.recv(&mut buf).await.unwrap(), 1);
            assert_eq!(buf[0], number);
        }
    });
}

#[cfg(target_os = "linux")]
fn a_full_backlog_is_waited_for(kind: Kind) {
    run(kind, async {
        let place = Place::new(kind);
        let listener = UnixSeqpacketListener::bind(&place.0).unwrap();
        // So many do not fit into any backlog; the listener does not look yet.
        let clients: Vec<_> = (0..600)
            .map(|_| {
                let path = place.0.clone();
                spawn(async move { UnixSeqpacket::connect(path).await })
            })
            .collect();
        settle().await;
        let mut served = Vec::new();
        for _ in 0..600 {
            served.push(listener.accept().await.unwrap());
        }
        for client in clients {
            client.await.unwrap().unwrap();
        }
    });
}

#[cfg(target_os = "linux")]
fn calls_of_ones_own_wait_for_room(kind: Kind) {
    run(kind, async {
        let (a, b) = UnixDatagram::pair().unwrap();
        let own = std::os::unix::net::UnixDatagram::from(a.as_fd().try_clone_to_owned().unwrap());
        while own.send(b"first").is_ok() {}
        let mut calls = 0;
        let call = a.async_io(Interest::WRITABLE, || {
            calls += 1;
            own.send(b"last")
        });
        // Linux tells of room once three quarters of it are free.
        let answer = async {
            settle().await;
            while b.try_recv(&mut [0; 9]).is_ok_and(|len| len == 5) {}
        };
        assert_eq!(zip(call, answer).await.0.unwrap(), 4);
        assert!((2..100).contains(&calls), "it waited, and not by asking: {calls}");
        // The same by hand.
        while a.try_io(Interest::WRITABLE, || own.send(b"more")).is_ok() {}
        assert!(poll_once(a.writable()).await.is_none(), "it was told that there is no room");
    });
}

#[cfg(target_os = "linux")]
fn peers_have_credentials(kind: Kind) {
    run(kind, async {
        let (a, _b) = UnixSeqpacket::pair().unwrap();
        let own = i32::try_from(std::process::id()).ok();
        assert_eq!(a.peer_cred().unwrap().pid(), own);
        match a.peer_pidfd() {
            Ok(process) => assert_eq!(pid_of(&process), own),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}"),
        }
    });
}

/// Whose process a descriptor stands for.
#[cfg(target_os = "linux")]
fn pid_of(process: &impl std::os::fd::AsRawFd) -> Option<i32> {
    let told = format!("/proc/self/fdinfo/{}", process.as_raw_fd());
    let told = std::fs::read_to_string(told).unwrap();
    told.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
}
