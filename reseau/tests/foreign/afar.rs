//! Closing, starving, waiting and timing from afar.
use crate::foreign;
use crate::stage::{Stage, accept, block_on, bytes, check, corner, poll_once, tokio_of_many};
use reseau::{Config, TcpListener, TcpStream};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

foreign!(
    close_from_afar,
    a_listener_closed_from_afar,
    starved_by_a_foreign_hoarder,
    deadlines_from_afar,
    a_deadline_set_by_another_thread_wakes_who_waits,
    dropped_connects,
    a_connect_lets_others_in,
    connects_to_nowhere,
    detach_from_afar,
    many_threads_wait_for_one_socket,
    timers_under_foreign_executors,
);

fn close_from_afar(stage: &mut Stage) {
    let (listener, addr) = stage.listen();
    for i in 0..100 {
        let (mut stream, mut peer) = accept(&listener, addr);
        if i % 2 == 0 {
            assert!(poll_once(stream.recv()).is_none());
        }
        block_on(stream.send("bye")).unwrap();
        thread::spawn(move || drop(stream)).join().unwrap();
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"bye", "what was queued is sent, then the end");
    }
}

fn a_listener_closed_from_afar(stage: &mut Stage) {
    let (listener, addr) = stage.listen_at(corner(22));
    assert!(poll_once(listener.accept()).is_none());
    let mut peers: Vec<_> = (0..10).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
    thread::spawn(move || drop(listener)).join().unwrap();
    for peer in &mut peers {
        assert!(matches!(peer.read(&mut [0; 8]), Ok(0) | Err(_)));
    }
    while std::net::TcpStream::connect(addr).is_ok() {
        thread::yield_now();
    }
}

/// The loop sleeps and the lane starves: only the drop of a chunk on another thread can move it.
fn starved_by_a_foreign_hoarder(stage: &mut Stage) {
    const TOTAL: usize = 2 << 20;
    let config = Config { blocks_max: 8, window: 1 << 20, ..stage.config.clone() };
    let stage = Stage::new(config);
    let (mut stream, mut peer) = stage.pair();
    let writer = thread::spawn(move || {
        peer.write_all(&bytes(0..TOTAL)).unwrap();
        peer
    });
    let (mut at, mut held, mut starved) = (0, Vec::new(), 0);
    while at < TOTAL {
        let chunk = match poll_once(stream.recv()) {
            Some(chunk) => chunk,
            None if held.is_empty() => block_on(stream.recv()),
            None => {
                starved += 1;
                if starved < 40 {
                    thread::sleep(Duration::from_millis(2));
                }
                let held = std::mem::take(&mut held);
                thread::spawn(move || drop(held)).join().unwrap();
                continue;
            }
        };
        let chunk = chunk.unwrap().expect("not the end");
        at = check(at, &chunk);
        held.push(chunk);
    }
    assert!(starved > 0);
    drop(writer.join().unwrap());
}

fn deadlines_from_afar(stage: &mut Stage) {
    let (mut stream, mut peer) = stage.pair();
    for _ in 0..10 {
        let start = Instant::now();
        stream.set_deadlines(Some(start + Duration::from_millis(5)), None);
        let late = block_on(stream.recv()).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= Duration::from_millis(5));
        stream.set_deadlines(None, None);
        peer.write_all(b"tick").unwrap();
        let mut tick = [0; 4];
        block_on(stream.read_exact(&mut tick)).unwrap();
        assert_eq!(&tick, b"tick");
    }
    // Nobody reads: a send is late, too.
    stream.set_deadlines(None, Some(Instant::now() + Duration::from_millis(20)));
    let late = block_on(async {
        loop {
            if let Err(late) = stream.send(vec![0; 100_000]).await {
                break late;
            }
        }
    });
    assert_eq!(late.kind(), ErrorKind::TimedOut);
}

fn a_deadline_set_by_another_thread_wakes_who_waits(stage: &mut Stage) {
    for past in [true, false] {
        let (stream, _peer) = stage.pair();
        let stream = Arc::new(stream);
        let waiting = stream.clone();
        let waiter = thread::spawn(move || block_on(waiting.peek(&mut [0; 4])));
        thread::sleep(Duration::from_millis(10));
        let at = Instant::now() + Duration::from_millis(if past { 0 } else { 10 });
        stream.set_deadlines(Some(at), None);
        assert_eq!(waiter.join().unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    }
}

fn dropped_connects(stage: &mut Stage) {
    let nobody = {
        let listener = std::net::TcpListener::bind(corner(21)).unwrap();
        listener.local_addr().unwrap()
    };
    let (_listener, somebody) = stage.listen();
    for i in 0..100 {
        let addr = if i % 2 == 0 { nobody } else { somebody };
        drop(poll_once(TcpStream::connect_on(&stage.remote, addr)));
        assert!(block_on(TcpStream::connect_on(&stage.remote, nobody)).is_err());
    }
    drop(block_on(TcpStream::connect_on(&stage.remote, somebody)).unwrap());
}

/// However quick the loop is: who makes many connections in a row waits for each of them.
fn a_connect_lets_others_in(stage: &mut Stage) {
    let (_listener, addr) = stage.listen();
    for i in 0..400 {
        let connected = poll_once(TcpStream::connect_on(&stage.remote, addr));
        assert!(connected.is_none(), "connection {i} was there at once");
        thread::sleep(Duration::from_micros(200)); // The loop sleeps, and is woken.
    }
}

/// A connect that never ends is given up, and neither the loop nor its end waits for it.
fn connects_to_nowhere(stage: &mut Stage) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&crate::stage::any().into()).unwrap();
    socket.listen(1).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    tokio_of_many().block_on(async {
        let mut crowd = Vec::new();
        // Linux lets in one more than it was told; what others do has to be tried.
        let (most, limit) = if cfg!(target_os = "linux") { (2, 60_000) } else { (100, 100) };
        let limit = Duration::from_millis(limit);
        while crowd.len() < most {
            let connecting = TcpStream::connect_on(&stage.remote, addr);
            let Ok(stream) = tokio::time::timeout(limit, connecting).await else { break };
            crowd.push(stream.unwrap());
        }
        let remote = stage.remote.clone();
        let hanging = tokio::spawn(async move { TcpStream::connect_on(&remote, addr).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        stage.stop();
        assert!(hanging.await.unwrap().is_err());
    });
}

/// From a loop to another thread's, and on to the global one, with bytes received ahead.
fn detach_from_afar(stage: &mut Stage) {
    let (mut stream, mut peer) = stage.pair();
    let other = Stage::new(stage.config.clone());
    for round in 0..30 {
        peer.write_all(&bytes(0..5000)).unwrap();
        block_on(stream.peek(&mut [0])).unwrap();
        let detached = block_on(stream.detach()).unwrap();
        stream = match round % 3 {
            0 => detached.attach_on(&other.remote).unwrap(),
            1 => detached.attach_on(&stage.remote).unwrap(),
            _ => thread::spawn(move || detached.attach().unwrap()).join().unwrap(),
        };
        let mut got = vec![0; 5000];
        block_on(stream.read_exact(&mut got)).unwrap();
        check(0, &got);
        block_on(stream.send("seen")).unwrap();
        peer.read_exact(&mut [0; 4]).unwrap();
    }
}

/// Each of them is woken by what comes.
fn many_threads_wait_for_one_socket(stage: &mut Stage) {
    let (listener, addr) = stage.listen();
    let listener = Arc::new(listener);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let listener: Arc<TcpListener> = listener.clone();
            thread::spawn(move || block_on(listener.accept()).unwrap().1)
        })
        .collect();
    let peers: Vec<_> = (0..8).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
    let mut seen: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let mut known: Vec<_> = peers.iter().map(|peer| peer.local_addr().unwrap()).collect();
    seen.sort_unstable();
    known.sort_unstable();
    assert_eq!(seen, known);

    let (stream, mut peer) = accept(&listener, addr);
    assert_eq!(stream.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let stream = Arc::new(stream);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let stream = stream.clone();
            thread::spawn(move || block_on(stream.readable()).unwrap())
        })
        .collect();
    thread::sleep(Duration::from_millis(5));
    peer.write_all(b"all of you").unwrap();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn timers_under_foreign_executors(_stage: &mut Stage) {
    let start = Instant::now();
    block_on(reseau::sleep(Duration::from_millis(10)));
    assert!(start.elapsed() >= Duration::from_millis(10));
    let fired = Arc::new(AtomicBool::new(false));
    let seen = fired.clone();
    tokio_of_many().block_on(async move {
        let sleeper = tokio::spawn(async move {
            reseau::sleep(Duration::from_millis(5)).await;
            seen.store(true, SeqCst);
        });
        let never = std::future::pending::<()>();
        assert!(reseau::timeout(Duration::from_millis(1), never).await.is_err());
        sleeper.await.unwrap();
        let mut interval = reseau::interval(Duration::from_millis(1));
        for _ in 0..5 {
            interval.tick().await;
        }
    });
    assert!(fired.load(SeqCst));
}
