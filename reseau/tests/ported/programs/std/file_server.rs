//! A little HTTP server: files by name, and connections that stay open.
use super::net::{TcpListener, TcpStream};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::thread;

type Files = HashMap<&'static str, Vec<u8>>;

fn serve(stream: TcpStream, files: &Files) -> io::Result<u32> {
    let mut reader = BufReader::new(stream);
    let mut requests = 0;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(requests);
        }
        requests += 1;
        let mut keep = false;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            match header.trim_end().to_ascii_lowercase().as_str() {
                "" => break,
                header => keep |= header == "connection: keep-alive",
            }
        }
        let path = request.split_whitespace().nth(1).unwrap_or("/");
        let (status, body) = match files.get(path) {
            Some(body) => ("200 OK", body.as_slice()),
            None => ("404 Not Found", &b"no such file"[..]),
        };
        let out = reader.get_mut();
        write!(out, "HTTP/1.0 {status}\r\nContent-Length: {}\r\n\r\n", body.len())?;
        out.write_all(body)?;
        if !keep {
            return Ok(requests);
        }
    }
}

fn get(stream: &TcpStream, path: &str, keep: bool) -> io::Result<(u16, Vec<u8>)> {
    let connection = if keep { "Keep-Alive" } else { "Close" };
    write!(&mut &*stream, "GET {path} HTTP/1.0\r\nConnection: {connection}\r\n\r\n")?;
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        reader.read_until(b'\n', &mut head)?;
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok((status.unwrap_or(0), body))
}

pub(super) fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let big: Vec<u8> = (0..300_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let files = Files::from([("/", b"<p>hello".to_vec()), ("/big", big.clone())]);
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept()?;
        serve(stream, &files)
    });

    assert_eq!(get(&client, "/", true)?, (200, b"<p>hello".to_vec()));
    assert_eq!(get(&client, "/big", true)?, (200, big));
    assert_eq!(get(&client, "/nothing", false)?, (404, b"no such file".to_vec()));
    assert_eq!(client.read(&mut [0; 1])?, 0, "that was the last request");
    assert_eq!(server.join().unwrap()?, 3);
    Ok(())
}
