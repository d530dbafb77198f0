//! Which ports of a host are open? All of them are asked at once.
use super::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[derive(Debug, PartialEq)]
enum Port {
    Open,
    Closed,
    Filtered,
}

async fn probe(host: IpAddr, port: u16) -> io::Result<(u16, Port)> {
    let state = match timeout(Duration::from_secs(5), TcpStream::connect((host, port))).await {
        Ok(Ok(_stream)) => Port::Open,
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Port::Closed,
        Ok(Err(error)) => return Err(error),
        Err(_elapsed) => Port::Filtered,
    };
    Ok((port, state))
}

async fn scan(host: &str, ports: &[u16]) -> io::Result<BTreeMap<u16, Port>> {
    let found = lookup_host((host, 0)).await?.map(|addr| addr.ip()).find(IpAddr::is_ipv4);
    let host = found.ok_or(ErrorKind::NotFound)?;
    let mut probes: JoinSet<_> = ports.iter().map(|port| probe(host, *port)).collect();
    let mut states = BTreeMap::new();
    while let Some(probed) = probes.join_next().await {
        let (port, state) = probed??;
        states.insert(port, state);
    }
    Ok(states)
}

async fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

pub(super) async fn main() -> io::Result<()> {
    let (open, also_open) = (listen().await?, listen().await?);
    // A port that nobody listens at, and that nobody else can have.
    let bound = TcpSocket::new_v4()?;
    bound.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let closed = bound.local_addr()?.port();

    let found = scan("localhost", &[open.1, closed, also_open.1]).await?;
    let expected = [(open.1, Port::Open), (closed, Port::Closed), (also_open.1, Port::Open)].into();
    assert_eq!(found, expected);
    Ok(())
}
