//! One port, several protocols: a look at the datagram tells who is to receive it.
use super::net::{SocketAddr, UdpSocket};
use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

/// Says what it got, in a buffer of just the right size.
trait Handler {
    fn handle(&mut self, socket: &UdpSocket, size: usize) -> io::Result<()>;
}

struct Echo;

impl Handler for Echo {
    fn handle(&mut self, socket: &UdpSocket, size: usize) -> io::Result<()> {
        let mut datagram = vec![0; size + 2];
        let (n, from) = socket.recv_from(&mut datagram)?;
        assert_eq!(n, size + 2, "the look took nothing");
        socket.send_to(&datagram[2..], from).map(drop)
    }
}

#[derive(Default)]
struct Sum(u64);

impl Handler for Sum {
    fn handle(&mut self, socket: &UdpSocket, size: usize) -> io::Result<()> {
        let mut datagram = vec![0; size + 2];
        let (n, from) = socket.recv_from(&mut datagram)?;
        self.0 += datagram[2..n].iter().map(|byte| u64::from(*byte)).sum::<u64>();
        socket.send_to(&self.0.to_be_bytes(), from).map(drop)
    }
}

/// A kind, a size, and that many bytes. What is of no known kind is thrown away.
fn serve(socket: &UdpSocket, patron: SocketAddr) -> io::Result<(u32, u32)> {
    let (mut echo, mut sum) = (Echo, Sum::default());
    let (mut handled, mut refused) = (0, 0);
    loop {
        let mut head = [0; 2];
        let (n, from) = socket.peek_from(&mut head)?;
        let handler: &mut dyn Handler = match (n, head[0]) {
            (2, b'E') => &mut echo,
            (2, b'S') => &mut sum,
            (1, b'Q') if from == patron => return Ok((handled, refused)),
            _ => {
                refused += 1;
                // One byte of it is enough to be rid of it.
                socket.recv_from(&mut head[..1])?;
                continue;
            }
        };
        handler.handle(socket, head[1].into())?;
        handled += 1;
    }
}

fn call(socket: &UdpSocket, kind: u8, body: &[u8]) -> io::Result<Vec<u8>> {
    let size = u8::try_from(body.len()).unwrap();
    socket.send(&[&[kind, size], body].concat())?;
    // First how much there is, then the same again.
    let mut seen = [0; 300];
    let n = socket.peek(&mut seen)?;
    assert_eq!(socket.peek(&mut [0; 300])?, n);
    let mut answer = vec![0; n];
    assert_eq!(socket.recv(&mut answer)?, n);
    assert_eq!(answer, seen[..n]);
    Ok(answer)
}

pub(super) fn main() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let server = socket.local_addr()?;
    let client = UdpSocket::bind("127.0.0.1:0")?;
    client.connect(server)?;
    client.set_read_timeout(Some(Duration::from_secs(20)))?;
    let patron = client.local_addr()?;
    let serving = thread::spawn(move || (serve(&socket, patron), socket));

    assert_eq!(call(&client, b'E', b"hello")?, b"hello");
    assert_eq!(call(&client, b'S', &[1, 2, 3])?, 6_u64.to_be_bytes());
    assert_eq!(call(&client, b'E', &[9; 255])?, [9; 255]);
    let stranger = UdpSocket::bind("127.0.0.1:0")?;
    for nonsense in [&b"what?"[..], b"", b"Q", b"E"] {
        stranger.send_to(nonsense, server)?;
    }
    assert_eq!(call(&client, b'S', &[250; 200])?, 50_006_u64.to_be_bytes());
    assert_eq!(call(&client, b'E', b"")?, b"");
    client.send(b"Q")?;
    let (counts, socket) = serving.join().unwrap();
    assert_eq!(counts?, (5, 4));

    // The last one was only looked at.
    socket.set_nonblocking(true)?;
    assert_eq!(socket.recv_from(&mut [0; 8])?, (1, patron));
    assert_eq!(socket.peek_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(socket.recv_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    Ok(())
}
