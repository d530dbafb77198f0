//! TLS without input or output: [`Engine`].
//!
//! Ciphertext goes in as slices, however it was split on its way; plaintext is lent from where it
//! was decrypted. This is the only file that names rustls's connections, so whoever moves bytes (a
//! thread, a task, a simulated loop) has the same TLS under it.
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::{fmt, mem};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, Error as Cause, HandshakeKind};
use rustls::{NamedGroup, ServerConfig, ServerConnection};

use super::chance::Chance;
use super::error::{Broken, Role};
use super::session::{Session, Version};
use crate::error::{Operation, Phase};

/// One connection's state of TLS.
///
/// What it needs is asked for by looking: bytes to be sent ([`wants_to_send`](Self::wants_to_send))
/// go out before anything is waited for, and then it is fed.
pub(crate) struct Engine {
    connection: Box<Connection>,
    chance: Chance,
    role: Role,
    /// How many bytes were decrypted and not taken yet.
    ready: usize,
    /// Something was fed since anything was sealed: the protocol may have something to answer.
    asked: bool,
    /// What is to be the first that is said, until the handshake is done.
    early: Vec<u8>,
    /// How much of that went with the first flight.
    sent_early: usize,
    /// Nothing was fed yet.
    fresh: bool,
    /// What went wrong, for good.
    broken: Option<Broken>,
    /// The transport has ended.
    cut: bool,
    /// The peer has said that it was all.
    closed: bool,
    /// We have said that it was all.
    finished: bool,
}

/// What there is to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plain<'a> {
    /// These bytes, at least one.
    Bytes(&'a [u8]),
    /// Nothing before more ciphertext is fed.
    Starved,
    /// The peer has said that it was all.
    End,
}

/// Why nothing can be sealed.
#[cfg_attr(not(feature = "async"), allow(dead_code))]
pub(crate) enum NoSeal {
    /// The connection is over, for this reason.
    Broken(Broken),
    /// We have said that it was all.
    Finished,
}

impl Engine {
    pub(crate) fn client(
        chance: Chance,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, Broken> {
        let connection = chance.over(|| ClientConnection::new(config, name));
        let broken = |error| Broken::new(Role::Client, true, error);
        connection.map(|one| Self::new(chance, one.into(), Role::Client)).map_err(broken)
    }

    pub(crate) fn server(chance: Chance, config: Arc<ServerConfig>) -> Result<Self, Broken> {
        let broken = |error| Broken::new(Role::Server, true, error);
        let connection = chance.over(|| ServerConnection::new(config));
        connection.map(|one| Self::new(chance, one.into(), Role::Server)).map_err(broken)
    }

    fn new(chance: Chance, mut connection: Connection, role: Role) -> Self {
        connection.set_buffer_limit(Some(SEALED_MAX));
        let connection = Box::new(connection);
        Self {
            connection,
            chance,
            role,
            ready: 0,
            asked: false,
            early: Vec::new(),
            sent_early: 0,
            fresh: true,
            broken: None,
            cut: false,
            closed: false,
            finished: false,
        }
    }

    /// Says this first: in the first flight if an earlier session allows it, and right behind the
    /// handshake what went with none, or in vain.
    pub(crate) fn begin_with(&mut self, bytes: Vec<u8>) {
        if let Connection::Client(client) = &mut *self.connection
            && let Some(mut early) = client.early_data()
        {
            self.sent_early = self.chance.over(|| early.write(&bytes)).unwrap_or(0);
        }
        self.early = bytes;
    }

    /// The handshake is done: what was not said early, or not heard, is said now.
    fn end_handshake(&mut self) {
        let early = mem::take(&mut self.early);
        let heard = self.heard_early();
        // There is room for all of it: EARLY_MAX.
        self.seal(&early[heard..]);
    }

    /// How much the server has taken of what went with the first flight.
    fn heard_early(&self) -> usize {
        match &*self.connection {
            Connection::Client(client) if client.is_early_data_accepted() => self.sent_early,
            _ => 0,
        }
    }

    /// Takes ciphertext, and says how much of it: all, unless plaintext is there to be taken first.
    ///
    /// # Errors
    /// What is wrong with it, for good: again and again. An alert for the peer is to be sent then.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let foreign = bytes.first().is_some_and(|kind| self.fresh && !RECORDS.contains(kind));
        self.fresh &= bytes.is_empty();
        let mut left = bytes;
        while !left.is_empty() {
            if let Some(broken) = &self.broken {
                return Err(broken.clone());
            }
            if self.closed {
                return Ok(bytes.len()); // Nothing that comes after the end counts.
            }
            match self.pass_on(&mut left) {
                1.. => self.process(foreign.then_some(bytes)),
                _ if self.ready > 0 => break, // To be taken first.
                _ => {
                    let cause = Cause::General("a message is longer than any may be".into());
                    let handshaking = self.is_handshaking();
                    self.broken = Some(Broken::new(self.role, handshaking, cause));
                }
            }
        }
        match &self.broken {
            Some(broken) => Err(broken.clone()),
            None => Ok(bytes.len() - left.len()),
        }
    }

    /// Gives the library about as much as a record may be, if it has room: to process each of the
    /// pieces in which it takes one would be in vain, mostly.
    fn pass_on(&mut self, left: &mut &[u8]) -> usize {
        if self.ready > RECORD_MAX {
            return 0; // It would say so, in an error that is made for that.
        }
        let (mut sum, most) = (0, left.len().min(RECORD_MAX));
        while sum < most {
            let count = self.connection.read_tls(left).unwrap_or(0);
            sum += count;
            if count < PIECE {
                break;
            }
        }
        sum
    }

    /// Says that the transport has ended: no more will be fed.
    pub(crate) fn feed_end(&mut self) {
        self.cut = true;
    }

    /// `foreign` is what came first, if it is no record.
    fn process(&mut self, foreign: Option<&[u8]>) {
        self.asked = true;
        let handshaking = self.connection.is_handshaking();
        let mut work = || self.chance.over(|| self.connection.process_new_packets());
        let worked = if cfg!(debug_assertions) && self.finished {
            // Builds with debug assertions panic when something is wrong with what comes after our
            // own close_notify (rustls/rustls#959); a peer must not be able to bring that about.
            let odd = || Err(Cause::General("what came after our close_notify is wrong".into()));
            catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| odd())
        } else {
            work()
        };
        match worked {
            Ok(state) => {
                self.closed |= state.peer_has_closed();
                self.ready = state.plaintext_bytes_to_read();
                if handshaking && !self.early.is_empty() && !self.is_handshaking() {
                    self.end_handshake();
                }
            }
            Err(error) => {
                self.broken = Some(match foreign {
                    Some(first) => Broken::foreign(self.role, first, error),
                    None => Broken::found(self.role, handshaking, error),
                });
            }
        }
    }

    /// Lends what was decrypted. It stays until it is consumed.
    ///
    /// # Errors
    /// What ended the connection, once all that came before it was taken: what [`feed`](Self::feed)
    /// said, or that the transport ended and the peer had not said that it was all.
    pub(crate) fn plain(&mut self) -> Result<Plain<'_>, Broken> {
        let cut = self.cut.then(|| self.is_handshaking());
        // How much there is when something went wrong, nobody has said.
        if self.ready > 0 || self.broken.is_some() {
            let bytes = self.connection.reader().into_first_chunk().unwrap_or_default();
            if !bytes.is_empty() {
                return Ok(Plain::Bytes(bytes));
            }
        }
        match (&self.broken, cut) {
            (Some(broken), _) => Err(broken.clone()),
            (None, _) if self.closed => Ok(Plain::End),
            (None, Some(handshaking)) => Err(Broken::truncated(self.role, handshaking)),
            (None, None) => Ok(Plain::Starved),
        }
    }

    /// Takes so many of the bytes that [`plain`](Self::plain) lends.
    #[cfg_attr(not(feature = "async"), allow(dead_code))]
    pub(crate) fn consume(&mut self, count: usize) {
        self.connection.reader().consume(count);
        self.ready = self.ready.saturating_sub(count);
    }

    /// Copies what was decrypted; 0 if there is nothing.
    pub(crate) fn take(&mut self, space: &mut [u8]) -> usize {
        let count = self.connection.reader().read(space).unwrap_or(0);
        self.ready = self.ready.saturating_sub(count);
        count
    }

    /// How many bytes were decrypted and not taken yet.
    #[cfg_attr(not(feature = "async"), allow(dead_code))]
    pub(crate) fn ready(&self) -> usize {
        self.ready
    }

    /// Gives back the room that a long record has needed, as what waits for hours should.
    pub(crate) fn relax(&mut self) {
        // The library fits its buffer to what it holds before it reads, and only then.
        let _ = self.connection.read_tls(&mut Nothing);
    }

    /// Whether nothing more of what comes counts. (Whether the transport has ended, it knows.)
    #[cfg_attr(not(feature = "async"), allow(dead_code))]
    pub(crate) fn is_over(&self) -> bool {
        self.closed || self.broken.is_some()
    }

    /// Why nothing can be sealed, if so.
    #[cfg_attr(not(feature = "async"), allow(dead_code))]
    pub(crate) fn sealing(&self) -> Result<(), NoSeal> {
        match &self.broken {
            Some(broken) => Err(NoSeal::Broken(broken.clone())),
            None if self.finished => Err(NoSeal::Finished),
            None => Ok(()),
        }
    }

    /// Whether there may be something to [`answer`](Self::answer).
    pub(crate) fn is_asked(&self) -> bool {
        self.asked
    }

    /// Seals what the protocol itself has to answer and what would wait for the next plaintext
    /// otherwise: that keys were changed, as the peer has asked for.
    pub(crate) fn answer(&mut self) {
        if self.asked {
            self.seal(&[]);
        }
    }

    /// Encrypts as much as there is room for, and says how much that was. None is taken before the
    /// handshake is done, or after [`finish`](Self::finish).
    pub(crate) fn seal(&mut self, bytes: &[u8]) -> usize {
        self.seal_by(|connection| connection.writer().write(bytes))
    }

    /// As [`seal`](Self::seal), several parts as if they were one.
    pub(crate) fn seal_parts(&mut self, parts: &[IoSlice<'_>]) -> usize {
        self.seal_by(|connection| connection.writer().write_vectored(parts))
    }

    fn seal_by(&mut self, write: impl FnOnce(&mut Connection) -> io::Result<usize>) -> usize {
        if self.finished || self.broken.is_some() || self.is_handshaking() {
            return 0;
        }
        self.asked = false; // Answers go in front.
        self.chance.over(|| write(&mut self.connection)).unwrap_or(0)
    }

    /// Says that nothing more will be sealed: the peer is told by a close_notify.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
        // (Only the first time; the library sees to that.)
        self.chance.over(|| self.connection.send_close_notify());
    }

    /// Whether there is ciphertext to be sent.
    pub(crate) fn wants_to_send(&self) -> bool {
        self.connection.wants_write()
    }

    /// Hands ciphertext to `out`, in order and once.
    ///
    /// # Errors
    /// Those of `out`, which has taken nothing then.
    pub(crate) fn send_to(&mut self, out: &mut dyn Write) -> io::Result<usize> {
        self.connection.write_tls(out)
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// What was agreed upon; of little worth before the handshake is done.
    pub(crate) fn session(&self) -> Session {
        let connection = &*self.connection;
        let kind = connection.handshake_kind();
        let chain = connection.peer_certificates().unwrap_or_default();
        let server_name = match connection {
            Connection::Server(server) => server.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        };
        let cipher = connection.negotiated_cipher_suite();
        let group = connection.negotiated_key_exchange_group();
        Session {
            version: connection.protocol_version().and_then(Version::of),
            cipher: cipher.and_then(|one| one.suite().as_str()),
            group: group.and_then(|one| NamedGroup::as_str(&one.name())),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            server_name,
            chain: chain.iter().map(|one| one.to_vec()).collect(),
            resumed: kind == Some(HandshakeKind::Resumed),
            retried: kind == Some(HandshakeKind::FullWithHelloRetryRequest),
            early: self.heard_early(),
        }
    }

    /// Keys for another use, which both sides can make and nobody else: RFC 5705.
    pub(crate) fn export(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        keys: &mut [u8],
    ) -> io::Result<()> {
        let made = self.connection.export_keying_material(keys, label, context);
        made.map(drop).map_err(|error| {
            let cause = io::Error::new(io::ErrorKind::InvalidInput, error);
            crate::Error::new(Operation::GetOption, cause).phase_at(Phase::Tls).into()
        })
    }
}

/// A source that has nothing for now.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// How much may be said early: there is room for it, whatever becomes of it.
pub(super) const EARLY_MAX: usize = 16 << 10;

/// The kinds of records: what the first byte of each is.
const RECORDS: std::ops::RangeInclusive<u8> = 20..=24;

/// The plaintext of a record, at most.
const RECORD_MAX: usize = 16 << 10;

/// How much the library takes at a time, where it has room.
const PIECE: usize = 4 << 10;

/// How much is encrypted ahead of the transport: four records.
const SEALED_MAX: usize = 4 * RECORD_MAX;

/// Its role and how far it is.
impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = &mut f.debug_struct("Engine");
        form.field("role", &self.role).field("handshaking", &self.is_handshaking());
        form.finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
pub(super) mod tests;

#[cfg(test)]
#[path = "early_tests.rs"]
mod early_tests;
