//! Worlds driven by hand. Virtual time cannot hang: every wait here counts its steps and says what
//! it waited for.
#![allow(unsafe_code)]

mod closing;
mod connecting;
mod datagrams;
mod families;
mod flowing;
mod hosts;
#[cfg(target_os = "linux")]
mod like_linux;
mod order;
mod routes;

use super::{Faults, Port, World};
use crate::addr::{Addr, UnixAddr};
use crate::sys::Fd;
use socket2::Domain;
use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Delivers the next arrivals until `done` gives something.
#[track_caller]
fn until<T>(world: &World, what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    for _ in 0..STEPS_MAX {
        if let Some(value) = done() {
            return value;
        }
        let Some(at) = world.next_arrival() else { panic!("nothing more arrives: no {what}") };
        assert!(world.advance_to(at), "an arrival that was announced did not come");
    }
    panic!("no {what} after {STEPS_MAX} arrivals")
}

/// Delivers everything that is under way.
#[track_caller]
fn settle(world: &World) {
    for _ in 0..STEPS_MAX {
        let Some(at) = world.next_arrival() else { return };
        world.advance_to(at);
    }
    panic!("the world does not come to rest")
}

/// Waits until `call` does not block, and gives what it gave.
#[track_caller]
fn wait<T>(world: &World, what: &str, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    until(world, what, || match call() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        result => Some(result),
    })
}

/// Waits for the end of a connect.
#[track_caller]
fn connected(world: &World, port: &Port) -> io::Result<()> {
    until(world, "end of the connect", || match port.connected() {
        Ok(false) => None,
        Ok(true) => Some(Ok(())),
        Err(error) => Some(Err(error)),
    })
}

fn listener(world: &World, addr: &Addr, backlog: u32) -> Port {
    let port = world.open(crate::sys::domain(addr).unwrap());
    port.bind(addr).unwrap();
    port.listen(backlog).unwrap();
    port
}

fn accept(listener: &Port) -> io::Result<(Port, Addr)> {
    let new = listener.accept()?;
    let Fd::Sim(port) = new.fd else { panic!("a simulated listener accepts simulated sockets") };
    Ok((port, new.peer.expect("the simulated kernel knows the peer")))
}

/// Both ends of a TCP connection: the client's and the server's.
fn tcp(world: &World) -> (Port, Port) {
    let listener = listener(world, &v4(0), 1);
    let client = world.open(Domain::IPV4);
    assert!(!client.connect(&listener.local_addr().unwrap()).unwrap());
    let (server, _) = wait(world, "connection", || accept(&listener)).unwrap();
    assert!(client.connected().unwrap());
    (client, server)
}

/// Both ends of a connection of either kind.
fn either(world: &World, unix: bool) -> (Port, Port) {
    if unix { world.pair() } else { tcp(world) }
}

fn recv(port: &Port, most: usize) -> io::Result<Vec<u8>> {
    let mut space = vec![MaybeUninit::uninit(); most];
    let count = port.recv(&mut space)?;
    // SAFETY: `recv` has written as many slots as it says.
    let read = |slot: &MaybeUninit<u8>| unsafe { slot.assume_init() };
    Ok(space[..count].iter().map(read).collect())
}

/// Sends all of `bytes`, waiting for room.
#[track_caller]
fn send_all(world: &World, port: &Port, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let count = wait(world, "room", || port.send(bytes)).unwrap();
        bytes = &bytes[count..];
    }
}

/// Receives until the end of the stream, or an error.
#[track_caller]
fn recv_all(world: &World, port: &Port) -> (Vec<u8>, io::Result<()>) {
    let mut all = Vec::new();
    loop {
        match wait(world, "bytes or the end", || recv(port, 4096)) {
            Ok(bytes) if bytes.is_empty() => return (all, Ok(())),
            Ok(bytes) => all.extend(bytes),
            Err(error) => return (all, Err(error)),
        }
    }
}

#[track_caller]
fn kind<T: Debug>(result: io::Result<T>) -> ErrorKind {
    result.expect_err("an error was due").kind()
}

fn v4(port: u16) -> Addr {
    Addr::Inet(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

fn v6(port: u16) -> Addr {
    Addr::Inet(SocketAddr::from((Ipv6Addr::LOCALHOST, port)))
}

fn path(path: &str) -> Addr {
    Addr::Unix(UnixAddr::from_pathname(path).unwrap())
}

fn port_of(addr: &Addr) -> u16 {
    let Addr::Inet(addr) = addr else { panic!("{addr:?} has no port") };
    addr.port()
}

/// Takes and gives in one go, always as much as possible.
fn whole() -> Faults {
    Faults { whole_sends: 1000, whole_recvs: 1000, ..Faults::default() }
}

/// The watchdog: more arrivals than any of these tests needs to get anywhere.
const STEPS_MAX: usize = 100_000;
const SECOND: Duration = Duration::from_secs(1);
