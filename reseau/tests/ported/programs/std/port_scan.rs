//! Which ports of a host are open?
use super::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::io::{self, ErrorKind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[derive(Debug, PartialEq)]
enum Port {
    Open,
    Closed,
    Filtered,
}

fn probe(addr: SocketAddr) -> io::Result<Port> {
    match TcpStream::connect_timeout(&addr, Duration::from_secs(5)) {
        Ok(_) => Ok(Port::Open),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => Ok(Port::Closed),
            ErrorKind::TimedOut => Ok(Port::Filtered),
            _ => Err(error),
        },
    }
}

fn scan(host: IpAddr, ports: impl IntoIterator<Item = u16>) -> io::Result<Vec<(u16, Port)>> {
    let (sender, results) = mpsc::channel();
    for port in ports {
        let sender = sender.clone();
        thread::spawn(move || sender.send((port, probe(SocketAddr::new(host, port)))));
    }
    drop(sender);
    let mut found = Vec::new();
    for (port, result) in results {
        found.push((port, result?));
    }
    found.sort_by_key(|(port, _)| *port);
    Ok(found)
}

fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

pub(super) fn main() -> io::Result<()> {
    let (open, also_open) = (listen()?, listen()?);
    // A port that nobody listens at, and that nobody else can have: a connection keeps it.
    let (listener, closed) = listen()?;
    let _client = TcpStream::connect(listener.local_addr()?)?;
    let _server = listener.accept()?;
    drop(listener);

    let found = scan(IpAddr::V4(Ipv4Addr::LOCALHOST), [open.1, closed, also_open.1])?;
    let mut expected =
        vec![(open.1, Port::Open), (closed, Port::Closed), (also_open.1, Port::Open)];
    expected.sort_by_key(|(port, _)| *port);
    assert_eq!(found, expected);

    let nowhere = (Ipv4Addr::LOCALHOST, closed).into();
    let no_time = TcpStream::connect_timeout(&nowhere, Duration::ZERO).unwrap_err();
    assert_eq!(no_time.kind(), ErrorKind::InvalidInput);
    Ok(())
}
