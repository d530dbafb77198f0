//! User code in the worst places: in wakers, in destructors of wakers, in destructors of chunks.
//! Were a lock or a borrow held across them, these tests would hang or panic.
use crate::foreign;
use crate::stage::{Stage, accept, block_on, poll_once, poll_with};
use reseau::{Chunk, TcpStream};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::thread;

foreign!(
    wakers_own_the_stream_they_wait_for,
    wakers_panic,
    wakers_use_sockets,
    chunks_use_sockets_when_they_are_dropped,
    chunks_panic_when_they_are_dropped,
    tasks_panic,
);

/// Holds a stream, and does nothing.
struct Owner(Mutex<Option<TcpStream>>);

#[allow(unknown_lints, clippy::manual_noop_waker)] // It owns a stream: that is the point.
impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

/// The waker in a lane owns the stream of that very lane (or another of the same loop): waking it,
/// dropping it and replacing it close a socket from inside.
fn wakers_own_the_stream_they_wait_for(stage: &mut Stage) {
    let (listener, addr) = stage.listen();
    for way in 0..3 {
        let (mut stream, mut peer) = accept(&listener, addr);
        let owner = Arc::new(Owner(Mutex::new(None)));
        assert!(poll_with(&Waker::from(owner.clone()), stream.recv()).is_none());
        match way {
            0 => {
                // Replaced by another, it closes another stream of the loop.
                let (other, mut peer) = accept(&listener, addr);
                *owner.0.lock().unwrap() = Some(other);
                drop(owner);
                assert!(poll_once(stream.recv()).is_none());
                assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
            }
            1 => {
                // Woken on the loop's thread, it closes its own stream there.
                *owner.0.lock().unwrap() = Some(stream);
                drop(owner);
                peer.write_all(b"wake").unwrap();
                let _ = peer.read_to_end(&mut Vec::new());
            }
            _ => {
                // Only the end of the loop drops it.
                *owner.0.lock().unwrap() = Some(stream);
                drop(owner);
                stage.stop();
                assert!(matches!(peer.read(&mut [0; 8]), Ok(0) | Err(_)));
            }
        }
    }
}

fn wakers_panic(stage: &mut Stage) {
    #[derive(Default)]
    struct Bomb(AtomicBool);
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
            panic!("a bomb in a waker, on purpose")
        }
    }
    let (mut stream, mut peer) = stage.pair();
    for word in [b"tick", b"tock"] {
        assert!(poll_with(&Waker::from(Arc::<Bomb>::default()), stream.recv()).is_none());
        peer.write_all(word).unwrap();
        while stream.queued() < 4 {
            thread::yield_now();
        }
        assert_eq!(&*block_on(stream.recv()).unwrap().unwrap(), word);
    }
    // A deadline and the end of the loop wake, too.
    let bomb = Arc::<Bomb>::default();
    assert!(poll_with(&Waker::from(bomb.clone()), stream.recv()).is_none());
    let soon = std::time::Instant::now() + std::time::Duration::from_millis(20);
    stream.set_deadlines(Some(soon), None);
    while !bomb.0.load(SeqCst) {
        thread::yield_now();
    }
    stream.set_deadlines(None, None);
    assert!(poll_with(&Waker::from(Arc::<Bomb>::default()), stream.recv()).is_none());
    stage.stop();
    assert!(block_on(stream.recv()).is_err());
}

/// Woken on the loop's own thread, they send and receive there.
fn wakers_use_sockets(stage: &mut Stage) {
    struct Busy(Mutex<Option<TcpStream>>);
    impl Wake for Busy {
        fn wake(self: Arc<Self>) {
            let Some(mut stream) = self.0.lock().unwrap().take() else { return };
            assert!(poll_once(stream.send("from a waker")).is_some_and(|sent| sent.is_ok()));
            assert!(poll_once(stream.recv()).is_none());
            let _ = poll_once(stream.finish());
        }
    }
    let (listener, addr) = stage.listen();
    for _ in 0..20 {
        let (mut stream, mut peer) = accept(&listener, addr);
        let (other, mut audience) = accept(&listener, addr);
        let busy = Arc::new(Busy(Mutex::new(Some(other))));
        assert!(poll_with(&Waker::from(busy), stream.recv()).is_none());
        peer.write_all(b"wake").unwrap();
        let mut all = Vec::new();
        audience.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"from a waker");
    }
}

/// Bytes whose end uses a socket of the same loop, on whatever thread that is.
struct Nosy(Vec<u8>, Mutex<Option<TcpStream>>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Nosy {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        if let Some(mut stream) = self.1.lock().unwrap().take() {
            let _ = poll_once(stream.send("dropped"));
        }
        self.2.fetch_add(1, SeqCst);
    }
}

fn chunks_use_sockets_when_they_are_dropped(stage: &mut Stage) {
    let count = Arc::new(AtomicUsize::new(0));
    let (listener, addr) = stage.listen();
    for _ in 0..20 {
        let (mut stream, mut peer) = accept(&listener, addr);
        let (other, mut audience) = accept(&listener, addr);
        let nosy = Nosy(vec![7; 50_000], Mutex::new(Some(other)), count.clone());
        block_on(stream.send(Chunk::from_owner(nosy))).unwrap();
        drop(stream);
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 50_000);
        all.clear();
        audience.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"dropped");
    }
    while count.load(SeqCst) < 20 {
        thread::yield_now();
    }
}

/// The loop that drops them goes on.
fn chunks_panic_when_they_are_dropped(stage: &mut Stage) {
    struct Bomb(Vec<u8>);
    impl AsRef<[u8]> for Bomb {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !thread::panicking() && thread::current().name() == Some("reseau-0") {
                panic!("a bomb in a chunk, on purpose");
            }
        }
    }
    let (mut stream, mut peer) = stage.pair();
    // So much that it cannot be sent directly: the loop has to drop it.
    block_on(stream.send(Chunk::from_owner(Bomb(vec![7; 8 << 20])))).unwrap();
    let mut all = vec![0; 8 << 20];
    peer.read_exact(&mut all).unwrap();
    block_on(stream.flush()).unwrap();
    block_on(stream.send("alive")).unwrap();
    peer.read_exact(&mut all[..5]).unwrap();
    assert_eq!(&all[..5], b"alive");
}

fn tasks_panic(stage: &mut Stage) {
    let (mut stream, mut peer) = stage.pair();
    let (tell, told) = std::sync::mpsc::channel();
    stage.remote.spawn(move || -> std::future::Ready<()> { panic!("on purpose") }).unwrap();
    stage.remote.spawn(|| async { panic!("on purpose") }).unwrap();
    stage.remote.spawn(move || async move { tell.send(()).unwrap() }).unwrap();
    told.recv().unwrap();
    block_on(stream.send("alive")).unwrap();
    let mut alive = [0; 5];
    peer.read_exact(&mut alive).unwrap();
    assert_eq!(&alive, b"alive");
}
