//! A server that looks for connections until it is told to stop, and can be waited for.
use super::net::{TcpListener, TcpStream};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The next connection, or `None` once the time is up.
fn accept(listener: &TcpListener, limit: Duration) -> io::Result<Option<TcpStream>> {
    let start = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(Some(stream));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if start.elapsed() >= limit {
                    return Ok(None);
                }
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error),
        }
    }
}

fn serve(listener: &TcpListener, stop: &AtomicBool) -> io::Result<u32> {
    let mut served = 0;
    while !stop.load(Ordering::SeqCst) {
        if let Some(mut stream) = accept(listener, Duration::from_millis(5))? {
            served += 1;
            writeln!(stream, "you are number {served}")?;
        }
    }
    Ok(served)
}

pub(super) fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    assert!(accept(&listener, Duration::from_millis(2))?.is_none(), "nobody is there yet");

    let addr = listener.local_addr()?;
    let stop = Arc::new(AtomicBool::new(false));
    let server = {
        let stop = stop.clone();
        thread::spawn(move || serve(&listener, &stop))
    };
    for number in 1..=3 {
        let mut line = String::new();
        TcpStream::connect(addr)?.read_to_string(&mut line)?;
        assert_eq!(line, format!("you are number {number}\n"));
    }
    stop.store(true, Ordering::SeqCst);
    assert_eq!(server.join().unwrap()?, 3);
    Ok(())
}
