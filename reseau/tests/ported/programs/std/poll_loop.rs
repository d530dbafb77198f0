//! One thread, many connections: a server that asks each of its sockets in turn.
use super::net::{TcpListener, TcpStream};
use std::io::{self, ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    open: bool,
}

impl Connection {
    /// Does what can be done now. Was there anything?
    fn turn(&mut self) -> io::Result<bool> {
        let mut busy = false;
        let mut buf = [0; 4096];
        while self.open && self.out.len() < 1 << 16 {
            match self.stream.read(&mut buf) {
                Ok(0) => self.open = false,
                Ok(n) => self.out.extend(buf[..n].iter().map(u8::to_ascii_uppercase)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            busy = true;
        }
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(n) => drop(self.out.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            busy = true;
        }
        Ok(busy)
    }
}

fn serve(listener: &TcpListener, mut left: usize) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut connections: Vec<Connection> = Vec::new();
    while left > 0 {
        let mut busy = false;
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                connections.push(Connection { stream, out: Vec::new(), open: true });
                busy = true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        for connection in &mut connections {
            busy |= connection.turn()?;
        }
        let before = connections.len();
        connections.retain(|connection| connection.open || !connection.out.is_empty());
        left -= before - connections.len();
        thread::sleep(Duration::from_millis(u64::from(!busy)));
    }
    Ok(())
}

pub(super) fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let server = thread::spawn(move || serve(&listener, 2));
    // All of them are connected before the first one speaks.
    let mut streams = [TcpStream::connect(addr)?, TcpStream::connect(addr)?];
    for (letter, stream) in [b'a', b'b'].into_iter().zip(&mut streams) {
        let mut writer = stream.try_clone()?;
        let writing = thread::spawn(move || writer.write_all(&[letter; 100_000]));
        let mut answer = vec![0; 100_000];
        stream.read_exact(&mut answer)?;
        assert_eq!(answer, [letter.to_ascii_uppercase(); 100_000]);
        writing.join().unwrap()?;
    }
    drop(streams);
    server.join().unwrap()
}
