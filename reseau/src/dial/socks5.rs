//! SOCKS5 (RFC 1928), with user names and passwords (RFC 1929).
use std::{fmt, mem};

use super::hop::{HopError, SocksReply};
use super::proxy::Login;
use crate::addr::Host;

/// The client's side of the conversation, taken byte by byte: so it cannot matter how what arrives
/// is cut.
pub(super) struct Socks5 {
    /// What is to be written, and what was given out to be.
    output: Vec<u8>,
    given: Vec<u8>,
    /// What to write when it comes to that; the login once.
    login: Option<Vec<u8>>,
    request: Vec<u8>,
    /// What the next byte is.
    next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Version,
    Method,
    LoginVersion,
    LoginStatus,
    ReplyVersion,
    Reply,
    Reserved,
    AddressKind,
    NameLength,
    /// Of the address that the proxy connects from, and its port: so many bytes more.
    Address(u16),
    Tunnel,
}

impl Socks5 {
    pub(super) fn new(login: Option<&Login>, host: &Host, port: u16) -> Self {
        let output = match login {
            None => vec![VERSION, 1, NO_LOGIN],
            Some(_) => vec![VERSION, 2, NO_LOGIN, USER_AND_PASSWORD],
        };
        let login = login.map(|login| {
            let mut text = vec![LOGIN_VERSION];
            for part in [&login.user, &login.password] {
                text.push(length(part));
                text.extend_from_slice(part);
            }
            text
        });
        let mut request = vec![VERSION, CONNECT, 0];
        match host {
            Host::V4(ip) => {
                request.push(V4);
                request.extend(ip.octets());
            }
            Host::V6(ip, _) => {
                request.push(V6);
                request.extend(ip.octets());
            }
            Host::Name(name) => {
                request.extend([NAME, length(name.as_bytes())]);
                request.extend_from_slice(name.as_bytes());
            }
        }
        request.extend(port.to_be_bytes());
        Self { output, given: Vec::new(), login, request, next: Next::Version }
    }

    pub(super) fn output(&mut self) -> &[u8] {
        self.given = mem::take(&mut self.output);
        &self.given
    }

    pub(super) fn take(&mut self, byte: u8) -> Result<(), HopError> {
        self.next = match (self.next, byte) {
            (Next::Version, VERSION) => Next::Method,
            (Next::ReplyVersion, VERSION) => Next::Reply,
            (Next::Version | Next::ReplyVersion, _) => return garbage("version 5"),
            (Next::Method, method) => self.method(method)?,
            (Next::LoginVersion, LOGIN_VERSION) => Next::LoginStatus,
            (Next::LoginVersion, _) => return garbage("version 1 of the login"),
            (Next::LoginStatus, 0) => self.request(),
            (Next::LoginStatus, _) => return Err(HopError::LoginRefused),
            (Next::Reply, code) => match SocksReply::of(code) {
                None => Next::Reserved,
                Some(reply) => return Err(HopError::Socks(reply)),
            },
            // Nobody needs this byte, and not every proxy makes it zero.
            (Next::Reserved, _) => Next::AddressKind,
            (Next::AddressKind, V4) => Next::Address(4 + 2),
            (Next::AddressKind, V6) => Next::Address(16 + 2),
            (Next::AddressKind, NAME) => Next::NameLength,
            (Next::AddressKind, _) => return garbage("a kind of address"),
            (Next::NameLength, length) => Next::Address(u16::from(length) + 2),
            (Next::Address(1) | Next::Tunnel, _) => Next::Tunnel,
            (Next::Address(left), _) => Next::Address(left - 1),
        };
        Ok(())
    }

    pub(super) fn wanted(&self) -> usize {
        match self.next {
            Next::Version | Next::LoginVersion => 2,
            Next::Method | Next::LoginStatus | Next::NameLength | Next::AddressKind => 1,
            Next::ReplyVersion => 4,
            Next::Reply => 3,
            Next::Reserved => 2,
            Next::Address(left) => usize::from(left),
            Next::Tunnel => 0,
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.output.is_empty()
    }

    fn method(&mut self, method: u8) -> Result<Next, HopError> {
        match (method, self.login.take()) {
            (NO_LOGIN, _) => Ok(self.request()),
            (USER_AND_PASSWORD, Some(login)) => {
                self.output.extend(login);
                Ok(Next::LoginVersion)
            }
            (NO_METHOD, None) => Err(HopError::LoginWanted),
            (NO_METHOD, Some(_)) => Err(HopError::NoMethod),
            _ => garbage("a method that was offered"),
        }
    }

    fn request(&mut self) -> Next {
        self.output.append(&mut self.request);
        Next::ReplyVersion
    }
}

/// Without what it will write: a password is in there.
impl fmt::Debug for Socks5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socks5").field("next", &self.next).finish_non_exhaustive()
    }
}

fn garbage<T>(expected: &'static str) -> Result<T, HopError> {
    Err(HopError::Garbage(expected))
}

/// Names and logins were measured before: none is longer than that.
fn length(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).expect("checked when the proxy and the hop were made")
}

const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;
