//! Listeners of whatever family an address has: what `reseau::listen` stands on.
use std::io;
use std::sync::Arc;

use super::builder::check;
use super::{Listener, open};
use crate::addr::{Addr, Any, kind::sealed::Way};
use crate::driver::Home;
use crate::error::{Error, Operation};
use crate::sys::{self, Kind, OsSocket, listening::Terms};

impl Listener<Any> {
    /// Listens at `addr`; if it is a path and is to be claimed, after the dead have given way.
    pub(crate) fn at(
        addr: &Addr,
        terms: &Terms,
        claim: bool,
        home: &Arc<Home>,
    ) -> Result<Self, Error> {
        let failed = |(operation, error)| Error::new(operation, error).local(addr.clone());
        let listen = || open::listen_on(addr, Kind::Stream, terms, home);
        // Worlds have no files.
        if claim && home.world().is_none() {
            let bind = || listen().map_err(|(_, error)| error);
            let claimed = sys::claimed(addr, Kind::Stream, bind);
            let (fd, claim) = claimed.map_err(|error| failed((Operation::Bind, error)))?;
            return Ok(Self::adopt(fd, home).told(terms.backlog).claimed(claim));
        }
        Ok(Self::adopt(listen().map_err(failed)?, home).told(terms.backlog))
    }

    /// Takes in a listener that was open when the program began.
    pub(crate) fn inherit(socket: OsSocket, home: &Arc<Home>) -> io::Result<Self> {
        check::<Any>(&socket, Way::Stream, Some(true))?;
        Ok(Self::adopt(open::adopt_on(socket, home)?, home))
    }
}
