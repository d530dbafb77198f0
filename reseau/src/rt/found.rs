//! Defects that were found by reading: each test fails on the code that had it.
#![cfg(unix)]
#![allow(clippy::disallowed_methods)] // Threads that sleep for a while, as users do.
use super::*;
use crate::addr::Addr;
use crate::clock::tests::watched;
use crate::driver::{Socket, Who, chunk, connection};
use crate::pool::Chunk;
use crate::sys::{Domain, Fd};
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

/// Whether there are rings here; where not, the test says that it is left out.
fn rings() -> bool {
    let report = crate::driver::probe();
    let usable = report.kind == Kind::Uring;
    if !usable {
        eprintln!("skipped: {report}");
    }
    usable
}

fn listen(home: &Arc<Home>) -> (Arc<Socket>, Addr) {
    let fd = home.open(Domain::IPV4).unwrap();
    fd.bind(&Addr::Inet("127.0.0.1:0".parse().unwrap())).unwrap();
    fd.listen(16).unwrap();
    let at = fd.local_addr().unwrap();
    (Socket::listener(fd, home.clone()), at)
}

fn dial(at: &Addr) -> TcpStream {
    let Addr::Inet(at) = at else { unreachable!() };
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream
}

async fn accept(listener: &Arc<Socket>) -> Fd {
    poll_fn(|cx| listener.poll_recv(Who::Owner, cx, connection)).await.unwrap().unwrap().0
}

async fn recv(socket: &Arc<Socket>) -> io::Result<Option<Chunk>> {
    poll_fn(|cx| socket.poll_recv(Who::Owner, cx, chunk)).await
}

async fn send(socket: &Arc<Socket>, chunk: Chunk) -> io::Result<()> {
    let mut chunk = Some(chunk);
    poll_fn(|cx| socket.poll_send(&mut chunk, cx)).await
}

/// A socket that is dropped when quiet is closed at once, not when the loop happens to wake.
fn closes_at_once(kind: Kind) {
    watched(move || {
        let lp = Loop::with(&Config { kind: Some(kind), ..Config::default() }).unwrap();
        lp.block_on(async {
            let home = Remote::current().unwrap().home().clone();
            let (listener, at) = listen(&home);
            let peer = std::thread::spawn(move || {
                let mut peer = dial(&at);
                peer.shutdown(std::net::Shutdown::Write).unwrap();
                peer.read(&mut [0]).map_err(|e| e.kind())
            });
            let task = spawn_local(async move {
                let socket = Socket::stream(accept(&listener).await, home);
                assert!(recv(&socket).await.unwrap().is_none());
                socket.close();
                drop(socket);
                std::future::pending::<()>().await; // The listener lives on.
            });
            let told = offload(move || peer.join().unwrap()).await.unwrap();
            assert_eq!(told, Ok(0), "the peer sees the end");
            drop(task);
        });
    });
}
#[test]
fn closes_at_once_uring() {
    if rings() {
        closes_at_once(Kind::Uring);
    }
}
#[test]
fn closes_at_once_ready() {
    closes_at_once(Kind::Ready);
}

/// A block that a finished send gives back does not lie about while a lane starves.
fn echo_with_one_block(kind: Kind) {
    watched(move || {
        let config =
            Config { kind: Some(kind), blocks_max: 1, block_size: 1024, ..Config::default() };
        let lp = Loop::with(&config).unwrap();
        lp.block_on(async {
            let home = Remote::current().unwrap().home().clone();
            let (listener, at) = listen(&home);
            let peer = std::thread::spawn(move || {
                let mut peer = dial(&at);
                peer.write_all(&[7; 4096]).unwrap();
                let mut back = [0; 4096];
                peer.read_exact(&mut back).map_err(|e| e.kind())
            });
            let task = spawn_local(async move {
                let socket = Socket::stream(accept(&listener).await, home);
                while let Some(chunk) = recv(&socket).await.unwrap() {
                    send(&socket, chunk).await.unwrap();
                }
            });
            let told = offload(move || peer.join().unwrap()).await.unwrap();
            assert_eq!(told, Ok(()), "every byte came back");
            drop(task);
        });
    });
}
#[test]
fn echo_with_one_block_uring() {
    if rings() {
        echo_with_one_block(Kind::Uring);
    }
}
#[test]
fn echo_with_one_block_ready() {
    echo_with_one_block(Kind::Ready);
}

/// A chunk that was sent is dropped when it was sent.
fn sent_chunks_are_dropped(kind: Kind) {
    struct Bell(mpsc::Sender<()>, Vec<u8>);
    impl AsRef<[u8]> for Bell {
        fn as_ref(&self) -> &[u8] {
            &self.1
        }
    }
    impl Drop for Bell {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    watched(move || {
        let lp = Loop::with(&Config { kind: Some(kind), ..Config::default() }).unwrap();
        lp.block_on(async {
            let home = Remote::current().unwrap().home().clone();
            let (a, _b) = home.pair(crate::sys::Kind::Stream).unwrap();
            let (tell, told) = mpsc::channel();
            let socket = Socket::stream(a, home);
            let waits =
                std::thread::spawn(move || told.recv_timeout(Duration::from_secs(2)).is_ok());
            let task = spawn_local(async move {
                send(&socket, Chunk::from_owner(Bell(tell, vec![1; 100]))).await.unwrap();
                std::future::pending::<()>().await;
            });
            assert!(offload(move || waits.join().unwrap()).await.unwrap(), "dropped when sent");
            drop(task);
        });
    });
}
#[test]
fn sent_chunks_are_dropped_uring() {
    if rings() {
        sent_chunks_are_dropped(Kind::Uring);
    }
}
#[test]
fn sent_chunks_are_dropped_ready() {
    sent_chunks_are_dropped(Kind::Ready);
}

/// A receive that the poller refuses fails the receive lane, and leaves the other alone.
#[test]
fn a_refused_registration_is_told_to_its_lane() {
    watched(|| {
        let lp = Loop::with(&Config { kind: Some(Kind::Ready), ..Config::default() }).unwrap();
        lp.block_on(async {
            let home = Remote::current().unwrap().home().clone();
            let file = std::fs::File::open("/proc/self/exe").unwrap(); // epoll says EPERM
            let socket = Socket::stream(Fd::Os(std::os::fd::OwnedFd::from(file).into()), home);
            let answer = timeout(Duration::from_secs(1), recv(&socket)).await;
            assert!(answer.expect("an answer").is_err());
            assert!(!socket.send_lane().failed());
        });
    });
}

/// Blocks that the ring has back serve a lane that found none a moment ago.
#[test]
fn blocks_in_the_ring_end_a_famine() {
    if !rings() {
        return;
    }
    watched(|| {
        let config = Config {
            kind: Some(Kind::Uring),
            blocks_max: 4,
            block_size: 1024,
            ..Config::default()
        };
        let lp = Loop::with(&config).unwrap();
        lp.block_on(async {
            let home = Remote::current().unwrap().home().clone();
            let (a, b) = home.pair(crate::sys::Kind::Stream).unwrap();
            let (held, filler) = (Socket::stream(a, home.clone()), b);
            // Two of four blocks are held by somebody; two are in the ring.
            filler.send(&[1; 1024]).unwrap();
            let one = recv(&held).await.unwrap().unwrap();
            filler.send(&[1; 1024]).unwrap();
            let two = recv(&held).await.unwrap().unwrap();
            let pairs: Vec<_> = (0..6)
                .map(|_| {
                    let (a, b) = home.pair(crate::sys::Kind::Stream).unwrap();
                    (Socket::stream(a, home.clone()), b)
                })
                .collect();
            // Six small messages at once: four of them find no block.
            let tasks: Vec<_> = pairs
                .iter()
                .map(|(socket, _)| {
                    let socket = socket.clone();
                    spawn_local(async move { recv(&socket).await.unwrap().unwrap().len() })
                })
                .collect();
            sleep(Duration::from_millis(20)).await;
            for (_, peer) in &pairs {
                peer.send(&[2; 10]).unwrap();
            }
            for task in tasks {
                let got = timeout(Duration::from_secs(1), task).await;
                assert_eq!(got.expect("a message of ten bytes").unwrap(), 10);
            }
            drop((one, two));
        });
    });
}

/// A simulated socket may outlive the run that it was made in, on its own thread.
#[test]
fn simulated_sockets_may_be_dropped_outside() {
    let lp = Loop::with(&Config { kind: Some(Kind::Sim), ..Config::default() }).unwrap();
    let socket = lp.block_on(async {
        let home = Remote::current().unwrap().home().clone();
        Socket::stream(home.open(Domain::IPV4).unwrap(), home)
    });
    socket.close();
    drop(lp);
}

/// Who wakes a task from afar may be slow to bring it home: the end of its loop waits for that.
#[test]
fn a_task_on_its_way_home_goes_with_its_loop() {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let went = Arc::new(AtomicBool::new(false));
    let flag = Flag(went.clone());
    watched(move || {
        let lp = Loop::with(&Config { kind: Some(Kind::Ready), ..Config::default() }).unwrap();
        let (tell, told) = mpsc::channel();
        lp.block_on(async move {
            let wait = async move {
                let _flag = flag;
                poll_fn(|cx| {
                    let _ = tell.send(cx.waker().clone());
                    Poll::<()>::Pending
                })
                .await;
            };
            spawn_local(wait).detach();
            yield_now().await;
        });
        told.recv().unwrap().wake();
        // Between the mark that it is woken and the inbox, as if who wakes it were held up there.
        let mut posts = Vec::new();
        lp.home.door().take(&mut posts);
        let home = lp.home.clone();
        let slow = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            posts.into_iter().filter_map(|post| home.post(post).err()).for_each(std::mem::forget);
        });
        drop(lp);
        slow.join().unwrap();
    });
    assert!(went.load(Ordering::SeqCst), "the task outlives its loop");
}

/// The last to hold a group may be a task of it, which cannot wait for its own thread.
#[test]
fn a_group_may_be_ended_on_a_loop_of_its_own() {
    let ways: [fn(Group) -> Option<Group>; 3] = [
        |group| {
            drop(group);
            None
        },
        |group| {
            group.stop(Duration::ZERO);
            None
        },
        // The end of the loop drops the task, and with it the group.
        |group| {
            group.remotes()[0].stop(Duration::ZERO);
            Some(group)
        },
    ];
    for way in ways {
        watched(move || {
            let config = Config { kind: Some(Kind::Ready), ..Config::default() };
            let group = Group::new(2, &config).unwrap();
            let remotes = group.remotes().to_vec();
            let (tell, told) = mpsc::channel();
            let end = move || async move {
                let kept = way(group);
                tell.send(()).unwrap();
                if kept.is_some() {
                    std::future::pending::<()>().await;
                }
            };
            remotes[0].spawn(end).unwrap();
            told.recv().expect("the task panics");
            for remote in remotes {
                while remote.spawn(|| async {}).is_ok() {
                    std::thread::yield_now();
                }
            }
        });
    }
}

/// A socket whose loop has ended can still leave it.
#[test]
fn leaving_a_loop_that_has_ended() {
    let lp = Loop::new().unwrap();
    let socket = lp.block_on(async {
        let home = Remote::current().unwrap().home().clone();
        Socket::stream(home.open(Domain::IPV4).unwrap(), home)
    });
    drop(lp);
    watched(move || {
        let other = Loop::new().unwrap();
        other.block_on(async {
            assert!(recv(&socket).await.is_err());
            let left = timeout(Duration::from_secs(1), poll_fn(|cx| socket.poll_leave(cx))).await;
            left.expect("it has nothing to wait for").unwrap();
        });
    });
}

/// A chunk whose owner panics when dropped does not end a shared loop.
fn panicking_owner(kind: Kind) {
    struct Bomb(Vec<u8>);
    impl AsRef<[u8]> for Bomb {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a bomb");
        }
    }
    watched(move || {
        let group = Group::new(1, &Config { kind: Some(kind), ..Config::default() }).unwrap();
        let home = group.remotes()[0].home().clone();
        let (a, mut b) = std::os::unix::net::UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        b.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let socket = Socket::stream(Fd::Os(a.into()), home);
        let writer = {
            let socket = socket.clone();
            std::thread::spawn(move || {
                super::block_on(async {
                    // More than the kernel takes at once: the home sends the rest.
                    for _ in 0..2 {
                        send(&socket, Chunk::from_owner(Bomb(vec![1; 1 << 20]))).await.unwrap();
                    }
                    send(&socket, Chunk::from("after")).await.unwrap();
                    poll_fn(|cx| socket.poll_flush(cx)).await.unwrap();
                });
            })
        };
        let mut got = vec![0; (2 << 20) + 5];
        b.read_exact(&mut got).unwrap();
        writer.join().unwrap();
    });
}
#[test]
fn panicking_owner_uring() {
    if rings() {
        panicking_owner(Kind::Uring);
    }
}
#[test]
fn panicking_owner_ready() {
    panicking_owner(Kind::Ready);
}

/// A loop that ends sends what is queued; whatever other threads do meanwhile with its sockets,
/// everybody is told in the end.
fn kicks_while_a_loop_drains(kind: Kind) {
    watched(move || {
        let group = Group::new(1, &Config { kind: Some(kind), ..Config::default() }).unwrap();
        let home = group.remotes()[0].home().clone();
        let pair = || {
            let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
            a.set_nonblocking(true).unwrap();
            (Socket::stream(Fd::Os(a.into()), home.clone()), b)
        };
        let ((a, mut a_peer), (slow, mut slow_peer), (c, _c_peer)) = (pair(), pair(), pair());
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let answer = super::block_on(recv(&c)).map(drop);
            let _ = tell.send(answer.is_err());
        });
        super::block_on(async {
            for socket in [&a, &slow] {
                send(socket, Chunk::from(vec![1; 1 << 20])).await.unwrap();
            }
            let mut recv = pin!(recv(&a));
            poll_fn(|cx| {
                assert!(recv.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        });
        std::thread::sleep(Duration::from_millis(100));
        slow.close();
        drop(slow);
        let ending = std::thread::spawn(move || group.stop(Duration::from_secs(60)));
        std::thread::sleep(Duration::from_millis(300));
        // The door is closed, and the loop still sends for `slow`.
        a.close();
        drop(a);
        let mut all = vec![0; 1 << 20];
        a_peer.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let _ = a_peer.read_exact(&mut all);
        std::thread::sleep(Duration::from_millis(100));
        let _ = a_peer.write_all(b"late");
        drop(a_peer);
        std::thread::sleep(Duration::from_millis(100));
        slow_peer.read_exact(&mut all).expect("what was queued is sent");
        ending.join().unwrap();
        let told = told.recv_timeout(Duration::from_secs(1));
        assert_eq!(told, Ok(true), "who waits is told");
    });
}
#[test]
fn kicks_while_a_loop_drains_uring() {
    if rings() {
        kicks_while_a_loop_drains(Kind::Uring);
    }
}
#[test]
fn kicks_while_a_loop_drains_ready() {
    kicks_while_a_loop_drains(Kind::Ready);
}

/// What a direct send hears from the kernel, which says it once, is what the next call hears.
#[test]
fn a_direct_send_keeps_its_error() {
    watched(|| {
        let config = Config { kind: Some(Kind::Ready), ..Config::default() };
        let group = Group::new(1, &config).unwrap();
        let home = group.remotes()[0].home().clone();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let fd = home.open(Domain::IPV4).unwrap();
        let socket = Socket::stream(fd, home);
        let at = Addr::Inet(listener.local_addr().unwrap());
        super::block_on(async {
            socket.start_connect(&at).unwrap();
            poll_fn(|cx| socket.poll_connected(cx)).await.unwrap();
            let (peer, _) = listener.accept().unwrap();
            send(&socket, Chunk::from("unread")).await.unwrap();
            std::thread::sleep(Duration::from_millis(50));
            drop(peer); // With something unread: a reset.
            std::thread::sleep(Duration::from_millis(50));
            let _ = send(&socket, Chunk::from("first")).await;
            let kind = send(&socket, Chunk::from("second")).await.map_err(|error| error.kind());
            assert_eq!(kind, Err(io::ErrorKind::ConnectionReset));
        });
        socket.close();
    });
}
