//! Calls with a length in front and a limit on how long the answer may take.
use super::net::{TcpListener, TcpStream};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

fn write_frame(to: &mut impl Write, body: &[u8]) -> io::Result<()> {
    to.write_all(&u32::try_from(body.len()).unwrap().to_be_bytes())?;
    to.write_all(body)
}

fn read_frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > 1 << 20 {
        return Err(io::Error::new(ErrorKind::InvalidData, "a frame of more than a megabyte"));
    }
    let mut body = Vec::new();
    from.take(length.into()).read_to_end(&mut body)?;
    Ok(body)
}

/// Reverses what it gets. Some of it takes a while.
fn serve(mut stream: TcpStream, go_on: &Receiver<()>) -> io::Result<()> {
    loop {
        let mut body = match read_frame(&mut stream) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            body => body?,
        };
        if body == b"slow" {
            go_on.recv().unwrap();
        }
        body.reverse();
        write_frame(&mut stream, &body)?;
    }
}

fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

pub(super) fn main() -> io::Result<()> {
    let listener = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0"))?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (answer, go_on) = channel();
    let server = thread::spawn(move || serve(listener.accept()?.0, &go_on));

    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    for size in [0, 1, 1_000, 1_000_000] {
        let body: Vec<u8> = (0..=255).cycle().take(size).collect();
        let mut reversed = body.clone();
        reversed.reverse();
        write_frame(&mut client, &body)?;
        assert_eq!(read_frame(&mut client)?, reversed);
    }

    client.set_read_timeout(Some(Duration::from_millis(100)))?;
    assert_eq!(client.read_timeout()?, Some(Duration::from_millis(100)));
    write_frame(&mut client, b"slow")?;
    let late = read_frame(&mut client).unwrap_err();
    assert!(timed_out(&late), "{late:?}");
    // It may still come.
    answer.send(()).unwrap();
    client.set_read_timeout(None)?;
    assert_eq!(read_frame(&mut client)?, b"wols");

    drop(client);
    server.join().unwrap()
}
