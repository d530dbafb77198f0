//! Messages to name servers and back (RFC 1035, RFC 6891). No sockets: bytes in, bytes out.
use std::net::IpAddr;
use std::time::Duration;

use super::error::{Cause, LookupError};
use super::query::{Answer, IpFamily, Query};

/// What a server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// As on the wire: each label after its length, in small letters; then a zero.
    name: Vec<u8>,
    kind: u16,
}

/// What a message says to a question.
#[derive(Debug)]
pub(super) enum Said {
    /// The records that answer it.
    Records(Records),
    /// The answer does not fit: ask by a stream.
    Truncated,
    /// It is the answer to something else, or to nothing.
    Stray,
    /// The server has no answer.
    Refused(LookupError),
}

/// What the records of an answer hold, and for how many seconds all of them do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) addrs: Vec<IpAddr>,
    pub(super) names: Vec<String>,
    pub(super) ttl: u32,
}

impl Question {
    /// About the addresses of a host, whose name is taken as it is: no search list is tried.
    pub(super) fn of(query: &Query) -> Result<Self, LookupError> {
        let kind = match query.family() {
            IpFamily::V4 => A,
            IpFamily::V6 => AAAA,
        };
        Ok(Self { name: wire(query.name())?, kind })
    }

    /// About what an address is called.
    pub(super) fn about(ip: IpAddr) -> Result<Self, LookupError> {
        let name = match ip {
            IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                let digits = (0..32).map(|at| format!("{:x}.", (bits >> (4 * at)) & 15));
                digits.collect::<String>() + "ip6.arpa"
            }
        };
        Ok(Self { name: wire(&name)?, kind: PTR })
    }

    /// The message that asks it.
    pub(super) fn message(&self, id: u16) -> Vec<u8> {
        let mut bytes = id.to_be_bytes().to_vec();
        // Recursion is desired; one question, no answers, no authorities, one addition.
        for word in [0x0100, 1, 0, 0, 1] {
            bytes.extend(u16::to_be_bytes(word));
        }
        bytes.extend(&self.name);
        bytes.extend(self.kind.to_be_bytes());
        bytes.extend(INTERNET.to_be_bytes());
        // The addition: how long a datagram may be. The root's name, OPT, the size, nothing else.
        bytes.push(0);
        bytes.extend(OPT.to_be_bytes());
        bytes.extend((DATAGRAM_MAX as u16).to_be_bytes());
        bytes.extend([0; 6]);
        bytes
    }

    /// What a message says to it, which was asked under that number.
    pub(super) fn read(&self, message: &[u8], id: u16) -> Said {
        self.parse(message, id).unwrap_or_else(|| {
            let what = "the answer of the name server is not well formed";
            Said::Refused(LookupError::because(Cause::Failed, what))
        })
    }

    /// `None`: it does not end where it should.
    fn parse(&self, message: &[u8], id: u16) -> Option<Said> {
        let mut reader = Reader { message, at: 0 };
        let Some([got, flags, questions, answers, ..]) = reader.header() else {
            return Some(Said::Stray);
        };
        let is_answer = flags & 0x8000 != 0 && flags & 0x7800 == 0;
        if got != id || !is_answer || questions != 1 {
            return Some(Said::Stray);
        }
        let same = reader.name().is_some_and(|name| name == self.name)
            && reader.word() == Some(self.kind)
            && reader.word() == Some(INTERNET);
        if !same {
            return Some(Said::Stray);
        }
        if flags & 0x0200 != 0 {
            return Some(Said::Truncated);
        }
        let refusal = match flags & 15 {
            0 => None,
            2 => Some(Cause::Temporary),
            3 => Some(Cause::NotFound),
            _ => Some(Cause::Failed),
        };
        if let Some(cause) = refusal {
            return Some(Said::Refused(LookupError::new(cause)));
        }
        let records = (0..answers).map(|_| reader.record()).collect::<Option<Vec<_>>>()?;
        self.follow(&records)
    }

    /// From the name that was asked for, over its aliases, to what was asked for.
    fn follow(&self, records: &[Record<'_>]) -> Option<Said> {
        let mut name = self.name.clone();
        let mut found = Records { ttl: u32::MAX, ..Records::default() };
        for _ in 0..ALIASES_MAX {
            let of_name = || records.iter().filter(|one| one.name == name);
            for record in of_name().filter(|one| one.kind == self.kind) {
                found.ttl = found.ttl.min(record.ttl);
                match self.kind {
                    A => found.addrs.push(<[u8; 4]>::try_from(record.data).ok()?.into()),
                    AAAA => found.addrs.push(<[u8; 16]>::try_from(record.data).ok()?.into()),
                    _ => found.names.extend(text(&record.target()?)),
                }
            }
            if !found.addrs.is_empty() || !found.names.is_empty() {
                return Some(Said::Records(found));
            }
            let Some(alias) = of_name().find(|one| one.kind == CNAME) else {
                return Some(Said::Refused(LookupError::new(Cause::NoData)));
            };
            found.ttl = found.ttl.min(alias.ttl);
            name = alias.target()?;
        }
        None
    }
}

impl Records {
    /// As an answer of a resolver.
    pub(super) fn into_answer(self) -> Answer {
        // RFC 2181: what has the first bit set means zero.
        let ttl = if self.ttl > i32::MAX as u32 { 0 } else { self.ttl };
        Answer::new(self.addrs).with_ttl(Duration::from_secs(ttl.into()))
    }
}

/// One record of an answer.
struct Record<'a> {
    name: Vec<u8>,
    kind: u16,
    ttl: u32,
    data: &'a [u8],
    /// The message up to the end of the data.
    so_far: &'a [u8],
}

impl Record<'_> {
    /// The name that the data are.
    fn target(&self) -> Option<Vec<u8>> {
        let at = self.so_far.len() - self.data.len();
        Reader { message: self.so_far, at }.name()
    }
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn header(&mut self) -> Option<[u16; 6]> {
        let mut words = [0; 6];
        for word in &mut words {
            *word = self.word()?;
        }
        Some(words)
    }

    fn record(&mut self) -> Option<Record<'a>> {
        let name = self.name()?;
        let (kind, class) = (self.word()?, self.word()?);
        let ttl = u32::from(self.word()?) << 16 | u32::from(self.word()?);
        let len = self.word()?;
        let data = self.take(len.into())?;
        // Of another class it answers nothing.
        let kind = if class == INTERNET { kind } else { 0 };
        Some(Record { name, kind, ttl, data, so_far: &self.message[..self.at] })
    }

    /// A name, in small letters. A pointer leads to where its rest stood before.
    fn name(&mut self) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        // Where to go on afterwards, and before where the next pointer must lead: so it ends.
        let (mut after, mut before) = (None, self.at);
        loop {
            let len = *self.take(1)?.first()?;
            match len {
                0 => break,
                1..=63 => {
                    name.push(len);
                    name.extend(self.take(len.into())?.to_ascii_lowercase());
                }
                0xc0.. => {
                    let low = *self.take(1)?.first()?;
                    let to = usize::from(len & 0x3f) << 8 | usize::from(low);
                    after = after.or(Some(self.at));
                    if to >= before {
                        return None;
                    }
                    (self.at, before) = (to, to);
                }
                _ => return None,
            }
            if name.len() >= NAME_MAX {
                return None;
            }
        }
        name.push(0);
        self.at = after.unwrap_or(self.at);
        Some(name)
    }

    fn word(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let bytes = self.message.get(self.at..)?.get(..len)?;
        self.at += len;
        Some(bytes)
    }
}

/// A name as it goes over the wire.
fn wire(name: &str) -> Result<Vec<u8>, LookupError> {
    let mut bytes = Vec::new();
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        let len = u8::try_from(label.len()).unwrap_or(u8::MAX);
        if !label.is_ascii() || label.is_empty() || len > 63 {
            let what = "name servers take names of ASCII alone (others in their form xn--)";
            return Err(LookupError::because(Cause::BadName, what));
        }
        bytes.push(len);
        bytes.extend(label.to_ascii_lowercase().as_bytes());
    }
    bytes.push(0);
    Ok(bytes)
}

/// A name as people read it, if they can.
fn text(wire: &[u8]) -> Option<String> {
    let mut labels = Vec::new();
    let mut rest = wire;
    while let Some((len, after)) = rest.split_first().filter(|(len, _)| **len > 0) {
        let (label, after) = after.split_at_checked(usize::from(*len))?;
        let plain = label.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.');
        labels.push(std::str::from_utf8(label).ok().filter(|_| plain)?);
        rest = after;
    }
    (!labels.is_empty()).then(|| labels.join("."))
}

/// What is said to fit into a datagram: 1280 bytes, which all networks take, without headers.
pub(super) const DATAGRAM_MAX: usize = 1232;
/// A name on the wire, its last zero included.
const NAME_MAX: usize = 255;
/// Names that stand for names. Resolvers give up at about as many.
const ALIASES_MAX: usize = 16;

const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const AAAA: u16 = 28;
const OPT: u16 = 41;
const INTERNET: u16 = 1;

/// What the fuzzer runs: the question of one of three kinds about `a.example`, asked under the
/// number 0x1234, and the addresses and names that a message has for it.
#[cfg(fuzzing)]
pub(crate) fn fuzz(kind: u8, message: &[u8]) -> Option<(Vec<IpAddr>, Vec<String>)> {
    let name = wire("a.example").ok()?;
    let kind = [A, AAAA, PTR][usize::from(kind % 3)];
    match (Question { name, kind }).read(message, 0x1234) {
        Said::Records(records) => Some((records.addrs, records.names)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
