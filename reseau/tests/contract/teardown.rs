//! Loops, sockets and futures end in any order, in the middle of anything.
#![allow(clippy::async_yields_async)] // Futures are among the things that are dropped here.
use super::stage::{
    TcpListener, TcpStream, config, connect, drain, drain_left, listen, listen_in, pair, pair_at,
    pattern, poll_once, run, settle, take,
};
use super::{everywhere, on_kernels};
use reseau::{Config, Kind, Loop, Remote, Task, spawn};
use std::future::Future;
use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;
use tokio::sync::oneshot;

everywhere!(
    loop_dropped_in_flight,
    any_order_of_drops,
    sockets_of_a_gone_loop_say_so,
    what_was_received_outlives_the_loop,
    panics_of_tasks_stay_theirs,
    aborted_tasks_close_their_sockets,
    sockets_survive_between_runs;
    plain "their peers are std's, or nobody's":
    queued_sends_arrive_after_their_loop,
    tasks_go_with_their_loop,
    tasks_woken_from_outside_go_with_their_loop,
    tasks_that_are_being_woken_go_with_their_loop,
);

mod real {
    use super::*;
    on_kernels!(
        waiters_elsewhere_hear_of_the_end;
        plain "their peers are std's, and write what is no TLS":
        peers_write_into_a_dying_loop,
        the_kernel_has_let_go_when_a_loop_is_dropped,
        what_comes_after_the_end_of_a_loop_is_for_the_next,
        bytes_that_a_loop_takes_at_its_end_are_for_the_next,
        connections_that_a_loop_takes_at_its_end_are_for_the_next,
        #[cfg(unix)]
        descriptors_that_a_loop_takes_at_its_end_are_for_the_next,
        sockets_of_tasks_woken_from_outside_are_closed,
    );
}

fn loop_dropped_in_flight(kind: Kind) {
    for round in 0..50 {
        let lp = Loop::with(&Config { seed: round, ..config(kind) }).unwrap();
        lp.block_on(async {
            let (listener, addr) = listen().await;
            for _ in 0..8 {
                let (mut client, mut server) = pair_at(&listener, addr).await;
                spawn(async move { while let Ok(Some(_)) = server.recv().await {} }).detach();
                spawn(async move { while client.send(pattern(50_000)).await.is_ok() {} }).detach();
            }
            spawn(async move { while listener.accept().await.is_ok() {} }).detach();
            spawn(async move { drop(connect(addr).await) }).detach();
            for _ in 0..round % 7 {
                reseau::yield_now().await;
            }
        });
        drop(lp);
    }
}

/// As above, with peers that go on writing into buffers that the kernel must not have any more.
fn peers_write_into_a_dying_loop(kind: Kind) {
    for _ in 0..40 {
        let lp = Loop::with(&config(kind)).unwrap();
        let peers = lp.block_on(async {
            let (listener, addr) = listen().await;
            let mut peers = Vec::new();
            for _ in 0..8 {
                peers.push(std::net::TcpStream::connect(addr).unwrap());
                let (mut stream, _) = listener.accept().await.unwrap();
                spawn(async move { while let Ok(Some(_)) = stream.recv().await {} }).detach();
            }
            spawn(async move { while listener.accept().await.is_ok() {} }).detach();
            reseau::yield_now().await;
            peers
        });
        let writer = std::thread::spawn(move || {
            for mut peer in peers {
                let _ = std::io::Write::write_all(&mut peer, &[9; 100_000]);
            }
        });
        drop(lp);
        // What were blocks, which the kernel should have let go of, is something else now.
        let canaries: Vec<_> = (0..400).map(|i| vec![0x55u8; 4096 + i % 64]).collect();
        writer.join().unwrap();
        std::thread::sleep(Duration::from_millis(1));
        let alive = canaries.iter().all(|canary| canary.iter().all(|byte| *byte == 0x55));
        assert!(alive, "somebody has written to memory that was freed");
    }
}

/// Operations hold sockets open; none is left when the drop returns, so all of these are closed.
fn the_kernel_has_let_go_when_a_loop_is_dropped(kind: Kind) {
    for _ in 0..20 {
        let lp = Loop::with(&config(kind)).unwrap();
        let (peers, held, addr) = lp.block_on(async {
            let (listener, addr) = listen_in(14).await;
            let (mut peers, mut held) = (Vec::new(), Vec::new());
            for i in 0..8 {
                let peer = std::net::TcpStream::connect(addr).unwrap();
                peer.set_nonblocking(true).unwrap();
                peers.push(peer);
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(poll_once(stream.recv()).await.is_none());
                if i % 2 == 0 {
                    held.push(stream);
                } else {
                    spawn(async move { while let Ok(Some(_)) = stream.recv().await {} }).detach();
                }
            }
            spawn(async move { while listener.accept().await.is_ok() {} }).detach();
            settle().await;
            (peers, held, addr)
        });
        drop(lp);
        drop(held);
        for peer in peers {
            assert!(matches!(peer.peek(&mut [0]), Ok(0)), "closed, and not soon, but now");
        }
        assert!(std::net::TcpStream::connect(addr).is_err(), "nobody listens any more");
    }
}

/// Bytes come before, while and after the loop ends, and no operation of it is left to swallow any.
fn what_comes_after_the_end_of_a_loop_is_for_the_next(kind: Kind) {
    const TOTAL: usize = 400_000;
    for round in 0..10 {
        let lp = Loop::with(&config(kind)).unwrap();
        let (peers, streams) = lp.block_on(async {
            let (listener, addr) = crate::stage::listen().await;
            let (mut peers, mut streams) = (Vec::new(), Vec::new());
            for _ in 0..8 {
                peers.push(std::net::TcpStream::connect(addr).unwrap());
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(poll_once(stream.recv()).await.is_none());
                streams.push(stream);
            }
            settle().await;
            (peers, streams)
        });
        let writer = std::thread::spawn(move || {
            for frame in pattern(TOTAL).chunks(1000) {
                for mut peer in &peers {
                    std::io::Write::write_all(&mut peer, frame).unwrap();
                }
            }
        });
        lp.block_on(reseau::sleep(Duration::from_micros(200 * round)));
        drop(lp);
        let detached: Vec<_> = streams.into_iter().map(|stream| now(stream.detach())).collect();
        run(kind, async {
            let read = detached.into_iter().map(|detached| {
                let mut stream = detached.unwrap().attach().unwrap();
                spawn(async move { drain(&mut stream).await })
            });
            for task in read.collect::<Vec<_>>() {
                assert!(task.await.unwrap() == pattern(TOTAL), "bytes are missing");
            }
        });
        writer.join().unwrap();
    }
}

/// A receive that nobody has submitted yet reaches the kernel with its own cancel, and comes first.
fn bytes_that_a_loop_takes_at_its_end_are_for_the_next(kind: Kind) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lp = Loop::with(&config(kind)).unwrap();
    let (stream, peer) = lp.block_on(async {
        let mut stream = reseau::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut peer, b"hello").unwrap();
        assert!(poll_once(stream.recv()).await.is_none());
        (stream, peer)
    });
    drop(lp);
    drop(peer);
    let detached = now(stream.detach()).unwrap();
    let got = run(kind, async move { drain(&mut detached.attach().unwrap()).await });
    assert_eq!(got, b"hello");
}

fn connections_that_a_loop_takes_at_its_end_are_for_the_next(kind: Kind) {
    let lp = Loop::with(&config(kind)).unwrap();
    let (listener, addr, first) = lp.block_on(async {
        let (listener, addr) = crate::stage::listen().await;
        let first = std::net::TcpStream::connect(addr).unwrap();
        assert!(poll_once(listener.accept()).await.is_none());
        (listener, addr, first)
    });
    drop(lp);
    let detached = now(listener.detach()).unwrap();
    let _second = std::net::TcpStream::connect(addr).unwrap();
    run(kind, async move {
        let (_, peer) = detached.attach().unwrap().accept().await.unwrap();
        assert_eq!(peer, first.local_addr().unwrap(), "who came first is accepted first");
    });
}

/// Here the loop itself makes the call.
#[cfg(unix)]
fn descriptors_that_a_loop_takes_at_its_end_are_for_the_next(kind: Kind) {
    let null = std::fs::File::open("/dev/null").unwrap();
    let lp = Loop::with(&config(kind)).unwrap();
    let stream = lp.block_on(async {
        let (mut a, mut b) = reseau::UnixStream::pair().unwrap();
        a.send_fds(b"hello", &[std::os::fd::AsFd::as_fd(&null)]).await.unwrap();
        assert!(poll_once(b.recv()).await.is_none());
        b
    });
    drop(lp);
    let detached = now(stream.detach()).unwrap();
    run(kind, async move {
        let mut buf = [0; 8];
        let passed = detached.attach().unwrap().recv_fds(&mut buf, 8).await.unwrap();
        assert_eq!((&buf[..passed.len], passed.fds.len()), (&b"hello"[..], 1));
    });
}

/// The linger holds for the end of a loop too.
fn queued_sends_arrive_after_their_loop(kind: Kind) {
    if kind == Kind::Sim {
        return in_the_same_world(kind);
    }
    let std_listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = std_listener.local_addr().unwrap();
    let reader = std::thread::spawn(move || {
        (0..3).map(|_| read_slowly(std_listener.accept().unwrap().0)).collect::<Vec<_>>()
    });
    let lp = Loop::with(&config(kind)).unwrap();
    lp.block_on(async {
        for way in 0..3 {
            let mut stream = reseau::TcpStream::connect(addr).await.unwrap();
            stream.send(pattern(6 << 20)).await.unwrap();
            match way {
                0 => drop(stream),
                1 => drop(stream.into_split()),
                _ => spawn(async move {
                    let _ = stream.recv().await; // Ends with the loop.
                })
                .detach(),
            }
        }
    });
    drop(lp);
    for got in reader.join().unwrap() {
        assert!(got == pattern(6 << 20), "{} bytes arrived", got.len());
    }
}

fn read_slowly(mut peer: std::net::TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    std::thread::sleep(Duration::from_millis(30));
    std::io::Read::read_to_end(&mut peer, &mut got).unwrap();
    got
}

/// Both ends are on the loop that ends; the receiver looks at what has come before it went.
fn in_the_same_world(kind: Kind) {
    let lp = Loop::with(&config(kind)).unwrap();
    let mut server = lp.block_on(async {
        let (mut client, mut server) = pair().await;
        assert!(poll_once(server.recv()).await.is_none());
        client.send(pattern(1000)).await.unwrap();
        server
    });
    drop(lp);
    let mut got = Vec::new();
    while let Ok(Some(chunk)) = now(server.recv()) {
        got.extend_from_slice(&chunk);
    }
    assert!(pattern(1000).starts_with(&got));
}

/// What a future says when there is no loop: it may not wait for one.
fn now<T>(future: impl Future<Output = T>) -> T {
    futures_lite::future::block_on(future)
}

/// Something that ends by being dropped.
type Piece = Option<Box<dyn FnOnce()>>;

fn pieces(lp: Loop) -> Vec<Piece> {
    async fn waiting(mut stream: TcpStream) {
        let _ = stream.recv().await;
    }
    async fn sending(mut stream: TcpStream) {
        while stream.send(pattern(100_000)).await.is_ok() {}
    }
    async fn accepting(listener: TcpListener) {
        let _ = listener.accept().await;
    }
    let begun = |mut future: Pin<Box<dyn Future<Output = ()>>>| async move {
        assert!(poll_once(&mut future).await.is_none());
        future
    };
    let (plain, futures) = lp.block_on(async {
        let (listener, addr) = listen().await;
        let (one, two) = pair_at(&listener, addr).await;
        let (three, mut four) = pair_at(&listener, addr).await;
        four.send("unread").await.unwrap();
        let futures = [
            begun(Box::pin(waiting(one))).await,
            begun(Box::pin(sending(two))).await,
            begun(Box::pin(accepting(listener))).await,
        ];
        ((three, four), futures)
    });
    let [waiting, sending, accepting] = futures;
    let piece = |drop: Box<dyn FnOnce()>| Some(drop);
    vec![
        piece(Box::new(move || drop(lp))),
        piece(Box::new(move || drop(plain))),
        piece(Box::new(move || drop(waiting))),
        piece(Box::new(move || drop(sending))),
        piece(Box::new(move || drop(accepting))),
    ]
}

fn any_order_of_drops(kind: Kind) {
    let linger = Duration::from_millis(1);
    let mut orders = 0;
    permute(&mut vec![], 5, &mut |order| {
        let lp = Loop::with(&Config { linger, ..config(kind) }).unwrap();
        let mut pieces = pieces(lp);
        for index in order {
            pieces[*index].take().expect("each once")();
        }
        orders += 1;
    });
    assert_eq!(orders, 120);
}

fn permute(order: &mut Vec<usize>, count: usize, each: &mut dyn FnMut(&[usize])) {
    if order.len() == count {
        return each(order);
    }
    for index in 0..count {
        if !order.contains(&index) {
            order.push(index);
            permute(order, count, each);
            order.pop();
        }
    }
}

fn sockets_of_a_gone_loop_say_so(kind: Kind) {
    let lp = Loop::with(&config(kind)).unwrap();
    let (listener, mut client, mut server, addr) = lp.block_on(async {
        let (listener, addr) = listen().await;
        let (mut client, mut server) = pair_at(&listener, addr).await;
        assert!(poll_once(listener.accept()).await.is_none());
        assert!(poll_once(server.recv()).await.is_none());
        client.send("x").await.unwrap();
        assert_eq!(&*server.recv().await.unwrap().unwrap(), b"x");
        (listener, client, server, addr)
    });
    let remote = lp.remote();
    drop(lp);
    assert!(remote.spawn(|| async {}).is_err());
    for _ in 0..2 {
        assert!(now(listener.accept()).is_err());
        assert!(now(server.recv()).is_err());
        assert!(now(server.peek(&mut [0])).is_err());
        assert!(now(server.read_exact(&mut [0])).is_err());
        assert!(now(server.send("x")).is_err());
        assert!(now(client.finish()).is_err());
        assert!(now(reseau::TcpStream::connect_on(&remote, addr)).is_err());
    }
}

fn what_was_received_outlives_the_loop(kind: Kind) {
    let lp = Loop::with(&config(kind)).unwrap();
    let mut server = lp.block_on(async {
        let (mut client, server) = pair().await;
        client.send(pattern(3000)).await.unwrap();
        while server.queued() < 3000 {
            server.peek(&mut [0]).await.unwrap();
            reseau::sleep(Duration::from_micros(200)).await;
        }
        server
    });
    drop(lp);
    let mut got = Vec::new();
    let error = loop {
        match now(server.recv()) {
            Ok(chunk) => got.extend_from_slice(&chunk.expect("not an orderly end")),
            Err(error) => break error,
        }
    };
    assert!(got == pattern(3000), "first what was received");
    assert!(error.to_string().contains("loop"), "{error}");
}

fn tasks_go_with_their_loop(kind: Kind) {
    struct Told(std::rc::Rc<std::cell::Cell<usize>>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            // What a task's end spawns is not started, and hurts nobody.
            drop(reseau::spawn_local(async {}));
        }
    }
    let count = std::rc::Rc::new(std::cell::Cell::new(0));
    let lp = Loop::with(&config(kind)).unwrap();
    let task = lp.block_on(async {
        let waiting = (0..3).map(|_| {
            let told = Told(count.clone());
            reseau::spawn_local(async move {
                let _told = told;
                reseau::sleep(Duration::from_secs(3600)).await;
            })
        });
        let mut tasks: Vec<_> = waiting.collect();
        reseau::yield_now().await;
        tasks.pop().unwrap()
    });
    drop(lp);
    assert_eq!(count.get(), 3);
    assert!(now(task).unwrap_err().is_cancelled());
}

/// What a task holds.
struct Flag(Arc<AtomicUsize>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A task that waits, and who wakes it.
type Waiting = (oneshot::Sender<()>, Task<()>);

/// Two tasks that wait for a word, each with something to hold. Inside a loop.
async fn waiting(held: [impl Send + 'static; 2]) -> [Waiting; 2] {
    let [one, two] = held;
    let ((tell_one, told_one), (tell_two, told_two)) = (oneshot::channel(), oneshot::channel());
    async fn wait(held: impl Send, told: oneshot::Receiver<()>) {
        let _ = told.await;
        drop(held);
    }
    let one = spawn(wait(one, told_one));
    let two = reseau::spawn_local(wait(two, told_two));
    reseau::yield_now().await;
    [(tell_one, one), (tell_two, two)]
}

/// A way to wake a task while nobody runs its loop, and its handle if that is left.
type Way = fn(Waiting) -> Option<Task<()>>;

fn ways() -> [Way; 3] {
    [
        |(tell, task)| {
            tell.send(()).unwrap();
            Some(task)
        },
        |(tell, task)| {
            std::thread::spawn(|| tell.send(()).unwrap()).join().unwrap();
            Some(task)
        },
        |(_tell, task)| {
            task.abort();
            None
        },
    ]
}

/// Those lie in the inbox when the loop ends, and go all the same.
fn tasks_woken_from_outside_go_with_their_loop(kind: Kind) {
    for way in ways() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let lp = Loop::with(&config(kind)).unwrap();
        let tasks = lp.block_on(waiting([Flag(dropped.clone()), Flag(dropped.clone())]));
        let tasks = tasks.map(way);
        drop(lp);
        assert_eq!(dropped.load(Ordering::SeqCst), 2, "tasks outlive their loop");
        for task in tasks.into_iter().flatten() {
            assert!(now(task).unwrap_err().is_cancelled());
        }
    }
}

/// A stream each, and a listener whose last caller was never let in.
fn sockets_of_tasks_woken_from_outside_are_closed(kind: Kind) {
    for way in ways() {
        let lp = Loop::with(&config(kind)).unwrap();
        let (peers, waiting) = lp.block_on(async {
            let (listener, addr) = listen().await;
            let peers = [(); 3].map(|()| std::net::TcpStream::connect(addr).unwrap());
            let (one, _) = listener.accept().await.unwrap();
            let (two, _) = listener.accept().await.unwrap();
            let waiting = waiting([(one, None), (two, Some(listener))]).await;
            settle().await;
            (peers, waiting)
        });
        let _tasks = waiting.map(way);
        drop(lp);
        for mut peer in peers {
            peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let error = std::io::Read::read_to_end(&mut peer, &mut Vec::new()).err();
            let kind = error.map_or(ConnectionReset, |error| error.kind());
            assert!(matches!(kind, ConnectionReset | ConnectionAborted), "{kind}");
        }
    }
}

/// The loop ends while somebody is at it.
fn tasks_that_are_being_woken_go_with_their_loop(kind: Kind) {
    for _ in 0..20 {
        let dropped = Arc::new(AtomicUsize::new(0));
        let lp = Loop::with(&config(kind)).unwrap();
        let mut tells = Vec::new();
        lp.block_on(async {
            for _ in 0..50 {
                let both = waiting([Flag(dropped.clone()), Flag(dropped.clone())]).await;
                tells.extend(both.map(|(tell, _)| tell));
            }
        });
        let begun = Arc::new(Barrier::new(2));
        let started = begun.clone();
        let waker = std::thread::spawn(move || {
            started.wait();
            for tell in tells {
                let _ = tell.send(());
            }
        });
        begun.wait();
        drop(lp);
        assert_eq!(dropped.load(Ordering::SeqCst), 100, "tasks outlive their loop");
        waker.join().unwrap();
    }
}

fn panics_of_tasks_stay_theirs(kind: Kind) {
    run(kind, async {
        let (client, mut server) = pair().await;
        let task = spawn(async move {
            let _client = client;
            reseau::yield_now().await;
            panic!("on purpose");
        });
        let error = task.await.unwrap_err();
        assert!(error.is_panic());
        assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "on purpose");
        assert!(drain_left(&mut server).await.is_empty(), "its socket was closed");
    });
}

fn aborted_tasks_close_their_sockets(kind: Kind) {
    run(kind, async {
        let (mut client, mut server) = pair().await;
        let task = spawn(async move {
            client.send(pattern(100_000)).await.unwrap();
            let _ = client.recv().await;
        });
        settle().await;
        task.abort();
        assert!(drain_left(&mut server).await == pattern(100_000));
    });
}

/// A loop that is not run stands still; its sockets go on when it is run again.
fn sockets_survive_between_runs(kind: Kind) {
    let lp = Loop::with(&config(kind)).unwrap();
    let (mut client, mut server) = lp.block_on(pair());
    for round in 0..20u8 {
        client = lp.block_on(async move {
            client.send(vec![round; 5000]).await.unwrap();
            client
        });
        server = lp.block_on(async move {
            let got = take(&mut server, 5000).await;
            assert_eq!(got, [round; 5000]);
            server
        });
    }
    drop(client); // Outside of any run.
    lp.block_on(async { assert!(drain_left(&mut server).await.is_empty()) });
}

fn waiters_elsewhere_hear_of_the_end(kind: Kind) {
    let lp = Loop::with(&config(kind)).unwrap();
    let (mut client, server) = lp.block_on(pair());
    let remote: Remote = lp.remote();
    let waiter = std::thread::spawn(move || futures_lite::future::block_on(client.recv()));
    lp.block_on(settle());
    drop(lp);
    let error = waiter.join().unwrap().unwrap_err();
    assert!(error.to_string().contains("loop"), "{error}");
    drop((server, remote));
}
