//! One port, several protocols: the first bytes tell which, and stay for who speaks it.
use super::net::{TcpListener, TcpStream};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::thread;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Protocol {
    Http,
    Tls,
    Lines,
}

fn sniff(stream: &TcpStream) -> io::Result<Protocol> {
    let mut head = [0; 4];
    loop {
        // The head may come in pieces.
        return match (stream.peek(&mut head)?, &head) {
            (0, _) => Err(io::ErrorKind::UnexpectedEof.into()),
            (_, [0x16, ..]) => Ok(Protocol::Tls),
            (4, b"GET ") => Ok(Protocol::Http),
            (1..4, [b'G', ..]) => continue,
            _ => Ok(Protocol::Lines),
        };
    }
}

fn serve(mut stream: TcpStream) -> io::Result<Protocol> {
    let protocol = sniff(&stream)?;
    match protocol {
        Protocol::Http => {
            let mut reader = BufReader::new(stream.try_clone()?);
            let mut request = String::new();
            reader.read_line(&mut request)?;
            assert_eq!(request, "GET / HTTP/1.0\r\n", "nothing is missing");
            stream.write_all(b"HTTP/1.0 204 No Content\r\n\r\n")?;
        }
        Protocol::Tls => {
            let mut record = [0; 5];
            stream.read_exact(&mut record)?;
            assert_eq!(record[0], 0x16);
            stream.write_all(&[0x15, 3, 1, 0, 2, 2, 40])?;
        }
        Protocol::Lines => {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line)?;
            stream.write_all(line.to_uppercase().as_bytes())?;
        }
    }
    Ok(protocol)
}

pub(super) fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let server = thread::spawn(move || {
        listener.incoming().take(3).map(|stream| serve(stream?)).collect::<io::Result<Vec<_>>>()
    });
    for (request, answer) in [
        (&b"GET / HTTP/1.0\r\n"[..], &b"HTTP/1.0 204 No Content\r\n\r\n"[..]),
        (&[0x16, 3, 1, 0, 0], &[0x15, 3, 1, 0, 2, 2, 40]),
        (b"hello there\n", b"HELLO THERE\n"),
    ] {
        let mut stream = TcpStream::connect(addr)?;
        stream.write_all(request)?;
        let mut got = Vec::new();
        stream.read_to_end(&mut got)?;
        assert_eq!(got, answer);
    }
    let protocols = server.join().unwrap()?;
    assert_eq!(protocols, [Protocol::Http, Protocol::Tls, Protocol::Lines]);
    Ok(())
}
