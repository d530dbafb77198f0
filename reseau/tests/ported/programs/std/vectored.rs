//! Records that are written as head and body in one call, and read the same way.
use super::net::{TcpListener, TcpStream};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::thread;

const HEAD: usize = 8;

/// Writes all of both, however the system cuts them.
fn write_record(mut to: &TcpStream, number: u32, body: &[u8]) -> io::Result<()> {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&number.to_le_bytes());
    head[4..].copy_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    let mut slices = &mut [IoSlice::new(&head), IoSlice::new(body)][..];
    while !slices.is_empty() {
        match to.write_vectored(slices)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => IoSlice::advance_slices(&mut slices, n),
        }
    }
    Ok(())
}

/// Reads a record whose body should be `size` long.
fn read_record(mut from: &TcpStream, size: usize) -> io::Result<(u32, Vec<u8>)> {
    let (mut head, mut body) = ([0; HEAD], vec![0; size]);
    let mut slices = &mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut body)][..];
    let mut left = HEAD + size;
    while left > 0 {
        match from.read_vectored(slices)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                left -= n;
                IoSliceMut::advance_slices(&mut slices, n);
            }
        }
    }
    let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
    assert_eq!(word(4) as usize, size);
    Ok((word(0), body))
}

pub(super) fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let writer = TcpStream::connect(listener.local_addr()?)?;
    let (reader, _) = listener.accept()?;
    let sizes = [0, 1, 4_096, 1 << 20, 3];
    let writing = thread::spawn(move || {
        for (number, size) in (0_u32..).zip(sizes) {
            write_record(&writer, number, &vec![b'a' + number.to_le_bytes()[0]; size])?;
        }
        io::Result::Ok(())
    });
    for (number, size) in (0_u32..).zip(sizes) {
        let (got, body) = read_record(&reader, size)?;
        assert_eq!(got, number);
        assert!(body.iter().all(|byte| *byte == b'a' + number.to_le_bytes()[0]));
    }
    writing.join().unwrap()?;
    assert_eq!((&reader).read(&mut [0; 1])?, 0);
    Ok(())
}
