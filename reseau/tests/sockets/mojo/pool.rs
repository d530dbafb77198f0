//! The pool that connections are fanned out to.
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use reseau::sockets::mojo::{IPv4Addr, Pool, Socket};

use crate::watched;

#[test]
fn a69_iterating_is_the_accept_loop() {
    watched(|| {
        let server = Socket::create_server(("127.0.0.1", 0)).unwrap();
        let client = Socket::create_connection(server.getsockname().unwrap()).unwrap();
        let (_conn, addr) = server.incoming().next().unwrap().unwrap();
        assert_eq!(addr, client.getsockname().unwrap());
    });
}

#[test]
fn a70_connections_are_fanned_out_to_workers() {
    watched(|| {
        const WORKERS: usize = 4;
        let server = Socket::create_server(("127.0.0.1", 0)).unwrap();
        let addr = server.getsockname().unwrap();
        let stopper = server.clone();
        let clients = thread::spawn(move || {
            let clients: Vec<_> =
                (0..WORKERS * 2).map(|_| Socket::create_connection(addr).unwrap()).collect();
            for client in &clients {
                assert_eq!(client.recv(&mut [0; 8]).unwrap(), 2);
            }
            stopper.shutdown(Shutdown::Both).unwrap();
        });
        // Nobody passes unless all workers have a connection at the same time.
        let (together, seen) = (Barrier::new(WORKERS), Mutex::new(Vec::new()));
        let handler = |conn: Socket, addr: IPv4Addr| {
            together.wait();
            seen.lock().unwrap().push(addr);
            conn.send_all(b"hi").unwrap();
        };
        let served = Pool::with_workers(WORKERS).starmap(handler, &server).unwrap();
        assert_eq!(served, 2 * WORKERS as u64);
        assert_eq!(seen.into_inner().unwrap().len(), WORKERS * 2);
        clients.join().unwrap();
    });
}

/// Connections out of nowhere, and then what the listener says.
fn staged(
    ends: impl IntoIterator<Item = io::Result<u32>>,
) -> impl Iterator<Item = io::Result<(u32, ())>> {
    ends.into_iter().map(|end| end.map(|number| (number, ())))
}

#[test]
fn a_pool_is_bounded() {
    watched(|| {
        let (taken, running) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let connections = (0..100).map(|number| {
            // Two are worked on, two wait, and one is on its way.
            let ahead = taken.fetch_add(1, Ordering::SeqCst) - running.load(Ordering::SeqCst);
            assert!(ahead <= 5, "{ahead} are ahead");
            Ok((number, ()))
        });
        let served = Pool::with_workers(2).starmap(
            |_: u32, ()| {
                thread::yield_now();
                running.fetch_add(1, Ordering::SeqCst);
            },
            connections,
        );
        assert_eq!(served.unwrap(), 100);
    });
}

#[test]
fn a_pool_outlives_bad_connections_and_ends_with_the_listener() {
    watched(|| {
        let done = AtomicUsize::new(0);
        let handler = |_: u32, ()| {
            done.fetch_add(1, Ordering::SeqCst);
        };
        let bad = || Err(ErrorKind::ConnectionAborted.into());
        let short = || Err(ErrorKind::OutOfMemory.into());
        let pool = Pool::with_workers(3);
        let served = pool.starmap(handler, staged([Ok(1), bad(), Ok(2), short(), Ok(3)]));
        assert_eq!((served.unwrap(), done.load(Ordering::SeqCst)), (3, 3));
        let broken = || Err(ErrorKind::InvalidInput.into());
        let error = pool.starmap(handler, staged([Ok(4), broken(), Ok(5)])).unwrap_err();
        assert_eq!((error.kind(), done.load(Ordering::SeqCst)), (ErrorKind::InvalidInput, 4));
    });
}

#[test]
fn a_handler_that_panics_ends_its_own_connection_alone() {
    watched(|| {
        let done = AtomicUsize::new(0);
        let handler = |number: u32, ()| {
            assert_ne!(number, 1, "staged");
            done.fetch_add(1, Ordering::SeqCst);
        };
        let run = || Pool::with_workers(1).starmap(handler, staged((0..5).map(Ok)));
        let cause = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
        assert!(cause.downcast_ref::<String>().unwrap().contains("staged"));
        assert_eq!(done.load(Ordering::SeqCst), 4, "all the others were served");
    });
}
