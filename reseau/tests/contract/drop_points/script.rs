//! A play of two roles in which every call of every socket occurs, and waits.
use super::axe::Axe;
use super::stage::{TcpListener, TcpStream, connect, depart, listen, pattern, was_the_end};
use reseau::spawn_local;
use std::cell::Cell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;

/// What both roles know.
#[derive(Clone)]
struct Stage {
    axe: Rc<Axe>,
    size: usize,
    addr: SocketAddr,
    /// Connections that the client has given up, and that the server has met.
    given_up: Rc<Cell<usize>>,
    met: Rc<Cell<usize>>,
    /// Whether the server's detach was given up.
    stayed: Rc<Cell<bool>>,
}

pub(super) async fn play(axe: Rc<Axe>, simulated: bool) {
    let (listener, addr) = listen().await;
    let stage = Stage {
        axe,
        // Enough to fill windows; in a real kernel also its buffers.
        size: if simulated { 9 << 10 } else { 48 << 10 },
        addr,
        given_up: Rc::default(),
        met: Rc::default(),
        stayed: Rc::default(),
    };
    let server = spawn_local(server(stage.clone(), listener));
    let client = spawn_local(client(stage.clone()));
    client.await.map_err(reseau::JoinError::resume).unwrap();
    let listener = server.await.map_err(reseau::JoinError::resume).unwrap();
    // No connection is left that nobody has made, and none comes twice.
    let last = reseau::timeout(std::time::Duration::from_millis(5), listener.accept()).await;
    if let Ok(accepted) = last {
        let (mut stream, _) = accepted.unwrap();
        assert!(!matches!(stream.recv().await, Ok(Some(_))));
        stage.met.set(stage.met.get() + 1);
    }
    assert!(stage.met.get() <= stage.given_up.get(), "connections out of nothing");
}

async fn client(stage: Stage) {
    let Stage { axe, size, .. } = &stage;
    let mut stream = stage.connect(b'1').await;
    stage.send_frames(&mut stream).await;
    stage.read_portions(&mut stream).await;
    for _ in 0..4 {
        let mut message = vec![0; 6000];
        axe.over(async || {
            message.fill(0xee);
            stream.read_exact(&mut message).await.unwrap()
        })
        .await;
        assert!(message == pattern(6000), "all of it or nothing");
    }
    stage.peek_and_take(&mut stream).await;
    axe.over(async || stream.finish().await.unwrap()).await;
    let rest = stage.receive_all(&mut stream).await;
    assert!(rest == pattern(*size), "the rest, after the half-close");

    for number in b'2'..=b'4' {
        let mut stream = stage.connect(number).await;
        axe.over(async || stream.send(pattern(*size)).await.unwrap()).await;
        drop(axe.once(stream.close()).await); // Given up, it closes all the same.
    }

    let mut stream = stage.connect(b'5').await;
    let got = stage.receive_all(&mut stream).await;
    let want = if stage.stayed.get() { pattern(*size) } else { pattern(*size + 1000) };
    assert!(got == want, "{} of {} bytes", got.len(), want.len());
}

/// Gives the listener back.
async fn server(stage: Stage, listener: TcpListener) -> TcpListener {
    let Stage { axe, size, .. } = &stage;
    let (mut stream, number) = stage.accept(&listener).await;
    assert_eq!(number, b'1');
    let mut got = Vec::new();
    while got.len() < *size {
        let chunk = axe.over(async || stream.recv().await.unwrap()).await;
        got.extend_from_slice(&chunk.expect("not the end"));
    }
    assert!(got == pattern(*size), "frames are whole, in order, and once");
    stage.write_portions(&mut stream).await;
    for _ in 0..4 {
        axe.over(async || stream.send(pattern(6000)).await.unwrap()).await;
    }
    axe.over(async || stream.flush().await.unwrap()).await;
    axe.over(async || stream.send(pattern(3000)).await.unwrap()).await;
    assert!(axe.over(async || stream.recv().await.unwrap()).await.is_none());
    for frame in pattern(*size).chunks(5000) {
        axe.over(async || stream.send(frame.to_vec()).await.unwrap()).await;
    }
    drop(axe.once(stream.close()).await);

    let mut numbers = Vec::new();
    while numbers.len() < 4 {
        let (mut stream, number) = stage.accept(&listener).await;
        if number == b'5' {
            stage.leave(stream).await;
        } else {
            let got = stage.receive_all(&mut stream).await;
            assert!(got == pattern(*size), "close sends everything");
        }
        numbers.push(number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, b"2345", "each connection once");
    listener
}

impl Stage {
    /// Sends, and leaves the loop with most of it unsent. The peer reads to the end.
    async fn leave(&self, mut stream: TcpStream) {
        for frame in pattern(self.size).chunks(7000) {
            self.axe.over(async || stream.send(frame.to_vec()).await.unwrap()).await;
        }
        match self.axe.once(depart(stream)).await.flatten() {
            Some(mut stream) => {
                let rest = pattern(self.size + 1000)[self.size..].to_vec();
                self.axe.over(async || stream.send(rest.clone()).await.unwrap()).await;
            }
            // Given up, it closes like a drop.
            None => self.stayed.set(true),
        }
    }

    /// A connection that says which it is. Those that are given up on the way say nothing.
    async fn connect(&self, number: u8) -> TcpStream {
        let mut tries = 0;
        let connect = async || {
            tries += 1;
            connect(self.addr).await.unwrap()
        };
        let mut stream = self.axe.over(connect).await;
        self.given_up.set(self.given_up.get() + tries - 1);
        self.axe.over(async || stream.send(vec![number]).await.unwrap()).await;
        stream
    }

    /// The next connection that says which it is.
    async fn accept(&self, listener: &TcpListener) -> (TcpStream, u8) {
        loop {
            let (mut stream, _) = self.axe.over(async || listener.accept().await.unwrap()).await;
            let mut said = [0];
            match self.axe.over(async || stream.read_exact(&mut said).await).await {
                Ok(_) => return (stream, said[0]),
                // One that was given up ends without a word.
                Err(error) => {
                    let kind = error.kind();
                    let end = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
                    assert!(end.contains(&kind), "{error}");
                    self.met.set(self.met.get() + 1);
                }
            }
        }
    }

    async fn receive_all(&self, stream: &mut TcpStream) -> Vec<u8> {
        let mut got = Vec::new();
        loop {
            match self.axe.over(async || stream.recv().await).await {
                Ok(Some(chunk)) => got.extend_from_slice(&chunk),
                told => {
                    // Who gives up closing may end without a word.
                    assert!(was_the_end(&told, self.axe.falls() > 0), "{told:?}");
                    return got;
                }
            }
        }
    }

    async fn send_frames(&self, stream: &mut TcpStream) {
        let bytes = pattern(self.size);
        let mut at = 0;
        while at < bytes.len() {
            let frame = &bytes[at..(at + 1 + at % 3001).min(bytes.len())];
            self.axe.over(async || stream.send(frame.to_vec()).await.unwrap()).await;
            at += frame.len();
            if at % 4 == 0 {
                self.axe.over(async || stream.flush().await.unwrap()).await;
            }
        }
    }

    async fn write_portions(&self, stream: &mut TcpStream) {
        let (bytes, mut at) = (pattern(self.size), 0);
        while at < bytes.len() {
            self.axe.over(async || stream.writable().await.unwrap()).await;
            let end = (at + 4001).min(bytes.len());
            match stream.try_write(&bytes[at..end]) {
                Ok(count) => at += count,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }

    async fn read_portions(&self, stream: &mut TcpStream) {
        let (mut got, mut buf) = (Vec::new(), vec![0; 3000]);
        while got.len() < self.size {
            self.axe.over(async || stream.readable().await.unwrap()).await;
            let room = buf.len().min(self.size - got.len());
            match stream.try_read(&mut buf[..room]) {
                Ok(count) => got.extend_from_slice(&buf[..count]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert!(got == pattern(self.size));
    }

    async fn peek_and_take(&self, stream: &mut TcpStream) {
        let (mut got, mut head) = (Vec::new(), [0; 100]);
        while got.len() < 3000 {
            let seen = self.axe.over(async || stream.peek(&mut head).await.unwrap()).await;
            let chunk = stream.recv().await.unwrap().expect("it was seen");
            let both = seen.min(chunk.len());
            assert!(both > 0 && head[..both] == chunk[..both]);
            got.extend_from_slice(&chunk);
        }
        assert!(got == pattern(3000));
    }
}
