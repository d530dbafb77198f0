//! Names without files: nothing to remove, and gone with their sockets.
use super::unix::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::io::{self, ErrorKind, Read, Write};
#[allow(unused_imports)] // Where the addresses have it of themselves.
use std::os::linux::net::SocketAddrExt;
use std::{process, thread};

fn name(of: &str) -> io::Result<SocketAddr> {
    let thread = thread::current().id();
    SocketAddr::from_abstract_name(format!("{of}-{}-{thread:?}", process::id()))
}

/// Greets on a stream whoever announces itself by a datagram.
fn greet(announcements: &UnixDatagram, greetings: &UnixListener) -> io::Result<Vec<Vec<u8>>> {
    let mut guests = Vec::new();
    let mut buf = [0; 64];
    loop {
        let (n, from) = announcements.recv_from(&mut buf)?;
        assert!(from.as_pathname().is_none());
        let Some(guest) = from.as_abstract_name() else {
            assert_eq!(&buf[..n], b"close");
            return Ok(guests);
        };
        guests.push(guest.to_vec());
        announcements.send_to_addr(b"come in", &from)?;
        let (mut stream, peer) = greetings.accept()?;
        assert!(peer.is_unnamed());
        stream.write_all(b"hello, ")?;
        stream.write_all(&buf[..n])?;
    }
}

fn visit(door: &SocketAddr, hall: &SocketAddr, me: &SocketAddr, name: &str) -> io::Result<String> {
    let socket = UnixDatagram::bind_addr(me)?;
    socket.connect_addr(door)?;
    assert_eq!(socket.local_addr()?.as_abstract_name(), me.as_abstract_name());
    assert_eq!(socket.peer_addr()?.as_abstract_name(), door.as_abstract_name());
    socket.send(name.as_bytes())?;
    let mut answer = [0; 64];
    let n = socket.recv(&mut answer)?;
    assert_eq!(&answer[..n], b"come in");
    let mut greeting = String::new();
    UnixStream::connect_addr(hall)?.read_to_string(&mut greeting)?;
    Ok(greeting)
}

pub(super) fn main() -> io::Result<()> {
    let (door, hall) = (name("door")?, name("hall")?);
    let refused = UnixDatagram::unbound()?.send_to_addr(b"x", &door).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let (announcements, greetings) =
        (UnixDatagram::bind_addr(&door)?, UnixListener::bind_addr(&hall)?);
    assert_eq!(UnixDatagram::bind_addr(&door).unwrap_err().kind(), ErrorKind::AddrInUse);
    let greeting = thread::spawn(move || greet(&announcements, &greetings));

    let mut names = Vec::new();
    for guest in ["ann", "bob"] {
        let me = name(guest)?;
        assert_eq!(visit(&door, &hall, &me, guest)?, format!("hello, {guest}"));
        names.push(me.as_abstract_name().unwrap().to_vec());
        // The name is free again.
        drop(UnixDatagram::bind_addr(&me)?);
    }
    UnixDatagram::unbound()?.send_to_addr(b"close", &door)?;
    assert_eq!(greeting.join().unwrap()?, names);
    drop(UnixDatagram::bind_addr(&door)?);
    assert_eq!(UnixStream::connect_addr(&hall).unwrap_err().kind(), ErrorKind::ConnectionRefused);

    let with_nul = SocketAddr::from_abstract_name(b"a\0b")?;
    assert_eq!(with_nul.as_abstract_name(), Some(&b"a\0b"[..]));
    assert!(SocketAddr::from_abstract_name([b'x'; 108]).is_err());
    assert_eq!(SocketAddr::from_pathname("a\0b").unwrap_err().kind(), ErrorKind::InvalidInput);
    Ok(())
}
