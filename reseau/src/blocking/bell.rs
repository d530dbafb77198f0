//! What wakes a thread that waits for sockets: a socket of its own.
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use crate::addr::Addr;
use crate::sys::{Domain, Fd, Kind, OsSocket};

/// Rung from any thread, heard by the one that waits until its socket can receive.
#[derive(Debug)]
pub(super) struct Bell {
    /// Where it is rung.
    rope: Fd,
    /// Where it is heard.
    ear: Fd,
    rung: AtomicBool,
}

impl Bell {
    pub(super) fn new() -> io::Result<Arc<Self>> {
        let (rope, ear) = Fd::pair(Kind::Dgram).or_else(|_| line())?;
        Ok(Arc::new(Self { rope, ear, rung: AtomicBool::new(false) }))
    }

    /// What to wait for.
    pub(super) fn ear(&self) -> io::Result<&OsSocket> {
        self.ear.os()
    }

    /// Whoever rings from now on is heard. What was rung about before must be looked at after.
    pub(super) fn hush(&self) {
        let mut heard = [std::mem::MaybeUninit::uninit()];
        while self.ear.recv(&mut heard).is_ok_and(|count| count > 0) {}
        self.rung.store(false, Ordering::SeqCst);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            // It is not full: nobody rings twice before it is hushed, but for one in between.
            let _ = self.rope.send(&[1]);
        }
    }
}

/// Where there are no pairs: two sockets that hear each other alone.
fn line() -> io::Result<(Fd, Fd)> {
    let here = Addr::Inet(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let open = || {
        let fd = Fd::open_as(Domain::IPV4, Kind::Dgram)?;
        fd.bind(&here).map(|()| fd)
    };
    let (rope, ear) = (open()?, open()?);
    rope.connect(&ear.local_addr()?)?;
    ear.connect(&rope.local_addr()?)?;
    Ok((rope, ear))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::blocking::wait_any;
    use std::task::Waker;
    use std::time::Duration;

    fn is_heard(bell: &Bell) -> bool {
        use crate::sys::Side;
        wait_any(&[bell.ear().unwrap()], &[], Some(Duration::ZERO)).unwrap();
        bell.ear.is_ready(Side::Recv).unwrap()
    }

    fn check(bell: &Arc<Bell>) {
        assert!(!is_heard(bell));
        let waker = Waker::from(bell.clone());
        for _ in 0..3 {
            (0..1000).for_each(|_| waker.wake_by_ref());
            assert!(is_heard(bell), "and it stays");
            bell.hush();
            assert!(!is_heard(bell));
        }
        // Somebody else's thread ends the wait.
        let ringer = std::thread::spawn(move || waker.wake());
        wait_any(&[bell.ear().unwrap()], &[], None).unwrap();
        ringer.join().unwrap();
        assert!(is_heard(bell));
    }

    #[test]
    fn it_is_heard_until_it_is_hushed() {
        check(&Bell::new().unwrap());
    }

    #[test]
    fn it_needs_no_pairs() {
        let (rope, ear) = line().unwrap();
        check(&Arc::new(Bell { rope, ear, rung: AtomicBool::new(false) }));
    }
}
