//! Reading files by TFTP: the request goes to the well-known port, and every transfer has a port
//! of its own at both ends.
use super::net::{SocketAddr, UdpSocket};
use std::collections::HashMap;
use std::io::{self, Error, ErrorKind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const BLOCK: usize = 512;
const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));

enum Packet<'a> {
    Read(&'a str),
    Data(u16, &'a [u8]),
    Ack(u16),
    Error(u16, &'a str),
}

impl<'a> Packet<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (code, rest) = bytes.split_first_chunk()?;
        let (number, body) = rest.split_first_chunk().map(|(n, b)| (u16::from_be_bytes(*n), b))?;
        let text = |bytes: &'a [u8]| str::from_utf8(bytes.split(|byte| *byte == 0).next()?).ok();
        Some(match u16::from_be_bytes(*code) {
            1 => Self::Read(text(rest)?),
            3 => Self::Data(number, body),
            4 => Self::Ack(number),
            5 => Self::Error(number, text(body)?),
            _ => return None,
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let join = |code: u16, number: u16, body: &[u8]| {
            [&code.to_be_bytes(), &number.to_be_bytes(), body].concat()
        };
        match self {
            Self::Read(name) => [&[0, 1], name.as_bytes(), b"\0octet\0"].concat(),
            Self::Data(number, body) => join(3, *number, body),
            Self::Ack(number) => join(4, *number, b""),
            Self::Error(code, text) => join(5, *code, &[text.as_bytes(), b"\0"].concat()),
        }
    }
}

type Files = HashMap<&'static str, Vec<u8>>;

fn transfer(files: &Files, name: &str, client: SocketAddr) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(client)?;
    socket.set_read_timeout(PATIENCE)?;
    let Some(file) = files.get(name) else {
        return socket.send(&Packet::Error(1, "no such file").bytes()).map(drop);
    };
    for (number, at) in (1..).zip((0..=file.len()).step_by(BLOCK)) {
        let block = &file[at..file.len().min(at + BLOCK)];
        socket.send(&Packet::Data(number, block).bytes())?;
        let mut buf = [0; 64];
        let n = socket.recv(&mut buf)?;
        assert!(matches!(Packet::parse(&buf[..n]), Some(Packet::Ack(acked)) if acked == number));
    }
    Ok(())
}

fn serve(socket: &UdpSocket, files: Files, requests: usize) -> io::Result<()> {
    let files = Arc::new(files);
    let mut transfers = Vec::new();
    while transfers.len() < requests {
        let mut buf = [0; 128];
        let (n, client) = socket.recv_from(&mut buf)?;
        let Some(Packet::Read(name)) = Packet::parse(&buf[..n]) else { continue };
        let (name, files) = (name.to_owned(), files.clone());
        transfers.push(thread::spawn(move || transfer(&files, &name, client)));
    }
    transfers.into_iter().try_for_each(|transfer| transfer.join().unwrap())
}

/// Reads a file. With an `intruder`, that one sends a block too.
fn get(server: SocketAddr, name: &str, intruder: Option<&UdpSocket>) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(PATIENCE)?;
    socket.send_to(&Packet::Read(name).bytes(), server)?;
    let (mut file, mut partner, mut next) = (Vec::new(), None, 1);
    loop {
        let mut buf = [0; BLOCK + 4];
        let (n, from) = socket.recv_from(&mut buf)?;
        assert_ne!(from, server, "a transfer has its own port");
        if *partner.get_or_insert(from) != from {
            socket.send_to(&Packet::Error(5, "who are you?").bytes(), from)?;
            continue;
        }
        match Packet::parse(&buf[..n]) {
            Some(Packet::Data(number, block)) if number == next => {
                file.extend_from_slice(block);
                if let Some(intruder) = intruder {
                    intruder
                        .send_to(&Packet::Data(next + 1, b"evil").bytes(), socket.local_addr()?)?;
                }
                socket.send_to(&Packet::Ack(number).bytes(), from)?;
                next += 1;
                if block.len() < BLOCK {
                    return Ok(file);
                }
            }
            Some(Packet::Error(_, text)) => return Err(Error::new(ErrorKind::NotFound, text)),
            _ => return Err(ErrorKind::InvalidData.into()),
        }
    }
}

pub(super) fn main() -> io::Result<()> {
    let kernel: Vec<u8> = (0..=255).cycle().take(20 * BLOCK + 100).collect();
    let files = [("kernel", kernel.clone()), ("even", vec![7; 2 * BLOCK]), ("empty", Vec::new())];
    let socket = UdpSocket::bind("localhost:0")?;
    let server = socket.local_addr()?;
    let serving = thread::spawn(move || serve(&socket, Files::from(files), 5));

    let other = thread::spawn(move || get(server, "kernel", None));
    let intruder = UdpSocket::bind("127.0.0.1:0")?;
    assert_eq!(get(server, "kernel", Some(&intruder))?, kernel);
    assert_eq!(get(server, "even", None)?, vec![7; 2 * BLOCK]);
    assert_eq!(get(server, "empty", None)?, b"");
    assert_eq!(get(server, "secrets", None).unwrap_err().to_string(), "no such file");
    assert_eq!(other.join().unwrap()?, kernel);
    serving.join().unwrap()?;

    let mut buf = [0; 64];
    let n = intruder.recv(&mut buf)?;
    assert!(matches!(Packet::parse(&buf[..n]), Some(Packet::Error(5, "who are you?"))));
    Ok(())
}
