//! The socket under every listener, and what is its own beside it.
use std::io;
use std::ops::Deref;

use crate::addr::Covers;
use crate::sys::listening;
use crate::sys::option::On;
use crate::sys::{self, Claim, OsSocket};

/// A socket that listens.
pub(super) struct Place {
    /// Goes first, so that nobody finds the file of a listener that is gone.
    claim: Option<Claim>,
    socket: OsSocket,
    /// How many connections it was told to let wait, where that is known.
    asked: Option<u32>,
}

impl Place {
    pub(super) fn new(socket: OsSocket, backlog: u32) -> Self {
        Self { claim: None, socket, asked: Some(backlog) }
    }

    pub(super) fn claimed(self, claim: Option<Claim>) -> Self {
        Self { claim, ..self }
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { claim: None, socket: self.socket.try_clone()?, asked: self.asked })
    }

    pub(super) fn covers(&self) -> io::Result<Covers> {
        let addr = sys::from_sock_addr(&self.socket.local_addr()?)?;
        let only_v6 = listening::is_only_v6(On::Os(&self.socket));
        Covers::of(&addr, only_v6).ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    pub(super) fn backlog(&self) -> Option<u32> {
        listening::backlog(On::Os(&self.socket), self.asked)
    }
}

impl Deref for Place {
    type Target = OsSocket;

    fn deref(&self) -> &OsSocket {
        &self.socket
    }
}

impl From<OsSocket> for Place {
    fn from(socket: OsSocket) -> Self {
        Self { claim: None, socket, asked: None }
    }
}

impl From<Place> for OsSocket {
    /// The file stays, whoever closes it in the end.
    fn from(place: Place) -> Self {
        if let Some(claim) = place.claim {
            claim.release();
        }
        place.socket
    }
}
