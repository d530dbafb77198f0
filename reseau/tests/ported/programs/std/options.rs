//! What a library does to its sockets before it uses them, and what it tells of them.
use super::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

/// Any transport will do.
trait Transport: Read + Write + Send {
    fn describe(&self) -> String;
}

impl Transport for TcpStream {
    fn describe(&self) -> String {
        match (self.local_addr(), self.peer_addr()) {
            (Ok(here), Ok(there)) => format!("{here} to {there}"),
            _ => format!("{self:?}"),
        }
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_ttl(42)?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    assert!(stream.nodelay()?);
    assert_eq!(stream.ttl()?, 42);
    assert_eq!(stream.write_timeout()?, Some(Duration::from_secs(5)));
    assert_eq!(stream.read_timeout()?, None);
    let zero = stream.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    assert!(stream.take_error()?.is_none());
    Ok(())
}

fn first_free(host: Ipv4Addr, ports: &[u16]) -> io::Result<TcpListener> {
    let addrs: Vec<_> = ports.iter().map(|port| SocketAddr::from((host, *port))).collect();
    TcpListener::bind(&addrs[..])
}

pub(super) fn main() -> io::Result<()> {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = taken.local_addr()?;
    let error = TcpListener::bind(addr).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let listener = first_free(Ipv4Addr::LOCALHOST, &[addr.port(), 0])?;
    let here = listener.local_addr()?;
    assert_ne!(here, addr);
    assert!(format!("{listener:?}").starts_with(&format!("TcpListener {{ addr: {here}, ")));
    assert_eq!(TcpStream::connect("no port").unwrap_err().kind(), ErrorKind::InvalidInput);

    let stream = TcpStream::connect(here)?;
    tune(&stream)?;
    let from = stream.local_addr()?;
    let shown = format!("{stream:?}");
    assert!(shown.starts_with(&format!("TcpStream {{ addr: {from}, peer: {here}, ")), "{shown}");

    let (accepted, peer) = listener.accept()?;
    assert_eq!(peer, from);
    let mut ends: [Box<dyn Transport>; 2] = [Box::new(stream), Box::new(accepted)];
    assert_eq!(ends[0].describe(), format!("{from} to {here}"));
    assert_eq!(ends[1].describe(), format!("{here} to {from}"));
    ends[0].write_all(b"ping")?;
    let mut buf = [0; 4];
    ends[1].read_exact(&mut buf)?;
    assert_eq!(&buf, b"ping");
    Ok(())
}
