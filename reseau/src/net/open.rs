//! Opening sockets: one address after the other, and an error that tells of all of them.
use std::io;
use std::sync::Arc;

use super::handle::Handle;
use crate::addr::Addr;
use crate::driver::Home;
use crate::error::{Error, Fault, Operation};
use crate::rt::Remote;
use crate::sys::listening::Terms;
use crate::sys::{self, Fd, Kind, OsSocket};

/// Connects to the first of `addrs` that takes it.
pub(super) async fn connect(
    addrs: impl IntoIterator<Item = impl Into<Addr>>,
    name: Option<&str>,
    home: &Arc<Home>,
) -> io::Result<Handle> {
    let mut tried = Tried::new(name);
    for addr in addrs {
        let addr = addr.into();
        let connected = match sys::domain(&addr).and_then(|domain| home.open(domain)) {
            Ok(fd) => Handle::connect(fd, home, &addr).await,
            Err(error) => Err(error),
        };
        match connected {
            Ok(handle) => return Ok(handle),
            Err(error) => tried.push(Operation::Connect, addr, error),
        }
    }
    Err(tried.into_error(Operation::Connect))
}

/// Connects a socket that was made before.
pub(super) async fn connect_with(fd: Fd, addr: Addr, home: &Arc<Home>) -> io::Result<Handle> {
    match Handle::connect(fd, home, &addr).await {
        Ok(handle) => Ok(handle),
        Err(error) => Err(Error::new(Operation::Connect, error).peer(addr).into()),
    }
}

/// Listens on the first of `addrs` that can be had.
pub(super) fn listen(
    addrs: impl IntoIterator<Item = impl Into<Addr>>,
    name: Option<&str>,
    home: &Arc<Home>,
) -> io::Result<Fd> {
    let mut tried = Tried::new(name);
    for addr in addrs {
        let addr = addr.into();
        match listen_on(&addr, Kind::Stream, &Terms::default(), home) {
            Ok(fd) => return Ok(fd),
            Err((operation, error)) => tried.push(operation, addr, error),
        }
    }
    Err(tried.into_error(Operation::Bind))
}

pub(super) fn listen_on(
    addr: &Addr,
    kind: Kind,
    terms: &Terms,
    home: &Home,
) -> Result<Fd, (Operation, io::Error)> {
    let failed = |operation| move |error| (operation, error);
    let fd = sys::domain(addr).and_then(|domain| home.open_as(domain, kind));
    let fd = fd.map_err(failed(Operation::Open))?;
    terms.prepare(fd.on(), addr).map_err(failed(Operation::SetOption))?;
    fd.bind(addr).map_err(failed(Operation::Bind))?;
    fd.listen(terms.backlog).map_err(failed(Operation::Listen))?;
    Ok(fd)
}

/// Takes in a socket of the system, on the loop of this thread or else the global one.
pub(super) fn adopt(socket: OsSocket) -> io::Result<(Fd, Arc<Home>)> {
    let home = here()?;
    Ok((adopt_on(socket, &home)?, home))
}

/// As [`adopt`], on that loop.
pub(super) fn adopt_on(socket: OsSocket, home: &Home) -> io::Result<Fd> {
    let fd = Fd::Os(socket);
    fits(&fd, home)?;
    fd.os()?.set_nonblocking(true)?;
    Ok(fd)
}

/// The home of what is made without naming one.
pub(super) fn here() -> io::Result<Arc<Home>> {
    Ok(Remote::current()?.home().clone())
}

/// A simulated loop works for simulated sockets alone, and no other loop does.
pub(super) fn fits(fd: &Fd, home: &Home) -> io::Result<()> {
    let what = match (fd.os().is_ok(), home.world().is_some()) {
        (true, true) => "a simulated loop cannot work for a socket of the system",
        (false, false) => "a simulated socket needs its simulated loop",
        _ => return Ok(()),
    };
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

/// The addresses that did not do.
pub(super) struct Tried<'a> {
    name: Option<&'a str>,
    addrs: Vec<(Operation, Addr, io::Error)>,
}

impl<'a> Tried<'a> {
    pub(super) fn new(name: Option<&'a str>) -> Self {
        Self { name, addrs: Vec::new() }
    }

    pub(super) fn push(&mut self, operation: Operation, addr: Addr, error: io::Error) {
        self.addrs.push((operation, addr, error));
    }

    /// The last one's error, which holds all of them.
    pub(super) fn into_error(mut self, operation: Operation) -> io::Error {
        let Some((operation, last, cause)) = self.addrs.pop() else {
            let cause = io::Error::new(io::ErrorKind::InvalidInput, "there is no address");
            return self.named(Error::new(operation, cause)).into();
        };
        let again = Fault::from(&cause).to_io();
        let error = self.named(Error::new(operation, cause));
        let error = match operation {
            Operation::Connect => error.peer(last.clone()),
            _ => error.local(last.clone()),
        };
        let tried = self.addrs.into_iter().map(|(_, addr, error)| (addr, error));
        let tried = tried.chain([(last, again)]);
        tried.fold(error, |error, (addr, cause)| error.attempt(addr, cause)).into()
    }

    fn named(&self, error: Error) -> Error {
        match self.name {
            Some(name) => error.target(name),
            None => error,
        }
    }
}
